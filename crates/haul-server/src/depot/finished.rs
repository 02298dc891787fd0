//! What was published lately, so that a client whose last answer was lost hears that all is well.
//!
//! ```text
//!  RENAME ──> noted here ──> in the ledger, in the step in which it is forgotten as unfinished ──> answered
//!     └── the server ends: the next one finds its record without staged bytes
//!           ├── what has the name is what was staged: noted, in the same step (`recovery`)
//!           └── it is not, or nobody can tell: forgotten, and sent again
//! ```
//! What the ledger never knew of, since it was small and came at once, is noted here only: it costs the ledger nothing,
//! and is soon sent again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use haul_core::TreePath;
use haul_store::{
    Durability, Lease, Meta, PUBLISHED, Published, StageId, StoreError, Unfinished, UploadKey, boot,
};

use super::{Depot, seats::Seat, unfinished, visitor::ASIDE};
use crate::ServerError;

/// What a door wanted to know of them is remembered up to so many bytes.
const LONGEST_NOTE: usize = 1024;

/// A client that asks for its last answer again does so within this time.
const JUST_NOW: Duration = Duration::from_secs(300);

/// What was published, as many as a ledger remembers.
#[derive(Default)]
pub(super) struct Finished(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    /// The newest at the end.
    order: VecDeque<Arc<UploadKey>>,
    /// The same by place and owner, each in that order.
    by_key: HashMap<Arc<UploadKey>, VecDeque<Known>>,
}

struct Known {
    id: StageId,
    size: u64,
    note: Vec<u8>,
    noted: Instant,
    /// How long before that it was published.
    before: Duration,
}

impl Shelf {
    fn put(&mut self, key: &UploadKey, known: Known) {
        if self.order.len() >= PUBLISHED {
            self.drop_oldest();
        }
        let key = match self.by_key.get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None => Arc::new(key.clone()),
        };
        self.order.push_back(Arc::clone(&key));
        self.by_key.entry(key).or_default().push_back(known);
    }

    fn drop_oldest(&mut self) {
        let Some(key) = self.order.pop_front() else { return };
        let Some(its) = self.by_key.get_mut(&key) else { return };
        its.pop_front();
        if its.is_empty() {
            self.by_key.remove(&key);
        }
    }
}

impl Known {
    fn age(&self) -> Duration {
        self.before.saturating_add(self.noted.elapsed())
    }
}

impl Finished {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, published: &Published) {
        let Published { key, stage, size, note, at, .. } = published;
        let before = u64::try_from(unfinished::now().saturating_sub(*at)).unwrap_or(0);
        let (noted, before) = (Instant::now(), Duration::from_secs(before));
        self.shelf()
            .put(key, Known { id: stage.clone(), size: *size, note: kept(note).to_vec(), noted, before });
    }

    /// The size of what was published under this name; whether anything was at the same place.
    pub(super) fn find(&self, key: &UploadKey, id: &str) -> (Option<u64>, bool) {
        let shelf = self.shelf();
        let Some(its) = shelf.by_key.get(key) else { return (None, false) };
        (its.iter().rev().find(|known| known.id.0 == id).map(|known| known.size), true)
    }

    /// The size of what was published there last, where that is not long ago.
    pub(super) fn latest(&self, key: &UploadKey) -> Option<u64> {
        self.last(key, |last| last.size)
    }

    /// The name and size of what was published there last, where that is not long ago and was noted like this.
    pub(super) fn noted(&self, key: &UploadKey, note: &[u8]) -> Option<(StageId, u64)> {
        self.last(key, |last| (last.note == note).then(|| (last.id.clone(), last.size))).flatten()
    }

    fn last<T>(&self, key: &UploadKey, told: impl FnOnce(&Known) -> T) -> Option<T> {
        let shelf = self.shelf();
        let last = shelf.by_key.get(key)?.back()?;
        (last.age() < JUST_NOW).then(|| told(last))
    }

    pub(super) fn note_of(&self, key: &UploadKey, id: &str) -> Option<Vec<u8>> {
        let shelf = self.shelf();
        shelf.by_key.get(key)?.iter().rev().find(|known| known.id.0 == id).map(|known| known.note.clone())
    }
}

/// Whether what a ledger says was published surely is: where nothing made its name safe, that may have gone with the
/// power.
fn is_relied_on(published: &Published) -> bool {
    published.boot.is_empty() || published.boot == boot()
}

/// What is remembered of a note. Only of what was put together from others a ledger keeps all of it: it says which are to
/// be dropped.
pub(super) fn kept(note: &[u8]) -> &[u8] {
    if note.len() > LONGEST_NOTE { &[] } else { note }
}

impl Depot {
    fn published(&self, key: UploadKey, stage: StageId, size: u64, note: Vec<u8>) -> Published {
        let boot = match self.rules.durability {
            Durability::Full => String::new(),
            Durability::Relaxed => boot().to_owned(),
        };
        Published { key, stage, size, note, boot, at: unfinished::now() }
    }

    /// The upload that has this seat has its name: nothing of it is unfinished any more.
    pub(super) async fn has_its_name(
        &self,
        seat: &Seat,
        lease: Option<Lease>,
        stage: StageId,
        size: u64,
        note: &[u8],
    ) {
        let published = self.published(seat.key.clone(), stage, size, note.to_vec());
        // First here, so that whoever asks in between is not told of nothing.
        self.finished.note(&published);
        seat.tell_nothing();
        if let Some(lease) = lease
            && let Err(error) = self.ledger.publish(&lease, &published).await
        {
            let path = &seat.key.path;
            tracing::warn!(%path, %error, "a published upload is still remembered as unfinished");
        }
    }

    /// What earlier servers have published.
    pub(super) async fn recall(&self) -> Result<(), StoreError> {
        let known = self.ledger.published().await?;
        known.iter().filter(|known| is_relied_on(known)).for_each(|known| self.finished.note(known));
        Ok(())
    }

    /// Notes that an upload whose bytes are staged no more has its name, which the last server did not live to note;
    /// whether it has.
    pub(super) async fn recall_last(
        &self,
        key: &UploadKey,
        record: &Unfinished,
    ) -> Result<bool, ServerError> {
        let Some(meta) = self.became(key, record).await? else { return Ok(false) };
        let published = self.published(key.clone(), record.stage.clone(), meta.size, record.note.clone());
        let (lease, _) = self.ledger.claim(key).await?;
        self.ledger.publish(&lease, &published).await?;
        self.finished.note(&published);
        Ok(true)
    }

    /// The file that this upload has become, whole.
    async fn became(&self, key: &UploadKey, record: &Unfinished) -> Result<Option<Meta>, StoreError> {
        let how = self.rules.durability;
        // Where nothing was made safe a power cut may have left a name with bytes missing.
        if record.mark.is_empty() || (how == Durability::Relaxed && record.boot != boot()) {
            return Ok(None);
        }
        let meta = self.store.became(&key.path, &record.mark, how).await?;
        Ok(meta.filter(|meta| record.declared.map_or(meta.size >= record.offset, |size| meta.size == size)))
    }

    /// Drops uploads without a place that have become part of something which was published, and which the last server
    /// did not live to drop: `parts` are their names, by the note of what was published. How many.
    pub(crate) async fn drop_joined(
        self: &Arc<Self>,
        parts: impl Fn(&[u8]) -> Vec<String>,
    ) -> Result<usize, ServerError> {
        let mut dropped = 0;
        if self.rules.in_place {
            return Ok(dropped);
        }
        let mut joined: HashSet<(String, String)> = HashSet::new();
        for known in self.ledger.published().await?.iter().filter(|known| is_relied_on(known)) {
            let owner = format!("{}{ASIDE}", known.key.owner);
            joined.extend(parts(&known.note).into_iter().map(|id| (owner.clone(), id)));
        }
        if joined.is_empty() {
            return Ok(dropped);
        }
        for (key, record) in self.ledger.within(&TreePath::ROOT).await? {
            if joined.contains(&(key.owner.clone(), record.stage.0))
                && let Some(sitting) = self.sit_if_free(&key)
            {
                dropped += usize::from(self.drop_unfinished(&sitting.seat.key).await?);
            }
        }
        Ok(dropped)
    }
}
