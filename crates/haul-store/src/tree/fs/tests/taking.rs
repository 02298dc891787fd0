//! Bytes that go from their source into the file through a pipe: what a disk that is full or cannot do that leaves.

use std::{
    fs::{self, File},
    io::{self, PipeWriter, Write},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use rustix::io::Errno;

use super::*;
use crate::{Source, Then, conformance::content, sys::pipe::Pipe, tree::fs::door::Door};

/// What comes in pieces of this size.
const PIECE: u64 = 100_000;

/// A disk with so much room that takes a third of what it is asked to; 0 is one that knows no pipe.
#[derive(Debug)]
struct Narrow(AtomicU64);

impl Door for Arc<Narrow> {
    fn splice(&self, pipe: &Pipe, file: &File, at: u64, most: usize) -> io::Result<usize> {
        match self.0.load(SeqCst) {
            0 => Err(Errno::INVAL.into()),
            room if at >= room => Err(Errno::NOSPC.into()),
            room => pipe.splice(file, at, most.div_ceil(3).min((room - at) as usize)),
        }
    }
}

struct Coming(u64, u64);

impl Source for Coming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let some = (into.len() as u64).min(self.1 - self.0);
        into[..some as usize].copy_from_slice(&content(1, self.0, self.0 + some));
        self.0 += some;
        Ok(some as usize)
    }

    fn fill(&mut self, mut into: &PipeWriter, _: usize) -> io::Result<usize> {
        let some = PIECE.min(self.1 - self.0);
        into.write_all(&content(1, self.0, self.0 + some))?;
        self.0 += some;
        Ok(some as usize)
    }
}

fn store(root: &Path, disk: &Arc<Narrow>) -> FsStore {
    FsStore::behind(root, Arc::new(|job: Job| job()), Resolver::System, Box::new(Arc::clone(disk))).unwrap()
}

#[test]
fn a_full_disk_keeps_what_it_took_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Narrow(AtomicU64::new(3 * PIECE + 17)));
    let store = store(dir.path(), &disk);
    let mut staged = wait(store.stage(&path("a"))).unwrap();
    let full = wait(staged.take(Box::new(Coming(0, 10 * PIECE)), u64::MAX));
    assert!(matches!(full, Err(StoreError::NoSpace { .. })), "{full:?}");
    assert_eq!(staged.len(), 3 * PIECE + 17);
    disk.0.store(u64::MAX, SeqCst);
    let taken = wait(staged.take(Box::new(Coming(staged.len(), 10 * PIECE)), u64::MAX)).unwrap();
    assert!(matches!(taken.then, Then::End));
    wait(staged.publish(&path("a"), When::Always, Durability::Full)).unwrap();
    assert!(fs::read(dir.path().join("a")).unwrap() == content(1, 0, 10 * PIECE));
}

#[test]
fn a_disk_that_knows_no_pipe_gets_the_bytes_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &Arc::new(Narrow(AtomicU64::new(0))));
    let mut staged = wait(store.stage(&path("a"))).unwrap();
    let taken = wait(staged.take(Box::new(Coming(0, 10 * PIECE)), u64::MAX)).unwrap();
    assert_eq!(taken.bytes, 10 * PIECE);
    wait(staged.publish(&path("a"), When::Always, Durability::Full)).unwrap();
    assert!(fs::read(dir.path().join("a")).unwrap() == content(1, 0, 10 * PIECE));
}
