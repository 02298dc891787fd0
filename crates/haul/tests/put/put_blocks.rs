//! `haul put` in MODE B, where a server says that it has it: the end is told, what a 110 told is counted, and whoever is
//! killed, the right file comes about and never a half.

use haul_testkit::{Content, FtpBehaviour, FtpPeer, Serve};

use crate::scene::{
    MIB, SOON, Told, haul,
    served::{owner, received, serve},
    upload::Upload,
    wait_until,
};

/// More than lies between two markers of our own.
const SIZE: u64 = 44 * MIB + 4321;
const MARKED: u64 = 32 * MIB;
const CONTENT: Content = Content::new(70, SIZE);
const SMALL: Content = Content::new(71, 200_000);

fn server(upload: &Upload) -> Serve {
    serve(upload.root())
}

#[test]
fn an_upload_goes_in_blocks_and_its_markers_are_heard() {
    let upload = Upload::in_memory_of("f.bin", CONTENT);
    let served = server(&upload).start();
    let url = served.url("/f.bin");
    let args = ["put", "-v", "--progress", "none", "f.bin", &url];
    let end = haul().args(args).dir(upload.local("").as_path()).env("XDG_STATE_HOME", upload.state()).run();
    let end = end.expect_code(0);
    for line in ["MODE B", &format!("110 MARK {MARKED} = {MARKED}"), "226 "] {
        assert!(end.stderr.contains(line), "{line}\n{}", end.stderr);
    }
    CONTENT.assert_file_is(upload.far("f.bin"));
    assert_eq!(upload.run(&["f.bin", &url], 0).fetched(), 0, "and is not sent again");
    // Standard input has no size: its end is told all the same.
    let piped = haul().args(["put", "-q", "-", &served.url("/piped")]).input("some text\n").run();
    piped.expect_code(0);
    assert_eq!(std::fs::read(upload.far("piped")).unwrap(), b"some text\n");
}

#[test]
fn a_killed_client_leaves_what_it_was_told_and_goes_on_there() {
    let upload = Upload::in_memory_of("f.bin", CONTENT);
    let served = server(&upload).start();
    let url = served.url("/f.bin");
    let putting = upload.put(&["--limit-rate", "12M", "f.bin", &url]).spawn();
    wait_until(|| received(upload.root()) >= MARKED + 2 * MIB);
    assert_eq!(putting.kill_9().signal, Some(9), "it was still at work");
    assert!(!upload.far("f.bin").exists());
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.kept() >= MARKED, "{told}");
    assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
    CONTENT.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_killed_server_has_all_that_a_110_told_and_the_client_goes_on_by_itself() {
    let upload = Upload::in_memory_of("f.bin", CONTENT);
    let served = server(&upload).start();
    let url = served.url("/f.bin");
    let putting = upload.put(&["--limit-rate", "12M", "f.bin", &url]).spawn();
    wait_until(|| received(upload.root()) >= MARKED + 4 * MIB);
    let served = served.killed_and_started_again();
    let offset = owner(served.addr()).size("f.bin");
    assert!(offset.is_some_and(|offset| offset >= MARKED), "{offset:?}");
    let told = Told::by(putting.wait_at_most(SOON).expect_code(0));
    assert!(told.fetched() < SIZE + 12 * MIB, "{told}");
    CONTENT.assert_file_is(upload.far("f.bin"));
}

#[test]
fn what_the_server_said_to_be_safe_is_told_of_an_upload_that_was_stopped() {
    let upload = Upload::in_memory_of("f.bin", CONTENT);
    let served = server(&upload).start();
    let putting = upload.put(&["--limit-rate", "12M", "f.bin", &served.url("/f.bin")]).spawn();
    wait_until(|| received(upload.root()) >= MARKED + 4 * MIB);
    putting.interrupt();
    let told = Told::by(putting.wait_at_most(SOON).expect_code(130));
    let kept = told.all("failed")[0]["kept"].as_u64().unwrap();
    assert!((MARKED..SIZE).contains(&kept), "{told}");
}

/// What FEAT says, and how MODE is answered.
fn promises(reply: &str) -> FtpBehaviour {
    let features =
        "211-extensions:\r\n EPSV\r\n MDTM\r\n MODE B;MARK\r\n REST STREAM\r\n SIZE\r\n211 end\r\n";
    FtpBehaviour::proper().instead("FEAT", features).instead("MODE", reply)
}

#[test]
fn a_server_that_promises_blocks_and_has_none_gets_streams() {
    for (reply, stores) in [("504 only S\r\n", 1), ("500 what?\r\n", 1), ("200 fine\r\n", 2)] {
        let (upload, peer) = (Upload::of("f.bin", SMALL), FtpPeer::start(promises(reply)));
        upload.run(&["f.bin", &peer.url("f.bin")], 0);
        peer.assert_file_is("f.bin", SMALL);
        assert_eq!(peer.count("STOR"), stores, "{reply}");
    }
}
