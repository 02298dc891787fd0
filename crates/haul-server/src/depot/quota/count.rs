//! The walk: how much lies in a home. Whatever changes meanwhile spoils it, and it is walked again.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use haul_core::TreePath;
use haul_store::{Kind, StoreError, UploadKey};

use super::{Depot, Held, Home, signed, weight};
use crate::ServerError;

/// A home that changes while it is walked through is left as it was counted after so many tries.
const TRIES: usize = 3;

impl Depot {
    /// From now on these homes are counted, and what was counted of others is forgotten. [`Self::recount`] has to follow.
    pub fn measure(&self, places: impl IntoIterator<Item = TreePath>) {
        let mut homes = self.quotas.homes();
        let mut now = std::collections::HashMap::new();
        for place in places {
            let known = homes.get(&place).cloned().unwrap_or_else(|| Arc::new(Home::new(place.clone())));
            now.insert(place, known);
        }
        self.quotas.any.store(!now.is_empty(), Ordering::Relaxed);
        *homes = now;
        drop(homes);
        self.quotas.wanted.notify_one();
    }

    /// Returns when something is to be counted anew.
    pub async fn recount_is_wanted(&self) {
        self.quotas.wanted.notified().await;
    }

    /// Counts all homes anew.
    ///
    /// # Errors
    /// Where a folder of one cannot be read; it stays as it was counted.
    pub async fn recount(&self) -> Result<(), ServerError> {
        let homes: Vec<_> = self.quotas.homes().values().cloned().collect();
        if homes.is_empty() {
            return Ok(());
        }
        let unfinished = self.count_unfinished().await;
        let mut counted = Ok(());
        for home in homes {
            counted = self.count(&home).await.and(counted);
        }
        unfinished.and(counted)
    }

    async fn count(&self, home: &Home) -> Result<(), ServerError> {
        let first = !*home.counted.borrow();
        for attempt in 1..=TRIES {
            let changes = home.changes.load(Ordering::SeqCst);
            let (bytes, files) = self.walk(&home.place).await?;
            if home.changes.load(Ordering::SeqCst) == changes || (first && attempt == TRIES) {
                home.finished.bytes.store(signed(bytes), Ordering::SeqCst);
                home.finished.files.store(signed(files), Ordering::SeqCst);
                break;
            }
        }
        home.counted.send_replace(true);
        Ok(())
    }

    /// Bytes and names below a folder. A folder that links lead to in several ways counts once.
    async fn walk(&self, home: &TreePath) -> Result<(u64, u64), ServerError> {
        let (mut bytes, mut files) = (0_u64, 0_u64);
        let (mut left, mut seen) = (vec![home.clone()], HashSet::new());
        while let Some(folder) = left.pop() {
            let mut listing = match self.store.list(&folder).await {
                Ok(listing) => listing,
                // Of a home that is not there yet; or it was there a moment ago.
                Err(StoreError::NotFound { .. } | StoreError::NotAFolder { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            loop {
                let entries = listing.next().await?;
                if entries.is_empty() {
                    break;
                }
                for entry in entries {
                    bytes = bytes.saturating_add(weight(&entry.meta));
                    files += 1;
                    if entry.meta.kind == Kind::Folder && seen.insert(entry.meta.unique) {
                        left.extend(folder.join(&entry.name));
                    }
                }
            }
        }
        Ok((bytes, files))
    }

    /// What the ledger knows of counts for as much as it says; what is being received counts as it does.
    async fn count_unfinished(&self) -> Result<(), ServerError> {
        if self.rules.in_place {
            return Ok(());
        }
        let mut known: HashSet<UploadKey> = HashSet::new();
        for (key, record) in self.ledger.within(&TreePath::ROOT).await? {
            known.insert(key.clone());
            if !self.quotas.concern(&key.path) {
                continue;
            }
            if self.seats.of(&key).is_some() {
                // A home that was not counted until now does not know of it yet.
                let held = self.quotas.held().get(&key).cloned();
                for home in self.quotas.around(&key.path) {
                    if let Some(held) = held.as_ref().filter(|_| !*home.counted.borrow()) {
                        held.enters(&home);
                    }
                }
                continue;
            }
            let replaces = match self.store.stat(&key.path).await {
                Ok(meta) if meta.kind == Kind::File => Some(meta.size),
                Ok(_) | Err(_) => None,
            };
            // What comes in ranges has its place from its beginning.
            let all = if record.beyond.is_empty() { None } else { record.declared };
            let len = all.unwrap_or(record.offset);
            let files = u64::from(replaces.is_none() && !key.owner.ends_with(super::super::visitor::ASIDE));
            let held = Held {
                bytes: AtomicU64::new(len.saturating_sub(replaces.unwrap_or(0))),
                files: AtomicU64::new(files),
            };
            let before = self.quotas.held().insert(key.clone(), Arc::default());
            for home in self.quotas.around(&key.path) {
                if let Some(before) = before.as_ref().filter(|_| *home.counted.borrow()) {
                    before.leaves(&home);
                }
                held.enters(&home);
            }
            self.quotas.held().insert(key, Arc::new(held));
        }
        // What the ledger has forgotten meanwhile, and nobody receives.
        let stale = |key: &UploadKey| !known.contains(key) && self.seats.of(key).is_none();
        let stale: Vec<_> = self.quotas.held().keys().filter(|key| stale(key)).cloned().collect();
        stale.iter().for_each(|key| self.quotas.dropped(key));
        Ok(())
    }
}
