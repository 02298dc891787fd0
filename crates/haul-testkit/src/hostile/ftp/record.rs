//! What tests look at: commands as they came, and transfers as they go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A command as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpCommand {
    /// The number of its session, from 0.
    pub session: usize,
    /// The line without its end, the password included.
    pub line: String,
}

/// What a transfer was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FtpVerb {
    /// A download.
    Retr,
    /// An upload.
    Stor,
    /// An upload to a file's end.
    Appe,
}

/// A transfer that began (150 was due). The figures go on counting while it runs.
#[derive(Debug, Clone)]
pub struct FtpTransfer {
    /// The number of its session, from 0.
    pub session: usize,
    /// What for.
    pub verb: FtpVerb,
    /// The file, from `/` on.
    pub path: String,
    /// The offset in the file at which the client meant to begin, by REST; for APPE the file's size.
    pub from: u64,
    pub(super) progress: Arc<Progress>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) bytes: AtomicU64,
    pub(super) complete: AtomicBool,
}

impl FtpTransfer {
    /// How many bytes its data connection has carried, before TLS.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    /// Whether it went to the end of the file, or of what the client had to send.
    pub fn is_complete(&self) -> bool {
        self.progress.complete.load(Ordering::Relaxed)
    }

    /// Whether it was a download.
    pub fn is_download(&self) -> bool {
        self.verb == FtpVerb::Retr
    }
}
