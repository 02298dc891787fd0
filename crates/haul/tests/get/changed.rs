//! A remote file that becomes another one, and validators that prove little or nothing: two versions are never mixed,
//! and bytes that still fit are not thrown away.

use std::time::Duration;

use haul_testkit::{
    Behaviour, Content, Cut, HttpPeer,
    hostile::{ETags, Version, Which},
};

use crate::scene::{MIB, SOON, Scene, Told};

const SIZE: u64 = 16 * MIB;
/// What overlap checks may cost: 64 KiB at the start, at the end of every extent and at two random places; and as much
/// again in each gap, with what is on its way when a lane is let go: one read.
fn overlaps(lanes: u64) -> u64 {
    (4 + lanes) * 64 * 1024 + lanes * 512 * 1024
}

/// Slow enough to be met in the middle of its work.
fn slow(behaviour: Behaviour) -> Behaviour {
    behaviour.rate(Which::Every, 24 * MIB)
}

/// Another version, of the same size unless its content says otherwise.
fn later(content: Content, etag: ETags) -> Version {
    Version { content, etag, modified: Some(1_700_000_777) }
}

fn strong(tag: &str) -> ETags {
    ETags::Strong(tag.into())
}

/// Kills a run at about half; the next one is to bring the other version, whole, and to say so.
fn replaced_between_runs(lanes: &str, before: Behaviour, after: Version) {
    let peer = HttpPeer::start(slow(before));
    let scene = Scene::new();
    let args = ["-n", lanes, &peer.url("/f.bin")];
    scene.killed_after(&peer, SIZE / 2, &args);
    let new = after.content;
    peer.replace(after);
    let told = scene.run(&args, 0);
    assert_eq!(told.all("changed").len(), 1, "{told}");
    new.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

/// Kills a run at about half; the next one is to go on with what is there and to rest on `verified`.
fn goes_on(lanes: u64, before: Behaviour, between: impl FnOnce(&mut Behaviour), verified: &[&str]) {
    let content = before.version.content;
    let peer = HttpPeer::start(slow(before));
    let scene = Scene::new();
    let n = lanes.to_string();
    let args = ["-n", &n, &peer.url("/f.bin")];
    scene.killed_after(&peer, SIZE / 2, &args);
    peer.change(between);
    let told = scene.run(&args, 0);
    assert!(!told.says_begun_anew(), "{told}");
    assert!(told.kept() + lanes * MIB > SIZE / 2, "{told}");
    assert!(told.fetched() <= SIZE - told.kept() + overlaps(lanes), "{told}");
    assert!(verified.contains(&told.verified()), "{told}");
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn another_version_of_the_same_size_is_fetched_whole() {
    for lanes in ["1", "8"] {
        let old = Content::new(31, SIZE);
        replaced_between_runs(lanes, Behaviour::of(old), later(old.changed(100), strong("v2")));
        replaced_between_runs(lanes, Behaviour::of(old), later(Content::new(32, SIZE), strong("v2")));
    }
}

#[test]
fn another_version_of_another_size_is_fetched_whole() {
    for size in [SIZE / 4, SIZE * 2] {
        let old = Content::new(33, SIZE);
        replaced_between_runs("4", Behaviour::of(old), later(Content::new(34, size), strong("v2")));
    }
}

#[test]
fn without_a_strong_validator_the_bytes_show_the_change() {
    let old = Content::new(35, SIZE);
    let weak = || ETags::Weak("w".into());
    // Weak tags say that it is the same, or there is nothing that could say anything: bytes alone tell.
    let bare = |content, etag| Version { content, etag, modified: None };
    let unmarked = || Behaviour::of(old).etag(weak()).modified(None);
    replaced_between_runs("1", unmarked(), bare(Content::new(36, SIZE), weak()));
    replaced_between_runs("1", unmarked(), bare(old.changed(SIZE / 2 - 2 * MIB), weak()));
    let without = || Behaviour::of(old).without_validators();
    replaced_between_runs("1", without(), bare(Content::new(36, SIZE), ETags::None));
    replaced_between_runs("8", without(), bare(old.changed(SIZE / 4), ETags::None));
}

#[test]
fn a_change_may_be_made_the_end_and_keeps_the_partial() {
    for lanes in ["1", "8"] {
        let old = Content::new(37, SIZE);
        let peer = HttpPeer::start(slow(Behaviour::of(old)));
        let scene = Scene::new();
        let url = peer.url("/f.bin");
        let args = ["-n", lanes, "--on-change", "fail", &url];
        scene.killed_after(&peer, SIZE / 2, &args);
        let partial = scene.read("f.bin.part");
        peer.replace(later(Content::new(38, SIZE), strong("v2")));
        let told = scene.run(&args, 5);
        let kept = told.failed()["kept"].as_u64().unwrap();
        assert!(kept > 0, "{told}");
        assert!(told.message().contains("changed"), "{told}");
        assert!(told.message().contains("--restart"), "{told}");
        assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);
        let still = scene.read("f.bin.part");
        assert!(still.len() <= partial.len() && partial.starts_with(&still), "the partial is as it was");
        // It is kept for a reason: should the old version come back, it goes on.
        peer.replace(Version::new(old, "v1"));
        let told = scene.run(&args, 0);
        assert_eq!((told.kept(), told.fetched() < SIZE), (kept, true), "{told}");
        old.assert_file_is(scene.path("f.bin"));
    }
}

#[test]
fn a_change_between_two_lanes_never_mixes_versions() {
    let (old, new) = (Content::new(39, SIZE), Content::new(40, SIZE));
    for (lanes, how) in [("1", Cut::Fin), ("2", Cut::Fin), ("8", Cut::Rst)] {
        // The first connections carry the old version and are cut; whatever comes later gets the new one.
        let behaviour = slow(Behaviour::of(old))
            .cut(Which::First(8), MIB, how)
            .replaced_after(MIB / 2, later(new, strong("v2")));
        let peer = HttpPeer::start(behaviour);
        let scene = Scene::new();
        let told = scene.run(&["-n", lanes, &peer.url("/f.bin")], 0);
        assert_eq!(told.all("changed").len(), 1, "{told}");
        new.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    }
}

#[test]
fn a_change_in_mid_run_may_be_made_the_end() {
    let (old, new) = (Content::new(41, SIZE), Content::new(42, SIZE));
    let behaviour = slow(Behaviour::of(old))
        .cut(Which::First(4), MIB, Cut::Fin)
        .replaced_after(MIB / 2, later(new, strong("v2")));
    let peer = HttpPeer::start(behaviour);
    let scene = Scene::new();
    let told = scene.run(&["-n", "2", "--on-change", "fail", &peer.url("/f.bin")], 5);
    assert!(told.failed()["kept"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);
}

#[test]
fn a_file_taken_over_and_found_to_be_ours_is_dropped_like_ours_when_it_changes() {
    let (old, new) = (Content::new(55, SIZE), Content::new(56, SIZE));
    let behaviour = Behaviour::of(old)
        .cut(Which::Every, 3 * MIB, Cut::Fin)
        .replaced_after(5 * MIB, later(new, strong("v2")));
    // What goes out while haul is not looking counts as well: it has half a second until it has compared.
    let peer = HttpPeer::start(behaviour.rate(Which::Every, 8 * MIB));
    let scene = Scene::new();
    old.write_first(scene.path("f.bin"), SIZE / 2);
    let told = scene.run(&["-n", "1", "-c", &peer.url("/f.bin")], 0);
    assert_eq!(told.all("changed").len(), 1, "{told}");
    new.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

/// What went out cannot be taken back, and no option that is for files can help.
#[test]
fn a_change_ends_what_goes_to_standard_output_and_is_called_so() {
    let (old, new) = (Content::new(41, SIZE), Content::new(42, SIZE));
    let behaviour = slow(Behaviour::of(old))
        .cut(Which::First(1), 4 * MIB, Cut::Fin)
        .replaced_after(MIB, later(new, strong("v2")));
    let peer = HttpPeer::start(behaviour);
    let scene = Scene::new();
    let end = scene.get(&["-o", "-", &peer.url("/f.bin")]).run().expect_code(5);
    assert_eq!(end.stdout.len() as u64, 4 * MIB);
    assert!(
        end.stdout == old.bytes(0..4 * MIB),
        "the beginning of the old version, and nothing of the new one"
    );
    let said = Told::by(end).message();
    assert!(said.contains("changed") && said.contains("-o FILE"), "{said}");
    assert!(!said.contains("--restart") && !said.contains("--checksum"), "{said}");
}

#[test]
fn a_strong_tag_goes_on_without_looking_back() {
    for lanes in [1, 8] {
        goes_on(lanes, Behaviour::of(Content::new(43, SIZE)), |_| {}, &["etag"]);
        goes_on(lanes, Behaviour::of(Content::new(43, SIZE)).etag(ETags::None), |_| {}, &["date"]);
    }
}

#[test]
fn a_weak_tag_only_goes_on_by_comparing_bytes() {
    for lanes in [1, 8] {
        let behaviour = Behaviour::of(Content::new(44, SIZE)).etag(ETags::Weak("w".into())).modified(None);
        goes_on(lanes, behaviour, |_| {}, &["overlap"]);
    }
}

#[test]
fn no_validator_at_all_goes_on_by_comparing_bytes() {
    for lanes in [1, 8] {
        goes_on(lanes, Behaviour::of(Content::new(45, SIZE)).without_validators(), |_| {}, &["overlap"]);
    }
}

#[test]
fn nodes_that_disagree_on_the_tag_of_the_same_bytes_are_seen_through() {
    for lanes in [1, 8] {
        for modified in [Some(1_700_000_000), None] {
            let content = Content::new(46, SIZE);
            let noisy = |tags| Behaviour::of(content).etag(tags).modified(modified);
            goes_on(lanes, noisy(ETags::PerRequest), |_| {}, &["overlap"]);
        }
    }
}

/// Which of two nodes a question meets is chance as soon as several lanes ask. Three times the same new tag in a row is
/// a change by the rule (docs/resuming.md), so with eight lanes it may begin anew; the file is right in any case.
#[test]
fn two_nodes_with_a_tag_each_give_the_right_file() {
    for modified in [Some(1_700_000_000), None] {
        let content = Content::new(46, SIZE);
        // Of two nodes the one that is met may be the one that is known: then its tag says enough.
        let two = || ETags::Cycle(vec!["node-a".into(), "node-b".into()]);
        let noisy = || Behaviour::of(content).etag(two()).modified(modified);
        goes_on(1, noisy(), |_| {}, &["overlap", "etag"]);
        let peer = HttpPeer::start(slow(noisy()));
        let scene = Scene::new();
        let args = ["-n", "8", &peer.url("/f.bin")];
        scene.killed_after(&peer, SIZE / 2, &args);
        scene.run(&args, 0);
        content.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    }
}

#[test]
fn the_same_tag_with_another_date_is_settled_by_bytes() {
    for lanes in [1, 8] {
        let behaviour = Behaviour::of(Content::new(47, SIZE));
        goes_on(lanes, behaviour, |b| b.version.modified = Some(1_700_000_999), &["overlap"]);
    }
    let old = Content::new(48, SIZE);
    replaced_between_runs("1", Behaviour::of(old), later(Content::new(49, SIZE), strong("v1")));
}

#[test]
fn two_versions_that_take_turns_for_ever_end_it() {
    let versions = [("va", 50), ("vb", 51)].map(|(tag, seed)| Version::new(Content::new(seed, SIZE), tag));
    let behaviour = Behaviour { version: versions[0].clone(), ..slow(Behaviour::of(versions[0].content)) };
    let peer = HttpPeer::start(behaviour.cut(Which::Every, MIB / 2, Cut::Fin));
    let scene = Scene::new();
    let mut haul = scene.get(&["-n", "1", &peer.url("/f.bin")]).spawn();
    let (mut turn, mut goal) = (0, 2 * MIB);
    while haul.is_running() {
        if peer.body_sent() > goal {
            turn += 1;
            goal += 2 * MIB;
            peer.replace(versions[turn % 2].clone());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let told = Told::by(haul.wait_at_most(SOON).expect_code(5));
    assert_eq!(told.all("changed").len(), 2, "two restarts in one run, and no more\n{told}");
    assert!(!scene.path("f.bin").exists());
}
