//! What can go wrong in keeping bytes: one enum, each case with the path and what was being done.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what was asked.
///
/// Whatever it is, claims already made stand: the partial and its journal can be found again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system or the user's quota is full.
    #[error("no space left while {doing} {}", path.display())]
    NoSpace {
        /// What was being done, as in "writing".
        doing: &'static str,
        /// The file it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not allow it.
    #[error("permission denied while {doing} {}", path.display())]
    Permission {
        /// What was being done.
        doing: &'static str,
        /// The file it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is read-only.
    #[error("the file system is read-only: {doing} {}", path.display())]
    ReadOnly {
        /// What was being done.
        doing: &'static str,
        /// The file it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process works on this partial.
    #[error("{} is in use by {}", path.display(), pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")))]
    InUse {
        /// The partial.
        path: PathBuf,
        /// The process that its journal names last.
        pid: Option<u32>,
    },
    /// Something is there already that must not be replaced.
    #[error("{} exists already", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// A symbolic link, a folder or a device lies where a file is wanted.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// Nothing has this name.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// A folder is wanted, and something else is there.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// What is there.
        path: PathBuf,
    },
    /// A folder that is to be removed or replaced has something in it.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be renamed to there at once: the two places are on different media.
    #[error("{} is on another medium: nothing can be moved there at once", path.display())]
    OtherMedium {
        /// Where it was to go.
        path: PathBuf,
    },
    /// What it was to be combined with, or what was being read, is no longer the same file.
    #[error("{} has changed meanwhile", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else has taken over the right to write.
    #[error("the upload of {} was taken over by a newer session", path.display())]
    Fenced {
        /// What is being uploaded.
        path: PathBuf,
    },
    /// Whoever wanted a file published did not want it any more at the last moment.
    #[error("{} was not published, because that was no longer wanted", path.display())]
    Withdrawn {
        /// What it was to be.
        path: PathBuf,
    },
    /// The partial has lost its name while it was held: nothing that is done by name may be done any more.
    #[error("{} was removed or replaced by another program while it was being written", path.display())]
    TakenAway {
        /// The name it had.
        path: PathBuf,
    },
    /// The journal or ledger was written by a newer haul; nothing was touched.
    #[error("{} is in format {version}, which only a newer haul reads", path.display())]
    NewerFormat {
        /// The journal or ledger.
        path: PathBuf,
        /// Its format version.
        version: u32,
    },
    /// What was to be published is not whole.
    #[error("{} is not whole: {held} bytes from its start are there{}", path.display(), size.map(|size| format!(" of {size}")).unwrap_or_default())]
    Incomplete {
        /// The partial.
        path: PathBuf,
        /// How many bytes there are without a gap from the start.
        held: u64,
        /// How many there should be, where known.
        size: Option<u64>,
    },
    /// An earlier write-back failed while this range was being written, or the journal itself could not be kept:
    /// nothing more is claimed by this handle for it. Finding the partial again goes on from what is safe.
    #[error("an earlier failure to save {} leaves these bytes unclaimed", path.display())]
    Unclaimed {
        /// The partial.
        path: PathBuf,
    },
    /// Anything else that the system reported.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Sorts what the system said into the cases above.
    pub(crate) fn at(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        if crate::sys::is_not_a_file(&source) {
            return Self::NotAFile { path };
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { doing, path, source }
            }
            io::ErrorKind::PermissionDenied => Self::Permission { doing, path, source },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { doing, path, source },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { doing, path, source },
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn sorted(errno: rustix::io::Errno) -> StoreError {
        StoreError::at("writing", Path::new("/d/file.part"), errno.into())
    }

    #[test]
    fn what_the_system_says_is_sorted_by_what_a_user_can_do() {
        use rustix::io::Errno;
        assert!(matches!(sorted(Errno::NOSPC), StoreError::NoSpace { .. }));
        assert!(matches!(sorted(Errno::DQUOT), StoreError::NoSpace { .. }));
        assert!(matches!(sorted(Errno::ACCESS), StoreError::Permission { .. }));
        assert!(matches!(sorted(Errno::PERM), StoreError::Permission { .. }));
        assert!(matches!(sorted(Errno::ROFS), StoreError::ReadOnly { .. }));
        assert!(matches!(sorted(Errno::LOOP), StoreError::NotAFile { .. }));
        assert!(matches!(sorted(Errno::IO), StoreError::Io { .. }));
        assert_eq!(sorted(Errno::NOSPC).to_string(), "no space left while writing /d/file.part");
    }
}
