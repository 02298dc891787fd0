//! One test for each rule of what is done about what is there.

use super::*;
use crate::Modified;
use crate::upload::Can;

const WHOLE: u64 = 1_000_000;
const LOCAL: Local = Local { size: WHOLE, modified: (1_700_000_000, 5), inode: 7 };
const OURS: Ours = Ours::Begun;

/// What is known of a stranger's file of this size, on a server that makes no checksums.
fn of(size: u64) -> Known {
    let can = Can { hash: false, read_back: true };
    Known {
        local: LOCAL,
        verify: Verify::Auto,
        if_exists: None,
        restart: false,
        ours: Ours::No,
        earlier: false,
        begun_size: WHOLE,
        replaced: false,
        all_sent: false,
        lost: false,
        name: Name::Target,
        temporary: false,
        seen: Seen { there: There::Size(size), modified: None, can, declared: None, lost: false },
    }
}

fn dated(seconds: i64, known: Known) -> Known {
    let modified = Some(Modified { seconds, nanos: 0, strong: true });
    Known { seen: Seen { modified, ..known.seen }, ..known }
}

fn with_hash(known: Known) -> Known {
    Known { seen: Seen { can: Can { hash: true, ..known.seen.can }, ..known.seen }, ..known }
}

fn seen(there: There, known: Known) -> Known {
    Known { seen: Seen { there, ..known.seen }, ..known }
}

const POLICIES: [Option<IfExists>; 4] =
    [None, Some(IfExists::Overwrite), Some(IfExists::Skip), Some(IfExists::Fail)];

#[test]
fn where_nothing_is_everything_is_sent() {
    for if_exists in POLICIES {
        let absent = seen(There::Absent, Known { if_exists, ..of(0) });
        assert_eq!(open(&absent), Step::Begin(None));
    }
    let gone = seen(There::Absent, Known { ours: OURS, ..of(0) });
    assert_eq!(open(&gone), Step::Begin(Some(Anew::Gone)));
}

#[test]
fn the_beginning_of_a_file_of_another_size_is_no_beginning_of_ours() {
    let declared = |ours, if_exists, size| {
        let known = Known { ours, if_exists, ..of(500_000) };
        open(&Known { seen: Seen { declared: Some(size), ..known.seen }, ..known })
    };
    assert_eq!(declared(Ours::No, None, WHOLE + 1), Step::Stop(Obstacle::Different));
    assert_eq!(declared(Ours::No, Some(IfExists::Overwrite), WHOLE - 1), Step::Begin(None));
    assert_eq!(declared(OURS, None, WHOLE + 1), Step::Begin(Some(Anew::OtherSize)));
    assert_eq!(declared(Ours::No, None, WHOLE), Step::Check(500_000, How::Tail));
}

#[test]
fn a_shorter_file_is_compared_and_continued_whoever_began_it() {
    for ours in [Ours::No, OURS, Ours::Finished(None)] {
        let known = Known { ours, ..of(500_000) };
        assert_eq!(open(&known), Step::Check(500_000, How::Tail));
        assert_eq!(compared(&known, 500_000, How::Tail, Found::Same), Step::Continue(500_000));
    }
}

#[test]
fn what_is_not_a_prefix_is_replaced_only_where_it_is_ours_or_the_caller_says_so() {
    let found = |known: &Known| compared(known, 500_000, How::Tail, Found::Different);
    assert_eq!(found(&Known { ours: OURS, ..of(500_000) }), Step::Begin(Some(Anew::NotAPrefix)));
    assert_eq!(found(&of(500_000)), Step::Stop(Obstacle::Different));
    let overwrite = Known { if_exists: Some(IfExists::Overwrite), ..of(500_000) };
    assert_eq!(found(&overwrite), Step::Begin(None));
}

#[test]
fn what_is_longer_than_anything_we_sent_is_a_strangers_by_now() {
    let earlier = |size| Known { ours: OURS, earlier: true, ..of(size) };
    let left = Step::Stop(Obstacle::Different);
    assert_eq!(open(&earlier(WHOLE + 1)), left);
    assert_eq!(compared(&earlier(WHOLE), WHOLE, How::Tail, Found::Grown), left);
    let overwrite = Known { if_exists: Some(IfExists::Overwrite), ..earlier(WHOLE + 1) };
    assert_eq!(open(&overwrite), Step::Begin(None));
    // Begun with another local file: only what is longer than that one cannot be ours.
    let outdated = |size| Known { ours: Ours::Outdated, begun_size: 600_000, ..earlier(size) };
    assert_eq!(open(&outdated(600_000)), Step::Begin(Some(Anew::LocalChanged)));
    assert_eq!(open(&outdated(600_001)), left);
}

#[test]
fn an_explicit_skip_or_fail_speaks_of_files_that_are_not_ours() {
    for size in [0, 500_000, WHOLE, WHOLE + 1] {
        let skip = Known { if_exists: Some(IfExists::Skip), ..of(size) };
        assert_eq!(open(&skip), Step::Skip);
        let fail = Known { if_exists: Some(IfExists::Fail), ..of(size) };
        assert_eq!(open(&fail), Step::Stop(Obstacle::Exists));
    }
    for if_exists in POLICIES {
        let ours = Known { if_exists, ours: OURS, ..of(500_000) };
        assert_eq!(open(&ours), Step::Check(500_000, How::Tail));
    }
}

#[test]
fn a_longer_file_is_another_one() {
    assert_eq!(open(&of(WHOLE + 1)), Step::Stop(Obstacle::Different));
    let overwrite = Known { if_exists: Some(IfExists::Overwrite), ..of(WHOLE + 1) };
    assert_eq!(open(&overwrite), Step::Begin(None));
    assert_eq!(open(&Known { ours: OURS, ..of(WHOLE + 1) }), Step::Begin(Some(Anew::TooLong)));
}

#[test]
fn a_checksum_comes_first_and_the_tail_where_there_is_none() {
    let cases = [
        (Verify::Auto, true, Some(How::Hash)),
        (Verify::Auto, false, Some(How::Tail)),
        (Verify::Tail, true, Some(How::Tail)),
        (Verify::Full, true, Some(How::Hash)),
        (Verify::Full, false, Some(How::Whole)),
        (Verify::None, true, None),
    ];
    for (verify, hash, expected) in cases {
        let known = Known { verify, ..of(500_000) };
        let known = if hash { with_hash(known) } else { known };
        let step = expected.map_or(Step::Continue(500_000), |how| Step::Check(500_000, how));
        assert_eq!(open(&known), step, "{verify:?} {hash}");
    }
}

#[test]
fn a_way_of_comparing_that_is_refused_gives_way_to_the_next() {
    let auto = with_hash(of(500_000));
    assert_eq!(compared(&auto, 500_000, How::Hash, Found::Unable), Step::Check(500_000, How::Tail));
    let full = Known { verify: Verify::Full, ..auto };
    assert_eq!(compared(&full, 500_000, How::Hash, Found::Unable), Step::Check(500_000, How::Whole));
    let tail = |known: Known| compared(&known, 500_000, How::Tail, Found::Unable);
    assert_eq!(tail(auto), Step::Stop(Obstacle::Unverifiable));
    assert_eq!(tail(Known { ours: OURS, ..auto }), Step::Begin(Some(Anew::Unverifiable)));
}

#[test]
fn nothing_is_continued_unverified_unless_the_caller_says_so() {
    let blind = Known {
        seen: Seen { can: Can::default(), ..of(500_000).seen },
        ours: OURS,
        ..with_hash(of(500_000))
    };
    assert_eq!(
        compared(&blind, 500_000, How::Tail, Found::Unable),
        Step::Begin(Some(Anew::Unverifiable)),
        "a server that lets nobody read"
    );
    assert_eq!(open(&Known { verify: Verify::None, ..blind }), Step::Continue(500_000));
}

#[test]
fn bytes_that_a_hole_would_have_too_prove_nothing_of_a_strangers_file() {
    let blank = |known: Known, how| compared(&known, 500_000, how, Found::Blank);
    assert_eq!(blank(of(500_000), How::Tail), Step::Check(500_000, How::Whole));
    let ours = Known { ours: OURS, ..of(500_000) };
    assert_eq!(blank(ours, How::Tail), Step::Continue(500_000));
}

#[test]
fn a_lost_reply_is_not_a_lost_upload() {
    let ours = Known { ours: OURS, ..of(WHOLE) };
    assert_eq!(open(&ours), Step::Check(WHOLE, How::Tail));
    assert_eq!(compared(&ours, WHOLE, How::Tail, Found::Same), Step::Whole(Proof::Tail));
    let sent = Known { all_sent: true, ..ours };
    assert_eq!(compared(&sent, WHOLE, How::Tail, Found::Unable), Step::Whole(Proof::Size));
}

#[test]
fn the_same_file_is_done_and_one_that_may_be_another_is_not() {
    let tail = |known: Known| compared(&known, WHOLE, How::Tail, Found::Same);
    assert_eq!(tail(dated(LOCAL.modified.0, of(WHOLE))), Step::Whole(Proof::Tail));
    assert_eq!(tail(dated(LOCAL.modified.0 - 1, of(WHOLE))), Step::Whole(Proof::Tail), "every other second");
    let other = dated(LOCAL.modified.0 + 9, of(WHOLE));
    assert_eq!(tail(other), Step::Stop(Obstacle::Doubtful));
    assert_eq!(tail(Known { if_exists: Some(IfExists::Overwrite), ..other }), Step::Begin(None));
    for (how, proof) in [(How::Hash, Proof::Hash), (How::Whole, Proof::Whole)] {
        assert_eq!(compared(&other, WHOLE, how, Found::Same), Step::Whole(proof));
    }
    let small = Known { local: Local { size: 4000, ..LOCAL }, ..of(4000) };
    assert_eq!(compared(&small, 4000, How::Tail, Found::Same), Step::Whole(Proof::Whole));
}

#[test]
fn what_was_finished_and_still_has_its_date_is_done() {
    let finished = Known { ours: Ours::Finished(Some(9)), ..of(WHOLE) };
    assert_eq!(open(&dated(9, finished)), Step::Whole(Proof::Date));
    assert_eq!(open(&dated(10, finished)), Step::Check(WHOLE, How::Tail));
    assert_eq!(open(&finished), Step::Check(WHOLE, How::Tail), "no date, no proof");
    let grown = Known { ours: Ours::Finished(Some(9)), ..of(WHOLE + 1) };
    assert_eq!(open(&dated(9, grown)), Step::Stop(Obstacle::Different));
}

#[test]
fn a_local_file_that_changed_is_begun_anew() {
    for size in [0, 500_000, WHOLE, WHOLE + 1] {
        let known = Known { ours: Ours::Outdated, ..of(size) };
        assert_eq!(open(&known), Step::Begin(Some(Anew::LocalChanged)));
    }
    // What was sent of it may be where nobody sees it.
    let hidden = Known { ours: Ours::Outdated, ..of(0) };
    assert_eq!(open(&seen(There::Absent, hidden)), Step::Begin(Some(Anew::LocalChanged)));
}

#[test]
fn restart_begins_our_own_anew_and_respects_a_strangers() {
    let ours = Known { restart: true, ours: OURS, ..of(500_000) };
    assert_eq!(open(&ours), Step::Begin(Some(Anew::Asked)));
    let known = Known { restart: true, ..of(500_000) };
    assert_eq!(open(&known), Step::Check(500_000, How::Tail));
    assert_eq!(compared(&known, 500_000, How::Tail, Found::Same), Step::Begin(Some(Anew::Asked)));
    assert_eq!(compared(&known, 500_000, How::Tail, Found::Different), Step::Stop(Obstacle::Different));
}

#[test]
fn an_empty_file_is_the_beginning_of_any() {
    assert_eq!(open(&of(0)), Step::Begin(None));
    let empty = Known { local: Local { size: 0, ..LOCAL }, ..of(0) };
    assert_eq!(open(&empty), Step::Whole(Proof::Date));
}

#[test]
fn without_a_size_only_what_may_be_replaced_is() {
    let unknown = |known| open(&seen(There::Unknown, known));
    assert_eq!(unknown(of(0)), Step::Stop(Obstacle::Unknown));
    assert_eq!(unknown(Known { ours: OURS, ..of(0) }), Step::Begin(Some(Anew::SizeUnknown)));
    assert_eq!(unknown(Known { if_exists: Some(IfExists::Overwrite), ..of(0) }), Step::Begin(None));
}

#[test]
fn what_will_be_replaced_by_a_renaming_is_never_continued() {
    let known = Known { temporary: true, ..of(500_000) };
    assert_eq!(open(&known), Step::Stop(Obstacle::Different));
    let part = Known { name: Name::Temporary, ..known };
    assert_eq!(open(&part), Step::Check(500_000, How::Tail));
}
