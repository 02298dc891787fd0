//! `haul put -n 8` to `haul serve`: one file over several connections. Whole, killed, cut, with slow lanes, with a server
//! that is killed, with files that change; and one connection where a server takes no more.

use crate::scene::{
    MIB, SOON, Told,
    served::serve,
    upload::{PACE, SIZE, Upload, done, killed, sha256_of},
    uploading::listed,
};
use haul_testkit::{
    Content, Cut, FtpLink, HaulProcess, Link, Lost, Served, UploadBehaviour, UploadPeer,
    hostile::upload::Limits,
};

/// A file of its own content, and a server.
fn stage(seed: u64) -> (Upload, Served, Content) {
    let content = Content::new(seed, SIZE);
    let upload = Upload::of("f.bin", content);
    let server = serve(upload.root()).http().start();
    (upload, server, content)
}

/// How it goes over several connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// In parts of tus, which are joined.
    Http,
    /// In ranges of one upload.
    Ftp,
}

const BOTH: [Over; 2] = [Over::Http, Over::Ftp];

impl Over {
    fn url(self, server: &Served, path: &str) -> String {
        match self {
            Self::Http => server.http_url(path),
            Self::Ftp => server.url(path),
        }
    }
}

/// The most lanes that a run has shown at once.
fn most_lanes(told: &Told) -> usize {
    let lanes = told.all("progress").into_iter().map(|event| event["lanes"].as_array().unwrap().len());
    lanes.max().unwrap_or(0)
}

#[test]
fn eight_lanes_send_a_file_and_it_is_known_again() {
    for over in BOTH {
        let (upload, server, content) = stage(1);
        let args = ["-n", "8", "--limit-rate", PACE, "f.bin", &over.url(&server, "/f.bin")];
        let told = upload.run(&args, 0);
        assert_eq!(told.fetched(), SIZE, "{told}");
        assert_eq!(most_lanes(&told), 8);
        content.assert_file_is(upload.far("f.bin"));
        assert_eq!(upload.run(&args, 0).fetched(), 0);
        assert!(listed(server.http_addr(), "/").is_empty(), "nothing is left behind");
    }
}

/// A run that is still at work when so many bytes are on their way or there.
#[track_caller]
fn at(haul: HaulProcess, bytes: u64) -> HaulProcess {
    haul.wait_for_line(|line| done(line) >= bytes, SOON);
    haul
}

/// What may lie between haul and the server when a connection ends, for each of eight.
const UNDER_WAY: u64 = 8 * (512 << 10);

#[test]
fn after_a_kill_the_same_command_goes_on_with_all_parts() {
    for over in BOTH {
        let (upload, server, content) = stage(2);
        let args = ["-n", "8", "--limit-rate", PACE, "f.bin", &over.url(&server, "/f.bin")];
        killed(at(upload.put(&args).spawn(), SIZE / 2));
        assert!(!upload.far("f.bin").exists(), "nothing is shown before all is there");
        let told = upload.run(&args, 0);
        assert!(told.kept() >= SIZE / 2 - UNDER_WAY, "{told}");
        assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
        assert_eq!(told.verified(), "hash", "both sides made a checksum of the whole");
        assert!(!told.says_begun_anew(), "{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn one_connection_goes_on_with_what_eight_have_begun() {
    for over in BOTH {
        let (upload, server, content) = stage(3);
        let url = over.url(&server, "/f.bin");
        killed(at(upload.put(&["-n", "8", "--limit-rate", PACE, "f.bin", &url]).spawn(), SIZE / 2));
        let told = upload.run(&["f.bin", &url], 0);
        assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
        assert!(told.kept() >= SIZE / 2 - UNDER_WAY, "{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn after_ctrl_c_the_same_command_goes_on() {
    for over in BOTH {
        let (upload, server, content) = stage(4);
        let args = ["-n", "8", "--limit-rate", PACE, "f.bin", &over.url(&server, "/f.bin")];
        let haul = at(upload.put(&args).spawn(), SIZE / 2);
        haul.interrupt();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(130));
        assert!(told.failed()["kept"].as_u64().unwrap() >= SIZE / 2, "{told}");
        let told = upload.run(&args, 0);
        assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn connections_that_are_cut_every_few_mib_cost_little() {
    let (upload, server, content) = stage(5);
    let link = Link::up_to(server.http_addr());
    link.cut_after(2 * MIB, Cut::Rst);
    let url = format!("http://a:secret@{}/f.bin", link.addr());
    let told = upload.run(&["-n", "4", "--limit-rate", PACE, "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
    let cuts = SIZE / (2 * MIB);
    assert!(told.fetched() <= SIZE + cuts * MIB, "{told}");
    assert!(!told.says_begun_anew(), "{told}");
}

#[test]
fn a_slow_connection_is_helped_by_the_others() {
    let (upload, server, content) = stage(6);
    let link = Link::up_to(server.http_addr());
    // Alone the slow one would take half a minute for its quarter.
    link.rate(Some(16 * MIB)).rate_of_first(1, 200 << 10);
    let url = format!("http://a:secret@{}/f.bin", link.addr());
    let told = upload.run(&["-n", "4", "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert!(told.fetched() <= SIZE + 2 * MIB, "only what it had taken and not brought\n{told}");
    assert!(told.seconds() < 15.0, "{told}");
}

#[test]
fn data_connections_that_are_cut_every_few_mib_cost_little() {
    for how in [Cut::Rst, Cut::Fin] {
        let (upload, server, content) = stage(18);
        let link = FtpLink::up_to(server.addr());
        link.cut_after(2 * MIB, how);
        let url = format!("ftp://a:secret@{}/f.bin", link.addr());
        let told = upload.run(&["-n", "4", "--limit-rate", PACE, "f.bin", &url], 0);
        content.assert_file_is(upload.far("f.bin"));
        let cuts = SIZE / (2 * MIB);
        assert!(link.data_connections() as u64 >= cuts, "{how:?}: {} connections", link.data_connections());
        assert!(link.passed() <= SIZE + cuts * MIB, "{how:?}: {} passed\n{told}", link.passed());
        assert!(!told.says_begun_anew(), "{how:?}: {told}");
        assert!(told.seconds() < 30.0, "{how:?}: {told}");
        assert!(listed(server.http_addr(), "/").is_empty(), "{how:?}: nothing is left behind");
    }
}

#[test]
fn a_slow_data_connection_is_helped_by_the_others() {
    let (upload, server, content) = stage(19);
    let link = FtpLink::up_to(server.addr());
    // Alone the slow one would take half a minute for its quarter.
    link.rate(Some(16 * MIB)).rate_of_first(1, 200 << 10);
    let url = format!("ftp://a:secret@{}/f.bin", link.addr());
    let told = upload.run(&["-n", "4", "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert!(link.passed() <= SIZE + 2 * MIB, "only what it had taken and not brought\n{told}");
    assert!(told.seconds() < 15.0, "{told}");
}

#[test]
fn that_the_parts_are_one_file_is_noticed_where_the_answer_is_lost() {
    for when in [Lost::AtOnce, Lost::Answered] {
        let (upload, server, content) = stage(20);
        let link = Link::to(server.http_addr());
        link.loses_answer_to("final;", when);
        let url = format!("http://a:secret@{}/f.bin", link.addr());
        let told = upload.run(&["-n", "4", "f.bin", &url], 0);
        assert!(!link.is_to_lose(), "{when:?}: there was an answer to lose\n{told}");
        assert_eq!(told.fetched(), SIZE, "{when:?}: nothing was sent again\n{told}");
        assert!(!told.says_begun_anew(), "{when:?}: {told}");
        content.assert_file_is(upload.far("f.bin"));
        assert!(listed(server.http_addr(), "/").is_empty(), "{when:?}: nothing is left behind");
        let names = std::fs::read_dir(upload.root()).unwrap().count();
        assert_eq!(names, 2, "{when:?}: the file and haul's own folder");
        assert_eq!(upload.run(&["-n", "4", "f.bin", &url], 0).fetched(), 0, "{when:?}");
    }
}

#[test]
fn a_file_that_is_too_large_for_the_server_is_refused_before_any_part_of_it_is_sent() {
    let limits = Limits { max_size: Some(9 * MIB), ..Limits::default() };
    let peer = UploadPeer::start(UploadBehaviour { limits, ..UploadBehaviour::proper() });
    let upload = Upload::of("f.bin", Content::new(21, SIZE));
    let told = upload.run(&["-n", "4", "f.bin", &peer.url("/f.bin")], 4);
    assert!(told.message().contains("files of up to"), "{told}");
    assert_eq!(peer.received(), 0, "{told}");
}

#[test]
fn a_server_that_is_killed_and_started_again_is_gone_on_with() {
    for over in BOTH {
        let (upload, server, content) = stage(7);
        let url = over.url(&server, "/f.bin");
        let haul = at(upload.put(&["-n", "8", "--limit-rate", PACE, "f.bin", &url]).spawn(), SIZE / 2);
        let server = server.killed_and_started_again();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        assert!(!told.says_begun_anew(), "{told}");
        content.assert_file_is(upload.far("f.bin"));
        drop(server);
    }
}

#[test]
fn a_local_file_that_changed_between_two_runs_is_begun_anew_and_that_is_said() {
    for over in BOTH {
        let (upload, server, content) = stage(8);
        let args = ["-n", "8", "--limit-rate", PACE, "f.bin", &over.url(&server, "/f.bin")];
        killed(at(upload.put(&args).spawn(), SIZE / 2));
        let changed = content.changed(1000);
        changed.write_to(upload.local("f.bin"));
        let told = upload.run(&args, 0);
        assert!(told.says_begun_anew(), "{told}");
        assert_eq!(told.fetched(), SIZE, "{told}");
        changed.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_local_file_that_changes_in_mid_run_is_never_mixed() {
    for over in BOTH {
        let (upload, server, content) = stage(9);
        let args = ["-n", "8", "--limit-rate", PACE, "f.bin", &over.url(&server, "/f.bin")];
        let haul = at(upload.put(&args).spawn(), SIZE / 2);
        let changed = content.changed(1000);
        changed.write_to(upload.local("f.bin"));
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        assert!(told.says_begun_anew(), "{told}");
        changed.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn restart_begins_anew_and_says_so() {
    for over in BOTH {
        let (upload, server, content) = stage(10);
        let url = over.url(&server, "/f.bin");
        killed(at(upload.put(&["-n", "8", "--limit-rate", PACE, "f.bin", &url]).spawn(), SIZE / 2));
        let told = upload.run(&["-n", "8", "--restart", "f.bin", &url], 0);
        assert!(told.says_begun_anew(), "{told}");
        assert_eq!(told.fetched(), SIZE, "{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_file_of_others_is_left_alone_unless_it_is_to_be_replaced() {
    for over in BOTH {
        let (upload, server, content) = stage(11);
        let other = Content::new(12, 3 * MIB);
        other.write_to(upload.far("f.bin"));
        let url = over.url(&server, "/f.bin");
        upload.run(&["-n", "8", "f.bin", &url], 8);
        upload.run(&["-n", "8", "--if-exists", "skip", "f.bin", &url], 0);
        other.assert_file_is(upload.far("f.bin"));
        upload.run(&["-n", "8", "--if-exists", "overwrite", "f.bin", &url], 0);
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_file_that_came_meanwhile_is_not_replaced() {
    let (upload, server, _) = stage(13);
    let url = server.http_url("/f.bin");
    let haul = at(upload.put(&["-n", "8", "--limit-rate", PACE, "f.bin", &url]).spawn(), SIZE / 2);
    let other = Content::new(14, MIB);
    other.write_to(upload.far("f.bin"));
    haul.wait_at_most(SOON).expect_code(8);
    other.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_temporary_name_is_changed_at_the_end() {
    for over in BOTH {
        let (upload, server, content) = stage(15);
        upload.run(&["-n", "8", "--temp-name", "f.bin", &over.url(&server, "/f.bin")], 0);
        content.assert_file_is(upload.far("f.bin"));
        assert!(!upload.far("f.bin.part").exists());
    }
}

#[test]
fn folders_are_made_and_digests_held_against_both_files() {
    for over in BOTH {
        let (upload, server, content) = stage(16);
        let digest = sha256_of(&content.bytes(0..SIZE));
        let url = over.url(&server, "/x/y/f.bin");
        let told = upload.run(&["-n", "8", "--mkdir", "--checksum", &digest, "f.bin", &url], 0);
        assert_eq!(told.verified(), "hash", "{told}");
        content.assert_file_is(upload.far("x/y/f.bin"));
    }
}

#[test]
fn a_dialect_that_knows_no_parts_sends_on_one_connection_and_says_so() {
    for dialect in ["draft", "put"] {
        let (upload, server, content) = stage(17);
        let url = server.http_url("/f.bin");
        let told = upload.run(&["-n", "8", "--protocol", dialect, "f.bin", &url], 0);
        content.assert_file_is(upload.far("f.bin"));
        assert_eq!(most_lanes(&told), 1);
        let remarks = told.all("remark");
        let said =
            |remark: &&&serde_json::Value| remark["text"].as_str().unwrap().contains("on one connection");
        assert_eq!(remarks.iter().filter(said).count(), 1, "{told}");
    }
}
