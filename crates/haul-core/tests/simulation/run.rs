//! One simulated transfer: the driver's side of the machine, the far ends' answers, and a queue of what is due.
//!
//! Every byte that is taken is looked at; the machine's claims are held against them after every step.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::{Duration, Instant},
};

use haul_core::{
    ByteRange, Entity, Random, RangeSet,
    transfer::{Action, Ask, Event, LaneId, Lanes, Match, Memo, Outcome, Plan, Ranges, Transfer, Trouble},
};

use crate::world::{IMPOSTOR, Orphan, Total, World};

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
    /// Whether the answer says where it ends.
    told_to: bool,
    speed: f64,
    breaks_at: Option<u64>,
    stalls_at: Option<u64>,
}

/// One transfer in one world.
pub(crate) struct Simulation {
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
    pub(crate) opened: usize,
    /// The partial, as [`World::content`] has it; 0 is missing.
    bytes: Vec<u8>,
    accepted: RangeSet,
    run: u32,
    pub(crate) fetched: u64,
    outcome: Option<Outcome>,
}

impl Simulation {
    pub(crate) fn new(world: World, seed: u64) -> Self {
        let sizes = world.sizes.iter().copied();
        let most = sizes.chain(world.orphan.iter().map(|orphan| orphan.held.end())).max().unwrap_or(0);
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
            bytes: vec![0; most as usize],
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
                told_to: false,
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
        if let Some((_, why)) = self.world.dead.filter(|(dead, _)| *dead == source) {
            self.connections.remove(&lane);
            machine.handle(now, Event::Failed { lane, why, retry_after: None });
            return;
        }
        self.answers += 1;
        let mut seen = self.world.entity(source, self.version, self.answers);
        let version = self.version;
        let size = self.world.size(version);
        let connection = self.connections.get_mut(&lane).unwrap();
        let ask = connection.ask;
        let condition_holds = connection.same.as_ref().is_none_or(|same| {
            same.etag.as_ref().map_or(same.modified == seen.modified, |t| Some(t) == seen.etag.as_ref())
        });
        let whole = self.world.whole_at_zero && ask.from == 0 && ask.to.is_none();
        let mut part = self.world.ranges && condition_holds && !whole;
        if part && ask.from >= size {
            let total = match self.world.total_416 {
                Total::True => Some(size),
                Total::Off(by) => Some(size.saturating_add_signed(by)),
                Total::Absent => None,
            };
            if total.is_some() {
                self.connections.remove(&lane);
                seen = Entity { size: None, ..if self.world.mute_416 { Entity::default() } else { seen } };
                machine.handle(now, Event::Unsatisfiable { lane, seen, total });
                return;
            }
            // A driver asks once more, for the whole.
            part = false;
        }
        if part {
            seen.size = self.world.tells_total.then_some(size);
        }
        let asked_to = ask.to.unwrap_or(size).min(size);
        let (from, to) = if part { (ask.from, asked_to) } else { (0, size) };
        let to = self.world.cap.filter(|_| part).map_or(to, |cap| to.min(from + cap));
        let impostor = self.world.impostor && source + 1 == self.world.sources;
        connection.version = if impostor { version + IMPOSTOR } else { version };
        connection.pos = from;
        connection.began = from;
        connection.to = to;
        connection.told_to = part || self.world.tells_size;
        connection.compared = from >= ask.compare_to;
        let ranges = match (part, self.world.whole_at_zero) {
            (true, _) => Ranges::Proven,
            (false, true) => Ranges::Offered,
            (false, false) => Ranges::Absent,
        };
        let told = connection.told_to.then_some(to);
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
        let (version, ask, told_to) = (connection.version, connection.ask, connection.told_to);
        connection.pos = end;
        self.fetched += end - sent;
        if !connection.compared && end >= ask.compare_to.min(connection.to) {
            connection.compared = true;
            let zone = connection.began..ask.compare_to.min(connection.to);
            let here = &self.bytes[zone.start as usize..zone.end as usize];
            let same = here == self.world.content(version, zone.clone());
            let short = zone.end < ask.compare_to;
            if same && short && told_to {
                // A part too short to be compared says nothing of the bytes.
                self.connections.remove(&lane);
                machine.handle(now, Event::Failed { lane, why: Trouble::Broken, retry_after: None });
                return;
            }
            let found = match same && !short {
                false => Match::Different,
                true if self.world.is_blank(zone) => Match::Blank,
                true => Match::Same,
            };
            machine.handle(now, Event::Checked { lane, found });
        }
        if let Some(range) = ByteRange::new(sent.max(ask.compare_to), end) {
            for piece in machine.receive(now, lane, range) {
                assert!(range.intersection(piece) == Some(piece), "took what did not come");
                let place = &mut self.bytes[piece.start() as usize..piece.end() as usize];
                assert_eq!(place, vec![0; place.len()], "a byte was written twice");
                place.copy_from_slice(&self.world.content(version, piece.start()..piece.end()));
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
    pub(crate) fn run(&mut self, plan: &Plan, kills: &[Duration]) -> (Outcome, Duration) {
        for change in self.world.changes.clone() {
            self.at(change, Due::Change);
        }
        for kill in kills {
            self.at(*kill, Due::Kill);
        }
        let memo = self.world.orphan.clone().map(|orphan| self.lay(&orphan)).or_else(|| self.lay_whole(plan));
        let mut machine = Transfer::new(memo, plan.clone());
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

    /// Lays there what an earlier run left.
    fn lay(&mut self, orphan: &Orphan) -> Memo {
        for extent in orphan.held.iter() {
            let content = self.world.content(orphan.version, extent.start()..extent.end());
            self.bytes[extent.start() as usize..extent.end() as usize].copy_from_slice(&content);
        }
        self.accepted = orphan.held.clone();
        Memo { size: None, held: orphan.held.clone(), sources: Vec::new() }
    }

    /// Lays there the whole, with all that was known of it.
    fn lay_whole(&mut self, plan: &Plan) -> Option<Memo> {
        let size = self.world.size(0);
        let held = ByteRange::new(0, size).filter(|_| self.world.left_whole && !plan.in_order)?;
        let memo = self.lay(&Orphan { held: Some(held).into_iter().collect(), version: 0 });
        let known = Entity { size: Some(size), ..self.world.entity(0, 0, 0) };
        Some(Memo { size: Some(size), sources: vec![Some(known)], ..memo })
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

    /// What is there is one version that a source has had, from the first byte to the last.
    pub(crate) fn assert_whole(&self) {
        let is = |version: usize| {
            let (file, beyond) = self.bytes.split_at(self.world.size(version % IMPOSTOR) as usize);
            file == self.world.content(version, 0..file.len() as u64) && beyond == vec![0; beyond.len()]
        };
        assert!(self.world.versions().any(is), "a mix of versions, a hole, or bytes past the end");
    }
}
