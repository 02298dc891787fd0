//! Fields that may be there once (RFC 9110 §5.3): a field repeated with the same value is that value, one repeated
//! with different values says nothing that could be relied on.

use http::{HeaderMap, HeaderValue, header::HeaderName};

/// How often a field that should be there once is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single<'a> {
    /// Not at all.
    Absent,
    /// Once, or several times with the same value.
    Value(&'a HeaderValue),
    /// Several times with different values.
    Contradiction,
}

impl<'a> Single<'a> {
    /// The field `name` of these headers.
    pub(super) fn of(headers: &'a HeaderMap, name: &HeaderName) -> Self {
        let mut values = headers.get_all(name).iter();
        match values.next() {
            None => Self::Absent,
            Some(first) if values.all(|other| other == first) => Self::Value(first),
            Some(_) => Self::Contradiction,
        }
    }

    /// The value, where there is exactly one.
    pub(super) fn value(self) -> Option<&'a HeaderValue> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Contradiction => None,
        }
    }
}

/// A number as HTTP writes it, `1*DIGIT`: no sign, no space, nothing that does not fit.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Text without the optional whitespace (RFC 9110 §5.6.3) around it.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ETAG;

    #[test]
    fn a_field_repeated_alike_counts_once() {
        let mut headers = HeaderMap::new();
        assert_eq!(Single::of(&headers, &ETAG), Single::Absent);
        headers.append(ETAG, HeaderValue::from_static("\"a\""));
        headers.append(ETAG, HeaderValue::from_static("\"a\""));
        assert_eq!(Single::of(&headers, &ETAG), Single::Value(&HeaderValue::from_static("\"a\"")));
        headers.append(ETAG, HeaderValue::from_static("\"b\""));
        assert_eq!(Single::of(&headers, &ETAG), Single::Contradiction);
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616", "١"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
