//! One file from an FTP and an HTTP server: at once where a checksum guards the whole, else one after the other.

use crate::scene::{MIB, SOON, Scene, Told};
use haul_testkit::{Behaviour, Content, FtpBehaviour, FtpPeer, HttpPeer, hostile::Which};
use sha2::{Digest as _, Sha256};

const FILE: Content = Content::new(97, 24 * MIB);

fn peers(content: Content) -> (FtpPeer, HttpPeer) {
    let ftp = FtpPeer::start(FtpBehaviour::proper().rate(Which::Every, 8 * MIB));
    ftp.put("f.bin", FILE);
    (ftp, HttpPeer::start(Behaviour::of(content).rate(Which::Every, 8 * MIB)))
}

fn checksum() -> String {
    format!("sha-256={:x}", Sha256::digest(FILE.bytes(0..FILE.size())))
}

#[test]
fn with_a_checksum_both_bring_their_part() {
    for ftp_first in [true, false] {
        let (ftp, http) = peers(FILE);
        let (one, other) = (ftp.url("f.bin"), http.url("/g"));
        let (first, mirror) = if ftp_first { (one, other) } else { (other, one) };
        let scene = Scene::in_memory();
        let args = ["-n", "4", "--checksum", &checksum(), "-o", "f.bin", "--mirror", &mirror, &first];
        let told = scene.run(&args, 0);
        FILE.assert_file_is(scene.path("f.bin"));
        assert_eq!(told.verified(), "digest");
        let (a, b) = (ftp.body_sent(), http.body_sent());
        assert!(a > 4 * MIB && b > 4 * MIB, "{a} and {b}\n{told}");
        assert!(told.fetched() < FILE.size() + 4 * MIB, "{told}");
    }
}

#[test]
fn without_one_the_mirror_is_asked_when_the_first_dies() {
    let (ftp, http) = peers(FILE);
    let (first, mirror) = (ftp.url("f.bin"), http.url("/g"));
    let scene = Scene::in_memory();
    let haul = scene.get(&["-n", "2", "--retries", "3", "--mirror", &mirror, &first]).spawn();
    ftp.wait_until_sent(8 * MIB, SOON);
    assert_eq!(http.requests().len(), 0, "the first one is well");
    drop(ftp);
    let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(http.body_sent() < FILE.size() - 4 * MIB, "what the first brought is kept\n{told}");
    assert_eq!(told.verified(), "overlap", "{told}");

    let (ftp, http) = peers(FILE);
    let (first, mirror) = (http.url("/f.bin"), ftp.url("f.bin"));
    let scene = Scene::in_memory();
    let haul = scene.get(&["-n", "2", "--retries", "3", "--mirror", &mirror, &first]).spawn();
    http.wait_until_sent(8 * MIB, SOON);
    assert_eq!(ftp.sessions(), 0, "the first one is well");
    drop(http);
    let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(ftp.body_sent() < FILE.size() - 4 * MIB, "what the first brought is kept\n{told}");
}

#[test]
fn a_mirror_with_another_file_is_not_mixed_in() {
    let (ftp, http) = peers(Content::new(98, FILE.size()));
    let (first, mirror) = (ftp.url("f.bin"), http.url("/g"));
    let scene = Scene::in_memory();
    let haul = scene.get(&["-n", "2", "--retries", "2", "--mirror", &mirror, &first]).spawn();
    ftp.wait_until_sent(8 * MIB, SOON);
    drop(ftp);
    let end = haul.wait_at_most(SOON);
    if end.code == Some(0) {
        // Begun anew from there, since nobody has the other one any more.
        Content::new(98, FILE.size()).assert_file_is(scene.path("f.bin"));
        assert!(Told::by(end).says_begun_anew());
    } else {
        let told = Told::by(end.expect_code(3));
        assert!(told.failed()["kept"].as_u64() > Some(4 * MIB), "{told}");
        assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);
    }
}
