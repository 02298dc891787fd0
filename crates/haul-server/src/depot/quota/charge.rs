//! What one upload counts for, from its first byte until it is finished, kept or given up.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use haul_core::TreePath;
use haul_store::UploadKey;

use super::{
    Depot, Quota, Visitor,
    book::{Book, Held, Parts},
};
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
    /// Of what it is put together.
    parts: Option<Parts>,
}

/// A file is being put together: what its parts count for it does not count for as well. Ends with this.
pub(crate) struct Joining {
    depot: Arc<Depot>,
    key: UploadKey,
    parts: Parts,
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.depot.quotas.book().part_from(&self.key, &self.parts);
    }
}

impl Visitor {
    /// The same one, whose upload to there is put together from these parts without a place; and until when that is so.
    pub(crate) fn joining<'a>(
        &self,
        path: &TreePath,
        parts: impl Iterator<Item = &'a TreePath>,
    ) -> Result<(Self, Joining), ServerError> {
        let (key, aside) = (self.key(&self.place(path)?), self.aside());
        let keys = parts.map(|part| Ok(aside.key(&aside.place(part)?)));
        let keys = keys.collect::<Result<std::collections::HashSet<_>, ServerError>>()?;
        let parts: Parts = keys.into_iter().collect();
        let mut joins = self.clone();
        joins.joins = Some(Arc::clone(&parts));
        Ok((joins, Joining { depot: Arc::clone(self.depot()), key, parts }))
    }

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
        let (depot, parts) = (Arc::clone(self.depot()), self.joins.clone());
        let charge = Charge { depot, key: key.clone(), own: self.own(), begins, parts };
        if charge.fits(size.unwrap_or(0)) { Ok(Some(charge)) } else { Err(ServerError::OverQuota) }
    }
}

impl Charge {
    fn of(&self, len: u64) -> Held {
        Held { len, ..self.begins }
    }

    fn fits(&self, len: u64) -> bool {
        self.has_room(&self.depot.quotas.book(), self.of(len))
    }

    /// Whether it may begin so.
    fn has_room(&self, book: &Book, now: Held) -> bool {
        let parts = self.parts.as_deref().unwrap_or_default();
        self.own.as_ref().is_none_or(|(home, quota)| {
            book.takes(home, *quota, book.beyond_joined(home, &self.key, now, parts))
        })
    }

    /// It begins, with so many bytes; what had its name until now counts no longer.
    pub(in super::super) fn open(&self, len: u64) -> Result<(), ServerError> {
        let mut book = self.depot.quotas.book();
        let now = self.of(len);
        if !self.has_room(&book, now) {
            return Err(ServerError::OverQuota);
        }
        match &self.parts {
            Some(parts) => book.join(&self.key, now, parts),
            None => {
                book.part(&self.key);
                book.set(&self.key, Some(now));
            }
        }
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
        let missing = self.own.as_ref().map_or(0, |(home, quota)| {
            let wanted = u64::try_from(book.beyond(home, &self.key, whole).bytes).unwrap_or(0);
            wanted.saturating_sub(book.room(home, *quota))
        });
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
            book.part(&self.key);
        }
    }
}
