//! The names that belong to one target: NAME, NAME.part, NAME.part.haul, and NAME.part.haul.new while a journal is
//! written anew.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a partial is called.
pub(crate) const PART: &str = ".part";
/// What a journal is called.
pub(crate) const JOURNAL: &str = ".part.haul";

/// The paths of one target.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) target: PathBuf,
    pub(crate) part: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) journal_new: PathBuf,
    pub(crate) dir: PathBuf,
}

impl Names {
    pub(crate) fn of(target: &Path) -> Self {
        let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self {
            target: target.to_path_buf(),
            part: with_suffix(target, PART),
            journal: with_suffix(target, JOURNAL),
            journal_new: with_suffix(target, ".part.haul.new"),
            dir: dir.to_path_buf(),
        }
    }
}

/// The path with something behind its last name, which need not be UTF-8.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
