//! The walk: how much lies in a home. Whatever changes meanwhile spoils it, and it is walked again.

use std::{collections::HashSet, sync::atomic::Ordering};

use haul_core::TreePath;
use haul_store::{Kind, StoreError, UploadKey};

use super::{Amount, Depot, book::Held, signed, weight};
use crate::ServerError;

/// A home that changes while it is walked through is left as it was counted after so many tries.
const TRIES: usize = 3;

impl Depot {
    /// From now on these homes are counted, and what was counted of others is forgotten. [`Self::recount`] has to follow.
    pub fn measure(&self, places: impl IntoIterator<Item = TreePath>) {
        let mut book = self.quotas.book();
        book.measure(places);
        self.quotas.any.store(book.places().next().is_some(), Ordering::Relaxed);
        drop(book);
        self.quotas.wanted.notify_one();
    }

    /// Returns when something is to be counted anew.
    pub async fn recount_is_wanted(&self) {
        self.quotas.wanted.notified().await;
    }

    /// Counts all homes anew.
    ///
    /// # Errors
    /// Where a folder of one cannot be read; it stays as it was counted. What only this server's user may not read is no
    /// such folder: it counts for nothing but itself, since nothing can be put there either.
    pub async fn recount(&self) -> Result<(), ServerError> {
        let homes: Vec<_> = self.quotas.book().places().cloned().collect();
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

    async fn count(&self, place: &TreePath) -> Result<(), ServerError> {
        for attempt in 1..=TRIES {
            let before = self.quotas.book().home(place).map(|home| home.changes);
            let walked = self.walk(place).await?;
            let mut book = self.quotas.book();
            // It may be none any more.
            let Some(home) = book.home_mut(place) else { return Ok(()) };
            let first = !*home.counted.borrow();
            if before == Some(home.changes) || (first && attempt == TRIES) {
                home.finished = walked;
                home.counted.send_replace(true);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Bytes and names below a folder. A folder that links lead to in several ways counts once.
    async fn walk(&self, home: &TreePath) -> Result<Amount, ServerError> {
        let mut sum = Amount::default();
        let (mut left, mut seen) = (vec![home.clone()], HashSet::new());
        while let Some(folder) = left.pop() {
            let mut listing = match self.store.list(&folder).await {
                Ok(listing) => listing,
                // Of a home that is not there yet; or it was there a moment ago.
                Err(StoreError::NotFound { .. } | StoreError::NotAFolder { .. }) => continue,
                // As lost+found of a medium of its own.
                Err(error @ StoreError::Permission { .. }) => {
                    tracing::warn!(%folder, %error, "what lies in there counts for no quota");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            loop {
                let entries = listing.next().await?;
                if entries.is_empty() {
                    break;
                }
                for entry in entries {
                    sum.bytes = sum.bytes.saturating_add(signed(weight(&entry.meta)));
                    sum.files += 1;
                    if entry.meta.kind == Kind::Folder && seen.insert(entry.meta.unique) {
                        left.extend(folder.join(&entry.name));
                    }
                }
            }
        }
        Ok(sum)
    }

    /// What the ledger knows of counts for as much as it says; what is being received counts as it does.
    async fn count_unfinished(&self) -> Result<(), ServerError> {
        if self.rules.in_place {
            return Ok(());
        }
        let mut stale: HashSet<UploadKey> = self.quotas.book().left_alone(&self.seats).into_iter().collect();
        for (key, record) in self.ledger.within(&TreePath::ROOT).await? {
            stale.remove(&key);
            if !self.quotas.concern(&key.path) {
                continue;
            }
            let aside = key.owner.ends_with(super::super::visitor::ASIDE);
            let replaces = match self.store.stat(&key.path).await {
                Ok(meta) if meta.kind == Kind::File && !aside => Some(meta.size),
                Ok(_) | Err(_) => None,
            };
            // What comes in ranges has its place from its beginning.
            let all = if record.beyond.is_empty() { None } else { record.declared };
            let held = Held { upload: 0, len: all.unwrap_or(record.offset), replaces, aside };
            self.unless_received(&key, Some(held));
        }
        // What the ledger has forgotten meanwhile.
        stale.iter().for_each(|key| self.unless_received(key, None));
        Ok(())
    }

    /// An upload counts for that, unless somebody has it at the moment, and counts it. Who has it has its seat first.
    fn unless_received(&self, key: &UploadKey, held: Option<Held>) {
        let mut book = self.quotas.book();
        if self.seats.of(key).is_none() {
            book.set(key, held);
        }
    }
}
