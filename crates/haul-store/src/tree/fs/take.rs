//! Bytes that a staged file takes from their source by itself: through a pipe within the system where both can do that,
//! else read and written.

use std::io;

use super::staged::Received;
use crate::{Source, StoreError, Taken, Then, sys::pipe::Pipe};

/// The most bytes that are read in one go: a piece small enough to stay in its processor's cache.
const PIECE: usize = 128 << 10;

/// A way from a source into a file.
enum Way {
    Pipe(Pipe),
    Memory(Vec<u8>),
}

impl Way {
    fn memory() -> Self {
        Self::Memory(vec![0; PIECE])
    }
}

impl Received {
    /// As [`crate::Staged::take`], on this thread.
    pub(super) fn take(&self, source: &mut dyn Source, most: u64) -> Result<Taken, StoreError> {
        let mut way = Pipe::new().map_or_else(Way::memory, Way::Pipe);
        let mut bytes = 0;
        let then = loop {
            if bytes >= most {
                break Then::Enough;
            }
            let came = match &mut way {
                Way::Pipe(pipe) => source.fill(&pipe.writer, pipe.room),
                Way::Memory(buffer) => source.read(buffer),
            };
            let came = match came {
                Ok(0) => break Then::End,
                Ok(came) => came,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break Then::Nothing,
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::Unsupported if matches!(way, Way::Pipe(_)) => {
                        way = Way::memory();
                        continue;
                    }
                    _ => break Then::Broken(error),
                },
            };
            match &way {
                Way::Pipe(pipe) if self.append_from(pipe, came)? => {}
                Way::Pipe(_) => way = Way::memory(),
                Way::Memory(buffer) => self.append(buffer.get(..came).unwrap_or_default())?,
            }
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
            let added =
                self.changing(&mut tail, |at| match self.tree.door.splice(pipe, &self.file, at, left) {
                    Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => Ok(at + n as u64),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(at),
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        able = false;
                        let mut piece = vec![0; PIECE];
                        let n = pipe.read(&mut piece)?;
                        self.write(piece.get(..n).unwrap_or_default(), at)
                    }
                    Err(error) => Err(error),
                })?;
            left = left.saturating_sub(usize::try_from(added).unwrap_or(left));
        }
        Ok(able)
    }
}
