//! A place in a served tree: normalised, inside the root by construction, and never one of the names under which haul
//! keeps what is unfinished.
//!
//! Names are bytes: RFC 2640 asks for UTF-8, and a disk holds what it was given. Nothing here looks at a disk, so
//! whether a folder on the way is a symbolic link is for the store to say.

use std::{fmt, sync::Arc};

/// The name that no path can contain, in any case: there lie unfinished uploads and the server's own records.
pub const RESERVED: &str = ".haul";

/// The most bytes of a whole path.
const LONGEST: usize = 4096;
/// The most bytes of one name.
const LONGEST_NAME: usize = 255;

/// A normalised path from the root of a tree: no `.`, no `..`, no empty name, no control character that could end a
/// line or a string.
///
/// One place is remembered in many rooms of a server for as long as an upload takes: they share its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(
    /// `None` is the root; there is no empty path.
    Option<Arc<[u8]>>,
);

/// Why something is no path in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It has a CR, an LF or a NUL in it.
    Control,
    /// It is over 4,096 bytes, or one of its names over 255.
    TooLong,
    /// It names what is kept for haul's own use.
    Reserved,
}

impl fmt::Display for BadPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Control => "a name cannot contain a line end or a NUL",
            Self::TooLong => "the path is too long",
            Self::Reserved => "the name .haul is reserved",
        })
    }
}

impl std::error::Error for BadPath {}

impl TreePath {
    /// The root.
    pub const ROOT: Self = Self(None);

    /// Of bytes that are known to be one.
    fn of(path: &[u8]) -> Self {
        Self((!path.is_empty()).then(|| path.into()))
    }

    /// Where `raw` leads from here: from the root when it begins with `/`. `..` at the root stays there, as everywhere.
    pub fn join(&self, raw: &[u8]) -> Result<Self, BadPath> {
        if raw.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(BadPath::Control);
        }
        let mut names: Vec<&[u8]> =
            if raw.first() == Some(&b'/') { Vec::new() } else { self.names().collect() };
        for name in raw.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => {
                    names.pop();
                }
                name if name.len() > LONGEST_NAME => return Err(BadPath::TooLong),
                name if name.eq_ignore_ascii_case(RESERVED.as_bytes()) => return Err(BadPath::Reserved),
                name => names.push(name),
            }
        }
        let path = names.join(&b'/');
        if path.len() > LONGEST { Err(BadPath::TooLong) } else { Ok(Self::of(&path)) }
    }

    /// The folder it is in; `None` of the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let path = self.as_bytes();
        let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self::of(path.get(..end).unwrap_or_default()))
    }

    /// Its last name; empty of the root.
    pub fn name(&self) -> &[u8] {
        self.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// Its names, from the root on.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it is `folder` or lies in it, however deep.
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.is_root()
            || self
                .as_bytes()
                .strip_prefix(folder.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// The same place after `from` has become `to`; `None` where it does not lie within `from`.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        if !self.is_within(from) {
            return None;
        }
        if from == to {
            return Some(self.clone());
        }
        let rest = self.as_bytes().get(from.as_bytes().len()..).unwrap_or_default();
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        to.join(rest).ok()
    }

    /// Relative to the root, without a slash at either end; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// As a client sees it: with a slash at the front.
    pub fn absolute(&self) -> Vec<u8> {
        [b"/", self.as_bytes()].concat()
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/{}", String::from_utf8_lossy(self.as_bytes()).escape_debug())
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> TreePath {
        TreePath::ROOT.join(raw.as_bytes()).unwrap()
    }

    #[test]
    fn nothing_leads_out_of_the_root() {
        assert_eq!(path("/../../etc/./passwd"), path("etc/passwd"));
        assert_eq!(path("a/b").join(b"../../..").unwrap(), TreePath::ROOT);
        assert_eq!(path("a//b/").absolute(), b"/a/b");
    }

    #[test]
    fn what_is_haul_s_own_has_no_path() {
        for raw in [".haul", "a/.haul/x", "/.HAUL", "x/../.Haul"] {
            assert_eq!(TreePath::ROOT.join(raw.as_bytes()), Err(BadPath::Reserved), "{raw}");
        }
        assert!(TreePath::ROOT.join(b".haulx").is_ok());
    }

    #[test]
    fn line_ends_are_no_part_of_a_name() {
        for raw in [b"a\nb".as_slice(), b"a\rb", b"a\0b"] {
            assert_eq!(TreePath::ROOT.join(raw), Err(BadPath::Control));
        }
    }

    #[test]
    fn a_path_moves_with_its_folder_and_only_with_it() {
        assert_eq!(path("a/b/c").moved(&path("a"), &path("x/y")), Some(path("x/y/b/c")));
        assert_eq!(path("a").moved(&path("a"), &path("z")), Some(path("z")));
        assert_eq!(path("ab/c").moved(&path("a"), &path("z")), None);
    }

    #[test]
    fn parents_end_at_the_root() {
        assert_eq!(path("a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(TreePath::ROOT));
        assert_eq!(TreePath::ROOT.parent(), None);
        assert_eq!(path("a/b").name(), b"b");
    }
}
