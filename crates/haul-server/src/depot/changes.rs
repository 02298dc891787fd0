//! What an account may do to names: each change first has the seats of the uploads that it concerns.
//!
//! A name means its owner's unfinished upload before the finished file. A folder takes along what is unfinished in it,
//! of every owner; what is still being received there is waited for as any second writer waits, and is
//! [`ServerError::Busy`] while bytes come.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use haul_core::{Modified, TreePath};
use haul_store::{Durability, Kind, StoreError, UploadKey, When};

use super::{Condition, Depot, Visitor, seats::Sitting, unfinished};
use crate::ServerError;

/// What of a name is to be renamed.
enum Which {
    /// The unfinished upload, or else what is finished.
    Unfinished,
    /// What is finished, while this holds of it.
    Published(When),
}

impl Visitor {
    /// Whether files and folders may be added at or below a path.
    pub fn may_add(&self, path: &TreePath) -> bool {
        !self.depot().read_only && self.account().may_at(path).write
    }

    fn may_write(&self, path: &TreePath) -> Result<(), ServerError> {
        if self.may_add(path) { Ok(()) } else { Err(ServerError::Denied) }
    }

    /// To change what is there, and not only to add to it.
    fn may_change(&self, permitted: bool) -> Result<(), ServerError> {
        if self.depot().read_only || !permitted || self.account().anonymous.is_some() {
            return Err(ServerError::Denied);
        }
        Ok(())
    }

    /// A name in this folder that nothing has, for STOU.
    pub async fn unique(&self, folder: &TreePath) -> Result<TreePath, ServerError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        self.may_write(folder)?;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("upload-{:x}-{:x}-{count:x}", unfinished::now(), std::process::id());
            let path = folder.join(name.as_bytes())?;
            let place = self.place(&path)?;
            let taken = self.depot().unfinished(&self.key(&place)).await?.is_some()
                || self.depot().what_is_replaced(&place).await?.is_some();
            if !taken {
                return Ok(path);
            }
        }
    }

    /// Makes a folder.
    pub async fn make_folder(&self, path: &TreePath) -> Result<(), ServerError> {
        if self.depot().read_only || !self.account().may_name(path).write {
            return Err(ServerError::Denied);
        }
        let place = self.place(path)?;
        if place.is_root() || self.depot().unfinished(&self.key(&place)).await?.is_some() {
            return Err(StoreError::Exists { path: PathBuf::from(place.to_string()) }.into());
        }
        self.count_folder(&place).await?;
        let made = self.depot().store.make_folder(&place, self.depot().rules.durability).await;
        self.folder_made(&place, made.is_ok());
        Ok(made?)
    }

    /// Removes an empty folder, and every unfinished upload that was to become something in it.
    pub async fn remove_folder(&self, path: &TreePath) -> Result<(), ServerError> {
        self.may_change(self.account().may_name(path).delete)?;
        let (depot, place) = (self.depot(), self.place(path)?);
        self.is_no_root(&place)?;
        let _seats = depot.sit_within(&place).await?;
        let weight = depot.weigh(&place).await;
        let removed = depot.store.remove_folder(&place, depot.rules.durability).await;
        let done = depot.is_done(&removed, &place).await;
        if let Some(size) = weight.filter(|_| done) {
            depot.quotas.gone(&place, size);
        }
        if !depot.rules.in_place && done {
            for (key, _) in depot.ledger.within(&place).await? {
                depot.drop_unfinished(&key).await?;
            }
        }
        Ok(removed?)
    }

    /// Drops the unfinished upload of that name, or else removes the file.
    pub async fn remove(&self, path: &TreePath) -> Result<(), ServerError> {
        self.may_change(self.account().may_name(path).delete)?;
        let (depot, place) = (self.depot(), self.place(path)?);
        let sitting = depot.sit(self.writes(&place)).await?;
        self.told().take(&place);
        if depot.drop_unfinished(&sitting.seat.key).await? {
            return Ok(());
        }
        let weight = depot.weigh(&place).await;
        depot.store.remove(&place, depot.rules.durability).await?;
        weight.into_iter().for_each(|size| depot.quotas.gone(&place, size));
        Ok(())
    }

    /// Removes the finished file of this name; where there is none, the unfinished upload.
    /// Whatever is removed still meets the condition.
    pub async fn remove_published(&self, path: &TreePath, condition: &Condition) -> Result<(), ServerError> {
        self.may_change(self.account().may_name(path).delete)?;
        let (depot, place) = (self.depot(), self.place(path)?);
        let sitting = depot.sit(self.writes(&place)).await?;
        let weight = depot.weigh(&place).await;
        match depot.store.remove_if(&place, condition.when(), depot.rules.durability).await {
            Err(error @ StoreError::NotFound { .. }) => {
                if depot.drop_unfinished(&sitting.seat.key).await? {
                    Ok(())
                } else {
                    Err(error.into())
                }
            }
            removed => {
                removed?;
                weight.into_iter().for_each(|size| depot.quotas.gone(&place, size));
                Ok(())
            }
        }
    }

    /// Renames: the unfinished upload of that name, or else the file or folder. A file that has the new name is replaced,
    /// now or when the upload is finished, and an unfinished upload of that name is dropped; a folder never is.
    pub async fn rename(&self, from: &TreePath, to: &TreePath) -> Result<(), ServerError> {
        self.renames(from, to, Which::Unfinished, true).await
    }

    /// As [`Self::rename`], but never the unfinished upload: it stays, and becomes what has the old name then.
    /// Whatever is renamed still meets the condition; a file that has the new name is replaced only if `replace`.
    pub async fn rename_published(
        &self,
        from: &TreePath,
        to: &TreePath,
        condition: &Condition,
        replace: bool,
    ) -> Result<(), ServerError> {
        self.renames(from, to, Which::Published(condition.when()), replace).await
    }

    async fn renames(
        &self,
        from: &TreePath,
        to: &TreePath,
        which: Which,
        replace: bool,
    ) -> Result<(), ServerError> {
        self.may_change(self.account().may_move(from, to))?;
        let (depot, old, new) = (self.depot(), self.place(from)?, self.place(to)?);
        let how = depot.rules.durability;
        self.is_no_root(&old)?;
        self.is_no_root(&new)?;
        if old == new {
            return self.stat(from).await.map(drop);
        }
        let here = depot.sit(self.writes(&old)).await?;
        let there = depot.sit(self.writes(&new)).await?;
        self.told().take(&old);
        self.told().take(&new);
        let when = match which {
            Which::Unfinished if depot.unfinished(&here.seat.key).await?.is_some() => {
                let replaced = depot.what_is_replaced(&new).await?;
                if !depot.store.is_one_medium(&old, &new) {
                    return Err(StoreError::OtherMedium { path: PathBuf::from(new.to_string()) }.into());
                }
                let replaces = replaced.map(|meta| meta.size);
                return self.rename_unfinished(&here.seat.key, &there.seat.key, replaces).await;
            }
            Which::Unfinished => When::Always,
            Which::Published(when) => when,
        };
        match depot.store.stat(&old).await?.kind {
            Kind::File => {
                let (moved, replaced) = (depot.weigh(&old).await, depot.weigh(&new).await);
                let renamed = depot.store.rename_if(&old, &new, when, replace, how).await;
                if depot.is_done(&renamed, &old).await {
                    depot.file_moved(&old, &new, moved, replaced).await;
                    depot.drop_unfinished(&there.seat.key).await?;
                }
                renamed?;
            }
            // The store has words for it.
            Kind::Folder if new.is_within(&old) => depot.store.rename(&old, &new, false, how).await?,
            Kind::Folder => {
                let _inside = depot.sit_within(&old).await?;
                let renamed = depot.store.rename(&old, &new, false, how).await;
                if depot.is_done(&renamed, &old).await {
                    depot.drop_unfinished(&there.seat.key).await?;
                    if !depot.rules.in_place {
                        depot.ledger.moved(None, &old, &new).await?;
                    }
                    depot.quotas.folder_moved(&old, &new);
                }
                renamed?;
            }
        }
        Ok(())
    }

    /// Sets the date of a file. An unfinished upload has none yet: [`ServerError::Unfinished`].
    pub async fn set_modified(&self, path: &TreePath, to: Modified) -> Result<(), ServerError> {
        let place = self.settable(path).await?;
        Ok(self.depot().store.set_modified(&place, to).await?)
    }

    /// Sets permission bits; of an unfinished upload as with its date.
    pub async fn set_mode(&self, path: &TreePath, mode: u32) -> Result<(), ServerError> {
        let place = self.settable(path).await?;
        Ok(self.depot().store.set_mode(&place, mode).await?)
    }

    async fn settable(&self, path: &TreePath) -> Result<TreePath, ServerError> {
        self.may_change(self.account().may_at(path).write)?;
        let place = self.place(path)?;
        match self.depot().unfinished(&self.key(&place)).await? {
            Some(seen) => Err(ServerError::Unfinished { at: seen.meta.size }),
            None => Ok(place),
        }
    }

    /// Gives an unfinished upload another name, and gives up what has that; `replaces` is the size of the file there. What
    /// it was a continuation of is another name's.
    async fn rename_unfinished(
        &self,
        from: &UploadKey,
        to: &UploadKey,
        replaces: Option<u64>,
    ) -> Result<(), ServerError> {
        self.upload_may_replace(from, replaces)?;
        let depot = self.depot();
        depot.drop_unfinished(to).await?;
        depot.ledger.moved(Some(&from.owner), &from.path, &to.path).await?;
        depot.quotas.upload_moved(from, to, replaces);
        let (lease, known) = depot.ledger.claim(to).await?;
        if let Some(mut record) = known
            && record.base.take().is_some()
        {
            depot.ledger.save(&lease, &record, Durability::Full).await?;
        }
        Ok(())
    }

    /// The account's own root stays where it is.
    fn is_no_root(&self, place: &TreePath) -> Result<(), ServerError> {
        if *place == self.account().home || place.is_root() { Err(ServerError::Denied) } else { Ok(()) }
    }
}

impl Depot {
    /// Whether a change is made that takes this name away: also one that could not be made to survive a power cut. What
    /// follows from it follows then too. What was not there to begin with (a medium that is not mounted) was not changed.
    async fn is_done(&self, change: &Result<(), StoreError>, gone: &TreePath) -> bool {
        match change {
            Ok(()) => true,
            Err(StoreError::NotFound { .. } | StoreError::NotAFolder { .. }) => false,
            Err(_) => matches!(self.store.stat(gone).await, Err(StoreError::NotFound { .. })),
        }
    }

    /// The seats of all that is being received within a folder.
    async fn sit_within(self: &std::sync::Arc<Self>, folder: &TreePath) -> Result<Vec<Sitting>, ServerError> {
        let mut seats = Vec::new();
        for key in self.seats.within(folder) {
            // The folder's own name is nobody's upload; whoever changes it has that seat already.
            if key.path != *folder {
                seats.push(self.sit(key).await?);
            }
        }
        Ok(seats)
    }
}
