//! The transfer machine: decides which connection fetches which bytes of a file, whether what comes belongs to what is
//! there, when to try again and when it is over.
//!
//! It sees ranges, never bytes; it opens nothing and reads no clock. A driver tells it what happened ([`Event`],
//! [`Transfer::receive`]) and does what it wants ([`Transfer::poll`]). Everything is decided here, so everything can
//! be simulated (`tests/simulation/`).
//!
//! ```text
//!              answer fits           all bytes written
//!   ┌─────────► Flowing ─────────────────────────────────► Publishing ──► Over
//!   │            │   ▲  └── give up, pause ──► Ending ─────(synced)─────────▲
//!   │   doubtful │   │ blocks agree
//!   │            ▼   │
//!   │          Verifying ──── a block differs ───┐
//!   │            │ suspect                       │
//!   │            ▼      stable and new           ▼
//!   │          Settling ────────────────────► Resetting
//!   │            └── noise ──► Verifying         │ nothing is held any more
//!   └────────────────────────────────────────────┘
//! ```
//!
//! Where an earlier run left the whole, it begins with settling: what is published has been asked about in this run.
//!
//! While verifying and settling, lanes whose answers were found to fit go on; no new ones are opened.

pub(crate) mod allot;
mod answers;
mod doubt;
mod event;
mod far;
mod growth;
mod identity;
mod lane;
mod opening;
mod overlap;
pub(crate) mod patience;
mod plan;
pub(crate) mod speed;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use event::{Action, Ask, Basis, Event, LaneId, Match, Outcome, Ranges, Reason, SourceId, Trouble};
pub use overlap::BLOCK;
pub use plan::{Lanes, Memo, OnChange, Plan};

use crate::{ByteRange, Entity, Random, RangeSet};
use far::Far;
use growth::Growth;
use lane::{Lane, Stage};
use patience::{Failure, Patience};

/// Written bytes are synced at least this often …
const SYNC_EVERY: Duration = Duration::from_secs(2);
/// … and after so many of them.
const SYNC_BYTES: u64 = 64 << 20;
/// How often idle capacity is reconsidered.
const RECONSIDER: Duration = Duration::from_millis(20);
/// A lane without an answer for so long counts as standing still.
const SLOW_ANSWER: Duration = Duration::from_secs(1);
/// More restarts in one run than this mean that the file will not hold still.
const RESTARTS: u32 = 2;

/// What the machine is busy with, beside its lanes.
#[derive(Debug)]
enum Phase {
    Flowing,
    Verifying(doubt::Verifying),
    Settling(doubt::Settling),
    Resetting,
    Publishing,
    Ending(Outcome),
    Over,
}

/// The transfer of one file.
#[derive(Debug)]
pub struct Transfer {
    plan: Plan,
    phase: Phase,
    size: Option<u64>,
    /// Bytes taken over, written or on their way to be.
    received: RangeSet,
    written: RangeSet,
    /// Bytes are held of which no source ever said anything.
    unproven: bool,
    /// An earlier run left the whole, and no source has said in this one that it is still that.
    unasked: bool,
    fars: Vec<Far>,
    /// The source that is asked first.
    current: usize,
    lanes: Vec<Lane>,
    next_lane: u32,
    patience: Patience,
    growth: Growth,
    random: Random,
    basis: Option<Basis>,
    /// The last answer, compared in vain, ended where what is here ends: of an unknown length this may be all.
    at_end: bool,
    restarts: u32,
    /// How often blocks were compared since the last new byte.
    vain: u32,
    /// New bytes of this run.
    brought: u64,
    pace_of_the_last: Option<f64>,
    opening_cost: Duration,
    reconsider: Option<Instant>,
    unsynced: u64,
    unsynced_since: Option<Instant>,
    syncing: bool,
    actions: VecDeque<Action>,
}

/// How things stand, for a screen and for the journal.
#[derive(Clone, Debug)]
pub struct View {
    /// The file's size, where known.
    pub size: Option<u64>,
    /// Bytes taken over.
    pub held: RangeSet,
    /// Lanes that bring new bytes: where each began, its next byte, its end.
    pub lanes: Vec<(u64, u64, Option<u64>)>,
}

impl Transfer {
    /// A transfer that goes on from `memo`, or begins.
    pub fn new(memo: Option<Memo>, plan: Plan) -> Self {
        // Where nothing is held nothing that was said binds.
        let memo = memo.filter(|memo| !memo.held.is_empty()).unwrap_or_default();
        let mut fars: Vec<Far> = (0..plan.sources.max(1)).map(|_| Far::default()).collect();
        for (far, known) in fars.iter_mut().zip(&memo.sources) {
            far.known.extend(known.clone());
        }
        let unproven = !memo.held.is_empty() && fars.iter().all(|far| far.known.is_empty());
        let lanes = if plan.in_order { Lanes::Exactly(1) } else { plan.lanes };
        // A digest of the whole says more than anybody who could be asked.
        let unasked = !plan.together && is_whole(&memo.held, memo.size);
        Self {
            phase: Phase::Flowing,
            size: memo.size,
            written: memo.held.clone(),
            received: memo.held,
            unproven,
            unasked,
            fars,
            current: 0,
            lanes: Vec::new(),
            next_lane: 0,
            patience: Patience::new(plan.retries, plan.seed),
            growth: Growth::new(lanes),
            random: Random::new(plan.seed ^ 0x6f76_6572_6c61_7073),
            basis: None,
            at_end: false,
            restarts: 0,
            vain: 0,
            brought: 0,
            pace_of_the_last: None,
            opening_cost: Duration::from_millis(50),
            reconsider: None,
            unsynced: 0,
            unsynced_since: None,
            syncing: false,
            actions: VecDeque::new(),
            plan,
        }
    }

    /// Takes note of what happened. A word of a lane that is gone is ignored.
    pub fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Opened { lane, seen, from, to, ranges } => {
                if let Some(at) = self.find(lane) {
                    self.opened(now, at, answers::Answer { seen, from, to, ranges });
                }
            }
            Event::Checked { lane, found } => {
                if let Some(at) = self.find(lane) {
                    self.checked(now, at, found);
                }
            }
            Event::Heard { lane } => {
                if let Some(at) = self.find(lane) {
                    self.lanes[at].heard = now;
                }
            }
            Event::Spared { lane } => {
                if let Some(at) = self.find(lane) {
                    let lane = self.lanes.remove(at);
                    self.put_back(&lane);
                    self.fars[lane.source.0].spare(now);
                }
            }
            Event::Ended { lane } => match self.find(lane) {
                Some(at) => self.ended(now, at),
                // All of its bytes had come already; now its connection is free for another lane.
                None => self.fars.iter_mut().for_each(Far::freed),
            },
            Event::Unsatisfiable { lane, seen, total } => {
                if let Some(at) = self.find(lane) {
                    self.unsatisfiable(now, at, seen, total);
                }
            }
            Event::Failed { lane, why, retry_after } => {
                if let Some(at) = self.find(lane) {
                    let lane = self.lanes.remove(at);
                    if why == Trouble::Unreliable && lane.brought > 0 {
                        self.put_back(&lane);
                        self.reset(Reason::Unreliable);
                    } else {
                        self.failed(now, &lane, why, retry_after);
                    }
                }
            }
            Event::Written(range) => self.note_written(now, range),
            Event::Durable => {
                self.syncing = false;
                if let Phase::Ending(outcome) = &self.phase {
                    if self.unsynced > 0 {
                        // That sync began before the last bytes were written.
                        self.sync();
                        return;
                    }
                    self.actions.push_back(Action::Finish(outcome.clone()));
                    self.phase = Phase::Over;
                }
            }
            Event::ResetDone => self.begin_anew(),
            Event::Published => {
                let own = self.fars[self.current].strength();
                let basis = self.basis.or(own).unwrap_or(Basis::Single);
                self.actions.push_back(Action::Finish(Outcome::Complete(basis)));
                self.phase = Phase::Over;
            }
            Event::Outdated { what } => {
                if matches!(self.phase, Phase::Publishing) {
                    self.phase = Phase::Flowing;
                    self.reset(Reason::Changed(what));
                }
            }
            Event::Pause => self.end(Outcome::Paused),
        }
    }

    /// A lane's bytes came. Says which of them are to be written; all others are dropped, being there already or
    /// somebody else's to bring.
    pub fn receive(&mut self, now: Instant, lane: LaneId, range: ByteRange) -> Vec<ByteRange> {
        let Some(at) = self.find(lane) else { return Vec::new() };
        let lane = &mut self.lanes[at];
        lane.heard = now;
        if !lane.streams() {
            return Vec::new();
        }
        lane.speed.add(now, range.len());
        let wanted =
            ByteRange::new(range.start().max(lane.pos), range.end().min(lane.end.unwrap_or(u64::MAX)));
        lane.pos = lane.pos.max(range.end());
        let new: Vec<ByteRange> = wanted.map(|range| self.received.gaps(range).collect()).unwrap_or_default();
        let count: u64 = new.iter().map(|range| range.len()).sum();
        if count > 0 {
            lane.brought += count;
            self.brought += count;
            self.patience.progress();
            self.vain = 0;
            self.received.extend(new.iter().copied());
        }
        self.dismiss_idle(now);
        new
    }

    /// The next thing to do, if there is one now.
    pub fn poll(&mut self, now: Instant) -> Option<Action> {
        if self.actions.is_empty() {
            self.advance(now);
        }
        self.actions.pop_front()
    }

    /// When to call [`Transfer::poll`] again though nothing happened.
    pub fn deadline(&self) -> Option<Instant> {
        if matches!(self.phase, Phase::Resetting | Phase::Publishing | Phase::Ending(_) | Phase::Over) {
            return None;
        }
        let stalls = self.lanes.iter().map(|lane| lane.heard + self.plan.stall);
        let sync = self.unsynced_since.filter(|_| !self.syncing).map(|since| since + SYNC_EVERY);
        stalls.chain(sync).chain(self.reconsider).min()
    }

    /// How things stand.
    pub fn view(&self) -> View {
        let lanes = self.lanes.iter().filter(|lane| lane.streams());
        View {
            size: self.size,
            held: self.received.clone(),
            lanes: lanes.map(|lane| (lane.ask.compare_to, lane.pos, lane.end.or(self.size))).collect(),
        }
    }

    /// What a journal should remember of the sources now: by index, what each said of this version.
    pub fn sources(&self) -> Vec<Option<Entity>> {
        self.fars.iter().map(|far| far.known.first().cloned()).collect()
    }

    /// Whether bytes are held of which no source has said anything yet, in any run.
    pub fn is_unproven(&self) -> bool {
        self.unproven
    }

    /// The file's size, where known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Failures in a row without progress, and the moment of the next try where one is waited for.
    pub fn waiting(&self, now: Instant) -> (u32, Option<Instant>) {
        (self.patience.strikes(), self.patience.until(now))
    }

    /// Whether a lane's answer was found to be of this version, and brings new bytes.
    pub fn brings(&self, lane: LaneId) -> bool {
        let lane = self.find(lane).map(|at| &self.lanes[at]);
        lane.is_some_and(|lane| lane.errand == lane::Errand::Fetch && lane.stage != Stage::Opening)
    }

    /// Whether the machine still expects something of a lane.
    pub fn expects(&self, lane: LaneId) -> bool {
        self.find(lane).is_some()
    }

    fn find(&self, lane: LaneId) -> Option<usize> {
        self.lanes.iter().position(|known| known.id == lane)
    }

    fn note_written(&mut self, now: Instant, range: ByteRange) {
        if matches!(self.phase, Phase::Resetting) {
            return;
        }
        self.written.insert(range);
        self.unsynced += range.len();
        self.unsynced_since.get_or_insert(now);
    }

    /// Whether every byte is written, under one version.
    fn is_complete(&self) -> bool {
        !self.unproven && !self.unasked && is_whole(&self.written, self.size)
    }

    /// Does what time and the lanes' state call for.
    fn advance(&mut self, now: Instant) {
        self.reconsider = None;
        match self.phase {
            Phase::Resetting | Phase::Publishing | Phase::Ending(_) | Phase::Over => return,
            Phase::Flowing | Phase::Verifying(_) | Phase::Settling(_) => {}
        }
        if self.is_complete() {
            self.cancel_all();
            self.phase = Phase::Publishing;
            self.actions.push_back(Action::Publish);
            return;
        }
        self.give_up_stalled(now);
        self.sync_if_due(now);
        self.open_lanes(now);
    }

    fn give_up_stalled(&mut self, now: Instant) {
        while let Some(at) =
            self.lanes.iter().position(|lane| now.saturating_duration_since(lane.heard) >= self.plan.stall)
        {
            let lane = self.lanes.remove(at);
            self.actions.push_back(Action::Cancel(lane.id));
            self.failed(now, &lane, Trouble::Broken, None);
        }
    }

    fn sync_if_due(&mut self, now: Instant) {
        let old = self.unsynced_since.is_some_and(|since| now.saturating_duration_since(since) >= SYNC_EVERY);
        if !self.syncing && (old || self.unsynced >= SYNC_BYTES) {
            self.sync();
        }
    }

    fn sync(&mut self) {
        self.syncing = true;
        self.unsynced = 0;
        self.unsynced_since = None;
        self.actions.push_back(Action::Sync);
    }

    /// Closes lanes that have nothing more to bring.
    fn dismiss_idle(&mut self, now: Instant) {
        let size = self.size.unwrap_or(u64::MAX);
        let mut at = 0;
        while let Some(lane) = self.lanes.get(at) {
            let rest = lane.rest(size);
            let done = lane.streams()
                && rest.is_none_or(|rest| lane.raced && self.received.contains(rest))
                && (lane.end.is_some() || self.size.is_some());
            if !done {
                at += 1;
                continue;
            }
            // A lane whose answer ends right here is not cut off: its connection can be used again.
            if lane.natural_end != Some(lane.pos) {
                self.actions.push_back(Action::Cancel(lane.id));
            }
            self.pace_of_the_last = lane.speed.now(now).or(self.pace_of_the_last);
            self.lanes.remove(at);
        }
    }

    fn cancel_all(&mut self) {
        self.actions.extend(self.lanes.drain(..).map(|lane| Action::Cancel(lane.id)));
    }

    /// Begins to end: what is written is synced, then the outcome is told.
    fn end(&mut self, outcome: Outcome) {
        if matches!(self.phase, Phase::Ending(_) | Phase::Publishing | Phase::Over) {
            return;
        }
        self.cancel_all();
        self.actions.retain(|action| !matches!(action, Action::Open { .. }));
        if !self.syncing {
            self.sync();
        }
        self.phase = Phase::Ending(outcome);
    }

    /// Drops what is there and begins anew, or ends where that is not wanted or not possible.
    fn reset(&mut self, reason: Reason) {
        self.restarts += 1;
        // What was handed over can't be taken back, and a file that does not hold still will not be whole.
        let over = self.restarts > RESTARTS || (self.plan.in_order && !self.received.is_empty());
        match reason {
            Reason::Changed(what) if over || self.plan.on_change == OnChange::Fail => {
                self.end(Outcome::Changed(what));
            }
            Reason::Unproven if over => self.end(Outcome::Unsafe),
            // What is not to be relied on does not stay for the next run, which would not know that.
            Reason::Unreliable if self.plan.in_order && !self.received.is_empty() => {
                self.end(Outcome::Unsafe);
            }
            reason => {
                self.cancel_all();
                self.actions.push_back(Action::Reset(reason));
                self.phase = Phase::Resetting;
            }
        }
    }

    fn begin_anew(&mut self) {
        if !matches!(self.phase, Phase::Resetting) {
            return;
        }
        self.phase = Phase::Flowing;
        self.size = None;
        self.received = RangeSet::new();
        self.written = RangeSet::new();
        self.unproven = false;
        self.unasked = false;
        self.basis = None;
        self.at_end = false;
        self.unsynced = 0;
        self.unsynced_since = None;
        self.fars.iter_mut().for_each(Far::forget_version);
        self.current = self.fars.iter().position(Far::serves).unwrap_or(self.current);
    }

    /// A lane came to nothing or broke off: its range is free again, and somebody has to judge the far end.
    fn failed(&mut self, now: Instant, lane: &Lane, why: Trouble, retry_after: Option<Duration>) {
        self.put_back(lane);
        if lane.brought > 0 {
            return;
        }
        let failure = Failure { why, retry_after };
        let source = lane.source.0;
        let answered = self.fars[source].answered;
        if self.lanes.iter().any(Lane::streams) {
            // Others bring bytes: only this far end is left alone for a while.
            let streaming = self.streaming(source);
            let hopeless = why == Trouble::Fatal || (why == Trouble::Denied && !answered);
            self.fars[source].dead |= hopeless && streaming == 0;
            self.fars[source].extra_failed(now, lane, streaming, failure);
            return;
        }
        let verdict = self.patience.strike(now, lane.opened, failure, answered);
        let others = (0..self.fars.len()).filter(|other| *other != source && self.fars[*other].serves());
        let next = others.clone().find(|other| *other > source).or_else(|| others.clone().next());
        match (verdict, next) {
            (Err(_), Some(next)) => {
                self.fars[source].dead = true;
                self.patience.progress();
                self.turn_to(next);
            }
            (Err(why), None) => self.end(Outcome::GaveUp(why)),
            (Ok(()), Some(next)) if self.patience.strikes().is_multiple_of(3) => self.turn_to(next),
            (Ok(()), _) => {}
        }
    }

    /// How many lanes bring new bytes from this source.
    fn streaming(&self, source: usize) -> usize {
        self.lanes.iter().filter(|lane| lane.source.0 == source && lane.stage == Stage::Streaming).count()
    }
}

/// Whether these are all bytes of a file of this size.
fn is_whole(held: &RangeSet, size: Option<u64>) -> bool {
    size.is_some_and(|size| ByteRange::new(0, size).is_none_or(|whole| held.contains(whole)))
}
