//! The machine in scenes: one for each thing that a server may do to an upload.

use std::time::{Duration, Instant};

use super::*;
use crate::Modified;

const WHOLE: u64 = 1_000_000;
const LOCAL: Local = Local { size: WHOLE, modified: (1_700_000_000, 0), inode: 7 };

fn plan() -> Plan {
    Plan {
        local: Some(LOCAL),
        verify: Verify::Auto,
        if_exists: None,
        restart: false,
        temporary: false,
        retries: Some(20),
        seed: 1,
    }
}

/// A machine and its clock.
struct Scene {
    machine: Upload,
    now: Instant,
}

impl Scene {
    fn new(plan: Plan, memo: Option<Memo>) -> Self {
        Self { machine: Upload::new(plan, memo), now: Instant::now() }
    }

    fn begun(plan: Plan) -> Self {
        Self::new(plan, Some(Memo { local: LOCAL, stage: Stage::Begun }))
    }

    /// The next action, after whatever wait there is.
    fn next(&mut self) -> Action {
        loop {
            if let Some(action) = self.machine.poll(self.now) {
                return action;
            }
            self.now = self.machine.deadline(self.now).expect("an action or a wait");
        }
    }

    fn tell(&mut self, event: Event) -> Action {
        self.machine.handle(self.now, event);
        self.next()
    }

    fn look(&mut self) -> bool {
        match self.next() {
            Action::Look { settle, .. } => settle,
            other => panic!("{other:?}"),
        }
    }

    fn sees(&mut self, there: There) -> Action {
        let can = Can { hash: false, read_back: true };
        self.tell(Event::Seen(Seen { there, modified: None, can, declared: None, lost: false }))
    }

    /// Sends to the end, and what the machine wants then.
    fn sends_all(&mut self) -> Action {
        self.machine.handle(self.now, Event::Begun);
        self.machine.handle(self.now, Event::Moved(WHOLE));
        self.tell(Event::Sent(WHOLE))
    }

    fn breaks_at(&mut self, to: u64) -> Action {
        self.machine.handle(self.now, Event::Begun);
        self.machine.handle(self.now, Event::Moved(to));
        self.fails(Trouble::Broken)
    }

    fn fails(&mut self, why: Trouble) -> Action {
        self.tell(Event::Failed { why, retry_after: None })
    }
}

fn send(at: u64, way: Way) -> Action {
    Action::Send { name: Name::Target, at, way }
}

fn look(settle: bool) -> Action {
    Action::Look { name: Name::Target, settle }
}

fn check(size: u64, how: How) -> Action {
    Action::Check { name: Name::Target, size, how }
}

fn done(proof: Proof) -> Action {
    Action::Finish(Outcome::Done { proof, already: false })
}

#[test]
fn a_whole_upload_is_believed_when_its_size_is_seen() {
    let mut scene = Scene::new(plan(), None);
    assert!(!scene.look());
    assert_eq!(scene.sees(There::Absent), send(0, Way::Begin));
    assert_eq!(scene.sends_all(), look(false));
    assert_eq!(scene.sees(There::Size(WHOLE)), Action::Seal);
    assert_eq!(scene.tell(Event::Sealed), done(Proof::Size));
}

#[test]
fn after_a_break_the_rest_is_sent_at_once_where_bytes_arrived() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    let before = scene.now;
    assert_eq!(scene.breaks_at(600_000), look(true));
    assert_eq!(scene.sees(There::Size(500_000)), check(500_000, How::Tail));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(500_000, Way::Restart));
    assert_eq!(scene.now, before, "progress costs no wait");
    assert_eq!(scene.machine.strikes(), 0);
    assert_eq!(scene.sends_all(), look(false));
    assert_eq!(scene.sees(There::Size(WHOLE)), Action::Seal);
}

#[test]
fn what_was_handed_over_but_never_arrives_is_no_progress() {
    let mut scene = Scene::new(Plan { retries: Some(4), ..plan() }, None);
    scene.look();
    scene.sees(There::Absent);
    let mut next = scene.breaks_at(600_000);
    for _ in 0..20 {
        next = match next {
            Action::Look { .. } => scene.sees(There::Size(500_000)),
            Action::Check { .. } => scene.tell(Event::Checked(Found::Same)),
            Action::Send { .. } => scene.breaks_at(600_000),
            Action::Finish(outcome) => {
                assert_eq!(outcome, Outcome::GaveUp(Trouble::Broken));
                return;
            }
            other => panic!("{other:?}"),
        };
    }
    panic!("it goes on for ever");
}

#[test]
fn a_named_offset_that_is_refused_gives_way_to_appending_and_that_to_a_new_beginning() {
    let mut scene = Scene::begun(plan());
    assert!(scene.look(), "an earlier session may still write");
    scene.sees(There::Size(500_000));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(500_000, Way::Restart));
    assert_eq!(scene.tell(Event::Refused(Refusal::Way)), send(500_000, Way::Append));
    assert_eq!(scene.tell(Event::Refused(Refusal::Way)), Action::Say(Anew::NoWay));
    assert_eq!(scene.next(), send(0, Way::Begin));
}

#[test]
fn an_append_that_truncates_is_noticed_and_not_tried_again() {
    let mut scene = Scene::begun(plan());
    scene.look();
    scene.sees(There::Size(700_000));
    scene.tell(Event::Checked(Found::Same));
    assert_eq!(scene.tell(Event::Refused(Refusal::Way)), send(700_000, Way::Append));
    assert_eq!(scene.sends_all(), look(false));
    assert_eq!(scene.sees(There::Size(300_000)), Action::Say(Anew::Spoilt));
    assert_eq!(scene.next(), send(0, Way::Begin));
    // Should the new sending break, the rest is not appended either.
    scene.breaks_at(400_000);
    scene.sees(There::Size(400_000));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), Action::Say(Anew::NoWay));
    assert_eq!(scene.next(), send(0, Way::Begin));
}

#[test]
fn an_offset_that_was_ignored_in_place_is_noticed_though_the_tail_is_right() {
    let mut scene = Scene::begun(plan());
    scene.look();
    scene.sees(There::Size(500_000));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(500_000, Way::Restart));
    scene.breaks_at(600_000);
    // A hundred thousand bytes went to the front, where nobody looks.
    scene.sees(There::Size(500_000));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(500_000, Way::Restart));
    scene.sends_all();
    assert_eq!(scene.sees(There::Size(500_000)), Action::Say(Anew::Spoilt));
    assert_eq!(scene.next(), send(0, Way::Begin));
    scene.breaks_at(600_000);
    scene.sees(There::Size(600_000));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(600_000, Way::Append), "not by an offset again");
}

#[test]
fn what_is_known_to_be_spoilt_is_not_continued_though_the_new_sending_fails_to_begin() {
    let mut scene = Scene::begun(plan());
    scene.look();
    scene.sees(There::Size(700_000));
    scene.tell(Event::Checked(Found::Same));
    scene.sends_all();
    // It went to the front; the end is as it was.
    assert_eq!(scene.sees(There::Size(700_000)), Action::Say(Anew::Spoilt));
    assert_eq!(scene.next(), send(0, Way::Begin));
    assert_eq!(scene.fails(Trouble::Broken), look(true));
    assert_eq!(scene.sees(There::Size(700_000)), send(0, Way::Begin), "and said once");
}

#[test]
fn a_confirmation_of_less_than_all_is_no_confirmation() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    scene.sends_all();
    assert_eq!(scene.sees(There::Size(800_000)), check(800_000, How::Tail));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(800_000, Way::Restart));
}

/// Sends to a far end that confirms everything, says `size` of it afterwards, and finds `found` in it; returns how often
/// the whole was sent, what was said, and how it ended.
fn confirms_and_says(size: u64, found: Found) -> (u32, Vec<Anew>, Outcome) {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    let (mut begun, mut said) = (0, Vec::new());
    let mut next = scene.sees(There::Absent);
    for _ in 0..40 {
        next = match next {
            Action::Say(why) => {
                said.push(why);
                scene.next()
            }
            Action::Send { way, .. } => {
                begun += u32::from(way == Way::Begin);
                scene.sends_all()
            }
            Action::Look { .. } => scene.sees(There::Size(size)),
            Action::Check { .. } => scene.tell(Event::Checked(found)),
            Action::Finish(outcome) => return (begun, said, outcome),
            other => panic!("{other:?}"),
        };
    }
    panic!("it goes on for ever");
}

#[test]
fn a_file_that_is_confirmed_and_never_has_the_right_size_is_sent_twice_at_most() {
    for size in [0, 17, WHOLE - 100, WHOLE + 17] {
        for found in [Found::Same, Found::Different, Found::Unable, Found::Grown] {
            let (begun, said, outcome) = confirms_and_says(size, found);
            assert_eq!((begun, outcome), (2, Outcome::NeverRight), "{size} {found:?}");
            assert_eq!(said, [Anew::Wrong], "{size} {found:?}: nothing else is sure");
        }
    }
}

#[test]
fn a_far_end_that_confirms_all_and_keeps_a_little_each_time_is_given_up() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    let mut has = 0;
    let mut next = scene.sees(There::Absent);
    for _ in 0..100 {
        next = match next {
            Action::Send { .. } => {
                has += 1000;
                scene.sends_all()
            }
            Action::Look { .. } => scene.sees(There::Size(has)),
            Action::Check { .. } => scene.tell(Event::Checked(Found::Same)),
            Action::Finish(outcome) => {
                assert_eq!(outcome, Outcome::NeverRight);
                return;
            }
            other => panic!("{other:?}"),
        };
    }
    panic!("it goes on for ever");
}

#[test]
fn a_file_that_still_grows_is_looked_at_again_and_gone_on_with_when_it_holds_still() {
    // Whether we remember having begun it or not.
    for mut scene in [Scene::begun(plan()), Scene::new(plan(), None)] {
        scene.look();
        assert_eq!(scene.sees(There::Size(400_000)), check(400_000, How::Tail));
        assert_eq!(scene.tell(Event::Checked(Found::Grown)), look(true));
        assert_eq!(scene.sees(There::Size(500_000)), check(500_000, How::Tail));
        assert_eq!(scene.tell(Event::Checked(Found::Grown)), look(true));
        assert_eq!(scene.sees(There::Size(600_000)), check(600_000, How::Tail));
        assert_eq!(scene.tell(Event::Checked(Found::Same)), send(600_000, Way::Restart));
    }
}

#[test]
fn a_file_that_is_said_to_be_whole_and_is_longer_is_not_taken_for_ours() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    scene.breaks_at(WHOLE);
    assert_eq!(scene.sees(There::Size(WHOLE)), check(WHOLE, How::Tail));
    scene.tell(Event::Checked(Found::Grown));
    scene.sees(There::Size(WHOLE));
    assert_eq!(scene.tell(Event::Checked(Found::Grown)), Action::Say(Anew::TooLong));

    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Size(WHOLE));
    scene.tell(Event::Checked(Found::Grown));
    scene.sees(There::Size(WHOLE));
    let end = scene.tell(Event::Checked(Found::Grown));
    assert_eq!(end, Action::Finish(Outcome::InTheWay(Obstacle::Different)));
}

#[test]
fn a_lost_confirmation_is_found_out_by_size_and_tail() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    assert_eq!(scene.breaks_at(WHOLE), look(true));
    assert_eq!(scene.sees(There::Size(WHOLE)), check(WHOLE, How::Tail));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), Action::Seal);
    assert_eq!(scene.tell(Event::Sealed), done(Proof::Tail));
}

#[test]
fn a_continued_file_is_proven_by_a_checksum_where_there_is_one() {
    let can = Can { hash: true, read_back: true };
    let has = |size| {
        Event::Seen(Seen { there: There::Size(size), modified: None, can, declared: None, lost: false })
    };
    let mut scene = Scene::begun(plan());
    scene.look();
    assert_eq!(scene.tell(has(500_000)), check(500_000, How::Hash));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(500_000, Way::Restart));
    scene.sends_all();
    assert_eq!(scene.tell(has(WHOLE)), check(WHOLE, How::Hash));
    assert_eq!(scene.tell(Event::Checked(Found::Different)), Action::Say(Anew::Spoilt));
    assert_eq!(scene.next(), send(0, Way::Begin));
    scene.sends_all();
    assert_eq!(scene.tell(has(WHOLE)), check(WHOLE, How::Hash), "it had that size before");
    assert_eq!(scene.tell(Event::Checked(Found::Same)), Action::Seal);
}

#[test]
fn a_file_in_use_is_waited_for() {
    let mut scene = Scene::begun(plan());
    scene.look();
    scene.sees(There::Size(500_000));
    scene.tell(Event::Checked(Found::Same));
    let before = scene.now;
    assert_eq!(scene.tell(Event::Refused(Refusal::Busy)), look(false));
    assert!(scene.now > before + Duration::from_millis(100));
}

#[test]
fn a_file_that_somebody_else_goes_on_writing_is_waited_for_and_left_alone() {
    let mut scene = Scene::begun(Plan { retries: Some(3), ..plan() });
    scene.look();
    for _ in 0..3 {
        assert_eq!(scene.fails(Trouble::Busy), look(true));
    }
    assert_eq!(scene.fails(Trouble::Busy), Action::Finish(Outcome::GaveUp(Trouble::Busy)));
}

#[test]
fn a_full_disk_and_a_closed_folder_end_it_at_once() {
    for refusal in [Refusal::Full, Refusal::Denied] {
        let mut scene = Scene::new(plan(), None);
        scene.look();
        scene.sees(There::Absent);
        assert_eq!(scene.tell(Event::Refused(refusal)), Action::Finish(Outcome::Refused(refusal)));
    }
}

#[test]
fn what_we_were_let_write_before_is_asked_for_again() {
    let mut scene = Scene::begun(plan());
    scene.look();
    scene.sees(There::Size(500_000));
    let mut next = scene.tell(Event::Checked(Found::Same));
    let mut ways = Vec::new();
    loop {
        next = match next {
            Action::Send { way, .. } => {
                ways.push(way);
                scene.tell(Event::Refused(Refusal::Denied))
            }
            Action::Look { .. } => scene.sees(There::Size(500_000)),
            Action::Check { .. } => scene.tell(Event::Checked(Found::Same)),
            Action::Finish(outcome) => {
                assert_eq!(outcome, Outcome::Refused(Refusal::Denied));
                break;
            }
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(ways, [Way::Restart, Way::Restart, Way::Restart, Way::Append]);
}

#[test]
fn a_local_file_that_changes_is_begun_anew_but_not_for_ever() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    for round in 0..3 {
        scene.machine.handle(scene.now, Event::Begun);
        let local = Local { modified: (1_700_000_001 + round, 0), ..LOCAL };
        assert_eq!(scene.tell(Event::LocalChanged(local)), look(true));
        assert_eq!(scene.sees(There::Size(WHOLE)), Action::Say(Anew::LocalChanged));
        assert_eq!(scene.next(), send(0, Way::Begin));
    }
    scene.machine.handle(scene.now, Event::Begun);
    let local = Local { inode: 8, ..LOCAL };
    assert_eq!(scene.tell(Event::LocalChanged(local)), Action::Finish(Outcome::Restless));
}

#[test]
fn an_earlier_run_with_another_local_file_is_begun_anew() {
    let then = Local { modified: (1_600_000_000, 0), ..LOCAL };
    let memo = Memo { local: then, stage: Stage::Begun };
    let mut scene = Scene::new(plan(), Some(memo));
    scene.look();
    assert_eq!(scene.sees(There::Size(500_000)), Action::Say(Anew::LocalChanged));
    assert_eq!(scene.next(), send(0, Way::Begin));
}

#[test]
fn a_file_that_is_gone_after_its_confirmation_is_told() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    scene.sends_all();
    assert_eq!(scene.sees(There::Absent), Action::Finish(Outcome::Vanished));
}

#[test]
fn a_server_that_tells_no_size_shows_the_end_of_the_file_or_is_taken_at_its_word() {
    for (found, proof) in
        [(Found::Same, Proof::Tail), (Found::Blank, Proof::Tail), (Found::Unable, Proof::Reply)]
    {
        let mut scene = Scene::new(Plan { if_exists: Some(IfExists::Overwrite), ..plan() }, None);
        scene.look();
        assert_eq!(scene.sees(There::Unknown), send(0, Way::Begin));
        scene.sends_all();
        assert_eq!(scene.sees(There::Unknown), check(WHOLE, How::Tail));
        assert_eq!(scene.tell(Event::Checked(found)), Action::Seal);
        assert_eq!(scene.tell(Event::Sealed), done(proof));
    }
}

#[test]
fn a_server_that_tells_no_size_and_has_not_the_end_of_the_file_gets_it_once_more() {
    let mut scene = Scene::new(Plan { if_exists: Some(IfExists::Overwrite), ..plan() }, None);
    scene.look();
    scene.sees(There::Unknown);
    scene.sends_all();
    scene.sees(There::Unknown);
    assert_eq!(scene.tell(Event::Checked(Found::Different)), Action::Say(Anew::Wrong));
    assert_eq!(scene.next(), send(0, Way::Begin));
    scene.sends_all();
    scene.sees(There::Unknown);
    assert_eq!(scene.tell(Event::Checked(Found::Grown)), Action::Finish(Outcome::NeverRight));
}

#[test]
fn a_temporary_name_is_sent_to_and_then_renamed() {
    let part = |at, way| Action::Send { name: Name::Temporary, at, way };
    let mut scene = Scene::new(Plan { temporary: true, ..plan() }, None);
    scene.look();
    assert_eq!(scene.sees(There::Absent), Action::Look { name: Name::Temporary, settle: false });
    assert_eq!(scene.sees(There::Absent), part(0, Way::Begin));
    assert_eq!(scene.sends_all(), Action::Look { name: Name::Temporary, settle: false });
    assert_eq!(scene.sees(There::Size(WHOLE)), look(false), "whether the name is still free");
    assert_eq!(scene.sees(There::Absent), Action::Seal);
    // Its answer gets lost, and it was done.
    assert_eq!(scene.fails(Trouble::Broken), Action::Look { name: Name::Temporary, settle: false });
    assert_eq!(scene.sees(There::Absent), look(false));
    assert_eq!(scene.sees(There::Size(WHOLE)), done(Proof::Size));
}

#[test]
fn a_renaming_that_did_not_happen_is_asked_for_again_and_a_refused_one_is_told() {
    let mut scene = Scene::new(Plan { temporary: true, ..plan() }, None);
    scene.look();
    scene.sees(There::Absent);
    scene.sees(There::Absent);
    scene.sends_all();
    scene.sees(There::Size(WHOLE));
    assert_eq!(scene.sees(There::Absent), Action::Seal);
    scene.fails(Trouble::Broken);
    assert_eq!(scene.sees(There::Size(WHOLE)), look(false));
    assert_eq!(scene.sees(There::Absent), Action::Seal);
    assert_eq!(scene.tell(Event::Refused(Refusal::Denied)), Action::Finish(Outcome::NotRenamed));
}

#[test]
fn a_name_that_was_taken_meanwhile_is_another_ones_unless_the_caller_says_otherwise() {
    for (if_exists, there, expected) in [
        (None, There::Size(WHOLE), Action::Finish(Outcome::InTheWay(Obstacle::Came))),
        (None, There::Unknown, Action::Finish(Outcome::InTheWay(Obstacle::Unknown))),
        (Some(IfExists::Skip), There::Size(1), Action::Finish(Outcome::InTheWay(Obstacle::Came))),
        (Some(IfExists::Overwrite), There::Size(1), Action::Seal),
    ] {
        let mut scene = Scene::new(Plan { temporary: true, if_exists, ..plan() }, None);
        scene.look();
        scene.sees(There::Absent);
        scene.sees(There::Absent);
        scene.sends_all();
        scene.sees(There::Size(WHOLE));
        assert_eq!(scene.sees(there), expected, "{if_exists:?} {there:?}");
    }
}

#[test]
fn a_size_that_was_there_before_is_no_proof_unless_the_date_is_another_one() {
    let there = |seconds: Option<i64>| {
        let modified = seconds.map(|seconds| Modified { seconds, nanos: 0, strong: true });
        let can = Can { hash: false, read_back: true };
        Event::Seen(Seen { there: There::Size(WHOLE), modified, can, declared: None, lost: false })
    };
    let replaces = Plan { if_exists: Some(IfExists::Overwrite), ..plan() };
    for (before, after, expected) in [
        (Some(1), Some(2), Action::Seal),
        (Some(1), Some(1), check(WHOLE, How::Whole)),
        (None, Some(2), check(WHOLE, How::Whole)),
        (None, None, check(WHOLE, How::Whole)),
    ] {
        let mut scene = Scene::new(replaces, None);
        scene.look();
        assert_eq!(scene.tell(there(before)), check(WHOLE, How::Tail));
        assert_eq!(scene.tell(Event::Checked(Found::Different)), send(0, Way::Begin));
        scene.sends_all();
        assert_eq!(scene.tell(there(after)), expected, "{before:?} {after:?}");
    }
}

#[test]
fn what_a_server_still_shows_of_the_old_file_is_not_the_new_one_for_its_tail() {
    // It hides what is not complete; the old file is as long, and ends the same.
    let mut scene = Scene::new(Plan { if_exists: Some(IfExists::Overwrite), ..plan() }, None);
    scene.look();
    scene.sees(There::Size(WHOLE));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), send(0, Way::Begin));
    scene.breaks_at(600_000);
    assert_eq!(scene.sees(There::Size(WHOLE)), check(WHOLE, How::Tail));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), check(WHOLE, How::Whole));
    assert_eq!(scene.tell(Event::Checked(Found::Different)), Action::Say(Anew::NotAPrefix));
    // So it is for the next run.
    let mut scene = Scene::begun(plan());
    scene.look();
    assert_eq!(scene.sees(There::Size(WHOLE)), check(WHOLE, How::Tail));
    assert_eq!(scene.tell(Event::Checked(Found::Same)), check(WHOLE, How::Whole));
    assert_eq!(scene.tell(Event::Checked(Found::Different)), Action::Say(Anew::NotAPrefix));
}

#[test]
fn a_date_of_what_was_finished_before_the_local_file_changed_proves_nothing() {
    let old = Local { modified: (LOCAL.modified.0, 1), ..LOCAL };
    let date = Some(LOCAL.modified.0);
    let modified = date.map(|seconds| Modified { seconds, nanos: 0, strong: true });
    let can = Can { hash: false, read_back: true };
    let seen = Event::Seen(Seen { there: There::Size(WHOLE), modified, can, declared: None, lost: false });
    for (local, expected) in [
        (LOCAL, Outcome::Done { proof: Proof::Date, already: true }),
        (old, Outcome::InTheWay(Obstacle::Doubtful)),
    ] {
        let mut scene = Scene::new(plan(), Some(Memo { local, stage: Stage::Finished { modified: date } }));
        scene.look();
        let mut next = scene.tell(seen);
        if next == check(WHOLE, How::Tail) {
            next = scene.tell(Event::Checked(Found::Same));
        }
        assert_eq!(next, Action::Finish(expected));
    }
}

#[test]
fn a_stream_is_sent_once() {
    let stream = Plan { local: None, ..plan() };
    let mut scene = Scene::new(stream, None);
    scene.look();
    assert_eq!(scene.sees(There::Size(5)), Action::Finish(Outcome::InTheWay(Obstacle::Exists)));

    let mut scene = Scene::new(stream, None);
    scene.look();
    scene.sees(There::Absent);
    scene.sends_all();
    assert_eq!(scene.sees(There::Size(WHOLE)), Action::Seal);

    let mut scene = Scene::new(stream, None);
    scene.look();
    scene.sees(There::Absent);
    assert_eq!(scene.fails(Trouble::Broken), look(false), "nothing of it is lost yet");
    scene.sees(There::Absent);
    assert_eq!(scene.breaks_at(17), Action::Finish(Outcome::StreamBroken(Trouble::Broken)));
}

#[test]
fn a_far_end_that_never_answers_is_given_up_soon() {
    let mut scene = Scene::new(plan(), None);
    let begun = scene.now;
    scene.look();
    assert_eq!(scene.fails(Trouble::Unreachable), look(false));
    assert_eq!(scene.fails(Trouble::Unreachable), look(false));
    let end = scene.fails(Trouble::Unreachable);
    assert_eq!(end, Action::Finish(Outcome::GaveUp(Trouble::Unreachable)));
    assert_eq!(scene.now - begun, Duration::from_secs(3));
}

/// A look that finds nothing of what was begun, and this under the name.
fn lost(there: There) -> Event {
    let can = Can { hash: false, read_back: true };
    Event::Seen(Seen { there, modified: None, can, declared: None, lost: true })
}

#[test]
fn what_the_far_end_has_lost_is_said_and_a_file_that_is_there_apart_from_it_is_a_strangers() {
    let mut scene = Scene::begun(plan());
    scene.look();
    assert_eq!(scene.tell(lost(There::Absent)), Action::Say(Anew::Gone));
    assert_eq!(scene.next(), Action::Send { name: Name::Target, at: 0, way: Way::Begin });

    let mut scene = Scene::begun(plan());
    scene.look();
    let check = scene.tell(lost(There::Size(WHOLE)));
    assert!(matches!(check, Action::Check { how: How::Tail, .. }), "{check:?}");
    let end = scene.tell(Event::Checked(Found::Different));
    assert_eq!(end, Action::Finish(Outcome::InTheWay(Obstacle::Different)));
}

#[test]
fn a_far_end_that_takes_bytes_and_loses_them_each_time_is_given_up() {
    let mut scene = Scene::begun(plan());
    let mut next = scene.next();
    for _ in 0..40 {
        next = match next {
            Action::Look { .. } => scene.tell(lost(There::Absent)),
            Action::Say(why) => {
                assert_eq!(why, Anew::Gone);
                scene.next()
            }
            Action::Send { .. } => {
                // Some of it is there, which forgives the break; then all of it is gone.
                assert_eq!(scene.breaks_at(600_000), look(true));
                scene.sees(There::Size(500_000));
                scene.tell(Event::Checked(Found::Same));
                scene.breaks_at(700_000)
            }
            Action::Finish(outcome) => return assert_eq!(outcome, Outcome::GaveUp(Trouble::Broken)),
            other => panic!("{other:?}"),
        };
    }
    panic!("it goes on for ever");
}

#[test]
fn what_was_lost_may_have_become_the_file_and_all_of_it_is_compared() {
    let mut scene = Scene::begun(plan());
    scene.look();
    scene.tell(lost(There::Size(WHOLE)));
    let check = scene.tell(Event::Checked(Found::Same));
    assert!(matches!(check, Action::Check { how: How::Whole, .. }), "{check:?}");
    let end = scene.tell(Event::Checked(Found::Same));
    assert_eq!(end, Action::Finish(Outcome::Done { proof: Proof::Whole, already: true }));
}

#[test]
fn an_end_that_nobody_heard_is_noticed_by_the_file() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    scene.breaks_at(WHOLE);
    let check = scene.tell(lost(There::Size(WHOLE)));
    assert!(matches!(check, Action::Check { how: How::Tail, .. }), "{check:?}");
    assert_eq!(scene.tell(Event::Checked(Found::Same)), Action::Seal);
}

#[test]
fn a_file_that_came_meanwhile_is_looked_at_and_never_replaced() {
    let mut scene = Scene::new(plan(), None);
    scene.look();
    scene.sees(There::Absent);
    scene.machine.handle(scene.now, Event::Begun);
    scene.machine.handle(scene.now, Event::Moved(9));
    let look = scene.tell(Event::Refused(Refusal::Came));
    assert!(matches!(look, Action::Look { name: Name::Target, .. }), "{look:?}");
    scene.sees(There::Size(77));
    let end = scene.tell(Event::Checked(Found::Different));
    assert_eq!(end, Action::Finish(Outcome::InTheWay(Obstacle::Different)));
}

#[test]
fn who_contradicts_himself_is_left() {
    let mut scene = Scene::begun(plan());
    scene.look();
    let end = scene.tell(Event::Refused(Refusal::Contradiction));
    assert_eq!(end, Action::Finish(Outcome::Refused(Refusal::Contradiction)));
}
