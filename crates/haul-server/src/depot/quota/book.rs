//! What is counted, as plain numbers that one lock is around: homes, and what is unfinished in them.
//!
//! Invariant: what is unfinished in a home is the sum of what is held within it. So whatever happens at the same time,
//! nothing is counted in one place and no longer in another, and nobody finds room that is not there.

use std::collections::HashMap;

use haul_core::TreePath;
use haul_store::UploadKey;
use tokio::sync::watch;

use super::{super::seats::Seats, Quota, signed};

/// Homes that are counted, and uploads that count.
#[derive(Default)]
pub(super) struct Book {
    homes: HashMap<TreePath, Home>,
    held: HashMap<UploadKey, Held>,
}

/// How much lies in a home.
pub(super) struct Home {
    pub(super) finished: Amount,
    unfinished: Amount,
    /// Grows with every change of what is finished: what is counted while it does is worth nothing.
    pub(super) changes: u64,
    pub(super) counted: watch::Sender<bool>,
}

/// So much. A sum may be below nothing where other programs have removed what was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) bytes: i64,
    pub(super) files: i64,
}

/// An unfinished upload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Which one of this name: a session that was fenced speaks of an older one.
    pub(super) upload: u64,
    /// So many bytes are there, or may come.
    pub(super) len: u64,
    /// The size of the file that it is to replace, and that is there by now.
    pub(super) replaces: Option<u64>,
    /// It becomes no file of its own.
    pub(super) aside: bool,
}

impl Amount {
    fn add(&mut self, more: Self) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.files = self.files.saturating_add(more.files);
    }

    fn less(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), files: self.files.saturating_sub(other.files) }
    }
}

impl Held {
    /// What it counts for: what it will replace is there already.
    fn counts(self) -> Amount {
        Amount {
            bytes: signed(self.len.saturating_sub(self.replaces.unwrap_or(0))),
            files: i64::from(self.replaces.is_none() && !self.aside),
        }
    }

    /// The same, where it will replace a file of this size, or none.
    pub(super) fn replacing(self, size: Option<u64>) -> Self {
        Self { replaces: size.filter(|_| !self.aside), ..self }
    }
}

impl Home {
    fn there(&self) -> Amount {
        let mut there = self.finished;
        there.add(self.unfinished);
        there
    }
}

fn of(held: Option<Held>) -> Amount {
    held.map(Held::counts).unwrap_or_default()
}

impl Book {
    pub(super) fn home(&self, place: &TreePath) -> Option<&Home> {
        self.homes.get(place)
    }

    pub(super) fn home_mut(&mut self, place: &TreePath) -> Option<&mut Home> {
        self.homes.get_mut(place)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &TreePath> {
        self.homes.keys()
    }

    /// The homes that have a place in them.
    pub(super) fn around(&self, place: &TreePath) -> Vec<&TreePath> {
        let up = std::iter::successors(Some(place.clone()), TreePath::parent);
        up.filter_map(|at| self.homes.get_key_value(&at).map(|(home, _)| home)).collect()
    }

    fn each_around(&mut self, place: &TreePath, mut change: impl FnMut(&mut Home)) {
        for at in std::iter::successors(Some(place.clone()), TreePath::parent) {
            self.homes.get_mut(&at).into_iter().for_each(&mut change);
        }
    }

    /// From now on these homes; what was counted of those that stay is kept.
    pub(super) fn measure(&mut self, places: impl IntoIterator<Item = TreePath>) {
        let mut before = std::mem::take(&mut self.homes);
        for place in places {
            let home = before.remove(&place).unwrap_or_else(|| {
                let mut unfinished = Amount::default();
                let inside = self.held.iter().filter(|(key, _)| key.path.is_within(&place));
                inside.for_each(|(_, held)| unfinished.add(held.counts()));
                Home {
                    finished: Amount::default(),
                    unfinished,
                    changes: 0,
                    counted: watch::Sender::new(false),
                }
            });
            self.homes.insert(place, home);
        }
        let homes = &self.homes;
        self.held.retain(|key, _| homes.keys().any(|home| key.path.is_within(home)));
    }

    pub(super) fn held(&self, key: &UploadKey) -> Option<Held> {
        self.held.get(key).copied()
    }

    /// Uploads that nobody receives.
    pub(super) fn left_alone(&self, seats: &Seats) -> Vec<UploadKey> {
        self.held.keys().filter(|key| seats.of(key).is_none()).cloned().collect()
    }

    /// An upload counts for that from now on, or no longer.
    pub(super) fn set(&mut self, key: &UploadKey, now: Option<Held>) {
        let before = match (now, self.held.get_mut(key)) {
            (Some(now), Some(there)) => Some(std::mem::replace(there, now)),
            (Some(now), None) => self.held.insert(key.clone(), now),
            (None, _) => self.held.remove(key),
        };
        let change = of(now).less(of(before));
        self.each_around(&key.path, |home| home.unfinished.add(change));
    }

    /// So much more, or less, is finished there.
    pub(super) fn changed(&mut self, place: &TreePath, change: Amount) {
        self.each_around(place, |home| {
            home.finished.add(change);
            home.changes += 1;
        });
    }

    /// A file of this size is there now, or none: uploads of that name will replace it.
    pub(super) fn replaced(&mut self, place: &TreePath, size: Option<u64>) {
        let concerned: Vec<_> = self.held.keys().filter(|key| key.path == *place).cloned().collect();
        for key in concerned {
            let now = self.held(&key).map(|held| held.replacing(size));
            self.set(&key, now);
        }
    }

    /// Uploads within one place are within another from now on.
    pub(super) fn moved(&mut self, from: &TreePath, to: &TreePath) {
        let moved: Vec<_> = self.held.keys().filter(|key| key.path.is_within(from)).cloned().collect();
        for key in moved {
            let held = self.held(&key);
            self.set(&key, None);
            if let Some(path) = key.path.moved(from, to) {
                self.set(&UploadKey { path, ..key }, held);
            }
        }
    }

    /// How many bytes more may lie in a home.
    pub(super) fn room(&self, place: &TreePath, quota: Quota) -> u64 {
        let (Some(home), Some(most)) = (self.homes.get(place), quota.bytes) else { return u64::MAX };
        u64::try_from(signed(most).saturating_sub(home.there().bytes.max(0))).unwrap_or(0)
    }

    /// Whether so much more may lie in a home.
    pub(super) fn takes(&self, place: &TreePath, quota: Quota, more: Amount) -> bool {
        let files = self.homes.get(place).map_or(0, |home| home.there().files.max(0));
        let many = quota.files.is_some_and(|most| files.saturating_add(more.files) > signed(most));
        let large = u64::try_from(more.bytes).is_ok_and(|more| more > self.room(place, quota));
        !(many && more.files > 0 || large)
    }

    /// What an upload would count for beyond what it counts for now.
    pub(super) fn beyond(&self, key: &UploadKey, now: Held) -> Amount {
        now.counts().less(of(self.held(key)))
    }
}
