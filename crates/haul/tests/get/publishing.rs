//! The moment between the last byte and the name: what is published is our own file, it is the version that the far end
//! has, and whatever is in the way costs nothing that was fetched.

use haul_testkit::{
    Behaviour, Content, HttpPeer,
    hostile::{ETags, Version, Which},
};

use crate::scene::{MIB, SOON, Scene, Told};

const SIZE: u64 = 8 * MIB;

fn slow(content: Content) -> HttpPeer {
    HttpPeer::start(Behaviour::of(content).rate(Which::Every, 16 * MIB))
}

#[test]
fn a_half_file_that_took_our_name_is_not_published() {
    let (old, new) = (Content::new(131, SIZE), Content::new(132, SIZE));
    let (first, second) = (slow(old), HttpPeer::start(Behaviour::of(new).rate(Which::Every, MIB)));
    let scene = Scene::new();
    let haul = scene.get(&["-n", "1", "-o", "f.bin", &first.url("/f.bin")]).spawn();
    first.wait_until_sent(SIZE / 4, SOON);
    scene.files().iter().for_each(|name| std::fs::remove_file(scene.path(name)).unwrap());
    let other = scene.get(&["-n", "1", "-o", "f.bin", &second.url("/f.bin")]).spawn();
    second.wait_until_sent(MIB / 2, SOON);
    let told = Told::by(haul.wait_at_most(SOON).expect_code(7));
    assert!(told.message().contains("f.bin.part was removed or replaced"), "{told}");
    assert!(told.message().contains("run the same command again"), "{told}");
    assert_eq!(told.failed()["kept"], 0, "{told}");
    assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"], "the other one's, and no file of that name");
    second.change(|behaviour| behaviour.rates.clear());
    other.wait_at_most(SOON).expect_code(0);
    new.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

/// A run that fetched everything and found another file under the name.
fn left_whole(scene: &Scene, peer: &HttpPeer, args: &[&str]) {
    let goal = peer.body_sent() + SIZE / 2;
    let haul = scene.get(args).spawn();
    peer.wait_until_sent(goal, SOON);
    scene.write("f.bin", "mine");
    let told = Told::by(haul.wait_at_most(SOON).expect_code(7));
    assert!(told.message().contains("--overwrite"), "{told}");
    assert_eq!(told.failed()["kept"], SIZE, "{told}");
    assert_eq!(scene.read("f.bin"), b"mine");
}

#[test]
fn what_was_left_whole_is_published_once_the_server_says_that_it_is_the_same() {
    let content = Content::new(133, SIZE);
    let peer = slow(content);
    let scene = Scene::new();
    let args = ["-n", "1", &peer.url("/f.bin")];
    left_whole(&scene, &peer, &args);
    peer.forget_requests();
    let told = scene.run(&["--overwrite", args[0], args[1], args[2]], 0);
    assert_eq!((told.kept(), told.verified()), (SIZE, "etag"), "{told}");
    assert_eq!(peer.requests().len(), 1, "one question");
    assert!(told.fetched() <= 1, "{told}");
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn what_was_left_whole_and_has_changed_since_is_not_published() {
    let (old, new) = (Content::new(134, SIZE), Content::new(135, SIZE));
    let peer = slow(old);
    let scene = Scene::new();
    let args = ["-n", "1", "--overwrite", &peer.url("/f.bin")];
    left_whole(&scene, &peer, &[args[0], args[1], args[3]]);
    peer.replace(Version::new(new, "v2"));
    let fails = [&args[..], &["--on-change", "fail"]].concat();
    let told = scene.run(&fails, 5);
    assert_eq!(told.failed()["kept"], SIZE, "{told}");
    assert_eq!(scene.read("f.bin"), b"mine");
    let told = scene.run(&args, 0);
    assert_eq!(told.all("changed").len(), 1, "{told}");
    new.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn what_was_left_whole_is_kept_while_nobody_can_say_whether_it_is_the_same() {
    let content = Content::new(138, SIZE);
    let peer = slow(content);
    let scene = Scene::new();
    let args = ["-n", "1", "--retries", "0", &peer.url("/f.bin")];
    left_whole(&scene, &peer, &args);
    drop(peer);
    let told = scene.run(&[&args[..], &["--overwrite"]].concat(), 3);
    assert!(told.message().contains("all bytes are here"), "{told}");
    assert_eq!(told.failed()["kept"], SIZE, "{told}");
    assert_eq!(scene.files(), ["f.bin", "f.bin.part", "f.bin.part.haul"]);
}

#[test]
fn what_was_left_whole_without_validators_is_compared_by_its_bytes() {
    let (old, new) = (Content::new(136, SIZE), Content::new(137, SIZE));
    for now in [old, new] {
        let bare = |content| Version { content, etag: ETags::None, modified: None };
        let peer = slow(old);
        peer.replace(bare(old));
        let scene = Scene::new();
        let args = ["-n", "1", "--overwrite", &peer.url("/f.bin")];
        left_whole(&scene, &peer, &[args[0], args[1], args[3]]);
        peer.replace(bare(now));
        let told = scene.run(&args, 0);
        if now == old {
            assert_eq!(told.verified(), "overlap", "{told}");
            assert!(told.fetched() < MIB, "{told}");
        } else {
            assert!(told.says_begun_anew(), "{told}");
        }
        now.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_hands_on_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let content = Content::new(139, MIB);
    let peer = HttpPeer::start(Behaviour::of(content));
    let scene = Scene::new();
    scene.write("f.bin", "for my eyes only");
    std::fs::set_permissions(scene.path("f.bin"), std::fs::Permissions::from_mode(0o600)).unwrap();
    scene.run(&["--overwrite", &peer.url("/f.bin")], 0);
    content.assert_file_is(scene.path("f.bin"));
    assert_eq!(scene.path("f.bin").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
