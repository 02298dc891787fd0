//! The waist of a server's memory: what is known of unfinished uploads, and who may write each.
//!
//! Bytes are the [`Store`](crate::Store)'s. A record never says more than is true of them: it is saved after the sync
//! that it speaks of. Whoever writes an upload holds its [`Lease`]; a newer one fences the older off. What was published
//! last is remembered as that ([`Published`]), and what is to be told outside waits here, as [`Letter`]s.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod letter;
mod memory;
mod published;
mod records;
mod sqlite;

use std::path::PathBuf;

use haul_core::{RangeSet, TreePath};

use crate::{Durability, StageId, StoreError, Work};

pub use letter::{Dated, Letter, Pledge};
pub use memory::MemoryLedger;
pub use published::{PUBLISHED, Published};
pub use sqlite::SqliteLedger;

/// Whose upload to which place: there is one unfinished upload for each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UploadKey {
    /// The account, or `anonymous@ADDRESS`.
    pub owner: String,
    /// What it becomes.
    pub path: TreePath,
}

/// What is remembered of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Its staged file.
    pub stage: StageId,
    /// By what that file is known once it has its name ([`Staged::mark`](crate::Staged::mark)); empty where it is not.
    pub mark: Vec<u8>,
    /// The offset that may be told and that a client may go on from: so many bytes are there and synced.
    pub offset: u64,
    /// What else is there and synced, behind the offset and not touching it: of an upload that came in ranges.
    pub beyond: RangeSet,
    /// Whether the last run of it was settled: then `offset` is final, and no byte is held back again.
    pub settled: bool,
    /// The run of the machine in which it was last written: in the same one, unsynced bytes are there as well.
    pub boot: String,
    /// The size that the client has declared for the whole file.
    pub declared: Option<u64>,
    /// The finished file that it was copied from and is to replace, as [`crate::Meta`] tells it, so that a change of
    /// it is seen: unique, size, seconds, nanoseconds.
    pub base: Option<(Vec<u8>, u64, i64, u32)>,
    /// So many of its first bytes were copied from there, and not sent by its client.
    pub copied: u64,
    /// When it was last written to, in seconds since 1970-01-01T00:00:00Z.
    pub touched: i64,
    /// What a door wants to know of it later: opaque.
    pub note: Vec<u8>,
}

/// The right to write one upload. A newer claim on the same key makes it worthless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of which upload.
    pub key: UploadKey,
    /// Grows with every claim.
    pub fence: u64,
}

/// What is unfinished in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// How many uploads.
    pub uploads: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// When that was written to last that has waited longest, in seconds since 1970; `None`: there is none.
    pub oldest: Option<i64>,
}

/// What a server remembers of unfinished uploads.
pub trait Ledger: Send + Sync + 'static {
    /// Takes the right to write, from whoever had it, and tells what is known. Whether the older one may be robbed of it
    /// was decided before.
    fn claim<'a>(&'a self, key: &'a UploadKey) -> Work<'a, (Lease, Option<Unfinished>)>;
    /// What is known of an upload.
    fn load<'a>(&'a self, key: &'a UploadKey) -> Work<'a, Option<Unfinished>>;
    /// Remembers this; [`StoreError::Fenced`](crate::StoreError::Fenced) where the lease is no longer worth anything.
    fn save<'a>(&'a self, lease: &'a Lease, record: &'a Unfinished, how: Durability) -> Work<'a, ()>;
    /// Forgets the upload, and the lease is over; fenced as [`Self::save`]. After another error this process has
    /// forgotten it all the same, and only the next one may find the record again.
    fn forget<'a>(&'a self, lease: &'a Lease) -> Work<'a, ()>;
    /// Forgets the upload as [`Self::forget`] does, and in the same step remembers what it has become, among the newest
    /// [`PUBLISHED`]. Of one that nothing was known of nothing is remembered. After an error this process has forgotten it
    /// all the same; the next one finds its record, without staged bytes, or else that it was published.
    fn publish<'a>(&'a self, lease: &'a Lease, published: &'a Published) -> Work<'a, ()>;
    /// What was published, the newest at the end.
    fn published(&self) -> Work<'_, Vec<Published>>;
    /// How many unfinished uploads this owner has.
    fn count<'a>(&'a self, owner: &'a str) -> Work<'a, usize>;
    /// How many all those owners have together whom this picks. Each owner is looked at.
    fn count_of<'a>(&'a self, picks: &'a (dyn Fn(&str) -> bool + Sync)) -> Work<'a, usize>;
    /// What is unfinished in all.
    fn outstanding(&self) -> Work<'_, Outstanding>;
    /// The unfinished uploads of this owner directly in this folder.
    fn in_folder<'a>(
        &'a self,
        owner: &'a str,
        folder: &'a TreePath,
    ) -> Work<'a, Vec<(UploadKey, Unfinished)>>;
    /// All unfinished uploads within a folder, of all owners.
    fn within<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Vec<(UploadKey, Unfinished)>>;
    /// What lay within `from` now becomes something within `to`: of one owner, or of all. Leases of what moved, and of
    /// what it replaces, are worth nothing any more; what would get a path that is too long is forgotten.
    fn moved<'a>(&'a self, owner: Option<&'a str>, from: &'a TreePath, to: &'a TreePath) -> Work<'a, ()>;
    /// Puts these letters into the queue, all of them or none; one with the number of another takes its place.
    fn post<'a>(&'a self, letters: &'a [Letter], how: Durability) -> Work<'a, ()>;
    /// Returns when it has come to this: what was given to it before is done. Nothing is written for it. One that hangs
    /// does not return, and one that has ended fails.
    fn turn(&self) -> Work<'_, ()>;
    /// Takes the letters with these numbers out of it, where they are there. What is lost of that with the machine's
    /// power is there again afterwards.
    fn unpost<'a>(&'a self, numbers: &'a [u64]) -> Work<'a, ()>;
    /// All letters, by number.
    fn letters(&self) -> Work<'_, Vec<Letter>>;
}

/// What somebody is told whose lease is over.
fn fenced(key: &UploadKey) -> StoreError {
    StoreError::Fenced { path: PathBuf::from(key.path.to_string()) }
}

/// Runs a future to its end on this thread.
#[cfg(test)]
pub(crate) fn wait<T>(work: impl std::future::Future<Output = T>) -> T {
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut work = std::pin::pin!(work);
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        std::thread::park();
    }
}
