//! Names that another program takes away, or gives to another file, while a partial is held: what is done by name is
//! done to our own file or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use haul_core::ByteRange;

use super::{resume, run};
use crate::conformance::{content, subject};
use crate::disk::RealDisk;
use crate::{FsPartial, Partial, Publish, StoreError};

const HOW: Publish = Publish { replace: true, modified: None };

struct Folder {
    dir: tempfile::TempDir,
    target: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { target: dir.path().join("file"), dir }
    }

    fn begun(&self, seed: u64, len: u64) -> FsPartial {
        let partial = FsPartial::create(&self.target, &subject("file", Some(1000))).unwrap();
        run(partial.write(0, content(seed, 0, len))).unwrap();
        partial
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// One that is whole, whose names were removed; and half another one under those names.
    fn replaced(&self) -> (FsPartial, FsPartial) {
        let first = self.begun(1, 1000);
        self.files().iter().for_each(|path| fs::remove_file(path).unwrap());
        (first, self.begun(2, 500))
    }

    /// The second one is what it was, and can go on.
    fn assert_untouched(&self, second: FsPartial) {
        assert_eq!(
            self.files(),
            [self.target.with_extension("part"), self.target.with_extension("part.haul")]
        );
        drop(second);
        let resumed = resume(RealDisk, &self.target);
        assert_eq!(resumed.held, ByteRange::new(0, 500).into_iter().collect());
        let bytes = run(resumed.partial.read(ByteRange::new(0, 500).unwrap())).unwrap();
        assert_eq!(bytes, content(2, 0, 500));
    }
}

fn taken_away<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::TakenAway { .. }))
}

#[test]
fn what_bears_our_name_and_is_not_ours_is_not_published() {
    let folder = Folder::new();
    let (first, second) = folder.replaced();
    assert!(taken_away(&run(first.publish(HOW))));
    folder.assert_untouched(second);
}

#[test]
fn what_bears_our_name_and_is_not_ours_is_neither_set_aside_nor_removed() {
    let folder = Folder::new();
    let (first, second) = folder.replaced();
    assert!(taken_away(&run(first.set_aside("bad"))));
    folder.assert_untouched(second);
    let folder = Folder::new();
    let (first, second) = folder.replaced();
    assert!(taken_away(&run(first.discard())));
    folder.assert_untouched(second);
}

#[test]
fn a_journal_is_not_rewritten_over_that_of_another_partial() {
    let folder = Folder::new();
    let (first, second) = folder.replaced();
    let first = first.compacting_at(1);
    (0..100).for_each(|at| run(first.write(at, content(1, at, at + 1))).unwrap());
    assert!(taken_away(&run(first.sync())), "it was not said before the end");
    folder.assert_untouched(second);
}

/// Somebody who watches a video while it comes may have linked it. And where a name is given by a link, a crash leaves
/// both names.
#[test]
fn a_file_that_has_its_name_already_loses_only_the_other_one() {
    for replace in [false, true] {
        let folder = Folder::new();
        let partial = folder.begun(1, 1000);
        fs::hard_link(folder.target.with_extension("part"), &folder.target).unwrap();
        run(partial.publish(Publish { replace, modified: None })).unwrap();
        assert_eq!(folder.files(), [Path::new(&folder.target)]);
        assert_eq!(fs::read(&folder.target).unwrap(), content(1, 0, 1000));
    }
}
