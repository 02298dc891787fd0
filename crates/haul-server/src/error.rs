//! What can go wrong in serving: one enum, turned into a reply at one place of each door.

use haul_core::BadPath;
use haul_store::StoreError;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// This account may not do that.
    #[error("permission denied")]
    Denied,
    /// The name is none that can be given here.
    #[error(transparent)]
    BadPath(#[from] BadPath),
    /// What is asked for is an unfinished upload of the same owner.
    #[error("not finished: {at} bytes are there")]
    Unfinished {
        /// How many bytes of it are safe.
        at: u64,
    },
    /// An upload was to go on behind the end of what is there, or one that was named elsewhere than at its end.
    #[error("only {end} bytes are there")]
    PastEnd {
        /// How many there are.
        end: u64,
    },
    /// A range of an upload that is none there, or no part of it any more. In words.
    #[error("{0}")]
    Unfit(String),
    /// This account has as many unfinished uploads as it may, and this would be another.
    #[error("{unfinished} uploads are unfinished already")]
    TooMany {
        /// How many it has.
        unfinished: usize,
    },
    /// As much lies in this account's home as may: its quota is used up, or this would be more than is left of it.
    #[error("the quota is used up")]
    OverQuota,
    /// What lies in a home with a quota is still being counted, for the first time since the server was started.
    #[error("what is there already is still being counted; try again later")]
    Counting,
    /// Another session of the same owner is receiving this file, and bytes still come.
    #[error("another session is uploading this file")]
    Busy,
    /// The medium.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What a setting names is not what it has to be: a file without a certificate in it. In words.
    #[error("{0}")]
    Setting(String),
    /// A socket, a file, a thread: in words.
    #[error("{0}")]
    Other(String),
}
