//! What is sent, wherever it comes from: the next bytes, in order.
//!
//! A file can be read again from any place, standard input cannot.

use std::io;

use haul_core::upload::Local;

use super::{
    job::From,
    local::{LocalFile, Stream},
};
use crate::failure::{Failure, Kind};

/// What is read.
#[derive(Debug)]
pub(super) enum Feed {
    File(LocalFile),
    Stream(Stream),
}

impl Feed {
    /// Opens it. Standard input is read in pieces of up to `piece` bytes.
    pub(super) fn open(from: &From, piece: usize) -> Result<Self, Failure> {
        match from {
            From::File(path) => Ok(Self::File(LocalFile::open(path)?)),
            From::Stdin => {
                Stream::begin(io::stdin(), piece).map(Self::Stream).map_err(|error| unreadable(&error))
            }
        }
    }

    /// What the file was when it was opened.
    pub(super) fn local(&self) -> Option<Local> {
        match self {
            Self::File(file) => Some(file.identity),
            Self::Stream(_) => None,
        }
    }

    /// Puts the next bytes into `buffer`, those of a file from `at` on and as many as it has room for. How many; none is
    /// the end, or a file that is shorter than it was, which is seen when it is looked at again.
    pub(super) async fn next(&mut self, buffer: &mut Vec<u8>, at: u64) -> Result<usize, Failure> {
        match self {
            Self::File(file) => {
                let left = file.identity.size.saturating_sub(at);
                let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.capacity());
                let mut room = std::mem::take(buffer);
                room.resize(wanted, 0);
                let read = file.read(room, at).await.map_err(|error| unreadable(&error))?;
                *buffer = read.0;
                Ok(read.1)
            }
            Self::Stream(stream) => match stream.next().await.map_err(|error| unreadable(&error))? {
                Some(piece) => {
                    *buffer = piece;
                    Ok(buffer.len())
                }
                None => Ok(0),
            },
        }
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Kind::Local, format!("cannot read what is to be sent: {error}"))
}
