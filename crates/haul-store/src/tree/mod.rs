//! The waist of a server: a tree of finished files, and beside it, out of sight, files that are being received.
//!
//! No protocol word is in here, and no file-system word, so that an object store fits as well as a folder. A finished
//! file is seen by everybody and is never half there; a [`Staged`] one has no name in the tree until it is published.
//! What is known of a staged file beyond its bytes (whose it is, what it becomes, how much of it is safe) is the
//! [`Ledger`](crate::Ledger)'s.
//!
//! Every method returns a boxed future, so that a server holds a `dyn Store` and nothing above names its kind.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(unix)]
pub(crate) mod fs;
pub(crate) mod mounted;
pub(crate) mod pool;
mod stretch;

use std::{fs::File, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use haul_core::{Modified, TreePath};

use crate::{Geometry, StoreError};

pub use stretch::Stretch;

/// What a method here comes to.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What kind of thing a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// What is told of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes; 0 of a folder.
    pub size: u64,
    /// When its content last changed.
    pub modified: Modified,
    /// What tells this version from every other file and, with size and date, from every earlier version: on a file
    /// system device and inode. Opaque.
    pub unique: Vec<u8>,
    /// Unix permission bits, where there are such.
    pub mode: Option<u32>,
    /// Names of owner and group, or their numbers, where there are such; for lists.
    pub owner: Option<(String, String)>,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, one of a [`TreePath`]: never `.haul`, never with a line end in it.
    pub name: Vec<u8>,
    /// What it is.
    pub meta: Meta,
}

/// A folder's entries, a page at a time, in no order. A name that no [`TreePath`] can have is left out, and so is what
/// is neither file nor folder, and what a symbolic link means outside of the tree.
pub trait Listing: Send {
    /// Some more entries; none at the end.
    fn next(&mut self) -> Work<'_, Vec<Entry>>;
}

/// A finished file, opened: it stays the same file whatever happens to its name.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes that the system can send by itself.
    File(Arc<File>),
    /// Bytes that are read piece by piece.
    Pieces(Arc<dyn Pieces>),
}

/// Bytes that are read piece by piece.
pub trait Pieces: Send + Sync + std::fmt::Debug {
    /// At most `most` bytes from `at` on; none at the end.
    fn read(&self, at: u64, most: usize) -> Work<'_, Bytes>;
}

/// A finished file that was opened.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it was when it was opened.
    pub meta: Meta,
    /// When anything about it last changed, its date too, in seconds and nanoseconds since 1970: it tells an edit whose
    /// date was put back. `None` where there is no such thing.
    pub changed: Option<(i64, u32)>,
    /// Its bytes.
    pub body: Body,
}

/// What a staged file is called in its store: opaque, printable, without blanks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StageId(pub String);

/// On which condition a staged file takes its name, or a file loses its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Whatever has the name now is replaced.
    Always,
    /// Nothing has the name: else [`StoreError::Exists`].
    Absent,
    /// The file that has the name is still this one ([`Meta::unique`], size and date): else [`StoreError::Changed`].
    Same(Meta),
}

/// How much a success promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    Full,
    /// It survives the end of this process; a power cut may undo it. Where a file system saves names before bytes (as
    /// ext4 does for some seconds), a power cut may also leave the name with bytes missing.
    Relaxed,
}

/// A tree of finished files.
pub trait Store: Send + Sync + 'static {
    /// What can be done to a staged file.
    fn geometry(&self) -> Geometry;
    /// What has this name. A symbolic link is what it means, as long as that is in the tree.
    fn stat<'a>(&'a self, path: &'a TreePath) -> Work<'a, Meta>;
    /// What is in a folder.
    fn list<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Box<dyn Listing>>;
    /// Opens a finished file.
    fn read<'a>(&'a self, path: &'a TreePath) -> Work<'a, Reading>;
    /// Whether an opened file is still what it was: [`StoreError::Changed`] where it was written to meanwhile.
    fn unchanged<'a>(&'a self, reading: &'a Reading) -> Work<'a, ()>;
    /// Makes a folder; the one above it must be there. Of this and the next three: after an error of the medium the change
    /// may have been made all the same, and only not be durable.
    fn make_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()>;
    /// Removes an empty folder; what lies staged for it does not count as in it.
    fn remove_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()>;
    /// Removes a file.
    fn remove<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        self.remove_if(path, When::Always, how)
    }
    /// Removes a file that is still what it was: nobody who publishes comes in between.
    fn remove_if<'a>(&'a self, path: &'a TreePath, when: When, how: Durability) -> Work<'a, ()>;
    /// Renames a file or folder; a file there is replaced only if `replace`, a folder never.
    fn rename<'a>(
        &'a self,
        from: &'a TreePath,
        to: &'a TreePath,
        replace: bool,
        how: Durability,
    ) -> Work<'a, ()> {
        self.rename_if(from, to, When::Always, replace, how)
    }
    /// As [`Self::rename`], of a file that is still what it was.
    fn rename_if<'a>(
        &'a self,
        from: &'a TreePath,
        to: &'a TreePath,
        when: When,
        replace: bool,
        how: Durability,
    ) -> Work<'a, ()>;
    /// Whether something can be renamed from one of these places to the other, as far as that is known without a look.
    fn is_one_medium(&self, one: &TreePath, other: &TreePath) -> bool {
        let _ = (one, other);
        true
    }
    /// Sets the date of the last change.
    fn set_modified<'a>(&'a self, path: &'a TreePath, to: Modified) -> Work<'a, ()>;
    /// Sets the permission bits (of 0o777; nothing beyond).
    fn set_mode<'a>(&'a self, path: &'a TreePath, mode: u32) -> Work<'a, ()>;
    /// How many bytes may still be written there; `None` where nobody knows.
    fn space<'a>(&'a self, path: &'a TreePath) -> Work<'a, Option<u64>>;

    /// Whether a file can be put there, as far as that can be told beforehand: the errors of [`Self::stage`], without a
    /// trace.
    fn takes_file<'a>(&'a self, target: &'a TreePath) -> Work<'a, ()>;
    /// Begins a staged file that is to become `target`, empty, on the medium where `target` lies;
    /// [`StoreError::NotAFile`] where a folder has that name.
    fn stage<'a>(&'a self, target: &'a TreePath) -> Work<'a, Box<dyn Staged>>;
    /// Opens a staged file again; [`StoreError::NotFound`] where it is no more.
    fn staged<'a>(&'a self, id: &'a StageId) -> Work<'a, Box<dyn Staged>>;
    /// Opens a staged file to be read, beside whoever writes it, who is not disturbed: only what is known to be safe is to
    /// be read, and whether it was cut meanwhile is for the caller to know.
    fn peek<'a>(&'a self, id: &'a StageId) -> Work<'a, Body>;
    /// What a staged file has become that is staged no more: the file at `target`, if it is the one that
    /// [`Staged::mark`] told so, and is there as surely as [`Staged::publish`] would have made it. `None` where something
    /// else has that name, or nothing, or where that cannot be told.
    fn became<'a>(&'a self, target: &'a TreePath, mark: &'a [u8], how: Durability) -> Work<'a, Option<Meta>> {
        let _ = (target, mark, how);
        Box::pin(async { Ok(None) })
    }
    /// Opens the finished file at `target` (created empty where there is none) to be written to in place, cut at
    /// `from`: the classic way, where whoever reads meanwhile sees what is there so far.
    fn in_place<'a>(&'a self, target: &'a TreePath, from: u64) -> Work<'a, Box<dyn Staged>>;
    /// Removes all staged files but these; how many there were. For the start of a server.
    fn sweep<'a>(&'a self, keep: &'a [StageId]) -> Work<'a, usize>;
}

/// Where bytes come from that a staged file takes by itself.
pub trait Source: Send {
    /// Reads some bytes, and may wait for them for some milliseconds: 0 is the end, [`std::io::ErrorKind::WouldBlock`]
    /// nothing for now.
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize>;
    /// As [`Self::read`], but into a pipe, which is empty and has room for `most`;
    /// [`std::io::ErrorKind::Unsupported`] where the system cannot do that without showing the bytes to this program.
    fn fill(&mut self, into: &std::io::PipeWriter, most: usize) -> std::io::Result<usize> {
        let _ = (into, most);
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// What was taken from a source.
#[derive(Debug)]
pub struct Taken {
    /// How many bytes.
    pub bytes: u64,
    /// Why it is not more.
    pub then: Then,
}

/// Why no more was taken from a source.
#[derive(Debug)]
pub enum Then {
    /// It was enough.
    Enough,
    /// There was nothing for now.
    Nothing,
    /// It was at its end.
    End,
    /// It failed.
    Broken(std::io::Error),
}

/// Says at the last moment whether something is still wanted; it may take some hundred microseconds to find out.
pub type Assent = Box<dyn FnOnce() -> bool + Send>;

/// A file that is being received: bytes in order from its start, no holes. One user at a time (the ledger's lease).
pub trait Staged: Send + Sync {
    /// What it is called.
    fn id(&self) -> &StageId;
    /// By what it is known again once it has its name ([`Store::became`]); empty where that cannot be.
    fn mark(&self) -> &[u8] {
        &[]
    }
    /// How many bytes it has, as far as the store knows: after a crash as many as may be relied on if `durable` bytes
    /// are known to be safe and `boot` is the run of the machine in which the rest was written (see
    /// [`crate::boot`]).
    fn len(&self) -> u64;
    /// Whether it is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Writes at its end. After an error its length is what it was before.
    fn append(&mut self, bytes: Bytes) -> Work<'_, ()>;
    /// Writes what comes from `source` at its end, on a thread that may be kept busy: until there is nothing for now, or
    /// no more at all, or at least `most` bytes came. The source is dropped before the future is ready: whoever lent it
    /// something has it back then. After an error bytes that were taken from the source may be lost.
    fn take(&mut self, source: Box<dyn Source>, most: u64) -> Work<'_, Taken>;
    /// Writes `len` bytes of another file of this store, from `at` on, at its end: the system copies them, or the medium
    /// shares their blocks, where they can. After an error some of the first of them may be there.
    fn copy_from<'a>(&'a mut self, body: &'a Body, at: u64, len: u64) -> Work<'a, ()>;
    /// Forgets all bytes from `at` on.
    fn cut(&mut self, at: u64) -> Work<'_, ()>;
    /// At most `most` bytes from `at` on; none at the end. For checksums of what is unfinished.
    fn read(&self, at: u64, most: usize) -> Work<'_, Bytes>;
    /// Makes all of its bytes survive a power cut; how many that are. May run while the next bytes are received, see
    /// [`Staged::syncer`].
    fn sync(&mut self) -> Work<'_, u64>;
    /// As [`Self::sync`], for what is about to be published: that it is staged at all need not survive, so nothing may be
    /// told of it yet.
    fn sync_to_publish(&mut self) -> Work<'_, ()> {
        let work = self.sync();
        Box::pin(async move { work.await.map(drop) })
    }
    /// What makes its bytes safe beside [`Self::append`]: holds the same file, knows no length.
    fn syncer(&self) -> Arc<dyn Syncer>;
    /// What fills stretches of it beside each other, wherever they are; `None` where that cannot be. Its length then is
    /// where the last byte is that was ever written: what lies before and was not written is whatever it is.
    fn scattered(&self) -> Option<Arc<dyn Scattered>> {
        None
    }
    /// Makes it visible as `target`, whole, at once, with the mode, group and access list that a file created there
    /// would have, and a date that no earlier version of that name had (to the second); what it has become. After an
    /// error it is still staged, unless the error came after the name was given.
    fn publish<'a>(self: Box<Self>, target: &'a TreePath, when: When, how: Durability) -> Work<'a, Meta> {
        self.publish_if(target, when, how, Box::new(|| true))
    }
    /// As [`Self::publish`], but `assent` is asked right before the name is given, when all else is done that can be done
    /// before: if it says no, [`StoreError::Withdrawn`]. What is written in place has its name, and nobody is asked.
    fn publish_if<'a>(
        self: Box<Self>,
        target: &'a TreePath,
        when: When,
        how: Durability,
        assent: Assent,
    ) -> Work<'a, Meta>;
    /// Removes it.
    fn discard(self: Box<Self>) -> Work<'static, ()>;
}

/// Fills stretches of a staged file beside each other. It is over with the handle that it is of: whoever opens the file
/// again, publishes or discards it waits for what is just being written, and nothing is written any more.
pub trait Scattered: Send + Sync {
    /// Writes at the place that the stretch has come to: all of it, or as many bytes as are left of the stretch; how many.
    /// After an error none of them counts.
    fn write<'a>(&'a self, stretch: &'a Arc<Stretch>, bytes: Bytes) -> Work<'a, u64>;
    /// As [`Staged::take`], into the stretch: [`Then::Enough`] also where it is full.
    fn take<'a>(&'a self, stretch: &'a Arc<Stretch>, source: Box<dyn Source>, most: u64) -> Work<'a, Taken>;
}

/// Makes bytes safe beside the writer.
pub trait Syncer: Send + Sync {
    /// Makes everything safe that was appended before the call.
    fn sync(&self) -> Work<'_, ()>;
}
