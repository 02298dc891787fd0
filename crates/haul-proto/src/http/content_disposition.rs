//! Content-Disposition as a server writes it (RFC 6266, RFC 8187): what to do with a file, and what to call it.
//!
//! The name is told twice: `filename` in plain characters that no reader stumbles over, and behind it `filename*`,
//! which is exact. Whoever knows both takes the second (RFC 6266 §4.3). Reading is [`super::disposition`]'s.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a browser does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Shows it where it can.
    Inline,
    /// Saves it.
    Attachment,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        })
    }
}

/// All but attr-char (RFC 8187 §3.2.1).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value of a Content-Disposition field for a file of this name. An empty name is not told.
///
/// RFC 8187 has no charset for bytes that are not UTF-8: each stretch of them becomes U+FFFD.
pub fn disposition_value(disposition: Disposition, name: &[u8]) -> String {
    if name.is_empty() {
        return disposition.to_string();
    }
    let name = String::from_utf8_lossy(name);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let exact = utf8_percent_encode(&name, ENCODED);
    format!("{disposition}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// Whether every reader takes it for itself within quotes. Some readers decode a `%`, some don't undo a backslash
/// (RFC 6266, appendix D), and separators of paths could lead somewhere.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%' | '/')
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::CONTENT_DISPOSITION};
    use proptest::prelude::*;

    use super::*;
    use crate::http::disposition;

    fn attachment(name: &[u8]) -> String {
        disposition_value(Disposition::Attachment, name)
    }

    fn read_back(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(value).unwrap());
        disposition::of(&headers)
    }

    #[test]
    fn a_name_is_told_twice() {
        assert_eq!(attachment(b"a.tar.gz"), "attachment; filename=\"a.tar.gz\"; filename*=UTF-8''a.tar.gz");
        assert_eq!(
            disposition_value(Disposition::Inline, "€ rates.txt".as_bytes()),
            "inline; filename=\"_ rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt"
        );
    }

    #[test]
    fn what_readers_stumble_over_is_only_in_the_exact_name() {
        assert_eq!(
            attachment(b"50%41\"\\/'(),;=*\r\n.txt"),
            "attachment; filename=\"50_41___'(),;=*__.txt\"; \
             filename*=UTF-8''50%2541%22%5C%2F%27%28%29%2C%3B%3D%2A%0D%0A.txt"
        );
        assert_eq!(
            attachment(b"!#$&+-.^_`|~"),
            "attachment; filename=\"!#$&+-.^_`|~\"; filename*=UTF-8''!#$&+-.^_`|~"
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(
            attachment(b"na\xefve.txt"),
            "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%EF%BF%BDve.txt"
        );
    }

    #[test]
    fn no_name_is_not_told() {
        assert_eq!(attachment(b""), "attachment");
        assert_eq!(disposition_value(Disposition::Inline, b""), "inline");
    }

    proptest! {
        #[test]
        fn a_client_reads_the_exact_name(name in any::<String>()) {
            prop_assume!(!name.is_empty());
            prop_assert_eq!(read_back(&attachment(name.as_bytes())), Some(name));
        }

        #[test]
        fn any_bytes_make_a_field_of_plain_characters(name: Vec<u8>, inline: bool) {
            let kind = if inline { Disposition::Inline } else { Disposition::Attachment };
            let value = disposition_value(kind, &name);
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{value}");
            prop_assert_eq!(value.matches('"').count(), if name.is_empty() { 0 } else { 2 });
            let lossy = (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned());
            prop_assert_eq!(read_back(&value), lossy);
        }
    }
}
