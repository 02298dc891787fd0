//! What an upload is received into: a file of its own, or a range of one that several sessions fill.

use bytes::Bytes;
use haul_store::{Source, Then};

use crate::{
    ServerError,
    depot::{Lane, Receiving},
};

/// Where bytes go.
pub(super) enum Target {
    /// All that comes is the file.
    Whole(Receiving),
    /// It is a range of one.
    Lane(Lane),
}

impl Target {
    /// The byte that comes next.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Self::Whole(receiving) => receiving.offset(),
            Self::Lane(lane) => lane.offset(),
        }
    }

    /// Does what need not wait for the first byte.
    pub(super) async fn prepare(&mut self) -> Result<(), ServerError> {
        match self {
            Self::Whole(receiving) => receiving.prepare().await,
            Self::Lane(_) => Ok(()),
        }
    }

    /// More bytes.
    pub(super) async fn append(&mut self, bytes: Bytes) -> Result<(), ServerError> {
        match self {
            Self::Whole(receiving) => receiving.append(bytes).await,
            Self::Lane(lane) => lane.append(bytes).await,
        }
    }

    /// What comes from a source, on one thread.
    pub(super) async fn take(&mut self, source: Box<dyn Source>, most: u64) -> Result<Then, ServerError> {
        match self {
            Self::Whole(receiving) => receiving.take(source, most).await,
            Self::Lane(lane) => lane.take(source, most).await,
        }
    }

    /// Bytes are there, and wait until they may be taken.
    pub(super) fn waits(&self) {
        match self {
            Self::Whole(receiving) => receiving.waits(),
            Self::Lane(lane) => lane.waits(),
        }
    }

    /// Nothing comes for the moment.
    pub(super) async fn rest(&mut self) -> Result<(), ServerError> {
        match self {
            Self::Whole(receiving) => receiving.rest().await,
            Self::Lane(lane) => lane.rest().await,
        }
    }

    /// How many bytes may be told to a client that has marked this place. A lane knows no marks.
    pub(super) async fn safe_mark(&mut self, mark: u64, wait: bool) -> Result<u64, ServerError> {
        match self {
            Self::Whole(receiving) => receiving.safe_mark(mark, wait).await,
            Self::Lane(_) => Ok(0),
        }
    }

    /// Makes it safe before its end is judged. A lane's end is not judged.
    pub(super) async fn sync(&mut self) -> Result<(), ServerError> {
        match self {
            Self::Whole(receiving) => receiving.sync().await,
            Self::Lane(_) => Ok(()),
        }
    }
}
