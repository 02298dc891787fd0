//! Which media type a client would rather have (Accept, RFC 9110 §12.5.1).
//!
//! A range with a weight that cannot be read counts for nothing, as if it were not there; parameters of a range other
//! than its weight are not looked at, since nothing here is offered in two forms of one type.

use http::{HeaderMap, header::ACCEPT};

use super::field::trim;

/// How much a client wants a media type. More is wanted rather; where it is the same, what was named more exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Thousandths, 0 (not at all) to 1000.
    weight: u16,
    by: By,
}

/// What named it, less exact first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    #[default]
    Nothing,
    /// `*/*`
    Any,
    /// `text/*`
    Family,
    /// `text/html`
    Name,
}

/// How much whoever sent these fields wants this media type, `text/html` for one. Without the field everything is
/// wanted alike.
pub fn wanted(headers: &HeaderMap, media_type: &str) -> Wanted {
    let mut lines = headers.get_all(ACCEPT).iter().peekable();
    if lines.peek().is_none() {
        return Wanted { weight: 1000, by: By::Any };
    }
    let ranges = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut best = Wanted::default();
    for range in ranges {
        let mut parts = range.split(';').map(trim);
        let by = named(parts.next().unwrap_or_default(), media_type);
        let weight = match parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
            Some(text) => weight(text),
            None => Some(1000),
        };
        // The most exact one counts, whatever the others say.
        if let Some(weight) = weight.filter(|_| by > best.by) {
            best = Wanted { weight, by };
        }
    }
    best
}

fn named(range: &str, media_type: &str) -> By {
    if range == "*/*" {
        return By::Any;
    }
    if range.eq_ignore_ascii_case(media_type) {
        return By::Name;
    }
    let family = media_type.split('/').next().unwrap_or_default();
    match range.strip_suffix("/*") {
        Some(wide) if wide.eq_ignore_ascii_case(family) => By::Family,
        _ => By::Nothing,
    }
}

/// A weight (§12.4.2) in thousandths.
fn weight(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{rest:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_rather(accept: &[&str]) -> bool {
        let fields = accept.iter().map(|value| (ACCEPT, value.parse().unwrap()));
        let fields = HeaderMap::from_iter(fields);
        wanted(&fields, "application/json") > wanted(&fields, "text/html")
    }

    #[test]
    fn who_names_json_gets_it_and_browsers_do_not() {
        for accept in [
            &["application/json"][..],
            &["APPLICATION/JSON"],
            &["text/html;q=0.5, application/json;q=0.9"],
            &["text/html;q=0.999", "application/json"],
            &["application/json, text/plain, */*"],
            &["application/*;q=0.3, text/*;q=0.2"],
            &["application/json;q=0.1, text/html;q=0"],
            &["*/*, text/html;q=0.9"],
            &["application/json; charset=utf-8 ; q=1.000, text/html;q=0.9"],
        ] {
            assert!(json_rather(accept), "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &[""],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"],
            &["application/json;q=0.8, text/html"],
            &["application/json, text/html"],
            &["application/json;q=0, */*"],
            &["application/json;q=2, text/html;q=0.1"],
            &["application/json;q=0.1234, text/html;q=0.1"],
            &["image/png"],
        ] {
            assert!(!json_rather(accept), "{accept:?}");
        }
    }

    #[test]
    fn weights_have_three_digits_at_most() {
        for (text, thousandths) in [("0", 0), ("0.", 0), ("0.5", 500), ("0.05", 50), ("0.123", 123), ("1", 1000)] {
            assert_eq!(weight(text), Some(thousandths), "{text}");
        }
        for bad in ["", ".5", "1.001", "0.1234", "-0", "0.+1", "2", "0,5", "1.0000"] {
            assert_eq!(weight(bad), None, "{bad}");
        }
    }
}
