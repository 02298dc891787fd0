//! A folder read page by page, each name looked at as it comes; a link is followed and told as what it means.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, PoisonError},
};

use haul_core::{RESERVED, TreePath};
use rustix::{
    fs::{self, AtFlags, Dir, FileType},
    io::Errno,
};

use super::{fault::fault, seen, tree::Tree};
use crate::{Entry, Listing, StoreError, Work, tree::pool::hop};

/// How many names are looked at in one go.
const PAGE: usize = 512;

/// A folder that is being read.
pub(super) struct FsListing {
    tree: Arc<Tree>,
    folder: TreePath,
    /// Shared with a page that nobody waits for any more.
    dir: Arc<Mutex<Dir>>,
}

impl FsListing {
    pub(super) fn open(tree: Arc<Tree>, path: &TreePath) -> Result<Self, StoreError> {
        let opened = tree.folder(path).and_then(|folder| Ok(Dir::new(folder.fd)?));
        let dir = opened.map_err(|error| fault("listing", path, error))?;
        Ok(Self { tree, folder: path.clone(), dir: Arc::new(Mutex::new(dir)) })
    }
}

impl Listing for FsListing {
    fn next(&mut self) -> Work<'_, Vec<Entry>> {
        let (tree, folder, dir) = (Arc::clone(&self.tree), self.folder.clone(), Arc::clone(&self.dir));
        hop(&self.tree.pool, move || {
            let mut dir = dir.lock().unwrap_or_else(PoisonError::into_inner);
            page(&tree, &folder, &mut dir).map_err(|error| match Errno::from_io_error(&error) {
                // It could only be opened to be passed through.
                Some(Errno::BADF) => fault("listing", &folder, Errno::ACCESS),
                _ => fault("listing", &folder, error),
            })
        })
    }
}

fn page(tree: &Tree, folder: &TreePath, dir: &mut Dir) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while entries.len() < PAGE {
        let Some(read) = dir.read() else { break };
        let name = read?.file_name().to_bytes().to_vec();
        if can_be_told(&name, folder)
            && let Some(entry) = entry(tree, folder, dir.fd()?, name)?
        {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Whether a [`TreePath`] can have this name there.
fn can_be_told(name: &[u8], folder: &TreePath) -> bool {
    let ends_a_line = |byte: &u8| matches!(byte, b'\r' | b'\n');
    name != b"."
        && name != b".."
        && !name.eq_ignore_ascii_case(RESERVED.as_bytes())
        && !name.iter().any(ends_a_line)
        && (folder.as_bytes().len() + name.len() < 3800 || folder.join(name).is_ok())
}

/// `None` of what is gone meanwhile, is neither file nor folder, or means nothing in the tree.
fn entry(tree: &Tree, folder: &TreePath, dir: BorrowedFd<'_>, name: Vec<u8>) -> io::Result<Option<Entry>> {
    let looked =
        fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from).and_then(|seen| {
            if FileType::from_raw_mode(seen.st_mode) != FileType::Symlink {
                return tree.allowed(seen);
            }
            let path = folder.join(&name).map_err(|_| io::ErrorKind::NotFound)?;
            tree.allowed(tree.root.look(&path)?)
        });
    match looked {
        Ok(seen) => Ok(seen::meta(&seen, &tree.owners).map(|meta| Entry { name, meta })),
        // One name that cannot be looked at does not hide the others.
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(error),
        Err(_) => Ok(None),
    }
}
