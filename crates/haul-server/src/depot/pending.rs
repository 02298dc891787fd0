//! Unfinished uploads as resources of their own: a door that gives each a name tells here which upload a name means, and
//! what became of it.
//!
//! A name is good for one upload: who begins the same file anew gets another one. What was published is remembered
//! (`finished`), so that a client whose last answer was lost hears that all is well.

use std::{sync::Arc, time::Duration};

use haul_core::TreePath;
use haul_store::{StageId, Unfinished, UploadKey};

use super::Visitor;
use crate::ServerError;

/// An unfinished upload, as its owner may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its name, which no other upload has had: printable, without blanks.
    pub id: String,
    /// What it becomes.
    pub path: TreePath,
    /// So many bytes are safe; the next one goes here.
    pub offset: u64,
    /// The size that was declared.
    pub declared: Option<u64>,
    /// When it was last written to, in seconds since 1970.
    pub touched: i64,
    /// When it will be forgotten if nothing more comes, in seconds since 1970.
    pub expires: i64,
    /// What a door wanted to know of it later.
    pub note: Vec<u8>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An unfinished upload.
    Unfinished(Pending),
    /// One that was published, with so many bytes.
    Published(u64),
    /// One that another has taken the place of, or that was given up.
    Gone,
    /// None that this visitor knows of.
    Unknown,
}

impl Visitor {
    /// The same one's uploads that have no place in the tree: parts of what is put together later. Their paths only say
    /// on which medium they lie, and none of them is ever published.
    #[must_use]
    pub fn aside(&self) -> Self {
        let mut aside = self.clone();
        aside.aside = true;
        aside
    }

    /// Whether it is that.
    pub(crate) fn is_aside(&self) -> bool {
        self.aside
    }

    /// How long an unfinished upload is kept without a byte; `None` where uploads go in place, and none is kept.
    pub fn kept_for(&self) -> Option<Duration> {
        let rules = self.depot().rules;
        (!rules.in_place).then_some(rules.expire)
    }

    /// The unfinished upload that has this place. What is being received is made safe first, so that nobody sends it
    /// again.
    pub async fn pending(&self, path: &TreePath) -> Result<Option<Pending>, ServerError> {
        let key = self.key(&self.place(path)?);
        self.depot().caught_up(&key).await?;
        self.remembered(&key, path).await
    }

    /// The unfinished uploads directly in this folder.
    pub async fn pending_in(&self, folder: &TreePath) -> Result<Vec<Pending>, ServerError> {
        let (depot, place) = (self.depot(), self.place(folder)?);
        if depot.rules.in_place {
            return Ok(Vec::new());
        }
        let mut pending = Vec::new();
        for (key, record) in depot.ledger.in_folder(&self.owner(), &place).await? {
            let path = folder.join(key.path.name())?;
            pending.push(self.as_told_now(&key, self.told_of(&path, record)));
        }
        Ok(pending)
    }

    /// What a name means at a place. Whoever receives it at the moment goes on.
    pub async fn named(&self, path: &TreePath, id: &str) -> Result<Named, ServerError> {
        let key = self.key(&self.place(path)?);
        self.depot().caught_up(&key).await?;
        self.meaning(&key, path, id).await
    }

    /// As [`Self::named`], but whoever receives it at the moment is ended first: what is told is what the next byte goes
    /// to, whatever was on its way.
    pub async fn named_alone(&self, path: &TreePath, id: &str) -> Result<Named, ServerError> {
        let key = self.key(&self.place(path)?);
        // Who means another one ends nobody. One that has just begun may not be remembered yet.
        let receiving = self.depot().seats.seen(&key).is_some_and(|seen| seen.meta.unique == id.as_bytes());
        let meaning = self.meaning(&key, path, id).await?;
        if !receiving && !matches!(meaning, Named::Unfinished(_)) {
            return Ok(meaning);
        }
        drop(self.depot().sit_now(key.clone()).await?);
        self.meaning(&key, path, id).await
    }

    /// As [`Self::named`], but whoever receives it at the moment and has had no byte for so long is ended first: it is
    /// most likely dead, and what came to it until then counts.
    pub async fn named_unless_lively(
        &self,
        path: &TreePath,
        id: &str,
        silent: Duration,
    ) -> Result<Named, ServerError> {
        let seat = self.depot().seats.of(&self.key(&self.place(path)?));
        if seat.is_some_and(|seat| seat.silent() >= silent) {
            self.named_alone(path, id).await
        } else {
            self.named(path, id).await
        }
    }

    /// What a door wanted to know later of an upload that was published since, while that is remembered.
    pub fn noted(&self, path: &TreePath, id: &str) -> Result<Option<Vec<u8>>, ServerError> {
        Ok(self.depot().finished.note_of(&self.key(&self.place(path)?), id))
    }

    /// Whether an upload of so many bytes has become the file there just now, and nothing has changed it since: whoever
    /// asks may have missed the answer.
    pub async fn has_just_published(&self, path: &TreePath, size: u64) -> Result<bool, ServerError> {
        let key = self.key(&self.place(path)?);
        let just = self.depot().finished.latest(&key) == Some(size);
        Ok(just && self.published(path).await.is_ok_and(|meta| meta.size == size))
    }

    /// The name and size of the upload with this note that has become the file there just now, as
    /// [`Self::has_just_published`].
    pub async fn just_published_as(
        &self,
        path: &TreePath,
        note: &[u8],
    ) -> Result<Option<(String, u64)>, ServerError> {
        let key = self.key(&self.place(path)?);
        let Some((id, size)) = self.depot().finished.noted(&key, note) else { return Ok(None) };
        let there = self.published(path).await.is_ok_and(|meta| meta.size == size);
        Ok(there.then_some((id.0, size)))
    }

    /// Gives an unfinished upload up; whether it was there. Whoever receives it at the moment is ended; whoever receives
    /// another one that has taken its place is not.
    pub async fn cancel(&self, path: &TreePath, id: &str) -> Result<bool, ServerError> {
        let Some(stage) = self.forget(path, id).await? else { return Ok(false) };
        self.depot().remove_staged(&stage).await;
        Ok(true)
    }

    /// As [`Self::cancel`], but whoever waits for it does not wait for its bytes: a file system takes its time to give
    /// back what a large file has had.
    pub async fn cancel_soon(&self, path: &TreePath, id: &str) -> Result<bool, ServerError> {
        let Some(stage) = self.forget(path, id).await? else { return Ok(false) };
        let depot = Arc::clone(self.depot());
        tokio::spawn(async move { depot.remove_staged(&stage).await });
        Ok(true)
    }

    /// The bytes of an unfinished upload that nobody is told of from now on; `None` where there was none.
    async fn forget(&self, path: &TreePath, id: &str) -> Result<Option<StageId>, ServerError> {
        if !matches!(self.named_alone(path, id).await?, Named::Unfinished(_)) {
            return Ok(None);
        }
        let key = self.key(&self.place(path)?);
        let sitting = self.depot().sit_now(key).await?;
        match self.meaning(&sitting.seat.key, path, id).await? {
            Named::Unfinished(_) => self.depot().forget_unfinished(&sitting.seat.key).await,
            Named::Published(_) | Named::Gone | Named::Unknown => Ok(None),
        }
    }

    async fn meaning(&self, key: &UploadKey, path: &TreePath, id: &str) -> Result<Named, ServerError> {
        let known = self.remembered(key, path).await?;
        let (published, other) = self.depot().finished.find(key, id);
        // What was published and has gone since is not there to be told of.
        let published = match published {
            Some(size) if !self.aside && self.published(path).await.is_ok() => Some(size),
            Some(_) | None => None,
        };
        Ok(match (known, published) {
            (Some(pending), _) if pending.id == id => Named::Unfinished(pending),
            (_, Some(size)) => Named::Published(size),
            (Some(_), None) => Named::Gone,
            (None, None) if other => Named::Gone,
            (None, None) => Named::Unknown,
        })
    }

    async fn remembered(&self, key: &UploadKey, path: &TreePath) -> Result<Option<Pending>, ServerError> {
        if self.depot().rules.in_place {
            return Ok(None);
        }
        let record = self.depot().ledger.load(key).await?;
        Ok(record.map(|record| self.as_told_now(key, self.told_of(path, record))))
    }

    /// What is being received may have come further than was remembered when it was looked up.
    fn as_told_now(&self, key: &UploadKey, mut pending: Pending) -> Pending {
        let seen = self.depot().seats.seen(key);
        if let Some(seen) = seen.filter(|seen| seen.meta.unique == pending.id.as_bytes()) {
            pending.offset = pending.offset.max(seen.meta.size);
        }
        pending
    }

    fn told_of(&self, path: &TreePath, record: Unfinished) -> Pending {
        let expire = i64::try_from(self.depot().rules.expire.as_secs()).unwrap_or(i64::MAX);
        Pending {
            id: record.stage.0,
            path: path.clone(),
            offset: record.offset,
            declared: record.declared,
            touched: record.touched,
            expires: record.touched.saturating_add(expire),
            note: record.note,
        }
    }
}
