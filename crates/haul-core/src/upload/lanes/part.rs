//! One part of the file.

use std::time::Instant;

use super::Kept;
use crate::transfer::patience::Failure;

/// A stretch that is sent in order, by one lane at a time.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) from: u64,
    /// The far end was heard to have it up to here.
    pub(super) at: u64,
    /// The next byte that is granted; never behind `end`.
    pub(super) granted: u64,
    pub(super) end: u64,
    /// The far end has it to its end, and knows that.
    pub(super) done: bool,
    /// When the lane that broke was begun, and how it broke: free of charge, should the far end have more now.
    pub(super) owing: Option<(Instant, Failure)>,
    /// It was taken from a slow lane once.
    pub(super) hurried: bool,
}

impl Part {
    pub(super) fn new(from: u64, end: u64) -> Self {
        Self { from, at: from, granted: from, end, done: false, owing: None, hurried: false }
    }

    pub(super) fn kept(kept: &Kept) -> Self {
        let done = kept.closed && kept.at == kept.end;
        Self {
            from: kept.from,
            at: kept.at,
            granted: kept.at,
            end: kept.end,
            done,
            owing: None,
            hurried: false,
        }
    }
}
