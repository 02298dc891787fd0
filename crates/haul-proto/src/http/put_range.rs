//! PUT with Content-Range: a piece of a file at its place, and the question how far it is (RFC 9110 §14.5).
//!
//! A PUT that goes past this field unseen would make a piece the whole file, which is why the RFC has a server refuse
//! what it cannot read. The question, and the 308 that answers it, are Google's ("resumable upload").

use haul_core::ByteRange;
use http::{HeaderMap, HeaderValue, header};

use super::{
    content_range::{self, ContentRange},
    field::{self, Single},
    upload_field::{ReplyFields, UPLOAD_OFFSET},
};

/// What the Content-Range of a PUT says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutRange {
    /// `bytes a-b/total`: the content is these bytes of the file.
    Piece {
        /// Which; they end at or before `total`.
        range: ByteRange,
        /// The size of the whole; `None` is `*`, not known yet.
        total: Option<u64>,
    },
    /// `bytes */total` and no content: how far is it?
    ///
    /// Of a file of 0 bytes, and of one whose bytes were all sent before its size was known, this is also how its
    /// end is told.
    Query {
        /// The size of the whole; `None` is `*`, not known yet.
        total: Option<u64>,
    },
}

/// Why the Content-Range of a PUT is refused, with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPutRange {
    /// It is none, or not of bytes.
    #[error("Content-Range cannot be read")]
    Malformed,
    /// It is there several times with different values.
    #[error("Content-Range contradicts itself")]
    Contradiction,
    /// The content has not as many bytes as it names.
    #[error("Content-Range names {range} bytes, but {content} come")]
    LengthDiffers {
        /// How many it names; 0 where it only asks.
        range: u64,
        /// How many come.
        content: u64,
    },
}

impl PutRange {
    /// What a PUT says; `None` where it has no Content-Range, and brings the whole file.
    ///
    /// `content` is the length of the request's content, where that is known before it comes. Where it is not, whoever
    /// reads a piece takes no more than it names, and of a query nothing.
    pub fn of(headers: &HeaderMap, content: Option<u64>) -> Result<Option<Self>, BadPutRange> {
        let value = match Single::of(headers, &header::CONTENT_RANGE) {
            Single::Absent => return Ok(None),
            Single::Value(value) => value,
            Single::Contradiction => return Err(BadPutRange::Contradiction),
        };
        let said = parse(value).ok_or(BadPutRange::Malformed)?;
        let range = match said {
            Self::Piece { range, .. } => range.len(),
            Self::Query { .. } => 0,
        };
        match content {
            Some(content) if content != range => Err(BadPutRange::LengthDiffers { range, content }),
            _ => Ok(Some(said)),
        }
    }

    /// The size of the whole, where it is told.
    pub fn total(self) -> Option<u64> {
        match self {
            Self::Piece { total, .. } | Self::Query { total } => total,
        }
    }

    /// Whether the file ends where this does.
    pub fn ends(self) -> bool {
        matches!(self, Self::Piece { range, total: Some(total) } if range.end() == total)
    }
}

/// What an answer carries where the file goes on at `offset`: 308 to a piece that was taken and to a query, 409 to a
/// piece that would leave a hole.
pub fn goes_on_at(offset: u64) -> ReplyFields {
    let mut fields = vec![(UPLOAD_OFFSET, HeaderValue::from(offset))];
    // A Range cannot say that there is nothing.
    let last = offset.checked_sub(1).and_then(|last| HeaderValue::try_from(format!("bytes=0-{last}")).ok());
    fields.extend(last.map(|range| (header::RANGE, range)));
    fields
}

fn parse(value: &HeaderValue) -> Option<PutRange> {
    let text = field::trim(value.to_str().ok()?);
    let unit = text.strip_suffix("*/*").and_then(|unit| unit.strip_suffix(' '));
    if unit.is_some_and(|unit| unit.eq_ignore_ascii_case("bytes")) {
        return Some(PutRange::Query { total: None });
    }
    match content_range::parse(value)? {
        ContentRange::Satisfied { range, total } => Some(PutRange::Piece { range, total }),
        ContentRange::Unsatisfied { total } => Some(PutRange::Query { total: Some(total) }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, content: Option<u64>) -> Result<Option<PutRange>, BadPutRange> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_RANGE, text.parse().unwrap());
        PutRange::of(&headers, content)
    }

    fn piece(start: u64, end: u64, total: Option<u64>) -> PutRange {
        PutRange::Piece { range: ByteRange::new(start, end).unwrap(), total }
    }

    #[test]
    fn without_the_field_it_is_the_whole_file() {
        assert_eq!(PutRange::of(&HeaderMap::new(), Some(5)), Ok(None));
    }

    #[test]
    fn a_piece_has_its_place_and_perhaps_the_total() {
        assert_eq!(read("bytes 0-499/1234", Some(500)), Ok(Some(piece(0, 500, Some(1234)))));
        assert_eq!(read("bytes 500-999/*", Some(500)), Ok(Some(piece(500, 1000, None))));
        assert_eq!(read("bytes 500-999/1000", None), Ok(Some(piece(500, 1000, Some(1000)))));
    }

    #[test]
    fn the_last_piece_ends_at_the_total() {
        assert!(piece(500, 1000, Some(1000)).ends());
        assert!(!piece(500, 999, Some(1000)).ends());
        assert!(!piece(500, 1000, None).ends());
        assert!(!PutRange::Query { total: Some(0) }.ends());
    }

    #[test]
    fn a_star_asks() {
        assert_eq!(read("bytes */1000", Some(0)), Ok(Some(PutRange::Query { total: Some(1000) })));
        assert_eq!(read("bytes */*", Some(0)), Ok(Some(PutRange::Query { total: None })));
        assert_eq!(read("Bytes */*", None), Ok(Some(PutRange::Query { total: None })));
        assert_eq!(read("bytes */1000", None).unwrap().unwrap().total(), Some(1000));
    }

    #[test]
    fn content_has_the_length_that_is_named() {
        let differs = |range, content| Err(BadPutRange::LengthDiffers { range, content });
        assert_eq!(read("bytes 0-499/1234", Some(499)), differs(500, 499));
        assert_eq!(read("bytes 0-499/1234", Some(0)), differs(500, 0));
        assert_eq!(read("bytes */1234", Some(1)), differs(0, 1));
        assert_eq!(read("bytes */*", Some(1)), differs(0, 1));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_never_the_whole_file() {
        let bad = [
            "",
            "*/*",
            "bytes",
            "bytes *",
            "bytes*/*",
            "bytes  */*",
            "bytes */ *",
            "octets */*",
            "bytes */-1",
            "bytes=0-499/1234",
            "bytes 0-499",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes 0-*/10",
            "bytes -5/10",
            "bytes 0-4/10, 5-9/10",
        ];
        for text in bad {
            assert_eq!(read(text, None), Err(BadPutRange::Malformed), "{text:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_RANGE, HeaderValue::from_static("bytes 0-4/10"));
        headers.append(header::CONTENT_RANGE, HeaderValue::from_static("bytes 5-9/10"));
        assert_eq!(PutRange::of(&headers, None), Err(BadPutRange::Contradiction));
    }

    #[test]
    fn what_is_there_is_told_as_a_range_unless_it_is_nothing() {
        let lines = |offset| {
            let told = goes_on_at(offset).into_iter();
            told.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(lines(0), ["upload-offset: 0"]);
        assert_eq!(lines(1), ["upload-offset: 1", "range: bytes=0-0"]);
        assert_eq!(lines(524_288), ["upload-offset: 524288", "range: bytes=0-524287"]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, tail in "[-0-9*/ ]{0,30}", content: Option<u64>) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = PutRange::of(&HeaderMap::from_iter([(header::CONTENT_RANGE, value)]), content);
            }
            let _ = read(&format!("bytes {tail}"), content);
        }

        #[test]
        fn a_piece_lies_within_its_total(first: u64, last: u64, total: Option<u64>) {
            let total_text = total.map_or("*".to_owned(), |total| total.to_string());
            if let Ok(Some(PutRange::Piece { range, total })) = read(&format!("bytes {first}-{last}/{total_text}"), None) {
                prop_assert_eq!((range.start(), range.end() - 1), (first, last));
                prop_assert!(total.is_none_or(|total| range.end() <= total));
            }
        }
    }
}
