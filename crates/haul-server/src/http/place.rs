//! Paths of the tree in URLs, both ways (RFC 3986 §2.1, §3.3).
//!
//! Each segment is decoded by itself and must be a name then: one that would be a step up, or that hides a slash, is
//! refused and not interpreted.

use haul_core::TreePath;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What stays as it is: unreserved characters (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where everything lies that is no file.
pub(super) const OWN: &str = "/-/";

/// A place that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: TreePath,
    /// Whether it ends in a slash, as a folder's does.
    pub(super) slash: bool,
}

/// Why a URL names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPlace(pub(super) &'static str);

impl Place {
    /// The place that this path of a URL names.
    pub(super) fn parse(raw: &str) -> Result<Self, NoPlace> {
        let rest = raw.strip_prefix('/').ok_or(NoPlace("the path must begin with a slash"))?;
        let slash = rest.is_empty() || rest.ends_with('/');
        let mut path = TreePath::ROOT;
        for segment in rest.split('/') {
            if segment.is_empty() {
                continue;
            }
            let name: Vec<u8> = percent_decode_str(segment).collect();
            if name == b"." || name == b".." {
                return Err(NoPlace("a path must not have steps in it"));
            }
            if name.contains(&b'/') {
                return Err(NoPlace("a name cannot contain a slash"));
            }
            path = path.join(&name).map_err(|bad| match bad {
                haul_core::BadPath::Control => NoPlace("a name cannot contain a line end or a NUL"),
                haul_core::BadPath::TooLong => NoPlace("the path is too long"),
                haul_core::BadPath::Reserved => NoPlace("the name .haul is reserved"),
            })?;
        }
        Ok(Self { path, slash })
    }
}

impl Place {
    /// The file that a client names in a folder: below it, by plain names.
    pub(super) fn named_in(folder: &TreePath, name: &[u8]) -> Result<Self, NoPlace> {
        let encoded: Vec<String> = name.split(|byte| *byte == b'/').map(segment).collect();
        let place = Self::parse(&format!("{}{}", href(folder, true), encoded.join("/")))?;
        if place.slash || place.path == *folder {
            Err(NoPlace("that is no name of a file"))
        } else {
            Ok(place)
        }
    }
}

/// A name as a segment of a URL.
pub(super) fn segment(name: &[u8]) -> String {
    // At the root it would lead to what is the server's own.
    if name == b"-" { "%2D".to_owned() } else { percent_encode(name, ENCODED).to_string() }
}

/// The URL's path of a file; with a slash at its end of a folder.
pub(super) fn href(path: &TreePath, folder: bool) -> String {
    let mut href = String::new();
    for name in path.names() {
        href.push('/');
        href.push_str(&segment(name));
    }
    if folder || href.is_empty() {
        href.push('/');
    }
    href
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> Result<String, NoPlace> {
        Place::parse(raw).map(|place| String::from_utf8_lossy(&place.path.absolute()).into_owned())
    }

    #[test]
    fn a_place_is_decoded_name_by_name() {
        assert_eq!(path("/a%20b/%C3%A9").as_deref(), Ok("/a b/é"));
        assert_eq!(path("//a//b").as_deref(), Ok("/a/b"));
        assert!(Place::parse("/a/").unwrap().slash);
        assert!(Place::parse("/").unwrap().slash);
        assert!(!Place::parse("/a").unwrap().slash);
    }

    #[test]
    fn tricks_are_refused() {
        for raw in
            ["/..", "/%2e%2e/a", "/a/%2E", "/a/./b", "/a%2fb", "/a%00b", "/a%0d%0ab", "/.haul/x", "*", ""]
        {
            assert!(Place::parse(raw).is_err(), "{raw}");
        }
        assert!(Place::parse(&format!("/{}", "x".repeat(256))).is_err());
    }

    #[test]
    fn overlong_dots_are_names_and_no_steps() {
        let place = Place::parse("/%c0%ae%c0%ae/a").unwrap();
        assert_eq!(place.path.absolute(), b"/\xc0\xae\xc0\xae/a");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for name in [&b"a b"[..], b"\"<>&'", b"\xff\xfe", b"100%", b"?#;:@", b"-x", b"-"] {
            let path = TreePath::ROOT.join(name).unwrap();
            for folder in [false, true] {
                let place = Place::parse(&href(&path, folder)).unwrap();
                assert_eq!(place, Place { path: path.clone(), slash: folder });
            }
        }
        assert_eq!(href(&TreePath::ROOT, true), "/");
    }
}
