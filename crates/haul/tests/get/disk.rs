//! Disks that are full or closed: said before a byte comes where that can be known, and nothing is lost where not.

use std::{fs::File, io::Write as _, path::Path};

use haul_testkit::{
    Behaviour, Content, HttpPeer,
    disk::{ReadOnlyDisk, SmallDisk},
    hostile::{Length, Ranges, Which},
};

use crate::scene::{MIB, SOON, Told, files, get, haul, taken_from, wait_until};

const SIZE: u64 = 12 * MIB;

#[track_caller]
fn run(dir: &Path, args: &[&str], code: i32) -> Told {
    Told::by(get(dir, args).run().expect_code(code))
}

/// The run ended for want of room and kept what it had; with more room it goes on.
#[track_caller]
fn goes_on_with_room(disk: &SmallDisk, told: &Told, content: Content, args: &[&str]) {
    assert!(told.message().contains("no space") && told.message().contains("make room"), "{told}");
    let kept = told.failed()["kept"].as_u64().unwrap();
    assert!(kept > 4 * MIB, "{told}");
    assert_eq!(files(disk.path()), ["f.bin.part", "f.bin.part.haul"]);
    let status = haul().args(["status", "f.bin"]).dir(disk.path()).run().expect_code(0);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("no space"), "{status}");
    disk.resize(64 * MIB);
    let told = run(disk.path(), args, 0);
    assert!(told.kept() + MIB > kept, "{kept} bytes were said to be kept\n{told}");
    assert!(told.fetched() < SIZE - told.kept() + MIB, "{told}");
    content.assert_file_is(disk.path().join("f.bin"));
    assert_eq!(files(disk.path()), ["f.bin"]);
}

#[test]
fn a_disk_that_a_file_of_unknown_size_fills_is_no_loss() {
    let Some(disk) = SmallDisk::new(8 * MIB) else { return };
    let content = Content::new(111, SIZE);
    let peer = HttpPeer::start(Behaviour::of(content).length(Length::Chunked).ranges(Ranges::Ignored));
    let args = ["-n", "1", &peer.url("/f.bin")];
    let told = run(disk.path(), &args, 7);
    peer.change(|behaviour| behaviour.ranges = Ranges::Proper);
    goes_on_with_room(&disk, &told, content, &args);
}

#[test]
fn a_disk_that_somebody_else_fills_in_mid_run_is_no_loss() {
    for lanes in ["1", "4"] {
        let Some(disk) = SmallDisk::new(20 * MIB) else { return };
        let content = Content::new(112, SIZE);
        let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 8 * MIB));
        let args = ["-n", lanes, &peer.url("/f.bin")];
        let haul = get(disk.path(), &args).spawn();
        peer.wait_until_sent(5 * MIB, SOON);
        let filler = disk.path().join("filler");
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[1; 64 << 10]).is_ok() {}
        let told = Told::by(haul.wait_at_most(SOON).expect_code(7));
        std::fs::remove_file(filler).unwrap();
        goes_on_with_room(&disk, &told, content, &args);
    }
}

#[test]
fn no_byte_is_taken_where_there_is_no_room_for_all() {
    let Some(disk) = SmallDisk::new(8 * MIB) else { return };
    let content = Content::new(113, SIZE);
    let peer = HttpPeer::start(Behaviour::of(content));
    for lanes in ["1", "8"] {
        let told = run(disk.path(), &["-n", lanes, &peer.url("/f.bin")], 7);
        assert!(told.message().contains("room"), "{told}");
        assert!(files(disk.path()).is_empty(), "{:?}", files(disk.path()));
    }
}

#[test]
fn a_resumed_file_needs_room_only_for_its_rest() {
    let Some(disk) = SmallDisk::new(16 * MIB) else { return };
    let content = Content::new(114, SIZE);
    let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 16 * MIB));
    let args = ["-n", "1", &peer.url("/f.bin")];
    peer.hold_at(Some(8 * MIB));
    let haul = get(disk.path(), &args).spawn();
    wait_until(|| taken_from(&peer) >= 8 * MIB);
    haul.kill_9();
    peer.hold_at(None);
    let told = run(disk.path(), &args, 0);
    assert!(told.kept() > 4 * MIB, "{told}");
    content.assert_file_is(disk.path().join("f.bin"));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let content = Content::new(115, MIB);
    let peer = HttpPeer::start(Behaviour::of(content));
    let Some(disk) = ReadOnlyDisk::new(|path| std::fs::write(path.join("old"), "x").unwrap()) else { return };
    let told = run(disk.path(), &[&peer.url("/f.bin")], 7);
    assert!(told.message().contains("read-only") || told.message().contains("permission"), "{told}");
    assert_eq!(files(disk.path()), ["old"]);
}

#[test]
fn a_partial_in_a_folder_that_became_read_only_is_left_as_it_is() {
    let content = Content::new(116, SIZE);
    let peer = HttpPeer::start(Behaviour::of(content).rate(Which::Every, 16 * MIB));
    let url = peer.url("/f.bin");
    let args = ["-n", "1", &url];
    let Some(disk) = ReadOnlyDisk::new(|dir| {
        peer.hold_at(Some(6 * MIB));
        let haul = get(dir, &args).spawn();
        wait_until(|| taken_from(&peer) >= 6 * MIB);
        haul.kill_9();
        peer.hold_at(None);
    }) else {
        return;
    };
    let told = run(disk.path(), &args, 7);
    assert!(told.message().contains("read-only") || told.message().contains("permission"), "{told}");
    disk.set_writable(true);
    let told = run(disk.path(), &args, 0);
    assert!(told.kept() > 4 * MIB, "{told}");
    content.assert_file_is(disk.path().join("f.bin"));
}
