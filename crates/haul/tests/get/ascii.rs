//! `--ascii`: text whose line ends become those of this system, whole or absent, and never gone on with.

use std::time::{Duration, SystemTime};

use crate::scene::{MIB, SOON, Scene, Seeded, Told, files, upload::Start, wait_until};
use haul_testkit::{
    Content, Cut, FtpBehaviour, FtpPeer,
    hostile::{Which, ftp::Completion},
    real::{ProFtpd, PureFtpd, Pyftpdlib, Vsftpd},
};

const SERVERS: [(&str, Start); 4] = [
    ("vsftpd", |root| {
        Vsftpd::over(root).directive("ascii_download_enable=YES").directive("ascii_upload_enable=YES").start()
    }),
    ("proftpd", |root| ProFtpd::serve(root)),
    ("pure-ftpd", |root| PureFtpd::serve(root)),
    ("pyftpdlib", |root| Pyftpdlib::serve(root)),
];

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

fn lines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn text_of_every_server_is_as_on_its_disk() {
    let text = text(40_000);
    for (name, start) in SERVERS {
        println!("{name}");
        let dir = tempfile::tempdir().unwrap();
        let far = dir.path().join("text.txt");
        std::fs::write(&far, &text).unwrap();
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        std::fs::File::options().write(true).open(&far).unwrap().set_modified(date).unwrap();
        let Some(server) = start(dir.path()) else { continue };
        server.hand_over();
        let scene = Scene::new();
        let told = scene.run(&["--ascii", &server.login_url("/text.txt")], 0);
        assert!(scene.read("text.txt") == text, "{name} {told}");
        scene.assert_only("text.txt");
        assert_eq!(scene.path("text.txt").metadata().unwrap().modified().unwrap(), date);
        // It was text on the way.
        assert_eq!(told.fetched(), text.len() as u64 + lines(&text), "{name} {told}");
        assert_eq!(told.verified(), "reply");
        assert!(told.to_string().contains("cannot be resumed"), "{told}");
        // The URL may say it too, and then the same command asks what to do with what is there.
        let url = server.login_url("/text.txt;type=a");
        let told = scene.run(&[&url], 7);
        assert!(told.message().contains("--overwrite"), "{told}");
        scene.run(&["--overwrite", &url], 0);
        assert!(scene.read("text.txt") == text);
    }
}

fn peer(bytes: &[u8], behaviour: FtpBehaviour) -> FtpPeer {
    let peer = FtpPeer::start(behaviour);
    peer.put_bytes("a.txt", bytes);
    peer
}

#[test]
fn line_ends_become_ours_and_nothing_else_changes() {
    for here in [&b"a\nb\n"[..], b"a\nb\rc\r", b"\r\n\xff\0\n\n", b""] {
        let peer = peer(here, FtpBehaviour::proper());
        let scene = Scene::new();
        scene.run(&["--ascii", "-o", "x", &peer.url("a.txt")], 0);
        assert_eq!(scene.read("x"), here);
        let end = scene.get(&["--ascii", "-o", "-", &peer.url("a.txt")]).run().expect_code(0);
        assert_eq!(end.stdout, here);
        let sent = peer.commands();
        let sent: Vec<_> = sent.iter().map(|command| command.line.as_str()).collect();
        let ascii = sent.iter().position(|line| *line == "TYPE A").unwrap();
        let retr = sent.iter().position(|line| line.starts_with("RETR")).unwrap();
        assert!(
            ascii < retr && !sent.iter().any(|line| line.starts_with("REST") || line.starts_with("SIZE"))
        );
    }
}

#[test]
fn broken_off_it_begins_anew_and_is_whole() {
    let text = text(20_000);
    for how in [Cut::Fin, Cut::Rst] {
        let behaviour = FtpBehaviour::proper().cut(Which::First(2), 300_000, how);
        let peer = peer(&text, behaviour);
        let scene = Scene::new();
        let told = scene.run(&["--ascii", &peer.url("a.txt")], 0);
        assert!(scene.read("a.txt") == text, "{told}");
        assert_eq!(told.all("retry").len(), 2, "{told}");
        scene.assert_only("a.txt");
    }
}

#[test]
fn without_the_last_reply_nothing_is_claimed() {
    let text = text(2000);
    for completion in
        [Completion::Reply("426 no".into()), Completion::Reply("451 no".into()), Completion::Lost(Cut::Fin)]
    {
        let behaviour = FtpBehaviour::proper().completion(Which::Every, completion);
        let peer = peer(&text, behaviour);
        let scene = Scene::new();
        let told = scene.run(&["--ascii", "--retries", "1", &peer.url("a.txt")], 3);
        assert!(told.message().contains("begin anew"), "{told}");
        assert!(scene.files().is_empty(), "{:?}", scene.files());
        // What went out cannot be taken back.
        let end = scene.get(&["--ascii", "-o", "-", &peer.url("a.txt")]).run().expect_code(3);
        assert!(Told::by(end).message().contains("cannot be taken back"));
    }
    let peer = peer(&text, FtpBehaviour::proper());
    let told = Scene::new().run(&["--ascii", &peer.url("none.txt")], 4);
    assert!(told.message().contains("550"), "{told}");
}

#[test]
fn killed_it_begins_anew_and_no_other_transfer_takes_its_bytes() {
    let text = text(60_000);
    let peer = peer(&text, FtpBehaviour::proper().rate(Which::Every, 2 * MIB));
    let scene = Scene::new();
    let haul = scene.get(&["--ascii", &peer.url("a.txt")]).spawn();
    peer.wait_until_sent(MIB, SOON);
    haul.kill_9();
    wait_until(|| peer.open() == 0);
    assert_eq!(files(scene.dir()), ["a.txt.part", "a.txt.part.haul"]);
    peer.change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&[&peer.url("a.txt")], 7);
    assert!(told.message().contains("belongs to another file"), "{told}");
    let told = scene.run(&["--ascii", &peer.url("a.txt")], 0);
    assert_eq!(told.fetched(), text.len() as u64 + lines(&text), "{told}");
    assert!(scene.read("a.txt") == text);
    scene.assert_only("a.txt");
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let peer = peer(&text(60_000), FtpBehaviour::proper().rate(Which::Every, MIB));
    let scene = Scene::new();
    let haul = scene.get(&["--ascii", &peer.url("a.txt")]).spawn();
    peer.wait_until_sent(MIB / 2, SOON);
    haul.interrupt();
    let told = Told::by(haul.wait_at_most(SOON).expect_code(130));
    assert!(told.message().contains("begins anew"), "{told}");
    assert!(scene.files().is_empty(), "{:?}", scene.files());
}

#[test]
fn a_file_that_changes_while_it_comes_is_fetched_anew() {
    let content = Content::new(8, 2 * MIB);
    let behaviour = FtpBehaviour::proper().rate(Which::Only(0), 8 * MIB).replaced_after(
        MIB,
        "f.bin",
        content.changed(5),
        Some(1_650_000_000),
    );
    let peer = FtpPeer::start(behaviour);
    peer.put("f.bin", content);
    let scene = Scene::new();
    let told = scene.run(&["--ascii", &peer.url("f.bin")], 0);
    assert_eq!(told.all("changed").len(), 1, "{told}");
    let bytes = content.changed(5).bytes(0..content.size());
    assert!(scene.read("f.bin") == bytes);
}

#[test]
fn a_checksum_is_that_of_the_text_here() {
    let peer = peer(b"a\nb\n", FtpBehaviour::proper());
    let scene = Scene::new();
    // printf 'a\nb\n' | md5sum
    let right = "md5=dd8c6a395b5dd36c56d23275028f526c";
    let wrong = "md5=00000000000000000000000000000000";
    let told = scene.run(&["--ascii", "--checksum", wrong, &peer.url("a.txt")], 6);
    assert!(told.message().contains("another checksum"), "{told}");
    scene.assert_only("a.txt.bad");
    let told = scene.run(&["--ascii", "--checksum", right, &peer.url("a.txt")], 0);
    assert_eq!((told.verified(), told.done()["already"].as_bool()), ("digest", Some(false)));
    let told = scene.run(&["--ascii", "--checksum", right, &peer.url("a.txt")], 0);
    assert_eq!((told.fetched(), told.done()["already"].as_bool()), (0, Some(true)));
}

#[test]
fn what_makes_no_sense_of_text_is_a_usage_error() {
    for args in [
        &["--ascii", "-n", "2", "ftp://h/a"][..],
        &["--ascii", "-c", "ftp://h/a"],
        &["--ascii", "-r", "ftp://h/a/"],
        &["--ascii", "http://h/a"],
    ] {
        Scene::new().run(args, 2);
    }
}

#[test]
fn somebody_elses_partial_is_kept() {
    let peer = peer(b"a\n", FtpBehaviour::proper());
    let scene = Scene::new();
    scene.write("a.txt.part", "not ours");
    scene.run(&["--ascii", &peer.url("a.txt")], 0);
    assert_eq!(scene.read("a.txt"), b"a\n");
    assert_eq!(scene.read("a.txt.old"), b"not ours");
    assert_eq!(scene.files(), ["a.txt", "a.txt.old"]);
}
