//! Looking at what lies in a folder without taking it: for `haul status`. Nothing is locked, changed or repaired.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::fs_partial::{JOURNAL, Names, PART};
use crate::journal::record;
use crate::journal::replay::{self, Reading};
use crate::{Held, StoreError, Subject, sys};

/// What is known of an unfinished file.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The name that it gets once whole.
    pub target: PathBuf,
    /// Whether something has that name.
    pub target_exists: bool,
    /// How long NAME.part is; `None` where there is none.
    pub part_len: Option<u64>,
    /// The journal's format version, where there is a journal with an undamaged header.
    pub version: Option<u32>,
    /// What it is a partial of.
    pub subject: Option<Subject>,
    /// What the journal claims, unchecked.
    pub held: Held,
    /// When (seconds since 1970-01-01T00:00:00Z) and why the last run stopped, where it said so.
    pub stopped: Option<(i64, String)>,
    /// When the last run began, in seconds since 1970-01-01T00:00:00Z.
    pub started_unix: Option<i64>,
    /// The process that is at work on it.
    pub in_use: Option<u32>,
    /// What is wrong, each fit to be shown.
    pub problems: Vec<Problem>,
}

/// Something wrong with a partial or its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no journal.
    NoJournal,
    /// There is a journal and no partial: it is left over.
    NoPartial,
    /// The journal's header is damaged, or it does not say of what it is.
    Unreadable,
    /// The journal is of a newer format.
    NewerFormat {
        /// Its version.
        version: u32,
    },
    /// The journal has a damaged or unfinished record; it counts up to there.
    TornAt {
        /// Where, in bytes of the journal.
        offset: u64,
    },
    /// The partial is shorter than what is claimed.
    TooShort {
        /// The offset behind the last claimed byte.
        claimed: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJournal => write!(f, "there is no journal: haul does not know what these bytes are"),
            Self::NoPartial => write!(f, "the journal is left over: there is no partial file"),
            Self::Unreadable => write!(f, "the journal is damaged at its beginning"),
            Self::NewerFormat { version } => {
                write!(f, "the journal is in format {version}; this haul reads up to {}", record::VERSION)
            }
            Self::TornAt { offset } => write!(f, "the journal is damaged or unfinished at byte {offset}"),
            Self::TooShort { claimed } => {
                write!(f, "the partial file is shorter than the {claimed} bytes the journal speaks of")
            }
        }
    }
}

/// Looks at the unfinished file of NAME, NAME.part or NAME.part.haul. [`io::ErrorKind::NotFound`] inside
/// [`StoreError::Io`] where there is neither partial nor journal.
pub fn inspect(path: &Path) -> Result<Inspection, StoreError> {
    let names = Names::of(&target_of(path));
    let part_len = match names.part.symlink_metadata() {
        Ok(seen) if seen.is_file() => Some(seen.len()),
        Ok(_) => return Err(StoreError::NotAFile { path: names.part }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(StoreError::at("looking at", &names.part, error)),
    };
    let journal = match sys::read_regular(&names.journal, crate::journal::file::LONGEST) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound && part_len.is_some() => None,
        Err(error) => return Err(StoreError::at("reading", &names.journal, error)),
    };
    let mut found = Inspection {
        target_exists: names.target.symlink_metadata().is_ok(),
        target: names.target,
        part_len,
        version: journal.as_deref().and_then(record::version),
        subject: None,
        held: Held::default(),
        stopped: None,
        started_unix: None,
        in_use: None,
        problems: Vec::new(),
    };
    let session = match journal {
        Some(bytes) => found.take_in(&bytes),
        None => {
            found.problems.push(Problem::NoJournal);
            None
        }
    };
    match part_len {
        None => found.problems.push(Problem::NoPartial),
        Some(len) => {
            if len < found.held.written.end() {
                found.problems.push(Problem::TooShort { claimed: found.held.written.end() });
            }
            found.in_use = sys::lock_holder(&names.part, session);
        }
    }
    Ok(found)
}

impl Inspection {
    /// Takes in what the journal says; returns the process that it names.
    fn take_in(&mut self, journal: &[u8]) -> Option<u32> {
        match replay::replay(journal) {
            Reading::Unusable => {
                self.problems.push(Problem::Unreadable);
                None
            }
            Reading::Newer { version } => {
                self.problems.push(Problem::NewerFormat { version });
                None
            }
            Reading::Usable(replayed) => {
                if replayed.torn {
                    self.problems.push(Problem::TornAt { offset: replayed.end });
                }
                self.held = replayed.claims.held();
                self.subject = replayed.claims.subject;
                self.stopped = replayed.claims.stopped;
                self.started_unix = replayed.claims.session.map(|session| session.started_unix);
                replayed.claims.session.map(|session| session.pid)
            }
        }
    }
}

/// NAME of NAME, NAME.part or NAME.part.haul. A target may itself be called x.part: then its own partial is
/// x.part.part, and it is taken for one only where there is no such thing.
fn target_of(path: &Path) -> PathBuf {
    let own = Names::of(path);
    if own.part.symlink_metadata().is_ok() || own.journal.symlink_metadata().is_ok() {
        return path.to_path_buf();
    }
    [JOURNAL, PART]
        .iter()
        .find_map(|suffix| without_suffix(path, suffix))
        .unwrap_or_else(|| path.to_path_buf())
}

/// The path without the end of its last name, unless nothing would be left of that.
fn without_suffix(path: &Path, suffix: &str) -> Option<PathBuf> {
    let name = path.file_name()?.as_encoded_bytes().strip_suffix(suffix.as_bytes())?;
    let len = path.as_os_str().len() - suffix.len();
    let whole = path.as_os_str().as_encoded_bytes();
    (!name.is_empty()).then(|| from_bytes(&whole[..len]))?
}

/// A path of these bytes; elsewhere than on Unix only where they are UTF-8.
#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

/// The journals in a folder, by name.
pub fn journals_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if without_suffix(&path, JOURNAL).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The target of the unfinished file in `dir` that was begun from the URL with this key. Journals that cannot be read
/// are passed over.
pub fn find_by_key(dir: &Path, url_key: &[u8; 32]) -> Option<PathBuf> {
    journals_in(dir).ok()?.into_iter().find_map(|journal| {
        let target = without_suffix(&journal, JOURNAL)?;
        Names::of(&target).part.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
        let seen = inspect(&target).ok()?;
        let first = seen.subject?.sources.into_iter().next()?;
        (first.url_key == *url_key).then_some(target)
    })
}
