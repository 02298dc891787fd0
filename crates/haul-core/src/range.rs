//! Stretches of bytes in a file: [`ByteRange`], which is never empty, and [`Span`], whose end may be unknown.
//!
//! Offsets are `u64` bytes from the start of the file. Ends are exclusive here; HTTP's inclusive ends are turned
//! at the edge, in haul-proto.

use std::fmt;

/// A stretch of bytes `start..end`, never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    start: u64,
    end: u64,
}

impl ByteRange {
    /// The range `start..end`, or `None` where that would be empty or inverted.
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if start < end { Some(Self { start, end }) } else { None }
    }

    /// The `len` bytes from `start`, or `None` where `len` is 0 or the end passes `u64::MAX`.
    pub const fn from_len(start: u64, len: u64) -> Option<Self> {
        match start.checked_add(len) {
            Some(end) => Self::new(start, end),
            None => None,
        }
    }

    /// The first byte's offset.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The offset behind the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How many bytes; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a ByteRange is never empty")]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// What both ranges cover.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether `offset` lies inside.
    pub const fn contains(self, offset: u64) -> bool {
        self.start <= offset && offset < self.end
    }
}

impl fmt::Debug for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A stretch from `from` on, whose end may not be known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte's offset.
    pub from: u64,
    /// The offset behind the last byte; `None` is "to the end, wherever that is".
    pub to: Option<u64>,
}

impl Span {
    /// Everything from `from` on.
    pub const fn from(from: u64) -> Self {
        Self { from, to: None }
    }
}

impl From<ByteRange> for Span {
    fn from(range: ByteRange) -> Self {
        Self { from: range.start, to: Some(range.end) }
    }
}
