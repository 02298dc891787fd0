//! Records and leases as they are in memory: what a ledger in one process answers questions from.

use std::collections::{BTreeMap, HashMap};

use haul_core::TreePath;

use super::{Lease, Letter, Outstanding, Unfinished, UploadKey};

/// Everything that is known of unfinished uploads, by place and then by owner.
#[derive(Debug, Default)]
pub(super) struct Records {
    all: BTreeMap<(TreePath, String), Unfinished>,
    /// How many each owner has: those who have none are not in it.
    counts: HashMap<String, usize>,
    /// What waits to be delivered.
    pub(super) letters: BTreeMap<u64, Letter>,
}

impl Records {
    /// Puts letters into the queue.
    pub(super) fn post(&mut self, letters: impl IntoIterator<Item = Letter>) {
        self.letters.extend(letters.into_iter().map(|letter| (letter.number, letter)));
    }

    /// Takes letters out of it.
    pub(super) fn unpost(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.letters.remove(number);
        }
    }

    pub(super) fn get(&self, key: &UploadKey) -> Option<&Unfinished> {
        self.all.get(&placed(key))
    }

    /// How many this owner has.
    pub(super) fn count(&self, owner: &str) -> usize {
        self.counts.get(owner).copied().unwrap_or(0)
    }

    /// How many these owners have together.
    pub(super) fn count_of(&self, picks: impl Fn(&str) -> bool) -> usize {
        self.counts.iter().filter(|(owner, _)| picks(owner)).map(|(_, count)| count).sum()
    }

    pub(super) fn put(&mut self, key: UploadKey, record: Unfinished) {
        if self.all.insert(placed(&key), record).is_none() {
            *self.counts.entry(key.owner).or_default() += 1;
        }
    }

    pub(super) fn take(&mut self, key: &UploadKey) -> Option<Unfinished> {
        let record = self.all.remove(&placed(key))?;
        if let Some(count) = self.counts.get_mut(&key.owner) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key.owner);
            }
        }
        Some(record)
    }

    /// What there is in all.
    pub(super) fn outstanding(&self) -> Outstanding {
        let none = Outstanding::default();
        self.all.values().fold(none, |sum, record| Outstanding {
            uploads: sum.uploads + 1,
            bytes: sum.bytes.saturating_add(record.offset).saturating_add(record.beyond.total()),
            oldest: Some(sum.oldest.map_or(record.touched, |oldest| oldest.min(record.touched))),
        })
    }

    /// What lies within a folder, of one owner or of all.
    pub(super) fn within<'a>(
        &'a self,
        folder: &'a TreePath,
        owner: Option<&'a str>,
    ) -> impl Iterator<Item = (UploadKey, &'a Unfinished)> {
        // All of them have the folder's bytes at their front, and so have some of its neighbours.
        self.all
            .range((folder.clone(), String::new())..)
            .take_while(|((path, _), _)| path.as_bytes().starts_with(folder.as_bytes()))
            .filter(move |((path, of), _)| path.is_within(folder) && owner.is_none_or(|owner| of == owner))
            .map(|((path, owner), record)| (UploadKey { owner: owner.clone(), path: path.clone() }, record))
    }

    /// Renames what lies within `from`. What would get no path any more is forgotten.
    pub(super) fn moved(&mut self, owner: Option<&str>, from: &TreePath, to: &TreePath) {
        let keys: Vec<UploadKey> = self.within(from, owner).map(|(key, _)| key).collect();
        let taken: Vec<_> = keys.into_iter().filter_map(|key| Some((self.take(&key)?, key))).collect();
        for (record, key) in taken {
            if let Some(path) = key.path.moved(from, to) {
                self.put(UploadKey { owner: key.owner, path }, record);
            }
        }
    }
}

fn placed(key: &UploadKey) -> (TreePath, String) {
    (key.path.clone(), key.owner.clone())
}

/// Who may write what. A lease lives as long as this process, and so does the number that only grows.
#[derive(Debug, Default)]
pub(super) struct Leases {
    last: u64,
    current: HashMap<UploadKey, u64>,
}

impl Leases {
    pub(super) fn claim(&mut self, key: &UploadKey) -> Lease {
        self.last += 1;
        self.current.insert(key.clone(), self.last);
        Lease { key: key.clone(), fence: self.last }
    }

    pub(super) fn is_current(&self, lease: &Lease) -> bool {
        self.current.get(&lease.key) == Some(&lease.fence)
    }

    pub(super) fn end(&mut self, lease: &Lease) {
        self.current.remove(&lease.key);
    }

    /// No lease of what lies within this folder is worth anything.
    pub(super) fn end_within(&mut self, owner: Option<&str>, folder: &TreePath) {
        self.current
            .retain(|key, _| owner.is_some_and(|owner| key.owner != owner) || !key.path.is_within(folder));
    }
}
