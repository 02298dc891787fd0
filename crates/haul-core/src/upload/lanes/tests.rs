//! The machine against a model of a far end that keeps parts, with lanes that are slow, break, and are refused.
//!
//! Invariants: the parts that are joined cover the file without a gap or an overlap; what the far end has is not sent again;
//! it ends.

use std::collections::BTreeMap;

use super::*;
use crate::Random;

const MB: u64 = 1 << 20;

fn plan(size: u64, lanes: usize) -> Plan {
    Plan {
        size,
        lanes,
        cuts: Cuts::Anywhere,
        most_parts: 64,
        piece: 4 * MB,
        grant: 256 << 10,
        grain: 4096,
        retries: Some(20),
        seed: 1,
    }
}

/// A lane at the far end.
#[derive(Debug)]
struct Wire {
    part: PartId,
    /// It takes so many bytes a second.
    rate: f64,
    opens_at: Instant,
    opened: bool,
    /// Grants that are on their way, and how much of the oldest has gone.
    grants: VecDeque<ByteRange>,
    gone: u64,
    end: Option<u64>,
    /// Breaks after so many bytes.
    breaks_after: u64,
}

/// A far end that keeps parts, and lanes to it that are slow, break, and are refused.
struct World {
    plan: Plan,
    random: Random,
    now: Instant,
    /// What the far end has: the parts' first bytes, how far they are, and where they end once that is known.
    parts: BTreeMap<u64, (u64, Option<u64>)>,
    begins: BTreeMap<PartId, u64>,
    wires: BTreeMap<LaneId, Wire>,
    /// Bytes that went over.
    sent: u64,
    most_at_once: usize,
    dropped: u32,
    bears: usize,
    opening: Duration,
    rate: fn(u32) -> f64,
    breaks: f64,
    lost: f64,
}

impl World {
    fn new(plan: Plan, seed: u64, rate: fn(u32) -> f64) -> Self {
        Self {
            plan,
            random: Random::new(seed),
            now: Instant::now(),
            parts: BTreeMap::new(),
            begins: BTreeMap::new(),
            wires: BTreeMap::new(),
            sent: 0,
            most_at_once: 0,
            dropped: 0,
            bears: usize::MAX,
            opening: Duration::from_millis(10),
            rate,
            breaks: 0.0,
            lost: 0.0,
        }
    }

    /// What an earlier run left, as the next one finds it out.
    fn kept(&self) -> Vec<Kept> {
        let starts: Vec<u64> = self.parts.keys().copied().collect();
        let next = |from: u64| starts.iter().copied().find(|start| *start > from).unwrap_or(self.plan.size);
        let kept = |(&from, &(at, end)): (&u64, &(u64, Option<u64>))| Kept {
            from,
            at,
            end: end.unwrap_or(next(from)),
            closed: end.is_some(),
        };
        self.parts.iter().map(kept).collect()
    }

    /// Runs until it is over, or for so long.
    fn run(&mut self, longest: Duration) -> Option<Outcome> {
        let mut spread = Spread::new(self.plan, &self.kept());
        self.wires.clear();
        self.begins.clear();
        let (began, step) = (self.now, Duration::from_millis(2));
        while self.now - began < longest {
            while let Some(action) = spread.poll(self.now) {
                if let Some(outcome) = self.act(&mut spread, action) {
                    return Some(outcome);
                }
            }
            self.now += step;
            self.most_at_once = self.most_at_once.max(self.wires.len());
            for lane in self.wires.keys().copied().collect::<Vec<_>>() {
                if let Some(event) = self.step(lane, step, &mut spread) {
                    self.wires.remove(&lane);
                    spread.handle(self.now, event);
                }
            }
        }
        None
    }

    fn act(&mut self, spread: &mut Spread, action: Action) -> Option<Outcome> {
        match action {
            Action::Open { lane, part, from, .. } => {
                self.begins.insert(part, from);
                let breaks = self.random.fraction() < self.breaks;
                let wire = Wire {
                    part,
                    rate: (self.rate)(lane.0),
                    opens_at: self.now + self.opening,
                    opened: false,
                    grants: VecDeque::new(),
                    gone: 0,
                    end: None,
                    breaks_after: if breaks { self.random.below(3 * MB) } else { u64::MAX },
                };
                self.wires.insert(lane, wire);
            }
            Action::Grant { lane, range } => {
                let wire = self.wires.get_mut(&lane).expect("a lane that was opened");
                assert!(wire.opened && wire.end.is_none() && wire.grants.len() < AHEAD);
                wire.grants.push_back(range);
            }
            Action::Drop(lane) => {
                self.wires.remove(&lane).expect("a lane that was opened");
                self.dropped += 1;
            }
            Action::End { lane, at } => {
                self.wires.get_mut(&lane).expect("a lane that was opened").end = Some(at);
            }
            Action::Join => {
                let mut at = 0;
                for part in spread.order() {
                    let from = self.begins.get(&part).copied();
                    let from = from.or(spread.range(part).map(|range| range.start())).unwrap();
                    let (has, end) = self.parts[&from];
                    assert_eq!(at, from, "without a gap and without an overlap");
                    assert_eq!(Some(has), end, "complete");
                    at = has;
                }
                assert_eq!(at, self.plan.size);
                if self.random.fraction() < self.lost {
                    spread.handle(self.now, Event::Unjoined { why: Trouble::Broken, retry_after: None });
                } else {
                    spread.handle(self.now, Event::Joined);
                }
            }
            Action::Finish(outcome) => return Some(outcome),
        }
        None
    }

    /// One lane for a moment; what ends it.
    fn step(&mut self, lane: LaneId, step: Duration, spread: &mut Spread) -> Option<Event> {
        let open = self.wires.values().filter(|wire| wire.opened).count();
        let wire = self.wires.get_mut(&lane)?;
        let failed = |why| Some(Event::Failed { lane, why, retry_after: None });
        let from = self.begins[&wire.part];
        if !wire.opened {
            if self.now < wire.opens_at {
                return None;
            }
            if open >= self.bears {
                return failed(Trouble::Busy);
            }
            if self.parts.contains_key(&from) && self.random.fraction() < self.lost / 8.0 {
                self.parts.remove(&from);
                return Some(Event::Lost(lane));
            }
            wire.opened = true;
            let at = self.parts.entry(from).or_insert((from, None)).0;
            spread.handle(self.now, Event::Opened { lane, at });
            return None;
        }
        let mut budget = (wire.rate * step.as_secs_f64()) as u64;
        while let Some(range) = wire.grants.front().copied().filter(|_| budget > 0) {
            let part = self.parts.get_mut(&from)?;
            assert_eq!(part.0, range.start() + wire.gone, "in order");
            let goes = budget.min(range.len() - wire.gone).min(wire.breaks_after);
            budget -= goes;
            wire.gone += goes;
            wire.breaks_after -= goes;
            self.sent += goes;
            part.0 += goes;
            if wire.breaks_after == 0 {
                return failed(Trouble::Broken);
            }
            if wire.gone == range.len() {
                wire.gone = 0;
                wire.grants.pop_front();
                spread.handle(self.now, Event::Moved(lane));
            }
        }
        let end = wire.end.filter(|_| wire.grants.is_empty())?;
        let part = self.parts.get_mut(&from)?;
        assert_eq!(part.0, end, "what was granted is what was to be sent");
        part.1 = Some(end);
        Some(Event::Ended(lane))
    }
}

#[test]
fn equal_lanes_reach_the_ideal() {
    let mut world = World::new(plan(160 * MB, 8), 1, |_| 20e6);
    let began = world.now;
    assert_eq!(world.run(Duration::from_secs(60)), Some(Outcome::Joined));
    let ideal = 160.0 * 1.048_576 / 160.0;
    let took = (world.now - began).as_secs_f64();
    assert!(took < ideal * 1.15, "{took} of {ideal}");
    assert_eq!(world.sent, 160 * MB);
    assert!(world.parts.len() <= 12, "no more parts than pay: {}", world.parts.len());
}

#[test]
fn slow_lanes_are_helped() {
    // One at a twentieth of the others' speed.
    let mut world = World::new(plan(160 * MB, 8), 1, |lane| if lane == 0 { 1e6 } else { 20e6 });
    let began = world.now;
    assert_eq!(world.run(Duration::from_secs(60)), Some(Outcome::Joined));
    let ideal = 160.0 * 1.048_576 / 141.0;
    let took = (world.now - began).as_secs_f64();
    assert!(took < ideal * 1.3, "{took} of {ideal}");
    assert_eq!(world.sent, 160 * MB);
}

#[test]
fn a_lane_that_stands_still_loses_all_that_it_has_not_brought() {
    let mut world = World::new(plan(64 * MB, 4), 1, |lane| if lane == 2 { 0.0 } else { 20e6 });
    let began = world.now;
    assert_eq!(world.run(Duration::from_secs(20)), Some(Outcome::Joined));
    assert_eq!((world.dropped, world.sent), (1, 64 * MB));
    assert!((world.now - began).as_secs_f64() < 4.0, "{:?}", world.now - began);
}

#[test]
fn what_a_slow_connection_has_taken_goes_on_another_one_once() {
    // It takes grants quickly, and then brings nothing for long.
    let mut world = World::new(plan(16 * MB, 4), 1, |lane| if lane == 1 { 4e4 } else { 20e6 });
    let began = world.now;
    assert_eq!(world.run(Duration::from_secs(60)), Some(Outcome::Joined));
    assert_eq!(world.dropped, 1);
    assert!((world.now - began).as_secs_f64() < 4.0, "{:?}", world.now - began);
    assert_eq!(world.sent, 16 * MB, "what the far end has is not sent again");
}

#[test]
fn a_limit_of_the_far_end_is_learned() {
    let mut world = World::new(plan(64 * MB, 8), 1, |_| 20e6);
    world.bears = 3;
    assert_eq!(world.run(Duration::from_secs(60)), Some(Outcome::Joined));
    assert_eq!(world.sent, 64 * MB);
}

#[test]
fn where_parts_cannot_be_cut_whole_ones_are_given_out() {
    let plan = Plan { cuts: Cuts::Nowhere, ..plan(100 * MB + 5, 4) };
    let mut world = World::new(plan, 1, |lane| if lane == 0 { 2e6 } else { 20e6 });
    assert_eq!(world.run(Duration::from_secs(60)), Some(Outcome::Joined));
    assert_eq!(world.sent, 100 * MB + 5);
    assert_eq!(world.parts.len(), 26);
}

#[test]
fn a_far_end_that_takes_nothing_is_given_up() {
    let mut world = World::new(Plan { retries: Some(3), ..plan(8 * MB, 4) }, 1, |_| 20e6);
    world.bears = 0;
    assert_eq!(world.run(Duration::from_secs(600)), Some(Outcome::GaveUp(Trouble::Busy)));
}

#[test]
fn every_byte_once_and_it_ends() {
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let size = 1 + random.below(40 * MB);
        let cuts = if random.below(3) == 0 { Cuts::Nowhere } else { Cuts::Anywhere };
        let plan = Plan { cuts, retries: None, ..plan(size, 1 + random.below(8) as usize) };
        let mut world = World::new(plan, seed, |lane| [20e6, 5e6, 9e5, 50e6][lane as usize % 4]);
        world.breaks = [0.0, 0.3, 0.8][random.below(3) as usize];
        world.lost = [0.0, 0.2][random.below(2) as usize];
        world.bears = 1 + random.below(9) as usize;
        let mut outcome = None;
        // Killed a few times on its way.
        for _ in 0..random.below(4) {
            let longest = Duration::from_millis(random.below(800));
            outcome = outcome.or_else(|| world.run(longest));
        }
        let outcome = outcome.or_else(|| world.run(Duration::from_secs(900)));
        assert_eq!(outcome, Some(Outcome::Joined), "seed {seed}: {plan:?}");
        assert!(world.most_at_once <= plan.lanes, "seed {seed}");
        if world.lost == 0.0 {
            assert_eq!(world.sent, size, "seed {seed}: what the far end has is not sent again");
        }
    }
}
