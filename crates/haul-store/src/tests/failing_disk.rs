//! A write-back that fails is told once, and nothing of what it may have lost is ever claimed; and what a sync says of
//! bytes that are written while it is under way.

use std::path::Path;
use std::sync::Arc;

use haul_core::{ByteRange, RangeSet};

use super::{resume, run};
use crate::conformance::{content, subject};
use crate::crash::{CrashDisk, Reboot};
use crate::{FsPartial, Held, Partial, Publish, StoreError};

const TARGET: &str = "/d/file";

fn range(start: u64, end: u64) -> RangeSet {
    ByteRange::new(start, end).into_iter().collect()
}

fn begun(disk: &CrashDisk) -> FsPartial<CrashDisk> {
    let partial = FsPartial::create_on(disk.clone(), Path::new(TARGET), &subject("file", None)).unwrap();
    run(partial.write(0, content(1, 0, 100))).unwrap();
    run(partial.sync()).unwrap();
    run(partial.write(100, content(1, 100, 200))).unwrap();
    partial
}

#[test]
fn a_failed_sync_is_never_retried_into_a_durable_claim() {
    let disk = CrashDisk::new(1);
    let partial = begun(&disk);
    disk.fail_sync_after(0);
    assert!(matches!(run(partial.sync()), Err(StoreError::Io { .. })));
    let kept = Held { written: range(0, 100), durable: range(0, 100) };
    assert_eq!(partial.held(), kept);
    assert_eq!(run(partial.sync()).unwrap(), kept, "the second sync confirmed what the first lost");
    // Written again it is claimed again, and truly.
    run(partial.write(100, content(1, 100, 200))).unwrap();
    assert_eq!(run(partial.sync()).unwrap().durable, range(0, 200));
    drop(partial);
    let resumed = resume(disk.reboot(Reboot::PowerCut, 5), Path::new(TARGET));
    assert_eq!(resumed.held, range(0, 200));
    assert_eq!(run(resumed.partial.read(ByteRange::new(0, 200).unwrap())).unwrap(), content(1, 0, 200));
}

#[test]
fn what_a_failed_sync_withdrew_stays_withdrawn_after_a_kill() {
    let disk = CrashDisk::new(1);
    let partial = begun(&disk);
    disk.fail_sync_after(0);
    run(partial.sync()).unwrap_err();
    let resumed = resume(disk.reboot(Reboot::Kill, 1), Path::new(TARGET));
    assert_eq!((resumed.held, resumed.lost), (range(0, 100), 0));
}

/// The process dies between the failure and the record of it: the next one must not be misled by the cache.
#[test]
fn bytes_that_only_the_cache_has_are_not_taken_for_saved() {
    let disk = CrashDisk::new(1);
    let partial = begun(&disk);
    disk.stop_at(disk.operations() + 2);
    disk.fail_sync_after(0);
    run(partial.sync()).unwrap_err();
    assert!(disk.is_off(), "the withdrawal was to be what the machine stopped at");
    let resumed = resume(disk.reboot(Reboot::Kill, 1), Path::new(TARGET));
    assert_eq!(resumed.held, range(0, 100));
}

#[test]
fn a_journal_that_cannot_be_saved_confirms_nothing_more() {
    let disk = CrashDisk::new(1);
    let partial = begun(&disk);
    disk.fail_sync_after(1);
    assert!(run(partial.sync()).is_err());
    assert!(matches!(run(partial.sync()), Err(StoreError::Unclaimed { .. })));
    let refused = run(partial.write(200, content(1, 200, 300)));
    assert!(matches!(refused, Err(StoreError::Unclaimed { .. })), "{refused:?}");
}

#[test]
fn a_file_that_cannot_be_saved_is_not_published() {
    let disk = CrashDisk::new(1);
    let partial = begun(&disk);
    disk.fail_sync_after(0);
    run(partial.publish(Publish { replace: true, modified: None })).unwrap_err();
    assert_eq!(disk.get(Path::new(TARGET)), None);
    assert_eq!(resume(disk, Path::new(TARGET)).held, range(0, 100));
}

#[test]
fn what_is_written_while_a_sync_is_under_way_is_not_durable_by_it() {
    let disk = CrashDisk::new(1);
    let partial = Arc::new(begun(&disk));
    let other = Arc::clone(&partial);
    disk.during_next_sync(move || {
        run(other.write(200, content(1, 200, 300))).unwrap();
        // Over bytes of which this sync saves older ones.
        run(other.write(150, content(2, 150, 160))).unwrap();
    });
    let held = run(partial.sync()).unwrap();
    assert_eq!(held.durable, range(0, 100));
    assert_eq!(held.written, range(0, 300));
    drop(partial);
    for seed in 0..20 {
        let resumed = resume(disk.reboot(Reboot::PowerCut, seed), Path::new(TARGET));
        assert!(resumed.held.contains(ByteRange::new(0, 100).unwrap()));
        let new = ByteRange::new(150, 160).unwrap();
        if resumed.held.contains(new) {
            let bytes = run(resumed.partial.read(new)).unwrap();
            assert_eq!(bytes, content(2, 150, 160), "seed {seed}: old bytes under a new claim");
        }
    }
}

#[test]
fn a_write_that_a_failed_sync_overtakes_is_not_claimed() {
    let disk = CrashDisk::new(1);
    let partial = Arc::new(begun(&disk));
    let other = Arc::clone(&partial);
    let failing = disk.clone();
    disk.during_next_write(move || {
        failing.fail_sync_after(0);
        run(other.sync()).unwrap_err();
    });
    let refused = run(partial.write(200, content(1, 200, 300)));
    assert!(matches!(refused, Err(StoreError::Unclaimed { .. })), "{refused:?}");
    assert_eq!(run(partial.sync()).unwrap().written, range(0, 100));
}

#[test]
fn what_is_written_while_the_journal_is_rewritten_is_in_the_new_one() {
    let disk = CrashDisk::new(1);
    let partial = Arc::new(begun(&disk).compacting_at(1));
    for at in 200..260 {
        run(partial.write(at, content(1, at, at + 1))).unwrap();
    }
    let (first, second, third) = (Arc::clone(&partial), disk.clone(), disk.clone());
    // The first sync is the partial's, the second its journal's, the third the new journal's.
    disk.during_next_sync(move || {
        second.during_next_sync(move || {
            third.during_next_sync(move || run(first.write(300, content(1, 300, 400))).unwrap());
        });
    });
    run(partial.sync()).unwrap();
    let journal = || disk.get(Path::new("/d/file.part.haul")).unwrap().len();
    assert!(journal() < 300, "the journal was not rewritten: {}", journal());
    assert!(partial.held().written.contains(ByteRange::new(300, 400).unwrap()));
    assert_eq!(run(partial.sync()).unwrap().durable, partial.held().written);
    drop(partial);
    let resumed = resume(disk.reboot(Reboot::PowerCut, 9), Path::new(TARGET));
    assert!(resumed.held.contains(ByteRange::new(300, 400).unwrap()));
    assert!(resumed.held.contains(ByteRange::new(0, 260).unwrap()));
}

/// What is written over durable bytes withdraws the claim on them first, durably: also from the journal that is just
/// taking the other one's place.
#[test]
fn what_is_withdrawn_while_the_journal_is_rewritten_stays_withdrawn() {
    for seed in 0..40 {
        let disk = CrashDisk::new(seed);
        let partial = Arc::new(begun(&disk).compacting_at(1));
        (200..260).for_each(|at| run(partial.write(at, content(1, at, at + 1))).unwrap());
        let (first, second, third) = (Arc::clone(&partial), disk.clone(), disk.clone());
        disk.during_next_sync(move || {
            second.during_next_sync(move || {
                third.during_next_sync(move || run(first.write(10, content(2, 10, 20))).unwrap());
            });
        });
        run(partial.sync()).unwrap();
        let len = disk.get(Path::new("/d/file.part.haul")).unwrap().len();
        assert!(len < 300, "the journal was not rewritten: {len}");
        let resumed = resume(disk.reboot(Reboot::PowerCut, seed), Path::new(TARGET));
        assert!(!resumed.touched, "seed {seed}: a claim that was withdrawn is there again");
    }
}

#[test]
fn a_beginning_that_fails_leaves_nothing() {
    let disk = CrashDisk::new(1);
    disk.fail_sync_after(0);
    FsPartial::create_on(disk.clone(), Path::new(TARGET), &subject("file", None)).unwrap_err();
    assert!(disk.list().is_empty(), "{:?}", disk.list());
}
