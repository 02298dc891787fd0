//! The tree on a file system: finished files are files, folders are folders, and what is unfinished lies in `.haul`,
//! which no path can name ([`TreePath`]) and no link leads into.
//!
//! ```text
//!  FsStore ──Pool─▶ Tree ──▶ Beneath ──▶ Walk        a path becomes an open file or a name in an open folder
//!                    ├─────▶ Homes                   where unfinished bytes lie
//!                    ├─────▶ Received ──▶ publish    bytes come in, get a name
//!                    └─────▶ Turns, Dates, Gates, Door   whose turn, what date, whose sync, which system call
//! ```
//!
//! Every call is one job for the [`Pool`]. It knows no user and no protocol.

mod beneath;
mod dates;
mod door;
mod dress;
mod fault;
mod gate;
mod handles;
mod home;
mod listing;
mod publish;
mod scattered;
mod seen;
mod staged;
mod take;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
mod tree;
mod turns;
mod walk;

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use haul_core::{Modified, TreePath};
use rustix::{
    fs::{self, FileType, Mode, OFlags},
    io::Errno,
};

pub use beneath::Resolver;

use self::{
    beneath::{Beneath, Folder},
    fault::fault,
    listing::FsListing,
    staged::{FsStaged, Place},
    tree::Tree,
};
use crate::{
    Body, Durability, Geometry, Listing, Meta, Reading, StageId, Staged, Store, StoreError, Watch, When,
    Work, sys,
    tree::pool::{Pool, hop},
};

/// A tree of files below a folder.
#[derive(Clone)]
pub struct FsStore {
    tree: Arc<Tree>,
}

impl FsStore {
    /// Opens the folder `root` as a tree. Nothing is made and nothing written before the first upload. Blocking calls
    /// run in `pool`.
    pub fn open(root: &Path, pool: Arc<dyn Pool>) -> Result<Self, StoreError> {
        Self::open_with(root, pool, Resolver::System)
    }

    /// As [`Self::open`], with somebody who hears how long it takes to make something durable.
    pub fn watched(root: &Path, pool: Arc<dyn Pool>, watch: Arc<dyn Watch>) -> Result<Self, StoreError> {
        Self::behind(root, pool, Resolver::System, Box::new(door::Watched(watch)))
    }

    /// As [`Self::open`], with another way to resolve paths.
    pub fn open_with(root: &Path, pool: Arc<dyn Pool>, resolver: Resolver) -> Result<Self, StoreError> {
        Self::behind(root, pool, resolver, Box::new(door::Real))
    }

    fn behind(
        root: &Path,
        pool: Arc<dyn Pool>,
        resolver: Resolver,
        door: Box<dyn door::Door>,
    ) -> Result<Self, StoreError> {
        let failed = |error: io::Error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => StoreError::NotFound { path: root.to_path_buf() },
            Some(Errno::NOTDIR) => StoreError::NotAFolder { path: root.to_path_buf() },
            _ => StoreError::at("opening", root, error),
        };
        let beneath = Beneath::open_root(root, resolver).map_err(failed)?;
        let mut tree = Tree {
            root: beneath,
            homes: home::Homes::default(),
            owners: seen::Owners::default(),
            dates: dates::Dates::default(),
            gates: gate::Gates::default(),
            turns: turns::Turns::default(),
            open: handles::Handles::default(),
            door,
            pool,
            at_once: false,
        };
        tree.at_once = sys::answers_at_once(root) && tree.mounts().is_empty();
        // What an earlier run has left is out of reach from the start, also where it is mounted once more.
        tree.homes.look(&tree.root).map_err(failed)?;
        Ok(Self { tree: Arc::new(tree) })
    }

    fn hop<T: Send + 'static>(
        &self,
        path: &TreePath,
        job: impl FnOnce(&Arc<Tree>, &TreePath) -> Result<T, StoreError> + Send + 'static,
    ) -> Work<'static, T> {
        let (tree, path) = (Arc::clone(&self.tree), path.clone());
        hop(&self.tree.pool, move || job(&tree, &path))
    }

    /// As [`Self::hop`], for what a local disk does in some microseconds.
    fn soon<T: Send + 'static>(
        &self,
        path: &TreePath,
        job: impl FnOnce(&Arc<Tree>, &TreePath) -> Result<T, StoreError> + Send + 'static,
    ) -> Work<'static, T> {
        if !self.tree.at_once {
            return self.hop(path, job);
        }
        let (tree, path) = (Arc::clone(&self.tree), path.clone());
        Box::pin(async move { job(&tree, &path) })
    }
}

impl Store for FsStore {
    fn geometry(&self) -> Geometry {
        Geometry { can_cut: true, can_read: true, in_order: true, min_part: 0, max_parts: None }
    }

    fn stat<'a>(&'a self, path: &'a TreePath) -> Work<'a, Meta> {
        self.soon(path, |tree, path| tree.stat(path))
    }

    fn list<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Box<dyn Listing>> {
        self.hop(folder, |tree, path| {
            FsListing::open(Arc::clone(tree), path).map(|listing| Box::new(listing) as Box<dyn Listing>)
        })
    }

    fn read<'a>(&'a self, path: &'a TreePath) -> Work<'a, Reading> {
        self.soon(path, |tree, path| tree.read(path))
    }

    fn unchanged<'a>(&'a self, reading: &'a Reading) -> Work<'a, ()> {
        let Body::File(file) = &reading.body else {
            // Not one of ours.
            return Box::pin(async { Ok(()) });
        };
        let (file, meta) = (Arc::clone(file), reading.meta.clone());
        self.soon(&TreePath::ROOT, move |_, _| {
            let path = || PathBuf::from("what was read");
            let seen =
                fs::fstat(&*file).map_err(|errno| StoreError::at("looking at", &path(), errno.into()))?;
            let same = u64::try_from(seen.st_size) == Ok(meta.size)
                && seen::modified(&seen).same_moment(meta.modified);
            if same { Ok(()) } else { Err(StoreError::Changed { path: path() }) }
        })
    }

    fn make_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        match how {
            // A disk takes its time for that.
            Durability::Full => self.hop(path, move |tree, path| tree.make_folder(path, how)),
            Durability::Relaxed => self.soon(path, move |tree, path| tree.make_folder(path, how)),
        }
    }

    fn remove_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        self.hop(path, move |tree, path| tree.remove_folder(path, how))
    }

    fn remove_if<'a>(&'a self, path: &'a TreePath, when: When, how: Durability) -> Work<'a, ()> {
        self.hop(path, move |tree, path| tree.remove(path, &when, how))
    }

    fn rename_if<'a>(
        &'a self,
        from: &'a TreePath,
        to: &'a TreePath,
        when: When,
        replace: bool,
        how: Durability,
    ) -> Work<'a, ()> {
        let to = to.clone();
        self.hop(from, move |tree, from| tree.rename(from, &to, &when, replace, how))
    }

    fn set_modified<'a>(&'a self, path: &'a TreePath, to: Modified) -> Work<'a, ()> {
        self.soon(path, move |tree, path| tree.set_modified(path, to))
    }

    fn set_mode<'a>(&'a self, path: &'a TreePath, mode: u32) -> Work<'a, ()> {
        self.soon(path, move |tree, path| tree.set_mode(path, mode))
    }

    fn space<'a>(&'a self, path: &'a TreePath) -> Work<'a, Option<u64>> {
        self.hop(path, |tree, path| tree.space(path))
    }

    fn takes_file<'a>(&'a self, target: &'a TreePath) -> Work<'a, ()> {
        self.soon(target, |tree, target| publish::takes_a_file(tree, target).map(drop))
    }

    fn stage<'a>(&'a self, target: &'a TreePath) -> Work<'a, Box<dyn Staged>> {
        self.soon(target, |tree, target| {
            let folder = publish::takes_a_file(tree, target)?;
            let staged = stage(tree, target, &folder).map_err(|error| fault("staging", target, error))?;
            Ok(Box::new(staged) as Box<dyn Staged>)
        })
    }

    fn staged<'a>(&'a self, id: &'a StageId) -> Work<'a, Box<dyn Staged>> {
        let (tree, id) = (Arc::clone(&self.tree), id.clone());
        hop(&self.tree.pool, move || Ok(Box::new(staged(&tree, id)?) as Box<dyn Staged>))
    }

    fn peek<'a>(&'a self, id: &'a StageId) -> Work<'a, Body> {
        let (tree, id) = (Arc::clone(&self.tree), id.clone());
        hop(&self.tree.pool, move || find(&tree, &id).map(|found| Body::File(Arc::new(found.file))))
    }

    fn became<'a>(&'a self, target: &'a TreePath, mark: &'a [u8], how: Durability) -> Work<'a, Option<Meta>> {
        let mark = mark.to_vec();
        self.hop(target, move |tree, target| publish::became(tree, target, &mark, how))
    }

    fn in_place<'a>(&'a self, target: &'a TreePath, from: u64) -> Work<'a, Box<dyn Staged>> {
        self.hop(target, move |tree, target| {
            let opened = in_place(tree, target, from, Make::IfMissing)
                .map_err(|error| fault("opening", target, error))?;
            Ok(Box::new(opened) as Box<dyn Staged>)
        })
    }

    fn sweep<'a>(&'a self, keep: &'a [StageId]) -> Work<'a, usize> {
        let keep = keep.to_vec();
        self.hop(&TreePath::ROOT, move |tree, root| {
            let (known, names): (Vec<TreePath>, HashSet<String>) =
                keep.iter().filter_map(home::parsed).map(|(at, name)| (at, name.to_owned())).unzip();
            let places = [root.clone()].into_iter().chain(tree.mounts()).chain(known);
            let swept = tree.homes.sweep(&tree.root, places, names, &*tree.door);
            swept.map_err(|error| match Errno::from_io_error(&error) {
                // For whoever starts a server, who is to know what it is that is in use.
                Some(Errno::AGAIN) => StoreError::InUse { path: tree.root.path().to_owned(), pid: None },
                _ => fault("sweeping", root, error),
            })
        })
    }
}

fn stage(tree: &Arc<Tree>, target: &TreePath, folder: &Folder) -> io::Result<FsStaged> {
    let name = home::new_name();
    let mut home = tree.homes.for_folder(&tree.root, folder, &*tree.door)?;
    let file = match publish::created(&home, &name) {
        // Somebody has removed the staging folder while it was open.
        Err(Errno::NOENT) => {
            tree.homes.forget(&home);
            home = tree.homes.for_folder(&tree.root, folder, &*tree.door)?;
            publish::created(&home, &name)?
        }
        created => created?,
    };
    let id = home.id(&name);
    Ok(FsStaged::new(Arc::clone(tree), id, file, Place::Staged { home, name }, fault::told(target), 0))
}

fn staged(tree: &Arc<Tree>, id: StageId) -> Result<FsStaged, StoreError> {
    // What was written by a handle that is still open counts, what it would write later does not.
    tree.open.end(&id);
    if let Some(target) = in_place_target(&id) {
        return in_place(tree, &target, u64::MAX, Make::Never)
            .map_err(|error| fault("opening", &target, error));
    }
    let Found { home, name, file } = find(tree, &id)?;
    let told = PathBuf::from(UNFINISHED);
    let len = file.metadata().map_err(|error| fault::sorted("opening", told.clone(), error))?.len();
    Ok(FsStaged::new(Arc::clone(tree), id, file, Place::Staged { home, name }, told, len))
}

/// What errors call a staged file that was opened again.
const UNFINISHED: &str = "an unfinished upload";

/// A staged file that was found by its id.
struct Found {
    home: Arc<home::Home>,
    name: String,
    file: File,
}

fn find(tree: &Tree, id: &StageId) -> Result<Found, StoreError> {
    let failed = |error: io::Error| fault::sorted("opening", PathBuf::from(UNFINISHED), error);
    let (at, name) = home::parsed(id).ok_or_else(|| failed(Errno::NOENT.into()))?;
    let found = match look_for(tree, &at, name) {
        // A mount moves with the folder that it is in.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !at.is_root() => {
            let moved = tree.mounts().iter().find_map(|at| look_for(tree, at, name).ok());
            moved.ok_or_else(|| match tree.homes.existing(&tree.root, &at, &*tree.door) {
                Ok(_) => error,
                // All that was staged there is missing: the medium may come back.
                Err(_) => Errno::NXIO.into(),
            })
        }
        found => found,
    };
    let (home, file) = found.map_err(failed)?;
    Ok(Found { home, name: name.to_owned(), file })
}

fn look_for(tree: &Tree, at: &TreePath, name: &str) -> io::Result<(Arc<home::Home>, File)> {
    let home = tree.homes.existing(&tree.root, at, &*tree.door)?;
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(fs::openat(&home.staging, name, flags, Mode::empty())?);
    Ok((home, file))
}

/// Whether a file that is to be written in place is made where there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Make {
    IfMissing,
    Never,
}

fn in_place(tree: &Arc<Tree>, target: &TreePath, from: u64, make: Make) -> io::Result<FsStaged> {
    let id = in_place_id(target);
    tree.open.end(&id);
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let (opened, created) = match tree.root.open(target, flags) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && make == Make::IfMissing => {
            let spot = tree.spot(target)?;
            let flags = flags | OFlags::CREATE | OFlags::EXCL;
            (fs::openat(&spot.folder.fd, &spot.name, flags, Mode::from_raw_mode(0o666))?, true)
        }
        opened => (opened?, false),
    };
    let seen = tree.allowed(fs::fstat(&opened)?)?;
    if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
        return Err(Errno::ISDIR.into());
    }
    let file = File::from(opened);
    let there = u64::try_from(seen.st_size).unwrap_or(0);
    let len = there.min(from);
    if len < there {
        tree.door.cut(&file, len)?;
    }
    let place = Place::InPlace { created };
    Ok(FsStaged::new(Arc::clone(tree), id, file, place, fault::told(target), len))
}

const IN_PLACE: &str = "in-place";

fn in_place_id(target: &TreePath) -> StageId {
    StageId(format!("{IN_PLACE}@{}", home::hex(target)))
}

fn in_place_target(id: &StageId) -> Option<TreePath> {
    home::unhex(id.0.strip_prefix(IN_PLACE)?.strip_prefix('@')?)
}
