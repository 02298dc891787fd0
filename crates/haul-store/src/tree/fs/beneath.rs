//! How a [`TreePath`] becomes an open file or folder, and why no path leads out of the tree or to what is haul's own.
//!
//! Linux opens a path beneath the root by one call that refuses every symbolic link. Where it meets one, where a name
//! could be another spelling of `.haul`, and on systems without the call, the path is [walked](super::walk) by hand,
//! each name looked at. Both ways end at an open folder and a plain name in it, or at an open file.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use haul_core::TreePath;
use rustix::{
    fs::{self, AtFlags, Mode, OFlags, Stat},
    io::Errno,
};

use super::walk::{End, Walk};
use crate::sys::tree::{PASSING, open_beneath};

/// How paths are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// By the system where it can.
    System,
    /// Always by hand: what is done where the system cannot.
    ByHand,
}

/// The root of a tree.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
    /// Its absolute path without a link in it: what an absolute link must begin with to lie within.
    real: Vec<u8>,
    resolver: Resolver,
}

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) fd: OwnedFd,
    /// Where it really is, no link on the way.
    pub(super) real: TreePath,
}

/// A name in an open folder; the name itself is not followed.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) folder: Folder,
    pub(super) name: Vec<u8>,
}

impl Spot {
    /// Where it really is, so that a name is one name by whatever link it was told.
    pub(super) fn real(&self) -> TreePath {
        // Only one that is too long has none, and the system knows no such file.
        self.folder.real.join(&self.name).unwrap_or_default()
    }
}

impl Beneath {
    pub(super) fn open_root(root: &Path, resolver: Resolver) -> io::Result<Self> {
        let real = root.canonicalize()?;
        let fd = fs::open(&real, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // Tried once: a sandbox may answer EPERM, which later could as well mean the file.
        let works = open_beneath(fd.as_fd(), b".", PASSING | OFlags::CLOEXEC, Mode::empty());
        let resolver = if matches!(works, Some(Ok(_))) { resolver } else { Resolver::ByHand };
        Ok(Self { root: fd, real: real.as_os_str().as_bytes().to_vec(), resolver })
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(super) fn real(&self) -> &[u8] {
        &self.real
    }

    /// As [`Self::real`]: for whoever runs the server, and no client.
    pub(super) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.real))
    }

    /// What the path means, looked at; never a symbolic link.
    pub(super) fn look(&self, path: &TreePath) -> io::Result<Stat> {
        if let Some(opened) = self.at_once(path, PASSING | OFlags::CLOEXEC)? {
            return Ok(fs::fstat(opened)?);
        }
        let walk = Walk::to(self, path)?;
        Ok(match walk.end() {
            End::Folder => fs::fstat(walk.here())?,
            End::Leaf(name) => fs::statat(walk.here(), name, AtFlags::SYMLINK_NOFOLLOW)?,
        })
    }

    /// What the path means, opened; never a symbolic link. `flags` create nothing.
    pub(super) fn open(&self, path: &TreePath, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        if let Some(opened) = self.at_once(path, flags)? {
            return Ok(opened);
        }
        let walk = Walk::to(self, path)?;
        let (here, end) = (walk.here(), walk.end());
        Ok(match end {
            End::Folder => fs::openat(here, ".", flags, Mode::empty())?,
            End::Leaf(name) => fs::openat(here, name, flags | OFlags::NOFOLLOW, Mode::empty())?,
        })
    }

    /// The folder of that name.
    pub(super) fn folder(&self, path: &TreePath) -> io::Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = match self.at_once(path, flags) {
            // One that may be entered and not read: names in it can be used all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.at_once(path, flags | PASSING)?
            }
            opened => opened?,
        };
        if let Some(fd) = opened {
            return Ok(Folder { fd, real: path.clone() });
        }
        let walk = Walk::to(self, path)?;
        if walk.end() != End::Folder {
            return Err(Errno::NOTDIR.into());
        }
        let fd = match fs::openat(walk.here(), ".", flags, Mode::empty()) {
            Err(Errno::ACCESS) => fs::openat(walk.here(), ".", flags | PASSING, Mode::empty())?,
            opened => opened?,
        };
        Ok(Folder { fd, real: walk.real()? })
    }

    /// The place of a name: its folder, opened. Of the root there is none.
    pub(super) fn spot(&self, path: &TreePath) -> io::Result<Spot> {
        let folder = self.folder(&path.parent().ok_or(Errno::BUSY)?)?;
        let name = path.name().to_vec();
        if super::walk::may_be_reserved(&name) && super::walk::is_reserved(folder.fd.as_fd(), &name)? {
            return Err(Errno::NOENT.into());
        }
        Ok(Spot { folder, name })
    }

    /// The place of what a name means: where a link at the end leads.
    pub(super) fn meaning(&self, path: &TreePath) -> io::Result<Spot> {
        let walk = Walk::to(self, path)?;
        let End::Leaf(name) = walk.end() else { return Err(Errno::ISDIR.into()) };
        let name = name.to_vec();
        let fd = fs::openat(
            walk.here(),
            ".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Spot { folder: Folder { fd, real: walk.real()? }, name })
    }

    /// Opened by one call of the system; `None` where it has to be walked.
    fn at_once(&self, path: &TreePath, flags: OFlags) -> io::Result<Option<OwnedFd>> {
        if self.resolver == Resolver::ByHand || path.names().any(super::walk::may_be_reserved) {
            return Ok(None);
        }
        match open_beneath(self.root(), path.as_bytes(), flags, Mode::empty()) {
            None | Some(Err(Errno::LOOP | Errno::AGAIN)) => Ok(None),
            Some(opened) => Ok(Some(opened?)),
        }
    }
}
