//! How a partial ends: published, set aside, or discarded. Every step leaves the folder in a state from which the
//! next run knows what to do.

use std::io;
use std::path::PathBuf;

use super::names::with_suffix;
use super::{FsPartial, Names};
use crate::disk::{Disk, DiskFile, FileId};
use crate::{Publish, StoreError};

impl<D: Disk> FsPartial<D> {
    /// Bytes and date, then the name, then the folder; only then the journal, without which the bytes would be nobody's
    /// should the rename have got lost.
    pub(super) fn publish_now(self, how: Publish) -> Result<(), StoreError> {
        let _gate = self.gate();
        let whole = self.whole()?;
        if self.file.len().map_err(self.part_error("measuring"))? > whole {
            self.file.set_len(whole).map_err(self.part_error("cutting"))?;
        }
        if let Some((seconds, nanos)) = how.modified {
            // A file system that takes no dates is no reason to keep a whole file back.
            let _ = self.file.set_modified(seconds, nanos);
        }
        if how.replace {
            // What only its owner could read stays so. A file system without permissions keeps no file back.
            let _ = self.file.take_permissions_of(&self.names.target);
        }
        if let Err(error) = self.file.sync_all() {
            self.withdraw_unsynced();
            return Err(self.part_error("saving")(error));
        }
        self.give_name(how.replace)?;
        let dir = &self.names.dir;
        self.disk.sync_dir(dir).map_err(|error| StoreError::at("saving", dir, error))?;
        let state = self.state();
        remove_journal(&self.disk, &self.names, Some(&*state.journal.file))?;
        self.disk.sync_dir(dir).map_err(|error| StoreError::at("saving", dir, error))
    }

    fn give_name(&self, replace: bool) -> Result<(), StoreError> {
        let Names { part, target, .. } = &self.names;
        let at = |error| StoreError::at("publishing", target, error);
        let ours = still_named(&self.disk, &self.names, &self.file)?;
        // An earlier run gave the name by a link and was stopped before it took the other one away. To rename one
        // link of a file to another does nothing. Where files have no identity nothing can be told by it.
        if cfg!(unix) && self.disk.id_at(target).map_err(at)? == Some(ours) {
            return self.disk.remove(part).map_err(at);
        }
        let named = if replace { self.disk.rename(part, target) } else { self.disk.rename_new(part, target) };
        named.map_err(at)
    }

    /// The length of the file, if it is whole: claimed from its first byte to its last.
    fn whole(&self) -> Result<u64, StoreError> {
        let state = self.quiet()?;
        let held = state.claims.held().written;
        let size = state.claims.subject.as_ref().and_then(|subject| subject.size);
        let first = held.first_missing(0);
        if first == held.end() && size.is_none_or(|size| size == first) {
            return Ok(first);
        }
        Err(StoreError::Incomplete { path: self.names.part.clone(), held: first, size })
    }
}

/// Which file this is, if NAME.part is still its name. The lock is on the file: whoever takes the name away and begins
/// another one there is hindered by nobody, and what then has the name is not ours to rename.
pub(super) fn still_named<D: Disk>(disk: &D, names: &Names, file: &D::File) -> Result<FileId, StoreError> {
    let at = |error| StoreError::at("looking at", &names.part, error);
    let ours = file.id().map_err(at)?;
    if disk.id_at(&names.part).map_err(at)? == Some(ours) {
        return Ok(ours);
    }
    Err(StoreError::TakenAway { path: names.part.clone() })
}

/// Renames NAME.part to the first free one of NAME.`suffix`, NAME.`suffix`.1 …
pub(super) fn set_aside<D: Disk>(
    disk: &D,
    names: &Names,
    file: &D::File,
    journal: Option<&D::File>,
    suffix: &str,
) -> Result<PathBuf, StoreError> {
    still_named(disk, names, file)?;
    let first = with_suffix(&names.target, &format!(".{suffix}"));
    let mut aside = first.clone();
    let mut number = 0_u64;
    loop {
        match disk.rename_new(&names.part, &aside) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                aside = with_suffix(&first, &format!(".{number}"));
            }
            Err(error) => return Err(StoreError::at("renaming", &names.part, error)),
        }
    }
    remove_journal(disk, names, journal)?;
    disk.sync_dir(&names.dir).map_err(|error| StoreError::at("saving", &names.dir, error))?;
    Ok(aside)
}

/// The journal goes first: as long as NAME.part is there and locked, nobody can begin another one under this name.
pub(super) fn discard<D: Disk>(
    disk: &D,
    names: &Names,
    file: &D::File,
    journal: Option<&D::File>,
) -> Result<(), StoreError> {
    still_named(disk, names, file)?;
    remove_journal(disk, names, journal)?;
    remove(disk, &names.journal_new)?;
    remove(disk, &names.part)?;
    disk.sync_dir(&names.dir).map_err(|error| StoreError::at("saving", &names.dir, error))
}

/// Removes our journal. Once NAME.part has gone another process may have begun anew, and its journal is not ours.
fn remove_journal<D: Disk>(disk: &D, names: &Names, journal: Option<&D::File>) -> Result<(), StoreError> {
    let at = |error| StoreError::at("removing", &names.journal, error);
    let ours = match journal {
        Some(journal) => Some(journal.id().map_err(at)?) == disk.id_at(&names.journal).map_err(at)?,
        None => true,
    };
    if ours { remove(disk, &names.journal) } else { Ok(()) }
}

/// Removes a name that may have gone already.
pub(super) fn remove<D: Disk>(disk: &D, path: &std::path::Path) -> Result<(), StoreError> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::at("removing", path, error)),
        _ => Ok(()),
    }
}
