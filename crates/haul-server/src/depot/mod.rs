//! The tree as the doors see it: finished files, and for its owner each unfinished upload in the place of what it will
//! become.
//!
//! Rules are `haul_core::receiving`'s, bytes a `Store`'s, memory a `Ledger`'s; here they come together, with who is
//! writing at the moment. It knows no protocol and no disk.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use haul_core::{Modified, TreePath};
use haul_store::{Durability, Ledger, Meta, Reading, Store};

use crate::{ServerError, account::Account};

/// How uploads are dealt with.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether an upload is written where readers see it, the classic way.
    pub in_place: bool,
    /// What the end of an upload promises.
    pub durability: Durability,
    /// After how long without a byte an unfinished upload is forgotten.
    pub expire: Duration,
    /// How long a newcomer waits for an older session of the same owner to show that it is dead.
    pub takeover: Duration,
}

/// The tree.
pub struct Depot;

/// The tree as one account sees it; paths begin at its home.
#[derive(Clone)]
pub struct Visitor;

/// What is told of a name.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it is; of an unfinished upload the size is its offset.
    pub meta: Meta,
    /// Whether it is an unfinished upload of this account.
    pub unfinished: bool,
}

/// From where an upload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// From the first byte.
    Anew,
    /// From this byte on.
    From(u64),
    /// From the end of what is there.
    Append,
}

/// How the bytes of an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// As the protocol ends a whole file: FIN, close_notify, the last byte of a body.
    Clean,
    /// Any other way.
    Unclean,
}

/// What became of the connection that commands come on, watched until after the sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It lives, or QUIT was said.
    Alive,
    /// It ended, or ABOR was said.
    Gone,
}

/// What became of an upload.
#[derive(Clone, Debug)]
pub enum Settled {
    /// It is there, whole.
    Published(Meta),
    /// It is kept, and can be gone on with from `at`.
    Kept {
        /// The offset; it is synced.
        at: u64,
        /// The size that was declared and not reached.
        declared: Option<u64>,
    },
}

/// The names in a folder, some at a time.
pub struct Names;

/// Bytes of a finished file or of an unfinished upload, for checksums.
pub struct Peek;

/// An upload that is being received.
pub struct Receiving;

impl Depot {
    /// Opens a tree: what a crash left is put in order, what has expired is removed.
    pub async fn open(
        store: Arc<dyn Store>,
        ledger: Arc<dyn Ledger>,
        rules: Rules,
    ) -> Result<Arc<Self>, ServerError> {
        todo!()
    }
    /// The tree as this account sees it.
    pub fn visitor(self: &Arc<Self>, account: Account) -> Visitor {
        todo!()
    }
    /// Forgets what has had no byte for longer than the rules say; how many. To be called every hour or so.
    pub async fn expire(&self) -> Result<usize, ServerError> {
        todo!()
    }
}

impl Visitor {
    /// Who it is.
    pub fn account(&self) -> &Account {
        todo!()
    }
    /// What has this name.
    pub async fn stat(&self, path: &TreePath) -> Result<Seen, ServerError> {
        todo!()
    }
    /// What is in a folder.
    pub async fn list(&self, folder: &TreePath) -> Result<Names, ServerError> {
        todo!()
    }
    /// Opens a finished file; an unfinished upload of this account is [`ServerError::Unfinished`].
    pub async fn read(&self, path: &TreePath) -> Result<Reading, ServerError> {
        todo!()
    }
    /// Whether what was read is still what it was.
    pub async fn unchanged(&self, reading: &Reading) -> Result<(), ServerError> {
        todo!()
    }
    /// Opens for a checksum: the unfinished upload first.
    pub async fn peek(&self, path: &TreePath) -> Result<Peek, ServerError> {
        todo!()
    }
    /// Begins or goes on with an upload.
    pub async fn receive(
        &self,
        path: &TreePath,
        wish: Wish,
        declared: Option<u64>,
    ) -> Result<Receiving, ServerError> {
        todo!()
    }
    /// A name in this folder that nothing has, for STOU.
    pub async fn unique(&self, folder: &TreePath) -> Result<TreePath, ServerError> {
        todo!()
    }
    /// Makes a folder.
    pub async fn make_folder(&self, path: &TreePath) -> Result<(), ServerError> {
        todo!()
    }
    /// Removes an empty folder, and every unfinished upload that was to become something in it.
    pub async fn remove_folder(&self, path: &TreePath) -> Result<(), ServerError> {
        todo!()
    }
    /// Drops the unfinished upload of that name, or else removes the file.
    pub async fn remove(&self, path: &TreePath) -> Result<(), ServerError> {
        todo!()
    }
    /// Renames: the unfinished upload of that name, or else the file or folder.
    pub async fn rename(&self, from: &TreePath, to: &TreePath) -> Result<(), ServerError> {
        todo!()
    }
    /// Sets the date of a file.
    pub async fn set_modified(&self, path: &TreePath, to: Modified) -> Result<(), ServerError> {
        todo!()
    }
    /// Sets permission bits.
    pub async fn set_mode(&self, path: &TreePath, mode: u32) -> Result<(), ServerError> {
        todo!()
    }
    /// How many bytes may still be written there.
    pub async fn space(&self, path: &TreePath) -> Result<Option<u64>, ServerError> {
        todo!()
    }
}

impl Names {
    /// Some more, unfinished uploads of this account among them; none at the end.
    pub async fn next(&mut self) -> Result<Vec<(Vec<u8>, Seen)>, ServerError> {
        todo!()
    }
}

impl Peek {
    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// At most `most` bytes from `at` on.
    pub async fn read(&self, at: u64, most: usize) -> Result<Bytes, ServerError> {
        todo!()
    }
}

impl Receiving {
    /// The byte that comes next.
    pub fn offset(&self) -> u64 {
        todo!()
    }
    /// More bytes. Every few seconds and 64 MiB what is there is made safe, beside.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), ServerError> {
        todo!()
    }
    /// Makes all of it safe: before the end is judged, while the control connection is watched.
    pub async fn sync(&mut self) -> Result<(), ServerError> {
        todo!()
    }
    /// Publishes it, or keeps it. A `Receiving` that is dropped without this is kept as after an unclean end.
    pub async fn settle(self, data: DataEnd, control: Control) -> Result<Settled, ServerError> {
        todo!()
    }
}
