//! A local folder as a list of what is in it, to be sent as a tree.
//!
//! Symbolic links are left out and told: to follow them could send what nobody meant to send, or never end. So are
//! pipes, sockets and devices. Names are the system's bytes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What is in a folder, in the order of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The files.
    pub files: Vec<Leaf>,
    /// Links, pipes, sockets and devices, which are not sent.
    pub left_out: Vec<PathBuf>,
}

/// One file of a tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it is.
    pub path: PathBuf,
    /// Its place in the tree: the names of the folders, and its own.
    pub names: Vec<Vec<u8>>,
}

impl Tree {
    /// What is in `folder`, and in the folders in it.
    ///
    /// # Errors
    /// The first folder that can't be read, with its path.
    pub fn of(folder: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let mut tree = Self::default();
        // Not by recursion: a tree may be deeper than a stack.
        let mut waiting = vec![(folder.to_path_buf(), Vec::new())];
        while let Some((path, names)) = waiting.pop() {
            let unreadable = |error| (path.clone(), error);
            let mut entries: Vec<_> =
                fs::read_dir(&path).and_then(Iterator::collect::<io::Result<_>>).map_err(unreadable)?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let kind = entry.file_type().map_err(unreadable)?;
                let mut names: Vec<Vec<u8>> = names.clone();
                names.push(entry.file_name().into_encoded_bytes());
                if kind.is_dir() {
                    waiting.push((entry.path(), names));
                } else if kind.is_file() {
                    tree.files.push(Leaf { path: entry.path(), names });
                } else {
                    tree.left_out.push(entry.path());
                }
            }
        }
        tree.files.sort_by(|one, other| one.names.cmp(&other.names));
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_their_place_and_links_are_left_out() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        fs::create_dir_all(root.join("b/deep/er")).unwrap();
        for name in ["z", "a", "b/deep/er/x", "b/y"] {
            fs::write(root.join(name), name).unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
            std::os::unix::fs::symlink(root, root.join("b/loop")).unwrap();
        }
        let tree = Tree::of(root).unwrap();
        let names: Vec<_> =
            tree.files.iter().map(|leaf| String::from_utf8(leaf.names.join(&b'/')).unwrap()).collect();
        assert_eq!(names, ["a", "b/deep/er/x", "b/y", "z"]);
        assert_eq!(tree.files[1].path, root.join("b/deep/er/x"));
        #[cfg(unix)]
        assert_eq!(tree.left_out, [root.join("link"), root.join("b/loop")]);
        assert!(Tree::of(&root.join("none")).is_err());
    }
}
