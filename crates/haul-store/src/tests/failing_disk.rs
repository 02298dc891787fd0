//! A write-back that fails: it is told once, and nothing of what it may have lost is ever claimed.

use std::path::Path;

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
    run(partial.write(0, &[content(1, 0, 100)])).unwrap();
    run(partial.sync()).unwrap();
    run(partial.write(100, &[content(1, 100, 200)])).unwrap();
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
    run(partial.write(100, &[content(1, 100, 200)])).unwrap();
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
    let refused = run(partial.write(200, &[content(1, 200, 300)]));
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
