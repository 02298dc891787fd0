//! A disk in memory that loses what a real one may lose.
//!
//! It can be told to stop at its Nth operation, which then happens half or not at all, and can be started again in two
//! ways: after a kill, which leaves everything that was done, and after a power cut, which leaves what was synced
//! and of the rest whatever a seeded coin says, in pieces. A write-back can be made to fail as Linux lets it: once, and
//! the pages count as clean.
//!
//! It is stricter than any file system: to sync a file does not save its name, and changes of names survive each for
//! itself.

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_core::Random;

use crate::disk::{Disk, FileId, Opening};
pub use file::CrashFile;

/// How the machine came to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reboot {
    /// The process died: the system still has all that it did.
    Kill,
    /// The power went: only what was synced is sure.
    PowerCut,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct CrashDisk {
    model: Arc<Mutex<Model>>,
}

#[derive(Debug)]
struct Model {
    inodes: Vec<Inode>,
    names: Names,
    saved_names: Names,
    name_log: Vec<NameOp>,
    random: Random,
    operations: u64,
    stop_at: Option<u64>,
    off: bool,
    syncs_to_failure: Option<u64>,
    handles: u64,
    during_sync: Option<Interlude>,
    during_write: Option<Interlude>,
}

/// What happens elsewhere while an operation is under way.
struct Interlude(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Interlude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interlude")
    }
}

type Names = BTreeMap<PathBuf, usize>;

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What a read sees.
    now: Vec<u8>,
    /// What the disk has.
    saved: Vec<u8>,
    /// What is on its way from one to the other.
    log: Vec<DataOp>,
    /// The open file that has the lock.
    lock: Option<u64>,
}

#[derive(Clone, Debug)]
enum DataOp {
    Write { at: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug)]
enum NameOp {
    Link { path: PathBuf, inode: usize },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, inode: usize },
}

/// Whether an operation is done, or is the one at which the machine stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Half,
}

impl DataOp {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => to.resize(*len, 0),
            Self::Write { at, bytes } => {
                if to.len() < at + bytes.len() {
                    to.resize(at + bytes.len(), 0);
                }
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// A part of it, as sectors reach a disk: any stretch of a write, or all.
    fn torn(&self, random: &mut Random) -> Self {
        match self {
            Self::SetLen(_) => self.clone(),
            Self::Write { at, bytes } => {
                let from = below(random, bytes.len() + 1);
                let to = from + below(random, bytes.len() - from + 1);
                Self::Write { at: at + from, bytes: bytes[from..to].to_vec() }
            }
        }
    }
}

impl NameOp {
    fn apply(&self, to: &mut Names) {
        match self {
            Self::Link { path, inode } => {
                to.insert(path.clone(), *inode);
            }
            Self::Unlink { path } => {
                to.remove(path);
            }
            Self::Rename { from, to: new, inode } => {
                to.remove(from);
                to.insert(new.clone(), *inode);
            }
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        let path = match self {
            Self::Link { path, .. } | Self::Unlink { path } => path,
            Self::Rename { to, .. } => to,
        };
        path.parent() == Some(dir)
    }
}

/// A number below `limit`, which is at least 1.
fn below(random: &mut Random, limit: usize) -> usize {
    usize::try_from(random.below(limit as u64)).unwrap_or(0)
}

fn coin(random: &mut Random) -> bool {
    random.below(2) == 0
}

/// What every operation says once the machine has stopped.
fn off() -> io::Error {
    io::Error::other("the machine has stopped")
}

impl Model {
    /// One operation that changes something.
    fn step(&mut self) -> io::Result<Fate> {
        if self.off {
            return Err(off());
        }
        self.operations += 1;
        self.off = self.stop_at == Some(self.operations);
        Ok(if self.off { Fate::Half } else { Fate::Done })
    }

    /// A change of names, which happens or does not if the machine stops at it.
    fn name(&mut self, change: NameOp) -> io::Result<()> {
        let fate = self.step()?;
        if fate == Fate::Done || coin(&mut self.random) {
            change.apply(&mut self.names);
            self.name_log.push(change);
        }
        if fate == Fate::Done { Ok(()) } else { Err(off()) }
    }

    fn inode_at(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl CrashDisk {
    /// An empty disk; the seed decides what half-done operations leave.
    pub fn new(seed: u64) -> Self {
        let model = Model {
            inodes: Vec::new(),
            names: Names::new(),
            saved_names: Names::new(),
            name_log: Vec::new(),
            random: Random::new(seed),
            operations: 0,
            stop_at: None,
            off: false,
            syncs_to_failure: None,
            handles: 0,
            during_sync: None,
            during_write: None,
        };
        Self { model: Arc::new(Mutex::new(model)) }
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations that change something there have been.
    pub fn operations(&self) -> u64 {
        self.model().operations
    }

    /// Stops the machine at its `nth` operation, counted from the beginning.
    pub fn stop_at(&self, nth: u64) {
        self.model().stop_at = Some(nth);
    }

    /// Whether the machine has stopped.
    pub fn is_off(&self) -> bool {
        self.model().off
    }

    /// Lets one sync of a file fail after `more` others: what it should have saved is not, and counts as clean.
    pub fn fail_sync_after(&self, more: u64) {
        self.model().syncs_to_failure = Some(more);
    }

    /// Does this in the middle of the next sync of a file: after it has begun, before it is told to be done.
    pub fn during_next_sync(&self, other: impl FnOnce() + Send + 'static) {
        self.model().during_sync = Some(Interlude(Box::new(other)));
    }

    /// Does this in the middle of the next write: the bytes are there, and nobody has been told.
    pub fn during_next_write(&self, other: impl FnOnce() + Send + 'static) {
        self.model().during_write = Some(Interlude(Box::new(other)));
    }

    /// The machine started again, as another disk; open files of this one see nothing of it.
    pub fn reboot(&self, how: Reboot, seed: u64) -> Self {
        let old = self.model();
        let mut random = Random::new(seed);
        let mut inodes = old.inodes.clone();
        let mut names = old.names.clone();
        if how == Reboot::PowerCut {
            names.clone_from(&old.saved_names);
            old.name_log.iter().filter(|_| coin(&mut random)).for_each(|change| change.apply(&mut names));
        }
        for inode in &mut inodes {
            inode.lock = None;
            if how == Reboot::PowerCut {
                for op in std::mem::take(&mut inode.log) {
                    match random.below(4) {
                        0 => op.torn(&mut random).apply(&mut inode.saved),
                        1 => op.apply(&mut inode.saved),
                        _ => {}
                    }
                }
                inode.now.clone_from(&inode.saved);
            }
        }
        let fresh = Self::new(seed);
        let mut model = fresh.model();
        model.inodes = inodes;
        match how {
            Reboot::Kill => {
                model.saved_names.clone_from(&old.saved_names);
                model.name_log.clone_from(&old.name_log);
            }
            Reboot::PowerCut => model.saved_names.clone_from(&names),
        }
        model.names = names;
        drop(model);
        fresh
    }

    /// Puts a file there, durably; no operation is counted.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut model = self.model();
        let inode = model.inodes.len();
        model.inodes.push(Inode { now: bytes.to_vec(), saved: bytes.to_vec(), ..Inode::default() });
        model.names.insert(path.to_path_buf(), inode);
        model.saved_names.insert(path.to_path_buf(), inode);
    }

    /// What a reader of this path sees.
    pub fn get(&self, path: &Path) -> Option<Vec<u8>> {
        let model = self.model();
        model.names.get(path).map(|&inode| model.inodes[inode].now.clone())
    }

    /// Every name there is.
    pub fn list(&self) -> Vec<PathBuf> {
        self.model().names.keys().cloned().collect()
    }
}

impl Disk for CrashDisk {
    type File = CrashFile;

    fn open(&self, path: &Path, opening: Opening) -> io::Result<CrashFile> {
        let mut model = self.model();
        if model.off {
            return Err(off());
        }
        let inode = match (model.inode_at(path), opening) {
            (Ok(_), Opening::Private) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(inode), _) => inode,
            (Err(error), Opening::Existing) => return Err(error),
            (Err(_), Opening::Partial | Opening::Private) => {
                let inode = model.inodes.len();
                model.inodes.push(Inode::default());
                model.name(NameOp::Link { path: path.to_path_buf(), inode })?;
                inode
            }
        };
        model.handles += 1;
        Ok(CrashFile::new(self.clone(), inode, model.handles))
    }

    fn id_at(&self, path: &Path) -> io::Result<Option<FileId>> {
        let model = self.model();
        if model.off { Err(off()) } else { Ok(model.names.get(path).map(|&inode| (0, inode as u64))) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut model = self.model();
        let inode = model.inode_at(from)?;
        model.name(NameOp::Rename { from: from.to_path_buf(), to: to.to_path_buf(), inode })
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.model().names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut model = self.model();
        model.inode_at(path)?;
        model.name(NameOp::Unlink { path: path.to_path_buf() })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut model = self.model();
        let fate = model.step()?;
        let log = std::mem::take(&mut model.name_log);
        for change in log {
            let reaches = fate == Fate::Done || coin(&mut model.random);
            if change.is_in(dir) && reaches {
                change.apply(&mut model.saved_names);
            } else {
                model.name_log.push(change);
            }
        }
        if fate == Fate::Done { Ok(()) } else { Err(off()) }
    }
}
