//! A path walked by hand, name by name: symbolic links are read and followed within the tree, at most forty of them; one
//! that leads out, to nothing, or to what is haul's own is as if it were not there.
//!
//! Every folder on the way stays open, so `..` in a link goes back to where the walk came from and not to where the disk
//! says that the folder is by now.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use haul_core::{RESERVED, TreePath};
use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use super::beneath::Beneath;
use crate::sys::tree::{PASSING, device};

/// The most links on one way, as of Linux.
const MOST_LINKS: u32 = 40;

/// Where a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End<'a> {
    /// At a folder: the one it is in.
    Folder,
    /// At something else, by this name in the folder it is in.
    Leaf(&'a [u8]),
}

/// A walk that has ended.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    root: &'a Beneath,
    /// The folders gone through, below the root.
    passed: Vec<(Vec<u8>, OwnedFd)>,
    leaf: Option<Vec<u8>>,
    links: u32,
}

impl<'a> Walk<'a> {
    /// Walks all of `path`, and follows what the last name means.
    pub(super) fn to(root: &'a Beneath, path: &TreePath) -> io::Result<Self> {
        let mut walk = Self { root, passed: Vec::new(), leaf: None, links: 0 };
        let mut ahead: VecDeque<Vec<u8>> = path.names().map(<[u8]>::to_vec).collect();
        while let Some(name) = ahead.pop_front() {
            walk.step(name, &mut ahead)?;
        }
        Ok(walk)
    }

    /// The folder it is in.
    pub(super) fn here(&self) -> BorrowedFd<'_> {
        self.passed.last().map_or(self.root.root(), |(_, fd)| fd.as_fd())
    }

    pub(super) fn end(&self) -> End<'_> {
        self.leaf.as_deref().map_or(End::Folder, End::Leaf)
    }

    /// Where the folder that it is in really is.
    pub(super) fn real(&self) -> io::Result<TreePath> {
        let names: Vec<&[u8]> = self.passed.iter().map(|(name, _)| name.as_slice()).collect();
        TreePath::ROOT.join(&names.join(&b'/')).map_err(|_| Errno::NOENT.into())
    }

    fn step(&mut self, name: Vec<u8>, ahead: &mut VecDeque<Vec<u8>>) -> io::Result<()> {
        match name.as_slice() {
            b"" | b"." => return Ok(()),
            // Above the root there is nothing.
            b".." => return self.passed.pop().map(drop).ok_or_else(|| Errno::NOENT.into()),
            name if may_be_reserved(name) && is_reserved(self.here(), name)? => {
                return Err(Errno::NOENT.into());
            }
            _ => {}
        }
        let seen = fs::statat(self.here(), &name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(seen.st_mode) {
            FileType::Symlink => self.follow(name, ahead),
            FileType::Directory => {
                let flags = PASSING | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match fs::openat(self.here(), &name, flags, Mode::empty()) {
                    Err(Errno::LOOP | Errno::NOTDIR) => self.again(name, ahead),
                    opened => {
                        self.passed.push((name, opened?));
                        Ok(())
                    }
                }
            }
            _ if ahead.is_empty() => {
                self.leaf = Some(name);
                Ok(())
            }
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    /// The name became something else between two looks at it: looked at once more, which counts as a link, so that
    /// it ends.
    fn again(&mut self, name: Vec<u8>, ahead: &mut VecDeque<Vec<u8>>) -> io::Result<()> {
        self.count()?;
        ahead.push_front(name);
        Ok(())
    }

    fn count(&mut self) -> io::Result<()> {
        self.links += 1;
        if self.links > MOST_LINKS { Err(Errno::NOENT.into()) } else { Ok(()) }
    }

    fn follow(&mut self, name: Vec<u8>, ahead: &mut VecDeque<Vec<u8>>) -> io::Result<()> {
        let target = match fs::readlinkat(self.here(), &name, Vec::new()) {
            Err(Errno::INVAL) => return self.again(name, ahead),
            read => read?.into_bytes(),
        };
        self.count()?;
        let mut rest = target.as_slice();
        if rest.first() == Some(&b'/') {
            let root = self.root.real();
            rest = rest.strip_prefix(root.strip_suffix(b"/").unwrap_or(root)).ok_or(Errno::NOENT)?;
            if rest.first().is_some_and(|byte| *byte != b'/') {
                return Err(Errno::NOENT.into());
            }
            self.passed.clear();
        }
        for name in rest.split(|byte| *byte == b'/').rev() {
            ahead.push_front(name.to_vec());
        }
        Ok(())
    }
}

/// Whether a name is `.haul` or could be another spelling of it: FAT and NTFS know `HAUL~1`, and drop dots and blanks
/// at the end.
pub(super) fn may_be_reserved(name: &[u8]) -> bool {
    let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins(RESERVED.as_bytes()) || begins(b"haul~")
}

/// Whether such a name really is `.haul` in this folder.
pub(super) fn is_reserved(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
    if name.eq_ignore_ascii_case(RESERVED.as_bytes()) {
        return Ok(true);
    }
    let look = |name: &[u8]| match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(seen) => Ok(Some((device(&seen), seen.st_ino))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(io::Error::from(errno)),
    };
    Ok(match look(RESERVED.as_bytes())? {
        None => false,
        own => own == look(name)?,
    })
}
