//! Bytes that a staged file takes from their source by itself: through a pipe within the system where both can do that,
//! else read and written.

use std::io;

use super::staged::Received;
use crate::{Source, StoreError, Taken, Then, sys::pipe::Pipe};

/// The most bytes that are read in one go: a piece small enough to stay in its processor's cache.
const PIECE: usize = 128 << 10;

/// A way from a source into a file.
pub(super) enum Way {
    Pipe(Pipe),
    Memory(Vec<u8>),
}

/// What a way holds.
pub(super) enum Held<'a> {
    /// So many bytes.
    Pipe(&'a Pipe, usize),
    Memory(&'a [u8]),
}

/// What was moved out of a pipe.
pub(super) struct Put {
    pub(super) bytes: usize,
    /// Whether the file system could do that by itself.
    pub(super) able: bool,
}

impl Way {
    /// The best there is.
    pub(super) fn new() -> Self {
        Pipe::new().map_or_else(Self::memory, Self::Pipe)
    }

    fn memory() -> Self {
        Self::Memory(vec![0; PIECE])
    }

    /// How much it holds.
    pub(super) fn room(&self) -> u64 {
        match self {
            Self::Pipe(pipe) => pipe.room as u64,
            Self::Memory(buffer) => buffer.len() as u64,
        }
    }

    /// Takes up to `most` bytes from the source; else why there are none.
    pub(super) fn fill(&mut self, source: &mut dyn Source, most: u64) -> Result<usize, Then> {
        loop {
            let most = usize::try_from(most.min(self.room())).unwrap_or(PIECE);
            let came = match self {
                Self::Pipe(pipe) => source.fill(&pipe.writer, most),
                Self::Memory(buffer) => source.read(buffer.get_mut(..most).unwrap_or_default()),
            };
            let error = match came {
                Ok(0) => return Err(Then::End),
                Ok(came) => return Ok(came),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::WouldBlock => return Err(Then::Nothing),
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::Unsupported if matches!(self, Self::Pipe(_)) => *self = Self::memory(),
                _ => return Err(Then::Broken(error)),
            }
        }
    }

    /// Gives what it holds to `put`, which says whether it could take it from a pipe.
    pub(super) fn empty<E>(
        &mut self,
        held: usize,
        put: impl FnOnce(Held<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let able = put(match self {
            Self::Pipe(pipe) => Held::Pipe(pipe, held),
            Self::Memory(buffer) => Held::Memory(buffer.get(..held).unwrap_or_default()),
        })?;
        if !able {
            *self = Self::memory();
        }
        Ok(())
    }
}

impl Received {
    /// As [`crate::Staged::take`], on this thread.
    pub(super) fn take(&self, source: &mut dyn Source, most: u64) -> Result<Taken, StoreError> {
        let mut way = Way::new();
        let mut bytes = 0;
        let then = loop {
            if bytes >= most {
                break Then::Enough;
            }
            let came = match way.fill(source, u64::MAX) {
                Ok(came) => came,
                Err(then) => break then,
            };
            way.empty(came, |held| match held {
                Held::Pipe(pipe, held) => self.append_from(pipe, held),
                Held::Memory(bytes) => self.append(bytes).map(|()| true),
            })?;
            bytes += came as u64;
        };
        Ok(Taken { bytes, then })
    }

    /// Writes all that is in a pipe at the end; whether the file system can do that by itself. What was written before an
    /// error stays.
    fn append_from(&self, pipe: &Pipe, held: usize) -> Result<bool, StoreError> {
        let mut tail = self.usable()?;
        let (mut left, mut able) = (held, true);
        while left > 0 {
            let added = self.changing(&mut tail, |at| {
                let put = self.splice(pipe, at, left)?;
                able &= put.able;
                Ok(at + put.bytes as u64)
            })?;
            left = left.saturating_sub(usize::try_from(added).unwrap_or(left));
        }
        Ok(able)
    }

    /// Writes some of what is in a pipe at a place.
    pub(super) fn splice(&self, pipe: &Pipe, at: u64, most: usize) -> io::Result<Put> {
        match self.tree.door.splice(pipe, &self.file, at, most) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => Ok(Put { bytes, able: true }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Put { bytes: 0, able: true }),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let mut piece = vec![0; PIECE];
                let bytes = pipe.read(&mut piece)?;
                self.write(piece.get(..bytes).unwrap_or_default(), at)?;
                Ok(Put { bytes, able: false })
            }
            Err(error) => Err(error),
        }
    }
}
