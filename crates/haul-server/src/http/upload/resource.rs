//! The URL of an upload: `/-/uploads/ID/PATH`, where ID is the depot's name of it and PATH what it becomes, in its
//! owner's own tree. One that has no path yet, a part, is `/-/parts/ID/PATH`.

use haul_core::TreePath;
use percent_encoding::percent_decode_str;

use super::super::{
    place::{NoPlace, Place, href, segment},
    trouble::Trouble,
};
use crate::depot::Visitor;

/// Where uploads have their URLs.
pub(in super::super) const UPLOADS: &str = "/-/uploads/";
/// Where parts have theirs.
pub(in super::super) const PARTS: &str = "/-/parts/";

/// An upload that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Resource {
    /// The depot's name of it.
    pub(in super::super) id: String,
    /// What it becomes.
    pub(in super::super) path: TreePath,
    /// Whether it is a part.
    pub(in super::super) part: bool,
}

impl Resource {
    /// The upload that this path of a URL names; `None` where it is no URL of an upload.
    pub(in super::super) fn parse(path: &str) -> Option<Result<Self, Trouble>> {
        let (rest, part) = match (path.strip_prefix(UPLOADS), path.strip_prefix(PARTS)) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return None,
        };
        let (id, path) = rest.split_once('/')?;
        let id = percent_decode_str(id).decode_utf8_lossy().into_owned();
        let place = Place::parse(&format!("/{path}"));
        Some(match place {
            Ok(place) if !place.slash => Ok(Self { id, path: place.path, part }),
            // Nobody was given such a one.
            Ok(_) | Err(NoPlace(_)) => Err(Trouble::not_found()),
        })
    }

    /// Its URL's path.
    pub(in super::super) fn url(&self) -> String {
        let front = if self.part { PARTS } else { UPLOADS };
        format!("{front}{}{}", segment(self.id.as_bytes()), href(&self.path, false))
    }

    /// The visitor to whom it belongs.
    pub(in super::super) fn owner(&self, visitor: &Visitor) -> Visitor {
        if self.part { visitor.aside() } else { visitor.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_was_written() {
        for part in [false, true] {
            let path = TreePath::ROOT.join(b"a b/\xff").unwrap();
            let resource = Resource { id: "0a-1@2f62".to_owned(), path, part };
            assert_eq!(Resource::parse(&resource.url()).unwrap().unwrap(), resource);
        }
    }

    #[test]
    fn other_urls_are_none() {
        for path in ["/-/uploads", "/-/tus", "/a", "/-/uploads/"] {
            assert!(Resource::parse(path).is_none(), "{path}");
        }
        for path in ["/-/uploads/a/", "/-/uploads/a/%2e%2e"] {
            assert!(Resource::parse(path).unwrap().is_err(), "{path}");
        }
    }
}
