//! Bytes for checksums: of a finished file, or of what is there of an unfinished upload.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use haul_store::{Body, Reading, Staged, StoreError};

use super::seats::{Phase, Seat};
use crate::{ServerError, sys};

/// Bytes of a finished file or of an unfinished upload, for checksums.
pub struct Peek {
    from: From,
    len: u64,
}

enum From {
    Finished(Reading),
    Unfinished(Box<dyn Staged>),
    /// It is being received: to open it again would take it away from who receives it.
    Receiving(Arc<Seat>),
}

impl Peek {
    pub(super) fn finished(reading: Reading) -> Self {
        Self { len: reading.meta.size, from: From::Finished(reading) }
    }

    /// The first `len` bytes, which are safe.
    pub(super) fn unfinished(staged: Box<dyn Staged>, len: u64) -> Self {
        Self { len, from: From::Unfinished(staged) }
    }

    /// The first `len` bytes of what is being received.
    pub(super) fn receiving(seat: Arc<Seat>, len: u64) -> Self {
        Self { len, from: From::Receiving(seat) }
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// At most `most` bytes from `at` on; none at the end.
    pub async fn read(&self, at: u64, most: usize) -> Result<Bytes, ServerError> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let most = most.min(left);
        if most == 0 {
            return Ok(Bytes::new());
        }
        match &self.from {
            From::Unfinished(staged) => Ok(staged.read(at, most).await?),
            From::Receiving(seat) => match &*seat.turn.lock().await {
                Phase::Open(upload) => Ok(upload.read(at, most).await?),
                Phase::Lanes(woven) => Ok(woven.read(at, most).await?),
                // It has ended meanwhile; what it is now is to be opened anew.
                Phase::Busy | Phase::Over => Err(ServerError::Busy),
            },
            From::Finished(Reading { body: Body::Pieces(pieces), .. }) => Ok(pieces.read(at, most).await?),
            From::Finished(Reading { body: Body::File(file), .. }) => {
                let file = Arc::clone(file);
                let read = tokio::task::spawn_blocking(move || read_at(&file, at, most)).await;
                let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
                Ok(read.map_err(|source| StoreError::Io {
                    doing: "reading",
                    path: PathBuf::from("a file for its checksum"),
                    source,
                })?)
            }
        }
    }
}

fn read_at(file: &File, at: u64, most: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; most];
    let read = sys::read_at(file, &mut buffer, at)?;
    buffer.truncate(read);
    Ok(buffer.into())
}
