//! `haul put` against a scripted server that cuts, lies, refuses and withholds: the right file, or a clear refusal.

use crate::scene;
use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::TcpListener,
    time::Duration,
};

use haul_testkit::{
    Content, Cut, FtpBehaviour, FtpPeer,
    hostile::{
        Which,
        ftp::{Append, Busy, Completion, Passive, Replies, Rest, Restart, Sizes},
    },
};

use crate::scene::{MIB, SOON, Told, upload::Upload};

const SIZE: u64 = 8 * MIB + 4321;
const CONTENT: Content = Content::new(70, SIZE);

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper()
}

/// A file to send, and a server to send it to.
struct Stage {
    upload: Upload,
    peer: FtpPeer,
    url: String,
}

impl Stage {
    fn new(behaviour: FtpBehaviour) -> Self {
        let peer = FtpPeer::start(behaviour);
        let url = peer.url("f.bin");
        Self { upload: Upload::of("f.bin", CONTENT), peer, url }
    }

    /// The same, and the first half of the file is there already.
    fn half(behaviour: FtpBehaviour) -> Self {
        let stage = Self::new(behaviour);
        stage.peer.put_bytes("f.bin", &CONTENT.bytes(0..SIZE / 2));
        stage
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Told {
        self.upload.run(&[args, &["f.bin", &self.url]].concat(), code)
    }

    /// Sends it, and it is there as it should be.
    #[track_caller]
    fn sends(&self) -> Told {
        let told = self.run(&[], 0);
        self.peer.assert_file_is("f.bin", CONTENT);
        told
    }
}

#[test]
fn data_connections_cut_again_and_again_cost_seconds() {
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::new(proper().cut(Which::Every, MIB, how));
        let told = stage.sends();
        assert!(told.seconds() < 20.0, "{how:?}: {told}");
        assert!(stage.peer.received_of("f.bin") < SIZE + MIB, "{how:?}: hardly anything arrived twice");
    }
}

#[test]
fn a_control_connection_that_ends_in_mid_transfer_is_gone_on_from() {
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::new(proper().control_cut(Which::First(2), 3 * MIB, how));
        let told = stage.sends();
        assert!(!told.says_begun_anew(), "{how:?}: {told}");
    }
}

#[test]
fn a_lost_confirmation_is_not_a_lost_upload() {
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::new(proper().completion(Which::Only(0), Completion::Lost(how)));
        let told = stage.sends();
        assert_eq!((told.fetched(), told.verified()), (SIZE, "tail"), "{told}");
        assert_eq!(stage.peer.received_of("f.bin"), SIZE);
    }
}

#[test]
fn confirmations_out_of_turn_do_not_confuse() {
    for completion in [
        Completion::Early,
        Completion::AbortedThenDone,
        Completion::Reply("451 what now".into()),
        Completion::Reply("250 fine".into()),
    ] {
        let stage = Stage::new(proper().completion(Which::Only(0), completion.clone()));
        stage.sends();
        assert_eq!(stage.peer.received_of("f.bin"), SIZE, "{completion:?}");
    }
}

#[test]
fn replies_a_byte_at_a_time_are_understood() {
    let stage = Stage::half(proper().replies(Replies::Split(Duration::from_micros(200))));
    assert_eq!(stage.sends().kept(), SIZE / 2);
}

#[test]
fn a_refused_offset_gives_way_to_appending_and_never_both() {
    for code in [451, 501, 502, 504] {
        let stage = Stage::half(proper().restart(Restart::Refused(code)));
        let told = stage.sends();
        assert_eq!((told.kept(), told.fetched()), (SIZE / 2, SIZE - SIZE / 2), "{code}: {told}");
        let commands = stage.peer.commands();
        let append = commands.iter().position(|sent| sent.line.starts_with("APPE")).unwrap();
        let rest = commands[..append].iter().rev().find(|sent| sent.line.starts_with("REST")).unwrap();
        assert_eq!(rest.line, "REST 0", "{code}: no offset is left over");
    }
}

#[test]
fn both_cutting_and_keeping_what_lies_behind_an_offset_are_right() {
    for restart in [Restart::InPlace, Restart::Truncates] {
        let stage = Stage::half(proper().restart(restart));
        assert_eq!(stage.sends().kept(), SIZE / 2, "{restart:?}");
    }
}

#[test]
fn an_append_that_truncates_is_noticed_and_sent_anew() {
    let stage = Stage::half(proper().restart(Restart::Refused(451)).append(Append::Truncates));
    let told = stage.sends();
    assert!(told.says_begun_anew(), "{told}");
    assert_eq!(stage.peer.count("APPE"), 1);
}

#[test]
fn an_offset_that_is_taken_and_not_meant_is_noticed() {
    let stage = Stage::half(proper().restart(Restart::FromZero));
    let told = stage.sends();
    assert!(told.says_begun_anew(), "{told}");
}

#[test]
fn where_nothing_can_be_continued_it_is_sent_anew() {
    let stage = Stage::half(proper().restart(Restart::Refused(502)).append(Append::Refused(502)));
    let told = stage.sends();
    assert!(told.says_begun_anew(), "{told}");
    assert_eq!(told.fetched(), SIZE);
}

#[test]
fn a_size_that_lies_is_never_a_success() {
    for sizes in [Sizes::OffBy(100), Sizes::OffBy(-100), Sizes::Always(17)] {
        let stage = Stage::new(proper().sizes(sizes));
        let told = stage.run(&[], 8);
        assert!(told.message().contains("did not become"), "{told}");
        assert_eq!(stage.peer.count("STOR"), 2, "{sizes:?}: once may be an accident");
        let remarks = told.all("remark");
        let [remark] = &remarks[..] else { panic!("one remark: {told}") };
        assert!(remark["text"].as_str().unwrap().contains("confirmed"), "and it says what is known: {told}");
    }
}

#[test]
fn without_size_other_commands_tell_it() {
    let without: [&[&str]; 2] = [&["SIZE"], &["SIZE", "MLST", "MLSD"]];
    for commands in without {
        let stage = Stage::half(proper().without(commands));
        let told = stage.sends();
        assert_eq!((told.kept(), told.verified()), (SIZE / 2, "size"), "{commands:?}: {told}");
    }
}

#[test]
fn where_nothing_tells_a_size_only_the_caller_can_say_to_send_it() {
    let blind = proper().without(&["SIZE", "MLST", "MLSD"]).instead("LIST", "502 no");
    let stage = Stage::new(blind);
    let told = stage.run(&[], 8);
    assert!(told.message().contains("--if-exists overwrite"), "{told}");
    let told = stage.run(&["--if-exists", "overwrite"], 0);
    assert_eq!(told.verified(), "tail", "its end was looked at");
    stage.peer.assert_file_is("f.bin", CONTENT);
    stage.peer.change(|behaviour| behaviour.digests = vec!["XSHA256".into()]);
    assert_eq!(stage.run(&["--if-exists", "overwrite"], 0).verified(), "hash");
    stage.peer.change(|behaviour| {
        behaviour.digests.clear();
        *behaviour = behaviour.clone().instead("RETR", "550 no reading here");
    });
    assert_eq!(stage.run(&["--if-exists", "overwrite"], 0).verified(), "reply");
}

#[test]
fn a_server_that_lets_nobody_read_cannot_be_gone_on_with_unless_told() {
    let behaviour = proper().rest(Rest::RetrRefused(550)).instead("RETR", "550 no reading here");
    let stage = Stage::half(behaviour);
    let told = stage.run(&[], 8);
    assert!(told.message().contains("--verify none"), "{told}");
    let told = stage.run(&["--verify", "none"], 0);
    assert_eq!(told.kept(), SIZE / 2);
    stage.peer.assert_file_is("f.bin", CONTENT);
}

#[test]
fn what_is_read_back_from_elsewhere_than_asked_proves_nothing() {
    for rest in [Rest::FromZero, Rest::OffBy(7), Rest::Refused(502)] {
        let stage = Stage::half(proper().rest(rest));
        stage.run(&["--retries", "2"], 8);
        assert_eq!(stage.peer.size("f.bin"), Some(SIZE / 2), "{rest:?}: left alone");
    }
}

#[test]
fn checksums_are_used_where_there_are_some_and_lies_cost_only_time() {
    for name in ["HASH", "XCRC", "XMD5", "XSHA1", "XSHA256", "MD5"] {
        let stage = Stage::half(proper().digests(&[name]));
        let told = stage.sends();
        assert_eq!((told.kept(), told.verified()), (SIZE / 2, "hash"), "{name}: {told}");
        let retrieved = stage.peer.count("RETR");
        assert_eq!(retrieved, 0, "{name}: nothing was read back");
    }
    let mut lying = proper().digests(&["XSHA256"]);
    lying.digests_lie = true;
    let stage = Stage::half(lying);
    stage.run(&[], 8);
    assert_eq!(stage.peer.size("f.bin"), Some(SIZE / 2), "left alone");
}

#[test]
fn a_server_that_goes_away_over_a_checksum_is_not_asked_for_it_again() {
    let stage = Stage::half(proper().digests(&["XSHA256"]).instead("XSHA256", "421 too much for me"));
    let told = stage.sends();
    assert_eq!((told.kept(), stage.peer.count("XSHA256")), (SIZE / 2, 1), "{told}");
}

#[test]
fn a_file_that_an_old_session_holds_is_waited_for() {
    for reply in ["450 f.bin: busy", "550 The file is being used by another process"] {
        for busy in [Busy::Attempts(3), Busy::For(Duration::from_millis(900))] {
            let stage = Stage::half(proper().busy(busy, reply));
            let told = stage.sends();
            assert_eq!(told.kept(), SIZE / 2);
            assert!(!told.all("retry").is_empty(), "{told}");
        }
    }
}

#[test]
fn a_full_disk_is_gone_on_with_when_there_is_room() {
    for reply in ["452 no room", "552 over quota"] {
        let stage = Stage::new(proper().room(3 * MIB, reply));
        let told = stage.run(&[], 4);
        assert!(told.message().contains("no room") && told.message().contains(&reply[..3]), "{told}");
        stage.peer.change(|behaviour| behaviour.room = None);
        let told = stage.sends();
        assert!(told.kept() > MIB, "{told}");
    }
}

#[test]
fn a_closed_folder_is_refused_at_once() {
    let stage = Stage::new(proper().read_only());
    let told = stage.run(&[], 4);
    assert!(told.message().contains("553 f.bin cannot be written"), "{told}");
    assert_eq!(stage.peer.count("STOR"), 1);
}

#[test]
fn a_server_that_takes_no_byte_is_given_up_and_gone_on_with() {
    // More than the system's buffers hold: what they have taken the server is given ten minutes to confirm.
    let content = Content::new(71, 48 * MIB);
    let peer = FtpPeer::start(proper().stall(Which::Only(0), 2 * MIB));
    let upload = Upload::of("f.bin", content);
    upload.run(&["--timeout", "1", "f.bin", &peer.url("f.bin")], 0);
    peer.assert_file_is("f.bin", content);
    let deaf = FtpPeer::start(proper().completion(Which::Every, Completion::Nothing));
    let told = upload.run(&["--timeout", "1", "--retries", "1", "f.bin", &deaf.url("f.bin")], 3);
    assert!(told.message().contains("gave up: the server took no byte for 1 s"), "{told}");
}

#[test]
fn an_address_that_a_server_tells_is_not_gone_to() {
    let foreign = Passive::Foreign("192.0.2.1".parse().unwrap());
    let stage = Stage::new(proper().without(&["EPSV"]).passive(foreign));
    stage.sends();
}

#[test]
fn a_login_that_is_refused_is_told_and_one_session_too_many_is_waited_for() {
    let stage = Stage::new(proper().refuses_login(Which::Every, "530 who are you"));
    let told = stage.run(&[], 4);
    assert!(told.message().contains("530"), "{told}");
    let stage = Stage::new(proper().refuses_session(Which::First(2), "421 too many"));
    stage.sends();
}

#[test]
fn a_password_that_a_server_repeats_is_not_shown() {
    let said = "530 no such login: PASS correct horse, and ACCT neither";
    let stage = Stage::new(proper().refuses_login(Which::Every, said));
    for chatty in [&["-vv"][..], &["--progress", "json"]] {
        let haul = scene::haul().args(["put", "-u", "me:correct horse"]).args(chatty);
        let end = haul.dir(stage.upload.local("")).args(["f.bin", &stage.url]).run().expect_code(4);
        assert!(end.stderr.contains("530 no such login: PASS"), "{}", end.stderr);
        assert!(!end.stderr.contains("horse"), "{}", end.stderr);
    }
}

/// A server that has one command to look at a file, and lists it a byte at a time, for ever.
fn drips(listener: &TcpListener) -> io::Result<()> {
    let mut control = listener.accept()?.0;
    control.write_all(b"220 ready\r\n")?;
    let mut data = None;
    for line in BufReader::new(control.try_clone()?).lines() {
        let reply = match line?.split(' ').next().unwrap() {
            "USER" => "230 in".to_owned(),
            "TYPE" => "200 so be it".to_owned(),
            "EPSV" => {
                let waiting = data.insert(TcpListener::bind("127.0.0.1:0")?);
                format!("229 come in (|||{}|)", waiting.local_addr()?.port())
            }
            "LIST" => "150 here it comes".to_owned(),
            _ => "500 what".to_owned(),
        };
        control.write_all(format!("{reply}\r\n").as_bytes())?;
        if reply.starts_with("150") {
            let mut list = data.take().unwrap().accept()?.0;
            while list.write_all(b"-").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(())
}

#[test]
fn a_list_that_never_ends_has_a_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ftp://{}/f.bin", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        loop {
            let _ = drips(&listener);
        }
    });
    let upload = Upload::of("f.bin", CONTENT);
    let haul = upload.put(&["--timeout", "1", "--retries", "1", "f.bin", &url]).spawn();
    Told::by(haul.wait_at_most(SOON).expect_code(3));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_of_which_the_system_tells_no_length_is_not_sent_as_an_empty_one() {
    let stage = Stage::new(proper());
    let told = stage.upload.run(&["/proc/self/status", &stage.url], 7);
    assert!(told.message().contains("standard input"), "{told}");
    assert_eq!(stage.peer.file("f.bin"), None);
}

#[test]
fn a_renaming_that_is_refused_or_unanswered_is_told_or_found_out() {
    let stage = Stage::new(proper().instead("RNTO", "553 not so"));
    let told = stage.run(&["--temp-name"], 4);
    assert!(told.message().contains("refused to rename") && told.message().contains("553"), "{told}");
    stage.peer.assert_file_is("f.bin.part", CONTENT);
    stage.peer.change(|behaviour| behaviour.instead.clear());
    let told = stage.run(&["--temp-name"], 0);
    assert_eq!(told.fetched(), 0, "{told}");
    stage.peer.assert_file_is("f.bin", CONTENT);
    assert_eq!(stage.peer.file("f.bin.part"), None);
}

#[test]
fn standard_input_that_breaks_off_is_a_failure_and_not_sent_half() {
    let peer = FtpPeer::start(proper().cut(Which::Every, MIB, Cut::Rst));
    let upload = Upload::new();
    let haul = upload.put(&["-", &peer.url("in")]).input(CONTENT.bytes(0..SIZE));
    let told = Told::by(haul.run().expect_code(3));
    assert!(told.message().contains("cannot be sent twice"), "{told}");
}

#[test]
fn a_rate_limit_holds() {
    let stage = Stage::new(proper());
    let told = stage.run(&["--limit-rate", "4M"], 0);
    assert!((1.7..3.5).contains(&told.seconds()), "{told}");
}

#[test]
fn a_local_file_that_cannot_be_read_is_told() {
    let stage = Stage::new(proper());
    let told = stage.upload.run(&["none.bin", &stage.url], 7);
    assert!(told.message().contains("cannot read none.bin"), "{told}");
    assert_eq!(stage.peer.sessions(), 0);
}

/// Everything that an earlier run remembered.
fn records(upload: &Upload) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(upload.state().join("haul/uploads")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "upload")).collect()
}

#[test]
fn a_damaged_memory_is_forgotten_and_said() {
    let stage = Stage::new(proper());
    let haul = stage.upload.put(&["--limit-rate", "4M", "f.bin", &stage.url]).spawn();
    stage.peer.wait_until_received(2 * MIB, SOON);
    haul.kill_9();
    let [record] = &records(&stage.upload)[..] else { panic!("one record") };
    std::fs::write(record, "nonsense").unwrap();
    let told = stage.sends();
    assert!(told.to_string().contains("is forgotten"), "{told}");
    assert!(told.kept() >= MIB, "{told}");
}

#[test]
fn a_dead_session_that_still_writes_is_waited_for_or_gone_on_from() {
    for remembered in [true, false] {
        // All of it lies in the system's buffers when haul dies, and the server takes its time with them.
        let stage = Stage::new(proper().rate(Which::Only(0), 4 * MIB));
        let haul = stage.upload.put(&["f.bin", &stage.url]).spawn();
        stage.peer.wait_until_received(MIB, SOON);
        haul.kill_9();
        if !remembered {
            records(&stage.upload).iter().for_each(|record| std::fs::remove_file(record).unwrap());
        }
        let told = stage.sends();
        assert!(!told.says_begun_anew(), "{told}");
    }
}
