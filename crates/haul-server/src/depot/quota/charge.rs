//! What one upload counts for, from its first byte until it is finished, kept or given up.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use haul_core::TreePath;
use haul_store::UploadKey;

use super::{Depot, Quota, Visitor, book::Held};
use crate::ServerError;

/// The number of the next upload; 0 is that of all that nobody has received since the server was started.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// An upload, as quotas see it.
pub(in super::super) struct Charge {
    depot: Arc<Depot>,
    key: UploadKey,
    /// The home that may not take everything.
    own: Option<(TreePath, Quota)>,
    /// As it begins.
    begins: Held,
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
        if !quotas.concern(&key.path) {
            return Ok(None);
        }
        quotas.ready(&key.path).await?;
        let upload = NEXT.fetch_add(1, Ordering::Relaxed);
        let begins = Held { upload, len: 0, replaces, aside: self.is_aside() };
        let charge = Charge { depot: Arc::clone(self.depot()), key: key.clone(), own: self.own(), begins };
        if charge.fits(size.unwrap_or(0)) { Ok(Some(charge)) } else { Err(ServerError::OverQuota) }
    }
}

impl Charge {
    fn of(&self, len: u64) -> Held {
        Held { len, ..self.begins }
    }

    fn fits(&self, len: u64) -> bool {
        let book = self.depot.quotas.book();
        let more = book.beyond(&self.key, self.of(len));
        self.own.as_ref().is_none_or(|(home, quota)| book.takes(home, *quota, more))
    }

    /// It begins, with so many bytes; what had its name until now counts no longer.
    pub(in super::super) fn open(&self, len: u64) -> Result<(), ServerError> {
        let mut book = self.depot.quotas.book();
        let (now, own) = (self.of(len), self.own.as_ref());
        if own.is_some_and(|(home, quota)| !book.takes(home, *quota, book.beyond(&self.key, now))) {
            return Err(ServerError::OverQuota);
        }
        book.set(&self.key, Some(now));
        Ok(())
    }

    /// There are `len` bytes of it, and `more` are to come: how many of them may.
    pub(in super::super) fn grow(&self, len: u64, more: u64) -> u64 {
        let mut book = self.depot.quotas.book();
        // Of who was fenced nothing comes.
        let Some(held) = book.held(&self.key).filter(|held| held.upload == self.begins.upload) else {
            return more;
        };
        let whole = Held { len: held.len.max(len.saturating_add(more)), ..held };
        let wanted = u64::try_from(book.beyond(&self.key, whole).bytes).unwrap_or(0);
        let room = self.own.as_ref().map_or(u64::MAX, |(home, quota)| book.room(home, *quota));
        let missing = wanted.saturating_sub(room);
        book.set(&self.key, Some(Held { len: whole.len.saturating_sub(missing), ..whole }));
        more.saturating_sub(missing)
    }

    /// There are so many bytes of it, whatever was asked for.
    pub(in super::super) fn settle(&self, len: u64) {
        let mut book = self.depot.quotas.book();
        if let Some(held) = book.held(&self.key).filter(|held| held.upload == self.begins.upload) {
            book.set(&self.key, Some(Held { len, ..held }));
        }
    }

    /// It was written where it is, and is a file of so many bytes.
    pub(in super::super) fn written(&self, len: u64) {
        self.depot.quotas.published(&self.key, len, self.begins.replaces);
    }

    /// It is no more.
    pub(in super::super) fn dropped(&self) {
        let mut book = self.depot.quotas.book();
        if book.held(&self.key).is_some_and(|held| held.upload == self.begins.upload) {
            book.set(&self.key, None);
        }
    }
}
