//! Nothing but failures.

use std::time::Instant;

use haul_transfer::{Done, Failure, Notice};

use super::facts::Facts;
use super::{Say, View, sentence};

/// One job of which only its failure is told.
pub(crate) struct Quiet {
    facts: Facts,
    say: Say,
}

impl Quiet {
    /// The job of `facts`, told to `say`.
    pub(crate) fn new(facts: Facts, say: Say) -> Self {
        Self { facts, say }
    }
}

impl View for Quiet {
    fn notice(&mut self, notice: &Notice, _now: Instant) {
        self.facts.note(notice);
    }

    fn done(&mut self, _done: &Done) {}

    fn failed(&mut self, failure: &Failure) {
        self.facts.is_at(failure.target.as_deref());
        (self.say)(&sentence::failed(&self.facts, failure));
    }
}
