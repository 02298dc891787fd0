//! What lies in the folder when haul is started: its own work, damaged or touched; somebody else's; a file that is done.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    process::{Command, Stdio},
};

use haul_testkit::{
    Behaviour, Content, HttpPeer,
    hostile::{Version, Which},
    real::{self, Nginx},
};

use crate::scene::{MIB, SOON, Scene, Seeded, Told, kept_by, wait_until};

const SIZE: u64 = 8 * MIB;
/// What overlap checks may cost.
const OVERLAP: u64 = 20 * 64 * 1024;

/// A peer that a test can meet in the middle of its work.
fn slow(content: Content) -> HttpPeer {
    HttpPeer::start(Behaviour::of(content).rate(Which::Every, 24 * MIB))
}

/// A partial of about a half, its journal, and the peer that has the rest.
struct Left {
    peer: HttpPeer,
    url: String,
    content: Content,
    part: Vec<u8>,
    journal: Vec<u8>,
}

impl Left {
    /// By a kill: the journal ends with claims that are only written.
    fn by_kill(seed: u64, lanes: &str) -> Self {
        Self::by(seed, |scene, peer, url| {
            scene.killed_after(peer, SIZE / 2, &["-n", lanes, url]);
        })
    }

    /// By Ctrl-C: all is durable, and the partial ends where its extent ends.
    fn by_interrupt(seed: u64) -> Self {
        Self::by(seed, |scene, peer, url| {
            scene.stopped_after(peer, SIZE / 2, &["-n", "1", url]);
        })
    }

    fn by(seed: u64, stop: impl FnOnce(&Scene, &HttpPeer, &str)) -> Self {
        let content = Content::new(seed, SIZE);
        let peer = slow(content);
        let url = peer.url("/f.bin");
        let scene = Scene::new();
        stop(&scene, &peer, &url);
        peer.change(|behaviour| behaviour.rates.clear());
        Self { url, peer, content, part: scene.read("f.bin.part"), journal: scene.read("f.bin.part.haul") }
    }

    /// A folder in which that was left, with another journal. What was never written is a hole, as it was.
    fn with_journal(&self, journal: &[u8]) -> Scene {
        let scene = Scene::new();
        let file = File::create(scene.path("f.bin.part")).unwrap();
        file.set_len(self.part.len() as u64).unwrap();
        for (block, at) in self.part.chunks(4096).zip((0..).step_by(4096)) {
            if block.iter().any(|byte| *byte != 0) {
                file.write_all_at(block, at).unwrap();
            }
        }
        scene.write("f.bin.part.haul", journal);
        scene
    }

    /// The next run there brings the file.
    #[track_caller]
    fn ends_well(&self, scene: &Scene) -> Told {
        let told = scene.run(&["-n", "1", &self.url], 0);
        self.content.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
        told
    }

    /// The next run is refused and changes nothing of what is there, but that a journal may say who looked at it.
    #[track_caller]
    fn is_refused(&self, scene: &Scene, args: &[&str], code: i32) -> Told {
        let (part, journal) = (scene.read("f.bin.part"), scene.read("f.bin.part.haul"));
        let told = scene.run(args, code);
        assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);
        assert!(scene.read("f.bin.part") == part, "the partial is another one\n{told}");
        assert!(scene.read("f.bin.part.haul").starts_with(&journal), "the journal is another one\n{told}");
        told
    }
}

#[test]
fn a_second_haul_on_the_same_file_is_sent_away() {
    let content = Content::new(91, SIZE);
    let peer = slow(content);
    let scene = Scene::new();
    let url = peer.url("/f.bin");
    let first = scene.get(&["-n", "2", &url]).spawn();
    peer.wait_until_sent(SIZE / 4, SOON);
    let told = scene.run(&[&url], 7);
    assert!(told.message().contains(&format!("in use by process {}", first.id())), "{told}");
    let told = scene.run(&["-o", "f.bin", "--restart", "--overwrite", &url], 7);
    assert!(told.message().contains("in use by process"), "{told}");
    let told = Told::by(first.wait().expect_code(0));
    assert!(told.all("retry").is_empty(), "{told}");
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn a_journal_may_end_anywhere() {
    for left in [Left::by_kill(92, "1"), Left::by_kill(92, "4")] {
        let len = left.journal.len();
        let mut random = Seeded(92);
        let near = [0, 1, 8, 15, 16, 17, 24, len - 1];
        let anywhere = (0..6).map(|_| random.below(len as u64) as usize);
        for at in near.into_iter().chain(anywhere) {
            left.ends_well(&left.with_journal(&left.journal[..at]));
        }
        // The last records are lost, and no more than what they spoke of.
        let told = left.ends_well(&left.with_journal(&left.journal[..len - 1]));
        assert!(told.kept() > SIZE / 4, "{told}");
    }
}

#[test]
fn a_flipped_bit_in_the_journal_spoils_nothing() {
    let left = Left::by_kill(93, "4");
    let mut random = Seeded(93);
    let header = (0..16).step_by(5);
    let anywhere = (0..10).map(|_| random.below(left.journal.len() as u64));
    for at in header.chain(anywhere) {
        let mut journal = left.journal.clone();
        journal[at as usize] ^= 1 << (at % 8);
        left.ends_well(&left.with_journal(&journal));
    }
}

#[test]
fn gaps_that_a_copy_has_filled_with_zeros_are_not_taken_for_the_file() {
    let left = Left::by_interrupt(108);
    let mut part = left.part.clone();
    part[MIB as usize..][..128 * 1024].fill(0);
    // Once beside a journal that cannot be read, once where the journal did not come along.
    let scene = left.with_journal(b"damaged");
    scene.write("f.bin.part", &part);
    left.ends_well(&scene);
    let scene = Scene::new();
    scene.write("f.bin.part", &part);
    // Without a journal it could be anybody's: it is kept.
    scene.run(&["-n", "1", &left.url], 0);
    left.content.assert_file_is(scene.path("f.bin"));
    assert_eq!(scene.read("f.bin.old"), part);
}

#[test]
fn a_journal_of_zeros_or_of_nonsense_spoils_nothing() {
    let left = Left::by_kill(94, "1");
    left.ends_well(&left.with_journal(&vec![0; left.journal.len()]));
    left.ends_well(&left.with_journal(&vec![0xFF; 5000]));
    let mut tail = left.journal.clone();
    tail.extend_from_slice(&[0; 4096]);
    let told = left.ends_well(&left.with_journal(&tail));
    assert!(told.kept() > SIZE / 4, "zeros behind the journal, as a crash leaves them, cost nothing\n{told}");
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone_unless_told() {
    let left = Left::by_kill(95, "1");
    let mut journal = left.journal.clone();
    journal[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let crc = crc32c(&journal[..12]);
    journal[12..16].copy_from_slice(&crc.to_le_bytes());
    let scene = left.with_journal(&journal);
    for args in [&[left.url.as_str()][..], &["-o", "f.bin", &left.url]] {
        let told = left.is_refused(&scene, args, 8);
        assert!(told.message().contains("newer") && told.message().contains("--restart"), "{told}");
    }
    scene.run(&["--restart", &left.url], 0);
    left.content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

/// CRC-32C, bit by bit: the header of the journal is sealed with it.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn the_partial_of_another_url_is_left_alone() {
    let left = Left::by_kill(96, "1");
    left.peer
        .also("/other.bin", Behaviour { version: Version::new(Content::new(97, SIZE), "x"), ..plain(97) });
    let scene = left.with_journal(&left.journal);
    let other = left.peer.url("/other.bin");
    let told = left.is_refused(&scene, &["-o", "f.bin", &other], 7);
    assert!(told.message().contains("-o") && told.message().contains("--restart"), "{told}");
    left.ends_well(&scene);
}

fn plain(seed: u64) -> Behaviour {
    Behaviour::of(Content::new(seed, SIZE))
}

#[test]
fn a_newly_signed_url_of_the_same_file_goes_on() {
    let content = Content::new(98, SIZE);
    for target in [&[][..], &["-o", "g.bin"]] {
        let peer = slow(content);
        let scene = Scene::new();
        let args = |url| [&["-n", "1", url], target].concat();
        let (old, new) = (peer.url("/f.bin?sig=old"), peer.url("/f.bin?sig=new"));
        scene.killed_after(&peer, SIZE / 2, &args(&old));
        for name in scene.files() {
            let bytes = scene.read(&name);
            assert!(!bytes.windows(7).any(|text| text == b"sig=old"), "no query in {name}");
        }
        let told = scene.run(&args(&new), 0);
        assert!(told.kept() > SIZE / 4, "{told}");
        let name = target.last().unwrap_or(&"f.bin");
        content.assert_file_is(scene.path(name));
        scene.assert_only(name);
    }
}

#[test]
fn a_partial_without_a_journal_is_compared_before_it_is_used() {
    let peer = HttpPeer::start(plain(99));
    let content = Content::new(99, SIZE);
    let run = |prepare: &dyn Fn(&Scene)| {
        let scene = Scene::new();
        prepare(&scene);
        let told = scene.run(&["-n", "1", &peer.url("/f.bin")], 0);
        content.assert_file_is(scene.path("f.bin"));
        // It could have been anybody's file: what is not used is kept under another name.
        let left = if told.says_begun_anew() { &["f.bin", "f.bin.old"][..] } else { &["f.bin"] };
        assert_eq!(scene.files(), left);
        told
    };
    let told = run(&|scene| content.write_first(scene.path("f.bin.part"), SIZE / 2 + 77));
    assert!(!told.says_begun_anew() && told.fetched() <= SIZE / 2 + OVERLAP, "{told}");
    let told = run(&|scene| Content::new(100, SIZE).write_first(scene.path("f.bin.part"), SIZE / 2));
    assert!(told.says_begun_anew(), "{told}");
    // Right at its start and wrong at its end.
    let told = run(&|scene| content.changed(SIZE / 4).write_first(scene.path("f.bin.part"), SIZE / 2));
    assert!(told.says_begun_anew(), "{told}");
    let told = run(&|scene| content.resized(SIZE + 1000).write_to(scene.path("f.bin.part")));
    assert!(told.says_begun_anew() || told.fetched() <= OVERLAP, "{told}");
    let told = run(&|scene| {
        let file = File::create(scene.path("f.bin.part")).unwrap();
        file.write_all_at(&content.bytes(0..MIB), 0).unwrap();
        file.write_all_at(&content.bytes(3 * MIB..4 * MIB), 3 * MIB).unwrap();
    });
    assert!(told.says_begun_anew(), "{told}");
    run(&|scene| scene.write("f.bin.part", b""));
}

/// Really curl, killed in the middle.
fn left_by_curl(scene: &Scene, peer: &HttpPeer) -> u64 {
    let curl = real::peer("curl").unwrap();
    let goal = peer.body_sent() + SIZE / 2;
    let mut child = Command::new(curl)
        .args(["--silent", "--noproxy", "*", "--output", "f.bin", &peer.url("/f.bin")])
        .current_dir(scene.dir())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    peer.wait_until_sent(goal, SOON);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(|| peer.open() == 0);
    std::fs::metadata(scene.path("f.bin")).unwrap().len()
}

#[test]
fn a_half_file_left_by_curl_is_continued_when_told() {
    if real::peer("curl").is_none() {
        return;
    }
    let content = Content::new(101, SIZE);
    let peer = slow(content);
    let scene = Scene::new();
    let len = left_by_curl(&scene, &peer);
    let args = ["-n", "1", &peer.url("/f.bin")];
    // Not unless told: it could be anything.
    let told = scene.run(&args, 7);
    assert!(told.message().contains("--overwrite") && told.message().contains("-o"), "{told}");
    content.resized(len).assert_file_is(scene.path("f.bin"));
    let told = scene.run(&[&args[..], &["-c"]].concat(), 0);
    assert!(!told.says_begun_anew() && told.fetched() <= SIZE - len + OVERLAP, "{told}");
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn a_half_file_left_by_curl_of_an_older_version_is_begun_anew() {
    if real::peer("curl").is_none() {
        return;
    }
    let content = Content::new(102, SIZE);
    let peer = slow(content.changed(SIZE / 4));
    let scene = Scene::new();
    let len = left_by_curl(&scene, &peer);
    peer.replace(Version::new(content, "v2"));
    let told = scene.run(&["-n", "1", "-c", &peer.url("/f.bin")], 0);
    assert!(told.says_begun_anew(), "{told}");
    content.assert_file_is(scene.path("f.bin"));
    // It could have been anybody's file: it is kept under another name.
    assert_eq!(scene.files(), ["f.bin", "f.bin.old"]);
    content.changed(SIZE / 4).resized(len).assert_file_is(scene.path("f.bin.old"));
}

#[test]
fn a_finished_file_is_finished() {
    let peer = HttpPeer::start(plain(103));
    let scene = Scene::new();
    let args = ["-n", "4", &peer.url("/f.bin")];
    scene.run(&args, 0);
    let modified = std::fs::metadata(scene.path("f.bin")).unwrap().modified().unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_700_000_000, "the date of Last-Modified");
    let told = scene.run(&args, 0);
    assert_eq!(told.done()["already"], true, "{told}");
    Content::new(103, SIZE).assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn another_finished_file_is_in_the_way_unless_it_may_go() {
    let content = Content::new(104, SIZE);
    let peer = HttpPeer::start(plain(104));
    let scene = Scene::new();
    let url = peer.url("/f.bin");
    // Of the same size, and shorter: neither is this file.
    for other in [vec![7; SIZE as usize], b"mine".to_vec()] {
        scene.write("f.bin", &other);
        let told = scene.run(&[&url], 7);
        assert!(told.message().contains("--overwrite") && told.message().contains("-o"), "{told}");
        assert!(scene.read("f.bin") == other, "kept");
        scene.assert_only("f.bin");
    }
    // The old file is there until the new one is.
    peer.change(|behaviour| behaviour.rates.push((Which::Every, 24 * MIB)));
    scene.killed_after(&peer, SIZE / 2, &["-n", "1", "--overwrite", &url]);
    assert_eq!(scene.read("f.bin"), b"mine");
    let told = scene.run(&["-n", "1", "--overwrite", &url], 0);
    assert!(told.kept() > SIZE / 4, "{told}");
    content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn what_is_there_is_forgotten_when_told() {
    let left = Left::by_kill(105, "4");
    let scene = left.with_journal(&left.journal);
    let told = scene.run(&["--restart", &left.url], 0);
    assert!(told.fetched() >= SIZE, "{told}");
    left.content.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
}

#[test]
fn a_partial_that_somebody_touched_is_found_out() {
    let left = Left::by_interrupt(106);
    let len = left.part.len();
    for at in [len - 1, len - 60_000] {
        let scene = left.with_journal(&left.journal);
        let mut part = left.part.clone();
        part[at] ^= 1;
        scene.write("f.bin.part", &part);
        let told = left.ends_well(&scene);
        assert!(told.says_begun_anew(), "byte {at} of {len}\n{told}");
    }
    // One that is cut short has lost what is not there, and no more.
    let scene = left.with_journal(&left.journal);
    scene.write("f.bin.part", &left.part[..len - 5000]);
    left.ends_well(&scene);
    let scene = left.with_journal(&left.journal);
    scene.write("f.bin.part", b"");
    left.ends_well(&scene);
    // A journal whose partial is gone says nothing.
    let scene = left.with_journal(&left.journal);
    std::fs::remove_file(scene.path("f.bin.part")).unwrap();
    left.ends_well(&scene);
}

#[test]
fn empty_and_tiny_files_arrive() {
    for size in [0, 1] {
        for behaviour in [
            Behaviour::of(Content::new(107, size)),
            Behaviour::of(Content::new(107, size)).without_validators(),
        ] {
            let peer = HttpPeer::start(behaviour);
            let scene = Scene::new();
            let url = peer.url("/f.bin");
            scene.run(&["-n", "8", &url], 0);
            Content::new(107, size).assert_file_is(scene.path("f.bin"));
            scene.assert_only("f.bin");
            scene.run(&["--overwrite", &url], 0);
            scene.assert_only("f.bin");
        }
    }
}

#[test]
fn offsets_past_four_gibibytes_are_right() {
    const HUGE: u64 = 5 << 30;
    let marks =
        [0, (1 << 31) - 77, (1 << 32) - 4096, (1 << 32) - 1, 1 << 32, (1 << 32) + 64 * MIB + 13, HUGE - 4096];
    let served = tempfile::tempdir().unwrap();
    let source = served.path().join("f.bin");
    let file = File::create(&source).unwrap();
    file.set_len(HUGE).unwrap();
    for (seed, at) in (0..).zip(marks) {
        file.write_all_at(&Content::new(seed, 4096).bytes(0..4096), at).unwrap();
    }
    let Some(nginx) = Nginx::serve(served.path()) else { return };
    let scene = Scene::new();
    let args = ["-n", "4", &nginx.url("/f.bin")];
    // Killed where every lane is past 2^32 or about to be.
    let haul = scene.get(&args).spawn();
    let done = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["done"].as_u64().unwrap_or(0)
    };
    haul.wait_for_line(|line| done(line) > HUGE / 2, SOON * 2);
    haul.kill_9();
    let haul = scene.get(&args).spawn();
    assert!(kept_by(&haul) > HUGE / 4);
    haul.wait().expect_code(0);
    scene.assert_only("f.bin");
    let same = Command::new("cmp").arg(&source).arg(scene.path("f.bin")).status().unwrap();
    assert!(same.success(), "the file is another one");
}
