//! A way of bytes from a connection into a file on which no program sees them: Linux moves them into a pipe and writes
//! them from there (splice), which spares a copy.
//!
//! Elsewhere, and where a user has no room for a large pipe left, there is none.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read},
};

/// What a pipe holds at most: as much as Linux gives a user who may not do everything (pipe-max-size).
#[cfg(any(target_os = "linux", target_os = "android"))]
const ROOM: usize = 1 << 20;
/// With less a copy more costs less than the calls.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LEAST: usize = 256 << 10;

/// A pipe with both its ends.
pub(crate) struct Pipe {
    /// What is put in here …
    pub(crate) writer: PipeWriter,
    /// … comes out there.
    reader: PipeReader,
    /// So many bytes at most are in it.
    pub(crate) room: usize,
}

impl Pipe {
    /// An empty one.
    pub(crate) fn new() -> Option<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let (reader, writer) = io::pipe().ok()?;
            let room = rustix::pipe::fcntl_setpipe_size(&writer, ROOM).ok()?;
            (room >= LEAST).then_some(Self { writer, reader, room })
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        None
    }

    /// Writes up to `most` bytes that are in it to a file, and no program sees them; how many. It is
    /// [`io::ErrorKind::InvalidInput`] where the file system cannot.
    pub(crate) fn splice(&self, file: &File, at: u64, most: usize) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let (mut at, most, flags) = (at, most.min(super::AT_ONCE), rustix::pipe::SpliceFlags::MOVE);
            Ok(rustix::pipe::splice(&self.reader, None, file, Some(&mut at), most, flags)?)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = (file, at, most);
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// Reads some of what is in it.
    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        (&self.reader).read(into)
    }
}
