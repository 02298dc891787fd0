//! The upload machine under thousands of seeded runs against a model server: every way in which the servers of the
//! field treat an offset and an append, connections that break anywhere, answers that get lost, sessions that linger,
//! runs that are killed, local files that change, and whatever lay there before.
//!
//! Invariants: "done" is only ever said when the far file is the local one; somebody else's file is never touched
//! unless the caller says so; it ends; and where nothing hinders, it succeeds and sends nothing twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod server;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use haul_core::{
    Random,
    transfer::Trouble,
    upload::{
        Action, Event, Found, How, IfExists, Local, Memo, Name, Obstacle, Outcome, Plan, Proof, Refusal,
        Stage, There, Upload, Verify, Way,
    },
};
use server::{Before, Server};

/// What is compared at a time.
const BLOCK: usize = 64 * 1024;

/// How one seed goes.
#[derive(Debug)]
struct World {
    local: Vec<u8>,
    before: Before,
    plan: Plan,
    /// How likely each step is to break.
    breaks: f64,
    /// How likely a connection is not to come about.
    misses: f64,
    /// Runs that are killed before the last one, after so many steps.
    kills: Vec<u64>,
    /// The local file changes at this many bytes sent in all.
    changes_at: Option<u64>,
}

/// What one process after the other does.
struct Simulation {
    random: Random,
    server: Server,
    local: Vec<u8>,
    inode: u64,
    record: Option<Memo>,
    sent: u64,
    changes_at: Option<u64>,
    began: bool,
    breaks: f64,
    misses: f64,
    now: Instant,
}

impl Simulation {
    fn identity(&self) -> Local {
        Local { size: self.local.len() as u64, modified: (1_000, 0), inode: self.inode }
    }

    /// One process, up to its end or its death after `steps`.
    fn run(&mut self, plan: Plan, steps: u64) -> Option<Outcome> {
        let plan = Plan { local: Some(self.identity()), ..plan };
        let mut machine = Upload::new(plan, self.record);
        for _ in 0..steps {
            let Some(action) = machine.poll(self.now) else {
                self.now = machine.deadline(self.now).expect("an action or a wait");
                continue;
            };
            let event = match action {
                Action::Finish(outcome) => return Some(outcome),
                Action::Say(_) => continue,
                Action::Look { name, settle } => {
                    if self.chance(self.misses) {
                        broken(Trouble::Broken)
                    } else {
                        if settle {
                            self.server.settle();
                        }
                        Event::Seen(self.server.see(name))
                    }
                }
                _ if self.chance(self.breaks / 4.0) => broken(Trouble::Broken),
                Action::Check { name, size, how } => Event::Checked(self.check(name, size, how)),
                Action::Send { name, at, way } => self.send(&mut machine, name, at as usize, way),
                Action::Seal => self.seal(plan.temporary),
            };
            machine.handle(self.now, event);
        }
        None
    }

    fn chance(&mut self, likely: f64) -> bool {
        self.random.fraction() < likely
    }

    fn check(&mut self, name: Name, size: u64, how: How) -> Found {
        // A session that was thought dead writes while it is read.
        if self.chance(self.breaks / 4.0) {
            self.server.settle();
        }
        let (theirs, size) = (self.server.file(name).unwrap_or(&[]), size as usize);
        if theirs.len() < size || self.local.len() < size {
            return Found::Different;
        }
        let can = self.server.can();
        let allowed = if how == How::Hash { can.hash } else { can.read_back };
        if !allowed {
            return Found::Unable;
        }
        if theirs.len() > size {
            // Read back, it shows; a checksum is just another one.
            let told = self.server.see(name).there;
            let grew = how != How::Hash || matches!(told, There::Size(now) if now > size as u64);
            return if grew { Found::Grown } else { Found::Different };
        }
        let part = match how {
            How::Hash | How::Whole => 0..size,
            How::Tail => size.saturating_sub(BLOCK)..size,
        };
        let ours = &self.local[part.clone()];
        let blank = ours.windows(2).all(|two| two[0] == two[1]);
        match &theirs[part] == ours {
            false => Found::Different,
            true if how == How::Tail && blank => Found::Blank,
            true => Found::Same,
        }
    }

    fn send(&mut self, machine: &mut Upload, name: Name, at: usize, way: Way) -> Event {
        if let Err(refusal) = self.server.opens(name, at, way) {
            return Event::Refused(refusal);
        }
        machine.handle(self.now, Event::Begun);
        self.began = true;
        self.record = Some(Memo { local: self.identity(), stage: Stage::Begun });
        let whole = self.local.len();
        let breaks = self.chance(self.breaks);
        // What the process handed over, and what of it came to the server before the connection broke.
        let handed = if breaks { at + self.random.below((whole - at) as u64 + 1) as usize } else { whole };
        let arrived = if breaks { at + self.random.below((handed - at) as u64 + 1) as usize } else { whole };
        let lost = if breaks { 0 } else { self.server.loses(&mut self.random, arrived - at) };
        self.server.receive(name, at, way, &self.local[at..arrived - lost]);
        if breaks {
            // The dead session may still write some of what was under way.
            self.server.linger(name, at, way, &self.local[at..handed], arrived - at);
        }
        self.sent += (handed - at) as u64;
        machine.handle(self.now, Event::Moved(handed as u64));
        if self.changes_at.is_some_and(|limit| self.sent >= limit) {
            self.changes_at = None;
            let place = self.random.below(whole as u64) as usize;
            self.local[place] ^= 0x55;
            self.inode += 1;
            return Event::LocalChanged(self.identity());
        }
        match breaks {
            true => broken(Trouble::Broken),
            false => Event::Sent(whole as u64),
        }
    }

    fn seal(&mut self, temporary: bool) -> Event {
        if !temporary {
            return Event::Sealed;
        }
        match self.server.rename() {
            false => Event::Refused(Refusal::Denied),
            true if self.chance(self.breaks / 2.0) => broken(Trouble::Broken),
            true => Event::Sealed,
        }
    }
}

fn broken(why: Trouble) -> Event {
    Event::Failed { why, retry_after: None }
}

fn random_world(random: &mut Random) -> (World, Server) {
    let size = match random.below(8) {
        0 => 0,
        1 => random.below(100),
        2 => BLOCK as u64,
        _ => 1 + random.below(400_000),
    };
    let mut local: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
    if random.below(6) == 0 {
        // A long stretch of zeros, as in images of disks.
        let from = random.below(size + 1) as usize;
        local[from..].fill(0);
    }
    let before = server::before(random, &local);
    let server = Server::random(random, &before);
    let verify = match random.below(6) {
        0 => Verify::Full,
        1 => Verify::Tail,
        _ => Verify::Auto,
    };
    let if_exists = [None, None, Some(IfExists::Overwrite), Some(IfExists::Skip), Some(IfExists::Fail)]
        [random.below(5) as usize];
    let plan = Plan {
        local: None,
        verify,
        if_exists,
        restart: random.below(10) == 0,
        temporary: random.below(5) == 0,
        retries: Some(20),
        seed: random.next(),
    };
    let breaks = [0.0, 0.2, 0.6, 0.9][random.below(4) as usize];
    let misses = [0.0, 0.0, 0.3][random.below(3) as usize];
    let kills = (0..random.below(4)).map(|_| random.below(12)).collect();
    let changes_at = (size > 0 && random.below(8) == 0).then(|| random.below(size * 2));
    (World { local, before, plan, breaks, misses, kills, changes_at }, server)
}

fn simulate(seed: u64) -> (World, Simulation, Outcome) {
    let mut random = Random::new(seed);
    let (world, server) = random_world(&mut random);
    let mut simulation = Simulation {
        random,
        server,
        local: world.local.clone(),
        inode: 1,
        record: None,
        sent: 0,
        changes_at: world.changes_at,
        began: false,
        breaks: world.breaks,
        misses: world.misses,
        now: Instant::now(),
    };
    for steps in &world.kills {
        if let Some(outcome) = simulation.run(world.plan, *steps) {
            return (world, simulation, outcome);
        }
        simulation.now += Duration::from_secs(60);
    }
    let outcome = simulation.run(world.plan, 5_000).expect("it ends");
    (world, simulation, outcome)
}

#[test]
fn done_is_only_said_of_the_same_file() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..6_000 {
        let told = std::panic::catch_unwind(|| {
            let (world, simulation, outcome) = simulate(seed);
            let theirs = simulation.server.file(Name::Target);
            match outcome {
                Outcome::Done { proof, .. } if proof != Proof::Reply => assert_eq!(
                    theirs.map(<[u8]>::len),
                    Some(simulation.local.len()),
                    "another size, {outcome:?}"
                ),
                // Nothing of ours was begun: what was there is there.
                _ if !simulation.began => {
                    assert_eq!(theirs, world.before.file.as_deref(), "a stranger's file was touched");
                }
                _ => {}
            }
            if matches!(outcome, Outcome::Done { .. }) {
                let same = theirs == Some(&simulation.local);
                // Only the server's word, where it tells and shows nothing.
                let told = matches!(outcome, Outcome::Done { proof: Proof::Reply, .. });
                assert!(same || told, "another file, {outcome:?}");
            }
            if !world.before.is_a_part && world.plan.if_exists != Some(IfExists::Overwrite) {
                let stopped = matches!(outcome, Outcome::InTheWay(_) | Outcome::Skipped | Outcome::GaveUp(_));
                assert!(stopped, "another file was there, and {outcome:?}");
            }
            if let Outcome::InTheWay(Obstacle::Exists) | Outcome::Skipped = outcome {
                assert!(world.plan.if_exists.is_some());
            }
            format!("{outcome:?}")
        });
        let Ok(outcome) = told else {
            let (world, server) = random_world(&mut Random::new(seed));
            let World { before, local, .. } = &world;
            let (had, len) = (before.file.as_ref().map(Vec::len), local.len());
            panic!(
                "seed {seed}: {len} bytes, before {had:?} {}, {:?}, breaks {} misses {} kills {:?} changes {:?}, {server}",
                before.is_a_part, world.plan, world.breaks, world.misses, world.kills, world.changes_at
            );
        };
        *outcomes.entry(outcome.split([',', '}']).next().unwrap().to_owned()).or_insert(0) += 1;
    }
    println!("{outcomes:#?}");
    let done: u32 = outcomes.iter().filter(|(name, _)| name.starts_with("Done")).map(|(_, n)| n).sum();
    assert!(done > 2_500, "{outcomes:?}");
}

#[test]
fn where_a_part_can_be_continued_nothing_arrives_twice() {
    for seed in 0..1_000 {
        let mut random = Random::new(seed);
        let local: Vec<u8> = (0..300_000).map(|_| random.next() as u8).collect();
        let server = Server::plain(&mut random);
        let mut simulation = Simulation {
            random,
            server,
            local,
            inode: 1,
            record: None,
            sent: 0,
            changes_at: None,
            began: false,
            breaks: 0.7,
            misses: 0.1,
            now: Instant::now(),
        };
        let plan = Plan {
            local: None,
            verify: Verify::Auto,
            if_exists: None,
            restart: false,
            temporary: false,
            retries: Some(20),
            seed,
        };
        let outcome = simulation.run(plan, 5_000);
        assert!(matches!(outcome, Some(Outcome::Done { .. })), "seed {seed}: {outcome:?}");
        let received = simulation.server.received;
        // A sending that broke before anything was there is begun again, and has cost nothing.
        assert_eq!(received, 300_000, "seed {seed}");
    }
}
