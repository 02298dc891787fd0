//! The transfer machine under thousands of seeded schedules: lanes that stall, fail, answer short, answer late, far
//! ends that change the file, lie about ranges and sizes, answer too little at a time, give another tag each time or
//! none, mirrors that are dead, bytes of unknown origin, and runs that are killed.
//!
//! Invariants: every byte of the result comes from one version, every byte is written once, nothing is claimed that
//! was not received, it ends; and where nothing hinders, near the ideal time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod run;
mod world;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use haul_core::{
    ByteRange, Entity, Random,
    transfer::{
        Action, Basis, Event, Lanes, Memo, OnChange, Outcome, Plan, Ranges, Reason, SourceId, Transfer,
        Trouble,
    },
};

use run::Simulation;
use world::{Tags, World, random_world};

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
            in_order: kills.is_empty() && world.orphan.is_none() && random.below(6) == 0,
            ..plan(lanes, seed)
        };
        let mut simulation = Simulation::new(world.clone(), seed);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (outcome, _) = simulation.run(&plan, &kills);
            // Of sources that run together and change in between, a digest tells what the machine cannot.
            let by_digest = together && !world.changes.is_empty();
            if matches!(outcome, Outcome::Complete(_)) && !by_digest {
                simulation.assert_whole();
            }
            outcome
        }));
        let Ok(outcome) = told else { panic!("seed {seed}: {world:?} {plan:?} kills {kills:?}") };
        if !world.hinders(plan.in_order) {
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
        simulation.assert_whole();
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
                simulation.assert_whole();
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

/// The machine of a run that finds all bytes there, after it has asked `answers` times and been told this.
fn told_of_the_whole(was: &Entity, is: &Entity, answers: usize) -> Option<Action> {
    let size = was.size.unwrap();
    let held = ByteRange::new(0, size).into_iter().collect();
    let memo = Memo { size: Some(size), held, sources: vec![Some(was.clone())] };
    let mut machine = Transfer::new(Some(memo), plan(Lanes::Exactly(4), 1));
    let now = Instant::now();
    for _ in 0..answers {
        let Some(Action::Open { lane, ask, .. }) = machine.poll(now) else { panic!("{machine:?}") };
        assert_eq!((ask.from, ask.to), (0, Some(1)), "one byte is enough to be told");
        let (seen, ranges) = (is.clone(), Ranges::Proven);
        machine.handle(now, Event::Opened { lane, seen, from: 0, to: Some(1), ranges });
        assert_eq!(machine.poll(now), Some(Action::Cancel(lane)));
    }
    machine.poll(now)
}

#[test]
fn what_was_left_whole_is_published_when_the_far_end_still_has_it() {
    let world = World::calm(1_000_000);
    let was = world.entity(0, 0, 1);
    assert_eq!(told_of_the_whole(&was, &was, 1), Some(Action::Publish));
    let is = told_of_the_whole(&was, &world.entity(0, 1, 2), 3);
    assert!(matches!(is, Some(Action::Reset(Reason::Changed(_)))), "{is:?}");
    // Where no validator says so, bytes do.
    let was = Entity { etag: None, modified: None, ..was };
    let is = told_of_the_whole(&was, &was, 1);
    assert!(matches!(is, Some(Action::Open { ask, .. }) if ask.compare_to == 65_536), "{is:?}");
}
