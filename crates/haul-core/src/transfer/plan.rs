//! What the machine is told at its birth: how the caller wants the file ([`Plan`]) and what an earlier run left
//! ([`Memo`]).

use std::time::Duration;

use crate::{Entity, RangeSet};

/// What to do when the far end's file turns out to be another one now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// Drop what is there and fetch the new one.
    #[default]
    Restart,
    /// Stop, and keep what is there.
    Fail,
}

/// How many lanes, and how they come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Begin with one and add more while that pays, up to this many.
    Grow(usize),
    /// This many as soon as the far end is known to serve ranges.
    Exactly(usize),
}

impl Lanes {
    /// The upper limit.
    pub(super) fn most(self) -> usize {
        let (Self::Grow(most) | Self::Exactly(most)) = self;
        most.max(1)
    }
}

/// How the caller wants the file.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many sources there are; they are named by their index. At least 1; the first is asked first.
    pub sources: usize,
    /// How many lanes.
    pub lanes: Lanes,
    /// Whether the sources may be used at the same time: only where a digest of the whole will be checked.
    pub together: bool,
    /// Whether bytes must come in order and cannot be taken back once received.
    pub in_order: bool,
    /// No byte for so long: the lane is given up.
    pub stall: Duration,
    /// Failures in a row without progress before giving up; `None` is never.
    pub retries: Option<u32>,
    /// What to do when the file changed.
    pub on_change: OnChange,
    /// Seed for jitter and for the choice of blocks to compare.
    pub seed: u64,
}

/// What an earlier run left: all of it safe on this side, none of it yet known to fit what the far end has now.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    /// The size of the whole file, where it was known.
    pub size: Option<u64>,
    /// The bytes that are there.
    pub held: RangeSet,
    /// What each source of the plan said of the file, by index; `None` or missing: never asked.
    pub sources: Vec<Option<Entity>>,
}
