//! What follows from a lane's answer: whether its bytes may come in, and what it teaches of the far end.

use std::time::{Duration, Instant};

use super::{
    Action, Basis, Match, Ranges, Reason, Transfer, Trouble,
    identity::Verdict,
    lane::{Errand, Lane, Stage},
};
use crate::Entity;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) seen: Entity,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) ranges: Ranges,
}

impl Transfer {
    /// A lane's answer began.
    pub(super) fn opened(&mut self, now: Instant, at: usize, answer: Answer) {
        let lane = &mut self.lanes[at];
        lane.heard = now;
        let took = now.saturating_duration_since(lane.opened);
        self.opening_cost = (self.opening_cost * 3 + took.min(Duration::from_secs(5))) / 4;
        let (source, errand) = (lane.source.0, lane.errand);
        self.fars[source].answered = true;
        self.learn_ranges(at, &answer);
        match errand {
            Errand::Inquire => self.inquired(at, answer.seen),
            Errand::Compare => self.compare_opened(at, answer),
            Errand::Fetch => self.fetch_opened(now, at, answer),
        }
    }

    fn learn_ranges(&mut self, at: usize, answer: &Answer) {
        let lane = &self.lanes[at];
        let far = &mut self.fars[lane.source.0];
        let asked_inside = lane.ask.from > 0;
        far.ranges = match answer.ranges {
            Ranges::Proven => Some(Ranges::Proven),
            // The whole, although a part was asked for: an offer of ranges was not meant.
            _ if asked_inside => Some(Ranges::Absent),
            other => far.ranges.filter(|known| *known == Ranges::Absent).or(Some(other)),
        };
    }

    fn fetch_opened(&mut self, now: Instant, at: usize, answer: Answer) {
        let source = self.lanes[at].source.0;
        let far = &self.fars[source];
        let first_word = far.known.is_empty();
        if self.nothing_here() {
            // Nothing that could be mixed: whatever this answer says is the version from now on.
            // What others said of it before is no word on these bytes.
            self.size = answer.seen.size;
            self.fars.iter_mut().for_each(|far| (far.known, far.grant) = (Vec::new(), None));
            self.accept(at, answer, None);
            return;
        }
        // Another source of the same plan: used beside the first only where the whole's digest will be checked.
        if first_word && self.plan.together && !self.unproven && self.size.is_some() {
            if answer.seen.size == self.size {
                self.accept(at, answer, None);
            } else {
                self.drop_source(at);
            }
            return;
        }
        if self.size_disagrees(&answer.seen) && first_word {
            self.doubt_unknown(at);
            return;
        }
        match far.judge(&answer.seen) {
            Verdict::Same(basis) => self.accept(at, answer, Some(basis)),
            // The digest of the whole will tell.
            Verdict::Doubtful if self.plan.together && !self.unproven => self.accept(at, answer, None),
            Verdict::Doubtful if self.proves_itself(at, &answer) => {
                self.accept(at, answer, Some(Basis::Overlap));
            }
            Verdict::Doubtful => self.verify(now, at),
            Verdict::Suspect(what) => self.suspect(at, answer.seen, what),
        }
    }

    /// Whether no byte is here and none is coming.
    fn nothing_here(&self) -> bool {
        self.received.is_empty() && !self.lanes.iter().any(Lane::streams)
    }

    pub(super) fn size_disagrees(&self, seen: &Entity) -> bool {
        match (self.size, seen.size) {
            (Some(known), Some(seen)) => known != seen,
            (None, Some(seen)) => self.received.end() > seen,
            _ => false,
        }
    }

    /// Whether this one answer, though no validator vouches for it, can show by its own bytes that it fits.
    fn proves_itself(&self, at: usize, answer: &Answer) -> bool {
        let lane = &self.lanes[at];
        let compares = answer.from < lane.ask.compare_to;
        let whole_prefix = answer.from == 0
            && compares
            && self.received.iter().len() == 1
            && self.received.first_missing(0) == lane.ask.compare_to;
        whole_prefix || (compares && (self.plan.in_order || self.fars[lane.source.0].grants(&answer.seen)))
    }

    /// The answer belongs to what is there: its bytes may come in.
    fn accept(&mut self, at: usize, answer: Answer, basis: Option<Basis>) {
        let lane = &mut self.lanes[at];
        let ask = lane.ask;
        let wanted_from = ask.compare_to;
        // The whole came where a part was asked for: only the lane at the front can wait for its bytes to come by.
        if answer.from < ask.from && self.received.first_missing(0) < wanted_from {
            let lane = self.lanes.remove(at);
            self.put_back(&lane);
            self.actions.push_back(Action::Cancel(lane.id));
            // A mirror without ranges is of no use beside another source.
            self.fars[lane.source.0].dead |= lane.source.0 != self.current;
            return;
        }
        lane.natural_end = answer.to;
        lane.end = match (lane.end, answer.to) {
            (Some(end), Some(to)) => Some(end.min(to)),
            (end, to) => end.or(to),
        };
        lane.stage = if answer.from < wanted_from { Stage::Comparing } else { Stage::Streaming };
        let source = lane.source.0;
        let size = self.size.or(answer.seen.size);
        self.at_end = size.is_none() && ask.to.is_none() && answer.to == Some(wanted_from);
        if !self.at_end {
            self.fars[source].grant = None;
        }
        if lane.stage == Stage::Comparing {
            // What is here may be another file's: an answer is no word on it before its bytes were compared.
            lane.said = Some(answer.seen);
        } else {
            self.believe(source, answer.seen);
        }
        let own = self.fars[source].strength().unwrap_or(Basis::Single);
        let basis = basis.unwrap_or(own);
        self.basis = Some(self.basis.map_or(basis, |so_far| so_far.max(basis)));
        let streaming = self.streaming(source);
        self.fars[source].streaming(streaming);
        self.dismiss_empty_lane();
    }

    /// What an answer says of the file is so.
    fn believe(&mut self, source: usize, seen: Entity) {
        self.size = self.size.or(seen.size);
        let far = &mut self.fars[source];
        if far.known.is_empty() {
            far.known.push(seen);
            self.unproven = false;
        } else if let (Some(known), Some(size)) = (far.known.first_mut(), seen.size) {
            known.size.get_or_insert(size);
        }
    }

    /// A lane that was opened at the very end of an empty file brings nothing.
    fn dismiss_empty_lane(&mut self) {
        if self.size == Some(0) {
            self.cancel_all();
        }
    }

    /// Bytes that came again were compared with those that are there.
    pub(super) fn checked(&mut self, now: Instant, at: usize, found: Match) {
        self.lanes[at].heard = now;
        if self.lanes[at].stage != Stage::Comparing {
            return;
        }
        match (self.lanes[at].errand, found) {
            (_, Match::Different) => {
                let source = self.lanes[at].source.0;
                self.differs(at, source);
            }
            (Errand::Fetch, Match::Blank)
                if self.plan.in_order
                    && self.basis == Some(Basis::Overlap)
                    && self.lanes[at].ask.from > 0 =>
            {
                self.reset(Reason::Unproven);
            }
            (Errand::Fetch, _) if self.ends_with_what_is_here(at) => {
                // The next answer would be as short, and nothing would ever be counted: a failure.
                let lane = self.lanes.remove(at);
                self.failed(now, &lane, Trouble::Broken, None);
            }
            (Errand::Fetch, _) => {
                self.lanes[at].stage = Stage::Streaming;
                let source = self.lanes[at].source.0;
                if let Some(said) = self.lanes[at].said.take() {
                    self.believe(source, said);
                }
                let streaming = self.streaming(source);
                self.fars[source].streaming(streaming);
                self.dismiss_idle(now);
            }
            (Errand::Compare, found) => self.block_agrees(at, found),
            (Errand::Inquire, _) => {}
        }
    }

    /// Whether an answer brings nothing but what was compared, though the file goes on.
    fn ends_with_what_is_here(&self, at: usize) -> bool {
        let lane = &self.lanes[at];
        let here = Some(lane.ask.compare_to);
        lane.natural_end == here
            && self.size.or(lane.said.as_ref().and_then(|said| said.size)) != here
            && !self.at_end
    }

    /// A lane's body ended as it should.
    pub(super) fn ended(&mut self, now: Instant, at: usize) {
        let lane = self.lanes.remove(at);
        let knows_end = lane.end.is_some() || self.size.is_some();
        if lane.errand == Errand::Fetch && lane.stage == Stage::Streaming && !knows_end {
            self.size = Some(lane.pos);
            if let Some(known) = self.fars[lane.source.0].known.first_mut() {
                known.size = Some(lane.pos);
            }
            return;
        }
        // Shorter than promised: what is missing is asked for again.
        self.failed(now, &lane, Trouble::Broken, None);
    }

    /// The far end has no such bytes (416).
    pub(super) fn unsatisfiable(&mut self, now: Instant, at: usize, seen: Entity, total: Option<u64>) {
        let lane = &self.lanes[at];
        let source = lane.source.0;
        self.fars[source].answered = true;
        let seen = Entity { size: total.or(seen.size), ..seen };
        let errand = lane.errand;
        if errand == Errand::Inquire {
            self.inquired(at, seen);
            return;
        }
        let here = self.received.first_missing(0);
        match total {
            Some(0) if self.nothing_here() => {
                self.fars[source].known = vec![seen];
                self.size = Some(0);
                self.cancel_all();
            }
            // All of it is there; the length was not known before.
            Some(total) if self.size.is_none() && total == here => match self.fars[source].judge(&seen) {
                Verdict::Same(basis) => {
                    self.size = Some(total);
                    self.basis = Some(self.basis.map_or(basis, |so_far| so_far.max(basis)));
                    self.cancel_all();
                }
                Verdict::Doubtful if self.at_end && self.fars[source].grant.is_some() => {
                    self.size = Some(total);
                    self.cancel_all();
                }
                Verdict::Doubtful => {
                    self.verify(now, at);
                    self.believe_size_if_verified(total);
                }
                Verdict::Suspect(what) => self.suspect(at, seen, what),
            },
            Some(total) if total <= lane.ask.from && self.fars[source].known.is_empty() => {
                self.doubt_unknown(at);
            }
            Some(total) if total <= lane.ask.from => {
                let what = format!("it has {total} bytes now");
                self.suspect(at, seen, what);
            }
            _ => {
                let lane = self.lanes.remove(at);
                self.actions.push_back(Action::Cancel(lane.id));
                self.failed(now, &lane, Trouble::Denied, None);
            }
        }
    }
}
