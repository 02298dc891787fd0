//! Each real FTP server does what the tests of haul rest on: a raw dialogue, and curl where data or TLS is needed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::Content;
use crate::tls::Certificates;

const FILE: Content = Content::new(12, 300_000);

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    FILE.write_to(dir.path().join("f.bin"));
    dir
}

/// What curl does with these arguments: its exit code, its words and the body.
fn curl(args: &[&str]) -> (i32, String, Vec<u8>) {
    let curl = peer("curl").expect("curl");
    let out = Command::new(curl).args(["-q", "-sS", "--noproxy", "*"]).args(args).output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned(), out.stdout)
}

/// A control connection of a test's.
struct Control {
    lines: BufReader<TcpStream>,
}

impl Control {
    fn open(server: &Running) -> Self {
        let mut control = Self { lines: BufReader::new(TcpStream::connect(server.addr()).unwrap()) };
        control.lines.get_mut().set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert!(control.reply().starts_with("220"));
        control
    }

    fn login(server: &Running) -> Self {
        let mut control = Self::open(server);
        assert!(control.ask(&format!("USER {}", server.user())).starts_with("331"));
        let reply = control.ask(&format!("PASS {}", server.password()));
        assert!(reply.starts_with("230"), "{reply}");
        control
    }

    fn data(&mut self) -> TcpStream {
        let reply = self.ask("EPSV");
        let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
        TcpStream::connect(("127.0.0.1", port)).unwrap()
    }

    fn ask(&mut self, command: &str) -> String {
        self.lines.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            assert!(self.lines.read_line(&mut reply).unwrap() > 0, "the end, after {reply:?}");
            let line = &reply[begin..];
            if line.len() > 3
                && line.as_bytes()[3] == b' '
                && line.as_bytes()[..3].iter().all(u8::is_ascii_digit)
            {
                return reply;
            }
        }
    }
}

/// Logs in, looks at FEAT, resumes a download, uploads, and is refused with a wrong password.
fn serves(server: Option<Running>, root: &Path, features: &[&str], lacks: &[&str]) {
    let Some(server) = server else { return };
    let mut control = Control::login(&server);
    let told = control.ask("FEAT");
    assert!(features.iter().all(|name| told.contains(name)), "{told}");
    assert!(!lacks.iter().any(|name| told.contains(name)), "{told}");
    assert!(control.ask("TYPE I").starts_with("200"));
    assert_eq!(control.ask("SIZE f.bin"), "213 300000\r\n");

    let (code, said, body) = curl(&["-C", "200000", &server.login_url("/f.bin")]);
    assert!(code == 0 && body == FILE.bytes(200_000..300_000), "{code} {said}\n{}", server.log());
    let local = tempfile::tempdir().unwrap();
    let (up, local) = (Content::new(13, 123_456), local.path().join("up.bin"));
    up.write_to(&local);
    let (code, said, _) = curl(&["-T", local.to_str().unwrap(), &server.login_url("/up.bin")]);
    assert!(code == 0, "{code} {said}\n{}", server.log());
    up.assert_file_is(root.join("up.bin"));
    let wrong = server.login_url("/f.bin").replace(server.password(), "wrong");
    assert_eq!(curl(&[&wrong]).0, 67);
}

/// With TLS as given, curl fetches and uploads; without, a login or a transfer is refused if TLS is required.
fn serves_by_tls(server: Option<Running>, certificates: &Certificates, version: &[&str], required: bool) {
    let Some(server) = server else { return };
    let ca = certificates.ca_pem_path();
    let url = server.login_url("/f.bin");
    let mut args = vec!["--ssl-reqd", "--cacert", ca.to_str().unwrap()];
    args.extend(version);
    let (code, said, body) = curl(&[&args[..], &[&url]].concat());
    assert!(code == 0 && body == FILE.bytes(0..300_000), "{code} {said}\n{}", server.log());
    let (code, said, _) =
        curl(&[&args[..], &["-T", ca.to_str().unwrap(), &server.login_url("/up")]].concat());
    assert!(code == 0, "{code} {said}\n{}", server.log());
    if required {
        assert_ne!(curl(&[&url]).0, 0, "without TLS");
    }
}

/// A data connection with a session of its own is refused, one that resumes the control connection's is not.
fn wants_sessions_resumed(start: impl Fn(FtpTls) -> Option<Running>, word: &str) {
    let certificates = Certificates::for_loopback();
    let Some(server) = start(FtpTls::required(&certificates).only_12().reuse_required()) else { return };
    let (ca, url) = (certificates.ca_pem_path(), server.login_url("/f.bin"));
    let args = ["-v", "--ssl-reqd", "--cacert", ca.to_str().unwrap(), "--tls-max", "1.2", &url];
    let (done, said, body) = curl(&args);
    assert!(done == 0 && body == FILE.bytes(0..300_000), "{done} {said}\n{}", server.log());
    let (done, said, _) = curl(&[&["--no-sessionid"], &args[..]].concat());
    // curl may leave before it reads the reply.
    let log = server.log();
    assert!(done != 0 && log.contains(word), "{done} {said}\n{log}");
}

/// Beyond so many sessions a newcomer is not greeted with 220.
fn limits_sessions(server: Option<Running>, count: usize) {
    let Some(server) = server else { return };
    let _sessions: Vec<_> = (0..count).map(|_| Control::login(&server)).collect();
    let mut lines = BufReader::new(TcpStream::connect(server.addr()).unwrap());
    let mut reply = String::new();
    lines.read_line(&mut reply).unwrap();
    if reply.starts_with("220") {
        // ProFTPD says no only after the login.
        reply.clear();
        lines
            .get_mut()
            .write_all(format!("USER {}\r\nPASS {}\r\n", server.user(), server.password()).as_bytes())
            .unwrap();
        while !reply.starts_with(['4', '5']) {
            reply.clear();
            assert!(lines.read_line(&mut reply).unwrap() > 0);
        }
    }
    assert!(reply.starts_with("421") || reply.starts_with("530"), "{reply}");
}

fn refuses_uploads(server: Option<Running>, root: &Path) {
    let Some(server) = server else { return };
    let file = root.join("f.bin");
    let (code, ..) = curl(&["-T", file.to_str().unwrap(), &server.login_url("/up.bin")]);
    assert_ne!(code, 0);
    assert!(!root.join("up.bin").exists());
    assert_eq!(curl(&[&server.login_url("/f.bin")]).0, 0);
}

/// TLS of either version; a client of the wrong one is refused.
fn speaks_tls(start: impl Fn(FtpTls) -> Option<Running>) {
    let certificates = Certificates::for_loopback();
    let tls = FtpTls::required(&certificates);
    serves_by_tls(start(tls.clone().only_12()), &certificates, &["--tls-max", "1.2"], true);
    serves_by_tls(start(tls.only_13()), &certificates, &["--tlsv1.3"], true);
    let Some(server) = start(FtpTls::offered(&certificates).only_12()) else { return };
    let ca = certificates.ca_pem_path();
    let with_13 = ["--ssl-reqd", "--cacert", ca.to_str().unwrap(), "--tlsv1.3", &server.login_url("/f.bin")];
    assert_eq!(curl(&with_13).0, 35);
    assert_eq!(curl(&[&server.login_url("/f.bin")]).0, 0);
}

fn speaks_implicit_tls(start: impl Fn(FtpTls) -> Option<Running>) {
    let certificates = Certificates::for_loopback();
    serves_by_tls(start(FtpTls::implicit(&certificates)), &certificates, &[], false);
}

#[test]
fn vsftpd_serves_and_takes() {
    let dir = folder();
    serves(
        Vsftpd::serve(dir.path()),
        dir.path(),
        &["REST STREAM", "SIZE", "MDTM", "EPSV"],
        &["MLST", "AUTH"],
    );
}

#[test]
fn vsftpd_speaks_tls() {
    let dir = folder();
    speaks_tls(|tls| Vsftpd::over(dir.path()).tls(tls).start());
    speaks_implicit_tls(|tls| Vsftpd::over(dir.path()).tls(tls).start());
}

#[test]
fn vsftpd_wants_sessions_resumed() {
    let dir = folder();
    wants_sessions_resumed(|tls| Vsftpd::over(dir.path()).tls(tls).start(), "No SSL session reuse");
}

#[test]
fn vsftpd_limits_sessions_and_can_be_read_only_and_open_to_all() {
    let dir = folder();
    limits_sessions(Vsftpd::over(dir.path()).max_clients(2).start(), 2);
    refuses_uploads(Vsftpd::over(dir.path()).read_only().start(), dir.path());
    let Some(server) = Vsftpd::over(dir.path()).anonymous().start() else { return };
    assert_eq!(curl(&[&server.url("/f.bin")]).2.len(), 300_000);
}

#[test]
fn pyftpdlib_serves_and_takes() {
    let dir = folder();
    let features = ["REST STREAM", "SIZE", "MDTM", "EPSV", "MLST", "MFMT"];
    serves(Pyftpdlib::serve(dir.path()), dir.path(), &features, &["HASH", "AUTH"]);
}

#[test]
fn pyftpdlib_speaks_tls() {
    let dir = folder();
    speaks_tls(|tls| Pyftpdlib::over(dir.path()).tls(tls).start());
    speaks_implicit_tls(|tls| Pyftpdlib::over(dir.path()).tls(tls).start());
}

#[test]
fn pyftpdlib_limits_sessions_and_can_be_read_only_and_open_to_all() {
    let dir = folder();
    limits_sessions(Pyftpdlib::over(dir.path()).max_clients(2).start(), 2);
    refuses_uploads(Pyftpdlib::over(dir.path()).read_only().start(), dir.path());
    let Some(server) = Pyftpdlib::over(dir.path()).anonymous().start() else { return };
    assert_eq!(curl(&[&server.url("/f.bin")]).2.len(), 300_000);
}

#[test]
fn proftpd_serves_and_takes() {
    let dir = folder();
    let features = ["REST STREAM", "SIZE", "MDTM", "EPSV", "MLST", "MFMT"];
    serves(ProFtpd::serve(dir.path()), dir.path(), &features, &["HASH", "AUTH"]);
}

#[test]
fn proftpd_speaks_tls() {
    let dir = folder();
    speaks_tls(|tls| ProFtpd::over(dir.path()).tls(tls).start());
    speaks_implicit_tls(|tls| ProFtpd::over(dir.path()).tls(tls).start());
}

#[test]
fn proftpd_wants_sessions_resumed() {
    let dir = folder();
    wants_sessions_resumed(
        |tls| ProFtpd::over(dir.path()).tls(tls).start(),
        "client did not reuse TLS session",
    );
}

#[test]
fn proftpd_limits_sessions_and_can_be_read_only_and_open_to_all() {
    let dir = folder();
    limits_sessions(ProFtpd::over(dir.path()).max_clients(2).start(), 2);
    refuses_uploads(ProFtpd::over(dir.path()).read_only().start(), dir.path());
    let Some(server) = ProFtpd::over(dir.path()).anonymous().start() else { return };
    assert_eq!(curl(&[&server.url("/f.bin")]).2.len(), 300_000);
}

#[test]
fn proftpd_restarts_uploads_only_when_told() {
    let dir = folder();
    let rest_then_stor = |server: Option<Running>| {
        let server = server?;
        let mut control = Control::login(&server);
        let _ = control.ask("TYPE I");
        let _data = control.data();
        let rest = control.ask("REST 10");
        let stor = control.ask("STOR f.bin");
        let _data = control.data();
        let appe = control.ask("APPE f.bin");
        Some([rest, stor, appe].map(|reply| reply[..3].to_owned()))
    };
    let refused = rest_then_stor(ProFtpd::serve(dir.path()));
    let Some(refused) = refused else { return };
    assert_eq!(refused, ["350", "451", "451"]);
    let hidden = rest_then_stor(ProFtpd::over(dir.path()).allow_store_restart().hidden_stores().start());
    assert_eq!(hidden.unwrap(), ["350", "501", "150"]);
    let server = ProFtpd::over(dir.path()).allow_store_restart().digests().start().unwrap();
    let mut control = Control::login(&server);
    assert!(control.ask("TYPE I").starts_with("200"));
    FILE.write_first(dir.path().join("half"), 200_000);
    let mut data = control.data();
    assert!(control.ask("REST 200000").starts_with("350"));
    assert!(control.ask("STOR half").starts_with("150"));
    data.write_all(&FILE.bytes(200_000..300_000)).unwrap();
    drop(data);
    assert!(control.reply().starts_with("226"));
    FILE.assert_file_is(dir.path().join("half"));
    assert!(control.ask("FEAT").contains("HASH"));
}

#[test]
fn pureftpd_serves_and_takes() {
    let dir = folder();
    let features = ["REST STREAM", "SIZE", "MDTM", "EPSV", "MLST", "MFMT"];
    serves(PureFtpd::serve(dir.path()), dir.path(), &features, &["HASH"]);
}

#[test]
fn pureftpd_speaks_tls() {
    let dir = folder();
    speaks_tls(|tls| PureFtpd::over(dir.path()).tls(tls).start());
}

#[test]
fn pureftpd_limits_sessions_and_can_be_read_only() {
    let dir = folder();
    limits_sessions(PureFtpd::over(dir.path()).max_clients(2).start(), 2);
    refuses_uploads(PureFtpd::over(dir.path()).read_only().start(), dir.path());
}

#[test]
fn inetutils_serves_and_takes_and_leaves_the_machines_accounts_alone() {
    let (dir, before) = (folder(), std::fs::read("/etc/passwd").unwrap());
    let server = Inetutils::serve(dir.path());
    assert_eq!(std::fs::read("/etc/passwd").unwrap(), before);
    serves(server, dir.path(), &["REST STREAM", "SIZE", "MDTM", "EPSV"], &["MLST", "AUTH"]);
}

#[test]
fn a_partial_of_the_tests_can_be_handed_over_to_every_server() {
    let dir = folder();
    let root = dir.path();
    let proftpd = ProFtpd::over(root).allow_store_restart().start();
    for server in [Vsftpd::serve(root), proftpd, PureFtpd::serve(root), Pyftpdlib::serve(root)] {
        let Some(server) = server else { continue };
        FILE.write_first(root.join("up.bin"), 100_000);
        server.hand_over();
        let whole = root.join("f.bin");
        let (code, said, _) =
            curl(&["-C", "100000", "-T", whole.to_str().unwrap(), &server.login_url("/up.bin")]);
        assert_eq!(code, 0, "{said}\n{}", server.log());
        FILE.assert_file_is(root.join("up.bin"));
        std::fs::remove_file(root.join("up.bin")).unwrap();
    }
}

#[test]
fn no_session_outlives_its_server() {
    let dir = folder();
    let root = dir.path();
    let small = [Pyftpdlib::serve(root), Inetutils::serve(root)];
    for server in [Vsftpd::serve(root), ProFtpd::serve(root), PureFtpd::serve(root)].into_iter().chain(small)
    {
        let Some(server) = server else { continue };
        let mut control = Control::login(&server);
        drop(server);
        let mut rest = String::new();
        match control.lines.read_line(&mut rest) {
            Ok(_) => assert!(rest.is_empty() || rest.starts_with("421"), "{rest}"),
            Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}
