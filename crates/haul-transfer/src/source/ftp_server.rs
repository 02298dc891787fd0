//! What a run learns of an FTP server, on all of its connections: it holds for every file there.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What is known of a server.
#[derive(Debug, Default)]
pub(crate) struct FtpServer {
    no_blocks: AtomicBool,
    sound: AtomicBool,
    one_size: AtomicBool,
}

impl FtpServer {
    /// Whether bytes are wanted in blocks (MODE B), where it has them.
    pub(super) fn blocks(&self) -> bool {
        !self.no_blocks.load(Relaxed)
    }

    /// No bytes are wanted in blocks any more.
    pub(super) fn leave_blocks(&self, why: &str) {
        if !self.no_blocks.swap(true, Relaxed) {
            tracing::debug!(why, "no MODE B any more");
        }
    }

    /// Whether what it says to be blocks has been blocks once, with a marker or an end where it belongs.
    pub(super) fn is_sound(&self) -> bool {
        self.sound.load(Relaxed)
    }

    /// It was so.
    pub(super) fn note_sound(&self) {
        self.sound.store(true, Relaxed);
    }

    /// Whether SIZE is the same in MODE B as in MODE S.
    pub(super) fn tells_one_size(&self) -> bool {
        self.one_size.load(Relaxed)
    }

    /// It was the same.
    pub(super) fn note_one_size(&self) {
        self.one_size.store(true, Relaxed);
    }
}
