//! ETag (RFC 9110 §8.8.3): the server's name for one version of the bytes.
//!
//! Read strictly, since a tag is sent back in If-Range and must come out as it came in: what is not exactly an
//! entity-tag (no quotes, `w/`, text after the closing quote) is none.

use haul_core::ETag;
use http::{HeaderMap, HeaderValue, header};

use super::field::{self, Single};

/// Longer tags are not kept: a tag is recorded with every part of a file.
const LONGEST: usize = 1024;

/// The entity tag in a field's value.
pub fn parse(value: &HeaderValue) -> Option<ETag> {
    // A tag that is not UTF-8 could not be sent back unchanged.
    let text = field::trim(std::str::from_utf8(value.as_bytes()).ok()?);
    if text.len() > LONGEST {
        return None;
    }
    let (weak, quoted) = match text.strip_prefix("W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // etagc: visible characters but the quote, and obs-text.
    let allowed = opaque.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
    allowed.then(|| ETag { opaque: opaque.to_owned(), weak })
}

/// The entity tag of an answer; several that differ are as good as none.
pub fn of(headers: &HeaderMap) -> Option<ETag> {
    Single::of(headers, &header::ETAG).value().and_then(parse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<ETag> {
        parse(&HeaderValue::from_bytes(text.as_bytes()).unwrap())
    }

    #[test]
    fn reads_strong_and_weak_tags() {
        assert_eq!(read("\"a-1\""), Some(ETag { opaque: "a-1".into(), weak: false }));
        assert_eq!(read(" W/\"a\\\" "), Some(ETag { opaque: "a\\".into(), weak: true }));
        assert_eq!(read("\"\""), Some(ETag { opaque: String::new(), weak: false }));
        assert_eq!(read("\"né\""), Some(ETag { opaque: "né".into(), weak: false }));
    }

    #[test]
    fn what_is_not_quoted_exactly_is_no_tag() {
        for bad in [
            "",
            "abc",
            "\"",
            "\"a",
            "a\"",
            "w/\"a\"",
            "W/a",
            "W/ \"a\"",
            "\"a\"b\"",
            "\"a\", \"b\"",
            "\"a b\"",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&HeaderValue::from_bytes(b"\"\xff\"").unwrap()), None);
    }

    #[test]
    fn a_huge_tag_is_not_kept() {
        assert!(read(&format!("\"{}\"", "x".repeat(1022))).is_some());
        assert_eq!(read(&format!("\"{}\"", "x".repeat(1023))), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = HeaderValue::from_bytes(&bytes).ok().and_then(|value| parse(&value));
        }

        #[test]
        fn round_trips(opaque in "[!#-~é]{0,40}", weak: bool) {
            let tag = ETag { opaque, weak };
            prop_assert_eq!(read(&tag.to_string()), Some(tag));
        }
    }
}
