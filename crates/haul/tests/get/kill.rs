//! kill -9 at random moments: what was received is not fetched again, and the file is right.

use std::time::Duration;

use haul_testkit::{Behaviour, Content, HttpPeer, hostile::Which};

use crate::scene::{MIB, Scene, Seeded, Told, kept_by, taken_from, wait_until};

/// Kills a transfer several times; each time less than 1 MiB a lane may be lost of what it had taken.
fn killed_again_and_again(seed: u64, lanes: u64, size: u64, rate: u64) {
    const KILLS: u64 = 4;
    let mut random = Seeded(seed);
    let content = Content::new(seed, size);
    // A pace at which haul keeps up, so that a kill comes while bytes do.
    let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, rate));
    let scene = Scene::new();
    let (url, n) = (peer.url("/f.bin"), lanes.to_string());
    // What was kept at the least, and what was sent and never taken.
    let (mut owed, mut untaken) = (0, 0);
    for kill in 0..KILLS {
        let before = peer.body_sent();
        let goal = before + MIB + random.below(size / KILLS - 2 * MIB);
        // However late the kill comes, there is a rest that has not come.
        peer.hold_at(Some(goal + MIB / 2));
        let haul = scene.get(&["-n", &n, &url]).spawn();
        let kept = if kill == 0 { 0 } else { kept_by(&haul) };
        assert!(kept >= owed, "kill {kill}: {kept} bytes kept of at least {owed}");
        wait_until(|| taken_from(&peer) >= goal);
        let taken = taken_from(&peer);
        assert_eq!(haul.kill_9().signal, Some(9));
        peer.hold_at(None);
        wait_until(|| peer.open() == 0);
        owed = (kept + taken - before).saturating_sub(lanes * MIB);
        untaken += peer.body_sent() - taken;
    }
    peer.change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&["-n", &n, &url], 0);
    assert!(told.kept() >= owed, "{} bytes kept of at least {owed}\n{told}", told.kept());
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
    // Of what was untaken some may still have been taken before the kill.
    let again = (peer.body_sent() - size).saturating_sub(untaken);
    assert!(again < (KILLS + 1) * lanes * MIB, "{again} bytes were sent again in all");
}

#[test]
fn one_lane_loses_less_than_a_mebibyte_a_kill() {
    killed_again_and_again(11, 1, 32 * MIB, 10 * MIB);
}

#[test]
fn eight_lanes_lose_less_than_a_mebibyte_each() {
    killed_again_and_again(12, 8, 64 * MIB, 3 * MIB);
}

#[test]
fn no_moment_of_a_run_is_a_bad_one_to_be_killed_at() {
    let mut random = Seeded(13);
    for lanes in ["1", "8"] {
        let content = Content::new(random.below(1 << 40), 3 * MIB + 17);
        let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 48 * MIB));
        let mut scene = Scene::new();
        for _ in 0..20 {
            let args = ["-n", lanes, &peer.url("/f.bin")];
            let haul = scene.get(&args).spawn();
            // No state is waited for: the moment is to be any, from the first instruction to the last.
            std::thread::sleep(Duration::from_millis(random.below(120)));
            let end = haul.kill_9();
            if scene.path("f.bin").exists() {
                content.assert_file_is(scene.path("f.bin"));
            }
            if end.code == Some(0) {
                scene.assert_only("f.bin");
                scene = Scene::new();
            }
        }
        let told = Told::by(scene.get(&["-n", lanes, &peer.url("/f.bin")]).run().expect_code(0));
        assert!(told.all("changed").is_empty(), "{told}");
        content.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    }
}
