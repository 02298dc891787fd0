//! What is there of an unfinished upload, for its owner to read back: a client that goes on with bytes which it has not
//! sent itself wants to know first whether they are its own.
//!
//! Whoever receives the upload is not disturbed. Only what is safe is read, and that changes in one way alone: somebody
//! goes on from a byte within it (REST, PUT of a piece). Whoever reads it then hears of that, and ends badly.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use haul_core::TreePath;
use haul_store::{Body, StageId, StoreError};

use super::{Pending, Visitor};
use crate::ServerError;

/// The first bytes of an unfinished upload, opened.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The upload; its offset is how many bytes there are.
    pub pending: Pending,
    /// Its bytes: those behind the offset are not to be read.
    pub body: Body,
    /// Whether they still are what they were.
    pub kept: Kept,
}

/// Whether the bytes of an unfinished upload are still those that were opened.
#[derive(Clone, Debug)]
pub struct Kept(Arc<AtomicBool>);

impl Kept {
    /// Whether none of them was taken back since.
    pub fn is_same(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Who reads which unfinished upload.
#[derive(Default)]
pub(super) struct Readers(Mutex<Vec<(StageId, Weak<AtomicBool>)>>);

impl Readers {
    fn all(&self) -> MutexGuard<'_, Vec<(StageId, Weak<AtomicBool>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stage: StageId) -> Kept {
        let same = Arc::new(AtomicBool::new(true));
        let mut all = self.all();
        all.retain(|(_, reader)| reader.strong_count() > 0);
        all.push((stage, Arc::downgrade(&same)));
        Kept(same)
    }

    /// Bytes of this one are about to be taken back.
    pub(super) fn cut(&self, stage: &StageId) {
        let all = self.all();
        let its = all.iter().filter(|(of, _)| of == stage);
        its.filter_map(|(_, reader)| reader.upgrade()).for_each(|same| same.store(false, Ordering::SeqCst));
    }
}

impl Visitor {
    /// Opens what is there of the unfinished upload of this name: what is being received is made safe first. `None` where
    /// it is no longer unfinished, or where this visitor knows of none. Who may only write may have what it has sent, and
    /// nothing that was copied from a finished file.
    pub async fn beginning(&self, path: &TreePath, id: &str) -> Result<Option<Beginning>, ServerError> {
        let may = self.account().may_at(path);
        if !may.read && !may.write {
            return Err(ServerError::Denied);
        }
        let (depot, stage) = (self.depot(), StageId(id.to_owned()));
        // First this, so that no cut is missed.
        let kept = depot.readers.enter(stage.clone());
        let Some(pending) = self.pending(path).await?.filter(|pending| pending.id == id) else {
            return Ok(None);
        };
        if !may.read {
            let known = depot.ledger.load(&self.key(&self.place(path)?)).await?;
            match known.filter(|known| known.stage == stage) {
                Some(known) if known.copied > 0 => return Err(ServerError::Denied),
                Some(_) => {}
                None => return Ok(None),
            }
        }
        match depot.store.peek(&stage).await {
            Ok(body) => Ok(Some(Beginning { pending, body, kept })),
            // It was published or given up meanwhile.
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
