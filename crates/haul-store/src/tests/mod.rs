//! The store's tests: by what they ask, one file each.

mod conforming;
mod crashes;
mod damage;
mod failing_disk;
mod finding;
mod format;
mod taken_away;
mod threads;

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::{Found, FsPartial, Resumed, disk::Disk};

/// Runs a future of an [`FsPartial`], which never waits for anything but the disk.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a partial's future waited"),
    }
}

/// What is found of a partial that must have a journal.
fn resume<D: Disk>(disk: D, target: &Path) -> Resumed<D> {
    match FsPartial::find_on(disk, target) {
        Ok(Found::Journaled(resumed)) => *resumed,
        other => panic!("no journal was found: {other:?}"),
    }
}
