//! How a staged file becomes visible: dressed as a file created there would be, dated, saved, renamed, and its folder
//! saved. Until the rename it is staged, after it whole; there is nothing between.
//!
//! ```text
//!  target's folder ─ other medium? ─ copied there first
//!        │
//!  its turn ─ condition ─ dress ─ date ─ save the file (Full) ─ assent ─ RENAME ─ save the folder (Full, shared)
//! ```

use std::{fs::File, io, os::fd::AsFd, sync::Arc};

use haul_core::TreePath;
use rustix::{
    fs::{self, Access, AtFlags, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::{
    beneath::{Folder, Spot},
    door::Named,
    dress::dress,
    fault::{fault, told},
    home::Home,
    seen,
    staged::{Place, Received, copy},
    tree::{Tree, times},
};
use crate::{
    Assent, Durability, Meta, StoreError, When,
    sys::tree::{device, identity, medium},
};

/// What a received file is to become.
pub(super) struct Terms {
    pub(super) target: TreePath,
    pub(super) when: When,
    pub(super) how: Durability,
}

/// Gives a received file its name.
pub(super) fn publish(received: &Received, terms: &Terms, assent: Assent) -> Result<Meta, StoreError> {
    received.close()?;
    let tree = &*received.tree;
    let target = &terms.target;
    let (home, name) = match &received.place {
        Place::Staged { home, name } => (home, name),
        // It has its name: there is nothing to assent to.
        Place::InPlace { created } => return in_place(received, target, *created, terms.how),
    };
    received.trim()?;
    let failed = |error| fault("publishing", target, error);
    let (spot, _) = destination(tree, target)?;
    let folder = fs::fstat(&spot.folder.fd).map_err(|errno| failed(errno.into()))?;
    if medium(spot.folder.fd.as_fd()).map_err(failed)? == home.medium {
        let file = &Whole { file: &received.file, home, name };
        let give = Give { tree, terms, spot: &spot, folder };
        return give.run(file, received.is_saved(), || received.save_all(), assent);
    }
    // Its target has been moved to another medium since it was begun.
    let (new_home, new_name, copied) = carried(received, &spot).map_err(failed)?;
    let file = &Whole { file: &copied, home: &new_home, name: &new_name };
    let save = || tree.door.sync_all(&copied).map_err(|error| fault("saving", target, error));
    let done = Give { tree, terms, spot: &spot, folder }.run(file, false, save, assent);
    let (unneeded, name) = if done.is_ok() { (home, name) } else { (&new_home, &new_name) };
    // What stays behind is no harm: a sweep takes it.
    let _ = fs::unlinkat(&unneeded.staging, name.as_str(), AtFlags::empty());
    done
}

/// A file under its name in a staging folder.
struct Whole<'a> {
    file: &'a File,
    home: &'a Home,
    name: &'a str,
}

/// What is to be done with it.
struct Give<'a> {
    tree: &'a Tree,
    terms: &'a Terms,
    spot: &'a Spot,
    folder: Stat,
}

impl Give<'_> {
    fn run(
        self,
        whole: &Whole<'_>,
        saved: bool,
        save: impl FnOnce() -> Result<(), StoreError>,
        assent: Assent,
    ) -> Result<Meta, StoreError> {
        let &Terms { ref target, ref when, how } = self.terms;
        let failed = |error| fault("publishing", target, error);
        let into = self.spot.folder.fd.as_fd();
        let turn = self.tree.turns.take([(self.spot, &self.folder)]);
        let there = look(self.spot).map_err(failed)?;
        self.check(there.as_ref())?;
        let dressed = dress(whole.file, into, &self.folder).map_err(failed)?;
        let dated = self.date(whole.file, there.as_ref()).map_err(failed)?;
        if how == Durability::Full && (!saved || dressed || dated) {
            save()?;
        }
        // A name changes nothing of this; after it there is only what cannot be done before.
        let meta = told_as(self.tree, whole.file, target)?;
        if !assent() {
            return Err(StoreError::Withdrawn { path: told(target) });
        }
        // Between the look at what has the name and this rename, another program may put something there that is then
        // replaced. A name that was free is guarded by the rename itself.
        let replace = *when != When::Absent;
        let door = &self.tree.door;
        let from = Named(whole.home.staging.as_fd(), whole.name.as_bytes());
        door.rename(from, Named(into, &self.spot.name), replace).map_err(failed)?;
        drop(turn);
        if how == Durability::Full {
            let id = (device(&self.folder), self.folder.st_ino);
            self.tree.gates.pass(id, || door.sync_folder(into)).map_err(failed)?;
        }
        Ok(meta)
    }

    /// Whether what has the name may be replaced.
    fn check(&self, there: Option<&Stat>) -> Result<(), StoreError> {
        if there.is_some_and(|seen| FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile) {
            return Err(StoreError::NotAFile { path: told(&self.terms.target) });
        }
        match (&self.terms.when, there) {
            (When::Always, _) | (When::Absent, None) => Ok(()),
            (When::Absent, Some(_)) => Err(StoreError::Exists { path: told(&self.terms.target) }),
            (When::Same(meta), Some(seen)) if seen::is(seen, meta) => Ok(()),
            (When::Same(_), _) => Err(StoreError::Changed { path: told(&self.terms.target) }),
        }
    }

    /// Dates the file so that no earlier one of that name had the same second; whether that took a change.
    fn date(&self, file: &File, there: Option<&Stat>) -> io::Result<bool> {
        let replaced = there.map(|seen| seen::modified(seen).seconds);
        let written = seen::modified(&fs::fstat(file)?);
        let Some(date) = self.tree.dates.next(&self.spot.real(), written, replaced) else { return Ok(false) };
        fs::futimens(file, &times(date).ok_or(Errno::INVAL)?)?;
        Ok(true)
    }
}

/// Where the target's name is to be given, and what has it: a link there is what it means.
fn destination(tree: &Tree, target: &TreePath) -> Result<(Spot, Option<Stat>), StoreError> {
    let failed = |error| fault("publishing", target, error);
    let spot = tree.spot(target).map_err(failed)?;
    let there = look(&spot).map_err(failed)?;
    if there.is_some_and(|seen| FileType::from_raw_mode(seen.st_mode) == FileType::Symlink) {
        // One that leads nowhere or out of the tree was put there by somebody who must know what for.
        let spot = tree.root.meaning(target).map_err(|_| StoreError::NotAFile { path: told(target) })?;
        let there = look(&spot).map_err(failed)?;
        return Ok((spot, there));
    }
    Ok((spot, there))
}

/// The file at `target`, if it is the one of this mark, with its name as safe as if it had just been given.
pub(super) fn became(
    tree: &Tree,
    target: &TreePath,
    mark: &[u8],
    how: Durability,
) -> Result<Option<Meta>, StoreError> {
    if target.is_root() {
        return Ok(None);
    }
    let (spot, there) = match destination(tree, target) {
        Err(StoreError::NotFound { .. } | StoreError::NotAFile { .. } | StoreError::NotAFolder { .. }) => {
            return Ok(None);
        }
        found => found?,
    };
    let failed = |error| fault("looking at", target, error);
    let is_file = |seen: &Stat| FileType::from_raw_mode(seen.st_mode) == FileType::RegularFile;
    let Some(there) = there.filter(is_file) else { return Ok(None) };
    let folder = spot.folder.fd.as_fd();
    if mark.is_empty() || identity(folder, &spot.name).map_err(failed)? != mark {
        return Ok(None);
    }
    if how == Durability::Full {
        // Whoever gave it its name may have been killed before this.
        let seen = fs::fstat(folder).map_err(|errno| failed(errno.into()))?;
        let id = (device(&seen), seen.st_ino);
        tree.gates.pass(id, || tree.door.sync_folder(folder)).map_err(failed)?;
    }
    Ok(seen::meta(&there, &tree.owners))
}

/// The folder in which a file can be given this name: it takes new names, and nothing is there that a file cannot
/// replace.
pub(super) fn takes_a_file(tree: &Tree, target: &TreePath) -> Result<Folder, StoreError> {
    if target.is_root() {
        return Err(StoreError::NotAFile { path: told(target) });
    }
    let (spot, there) = destination(tree, target)?;
    if there.is_some_and(|seen| FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile) {
        return Err(StoreError::NotAFile { path: told(target) });
    }
    fs::accessat(&spot.folder.fd, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty())
        .map_err(|errno| fault("staging", target, errno))?;
    Ok(spot.folder)
}

/// What has a name now.
fn look(spot: &Spot) -> io::Result<Option<Stat>> {
    match fs::statat(&spot.folder.fd, &spot.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(seen) => Ok(Some(seen)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// A copy in the staging folder of the target's own medium.
fn carried(received: &Received, spot: &Spot) -> io::Result<(Arc<Home>, String, File)> {
    let tree = &*received.tree;
    let home = tree.homes.for_folder(&tree.root, &spot.folder, &*tree.door)?;
    let name = super::home::new_name();
    let file = created(&home, &name)?;
    match copy(&received.file, 0, (&file, 0), received.len()) {
        Ok(_) => Ok((home, name, file)),
        Err(error) => {
            let _ = fs::unlinkat(&home.staging, name.as_str(), AtFlags::empty());
            Err(error)
        }
    }
}

/// A new file in a staging folder, with the mode that the umask gives: nobody else can enter the folder.
pub(super) fn created(home: &Home, name: &str) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(&home.staging, name, flags, Mode::from_raw_mode(0o666)).map(File::from)
}

/// The name is there already: what remains is to save it. Neither target nor condition say anything more.
fn in_place(
    received: &Received,
    target: &TreePath,
    created: bool,
    how: Durability,
) -> Result<Meta, StoreError> {
    let tree = &*received.tree;
    if how == Durability::Full {
        if !received.is_saved() {
            received.save_all()?;
        }
        if created {
            let failed = |error| fault("saving", target, error);
            let (spot, _) = destination(tree, target)?;
            let folder = fs::fstat(&spot.folder.fd).map_err(|errno| failed(errno.into()))?;
            let fd = spot.folder.fd.as_fd();
            let id = (device(&folder), folder.st_ino);
            tree.gates.pass(id, || tree.door.sync_folder(fd)).map_err(failed)?;
        }
    }
    told_as(tree, &received.file, target)
}

fn told_as(tree: &Tree, file: &File, target: &TreePath) -> Result<Meta, StoreError> {
    let seen = fs::fstat(file).map_err(|errno| fault("looking at", target, errno))?;
    seen::meta(&seen, &tree.owners).ok_or_else(|| StoreError::NotAFile { path: told(target) })
}
