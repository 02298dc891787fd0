//! How a far end takes a file on several connections, by protocol.

use bytes::Bytes;
use haul_core::upload::lanes::{Cuts, Kept};
use haul_store::UploadPart;

use super::{Errand, Stopped};
use crate::put::sink::{Fault, PartWay, Parts};

/// Where lanes go in.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// Parts in tus, each of which has a URL.
    Parts(Parts),
}

/// What a lane sends by.
#[derive(Debug)]
pub(crate) enum Way {
    Part(Box<PartWay>),
}

impl Door {
    /// Where parts can end.
    pub(crate) fn cuts(&self) -> Cuts {
        match self {
            Self::Parts(parts) => parts.cuts,
        }
    }

    /// What is there of what an earlier run remembers.
    pub(crate) async fn survey(&self, part: &UploadPart) -> Result<Option<Kept>, Fault> {
        match self {
            Self::Parts(parts) => parts.survey(part).await,
        }
    }

    /// Begins what a lane is to do, or goes on with it. Returns the next byte that is wanted and, where that is new, the
    /// place of the part.
    pub(crate) async fn open(&self, errand: &Errand) -> Result<(u64, Option<String>, Way), Stopped> {
        match self {
            Self::Parts(parts) => {
                let (at, place, way) = Box::pin(parts.open(errand)).await?;
                Ok((at, place, Way::Part(Box::new(way))))
            }
        }
    }

    /// What was begun at these places is not wanted any more.
    pub(crate) async fn give_up(&self, places: &[String]) {
        match self {
            Self::Parts(parts) => parts.give_up(places).await,
        }
    }
}

impl Way {
    /// Hands over the next bytes.
    pub(crate) async fn hand(&mut self, bytes: Bytes) -> Result<(), Fault> {
        match self {
            Self::Part(way) => way.hand(bytes).await,
        }
    }

    /// There is no more behind this byte; returns once the far end has said that it has all.
    pub(crate) async fn end(self, at: u64) -> Result<(), Fault> {
        match self {
            Self::Part(way) => way.end(at).await,
        }
    }
}
