//! A GET or HEAD of a file as a whole (RFC 9110 §13.2.2, §14.2): conditions first, then ranges; which status it gets,
//! and which bytes.
//!
//! Knows neither who asks nor whether the file may be read: both are settled before.

use std::time::SystemTime;

use haul_core::ByteRange;
use http::{HeaderMap, Method, StatusCode};

use super::{
    conditional::{self, Verdict},
    content_range::ContentRange,
    current::Current,
    selection::{self, Selection},
};

/// How a file is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Download {
    /// 412.
    Failed,
    /// 304.
    NotModified,
    /// 200, 206 or 416.
    Send(Selection),
}

impl Download {
    /// The answer to a GET or HEAD of the file whose version is `current`, at the time `now`.
    pub fn decide(method: &Method, headers: &HeaderMap, current: &Current, now: SystemTime) -> Self {
        match conditional::evaluate(method, headers, Some(current), now) {
            Verdict::Failed => Self::Failed,
            Verdict::NotModified => Self::NotModified,
            Verdict::Proceed => Self::Send(selection::select(method, headers, current, now)),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Failed => StatusCode::PRECONDITION_FAILED,
            Self::NotModified => StatusCode::NOT_MODIFIED,
            Self::Send(Selection::Whole) => StatusCode::OK,
            Self::Send(Selection::Part(_) | Selection::Parts(_)) => StatusCode::PARTIAL_CONTENT,
            Self::Send(Selection::Unsatisfiable) => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }

    /// The Content-Range of the answer, for a file of `size` bytes. A multipart answer has none of its own (§15.3.7.2).
    pub fn content_range(&self, size: u64) -> Option<ContentRange> {
        match self {
            Self::Send(Selection::Part(part)) => part_of(*part, size),
            Self::Send(Selection::Unsatisfiable) => Some(ContentRange::Unsatisfied { total: size }),
            Self::Failed | Self::NotModified | Self::Send(Selection::Whole | Selection::Parts(_)) => None,
        }
    }
}

/// The Content-Range of one part; a part that is not inside has none.
fn part_of(range: ByteRange, size: u64) -> Option<ContentRange> {
    (range.end() <= size).then_some(ContentRange::Satisfied { range, total: Some(size) })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use haul_core::ETag;
    use http::{HeaderValue, header::HeaderName};
    use proptest::prelude::*;

    use super::*;
    use crate::http::content_range;

    fn current(size: u64) -> Current {
        Current::new(ETag { opaque: "a".into(), weak: false }, Some(784_903_526), size).unwrap()
    }

    fn decide(method: &Method, fields: &[(&str, &str)], size: u64) -> Download {
        let fields = fields.iter().map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let now = UNIX_EPOCH + Duration::from_secs(800_000_000);
        Download::decide(method, &fields.collect(), &current(size), now)
    }

    #[test]
    fn conditions_come_before_ranges() {
        let get = |fields| decide(&Method::GET, fields, 1575).status().as_u16();
        assert_eq!(get(&[("if-none-match", "\"a\""), ("range", "bytes=0-1")]), 304);
        assert_eq!(get(&[("if-match", "\"b\""), ("range", "bytes=9999-")]), 412);
        assert_eq!(get(&[("if-match", "\"a\""), ("range", "bytes=9999-")]), 416);
        assert_eq!(get(&[("if-none-match", "\"b\""), ("range", "bytes=0-1")]), 206);
        assert_eq!(get(&[("if-none-match", "\"b\""), ("range", "bytes=0-1"), ("if-range", "\"b\"")]), 200);
    }

    #[test]
    fn a_content_range_is_for_one_part_or_none() {
        let get = |range| decide(&Method::GET, &[("range", range)], 1575).content_range(1575);
        assert_eq!(get("bytes=0-499").unwrap().to_string(), "bytes 0-499/1575");
        assert_eq!(get("bytes=1575-").unwrap().to_string(), "bytes */1575");
        assert_eq!(get("bytes=0-0,5-5"), None);
        assert_eq!(get("bytes=x"), None);
        let part = Download::Send(Selection::Part(ByteRange::new(0, 9).unwrap()));
        assert_eq!(part.content_range(8), None, "never one that a client could not read");
    }

    proptest! {
        #[test]
        fn head_is_a_get_without_ranges(
            range in prop::sample::select(vec!["bytes=0-1", "bytes=9-", "bytes=0-0,3-3", "x"]),
            condition in prop::sample::select(vec!["if-match", "if-none-match", "if-range"]),
            tag in prop::sample::select(vec!["\"a\"", "W/\"a\"", "\"b\"", "*"]),
            size in 0..12_u64,
        ) {
            let fields = [("range", range), (condition, tag)];
            let head = decide(&Method::HEAD, &fields, size);
            prop_assert_eq!(&head, &decide(&Method::GET, &fields[1..], size));
            prop_assert!(matches!(head.status().as_u16(), 200 | 304 | 412));
        }

        #[test]
        fn a_content_range_is_read_back_as_it_was(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", size in 0..400_u64) {
            let download = decide(&Method::GET, &[("range", &range)], size);
            if let Some(told) = download.content_range(size) {
                let value = HeaderValue::from_str(&told.to_string()).unwrap();
                prop_assert_eq!(content_range::parse(&value), Some(told));
            }
        }
    }
}
