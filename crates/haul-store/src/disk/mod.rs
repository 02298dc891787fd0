//! Every operation that a partial asks of a disk, so that a disk that crashes can stand in for the real one.
//!
//! Not a waist for other stores: that is [`crate::Partial`]. It has the words of a POSIX file system and nothing else.

mod real;

use std::io;
use std::path::Path;

pub use crate::sys::Opening;
pub use real::{RealDisk, RealFile};

/// What tells a file from every other one on this machine.
pub type FileId = (u64, u64);

/// A file system.
pub trait Disk: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// An open file of it.
    type File: DiskFile;
    /// Opens a regular file for reading and writing, never through a symbolic link.
    fn open(&self, path: &Path, opening: Opening) -> io::Result<Self::File>;
    /// Which file, if any, has this name.
    fn id_at(&self, path: &Path) -> io::Result<Option<FileId>>;
    /// Renames, over whatever is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames unless the name is taken ([`io::ErrorKind::AlreadyExists`]).
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "the length of a file; nobody asks whether it is empty")]
pub trait DiskFile: std::fmt::Debug + Send + Sync + 'static {
    /// Which file this is.
    fn id(&self) -> io::Result<FileId>;
    /// Takes the exclusive lock, which ends with this open file; `false` where another has it.
    fn try_lock(&self) -> io::Result<bool>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Writes all bytes, by one system call where the system takes them.
    fn write_all(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads some bytes; 0 at the end.
    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Makes bytes and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes everything durable, dates too.
    fn sync_all(&self) -> io::Result<()>;
    /// Sets the modification date: seconds since 1970-01-01T00:00:00Z, and nanoseconds.
    fn set_modified(&self, seconds: i64, nanos: u32) -> io::Result<()>;
    /// Whether a stretch was never written.
    fn has_hole(&self) -> io::Result<bool>;
    /// Lets go of cached bytes that the disk should have, so that the next read shows what it has.
    fn drop_clean_pages(&self);
    /// Takes the permissions of the file that has this name, where there is one and a disk knows of permissions.
    fn take_permissions_of(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Reads until the buffer is full; fewer bytes are [`io::ErrorKind::UnexpectedEof`].
    fn read_exact(&self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read(at, buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    buffer = &mut buffer[n..];
                    at += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
