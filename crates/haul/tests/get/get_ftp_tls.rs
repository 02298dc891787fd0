//! `haul get` over explicit and implicit FTPS: lanes and a resume where data connections have to resume the session,
//! what `--tls` asks for, and who is not believed.

use haul_testkit::{
    Content, FtpBehaviour, FtpPeer,
    real::{FtpTls, ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
    tls::Certificates,
};

use crate::scene::{
    Scene, Told,
    ftp::{SIZE, Served},
};

const FILE: Content = Content::new(95, SIZE);

type Start = fn(&Served, &Certificates) -> Option<Running>;

/// One lane and eight, and a resume of eight.
fn carries(name: &str, start: Start) {
    println!("{name}");
    let (served, certificates) = (Served::of(FILE), Certificates::for_loopback());
    let Some(server) = start(&served, &certificates) else { return };
    let (ca, url) = (certificates.ca_pem_path(), server.login_url("/f.bin"));
    let args = ["--tls", "required", "--cacert", ca.to_str().unwrap(), &url];
    let scene = Scene::in_memory();
    scene.run(&[&["-n", "1"], &args[..]].concat(), 0);
    FILE.assert_file_is(scene.path("f.bin"));
    let scene = Scene::in_memory();
    scene.killed_at_half_and_resumed(8, FILE, &args);
}

#[test]
fn servers_that_require_session_reuse_carry_lanes_and_a_resume() {
    carries("vsftpd", |served, certificates| {
        Vsftpd::over(served.root()).tls(FtpTls::required(certificates).reuse_required()).start()
    });
    carries("vsftpd, TLS 1.2", |served, certificates| {
        Vsftpd::over(served.root()).tls(FtpTls::required(certificates).only_12().reuse_required()).start()
    });
    carries("proftpd", |served, certificates| {
        ProFtpd::over(served.root()).tls(FtpTls::required(certificates).reuse_required()).start()
    });
    carries("proftpd, TLS 1.2", |served, certificates| {
        ProFtpd::over(served.root()).tls(FtpTls::required(certificates).only_12().reuse_required()).start()
    });
}

#[test]
fn servers_that_do_not_carry_lanes_and_a_resume_too() {
    carries("pure-ftpd", |served, certificates| {
        PureFtpd::over(served.root()).tls(FtpTls::required(certificates)).start()
    });
    carries("pyftpdlib", |served, certificates| {
        Pyftpdlib::over(served.root()).tls(FtpTls::offered(certificates)).start()
    });
}

#[test]
fn tls_from_the_first_byte_carries_lanes_and_a_resume() {
    carries("vsftpd", |served, certificates| {
        Vsftpd::over(served.root()).tls(FtpTls::implicit(certificates).reuse_required()).start()
    });
    carries("proftpd", |served, certificates| {
        ProFtpd::over(served.root()).tls(FtpTls::implicit(certificates).reuse_required()).start()
    });
    carries("pyftpdlib", |served, certificates| {
        Pyftpdlib::over(served.root()).tls(FtpTls::implicit(certificates)).start()
    });
}

fn peer(begin: fn(FtpBehaviour) -> FtpPeer, behaviour: FtpBehaviour) -> (FtpPeer, Scene) {
    let peer = begin(behaviour);
    peer.put("f.bin", FILE);
    (peer, Scene::in_memory())
}

/// A run that has to be refused at once, and to touch nothing.
#[track_caller]
fn refused(scene: &Scene, args: &[&str]) -> Told {
    let told = scene.run(args, 4);
    assert!(told.all("retry").is_empty(), "{told}");
    assert!(scene.files().is_empty());
    told
}

#[test]
fn what_tls_says_is_done() {
    let (plain, scene) = peer(FtpPeer::start, FtpBehaviour::proper());
    let said = refused(&scene, &["--tls", "required", "-u", "ann:s3cret", &plain.url("f.bin")]).message();
    assert!(said.contains("does not encrypt") && said.contains("--tls required"), "{said}");
    assert_eq!(plain.count("USER"), 0, "nobody said who it is in the clear");
    scene.run(&[&plain.url("f.bin")], 0);

    let (offering, scene) = peer(FtpPeer::start_tls, FtpBehaviour::proper());
    scene.run(&["--tls", "off", &offering.url("f.bin")], 0);
    assert_eq!(offering.count("AUTH"), 0);
    let ca = offering.ca_pem_path();
    scene.run(&["--overwrite", "--restart", "--cacert", ca.to_str().unwrap(), &offering.url("f.bin")], 0);
    assert!(offering.count("AUTH TLS") > 0 && offering.count("PROT P") > 0);
    FILE.assert_file_is(scene.path("f.bin"));
}

#[test]
fn a_server_without_encrypted_data_is_refused_where_tls_is_required() {
    let behaviour = FtpBehaviour::proper().instead("PROT", "536 not here");
    let (peer, scene) = peer(FtpPeer::start_tls, behaviour);
    let ca = peer.ca_pem_path();
    let args = ["--cacert", ca.to_str().unwrap(), "--tls", "required", &peer.url("f.bin")];
    let said = refused(&scene, &args).message();
    assert!(said.contains("data connections"), "{said}");
}

#[test]
fn an_unknown_authority_is_refused_before_the_login() {
    for begin in [FtpPeer::start_tls, FtpPeer::start_implicit] {
        let (peer, scene) = peer(begin, FtpBehaviour::proper());
        let said = refused(&scene, &["-u", "ann:s3cret", &peer.url("f.bin")]).message();
        assert!(said.contains("the certificate of 127.0.0.1 is not to be trusted"), "{said}");
        assert_eq!(peer.count("USER"), 0);
        scene.run(&["--insecure", "-n", "4", &peer.url("f.bin")], 0);
        FILE.assert_file_is(scene.path("f.bin"));
    }
}

#[test]
fn bytes_slipped_in_before_tls_are_refused() {
    let behaviour = FtpBehaviour { after_auth: Some("230 come in".into()), ..FtpBehaviour::proper() };
    let (peer, scene) = peer(FtpPeer::start_tls, behaviour);
    let ca = peer.ca_pem_path();
    let said = refused(&scene, &["--cacert", ca.to_str().unwrap(), &peer.url("f.bin")]).message();
    assert!(said.contains("tampering"), "{said}");
    assert_eq!(peer.count("USER"), 0);
}

#[test]
fn a_scripted_server_that_requires_session_reuse_serves_eight_lanes() {
    let behaviour = FtpBehaviour { reuse_required: true, ..FtpBehaviour::proper() };
    let (peer, scene) = peer(FtpPeer::start_tls, behaviour);
    let ca = peer.ca_pem_path();
    scene.run(&["-n", "8", "--cacert", ca.to_str().unwrap(), &peer.url("f.bin")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
}
