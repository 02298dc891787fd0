//! `haul get` in MODE B against a scripted FTP server whose blocks are broken, or end too soon, too late or never: the right
//! bytes, by MODE S where blocks are of no use, or a clear refusal.

use std::time::Duration;

use haul_testkit::{
    Content, Cut, FtpBehaviour,
    hostile::{
        Which,
        ftp::{Blocks, Completion, Fault, Rest, Sizes, block, marker},
    },
};

use crate::scene::{
    MIB, SOON, Told,
    stage::{SIZE, Stage, slow},
};

const FILE: Content = Content::new(130, SIZE);
/// Behind the first marker, and not at one; and so far behind it that one read cannot bring all that is between them.
const INSIDE: u64 = MIB + 350_000;

fn staged(behaviour: FtpBehaviour) -> Stage {
    Stage::of(behaviour, FILE)
}

fn proper() -> FtpBehaviour {
    FtpBehaviour::proper().blocks(Blocks::default())
}

fn faulty(which: Which, at: u64, fault: Fault) -> FtpBehaviour {
    FtpBehaviour::proper().blocks(Blocks::default().fault(which, at, fault))
}

/// All that shows that blocks are none, or of another place than they seem to be.
fn broken() -> Vec<Fault> {
    vec![
        Fault::Raw(vec![7, 0, 1, b'x']),
        Fault::Raw(block(16, b"")),
        Fault::Raw(marker("a b")),
        Fault::Raw(marker("0")),
        Fault::Raw(marker(&(INSIDE + 1).to_string())),
        Fault::Raw(marker(&u64::MAX.to_string())),
        Fault::Endless(marker(&INSIDE.to_string())),
        Fault::Endless(marker("name")),
        Fault::Endless(block(0, b"")),
        Fault::Endless(block(128, b"")),
    ]
}

/// What shows itself only later on: wrong bytes have come by then.
fn lost() -> Vec<Fault> {
    vec![
        // Headers are taken for bytes, and bytes for headers.
        Fault::Short(1),
        Fault::Short(3),
        Fault::Short(3 + 10_000),
        Fault::Raw(vec![0, 0]),
        // More bytes than the file has there.
        Fault::Raw(block(0, &[b'x'; 1000])),
    ]
}

#[test]
fn blocks_with_markers_and_without_arrive() {
    for marked in [Some(MIB), Some(100), None] {
        for (lanes, len) in [("1", 50_000), ("1", u16::MAX), ("1", 700), ("4", 50_000)] {
            let stage = staged(FtpBehaviour::proper().blocks(Blocks { len, marked, ..Blocks::default() }));
            let told = stage.gets(lanes);
            assert_eq!(told.verified(), "date", "{told}");
            stage.stayed_in_blocks();
        }
    }
}

#[test]
fn a_server_that_says_blocks_and_refuses_them_is_asked_for_streams() {
    for reply in ["504 only S", "500 what?", "502 no"] {
        for lanes in ["1", "4"] {
            let stage = staged(proper().instead("MODE B", reply));
            stage.gets(lanes);
            assert_eq!(stage.peer.count("MODE B"), 1, "{reply}: {:?}", stage.modes());
        }
    }
    let stage = staged(proper().instead_of(Which::Only(0), "RETR", "504 not in this mode"));
    stage.gets("1");
    stage.ended_in_streams();
}

#[test]
fn a_server_that_says_blocks_and_sends_streams_is_found_out() {
    for lanes in ["1", "4"] {
        let stage = staged(slow(faulty(Which::Every, 0, Fault::Streamed)));
        stage.gets(lanes);
        stage.ended_in_streams();
        let stage = staged(slow(faulty(Which::Every, 0, Fault::Streamed)));
        stage.killed_after(SIZE / 2, &["-n", lanes]);
        stage.gets(lanes);
        // Of a file that looks like empty blocks nothing comes.
        let blank = staged(faulty(Which::Every, 0, Fault::Streamed));
        let zeros = vec![0; 3 * MIB as usize];
        blank.peer.put_bytes("f.bin", &zeros);
        blank.run(&["-n", lanes], 0);
        assert!(blank.scene.read("f.bin") == zeros);
    }
}

#[test]
fn broken_blocks_end_in_streams_and_mix_nothing() {
    for fault in broken() {
        for lanes in ["1", "4"] {
            for which in [Which::Only(0), Which::Every] {
                let stage = staged(faulty(which, INSIDE, fault.clone()));
                let told = stage.gets(lanes);
                stage.ended_in_streams();
                assert!(told.all("changed").is_empty(), "{fault:?}: {told}");
                assert!(told.fetched() < 2 * SIZE + 4 * MIB, "{fault:?}: {told}");
            }
        }
    }
}

#[test]
fn wrong_bytes_of_a_server_that_lost_count_are_dropped() {
    for fault in lost() {
        for which in [Which::Only(0), Which::Every] {
            let stage = staged(faulty(which, INSIDE, fault.clone()));
            let told = stage.gets("1");
            stage.ended_in_streams();
            assert!(told.says_begun_anew(), "{fault:?}: {told}");
            assert!(told.fetched() < SIZE + 3 * MIB, "{fault:?}: {told}");
        }
        // A lane that has all it wants asks for no more, and does not see what is wrong behind that.
        if !matches!(fault, Fault::Raw(_)) {
            staged(slow(faulty(Which::Every, INSIDE, fault))).gets("4");
        }
    }
}

/// The run ends before a header can show that wrong bytes came, and the next one goes by date and size.
#[test]
fn what_no_header_has_confirmed_is_not_there_for_the_next_run() {
    // Of the block that promises too much 50,000 bytes are right; then come a header and 5,000 bytes of the next one.
    let behaviour = || {
        let behaviour = faulty(Which::Every, INSIDE, Fault::Short(10_000));
        behaviour.stall(Which::Only(0), INSIDE + 55_000).instead_of(Which::From(1), "RETR", "451 not now")
    };
    for lanes in ["1", "4"] {
        let stage = staged(behaviour());
        stage.run(&["-n", lanes, "--timeout", "1", "--retries", "0"], 3);
        stage.peer.change(|behaviour| *behaviour = proper());
        let told = stage.gets(lanes);
        assert!(!told.says_begun_anew(), "{told}");
        let stage = staged(behaviour());
        let haul = stage.scene.get(&["-n", lanes, &stage.url]).spawn();
        stage.peer.wait_until_sent(INSIDE + 55_000, SOON);
        haul.kill_9();
        stage.peer.change(|behaviour| *behaviour = proper());
        stage.gets(lanes);
    }
}

/// It ignores MODE B, and its file looks like blocks up to where it ends.
#[test]
fn a_stream_that_looks_like_blocks_and_ends_well_is_not_kept() {
    let large =
        FILE.bytes(0..200_000).chunks(40_000).map(|piece| block(0, piece)).collect::<Vec<_>>().concat();
    for bytes in [&b"\0\0\x01x\0\0\x01y\0\0\x05z"[..], &large[..large.len() - 1000]] {
        for without in [&[][..], &["MDTM"]] {
            let stage = staged(faulty(Which::Every, 0, Fault::Streamed).without(without));
            stage.peer.put_bytes("f.bin", bytes);
            let told = stage.run(&["-n", "1"], 0);
            assert!(stage.scene.read("f.bin") == bytes, "{told}");
            assert!(told.all("changed").is_empty(), "{told}");
            stage.ended_in_streams();
        }
    }
}

#[test]
fn a_link_that_brings_no_whole_block_is_asked_for_streams() {
    let content = Content::new(131, 2 * MIB);
    for how in [Cut::Fin, Cut::Rst] {
        let stage = Stage::of(proper().cut(Which::Every, 45_000, how), content);
        let told = stage.gets("1");
        stage.ended_in_streams();
        assert!(told.fetched() < content.size() + MIB, "{how:?}: {told}");
    }
}

/// A block takes longer than the patience with a silent server.
#[test]
fn a_slow_link_is_not_given_up_within_a_block() {
    let stage = Stage::of(proper().rate(Which::Every, 12_000), Content::new(132, 100_000));
    let told = stage.gets_by(&["-n", "1", "--timeout", "3", "--retries", "0"]);
    assert!(told.all("retry").is_empty(), "{told}");
    stage.stayed_in_blocks();
    assert_eq!(stage.peer.transfers().len(), 1);
}

#[test]
fn what_came_in_blocks_that_were_broken_behind_a_marker_is_not_dropped() {
    // Nothing lies between the marker and what is wrong.
    let stage = staged(faulty(Which::Every, 4 * MIB, Fault::Raw(vec![7, 0, 1, b'x'])));
    let told = stage.gets("1");
    assert!(!told.says_begun_anew(), "{told}");
    assert!(told.fetched() < SIZE + MIB, "{told}");
    // No header has come behind what lies between.
    let stage = staged(faulty(Which::Every, 4 * MIB + 1000, Fault::Raw(vec![7, 0, 1, b'x'])));
    let told = stage.gets("1");
    assert!(!told.says_begun_anew(), "{told}");
    let stage = staged(faulty(Which::Every, 3 * MIB + INSIDE, Fault::Raw(vec![7, 0, 1, b'x'])));
    let told = stage.gets("1");
    let remark = told.all("remark")[0]["text"].as_str().unwrap();
    assert!(remark.contains("MODE B") && remark.contains("begun anew"), "{told}");
}

#[test]
fn blocks_that_break_in_a_run_that_goes_on_end_in_streams() {
    for fault in [broken(), lost()].concat() {
        let stage = staged(slow(proper()));
        stage.killed_after(SIZE / 2, &["-n", "1"]);
        let next = stage.peer.transfers().len();
        // The first transfer is the last byte alone.
        for which in [Which::Only(next), Which::From(next)] {
            let blocks = Blocks::default().fault(which, 12 * MIB, fault.clone());
            let blocks = blocks.fault(which, SIZE - 1, fault.clone());
            stage.peer.change(|behaviour| behaviour.blocks = Some(blocks));
        }
        stage.gets("1");
    }
}

#[test]
fn what_stands_behind_the_end_is_not_the_file() {
    for behind in [block(0, b"more"), block(64, b""), b"junk".to_vec(), vec![0]] {
        for without in [&[][..], &["SIZE"]] {
            let stage = staged(faulty(Which::Every, 0, Fault::Behind(behind.clone())).without(without));
            let told = stage.gets("1");
            stage.ended_in_streams();
            assert!(told.all("changed").is_empty(), "{told}");
        }
    }
}

#[test]
fn an_end_that_is_never_told_is_had_from_a_stream_where_the_size_is_known() {
    for without in [&[][..], &["MDTM"]] {
        let stage = staged(faulty(Which::Every, 0, Fault::NoEnd).without(without));
        let told = stage.gets("1");
        stage.ended_in_streams();
        assert!(told.fetched() < SIZE + 4 * MIB, "{without:?}: {told}");
    }
    // Else it may as well be a cut that comes each time, and a stream would end there and be called whole.
    for without in [&["SIZE"][..], &["SIZE", "MDTM"]] {
        let stage = staged(faulty(Which::Every, 0, Fault::NoEnd).without(without));
        let told = stage.run(&["-n", "1"], 4);
        stage.stayed_in_blocks();
        assert_eq!(stage.scene.files(), ["f.bin.part", "f.bin.part.haul"], "{told}");
    }
}

#[test]
fn a_server_that_is_silent_where_the_end_belongs_is_asked_for_streams() {
    let blocks =
        || Blocks::default().fault(Which::Every, 0, Fault::NoEnd).fault(Which::Every, 0, Fault::LeftOpen);
    for lanes in ["1", "4"] {
        let stage = staged(proper().blocks(blocks()));
        stage.gets_by(&["-n", lanes, "--timeout", "1", "--retries", "4"]);
        stage.ended_in_streams();
    }
    // Also where the last byte alone is asked for.
    let stage = staged(slow(proper()));
    stage.killed_after(SIZE / 2, &["-n", "1"]);
    stage.peer.change(|behaviour| behaviour.blocks = Some(blocks()));
    let told = stage.gets_by(&["-n", "1", "--timeout", "1", "--retries", "4"]);
    stage.ended_in_streams();
    assert!(!told.says_begun_anew(), "{told}");
}

#[test]
fn of_a_server_that_lost_count_near_the_end_nothing_wrong_is_kept() {
    for fault in lost() {
        let stage = staged(faulty(Which::Every, SIZE - 3000, fault.clone()));
        let told = stage.gets("1");
        stage.ended_in_streams();
        assert!(told.all("changed").is_empty(), "{fault:?}: {told}");
    }
}

#[test]
fn blocks_without_markers_are_not_asked_for() {
    let stage = staged(FtpBehaviour::proper().blocks(Blocks { says_marks: false, ..Blocks::default() }));
    stage.gets("1");
    assert_eq!(stage.peer.count("MODE B"), 0, "{:?}", stage.modes());
}

/// In MODE S nobody could tell such a cut from the end.
#[test]
fn a_cut_with_a_good_farewell_is_no_end_even_of_a_file_without_a_size() {
    for how in [Cut::Fin, Cut::Rst] {
        for without in [&["SIZE"][..], &["SIZE", "MDTM"]] {
            // In the middle of a block, at its end, and before the first.
            for at in [5 * MIB, 50_000, 3] {
                let behaviour = FtpBehaviour {
                    cut_reply: Some("226 that was all".into()),
                    ..proper().without(without).cut(Which::First(2), at, how)
                };
                let stage = staged(behaviour);
                let told = stage.gets("1");
                assert!(!told.says_begun_anew(), "{how:?}, {at}: {told}");
                stage.stayed_in_blocks();
            }
        }
    }
}

#[test]
fn cuts_cost_what_was_in_flight() {
    for how in [Cut::Fin, Cut::Rst] {
        for lanes in ["1", "4"] {
            let stage = staged(proper().cut(Which::Every, 5 * MIB, how));
            let told = stage.gets(lanes);
            assert!(told.all("retry").is_empty(), "{how:?}: nothing was waited for\n{told}");
            assert!(!told.says_begun_anew(), "{how:?}: {told}");
            assert!(told.fetched() < SIZE + 4 * MIB, "{how:?}: {told}");
            stage.stayed_in_blocks();
        }
    }
}

#[test]
fn a_file_that_grows_and_has_no_size_comes_to_its_end() {
    let long = Content::new(130, SIZE + 3 * MIB);
    let behaviour = FtpBehaviour {
        cut_reply: Some("226 that was all".into()),
        ..slow(proper().without(&["SIZE", "MDTM"])).cut(Which::Every, 8 * MIB, Cut::Fin)
    };
    let stage = staged(behaviour);
    stage.killed_after(6 * MIB, &["-n", "1"]);
    stage.peer.put("f.bin", long);
    let told = stage.run(&["-n", "1"], 0);
    long.assert_file_is(stage.scene.path("f.bin"));
    assert!(!told.says_begun_anew(), "{told}");
}

#[test]
fn bytes_that_the_server_does_not_vouch_for_are_asked_for_again_and_then_refused() {
    let suspect = || Fault::Raw(block(32, b"some"));
    let stage = staged(faulty(Which::Only(0), INSIDE, suspect()));
    let told = stage.gets("1");
    assert!(!told.says_begun_anew(), "{told}");
    // A stream would bring them without a word.
    stage.stayed_in_blocks();
    for lanes in ["1", "4"] {
        let stage = staged(faulty(Which::Every, 9 * MIB + 1, suspect()));
        let told = stage.run(&["-n", lanes, "--retries", "3"], 4);
        assert!(told.message().contains("does not vouch"), "{told}");
        assert!(told.failed()["kept"].as_u64() > Some(9 * MIB), "{told}");
        assert_eq!(stage.scene.files(), ["f.bin.part", "f.bin.part.haul"]);
    }
}

/// What is read as a mark of doubt is a byte of the file: no block stands behind what would be that one.
#[test]
fn a_doubt_that_nobody_has_is_a_lost_count() {
    for (count, rest) in [(0_u16, &b"x"[..]), (4, b""), (4, b"x"), (50_000, b""), (u16::MAX, b"")] {
        let fault = Fault::Raw([&[32][..], &count.to_be_bytes(), rest].concat());
        let stage = staged(faulty(Which::Every, INSIDE, fault));
        let told = stage.gets("1");
        stage.ended_in_streams();
        assert!(told.says_begun_anew(), "{count}: {told}");
    }
    // Of a text each third byte may be a blank or an `, which say the same, and the end.
    for text in ["ab ", "a b ", "`a ", "   a"] {
        let stage = staged(faulty(Which::Every, 150_000, Fault::Short(3 + 10_000)));
        let text = text.repeat(100_000);
        stage.peer.put_bytes("f.bin", text.as_bytes());
        stage.run(&["-n", "1"], 0);
        assert!(stage.scene.read("f.bin") == text.as_bytes());
        stage.ended_in_streams();
    }
}

#[test]
fn markers_that_are_names_leave_the_middle_to_streams() {
    let blocks = Blocks { marked: None, ..Blocks::default() };
    let blocks = blocks.fault(Which::Every, MIB, Fault::Raw(marker("tape-1")));
    let stage = staged(FtpBehaviour::proper().blocks(blocks).cut(Which::Only(0), 5 * MIB, Cut::Fin));
    let told = stage.gets("1");
    assert!(!told.says_begun_anew(), "{told}");
    stage.ended_in_streams();
    assert_eq!(stage.modes()[..2], ["MODE B", "RETR f.bin"]);
}

#[test]
fn a_connection_that_is_left_open_behind_the_end_is_closed() {
    for lanes in ["1", "4"] {
        let stage = staged(faulty(Which::Every, 0, Fault::LeftOpen));
        let told = stage.gets(lanes);
        assert!(told.seconds() < 6.0, "{told}");
        stage.stayed_in_blocks();
    }
}

#[test]
fn an_end_before_the_size_that_was_told_is_not_believed() {
    let stage = staged(faulty(Which::Only(0), 5 * MIB, Fault::Ends));
    let told = stage.gets("1");
    assert!(!told.says_begun_anew(), "{told}");
    let stage = staged(faulty(Which::Every, 5 * MIB, Fault::Ends));
    let told = stage.run(&["-n", "1", "--retries", "4"], 4);
    assert!(told.message().contains("of the"), "{told}");
    assert!(!stage.scene.path("f.bin").exists());
    let stage = staged(proper().sizes(Sizes::OffBy(-1000)));
    let end = stage.scene.get(&["-n", "1", "--retries", "4", &stage.url]).run();
    assert!(end.code != Some(0) || stage.scene.read("f.bin") == FILE.bytes(0..SIZE), "{}", end.stderr);
}

#[test]
fn farewells_out_of_turn_do_not_confuse() {
    for completion in [
        Completion::Early,
        Completion::AbortedThenDone,
        Completion::Reply("451 what now".into()),
        Completion::Reply("250 fine".into()),
        Completion::Lost(Cut::Fin),
        Completion::Lost(Cut::Rst),
    ] {
        let stage = staged(proper().completion(Which::Only(0), completion.clone()));
        stage.gets("1");
        assert!(stage.peer.body_sent() < SIZE + MIB, "{completion:?}: {}", stage.peer.body_sent());
    }
    let stage = staged(proper().completion(Which::Every, Completion::Reply("451 what now".into())));
    let told = stage.run(&["-n", "1", "--retries", "2"], 3);
    assert!(told.message().contains("451"), "{told}");
}

#[test]
fn an_offset_that_is_taken_and_not_meant_mixes_nothing() {
    for rest in
        [Rest::FromZero, Rest::OffBy(1000), Rest::OffBy(-1000), Rest::Refused(502), Rest::RetrRefused(451)]
    {
        for without in [&[][..], &["SIZE"], &["SIZE", "MDTM"]] {
            // Without a size nothing shows that it is the offset that is refused, and for the moment only.
            if rest == Rest::RetrRefused(451) && !without.is_empty() {
                continue;
            }
            let behaviour = || proper().without(without).rest(rest).rate(Which::Every, 64 * MIB);
            staged(behaviour()).gets("4");
            let stage = staged(behaviour());
            stage.killed_after(SIZE / 2, &["-n", "4"]);
            stage.gets("4");
        }
    }
}

#[test]
fn blocks_without_an_end_of_markers_cost_no_memory_and_end() {
    for endless in [marker("1"), marker(&INSIDE.to_string()), block(0, b""), block(128, b"")] {
        let stage = staged(faulty(Which::Every, INSIDE, Fault::Endless(endless.clone())));
        let haul = stage.scene.get(&["-n", "1", &stage.url]).spawn();
        let mut most = 0;
        while let Some(now) = haul.peak_memory() {
            most = most.max(now);
            std::thread::sleep(Duration::from_millis(5));
        }
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        FILE.assert_file_is(stage.scene.path("f.bin"));
        assert!(told.seconds() < 10.0, "{endless:?}: {told}");
        assert!(most < 64 << 20, "{endless:?}: {most} bytes");
    }
}

#[test]
fn what_went_to_standard_output_and_was_broken_is_said() {
    let stage = staged(faulty(Which::Every, INSIDE, Fault::Raw(vec![7, 0, 1, b'x'])));
    let end = stage.scene.get(&["-o", "-", &stage.url]).run().expect_code(8);
    assert!(end.stdout.len() as u64 <= INSIDE);
    let told = Told::by(end);
    assert!(told.message().contains("MODE B") && told.message().contains("standard output"), "{told}");
}
