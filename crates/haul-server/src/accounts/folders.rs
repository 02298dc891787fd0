//! What an account may do in which folder: of all rules that a path lies in, the one of the longest path counts.

use haul_core::TreePath;

use crate::account::Permissions;

/// Rules for folders, whose paths begin at an account's home; none of them is for the home itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders(pub Vec<(TreePath, Permissions)>);

impl Folders {
    /// What may be done at this path; `None` where no rule says anything.
    pub(crate) fn at(&self, path: &TreePath) -> Option<Permissions> {
        let around = self.0.iter().filter(|(folder, _)| path.is_within(folder));
        around.max_by_key(|(folder, _)| folder.as_bytes().len()).map(|(_, may)| *may)
    }

    /// Whether files may be written in any of them.
    pub(super) fn let_write(&self) -> bool {
        self.0.iter().any(|(_, may)| may.write)
    }

    /// Whether a rule is for this very folder.
    pub(crate) fn begin(&self, path: &TreePath) -> bool {
        self.0.iter().any(|(folder, _)| folder == path)
    }

    /// What may be done in folders somewhere below this path that have rules of their own.
    pub(crate) fn below<'a>(&'a self, path: &'a TreePath) -> impl Iterator<Item = Permissions> + 'a {
        self.0.iter().filter(move |(folder, _)| folder != path && folder.is_within(path)).map(|(_, may)| *may)
    }
}
