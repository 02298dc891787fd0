//! What is counted, as plain numbers that one lock is around: homes, and what is unfinished in them.
//!
//! Invariant: what is unfinished in a home is the sum of what is held within it. So whatever happens at the same time,
//! nothing is counted in one place and no longer in another, and nobody finds room that is not there.
//!
//! A file that is put together from parts counts, as long as they are there, for what it is more than they are. When it
//! is a file, they count for nothing any more, in the same moment: what they were counted for is the file's.

use std::{collections::HashMap, sync::Arc};

use haul_core::TreePath;
use haul_store::UploadKey;
use tokio::sync::watch;

use super::{super::seats::Seats, Quota, signed};

/// Homes that are counted, and uploads that count.
#[derive(Default)]
pub(super) struct Book {
    homes: HashMap<TreePath, Home>,
    held: HashMap<UploadKey, Held>,
    /// Of what each upload is put together.
    joined: HashMap<UploadKey, Joined>,
    /// What each part is put into: one thing only, or it would stand for two.
    whole: HashMap<UploadKey, UploadKey>,
}

/// What an upload is put together from, each once.
pub(in super::super) type Parts = Arc<[UploadKey]>;

struct Joined {
    /// As it was asked for.
    asked: Parts,
    /// Without what is a part of something else.
    counted: Vec<UploadKey>,
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

    /// What an upload counts for in a home that it lies in, if it is what is held, and put together from these parts.
    fn counts_in(&self, home: &TreePath, held: Option<Held>, parts: &[UploadKey]) -> Amount {
        let Some(held) = held else { return Amount::default() };
        let inside = parts.iter().filter(|part| part.path.is_within(home));
        let there = inside.filter_map(|part| self.held.get(part));
        let there = there.fold(0_i64, |sum, part| sum.saturating_add(part.counts().bytes));
        let Amount { bytes, files } = held.counts();
        Amount { bytes: bytes.saturating_sub(there).max(0), files }
    }

    fn parts_of(&self, key: &UploadKey) -> &[UploadKey] {
        self.joined.get(key).map_or(&[], |joined| &joined.counted)
    }

    /// What counts in a home of an upload, and of what it is a part of.
    fn of_all(&self, home: &TreePath, keys: &[UploadKey]) -> Amount {
        let mut sum = Amount::default();
        for key in keys.iter().filter(|key| key.path.is_within(home)) {
            sum.add(self.counts_in(home, self.held(key), self.parts_of(key)));
        }
        sum
    }

    /// Changes something of these uploads: the homes around them know what that comes to.
    fn change(&mut self, keys: &[UploadKey], change: impl FnOnce(&mut Self)) {
        let mut homes: Vec<TreePath> = keys.iter().flat_map(|key| self.around(&key.path)).cloned().collect();
        homes.sort_unstable();
        homes.dedup();
        let before: Vec<_> = homes.iter().map(|home| self.of_all(home, keys)).collect();
        change(self);
        for (place, before) in homes.iter().zip(before) {
            let more = self.of_all(place, keys).less(before);
            if let Some(home) = self.homes.get_mut(place) {
                home.unfinished.add(more);
            }
        }
    }

    /// From now on these homes; what was counted of those that stay is kept.
    pub(super) fn measure(&mut self, places: impl IntoIterator<Item = TreePath>) {
        let mut before = std::mem::take(&mut self.homes);
        for place in places {
            let home = before.remove(&place).unwrap_or_else(|| {
                let mut unfinished = Amount::default();
                let inside = self.held.iter().filter(|(key, _)| key.path.is_within(&place));
                inside.for_each(|(key, held)| {
                    unfinished.add(self.counts_in(&place, Some(*held), self.parts_of(key)));
                });
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
        let store = |book: &mut Self| match (now, book.held.get_mut(key)) {
            (Some(now), Some(there)) => *there = now,
            (Some(now), None) => drop(book.held.insert(key.clone(), now)),
            (None, _) => drop(book.held.remove(key)),
        };
        let concerned = || self.joined.contains_key(key) || self.whole.contains_key(key);
        if !self.joined.is_empty() && concerned() {
            let keys: Vec<_> = std::iter::once(key).chain(self.whole.get(key)).cloned().collect();
            self.change(&keys, store);
            return;
        }
        let before = self.held(key).map(Held::counts).unwrap_or_default();
        store(self);
        let change = now.map(Held::counts).unwrap_or_default().less(before);
        self.each_around(&key.path, |home| home.unfinished.add(change));
    }

    /// An upload begins, and is put together from these parts. One that is a part of something else already counts for
    /// itself as well.
    pub(super) fn join(&mut self, key: &UploadKey, now: Held, asked: &Parts) {
        let counted: Vec<_> = self.free(key, asked).cloned().collect();
        self.part(key);
        self.change(std::slice::from_ref(key), |book| {
            book.held.insert(key.clone(), now);
            book.whole.extend(counted.iter().map(|part| (part.clone(), key.clone())));
            book.joined.insert(key.clone(), Joined { asked: Arc::clone(asked), counted });
        });
    }

    /// Those of its parts that are not parts of something else.
    fn free<'a>(&self, key: &UploadKey, parts: &'a [UploadKey]) -> impl Iterator<Item = &'a UploadKey> {
        parts.iter().filter(move |part| self.whole.get(*part).is_none_or(|whole| whole == key))
    }

    /// An upload is no longer put together from anything.
    pub(super) fn part(&mut self, key: &UploadKey) {
        if self.joined.contains_key(key) {
            self.change(std::slice::from_ref(key), |book| {
                let joined = book.joined.remove(key);
                joined
                    .iter()
                    .flat_map(|joined| &joined.counted)
                    .for_each(|part| drop(book.whole.remove(part)));
            });
        }
    }

    /// The same, if it is these parts that it is put together from, as it was asked for then.
    pub(super) fn part_from(&mut self, key: &UploadKey, asked: &Parts) {
        if self.joined.get(key).is_some_and(|joined| Arc::ptr_eq(&joined.asked, asked)) {
            self.part(key);
        }
    }

    /// What an upload was put together from counts for nothing any more: it is about to be dropped. What is still there
    /// after all counts again with the next look at the ledger.
    pub(super) fn spend(&mut self, key: &UploadKey) {
        let parts = self.parts_of(key).to_vec();
        self.part(key);
        for part in parts {
            self.set(&part, None);
        }
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

    /// What an upload would count for in a home beyond what it counts for now.
    pub(super) fn beyond(&self, home: &TreePath, key: &UploadKey, now: Held) -> Amount {
        self.beyond_as(home, key, now, self.parts_of(key))
    }

    /// The same, if it began now and were put together from these parts.
    pub(super) fn beyond_joined(
        &self,
        home: &TreePath,
        key: &UploadKey,
        now: Held,
        parts: &[UploadKey],
    ) -> Amount {
        let free: Vec<_> = self.free(key, parts).cloned().collect();
        self.beyond_as(home, key, now, &free)
    }

    fn beyond_as(&self, home: &TreePath, key: &UploadKey, now: Held, parts: &[UploadKey]) -> Amount {
        let before = self.counts_in(home, self.held(key), self.parts_of(key));
        self.counts_in(home, Some(now), parts).less(before)
    }
}
