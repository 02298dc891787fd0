//! What is sent, wherever it comes from: the next bytes, in order.
//!
//! A file can be read again from any place, standard input cannot.

use std::io;

use bytes::Bytes;
use haul_core::upload::Local;

use super::{
    buffer::Buffers,
    job::From,
    local::{LocalFile, Stream},
};
use crate::failure::{Failure, Kind};

/// What is read.
#[derive(Debug)]
pub(super) enum Feed {
    File(LocalFile, Buffers),
    Stream(Stream),
}

impl Feed {
    /// Opens it, to be read in pieces of up to `piece` bytes.
    pub(super) fn open(from: &From, piece: usize) -> Result<Self, Failure> {
        match from {
            From::File(path) => Ok(Self::File(LocalFile::open(path)?, Buffers::of(piece))),
            From::Stdin => {
                Stream::begin(io::stdin(), piece).map(Self::Stream).map_err(|error| unreadable(&error))
            }
        }
    }

    /// What the file was when it was opened.
    pub(super) fn local(&self) -> Option<Local> {
        match self {
            Self::File(file, _) => Some(file.identity),
            Self::Stream(_) => None,
        }
    }

    /// The next bytes, those of a file from `at` on; `None` is the end, or a file that is shorter than it was, which is
    /// seen when it is looked at again.
    pub(super) async fn next(&mut self, at: u64) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::File(file, buffers) => {
                let left = file.identity.size.saturating_sub(at);
                let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffers.size());
                let mut buffer = buffers.take();
                buffer.truncate(wanted);
                let (mut buffer, read) = file.read(buffer, at).await.map_err(|error| unreadable(&error))?;
                buffer.resize(buffers.size(), 0);
                Ok((read > 0).then(|| buffers.filled(buffer, read)))
            }
            Self::Stream(stream) => {
                let piece = stream.next().await.map_err(|error| unreadable(&error))?;
                Ok(piece.map(Bytes::from))
            }
        }
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Kind::Local, format!("cannot read what is to be sent: {error}"))
}
