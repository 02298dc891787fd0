//! Who hears what hooks are told: a program that leaves each call of it in a folder.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::wait_until;

/// A folder in which each call of a program leaves what it was told.
pub(crate) struct Ear {
    folder: tempfile::TempDir,
}

impl Ear {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("heard")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A hook that runs a script, which sees the folder as `$1`, and then leaves what it was told.
    pub(crate) fn hook(&self, name: &str, script: &str, keys: &str) -> String {
        let file = self.path(&format!("{name}.sh"));
        let leave = r#"env | grep '^HAUL_' > "$1/$HAUL_ID.$HAUL_ATTEMPT.$$" && mv "$1/$HAUL_ID.$HAUL_ATTEMPT.$$" "$1/heard""#;
        fs::write(&file, format!("{script}\n{leave}\n")).unwrap();
        let words = ["/bin/sh", file.to_str().unwrap(), self.folder.path().to_str().unwrap()];
        format!("[[hook]]\nname = {name:?}\ncommand = {words:?}\n{keys}\n")
    }

    /// All that was told, each by its keys without `HAUL_`.
    pub(crate) fn heard(&self) -> Vec<BTreeMap<String, String>> {
        let read = |path: PathBuf| {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            let pairs = text.lines().filter_map(|line| line.strip_prefix("HAUL_")?.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let entries = fs::read_dir(self.path("heard")).unwrap();
        let mut all: Vec<BTreeMap<String, String>> =
            entries.map(|entry| read(entry.unwrap().path())).collect();
        all.sort_by_key(|told| told["TIME"].clone());
        all
    }

    pub(crate) fn wait_for(&self, count: usize) -> Vec<BTreeMap<String, String>> {
        wait_until(|| self.heard().len() >= count);
        self.heard()
    }
}
