//! One data connection (RFC 959 §3.2): bytes of a file or a list, in one direction, ended by its close.
//!
//! Reads go into a buffer of its own and leave it without a copy. Whether an end is the file's end is not known here:
//! a FIN says little, a close_notify more, and the reply on the control connection has the last word. In MODE B the end
//! is told among the bytes, and no other one counts.

use std::{io, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use haul_proto::ftp::block::MOST;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{FromBlocks, FtpError, blocks::Blocks};
use crate::connect::{Encryption, Stream};

/// The most that is read at a time; larger pieces bring no more speed.
const LARGEST_READ: usize = 256 << 10;
/// The least, under a rate limit.
const SMALLEST_READ: usize = 8 << 10;

/// How long a server may take to close it once it told the file's end in blocks.
const PARTING: Duration = Duration::from_secs(1);

/// An open data connection; dropping it closes it at once.
#[derive(Debug)]
pub(crate) struct Data {
    stream: Stream,
    buffer: BytesMut,
    most: usize,
    /// Bytes are sent in blocks.
    blocks: Option<Blocks>,
    /// Bytes come in blocks.
    from_blocks: Option<FromBlocks>,
    /// Nothing came behind their end.
    parted: bool,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes. None: in blocks some came that are held back until more has come.
    Bytes(Bytes),
    /// The server closed it, or told the end of the file.
    End {
        /// Nobody else can have closed it: false for TLS without close_notify.
        clean: bool,
    },
}

impl Data {
    /// With pieces of up to `most` bytes.
    pub(super) fn new(stream: Stream, most: usize) -> Self {
        let most = most.clamp(SMALLEST_READ, LARGEST_READ);
        Self { stream, buffer: BytesMut::new(), most, blocks: None, from_blocks: None, parted: false }
    }

    /// What comes, from the byte `at` of the file on, comes in blocks.
    pub(super) fn expect_blocks(&mut self, at: u64) {
        self.from_blocks = Some(FromBlocks::new(at));
    }

    /// What is known of the blocks in which bytes come; `None`: they come without.
    pub(crate) fn received_blocks(&self) -> Option<&FromBlocks> {
        self.from_blocks.as_ref()
    }

    /// The same, once the connection is closed.
    pub(crate) fn closed(self) -> Option<FromBlocks> {
        self.from_blocks
    }

    /// What is sent from here on, from the byte `at` of the file on, is sent in blocks, with restart markers where they
    /// are answered.
    pub(super) fn in_blocks(&mut self, at: u64, marks: bool) {
        self.blocks = Some(Blocks::new(at, marks));
    }

    /// Whether bytes are sent in blocks: then the file's end is told, and whatever else ends the connection is none.
    pub(crate) fn tells_end(&self) -> bool {
        self.blocks.is_some()
    }

    /// What TLS came to; `None` in the clear.
    pub(crate) fn encryption(&self) -> Option<Encryption> {
        self.stream.encryption()
    }

    /// The next bytes. May be dropped while it waits, without a loss.
    ///
    /// # Errors
    /// `Data`, where the connection broke. Of blocks `NoEnd` and `BadBlocks` too.
    pub(crate) async fn read(&mut self) -> Result<Piece, FtpError> {
        if self.from_blocks.is_some() {
            return self.read_blocks().await;
        }
        match self.fill().await {
            Ok(1..) => Ok(Piece::Bytes(self.buffer.split().freeze())),
            Ok(_) => Ok(Piece::End { clean: true }),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Piece::End { clean: false }),
            Err(error) => Err(broke(&error)),
        }
    }

    async fn read_blocks(&mut self) -> Result<Piece, FtpError> {
        // What is wrong is told behind the bytes that were handed on; there are no others, all were looked at.
        self.unwrapped()?;
        if self.parted {
            return Ok(Piece::End { clean: true });
        }
        if self.from_blocks.as_ref().is_some_and(FromBlocks::has_ended) {
            // Nothing may stand behind the end. The server may leave the connection open (RFC 959 §3.4).
            if !matches!(tokio::time::timeout(PARTING, self.fill()).await, Ok(Ok(1..))) {
                self.parted = true;
                let rest = self.from_blocks.as_mut().map(|blocks| blocks.rest(&mut self.buffer)).transpose();
                let rest = rest.map_err(FtpError::BadBlocks)?.filter(|rest| !rest.is_empty());
                return Ok(rest.map_or(Piece::End { clean: true }, Piece::Bytes));
            }
        } else {
            match self.fill().await {
                Ok(1..) => {}
                Ok(_) => return Err(FtpError::NoEnd),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(FtpError::NoEnd),
                Err(error) => return Err(broke(&error)),
            }
        }
        Ok(Piece::Bytes(self.unwrapped()?))
    }

    /// What of the blocks that have come can be handed on.
    fn unwrapped(&mut self) -> Result<Bytes, FtpError> {
        let Some(blocks) = &mut self.from_blocks else { return Ok(Bytes::new()) };
        blocks.next(&mut self.buffer).map_err(FtpError::BadBlocks)
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() - self.buffer.len() < self.most / 8 {
            // What is held back goes along. All are of one size: the allocator has one at hand then.
            let held = self.from_blocks.as_ref().map_or(0, |_| MOST.into());
            let mut fresh = BytesMut::with_capacity(self.most + held);
            fresh.extend_from_slice(&self.buffer);
            self.buffer = fresh;
        }
        self.stream.read_buf(&mut (&mut self.buffer).limit(self.most)).await
    }

    /// Sends all of these bytes. May not be dropped in the middle, where the session is to be used again.
    ///
    /// # Errors
    /// `Data`, where the connection broke.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), FtpError> {
        let sent = match &mut self.blocks {
            Some(blocks) => blocks.write(&mut self.stream, bytes).await,
            None => self.stream.write_all(bytes).await,
        };
        sent.map_err(|error| broke(&error))
    }

    /// Sends what was written, gives the server `time` to take it, and breaks off: no server can take that for the end
    /// of the file.
    ///
    /// # Errors
    /// `Data`, where the connection broke by itself.
    pub(crate) async fn break_off(mut self, time: Duration) -> Result<(), FtpError> {
        self.stream.flush().await.map_err(|error| broke(&error))?;
        tokio::time::sleep(time).await;
        self.stream.end_by_reset().map_err(|error| broke(&error))
    }

    /// Breaks it off at once: no server can take that for the end of a file, and what is still on the way is lost.
    pub(crate) fn reset(self) {
        // One that cannot be told so is broken already.
        let _ = self.stream.end_by_reset();
    }

    /// Says that no more bytes follow, and waits until the server has closed its side too or `patience` is over: that
    /// is when TLS tickets for the next connection have arrived.
    ///
    /// # Errors
    /// `Data`, where the bytes could not be sent to their end.
    pub(crate) async fn end(mut self, patience: Duration) -> Result<(), FtpError> {
        let ending = async {
            if let Some(blocks) = &self.blocks {
                blocks.end(&mut self.stream).await?;
            }
            self.stream.flush().await?;
            self.stream.shutdown().await
        };
        match tokio::time::timeout(patience, ending).await {
            Ok(ended) => ended.map_err(|error| broke(&error))?,
            Err(_elapsed) => {
                return Err(FtpError::Data { what: "did not take the last bytes in time".into() });
            }
        }
        let mut dropped = [0; 1024];
        let draining = async { while matches!(self.stream.read(&mut dropped).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(patience, draining).await;
        Ok(())
    }
}

fn broke(error: &io::Error) -> FtpError {
    FtpError::Data { what: format!("broke: {error}") }
}
