//! What is remembered of an unfinished upload, and how it is told to its owner.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use haul_core::{Modified, RangeSet};
use haul_store::{Durability, Kind, Meta, StageId, StoreError, Unfinished, UploadKey};
use tokio::time::timeout;

use super::{Depot, Seen, seats::Phase};
use crate::ServerError;

/// So long the answer to how far an upload is may take.
const CATCHING_UP: Duration = Duration::from_secs(5);

/// A finished file as a record remembers it.
pub(super) type Base = (Vec<u8>, u64, i64, u32);

/// Seconds since 1970-01-01T00:00:00Z.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A finished file, for a record.
pub(super) fn base(meta: &Meta) -> Base {
    (meta.unique.clone(), meta.size, meta.modified.seconds, meta.modified.nanos)
}

/// A finished file as its record remembers it, to be compared.
pub(super) fn meta_of(base: &Base) -> Meta {
    let (unique, size, seconds, nanos) = base.clone();
    let modified = Modified { seconds, nanos, strong: false };
    Meta { kind: Kind::File, size, modified, unique, mode: None, owner: None }
}

/// An unfinished upload as its owner sees it.
pub(super) fn seen(stage: &StageId, at: u64, touched: i64) -> Seen {
    let modified = Modified { seconds: touched, nanos: 0, strong: false };
    let unique = stage.0.clone().into_bytes();
    Seen {
        meta: Meta { kind: Kind::File, size: at, modified, unique, mode: None, owner: None },
        unfinished: true,
    }
}

impl Depot {
    /// The unfinished upload that is to become this: as it is while it is received, or else as it is remembered.
    pub(super) async fn unfinished(&self, key: &UploadKey) -> Result<Option<Seen>, ServerError> {
        if self.rules.in_place {
            return Ok(None);
        }
        if let Some(seen) = self.seats.seen(key) {
            return Ok(Some(seen));
        }
        let known = self.ledger.load(key).await?;
        Ok(known.map(|record| seen(&record.stage, record.offset, record.touched)))
    }

    /// As [`Self::unfinished`], for whoever may be about to go on from there: what an older session has received is made
    /// safe first, and one that is just being settled is waited for, for a while.
    pub(super) async fn caught_up(self: &Arc<Self>, key: &UploadKey) -> Result<Option<Seen>, ServerError> {
        if let Some(seat) = self.seats.of(key) {
            // In a task: what was begun is done, even if nobody waits for it any more.
            let catching = tokio::spawn(async move {
                let woven = match &mut *seat.turn.lock().await {
                    Phase::Open(upload) => return upload.catch_up().await,
                    Phase::Lanes(woven) => Some(Arc::clone(woven)),
                    Phase::Busy | Phase::Over => None,
                };
                match woven {
                    Some(woven) => woven.catch_up().await,
                    None => {
                        seat.left().await;
                        Ok(())
                    }
                }
            });
            // What cannot be made safe is not told; whoever receives it hears of that.
            let _ = timeout(CATCHING_UP, catching).await;
        }
        self.unfinished(key).await
    }

    /// Forgets an unfinished upload and removes its bytes; whether there was one. Its seat is the caller's.
    pub(super) async fn drop_unfinished(&self, key: &UploadKey) -> Result<bool, ServerError> {
        let Some(stage) = self.forget_unfinished(key).await? else { return Ok(false) };
        self.remove_staged(&stage).await;
        Ok(true)
    }

    /// Forgets an unfinished upload, so that nobody is told of it any more; its bytes, which are still to be removed. Its
    /// seat is the caller's.
    pub(super) async fn forget_unfinished(&self, key: &UploadKey) -> Result<Option<StageId>, ServerError> {
        if self.rules.in_place || self.ledger.load(key).await?.is_none() {
            return Ok(None);
        }
        let (lease, known) = self.ledger.claim(key).await?;
        if let Some(record) = &known {
            // To forget is not synced: should a power cut bring the record back, then without an offset that somebody
            // could take for that of another file, and without a mark that would tell what it has become.
            let (mark, beyond) = (Vec::new(), RangeSet::new());
            let nothing = Unfinished { mark, offset: 0, beyond, settled: true, ..record.clone() };
            match self.ledger.save(&lease, &nothing, Durability::Full).await {
                Ok(()) => {}
                // Somebody makes room by this: bytes first.
                Err(StoreError::NoSpace { .. }) => self.remove_staged(&record.stage).await,
                Err(error) => return Err(error.into()),
            }
        }
        match self.ledger.forget(&lease).await {
            Err(error @ StoreError::Fenced { .. }) => return Err(error.into()),
            // Nobody is told of it any more; the next server may find the record, without bytes.
            Err(error) => {
                tracing::warn!(path = %key.path, %error, "what was given up is still in the ledger");
            }
            Ok(()) => {}
        }
        self.quotas.dropped(key);
        Ok(known.map(|record| record.stage))
    }

    /// Removes bytes that nothing speaks of any more. If they stay, the next start of a server removes them.
    pub(super) async fn remove_staged(&self, stage: &StageId) {
        let removed = match self.store.staged(stage).await {
            Ok(staged) => staged.discard().await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, "bytes of an upload that was dropped stay until the next start");
            }
        }
    }
}
