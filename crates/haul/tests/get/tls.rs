//! HTTPS: who is believed, what is said when nobody is, and that lanes and a resume work through it as without.

use std::time::{Duration, Instant};

use crate::scene::{MIB, Scene, Told};
use haul_testkit::hostile::{Go, Which};
use haul_testkit::real::Nginx;
use haul_testkit::tls::Certificates;
use haul_testkit::{Behaviour, Content, HttpPeer};

const FILE: Content = Content::new(71, 24 * MIB + 5);

/// The path of a peer's authority.
fn ca(peer: &HttpPeer) -> String {
    peer.ca_pem_path().to_str().unwrap().to_owned()
}

/// A run that has to be refused at once, and to touch nothing.
fn refused(args: &[&str]) -> Told {
    let scene = Scene::new();
    let began = Instant::now();
    let told = scene.run(args, 4);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}\n{told}", began.elapsed());
    assert!(told.all("retry").is_empty(), "{told}");
    assert!(scene.files().is_empty());
    told
}

#[test]
fn eight_lanes_and_a_resume_work_behind_tls() {
    let peer = HttpPeer::start_tls(Behaviour::of(FILE).rate(Which::Every, 2 * MIB));
    let (ca, url) = (ca(&peer), peer.url("/f.bin"));
    let args = ["-n", "8", "--cacert", &ca, &url];
    let scene = Scene::new();
    scene.killed_after(&peer, 10 * MIB, &args);
    let before = peer.body_sent();
    peer.forget_requests().change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&args, 0);
    FILE.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
    let lost = before - told.kept();
    assert!(lost < 8 * MIB, "{lost} bytes of the first run were lost\n{told}");
    assert_eq!(told.verified(), "etag");
    assert!(peer.requests().iter().all(|request| request.field("If-Range") == Some("\"v1\"")));
}

#[test]
fn nginx_behind_tls_is_believed_by_its_authority_only() {
    let dir = tempfile::tempdir().unwrap();
    FILE.write_to(dir.path().join("f.bin"));
    let certificates = Certificates::for_loopback();
    let Some(server) = Nginx::over(dir.path()).tls(&certificates).start() else { return };
    let (ca, url) = (certificates.ca_pem_path(), server.url("/f.bin"));
    let scene = Scene::new();
    scene.run(&["-n", "4", "--cacert", ca.to_str().unwrap(), &url], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    let by_name = Scene::new();
    let url = url.replace("127.0.0.1", "localhost");
    by_name.run(&["--cacert", ca.to_str().unwrap(), &url], 0);
    FILE.assert_file_is(by_name.path("f.bin"));

    let told = refused(&[&url]);
    assert!(told.message().contains("the certificate of localhost is not to be trusted"), "{told}");
}

#[test]
fn an_unknown_authority_is_refused_at_once_by_name() {
    let peer = HttpPeer::start_tls(Behaviour::of(FILE));
    let said = refused(&[&peer.url("/f.bin")]).message();
    assert!(said.contains("the certificate of 127.0.0.1 is not to be trusted"), "{said}");
    assert!(said.contains("nobody") || said.contains("authority") || said.contains("issuer"), "{said}");

    let other = HttpPeer::start_tls(Behaviour::of(FILE));
    refused(&["--cacert", &ca(&other), &peer.url("/f.bin")]);
    assert!(peer.requests().is_empty() && other.requests().is_empty());
}

#[test]
fn a_certificate_for_another_name_is_refused_at_once() {
    let certificates = Certificates::for_names(&["example.org"]);
    let peer = HttpPeer::start_with(Behaviour::of(FILE), certificates);
    let said = refused(&["--cacert", &ca(&peer), &peer.url("/f.bin")]).message();
    assert!(
        said.contains("the certificate of 127.0.0.1 is not to be trusted: it was issued for example.org;"),
        "{said}"
    );
    assert!(peer.requests().is_empty());
}

#[test]
fn insecure_trusts_anybody() {
    for peer in [
        HttpPeer::start_tls(Behaviour::of(FILE)),
        HttpPeer::start_with(Behaviour::of(FILE), Certificates::for_names(&["example.org"])),
    ] {
        let scene = Scene::new();
        scene.run(&["-n", "4", "--insecure", &peer.url("/f.bin")], 0);
        FILE.assert_file_is(scene.path("f.bin"));
    }
}

#[test]
fn a_redirect_to_plain_http_is_refused() {
    let plain = HttpPeer::start(Behaviour::of(FILE));
    let peer = HttpPeer::start_tls(Behaviour::of(FILE).go(Go::To(plain.url("/f.bin?key=s3cret"))));
    let said = refused(&["--cacert", &ca(&peer), &peer.url("/go")]).message();
    assert!(said.contains("from https to http") && !said.contains("s3cret"), "{said}");
    assert!(plain.requests().is_empty(), "it was not even asked");

    // The other way round is an improvement.
    let up = HttpPeer::start(Behaviour::of(FILE).go(Go::To(peer.url("/f.bin"))));
    let scene = Scene::new();
    scene.run(&["--cacert", &ca(&peer), "-o", "f.bin", &up.url("/go")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
}

#[test]
fn tls_where_it_is_not_spoken_is_said_after_three_tries() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::for_loopback();
    let ca = certificates.ca_pem_path();
    let ca = ca.to_str().unwrap();
    let Some(plain) = Nginx::serve(dir.path()) else { return };
    let scene = Scene::new();
    let told = scene.run(&["--cacert", ca, &plain.url("/f").replace("http:", "https:")], 3);
    assert!(told.message().contains("the TLS handshake with 127.0.0.1 failed"), "{told}");
    assert_eq!(told.all("retry").len(), 2, "{told}");

    // The other way round the server says what is wrong.
    let Some(tls) = Nginx::over(dir.path()).tls(&certificates).start() else { return };
    let told = scene.run(&[&tls.url("/f").replace("https:", "http:")], 4);
    assert!(told.message().contains("400"), "{told}");
    assert!(scene.files().is_empty());
}
