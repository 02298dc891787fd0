//! `haul put` and files that are not what they seem: somebody else's that came meanwhile, and what was sent before the
//! local file became another one. Nothing is replaced unasked, and nothing old is called done.

use std::{
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

use haul_testkit::{Content, FtpBehaviour, FtpPeer, real::PureFtpd};

use crate::scene::{MIB, SOON, Told, upload::Upload};

const SIZE: u64 = 8 * MIB + 4321;
const CONTENT: Content = Content::new(170, SIZE);
/// A stranger's.
const OTHER: Content = Content::new(171, SIZE / 2);
/// So slow that it is caught in the middle.
const SLOW: &str = "8M";

fn date(path: &Path, to: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(to).unwrap();
}

#[test]
fn a_server_that_stores_it_under_another_name_has_not_replaced_the_file_of_that_size() {
    let upload = Upload::of("f.bin", CONTENT);
    let old = Content::new(172, SIZE);
    old.write_to(upload.far("f.bin"));
    let Some(server) = PureFtpd::over(upload.root()).argument("--autorename").start() else { return };
    let told = upload.run(&["--if-exists", "overwrite", "f.bin", &server.login_url("/f.bin")], 8);
    assert!(told.message().contains("did not become"), "{told}");
    old.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_file_that_came_meanwhile_is_not_replaced_by_the_renaming() {
    let peer = FtpPeer::start(FtpBehaviour::proper());
    let upload = Upload::of("f.bin", CONTENT);
    let url = peer.url("f.bin");
    let haul = upload.put(&["--temp-name", "--limit-rate", SLOW, "f.bin", &url]).spawn();
    peer.wait_until_received(2 * MIB, SOON);
    peer.put("f.bin", OTHER);
    let told = Told::by(haul.wait().expect_code(8));
    assert!(told.message().contains("--if-exists overwrite"), "{told}");
    peer.assert_file_is("f.bin", OTHER);
    peer.assert_file_is("f.bin.part", CONTENT);
    let told = upload.run(&["--temp-name", "--if-exists", "overwrite", "f.bin", &url], 0);
    assert_eq!(told.fetched(), 0, "{told}");
    peer.assert_file_is("f.bin", CONTENT);
}

#[test]
fn a_file_that_was_changed_right_after_it_was_sent_is_not_taken_for_the_one_that_is_there() {
    for without in [&["MFMT"][..], &[]] {
        let peer = FtpPeer::start(FtpBehaviour::proper().without(without));
        let upload = Upload::of("f.bin", CONTENT);
        let url = peer.url("f.bin");
        upload.run(&["f.bin", &url], 0);
        // Within the second that the server's date tells.
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(peer.modified("f.bin").unwrap());
        let mut changed = CONTENT.bytes(0..SIZE);
        changed[..9].copy_from_slice(b"a new one");
        std::fs::write(upload.local("f.bin"), &changed).unwrap();
        date(&upload.local("f.bin"), second + Duration::from_nanos(999_999_999));
        let told = upload.run(&["f.bin", &url], 8);
        assert!(told.message().contains("--verify full"), "{told}");
        upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
        assert!(peer.file("f.bin").unwrap() == changed, "it was sent");
    }
}

#[test]
fn what_is_longer_than_anything_that_was_sent_is_not_taken_for_what_was_begun() {
    let longer = Content::new(173, SIZE + 5);
    let peer = FtpPeer::start(FtpBehaviour::proper());
    let upload = Upload::of("f.bin", CONTENT);
    let url = peer.url("f.bin");
    let haul = upload.put(&["--limit-rate", SLOW, "f.bin", &url]).spawn();
    peer.wait_until_received(2 * MIB, SOON);
    haul.kill_9();
    peer.wait_until(SOON, "the session is over", |peer| peer.open() == 0);
    peer.put("f.bin", longer);
    let told = upload.run(&["f.bin", &url], 8);
    assert!(told.message().contains("left alone"), "{told}");
    peer.assert_file_is("f.bin", longer);
    upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
    peer.assert_file_is("f.bin", CONTENT);
}
