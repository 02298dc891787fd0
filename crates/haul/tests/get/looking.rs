//! `haul status` and `haul probe`: what they say of real states and real behaviour, and that a look changes nothing.

use crate::scene;
use crate::scene::{MIB, Scene, haul};
use haul_testkit::hostile::{ETags, Encoding, IfRange, Length, Ranges, RetryAfter, Which};
use haul_testkit::{Behaviour, Content, Finished, HttpPeer};
use serde_json::Value;

const FILE: Content = Content::new(111, 16 * MIB);

fn status(scene: &Scene, args: &[&str]) -> Finished {
    haul().arg("status").args(args).dir(scene.dir()).run()
}

fn text(end: &Finished) -> String {
    String::from_utf8(end.stdout.clone()).unwrap()
}

fn json(scene: &Scene, path: &str) -> Value {
    let end = status(scene, &["--json", path]).expect_code(0);
    assert_eq!(text(&end).lines().count(), 1);
    serde_json::from_str(&text(&end)).unwrap()
}

#[test]
fn a_run_under_way_is_seen_and_left_alone() {
    let peer = HttpPeer::start(Behaviour::of(FILE).stall(Which::Every, 2 * MIB));
    let scene = Scene::new();
    let run = scene.get(&["-n", "2", &peer.url("/f.bin?sig=s3cret")]).spawn();
    peer.wait_until_sent(4 * MIB, scene::SOON);
    scene::wait_until(|| json(&scene, "f.bin")["held"].as_u64() > Some(3 * MIB));
    let seen = json(&scene, "f.bin");
    assert_eq!(seen["in_use"].as_u64(), Some(u64::from(run.id())), "{seen}");
    assert_eq!(seen["resume"], "no", "{seen}");
    let said = text(&status(&scene, &["f.bin"]).expect_code(0));
    assert!(said.contains(&format!("in use     by process {}", run.id())), "{said}");
    peer.release();
    run.wait().expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
    let finished = json(&scene, "f.bin");
    assert_eq!((&finished["state"], finished["size"].as_u64()), (&"finished".into(), Some(FILE.size())));
}

#[test]
fn a_stopped_download_is_the_same_by_every_name() {
    let peer = HttpPeer::start(Behaviour::of(FILE).rate(Which::Every, 6 * MIB));
    let scene = Scene::new();
    scene.stopped_after(&peer, 6 * MIB, &["-n", "2", &peer.url("/f.bin")]);
    let before: Vec<_> = ["f.bin.part", "f.bin.part.haul"].map(|name| scene.read(name)).into();
    let seen = json(&scene, "f.bin");
    assert_eq!(seen["state"], "unfinished");
    assert_eq!(seen["size"].as_u64(), Some(FILE.size()));
    assert_eq!(seen["sources"][0]["etag"], "\"v1\"");
    assert_eq!(seen["sources"][0]["modified"].as_i64(), Some(1_700_000_000));
    assert_eq!(seen["stopped"]["why"], "interrupted");
    assert_eq!((&seen["in_use"], &seen["resume"]), (&Value::Null, &"yes".into()));
    let ranges = seen["ranges"].as_array().unwrap();
    let total: u64 = ranges.iter().map(|r| r[1].as_u64().unwrap() - r[0].as_u64().unwrap()).sum();
    assert_eq!((seen["held"].as_u64(), seen["durable"].as_u64()), (Some(total), Some(total)), "{seen}");
    for name in ["f.bin.part", "f.bin.part.haul", ".", scene.dir().to_str().unwrap()] {
        let same = json(&scene, name);
        assert_eq!((&same["ranges"], &same["sources"]), (&seen["ranges"], &seen["sources"]), "{name}");
    }
    let said = text(&status(&scene, &["f.bin"]).expect_code(0));
    for line in
        ["from       http://127.0.0.1:", "validator  ETag \"v1\" (strong)", "map        ", "interrupted"]
    {
        assert!(said.contains(line), "{said}");
    }
    assert!(said.contains("resume     yes — "), "{said}");
    let after: Vec<_> = ["f.bin.part", "f.bin.part.haul"].map(|name| scene.read(name)).into();
    assert!(before == after && scene.files() == ["f.bin.part", "f.bin.part.haul"]);
    let told = scene.run(&[&peer.url("/f.bin")], 0);
    assert_eq!(told.kept(), total, "and so it was");
}

#[test]
fn several_paths_are_told_one_by_one() {
    let scene = Scene::new();
    scene.write("done.bin", "12345");
    scene.write("left.bin.part", "123");
    let end = status(&scene, &["--json", "done.bin", "nothing.bin", "left.bin"]).expect_code(7);
    let states: Vec<Value> = text(&end)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].clone())
        .collect();
    assert_eq!(states, ["finished", "unfinished"]);
    assert!(end.stderr.contains("nothing.bin") && end.stderr.lines().count() == 1, "{}", end.stderr);
}

/// The verdict line of `haul probe`, of which the JSON has to say the same.
fn verdict(behaviour: Behaviour) -> String {
    let peer = HttpPeer::start(behaviour);
    let scene = Scene::new();
    let end = haul().args(["probe", &peer.url("/f.bin")]).dir(scene.dir()).run().expect_code(0);
    assert_eq!(end.stderr, "");
    assert!(scene.files().is_empty(), "a probe leaves nothing");
    let last = text(&end).lines().last().unwrap_or_default().to_owned();
    let end = haul().args(["probe", "--json", &peer.url("/f.bin")]).run().expect_code(0);
    let found: Value = serde_json::from_str(&text(&end)).unwrap();
    let same = format!("resume: {} — {}", found["resume"].as_str().unwrap(), found["why"].as_str().unwrap());
    assert_eq!(last, same);
    assert!(peer.requests().len() <= 2 * 8, "a few requests a probe, and not {}", peer.requests().len());
    last
}

#[test]
fn the_verdict_follows_from_what_the_server_does() {
    let file = || Behaviour::of(FILE);
    for (behaviour, begins) in [
        (file(), "resume: yes — "),
        (file().etag(ETags::Weak("w".into())), "resume: yes — "),
        (file().etag(ETags::None), "resume: yes — "),
        (file().ranges(Ranges::Capped(100_000)), "resume: yes — "),
        (file().without_validators(), "resume: unsafe — "),
        (file().etag(ETags::Weak("w".into())).modified(None), "resume: unsafe — "),
        (file().ranges(Ranges::Ignored), "resume: no — "),
        (file().length(Length::Chunked).ranges(Ranges::Ignored), "resume: no — "),
        (file().ranges(Ranges::LyingOffset(77)), "resume: no — "),
        (file().ranges(Ranges::ResumeRefused(403)), "resume: no — "),
        (file().ranges(Ranges::ResumeRefused(416)), "resume: no — "),
        (file().ranges(Ranges::OffsetBy(100)), "resume: no — "),
        (Behaviour::of(FILE.resized(0)), "resume: yes — the file is empty"),
    ] {
        let kind = format!("{:?} {:?} {:?}", behaviour.ranges, behaviour.version, behaviour.length);
        let said = verdict(behaviour);
        assert!(said.starts_with(begins), "{kind}: {said}");
    }
}

#[test]
fn the_findings_tell_how_if_range_is_treated() {
    for (if_range, expected) in
        [(IfRange::Honoured, (Some(true), Some(true))), (IfRange::Ignored, (Some(true), Some(false)))]
    {
        let peer = HttpPeer::start(Behaviour::of(FILE).if_range(if_range));
        let end = haul().args(["probe", "--json", &peer.url("/f.bin")]).run().expect_code(0);
        let found: Value = serde_json::from_str(&text(&end)).unwrap();
        let told = (found["if_range_right"].as_bool(), found["if_range_wrong"].as_bool());
        assert_eq!(told, expected, "{found}");
        assert_eq!(found["size"].as_u64(), Some(FILE.size()));
    }
}

#[test]
fn a_probe_that_gets_no_file_has_no_verdict() {
    let scene = Scene::new();
    let refused = |behaviour: Behaviour, said: &str| {
        let peer = HttpPeer::start(behaviour);
        let end = haul().args(["probe", &peer.url("/f?sig=s3cret")]).dir(scene.dir()).run().expect_code(4);
        assert!(end.stdout.is_empty() && end.stderr.lines().count() == 1, "{}", end.stderr);
        assert!(end.stderr.contains(said) && !end.stderr.contains("s3cret"), "{}", end.stderr);
    };
    refused(Behaviour::of(FILE).refuses(Which::Every, 404, RetryAfter::None), "404 Not Found");
    refused(Behaviour::of(FILE).auth("a", "b"), "401");
    refused(Behaviour::of(FILE).encoding(Encoding::Gzip), "gzip");
}
