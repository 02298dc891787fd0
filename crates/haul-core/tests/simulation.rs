//! The transfer machine under thousands of seeded schedules: lanes that stall, fail, answer short, answer late, far
//! ends that change the file, lie about ranges, give another tag each time or none, and runs that are killed.
//!
//! Invariants: every byte of the result comes from one version, every byte is written once, nothing is claimed that
//! was not received, it ends; and where nothing hinders, near the ideal time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::{Duration, Instant},
};

use haul_core::{
    ByteRange, ETag, Entity, Modified, Random, RangeSet,
    transfer::{
        Action, Ask, Basis, Event, LaneId, Lanes, Match, Memo, OnChange, Outcome, Plan, Ranges, SourceId,
        Transfer, Trouble,
    },
};

/// What validators a far end sends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tags {
    Strong,
    /// A strong date, no tag.
    Date,
    Weak,
    None,
    /// Another tag at every answer, with a date.
    Noise,
    /// Another tag at every answer, without a date.
    NoiseUndated,
    /// A strong tag; another date at every answer.
    DateNoise,
    /// A weak tag on every other answer only.
    WeakNowAndThen,
}

#[derive(Clone, Debug)]
struct World {
    sizes: Vec<u64>,
    tags: Tags,
    ranges: bool,
    tells_size: bool,
    cap: Option<u64>,
    /// Bytes a second of the k-th connection (cyclic).
    speeds: Vec<f64>,
    latency: Duration,
    /// One in so many connections breaks after some bytes; 0 is never.
    breaks: u64,
    stalls: u64,
    refuses: u64,
    most_connections: usize,
    /// When the file changes to the next version.
    changes: Vec<Duration>,
    sources: usize,
    /// The last source has another file of the same size.
    impostor: bool,
    /// A request for everything is answered with the whole and an offer of ranges.
    whole_at_zero: bool,
    /// A 416 says nothing of validators.
    mute_416: bool,
    /// All bytes of the file are alike.
    blank: bool,
    /// One in so many lanes finds no connection to spare.
    spares: u64,
    /// What a busy far end asks for.
    retry_after: Option<Duration>,
}

impl World {
    fn calm(size: u64) -> Self {
        Self {
            sizes: vec![size],
            tags: Tags::Strong,
            ranges: true,
            tells_size: true,
            cap: None,
            speeds: vec![1e6],
            latency: Duration::from_millis(5),
            breaks: 0,
            stalls: 0,
            refuses: 0,
            most_connections: 100,
            changes: Vec::new(),
            sources: 1,
            impostor: false,
            whole_at_zero: false,
            mute_416: false,
            blank: false,
            spares: 0,
            retry_after: None,
        }
    }

    fn size(&self, version: usize) -> u64 {
        self.sizes[version % self.sizes.len()]
    }
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Head(LaneId),
    Bytes(LaneId),
    Written(u32, ByteRange),
    Durable(u32),
    ResetDone(u32),
    Published(u32),
    Change,
    Kill,
}

struct Connection {
    source: usize,
    ask: Ask,
    same: Option<Entity>,
    version: usize,
    pos: u64,
    began: u64,
    compared: bool,
    to: u64,
    speed: f64,
    breaks_at: Option<u64>,
    stalls_at: Option<u64>,
}

struct Simulation {
    world: World,
    random: Random,
    start: Instant,
    now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    due: BTreeMap<u64, Due>,
    serial: u64,
    version: usize,
    answers: u64,
    connections: BTreeMap<LaneId, Connection>,
    opened: usize,
    /// The version of each byte of the partial, plus one; 0 is missing.
    bytes: Vec<u8>,
    accepted: RangeSet,
    run: u32,
    fetched: u64,
    outcome: Option<Outcome>,
}

impl Simulation {
    fn new(world: World, seed: u64) -> Self {
        let most = world.sizes.iter().max().copied().unwrap_or(0) as usize;
        Self {
            random: Random::new(seed),
            start: Instant::now(),
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            due: BTreeMap::new(),
            serial: 0,
            version: 0,
            answers: 0,
            connections: BTreeMap::new(),
            opened: 0,
            bytes: vec![0; most],
            accepted: RangeSet::new(),
            run: 0,
            fetched: 0,
            outcome: None,
            world,
        }
    }

    fn at(&mut self, when: Duration, due: Due) {
        self.serial += 1;
        self.queue.push(Reverse((when, self.serial)));
        self.due.insert(self.serial, due);
    }

    fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.random.below(n) == 0
    }

    fn entity(&mut self, source: usize) -> Entity {
        self.answers += 1;
        let tag = |opaque: String, weak| Some(ETag { opaque, weak });
        let version = self.version;
        let etag = match self.world.tags {
            Tags::Strong | Tags::DateNoise => tag(format!("v{version}-{source}"), false),
            Tags::WeakNowAndThen if self.answers.is_multiple_of(2) => {
                tag(format!("w{version}-{source}"), true)
            }
            Tags::WeakNowAndThen => None,
            Tags::Weak => tag(format!("w{version}-{source}"), true),
            Tags::Noise | Tags::NoiseUndated => tag(format!("n{}", self.answers), false),
            Tags::Date | Tags::None => None,
        };
        let dated = matches!(self.world.tags, Tags::Strong | Tags::Date | Tags::Noise);
        Entity {
            size: self.world.tells_size.then(|| self.world.size(version)),
            etag,
            modified: match self.world.tags {
                Tags::DateNoise => Some(Modified { seconds: self.answers as i64, nanos: 0, strong: true }),
                _ => dated.then_some(Modified { seconds: version as i64 + 1, nanos: 0, strong: true }),
            },
            encoding: None,
        }
    }

    fn open(&mut self, lane: LaneId, source: usize, ask: Ask, same: Option<Entity>) {
        let speed = self.world.speeds[self.opened % self.world.speeds.len()];
        self.opened += 1;
        let extent = self.world.size(self.version).max(2);
        let breaks_at = self
            .one_in(self.world.breaks)
            .then(|| self.random.below(extent / 2) * self.random.below(3).min(1));
        let stalls_at = self.one_in(self.world.stalls).then(|| self.random.below(extent / 2));
        let late = self.world.latency.mul_f64(0.5 + self.random.fraction());
        self.connections.insert(
            lane,
            Connection {
                source,
                ask,
                same,
                version: 0,
                pos: 0,
                began: 0,
                compared: false,
                to: 0,
                speed,
                breaks_at,
                stalls_at,
            },
        );
        self.at(self.now + late, Due::Head(lane));
    }

    /// The answer to a request, as a far end of this world gives it.
    fn head(&mut self, machine: &mut Transfer, now: Instant, lane: LaneId) {
        if !self.connections.contains_key(&lane) {
            return;
        }
        if self.connections.len() > self.world.most_connections || self.one_in(self.world.refuses) {
            self.connections.remove(&lane);
            machine
                .handle(now, Event::Failed { lane, why: Trouble::Busy, retry_after: self.world.retry_after });
            return;
        }
        let source = self.connections[&lane].source;
        let seen = self.entity(source);
        let version = self.version;
        let size = self.world.size(version);
        let connection = self.connections.get_mut(&lane).unwrap();
        let ask = connection.ask;
        let condition_holds = connection.same.as_ref().is_none_or(|same| {
            same.etag.as_ref().map_or(same.modified == seen.modified, |t| Some(t) == seen.etag.as_ref())
        });
        let whole = self.world.whole_at_zero && ask.from == 0 && ask.to.is_none();
        let part = self.world.ranges && condition_holds && !whole;
        if part && ask.from >= size {
            self.connections.remove(&lane);
            let seen = if self.world.mute_416 { Entity::default() } else { seen };
            machine.handle(now, Event::Unsatisfiable { lane, seen, total: Some(size) });
            return;
        }
        let asked_to = ask.to.unwrap_or(size).min(size);
        let (from, to) = if part { (ask.from, asked_to) } else { (0, size) };
        let to = self.world.cap.filter(|_| part).map_or(to, |cap| to.min(from + cap));
        let impostor = self.world.impostor && source + 1 == self.world.sources;
        connection.version = if impostor { version + 100 } else { version };
        connection.pos = from;
        connection.began = from;
        connection.to = to;
        connection.compared = from >= ask.compare_to;
        let ranges = match (part, self.world.whole_at_zero) {
            (true, _) => Ranges::Proven,
            (false, true) => Ranges::Offered,
            (false, false) => Ranges::Absent,
        };
        let told = (part || self.world.tells_size).then_some(to);
        machine.handle(now, Event::Opened { lane, seen, from, to: told, ranges });
        self.at(self.now + Duration::from_millis(10), Due::Bytes(lane));
    }

    fn bytes(&mut self, machine: &mut Transfer, now: Instant, lane: LaneId) {
        let Some(connection) = self.connections.get_mut(&lane) else { return };
        let step = ((connection.speed * 0.01) as u64).max(1);
        let sent = connection.pos;
        if connection.stalls_at.is_some_and(|at| sent - connection.began >= at) {
            return;
        }
        if connection.breaks_at.is_some_and(|at| sent - connection.began >= at) {
            self.connections.remove(&lane);
            machine.handle(now, Event::Failed { lane, why: Trouble::Broken, retry_after: None });
            return;
        }
        let end = (sent + step).min(connection.to);
        let (version, ask) = (connection.version, connection.ask);
        connection.pos = end;
        self.fetched += end - sent;
        if !connection.compared && end >= ask.compare_to.min(connection.to) {
            connection.compared = true;
            let from = connection.began;
            let zone = from as usize..(ask.compare_to as usize).min(self.bytes.len());
            let same = self.bytes[zone].iter().all(|byte| *byte as usize == version + 1);
            let found = match (same, self.world.blank) {
                (true, false) => Match::Same,
                (true, true) => Match::Blank,
                (false, _) => Match::Different,
            };
            machine.handle(now, Event::Checked { lane, found });
        }
        if let Some(range) = ByteRange::new(sent.max(ask.compare_to), end) {
            for piece in machine.receive(now, lane, range) {
                assert!(range.intersection(piece) == Some(piece), "took what did not come");
                for byte in &mut self.bytes[piece.start() as usize..piece.end() as usize] {
                    assert_eq!(*byte, 0, "a byte was written twice");
                    *byte = version as u8 + 1;
                }
                self.accepted.insert(piece);
                let delay = Duration::from_micros(self.random.below(3000));
                self.at(self.now + delay, Due::Written(self.run, piece));
            }
        }
        if self.connections.get(&lane).is_some_and(|connection| connection.pos >= connection.to) {
            self.connections.remove(&lane);
            machine.handle(now, Event::Ended { lane });
        } else {
            self.at(self.now + Duration::from_millis(10), Due::Bytes(lane));
        }
    }

    fn act(&mut self, machine: &mut Transfer, action: Action) {
        let run = self.run;
        match action {
            Action::Open { lane, ask, same, source, fresh } => {
                assert!(source.0 < self.world.sources);
                assert!(
                    ask.from <= ask.compare_to && ask.to.is_none_or(|to| ask.compare_to <= to),
                    "{ask:?}"
                );
                if !fresh && !self.connections.is_empty() && self.one_in(self.world.spares) {
                    // At once, as the driver does it.
                    machine.handle(self.start + self.now, Event::Spared { lane });
                    return;
                }
                self.open(lane, source.0, ask, same);
            }
            Action::Cancel(lane) => {
                self.connections.remove(&lane);
            }
            Action::Sync => self.at(self.now + Duration::from_millis(4), Due::Durable(run)),
            Action::Reset(_) => {
                // Written bytes on their way are acknowledged before the reset is.
                self.at(self.now + Duration::from_millis(4), Due::ResetDone(run));
            }
            Action::Publish => self.at(self.now + Duration::from_millis(1), Due::Published(run)),
            Action::Finish(outcome) => self.outcome = Some(outcome),
        }
    }

    fn happen(&mut self, machine: &mut Transfer, due: Due) {
        let now = self.start + self.now;
        match due {
            Due::Head(lane) => self.head(machine, now, lane),
            Due::Bytes(lane) => self.bytes(machine, now, lane),
            Due::Written(run, range) if run == self.run => machine.handle(now, Event::Written(range)),
            Due::Durable(run) if run == self.run => machine.handle(now, Event::Durable),
            Due::Published(run) if run == self.run => machine.handle(now, Event::Published),
            Due::ResetDone(run) if run == self.run => {
                self.bytes.fill(0);
                self.accepted = RangeSet::new();
                machine.handle(now, Event::ResetDone);
            }
            Due::Change => self.version += 1,
            _ => {}
        }
    }

    /// Runs until it ends; kills are runs that begin anew from what was written.
    fn run(&mut self, plan: &Plan, kills: &[Duration]) -> (Outcome, Duration) {
        for change in self.world.changes.clone() {
            self.at(change, Due::Change);
        }
        for kill in kills {
            self.at(*kill, Due::Kill);
        }
        let mut machine = Transfer::new(None, plan.clone());
        let mut steps = 0_u64;
        loop {
            steps += 1;
            assert!(
                steps < 400_000 && self.now < Duration::from_secs(4 * 3600),
                "does not end: {machine:#?}"
            );
            let mut polls = 0;
            while let Some(action) = machine.poll(self.start + self.now) {
                if let (Action::Open { ask, .. }, Some(size)) = (&action, machine.size()) {
                    assert!(ask.from < size, "asks for bytes past the end: {ask:?}");
                }
                polls += 1;
                assert!(polls < 1_000, "the driver never gets to wait: {machine:?}");
                self.act(&mut machine, action);
                // One more than the lanes may be asking whether the file changed.
                let most = self.plan_lanes(plan) + 1;
                assert!(self.connections.len() <= most, "more lanes than asked for: {machine:?}");
            }
            if let Some(outcome) = self.outcome.take() {
                return (outcome, self.now);
            }
            let deadline = machine.deadline().map(|at| at.duration_since(self.start));
            let next = self.queue.peek().map(|Reverse((when, _))| *when);
            match (next, deadline) {
                (Some(next), deadline) if deadline.is_none_or(|deadline| next <= deadline) => {
                    let Some(Reverse((when, serial))) = self.queue.pop() else { unreachable!() };
                    self.now = self.now.max(when);
                    let due = self.due.remove(&serial).unwrap();
                    if matches!(due, Due::Kill) {
                        machine = self.restart(&machine, plan);
                    } else {
                        self.happen(&mut machine, due);
                    }
                }
                (_, Some(deadline)) => self.now = self.now.max(deadline) + Duration::from_micros(1),
                (_, None) => panic!("waits for nothing: {machine:?}"),
            }
            assert_eq!(machine.view().held, self.accepted, "claims and bytes differ");
        }
    }

    fn plan_lanes(&self, plan: &Plan) -> usize {
        match plan.lanes {
            Lanes::Grow(most) | Lanes::Exactly(most) => most,
        }
    }

    fn restart(&mut self, machine: &Transfer, plan: &Plan) -> Transfer {
        self.run += 1;
        self.connections.clear();
        let memo = Memo { size: machine.size(), held: self.accepted.clone(), sources: machine.sources() };
        Transfer::new(Some(memo), plan.clone())
    }

    fn assert_whole(&self, world: &World) {
        let version = self.bytes.first().copied().unwrap_or(1).max(1) as usize - 1;
        let size = world.size(version % 100) as usize;
        assert!(
            self.bytes[..size].iter().all(|byte| *byte as usize == version + 1),
            "a mix of versions, or a hole"
        );
        assert!(self.bytes[size..].iter().all(|byte| *byte == 0), "bytes past the end");
    }
}

fn plan(lanes: Lanes, seed: u64) -> Plan {
    Plan {
        sources: 1,
        lanes,
        together: false,
        in_order: false,
        stall: Duration::from_secs(5),
        retries: Some(20),
        on_change: OnChange::Restart,
        seed,
    }
}

fn random_world(random: &mut Random) -> World {
    let pick = |random: &mut Random, values: &[u64]| values[random.below(values.len() as u64) as usize];
    let size = match random.below(8) {
        0 => random.below(3),
        1 => 60_000 + random.below(10_000),
        _ => 200_000 + random.below(2_000_000),
    };
    let tags = [
        Tags::Strong,
        Tags::Date,
        Tags::Weak,
        Tags::None,
        Tags::Noise,
        Tags::NoiseUndated,
        Tags::DateNoise,
        Tags::WeakNowAndThen,
    ];
    let tags = tags[random.below(8) as usize];
    let other = if random.below(2) == 0 { size } else { size / 2 + 1 };
    let changes = match random.below(4) {
        0 => vec![Duration::from_millis(random.below(2000))],
        1 => {
            vec![Duration::from_millis(random.below(1000)), Duration::from_millis(1000 + random.below(1000))]
        }
        _ => Vec::new(),
    };
    let sources = if random.below(4) == 0 { 2 } else { 1 };
    World {
        sizes: vec![size, other],
        tags,
        ranges: random.below(5) != 0,
        tells_size: random.below(6) != 0,
        cap: (random.below(6) == 0).then(|| 100_000 + random.below(100_000)),
        speeds: (0..7).map(|_| 2e5 + random.fraction() * 2e6).collect(),
        latency: Duration::from_millis(pick(random, &[1, 20, 150])),
        breaks: pick(random, &[0, 2, 3, 10]),
        stalls: pick(random, &[0, 0, 4, 20]),
        refuses: pick(random, &[0, 0, 3, 20]),
        most_connections: pick(random, &[1, 2, 4, 100]) as usize,
        changes,
        sources,
        impostor: sources > 1 && random.below(2) == 0,
        whole_at_zero: random.below(5) == 0,
        mute_416: random.below(2) == 0,
        blank: random.below(10) == 0,
        spares: pick(random, &[0, 0, 1, 3]),
        retry_after: (random.below(2) == 0).then(|| Duration::from_secs(random.below(4))),
    }
}

#[test]
fn every_byte_once_and_of_one_version() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..4_000 {
        let mut random = Random::new(seed);
        let world = random_world(&mut random);
        let lanes = match random.below(3) {
            0 => Lanes::Grow(1),
            1 => Lanes::Grow(8),
            _ => Lanes::Exactly(1 + random.below(16) as usize),
        };
        let kills: Vec<_> = (0..random.below(4)).map(|_| Duration::from_millis(random.below(2500))).collect();
        // A digest of the whole would tell an impostor; nothing else does where sources run together.
        let together = world.sources > 1 && !world.impostor && random.below(2) == 0;
        let plan = Plan {
            sources: world.sources,
            together,
            in_order: kills.is_empty() && random.below(6) == 0,
            ..plan(lanes, seed)
        };
        let mut simulation = Simulation::new(world.clone(), seed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (outcome, _) = simulation.run(&plan, &kills);
            if matches!(outcome, Outcome::Complete(_)) {
                simulation.assert_whole(&world);
            }
            outcome
        }));
        let Ok(outcome) = told else { panic!("seed {seed}: {world:?} {plan:?} kills {kills:?}") };
        let calm = world.breaks == 0 && world.stalls == 0 && world.refuses == 0;
        if calm
            && world.changes.is_empty()
            && world.ranges
            && !world.blank
            && world.spares == 0
            && world.tags != Tags::WeakNowAndThen
        {
            assert!(matches!(outcome, Outcome::Complete(_)), "seed {seed}: {outcome:?} {world:?}");
        }
        *outcomes.entry(format!("{outcome:?}").split(['(', '{']).next().unwrap().to_owned()).or_insert(0) +=
            1;
    }
    println!("{outcomes:?}");
    assert!(outcomes["Complete"] > 3_000, "{outcomes:?}");
}

#[test]
fn lanes_with_a_limit_each_reach_the_ideal() {
    for lanes in [1, 2, 5, 16] {
        let world = World { speeds: vec![2e7], ..World::calm(64_000_000) };
        let mut simulation = Simulation::new(world, 1);
        let (outcome, took) = simulation.run(&plan(Lanes::Exactly(lanes), 1), &[]);
        assert_eq!(outcome, Outcome::Complete(Basis::ETag));
        let ideal = 64.0 / 20.0 / lanes as f64;
        assert!(took.as_secs_f64() < ideal * 1.06 + 0.05, "{lanes} lanes: {took:?}, ideal {ideal} s");
    }
}

#[test]
fn slow_lanes_do_not_hold_up_the_rest() {
    let mut speeds = vec![2e7; 10];
    speeds[3] = 2e6;
    speeds[7] = 2e6;
    speeds.extend(vec![2e7; 100]);
    let mut simulation = Simulation::new(World { speeds, ..World::calm(160_000_000) }, 1);
    let (outcome, took) = simulation.run(&plan(Lanes::Exactly(10), 1), &[]);
    assert_eq!(outcome, Outcome::Complete(Basis::ETag));
    let ideal = 160.0 / (8.0 * 20.0 + 2.0 * 2.0);
    assert!(took.as_secs_f64() < ideal * 1.15, "{took:?}, ideal {ideal} s");
    assert!(simulation.fetched < 164_000_000, "{} bytes fetched", simulation.fetched);
}

#[test]
fn growing_lanes_find_what_pays() {
    let mut simulation = Simulation::new(World { speeds: vec![5e6], ..World::calm(160_000_000) }, 1);
    let (_, took) = simulation.run(&plan(Lanes::Grow(8), 1), &[]);
    assert!(took < Duration::from_secs(6), "{took:?}: eight lanes would need 4 s, one 32 s");
}

#[test]
fn a_lane_that_stands_still_is_raced() {
    let mut speeds = vec![1e6; 4];
    speeds[2] = 1e-9;
    speeds.extend(vec![1e6; 50]);
    let mut simulation = Simulation::new(World { speeds, ..World::calm(8_000_000) }, 1);
    let mut plan = plan(Lanes::Exactly(4), 1);
    plan.stall = Duration::from_secs(30);
    let (outcome, took) = simulation.run(&plan, &[]);
    assert_eq!(outcome, Outcome::Complete(Basis::ETag));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_limit_of_two_connections_is_learned() {
    let world = World { most_connections: 2, ..World::calm(4_000_000) };
    let mut simulation = Simulation::new(world, 1);
    let (outcome, took) = simulation.run(&plan(Lanes::Exactly(8), 1), &[]);
    assert_eq!(outcome, Outcome::Complete(Basis::ETag));
    assert!(took < Duration::from_millis(2600), "{took:?}");
    assert!(simulation.opened < 24, "{} connections", simulation.opened);
}

#[test]
fn a_link_that_breaks_after_every_few_bytes_is_no_reason_to_wait() {
    let world = World { breaks: 1, ..World::calm(3_000_000) };
    let mut simulation = Simulation::new(world, 5);
    let (outcome, took) = simulation.run(&plan(Lanes::Exactly(1), 5), &[]);
    assert_eq!(outcome, Outcome::Complete(Basis::ETag));
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn tags_that_never_repeat_are_seen_through() {
    for tags in [Tags::Noise, Tags::NoiseUndated] {
        let world = World { tags, breaks: 2, ..World::calm(2_000_000) };
        let mut simulation = Simulation::new(world.clone(), 9);
        let (outcome, _) = simulation.run(&plan(Lanes::Exactly(4), 9), &[Duration::from_millis(700)]);
        assert_eq!(outcome, Outcome::Complete(Basis::Overlap), "{tags:?}");
        simulation.assert_whole(&world);
    }
}

#[test]
fn a_change_in_mid_run_restarts_once_or_fails_as_told() {
    let world = World {
        sizes: vec![8_000_000, 8_000_000],
        changes: vec![Duration::from_millis(150)],
        breaks: 1,
        ..World::calm(0)
    };
    for on_change in [OnChange::Restart, OnChange::Fail] {
        let mut simulation = Simulation::new(world.clone(), 3);
        let plan = Plan { on_change, ..plan(Lanes::Exactly(4), 3) };
        let (outcome, _) = simulation.run(&plan, &[]);
        match on_change {
            OnChange::Restart => {
                assert_eq!(outcome, Outcome::Complete(Basis::ETag));
                simulation.assert_whole(&world);
            }
            OnChange::Fail => assert!(matches!(outcome, Outcome::Changed(_)), "{outcome:?}"),
        }
    }
}

#[test]
fn a_mirror_takes_over_from_a_dead_source() {
    let plan = Plan { sources: 2, ..plan(Lanes::Exactly(1), 1) };
    let mut machine = Transfer::new(None, plan);
    let now = Instant::now();
    let Some(Action::Open { lane, source, .. }) = machine.poll(now) else { panic!() };
    assert_eq!(source, SourceId(0));
    machine.handle(now, Event::Failed { lane, why: Trouble::Denied, retry_after: None });
    let Some(Action::Open { source, .. }) = machine.poll(now) else { panic!() };
    assert_eq!(source, SourceId(1));
}
