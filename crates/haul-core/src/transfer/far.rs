//! What is known of one source: what it said of the file, whether it serves parts, how many lanes it bears.

use std::time::{Duration, Instant};

use super::{
    Basis, Ranges, Trouble,
    identity::{self, Verdict},
    lane::Lane,
    patience::Failure,
};
use crate::Entity;

/// A lane beside others that failed so often in a row settles how many the far end bears.
const EXTRA_TRIES: u32 = 3;
/// The first wait before another extra lane is tried; it doubles.
const EXTRA_WAIT: Duration = Duration::from_millis(250);

/// How soon one more lane is tried again after this side had no connection to spare.
const SPARE_WAIT: Duration = Duration::from_secs(1);

/// One source.
#[derive(Debug, Default)]
pub(super) struct Far {
    /// What it said of this version; the first is the main one, the others were found to mean the same bytes.
    pub(super) known: Vec<Entity>,
    /// Its tags differ each time for the same bytes.
    pub(super) etags_lie: bool,
    /// What an overlap check just found to be the same bytes, though no validator could prove it: good for one answer.
    pub(super) grant: Option<Entity>,
    /// Whether it serves parts, once known.
    pub(super) ranges: Option<Ranges>,
    /// Whether it ever answered in this run.
    pub(super) answered: bool,
    /// Not to be asked again in this run.
    pub(super) dead: bool,
    /// What it has is not what is here; another matter once nothing is here.
    pub(super) unfit: bool,
    /// The most lanes that were seen to stream from it at once.
    borne: usize,
    /// The most lanes it bears, learned from refusals.
    limit: Option<usize>,
    extra_failures: u32,
    extra_failed: Option<Instant>,
    extra_until: Option<Instant>,
    /// As long as this side had no connection to spare.
    spare_until: Option<Instant>,
}

impl Far {
    /// Whether it may be asked.
    pub(super) fn serves(&self) -> bool {
        !self.dead && !self.unfit
    }

    /// Judges an answer of this source against what it said before.
    pub(super) fn judge(&self, seen: &Entity) -> Verdict {
        let mut worst = Verdict::Doubtful;
        for (i, known) in self.known.iter().enumerate() {
            match identity::compare(known, seen, self.etags_lie) {
                same @ Verdict::Same(_) => return same,
                verdict if i == 0 => worst = verdict,
                Verdict::Doubtful => worst = Verdict::Doubtful,
                Verdict::Suspect(_) => {}
            }
        }
        worst
    }

    /// Whether the grant of the last overlap check covers this answer: it repeats what the checked one said.
    pub(super) fn grants(&self, seen: &Entity) -> bool {
        self.grant.as_ref().is_some_and(|checked| {
            let same_tag = !self.etags_lie && checked.strong_etag().is_some() && checked.etag == seen.etag;
            let same = (self.etags_lie || checked.etag == seen.etag)
                && checked.modified.map(|m| (m.seconds, m.nanos))
                    == seen.modified.map(|m| (m.seconds, m.nanos));
            (same_tag || same) && (checked.size.is_none() || seen.size.is_none() || checked.size == seen.size)
        })
    }

    /// What its validators can prove of a later answer.
    pub(super) fn strength(&self) -> Option<Basis> {
        self.known.first().and_then(|known| identity::strength(known, self.etags_lie))
    }

    /// The version that a condition (If-Range) can name; `None` where its validators prove nothing.
    pub(super) fn condition(&self) -> Option<Entity> {
        self.strength()?;
        let mut known = self.known.first()?.clone();
        if self.etags_lie {
            known.etag = None;
        }
        Some(known)
    }

    /// How many lanes may run on it, of `most`.
    pub(super) fn bears(&self, most: usize) -> usize {
        let by_ranges = match self.ranges {
            Some(Ranges::Proven) => most,
            // One trial shows whether the offer is meant.
            Some(Ranges::Offered) => 2.min(most),
            Some(Ranges::Absent) | None => 1,
        };
        // Without a strong validator every connection has to be compared anew: one lane.
        let by_proof = if self.strength().is_some() { most } else { 1 };
        by_ranges.min(by_proof).min(self.limit.map_or(most, |limit| limit.max(self.borne)))
    }

    /// `streaming` lanes bring bytes from it right now.
    pub(super) fn streaming(&mut self, streaming: usize) {
        if streaming > self.borne {
            self.borne = streaming;
            self.extra_failures = 0;
        }
    }

    /// A lane beside `streaming` others was refused or failed without a byte.
    pub(super) fn extra_failed(&mut self, now: Instant, lane: &Lane, streaming: usize, failure: Failure) {
        let Failure { why, retry_after } = failure;
        if why == Trouble::Busy {
            self.limit = Some(self.borne.max(streaming).max(1));
        }
        // Lanes that fail together are one failure.
        if self.extra_failed.is_some_and(|last| lane.opened < last) {
            return;
        }
        self.extra_failed = Some(now);
        self.extra_failures += 1;
        let wait = EXTRA_WAIT * (1 << (self.extra_failures - 1).min(6));
        self.extra_until = Some(now + wait.max(retry_after.unwrap_or_default()));
        if self.extra_failures >= EXTRA_TRIES {
            self.limit = Some(self.borne.max(streaming).max(1));
        }
    }

    /// This side had no connection to spare for one more lane.
    pub(super) fn spare(&mut self, now: Instant) {
        self.spare_until = Some(now + SPARE_WAIT);
    }

    /// A connection of this side has become free.
    pub(super) fn freed(&mut self) {
        self.spare_until = None;
    }

    /// The moment before which no lane beside others is to be tried, if that lies ahead.
    pub(super) fn extra_until(&self, now: Instant) -> Option<Instant> {
        self.extra_until.max(self.spare_until).filter(|until| *until > now)
    }

    /// Forgets the version, not the far end's ways.
    pub(super) fn forget_version(&mut self) {
        self.known.clear();
        self.grant = None;
        self.unfit = false;
        // What an answer of the other version said of ranges may have been its condition's doing.
        self.ranges = None;
    }
}
