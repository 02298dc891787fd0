//! multipart/byteranges (RFC 9110 §14.6, RFC 2046 §5.1): several parts of a file in one answer.
//!
//! Laid out before the first byte is sent: its length is known then, and the file's bytes are only named, so that
//! they can go out as those of a single range do.

use bytes::Bytes;
use haul_core::ByteRange;
use http::HeaderValue;

use super::content_range::ContentRange;

/// What stands between the parts.
///
/// It must not occur in the file, and nobody looks whether it does: it is made of 16 random bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// A boundary of these bytes, which must be random and new for each answer.
    pub fn new(random: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random)))
    }
}

/// A piece of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes themselves.
    Text(Bytes),
    /// These bytes of the file.
    File(ByteRange),
}

impl Segment {
    /// How many bytes.
    #[expect(clippy::len_without_is_empty, reason = "none is empty")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File(range) => range.len(),
        }
    }
}

/// A body of several parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Byteranges {
    segments: Vec<Segment>,
    length: u64,
    content_type: String,
}

impl Byteranges {
    /// The body that brings these parts of a file of `size` bytes, each as `content_type` where that is known.
    ///
    /// `None` where its length is more than 64 bits can tell.
    pub fn new(
        parts: &[ByteRange],
        size: u64,
        content_type: Option<&HeaderValue>,
        boundary: &Boundary,
    ) -> Option<Self> {
        let boundary = &boundary.0;
        let mut segments = Vec::with_capacity(2 * parts.len() + 1);
        for (index, part) in parts.iter().enumerate() {
            let mut head = Vec::new();
            // The line break before a boundary belongs to it; before the first one there is nothing to end.
            if index > 0 {
                head.extend_from_slice(b"\r\n");
            }
            head.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            if let Some(content_type) = content_type {
                head.extend_from_slice(b"Content-Type: ");
                head.extend_from_slice(content_type.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            let told = ContentRange::Satisfied { range: *part, total: Some(size) };
            head.extend_from_slice(format!("Content-Range: {told}\r\n\r\n").as_bytes());
            segments.push(Segment::Text(head.into()));
            segments.push(Segment::File(*part));
        }
        segments.push(Segment::Text(format!("\r\n--{boundary}--\r\n").into()));
        let length = segments.iter().try_fold(0_u64, |length, segment| length.checked_add(segment.len()))?;
        Some(Self { segments, length, content_type: format!("multipart/byteranges; boundary={boundary}") })
    }

    /// The value of Content-Length.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The value of Content-Type.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The body's pieces, in order.
    pub fn into_segments(self) -> impl ExactSizeIterator<Item = Segment> + Send {
        self.segments.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::content_range;

    fn boundary() -> Boundary {
        Boundary::new(*b"0123456789abcdef")
    }

    const MARK: &str = "30313233343536373839616263646566";

    fn body(layout: Byteranges, file: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for segment in layout.into_segments() {
            match segment {
                Segment::Text(text) => body.extend_from_slice(&text),
                Segment::File(range) => {
                    body.extend_from_slice(&file[range.start() as usize..range.end() as usize]);
                }
            }
        }
        body
    }

    #[test]
    fn a_body_looks_as_in_the_rfc() {
        let parts = [ByteRange::new(7, 9).unwrap(), ByteRange::new(0, 3).unwrap()];
        let layout =
            Byteranges::new(&parts, 10, Some(&HeaderValue::from_static("text/plain")), &boundary()).unwrap();
        assert_eq!(layout.content_type(), format!("multipart/byteranges; boundary={MARK}"));
        let length = layout.length();
        let body = body(layout, b"0123456789");
        assert_eq!(
            String::from_utf8(body.clone()).unwrap(),
            format!(
                "--{MARK}\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-8/10\r\n\r\n78\r\n\
                 --{MARK}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/10\r\n\r\n012\r\n\
                 --{MARK}--\r\n"
            )
        );
        assert_eq!(length, body.len() as u64);
    }

    #[test]
    fn a_type_that_is_not_known_is_not_told() {
        let parts = [ByteRange::new(0, 1).unwrap()];
        let layout = Byteranges::new(&parts, 1, None, &boundary()).unwrap();
        let expected = format!("--{MARK}\r\nContent-Range: bytes 0-0/1\r\n\r\nx\r\n--{MARK}--\r\n");
        assert_eq!(body(layout, b"x"), expected.as_bytes());
    }

    #[test]
    fn a_boundary_is_always_as_long() {
        assert_eq!(Boundary::new([0; 16]).0, "0".repeat(32));
        assert_eq!(Boundary::new([255; 16]).0, "f".repeat(32));
    }

    #[test]
    fn a_length_that_cannot_be_told_makes_no_body() {
        let all = ByteRange::new(0, u64::MAX).unwrap();
        assert_eq!(Byteranges::new(&[all], u64::MAX, None, &boundary()), None);
        let far = [ByteRange::new(0, 1).unwrap(), ByteRange::new(u64::MAX - 1, u64::MAX).unwrap()];
        assert!(Byteranges::new(&far, u64::MAX, None, &boundary()).is_some());
    }

    /// What a client reads out of a body: each part's Content-Range and its bytes.
    fn read(mut body: &[u8]) -> Vec<(ContentRange, Vec<u8>)> {
        let mut found = Vec::new();
        let mut delimiter = format!("--{MARK}");
        loop {
            body = body.strip_prefix(delimiter.as_bytes()).unwrap();
            delimiter = format!("\r\n--{MARK}");
            if body == b"--\r\n" {
                return found;
            }
            body = body.strip_prefix(b"\r\n").unwrap();
            let end = body.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let head = std::str::from_utf8(&body[..end]).unwrap();
            let told = head.lines().find_map(|line| line.strip_prefix("Content-Range: ")).unwrap();
            let told = content_range::parse(&HeaderValue::from_str(told).unwrap()).unwrap();
            let ContentRange::Satisfied { range, .. } = told else { panic!("{told}") };
            let bytes;
            (bytes, body) = body[end + 4..].split_at(range.len() as usize);
            found.push((told, bytes.to_vec()));
        }
    }

    proptest! {
        #[test]
        fn what_is_laid_out_is_read_back(
            file in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..16),
            typed: bool,
        ) {
            let parts: Vec<ByteRange> = cuts.iter().map(|(a, b)| {
                let (a, b) = (a.index(file.len()) as u64, b.index(file.len()) as u64);
                ByteRange::new(a.min(b), a.max(b) + 1).unwrap()
            }).collect();
            let size = file.len() as u64;
            let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
            let layout =
                Byteranges::new(&parts, size, typed.then_some(&content_type), &boundary()).unwrap();
            let length = layout.length();
            let body = body(layout, &file);
            prop_assert_eq!(length, body.len() as u64);
            let expected: Vec<_> = parts.iter().map(|part| (
                ContentRange::Satisfied { range: *part, total: Some(size) },
                file[part.start() as usize..part.end() as usize].to_vec(),
            )).collect();
            prop_assert_eq!(read(&body), expected);
        }
    }
}
