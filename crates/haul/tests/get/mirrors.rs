//! The same file from elsewhere: used beside the first source where a checksum guards the whole, else only when the
//! first one fails, and never believed without a look.

use crate::scene::{MIB, SOON, Scene, Told, wait_until};
use haul_testkit::hostile::{RetryAfter, Which};
use haul_testkit::{Behaviour, Content, Cut, HttpPeer, Link};
use sha2::{Digest as _, Sha256};

const FILE: Content = Content::new(51, 24 * MIB);

fn peer(behaviour: Behaviour) -> HttpPeer {
    HttpPeer::start(behaviour.rate(Which::Every, 8 * MIB))
}

#[test]
fn with_a_checksum_all_mirrors_bring_their_part() {
    // The nodes of a mirror network agree about the bytes and about nothing else.
    let first = peer(Behaviour::of(FILE));
    let other = Behaviour::of(FILE).modified(Some(1_650_000_000)).etag(haul_testkit::hostile::ETags::None);
    let second = peer(other);
    let scene = Scene::new();
    let digest = Sha256::digest(FILE.bytes(0..FILE.size()));
    let sum = format!("sha-256={digest:x}");
    let told =
        scene.run(&["-n", "4", "--checksum", &sum, "--mirror", &second.url("/g"), &first.url("/f.bin")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert_eq!(told.verified(), "digest");
    let (a, b) = (first.body_sent(), second.body_sent());
    assert!(a > 4 * MIB && b > 4 * MIB, "{a} and {b}");
    assert!(a + b < FILE.size() + 4 * MIB, "{a} and {b}");
}

#[test]
fn without_a_checksum_a_mirror_is_asked_only_when_the_first_dies() {
    let first = peer(Behaviour::of(FILE));
    let second = peer(Behaviour::of(FILE).modified(Some(1_650_000_000)));
    let scene = Scene::new();
    scene.run(&["--mirror", &second.url("/g"), &first.url("/f.bin")], 0);
    assert_eq!(second.requests().len(), 0, "the first one was well");
    scene.assert_only("f.bin");

    let link = Link::to(first.addr());
    let scene = Scene::new();
    let url = link.url("/f.bin");
    let haul = scene.get(&["-n", "2", "--mirror", &second.url("/g"), &url]).spawn();
    wait_until(|| link.passed() > 6 * MIB);
    link.refuse(true);
    link.kill_all(Cut::Rst);
    let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(second.body_sent() > MIB, "{told}");
    assert!(second.body_sent() < FILE.size() - 4 * MIB, "what the first brought is kept\n{told}");
    assert_eq!(told.verified(), "overlap", "{told}");
}

#[test]
fn a_mirror_with_another_file_is_not_mixed_in() {
    let first = peer(Behaviour::of(FILE));
    let second = peer(Behaviour::of(Content::new(52, FILE.size())));
    let link = Link::to(first.addr());
    let scene = Scene::new();
    let url = link.url("/f.bin");
    let haul = scene.get(&["-n", "2", "--retries", "3", "--mirror", &second.url("/g"), &url]).spawn();
    wait_until(|| link.passed() > 6 * MIB);
    link.refuse(true);
    link.kill_all(Cut::Rst);
    let told = Told::by(haul.wait_at_most(SOON).expect_code(3));
    assert!(told.failed()["kept"].as_u64() > Some(4 * MIB), "{told}");
    assert!(second.body_sent() < 2 * MIB, "it was compared and left alone\n{told}");
    assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);

    link.refuse(false);
    scene.run(&[&url], 0);
    FILE.assert_file_is(scene.path("f.bin"));
}

#[test]
fn a_first_source_without_the_file_is_no_end_while_there_is_a_mirror() {
    let first = peer(Behaviour::of(FILE).refuses(Which::Every, 404, RetryAfter::None));
    let second = peer(Behaviour::of(FILE));
    let scene = Scene::new();
    scene.run(&["-n", "4", "--mirror", &second.url("/g"), &first.url("/f.bin")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
}
