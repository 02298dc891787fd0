//! A system that fails where it seldom does: reads and syncs that fail, threads that cannot be had, file systems that know
//! fewer ways to give a name. strace makes its calls fail; without strace these tests are skipped, and say so.

use std::process::Command;

use haul_testkit::{
    Behaviour, Content, Haul, HttpPeer,
    hostile::{ETags, Version, Which},
};

use crate::scene::{MIB, SOON, Scene, Told};

const SIZE: u64 = 16 * MIB;

/// `haul get` here under these faults, with haul's own process number: strace stands beside it.
fn failing(scene: &Scene, faults: &[&str], args: &[&str]) -> Option<Haul> {
    let works = Command::new("strace").args(["-D", "-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: strace does not work here");
        return None;
    }
    let strace = Haul::new("strace").args(["-D", "-f", "-qqq", "-o", "/dev/null"]).args(faults);
    let haul = strace.args([env!("CARGO_BIN_EXE_haul"), "get", "--progress", "json"]).args(args);
    Some(haul.dir(scene.dir()))
}

fn slow(content: Content) -> HttpPeer {
    HttpPeer::start(Behaviour::of(content).rate(Which::Every, 16 * MIB))
}

#[test]
fn what_could_not_be_saved_is_not_said_to_be_kept() {
    let content = Content::new(141, SIZE);
    let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 3 * MIB));
    let scene = Scene::new();
    let args = ["-n", "1", &peer.url("/f.bin")];
    scene.stopped_after(&peer, SIZE / 4, &args);
    let faults = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1"];
    let Some(haul) = failing(&scene, &faults, &args) else { return };
    let told = Told::by(haul.run().expect_code(7));
    let kept = told.kept();
    assert!(told.message().contains("saving f.bin.part"), "{told}");
    assert_eq!(told.failed()["kept"], kept, "what came in that run was not saved\n{told}");
    peer.change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&args, 0);
    assert_eq!(told.kept(), kept, "{told}");
    content.assert_file_is(scene.path("f.bin"));
}

#[test]
fn bytes_that_cannot_be_read_are_not_taken_for_other_bytes() {
    let content = Content::new(142, SIZE);
    let peer = slow(content);
    peer.replace(Version { content, etag: ETags::None, modified: None });
    let scene = Scene::new();
    let args = ["-n", "1", &peer.url("/f.bin")];
    scene.stopped_after(&peer, SIZE / 2, &args);
    let part = scene.read("f.bin.part");
    // The first read is that of the last bytes, when the partial is found.
    let path = scene.path("f.bin.part");
    let only = ["-P", path.to_str().unwrap(), "-e", "trace=pread64"];
    let faults = [&only[..], &["-e", "inject=pread64:error=EIO:when=2+"]].concat();
    let Some(haul) = failing(&scene, &faults, &args) else { return };
    let told = Told::by(haul.run().expect_code(7));
    assert!(told.message().contains("reading f.bin.part"), "{told}");
    assert!(told.all("changed").is_empty(), "{told}");
    assert_eq!(told.failed()["kept"], part.len(), "{told}");
    assert!(scene.read("f.bin.part") == part, "the partial is as it was");
    let told = scene.run(&args, 0);
    assert_eq!(told.kept(), part.len() as u64, "{told}");
    content.assert_file_is(scene.path("f.bin"));
}

#[test]
fn a_file_system_without_links_and_without_renames_that_refuse_gets_its_files() {
    let content = Content::new(143, MIB);
    let peer = HttpPeer::start(Behaviour::of(content));
    let scene = Scene::new();
    let url = peer.url("/f.bin");
    let faults = [
        "-e",
        "trace=renameat2,link,linkat",
        "-e",
        "inject=renameat2:error=EINVAL",
        "-e",
        "inject=link,linkat:error=EPERM",
    ];
    let Some(haul) = failing(&scene, &faults, &[&url]) else { return };
    haul.run().expect_code(0);
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
    // And what is there already is kept there, too.
    scene.write("f.bin", "mine");
    let wrong = "md5=00000000000000000000000000000000";
    scene.write("f.bin.bad", "mine, too");
    let args = ["--overwrite", "--checksum", wrong, &url];
    failing(&scene, &faults, &args).unwrap().run().expect_code(6);
    assert_eq!(scene.read("f.bin"), b"mine");
    assert_eq!(scene.read("f.bin.bad"), b"mine, too");
    assert_eq!(scene.files(), ["f.bin", "f.bin.bad", "f.bin.bad.1"]);
}

#[test]
fn where_no_more_threads_can_be_had_fewer_do() {
    let content = Content::new(144, SIZE);
    let peer = slow(content);
    let url = peer.url("/f.bin");
    // The first is for signals, two look at what is there, one writes; the others bring bytes and save them.
    for (which, code) in [("1", 0), ("2", 7), ("3", 7), ("4", 7), ("5+", 0)] {
        let scene = Scene::new();
        let fault = format!("inject=clone3:error=EAGAIN:when={which}");
        let faults = ["-e", "trace=clone3", "-e", &fault];
        let Some(haul) = failing(&scene, &faults, &["-n", "4", &url]) else { return };
        let told = haul.run().expect_code(code);
        assert!(!told.stderr.contains("panicked"), "thread {which}\n{}", told.stderr);
        if code == 0 {
            content.assert_file_is(scene.path("f.bin"));
        } else {
            assert!(told.stderr.contains("no thread for"), "thread {which}\n{}", told.stderr);
        }
    }
}

#[test]
fn a_stop_while_somebody_elses_file_is_set_aside_is_heeded() {
    let content = Content::new(145, SIZE);
    let peer = slow(content);
    let scene = Scene::new();
    let other = Content::new(146, SIZE / 2);
    other.write_to(scene.path("f.bin"));
    let faults = ["-e", "trace=renameat2", "-e", "inject=renameat2:delay_enter=1500000"];
    let Some(haul) = failing(&scene, &faults, &["-n", "1", "-c", &peer.url("/f.bin")]) else { return };
    let haul = haul.spawn();
    haul.wait_for_line(|line| line.contains("begun anew"), SOON);
    haul.interrupt();
    haul.wait_at_most(SOON).expect_code(130);
    other.assert_file_is(scene.path("f.bin.old"));
    scene.run(&["-n", "1", &peer.url("/f.bin")], 0);
    content.assert_file_is(scene.path("f.bin"));
}
