//! How a far end takes a file on several connections, by protocol.

use bytes::Bytes;
use haul_core::upload::lanes::{Cuts, Kept};
use haul_store::UploadPart;

use super::{Errand, Stopped};
use crate::put::sink::{Fault, PartWay, Parts, RangeWay, Ranges};

/// Where lanes go in.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// Parts in tus, each of which has a URL.
    Parts(Parts),
    /// Ranges of one upload over FTP.
    Ranges(Ranges),
}

/// What a lane sends by.
#[derive(Debug)]
pub(crate) enum Way {
    Part(Box<PartWay>),
    Range(Box<RangeWay>),
}

impl Door {
    /// One upload that lanes fill, which lies under the name for whoever may see it: its name at the far end, and what
    /// is there of it.
    pub(crate) fn upload(&self) -> Option<(&str, Vec<Kept>)> {
        match self {
            Self::Parts(_) => None,
            Self::Ranges(ranges) => Some((ranges.upload(), ranges.held())),
        }
    }

    /// Where parts can end.
    pub(crate) fn cuts(&self) -> Cuts {
        match self {
            Self::Parts(parts) => parts.cuts,
            Self::Ranges(_) => Cuts::Anywhere,
        }
    }

    /// What is there of what an earlier run remembers.
    pub(crate) async fn survey(&self, part: &UploadPart) -> Result<Option<Kept>, Fault> {
        match self {
            Self::Parts(parts) => parts.survey(part).await,
            // It has told all that it has.
            Self::Ranges(_) => Ok(None),
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
            Self::Ranges(ranges) => {
                let (at, place, way) = Box::pin(ranges.open(errand)).await?;
                Ok((at, place, Way::Range(Box::new(way))))
            }
        }
    }

    /// What was begun at these places is not wanted any more.
    pub(crate) async fn give_up(&self, places: &[String]) {
        match self {
            Self::Parts(parts) => parts.give_up(places).await,
            // Whatever is sent to the path next replaces it.
            Self::Ranges(_) => {}
        }
    }
}

impl Way {
    /// Hands over the next bytes.
    pub(crate) async fn hand(&mut self, bytes: Bytes) -> Result<(), Fault> {
        match self {
            Self::Part(way) => way.hand(bytes).await,
            Self::Range(way) => way.hand(bytes).await,
        }
    }

    /// There is no more behind this byte; returns once the far end has said that it has all.
    pub(crate) async fn end(self, at: u64) -> Result<(), Fault> {
        match self {
            Self::Part(way) => way.end(at).await,
            Self::Range(way) => way.end(at).await,
        }
    }
}
