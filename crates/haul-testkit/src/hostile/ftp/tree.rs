//! The files of a hostile FTP peer: in memory, and where they are content that follows from a seed, not even there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::content::Content;

/// A date long ago, so that whatever is written anew has another one.
pub(super) const LONG_AGO: u64 = 1_700_000_000;

/// A file as it is at one moment; one that is being read stays as it was.
#[derive(Debug, Clone)]
pub(super) struct File {
    bytes: Bytes,
    /// In seconds since 1970.
    pub(super) modified: u64,
}

#[derive(Debug, Clone)]
enum Bytes {
    Content(Content),
    Stored(Arc<Vec<u8>>),
}

impl File {
    pub(super) fn of(content: Content, modified: u64) -> Self {
        Self { bytes: Bytes::Content(content), modified }
    }

    pub(super) fn stored(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Stored(Arc::new(bytes)), modified: now() }
    }

    pub(super) fn size(&self) -> u64 {
        match &self.bytes {
            Bytes::Content(content) => content.size(),
            Bytes::Stored(bytes) => bytes.len() as u64,
        }
    }

    /// At most so many bytes from an offset on.
    pub(super) fn read(&self, from: u64, most: usize) -> Vec<u8> {
        let end = from.saturating_add(most as u64).min(self.size());
        let from = from.min(end);
        match &self.bytes {
            Bytes::Content(content) => content.bytes(from..end),
            Bytes::Stored(bytes) => bytes[from as usize..end as usize].to_vec(),
        }
    }

    /// The bytes as something that can be written to.
    fn own(&mut self) -> &mut Vec<u8> {
        if let Bytes::Content(content) = &self.bytes {
            self.bytes = Bytes::Stored(Arc::new(content.bytes(0..content.size())));
        }
        let Bytes::Stored(bytes) = &mut self.bytes else { unreachable!("just made so") };
        Arc::make_mut(bytes)
    }

    pub(super) fn cut(&mut self, at: u64) {
        self.modified = now();
        self.own().truncate(at as usize);
    }

    /// Writes at an offset; a gap before it becomes zeros, as in a real file.
    pub(super) fn write(&mut self, at: u64, piece: &[u8]) {
        self.modified = now();
        let (bytes, at) = (self.own(), at as usize);
        let end = at + piece.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[at..end].copy_from_slice(piece);
    }
}

/// Files and folders by their path from `/` on; `/` itself is always there.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Option<File>>);

impl Tree {
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.get(path)?.as_ref()
    }

    pub(super) fn file_mut(&mut self, path: &str) -> Option<&mut File> {
        self.0.get_mut(path)?.as_mut()
    }

    pub(super) fn is_folder(&self, path: &str) -> bool {
        path == "/" || matches!(self.0.get(path), Some(None))
    }

    pub(super) fn is_there(&self, path: &str) -> bool {
        path == "/" || self.0.contains_key(path)
    }

    /// Puts a file, and the folders above it.
    pub(super) fn put(&mut self, path: &str, file: File) {
        for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
            self.0.entry(path[..at].into()).or_insert(None);
        }
        self.0.insert(path.into(), Some(file));
    }

    pub(super) fn make_folder(&mut self, path: &str) {
        self.0.insert(path.into(), None);
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.0.remove(path);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let below = format!("{from}/");
        let moved: Vec<String> =
            self.0.keys().filter(|path| *path == from || path.starts_with(&below)).cloned().collect();
        for path in moved {
            let node = self.0.remove(&path).expect("just seen");
            self.0.insert(format!("{to}{}", &path[from.len()..]), node);
        }
    }

    /// What lies in a folder: names, and files where they are files.
    pub(super) fn children(&self, folder: &str) -> Vec<(String, Option<File>)> {
        let begin = if folder == "/" { "/".into() } else { format!("{folder}/") };
        let below = self.0.iter().filter_map(|(path, node)| Some((path.strip_prefix(&begin)?, node)));
        below
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, node)| (name.into(), node.clone()))
            .collect()
    }
}

/// A path from `/` on, without `.` and `..`; it cannot leave the tree.
pub(super) fn resolve(folder: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.into() } else { format!("{folder}/{path}") };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The folder above.
pub(super) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) if at > 0 => &path[..at],
        _ => "/",
    }
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
