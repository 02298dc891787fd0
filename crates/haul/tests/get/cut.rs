//! Connections that break, stall or crawl: retries that make progress wait for nothing and fetch nothing twice.

use std::time::{Duration, Instant};

use haul_testkit::{Behaviour, Content, Cut, HttpPeer, hostile::Which};

use crate::scene::{MIB, SOON, Scene, Told};

/// 52 cuts in one run. One backoff for each, at its shortest, would already be longer than the limit.
fn every_connection_is_cut(how: Cut) {
    let content = Content::new(21, 256 * MIB);
    let peer = HttpPeer::start(Behaviour::of(content).cut(Which::Every, 5 * MIB, how));
    let scene = Scene::in_memory();
    let began = Instant::now();
    let told = scene.run(&["-n", "1", &peer.url("/f.bin")], 0);
    let took = began.elapsed();
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
    assert!(peer.connections() >= 52, "{} connections", peer.connections());
    assert!(peer.connections() < 60, "{} connections", peer.connections());
    assert!(told.all("retry").is_empty(), "nothing was waited for\n{told}");
    assert!(took < Duration::from_secs(15), "{took:?}\n{told}");
    let again = peer.body_sent() - content.size();
    assert!(again < MIB, "{again} bytes were sent again");
}

#[test]
fn a_fin_after_every_five_mebibytes_costs_nothing() {
    every_connection_is_cut(Cut::Fin);
}

#[test]
fn a_reset_after_every_five_mebibytes_costs_nothing() {
    every_connection_is_cut(Cut::Rst);
}

#[test]
fn eight_lanes_that_are_cut_fetch_nothing_again_but_what_was_in_flight() {
    let content = Content::new(22, 96 * MIB);
    for how in [Cut::Fin, Cut::Rst] {
        let behaviour = Behaviour::of(content).cut(Which::Every, 5 * MIB, how).rate(Which::Every, 16 * MIB);
        let peer = HttpPeer::start(behaviour);
        let scene = Scene::in_memory();
        let told = scene.run(&["-n", "8", &peer.url("/f.bin")], 0);
        content.assert_file_is(scene.path("f.bin"));
        let again = peer.body_sent() - content.size();
        assert!(again < 8 * MIB, "{how:?}: {again} bytes were sent again\n{told}");
    }
}

#[test]
fn a_server_that_stalls_without_closing_is_left() {
    let content = Content::new(23, 8 * MIB);
    let peer = HttpPeer::start(Behaviour::of(content).stall(Which::First(2), 2 * MIB));
    let scene = Scene::in_memory();
    let began = Instant::now();
    let told = scene.run(&["-n", "1", "--timeout", "1", &peer.url("/f.bin")], 0);
    let took = began.elapsed();
    content.assert_file_is(scene.path("f.bin"));
    assert!(took >= Duration::from_secs(2), "twice a second was given: {took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}\n{told}");
    assert!(told.fetched() < content.size() + 64 * 1024, "{told}");
}

#[test]
fn one_lane_that_stalls_does_not_hold_up_the_others() {
    let content = Content::new(24, 32 * MIB);
    for stalled in [0, 2, 3] {
        let behaviour = Behaviour::of(content).stall(Which::Only(stalled), MIB).rate(Which::Every, 8 * MIB);
        let peer = HttpPeer::start(behaviour);
        let scene = Scene::in_memory();
        let told = scene.run(&["-n", "4", "--timeout", "2", &peer.url("/f.bin")], 0);
        content.assert_file_is(scene.path("f.bin"));
        // Three lanes need 1.3 s for it; the fourth may cost its timeout, and no more.
        assert!(told.seconds() < 4.5, "lane {stalled}: {} s\n{told}", told.seconds());
    }
}

#[test]
fn one_lane_twenty_times_slower_costs_next_to_nothing() {
    let content = Content::new(25, 60 * MIB);
    for slow in [0, 1] {
        let behaviour = Behaviour::of(content).rate(Which::Only(slow), MIB / 2).rate(Which::Every, 10 * MIB);
        let peer = HttpPeer::start(behaviour);
        let scene = Scene::in_memory();
        let told = scene.run(&["-n", "4", &peer.url("/f.bin")], 0);
        content.assert_file_is(scene.path("f.bin"));
        // 60 MiB at 30.5 MiB/s. Left to itself, the slow lane would need 30 s for its quarter.
        let ideal = 60.0 / 30.5;
        assert!(told.seconds() < ideal * 1.3 + 0.3, "lane {slow}: {} s of {ideal}\n{told}", told.seconds());
    }
}

#[test]
fn a_server_that_does_not_answer_at_all_is_given_up() {
    use haul_testkit::hostile::Head;
    let content = Content::new(26, MIB);
    let peer = HttpPeer::start(Behaviour::of(content).head(Head::Withheld));
    let scene = Scene::in_memory();
    let began = Instant::now();
    let told = scene.run(&["--timeout", "1", "--retries", "1", &peer.url("/f.bin")], 3);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}\n{told}", began.elapsed());
    assert!(scene.files().is_empty(), "{:?}", scene.files());
}

#[test]
fn a_process_that_was_halted_does_not_blame_its_connections() {
    let content = Content::new(29, 96 * MIB);
    let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 8 * MIB));
    let scene = Scene::in_memory();
    let haul = scene.get(&["-n", "4", "--timeout", "2", &peer.url("/f.bin")]).spawn();
    peer.wait_until_sent(24 * MIB, SOON);
    let before = peer.connections();
    haul.halt();
    // Longer than the patience with a silent connection.
    std::thread::sleep(Duration::from_secs(3));
    haul.go_on();
    let told = Told::by(haul.wait().expect_code(0));
    content.assert_file_is(scene.path("f.bin"));
    // The end of a file may be worth a connection more; four anew are those that were blamed.
    let anew = peer.connections() - before;
    assert!(anew < 4, "{anew} connections were made anew\n{told}");
}
