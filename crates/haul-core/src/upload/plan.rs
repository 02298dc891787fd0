//! What the machine is told at its birth: what the caller wants ([`Plan`]), what is to be sent ([`Local`]), and what
//! an earlier run remembers ([`Memo`]).

use crate::Modified;

/// What is checked before what the far end has is continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// A checksum where the far end makes one, else its last 64 KiB.
    #[default]
    Auto,
    /// Its last 64 KiB.
    Tail,
    /// All of it, by a checksum or read back.
    Full,
    /// Nothing but its size.
    None,
}

/// What to do about a file at the far end that an earlier run did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    /// Replace it, unless it is the same or an unfinished part of the same.
    Overwrite,
    /// Leave it, and call that done.
    Skip,
    /// Leave it, and call that a failure.
    Fail,
}

/// What tells one state of a local file from another.
///
/// The device is not part of it: its number may be another one after a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Its size in bytes.
    pub size: u64,
    /// Its modification date: seconds since 1970 and nanoseconds.
    pub modified: (i64, u32),
    /// Its inode, 0 where there is no such thing.
    pub inode: u64,
}

impl Local {
    /// Whether a date that the far end tells is that of this file, so far as it can say it: servers keep seconds, some
    /// of their disks every other one.
    pub(super) fn has_date(&self, told: Option<Modified>) -> bool {
        told.is_some_and(|told| (0..=1).contains(&(self.modified.0 - told.seconds)))
    }
}

/// What an earlier run remembers of this upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memo {
    /// The local file as it was.
    pub local: Local,
    /// How far it got.
    pub stage: Stage,
}

/// How far an earlier run got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It began; what the far end has under the name is ours.
    Begun,
    /// The far end had it all.
    Finished {
        /// The far end's date of it, in seconds since 1970, where told.
        modified: Option<i64>,
    },
}

/// How the caller wants it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What is sent; `None` is a stream, of which nothing is known and which can't be read twice.
    pub local: Option<Local>,
    /// What is checked before a part is continued.
    pub verify: Verify,
    /// What to do about files of others; `None` leaves the same one and fails at any other.
    pub if_exists: Option<IfExists>,
    /// Send what is unfinished from its first byte.
    pub restart: bool,
    /// Send it under a temporary name.
    pub temporary: bool,
    /// Failures in a row without progress before giving up; `None` is never.
    pub retries: Option<u32>,
    /// Seed for jitter.
    pub seed: u64,
}

/// What "the far end has the file" rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A checksum of all of it, made by both sides.
    Hash,
    /// All of it, read back.
    Whole,
    /// Its size, and its last bytes read back.
    Tail,
    /// Its size and its date.
    Date,
    /// The far end's word, and its size.
    Size,
    /// The far end's word alone.
    Reply,
}

impl Proof {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Whole => "whole",
            Self::Tail => "tail",
            Self::Date => "date",
            Self::Size => "size",
            Self::Reply => "reply",
        }
    }
}
