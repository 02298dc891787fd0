//! The machine stops at every single operation of a transfer, in both ways, with several seeds, and starts again:
//! never a false claim, never a lost durable one, nothing lost by a mere kill, and a reader sees the old file or the
//! new.

use std::collections::BTreeMap;
use std::path::Path;

use haul_core::{ByteRange, RangeSet};

use super::run;
use crate::conformance::{content, subject};
use crate::crash::{CrashDisk, Reboot};
use crate::{Found, FsPartial, Note, Partial, Publish, StoreError, Subject};

const TARGET: &str = "/d/file";
const SEEDS: u64 = 6;

/// A value that a byte had, by subject: a false claim is one on a byte with another value.
#[derive(Default)]
struct Truth {
    written: BTreeMap<String, BTreeMap<u64, Vec<u8>>>,
    /// The subject in force; the one before it too while a reset has not returned.
    subjects: Vec<String>,
    /// What must survive a kill, and a power cut.
    safe: RangeSet,
    durable: RangeSet,
    publishing: bool,
    published: bool,
}

impl Truth {
    fn forget(&mut self, range: Option<ByteRange>) {
        for set in [&mut self.safe, &mut self.durable] {
            range.into_iter().for_each(|range| set.remove(range));
        }
    }
}

/// A transfer that notes beside each step what may be relied on from then on.
struct Transfer {
    partial: FsPartial<CrashDisk>,
    truth: Truth,
}

type Step = Result<(), StoreError>;

impl Transfer {
    fn write(&mut self, seed: u64, start: u64, end: u64) -> Step {
        let range = ByteRange::new(start, end);
        self.truth.forget(range);
        let bytes = content(seed, start, end);
        let of_subject = self.truth.written.entry(self.truth.subjects[0].clone()).or_default();
        (start..end).zip(&bytes).for_each(|(at, byte)| of_subject.entry(at).or_default().push(*byte));
        run(self.partial.write(start, bytes))?;
        self.truth.safe.extend(range);
        Ok(())
    }

    fn sync(&mut self) -> Step {
        let held = run(self.partial.sync())?;
        assert_eq!(held.written, self.truth.safe);
        assert_eq!(held.durable, self.truth.safe);
        self.truth.durable = held.durable;
        Ok(())
    }

    fn cut(&mut self, at: u64) -> Step {
        self.truth.forget(ByteRange::new(at, u64::MAX));
        run(self.partial.cut(at))
    }

    fn reset(&mut self, name: &str, size: u64) -> Step {
        self.truth.forget(ByteRange::new(0, u64::MAX));
        self.truth.subjects.insert(0, name.to_owned());
        run(self.partial.reset(subject(name, Some(size))))?;
        self.truth.subjects.truncate(1);
        Ok(())
    }

    fn note(&mut self, note: Note) -> Step {
        run(self.partial.note(note))
    }
}

fn script(disk: &CrashDisk, truth: &mut Truth) -> Step {
    truth.subjects = vec!["one".to_owned()];
    let partial =
        FsPartial::create_on(disk.clone(), Path::new(TARGET), &subject("one", None))?.compacting_at(260);
    let mut transfer = Transfer { partial, truth: std::mem::take(truth) };
    let done = steps(&mut transfer);
    *truth = transfer.truth;
    done?;
    truth.publishing = true;
    run(transfer.partial.publish(Publish { replace: true, modified: Some((1_000_000_000, 0)) }))?;
    truth.published = true;
    Ok(())
}

fn steps(t: &mut Transfer) -> Step {
    t.write(1, 0, 100)?;
    t.write(1, 300, 400)?;
    t.sync()?;
    t.write(1, 100, 200)?;
    t.note(Note::Subject(subject("one", Some(600))))?;
    // Over what is durable and what is not, with the same bytes and with others.
    t.write(1, 50, 150)?;
    t.write(7, 320, 380)?;
    t.sync()?;
    for at in 40..60 {
        t.write(1, at * 10, at * 10 + 10)?;
        if at % 5 == 0 {
            t.sync()?;
        }
    }
    t.cut(455)?;
    t.write(1, 455, 500)?;
    t.cut(470)?;
    t.write(1, 480, 500)?;
    t.sync()?;
    t.write(1, 470, 475)?;
    t.reset("two", 350)?;
    t.write(2, 100, 200)?;
    t.write(2, 300, 350)?;
    t.note(Note::Stopped { when_unix: 5, why: "asked to".to_owned() })?;
    t.write(2, 0, 100)?;
    t.sync()?;
    t.write(2, 200, 300)
}

/// Everything that must hold after the machine came up again.
fn check(disk: &CrashDisk, how: Reboot, truth: &Truth, what: &str) {
    let target = disk.get(Path::new(TARGET));
    let whole = content(2, 0, 350);
    if target.as_deref() != Some(&whole[..]) {
        assert_eq!(
            target.as_deref(),
            Some(&b"the older file"[..]),
            "{what}: a reader sees neither old nor new"
        );
        assert!(!truth.published, "{what}: published and gone");
    } else {
        assert!(truth.publishing, "{what}: published too early");
    }
    let found = FsPartial::find_on(disk.clone(), Path::new(TARGET)).unwrap();
    let must = if how == Reboot::Kill { &truth.safe } else { &truth.durable };
    match found {
        Found::Nothing => {
            let published = target.as_deref() == Some(&whole[..]);
            assert!(published || must.is_empty(), "{what}: {must:?} is lost");
            if published {
                assert_eq!(disk.list(), [Path::new(TARGET)], "{what}: something is left over");
            } else {
                let partial =
                    FsPartial::create_on(disk.clone(), Path::new(TARGET), &subject("two", Some(350)));
                finish(disk, partial.unwrap(), what);
            }
        }
        Found::Orphan(orphan) => panic!("{what}: an orphan of {} bytes", orphan.len()),
        Found::Journaled(resumed) => {
            assert!(!resumed.touched, "{what}: taken for touched");
            let held = &resumed.held;
            let lost = must.iter().find(|range| !held.contains(*range));
            assert_eq!(lost, None, "{what}: durable or written, and lost; held {held:?}");
            check_bytes(&resumed.partial, &resumed.subject, held, truth, what);
            assert_eq!(resumed.partial.held().written, *held, "{what}");
            let partial = resumed.partial;
            if resumed.subject.name != "two" {
                run(partial.reset(subject("two", Some(350)))).unwrap();
            }
            finish(disk, partial, what);
        }
    }
}

fn check_bytes(partial: &FsPartial<CrashDisk>, of: &Subject, held: &RangeSet, truth: &Truth, what: &str) {
    assert!(truth.subjects.contains(&of.name), "{what}: the subject is {}", of.name);
    for range in held.iter() {
        let bytes = run(partial.read(range)).unwrap();
        for (at, byte) in (range.start()..).zip(&bytes) {
            let values = truth.written.get(&of.name).and_then(|written| written.get(&at));
            assert!(
                values.is_some_and(|values| values.contains(byte)),
                "{what}: byte {at} is claimed falsely"
            );
        }
    }
}

/// The transfer goes on from what is held, and ends in the right file.
fn finish(disk: &CrashDisk, partial: FsPartial<CrashDisk>, what: &str) {
    let held = partial.held().written;
    let gaps: Vec<_> = ByteRange::new(0, 350).into_iter().flat_map(|all| held.gaps(all)).collect();
    for gap in gaps {
        run(partial.write(gap.start(), content(2, gap.start(), gap.end()))).unwrap();
    }
    run(partial.sync()).unwrap();
    run(partial.publish(Publish { replace: true, modified: None })).unwrap();
    assert_eq!(disk.get(Path::new(TARGET)).unwrap(), content(2, 0, 350), "{what}: the end is wrong");
    assert_eq!(disk.list(), [Path::new(TARGET)], "{what}: something is left over");
}

fn fresh(seed: u64) -> CrashDisk {
    let disk = CrashDisk::new(seed);
    disk.put(Path::new(TARGET), b"the older file");
    disk
}

#[test]
fn stopped_at_every_operation_nothing_false_is_claimed_and_nothing_durable_lost() {
    let disk = fresh(0);
    script(&disk, &mut Truth::default()).unwrap();
    let operations = disk.operations();
    assert!(operations > 100, "the script has only {operations} operations");
    for nth in 1..=operations + 1 {
        for seed in 0..SEEDS {
            for how in [Reboot::Kill, Reboot::PowerCut] {
                let disk = fresh(seed);
                disk.stop_at(nth);
                let mut truth = Truth::default();
                let done = script(&disk, &mut truth);
                assert_eq!(done.is_ok(), !disk.is_off(), "stopped and said nothing, at {nth}");
                let what = format!("{how:?} at operation {nth}, seed {seed}");
                check(&disk.reboot(how, seed * 1000 + nth), how, &truth, &what);
            }
        }
    }
}

/// The machine stops while it recovers, too: what held before the first stop holds after the second.
#[test]
fn stopped_again_while_coming_back_nothing_is_lost() {
    let disk = fresh(0);
    script(&disk, &mut Truth::default()).unwrap();
    let operations = disk.operations();
    for nth in (1..=operations).step_by(3) {
        for again in 1..=6 {
            let disk = fresh(nth);
            disk.stop_at(nth);
            let mut truth = Truth::default();
            let _ = script(&disk, &mut truth);
            let second = disk.reboot(Reboot::PowerCut, nth + again);
            second.stop_at(again);
            let _ = FsPartial::find_on(second.clone(), Path::new(TARGET));
            let third = second.reboot(Reboot::PowerCut, nth * again);
            let what = format!("stopped at {nth} and again at {again}");
            check(&third, Reboot::PowerCut, &truth, &what);
        }
    }
}

/// A finished file is taken for a partial again where a crash had left the journal of an earlier one: wherever the
/// machine stops, its bytes are there, and nothing is claimed of them.
#[test]
fn a_file_that_is_adopted_never_meets_the_journal_of_another() {
    let left = CrashDisk::new(1);
    let partial = FsPartial::create_on(left.clone(), Path::new(TARGET), &subject("one", None)).unwrap();
    run(partial.write(0, content(1, 0, 100))).unwrap();
    run(partial.sync()).unwrap();
    let journal = Path::new("/d/file.part.haul");
    let stale = left.get(journal).unwrap();
    for nth in 1.. {
        let mut stopped = false;
        for seed in 0..SEEDS {
            for how in [Reboot::Kill, Reboot::PowerCut] {
                let disk = fresh(seed);
                disk.put(journal, &stale);
                disk.stop_at(nth);
                let _ = FsPartial::adopt_finished_on(disk.clone(), Path::new(TARGET));
                stopped = disk.is_off();
                let disk = disk.reboot(how, seed * 1000 + nth);
                let found = FsPartial::find_on(disk.clone(), Path::new(TARGET)).unwrap();
                let here = |name| disk.get(Path::new(name)).as_deref() == Some(&b"the older file"[..]);
                // An empty partial may be there for the moment, and say that it is empty.
                let kept = here(TARGET) || (here("/d/file.part") && matches!(found, Found::Orphan(_)));
                assert!(kept, "{how:?} at operation {nth}, seed {seed}");
            }
        }
        if !stopped {
            break;
        }
    }
}
