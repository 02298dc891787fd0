//! Who somebody is, once let in: a name, a place in the tree, and what they may do there.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use haul_core::TreePath;
pub use haul_core::receiving::Completion;

use crate::accounts::{Bounds, throttle::whose};

/// What an account may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// r: read files.
    pub read: bool,
    /// w: create files and folders, replace files, set dates and modes.
    pub write: bool,
    /// d: remove and rename.
    pub delete: bool,
    /// l: list folders.
    pub list: bool,
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name; `anonymous` for everybody without one.
    pub name: String,
    /// Where the account's own root lies in the tree.
    pub home: TreePath,
    /// What it may do where no folder has a rule of its own.
    pub may: Permissions,
    /// When its uploads are complete.
    pub completion: Completion,
    /// Anonymous, and from where: such a one owns its unfinished uploads by its address, and never replaces, renames or
    /// removes anything, whatever `may` says.
    pub anonymous: Option<IpAddr>,
    /// What it is kept to.
    pub bounds: Arc<Bounds>,
}

impl Account {
    /// The same with its home within another folder; `None` where that makes too long a path.
    pub(crate) fn within(self: Arc<Self>, folder: &TreePath) -> Option<Arc<Self>> {
        if folder.is_root() {
            return Some(self);
        }
        let home = self.home.moved(&TreePath::ROOT, folder)?;
        Some(Arc::new(Self { home, ..(*self).clone() }))
    }

    /// What it may do at a path, which begins at its home.
    pub fn may_at(&self, path: &TreePath) -> Permissions {
        self.bounds.folders.at(path).unwrap_or(self.may)
    }

    /// The same of a name in a folder.
    pub fn may_in(&self, folder: &TreePath, name: &[u8]) -> Permissions {
        if self.bounds.folders.0.is_empty() {
            return self.may;
        }
        folder.join(name).map_or(self.may, |path| self.may_at(&path))
    }

    /// What it may do to a name itself: make, remove or rename it. That of a folder with a rule of its own is a matter of
    /// the folder above it as well.
    pub(crate) fn may_name(&self, path: &TreePath) -> Permissions {
        let own = self.may_at(path);
        if !self.bounds.folders.begin(path) {
            return own;
        }
        let above = self.may_at(&path.parent().unwrap_or_default());
        Permissions { write: own.write && above.write, delete: own.delete && above.delete, ..own }
    }

    /// Whether it may give what has one path another. Nothing goes to where it could be read from where it could not be.
    pub(crate) fn may_move(&self, from: &TreePath, to: &TreePath) -> bool {
        let (here, there) = (self.may_name(from), self.may_name(to));
        let folders = &self.bounds.folders;
        let elsewhere = here != there;
        here.delete
            && there.delete
            && (!elsewhere || (there.write && (here.read || !there.read)))
            && folders.below(from).chain(folders.below(to)).all(|may| may.delete && may.write && may.read)
    }

    /// Whose unfinished uploads are this account's.
    pub fn owner(&self) -> String {
        self.anonymous.map_or_else(|| self.name.clone(), |address| format!("anonymous@{address}"))
    }

    /// With whom it shares what a user may have, sessions and bandwidth. Who has no name shares it with its address, of
    /// IPv6 with its /64: whoever has one address there has all of them.
    pub(crate) fn shares(&self) -> String {
        counts_as(&self.owner()).into_owned()
    }
}

/// What owners have in common whose uploads count together: a name, or the address of those without one, of IPv6 the
/// /64. What stands behind an owner, after a colon, stays there.
pub(crate) fn counts_as(owner: &str) -> Cow<'_, str> {
    let Some(told) = owner.strip_prefix("anonymous@") else { return Cow::Borrowed(owner) };
    let parsed = |text: &str| text.parse::<IpAddr>().ok();
    let (address, behind) = match (parsed(told), told.rsplit_once(':')) {
        (Some(address), _) => (Some(address), None),
        (None, Some((front, behind))) => (parsed(front), Some(behind)),
        (None, None) => (None, None),
    };
    match (address.map(whose), behind) {
        (None, _) => Cow::Borrowed(owner),
        (Some(address), None) => Cow::Owned(format!("anonymous@{address}")),
        (Some(address), Some(behind)) => Cow::Owned(format!("anonymous@{address}:{behind}")),
    }
}

/// Whether nobody else's count with what counts as this: only a /64 has several owners.
pub(crate) fn counts_alone(counts_as: &str) -> bool {
    // It ends so, and nothing else has that in it: no name has a colon.
    !counts_as.contains("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_64_of_ipv6_counts_as_one_and_whoever_has_a_name_as_that() {
        for (owner, counts) in [
            ("ann", "ann"),
            ("ann:part", "ann:part"),
            ("anonymous@192.0.2.7", "anonymous@192.0.2.7"),
            ("anonymous@192.0.2.7:part", "anonymous@192.0.2.7:part"),
            ("anonymous@::ffff:192.0.2.7", "anonymous@192.0.2.7"),
            ("anonymous@2001:db8::7", "anonymous@2001:db8::"),
            ("anonymous@2001:db8:0:1:2:3:4:5:part", "anonymous@2001:db8:0:1:::part"),
            ("anonymous@nobody", "anonymous@nobody"),
        ] {
            assert_eq!(counts_as(owner), counts);
            assert_eq!(counts_alone(counts), !counts.contains("db8"), "{counts}");
        }
    }
}
