//! `haul get` against a scripted FTP server that cuts, lies, refuses and withholds: the right bytes, or a clear refusal.

use crate::scene;
use std::{
    io::Write as _,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use haul_testkit::{
    Content, Cut, FtpBehaviour, FtpPeer,
    hostile::{
        Which,
        ftp::{Completion, Dates, Passive, Replies, Rest, Sizes},
    },
};

use crate::scene::{
    MIB, SOON, Scene, Told,
    ftp::{heard, says_for_ever, speaks, wait_until_left},
    stage::{SIZE, Stage, slow},
};

const FILE: Content = Content::new(80, SIZE);
/// What lanes may bring that nobody wants any more when they are let go.
const SPILL: u64 = MIB;

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper()
}

impl Stage {
    fn new(behaviour: FtpBehaviour) -> Self {
        Self::of(behaviour, FILE)
    }

    /// Fetches on one lane and on four.
    #[track_caller]
    fn each(behaviour: impl Fn() -> FtpBehaviour, check: impl Fn(&Self, Told)) {
        for lanes in ["1", "4"] {
            let stage = Self::new(behaviour());
            let told = stage.gets(lanes);
            check(&stage, told);
        }
    }

    /// Nothing is left of a file that could not be had.
    #[track_caller]
    fn left_nothing(&self) {
        assert_eq!(self.scene.files(), Vec::<String>::new());
    }
}

// ---- connections that end

#[test]
fn data_connections_cut_every_five_mebibytes_cost_seconds() {
    let content = Content::new(81, 256 * MIB);
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::of(proper().cut(Which::Every, 5 * MIB, how), content);
        let told = stage.run(&["-n", "1"], 0);
        content.assert_file_is(stage.scene.path("f.bin"));
        assert!(told.seconds() < 12.0, "{how:?}: {told}");
        assert!(told.all("retry").is_empty(), "{how:?}: nothing was waited for\n{told}");
        assert!(stage.peer.body_sent() < content.size() + MIB, "{how:?}: {}", stage.peer.body_sent());
        assert!(stage.peer.sessions() < 4, "{how:?}: {} logins", stage.peer.sessions());
    }
}

#[test]
fn cuts_that_take_the_control_connection_along_cost_little_more() {
    for how in [Cut::Fin, Cut::Rst] {
        let behaviour = || FtpBehaviour { cut_reply: None, ..proper().cut(Which::Every, 5 * MIB, how) };
        Stage::each(behaviour, |_, told| {
            assert!(told.all("retry").is_empty(), "{how:?}: {told}");
            assert!(told.fetched() < SIZE + 4 * MIB, "{how:?}: {told}");
        });
    }
}

#[test]
fn a_control_connection_that_ends_in_mid_transfer_costs_at_most_what_was_in_flight() {
    for how in [Cut::Fin, Cut::Rst] {
        Stage::each(
            || proper().control_cut(Which::First(2), MIB, how),
            |_, told| {
                assert!(told.fetched() < SIZE + 4 * MIB, "{how:?}: {told}");
                assert!(!told.says_begun_anew(), "{how:?}: {told}");
            },
        );
    }
}

#[test]
fn a_lost_farewell_costs_the_last_piece_at_most() {
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::new(proper().completion(Which::Only(0), Completion::Lost(how)));
        stage.gets("1");
        assert!(stage.peer.body_sent() < SIZE + MIB, "{how:?}: {}", stage.peer.body_sent());
    }
}

#[test]
fn a_short_file_with_a_good_farewell_is_not_the_file() {
    for how in [Cut::Fin, Cut::Rst] {
        let behaviour = || FtpBehaviour {
            cut_reply: Some("226 that was all".into()),
            ..proper().cut(Which::First(3), 3 * MIB, how)
        };
        Stage::each(behaviour, |_, _| ());
    }
}

#[test]
fn a_server_that_stalls_without_closing_is_left() {
    let stage = Stage::new(proper().stall(Which::First(2), 2 * MIB));
    let told = stage.run(&["-n", "1", "--timeout", "1"], 0);
    FILE.assert_file_is(stage.scene.path("f.bin"));
    assert!(told.seconds() < 9.0, "{told}");
    assert!(stage.peer.body_sent() < SIZE + MIB, "{}", stage.peer.body_sent());
}

/// The first thing asked for in a run that goes on is the last byte alone: is REST meant?
#[test]
fn a_server_that_stalls_at_the_trial_of_rest_is_left() {
    let stage = Stage::new(slow(proper()));
    stage.killed_after(SIZE / 2, &["-n", "1"]);
    let tried = stage.peer.transfers().len();
    stage.peer.change(|behaviour| behaviour.stall = Some((Which::Only(tried), 0)));
    let told = stage.run(&["-n", "1", "--timeout", "1"], 0);
    FILE.assert_file_is(stage.scene.path("f.bin"));
    assert!(told.seconds() < 6.0, "{told}");
}

#[test]
fn a_farewell_that_never_comes_is_not_waited_for_for_ever() {
    let stage = Stage::new(proper().completion(Which::Only(0), Completion::Withheld));
    let told = stage.run(&["-n", "1", "--timeout", "1"], 0);
    FILE.assert_file_is(stage.scene.path("f.bin"));
    assert!(told.seconds() < 6.0, "{told}");
}

// ---- replies

#[test]
fn replies_a_byte_at_a_time_are_understood() {
    Stage::each(|| proper().replies(Replies::Split(Duration::from_micros(100))), |_, _| ());
}

#[test]
fn farewells_out_of_turn_do_not_confuse() {
    for completion in [
        Completion::Early,
        Completion::AbortedThenDone,
        Completion::Reply("451 what now".into()),
        Completion::Reply("250 fine".into()),
    ] {
        let stage = Stage::new(proper().completion(Which::Only(0), completion.clone()));
        stage.gets("1");
        assert!(stage.peer.body_sent() < SIZE + SPILL, "{completion:?}: {}", stage.peer.body_sent());
        let stage = Stage::new(proper().completion(Which::Every, completion.clone()));
        if completion == Completion::Early || completion == Completion::Reply("250 fine".into()) {
            stage.gets("4");
        }
    }
}

#[test]
fn a_server_that_never_says_that_it_sent_all_is_not_believed() {
    for reply in ["451 what now", "426 stopped"] {
        let stage = Stage::new(proper().completion(Which::Every, Completion::Reply(reply.into())));
        let told = stage.run(&["-n", "1", "--retries", "2"], 3);
        assert!(told.message().contains(&reply[..3]), "{told}");
        assert!(told.failed()["kept"].as_u64().unwrap() > SIZE - 2 * MIB, "{told}");
    }
}

#[test]
fn a_reply_without_end_is_refused_and_costs_no_memory() {
    for command in ["", "PASS", "FEAT", "SIZE", "RETR"] {
        let stage = Stage::new(FtpBehaviour { huge_reply: Some((command.into(), 10 << 20)), ..proper() });
        let haul = stage.scene.get(&["--retries", "1", &stage.url]).spawn();
        let mut most = 0;
        while let Some(now) = haul.peak_memory() {
            most = most.max(now);
            std::thread::sleep(Duration::from_millis(5));
        }
        let told = Told::by(haul.wait_at_most(SOON));
        let code = told.failed()["code"].as_i64().unwrap();
        assert!([3, 4].contains(&code), "{command}: {told}");
        assert!(told.message().contains("reply"), "{command}: {told}");
        assert!(most < 64 << 20, "{command}: {most} bytes");
        stage.left_nothing();
    }
}

#[test]
fn one_reply_too_long_is_a_broken_connection() {
    let stage = Stage::new(proper().instead_of(Which::Only(0), "MDTM", &"213 x".repeat(100_000)));
    stage.gets("1");
}

#[test]
fn a_greeting_that_never_ends_is_given_up() {
    for (text, pause) in [("220-wait\r\n", 1), ("120 wait\r\n", 20), ("2", 10), ("x\r\n", 0)] {
        let addr = speaks(move |mut stream| {
            if !text.ends_with('\n') {
                let _ = stream.get_mut().write_all(b"220 ");
            }
            says_for_ever(&mut stream, text, Duration::from_millis(pause));
        });
        let scene = Scene::new();
        let began = Instant::now();
        let url = format!("ftp://{addr}/f.bin");
        let told = Told::by(scene.get(&["--timeout", "1", "--retries", "1", &url]).run());
        let code = told.failed()["code"].as_i64().unwrap();
        assert!([3, 4].contains(&code), "{text:?}: {told}");
        assert!(began.elapsed() < Duration::from_secs(6), "{text:?}: {:?}", began.elapsed());
        assert!(scene.files().is_empty());
    }
}

#[test]
fn a_greeting_that_never_comes_is_given_up() {
    let addr = speaks(|mut stream| drop(heard(&mut stream)));
    let scene = Scene::new();
    let url = format!("ftp://{addr}/f.bin");
    let began = Instant::now();
    let told = scene.run(&["--timeout", "1", "--retries", "1", &url], 3);
    assert!(began.elapsed() < Duration::from_secs(6), "{told}");
    assert!(told.message().contains("greeting"), "{told}");
}

#[test]
fn an_opening_reply_that_never_ends_or_comes_is_given_up() {
    for reply in ["", "150-never\r\n this ends"] {
        let stage = Stage::new(proper().instead_of(Which::Only(0), "RETR", reply));
        let told = stage.run(&["-n", "1", "--timeout", "1"], 0);
        FILE.assert_file_is(stage.scene.path("f.bin"));
        assert!(told.seconds() < 5.0, "{told}");
    }
    let stage = Stage::new(proper().instead("RETR", ""));
    let told = stage.run(&["-n", "1", "--timeout", "1", "--retries", "1"], 3);
    assert!(told.message().contains("before a transfer began"), "{told}");
    stage.left_nothing();
    let stage = Stage::new(proper().completion(Which::Only(0), Completion::Nothing));
    stage.run(&["-n", "1", "--timeout", "1"], 0);
    FILE.assert_file_is(stage.scene.path("f.bin"));
}

#[test]
fn what_is_no_ftp_server_is_refused_in_words() {
    let addr = speaks(|mut stream| {
        let _ = stream.get_mut().write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        heard(&mut stream);
    });
    let scene = Scene::new();
    let told = scene.run(&[&format!("ftp://{addr}/f.bin")], 4);
    assert!(told.message().contains("reply"), "{told}");
    assert!(scene.files().is_empty());
}

// ---- lies

#[test]
fn an_offset_that_is_taken_and_not_meant_mixes_nothing() {
    for rest in
        [Rest::FromZero, Rest::OffBy(1000), Rest::OffBy(-1000), Rest::Refused(502), Rest::RetrRefused(451)]
    {
        let stage = Stage::new(proper().rest(rest).rate(Which::Every, 64 * MIB));
        stage.gets("4");
        let stage = Stage::new(proper().rest(rest).rate(Which::Every, 64 * MIB));
        stage.killed_after(SIZE / 2, &["-n", "4"]);
        stage.gets("4");
    }
}

#[test]
fn a_server_that_begins_to_lie_about_offsets_later_is_found_out() {
    // The first transfer is honest, and so is what shows that REST works; the next run meets another server.
    for rest in [Rest::FromZero, Rest::OffBy(1000), Rest::OffBy(-1000)] {
        let stage = Stage::new(slow(proper()));
        stage.killed_after(SIZE / 2, &["-n", "1"]);
        stage.peer.change(|behaviour| behaviour.rest = rest);
        stage.gets("1");
    }
}

#[test]
fn a_size_that_is_wrong_gives_the_right_file_or_a_refusal() {
    for sizes in [Sizes::OffBy(1000), Sizes::OffBy(-1000), Sizes::Always(0), Sizes::Always(u64::MAX)] {
        for lanes in ["1", "4"] {
            let stage = Stage::new(proper().sizes(sizes));
            let end = stage.scene.get(&["-n", lanes, "--retries", "4", &stage.url]).run();
            if end.code == Some(0) {
                FILE.assert_file_is(stage.scene.path("f.bin"));
                continue;
            }
            assert!(!stage.scene.path("f.bin").exists(), "{sizes:?}");
            let told = Told::by(end);
            let code = told.failed()["code"].as_i64().unwrap();
            assert!([3, 4, 7].contains(&code), "{sizes:?}: {told}");
            println!("{sizes:?} {lanes}: {told}");
        }
    }
}

#[test]
fn a_size_is_asked_for_in_bytes_and_not_in_text() {
    // The peer tells another size in TYPE A.
    let stage = Stage::new(proper());
    stage.gets("4");
    for session in 0..stage.peer.sessions() {
        let commands = stage.peer.commands();
        let mut lines = commands.iter().filter(|sent| sent.session == session).map(|sent| sent.line.as_str());
        let first = lines.find(|line| line.starts_with("TYPE") || line.starts_with("SIZE"));
        assert!(first.is_none_or(|line| line == "TYPE I"), "session {session}: {first:?}");
    }
}

#[test]
fn a_foreign_address_in_a_reply_is_not_gone_to() {
    let stage =
        Stage::new(proper().without(&["EPSV"]).passive(Passive::Foreign(Ipv4Addr::new(192, 0, 2, 1))));
    stage.gets("4");
}

#[test]
fn data_ports_that_lead_nowhere_are_refused_in_words() {
    let stage = Stage::new(proper().passive(Passive::Dead));
    let told = stage.run(&["--retries", "1"], 3);
    assert!(told.message().contains("data connection"), "{told}");
    let stage = Stage::new(proper().passive(Passive::Deaf));
    let told = stage.run(&["--retries", "1", "--timeout", "1"], 3);
    assert!(told.message().contains("before a transfer began"), "{told}");
    stage.left_nothing();
}

// ---- what a server does not have

#[test]
fn without_rest_one_lane_brings_it_and_a_second_run_begins_at_the_first_byte() {
    let stage = Stage::new(slow(proper().without(&["REST"])));
    stage.killed_after(SIZE / 2, &["-n", "4"]);
    let told = stage.gets("4");
    // The bytes that are here are compared as they come by.
    assert!(told.fetched() >= SIZE, "{told}");
}

#[test]
fn without_size_or_date_bytes_are_compared() {
    for missing in [&["SIZE"][..], &["MDTM"], &["SIZE", "MDTM"], &["SIZE", "MDTM", "EPSV", "MLST", "MLSD"]] {
        let stage = Stage::new(slow(proper().without(missing)));
        stage.killed_after(SIZE / 2, &["-n", "4"]);
        let told = stage.gets("4");
        assert!(told.kept() > SIZE / 2 - 4 * MIB, "{missing:?}: {told}");
        assert!(told.fetched() < SIZE - told.kept() + 2 * MIB, "{missing:?}: {told}");
        assert_eq!(told.verified(), "overlap", "{missing:?}: {told}");
    }
}

#[test]
fn without_size_or_date_another_file_is_not_mixed_in() {
    for missing in [&["SIZE"][..], &["MDTM"], &["SIZE", "MDTM"]] {
        let stage = Stage::new(slow(proper().without(missing)));
        let old = FILE.changed(0);
        stage.peer.put("f.bin", old);
        stage.killed_after(SIZE / 2, &["-n", "1"]);
        stage.peer.put("f.bin", FILE);
        let told = stage.run(&["-n", "1"], 0);
        FILE.assert_file_is(stage.scene.path("f.bin"));
        assert!(told.says_begun_anew(), "{missing:?}: {told}");
        // What an earlier run of ours left is nobody's file.
        stage.scene.assert_only("f.bin");
    }
}

#[test]
fn without_anything_at_all_it_still_arrives() {
    let bare = ["SIZE", "MDTM", "REST", "EPSV", "FEAT", "MLST", "MLSD", "OPTS"];
    Stage::each(|| proper().without(&bare), |_, told| assert_eq!(told.fetched(), SIZE));
}

// ---- versions

#[test]
fn a_file_replaced_in_mid_transfer_is_fetched_anew_or_refused() {
    for lanes in ["1", "4"] {
        let replaced = || {
            let old = FILE.changed(MIB);
            let stage =
                Stage::new(slow(proper().replaced_after(6 * MIB, "f.bin", FILE, Some(1_700_000_777))));
            stage.peer.put("f.bin", old);
            // So that there are new connections after the change.
            stage.peer.change(|behaviour| behaviour.cut = Some((Which::Every, 3 * MIB, Cut::Fin)));
            stage
        };
        let told = replaced().gets(lanes);
        assert_eq!(told.all("changed").len(), 1, "{told}");
        let stage = replaced();
        let told = stage.run(&["-n", lanes, "--on-change", "fail"], 5);
        assert!(told.message().contains("changed") && told.message().contains("--restart"), "{told}");
        assert_eq!(stage.scene.files(), ["f.bin.part", "f.bin.part.haul"]);
    }
}

#[test]
fn a_file_replaced_behind_the_last_connection_is_noticed_at_the_end() {
    let stage = Stage::new(slow(proper().replaced_after(6 * MIB, "f.bin", FILE, Some(1_700_000_777))));
    stage.peer.put("f.bin", FILE.changed(9 * MIB));
    let told = stage.gets("1");
    assert_eq!(told.all("changed").len(), 1, "{told}");
}

#[test]
fn a_file_of_another_size_and_the_same_date_is_another_file() {
    for size in [SIZE / 2, SIZE + MIB] {
        let new = Content::new(82, size);
        let stage = Stage::new(slow(proper()));
        stage.killed_after(SIZE / 2, &["-n", "4"]);
        stage.peer.replace("f.bin", new, None);
        let told = stage.run(&["-n", "4"], 0);
        new.assert_file_is(stage.scene.path("f.bin"));
        assert_eq!(told.all("changed").len(), 1, "{told}");
    }
}

#[test]
fn a_file_replaced_between_runs_is_fetched_whole_or_refused() {
    for lanes in ["1", "4"] {
        let stage = Stage::new(slow(proper()));
        stage.peer.put("f.bin", FILE.changed(MIB));
        stage.killed_after(SIZE / 2, &["-n", lanes]);
        stage.peer.put_dated("f.bin", FILE, 1_700_000_777);
        let told = stage.run(&["-n", lanes, "--on-change", "fail"], 5);
        assert!(told.failed()["kept"].as_u64() > Some(MIB), "{told}");
        assert_eq!(stage.gets(lanes).all("changed").len(), 1);
    }
}

#[test]
fn a_replacement_with_date_and_size_of_the_old_one_is_found_by_a_checksum() {
    use sha2::{Digest as _, Sha256};
    let sum = format!("sha-256={:x}", Sha256::digest(FILE.bytes(0..SIZE)));
    let stage = Stage::new(slow(proper()));
    stage.peer.put("f.bin", FILE.changed(MIB));
    stage.killed_after(SIZE / 2, &["-n", "4", "--checksum", &sum]);
    stage.peer.replace("f.bin", FILE, None);
    let told = stage.run(&["-n", "4", "--checksum", &sum], 6);
    assert!(!stage.scene.path("f.bin").exists(), "{told}");
    assert_eq!(stage.scene.files(), ["f.bin.bad"]);
    assert_eq!(stage.run(&["--checksum", &sum], 0).verified(), "digest");
}

#[test]
fn a_young_date_proves_nothing_and_bytes_do() {
    // Within its second a file can change once more.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let stage = Stage::new(slow(proper()));
    stage.peer.put_dated("f.bin", FILE.changed(0), now);
    stage.killed_after(SIZE / 2, &["-n", "4"]);
    stage.peer.replace("f.bin", FILE, None);
    let told = stage.gets("4");
    assert!(told.says_begun_anew(), "{told}");
}

#[test]
fn dates_that_are_noise_do_not_keep_it_from_arriving() {
    let stage = Stage::new(proper().dates(Dates::Noise));
    let end = stage.scene.get(&["-n", "1", &stage.url]).run();
    match end.code {
        Some(0) => FILE.assert_file_is(stage.scene.path("f.bin")),
        code => {
            let told = Told::by(end);
            assert_eq!(code, Some(5), "{told}");
            assert!(told.message().contains("changed"), "{told}");
        }
    }
}

// ---- how many

#[test]
fn fewer_sessions_than_asked_for_are_made_do_with() {
    let limits: [fn(FtpBehaviour) -> FtpBehaviour; 4] = [
        |b| b.refuses_session(Which::From(2), "421 too many connections"),
        |b| b.refuses_login(Which::From(1), "530 no more of you"),
        |b| b.at_most(1),
        |b| b.at_most(3),
    ];
    for limit in limits {
        let stage = Stage::new(limit(slow(proper())));
        let told = stage.gets("8");
        assert!(stage.peer.sessions() < 12, "{} sessions\n{told}", stage.peer.sessions());
        assert!(told.fetched() < SIZE + 3 * MIB, "{told}");
    }
}

#[test]
fn a_server_that_is_full_is_asked_again_and_then_given_up() {
    let stage = Stage::new(proper().refuses_session(Which::First(2), "421 come back later"));
    stage.gets("1");
    let stage = Stage::new(proper().refuses_session(Which::Every, "421 come back later"));
    let told = stage.run(&["--retries", "1"], 3);
    assert!(told.message().contains("421 come back later"), "{told}");
}

#[test]
fn refusals_are_told_at_once_in_the_servers_words() {
    let stage = Stage::new(proper().login("ann", "s3cret"));
    for url in [stage.url.clone(), stage.url.replace("//", "//ann:wrong@")] {
        let told = stage.scene.run(&[&url], 4);
        assert!(told.message().contains("530 not you"), "{told}");
        assert!(!told.to_string().contains("wrong"), "{told}");
    }
    assert_eq!(stage.peer.logins(), 2, "a login is not tried again");
    stage.scene.run(&[&stage.url.replace("//", "//ann:s3cret@")], 0);

    let stage = Stage::new(proper());
    let told = stage.scene.run(&[&stage.peer.url("none")], 4);
    assert!(told.message().contains("550 none: no such file"), "{told}");
    assert_eq!(stage.peer.sessions(), 1);
    stage.left_nothing();
}

#[test]
fn a_folder_that_is_asked_for_as_a_file_is_called_one() {
    let peer = FtpPeer::start(proper());
    peer.make_folder("music");
    let scene = Scene::in_memory();
    let url = peer.url("music");
    let told = scene.run(&[&url], 4);
    assert!(told.message().contains("is a folder") && told.message().contains("-r"), "{told}");
    let told = scene.run(&[&peer.url("musik")], 4);
    assert!(!told.message().contains("folder"), "{told}");
    assert_eq!(scene.files(), Vec::<String>::new());
}

#[test]
fn what_a_server_says_does_not_reach_the_terminal_raw() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J";
    let stage = Stage::new(proper().instead("RETR", &format!("550 {evil} no")));
    let end = scene::haul()
        .args(["get", "--progress", "plain", &stage.url])
        .dir(stage.scene.dir())
        .run()
        .expect_code(4);
    assert!(!end.stderr.contains('\u{1b}') && !end.stderr.contains('\u{7}'), "{:?}", end.stderr);
    assert!(end.stderr.contains("550"), "{}", end.stderr);
}

#[test]
fn sessions_are_taken_leave_of() {
    for lanes in ["1", "4"] {
        let stage = Stage::new(slow(proper()));
        let told = stage.gets(lanes);
        wait_until_left(&stage.peer);
        assert_eq!(
            stage.peer.count("QUIT"),
            stage.peer.sessions(),
            "{lanes} lanes: {told}\n{:?}",
            stage.peer.commands()
        );
    }
}
