//! How many lanes the far end bears beside each other, learned from refusals.

use std::time::{Duration, Instant};

use crate::transfer::{Trouble, patience::Failure};

/// A lane beside others that failed so often in a row settles how many the far end bears.
const TRIES: u32 = 3;
/// The first wait before another one is tried; it doubles.
const WAIT: Duration = Duration::from_millis(250);
/// How soon it is tried again after this side had no connection to spare.
const SPARE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Crowd {
    wanted: usize,
    limit: Option<usize>,
    failures: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Crowd {
    pub(super) fn new(wanted: usize) -> Self {
        Self { wanted: wanted.max(1), limit: None, failures: 0, last: None, until: None }
    }

    /// The most lanes at a time.
    pub(super) fn most(&self) -> usize {
        self.limit.map_or(self.wanted, |limit| limit.min(self.wanted))
    }

    /// Whether one more may be opened beside so many.
    pub(super) fn has_room(&self, now: Instant, lanes: usize) -> bool {
        lanes == 0 || (lanes < self.most() && self.until(now).is_none())
    }

    /// The moment before which no lane beside others is to be opened, if that lies ahead.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// One more is open.
    pub(super) fn bears_one_more(&mut self) {
        self.failures = 0;
    }

    /// One was refused, or failed without a byte, beside `others` that are open.
    pub(super) fn refused(&mut self, now: Instant, opened: Instant, others: usize, failure: Failure) {
        if matches!(failure.why, Trouble::Busy | Trouble::Denied) {
            self.limit = Some(others.max(1));
        }
        // Lanes that fail together are one failure.
        if self.last.is_some_and(|last| opened < last) {
            return;
        }
        self.last = Some(now);
        self.failures += 1;
        let wait = WAIT * (1 << (self.failures - 1).min(6));
        self.until = Some(now + wait.max(failure.retry_after.unwrap_or_default()));
        if self.failures >= TRIES {
            self.limit = Some(others.max(1));
        }
    }

    pub(super) fn no_spare(&mut self, now: Instant) {
        self.until = Some(now + SPARE);
    }
}
