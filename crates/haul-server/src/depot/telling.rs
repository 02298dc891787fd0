//! What is told outside of an upload that gets its name, so that neither a kill nor a power cut makes it silent or a lie.
//!
//! ```text
//!  letters posted, under a pledge ──> RENAME ──> the pledge is kept ──> delivered
//!        │                              └─ failed ─> taken back
//!        └── the server ends: the next one looks ──┬── still staged: taken back
//!                                                  ├── gone, and the file there is the one before: taken back
//!                                                  └── gone, and another file of that size is there: kept
//! ```
//! A staged file is gone without a name only with the power, which may take a folder's entry that was never synced.
//! Where nobody wants to hear of it nothing is posted.

use std::{sync::Arc, time::Duration};

use haul_core::TreePath;
use haul_store::{Dated, Durability, Kind, Letter, Meta, Pledge, StageId, StoreError};

use super::Depot;
use crate::{
    ServerError,
    hooks::{Happened, Hooks, Outcome, Pledged, Teller},
    log::Direction,
};

/// How what is told of an upload waits for its end.
pub(super) enum Telling {
    /// Posted, of what is to be there.
    Pledged(Pledged, TreePath, Pledge),
    /// Told when it is there: what is written in place is never staged, and no later server could see whether it is whole.
    Afterwards(Happened),
}

/// An upload that has all its bytes, of which these first were there before.
pub(super) fn complete(
    path: TreePath,
    teller: Arc<Teller>,
    size: u64,
    from: u64,
    took: Duration,
) -> Happened {
    Happened {
        outcome: Outcome::Complete,
        direction: Direction::Received,
        path,
        teller,
        size: Some(size),
        from,
        bytes: size.saturating_sub(from),
        took,
        kept: None,
        why: None,
    }
}

impl Depot {
    /// From now on these are told of what is published. Once.
    pub fn report_to(&self, hooks: Arc<Hooks>) {
        let _ = self.hooks.set(hooks);
    }

    /// Who is told.
    pub(crate) fn hooks(&self) -> Option<&Arc<Hooks>> {
        self.hooks.get()
    }

    /// Returns when the ledger has come to it, of uploads or, where nobody may write, of what is to be told.
    pub(crate) async fn turn(&self) -> Result<(), StoreError> {
        match self.hooks() {
            Some(hooks) => hooks.turn().await,
            None => self.ledger.turn().await,
        }
    }

    /// Posts what is told once this staged file is published.
    pub(super) async fn pledge(
        &self,
        stage: &StageId,
        told: impl FnOnce() -> Happened,
    ) -> Result<Option<Telling>, StoreError> {
        let Some(hooks) = self.hooks.get() else { return Ok(None) };
        let happened = told();
        if self.rules.in_place {
            return Ok(Some(Telling::Afterwards(happened)));
        }
        if !hooks.want(&happened) {
            return Ok(None);
        }
        let replaces = match self.store.stat(&happened.path).await {
            Ok(meta) => Some(Dated::from(meta.modified)),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let pledge = Pledge { stage: stage.clone(), size: happened.size.unwrap_or(0), replaces };
        let pledged = hooks.pledge(&happened, &pledge, self.rules.durability).await?;
        Ok(pledged.map(|pledged| Telling::Pledged(pledged, happened.path, pledge)))
    }

    /// It is published now, or not.
    pub(super) async fn redeem(&self, telling: Option<Telling>, published: &Result<Meta, StoreError>) {
        let (Some(telling), Some(hooks)) = (telling, self.hooks.get()) else { return };
        let (pledged, path, pledge) = match telling {
            Telling::Afterwards(happened) => {
                if published.is_ok() {
                    hooks.tell_for_certain(&happened).await;
                }
                return;
            }
            Telling::Pledged(pledged, path, pledge) => (pledged, path, pledge),
        };
        if published.is_ok() {
            return hooks.keep(pledged).await;
        }
        // It may have its name in spite of the error; and what is staged no more may have been taken away.
        match self.is_redeemed(&path, &pledge).await {
            Ok(true) => hooks.keep(pledged).await,
            Ok(false) => hooks.take_back(pledged).await,
            Err(_) => hooks.leave(pledged),
        }
    }

    /// What the last server has posted and not redeemed.
    pub(super) async fn see_to_pledges(&self) -> Result<(), ServerError> {
        let (mut kept, mut taken_back) = (Vec::new(), Vec::new());
        for letter in self.ledger.letters().await? {
            let Some(pledge) = &letter.pledge else { continue };
            match self.is_redeemed(&letter.path, pledge).await {
                Ok(true) => kept.push(Letter { pledge: None, ..letter }),
                Ok(false) => taken_back.push(letter.number),
                // A medium that is not there now may come back.
                Err(error) => {
                    tracing::warn!(path = %letter.path, %error, "whether a hook is to be told is not known yet");
                }
            }
        }
        if !kept.is_empty() {
            self.ledger.post(&kept, Durability::Full).await?;
        }
        Ok(self.ledger.unpost(&taken_back).await?)
    }

    async fn is_redeemed(&self, path: &TreePath, pledge: &Pledge) -> Result<bool, StoreError> {
        match self.store.staged(&pledge.stage).await {
            Ok(_) => return Ok(false),
            Err(StoreError::NotFound { .. }) if self.has_folder_of(path).await => {}
            Err(error) => return Err(error),
        }
        match self.store.stat(path).await {
            Ok(meta) => {
                let is_old = pledge.replaces.is_some_and(|date| date.is(meta.modified));
                Ok(meta.kind == Kind::File && meta.size == pledge.size && !is_old)
            }
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
