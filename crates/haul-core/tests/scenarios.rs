//! The transfer machine in single scenes, each of which a review once found it to lose: an answer after the other, by
//! hand, where the simulation's dice seldom fall that way.
//!
//! It knows of the machine what a driver knows: events, actions, the view. Bytes are only told of, never there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::time::{Duration, Instant};

use haul_core::{
    ByteRange, ETag, Entity, Modified,
    transfer::{
        Action, Ask, Event, LaneId, Lanes, Match, Memo, OnChange, Outcome, Plan, Ranges, Reason, SourceId,
        Transfer, Trouble,
    },
};

const MB: u64 = 1 << 20;
/// Whatever goes round more often than this would go round for ever.
const FOR_EVER: usize = 2_000;

/// One lane, several sources.
fn one_lane(sources: usize) -> Plan {
    Plan {
        sources,
        lanes: Lanes::Exactly(1),
        together: false,
        in_order: false,
        stall: Duration::from_secs(30),
        retries: Some(20),
        on_change: OnChange::Restart,
        seed: 1,
    }
}

fn two_lanes(sources: usize) -> Plan {
    Plan { lanes: Lanes::Exactly(2), ..one_lane(sources) }
}

/// A file without a validator.
fn file(size: u64) -> Entity {
    Entity { size: Some(size), ..Entity::default() }
}

fn tagged(opaque: &str, size: u64) -> Entity {
    Entity { etag: Some(ETag { opaque: opaque.into(), weak: false }), ..file(size) }
}

fn dated(seconds: i64, entity: Entity) -> Entity {
    Entity { modified: Some(Modified { seconds, nanos: 0, strong: true }), ..entity }
}

/// Bytes that an earlier run left without a word of where they came from.
fn orphan(bytes: u64) -> Memo {
    let held = ByteRange::new(0, bytes).into_iter().collect();
    Memo { size: None, held, sources: Vec::new() }
}

/// A request of the machine.
#[derive(Clone, Copy, Debug)]
struct Asked {
    lane: LaneId,
    source: SourceId,
    ask: Ask,
}

/// The machine, and a clock that jumps from one event to the next.
struct Script {
    machine: Transfer,
    now: Instant,
    opens: usize,
}

impl Script {
    fn new(memo: Option<Memo>, plan: Plan) -> Self {
        Self { machine: Transfer::new(memo, plan), now: Instant::now(), opens: 0 }
    }

    /// The next request; or, where something else is decided first, that. Syncs are done, closed lanes forgotten.
    fn next(&mut self) -> Result<Asked, Box<Action>> {
        for _ in 0..FOR_EVER {
            match self.machine.poll(self.now) {
                Some(Action::Open { lane, source, ask, .. }) => {
                    self.opens += 1;
                    return Ok(Asked { lane, source, ask });
                }
                Some(Action::Sync) => self.machine.handle(self.now, Event::Durable),
                Some(Action::Cancel(_)) => {}
                Some(decided) => return Err(Box::new(decided)),
                None => {
                    let deadline = self.machine.deadline().expect("it waits for nothing");
                    self.now = self.now.max(deadline) + Duration::from_micros(1);
                }
            }
        }
        panic!("it neither asks nor ends: {:#?}", self.machine);
    }

    /// Answers every request until something else is decided.
    fn until_decided(&mut self, mut answer: impl FnMut(&mut Self, Asked)) -> Action {
        for _ in 0..FOR_EVER {
            match self.next() {
                Ok(asked) => answer(self, asked),
                Err(decided) => return *decided,
            }
        }
        panic!("after {} requests still not over: {:#?}", self.opens, self.machine);
    }

    fn tell(&mut self, event: Event) {
        self.now += Duration::from_millis(20);
        self.machine.handle(self.now, event);
    }

    /// A part, as asked.
    fn part(&mut self, asked: Asked, seen: Entity) {
        let to = asked.ask.to.or(seen.size);
        self.tell(Event::Opened { lane: asked.lane, seen, from: asked.ask.from, to, ranges: Ranges::Proven });
    }

    /// The whole, without a word of ranges.
    fn whole(&mut self, asked: Asked, seen: Entity) {
        let to = seen.size;
        self.tell(Event::Opened { lane: asked.lane, seen, from: 0, to, ranges: Ranges::Absent });
    }

    fn unsatisfiable(&mut self, asked: Asked, total: u64) {
        self.tell(Event::Unsatisfiable { lane: asked.lane, seen: Entity::default(), total: Some(total) });
    }

    fn checked(&mut self, asked: Asked, found: Match) {
        self.tell(Event::Checked { lane: asked.lane, found });
    }

    /// What was to be compared, if anything, is the same.
    fn agrees(&mut self, asked: Asked) {
        if asked.ask.from < asked.ask.compare_to {
            self.checked(asked, Match::Same);
        }
    }

    fn breaks(&mut self, asked: Asked) {
        self.tell(Event::Failed { lane: asked.lane, why: Trouble::Broken, retry_after: None });
    }

    /// Bytes come and are written; says which of them were taken.
    fn bytes(&mut self, asked: Asked, from: u64, to: u64) -> Vec<ByteRange> {
        self.now += Duration::from_millis(20);
        let taken = self.machine.receive(self.now, asked.lane, ByteRange::new(from, to).unwrap());
        for range in &taken {
            self.machine.handle(self.now, Event::Written(*range));
        }
        taken
    }

    fn streams(&self) -> bool {
        !self.machine.view().lanes.is_empty()
    }

    /// Everything the machine wants at this very moment; the requests are answered by `answer`.
    fn at_once(&mut self, mut answer: impl FnMut(&mut Self, Asked)) {
        for _ in 0..FOR_EVER {
            match self.machine.poll(self.now) {
                Some(Action::Open { lane, source, ask, .. }) => {
                    self.opens += 1;
                    answer(self, Asked { lane, source, ask });
                }
                Some(Action::Sync) => self.machine.handle(self.now, Event::Durable),
                Some(_) => {}
                None => return,
            }
        }
        panic!("the driver never gets to wait: {:#?}", self.machine);
    }

    fn spared(&mut self, asked: Asked) {
        self.machine.handle(self.now, Event::Spared { lane: asked.lane });
    }
}

/// A script whose first lane streams `seen`.
fn streaming(plan: Plan, seen: Entity) -> (Script, Asked) {
    let mut script = Script::new(None, plan);
    let first = script.next().unwrap();
    script.part(first, seen);
    (script, first)
}

/// A script of one lane whose first answer broke off after `bytes`.
fn broken_off(plan: Plan, seen: Entity, bytes: u64) -> Script {
    let (mut script, first) = streaming(plan, seen);
    script.bytes(first, 0, bytes);
    script.breaks(first);
    script
}

#[test]
fn the_source_that_brought_the_first_bytes_owns_the_version() {
    let mut script = Script::new(None, one_lane(2));
    for _ in 0..3 {
        let asked = script.next().unwrap();
        assert_eq!(asked.source, SourceId(0));
        script.part(asked, tagged("first", 10 * MB));
        script.breaks(asked);
    }
    let mirror = script.next().unwrap();
    assert_eq!(mirror.source, SourceId(1));
    script.part(mirror, tagged("mirror", 10 * MB));
    script.bytes(mirror, 0, 5 * MB);
    script.breaks(mirror);
    for _ in 0..3 {
        let asked = script.next().unwrap();
        assert_eq!(asked.source, SourceId(1));
        script.breaks(asked);
    }
    // The first one's old tag says nothing of the mirror's bytes: they are compared.
    let asked = script.next().unwrap();
    assert_eq!(asked.source, SourceId(0));
    assert!(asked.ask.from < asked.ask.compare_to, "{asked:?}");
    script.part(asked, tagged("first", 10 * MB));
    assert_eq!(script.bytes(asked, asked.ask.from, 10 * MB), []);
    script.checked(asked, Match::Different);
    let asked = script.next().unwrap();
    assert_eq!((asked.source, asked.ask.from), (SourceId(1), 5 * MB));
}

#[test]
fn a_spared_lane_never_spins_the_driver() {
    let (mut script, first) = streaming(two_lanes(1), dated(1, tagged("a", 100 * MB)));
    script.bytes(first, 0, MB);
    let second = script.next().unwrap();
    // The same tag with another date: blocks are to be compared, and there is no connection for that.
    script.part(second, dated(2, tagged("a", 100 * MB)));
    script.at_once(Script::spared);
    assert!(script.machine.deadline().is_some());
}

#[test]
fn a_spared_mirror_never_spins_the_driver() {
    let plan = Plan { together: true, ..two_lanes(2) };
    let (mut script, first) = streaming(plan, tagged("a", 1000 * MB));
    script.bytes(first, 0, MB);
    script.at_once(Script::spared);
    assert!(script.machine.deadline().is_some());
}

#[test]
fn a_tag_that_holds_with_dates_that_do_not_goes_on() {
    let mut script = broken_off(one_lane(1), dated(1, tagged("a", 100 * MB)), MB);
    let mut date = 1;
    while !script.streams() {
        let asked = script.next().unwrap();
        date += 1;
        script.part(asked, dated(date, tagged("a", 100 * MB)));
        script.agrees(asked);
        assert!(script.opens < 12, "compares for ever");
    }
}

#[test]
fn a_416_from_an_unknown_source_ends() {
    let mut script = Script::new(Some(orphan(MB)), one_lane(1));
    let decided = script.until_decided(|script, asked| script.unsatisfiable(asked, 0));
    assert_eq!(decided, Action::Reset(Reason::Unproven));
    script.tell(Event::ResetDone);
    let decided = script.until_decided(|script, asked| script.whole(asked, file(0)));
    assert_eq!(decided, Action::Publish);
}

#[test]
fn a_416_that_says_empty_where_nothing_is_here_ends() {
    let mut script = Script::new(None, one_lane(1));
    let first = script.next().unwrap();
    script.whole(first, Entity { size: None, ..tagged("a", 0) });
    script.breaks(first);
    let decided = script.until_decided(|script, asked| script.unsatisfiable(asked, 0));
    assert_eq!(decided, Action::Publish);
    assert_eq!(script.machine.size(), Some(0));
}

#[test]
fn a_416_that_lies_is_not_argued_with_for_ever() {
    // A megabyte of a file of unknown length; behind it, the file is said to be empty.
    let part = |script: &mut Script, asked: Asked| {
        let seen = Entity { size: None, ..tagged("a", 0) };
        let (lane, from, to) = (asked.lane, asked.ask.from, asked.ask.to.or(Some(MB)));
        script.tell(Event::Opened { lane, seen, from, to, ranges: Ranges::Proven });
    };
    let mut script = Script::new(None, one_lane(1));
    let first = script.next().unwrap();
    part(&mut script, first);
    script.bytes(first, 0, MB);
    let decided = script.until_decided(|script, asked| {
        if asked.ask.from >= MB {
            script.unsatisfiable(asked, 0);
        } else {
            part(script, asked);
            script.agrees(asked);
        }
    });
    assert_eq!(decided, Action::Finish(Outcome::Unsafe));
    assert!(script.opens < 300, "{} requests", script.opens);
}

#[test]
fn blank_blocks_that_are_all_there_is_agree() {
    let mut script = broken_off(one_lane(1), file(100 * MB), 30_000);
    while !script.streams() {
        let asked = script.next().unwrap();
        script.part(asked, file(100 * MB));
        if asked.ask.from < asked.ask.compare_to {
            script.checked(asked, Match::Blank);
        }
        assert!(script.opens < 6, "compares for ever");
    }
}

#[test]
fn blank_blocks_do_not_vouch_for_what_lies_between() {
    let mut script = broken_off(one_lane(1), file(100 * MB), MB);
    let decided = script.until_decided(|script, asked| {
        script.part(asked, file(100 * MB));
        script.checked(asked, Match::Blank);
    });
    assert_eq!(decided, Action::Reset(Reason::Unproven));
}

#[test]
fn blank_blocks_do_not_vouch_on_standard_output() {
    let plan = Plan { in_order: true, ..one_lane(1) };
    let mut script = broken_off(plan, file(100 * MB), MB);
    let asked = script.next().unwrap();
    assert!(asked.ask.from > 0 && asked.ask.from < asked.ask.compare_to, "{asked:?}");
    script.part(asked, file(100 * MB));
    script.checked(asked, Match::Blank);
    assert!(!script.streams());
    assert_eq!(*script.next().unwrap_err(), Action::Finish(Outcome::Unsafe));
}

#[test]
fn a_whole_that_begins_with_blanks_goes_on_and_is_given_up_when_it_brings_nothing() {
    let mut script = Script::new(None, one_lane(1));
    let first = script.next().unwrap();
    script.whole(first, file(100 * MB));
    script.bytes(first, 0, 30_000);
    script.breaks(first);
    let decided = script.until_decided(|script, asked| {
        script.whole(asked, file(100 * MB));
        script.checked(asked, Match::Blank);
        assert!(script.streams(), "every byte that is here came by again");
        script.breaks(asked);
    });
    assert_eq!(decided, Action::Finish(Outcome::GaveUp(Trouble::Broken)));
}

#[test]
fn a_mirror_that_refuses_connections_is_left_alone_as_long_as_it_asks() {
    let plan = Plan { together: true, ..two_lanes(2) };
    let (mut script, first) = streaming(plan, tagged("a", 1000 * MB));
    let begun = script.now;
    let mut refused = 0;
    for step in 0..1000 {
        script.bytes(first, step * 100_000, (step + 1) * 100_000);
        script.at_once(|script, asked| {
            if asked.source == SourceId(0) {
                script.part(asked, tagged("a", 1000 * MB));
                return;
            }
            refused += 1;
            let retry_after = Some(Duration::from_secs(5));
            script.tell(Event::Failed { lane: asked.lane, why: Trouble::Unreachable, retry_after });
        });
    }
    let took = script.now - begun;
    assert!(refused >= 1 && refused <= 1 + took.as_secs() / 5, "{refused} connections in {took:?}");
    assert!(script.opens < 16, "{} requests", script.opens);
}

#[test]
fn an_inquiry_that_is_refused_waits_as_long_as_it_is_asked_to() {
    let (mut script, first) = streaming(two_lanes(1), tagged("a", 1000 * MB));
    script.bytes(first, 0, MB);
    let second = script.next().unwrap();
    script.part(second, tagged("b", 1000 * MB));
    let begun = script.now;
    let mut refused = 0;
    for step in 0..500 {
        script.bytes(first, MB + step * 100_000, MB + (step + 1) * 100_000);
        script.at_once(|script, asked| {
            refused += 1;
            let retry_after = Some(Duration::from_secs(5));
            script.tell(Event::Failed { lane: asked.lane, why: Trouble::Busy, retry_after });
        });
    }
    let took = script.now - begun;
    assert!(refused >= 1 && refused <= 1 + took.as_secs() / 5, "{refused} inquiries in {took:?}");
}

#[test]
fn a_mirror_without_validators_is_not_compared_for_ever() {
    let plan = Plan { together: true, ..two_lanes(2) };
    let (mut script, first) = streaming(plan, tagged("a", 1000 * MB));
    let mut heard = false;
    for step in 0..2000 {
        script.bytes(first, step * 10_000, (step + 1) * 10_000);
        script.at_once(|script, asked| {
            if asked.source == SourceId(0) {
                script.part(asked, tagged("a", 1000 * MB));
                return;
            }
            script.part(asked, file(1000 * MB));
            if heard {
                script.agrees(asked);
                return;
            }
            heard = true;
            script.bytes(asked, asked.ask.from, asked.ask.from + 1000);
            script.breaks(asked);
        });
    }
    assert!(heard);
    assert!(script.opens < 64, "{} requests", script.opens);
}

#[test]
fn a_weak_tag_that_comes_and_goes_is_given_up() {
    let mut script = broken_off(one_lane(1), file(100 * MB), MB);
    let decided = script.until_decided(|script, asked| {
        // None on blocks, one on whatever reaches to the end.
        let etag = asked.ask.to.is_none().then(|| ETag { opaque: "w".into(), weak: true });
        script.part(asked, Entity { etag, ..file(100 * MB) });
        script.agrees(asked);
        assert!(!script.streams());
    });
    assert_eq!(decided, Action::Finish(Outcome::GaveUp(Trouble::Broken)));
    assert!(script.opens < 200, "{} requests", script.opens);
}

#[test]
fn a_block_that_is_answered_with_more_is_closed_once_it_agrees() {
    let mut script = Script::new(Some(orphan(200_000)), one_lane(1));
    let asked = script.next().unwrap();
    script.whole(asked, tagged("a", 1000 * MB));
    script.checked(asked, Match::Same);
    assert_eq!(script.machine.poll(script.now), Some(Action::Cancel(asked.lane)));
}

#[test]
fn a_lane_whose_answer_ends_by_itself_is_not_cut_off() {
    let mut script = Script::new(None, one_lane(1));
    let first = script.next().unwrap();
    let seen = tagged("a", 10 * MB);
    script.tell(Event::Opened { lane: first.lane, seen, from: 0, to: Some(MB), ranges: Ranges::Proven });
    script.bytes(first, 0, MB);
    let Some(Action::Open { ask, .. }) = script.machine.poll(script.now) else { panic!() };
    assert_eq!(ask.from, MB);
}

#[test]
fn answers_too_short_to_bring_more_than_is_compared_are_given_up() {
    const CAP: u64 = 32 * 1024;
    for in_order in [false, true] {
        let mut script = Script::new(None, Plan { in_order, ..one_lane(1) });
        let decided = script.until_decided(|script, asked| {
            let to = asked.ask.to.unwrap_or(MB).min(asked.ask.from + CAP);
            let (lane, from) = (asked.lane, asked.ask.from);
            script.tell(Event::Opened { lane, seen: file(MB), from, to: Some(to), ranges: Ranges::Proven });
            if to < asked.ask.compare_to {
                script.breaks(asked);
                return;
            }
            script.agrees(asked);
            if let Some(new) = ByteRange::new(asked.ask.compare_to, to) {
                script.bytes(asked, new.start(), new.end());
            }
        });
        assert_eq!(decided, Action::Finish(Outcome::GaveUp(Trouble::Broken)));
        assert!(script.opens < 100, "{} requests", script.opens);
    }
}

#[test]
fn an_orphan_that_fits_no_source_is_dropped_once_all_were_asked() {
    let mut script = Script::new(Some(orphan(200_000)), one_lane(2));
    let mut order = Vec::new();
    let decided = script.until_decided(|script, asked| {
        order.push(asked.source.0);
        script.part(asked, tagged("a", MB));
        script.checked(asked, Match::Different);
    });
    assert_eq!((order, decided), (vec![0, 1], Action::Reset(Reason::Unproven)));
    script.tell(Event::ResetDone);
    let asked = script.next().unwrap();
    assert_eq!((asked.source, asked.ask.from), (SourceId(0), 0));
}

#[test]
fn nothing_is_complete_on_the_word_of_an_answer_that_is_still_compared() {
    let memo = Memo { sources: vec![Some(Entity::default())], ..orphan(MB) };
    let mut script = Script::new(Some(memo), one_lane(1));
    // A block is answered with the whole, which is shorter than what is here; then the whole is asked for.
    let block = script.next().unwrap();
    script.whole(block, file(MB / 2));
    let asked = script.next().unwrap();
    script.whole(asked, file(MB / 2));
    assert_eq!(script.machine.poll(script.now), None);
    script.checked(asked, Match::Different);
    assert!(matches!(*script.next().unwrap_err(), Action::Reset(Reason::Changed(_))));
}

#[test]
fn a_file_that_changed_behind_its_last_byte_is_not_published() {
    let complete = |on_change| {
        let (mut script, first) = streaming(Plan { on_change, ..one_lane(1) }, dated(5, file(MB)));
        script.bytes(first, 0, MB);
        assert_eq!(*script.next().unwrap_err(), Action::Publish);
        script.tell(Event::Outdated { what: "its date".into() });
        script
    };
    let mut script = complete(OnChange::Restart);
    assert_eq!(*script.next().unwrap_err(), Action::Reset(Reason::Changed("its date".into())));
    script.tell(Event::ResetDone);
    let again = script.next().unwrap();
    script.part(again, dated(6, file(MB)));
    script.bytes(again, 0, MB);
    assert_eq!(*script.next().unwrap_err(), Action::Publish);
    script.tell(Event::Published);
    assert!(matches!(*script.next().unwrap_err(), Action::Finish(Outcome::Complete(_))));
    let ended = *complete(OnChange::Fail).next().unwrap_err();
    assert_eq!(ended, Action::Finish(Outcome::Changed("its date".into())));
}

#[test]
fn what_an_answer_brought_that_is_not_to_be_relied_on_is_dropped() {
    let unreliable =
        |asked: Asked| Event::Failed { lane: asked.lane, why: Trouble::Unreliable, retry_after: None };
    // Nothing of it was taken: as any other failure.
    let (mut script, asked) = streaming(one_lane(1), dated(5, file(MB)));
    script.tell(unreliable(asked));
    let again = script.next().unwrap();
    assert_eq!(again.ask.from, 0);
    script.part(again, dated(5, file(MB)));
    script.bytes(again, 0, MB / 2);
    // What the date vouches for, too: who brought wrong bytes may have done so before.
    script.tell(unreliable(again));
    assert_eq!(*script.next().unwrap_err(), Action::Reset(Reason::Unreliable));
    script.tell(Event::ResetDone);
    let anew = script.next().unwrap();
    assert_eq!(anew.ask, Ask { from: 0, compare_to: 0, to: None });
    script.part(anew, dated(5, file(MB)));
    script.bytes(anew, 0, MB);
    assert_eq!(*script.next().unwrap_err(), Action::Publish);
    // What was handed over can't be taken back.
    let (mut script, asked) = streaming(Plan { in_order: true, ..one_lane(1) }, dated(5, file(MB)));
    script.bytes(asked, 0, MB / 2);
    script.tell(unreliable(asked));
    assert_eq!(*script.next().unwrap_err(), Action::Finish(Outcome::Unsafe));
}
