//! The letters of an upload on several lanes: what its machine is told, and what it wants done.

use std::time::Duration;

use crate::{
    ByteRange,
    transfer::{LaneId, Trouble},
    upload::Refusal,
};

/// A part of the file, by the order in which parts came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub usize);

/// Where a part that was begun can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Anywhere behind what was sent of it: the far end hears of its end when it is reached.
    Anywhere,
    /// Only where it was said to end when it was begun. The file is cut into small pieces, and whole ones are given out.
    Nowhere,
}

/// How it is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The file's size in bytes.
    pub size: u64,
    /// The most lanes at a time.
    pub lanes: usize,
    /// Where parts can end.
    pub cuts: Cuts,
    /// The most parts that can be joined.
    pub most_parts: usize,
    /// The size of a part where parts cannot be cut.
    pub piece: u64,
    /// How many bytes are granted at a time.
    pub grant: u64,
    /// Parts begin at multiples of this, where that is free to choose.
    pub grain: u64,
    /// Failures in a row without progress before giving up; `None` is never.
    pub retries: Option<u32>,
    /// Seed for jitter.
    pub seed: u64,
}

/// A part that the far end has, or has a beginning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its first byte.
    pub from: u64,
    /// The far end has it up to here.
    pub at: u64,
    /// Behind its last byte.
    pub end: u64,
    /// The far end knows where it ends: with all its bytes it is complete.
    pub closed: bool,
}

/// A lane at work, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneView {
    /// Where its part begins.
    pub from: u64,
    /// The next byte that it hands over.
    pub pos: u64,
    /// Where its part ends.
    pub end: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The far end has the lane's part up to `at`, and takes more.
    Opened {
        /// Which lane.
        lane: LaneId,
        /// An offset in the file.
        at: u64,
    },
    /// The lane's connection took the oldest of its grants.
    Moved(LaneId),
    /// The far end has the lane's part to its end.
    Ended(LaneId),
    /// The lane came to nothing, or broke.
    Failed {
        /// Which lane.
        lane: LaneId,
        /// Why.
        why: Trouble,
        /// How long the far end wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The far end has no such part any more.
    Lost(LaneId),
    /// This side has no connection to spare for the lane.
    NoSpare(LaneId),
    /// All parts are one file.
    Joined,
    /// The joining came to nothing, or nobody heard the answer.
    Unjoined {
        /// Why.
        why: Trouble,
        /// How long the far end wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// When they were to be joined, the far end had these parts no more.
    Gone(Vec<PartId>),
    /// The far end refuses the whole of it.
    Refused(Refusal),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin a lane on a part, or go on with it: [`Event::Opened`], [`Event::Failed`] or [`Event::Lost`] answers.
    Open {
        /// The lane's number.
        lane: LaneId,
        /// The part.
        part: PartId,
        /// Its first byte.
        from: u64,
        /// The far end is known to have it up to here.
        at: u64,
        /// Behind its last byte, which may move towards its first where parts can be cut.
        end: u64,
    },
    /// The lane may send these bytes, which follow on those before: [`Event::Moved`] answers.
    Grant {
        /// Which lane.
        lane: LaneId,
        /// The bytes.
        range: ByteRange,
    },
    /// There is no more for the lane behind what it was granted: [`Event::Ended`] answers.
    End {
        /// Which lane.
        lane: LaneId,
        /// Where its part ends.
        at: u64,
    },
    /// Break this lane off, without an answer: its part goes on, on another connection.
    Drop(LaneId),
    /// All parts are there: they become one file.
    Join,
    /// It is over.
    Finish(Outcome),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The far end says that it has the file.
    Joined,
    /// The far end refuses it.
    Refused(Refusal),
    /// Too many failures in a row; the last trouble.
    GaveUp(Trouble),
}
