//! `haul put` over HTTP by other ways than a plain connection: through proxies, by the absolute form and by CONNECT, through
//! SOCKS, and within TLS, where a certificate that nobody vouches for gets no password and no byte.

use crate::scene::{
    MIB, SOON, Told,
    served::{received, serve},
    tls::{certificates, certified},
    upload::Upload,
    wait_until,
};
use haul_testkit::{
    Content, Served, UploadBehaviour, UploadPeer,
    real::{Microsocks, Running, Tinyproxy},
    tls::Certificates,
};

/// More than the sockets of two connections hold.
const SIZE: u64 = 32 * MIB + 77;
const CONTENT: Content = Content::new(210, SIZE);
const USER: (&str, &str) = ("ann", "s3cret");

/// Each dialect, and a server that speaks no other.
fn dialects() -> [(&'static str, UploadBehaviour); 4] {
    [
        ("draft", UploadBehaviour::draft()),
        ("tus", UploadBehaviour::tus(&["creation", "creation-with-upload", "checksum"])),
        ("pieces", UploadBehaviour::pieces()),
        ("plain", UploadBehaviour::plain()),
    ]
}

/// The proxy's URL with credentials in it.
fn with_password(proxy: &Running) -> String {
    proxy.url("").replace("//", "//ann:s3cret@")
}

/// Kills a run that goes this way when the peer has a part, and has it gone on with.
#[track_caller]
fn carries_an_upload_and_a_resume(peer: &UploadPeer, dialect: &str, args: &[&str]) {
    let upload = Upload::of("f.bin", CONTENT);
    let url = peer.url("/f.bin");
    let args = [&["-u", "me:hunter2"], args, &["f.bin", &url]].concat();
    peer.hold_at(Some(3 * MIB));
    let haul = upload.put(&args).spawn();
    peer.wait_until_received(3 * MIB, SOON);
    assert_eq!(haul.kill_9().signal, Some(9), "{dialect}");
    peer.hold_at(None);
    wait_until(|| peer.open() == 0);
    let told = upload.run(&args, 0);
    assert!(peer.file("/f.bin") == Some(CONTENT.bytes(0..SIZE)), "{dialect}: {told}");
    if matches!(dialect, "draft" | "tus") {
        assert!(told.kept() >= 2 * MIB, "{dialect}: {told}");
        assert!(!told.says_begun_anew(), "{dialect}: {told}");
    }
    let requests = peer.requests();
    assert!(requests.iter().all(|request| request.path().starts_with('/')), "{dialect}: as to no proxy");
    let leaked = requests.iter().any(|request| request.field("Proxy-Authorization").is_some());
    assert!(!leaked, "{dialect}: the proxy's password is for the proxy");
}

#[test]
fn a_proxy_carries_uploads_in_the_absolute_form() {
    for auth in [None, Some(USER)] {
        for (dialect, behaviour) in dialects() {
            let Some(proxy) = Tinyproxy::start(auth) else { return };
            let peer = UploadPeer::start(behaviour);
            let through = if auth.is_some() { with_password(&proxy) } else { proxy.url("") };
            carries_an_upload_and_a_resume(&peer, dialect, &["--proxy", &through]);
            assert!(
                proxy.log().contains("PUT http://") || proxy.log().contains("PATCH http://"),
                "{dialect}"
            );
            assert!(!proxy.log().contains("CONNECT 127"), "{dialect}: in the clear no tunnel");
        }
    }
}

#[test]
fn a_proxy_tunnels_uploads_within_tls() {
    for (dialect, behaviour) in dialects() {
        let Some(proxy) = Tinyproxy::start(Some(USER)) else { return };
        let peer = UploadPeer::start_tls(behaviour);
        let ca = peer.ca_pem_path();
        let args = ["--cacert", ca.to_str().unwrap(), "--proxy", &with_password(&proxy)];
        carries_an_upload_and_a_resume(&peer, dialect, &args);
        assert!(proxy.log().contains("CONNECT 127.0.0.1:"), "{dialect}");
        assert!(!proxy.log().contains("hunter2") && !proxy.log().contains("f.bin"), "{dialect}");
    }
}

#[test]
fn socks_carries_uploads() {
    for (dialect, behaviour) in dialects() {
        let Some(proxy) = Microsocks::start(Some(USER)) else { return };
        let peer = UploadPeer::start(behaviour);
        carries_an_upload_and_a_resume(&peer, dialect, &["--proxy", &with_password(&proxy)]);
        assert!(proxy.log().contains(&peer.addr().port().to_string()), "{dialect}");
    }
}

#[test]
fn a_proxy_that_refuses_is_told_of_and_nothing_is_begun() {
    let Some(proxy) = Tinyproxy::start(Some(USER)) else { return };
    for tls in [false, true] {
        let behaviour = UploadBehaviour::proper();
        let peer = if tls { UploadPeer::start_tls(behaviour) } else { UploadPeer::start(behaviour) };
        let upload = Upload::of("f.bin", CONTENT);
        let mut args = vec!["--proxy".to_owned(), proxy.url("")];
        if tls {
            args.extend(["--cacert".to_owned(), peer.ca_pem_path().to_str().unwrap().to_owned()]);
        }
        args.extend(["f.bin".to_owned(), peer.url("/f.bin")]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let told = upload.run(&args, 4);
        assert!(told.message().contains("password") && told.message().contains("proxy"), "{told}");
        assert!(told.all("retry").is_empty(), "at once\n{told}");
        assert!(peer.requests().is_empty());
    }
}

/// haul serve behind TLS, and a file to send there.
fn secured() -> (Upload, Served, String, [String; 2]) {
    let upload = Upload::in_memory_of("f.bin", CONTENT);
    let server = certified(serve(upload.root())).https().start();
    let url = format!("https://a:secret@{}/f.bin", server.https_addr());
    let ca = ["--cacert".to_owned(), certificates().ca_pem_path().to_str().unwrap().to_owned()];
    (upload, server, url, ca)
}

#[test]
fn after_a_kill_an_upload_goes_on_within_tls() {
    for dialect in ["auto", "draft", "tus", "put"] {
        let (upload, server, url, [option, ca]) = secured();
        let args = [&option, &ca, "--protocol", dialect, "f.bin", &url];
        let haul = upload.put(&[&["--limit-rate", "12M"], &args[..]].concat()).spawn();
        wait_until(|| received(server.root()) >= SIZE / 2);
        assert_eq!(haul.kill_9().signal, Some(9), "{dialect}");
        let told = upload.run(&args, 0);
        CONTENT.assert_file_is(upload.far("f.bin"));
        // Of tus, what stands under one checksum counts as a whole.
        let least = if dialect == "tus" { 0 } else { SIZE / 2 };
        assert!(told.kept() >= least, "{dialect}: {told}");
    }
}

#[test]
fn several_connections_go_within_tls() {
    let (upload, _server, url, [option, ca]) = secured();
    let told = upload.run(&[&option, &ca, "-n", "4", "--limit-rate", "24M", "f.bin", &url], 0);
    CONTENT.assert_file_is(upload.far("f.bin"));
    let lanes = told.all("progress").into_iter().map(|event| event["lanes"].as_array().unwrap().len());
    assert!(lanes.max() > Some(1), "{told}");
}

/// Sends where the certificate is not to be trusted: it ends at once, and nothing was asked.
#[track_caller]
fn refused(peer: &UploadPeer, args: &[&str]) -> Told {
    let upload = Upload::of("f.bin", CONTENT);
    let url = peer.url("/f.bin");
    let args = [args, &["-u", "me:hunter2", "f.bin", &url]].concat();
    let told = upload.run(&args, 4);
    assert!(told.all("retry").is_empty(), "at once\n{told}");
    assert!(peer.requests().is_empty(), "{told}");
    assert!(told.message().contains("the certificate of 127.0.0.1 is not to be trusted"), "{told}");
    told
}

#[test]
fn a_wrong_certificate_gets_no_password_and_no_byte() {
    for lanes in ["1", "4"] {
        let peer = UploadPeer::start_tls(UploadBehaviour::proper());
        refused(&peer, &["-n", lanes]);
        let other = UploadPeer::start_tls(UploadBehaviour::proper());
        let ca = other.ca_pem_path();
        refused(&peer, &["-n", lanes, "--cacert", ca.to_str().unwrap()]);

        let certificates = Certificates::for_names(&["example.org"]);
        let named = UploadPeer::start_with(UploadBehaviour::proper(), certificates);
        let ca = named.ca_pem_path();
        let said = refused(&named, &["-n", lanes, "--cacert", ca.to_str().unwrap()]).message();
        assert!(said.contains("example.org"), "{said}");
    }
}

#[test]
fn insecure_trusts_anybody() {
    let peer = UploadPeer::start_tls(UploadBehaviour::proper());
    let upload = Upload::of("f.bin", CONTENT);
    let told = upload.run(&["--insecure", "f.bin", &peer.url("/f.bin")], 0);
    assert!(peer.file("/f.bin") == Some(CONTENT.bytes(0..SIZE)), "{told}");
}
