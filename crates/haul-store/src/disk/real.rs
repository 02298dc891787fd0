//! The machine's own file system.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Disk, DiskFile, FileId, Opening};
use crate::sys;

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// A file of it.
#[derive(Debug)]
pub struct RealFile(File);

impl Disk for RealDisk {
    type File = RealFile;

    fn open(&self, path: &Path, opening: Opening) -> io::Result<RealFile> {
        sys::open(path, opening).map(RealFile)
    }

    fn id_at(&self, path: &Path) -> io::Result<Option<FileId>> {
        match path.symlink_metadata() {
            Ok(seen) => Ok(Some(sys::identity(&seen))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        sys::rename_new(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        sys::sync_dir(dir)
    }
}

impl DiskFile for RealFile {
    fn id(&self) -> io::Result<FileId> {
        self.0.metadata().map(|seen| sys::identity(&seen))
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|seen| seen.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    /// A disk that takes nothing is full.
    fn write_all(&self, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match sys::write_at(&self.0, bytes, at) {
                Ok(0) => return Err(io::ErrorKind::StorageFull.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    at = at.checked_add(written as u64).ok_or(io::ErrorKind::FileTooLarge)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        sys::read_at(&self.0, buffer, at)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn set_modified(&self, seconds: i64, nanos: u32) -> io::Result<()> {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let at = if seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(whole)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(whole)
        };
        let at = at.and_then(|at| at.checked_add(Duration::from_nanos(u64::from(nanos))));
        self.0.set_modified(at.ok_or(io::ErrorKind::InvalidInput)?)
    }

    fn has_hole(&self) -> io::Result<bool> {
        sys::has_hole(&self.0)
    }

    fn drop_clean_pages(&self) {
        sys::drop_clean_pages(&self.0);
    }

    fn take_permissions_of(&self, path: &Path) -> io::Result<()> {
        match path.symlink_metadata() {
            Ok(seen) if seen.is_file() => self.0.set_permissions(seen.permissions()),
            _ => Ok(()),
        }
    }
}
