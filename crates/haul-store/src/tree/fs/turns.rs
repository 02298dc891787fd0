//! One change of a name at a time: from the look at what has it to the rename, removal or date that rests on that look.
//!
//! Two accounts may publish to one name at once, one may remove what another replaces, and links lead to one name by
//! several. No system call compares and renames; so whoever changes a name here waits for its turn. What other programs
//! do meanwhile is theirs.

use std::{
    collections::HashSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::Stat;

use super::beneath::Spot;
use crate::sys::tree::device;

/// A name in a folder, which is told by device and inode.
type Name = ((u64, u64), Vec<u8>);

/// The names that are being changed.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<Name>>,
    given_back: Condvar,
}

/// The right to change some names; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    names: Vec<Name>,
}

impl Turns {
    /// Waits until nobody else changes any of these names. All are taken at once, so that two who want the same two
    /// never wait for each other.
    pub(super) fn take<const N: usize>(&self, wanted: [(&Spot, &Stat); N]) -> Turn<'_> {
        let name = |(spot, folder): (&Spot, &Stat)| ((device(folder), folder.st_ino), spot.name.clone());
        let names = wanted.map(name).to_vec();
        let mut taken = self.taken();
        while names.iter().any(|name| taken.contains(name)) {
            taken = self.given_back.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        taken.extend(names.iter().cloned());
        Turn { turns: self, names }
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<Name>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        for name in &self.names {
            taken.remove(name);
        }
        drop(taken);
        self.turns.given_back.notify_all();
    }
}
