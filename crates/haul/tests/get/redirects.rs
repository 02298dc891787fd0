//! Redirects: followed anew each time, never with the secrets of another origin, and nothing of either in a journal.

use crate::scene;
use std::os::unix::fs::PermissionsExt;

use crate::scene::{MIB, Scene};
use haul_testkit::hostile::{Go, Request, Which};
use haul_testkit::{Behaviour, Content, Cut, HttpPeer};

const FILE: Content = Content::new(81, 24 * MIB + 17);

/// Options with which every kind of secret is sent.
const SECRETS: [&str; 8] = [
    "-u",
    "ann:hunter2",
    "-H",
    "Cookie: session=c00kie",
    "-H",
    "X-Api-Key: k3y",
    "-H",
    "Accept-Language: nn",
];

/// The fields of [`SECRETS`] that a request carries.
fn secrets(request: &Request) -> Vec<&str> {
    ["Authorization", "Cookie", "X-Api-Key"]
        .into_iter()
        .filter(|name| request.field(name).is_some())
        .collect()
}

#[test]
fn a_target_that_expires_is_found_anew_by_every_lane_and_every_resume() {
    // Each signed target is good for one request only.
    let behaviour = Behaviour::of(FILE).go(Go::Signed(1)).rate(Which::Every, 3 * MIB).cut(
        Which::First(12),
        MIB,
        Cut::Rst,
    );
    let peer = HttpPeer::start(behaviour);
    let scene = Scene::new();
    let url = peer.url("/go");
    scene.killed_after(&peer, 10 * MIB, &["-n", "8", &url]);
    peer.expire_tokens().change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&["-n", "8", &url], 0);
    FILE.assert_file_is(scene.path("go"));
    assert!(told.kept() > 2 * MIB, "{told}");
    let requests = peer.requests();
    let signed = requests.iter().filter(|request| request.path() == "/signed").count();
    let asked = requests.iter().filter(|request| request.path() == "/go").count();
    assert!(signed > 8 && asked >= signed, "{signed} signed targets, {asked} asked for");
    assert!(requests.iter().all(|request| request.status() != 403), "no target was used twice");
}

#[test]
fn another_first_url_of_the_same_file_goes_on_with_what_is_there() {
    let peer = HttpPeer::start(Behaviour::of(FILE).rate(Which::Every, 12 * MIB));
    let scene = Scene::new();
    scene.killed_after(&peer, 8 * MIB, &["-n", "1", &peer.url("/f.bin?sig=first")]);
    peer.change(|behaviour| behaviour.rates.clear());
    let told = scene.run(&["-n", "1", &peer.url("/f.bin?sig=second")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(told.kept() > 4 * MIB, "{told}");
    scene.assert_only("f.bin");
}

#[test]
fn a_loop_of_redirects_is_refused_at_once() {
    let peer = HttpPeer::start(Behaviour::of(FILE).go(Go::Loop));
    let scene = Scene::new();
    let told = scene.run(&[&peer.url("/go")], 4);
    assert!(told.message().contains("more than 20 redirects"), "{told}");
    assert!(told.all("retry").is_empty() && scene.files().is_empty(), "{told}");
    assert!(peer.requests().len() <= 22);
}

#[test]
fn redirects_to_what_is_not_http_are_refused() {
    for target in ["ftp://127.0.0.1/f", "file:///etc/passwd", "javascript:x", "http://"] {
        let peer = HttpPeer::start(Behaviour::of(FILE).go(Go::To(target.into())));
        let scene = Scene::new();
        let told = scene.run(&[&peer.url("/go")], 4);
        assert!(told.message().contains("redirected to"), "{told}");
        assert!(scene.files().is_empty());
    }
}

#[test]
fn secrets_stay_with_their_origin() {
    let other = HttpPeer::start(Behaviour::of(FILE));
    let first = HttpPeer::start(Behaviour::of(FILE).auth("ann", "hunter2").go(Go::To(other.url("/f.bin"))));
    let scene = Scene::new();
    scene.run(&[&SECRETS[..], &["-n", "4", "-o", "f.bin", &first.url("/go")]].concat(), 0);
    FILE.assert_file_is(scene.path("f.bin"));
    for request in first.requests() {
        assert_eq!(secrets(&request), ["Authorization", "Cookie", "X-Api-Key"]);
    }
    assert!(!other.requests().is_empty());
    for request in other.requests() {
        assert!(secrets(&request).is_empty(), "{request:?}");
        assert_eq!(request.field("Accept-Language"), Some("nn"), "what is no secret goes along");
        let text = format!("{request:?}");
        assert!(!text.contains("hunter2") && !text.contains("c00kie") && !text.contains("k3y"), "{text}");
    }
}

#[test]
fn secrets_in_the_url_stay_with_their_origin_too() {
    let other = HttpPeer::start(Behaviour::of(FILE));
    let first = HttpPeer::start(Behaviour::of(FILE).go(Go::To(other.url("/f.bin"))));
    let scene = Scene::new();
    let url = first.url("/go?token=s3cret").replace("//", "//ann:hunter2@");
    scene.run(&["-o", "f.bin", &url], 0);
    assert!(first.requests().iter().all(|request| request.field("Authorization").is_some()));
    for request in other.requests() {
        assert!(secrets(&request).is_empty() && request.field("Referer").is_none(), "{request:?}");
    }
}

#[test]
fn secrets_go_along_on_their_own_origin() {
    let peer = HttpPeer::start(Behaviour::of(FILE).auth("ann", "hunter2").go(Go::Signed(100)));
    let scene = Scene::new();
    scene.run(&[&SECRETS[..], &["-n", "4", &peer.url("/go")]].concat(), 0);
    for request in peer.requests() {
        assert_eq!(secrets(&request), ["Authorization", "Cookie", "X-Api-Key"], "{request:?}");
    }
}

#[test]
fn a_journal_holds_no_secret_and_only_its_owner_may_read_it() {
    let other = HttpPeer::start(Behaviour::of(FILE).rate(Which::Every, 12 * MIB));
    let to = other.url("/f.bin?X-Signature=s1gned");
    let first = HttpPeer::start(Behaviour::of(FILE).go(Go::To(to)));
    let scene = Scene::new();
    let url = first.url("/go?token=s3cret#fr4gment").replace("//", "//bob:passw0rd@");
    let args = [&SECRETS[2..], &["-v", "--progress", "plain", "-n", "2", "-o", "f.bin", &url]].concat();
    let end = {
        other.hold_at(Some(8 * MIB));
        let haul = scene::haul().arg("get").args(args).dir(scene.dir()).spawn();
        scene::wait_until(|| scene::taken_from(&other) >= 8 * MIB);
        haul.kill_9()
    };
    let journal = scene.path("f.bin.part.haul");
    assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    let text = String::from_utf8_lossy(&std::fs::read(&journal).unwrap()).into_owned();
    assert!(text.contains("/go"), "it says where the file is from");
    let status = scene::haul().args(["status", "f.bin"]).dir(scene.dir()).run().expect_code(0);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    for secret in ["s3cret", "s1gned", "passw0rd", "bob", "c00kie", "k3y", "fr4gment"] {
        assert!(!text.contains(secret), "{secret} is in the journal");
        assert!(!end.stderr.contains(secret), "{secret} was told\n{}", end.stderr);
        assert!(!status.contains(secret), "{secret} is in the status\n{status}");
    }
}
