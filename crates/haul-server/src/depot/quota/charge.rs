//! What one upload counts for, from its first byte until it is finished, kept or given up.

use std::sync::{Arc, atomic::Ordering};

use haul_store::UploadKey;

use super::{Depot, Held, Home, Quota, Visitor, signed};
use crate::ServerError;

/// An upload, as quotas see it.
pub(in super::super) struct Charge {
    depot: Arc<Depot>,
    key: UploadKey,
    homes: Vec<Arc<Home>>,
    /// The home that may not take everything.
    own: Option<(Arc<Home>, Quota)>,
    held: Arc<Held>,
    /// The size of the file that it is to replace.
    replaces: Option<u64>,
    /// It becomes no file of its own.
    aside: bool,
}

impl Visitor {
    /// What an upload to there will count for; `None` where nobody counts. One whose size is known and that would find no
    /// room is refused before its first byte.
    pub(in super::super) async fn charge(
        &self,
        key: &UploadKey,
        replaces: Option<u64>,
        size: Option<u64>,
    ) -> Result<Option<Charge>, ServerError> {
        let quotas = &self.depot().quotas;
        let homes = quotas.around(&key.path);
        if homes.is_empty() {
            return Ok(None);
        }
        quotas.ready(&homes).await?;
        let held = quotas.held().get(key).cloned().unwrap_or_default();
        let (depot, key, aside) = (Arc::clone(self.depot()), key.clone(), self.is_aside());
        let charge = Charge { depot, key, homes, own: self.own(), held, replaces, aside };
        if let Some((home, quota)) = &charge.own {
            let more = charge.counts(size.unwrap_or(0)).saturating_sub(charge.bytes());
            if more > home.room(*quota) || !home.takes(charge.file().saturating_sub(charge.files()), *quota) {
                return Err(ServerError::OverQuota);
            }
        }
        Ok(Some(charge))
    }
}

impl Charge {
    fn bytes(&self) -> u64 {
        self.held.bytes.load(Ordering::SeqCst)
    }

    fn files(&self) -> u64 {
        self.held.files.load(Ordering::SeqCst)
    }

    /// What so many bytes count for: what they will replace is there already.
    fn counts(&self, len: u64) -> u64 {
        len.saturating_sub(self.replaces.unwrap_or(0))
    }

    fn file(&self) -> u64 {
        u64::from(self.replaces.is_none() && !self.aside)
    }

    /// It begins, with so many bytes.
    pub(in super::super) fn open(&self, len: u64) -> Result<(), ServerError> {
        let before = self.depot.quotas.held().insert(self.key.clone(), Arc::clone(&self.held));
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, &self.held)) {
            for home in &self.homes {
                before.leaves(home);
            }
        }
        if let Some((home, quota)) = &self.own
            && !home.takes(self.file().saturating_sub(self.files()), *quota)
        {
            self.close_if_nothing();
            return Err(ServerError::OverQuota);
        }
        let files = signed(self.file()) - signed(self.held.files.swap(self.file(), Ordering::SeqCst));
        for home in &self.homes {
            home.unfinished.add(0, files);
        }
        if self.bytes() < self.counts(len) && self.grow(0, len) < len {
            self.settle(0);
            self.close_if_nothing();
            return Err(ServerError::OverQuota);
        }
        self.settle(len);
        Ok(())
    }

    fn close_if_nothing(&self) {
        if self.bytes() == 0 {
            self.depot.quotas.dropped(&self.key);
        }
    }

    /// There are `len` bytes of it, and `more` are to come: how many of them may.
    pub(in super::super) fn grow(&self, len: u64, more: u64) -> u64 {
        let now = self.bytes();
        let wanted = self.counts(len.saturating_add(more)).saturating_sub(now);
        let granted = match &self.own {
            Some((home, quota)) => take(home, *quota, wanted),
            None => {
                return self.all(wanted, more);
            }
        };
        self.held.bytes.fetch_add(granted, Ordering::SeqCst);
        for home in self.homes.iter().filter(|home| !self.is_own(home)) {
            home.unfinished.add(signed(granted), 0);
        }
        more.saturating_sub(wanted - granted)
    }

    /// Nothing limits it.
    fn all(&self, wanted: u64, more: u64) -> u64 {
        self.held.bytes.fetch_add(wanted, Ordering::SeqCst);
        for home in &self.homes {
            home.unfinished.add(signed(wanted), 0);
        }
        more
    }

    fn is_own(&self, home: &Arc<Home>) -> bool {
        self.own.as_ref().is_some_and(|(own, _)| Arc::ptr_eq(own, home))
    }

    /// There are so many bytes of it, whatever was asked for.
    pub(in super::super) fn settle(&self, len: u64) {
        let now = self.counts(len);
        let more = signed(now) - signed(self.held.bytes.swap(now, Ordering::SeqCst));
        for home in &self.homes {
            home.unfinished.add(more, 0);
        }
    }

    /// It is a file now, of so many bytes, and in the place of another one of that size.
    pub(in super::super) fn published(&self, len: u64, replaced: Option<u64>) {
        let quotas = &self.depot.quotas;
        quotas.dropped(&self.key);
        let files = i64::from(replaced.is_none());
        quotas.changed(&self.key.path, signed(len) - signed(replaced.unwrap_or(0)), files);
    }

    /// As [`Self::published`] of one that was written where it is.
    pub(in super::super) fn written(&self, len: u64) {
        self.published(len, self.replaces);
    }

    /// It is no more.
    pub(in super::super) fn dropped(&self) {
        self.depot.quotas.dropped(&self.key);
    }
}

/// Takes as much as there is room for: who comes at the same time finds what is left then.
fn take(home: &Home, quota: Quota, wanted: u64) -> u64 {
    let Some(most) = quota.bytes else {
        home.unfinished.add(signed(wanted), 0);
        return wanted;
    };
    let mut unfinished = home.unfinished.bytes.load(Ordering::SeqCst);
    loop {
        let there = home.finished.bytes.load(Ordering::SeqCst).saturating_add(unfinished);
        let room = u64::try_from(signed(most).saturating_sub(there)).unwrap_or(0);
        let granted = wanted.min(room);
        let after = unfinished.saturating_add(signed(granted));
        match home.unfinished.bytes.compare_exchange(unfinished, after, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return granted,
            Err(now) => unfinished = now,
        }
    }
}
