//! What the system says of a name in the tree, sorted. Paths are told as a client sees them: nobody learns where the
//! tree lies.

use std::{ffi::OsString, io, os::unix::ffi::OsStringExt, path::PathBuf};

use haul_core::TreePath;
use rustix::io::Errno;

use crate::StoreError;

/// A path of the tree in an error.
pub(super) fn told(path: &TreePath) -> PathBuf {
    PathBuf::from(OsString::from_vec(path.absolute()))
}

/// Sorts an error for a name.
pub(super) fn fault(doing: &'static str, path: &TreePath, source: impl Into<io::Error>) -> StoreError {
    sorted(doing, told(path), source.into())
}

/// Sorts an error for whatever it is called.
pub(super) fn sorted(doing: &'static str, path: PathBuf, source: io::Error) -> StoreError {
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => StoreError::NotFound { path },
        Some(Errno::NOTDIR) => StoreError::NotAFolder { path },
        Some(Errno::ISDIR) => StoreError::NotAFile { path },
        Some(Errno::NOTEMPTY) => StoreError::NotEmpty { path },
        Some(Errno::AGAIN) => StoreError::InUse { path, pid: None },
        Some(Errno::XDEV) => StoreError::OtherMedium { path },
        _ => StoreError::at(doing, &path, source),
    }
}
