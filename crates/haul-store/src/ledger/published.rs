//! What is remembered of an upload that is a file by now, so that a client whose last answer was lost can still ask what
//! became of it.

use super::UploadKey;
use crate::StageId;

/// So many are remembered, the newest.
pub const PUBLISHED: usize = if cfg!(test) { 100 } else { 10_000 };

/// An upload that has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Whose it was, and what it has become.
    pub key: UploadKey,
    /// What it was called while it was staged.
    pub stage: StageId,
    /// How many bytes it had.
    pub size: u64,
    /// What a door wanted to know of it later: opaque.
    pub note: Vec<u8>,
    /// The run of the machine in which it got its name, where nothing has made that safe: with the power the name may
    /// have gone, and this is told no more. Empty where the name was safe before this was written.
    pub boot: String,
    /// When, in seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}
