//! `haul put` over TLS: files one after the other in one session, to servers that want every data connection to resume
//! the control connection's TLS session, under both versions of TLS; and what becomes of a kill in the middle of it.

use std::path::Path;

use haul_testkit::{
    Content,
    real::{FtpTls, ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
    tls::Certificates,
};

use crate::scene::{
    Told, files,
    upload::{PACE, SIZE, Upload},
};

/// Files that go one after the other.
const FILES: u64 = 20;
const LEN: u64 = 300_000;

type StartTls = fn(&Path, FtpTls) -> Option<Running>;

const REUSING: [(&str, StartTls); 2] = [
    ("vsftpd", |root, tls| Vsftpd::over(root).tls(tls.reuse_required()).start()),
    ("proftpd", |root, tls| ProFtpd::over(root).allow_store_restart().tls(tls.reuse_required()).start()),
];

const ALL: [(&str, StartTls); 4] = [
    REUSING[0],
    REUSING[1],
    ("pure-ftpd", |root, tls| PureFtpd::over(root).tls(tls).start()),
    ("pyftpdlib", |root, tls| Pyftpdlib::over(root).tls(tls).start()),
];

/// The authority as an argument.
fn authority(certificates: &Certificates) -> String {
    certificates.ca_pem_path().display().to_string()
}

/// How often somebody logged in.
fn logins(name: &str, server: &Running) -> Option<usize> {
    (name == "vsftpd").then(|| server.log().matches("OK LOGIN").count())
}

/// Twenty files in one run, and no file is sent twice.
fn twenty_in_a_row(limit: fn(FtpTls) -> FtpTls, most_logins: usize) {
    for (name, start) in REUSING {
        println!("{name}");
        let upload = Upload::new();
        let certificates = Certificates::for_loopback();
        let tls = limit(FtpTls::required(&certificates));
        let Some(server) = start(upload.root(), tls) else { continue };
        let names: Vec<_> = (0..FILES).map(|number| format!("{number:02}.bin")).collect();
        for (number, name) in names.iter().enumerate() {
            Content::new(number as u64, LEN).write_to(upload.local(name));
        }
        let (url, cacert) = (server.login_url("/"), authority(&certificates));
        let mut args = vec!["-j", "1", "--tls", "required", "--cacert", &cacert];
        args.extend(names.iter().map(String::as_str));
        args.push(&url);
        let told = upload.run(&args, 0);
        assert_eq!(told.all("done").len() as u64, FILES, "{told}");
        assert!(told.all("done").iter().all(|done| done["fetched"] == LEN), "{name}: nothing twice\n{told}");
        assert_eq!(told.all("retry").len(), 0, "{name}: {told}");
        for (number, name) in names.iter().enumerate() {
            Content::new(number as u64, LEN).assert_file_is(upload.far(name));
        }
        if let Some(logins) = logins(name, &server) {
            assert!((1..=most_logins).contains(&logins), "{name}: {logins} logins for {FILES} files");
        }
    }
}

#[test]
fn twenty_uploads_in_a_row_work_under_tls_1_2() {
    twenty_in_a_row(FtpTls::only_12, 1);
}

#[test]
fn twenty_uploads_in_a_row_work_under_tls_1_3() {
    twenty_in_a_row(FtpTls::only_13, 1);
}

#[test]
fn a_kill_in_the_middle_is_gone_on_from_over_tls() {
    for (name, start) in ALL {
        println!("{name}");
        let content = Content::new(80, SIZE);
        let upload = Upload::of("f.bin", content);
        let certificates = Certificates::for_loopback();
        let Some(server) = start(upload.root(), FtpTls::required(&certificates)) else { continue };
        let (url, cacert) = (server.login_url("/f.bin"), authority(&certificates));
        let args = ["--tls", "required", "--cacert", &cacert];
        let slowly = [&args[..], &["--limit-rate", PACE, "f.bin", &url]].concat();
        upload.killed_at("f.bin", SIZE / 2, &slowly);
        let told = upload.run(&[&args[..], &["f.bin", &url]].concat(), 0);
        assert!(told.kept() >= SIZE / 2, "{told}");
        assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn implicit_tls_takes_uploads() {
    let content = Content::new(81, LEN);
    let upload = Upload::of("f.bin", content);
    let certificates = Certificates::for_loopback();
    let Some(server) = Vsftpd::over(upload.root()).tls(FtpTls::implicit(&certificates)).start() else {
        return;
    };
    let (url, cacert) = (server.login_url("/f.bin"), authority(&certificates));
    assert!(url.starts_with("ftps://"), "{url}");
    upload.run(&["--cacert", &cacert, "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_certificate_that_nobody_vouches_for_gets_no_password_and_no_byte() {
    let upload = Upload::of("f.bin", Content::new(82, LEN));
    let certificates = Certificates::for_loopback();
    let Some(server) = Vsftpd::over(upload.root()).tls(FtpTls::required(&certificates)).start() else {
        return;
    };
    let url = server.login_url("/f.bin");
    upload.run(&["f.bin", &url], 4);
    assert!(files(upload.root()).is_empty());
    assert!(!server.log().contains("LOGIN"), "{}", server.log());
    upload.run(&["--insecure", "f.bin", &url], 0);
    assert_eq!(upload.far_len("f.bin"), LEN);
}

#[test]
fn a_server_without_tls_is_refused_where_it_is_required() {
    let upload = Upload::of("f.bin", Content::new(83, LEN));
    let Some(server) = Vsftpd::serve(upload.root()) else { return };
    let told = Told::by(
        upload.put(&["--tls", "required", "f.bin", &server.login_url("/f.bin")]).run().expect_code(4),
    );
    assert!(told.message().contains("--tls required"), "{told}");
    assert!(files(upload.root()).is_empty());
}
