//! One upload on several lanes: which lane sends which bytes of the file, what an idle one takes over, how many lanes
//! the far end bears, and when all of it is there to be joined.
//!
//! ```text
//!   Open ──► Opened ──► Grant … Grant ──► End ──► Ended        of each part; all of them: Join ──► Joined
//!    ▲                    │                  │
//!    └──── Failed ◄───────┴──────────────────┘   the part waits for a lane, from where the far end has it
//! ```
//!
//! The file is covered by *parts*: stretches that follow on each other, each sent in order by one lane at a time. A lane
//! gets its bytes in small grants. What was not granted yet can be given to another lane at any time, without a word to
//! the one that loses it: it just hears of its end sooner. So no byte is ever sent by two lanes.
//!
//! Pure: it reads no clock, and knows neither URLs nor commands. Whoever begins (a driver) says what the far end has.

mod crowd;
mod event;
mod part;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use event::{Action, Cuts, Event, Kept, LaneView, Outcome, PartId, Plan};

use self::{crowd::Crowd, part::Part};
use super::Refusal;
use crate::{
    ByteRange,
    transfer::{
        LaneId, Trouble,
        allot::{self, Newcomer, Piece, Worker},
        patience::{Failure, Patience},
        speed::Speed,
    },
};

/// Grants that a lane has ahead: one that it reads, and one that its connection takes.
const AHEAD: usize = 2;
/// The smallest grant, and the first one: what is granted cannot be given to another lane any more …
const FIRST_GRANT: u64 = 64 << 10;
/// … so no grant is larger than what the lane moves in so many seconds.
const GRANTED: f64 = 0.1;
/// A lane of which nothing was taken for so long stands still.
const STILL: Duration = Duration::from_secs(1);
/// Less than this is not worth a lane of its own, while speeds are unknown.
const SMALLEST: u64 = 512 << 10;
/// What a connection has taken and not brought within this time, while others are idle, is worth another connection …
const LATE: Duration = Duration::from_millis(1_500);
/// … if that is so much faster.
const FASTER: f64 = 3.0;
/// How often idle lanes are reconsidered.
const RECONSIDER: Duration = Duration::from_millis(50);
/// What opening a lane takes, until one has shown it.
const OPENING: Duration = Duration::from_millis(50);
/// Parts that were joined and of which some turned out to be gone: so often they are sent again.
const LOSSES: u32 = 3;

/// How many lanes a file of this size is worth, of those that are wanted.
pub fn worth(size: u64, wanted: usize) -> usize {
    usize::try_from(size / SMALLEST).unwrap_or(usize::MAX).min(wanted)
}

/// A lane at work.
#[derive(Debug)]
struct Lane {
    id: LaneId,
    part: PartId,
    began: Instant,
    /// The far end takes its bytes.
    open: bool,
    /// Grants on their way, oldest first, by length.
    grants: VecDeque<u64>,
    speed: Speed,
    /// When something was last heard of it.
    heard: Instant,
    /// Where this lane began, and bytes that its connection took.
    from: u64,
    moved: u64,
    ended: bool,
}

impl Lane {
    /// Bytes a second, once known.
    fn pace(&self, now: Instant) -> Option<f64> {
        let still = now.saturating_duration_since(self.heard) > STILL;
        self.speed.now(now).or(still.then_some(0.0))
    }
}

/// The upload of one file on several lanes.
#[derive(Debug)]
pub struct Spread {
    plan: Plan,
    parts: Vec<Part>,
    lanes: Vec<Lane>,
    next_lane: u32,
    crowd: Crowd,
    patience: Patience,
    /// The far end has answered in this run.
    answered: bool,
    /// What opening a lane took last, and how fast lanes are, as far as that was seen.
    opening: Duration,
    pace: Option<f64>,
    best: Option<f64>,
    losses: u32,
    joining: bool,
    join_failed: bool,
    outcome: Option<Outcome>,
    told: bool,
}

impl Spread {
    /// The upload of a file of `plan.size` bytes, of which the far end has `kept`: in order, not overlapping.
    pub fn new(plan: Plan, kept: &[Kept]) -> Self {
        let mut spread = Self {
            crowd: Crowd::new(plan.lanes),
            patience: Patience::new(plan.retries, plan.seed),
            plan,
            parts: kept.iter().map(Part::kept).collect(),
            lanes: Vec::new(),
            next_lane: 0,
            answered: false,
            opening: OPENING,
            pace: None,
            best: None,
            losses: 0,
            joining: false,
            join_failed: false,
            outcome: None,
            told: false,
        };
        spread.cover();
        spread
    }

    /// Makes parts of what no part covers.
    fn cover(&mut self) {
        let Some(whole) = ByteRange::new(0, self.plan.size) else { return };
        let covered: crate::RangeSet =
            self.parts.iter().filter_map(|part| ByteRange::new(part.from, part.end)).collect();
        let gaps: Vec<ByteRange> = covered.gaps(whole).collect();
        let missing: u64 = gaps.iter().map(|gap| gap.len()).sum();
        let busy = self.parts.iter().filter(|part| !part.done).count();
        let wanted = match self.plan.cuts {
            Cuts::Anywhere => worth(missing, self.plan.lanes.saturating_sub(busy)).max(1) as u64,
            Cuts::Nowhere => missing.div_ceil(self.plan.piece.max(1)),
        };
        let room = self.plan.most_parts.saturating_sub(self.parts.len()).max(1) as u64;
        for gap in gaps {
            let share = (u128::from(wanted.min(room)) * u128::from(gap.len())).div_ceil(u128::from(missing));
            let count = u64::try_from(share).unwrap_or(1).clamp(1, gap.len());
            let each = gap.len().div_ceil(count).next_multiple_of(self.plan.grain.max(1));
            let mut from = gap.start();
            while from < gap.end() {
                let end = from.saturating_add(each).min(gap.end());
                self.parts.push(Part::new(from, end));
                from = end;
            }
        }
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Instant) -> Option<Action> {
        if let Some(outcome) = self.outcome {
            return (!std::mem::replace(&mut self.told, true)).then_some(Action::Finish(outcome));
        }
        if let Some(action) = self.grant(now) {
            return Some(action);
        }
        if self.patience.until(now).is_some() {
            return None;
        }
        if self.parts.iter().all(|part| part.done) {
            return (!std::mem::replace(&mut self.joining, true)).then_some(Action::Join);
        }
        if !self.crowd.has_room(now, self.lanes.len()) {
            return None;
        }
        self.open(now).or_else(|| self.hurry(now))
    }

    /// A slow lane that has all its bytes, and whose connection still has some of them, while there is nothing else to do:
    /// its part goes on from what the far end has, on a connection that may be as fast as the others were. Once.
    fn hurry(&mut self, now: Instant) -> Option<Action> {
        let usual = self.best?;
        let late = |lane: &&Lane| {
            let slow = lane.speed.mean().is_none_or(|own| own * FASTER < usual);
            let once = self.parts.get(lane.part.0).is_some_and(|part| !part.hurried);
            lane.open && lane.ended && slow && once && now.saturating_duration_since(lane.heard) > LATE
        };
        let id = self.lanes.iter().find(late)?.id;
        let lane = self.take(id)?;
        if let Some(part) = self.parts.get_mut(lane.part.0) {
            part.hurried = true;
        }
        Some(Action::Drop(id))
    }

    /// When something may have to be done although nothing happens.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.outcome.is_some() || self.joining {
            return None;
        }
        let idle = self.lanes.len() < self.crowd.most() && !self.lanes.is_empty();
        let reconsider = idle.then(|| now + RECONSIDER);
        let waits = [self.patience.until(now), self.crowd.until(now)].into_iter().flatten().max();
        waits.or(reconsider)
    }

    /// Failures in a row without progress.
    pub fn strikes(&self) -> u32 {
        self.patience.strikes()
    }

    /// How long nothing is opened, after failures.
    pub fn waits(&self, now: Instant) -> Option<Duration> {
        self.patience.until(now).map(|until| until - now)
    }

    /// Bytes that the far end has, or that were handed over to it.
    pub fn done(&self) -> u64 {
        self.reached().map(|range| range.len()).sum()
    }

    /// The ranges of these.
    pub fn reached(&self) -> impl Iterator<Item = ByteRange> + '_ {
        self.parts.iter().enumerate().filter_map(|(number, part)| {
            let moved = self.lanes.iter().find(|lane| lane.part == PartId(number) && lane.open);
            ByteRange::new(part.from, moved.map_or(part.at, |lane| lane.from + lane.moved))
        })
    }

    /// The lanes at work.
    pub fn views(&self) -> impl Iterator<Item = LaneView> + '_ {
        self.lanes.iter().filter_map(|lane| {
            let part = self.parts.get(lane.part.0)?;
            Some(LaneView { from: part.from, pos: lane.from + lane.moved, end: part.end })
        })
    }

    /// The parts in the order of the file: what is joined. Parts without bytes are none.
    pub fn order(&self) -> Vec<PartId> {
        let mut order: Vec<(u64, PartId)> = (self.parts.iter().enumerate())
            .filter(|(_, part)| part.from < part.end)
            .map(|(number, part)| (part.from, PartId(number)))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, part)| part).collect()
    }

    /// Where a part begins, and where it ends as things are.
    pub fn range(&self, part: PartId) -> Option<ByteRange> {
        let part = self.parts.get(part.0)?;
        ByteRange::new(part.from, part.end)
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, now: Instant, event: Event) {
        if self.outcome.is_some() {
            return;
        }
        match event {
            Event::Opened { lane, at } => self.on_opened(now, lane, at),
            Event::Moved(lane) => self.on_moved(now, lane),
            Event::Ended(lane) => self.on_ended(lane),
            Event::Failed { lane, why, retry_after } => {
                self.on_failed(now, lane, Failure { why, retry_after });
            }
            Event::Lost(lane) => self.on_lost(lane),
            Event::NoSpare(lane) => {
                if self.take(lane).is_some() {
                    self.crowd.no_spare(now);
                }
            }
            Event::Joined => self.outcome = Some(Outcome::Joined),
            Event::Unjoined { why, retry_after } => {
                self.joining = false;
                self.join_failed = true;
                self.strike(now, now, Failure { why, retry_after });
            }
            Event::Gone(parts) => self.on_gone(&parts),
            Event::Refused(refusal) => self.outcome = Some(Outcome::Refused(refusal)),
        }
    }

    /// Whether a joining was asked for before whose answer nobody heard.
    pub fn join_is_open(&self) -> bool {
        self.join_failed
    }

    fn grant(&mut self, now: Instant) -> Option<Action> {
        for lane in self.lanes.iter_mut().filter(|lane| lane.open && !lane.ended) {
            let Some(part) = self.parts.get_mut(lane.part.0) else { continue };
            if part.granted >= part.end {
                lane.ended = true;
                return Some(Action::End { lane: lane.id, at: part.end });
            }
            let most = (lane.speed.now(now).unwrap_or_default() * GRANTED) as u64;
            let most = most.clamp(FIRST_GRANT.min(self.plan.grant), self.plan.grant).max(1);
            if lane.grants.len() < AHEAD
                && let Some(range) = ByteRange::new(part.granted, part.end.min(part.granted + most))
            {
                part.granted = range.end();
                lane.grants.push_back(range.len());
                return Some(Action::Grant { lane: lane.id, range });
            }
        }
        None
    }

    fn open(&mut self, now: Instant) -> Option<Action> {
        let waiting = |(number, part): (usize, &Part)| {
            let idle = !part.done && self.lanes.iter().all(|lane| lane.part != PartId(number));
            idle.then_some((part.from, PartId(number)))
        };
        let part = match self.parts.iter().enumerate().filter_map(waiting).min() {
            Some((_, part)) => part,
            None => self.steal(now)?,
        };
        let Part { from, at, end, .. } = *self.parts.get(part.0)?;
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        self.lanes.push(Lane {
            id,
            part,
            began: now,
            open: false,
            grants: VecDeque::new(),
            speed: Speed::new(now),
            heard: now,
            from: at,
            moved: 0,
            ended: false,
        });
        Some(Action::Open { lane: id, part, from, at, end })
    }

    /// The tail of the lane that would finish last becomes a part of its own, where that pays.
    fn steal(&mut self, now: Instant) -> Option<PartId> {
        if self.plan.cuts == Cuts::Nowhere || self.parts.len() >= self.plan.most_parts {
            return None;
        }
        let workers: Vec<Worker> = (self.lanes.iter().filter(|lane| lane.open && !lane.ended))
            .filter_map(|lane| {
                let part = self.parts.get(lane.part.0)?;
                let rest = ByteRange::new(part.granted, part.end)?;
                Some(Worker { lane: lane.id, rest, pace: lane.pace(now), raced: false })
            })
            .collect();
        let paces: Vec<f64> = workers.iter().filter_map(|worker| worker.pace).collect();
        let mean = (!paces.is_empty()).then(|| paces.iter().sum::<f64>() / paces.len() as f64);
        let companions = self.crowd.most().saturating_sub(self.lanes.len()).max(1);
        // A part is begun, and told to be at its end: two answers.
        let newcomer = Newcomer { pace: self.pace.or(mean), opening: self.opening * 2, companions };
        let (victim, tail) = match allot::next(&[], &workers, newcomer)? {
            Piece::Tail { of, range } => (of, range),
            // Nothing is sent twice: who stands still loses all that it has not begun.
            Piece::Race { with, range } => (with, range),
            Piece::Free(_) => return None,
        };
        let part = self.lanes.iter().find(|lane| lane.id == victim)?.part;
        let part = self.parts.get_mut(part.0)?;
        let new = Part::new(tail.start(), part.end);
        part.end = tail.start();
        self.parts.push(new);
        Some(PartId(self.parts.len() - 1))
    }

    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.id == id)
    }

    /// The lane is over; what it had waits for another.
    fn take(&mut self, id: LaneId) -> Option<Lane> {
        let place = self.lanes.iter().position(|lane| lane.id == id)?;
        let lane = self.lanes.swap_remove(place);
        if let Some(part) = self.parts.get_mut(lane.part.0) {
            part.granted = part.at;
        }
        Some(lane)
    }

    fn on_opened(&mut self, now: Instant, id: LaneId, at: u64) {
        self.answered = true;
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id && !lane.open) else { return };
        let Some(part) = self.parts.get_mut(lane.part.0) else { return };
        if at < part.at || at > part.end {
            // It has told another offset before; or it has bytes that were never granted.
            self.outcome = Some(Outcome::Refused(Refusal::Contradiction));
            return;
        }
        lane.open = true;
        lane.from = at;
        lane.speed = Speed::new(now);
        lane.heard = now;
        self.opening = now.saturating_duration_since(lane.began);
        let owing = part.owing.take();
        let news = at > part.at;
        part.at = at;
        part.granted = at;
        self.crowd.bears_one_more();
        match owing {
            _ if news => self.patience.progress(),
            // Whatever was sent, the far end has none of it: that lane brought nothing.
            Some((opened, failure)) => self.weigh(now, id, opened, failure),
            None => {}
        }
    }

    fn on_moved(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lane(id) else { return };
        let Some(bytes) = lane.grants.pop_front() else { return };
        lane.moved += bytes;
        lane.speed.add(now, bytes);
        lane.heard = now;
        if let Some(pace) = lane.speed.now(now) {
            self.best = Some(self.best.map_or(pace, |best| best.max(pace)));
            self.pace = Some(self.pace.map_or(pace, |known| known * 0.9 + pace * 0.1));
        }
    }

    fn on_ended(&mut self, id: LaneId) {
        let Some(lane) = self.take(id) else { return };
        if let Some(part) = self.parts.get_mut(lane.part.0) {
            part.at = part.end;
            part.granted = part.end;
            part.done = true;
        }
        self.patience.progress();
    }

    fn on_failed(&mut self, now: Instant, id: LaneId, failure: Failure) {
        let Some(lane) = self.take(id) else { return };
        if failure.why == Trouble::Fatal {
            self.outcome = Some(Outcome::GaveUp(Trouble::Fatal));
            return;
        }
        if lane.open && lane.moved > 0 && failure.why != Trouble::Busy {
            // Whether it cost anything is known when it is asked how far the part is.
            if let Some(part) = self.parts.get_mut(lane.part.0) {
                part.owing.get_or_insert((lane.began, failure));
            }
            return;
        }
        self.weigh(now, id, lane.began, failure);
    }

    /// A lane came to nothing: beside others that only says that the far end bears no more of them.
    fn weigh(&mut self, now: Instant, id: LaneId, opened: Instant, failure: Failure) {
        let others = self.lanes.iter().filter(|lane| lane.open && lane.id != id).count();
        if others > 0 {
            self.crowd.refused(now, opened, others, failure);
            return;
        }
        self.strike(now, opened, failure);
    }

    fn strike(&mut self, now: Instant, opened: Instant, failure: Failure) {
        if let Err(why) = self.patience.strike(now, opened, failure, self.answered) {
            self.outcome = Some(Outcome::GaveUp(why));
        }
    }

    fn on_lost(&mut self, id: LaneId) {
        if let Some(lane) = self.take(id) {
            self.on_gone(&[lane.part]);
        }
    }

    /// The far end has none of these parts any more: they are sent again.
    fn on_gone(&mut self, gone: &[PartId]) {
        self.joining = false;
        self.join_failed = false;
        self.losses += 1;
        if self.losses > LOSSES * u32::try_from(self.plan.lanes).unwrap_or(u32::MAX) {
            self.outcome = Some(Outcome::GaveUp(Trouble::Broken));
        }
        for number in gone {
            if let Some(part) = self.parts.get_mut(number.0) {
                *part = Part::new(part.from, part.end);
            }
        }
    }
}
