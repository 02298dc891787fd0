//! The tree as one account sees it: what may be looked at. What may be changed is in `changes`, what is sent to it in
//! `receiving`.

use std::sync::Arc;

use haul_core::{BadPath, TreePath};
use haul_store::{Reading, UploadKey};

use super::{Depot, Names, Peek, Seen, unfinished};
use crate::{ServerError, account::Account};

/// The tree as one account sees it; paths begin at its home.
#[derive(Clone)]
pub struct Visitor {
    depot: Arc<Depot>,
    account: Arc<Account>,
}

impl Visitor {
    pub(super) fn new(depot: Arc<Depot>, account: Account) -> Self {
        Self { depot, account: Arc::new(account) }
    }

    pub(super) fn depot(&self) -> &Arc<Depot> {
        &self.depot
    }

    /// Who it is.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Where a path of this account lies in the tree.
    pub(super) fn place(&self, path: &TreePath) -> Result<TreePath, ServerError> {
        // Its names are good ones, so it can only be too long.
        Ok(path.moved(&TreePath::ROOT, &self.account.home).ok_or(BadPath::TooLong)?)
    }

    /// This account's upload to a place.
    pub(super) fn key(&self, place: &TreePath) -> UploadKey {
        UploadKey { owner: self.account.owner(), path: place.clone() }
    }

    /// What has this name. Whoever may do anything here may know.
    pub async fn stat(&self, path: &TreePath) -> Result<Seen, ServerError> {
        let place = self.place(path)?;
        if let Some(seen) = self.depot.unfinished(&self.key(&place)).await? {
            return Ok(seen);
        }
        Ok(Seen { meta: self.depot.store.stat(&place).await?, unfinished: false })
    }

    /// What is in a folder.
    pub async fn list(&self, folder: &TreePath) -> Result<Names, ServerError> {
        if !self.account.may.list {
            return Err(ServerError::Denied);
        }
        let place = self.place(folder)?;
        let listing = self.depot.store.list(&place).await?;
        let mut own = std::collections::BTreeMap::new();
        if !self.depot.rules.in_place {
            let owner = self.account.owner();
            for (key, record) in self.depot.ledger.in_folder(&owner, &place).await? {
                let seen = unfinished::seen(&record.stage, record.offset, record.touched);
                own.insert(key.path.name().to_vec(), seen);
            }
            // What is under way says it better than what is remembered.
            own.extend(self.depot.seats.seen_in(&owner, &place));
        }
        Ok(Names::new(listing, own))
    }

    /// Opens a finished file; an unfinished upload of this account is [`ServerError::Unfinished`].
    pub async fn read(&self, path: &TreePath) -> Result<Reading, ServerError> {
        if !self.account.may.read {
            return Err(ServerError::Denied);
        }
        let place = self.place(path)?;
        if let Some(seen) = self.depot.unfinished(&self.key(&place)).await? {
            return Err(ServerError::Unfinished { at: seen.meta.size });
        }
        Ok(self.depot.store.read(&place).await?)
    }

    /// Whether what was read is still what it was.
    pub async fn unchanged(&self, reading: &Reading) -> Result<(), ServerError> {
        Ok(self.depot.store.unchanged(reading).await?)
    }

    /// Opens for a checksum: the unfinished upload first. Who may only write may compare what it has sent.
    pub async fn peek(&self, path: &TreePath) -> Result<Peek, ServerError> {
        let may = self.account.may;
        let place = self.place(path)?;
        if let Some(seen) = self.depot.unfinished(&self.key(&place)).await? {
            if !may.read && !may.write {
                return Err(ServerError::Denied);
            }
            let stage = haul_store::StageId(String::from_utf8_lossy(&seen.meta.unique).into_owned());
            return Ok(Peek::unfinished(self.depot.store.staged(&stage).await?, seen.meta.size));
        }
        if !may.read {
            return Err(ServerError::Denied);
        }
        Ok(Peek::finished(self.depot.store.read(&place).await?))
    }

    /// How many bytes may still be written there.
    pub async fn space(&self, path: &TreePath) -> Result<Option<u64>, ServerError> {
        if !self.account.may.write {
            return Err(ServerError::Denied);
        }
        Ok(self.depot.store.space(&self.place(path)?).await?)
    }
}
