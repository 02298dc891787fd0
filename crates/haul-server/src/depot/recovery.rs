//! What a server does about the uploads that the last one left: after a kill all that was written is there, after a power
//! cut what was synced, and an offset that was told stays.

use std::sync::Arc;

use haul_core::{
    ByteRange, RangeSet, TreePath,
    receiving::{Declared, recovered},
};
use haul_store::{Durability, StageId, StoreError, Unfinished, UploadKey, boot};
use tokio::task::JoinSet;

use super::{Depot, unfinished};
use crate::ServerError;

/// So many uploads are looked at at once: they share their syncs.
const AT_ONCE: usize = 16;

/// Puts every upload in order, and removes all bytes that no record speaks of.
pub(super) async fn recover(depot: &Arc<Depot>) -> Result<(), ServerError> {
    let mut kept: Vec<StageId> = Vec::new();
    // Before anything that is staged goes away: it shows what was not published.
    depot.see_to_pledges().await?;
    depot.recall().await?;
    let mut looks = JoinSet::new();
    let mut known = depot.ledger.within(&TreePath::ROOT).await?.into_iter();
    loop {
        while looks.len() < AT_ONCE
            && let Some((key, record)) = known.next()
        {
            let depot = Arc::clone(depot);
            looks.spawn(async move {
                one(&depot, &key, &record).await.unwrap_or_else(|error| {
                    // Its record speaks the truth as it is, and the others are to be served whatever a disk says of
                    // this one.
                    tracing::warn!(path = %key.path, %error, "an unfinished upload is left as it is");
                    Some(record.stage)
                })
            });
        }
        match looks.join_next().await {
            Some(Ok(seen)) => kept.extend(seen),
            Some(Err(error)) => {
                return Err(ServerError::Other(format!("looking at unfinished uploads: {error}")));
            }
            None => break,
        }
    }
    let swept = match depot.store.sweep(&kept).await {
        Err(error @ StoreError::InUse { .. }) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "what no record speaks of could not be removed");
            0
        }
        Ok(swept) => swept,
    };
    if !kept.is_empty() || swept > 0 {
        tracing::info!(kept = kept.len(), removed = swept, "unfinished uploads of the last run");
    }
    Ok(())
}

/// Puts one upload in order; its staged file, if it is kept.
async fn one(depot: &Depot, key: &UploadKey, record: &Unfinished) -> Result<Option<StageId>, ServerError> {
    let path = &key.path;
    let mut staged = match depot.store.staged(&record.stage).await {
        Ok(staged) => staged,
        Err(StoreError::NotFound { .. }) if depot.has_folder_of(path).await => {
            if depot.recall_last(key, record).await? {
                tracing::info!(%path, owner = key.owner, "an upload had its name when the last server ended");
                return Ok(None);
            }
            // It never got as far as the disk, or another program has taken it.
            tracing::warn!(%path, owner = key.owner, "the bytes of an unfinished upload are gone; it is forgotten");
            let (lease, _) = depot.ledger.claim(key).await?;
            depot.ledger.forget(&lease).await?;
            return Ok(None);
        }
        // A medium that is not there now may come back.
        Err(error) => return Err(error.into()),
    };
    let there = staged.len();
    if there < record.offset {
        tracing::warn!(%path, there, told = record.offset, "an unfinished upload was cut by another program");
    }
    let same_boot = record.boot == boot();
    let relied_on = if same_boot { there } else { there.min(record.offset) };
    let declared = Declared::earlier(record.declared);
    let offset = recovered(record.offset, record.settled, relied_on, declared);
    if record.settled && offset == record.offset && record.beyond.end() <= there {
        return Ok(Some(record.stage.clone()));
    }
    // What is behind the offset was synced when it was recorded. What lies between is nothing.
    let beyond: RangeSet = ByteRange::new(offset, there).map_or_else(RangeSet::new, |kept| {
        if offset == record.offset { record.beyond.covered(kept).collect() } else { RangeSet::new() }
    });
    staged.cut(beyond.end().max(offset)).await?;
    // First it is safe, then it is told.
    let safe = staged.sync().await?;
    let settled = Unfinished {
        offset: offset.min(safe),
        beyond,
        settled: true,
        boot: boot().to_owned(),
        ..record.clone()
    };
    let (lease, _) = depot.ledger.claim(key).await?;
    depot.ledger.save(&lease, &settled, Durability::Full).await?;
    Ok(Some(record.stage.clone()))
}

impl Depot {
    /// Whether the folder of this place is there. Where it is not, its medium may be missing, and so may be all that is
    /// staged on it.
    pub(super) async fn has_folder_of(&self, path: &TreePath) -> bool {
        let folder = path.parent().unwrap_or_default();
        self.store.stat(&folder).await.is_ok()
    }
}

/// Forgets what has had no byte for too long.
pub(super) async fn expire(depot: &Arc<Depot>) -> Result<usize, ServerError> {
    if depot.rules.in_place {
        return Ok(0);
    }
    let longest = i64::try_from(depot.rules.expire.as_secs()).unwrap_or(i64::MAX);
    let oldest = unfinished::now().saturating_sub(longest);
    let mut expired = 0;
    for (key, record) in depot.ledger.within(&TreePath::ROOT).await? {
        if record.touched >= oldest {
            continue;
        }
        // What somebody writes at this moment is not old.
        let Some(sitting) = depot.sit_if_free(&key) else { continue };
        // Nor is what somebody has just written.
        if depot.ledger.load(&key).await?.is_none_or(|record| record.touched >= oldest) {
            continue;
        }
        match depot.drop_unfinished(&key).await {
            Ok(_) => {
                tracing::info!(path = %key.path, owner = key.owner, "an unfinished upload has expired");
                expired += 1;
            }
            Err(error) => tracing::warn!(path = %key.path, %error, "what has expired is still there"),
        }
        drop(sitting);
    }
    Ok(expired)
}
