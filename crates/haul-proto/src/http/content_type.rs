//! Content-Type (RFC 9110 §8.3), as far as a dialect of uploads is told by it: which media type, whatever its parameters.

use http::{HeaderMap, header};

use super::field::{self, Single};

/// Whether these headers say that the content is of this media type, written `type/subtype` in lower case.
pub(super) fn is(headers: &HeaderMap, expected: &str) -> bool {
    let value = Single::of(headers, &header::CONTENT_TYPE).value().and_then(|value| value.to_str().ok());
    let essence = value.and_then(|text| text.split(';').next()).map(field::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_TYPE, value.parse().unwrap());
        }
        is(&headers, "application/partial-upload")
    }

    #[test]
    fn case_and_parameters_do_not_matter() {
        assert!(told(&["application/partial-upload"]));
        assert!(told(&["Application/Partial-Upload ; charset=utf-8"]));
        assert!(told(&["application/partial-upload", "application/partial-upload"]));
    }

    #[test]
    fn another_type_none_and_two_are_not_it() {
        for values in [&[][..], &[""], &["text/plain"], &["application/partial-upload", "text/plain"]] {
            assert!(!told(values), "{values:?}");
        }
        assert!(!told(&["application/partial-uploads"]));
        assert!(!told(&["text/plain; x=application/partial-upload"]));
    }
}
