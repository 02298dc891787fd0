//! `haul probe` of FTP servers: what it says is what they do, and nothing is left there.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use haul_testkit::{
    Content, Finished, FtpBehaviour, FtpPeer, Haul,
    hostile::{
        Which,
        ftp::{Append, Blocks, Dates, Fault, Passive, Rest, Restart, Sizes},
    },
    real::{FtpTls, Inetutils, Microsocks, ProFtpd, PureFtpd, Pyftpdlib, Running, Tinyproxy, Vsftpd},
    tls::Certificates,
};
use serde_json::Value;

use crate::scene::{SOON, files, haul, served::serve, upload::RESUMING, wait_until};

const FILE: Content = Content::new(3, 300_000);

fn probe(args: &[&str]) -> Haul {
    haul().arg("probe").args(args)
}

fn text(end: &Finished) -> String {
    String::from_utf8(end.stdout.clone()).unwrap()
}

/// What `haul probe --json` finds, of which the lines have to have the same verdicts.
#[track_caller]
fn found(args: &[&str]) -> Value {
    let end = probe(args).run().expect_code(0);
    assert_eq!(end.stderr, "");
    let lines = without_name(&text(&end));
    let end = probe(&[&["--json"], args].concat()).run().expect_code(0);
    let found: Value = serde_json::from_str(&text(&end)).unwrap();
    let verdict = |of: &str, found: &Value| {
        let line =
            format!("{of}: {} — {}", found["resume"].as_str().unwrap(), found["why"].as_str().unwrap());
        without_name(&line)
    };
    let mut last = lines.lines().rev();
    assert_eq!(last.next(), Some(&*verdict("resume", &found)), "{lines}");
    if found["uploads"].is_object() {
        let expected = verdict("uploads", &found["uploads"]);
        assert_eq!(last.next(), Some(&*expected), "{lines}");
        assert_eq!(found["uploads"]["left"].as_array().map(Vec::len), Some(0), "{lines}");
    } else {
        assert!(lines.contains("not tried without --write"), "{lines}");
    }
    found
}

/// The name of the probe's own file is another one each time.
fn without_name(text: &str) -> String {
    let mut parts = text.split("haul-probe-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "haul-probe-…" + part.get(16..).unwrap_or_default())
}

/// What came of one thing: `works`, `refused`, `wrong`, or `` where it was not tried.
fn outcome<'a>(found: &'a Value, key: &str) -> &'a str {
    found[key]["outcome"].as_str().unwrap_or_default()
}

fn served() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    FILE.write_to(dir.path().join("f.bin"));
    long_ago(&dir.path().join("f.bin"));
    dir
}

fn long_ago(path: &Path) {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
}

fn peer(behaviour: FtpBehaviour) -> FtpPeer {
    let peer = FtpPeer::start(behaviour);
    peer.put("f.bin", FILE);
    peer
}

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper()
}

#[test]
fn real_servers_resume_both_ways_and_keep_nothing_of_the_probe() {
    for (name, start) in RESUMING {
        let dir = served();
        let Some(server) = start(dir.path()) else { continue };
        let found = found(&["--write", &server.login_url("/f.bin")]);
        println!("{name}: {found}");
        for key in ["epsv", "pasv", "size_told", "mdtm", "rest", "last_byte"] {
            assert_eq!(outcome(&found, key), "works", "{name}: {key}\n{found}");
        }
        assert_eq!((&found["resume"], &found["rest_at"]), (&"yes".into(), &1000.into()), "{name}");
        assert_eq!((found["size"].as_u64(), &found["modified_strong"]), (Some(FILE.size()), &true.into()));
        assert_eq!(found["modified"], "Sun, 13 Sep 2020 12:26:40 GMT", "{name}");
        let uploads = &found["uploads"];
        for key in ["stor", "rest_stor", "appe", "rename", "kept", "dele"] {
            assert_eq!(outcome(uploads, key), "works", "{name}: {key}\n{found}");
        }
        assert_eq!(uploads["resume"], "yes", "{name}");
        // As the table of old says: only one of them cuts off what lies behind.
        let behind = if name == "pure-ftpd" { "cut" } else { "kept" };
        assert_eq!(uploads["behind"], behind, "{name}");
        let sums = uploads["checksums"].as_array().unwrap();
        assert_eq!(sums.contains(&"HASH SHA-256".into()), name == "proftpd", "{name}");
        assert_eq!(outcome(uploads, "mfmt") == "works", name != "vsftpd", "{name}");
        assert_eq!(files(dir.path()), ["f.bin"], "{name}: nothing is left");
        FILE.assert_file_is(dir.path().join("f.bin"));
    }
}

#[test]
fn proftpd_as_it_comes_takes_no_part_of_an_upload() {
    let dir = served();
    let Some(server) = ProFtpd::serve(dir.path()) else { return };
    let found = found(&["--write", &server.login_url("/f.bin")]);
    let uploads = &found["uploads"];
    assert_eq!((outcome(uploads, "rest_stor"), outcome(uploads, "appe")), ("refused", "refused"), "{found}");
    assert!(uploads["rest_stor"]["why"].as_str().unwrap().contains("451"), "{found}");
    assert_eq!((&uploads["resume"], &found["resume"]), (&"no".into(), &"yes".into()));
    assert_eq!(files(dir.path()), ["f.bin"]);
}

#[test]
fn a_server_that_keeps_nothing_of_a_broken_upload_does_not_resume_it() {
    let dir = served();
    let hidden = ProFtpd::over(dir.path()).allow_store_restart().hidden_stores().start();
    let Some(server) = hidden else { return };
    let found = found(&["--write", &server.login_url("/f.bin")]);
    let uploads = &found["uploads"];
    assert_eq!((outcome(uploads, "appe"), outcome(uploads, "kept")), ("works", "wrong"), "{found}");
    assert_eq!((&uploads["resume"], &found["resume"]), (&"no".into(), &"yes".into()), "{found}");
    assert_eq!(files(dir.path()), ["f.bin"]);
}

#[test]
fn a_server_without_epsv_and_mlst_is_probed_all_the_same() {
    let dir = served();
    let Some(server) = Inetutils::serve(dir.path()) else { return };
    let found = found(&["--write", &server.login_url("/f.bin")]);
    println!("{found}");
    assert_eq!((&found["resume"], outcome(&found, "mlst")), (&"yes".into(), "refused"), "{found}");
    assert_eq!(files(dir.path()), ["f.bin"]);
}

#[test]
fn blocks_are_tried_where_they_are_offered() {
    let dir = served();
    let server = serve(dir.path()).start();
    let told = text(&probe(&[&server.url("/f.bin")]).run().expect_code(0));
    assert!(told.contains("works: the right bytes came, and the end of the file was told"), "{told}");
    assert_eq!(outcome(&found(&["--write", &server.url("/f.bin")]), "blocks"), "works");
    let blocks = |fault| Blocks::default().fault(Which::Every, 0, fault);
    for (behaviour, expected) in [
        (proper(), ""),
        (proper().blocks(Blocks::default()), "works"),
        (proper().blocks(Blocks::default()).instead("MODE B", "504 no"), "refused"),
        (proper().blocks(blocks(Fault::NoEnd)), "wrong"),
        (proper().blocks(blocks(Fault::Streamed)), "wrong"),
    ] {
        let peer = peer(behaviour);
        let found = found(&[&peer.url("f.bin")]);
        assert_eq!((outcome(&found, "blocks"), &found["resume"]), (expected, &"yes".into()), "{found}");
    }
}

#[test]
fn tls_is_told_with_its_version_and_whether_data_resumes_its_session() {
    let certificates = Certificates::for_loopback();
    let ca = certificates.ca_pem_path();
    let ca = ca.to_str().unwrap();
    let required = || FtpTls::required(&certificates);
    let reusing = || required().reuse_required();
    type StartTls = fn(&Path, FtpTls) -> Option<Running>;
    let vsftpd: StartTls = |root, tls| Vsftpd::over(root).tls(tls).start();
    let proftpd: StartTls = |root, tls| ProFtpd::over(root).tls(tls).start();
    let pureftpd: StartTls = |root, tls| PureFtpd::over(root).tls(tls).start();
    let pyftpdlib: StartTls = |root, tls| Pyftpdlib::over(root).tls(tls).start();
    // Neither of the other two goes on with the session of another connection.
    for (start, tls, version, resumes) in [
        (vsftpd, reusing().only_12(), "TLS 1.2", true),
        (vsftpd, reusing().only_13(), "TLS 1.3", true),
        (vsftpd, FtpTls::implicit(&certificates), "TLS 1.3", true),
        (proftpd, reusing().only_12(), "TLS 1.2", true),
        (proftpd, reusing(), "TLS 1.3", true),
        (pureftpd, required(), "TLS 1.3", false),
        (pyftpdlib, required().only_12(), "TLS 1.2", true),
    ] {
        let dir = served();
        let told = format!("{tls:?}");
        let Some(server) = start(dir.path(), tls) else { continue };
        let found = found(&["--write", "--cacert", ca, &server.login_url("/f.bin")]);
        println!("{told}: {found}");
        let tls = &found["tls"];
        assert_eq!((&tls["offered"], &tls["data"]), (&true.into(), &true.into()), "{told}: {found}");
        assert!(tls["connections"].as_u64() >= Some(8), "{told}: {found}");
        assert_eq!(
            (&tls["version"], tls["resumed"] == tls["connections"]),
            (&version.into(), resumes),
            "{told}: {found}"
        );
        assert_eq!(
            (&found["resume"], outcome(&found["uploads"], "stor")),
            (&"yes".into(), "works"),
            "{found}"
        );
        assert_eq!(files(dir.path()), ["f.bin"], "{told}");
    }
}

#[test]
fn tls_that_is_not_wanted_or_not_there_is_told() {
    let offering = FtpPeer::start_tls(proper());
    offering.put("f.bin", FILE);
    let off = found(&["--tls", "off", &offering.url("f.bin")]);
    assert_eq!((&off["tls"]["version"], &off["tls"]["offered"]), (&Value::Null, &true.into()), "{off}");
    let insecure = found(&["--insecure", &offering.url("f.bin")]);
    assert_eq!(insecure["tls"]["version"], "TLS 1.3");
    let end = probe(&[&offering.url("f.bin")]).run().expect_code(4);
    assert!(end.stderr.contains("certificate"), "{}", end.stderr);
    let plain = peer(proper());
    assert_eq!(found(&[&plain.url("f.bin")])["tls"]["offered"], false);
    let end = probe(&["--tls", "required", &plain.url("f.bin")]).run().expect_code(4);
    assert!(end.stderr.contains("--tls required"), "{}", end.stderr);
}

#[test]
fn the_verdict_on_downloads_follows_from_the_bytes() {
    for (behaviour, expected, says) in [
        (proper(), "yes", "REST brings the right bytes"),
        (proper().rest(Rest::FromZero), "unsafe", "from its first byte on"),
        (proper().rest(Rest::OffBy(1)), "unsafe", "other bytes"),
        (proper().rest(Rest::OffBy(-100)), "unsafe", "other bytes"),
        (proper().rest(Rest::Refused(502)), "no", "502"),
        (proper().rest(Rest::RetrRefused(451)), "no", "451"),
        (proper().without(&["REST"]), "no", "500"),
        (proper().instead("REST", "350 Restarting at 0."), "unsafe", "another offset"),
        (proper().instead("REST", "421 going home"), "unsafe", "421"),
        (proper().without(&["SIZE"]), "unsafe", "no SIZE"),
        (proper().without(&["MDTM"]), "unsafe", "no MDTM"),
        (proper().without(&["SIZE", "MDTM", "MLST", "MLSD"]), "unsafe", "neither SIZE nor MDTM"),
        (proper().sizes(Sizes::OffBy(10)), "unsafe", "SIZE"),
        (proper().sizes(Sizes::OffBy(-10)), "unsafe", "SIZE"),
        (proper().dates(Dates::Always(4_000_000_000)), "unsafe", "less than a minute"),
        (proper().without(&["EPSV"]), "yes", ""),
        (proper().without(&["MLST"]), "yes", ""),
        (proper().instead("SYST", "502 no"), "yes", ""),
        (proper().instead("FEAT", "502 no"), "yes", ""),
    ] {
        let kind = format!("{behaviour:?}");
        let peer = peer(behaviour);
        let found = found(&[&peer.url("f.bin")]);
        assert_eq!(found["resume"], expected, "{kind}\n{found}");
        assert!(found["why"].as_str().unwrap().contains(says), "{found}");
        assert!(peer.commands().iter().all(|sent| !sent.line.starts_with("STOR")), "nothing is written");
    }
}

#[test]
fn files_of_any_size_are_judged_by_what_comes() {
    for (size, rest, expected) in [
        (0, Rest::Proper, "yes"),
        (1, Rest::Proper, "unsafe"),
        (2, Rest::Proper, "yes"),
        (999, Rest::Proper, "yes"),
        (1001, Rest::Proper, "yes"),
        (9192, Rest::Proper, "yes"),
        (2, Rest::FromZero, "unsafe"),
        (1001, Rest::FromZero, "unsafe"),
        (9192, Rest::FromZero, "unsafe"),
        (30_000_000, Rest::FromZero, "unsafe"),
        (30_000_000, Rest::Proper, "yes"),
    ] {
        let peer = FtpPeer::start(proper().rest(rest));
        peer.put("f.bin", FILE.resized(size));
        let found = found(&[&peer.url("f.bin")]);
        assert_eq!(found["resume"], expected, "{size} {rest:?}: {found}");
    }
    // All bytes alike: only their number tells.
    for (rest, expected) in [(Rest::Proper, "yes"), (Rest::FromZero, "unsafe")] {
        let peer = FtpPeer::start(proper().rest(rest).dates(Dates::Always(1_000_000_000)));
        peer.put_bytes("f.bin", &[7; 100_000]);
        let found = found(&[&peer.url("f.bin")]);
        assert_eq!(found["resume"], expected, "{rest:?}: {found}");
    }
}

#[test]
fn the_verdict_on_uploads_follows_from_what_is_there_afterwards() {
    for (behaviour, expected, [restart, append]) in [
        (proper(), "yes", ["works", "works"]),
        (proper().restart(Restart::Truncates), "yes", ["works", "works"]),
        (proper().restart(Restart::Refused(451)), "yes", ["refused", "works"]),
        (proper().restart(Restart::Refused(451)).append(Append::Refused(451)), "no", ["refused", "refused"]),
        (proper().append(Append::Truncates), "yes", ["works", "wrong"]),
        (proper().restart(Restart::FromZero), "unsafe", ["wrong", "works"]),
        (proper().restart(Restart::FromZero).append(Append::Truncates), "unsafe", ["wrong", "wrong"]),
        (proper().restart(Restart::Refused(451)).append(Append::Truncates), "unsafe", ["refused", "wrong"]),
        (proper().without(&["SIZE", "MDTM", "MLST"]), "yes", ["works", "works"]),
        (proper().read_only(), "no", ["", ""]),
        (proper().room(1500, "552 full"), "no", ["", ""]),
    ] {
        let kind = format!("{:?} {:?}", behaviour.restart, behaviour.append);
        let peer = peer(behaviour);
        let found = found(&["--write", &peer.url("f.bin")]);
        let uploads = &found["uploads"];
        assert_eq!(uploads["resume"], expected, "{kind}: {found}");
        assert_eq!([outcome(uploads, "rest_stor"), outcome(uploads, "appe")], [restart, append], "{found}");
        let name = uploads["name"].as_str().unwrap();
        for end in ["", "-renamed", "-broken"] {
            assert!(peer.size(&format!("{name}{end}")).is_none(), "{kind}: {name}{end}");
        }
        peer.assert_file_is("f.bin", FILE);
    }
}

#[test]
fn checksums_are_told_where_they_are_right() {
    let all = ["HASH", "XCRC", "XMD5", "XSHA1", "XSHA256", "MD5"];
    let honest = peer(proper().digests(&all));
    let sums = found(&["--write", &honest.url("f.bin")]);
    let sums = sums["uploads"]["checksums"].as_array().unwrap().clone();
    for name in ["HASH SHA-256", "XCRC", "XMD5", "XSHA1", "XSHA256", "MD5"] {
        assert!(sums.contains(&name.into()), "{name} in {sums:?}");
    }
    let liar = peer(FtpBehaviour { digests_lie: true, ..proper().digests(&all) });
    let found = found(&["--write", &liar.url("f.bin")]);
    assert_eq!(found["uploads"]["checksums"].as_array().map(Vec::len), Some(0), "{found}");
    assert!(found["uploads"]["wrong_checksums"].as_array().unwrap().contains(&"MD5".into()), "{found}");
}

#[test]
fn what_cannot_be_deleted_is_named() {
    let peer = peer(proper().instead("DELE", "550 never"));
    let end = probe(&["--write", &peer.url("f.bin")]).run().expect_code(0);
    let said = text(&end);
    let line = said.lines().find(|line| line.starts_with("left ")).unwrap_or_else(|| panic!("{said}"));
    let name = line.split_whitespace().nth(1).unwrap();
    assert!(peer.size(name).is_some(), "{line}");
}

#[test]
fn a_folder_says_that_no_file_was_tried() {
    let peer = peer(proper());
    peer.make_folder("d");
    for path in ["", "d/", "d"] {
        let found = found(&[&peer.url(path)]);
        assert_eq!((&found["probed"], &found["resume"]), (&"folder".into(), &"unsafe".into()), "{found}");
        assert!(found["why"].as_str().unwrap().contains("no file"), "{found}");
        assert_eq!((outcome(&found, "epsv"), outcome(&found, "pasv")), ("works", "works"), "{found}");
    }
    // With a file of its own there is one.
    let own = found(&["--write", &peer.url("d/")]);
    assert_eq!((&own["resume"], &own["uploads"]["resume"]), (&"yes".into(), &"yes".into()), "{own}");
    assert!(own["uploads"]["name"].as_str().unwrap().starts_with("d/haul-probe-"), "{own}");
    let refusing = self::peer(proper().rest(Rest::Refused(502)));
    assert_eq!(found(&[&refusing.url("")])["resume"], "no");
}

#[test]
fn a_file_that_is_not_there_is_refused_or_its_folder_is_written_to() {
    let peer = peer(proper());
    let end = probe(&[&peer.url("none.bin")]).run().expect_code(4);
    assert!(end.stdout.is_empty() && end.stderr.contains("550"), "{}", end.stderr);
    let found = found(&["--write", &peer.url("none.bin")]);
    assert_eq!(
        (&found["probed"], &found["uploads"]["resume"]),
        (&"nothing".into(), &"yes".into()),
        "{found}"
    );
}

#[test]
fn a_refused_login_is_one_line_and_code_4_without_the_password() {
    let peer = peer(proper().login("ann", "hunter2"));
    let url = peer.url("f.bin");
    let end = probe(&["-u", "ann:s3cret", &url]).run().expect_code(4);
    assert!(end.stderr.contains("530") && !end.stderr.contains("s3cret"), "{}", end.stderr);
    assert_eq!(end.stderr.lines().count(), 1, "{}", end.stderr);
    found(&["-u", "ann:hunter2", &url]);
    let dir = tempfile::tempdir().unwrap();
    let netrc = dir.path().join("netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login ann password hunter2\n").unwrap();
    found(&[&format!("--netrc={}", netrc.display()), &url]);
    let full = self::peer(proper().refuses_session(Which::Every, "421 too many"));
    let end = probe(&[&full.url("f.bin")]).run().expect_code(3);
    assert!(end.stderr.contains("421"), "{}", end.stderr);
}

#[test]
fn a_foreign_address_in_pasv_is_told_and_not_gone_to() {
    let peer = peer(proper().passive(Passive::Foreign(Ipv4Addr::new(192, 0, 2, 7))));
    let found = found(&[&peer.url("f.bin")]);
    assert_eq!((outcome(&found, "pasv"), &found["pasv_address"]), ("works", &"192.0.2.7".into()), "{found}");
    assert_eq!(found["resume"], "yes");
}

#[test]
fn data_connections_that_lead_nowhere_are_a_failure_of_the_network() {
    let peer = peer(proper().passive(Passive::Dead));
    let end = probe(&[&peer.url("f.bin")]).run().expect_code(3);
    assert!(end.stderr.contains("data connection"), "{}", end.stderr);
    assert_eq!(found(&["--ftp-active", &peer.url("f.bin")])["active"]["outcome"], "works");
}

#[test]
fn the_other_end_may_connect_to_here() {
    let dir = served();
    for (name, start) in RESUMING {
        let Some(server) = start(dir.path()) else { continue };
        let found = found(&["--ftp-active", "--write", &server.login_url("/f.bin")]);
        assert_eq!((outcome(&found, "active"), &found["epsv"]), ("works", &Value::Null), "{name}: {found}");
        assert_eq!(found["resume"], "yes", "{name}: {found}");
    }
}

#[test]
fn proxies_lead_to_the_server_and_its_data() {
    let peer = peer(proper());
    for proxy in [Microsocks::start(None), Tinyproxy::start(None)] {
        let Some(proxy) = proxy else { continue };
        let scheme = if proxy.url("").contains("socks") { "socks5://" } else { "http://" };
        let way = format!("{scheme}{}", proxy.addr());
        let found = found(&["--proxy", &way, &peer.url("f.bin")]);
        assert_eq!((&found["resume"], outcome(&found, "epsv")), (&"yes".into(), "works"), "{way}: {found}");
    }
}

#[test]
fn a_greeting_is_harmless_on_a_terminal_whatever_it_holds() {
    let nasty = "220-\x1b[2Jcome\x07 in\u{202e}\r\n220 \x1b]0;title\x07\u{9b}31m";
    let behaviour = FtpBehaviour { greeting: nasty.into(), ..proper() }
        .instead("SYST", "215 \x1b[31mUNIX")
        .instead("FEAT", "211-x\r\n \x1b[31mREST STREAM\r\n211 end");
    let peer = peer(behaviour);
    for args in [&[&*peer.url("f.bin")][..], &["--json", &peer.url("f.bin")]] {
        let said = text(&probe(args).run().expect_code(0));
        assert!(said.contains("[2Jcome") && said.contains("[31mUNIX"), "{said:?}");
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(harmful), "{said:?}");
    }
}

#[test]
fn a_greeting_without_end_ends_the_probe() {
    let line = format!("220-{}\r\n", "a".repeat(70));
    let endless = FtpBehaviour { greeting: line.repeat(5000) + "220 at last", ..proper() };
    let end = probe(&[&peer(endless).url("f.bin")]).run().expect_code(3);
    assert!(end.stderr.contains("lines") || end.stderr.contains("bytes"), "{}", end.stderr);
    let delays = FtpBehaviour { greeting: "120 in a moment\r\n".repeat(100) + "220 at last", ..proper() };
    let end = probe(&[&peer(delays).url("f.bin")]).run();
    assert!(end.code == Some(4) && end.stderr.contains("greeting"), "{end:?}");
}

#[test]
fn silence_is_given_up_after_the_time_that_was_told() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ftp://{}/f.bin", silent.local_addr().unwrap());
    let begin = Instant::now();
    let end = probe(&["--timeout", "1", &url]).run().expect_code(3);
    assert!(end.stderr.contains("said nothing for 1 s"), "{}", end.stderr);
    assert!(begin.elapsed() < Duration::from_secs(20));
    let http = url.replace("ftp://", "http://");
    let end = probe(&["--timeout", "1", &http]).run().expect_code(3);
    assert!(end.stderr.contains("1 s"), "{}", end.stderr);
    // A step that is not answered costs the step, and not the verdict.
    let peer = peer(proper().instead("REST", ""));
    let found = found(&["--timeout", "1", &peer.url("f.bin")]);
    assert_eq!(found["resume"], "unsafe", "{found}");
}

#[test]
fn what_is_no_ftp_server_is_refused() {
    let peer = peer(FtpBehaviour { greeting: "SSH-2.0-OpenSSH_9".into(), ..proper() });
    let end = probe(&[&peer.url("f.bin")]).run().expect_code(4);
    assert!(end.stderr.contains("no FTP reply"), "{}", end.stderr);
}

#[test]
fn uploads_are_tried_over_ftp_only() {
    let end = probe(&["--write", "http://127.0.0.1/f"]).run().expect_code(2);
    assert!(end.stderr.contains("--write"), "{}", end.stderr);
    let end = probe(&["ftp://127.0.0.1/a%0ab"]).run().expect_code(2);
    assert!(end.stderr.contains("line end"), "{}", end.stderr);
}

#[test]
fn ctrl_c_in_the_middle_of_an_upload_leaves_nothing() {
    let peer = peer(proper().stall(Which::Every, 500));
    let haul = probe(&["--write", &peer.url("none.bin")]).spawn();
    wait_until(|| peer.transfers().iter().any(|transfer| !transfer.is_download()));
    haul.interrupt();
    let end = haul.wait_at_most(SOON).expect_code(130);
    assert!(end.stderr.contains("deleted first"), "{}", end.stderr);
    let name = peer.transfers().iter().find(|transfer| !transfer.is_download()).unwrap().path.clone();
    assert!(peer.size(&name).is_none(), "{name}\n{}", end.stderr);
    assert!(peer.count("DELE") > 0);
}
