//! What all parts of an open tree share: its root, its staging folders, and the calls on names, each as one blocking
//! piece of work.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use haul_core::{Modified, TreePath};
use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps},
    io::Errno,
};

use super::{
    beneath::{Beneath, Folder, Spot},
    dates::Dates,
    door::Door,
    fault::fault,
    gate::Gates,
    handles::Handles,
    home::Homes,
    seen::{self, Owners},
    turns::Turns,
};
use crate::{Body, Durability, Meta, Reading, StoreError, When, sys, tree::pool::Pool};

/// An open tree.
pub(super) struct Tree {
    pub(super) root: Beneath,
    pub(super) homes: Homes,
    pub(super) owners: Owners,
    pub(super) dates: Dates,
    pub(super) gates: Gates,
    pub(super) turns: Turns,
    pub(super) open: Handles,
    pub(super) door: Box<dyn Door>,
    pub(super) pool: Arc<dyn Pool>,
    /// Whether looking at names and making them is sooner done than handed to another thread: all of the tree is on
    /// local disks.
    pub(super) at_once: bool,
}

impl Tree {
    pub(super) fn stat(&self, path: &TreePath) -> Result<Meta, StoreError> {
        let seen = self.root.look(path).and_then(|seen| self.allowed(seen));
        let seen = seen.map_err(|error| fault("looking at", path, error))?;
        seen::meta(&seen, &self.owners).ok_or_else(|| StoreError::NotFound { path: super::fault::told(path) })
    }

    pub(super) fn read(&self, path: &TreePath) -> Result<Reading, StoreError> {
        let failed = |error| fault("opening", path, error);
        // O_NONBLOCK: a pipe must not be waited for. It means nothing for a file.
        let opened =
            self.root.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).map_err(failed)?;
        let seen = fs::fstat(&opened).map_err(|errno| failed(errno.into()))?;
        if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
            return Err(StoreError::NotAFile { path: super::fault::told(path) });
        }
        let meta = seen::meta(&seen, &self.owners);
        let meta = meta.ok_or_else(|| StoreError::NotAFile { path: super::fault::told(path) })?;
        Ok(Reading { meta, changed: Some(seen::changed(&seen)), body: Body::File(Arc::new(opened.into())) })
    }

    /// An open folder that paths may lead into.
    pub(super) fn folder(&self, path: &TreePath) -> io::Result<Folder> {
        let folder = self.root.folder(path)?;
        self.allowed(fs::fstat(&folder.fd)?)?;
        Ok(folder)
    }

    /// A name in an open folder that paths may lead into.
    pub(super) fn spot(&self, path: &TreePath) -> io::Result<Spot> {
        let spot = self.root.spot(path)?;
        self.allowed(fs::fstat(&spot.folder.fd)?)?;
        Ok(spot)
    }

    /// A name in an open folder, with what has it; the name itself is not followed. What a client cannot see is not
    /// there: a link that leads nowhere or out.
    pub(super) fn taken_spot(&self, path: &TreePath) -> io::Result<(Spot, Stat)> {
        let spot = self.spot(path)?;
        let seen = fs::statat(&spot.folder.fd, &spot.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(seen.st_mode) == FileType::Symlink {
            self.allowed(self.root.look(path)?)?;
        }
        Ok((spot, self.allowed(seen)?))
    }

    /// Where in the tree something is mounted.
    pub(super) fn mounts(&self) -> Vec<TreePath> {
        let places = sys::tree::mounts_below(self.root.real());
        places.iter().filter_map(|place| TreePath::ROOT.join(place).ok()).collect()
    }

    /// What is haul's own is not there.
    pub(super) fn allowed(&self, seen: Stat) -> io::Result<Stat> {
        if self.homes.hides((sys::tree::device(&seen), seen.st_ino)) {
            return Err(Errno::NOENT.into());
        }
        Ok(seen)
    }

    /// Makes the names in a folder durable where that is wanted, together with whoever else wants it.
    fn save_names(&self, folder: BorrowedFd<'_>, how: Durability) -> io::Result<()> {
        if how == Durability::Relaxed {
            return Ok(());
        }
        let seen = fs::fstat(folder)?;
        self.gates.pass((sys::tree::device(&seen), seen.st_ino), || self.door.sync_folder(folder))
    }

    pub(super) fn make_folder(&self, path: &TreePath, how: Durability) -> Result<(), StoreError> {
        let made = self.spot(path).and_then(|spot| {
            fs::mkdirat(&spot.folder.fd, &spot.name, Mode::RWXU | Mode::RWXG | Mode::RWXO)?;
            self.save_names(spot.folder.fd.as_fd(), how)
        });
        made.map_err(|error| fault("making", path, error))
    }

    pub(super) fn remove_folder(&self, path: &TreePath, how: Durability) -> Result<(), StoreError> {
        let removed = self.taken_spot(path).and_then(|(spot, seen)| {
            if FileType::from_raw_mode(seen.st_mode) != FileType::Directory {
                return Err(Errno::NOTDIR.into());
            }
            match fs::unlinkat(&spot.folder.fd, &spot.name, AtFlags::REMOVEDIR) {
                // What is haul's own does not count as in it.
                Err(Errno::NOTEMPTY | Errno::EXIST) if self.homes.leave(&self.folder(path)?)? => {
                    fs::unlinkat(&spot.folder.fd, &spot.name, AtFlags::REMOVEDIR)?;
                }
                removed => removed?,
            }
            self.dates.remember(&spot.real(), super::dates::now().seconds);
            self.save_names(spot.folder.fd.as_fd(), how)
        });
        removed.map_err(|error| fault("removing", path, error))
    }

    pub(super) fn remove(&self, path: &TreePath, when: &When, how: Durability) -> Result<(), StoreError> {
        let removed = self.taken_spot(path).and_then(|(spot, _)| {
            let turn = self.turns.take([(&spot, &fs::fstat(&spot.folder.fd)?)]);
            let seen = fs::statat(&spot.folder.fd, &spot.name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(seen.st_mode) == FileType::Directory {
                return Err(Errno::ISDIR.into());
            }
            if !self.is_met(when, path, &seen) {
                return Ok(Err(unmet(when, path)));
            }
            fs::unlinkat(&spot.folder.fd, &spot.name, AtFlags::empty())?;
            self.dates.remember(&spot.real(), seen::modified(&seen).seconds);
            drop(turn);
            self.save_names(spot.folder.fd.as_fd(), how).map(Ok)
        });
        removed.map_err(|error| fault("removing", path, error))?
    }

    /// Whether a name that this is what has it, is still what it is to be; a link is what it means.
    fn is_met(&self, when: &When, path: &TreePath, seen: &Stat) -> bool {
        match when {
            When::Always => true,
            When::Absent => false,
            When::Same(meta) if FileType::from_raw_mode(seen.st_mode) == FileType::Symlink => {
                let meant = self
                    .meant(path)
                    .and_then(|spot| Ok(fs::statat(&spot.folder.fd, &spot.name, AtFlags::SYMLINK_NOFOLLOW)?));
                meant.is_ok_and(|seen| seen::is(&seen, meta))
            }
            When::Same(meta) => seen::is(seen, meta),
        }
    }

    pub(super) fn rename(
        &self,
        from: &TreePath,
        to: &TreePath,
        when: &When,
        replace: bool,
        how: Durability,
    ) -> Result<(), StoreError> {
        let failed = |error| fault("renaming", from, error);
        let (old, _) = self.taken_spot(from).map_err(failed)?;
        let above = fs::fstat(&old.folder.fd).map_err(|errno| failed(errno.into()))?;
        let renamed = self.spot(to).and_then(|new| {
            let below = fs::fstat(&new.folder.fd)?;
            let turn = self.turns.take([(&old, &above), (&new, &below)]);
            let what = fs::statat(&old.folder.fd, &old.name, AtFlags::SYMLINK_NOFOLLOW)?;
            if !self.is_met(when, from, &what) {
                return Ok(Err(unmet(when, from)));
            }
            let kind = FileType::from_raw_mode(what.st_mode);
            let one = (above.st_dev, above.st_ino) == (below.st_dev, below.st_ino);
            if kind == FileType::Symlink && !one {
                // Elsewhere it could lead elsewhere, and what may be done where it stands would hold for where it leads.
                return Err(Errno::PERM.into());
            }
            let (folder, is_file) = (kind == FileType::Directory, kind == FileType::RegularFile);
            let there = match fs::statat(&new.folder.fd, &new.name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(seen) => Some(seen),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(errno.into()),
            };
            let over_file =
                there.is_some_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::RegularFile);
            // A folder, and what the tree does not show, is never replaced.
            let replace = replace && over_file && !folder;
            if replace || there.is_none() {
                let replaced = there.as_ref().map(|there| seen::modified(there).seconds);
                let date = self.dates.moved(&new.real(), seen::modified(&what), replaced).filter(|_| is_file);
                if let Some(times) = date.and_then(times) {
                    fs::utimensat(&old.folder.fd, &old.name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
            }
            sys::tree::rename_at(
                (old.folder.fd.as_fd(), &old.name),
                (new.folder.fd.as_fd(), &new.name),
                replace,
            )?;
            let was = if folder { super::dates::now().seconds } else { seen::modified(&what).seconds };
            self.dates.remember(&old.real(), was);
            if let Some(there) = there {
                self.dates.remember(&new.real(), seen::modified(&there).seconds);
            }
            drop(turn);
            // First where it is, so that it is never nowhere.
            self.save_names(new.folder.fd.as_fd(), how)?;
            if !one {
                self.save_names(old.folder.fd.as_fd(), how)?;
            }
            Ok(Ok(()))
        });
        renamed.map_err(|error| fault("renaming to", to, error))?
    }

    pub(super) fn set_modified(&self, path: &TreePath, to: Modified) -> Result<(), StoreError> {
        let set = self.meant(path).and_then(|spot| {
            let folder = &spot.folder.fd;
            let _turn = self.turns.take([(&spot, &fs::fstat(folder)?)]);
            let seen = fs::statat(folder, &spot.name, AtFlags::SYMLINK_NOFOLLOW)?;
            let times = times(to).ok_or(Errno::INVAL)?;
            fs::utimensat(folder, &spot.name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
            self.dates.remember(&spot.real(), seen::modified(&seen).seconds);
            Ok(())
        });
        set.map_err(|error| fault("setting the date of", path, error))
    }

    pub(super) fn set_mode(&self, path: &TreePath, mode: u32) -> Result<(), StoreError> {
        let set = self.root.look(path).and_then(|seen| {
            seen::meta(&self.allowed(seen)?, &self.owners).ok_or(Errno::NOENT)?;
            let opened = match self.root.open(path, sys::tree::PASSING) {
                // Where nothing can be opened only to be named, it has to be read.
                Err(_) => self.root.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?,
                Ok(opened) => opened,
            };
            sys::tree::set_mode(opened.as_fd(), mode & 0o777)
        });
        set.map_err(|error| fault("setting the mode of", path, error))
    }

    pub(super) fn space(&self, path: &TreePath) -> Result<Option<u64>, StoreError> {
        // Of what is not there yet, that of the folder which it would be in.
        let mut at = Some(path.clone());
        while let Some(path) = at {
            match self.root.open(&path, sys::tree::PASSING) {
                Ok(opened) => {
                    let free = fs::fstatvfs(opened).map_err(|errno| fault("looking at", &path, errno))?;
                    return Ok(Some(free.f_bavail.saturating_mul(free.f_frsize)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => at = path.parent(),
                Err(error) => return Err(fault("looking at", &path, error)),
            }
        }
        Ok(None)
    }

    /// The folder and the name of what a path means.
    fn meant(&self, path: &TreePath) -> io::Result<Spot> {
        let (spot, seen) = self.taken_spot(path)?;
        if FileType::from_raw_mode(seen.st_mode) != FileType::Symlink {
            return Ok(spot);
        }
        self.root.meaning(path)
    }
}

/// What is told of a name that is not what it was to be.
fn unmet(when: &When, path: &TreePath) -> StoreError {
    let path = super::fault::told(path);
    if *when == When::Absent { StoreError::Exists { path } } else { StoreError::Changed { path } }
}

/// A date for the system, the date of the last reading left alone; `None` of one that no file can have.
#[allow(clippy::useless_conversion, reason = "the type differs from system to system")]
pub(super) fn times(modified: Modified) -> Option<Timestamps> {
    Some(Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: modified.seconds.try_into().ok()?,
            tv_nsec: modified.nanos.into(),
        },
    })
}
