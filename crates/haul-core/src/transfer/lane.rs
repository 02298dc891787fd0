//! One lane as the machine sees it: what it is for, where it stands, how fast it is.

use std::time::{Duration, Instant};

use super::{Ask, LaneId, SourceId, speed::Speed};
use crate::{ByteRange, Entity};

/// What a lane was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// New bytes.
    Fetch,
    /// A block that is there already, to be compared.
    Compare,
    /// What the far end says of the file now; its bytes are not wanted.
    Inquire,
}

/// How far a lane has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No answer yet.
    Opening,
    /// Bytes that are there already come again and are compared.
    Comparing,
    /// New bytes come.
    Streaming,
}

/// One lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) source: SourceId,
    pub(super) errand: Errand,
    pub(super) stage: Stage,
    pub(super) ask: Ask,
    /// The next byte that will come.
    pub(super) pos: u64,
    /// Where it stops; moved towards `pos` when another lane takes its tail.
    pub(super) end: Option<u64>,
    /// What its answer says of the file, as long as the bytes that are here are still being compared.
    pub(super) said: Option<Entity>,
    /// Where its answer ends by itself.
    pub(super) natural_end: Option<u64>,
    pub(super) opened: Instant,
    /// When something last came from it.
    pub(super) heard: Instant,
    pub(super) speed: Speed,
    /// New bytes that it brought.
    pub(super) brought: u64,
    /// Whether another lane runs over the same bytes.
    pub(super) raced: bool,
}

impl Lane {
    pub(super) fn new(id: LaneId, source: SourceId, errand: Errand, ask: Ask, now: Instant) -> Self {
        Self {
            id,
            source,
            errand,
            stage: Stage::Opening,
            ask,
            pos: ask.compare_to,
            end: ask.to,
            said: None,
            natural_end: None,
            opened: now,
            heard: now,
            speed: Speed::new(now),
            brought: 0,
            raced: false,
        }
    }

    /// Whether new bytes are coming.
    pub(super) fn streams(&self) -> bool {
        self.errand == Errand::Fetch && self.stage == Stage::Streaming
    }

    /// What it has still to bring, where the file ends at `size`.
    pub(super) fn rest(&self, size: u64) -> Option<ByteRange> {
        (self.errand == Errand::Fetch).then(|| ByteRange::new(self.pos, self.end.unwrap_or(size)))?
    }

    /// Bytes a second; a lane that has been waiting for its answer for long counts as standing still.
    pub(super) fn pace(&self, now: Instant, patience: Duration) -> Option<f64> {
        match self.stage {
            Stage::Streaming => self
                .speed
                .now(now)
                .or_else(|| (now.saturating_duration_since(self.heard) > patience).then_some(0.0)),
            _ => (now.saturating_duration_since(self.heard) > patience).then_some(0.0),
        }
    }
}
