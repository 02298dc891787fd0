//! What is done about a doubt: blocks that are there are fetched again and compared ([`Verifying`]); a version that
//! looks changed is asked about twice more ([`Settling`]).

use std::{collections::VecDeque, time::Instant};

use super::{
    Action, Ask, Basis, LaneId, Match, Outcome, Phase, Reason, SourceId, Transfer, Trouble,
    answers::Answer,
    identity::{self, Settled, Verdict},
    lane::{Lane, Stage},
    overlap,
};
use crate::{ByteRange, Entity, RangeSet};

/// How many answers in all settle whether a version is new.
const ANSWERS: usize = 3;
/// So many times blocks are compared without a new byte in between; more often is a far end that contradicts itself.
const MOST_VAIN: u32 = 24;

/// Blocks are being compared with what a source has.
#[derive(Debug)]
pub(super) struct Verifying {
    pub(super) source: usize,
    pub(super) queue: VecDeque<ByteRange>,
    pub(super) lane: Option<LaneId>,
    /// A block that was not one repeated byte agreed, or the blocks are all that is here.
    proved: bool,
    /// What the source said of the file at the last block.
    seen: Option<Entity>,
    /// The file's size, if the blocks agree.
    size: Option<u64>,
}

/// A version that looks changed is being asked about, or one of which nobody has said anything yet in this run.
#[derive(Debug)]
pub(super) struct Settling {
    pub(super) source: usize,
    pub(super) lane: Option<LaneId>,
    answers: Vec<Entity>,
    /// What looks changed; `None` before the first answer.
    what: Option<String>,
}

impl Transfer {
    /// The answer of the lane at `at` may or may not belong to what is there: blocks decide.
    pub(super) fn verify(&mut self, now: Instant, at: usize) {
        let lane = self.lanes.remove(at);
        self.actions.push_back(Action::Cancel(lane.id));
        let granted = self.fars[lane.source.0].grant.take().is_some();
        if granted && !self.at_end {
            // It agreed block by block a moment ago and says something else of itself now: a failure, so it is counted.
            self.failed(now, &lane, Trouble::Broken, None);
            return;
        }
        self.put_back(&lane);
        self.begin_verifying(lane.source.0);
    }

    pub(super) fn begin_verifying(&mut self, source: usize) {
        if matches!(self.phase, Phase::Verifying(_) | Phase::Settling(_)) {
            return;
        }
        self.vain += 1;
        if self.vain > MOST_VAIN {
            self.end(Outcome::Unsafe);
            return;
        }
        if self.plan.in_order {
            // What was handed over is out of reach.
            self.reset(Reason::Unproven);
            return;
        }
        let queue = overlap::blocks(&self.received, &mut self.random);
        if queue.is_empty() {
            return;
        }
        let compared: RangeSet = queue.iter().copied().collect();
        let proved = self.received.iter().all(|extent| compared.contains(extent));
        self.phase =
            Phase::Verifying(Verifying { source, queue, lane: None, proved, seen: None, size: None });
    }

    /// If the blocks agree, the file has `size` bytes.
    pub(super) fn believe_size_if_verified(&mut self, size: u64) {
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.size = Some(size);
        }
    }

    /// The next block to compare, as an ask; `None` where none is left.
    pub(super) fn next_block(&mut self) -> Option<(SourceId, Ask)> {
        let Phase::Verifying(verifying) = &mut self.phase else { return None };
        let block = verifying.queue.front()?;
        let ask = Ask { from: block.start(), compare_to: block.end(), to: Some(block.end()) };
        Some((SourceId(verifying.source), ask))
    }

    /// The answer to a block began.
    pub(super) fn compare_opened(&mut self, at: usize, answer: Answer) {
        let lane = &mut self.lanes[at];
        let source = lane.source.0;
        if self.size_disagrees(&answer.seen) && self.fars[source].known.is_empty() {
            self.doubt_unknown(at);
            return;
        }
        if let Verdict::Suspect(what) = self.fars[source].judge(&answer.seen) {
            self.suspect(at, answer.seen, what);
            return;
        }
        let lane = &mut self.lanes[at];
        if answer.from < lane.ask.from {
            // No ranges here. The whole will pass by what is there when it is fetched, if that is one piece.
            let lane = self.lanes.remove(at);
            self.actions.push_back(Action::Cancel(lane.id));
            if self.unasked || self.received.iter().len() > 1 || self.received.first_missing(0) == 0 {
                self.doubt_source(source);
            } else {
                self.phase = Phase::Flowing;
            }
            return;
        }
        lane.stage = Stage::Comparing;
        lane.natural_end = answer.to;
        if let Phase::Verifying(verifying) = &mut self.phase {
            verifying.seen = Some(answer.seen);
        }
    }

    /// The block of the lane at `at` is the same at the far end.
    pub(super) fn block_agrees(&mut self, at: usize, found: Match) {
        let lane = self.lanes.remove(at);
        if lane.natural_end != lane.ask.to {
            self.actions.push_back(Action::Cancel(lane.id));
        }
        let Phase::Verifying(verifying) = &mut self.phase else { return };
        verifying.lane = None;
        verifying.queue.pop_front();
        verifying.proved |= found == Match::Same;
        if verifying.queue.is_empty() {
            self.verified();
        }
    }

    /// All blocks agree.
    fn verified(&mut self) {
        let Phase::Verifying(verifying) = std::mem::replace(&mut self.phase, Phase::Flowing) else { return };
        let Some(seen) = verifying.seen.filter(|_| verifying.proved) else {
            self.doubt_source(verifying.source);
            return;
        };
        self.basis = Some(Basis::Overlap);
        self.unproven = false;
        self.unasked = false;
        self.size = self.size.or(verifying.size).or(seen.size);
        let far = &mut self.fars[verifying.source];
        if far.known.is_empty() || identity::strength(&seen, far.etags_lie).is_some() {
            far.known.push(seen.clone());
        }
        far.grant = Some(seen);
        self.current = verifying.source;
    }

    /// The bytes at the far end are others than those that are there.
    pub(super) fn differs(&mut self, at: usize, source: usize) {
        let known = !self.fars[source].known.is_empty();
        if known {
            self.phase = Phase::Flowing;
            self.reset(Reason::Changed("its bytes differ from those that are here".into()));
        } else {
            self.doubt_unknown(at);
        }
    }

    /// The lane's source was never heard of before, and what it has is not what is here.
    pub(super) fn doubt_unknown(&mut self, at: usize) {
        let source = self.lanes[at].source.0;
        let lane = self.lanes.remove(at);
        self.actions.push_back(Action::Cancel(lane.id));
        self.put_back(&lane);
        self.doubt_source(source);
    }

    /// What is here cannot be shown to belong to this source: another one may do, else it is begun anew.
    fn doubt_source(&mut self, source: usize) {
        self.drop_doubt();
        let trusted_elsewhere =
            (0..self.fars.len()).find(|other| *other != source && self.fars[*other].serves());
        match trusted_elsewhere {
            Some(other) => {
                self.fars[source].unfit = true;
                self.current = other;
            }
            None => self.reset(Reason::Unproven),
        }
    }

    /// The source asked first is another one from now on; a doubt about the one before would be asked of it for ever.
    pub(super) fn turn_to(&mut self, source: usize) {
        self.current = source;
        self.drop_doubt();
    }

    /// No blocks are compared and nothing is asked about any more.
    fn drop_doubt(&mut self) {
        let lane = match &self.phase {
            Phase::Verifying(verifying) => verifying.lane,
            Phase::Settling(settling) => settling.lane,
            _ => return,
        };
        self.phase = Phase::Flowing;
        if let Some(at) = lane.and_then(|lane| self.find(lane)) {
            let lane = self.lanes.remove(at);
            self.actions.push_back(Action::Cancel(lane.id));
        }
    }

    /// A source of the same plan has another file.
    pub(super) fn drop_source(&mut self, at: usize) {
        self.doubt_unknown(at);
    }

    /// The answer of the lane at `at` says that the file changed: two more answers settle it.
    pub(super) fn suspect(&mut self, at: usize, seen: Entity, what: String) {
        let lane = self.lanes.remove(at);
        self.actions.push_back(Action::Cancel(lane.id));
        self.put_back(&lane);
        if !matches!(self.phase, Phase::Settling(_)) {
            let (source, answers, what) = (lane.source.0, vec![seen], Some(what));
            self.phase = Phase::Settling(Settling { source, lane: None, answers, what });
        }
    }

    /// All bytes were left by an earlier run: is the file still that one?
    pub(super) fn ask_about_the_whole(&mut self) {
        let (source, answers, what) = (self.current, Vec::new(), None);
        self.phase = Phase::Settling(Settling { source, lane: None, answers, what });
    }

    /// A further answer on the question whether the file changed.
    pub(super) fn inquired(&mut self, at: usize, seen: Entity) {
        let lane = self.lanes.remove(at);
        self.actions.push_back(Action::Cancel(lane.id));
        let Phase::Settling(settling) = &mut self.phase else { return };
        settling.lane = None;
        if settling.what.is_none() {
            match self.fars[settling.source].judge(&seen) {
                Verdict::Same(basis) => {
                    self.phase = Phase::Flowing;
                    self.unasked = false;
                    self.basis = Some(basis);
                    return;
                }
                Verdict::Doubtful => {
                    let source = settling.source;
                    self.phase = Phase::Flowing;
                    self.begin_verifying(source);
                    return;
                }
                Verdict::Suspect(what) => settling.what = Some(what),
            }
        }
        settling.answers.push(seen);
        if settling.answers.len() < ANSWERS {
            return;
        }
        let Phase::Settling(settling) = std::mem::replace(&mut self.phase, Phase::Flowing) else { return };
        let source = settling.source;
        let known = self.fars[source].known.first().cloned().unwrap_or_default();
        match identity::settle(&known, &settling.answers) {
            Settled::Changed => self.reset(Reason::Changed(settling.what.unwrap_or_default())),
            Settled::Noise => {
                self.fars[source].etags_lie = true;
                self.begin_verifying(source);
            }
        }
    }

    /// What a lane that is gone was busy with is to be done again.
    pub(super) fn put_back(&mut self, lane: &Lane) {
        match &mut self.phase {
            Phase::Verifying(verifying) if verifying.lane == Some(lane.id) => verifying.lane = None,
            Phase::Settling(settling) if settling.lane == Some(lane.id) => settling.lane = None,
            _ => {}
        }
        // Whoever ran a race with it is alone again, and may be helped once more.
        for other in self.lanes.iter_mut().filter(|other| lane.raced && other.end == lane.end) {
            other.raced = false;
        }
    }
}
