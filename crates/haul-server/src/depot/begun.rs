//! What there is of an upload after its first byte, and what is done to it beside the bytes that come in.

use std::{path::PathBuf, time::Instant};

use haul_store::{Lease, Staged, StoreError};
use tokio::task::JoinHandle;

use super::upload::ASKED_AGAIN;

/// What there is of it after its first byte.
pub(super) struct Begun {
    pub(super) staged: Box<dyn Staged>,
    /// `None` in place.
    pub(super) lease: Option<Lease>,
    /// Whether the ledger knows of it, or soon will.
    pub(super) saved: bool,
    pub(super) since: Instant,
    pub(super) synced: Instant,
    /// So many bytes are safe.
    pub(super) durable: u64,
    /// A sync has failed: what was not safe by then is not claimed any more, whatever the disk says later.
    pub(super) lost: bool,
    pub(super) beside: Option<Beside>,
}

/// What is being done beside the bytes that come in.
pub(super) struct Beside {
    pub(super) task: JoinHandle<Result<(), Failed>>,
    /// How many bytes are safe when it is done, if it syncs.
    pub(super) upto: Option<u64>,
}

/// What failed beside.
pub(super) enum Failed {
    Sync(StoreError),
    Save(StoreError),
}

impl Begun {
    pub(super) fn new(staged: Box<dyn Staged>, lease: Option<Lease>, saved: bool, durable: u64) -> Self {
        let now = Instant::now();
        Self { staged, lease, saved, since: now, synced: now, durable, lost: false, beside: None }
    }

    /// Whether it was made safe so lately that nobody's wish makes it be again. Whoever is the first to wish it has all
    /// that came made safe.
    pub(super) fn was_just_synced(&self) -> bool {
        self.synced > self.since && self.synced.elapsed() < ASKED_AGAIN
    }

    pub(super) async fn sync(&mut self) -> Result<(), StoreError> {
        if self.lost {
            return Err(StoreError::Unclaimed { path: PathBuf::from(&self.staged.id().0) });
        }
        let synced = self.staged.sync().await;
        self.lost = synced.is_err();
        self.durable = synced?;
        Ok(())
    }

    /// As [`Self::sync`], but a small file's name among the staged ones is not worth a sync of its own.
    pub(super) async fn sync_to_publish(&mut self) -> Result<(), StoreError> {
        if self.saved || self.lost {
            return self.sync().await;
        }
        let synced = self.staged.sync_to_publish().await;
        self.lost = synced.is_err();
        synced
    }

    /// Takes in what was done beside, if it is done or is to be waited for.
    pub(super) async fn look_beside(&mut self, wait: bool) -> Result<(), StoreError> {
        if !self.beside.as_ref().is_some_and(|beside| wait || beside.task.is_finished()) {
            return Ok(());
        }
        // It stays here while it is waited for: whoever drops this future has not lost it.
        let Some(beside) = &mut self.beside else { return Ok(()) };
        let done = (&mut beside.task).await;
        let upto = beside.upto;
        self.beside = None;
        match done {
            Ok(Ok(())) => {
                self.durable = upto.unwrap_or(self.durable);
                Ok(())
            }
            Ok(Err(Failed::Sync(error))) => {
                self.lost = true;
                Err(error)
            }
            Ok(Err(Failed::Save(error))) => {
                // It is tried again with the next bytes, or at the end.
                self.saved = false;
                Err(error)
            }
            Err(_) => Err(StoreError::Unclaimed { path: PathBuf::from(&self.staged.id().0) }),
        }
    }
}

/// Removes bytes that were never begun with. If they stay, the next start of a server removes them.
pub(super) async fn discard(staged: Box<dyn Staged>) {
    if let Err(error) = staged.discard().await {
        tracing::warn!(%error, "bytes of an upload that was not begun stay until the next start");
    }
}
