//! Writes and syncs beside each other, on a real file system.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use haul_core::ByteRange;

use super::{resume, run};
use crate::conformance::{content, subject};
use crate::crash::CrashDisk;
use crate::disk::RealDisk;
use crate::{FsPartial, Partial, Publish};

const PIECE: u64 = 3_000;
const PIECES: u64 = 400;

#[test]
fn syncing_beside_writers_loses_and_invents_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("file");
    let partial =
        FsPartial::create(&target, &subject("file", Some(PIECE * PIECES))).unwrap().compacting_at(2_000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let syncer = scope.spawn(|| {
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let held = run(partial.sync()).unwrap();
                assert!(held.durable.iter().all(|range| held.written.contains(range)));
                assert!(held.durable.total() >= last, "durable bytes went back");
                last = held.durable.total();
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|lane| {
                let partial = &partial;
                scope.spawn(move || {
                    for piece in (lane..PIECES).step_by(4) {
                        let (start, end) = (piece * PIECE, (piece + 1) * PIECE);
                        run(partial.write(start, content(1, start, end))).unwrap();
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
        syncer.join().unwrap();
    });
    let whole = ByteRange::new(0, PIECE * PIECES).unwrap();
    assert!(run(partial.sync()).unwrap().durable.contains(whole));
    drop(partial);
    let resumed = resume(RealDisk, &target);
    assert!(resumed.held.contains(whole) && resumed.lost == 0 && !resumed.touched);
    run(resumed.partial.publish(Publish { replace: false, modified: None })).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content(1, 0, PIECE * PIECES));
}

/// Two lanes race for the same bytes: whoever comes last, the claim speaks of the bytes that are there.
#[test]
fn writers_of_the_same_bytes_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("file");
    let partial = FsPartial::create(&target, &subject("file", None)).unwrap();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let partial = &partial;
            scope.spawn(move || {
                for round in 0..100 {
                    let start = round % 7 * 500;
                    run(partial.write(start, content(seed, start, start + 2_000))).unwrap();
                }
            });
        }
    });
    let before = partial.held().written;
    drop(partial);
    let resumed = resume(RealDisk, &target);
    assert_eq!((resumed.held, resumed.lost), (before, 0));
}

/// The same with the order forced: the second writer comes while the first one's bytes are there, unclaimed.
#[test]
fn a_writer_does_not_overtake_another_on_the_same_bytes() {
    let (disk, target) = (CrashDisk::new(1), Path::new("/d/file"));
    let partial = FsPartial::create_on(disk.clone(), target, &subject("file", None)).unwrap();
    let partial = Arc::new(partial);
    let other = Arc::clone(&partial);
    let (tell, told) = mpsc::channel();
    disk.during_next_write(move || {
        let (done, is_done) = mpsc::channel();
        let second = std::thread::spawn(move || {
            run(other.write(50, content(2, 50, 150))).unwrap();
            let _ = done.send(());
        });
        // It waits for the first: this is how long it is given to be wrong.
        let overtaken = is_done.recv_timeout(Duration::from_millis(100)).is_ok();
        tell.send((overtaken, second)).unwrap();
    });
    run(partial.write(0, content(1, 0, 100))).unwrap();
    let (overtaken, second) = told.recv().unwrap();
    second.join().unwrap();
    assert!(!overtaken);
    drop(partial);
    let resumed = resume(disk, target);
    assert_eq!((resumed.held.total(), resumed.lost), (150, 0));
}
