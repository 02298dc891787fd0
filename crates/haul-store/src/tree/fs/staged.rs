//! A file that is being received: bytes at its end, cuts, syncs.
//!
//! Its length is kept here and not asked of the disk: what a failed write left behind it is cut off. A sync that fails
//! takes back everything that was not safe before, on the disk too, because a system tells of a failed write-back only
//! once; from then on the handle does nothing more ([`StoreError::Unclaimed`]), and opening the file again goes on from
//! what is safe.

use std::{
    cmp::Ordering,
    fs::File,
    io,
    os::fd::AsFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use haul_core::TreePath;
use rustix::fs::{self, AtFlags};

use super::{
    fault::sorted,
    home::Home,
    publish::{self, Terms},
    scattered::FsScattered,
    tree::Tree,
};
use crate::{
    Assent, Body, Durability, Meta, Scattered, Source, StageId, Staged, StoreError, Syncer, Taken, When,
    Work, sys, tree::pool::hop,
};

/// The most bytes that are read in one go.
const PIECE: usize = 1 << 20;
/// The most bytes that are copied in one go.
const COPIED: u64 = 8 << 20;
/// The most first bytes that are written without another thread.
const FEW: usize = 16 << 10;
/// The most bytes of a file that gets its name without another thread.
const LITTLE: u64 = 1 << 20;

/// A staged file.
pub(super) struct FsStaged {
    id: StageId,
    mark: Vec<u8>,
    received: Arc<Received>,
}

/// What is shared with work that runs beside, or that nobody waits for any more.
pub(super) struct Received {
    pub(super) tree: Arc<Tree>,
    pub(super) file: File,
    pub(super) place: Place,
    /// What errors call it.
    pub(super) told: PathBuf,
    tail: Mutex<Tail>,
    /// As in `tail`, to be read without waiting for a write.
    len: AtomicU64,
    /// Had by whoever writes beside others; whoever ends all that waits until nobody has it.
    pub(super) beside: RwLock<()>,
}

/// Where its bytes lie.
#[derive(Debug)]
pub(super) enum Place {
    /// Out of sight.
    Staged {
        /// In this folder …
        home: Arc<Home>,
        /// … by this name.
        name: String,
    },
    /// Under its own name, from the start.
    InPlace {
        /// Whether there was no such file before.
        created: bool,
    },
}

/// The end of a file.
#[derive(Debug)]
pub(super) struct Tail {
    len: u64,
    /// So many bytes from the start survive a power cut; what a file had when it was opened counts as such.
    safe: u64,
    /// Grows with every change.
    version: u64,
    /// Grows when bytes are taken away.
    cuts: u64,
    /// The version of which everything was saved, dates too.
    saved: Option<u64>,
    /// Whether its name in the staging folder survives a power cut.
    named: bool,
    /// Why nothing more may be done to it.
    over: Option<Over>,
}

/// Why nothing more is done to a file by this handle, not even by a call that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// A sync has failed.
    Lost,
    /// It was opened again, published or discarded.
    Left,
}

impl FsStaged {
    pub(super) fn new(
        tree: Arc<Tree>,
        id: StageId,
        file: File,
        place: Place,
        told: PathBuf,
        len: u64,
    ) -> Self {
        let tail = Tail { len, safe: len, version: 0, cuts: 0, saved: None, named: false, over: None };
        let (tail, len) = (Mutex::new(tail), AtomicU64::new(len));
        let mark = match place {
            // Without one it is not known again, which costs only whoever asks for it.
            Place::Staged { .. } => sys::tree::identity(file.as_fd(), b"").unwrap_or_default(),
            Place::InPlace { .. } => Vec::new(),
        };
        let received = Arc::new(Received { tree, file, place, told, tail, len, beside: RwLock::new(()) });
        received.tree.open.enter(&id, &received);
        Self { id, mark, received }
    }

    fn hop<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Received) -> Result<T, StoreError> + Send + 'static,
    ) -> Work<'static, T> {
        let received = Arc::clone(&self.received);
        hop(&self.received.tree.pool, move || job(&received))
    }
}

impl Staged for FsStaged {
    fn id(&self) -> &StageId {
        &self.id
    }

    fn mark(&self) -> &[u8] {
        &self.mark
    }

    fn len(&self) -> u64 {
        self.received.len.load(SeqCst)
    }

    fn append(&mut self, bytes: Bytes) -> Work<'_, ()> {
        if self.received.tree.at_once && bytes.len() <= FEW && self.is_empty() {
            // A small file, most likely: into memory of the system's, which is sooner done than handed over.
            return Box::pin(async move { self.received.append(&bytes) });
        }
        self.hop(move |received| received.append(&bytes))
    }

    fn take(&mut self, mut source: Box<dyn Source>, most: u64) -> Work<'_, Taken> {
        self.hop(move |received| received.take(source.as_mut(), most))
    }

    fn copy_from<'a>(&'a mut self, body: &'a Body, mut at: u64, mut len: u64) -> Work<'a, ()> {
        match body {
            Body::File(file) => {
                let file = Arc::clone(file);
                self.hop(move |received| received.copy_file(&file, at, len))
            }
            Body::Pieces(pieces) => Box::pin(async move {
                while len > 0 {
                    let most = usize::try_from(len).unwrap_or(PIECE).min(PIECE);
                    let piece = pieces.read(at, most).await?;
                    if piece.is_empty() {
                        return Err(self.received.shorter());
                    }
                    at += piece.len() as u64;
                    len = len.saturating_sub(piece.len() as u64);
                    self.append(piece).await?;
                }
                Ok(())
            }),
        }
    }

    fn cut(&mut self, at: u64) -> Work<'_, ()> {
        self.hop(move |received| received.cut(at))
    }

    fn read(&self, at: u64, most: usize) -> Work<'_, Bytes> {
        self.hop(move |received| received.read(at, most))
    }

    fn sync(&mut self) -> Work<'_, u64> {
        self.hop(|received| received.save(Depth::All))
    }

    fn sync_to_publish(&mut self) -> Work<'_, ()> {
        self.hop(|received| received.save(Depth::Nameless).map(drop))
    }

    fn syncer(&self) -> Arc<dyn Syncer> {
        Arc::new(FsSyncer(Arc::clone(&self.received)))
    }

    fn scattered(&self) -> Option<Arc<dyn Scattered>> {
        match self.received.place {
            Place::Staged { .. } => Some(Arc::new(FsScattered(Arc::clone(&self.received)))),
            Place::InPlace { .. } => None,
        }
    }

    fn publish_if<'a>(
        self: Box<Self>,
        target: &'a TreePath,
        when: When,
        how: Durability,
        assent: Assent,
    ) -> Work<'a, Meta> {
        let terms = Terms { target: target.clone(), when, how };
        if self.received.tree.at_once && how == Durability::Relaxed && self.len() <= LITTLE {
            // A few calls on names, and at most a short copy.
            return Box::pin(async move { publish::publish(&self.received, &terms, assent) });
        }
        self.hop(move |received| publish::publish(received, &terms, assent))
    }

    fn discard(self: Box<Self>) -> Work<'static, ()> {
        self.hop(|received| {
            received.leave();
            match &received.place {
                Place::Staged { home, name } => fs::unlinkat(&home.staging, name.as_str(), AtFlags::empty())
                    .map_err(|errno| received.failed("removing", errno)),
                // What readers have seen stays.
                Place::InPlace { .. } => Ok(()),
            }
        })
    }
}

/// How much of a file is made safe.
#[derive(Clone, Copy)]
enum Depth {
    /// What is needed to read its bytes.
    Data,
    /// Its dates too, so that publishing it has nothing left to save.
    All,
    /// The same, but for its name in the staging folder: it is about to get another.
    Nameless,
}

impl Received {
    pub(super) fn failed(&self, doing: &'static str, source: impl Into<io::Error>) -> StoreError {
        sorted(doing, self.told.clone(), source.into())
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(SeqCst)
    }

    /// Whether everything is saved, dates too.
    pub(super) fn is_saved(&self) -> bool {
        let tail = self.lock();
        tail.saved == Some(tail.version)
    }

    fn shorter(&self) -> StoreError {
        self.failed("copying from a file that became shorter to", io::ErrorKind::UnexpectedEof)
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tail, for a change.
    pub(super) fn usable(&self) -> Result<MutexGuard<'_, Tail>, StoreError> {
        let tail = self.lock();
        let path = || self.told.clone();
        match tail.over {
            None => Ok(tail),
            Some(Over::Lost) => Err(StoreError::Unclaimed { path: path() }),
            Some(Over::Left) => Err(StoreError::Fenced { path: path() }),
        }
    }

    /// As [`Self::close`], whatever happened before.
    pub(super) fn leave(&self) {
        self.lock().over.get_or_insert(Over::Left);
        self.wait_for_others();
    }

    /// Returns when nothing is being written beside.
    fn wait_for_others(&self) {
        drop(self.beside.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets nothing more be written, not even by a call that nobody waits for any more; waits for one that runs.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.usable()?.over = Some(Over::Left);
        self.wait_for_others();
        Ok(())
    }

    /// Makes sure that what is about to get a name has neither more nor fewer bytes than were received: what a failed
    /// write left may have withstood its cut, and another program may have had its hand on it.
    pub(super) fn trim(&self) -> Result<(), StoreError> {
        let len = self.len();
        let there = self.file.metadata().map_err(|error| self.failed("looking at", error))?.len();
        match there.cmp(&len) {
            Ordering::Equal => Ok(()),
            Ordering::Less => {
                Err(StoreError::Incomplete { path: self.told.clone(), held: there, size: Some(len) })
            }
            Ordering::Greater => {
                self.tree.door.cut(&self.file, len).map_err(|error| self.failed("cutting", error))?;
                self.lock().version += 1;
                Ok(())
            }
        }
    }

    pub(super) fn append(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut tail = self.usable()?;
        self.changing(&mut tail, |from| self.write(bytes, from)).map(drop)
    }

    /// Writes all of it from `at` on; where it ends.
    pub(super) fn write(&self, bytes: &[u8], mut at: u64) -> io::Result<u64> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.tree.door.write(&self.file, rest, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    at += n as u64;
                    rest = rest.get(n..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(at)
    }

    /// Bytes up to `end` may be written from now on, wherever.
    pub(super) fn reach(&self, end: u64) -> Result<(), StoreError> {
        let mut tail = self.usable()?;
        tail.version += 1;
        if end > tail.len {
            tail.len = end;
            self.len.store(end, SeqCst);
        }
        Ok(())
    }

    /// Something was changed that no sync has saved which began before.
    pub(super) fn touched(&self) {
        self.lock().version += 1;
    }

    fn copy_file(&self, from: &File, at: u64, len: u64) -> Result<(), StoreError> {
        let end = at.saturating_add(len);
        if len == 0 {
            return Ok(());
        }
        let mut tail = self.usable()?;
        if at == 0 && tail.len == 0 && sys::tree::share(from, &self.file, len) {
            return self.changing(&mut tail, |_| Ok(len)).map(drop);
        }
        let mut at = at;
        while at < end {
            // Little by little: who wants to save what is there so far need not wait for all of it.
            let most = COPIED.min(end - at);
            at += self.changing(&mut tail, |to| copy(from, at, (&self.file, to), most))?;
            drop(tail);
            tail = self.usable()?;
        }
        Ok(())
    }

    /// Does something that makes the file longer, and tells by how much; what an error leaves behind the end is cut
    /// off.
    pub(super) fn changing(
        &self,
        tail: &mut Tail,
        change: impl FnOnce(u64) -> io::Result<u64>,
    ) -> Result<u64, StoreError> {
        tail.version += 1;
        match change(tail.len) {
            Ok(len) => {
                let added = len.saturating_sub(tail.len);
                tail.len = len;
                self.len.store(len, SeqCst);
                Ok(added)
            }
            Err(error) => {
                // If even that fails the length stands all the same: the next write goes there.
                let _ = self.tree.door.cut(&self.file, tail.len);
                Err(self.failed("writing", error))
            }
        }
    }

    fn cut(&self, at: u64) -> Result<(), StoreError> {
        let mut tail = self.usable()?;
        if at >= tail.len {
            return Ok(());
        }
        self.tree.door.cut(&self.file, at).map_err(|error| self.failed("cutting", error))?;
        tail.version += 1;
        tail.cuts += 1;
        tail.safe = tail.safe.min(at);
        tail.len = at;
        self.len.store(at, SeqCst);
        Ok(())
    }

    fn read(&self, at: u64, most: usize) -> Result<Bytes, StoreError> {
        let left = self.len().saturating_sub(at);
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(PIECE).min(most).min(PIECE)];
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            match sys::read_at(&self.file, rest, at + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("reading", error)),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }

    /// Makes safe what is there now, and tells how much that is. Bytes may be appended meanwhile.
    fn save(&self, depth: Depth) -> Result<u64, StoreError> {
        let (len, version, cuts, named) = {
            let tail = self.usable()?;
            if tail.saved == Some(tail.version) && tail.named {
                return Ok(tail.len);
            }
            (tail.len, tail.version, tail.cuts, tail.named)
        };
        let door = &self.tree.door;
        let mut done = match depth {
            Depth::Data => door.sync_data(&self.file),
            Depth::All | Depth::Nameless => door.sync_all(&self.file),
        };
        let naming = !named && !matches!(depth, Depth::Nameless);
        if let (Ok(()), true, Place::Staged { home, .. }) = (&done, naming, &self.place) {
            done = self.tree.gates.pass(home.unique, || door.sync_folder(home.staging.as_fd()));
        }
        let mut tail = self.lock();
        if let Err(error) = done {
            self.give_up(&mut tail);
            return Err(self.failed("saving", error));
        }
        tail.named |= naming;
        // Bytes that were taken away meanwhile and others put in their place are not what was saved.
        if tail.cuts == cuts {
            tail.safe = tail.safe.max(len);
        }
        if matches!(depth, Depth::All | Depth::Nameless) {
            tail.saved = tail.saved.max(Some(version));
        }
        Ok(len.min(tail.safe))
    }

    /// After a failed sync nothing counts that was not safe before.
    fn give_up(&self, tail: &mut Tail) {
        tail.over = Some(Over::Lost);
        if let Place::Staged { .. } = self.place
            && self.tree.door.cut(&self.file, tail.safe).is_ok()
        {
            tail.len = tail.safe;
            self.len.store(tail.safe, SeqCst);
        }
    }

    /// As [`Self::save`], of everything, for publishing.
    pub(super) fn save_all(&self) -> Result<(), StoreError> {
        self.tree.door.sync_all(&self.file).map_err(|error| {
            self.give_up(&mut self.lock());
            self.failed("saving", error)
        })
    }
}

/// Copies `len` bytes that begin at `from` to a place in another file, within the system where it can, else through
/// memory; where they end there.
pub(super) fn copy(source: &File, from: u64, (target, to): (&File, u64), len: u64) -> io::Result<u64> {
    let mut done = 0;
    while done < len {
        match sys::tree::copy_range((source, from + done), (target, to + done), len - done) {
            None => {
                copy_through_memory((source, from + done), (target, to + done), len - done)?;
                done = len;
            }
            Some(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(Ok(n)) => done += n as u64,
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(to + done)
}

fn copy_through_memory((source, from): (&File, u64), (target, to): (&File, u64), len: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut buffer = vec![0; PIECE];
    let mut done = 0;
    while done < len {
        let most = usize::try_from(len - done).unwrap_or(PIECE).min(PIECE);
        let n = match source.read_at(buffer.get_mut(..most).unwrap_or_default(), from + done) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        target.write_all_at(buffer.get(..n).unwrap_or_default(), to + done)?;
        done += n as u64;
    }
    Ok(())
}

struct FsSyncer(Arc<Received>);

impl Syncer for FsSyncer {
    fn sync(&self) -> Work<'_, ()> {
        let received = Arc::clone(&self.0);
        hop(&self.0.tree.pool, move || received.save(Depth::Data).map(drop))
    }
}
