//! `haul put` as its options say: who logs in, by which way it goes there, and what may be touched.

use std::time::Duration;

use haul_testkit::{
    Content, Cut, FtpBehaviour, FtpPeer,
    hostile::{
        Which,
        ftp::{Completion, Restart},
    },
    real::{Microsocks, ProFtpd, Running, Tinyproxy, Vsftpd},
};

use crate::scene::{MIB, SOON, Told, upload::Upload};

const SIZE: u64 = 6 * MIB + 77;
const CONTENT: Content = Content::new(90, SIZE);

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper()
}

/// A file, and a peer that takes it.
fn stage(behaviour: FtpBehaviour) -> (Upload, FtpPeer, String) {
    let peer = FtpPeer::start(behaviour);
    let url = peer.url("f.bin");
    (Upload::of("f.bin", CONTENT), peer, url)
}

/// A run that dies when the peer has about half of the file.
fn killed_at_half(upload: &Upload, peer: &FtpPeer, url: &str) {
    let goal = peer.body_received() + SIZE / 2;
    let haul = upload.put(&["--limit-rate", "3M", "f.bin", url]).spawn();
    peer.wait_until_received(goal, SOON);
    assert_eq!(haul.kill_9().signal, Some(9));
}

#[test]
fn a_login_comes_from_the_option_the_environment_or_a_netrc() {
    let locked = FtpBehaviour { login: Some(("me".into(), "open sesame".into())), ..proper() };
    let (upload, peer, url) = stage(locked);
    let netrc = upload.local("netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login me password \"open sesame\"\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&netrc, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let netrc = format!("--netrc={}", netrc.display());
    upload.run(&["f.bin", &url], 4);
    upload.run(&["-u", "me:wrong", "f.bin", &url], 4);
    assert_eq!(peer.file("f.bin"), None);
    for args in [&["-u", "me:open sesame"][..], &[&netrc[..]][..]] {
        upload.run(&[args, &["--if-exists", "overwrite", "f.bin", &url]].concat(), 0);
        peer.assert_file_is("f.bin", CONTENT);
        upload.local("f.bin");
        peer.put_bytes("f.bin", b"another");
    }
    let haul = upload.put(&["-u", "me", "--if-exists", "overwrite", "f.bin", &url]);
    haul.env("HAUL_PASSWORD", "open sesame").run().expect_code(0);
    peer.assert_file_is("f.bin", CONTENT);
}

#[test]
fn no_password_is_written_down_or_shown() {
    let (upload, peer, url) = stage(proper().stall(Which::Every, MIB));
    let url = url.replace("ftp://", "ftp://me:s3cr3t@");
    let haul = upload.put(&["-u", "you:h1dd3n", "f.bin", &url]).spawn();
    peer.wait_until_received(MIB, SOON);
    let end = haul.kill_9();
    let mut seen = end.stderr + &end.stdout.iter().map(|byte| *byte as char).collect::<String>();
    for entry in std::fs::read_dir(upload.state().join("haul/uploads")).unwrap() {
        seen += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    for secret in ["s3cr3t", "h1dd3n"] {
        assert!(!seen.contains(secret), "{seen}");
    }
}

#[test]
fn it_goes_through_proxies() {
    let upload = Upload::of("f.bin", CONTENT);
    let Some(server) = ProFtpd::over(upload.root()).allow_store_restart().start() else { return };
    let proxies: [Option<Running>; 2] =
        [Microsocks::start(Some(("me", "pw"))), Tinyproxy::start(Some(("me", "pw")))];
    for (number, proxy) in proxies.iter().flatten().enumerate() {
        let name = format!("{number}.bin");
        let url = server.login_url(&format!("/{name}"));
        let through = proxy.url("").replace("://", "://me:pw@");
        upload.run(&["--proxy", &through, "f.bin", &url], 0);
        CONTENT.assert_file_is(upload.far(&name));
        assert!(proxy.addr() != server.addr());
    }
    let nowhere = upload.put(&["--proxy", "socks5://127.0.0.1:1", "f.bin", &server.login_url("/x")]).run();
    nowhere.expect_code(3);
    assert!(!upload.far("x").exists(), "nothing goes around the proxy");
}

#[test]
fn servers_may_open_the_data_connection() {
    let upload = Upload::of("f.bin", CONTENT);
    let Some(server) = Vsftpd::serve(upload.root()) else { return };
    CONTENT.write_first(upload.far("f.bin"), SIZE / 2);
    let told = upload.run(&["--ftp-active", "f.bin", &server.login_url("/f.bin")], 0);
    assert_eq!(told.kept(), SIZE / 2);
    CONTENT.assert_file_is(upload.far("f.bin"));
}

#[test]
fn commands_are_sent_before_and_dates_are_kept() {
    let (upload, peer, url) = stage(proper());
    let file = std::fs::File::options().write(true).open(upload.local("f.bin")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000)).unwrap();
    upload.run(&["--quote", "NOOP", "f.bin", &url], 0);
    assert_eq!(peer.count("NOOP"), 1);
    assert_eq!(peer.modified("f.bin"), Some(1_500_000_000));
}

#[test]
fn what_haul_itself_began_is_continued_whatever_if_exists_says_of_others() {
    for if_exists in ["fail", "skip", "overwrite"] {
        let (upload, peer, url) = stage(proper());
        killed_at_half(&upload, &peer, &url);
        let told = upload.run(&["--if-exists", if_exists, "f.bin", &url], 0);
        assert!(told.kept() >= SIZE / 4, "{if_exists}: {told}");
        peer.assert_file_is("f.bin", CONTENT);
    }
}

#[test]
fn a_file_that_is_away_for_a_moment_is_not_taken_for_gone() {
    let (upload, peer, url) = stage(proper());
    killed_at_half(&upload, &peer, &url);
    // As with Pure-FTPd, which gives a file another name while a session, dead or not, continues it.
    let says = |behaviour: &mut FtpBehaviour, which| {
        for command in ["SIZE", "MLST", "MDTM"] {
            *behaviour = behaviour.clone().instead_of(which, command, "550 no such file");
        }
    };
    peer.change(|behaviour| says(behaviour, Which::First(3)));
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.kept() >= SIZE / 4 && !told.says_begun_anew(), "{told}");
    peer.assert_file_is("f.bin", CONTENT);
    // One that is gone is sent anew, and that is said.
    killed_at_half(&upload, &peer, &url.replace("f.bin", "g.bin"));
    peer.change(|behaviour| says(behaviour, Which::Every));
    let told = upload.put(&["f.bin", &url.replace("f.bin", "g.bin")]).run();
    assert!(told.stderr.contains("is not there any more"), "{}", told.stderr);
}

#[test]
fn a_server_that_keeps_sizes_to_itself_has_no_file_overwritten() {
    let refuses = proper().instead("SIZE", "550 not for you");
    for behaviour in [refuses.clone().without(&["MLST", "MLSD"]), refuses.instead("MLST", "501 no")] {
        let (upload, peer, url) = stage(behaviour.instead("LIST", "502 no"));
        peer.put_bytes("f.bin", b"a stranger's");
        let told = upload.run(&["f.bin", &url], 8);
        assert!(told.message().contains("does not tell"), "{told}");
        assert_eq!(peer.file("f.bin").unwrap(), b"a stranger's");
    }
    // Where there is none, nothing is in the way.
    let (upload, peer, url) = stage(proper().without(&["MLST", "MLSD"]));
    upload.run(&["f.bin", &url], 0);
    peer.assert_file_is("f.bin", CONTENT);
}

#[test]
fn what_one_user_began_is_no_leave_to_replace_anothers_file() {
    let (upload, peer, url) = stage(proper());
    let haul = upload.put(&["-u", "alice:a", "--limit-rate", "3M", "f.bin", &url]).spawn();
    peer.wait_until_received(SIZE / 2, SOON);
    assert_eq!(haul.kill_9().signal, Some(9));
    // The peer has one tree for all; this stands for the file in another's home.
    peer.put_bytes("f.bin", b"bob's own");
    upload.run(&["-u", "bob:b", "f.bin", &url], 8);
    assert_eq!(peer.file("f.bin").unwrap(), b"bob's own");
    let told = upload.run(&["-u", "alice:a", "f.bin", &url], 0);
    assert!(told.says_begun_anew(), "{told}");
}

#[test]
fn a_file_that_another_session_still_writes_is_waited_for() {
    // More lies in the system's buffers than the server takes in ten seconds.
    let (upload, peer, url) = stage(proper().rate(Which::Only(0), 256 << 10));
    let haul = upload.put(&["f.bin", &url]).spawn();
    haul.wait_for_line(|line| line.contains(r#""event":"progress""#), SOON);
    peer.wait_until_received(64 << 10, SOON);
    haul.kill_9();
    let told = upload.run(&["f.bin", &url], 0);
    peer.assert_file_is("f.bin", CONTENT);
    assert!(!told.says_begun_anew(), "{told}");
    // The wait is told where it was one: small buffers are empty sooner.
    if told.seconds() > 12.0 {
        assert!(told.to_string().contains("goes on growing"), "{told}");
    }
}

#[test]
fn restart_begins_our_own_anew_and_leaves_a_strangers_alone() {
    let (upload, peer, url) = stage(proper());
    killed_at_half(&upload, &peer, &url);
    let told = upload.run(&["--restart", "f.bin", &url], 0);
    assert!(told.says_begun_anew(), "{told}");
    assert_eq!(told.fetched(), SIZE);
    peer.assert_file_is("f.bin", CONTENT);
    let (upload, peer, url) = stage(proper());
    peer.put_bytes("f.bin", b"a stranger's");
    upload.run(&["--restart", "f.bin", &url], 8);
    assert_eq!(peer.file("f.bin").unwrap(), b"a stranger's");
}

#[test]
fn each_way_to_verify_asks_for_what_it_says() {
    // (how, retrieved, checksums asked for)
    let cases = [("auto", false, true), ("full", false, true), ("tail", true, false), ("none", false, false)];
    for (how, reads, sums) in cases {
        let (upload, peer, url) = stage(proper().digests(&["XSHA256"]));
        peer.put_bytes("f.bin", &CONTENT.bytes(0..SIZE / 2));
        let told = upload.run(&["--verify", how, "f.bin", &url], 0);
        assert_eq!(told.kept(), SIZE / 2, "{how}: {told}");
        assert_eq!((peer.count("RETR") > 0, peer.count("XSHA256") > 0), (reads, sums), "{how}");
        assert!(peer.sent_of("f.bin") <= 64 << 10, "{how}: no more than a tail");
        peer.assert_file_is("f.bin", CONTENT);
    }
    let (upload, peer, url) = stage(proper());
    peer.put_bytes("f.bin", &CONTENT.bytes(0..SIZE / 2));
    upload.run(&["--verify", "full", "f.bin", &url], 0);
    assert!(peer.sent_of("f.bin") >= SIZE / 2, "all of it was read back");
}

#[test]
fn it_reconnects_as_long_as_there_is_progress_and_not_longer() {
    let (upload, peer, url) = stage(proper().cut(Which::Every, MIB, Cut::Fin));
    // Six breaks, and patience for one in a row.
    upload.run(&["--retries", "1", "f.bin", &url], 0);
    peer.assert_file_is("f.bin", CONTENT);
    let (upload, peer, url) = stage(proper().cut(Which::Every, 0, Cut::Rst));
    let told = upload.run(&["--retries", "1", "f.bin", &url], 3);
    assert!(told.message().contains("gave up"), "{told}");
    assert!(peer.count("STOR") <= 3, "{told}");
}

#[test]
fn the_confirmation_has_a_deadline_of_its_own() {
    let (upload, peer, url) = stage(proper().completion(Which::Only(0), Completion::Withheld));
    let haul = upload.put(&["--timeout", "2", "f.bin", &url]).spawn();
    peer.wait_until(SOON, "all of it", |peer| peer.size("f.bin") == Some(SIZE));
    // What passes here is the time that is tested.
    std::thread::sleep(Duration::from_millis(3500));
    peer.release();
    let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
    assert_eq!(told.verified(), "size");
    assert!(told.all("retry").is_empty(), "{told}");
    assert_eq!(peer.received_of("f.bin"), SIZE, "nothing was sent twice");
}

#[test]
fn a_line_that_breaks_again_and_again_while_appending_is_gone_on_from() {
    let behaviour = proper().restart(Restart::Refused(451)).cut(Which::Every, MIB, Cut::Rst);
    let (upload, peer, url) = stage(behaviour);
    let told = upload.run(&["f.bin", &url], 0);
    assert!(!told.says_begun_anew(), "{told}");
    peer.assert_file_is("f.bin", CONTENT);
    assert!(peer.received_of("f.bin") < SIZE + MIB, "hardly anything arrived twice");
}

#[test]
fn several_files_go_in_one_session_where_one_at_a_time_is_asked_for() {
    let peer = FtpPeer::start(proper());
    let upload = Upload::new();
    for number in 0..5 {
        Content::new(number, 50_000).write_to(upload.local(&format!("{number}")));
    }
    upload.run(&["-j", "1", "0", "1", "2", "3", "4", &peer.url("")], 0);
    for number in 0..5 {
        peer.assert_file_is(&format!("{number}"), Content::new(number, 50_000));
    }
    assert_eq!(peer.sessions(), 1);
}

#[test]
fn one_failure_does_not_stop_the_others_and_gives_its_code() {
    let peer = FtpPeer::start(proper());
    peer.put_bytes("b", b"a stranger's");
    let upload = Upload::new();
    for name in ["a", "b", "c"] {
        Content::new(1, 50_000).write_to(upload.local(name));
    }
    let told = upload.run(&["-j", "1", "a", "b", "c", &peer.url("")], 8);
    assert_eq!(told.all("done").len(), 2, "{told}");
    assert_eq!(peer.file("b").unwrap(), b"a stranger's");
}

#[test]
fn an_empty_file_arrives() {
    let (upload, peer, url) = stage(proper());
    std::fs::write(upload.local("f.bin"), b"").unwrap();
    upload.run(&["f.bin", &url], 0);
    assert_eq!(peer.size("f.bin"), Some(0));
    let again = upload.run(&["f.bin", &url], 0);
    assert_eq!(again.done()["already"], true, "{again}");
}
