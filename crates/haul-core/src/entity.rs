//! What a far end tells of the file it would send: its size and its validators (RFC 9110 §8.8).
//!
//! These are facts as told; whether two of them speak of one version is judged in [`crate::transfer`].

use std::fmt;

/// An entity tag (RFC 9110 §8.8.3): the opaque text between the quotes, and whether it is weak.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    /// The text between the quotes.
    pub opaque: String,
    /// Whether it was sent with `W/`: then it says "as good as", not "the same bytes".
    pub weak: bool,
}

impl fmt::Display for ETag {
    /// As on the wire: `"x"` or `W/"x"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

/// A modification date as the far end tells it (Last-Modified, MDTM).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Modified {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within that second; 0 where the protocol has whole seconds.
    pub nanos: u32,
    /// Whether it may stand for the bytes (RFC 9110 §8.8.2.2): at least one second older than the answer's own Date,
    /// so that no later change can bear the same stamp.
    pub strong: bool,
}

impl Modified {
    /// Whether both name the same moment, whatever their strength.
    pub fn same_moment(self, other: Self) -> bool {
        (self.seconds, self.nanos) == (other.seconds, other.nanos)
    }
}

/// What one answer told of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// The size of the whole file in bytes, where told.
    pub size: Option<u64>,
    /// The entity tag, where told.
    pub etag: Option<ETag>,
    /// The modification date, where told.
    pub modified: Option<Modified>,
    /// The content coding (RFC 9110 §8.4) the bytes are in; `None` is identity.
    pub encoding: Option<String>,
}

impl Entity {
    /// The entity tag where it is strong.
    pub fn strong_etag(&self) -> Option<&ETag> {
        self.etag.as_ref().filter(|etag| !etag.weak)
    }

    /// The date where it is strong.
    pub fn strong_date(&self) -> Option<Modified> {
        self.modified.filter(|modified| modified.strong)
    }
}
