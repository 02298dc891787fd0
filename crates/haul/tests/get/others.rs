//! What belongs to somebody else stays theirs: files that haul did not write, pipes and devices in the way, and
//! secrets meant for one server.

use crate::scene;
use std::os::unix::fs::FileExt as _;

use crate::scene::{MIB, Scene, Told};
use haul_testkit::hostile::Which;
use haul_testkit::{Behaviour, Content, Cut, HttpPeer, Link};
use sha2::{Digest as _, Sha256};

const FILE: Content = Content::new(71, 8 * MIB);

fn peer() -> HttpPeer {
    HttpPeer::start(Behaviour::of(FILE))
}

/// A file of another program with a hole in it, as images of disks have them.
fn sparse(scene: &Scene, name: &str) -> Vec<u8> {
    scene.write(name, b"");
    let file = std::fs::File::options().write(true).open(scene.path(name)).unwrap();
    file.write_all_at(b"precious", 2 * MIB).unwrap();
    scene.read(name)
}

#[test]
fn a_mirror_of_another_origin_gets_no_secrets() {
    let (first, mirror) = (peer(), peer());
    let sum = format!("sha-256={:x}", Sha256::digest(FILE.bytes(0..FILE.size())));
    let scene = Scene::new();
    let secrets = ["-u", "me:geheim", "-H", "Cookie: sid=42", "-H", "X-Api-Key: k"];
    let rest = ["-n", "4", "--checksum", &sum, "--mirror", &mirror.url("/g"), &first.url("/f.bin")];
    scene.run(&[&secrets[..], &rest[..]].concat(), 0);
    let has =
        |peer: &HttpPeer, field: &str| peer.requests().iter().any(|request| request.field(field).is_some());
    for field in ["authorization", "cookie", "x-api-key"] {
        assert!(has(&first, field), "{field} goes where it was meant to go");
        assert!(!has(&mirror, field), "{field} went to the mirror");
    }
    assert!(!mirror.requests().is_empty());
}

#[test]
fn a_sparse_file_that_c_was_wrong_about_is_kept() {
    let peer = peer();
    let scene = Scene::new();
    let before = sparse(&scene, "f.bin");
    let told = scene.run(&["-c", &peer.url("/f.bin")], 0);
    assert!(told.says_begun_anew(), "{told}");
    FILE.assert_file_is(scene.path("f.bin"));
    assert_eq!(scene.read("f.bin.old"), before);
}

#[test]
fn a_strangers_part_is_not_touched_before_a_server_has_answered_and_kept_after() {
    let scene = Scene::new();
    let before: Vec<u8> = Content::new(72, MIB).bytes(0..MIB).to_vec();
    scene.write("f.bin.part", &before);
    let peer = peer();
    let link = Link::to(peer.addr());
    link.refuse(true);
    let args = ["-o", "f.bin", &link.url("/f.bin")];
    scene.run(&args, 3);
    assert_eq!(scene.read("f.bin.part"), before);
    link.refuse(false);
    scene.run(&args, 0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert_eq!(scene.read("f.bin.old"), before);
}

#[test]
fn a_file_that_c_was_wrong_about_is_kept_though_the_first_run_came_to_nothing() {
    let peer = peer();
    // It answers, and breaks before anything can be compared.
    peer.change(|behaviour| behaviour.cut = Some((Which::Every, 0, Cut::Rst)));
    let scene = Scene::new();
    let before: Vec<u8> = Content::new(73, MIB).bytes(0..MIB).to_vec();
    scene.write("f.bin", &before);
    scene.run(&["-c", "--retries", "1", &peer.url("/f.bin")], 3);
    peer.change(|behaviour| behaviour.cut = None);
    scene.run(&["-c", &peer.url("/f.bin")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert_eq!(scene.read("f.bin.old"), before);
}

#[test]
fn a_pipe_named_like_a_journal_holds_nobody_up() {
    let scene = Scene::new();
    scene.write("z.part", b"");
    let made = std::process::Command::new("mkfifo").arg(scene.path("z.part.haul")).status().unwrap();
    assert!(made.success());
    let peer = peer();
    let haul = scene.get(&[&peer.url("/f.bin")]).spawn();
    Told::by(haul.wait_at_most(scene::SOON).expect_code(0));
    FILE.assert_file_is(scene.path("f.bin"));
}

#[test]
fn what_is_no_file_is_never_replaced() {
    let scene = Scene::new();
    let made = std::process::Command::new("mkfifo").arg(scene.path("pipe")).status().unwrap();
    assert!(made.success());
    let told = scene.run(&["--overwrite", "-o", "pipe", &peer().url("/f.bin")], 7);
    assert!(told.message().contains("not a regular file"), "{told}");
}
