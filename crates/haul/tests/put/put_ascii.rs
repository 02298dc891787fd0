//! `haul put --ascii`: text whose line ends become the server's, confirmed by the server's last reply or not done, and
//! never gone on with.

use crate::scene;
use std::time::{Duration, SystemTime};

use crate::scene::{
    MIB, SOON, Seeded, Told,
    upload::{Start, Upload},
    wait_until,
};
use haul_testkit::{
    Cut, FtpBehaviour, FtpPeer,
    hostile::{
        Which,
        ftp::{Busy, Completion, Restart, Sizes},
    },
    real::{FtpTls, Microsocks, ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
    tls::Certificates,
};

const SERVERS: [(&str, Start); 4] = [
    ("vsftpd", |root| Vsftpd::over(root).directive("ascii_upload_enable=YES").start()),
    ("proftpd", |root| ProFtpd::serve(root)),
    ("pure-ftpd", |root| PureFtpd::serve(root)),
    ("pyftpdlib", |root| Pyftpdlib::serve(root)),
];

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper()
}

/// Lines of many lengths, some of them empty, and a last one without an end.
fn text(lines: usize) -> Vec<u8> {
    let mut random = Seeded(lines as u64);
    let mut text = Vec::new();
    for number in 0..lines {
        text.extend_from_slice(format!("{number} {}\n", "ü".repeat(random.below(60) as usize)).as_bytes());
        text.extend_from_slice(&b"\n\n\n"[..random.below(4) as usize]);
    }
    text.extend_from_slice(b"the end");
    text
}

/// How long it is on the way.
fn on_the_way(text: &[u8]) -> u64 {
    (text.len() + text.iter().filter(|byte| **byte == b'\n').count()) as u64
}

/// A local text, and a peer to send it to.
struct Stage {
    upload: Upload,
    text: Vec<u8>,
    peer: FtpPeer,
    url: String,
}

impl Stage {
    fn new(lines: usize, behaviour: FtpBehaviour) -> Self {
        let upload = Upload::new();
        let text = text(lines);
        std::fs::write(upload.local("a.txt"), &text).unwrap();
        let peer = FtpPeer::start(behaviour);
        let url = peer.url("a.txt");
        Self { upload, text, peer, url }
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Told {
        self.upload.run(&[&["--ascii"], args, &["a.txt", &self.url]].concat(), code)
    }

    #[track_caller]
    fn assert_is_there(&self, told: &Told) {
        assert!(self.peer.file("a.txt").as_deref() == Some(&self.text[..]), "{told}");
    }

    /// A run that dies when the peer has about half of it.
    fn killed_at_half(&self, args: &[&str]) {
        let half = on_the_way(&self.text) / 2;
        self.peer.change(|behaviour| behaviour.rates = vec![(Which::Every, half)]);
        let goal = self.peer.body_received() + half / 2;
        let haul = self.upload.put(&[&["--ascii"], args, &["a.txt", &self.url]].concat()).spawn();
        self.peer.wait_until_received(goal, SOON);
        assert_eq!(haul.kill_9().signal, Some(9));
        self.peer.change(|behaviour| behaviour.rates.clear());
        wait_until(|| self.peer.open() == 0);
    }

    fn commands(&self) -> Vec<String> {
        self.peer.commands().into_iter().map(|command| command.line).collect()
    }
}

#[test]
fn text_lies_on_every_servers_disk_as_its_lines_say() {
    let text = text(40_000);
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for (name, start) in SERVERS {
        println!("{name}");
        let upload = Upload::new();
        std::fs::write(upload.local("a.txt"), &text).unwrap();
        let file = std::fs::File::options().write(true).open(upload.local("a.txt")).unwrap();
        file.set_modified(date).unwrap();
        let Some(server) = start(upload.root()) else { continue };
        server.hand_over();
        let told = upload.run(&["--ascii", "a.txt", &server.login_url("/a.txt")], 0);
        assert!(std::fs::read(upload.far("a.txt")).unwrap() == text, "{name} {told}");
        assert_eq!((told.verified(), told.fetched()), ("reply", on_the_way(&text)), "{name} {told}");
        let remarks = told.all("remark");
        let [remark] = &remarks[..] else { panic!("{name}: nothing else is worth a remark: {told}") };
        assert!(remark["text"].as_str().unwrap().contains("cannot be resumed"), "{told}");
        // The URL may say it too; what is there is left alone unless it is said that it may go.
        let url = server.login_url("/a.txt;type=a");
        let told = upload.run(&["a.txt", &url], 8);
        assert!(told.message().contains("sizes do not tell"), "{told}");
        assert!(told.message().contains("--if-exists overwrite"), "{told}");
        std::fs::write(upload.local("a.txt"), b"other\r\nlines\n").unwrap();
        upload.run(&["--if-exists", "overwrite", "a.txt", &url], 0);
        assert_eq!(std::fs::read(upload.far("a.txt")).unwrap(), b"other\nlines\n", "{name}");
        std::fs::write(upload.local("b.bin"), b"\r\n\n\r\n").unwrap();
        upload.run(&["b.bin", &server.login_url("/b.bin")], 0);
        assert_eq!(std::fs::read(upload.far("b.bin")).unwrap(), b"\r\n\n\r\n", "{name}");
    }
}

#[test]
fn a_server_that_takes_text_and_converts_nothing_is_told_of() {
    let upload = Upload::new();
    std::fs::write(upload.local("a.txt"), b"one\ntwo\n").unwrap();
    let Some(server) = Vsftpd::serve(upload.root()) else { return };
    server.hand_over();
    let told = upload.run(&["--ascii", "a.txt", &server.login_url("/a.txt")], 0);
    assert_eq!(std::fs::read(upload.far("a.txt")).unwrap(), b"one\r\ntwo\r\n");
    assert!(told.to_string().contains("lines end in CR LF"), "{told}");
}

#[test]
fn a_size_is_a_hint_and_no_proof() {
    let stage = Stage::new(100, proper().sizes(Sizes::OffBy(-100)));
    let told = stage.run(&[], 0);
    stage.assert_is_there(&told);
    assert!(told.to_string().contains("look at what is there"), "{told}");
    assert_eq!((stage.peer.count("STOR"), told.verified()), (1, "reply"));
}

#[test]
fn a_tree_of_texts_and_standard_input_go_too() {
    for (name, start) in SERVERS {
        let upload = Upload::new();
        let Some(server) = start(upload.root()) else { continue };
        server.hand_over();
        std::fs::create_dir_all(upload.local("tree/sub")).unwrap();
        for number in 0..12 {
            std::fs::write(upload.local(&format!("tree/sub/{number}")), format!("{number}\n\n")).unwrap();
        }
        std::fs::write(upload.local("tree/empty"), b"").unwrap();
        let args = ["--ascii", "-r", "-j", "1", "--temp-name", "tree", &server.login_url("/x/")];
        let told = upload.run(&[&["--mkdir"], &args[..]].concat(), 0);
        for number in 0..12 {
            let far = std::fs::read(upload.far(&format!("x/tree/sub/{number}"))).unwrap();
            assert_eq!(far, format!("{number}\n\n").into_bytes(), "{name} {told}");
        }
        assert_eq!(std::fs::read(upload.far("x/tree/empty")).unwrap(), b"");
        assert_eq!(scene::files(&upload.far("x/tree/sub")).len(), 12, "{name}: no NAME.part is left");
        let args = ["--ascii", "-", &server.login_url("/stdin.txt")];
        upload.put(&args).input("one\ntwo").run().expect_code(0);
        assert_eq!(std::fs::read(upload.far("stdin.txt")).unwrap(), b"one\ntwo", "{name}");
    }
}

#[test]
fn a_session_is_handed_on_in_type_i() {
    let stage = Stage::new(100, proper());
    std::fs::write(stage.upload.local("b.txt"), b"b\n").unwrap();
    stage.upload.run(&["--ascii", "-j", "1", "a.txt", "b.txt", &stage.peer.url("")], 0);
    assert_eq!(stage.peer.sessions(), 1);
    let sent = stage.commands();
    let types: Vec<_> =
        sent.iter().filter(|line| line.starts_with("TYPE") || line.starts_with("STOR")).collect();
    let one = |name: &str| ["TYPE A".to_owned(), format!("STOR {name}"), "TYPE I".to_owned()];
    let expected = [vec!["TYPE I".to_owned()], one("a.txt").into(), one("b.txt").into()].concat();
    assert_eq!(types, expected.iter().collect::<Vec<_>>(), "{sent:?}");
    assert!(!sent.iter().any(|line| line.starts_with("REST") || line.starts_with("APPE")), "{sent:?}");
}

#[test]
fn an_offset_that_came_to_nothing_is_taken_back_before_text() {
    // Sent first, in the same session, is a file that the server does not continue.
    let stage = Stage::new(100, proper().restart(Restart::Refused(451)).instead("APPE", "550 no"));
    std::fs::write(stage.upload.local("0.bin"), b"0123456789").unwrap();
    stage.peer.put_bytes("0.bin", b"01234");
    stage.upload.run(&["-j", "1", "0.bin", &stage.peer.url("0.bin")], 4);
    stage.peer.forget();
    let told = stage.run(&[], 0);
    stage.assert_is_there(&told);
}

#[test]
fn what_is_there_is_treated_as_if_exists_says() {
    let stage = Stage::new(10, proper());
    for (args, code) in
        [(&[][..], 8), (&["--if-exists", "fail"], 8), (&["--if-exists", "skip"], 0), (&["--restart"], 8)]
    {
        stage.peer.put_bytes("a.txt", b"a stranger's");
        let told = stage.run(args, code);
        assert_eq!(stage.peer.file("a.txt").unwrap(), b"a stranger's", "{told}");
        assert_eq!(stage.peer.count("STOR"), 0);
        if code == 8 {
            assert!(told.message().contains("overwrite"), "{told}");
        } else {
            assert_eq!(told.done()["already"], true);
        }
    }
    let told = stage.run(&["--if-exists", "overwrite"], 0);
    stage.assert_is_there(&told);
    // The same text again: nothing tells that it is the same.
    stage.run(&[], 8);
    // Nor whether there is anything, where a server keeps that to itself.
    let stage = Stage::new(10, proper().without(&["SIZE", "MLST", "MLSD"]).instead("LIST", "502 no"));
    let told = stage.run(&[], 8);
    assert!(told.message().contains("does not tell"), "{told}");
    let told = stage.run(&["--if-exists", "overwrite"], 0);
    stage.assert_is_there(&told);
}

#[test]
fn a_temporary_name_becomes_the_right_one_and_a_strangers_is_left_alone() {
    let stage = Stage::new(1000, proper());
    let told = stage.run(&["--temp-name"], 0);
    stage.assert_is_there(&told);
    assert_eq!(stage.peer.file("a.txt.part"), None);
    let stage = Stage::new(10, proper());
    stage.peer.put_bytes("a.txt.part", b"half of a file");
    let told = stage.run(&["--temp-name"], 8);
    assert!(told.message().contains("NAME.part is there"), "{told}");
    assert_eq!(stage.peer.file("a.txt.part").unwrap(), b"half of a file");
    stage.run(&["--temp-name", "--if-exists", "overwrite"], 0);
    // A server that does not rename has all of it.
    let stage = Stage::new(10, proper().instead("RNTO", "553 no"));
    let told = stage.run(&["--temp-name"], 4);
    assert!(told.message().contains("refused to rename"), "{told}");
    assert_eq!(stage.peer.file("a.txt.part").unwrap(), stage.text);
}

#[test]
fn a_file_that_comes_from_elsewhere_meanwhile_is_not_renamed_over() {
    let stage = Stage::new(40_000, proper());
    let args = ["--ascii", "--temp-name", "--limit-rate", "2M", "a.txt", &stage.url];
    let haul = stage.upload.put(&args).spawn();
    stage.peer.wait_until_received(MIB / 2, SOON);
    stage.peer.put_bytes("a.txt", b"a stranger's");
    let told = Told::by(haul.wait_at_most(SOON).expect_code(8));
    assert!(told.message().contains("came from elsewhere"), "{told}");
    assert_eq!(stage.peer.file("a.txt").unwrap(), b"a stranger's");
    assert!(stage.peer.file("a.txt.part").unwrap() == stage.text);
}

#[test]
fn a_renaming_whose_answer_is_lost_was_a_renaming() {
    // The first date is that of NAME.part, before the renaming.
    let stage = Stage::new(10, proper().instead_of(Which::Only(1), "MDTM", "421 goodbye"));
    let told = stage.run(&["--temp-name"], 0);
    stage.assert_is_there(&told);
    assert_eq!(told.all("retry").len(), 1, "{told}");
    let sent = stage.commands();
    assert!(sent.iter().filter(|line| line.starts_with("SIZE")).count() >= 5, "it was looked for: {sent:?}");
    assert_eq!((stage.peer.count("STOR"), stage.peer.count("RNTO")), (1, 1), "{told}");
}

#[test]
fn broken_off_it_begins_anew_and_is_whole() {
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::new(20_000, proper().cut(Which::First(2), 300_000, how));
        let told = stage.run(&[], 0);
        stage.assert_is_there(&told);
        assert_eq!(told.all("retry").len(), 2, "{told}");
        let stage = Stage::new(20_000, proper().control_cut(Which::Only(0), 300_000, how));
        let told = stage.run(&[], 0);
        stage.assert_is_there(&told);
        assert!(!stage.commands().iter().any(|line| line.starts_with("REST ") && line != "REST 0"));
    }
    let stage = Stage::new(20_000, proper().cut(Which::Every, 300_000, Cut::Rst));
    let told = stage.run(&["--retries", "1"], 3);
    assert!(told.message().contains("gave up") && told.message().contains("begins anew"), "{told}");
    assert_eq!(stage.peer.count("STOR"), 2);
    assert!(told.failed()["kept"].as_u64().unwrap_or_default() == 0, "{told}");
}

#[test]
fn without_the_last_reply_nothing_is_claimed() {
    for completion in [
        Completion::Reply("426 no".into()),
        Completion::Reply("451 no".into()),
        Completion::AbortedThenDone,
        Completion::Lost(Cut::Fin),
        Completion::Lost(Cut::Rst),
        Completion::Early,
    ] {
        let stage = Stage::new(20_000, proper().completion(Which::Every, completion.clone()));
        let told = stage.run(&["--retries", "1"], 3);
        assert!(told.message().contains("begins anew"), "{completion:?} {told}");
        assert_eq!(stage.peer.count("STOR"), 2, "{completion:?}");
        // Once is no more than one more time.
        stage.peer.change(|behaviour| behaviour.completions.clear());
        let told = stage.run(&[], 0);
        stage.assert_is_there(&told);
        assert_eq!(told.verified(), "reply");
    }
}

#[test]
fn standard_input_is_not_sent_twice() {
    for behaviour in [
        proper().cut(Which::Every, 100_000, Cut::Rst),
        proper().completion(Which::Every, Completion::Lost(Cut::Fin)),
    ] {
        let stage = Stage::new(20_000, behaviour);
        let end = stage.upload.put(&["--ascii", "-", &stage.url]).input(stage.text.clone()).run();
        let told = Told::by(end.expect_code(3));
        assert!(told.message().contains("cannot be sent twice"), "{told}");
        assert_eq!(stage.peer.count("STOR"), 1);
    }
}

#[test]
fn killed_it_begins_anew_and_no_other_upload_takes_it_for_a_beginning() {
    for args in [&[][..], &["--temp-name"]] {
        let stage = Stage::new(40_000, proper());
        stage.killed_at_half(args);
        let told = stage.run(args, 0);
        stage.assert_is_there(&told);
        assert_eq!(told.fetched(), on_the_way(&stage.text), "{told}");
        assert!(told.all("resumed").is_empty(), "{told}");
        assert_eq!(stage.peer.file("a.txt.part"), None);
        // It is finished now, and a file as any other.
        stage.run(args, 8);
    }
    // What is longer than it can have become is somebody else's.
    let stage = Stage::new(40_000, proper());
    stage.killed_at_half(&[]);
    let longer = vec![b'x'; stage.text.len() * 2 + 1];
    stage.peer.put_bytes("a.txt", &longer);
    stage.run(&[], 8);
    assert!(stage.peer.file("a.txt").unwrap() == longer);
    // To a binary upload it is a stranger's, which has to be compared; on this server it is a beginning, by chance.
    let stage = Stage::new(40_000, proper());
    stage.killed_at_half(&[]);
    stage.peer.put_bytes("a.txt", b"0\r\n1\r\n");
    stage.upload.run(&["a.txt", &stage.url], 8);
    assert_eq!(stage.peer.file("a.txt").unwrap(), b"0\r\n1\r\n");
}

#[test]
fn killed_at_any_server_the_same_command_makes_it_whole() {
    let text = text(60_000);
    for (name, start) in SERVERS {
        let upload = Upload::new();
        std::fs::write(upload.local("a.txt"), &text).unwrap();
        let Some(server) = start(upload.root()) else { continue };
        server.hand_over();
        let url = server.login_url("/a.txt");
        upload.killed_at("a.txt", MIB, &["--ascii", "--limit-rate", "4M", "a.txt", &url]);
        let told = upload.run(&["--ascii", "a.txt", &url], 0);
        assert!(std::fs::read(upload.far("a.txt")).unwrap() == text, "{name} {told}");
        assert_eq!(told.fetched(), on_the_way(&text), "{name} {told}");
    }
}

#[test]
fn an_unfinished_binary_upload_is_no_leave_to_send_text_over_it() {
    let stage = Stage::new(40_000, proper());
    let len = stage.text.len() as u64;
    let haul = stage.upload.put(&["--limit-rate", "4M", "a.txt", &stage.url]).spawn();
    stage.peer.wait_until_received(len / 2, SOON);
    haul.kill_9();
    wait_until(|| stage.peer.open() == 0);
    stage.run(&[], 8);
    let told = stage.upload.run(&["a.txt", &stage.url], 0);
    assert!(told.kept() >= len / 4, "it is remembered as before: {told}");
}

#[test]
fn a_text_that_replaced_an_unfinished_file_is_not_continued_unseen() {
    let stage = Stage::new(40_000, proper());
    let len = stage.text.len() as u64;
    let haul = stage.upload.put(&["--limit-rate", "4M", "a.txt", &stage.url]).spawn();
    stage.peer.wait_until_received(len / 2, SOON);
    haul.kill_9();
    wait_until(|| stage.peer.open() == 0);
    stage.run(&["--if-exists", "overwrite"], 0);
    std::fs::write(stage.upload.local("a.txt"), b"short\n").unwrap();
    let told = stage.upload.run(&["a.txt", &stage.url], 8);
    assert!(stage.peer.file("a.txt").unwrap() == stage.text, "a finished text is nobody's beginning: {told}");
}

#[test]
fn a_signal_ends_it_and_the_same_command_begins_anew() {
    let stage = Stage::new(40_000, proper().rate(Which::Every, MIB));
    let haul = stage.upload.put(&["--ascii", "a.txt", &stage.url]).spawn();
    stage.peer.wait_until_received(MIB / 2, SOON);
    haul.interrupt();
    let told = Told::by(haul.wait_at_most(SOON).expect_code(130));
    assert!(told.message().contains("not whole") && told.message().contains("begins anew"), "{told}");
    assert!(stage.peer.transfers().iter().all(|transfer| !transfer.is_complete()), "it was no end of a file");
    stage.peer.change(|behaviour| behaviour.rates.clear());
    let told = stage.run(&[], 0);
    stage.assert_is_there(&told);
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_sent_anew() {
    let stage = Stage::new(40_000, proper());
    let haul = stage.upload.put(&["--ascii", "--limit-rate", "1M", "a.txt", &stage.url]).spawn();
    stage.peer.wait_until_received(MIB / 2, SOON);
    std::fs::write(stage.upload.local("a.txt"), b"short\nnow\n").unwrap();
    let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
    assert!(told.says_begun_anew(), "{told}");
    assert_eq!(stage.peer.file("a.txt").unwrap(), b"short\nnow\n");
}

#[test]
fn refusals_have_their_codes_and_a_busy_file_is_waited_for() {
    for (behaviour, said) in [
        (proper().instead("TYPE A", "504 binary only"), "504"),
        (proper().read_only(), "553"),
        (proper().room(100_000, "552 over quota"), "no room"),
        (proper().instead("STOR", "550 never"), "550"),
    ] {
        let stage = Stage::new(20_000, behaviour);
        let told = stage.run(&[], 4);
        assert!(told.message().contains(said), "{told}");
        assert!(stage.peer.count("STOR") <= 1, "{told}");
    }
    let stage = Stage::new(10, proper().busy(Busy::Attempts(2), "450 in use"));
    stage.peer.put_bytes("a.txt", b"old");
    let told = stage.run(&["--if-exists", "overwrite"], 0);
    stage.assert_is_there(&told);
    assert_eq!(told.all("retry").len(), 2, "{told}");
    let stage = Stage::new(10, proper());
    let told = stage.upload.run(&["--ascii", "a.txt", &stage.peer.url("none/a.txt")], 4);
    assert!(told.message().contains("--mkdir"), "{told}");
    stage.upload.run(&["--ascii", "none.txt", &stage.url], 7);
    stage.upload.run(&["--ascii", "--verify", "full", "a.txt", &stage.url], 2);
}

#[test]
fn another_run_to_the_same_place_is_kept_away() {
    let stage = Stage::new(40_000, proper().rate(Which::Every, MIB));
    let haul = stage.upload.put(&["a.txt", &stage.url]).spawn();
    stage.peer.wait_until_received(MIB / 4, SOON);
    for url in [stage.url.clone(), format!("{};type=a", stage.url)] {
        let told = stage.upload.run(&["--ascii", "--if-exists", "overwrite", "a.txt", &url], 7);
        assert!(told.message().contains("is in use by"), "{told}");
    }
    haul.kill_9();
}

#[test]
fn rate_limit_proxy_and_quoted_commands_hold_for_text() {
    let stage = Stage::new(20_000, proper());
    let told = stage.run(&["--quote", "NOOP", "--limit-rate", "1M"], 0);
    stage.assert_is_there(&told);
    assert_eq!(stage.peer.count("NOOP"), 1);
    let least = (on_the_way(&stage.text) as f64 / MIB as f64 - 0.3).max(0.0);
    assert!(told.seconds() >= least, "{told}");
    let proxy: Option<Running> = Microsocks::start(Some(("me", "pw")));
    let Some(proxy) = proxy else { return };
    let through = proxy.url("").replace("://", "://me:pw@");
    let told = stage.run(&["--proxy", &through, "--if-exists", "overwrite"], 0);
    stage.assert_is_there(&told);
}

#[test]
fn twenty_texts_in_a_row_go_over_tls_where_sessions_must_be_resumed() {
    let certificates = Certificates::for_loopback();
    let ca = certificates.ca_pem_path();
    for name in ["vsftpd", "proftpd"] {
        let upload = Upload::new();
        let tls = FtpTls::required(&certificates).reuse_required();
        let server = if name == "vsftpd" {
            Vsftpd::over(upload.root()).directive("ascii_upload_enable=YES").tls(tls).start()
        } else {
            ProFtpd::over(upload.root()).tls(tls).start()
        };
        let Some(server) = server else { continue };
        server.hand_over();
        std::fs::create_dir(upload.local("many")).unwrap();
        for number in 0..20 {
            std::fs::write(upload.local(&format!("many/{number}")), text(50 * number)).unwrap();
        }
        let url = server.login_url("/");
        let args = ["--ascii", "--tls", "required", "--cacert", ca.to_str().unwrap(), "-r", "--mkdir"];
        let told = upload.run(&[&args[..], &["-j", "1", "many", &url]].concat(), 0);
        for number in 0..20 {
            let far = std::fs::read(upload.far(&format!("many/{number}"))).unwrap();
            assert!(far == text(50 * number), "{name} {number} {told}");
        }
    }
}
