//! Content-Disposition (RFC 6266, RFC 8187): the name a server gives the file.
//!
//! What servers send here is often malformed, and a name is only a wish, so this reads whatever can be made sense
//! of. The result is raw: it may be `../../etc/passwd`. [`super::name::safe_name`] makes it usable.

use http::{HeaderMap, header};
use percent_encoding::percent_decode;

/// The file name that an answer gives, raw, whatever the disposition's type: `filename*` where it can be decoded,
/// else `filename`.
pub fn of(headers: &HeaderMap) -> Option<String> {
    headers.get_all(header::CONTENT_DISPOSITION).iter().find_map(|value| file_name(value.as_bytes()))
}

/// The file name in one field's value.
fn file_name(value: &[u8]) -> Option<String> {
    let mut plain = None;
    let mut extended = None;
    let mut rest = value;
    while !rest.is_empty() {
        let (name, value, behind) = parameter(rest);
        rest = behind;
        let Some(value) = value else { continue };
        if name.eq_ignore_ascii_case(b"filename*") {
            extended = extended.or_else(|| decode_extended(&value));
        } else if name.eq_ignore_ascii_case(b"filename") {
            plain = plain.or_else(|| Some(decode_raw(&value)));
        }
    }
    extended.or(plain).filter(|name| !name.is_empty())
}

/// The next word, its value where `=` follows, and what is left; always shorter than `input`, unless that is empty.
fn parameter(input: &[u8]) -> (&[u8], Option<Vec<u8>>, &[u8]) {
    let input = skip(input, b" \t;,");
    let (name, rest) = input.split_at(find(input, |byte| b" \t;,=\"".contains(&byte)));
    match skip(rest, b" \t") {
        [b'=', rest @ ..] => {
            let (value, rest) = match skip(rest, b" \t") {
                [b'"', quoted @ ..] => quoted_string(quoted),
                unquoted => bare(unquoted),
            };
            (name, Some(value), rest)
        }
        // The disposition's type, or a quoted string that belongs to nothing.
        [b'"', quoted @ ..] => (name, None, quoted_string(quoted).1),
        rest => (name, None, rest),
    }
}

/// A quoted-string behind its opening quote; one that is never closed ends with the field.
fn quoted_string(input: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::new();
    let mut rest = input;
    loop {
        match rest {
            [] => return (text, rest),
            [b'"', behind @ ..] => return (text, behind),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                text.push(*byte);
                rest = behind;
            }
        }
    }
}

/// A value without quotes: should be a token, but names with spaces are sent so too. It ends at the semicolon, or
/// where `filename=` shows that a semicolon was forgotten.
fn bare(input: &[u8]) -> (Vec<u8>, &[u8]) {
    let forgotten = |at: usize| {
        let word = &input[at + 1..];
        input[at].is_ascii_whitespace()
            && (starts_with(word, b"filename=") || starts_with(word, b"filename*="))
    };
    // One pass that stops where the value does: a field full of `filename=` costs no more than its length.
    let end = (0..input.len()).find(|at| input[*at] == b';' || forgotten(*at)).unwrap_or(input.len());
    (input[..end].trim_ascii().to_vec(), &input[end..])
}

/// An ext-value, `charset'language'percent-encoded` (RFC 8187 §3.2), or `None` where it is invalid.
fn decode_extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let escapes_are_whole = encoded
        .split(|byte| *byte == b'%')
        .skip(1)
        .all(|behind| behind.len() >= 2 && behind[..2].iter().all(u8::is_ascii_hexdigit));
    if !escapes_are_whole {
        return None;
    }
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(latin_1(&bytes)).filter(|name| !name.is_empty())
    } else {
        None
    }
}

/// Raw bytes: UTF-8 where they are, else what the old standard says, ISO-8859-1.
fn decode_raw(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), str::to_owned)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn find(input: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    input.iter().position(|byte| wanted(*byte)).unwrap_or(input.len())
}

fn skip<'a>(input: &'a [u8], unwanted: &[u8]) -> &'a [u8] {
    &input[find(input, |byte| !unwanted.contains(&byte))..]
}

fn starts_with(input: &[u8], prefix: &[u8]) -> bool {
    input.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        file_name(text.as_bytes())
    }

    #[track_caller]
    fn gives(text: &str, name: &str) {
        assert_eq!(read(text).as_deref(), Some(name), "{text}");
    }

    #[test]
    fn reads_tokens_and_quoted_strings() {
        gives("attachment; filename=a.txt", "a.txt");
        gives("Attachment ; FileName = \"a b;c.txt\" ; size=3", "a b;c.txt");
        gives(r#"inline; filename="a \"b\" \\ c""#, r#"a "b" \ c"#);
        gives("form-data; name=\"filename=x\"; filename=y", "y");
        gives("filename=a.txt", "a.txt");
    }

    #[test]
    fn the_extended_name_wins_wherever_it_stands() {
        gives("attachment; filename*=UTF-8''%e2%82%ac%20rates; filename=\"EURO rates\"", "€ rates");
        gives("attachment; filename=\"EURO rates\"; filename*=utf-8'en'%e2%82%ac%20rates", "€ rates");
        gives("attachment; filename*=iso-8859-1''%A3", "£");
        gives("attachment; filename*=\"UTF-8''a%20b\"", "a b");
    }

    #[test]
    fn an_invalid_extended_name_falls_back() {
        for bad in ["UTF-8''%ff", "UTF-8''a%2", "UTF-8''%zz", "KOI8-R''%C1", "UTF-8'a", "a", "UTF-8''", ""] {
            gives(&format!("attachment; filename*={bad}; filename=plain"), "plain");
            assert_eq!(read(&format!("attachment; filename*={bad}")), None, "{bad}");
        }
    }

    #[test]
    fn malformed_values_of_the_real_world_are_read() {
        gives("attachment; filename=my report.pdf; size=1", "my report.pdf");
        gives("attachment filename=\"a.txt\"", "a.txt");
        gives("attachment; filename=\"a.txt\" filename*=UTF-8''b.txt", "b.txt");
        gives("attachment; filename=a b.txt filename*=UTF-8''b.txt", "b.txt");
        gives("attachment;; filename=\"a.txt", "a.txt");
        gives("attachment; \"stray\" filename=a", "a");
        gives("attachment; filename=naïve.txt", "naïve.txt");
        assert_eq!(file_name(b"attachment; filename=\"na\xefve.txt\"").as_deref(), Some("naïve.txt"));
    }

    #[test]
    fn no_name_is_no_name() {
        for none in [
            "",
            "attachment",
            "attachment;",
            "attachment; filename=\"\"",
            "attachment; filename",
            ";;",
            "=",
            "\"",
        ] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "(filename|\\*|=|\"|\\\\|;| |UTF-8|'|%|[a-f0-9]){0,40}") {
            let _ = file_name(&bytes);
            let _ = read(&text);
        }

        #[test]
        fn quoted_names_round_trip(name in "\\PC{1,40}") {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(read(&format!("attachment; filename=\"{quoted}\"")), Some(name));
        }

        #[test]
        fn extended_names_round_trip(name in any::<String>()) {
            prop_assume!(!name.is_empty());
            let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            prop_assert_eq!(read(&format!("attachment; filename*=UTF-8''{encoded}")), Some(name));
        }
    }
}
