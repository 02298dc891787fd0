//! Where files of the tree lie on this machine: in the folder that is served, or in one that is mounted in it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf, absolute},
};

use haul_core::TreePath;

/// A served folder, and those that are mounted at places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    dir: PathBuf,
    /// The longest paths first.
    mounts: Vec<(TreePath, PathBuf)>,
}

impl Whereabouts {
    /// Of these folders; relative ones are in the current one.
    pub fn new(dir: &Path, mounts: impl IntoIterator<Item = (TreePath, PathBuf)>) -> Self {
        let whole = |dir: &Path| absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let mut mounts: Vec<_> = mounts.into_iter().map(|(at, dir)| (at, whole(&dir))).collect();
        mounts.sort_by_key(|(at, _)| std::cmp::Reverse(at.as_bytes().len()));
        Self { dir: whole(dir), mounts }
    }

    /// The file of this path.
    pub(super) fn of(&self, path: &TreePath) -> PathBuf {
        let mounted = self.mounts.iter().find_map(|(at, dir)| {
            Some((dir, path.is_within(at).then(|| path.moved(at, &TreePath::ROOT)).flatten()?))
        });
        let (dir, within) = mounted.unwrap_or_else(|| (&self.dir, path.clone()));
        dir.join(OsStr::from_bytes(within.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lies_in_the_longest_mount_around_it() {
        let path = |raw: &[u8]| TreePath::ROOT.join(raw).unwrap();
        let mounts = [(path(b"m"), "/a".into()), (path(b"m/in/n"), "/b".into())];
        let tree = Whereabouts::new(Path::new("/srv"), mounts);
        for (raw, file) in [
            (&b"f"[..], &b"/srv/f"[..]),
            (b"mm/f", b"/srv/mm/f"),
            (b"m/f", b"/a/f"),
            (b"m/in/f", b"/a/in/f"),
            (b"m/in/n/caf\xe9", b"/b/caf\xe9"),
        ] {
            assert_eq!(tree.of(&path(raw)).as_os_str().as_bytes(), file);
        }
        let here = Whereabouts::new(Path::new("x"), []).of(&path(b"f"));
        assert_eq!(here, std::env::current_dir().unwrap().join("x/f"));
    }
}
