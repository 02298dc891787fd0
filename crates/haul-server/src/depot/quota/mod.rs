//! How much lies in the homes of accounts that may have only so much: counted once by a walk, kept from then on by
//! whatever changes the tree, and counted again now and then.
//!
//! A home holds all that lies below it, whoever put it there: finished files and folders, and what unfinished uploads
//! have come to so far, beyond the file that each is to replace. What changes is counted when it is done; what grows is
//! asked for first, so that no account comes beyond its quota by uploads, however many it has at a time. Nothing of it
//! is on disk: a server that was killed counts anew (ADR 031).

mod charge;
mod count;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use haul_core::TreePath;
use haul_store::{Kind, Meta, UploadKey};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

pub(super) use charge::Charge;

use super::{Depot, Visitor};
use crate::{ServerError, accounts::Quota};

/// So long whoever comes before a home was counted for the first time waits for that.
const FIRST_COUNT: Duration = Duration::from_secs(10);

/// The homes that are counted, and what is unfinished in them.
#[derive(Default)]
pub(super) struct Quotas {
    /// Whether there is any, for those who are in a hurry.
    any: AtomicBool,
    homes: Mutex<HashMap<TreePath, Arc<Home>>>,
    held: Mutex<HashMap<UploadKey, Arc<Held>>>,
    /// Told when something is to be counted anew.
    wanted: Notify,
}

/// A home, and how much lies in it.
pub(super) struct Home {
    place: TreePath,
    finished: Amount,
    unfinished: Amount,
    /// Grows with every change of what is finished: what is counted while it does is worth nothing.
    changes: AtomicU64,
    counted: watch::Sender<bool>,
}

/// So much. Sums that are kept beside each other may be below nothing for a moment.
#[derive(Default)]
struct Amount {
    bytes: AtomicI64,
    files: AtomicI64,
}

/// What an unfinished upload counts for.
#[derive(Default)]
struct Held {
    bytes: AtomicU64,
    /// 1, unless it is to replace a file.
    files: AtomicU64,
}

impl Amount {
    fn add(&self, bytes: i64, files: i64) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.files.fetch_add(files, Ordering::SeqCst);
    }
}

impl Home {
    fn new(place: TreePath) -> Self {
        let (finished, unfinished) = (Amount::default(), Amount::default());
        Self { place, finished, unfinished, changes: AtomicU64::new(0), counted: watch::Sender::new(false) }
    }

    fn bytes(&self) -> u64 {
        sum(&self.finished.bytes, &self.unfinished.bytes)
    }

    fn files(&self) -> u64 {
        sum(&self.finished.files, &self.unfinished.files)
    }

    /// How many bytes more may lie in it.
    fn room(&self, quota: Quota) -> u64 {
        quota.bytes.map_or(u64::MAX, |most| most.saturating_sub(self.bytes()))
    }

    /// Whether so many files more may lie in it.
    fn takes(&self, files: u64, quota: Quota) -> bool {
        files == 0 || quota.files.is_none_or(|most| self.files().saturating_add(files) <= most)
    }
}

fn sum(one: &AtomicI64, other: &AtomicI64) -> u64 {
    u64::try_from(one.load(Ordering::SeqCst) + other.load(Ordering::SeqCst)).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Quotas {
    fn homes(&self) -> MutexGuard<'_, HashMap<TreePath, Arc<Home>>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<UploadKey, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The homes that have a place in them.
    fn around(&self, place: &TreePath) -> Vec<Arc<Home>> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let homes = self.homes();
        let mut around = Vec::new();
        let mut folder = Some(place.clone());
        while let Some(at) = folder {
            around.extend(homes.get(&at).cloned());
            folder = at.parent();
        }
        around
    }

    /// Whether what happens there is counted.
    pub(super) fn concern(&self, place: &TreePath) -> bool {
        self.any.load(Ordering::Relaxed) && !self.around(place).is_empty()
    }

    /// So much more, or less, is finished there.
    fn changed(&self, place: &TreePath, bytes: i64, files: i64) {
        for home in self.around(place) {
            home.finished.add(bytes, files);
            home.changes.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A file or folder of this size is no longer there.
    pub(super) fn gone(&self, place: &TreePath, size: u64) {
        self.changed(place, -signed(size), -1);
    }

    /// A file or folder of this size is there now.
    pub(super) fn came(&self, place: &TreePath, size: u64) {
        self.changed(place, signed(size), 1);
    }

    /// An unfinished upload is given up.
    pub(super) fn dropped(&self, key: &UploadKey) {
        let Some(held) = self.held().remove(key) else { return };
        for home in self.around(&key.path) {
            held.leaves(&home);
        }
    }

    /// What was unfinished within one place is so within another now; a folder may have moved with all that is in it.
    pub(super) fn moved(&self, owner: Option<&str>, from: &TreePath, to: &TreePath) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let concerned =
            |key: &UploadKey| owner.is_none_or(|owner| key.owner == owner) && key.path.is_within(from);
        let moved: Vec<_> = self.held().extract_if(|key, _| concerned(key)).collect();
        for (key, held) in moved {
            for home in self.around(&key.path) {
                held.leaves(&home);
            }
            let Some(path) = key.path.moved(from, to) else { continue };
            let key = UploadKey { path, ..key };
            self.dropped(&key);
            for home in self.around(&key.path) {
                held.enters(&home);
            }
            self.held().insert(key, held);
        }
        let places = |place: &TreePath| -> Vec<TreePath> {
            self.around(place).iter().map(|home| home.place.clone()).collect()
        };
        let inside = self.homes().keys().any(|home| home.is_within(from) || home.is_within(to));
        if owner.is_none() && (inside || places(from) != places(to)) {
            self.wanted.notify_one();
        }
    }

    /// Waits until these homes were counted for the first time.
    async fn ready(&self, homes: &[Arc<Home>]) -> Result<(), ServerError> {
        for home in homes {
            let mut counted = home.counted.subscribe();
            match timeout(FIRST_COUNT, counted.wait_for(|counted| *counted)).await {
                Ok(_) => {}
                Err(_) => return Err(ServerError::Counting),
            }
        }
        Ok(())
    }
}

impl Held {
    fn enters(&self, home: &Home) {
        home.unfinished
            .add(signed(self.bytes.load(Ordering::SeqCst)), signed(self.files.load(Ordering::SeqCst)));
    }

    fn leaves(&self, home: &Home) {
        home.unfinished
            .add(-signed(self.bytes.load(Ordering::SeqCst)), -signed(self.files.load(Ordering::SeqCst)));
    }
}

impl Depot {
    /// The size of what is to change there, where that is counted: of a folder nothing.
    pub(super) async fn weigh(&self, place: &TreePath) -> Option<u64> {
        if !self.quotas.concern(place) {
            return None;
        }
        // Before the first count a change could be counted twice.
        let _ = self.quotas.ready(&self.quotas.around(place)).await;
        let meta = self.store.stat(place).await.ok()?;
        Some(weight(&meta))
    }
}

impl Depot {
    /// A file has another place; `weight` is its size, where its old place is counted.
    pub(super) async fn file_moved(&self, from: &TreePath, to: &TreePath, weight: Option<u64>) {
        let size = match weight {
            Some(size) => Some(size),
            None if self.quotas.concern(to) => self.store.stat(to).await.ok().map(|meta| meta.size),
            None => None,
        };
        if let Some(size) = size {
            self.quotas.gone(from, size);
            self.quotas.came(to, size);
        }
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
    fn own(&self) -> Option<(Arc<Home>, Quota)> {
        let quota = self.account().bounds.quota;
        if quota == Quota::default() {
            return None;
        }
        let home = self.depot().quotas.homes().get(&self.account().home).cloned()?;
        Some((home, quota))
    }

    /// How many bytes more it may have; `None` where nothing limits that.
    pub fn left(&self) -> Option<u64> {
        let (home, quota) = self.own()?;
        quota.bytes.map(|_| home.room(quota))
    }

    /// Whether it may have one folder more.
    pub(super) async fn has_room_for_a_folder(&self) -> Result<(), ServerError> {
        let Some((home, quota)) = self.own() else { return Ok(()) };
        self.depot().quotas.ready(std::slice::from_ref(&home)).await?;
        if home.takes(1, quota) { Ok(()) } else { Err(ServerError::OverQuota) }
    }
}
