//! How much lies in the homes of accounts that may have only so much: counted once by a walk, kept from then on by
//! whatever changes the tree, and counted again now and then.
//!
//! A home holds all that lies below it, whoever put it there: finished files and folders, and what unfinished uploads
//! have come to so far, beyond the file that each is to replace. What changes is counted when it is done; what grows is
//! asked for first, so that no account comes beyond its quota by uploads, however many it has at a time. Nothing of it
//! is on disk: a server that was killed counts anew (ADR 031).

mod book;
mod charge;
mod count;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use haul_core::TreePath;
use haul_store::{Kind, Meta, UploadKey};
use tokio::{sync::Notify, time::timeout};

pub(super) use book::Parts;
use book::{Amount, Book};
pub(super) use charge::Charge;
pub(crate) use charge::Joining;

use super::{Depot, Visitor};
use crate::{ServerError, accounts::Quota};

/// So long whoever comes before a home was counted for the first time waits for that.
const FIRST_COUNT: Duration = Duration::from_secs(10);

/// The homes that are counted, and what is unfinished in them.
#[derive(Default)]
pub(super) struct Quotas {
    /// Whether there is any home, for those who are in a hurry.
    any: AtomicBool,
    book: Mutex<Book>,
    /// Told when something is to be counted anew.
    wanted: Notify,
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Quotas {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, where there is anything in it.
    fn in_use(&self) -> Option<MutexGuard<'_, Book>> {
        self.any.load(Ordering::Relaxed).then(|| self.book())
    }

    /// Whether what happens there is counted.
    pub(super) fn concern(&self, place: &TreePath) -> bool {
        self.in_use().is_some_and(|book| !book.around(place).is_empty())
    }

    /// A file or folder of this size is no longer there.
    pub(super) fn gone(&self, place: &TreePath, size: u64) {
        let Some(mut book) = self.in_use() else { return };
        book.changed(place, Amount { bytes: -signed(size), files: -1 });
        book.replaced(place, None);
    }

    /// An upload is a file now, of so many bytes, and in the place of another one of that size.
    pub(super) fn published(&self, key: &UploadKey, len: u64, replaced: Option<u64>) {
        let Some(mut book) = self.in_use() else { return };
        book.spend(key);
        book.set(key, None);
        let bytes = signed(len) - signed(replaced.unwrap_or(0));
        book.changed(&key.path, Amount { bytes, files: i64::from(replaced.is_none()) });
        book.replaced(&key.path, Some(len));
    }

    /// An unfinished upload is given up.
    pub(super) fn dropped(&self, key: &UploadKey) {
        if let Some(mut book) = self.in_use() {
            book.set(key, None);
            book.part(key);
        }
    }

    /// An unfinished upload has another name, under which it will replace a file of that size.
    pub(super) fn upload_moved(&self, from: &UploadKey, to: &UploadKey, replaces: Option<u64>) {
        let Some(mut book) = self.in_use() else { return };
        if let Some(held) = book.held(from) {
            book.set(from, None);
            book.set(to, Some(held.replacing(replaces)));
        }
    }

    /// What was unfinished in a folder has moved with it.
    pub(super) fn folder_moved(&self, from: &TreePath, to: &TreePath) {
        let Some(mut book) = self.in_use() else { return };
        book.moved(from, to);
        let inside = book.places().any(|home| home.is_within(from) || home.is_within(to));
        if inside || book.around(from) != book.around(to) {
            self.wanted.notify_one();
        }
    }

    /// Waits until the homes around a place were counted for the first time.
    async fn ready(&self, place: &TreePath) -> Result<(), ServerError> {
        let homes: Vec<_> = {
            let book = self.book();
            let homes = book.around(place).into_iter().filter_map(|home| book.home(home));
            homes.map(|home| home.counted.subscribe()).collect()
        };
        for mut counted in homes {
            match timeout(FIRST_COUNT, counted.wait_for(|counted| *counted)).await {
                Ok(_) => {}
                Err(_) => return Err(ServerError::Counting),
            }
        }
        Ok(())
    }
}

impl Depot {
    /// The size of what is to change there, where that is counted: of a folder nothing.
    pub(super) async fn weigh(&self, place: &TreePath) -> Option<u64> {
        if !self.quotas.concern(place) {
            return None;
        }
        // Before the first count a change could be counted twice.
        let _ = self.quotas.ready(place).await;
        let meta = self.store.stat(place).await.ok()?;
        Some(weight(&meta))
    }
}

impl Depot {
    /// A file has another place; `weight` is its size, where its old place is counted, and `replaced` that of the file
    /// that was there.
    pub(super) async fn file_moved(
        &self,
        from: &TreePath,
        to: &TreePath,
        weight: Option<u64>,
        replaced: Option<u64>,
    ) {
        let size = match weight {
            Some(size) => Some(size),
            None if self.quotas.concern(to) => self.store.stat(to).await.ok().map(|meta| meta.size),
            None => None,
        };
        let (Some(size), Some(mut book)) = (size, self.quotas.in_use()) else { return };
        let bytes = signed(size);
        // First what comes: between the two nobody looks, but no sum is below nothing either.
        let more =
            Amount { bytes: bytes - signed(replaced.unwrap_or(0)), files: i64::from(replaced.is_none()) };
        book.changed(to, more);
        book.changed(from, Amount { bytes: -bytes, files: -1 });
        book.replaced(from, None);
        book.replaced(to, Some(size));
    }
}

/// What a file or folder counts for.
fn weight(meta: &Meta) -> u64 {
    match meta.kind {
        Kind::File => meta.size,
        Kind::Folder => 0,
    }
}

impl Visitor {
    /// Its own home and what may lie in it, where that is not everything.
    fn own(&self) -> Option<(TreePath, Quota)> {
        let quota = self.account().bounds.quota;
        (quota != Quota::default()).then(|| (self.account().home.clone(), quota))
    }

    /// How many bytes more it may have; `None` where nothing limits that.
    pub fn left(&self) -> Option<u64> {
        let (home, quota) = self.own().filter(|(_, quota)| quota.bytes.is_some())?;
        let book = self.depot().quotas.book();
        book.home(&home).map(|_| book.room(&home, quota))
    }

    /// A folder is about to be made there, and counts as if it were there, unless it may not be.
    pub(super) async fn count_folder(&self, place: &TreePath) -> Result<(), ServerError> {
        const ONE: Amount = Amount { bytes: 0, files: 1 };
        let quotas = &self.depot().quotas;
        if !quotas.concern(place) {
            return Ok(());
        }
        let own = self.own();
        if own.is_some() {
            quotas.ready(place).await?;
        }
        let mut book = quotas.book();
        if own.is_some_and(|(home, quota)| !book.takes(&home, quota, ONE)) {
            return Err(ServerError::OverQuota);
        }
        book.changed(place, ONE);
        Ok(())
    }

    /// What came of that: whoever has walked by in between may have seen it or not.
    pub(super) fn folder_made(&self, place: &TreePath, made: bool) {
        if let Some(mut book) = self.depot().quotas.in_use() {
            book.changed(place, Amount { bytes: 0, files: -i64::from(!made) });
        }
    }

    /// Whether an unfinished upload may replace a file of that size from now on, or none.
    pub(super) fn upload_may_replace(&self, key: &UploadKey, size: Option<u64>) -> Result<(), ServerError> {
        let (Some((home, quota)), Some(book)) = (self.own(), self.depot().quotas.in_use()) else {
            return Ok(());
        };
        let now = book.held(key).map(|held| held.replacing(size));
        let takes = now.is_none_or(|now| book.takes(&home, quota, book.beyond(&home, key, now)));
        if takes { Ok(()) } else { Err(ServerError::OverQuota) }
    }
}
