//! Every call that changes or saves an upload's bytes or its name, so that a test can see their order and stop at any.

use std::{fs::File, io, os::fd::BorrowedFd, sync::Arc, time::Instant};

use crate::{
    Synced, Watch,
    sys::{self, pipe::Pipe},
};

/// The calls under an upload.
pub(super) trait Door: Send + Sync + std::fmt::Debug + 'static {
    /// One write at an offset: how many bytes were written.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        sys::write_at(file, bytes, at)
    }
    /// One write at an offset of what is in a pipe: how many bytes were written.
    fn splice(&self, pipe: &Pipe, file: &File, at: u64, most: usize) -> io::Result<usize> {
        pipe.splice(file, at, most)
    }
    /// Cuts a file.
    fn cut(&self, file: &File, at: u64) -> io::Result<()> {
        file.set_len(at)
    }
    /// Makes bytes durable, and what is needed to read them.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
    /// Makes bytes, dates and permissions durable.
    fn sync_all(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
    /// Gives a name; over another only if `replace`.
    fn rename(&self, from: Named<'_>, to: Named<'_>, replace: bool) -> io::Result<()> {
        sys::tree::rename_at((from.0, from.1), (to.0, to.1), replace)
    }
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        sys::tree::sync_folder(folder)
    }
}

/// A name in an open folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a>(pub(super) BorrowedFd<'a>, pub(super) &'a [u8]);

/// The system's own.
#[derive(Debug)]
pub(super) struct Real;

impl Door for Real {}

/// The system's own, with somebody who hears how long it takes.
#[derive(Debug)]
pub(super) struct Watched(pub(super) Arc<dyn Watch>);

impl Watched {
    fn timed(&self, what: Synced, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let began = Instant::now();
        let done = sync();
        self.0.synced(what, began.elapsed(), done.is_ok());
        done
    }
}

impl Door for Watched {
    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.timed(Synced::File, || Real.sync_data(file))
    }

    fn sync_all(&self, file: &File) -> io::Result<()> {
        self.timed(Synced::File, || Real.sync_all(file))
    }

    fn sync_folder(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        self.timed(Synced::Folder, || Real.sync_folder(folder))
    }
}
