//! The bytes of one RETR, up to where they were wanted.
//!
//! What reaches the file's end is held to it: the last piece is handed on only once the data connection has ended at
//! SIZE and the server has said that it sent all (226). What is wanted no further is broken off, and the session is
//! kept for the next one.
//!
//! In MODE B the end is told among the bytes: a connection that ends without it was cut, whatever the server says then.
//! A server whose blocks turn out to be broken is asked for none any more. What it sent before may have been broken as
//! well, and is not relied on, unless a restart marker has shown since that nobody had lost count.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::transfer::Trouble;

use super::{Body, Failed, FtpIdle, ftp::Known};
use crate::ftp::{Data, FtpError, Piece, Session};

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
        let awake = Instant::now();
        Self { under_way: Some((session, data)), at: from, to, size, patience, awake, idle, known }
    }

    /// Whether all that is wanted has come, and the file goes on.
    fn is_full(&self) -> bool {
        self.to.is_some_and(|to| self.at >= to && self.size != Some(to))
    }

    /// Cuts what came to what is wanted.
    fn taken(&mut self, mut bytes: Bytes) -> Result<Bytes, Failed> {
        let end = self.at + bytes.len() as u64;
        if let Some(size) = self.size.filter(|size| *size < end) {
            let message = format!("the server sends more than the {size} bytes that it told (SIZE)");
            if self.under_way.as_ref().is_some_and(|(_, data)| data.is_unconfirmed()) {
                // It may have lost count of its blocks long before.
                self.known.leave_blocks("more came in them than the file has");
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
        drop(data);
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
        if !clean {
            tracing::debug!("TLS ended without close_notify, at the size told and with a good reply");
        }
        self.idle.put(session);
        Ok(())
    }

    /// Reading came to nothing: what that says of the server, and of what came before.
    async fn broke(&mut self, error: &FtpError) -> Failed {
        let unconfirmed = self.under_way.as_ref().is_some_and(|(_, data)| data.is_unconfirmed());
        match error {
            FtpError::NoEnd => self.cut().await,
            FtpError::BadBlocks(_) => {
                self.known.leave_blocks("they are broken");
                let why = if unconfirmed { Trouble::Unreliable } else { Trouble::Broken };
                Failed::new(why, error.to_string())
            }
            FtpError::Suspect { .. } => Failed::new(Trouble::Denied, error.to_string()),
            error => broken(error),
        }
    }

    /// The data connection ended, and the end of the file was not told in its blocks.
    async fn cut(&mut self) -> Failed {
        let Some((mut session, data)) = self.under_way.take() else { return broken(&FtpError::NoEnd) };
        drop(data);
        let reply = match session.finish(self.patience).await {
            Ok(reply) => reply,
            Err(error) => return broken(&error),
        };
        let done = reply.is_completion();
        self.idle.put(session);
        if !done {
            return broken(&FtpError::Refused { command: "the transfer".into(), reply });
        }
        // It says that it sent all. Where all came, or it says so again and again, it never tells an end; but where
        // nobody knows the size that may as well be a cut that comes each time, and a stream would end there, too.
        if self.size == Some(self.at) {
            self.known.leave_blocks("they have no end");
        } else if self.known.is_hopeless(self.at) {
            if self.size.is_none() {
                return Failed::new(Trouble::Fatal, FtpError::NoEnd.to_string());
            }
            self.known.leave_blocks("they have no end");
        }
        broken(&FtpError::NoEnd)
    }

    /// What came and what was told do not fit; that may be a change of the file, or the server's way.
    fn misfit(&self, at: u64, message: String) -> Failed {
        let why = if self.known.is_hopeless(at) { Trouble::Fatal } else { Trouble::Broken };
        Failed::new(why, message)
    }

    /// The last piece, once nothing follows it and the server has confirmed that.
    async fn last(&mut self, piece: Bytes) -> Result<Option<Bytes>, Failed> {
        let Some((_, data)) = &mut self.under_way else { return Ok(Some(piece)) };
        match data.read().await {
            Ok(Piece::End { clean }) => self.ended(clean).await?,
            Ok(Piece::Bytes(more)) => drop(self.taken(more)?),
            Err(error) => return Err(self.broke(&error).await),
        }
        Ok(Some(piece))
    }
}

impl Body for FtpBody {
    async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        if self.is_full() {
            self.break_off();
        }
        if self.under_way.as_ref().is_some_and(|(_, data)| data.has_names()) {
            self.known.leave_blocks("its markers are names");
        }
        let Some((session, data)) = &mut self.under_way else { return Ok(None) };
        if self.awake.elapsed() >= AWAKE {
            self.awake = Instant::now();
            session.keep_alive().await.map_err(|error| broken(&error))?;
        }
        match data.read().await {
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
        self.break_off();
    }
}

fn broken(error: &FtpError) -> Failed {
    Failed::new(Trouble::Broken, error.to_string())
}
