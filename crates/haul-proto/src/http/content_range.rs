//! Content-Range (RFC 9110 §14.4): which bytes of the whole an answer brings.
//!
//! This field decides at which offset bytes are written, so it is read strictly: what is not exactly the grammar is
//! no Content-Range. Units other than `bytes` are not known here.

use std::fmt;

use haul_core::ByteRange;
use http::HeaderValue;

use super::field;

/// What a Content-Range says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/total`: the body is these bytes.
    Satisfied {
        /// The bytes that come; they end at or before `total`.
        range: ByteRange,
        /// The size of the whole; `None` is `*`, not known to the sender.
        total: Option<u64>,
    },
    /// `bytes */total`: the range asked for lies outside (with a 416).
    Unsatisfied {
        /// The size of the whole.
        total: u64,
    },
}

/// The Content-Range in a field's value, or `None` where it is not exactly one.
pub fn parse(value: &HeaderValue) -> Option<ContentRange> {
    let (unit, rest) = field::trim(value.to_str().ok()?).split_once(' ')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (range, total) = rest.split_once('/')?;
    if range == "*" {
        return Some(ContentRange::Unsatisfied { total: field::number(total)? });
    }
    let (first, last) = range.split_once('-')?;
    let range = ByteRange::new(field::number(first)?, field::number(last)?.checked_add(1)?)?;
    let total = if total == "*" { None } else { Some(field::number(total)?) };
    let inside = total.is_none_or(|total| range.end() <= total);
    inside.then_some(ContentRange::Satisfied { range, total })
}

impl fmt::Display for ContentRange {
    /// As on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Satisfied { range, total } => {
                write!(f, "bytes {}-{}/", range.start(), range.end() - 1)?;
                match total {
                    Some(total) => write!(f, "{total}"),
                    None => write!(f, "*"),
                }
            }
            Self::Unsatisfied { total } => write!(f, "bytes */{total}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<ContentRange> {
        parse(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn reads_what_the_grammar_allows() {
        let range = ByteRange::new(0, 500).unwrap();
        assert_eq!(read("bytes 0-499/1234"), Some(ContentRange::Satisfied { range, total: Some(1234) }));
        assert_eq!(read("BYTES 0-499/500"), Some(ContentRange::Satisfied { range, total: Some(500) }));
        assert_eq!(read("bytes 0-499/*"), Some(ContentRange::Satisfied { range, total: None }));
        assert_eq!(read("bytes */0"), Some(ContentRange::Unsatisfied { total: 0 }));
    }

    #[test]
    fn refuses_everything_else() {
        let bad = [
            "",
            "bytes",
            "bytes */*",
            "bytes 0-499",
            "bytes=0-499/500",
            "bytes  0-499/500",
            "octets 0-499/500",
            "bytes 500-499/1000",
            "bytes 0-499/499",
            "bytes 0-500/500",
            "bytes 0-0/0",
            "bytes +0-499/500",
            "bytes -0-499/500",
            "bytes 0 -499/500",
            "bytes 0-499/ 500",
            "bytes 0-4 99/500",
            "bytes 0-499/500/1",
            "bytes 0-499, 600-700/1000",
            "bytes -499/500",
            "bytes 0-/500",
            "bytes 0-18446744073709551615/*",
            "bytes 0-18446744073709551616/*",
            "bytes 18446744073709551616-18446744073709551617/*",
        ];
        for text in bad {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, tail in "[-0-9*/ ]{0,40}") {
            let _ = HeaderValue::from_bytes(&bytes).ok().and_then(|value| parse(&value));
            let _ = read(&format!("bytes {tail}"));
        }

        #[test]
        fn round_trips(start: u64, end: u64, total: Option<u64>) {
            if let Some(range) = ByteRange::new(start.min(end), start.max(end)) {
                let total = total.map(|total| total.max(range.end()));
                let written = ContentRange::Satisfied { range, total };
                prop_assert_eq!(read(&written.to_string()), Some(written));
            }
            let written = ContentRange::Unsatisfied { total: end };
            prop_assert_eq!(read(&written.to_string()), Some(written));
        }
    }
}
