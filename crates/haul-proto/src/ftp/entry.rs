//! One entry of a folder, and which names it may have.
//!
//! MLSD ([`super::facts`]) and LIST ([`super::list`]) both end here. A server chooses these names, and a tree is made
//! of them: one that is no single segment could lead out of the target folder, so an [`Entry`] cannot have it. What a
//! name must not be beyond that, on Windows or for a reader's eyes, is [`crate::http::name::safe_name`]'s business.

use std::fmt;

use haul_core::Modified;

/// A name that is one path segment: not empty, not `.` or `..`, and without a separator or a byte that no command can
/// carry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Vec<u8>);

/// The name, if it may be used as one path segment below a target folder.
///
/// A backslash separates on Windows, so it is refused everywhere: a tree is the same on every system, or is refused.
pub fn safe_entry_name(name: &[u8]) -> Option<EntryName> {
    let refused = matches!(name, b"" | b"." | b"..")
        || name.iter().any(|byte| matches!(byte, b'/' | b'\\' | b'\r' | b'\n' | 0));
    (!refused).then(|| EntryName(name.to_vec()))
}

impl EntryName {
    /// The name as the server has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, where it is UTF-8 (RFC 2640 §2.2).
    pub fn as_utf8(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, to a file or to a folder: only asking tells.
    Link {
        /// What it points to, where told. Never to be followed on this side.
        target: Option<Vec<u8>>,
    },
}

/// How exactly a date is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// To the second or better, in UTC.
    Exact,
    /// To the minute, by a clock whose zone is not told; read as UTC.
    Minute,
    /// To the day, by such a clock.
    Day,
}

/// A date as a list tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The moment; never strong.
    pub modified: Modified,
    /// How exactly it is known. Only an exact one may be compared with MDTM's.
    pub precision: Precision,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: EntryName,
    /// What it is.
    pub kind: Kind,
    /// The size in bytes; of a file, and where told.
    pub size: Option<u64>,
    /// When it was modified, where told.
    pub stamp: Option<Stamp>,
}

/// What one line of a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry.
    Entry(Entry),
    /// Nothing to fetch: `total 12`, an empty line, a device, the folder itself or the one above.
    Nothing,
    /// An entry whose name could lead out of the target folder.
    Unsafe(Vec<u8>),
    /// In no form that is known here.
    Unreadable,
}

impl Line {
    /// The line for an entry of this name, whatever that is.
    pub(super) fn entry(name: &[u8], kind: Kind, size: Option<u64>, stamp: Option<Stamp>) -> Self {
        if matches!(name, b"." | b"..") {
            return Self::Nothing;
        }
        match safe_entry_name(name) {
            Some(name) => Self::Entry(Entry { name, size: size.filter(|_| kind == Kind::File), kind, stamp }),
            None => Self::Unsafe(name.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_segment_is_safe() {
        for name in [&b"a"[..], b" ", b"...", b"..a", b"-rf", b"a b", b"\xff\xfe", "é".as_bytes(), b"C:"] {
            assert_eq!(safe_entry_name(name).unwrap().as_bytes(), name);
        }
        assert_eq!(safe_entry_name(b"\xff").unwrap().as_utf8(), None);
    }

    #[test]
    fn everything_else_is_not() {
        let bad: [&[u8]; 11] =
            [b"", b".", b"..", b"/", b"../a", b"a/..", b"/etc", b"..\\a", b"a\0", b"a\rb", b"a\nb"];
        for name in bad {
            assert_eq!(safe_entry_name(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_safe_name_stays_in_its_folder(name in "(\\.|/|\\\\|a|\0){0,5}") {
            if safe_entry_name(name.as_bytes()).is_some() {
                let path = std::path::Path::new("folder").join(&name);
                let parts: Vec<_> = path.components().collect();
                prop_assert_eq!(parts.len(), 2);
                prop_assert!(matches!(parts[1], std::path::Component::Normal(part) if part == name.as_str()));
            }
        }
    }
}
