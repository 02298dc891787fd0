//! Servers that answer otherwise than they were asked, or than they say: the file is right or it is not there.

use std::time::Duration;

use haul_testkit::{
    Behaviour, Content, HttpPeer,
    hostile::{ETags, Encoding, Head, IfRange, Length, Ranges, Which},
};
use sha2::{Digest as _, Sha256};

use crate::scene::{MIB, SOON, Scene, Told, wait_until};

const SIZE: u64 = 8 * MIB;

/// Whole from the start, in one run, by one lane and by several.
fn arrives(behaviour: &Behaviour) {
    let content = behaviour.version.content;
    for lanes in ["1", "4"] {
        let peer = HttpPeer::start(behaviour.clone());
        let scene = Scene::new();
        scene.run(&["-n", lanes, "--retries", "3", &peer.url("/f.bin")], 0);
        content.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    }
}

/// Something that was begun by one lane at a proper server, and the server that is met when it is to go on.
struct Half {
    peer: HttpPeer,
    scene: Scene,
    content: Content,
}

fn half(behaviour: Behaviour, change: impl FnOnce(&mut Behaviour)) -> Half {
    let content = behaviour.version.content;
    let peer = HttpPeer::start(behaviour.rate(Which::Every, 24 * MIB));
    let scene = Scene::new();
    scene.killed_after(&peer, SIZE / 2, &["-n", "1", &peer.url("/f.bin")]);
    peer.forget_requests().change(|behaviour| {
        behaviour.rates.clear();
        change(behaviour);
    });
    Half { peer, scene, content }
}

impl Half {
    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Told {
        self.scene.run(&[&["-n", "1", "--retries", "2", &self.peer.url("/f.bin")], args].concat(), code)
    }

    #[track_caller]
    fn ends_well(&self) -> Told {
        let told = self.run(&[], 0);
        self.content.assert_file_is(self.scene.path("f.bin"));
        self.scene.assert_only("f.bin");
        told
    }

    /// It cannot go on, says so, and loses nothing: at a proper server it goes on from there.
    #[track_caller]
    fn fails_and_keeps(&self, code: i32) -> Told {
        let told = self.run(&[], code);
        assert!(told.failed()["kept"].as_u64().unwrap() > SIZE / 4, "{told}");
        assert_eq!(self.scene.files(), ["f.bin.part", "f.bin.part.haul"]);
        self.peer.change(|behaviour| *behaviour = Behaviour::of(self.content));
        let later = self.ends_well();
        assert!(later.kept() > SIZE / 4, "{later}");
        told
    }
}

fn ranges(ranges: Ranges) -> impl FnOnce(&mut Behaviour) {
    move |behaviour| behaviour.ranges = ranges
}

fn file(seed: u64) -> Behaviour {
    Behaviour::of(Content::new(seed, SIZE))
}

#[test]
fn a_range_that_is_ignored_on_resume_spoils_nothing() {
    half(file(61), ranges(Ranges::Ignored)).ends_well();
    half(file(61).without_validators(), ranges(Ranges::Ignored)).ends_well();
    for after in 1..4 {
        arrives(&file(62).ranges(Ranges::IgnoredAfter(after)));
    }
    arrives(&file(63).ranges(Ranges::Ignored));
}

#[test]
fn a_server_that_ignores_ranges_does_not_cost_the_partial_before_the_whole_is_there() {
    let half = half(file(64), |behaviour| {
        behaviour.ranges = Ranges::Ignored;
        behaviour.rates.push((Which::Every, 8 * MIB));
    });
    // Killed once more while the whole comes: what was there before is there still.
    half.scene.killed_after(&half.peer, SIZE / 4, &["-n", "1", &half.peer.url("/f.bin")]);
    half.peer.change(|behaviour| *behaviour = Behaviour::of(half.content));
    let told = half.ends_well();
    assert!(told.kept() > SIZE / 4, "{told}");
}

#[test]
fn parts_that_begin_earlier_than_asked_are_fitted_in() {
    half(file(65), ranges(Ranges::OffsetBy(-1000))).ends_well();
}

#[test]
fn parts_that_begin_later_than_asked_are_not_used() {
    // It is asked once more, without a range, and the tail is taken out of the whole.
    half(file(66), ranges(Ranges::OffsetBy(1000))).ends_well();
}

#[test]
fn parts_from_elsewhere_that_claim_to_be_the_right_ones_are_found_by_the_checksum() {
    for by in [-4096, 1000] {
        let half = half(file(67), ranges(Ranges::LyingOffset(by)));
        let digest = Sha256::digest(half.content.bytes(0..SIZE));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let told = half.run(&["--checksum", &format!("sha-256={hex}")], 6);
        assert!(told.message().contains("f.bin.bad"), "{told}");
        assert!(!half.scene.path("f.bin").exists());
        assert!(half.scene.path("f.bin.bad").exists());
    }
}

#[test]
fn parts_from_elsewhere_do_not_pass_the_overlap_check() {
    for by in [-4096, 1000] {
        // It lies whenever the file is not asked for from its start, so what is there cannot be proved: begun anew.
        let half = half(file(68).without_validators(), ranges(Ranges::LyingOffset(by)));
        let told = half.ends_well();
        assert!(told.says_begun_anew(), "{told}");
    }
}

#[test]
fn short_capped_and_longer_parts_are_what_they_are() {
    for behaviour in
        [Ranges::ShortBy(1000), Ranges::Capped(MIB), Ranges::Capped(100_001), Ranges::LongerBy(5000)]
    {
        arrives(&file(69).ranges(behaviour));
        half(file(69), ranges(behaviour)).ends_well();
    }
    arrives(&file(69).ranges(Ranges::UnknownTotal));
    half(file(69), ranges(Ranges::UnknownTotal)).ends_well();
}

#[test]
fn a_part_that_tells_another_size_is_another_file() {
    let half = half(file(70), ranges(Ranges::Total(SIZE + 5)));
    let told = half.run(&["--on-change", "fail"], 5);
    assert!(told.message().contains("size"), "{told}");
}

#[test]
fn parts_that_do_not_say_where_they_belong_are_not_used() {
    for lie in [Ranges::NoContentRange, Ranges::Multipart] {
        half(file(71), ranges(lie)).ends_well();
    }
}

#[test]
fn whoever_asks_for_a_range_is_refused_and_asks_without() {
    for status in [400, 403, 500] {
        arrives(&file(72).ranges(Ranges::Refused(status)));
        half(file(72), ranges(Ranges::ResumeRefused(status))).ends_well();
    }
}

/// All bytes of a file are here, but its size was not known when haul was killed.
fn whole_of_unknown_size(seed: u64) -> (Half, u64) {
    let longer = Content::new(seed, SIZE + 1);
    let behaviour =
        Behaviour::of(longer).length(Length::Chunked).ranges(Ranges::Ignored).stall(Which::Every, SIZE);
    let peer = HttpPeer::start(behaviour);
    let scene = Scene::new();
    let haul = scene.get(&["-n", "1", &peer.url("/f.bin")]).spawn();
    haul.wait_for_line(|line| line.contains(&format!(r#""done":{SIZE},"#)), SOON);
    haul.kill_9();
    peer.release();
    wait_until(|| peer.open() == 0);
    let content = longer.resized(SIZE);
    peer.change(|behaviour| {
        *behaviour = Behaviour::of(content);
    });
    let sent = peer.body_sent();
    (Half { peer, scene, content }, sent)
}

#[test]
fn a_416_on_all_bytes_is_the_end_where_the_version_agrees() {
    let (half, sent) = whole_of_unknown_size(73);
    half.ends_well();
    let again = half.peer.body_sent() - sent;
    assert!(again < MIB, "{again} bytes were fetched again");
}

#[test]
fn a_416_on_all_bytes_of_an_older_version_is_not_the_end() {
    let (half, _) = whole_of_unknown_size(74);
    let content = Content::new(75, SIZE);
    half.peer.replace(haul_testkit::hostile::Version::new(content, "v2"));
    let told = half.run(&[], 0);
    assert!(told.says_begun_anew(), "{told}");
    content.assert_file_is(half.scene.path("f.bin"));
}

#[test]
fn a_bare_416_proves_nothing() {
    let (half, _) = whole_of_unknown_size(76);
    half.peer.change(|behaviour| behaviour.bare_416 = true);
    half.ends_well();
}

#[test]
fn a_416_because_the_file_became_shorter_is_a_change() {
    let half = half(file(77), |behaviour| behaviour.version.content = Content::new(78, MIB));
    let told = half.run(&[], 0);
    assert!(told.says_begun_anew(), "{told}");
    Content::new(78, MIB).assert_file_is(half.scene.path("f.bin"));
}

#[test]
fn gzip_although_identity_was_asked_for_is_refused() {
    let peer = HttpPeer::start(file(79).encoding(Encoding::Gzip));
    let scene = Scene::new();
    let told = scene.run(&[&peer.url("/f.bin")], 4);
    assert!(told.message().contains("gzip") && told.message().contains("identity"), "{told}");
    assert!(scene.files().is_empty(), "{:?}", scene.files());
    assert_eq!(peer.requests()[0].field("Accept-Encoding"), Some("identity"));
    let told = half(file(79), |behaviour| behaviour.encoding = Encoding::Gzip).fails_and_keeps(4);
    assert!(told.message().contains("gzip"), "{told}");
}

#[test]
fn an_archive_that_is_labelled_gzip_is_saved_as_it_is() {
    let behaviour = file(80).encoding(Encoding::ClaimedGzip);
    let content = behaviour.version.content;
    for lanes in ["1", "4"] {
        let peer = HttpPeer::start(behaviour.clone().rate(Which::Every, 24 * MIB));
        let scene = Scene::new();
        let args = ["-n", lanes, &peer.url("/x.tar.gz")];
        scene.killed_after(&peer, SIZE / 2, &args);
        let told = scene.run(&args, 0);
        assert!(told.kept() > 0, "{told}");
        content.assert_file_is(scene.path("x.tar.gz"));
    }
}

#[test]
fn bodies_without_a_length_arrive() {
    for length in [Length::Chunked, Length::UntilClose] {
        arrives(&file(81).length(length));
        arrives(&file(81).length(length).ranges(Ranges::Ignored));
        half(file(81).length(length), |_| {}).ends_well();
    }
    let told =
        half(file(81).length(Length::Chunked).ranges(Ranges::Ignored), ranges(Ranges::Proper)).ends_well();
    assert!(told.fetched() < SIZE, "{told}");
}

#[test]
fn what_comes_behind_the_length_is_not_the_file() {
    arrives(&Behaviour { surplus: 1000, ..file(82) });
    half(file(82), |behaviour| behaviour.surplus = 1000).ends_well();
}

#[test]
fn heads_that_are_no_heads_end_it_and_leave_nothing() {
    for head in [Head::Huge(4 << 20), Head::Garbage, Head::Nothing] {
        let peer = HttpPeer::start(file(83).head(head));
        let scene = Scene::new();
        let told = scene.run(&["--retries", "1", &peer.url("/f.bin")], 3);
        assert!(!told.message().is_empty());
        assert!(scene.files().is_empty(), "{head:?}: {:?}", scene.files());
        half(file(83), |behaviour| behaviour.head = head).fails_and_keeps(3);
    }
}

#[test]
fn a_head_that_dribbles_in_is_waited_for() {
    arrives(&Behaviour::of(Content::new(84, 1000)).head(Head::Dribbled(Duration::from_millis(1))));
}

#[test]
fn an_if_range_that_is_ignored_does_not_let_a_new_version_in() {
    let new = Content::new(86, SIZE);
    let half = half(file(85).if_range(IfRange::Ignored), |behaviour| {
        behaviour.version = haul_testkit::hostile::Version::new(new, "v2");
    });
    let told = half.run(&[], 0);
    assert_eq!(told.all("changed").len(), 1, "{told}");
    new.assert_file_is(half.scene.path("f.bin"));
}

#[test]
fn an_if_range_that_always_gets_the_whole_is_left_out() {
    for if_range in [IfRange::Always200, IfRange::DatesOnly] {
        for etag in [ETags::Strong("v1".into()), ETags::None] {
            let told = half(file(87).etag(etag).if_range(if_range), |_| {}).ends_well();
            assert!(told.kept() > SIZE / 4 && told.fetched() < SIZE - SIZE / 4, "{if_range:?}\n{told}");
            assert!(!told.says_begun_anew(), "{told}");
        }
        arrives(&file(87).if_range(if_range));
    }
}
