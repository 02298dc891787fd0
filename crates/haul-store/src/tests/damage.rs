//! A journal that was cut off at any byte, or has any bit flipped, claims no byte that it did not claim before.

use std::path::Path;

use super::{resume, run};
use crate::conformance::{content, subject};
use crate::crash::CrashDisk;
use crate::journal::record::{self, Record};
use crate::journal::replay::{Reading, replay};
use crate::{Found, FsPartial, Partial, StoreError};

/// A journal with every kind of record, and after how many bytes which ranges are held by it.
fn journal() -> Vec<u8> {
    let records = [
        Record::Session { pid: 7, started_unix: 1_700_000_000 },
        Record::Subject(subject("file", None)),
        Record::Written { start: 0, len: 1000, crc: 1 },
        Record::Written { start: 5000, len: 1000, crc: 2 },
        Record::Durable { upto: 90 },
        Record::Forget { start: 5500, len: 100, rests: vec![(5000, 500, 3), (5600, 400, 4)] },
        Record::Written { start: 2000, len: 10, crc: 5 },
        Record::Void { from: 60 },
        Record::Reset(subject("other", Some(9000))),
        Record::Safe { ranges: vec![(0, 4096), (6000, 1000)], tails: vec![(4000, 96, 6)] },
        Record::Written { start: 7000, len: 2000, crc: 7 },
        Record::Cut { at: 8000, rests: vec![(7000, 1000, 8)] },
        Record::Stopped { when_unix: 1_700_000_100, why: "no space".to_owned() },
    ];
    let mut bytes = record::header().to_vec();
    records.iter().for_each(|record| record.frame(&mut bytes).unwrap());
    bytes
}

/// What a journal says, for comparison; `None` where it is none.
fn said(bytes: &[u8]) -> Option<String> {
    match replay(bytes) {
        Reading::Usable(replayed) => Some(format!("{:?}", replayed.claims)),
        Reading::Unusable => None,
        Reading::Newer { version } => panic!("damage was taken for version {version}"),
    }
}

/// What the undamaged journal says at the end of each of its records, and of none.
fn all_said(whole: &[u8]) -> Vec<Option<String>> {
    let mut said_at = vec![None];
    let mut at = record::HEADER_LEN;
    while let Some((_, len)) = Record::read(&whole[at..]) {
        at += len;
        said_at.push(said(&whole[..at]));
    }
    assert_eq!(at, whole.len());
    said_at
}

#[test]
fn a_journal_cut_off_anywhere_says_what_it_said_before() {
    let whole = journal();
    let earlier = all_said(&whole);
    for end in 0..whole.len() {
        assert!(earlier.contains(&said(&whole[..end])), "cut off at {end}");
    }
}

#[test]
fn a_journal_with_any_bit_flipped_says_what_it_said_before() {
    let whole = journal();
    let earlier = all_said(&whole);
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(earlier.contains(&said(&flipped)), "bit {bit}");
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    proptest::proptest!(|(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..300))| {
        let mut bytes = record::header().to_vec();
        bytes.extend_from_slice(&tail);
        let _ = replay(&tail);
        let _ = replay(&bytes);
        // The same as a record's payload, with a checksum that agrees.
        let mut framed = record::header().to_vec();
        framed.extend_from_slice(&u32::try_from(tail.len()).unwrap().to_le_bytes());
        framed.extend_from_slice(&crate::crc::of(&tail).to_le_bytes());
        framed.extend_from_slice(&tail);
        let _ = replay(&framed);
    });
}

/// A transfer's journal is damaged at every byte in turn, and the partial is taken up again, with bytes compared.
#[test]
fn a_partial_with_a_damaged_journal_holds_nothing_false() {
    let (target, journal) = (Path::new("/d/file"), Path::new("/d/file.part.haul"));
    let disk = CrashDisk::new(3);
    let partial = FsPartial::create_on(disk.clone(), target, &subject("file", None)).unwrap();
    run(async {
        partial.write(0, content(1, 0, 500)).await.unwrap();
        partial.sync().await.unwrap();
        partial.write(300, content(2, 300, 400)).await.unwrap();
        partial.write(700, content(1, 700, 800)).await.unwrap();
        partial.cut(750).await.unwrap();
        partial.sync().await.unwrap();
        partial.write(750, content(1, 750, 900)).await.unwrap();
    });
    drop(partial);
    let (whole, part) = (disk.get(journal).unwrap(), disk.get(&target.with_file_name("file.part")).unwrap());
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        for damaged in [&whole[..at], &flipped] {
            let disk = CrashDisk::new(3);
            disk.put(journal, damaged);
            disk.put(&target.with_file_name("file.part"), &part);
            match FsPartial::find_on(disk.clone(), target).unwrap() {
                Found::Nothing => panic!("bytes were overlooked"),
                Found::Orphan(orphan) => assert_eq!(orphan.len(), 900),
                // An earlier record of bytes that were replaced since: found out by their checksum.
                Found::Journaled(resumed) if resumed.touched => assert!(resumed.held.is_empty()),
                Found::Journaled(resumed) => {
                    for range in resumed.held.iter() {
                        let bytes = run(resumed.partial.read(range)).unwrap();
                        let (start, end) = (range.start(), range.end());
                        let mut expected = content(1, start, end).to_vec();
                        for at in start.max(300)..end.min(400) {
                            expected[usize::try_from(at - start).unwrap()] = content(2, at, at + 1)[0];
                        }
                        assert_eq!(bytes, expected, "byte {at} damaged, {range} claimed falsely");
                    }
                }
            }
        }
    }
}

#[test]
fn a_newer_journal_is_left_alone() {
    let (target, journal) = (Path::new("/d/file"), Path::new("/d/file.part.haul"));
    let mut newer = record::MAGIC.to_vec();
    newer.extend_from_slice(&(record::VERSION + 1).to_le_bytes());
    newer.extend_from_slice(&crate::crc::of(&newer).to_le_bytes());
    newer.extend_from_slice(b"whatever that may be");
    let disk = CrashDisk::new(1);
    disk.put(journal, &newer);
    disk.put(&target.with_file_name("file.part"), b"bytes");
    let refused = FsPartial::find_on(disk.clone(), target);
    assert!(matches!(refused, Err(StoreError::NewerFormat { version: 2, .. })), "{refused:?}");
    assert_eq!(disk.operations(), 0);
    assert_eq!(disk.get(journal).unwrap(), newer);
}

#[test]
fn a_journal_cut_off_is_mended_and_goes_on() {
    let (target, journal) = (Path::new("/d/file"), Path::new("/d/file.part.haul"));
    let disk = CrashDisk::new(3);
    let partial = FsPartial::create_on(disk.clone(), target, &subject("file", None)).unwrap();
    run(partial.write(0, content(1, 0, 500))).unwrap();
    run(partial.write(500, content(1, 500, 600))).unwrap();
    drop(partial);
    let whole = disk.get(journal).unwrap();
    disk.put(journal, &whole[..whole.len() - 3]);
    let resumed = resume(disk.clone(), target);
    assert_eq!((resumed.held.total(), resumed.lost), (500, 0));
    run(resumed.partial.write(500, content(1, 500, 700))).unwrap();
    drop(resumed);
    let resumed = resume(disk, target);
    assert_eq!((resumed.held.total(), resumed.lost), (700, 0));
}

/// The record that is appended where the damage was has just the length of the damaged one: what follows must not
/// count again.
#[test]
fn records_behind_the_damage_do_not_come_back() {
    let (target, journal) = (Path::new("/d/file"), Path::new("/d/file.part.haul"));
    let disk = CrashDisk::new(3);
    let partial = FsPartial::create_on(disk.clone(), target, &subject("file", None)).unwrap();
    run(partial.write(0, content(1, 0, 500))).unwrap();
    drop(partial);
    let session_at = disk.get(journal).unwrap().len();
    run(resume(disk.clone(), target).partial.write(500, content(1, 500, 600))).unwrap();
    let mut damaged = disk.get(journal).unwrap();
    damaged[session_at + 9] ^= 1;
    disk.put(journal, &damaged);
    for _ in 0..2 {
        let resumed = resume(disk.clone(), target);
        assert_eq!((resumed.held.total(), resumed.lost), (500, 0));
    }
}
