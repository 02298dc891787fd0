//! PUT with Content-Range (RFC 9110 §14.4, §14.5), and the 308 with which some servers tell how far a file is.

use haul_core::ByteRange;
use http::{HeaderMap, header};

use crate::http::{
    content_range::ContentRange,
    field::{self, Single},
};

/// The Content-Range of the bytes from one offset to another of a file of `total` bytes; `None` for no bytes.
pub fn piece(from: u64, to: u64, total: u64) -> Option<String> {
    let range = ByteRange::new(from, to)?;
    Some(ContentRange::Satisfied { range, total: Some(total) }.to_string())
}

/// The Content-Range of a request that asks how far a file of `total` bytes is.
pub fn question(total: u64) -> String {
    ContentRange::Unsatisfied { total }.to_string()
}

/// How many bytes a 308 says are safe: those of `Range: bytes=0-N`, none where it has no Range, and `None` where it says
/// something else.
pub fn safe(headers: &HeaderMap) -> Option<u64> {
    match Single::of(headers, &header::RANGE) {
        Single::Absent => Some(0),
        Single::Contradiction => None,
        Single::Value(value) => {
            let last = field::trim(value.to_str().ok()?).strip_prefix("bytes=0-")?;
            field::number(last)?.checked_add(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_questions_are_written_as_the_rfc_has_them() {
        assert_eq!(piece(0, 10, 100).unwrap(), "bytes 0-9/100");
        assert_eq!(piece(10, 10, 100), None);
        assert_eq!(question(100), "bytes */100");
    }

    #[test]
    fn what_is_safe_begins_at_the_first_byte() {
        let told = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, value.parse().unwrap());
            safe(&headers)
        };
        assert_eq!(safe(&HeaderMap::new()), Some(0));
        assert_eq!(told("bytes=0-41"), Some(42));
        for bad in ["bytes=1-41", "0-41", "bytes=0-", "bytes=0-18446744073709551615", "bytes=0-1,3-4", ""] {
            assert_eq!(told(bad), None, "{bad:?}");
        }
    }
}
