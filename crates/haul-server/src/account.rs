//! Who somebody is, once let in: a name, a place in the tree, and what they may do there.

use std::{net::IpAddr, sync::Arc};

use haul_core::TreePath;
pub use haul_core::receiving::Completion;

use crate::accounts::Bounds;

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
    /// What it may do.
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
    /// Whose unfinished uploads are this account's.
    pub fn owner(&self) -> String {
        self.anonymous.map_or_else(|| self.name.clone(), |address| format!("anonymous@{address}"))
    }
}
