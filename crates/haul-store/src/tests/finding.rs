//! Finding, locking, adopting and inspecting, on a real file system.

use std::fs;
use std::path::{Path, PathBuf};

use haul_core::{ByteRange, ETag, Entity, Modified, RangeSet};

use super::{resume, run};
use crate::conformance::{content, subject};
use crate::disk::RealDisk;
use crate::inspect::Problem;
use crate::{Found, FsPartial, Note, Partial, Publish, SourceRecord, StoreError, Subject};

struct Folder {
    target: PathBuf,
    _dir: tempfile::TempDir,
}

fn folder() -> Folder {
    let dir = tempfile::tempdir().unwrap();
    Folder { target: dir.path().join("file"), _dir: dir }
}

impl Folder {
    fn path(&self, suffix: &str) -> PathBuf {
        crate::fs_partial::with_suffix(&self.target, suffix)
    }

    /// A partial with bytes 0..1000 durable and 2000..3000 written.
    fn begun(&self) -> FsPartial {
        let partial = FsPartial::create(&self.target, &source(3000)).unwrap();
        run(partial.write(0, content(1, 0, 1000))).unwrap();
        run(partial.sync()).unwrap();
        run(partial.write(2000, content(1, 2000, 3000))).unwrap();
        partial
    }
}

fn source(size: u64) -> Subject {
    let entity = Entity {
        size: Some(size),
        etag: Some(ETag { opaque: "v1".to_owned(), weak: true }),
        modified: Some(Modified { seconds: -5, nanos: 7, strong: true }),
        encoding: Some("gzip".to_owned()),
    };
    let source = SourceRecord { shown_url: "http://far.example/file".to_owned(), url_key: [9; 32], entity };
    Subject { sources: vec![source], size: Some(size), name: "file".to_owned() }
}

fn ranges(of: &[(u64, u64)]) -> RangeSet {
    of.iter().filter_map(|&(start, end)| ByteRange::new(start, end)).collect()
}

#[test]
fn a_partial_is_found_again_with_all_that_was_noted() {
    let folder = folder();
    let partial = folder.begun();
    run(partial.note(Note::Stopped { when_unix: 77, why: "asked to".to_owned() })).unwrap();
    drop(partial);
    let resumed = resume(RealDisk, &folder.target);
    assert_eq!(resumed.subject, source(3000));
    assert_eq!(resumed.held, ranges(&[(0, 1000), (2000, 3000)]));
    assert_eq!(resumed.stopped, Some((77, "asked to".to_owned())));
    assert_eq!((resumed.touched, resumed.lost), (false, 0));
    run(resumed.partial.write(1000, content(1, 1000, 2000))).unwrap();
    run(resumed.partial.publish(Publish { replace: false, modified: Some((1_000_000_000, 0)) })).unwrap();
    assert_eq!(fs::read(&folder.target).unwrap(), content(1, 0, 3000));
    let modified = fs::metadata(&folder.target).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_000_000_000);
    assert!(!folder.path(".part").exists() && !folder.path(".part.haul").exists());
}

#[test]
fn a_second_one_is_told_who_has_it() {
    let folder = folder();
    let partial = folder.begun();
    let pid = Some(std::process::id());
    for refused in
        [FsPartial::find(&folder.target).err(), FsPartial::create(&folder.target, &source(1)).err()]
    {
        assert!(matches!(refused, Some(StoreError::InUse { pid: told, .. }) if told == pid), "{refused:?}");
    }
    drop(partial);
    assert_eq!(resume(RealDisk, &folder.target).held.total(), 2000);
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_journal() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let partial = folder.begun().compacting_at(1);
    let mode = || fs::metadata(folder.path(".part.haul")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    (0..50).for_each(|at| run(partial.write(3000 + at, content(1, 0, 1))).unwrap());
    let long = fs::metadata(folder.path(".part.haul")).unwrap().len();
    run(partial.sync()).unwrap();
    assert!(fs::metadata(folder.path(".part.haul")).unwrap().len() < long / 2, "not written anew");
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn nothing_is_followed_or_taken_for_a_file_that_is_none() {
    for suffix in [".part", ".part.haul"] {
        let folder = folder();
        drop(folder.begun());
        let elsewhere = folder.path(".elsewhere");
        fs::rename(folder.path(suffix), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path(suffix)).unwrap();
        let before = fs::read(&elsewhere).unwrap();
        let refused = FsPartial::find(&folder.target);
        assert!(matches!(refused, Err(StoreError::NotAFile { .. })), "{refused:?}");
        assert_eq!(fs::read(&elsewhere).unwrap(), before);
    }
    let folder = folder();
    fs::create_dir(folder.path(".part")).unwrap();
    let refused = FsPartial::create(&folder.target, &source(1));
    assert!(matches!(refused, Err(StoreError::NotAFile { .. })), "{refused:?}");
}

#[test]
fn durable_bytes_that_differ_are_found_out() {
    let folder = folder();
    drop(folder.begun());
    let mut bytes = fs::read(folder.path(".part")).unwrap();
    bytes[999] ^= 1;
    fs::write(folder.path(".part"), &bytes).unwrap();
    let resumed = resume(RealDisk, &folder.target);
    assert!(resumed.touched && resumed.held.is_empty());
    assert_eq!(resumed.lost, 2000);
    let aside = run(resumed.partial.set_aside("bad")).unwrap();
    assert_eq!(fs::read(aside).unwrap(), bytes, "what was found is kept as it was");
}

#[test]
fn written_bytes_that_differ_cost_only_themselves() {
    let folder = folder();
    let partial = folder.begun();
    run(partial.write(1000, content(1, 1000, 1100))).unwrap();
    drop(partial);
    let mut bytes = fs::read(folder.path(".part")).unwrap();
    bytes[2500] ^= 1;
    fs::write(folder.path(".part"), &bytes).unwrap();
    let resumed = resume(RealDisk, &folder.target);
    assert_eq!((resumed.held.clone(), resumed.lost), (ranges(&[(0, 1100)]), 1000));
    let left = fs::metadata(folder.path(".part")).unwrap().len();
    assert_eq!(left, 1100, "bytes that nobody claims are still there");
    // And it stays so: the lost claim does not come back with the next sync.
    assert_eq!(run(resumed.partial.sync()).unwrap().durable, ranges(&[(0, 1100)]));
    drop(resumed);
    assert_eq!(resume(RealDisk, &folder.target).held, ranges(&[(0, 1100)]));
}

#[test]
fn a_file_cut_short_holds_what_is_left() {
    let folder = folder();
    drop(folder.begun());
    fs::OpenOptions::new().write(true).open(folder.path(".part")).unwrap().set_len(600).unwrap();
    let resumed = resume(RealDisk, &folder.target);
    assert_eq!((resumed.held.clone(), resumed.lost), (ranges(&[(0, 600)]), 1400));
}

#[test]
fn a_partial_without_a_journal_is_an_orphan_that_can_be_adopted() {
    let folder = folder();
    fs::write(folder.path(".part"), content(1, 0, 3000)).unwrap();
    let Found::Orphan(orphan) = FsPartial::find(&folder.target).unwrap() else { panic!("not an orphan") };
    assert_eq!((orphan.len(), orphan.has_holes()), (3000, false));
    assert_eq!(orphan.read(ByteRange::new(10, 20).unwrap()).unwrap(), content(1, 10, 20));
    let partial = orphan.begin(source(4000), &ranges(&[(0, 2500)])).unwrap();
    assert_eq!(partial.held().written, ranges(&[(0, 2500)]));
    drop(partial);
    let resumed = resume(RealDisk, &folder.target);
    assert_eq!((resumed.held.clone(), resumed.lost), (ranges(&[(0, 2500)]), 0));
    assert_eq!(resumed.subject, source(4000));
}

#[test]
fn a_finished_file_can_be_taken_for_a_partial_again() {
    let folder = folder();
    fs::write(&folder.target, content(1, 0, 3000)).unwrap();
    fs::write(folder.path(".part.haul"), "of other bytes").unwrap();
    let orphan = FsPartial::adopt_finished(&folder.target).unwrap();
    assert!(!folder.target.exists() && !folder.path(".part.haul").exists());
    assert!(matches!(FsPartial::find(&folder.target), Err(StoreError::InUse { .. })));
    assert_eq!(orphan.len(), 3000);
    drop(orphan);
    fs::write(&folder.target, "another").unwrap();
    let refused = FsPartial::adopt_finished(&folder.target);
    assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
    assert_eq!(fs::read(folder.path(".part")).unwrap(), content(1, 0, 3000));
}

#[cfg(target_os = "linux")]
#[test]
fn holes_are_seen() {
    let folder = folder();
    let file = fs::File::create(folder.path(".part")).unwrap();
    file.set_len(8 << 20).unwrap();
    drop(file);
    let Found::Orphan(orphan) = FsPartial::find(&folder.target).unwrap() else { panic!("not an orphan") };
    assert!(orphan.has_holes());
}

#[test]
fn a_journal_left_by_a_crash_after_publication_is_swept_up() {
    let folder = folder();
    drop(folder.begun());
    fs::rename(folder.path(".part"), &folder.target).unwrap();
    assert!(matches!(FsPartial::find(&folder.target).unwrap(), Found::Nothing));
    assert!(!folder.path(".part").exists() && !folder.path(".part.haul").exists());
    assert!(folder.target.exists());
}

#[test]
fn a_published_file_is_never_half_replaced() {
    let folder = folder();
    fs::write(&folder.target, "older").unwrap();
    let partial = FsPartial::create(&folder.target, &subject("file", None)).unwrap();
    run(partial.write(0, content(1, 0, 10))).unwrap();
    run(partial.publish(Publish { replace: true, modified: None })).unwrap();
    assert_eq!(fs::read(&folder.target).unwrap(), content(1, 0, 10));
}

#[test]
fn inspecting_takes_every_name_and_changes_nothing() {
    let folder = folder();
    let partial = folder.begun();
    for path in [folder.target.clone(), folder.path(".part"), folder.path(".part.haul")] {
        let seen = crate::inspect(&path).unwrap();
        assert_eq!(seen.target, folder.target);
        assert_eq!(seen.held, partial.held());
        assert_eq!(seen.subject, Some(source(3000)));
        assert_eq!((seen.part_len, seen.version, seen.target_exists), (Some(3000), Some(1), false));
        assert_eq!(seen.in_use, Some(std::process::id()));
        assert_eq!(seen.problems, []);
    }
    run(partial.note(Note::Stopped { when_unix: 77, why: "asked to".to_owned() })).unwrap();
    drop(partial);
    let journal = folder.path(".part.haul");
    let mut bytes = fs::read(&journal).unwrap();
    let whole = bytes.len() as u64;
    bytes.extend_from_slice(b"torn");
    fs::write(&journal, &bytes).unwrap();
    let seen = crate::inspect(&folder.target).unwrap();
    assert_eq!((seen.in_use, seen.stopped), (None, Some((77, "asked to".to_owned()))));
    assert_eq!(seen.problems, [Problem::TornAt { offset: whole }]);
    assert_eq!(fs::read(&journal).unwrap(), bytes);
    assert!(matches!(crate::inspect(Path::new("/nowhere/at/all")), Err(StoreError::Io { .. })));
}

#[test]
fn an_unfinished_file_is_found_by_its_url() {
    let folder = folder();
    drop(folder.begun());
    let dir = folder.target.parent().unwrap();
    assert_eq!(crate::journals_in(dir).unwrap(), [folder.path(".part.haul")]);
    assert_eq!(crate::find_by_key(dir, &[9; 32]), Some(folder.target.clone()));
    assert_eq!(crate::find_by_key(dir, &[8; 32]), None);
    assert!(crate::free_space(dir).unwrap() > 0);
}

#[test]
fn offsets_beyond_four_gibibytes_are_whole() {
    let folder = folder();
    let partial = FsPartial::create(&folder.target, &subject("file", None)).unwrap();
    let far = (5 << 30) + 3;
    run(partial.write(far, content(1, far, far + 100))).unwrap();
    run(partial.sync()).unwrap();
    drop(partial);
    let resumed = resume(RealDisk, &folder.target);
    assert_eq!(resumed.held, ranges(&[(far, far + 100)]));
    assert!(run(resumed.partial.write(u64::MAX - 5, content(1, 0, 100))).is_err());
}
