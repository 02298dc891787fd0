//! The bytes of one RETR, up to where they were wanted.
//!
//! What reaches the file's end is held to it: the last piece is handed on only once the data connection has ended at
//! SIZE and the server has said that it sent all (226). What is wanted no further is broken off, and the session is
//! kept for the next one.
//!
//! In MODE B the end is told among the bytes: a connection that ends without it was cut, whatever the server says
//! then. A server whose blocks turn out to be broken is asked for none any more. What it sent before may have been
//! broken as well, and is not relied on, unless a restart marker has shown since that nobody had lost count. So is
//! one whose blocks do not come to their ends, where the size tells what is missing: bytes count once the header
//! behind their block has come, and a stream needs none.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::transfer::Trouble;

use super::{Body, Failed, FtpIdle, ftp::Known};
use crate::ftp::{BadBlocks, Data, FromBlocks, FtpError, Piece, Session};

/// How often the control connection is kept awake.
const AWAKE: Duration = Duration::from_secs(45);

/// The bytes of one RETR.
#[derive(Debug)]
pub(crate) struct FtpBody {
    /// `None` once the end was seen.
    under_way: Option<(Session, Data)>,
    /// The offset of the next byte.
    at: u64,
    /// The offset behind the last byte that is wanted.
    to: Option<u64>,
    /// The file's size, where the server tells it.
    size: Option<u64>,
    patience: Duration,
    awake: Instant,
    /// When something came last.
    heard: Instant,
    idle: Arc<FtpIdle>,
    known: Arc<Known>,
}

impl FtpBody {
    pub(super) fn new(
        (session, data): (Session, Data),
        from: u64,
        (to, size): (Option<u64>, Option<u64>),
        patience: Duration,
        (idle, known): (Arc<FtpIdle>, Arc<Known>),
    ) -> Self {
        let now = Instant::now();
        let under_way = Some((session, data));
        Self { under_way, at: from, to, size, patience, awake: now, heard: now, idle, known }
    }

    /// Whether all that is wanted has come, and the file goes on.
    fn is_full(&self) -> bool {
        self.to.is_some_and(|to| self.at >= to && self.size != Some(to))
    }

    /// What is known of the blocks that come, while they come.
    fn blocks(&self) -> Option<&FromBlocks> {
        self.under_way.as_ref().and_then(|(_, data)| data.received_blocks())
    }

    /// What the markers that have come say of the server.
    fn heed_markers(&self) {
        let Some(blocks) = self.blocks() else { return };
        if blocks.has_names() {
            self.known.server.leave_blocks("its markers are names");
        }
        if blocks.has_agreed() {
            self.known.server.note_sound();
        }
    }

    /// Cuts what came to what is wanted.
    fn taken(&mut self, mut bytes: Bytes) -> Result<Bytes, Failed> {
        let end = self.at + bytes.len() as u64;
        if let Some(size) = self.size.filter(|size| *size < end) {
            let message = format!("the server sends more than the {size} bytes that it told (SIZE)");
            if self.blocks().is_some_and(FromBlocks::is_unconfirmed) {
                // It may have lost count of its blocks long before.
                self.known.server.leave_blocks("more came in them than the file has");
                return Err(Failed::new(Trouble::Unreliable, message));
            }
            return Err(self.misfit(size, message));
        }
        if let Some(to) = self.to.filter(|to| *to < end) {
            bytes.truncate((to - self.at) as usize);
        }
        self.at += bytes.len() as u64;
        self.known.sent.store(true, Relaxed);
        Ok(bytes)
    }

    /// The data connection has ended: whether that is the file's end.
    async fn ended(&mut self, clean: bool) -> Result<(), Failed> {
        let Some((mut session, data)) = self.under_way.take() else { return Ok(()) };
        let in_blocks = data.closed().is_some();
        let reply = session.finish(self.patience).await.map_err(|error| broken(&error))?;
        if !reply.is_completion() {
            self.idle.put(session);
            return Err(broken(&FtpError::Refused { command: "the transfer".into(), reply }));
        }
        match self.size {
            Some(size) if self.at < size => {
                let at = self.at;
                let message =
                    format!("the server sent the file's end at byte {at} of the {size} that it told");
                self.idle.put(session);
                return Err(self.misfit(at, message));
            }
            None if !clean => {
                let message = "the encrypted data connection was cut off, and the server does not tell the size: \
                               nobody knows whether that was the file's end";
                return Err(Failed::new(Trouble::Broken, message));
            }
            _ => {}
        }
        if in_blocks {
            self.known.server.note_sound();
        }
        if !clean {
            tracing::debug!("TLS ended without close_notify, at the size told and with a good reply");
        }
        self.idle.put(session);
        Ok(())
    }

    /// Reading came to nothing: what that says of the server, and of what came before.
    async fn broke(&mut self, error: &FtpError) -> Failed {
        match error {
            FtpError::NoEnd => self.cut().await,
            FtpError::BadBlocks(BadBlocks::Suspect { .. }) => Failed::new(Trouble::Denied, error.to_string()),
            FtpError::BadBlocks(_) => {
                self.known.server.leave_blocks("they are broken");
                let unconfirmed = self.blocks().is_some_and(FromBlocks::is_unconfirmed);
                let why = if unconfirmed { Trouble::Unreliable } else { Trouble::Broken };
                Failed::new(why, error.to_string())
            }
            error => {
                if let Some(blocks) = self.blocks() {
                    self.lacks_end(blocks);
                }
                broken(error)
            }
        }
    }

    /// No more comes of these blocks, and no end was told. Whether that is the server's way: all came, or it is so
    /// again and again at this place. Where the size is known a stream can do without.
    fn lacks_end(&self, blocks: &FromBlocks) -> bool {
        let all = self.size.is_some_and(|size| size <= blocks.at());
        let hopeless = all || self.known.is_hopeless(self.at);
        if hopeless && self.size.is_some() {
            self.known.server.leave_blocks("they do not come to an end");
        }
        hopeless
    }

    /// The data connection ended, and the end of the file was not told in its blocks.
    async fn cut(&mut self) -> Failed {
        let no_end = broken(&FtpError::NoEnd);
        let Some((mut session, data)) = self.under_way.take() else { return no_end };
        let Some(blocks) = data.closed() else { return no_end };
        let hopeless = self.lacks_end(&blocks);
        let reply = match session.finish(self.patience).await {
            Ok(reply) => reply,
            Err(error) => return broken(&error),
        };
        let done = reply.is_completion();
        self.idle.put(session);
        if !done {
            return broken(&FtpError::Refused { command: "the transfer".into(), reply });
        }
        // It says that it sent all. Where nobody knows the size that may as well be a cut that comes each time, and a
        // stream would end there, too.
        if hopeless && self.size.is_none() {
            return Failed::new(Trouble::Fatal, no_end.message);
        }
        // Of a server that was never seen to send blocks it may be a stream that looks like some.
        if blocks.is_unconfirmed() && !self.known.server.is_sound() {
            if self.size.is_some() {
                self.known.server.leave_blocks("it may be that they are none");
            }
            return Failed::new(Trouble::Unreliable, no_end.message);
        }
        no_end
    }

    /// What came and what was told do not fit; that may be a change of the file, or the server's way.
    fn misfit(&self, at: u64, message: String) -> Failed {
        let why = if self.known.is_hopeless(at) { Trouble::Fatal } else { Trouble::Broken };
        Failed::new(why, message)
    }

    /// The last piece, once nothing follows it and the server has confirmed that.
    async fn last(&mut self, piece: Bytes) -> Result<Option<Bytes>, Failed> {
        while let Some((_, data)) = &mut self.under_way {
            let came = data.read().await;
            self.heard = Instant::now();
            match came {
                Ok(Piece::End { clean }) => self.ended(clean).await?,
                Ok(Piece::Bytes(more)) => drop(self.taken(more)?),
                Err(error) => return Err(self.broke(&error).await),
            }
        }
        Ok(Some(piece))
    }
}

impl Body for FtpBody {
    async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        if self.is_full() {
            self.break_off();
        }
        self.heed_markers();
        let Some((session, data)) = &mut self.under_way else { return Ok(None) };
        if self.awake.elapsed() >= AWAKE {
            self.awake = Instant::now();
            session.keep_alive().await.map_err(|error| broken(&error))?;
        }
        let came = data.read().await;
        self.heard = Instant::now();
        match came {
            Err(error) => Err(self.broke(&error).await),
            Ok(Piece::Bytes(bytes)) => {
                let piece = self.taken(bytes)?;
                if self.size == Some(self.at) {
                    return self.last(piece).await;
                }
                if self.is_full() {
                    self.break_off();
                }
                Ok(Some(piece))
            }
            Ok(Piece::End { clean }) => {
                self.ended(clean).await?;
                Ok(None)
            }
        }
    }
}

impl FtpBody {
    fn break_off(&mut self) {
        if let Some((session, data)) = self.under_way.take() {
            self.idle.release(session, data);
        }
    }
}

impl Drop for FtpBody {
    fn drop(&mut self) {
        // Nobody waits for it any longer.
        if self.heard.elapsed() >= self.patience
            && let Some(blocks) = self.blocks()
        {
            self.lacks_end(blocks);
        }
        self.break_off();
    }
}

fn broken(error: &FtpError) -> Failed {
    Failed::new(Trouble::Broken, error.to_string())
}
