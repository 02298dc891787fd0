//! Range (RFC 9110 §14.2), as a client sends it: one range of bytes, with HTTP's inclusive end.
//!
//! Never several ranges and never a suffix: a resuming client always knows where it starts.

use haul_core::{ByteRange, Span};

/// The value of a Range field that asks for `span`: `bytes=a-b`, or `bytes=a-` where its end is not known.
///
/// HTTP cannot ask for no bytes at all; an empty span becomes `bytes=a-`, and the reader cuts what is too much.
pub fn range_value(span: Span) -> String {
    match span.to.and_then(|to| ByteRange::new(span.from, to)) {
        Some(range) => format!("bytes={}-{}", range.start(), range.end() - 1),
        None => format!("bytes={}-", span.from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_inclusive_on_the_wire() {
        assert_eq!(range_value(Span::from(0)), "bytes=0-");
        assert_eq!(range_value(Span { from: 5, to: Some(6) }), "bytes=5-5");
        assert_eq!(range_value(Span { from: 0, to: Some(u64::MAX) }), "bytes=0-18446744073709551614");
    }

    #[test]
    fn an_empty_span_asks_openly() {
        assert_eq!(range_value(Span { from: 7, to: Some(7) }), "bytes=7-");
        assert_eq!(range_value(Span { from: 7, to: Some(3) }), "bytes=7-");
    }
}
