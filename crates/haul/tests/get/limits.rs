//! Limits, the server's and the user's: how often, how many, how fast, how long; and the user's sign to stop.

use std::time::{Duration, Instant};

use haul_testkit::{
    Behaviour, Content, Cut, Haul, HttpPeer,
    hostile::{Excess, RetryAfter, Which},
};

use crate::scene::{MIB, SOON, Scene, Told, taken_from, wait_until};

const SIZE: u64 = 8 * MIB;

fn file(seed: u64) -> Behaviour {
    Behaviour::of(Content::new(seed, SIZE))
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    for (status, retry_after) in [(429, RetryAfter::Seconds(2)), (503, RetryAfter::DateIn(3))] {
        let peer = HttpPeer::start(file(121).refuses(Which::Only(0), status, retry_after));
        let scene = Scene::new();
        let began = Instant::now();
        let haul = scene.get(&[&peer.url("/f.bin")]).spawn();
        wait_until(|| peer.requests().len() > 1);
        let waited = began.elapsed();
        // A date has whole seconds, of which the first may be over.
        assert!(waited >= Duration::from_millis(1900), "{status}: asked again after {waited:?}");
        assert!(waited < Duration::from_secs(5), "{status}: asked again after {waited:?}");
        let told = Told::by(haul.wait().expect_code(0));
        let after = told.all("retry")[0]["after"].as_f64().unwrap();
        assert!((1.9..=3.1).contains(&after), "{told}");
        Content::new(121, SIZE).assert_file_is(scene.path("f.bin"));
    }
}

#[test]
fn a_server_that_asks_for_time_in_mid_run_gets_it_and_nothing_is_lost() {
    for lanes in ["1", "4"] {
        // The answers under way are cut, and then nobody is served for two seconds.
        let behaviour = file(122)
            .rate(Which::Every, 16 * MIB)
            .cut(Which::First(4), MIB, Cut::Fin)
            .refuses(Which::Only(4), 503, RetryAfter::Seconds(2))
            .refuses(Which::Only(1), 429, RetryAfter::Seconds(2));
        let peer = HttpPeer::start(behaviour);
        let scene = Scene::new();
        let told = scene.run(&["-n", lanes, &peer.url("/f.bin")], 0);
        assert!(told.seconds() > 1.8 && told.seconds() < 8.0, "{told}");
        assert!(told.fetched() < SIZE + MIB, "{told}");
        Content::new(122, SIZE).assert_file_is(scene.path("f.bin"));
    }
}

#[test]
fn a_server_that_allows_two_connections_is_taken_at_its_word() {
    let excesses = [
        Excess::Status(503, RetryAfter::None),
        Excess::Status(429, RetryAfter::Seconds(1)),
        Excess::Reset,
        Excess::Refuse,
    ];
    for excess in excesses {
        let content = Content::new(123, 24 * MIB);
        let behaviour = Behaviour::of(content).at_most(2, excess).rate(Which::Every, 8 * MIB);
        let peer = HttpPeer::start(behaviour);
        let scene = Scene::new();
        let told = scene.run(&["-n", "8", &peer.url("/f.bin")], 0);
        content.assert_file_is(scene.path("f.bin"));
        assert!(told.fetched() < content.size() + MIB, "{excess:?}\n{told}");
        // Two lanes need 1.5 s; 2 s where the second one is asked to wait for the first of them. Twice that is allowed.
        let ideal = if matches!(excess, Excess::Status(429, _)) { 2.0 } else { 1.5 };
        assert!(told.seconds() < 2.0 * ideal, "{excess:?}\n{told}");
        let refused = peer.requests().iter().filter(|request| matches!(request.status(), 429 | 503)).count();
        assert!(refused < 12, "{excess:?}: {refused} requests were refused");
    }
}

#[test]
fn the_rate_is_what_was_asked_for() {
    // Long enough for the beginning not to count.
    let content = Content::new(124, 14 * MIB);
    let peer = HttpPeer::start(Behaviour::of(content));
    for lanes in ["1", "4"] {
        let scene = Scene::in_memory();
        let told = scene.run(&["-n", lanes, "--limit-rate", "4M", &peer.url("/f.bin")], 0);
        let rate = content.size() as f64 / told.seconds() / (4 * MIB) as f64;
        assert!((0.9..=1.1).contains(&rate), "{lanes}: {rate} of what was asked for\n{told}");
    }
}

#[test]
fn at_a_low_rate_bytes_come_evenly() {
    let content = Content::new(126, 128 << 10);
    let peer = HttpPeer::start(Behaviour::of(content));
    let scene = Scene::new();
    let told = scene.run(&["-n", "1", "--limit-rate", "40K", &peer.url("/f.bin")], 0);
    let mut seen: Vec<_> = told.all("progress").iter().filter_map(|event| event["done"].as_u64()).collect();
    seen.dedup();
    assert!(seen.len() > 6, "in {} steps\n{told}", seen.len());
    content.assert_file_is(scene.path("f.bin"));
}

#[test]
fn the_rate_holds_for_all_jobs_together() {
    let peer = HttpPeer::start(Behaviour::of(Content::new(125, 3 * MIB)));
    let scene = Scene::in_memory();
    let began = Instant::now();
    let urls = ["/a", "/b", "/c"].map(|path| peer.url(path));
    scene.run(&["--limit-rate", "4M", &urls[0], &urls[1], &urls[2]], 0);
    let rate = (9 * MIB) as f64 / began.elapsed().as_secs_f64() / (4 * MIB) as f64;
    assert!((0.8..=1.1).contains(&rate), "{rate} of what was asked for");
}

#[test]
fn connections_to_a_host_are_bounded_over_all_jobs() {
    let content = Content::new(126, 4 * MIB);
    let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 4 * MIB));
    let scene = Scene::new();
    let urls = ["/a", "/b", "/c", "/d"].map(|path| peer.url(path));
    let args: Vec<&str> = ["-n", "2", "-j", "4"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    let mut haul = scene.get(&args).spawn();
    // A connection that haul has closed counts until the peer has noticed: only what lasts is too many. It has to be
    // seen again and again, since any time may pass between two looks.
    let (mut most, mut beyond) = (0, 0);
    while haul.is_running() {
        let open = peer.open();
        beyond = if open <= 2 { 0 } else { beyond + 1 };
        if open <= 2 || beyond > 200 {
            most = most.max(open);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    haul.wait().expect_code(0);
    for name in ["a", "b", "c", "d"] {
        content.assert_file_is(scene.path(name));
    }
    assert_eq!(most, 2);
}

#[test]
fn a_stop_is_clean_and_says_how_to_go_on() {
    for lanes in ["1", "8"] {
        for signal in ["INT", "TERM"] {
            let content = Content::new(127, 4 * SIZE);
            let peer = HttpPeer::start(
                Behaviour::of(content).rate(Which::Every, 24 * MIB / lanes.parse::<u64>().unwrap()),
            );
            // A busy disk would take its time for what is to be saved.
            let scene = Scene::in_memory();
            let args = ["-n", lanes, &peer.url("/f.bin")];
            peer.hold_at(Some(SIZE));
            let haul = scene.get(&args).spawn();
            wait_until(|| taken_from(&peer) >= SIZE);
            match signal {
                "INT" => haul.interrupt(),
                _ => haul.terminate(),
            }
            let told = Told::by(haul.wait_at_most(Duration::from_secs(5)).expect_code(130));
            let kept = told.failed()["kept"].as_u64().unwrap();
            assert!(kept > SIZE / 2, "{told}");
            assert!(
                told.message().contains("interrupted") && told.message().contains("same command"),
                "{told}"
            );
            assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);
            peer.hold_at(None);
            let told = scene.run(&args, 0);
            assert_eq!(told.kept(), kept, "all that was received is kept\n{told}");
            content.assert_file_is(scene.path("f.bin"));
            scene.assert_only("f.bin");
        }
    }
}

#[test]
fn a_stop_before_the_first_answer_leaves_nothing() {
    let peer = HttpPeer::start(file(128).head(haul_testkit::hostile::Head::Withheld));
    let scene = Scene::new();
    let haul = scene.get(&[&peer.url("/f.bin")]).spawn();
    wait_until(|| peer.requests().len() == 1);
    haul.interrupt();
    haul.wait_at_most(Duration::from_secs(5)).expect_code(130);
    assert!(scene.files().is_empty(), "{:?}", scene.files());
}

#[test]
fn a_human_is_told_how_to_go_on() {
    let peer = HttpPeer::start(file(129).rate(Which::Every, 8 * MIB));
    let scene = Scene::in_memory();
    peer.hold_at(Some(SIZE / 2));
    let haul =
        Haul::new(env!("CARGO_BIN_EXE_haul")).args(["get", &peer.url("/f.bin")]).dir(scene.dir()).spawn();
    wait_until(|| taken_from(&peer) >= SIZE / 2);
    haul.interrupt();
    let end = haul.wait_at_most(Duration::from_secs(5)).expect_code(130);
    let last = end.stderr.lines().last().unwrap_or_default();
    for word in ["haul: f.bin: interrupted", "kept", "the same command again"] {
        assert!(last.contains(word), "{word:?} in {last:?}");
    }
}

#[test]
fn tries_without_progress_are_counted_and_the_partial_is_kept() {
    let peer = HttpPeer::start(file(130).cut(Which::Every, 3 * MIB, Cut::Fin));
    let scene = Scene::new();
    // The second connection is not to bring the rest before it is told to end.
    peer.hold_at(Some(3 * MIB));
    let haul = scene.get(&["-n", "1", "--retries", "2", &peer.url("/f.bin")]).spawn();
    wait_until(|| peer.connections() > 1);
    // From here on every connection ends without a byte.
    peer.change(|behaviour| behaviour.cut = Some((Which::Every, 0, Cut::Rst)));
    let told = Told::by(haul.wait_at_most(SOON).expect_code(3));
    let kept = told.failed()["kept"].as_u64().unwrap();
    assert!(kept >= 3 * MIB, "{told}");
    assert!(told.message().contains("gave up"), "{told}");
    let strikes: Vec<_> = told.all("retry").iter().map(|retry| retry["strikes"].as_u64().unwrap()).collect();
    assert_eq!(strikes, [1, 2], "{told}");
    assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);
    peer.change(|behaviour| behaviour.cut = None).hold_at(None);
    let told = scene.run(&["-n", "1", &peer.url("/f.bin")], 0);
    assert_eq!(told.kept(), kept, "{told}");
    Content::new(130, SIZE).assert_file_is(scene.path("f.bin"));
}
