//! A ledger that forgets everything with its process: for tests, and for a server that keeps nothing unfinished.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use haul_core::TreePath;

use super::records::{Leases, Records};
use super::{Lease, Ledger, Letter, Outstanding, PUBLISHED, Published, Unfinished, UploadKey, fenced};
use crate::{Durability, Work};

/// Remembers in memory only.
#[derive(Debug, Default)]
pub struct MemoryLedger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    records: Records,
    leases: Leases,
    published: VecDeque<Published>,
}

impl MemoryLedger {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here stops half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for MemoryLedger {
    fn claim<'a>(&'a self, key: &'a UploadKey) -> Work<'a, (Lease, Option<Unfinished>)> {
        Box::pin(async move {
            let mut state = self.state();
            Ok((state.leases.claim(key), state.records.get(key).cloned()))
        })
    }

    fn load<'a>(&'a self, key: &'a UploadKey) -> Work<'a, Option<Unfinished>> {
        Box::pin(async move { Ok(self.state().records.get(key).cloned()) })
    }

    fn save<'a>(&'a self, lease: &'a Lease, record: &'a Unfinished, _: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            let mut state = self.state();
            if !state.leases.is_current(lease) {
                return Err(fenced(&lease.key));
            }
            state.records.put(lease.key.clone(), record.clone());
            Ok(())
        })
    }

    fn forget<'a>(&'a self, lease: &'a Lease) -> Work<'a, ()> {
        Box::pin(async move {
            let mut state = self.state();
            if !state.leases.is_current(lease) {
                return Err(fenced(&lease.key));
            }
            state.leases.end(lease);
            state.records.take(&lease.key);
            Ok(())
        })
    }

    fn publish<'a>(&'a self, lease: &'a Lease, published: &'a Published) -> Work<'a, ()> {
        Box::pin(async move {
            let mut state = self.state();
            if !state.leases.is_current(lease) {
                return Err(fenced(&lease.key));
            }
            state.leases.end(lease);
            if state.records.take(&lease.key).is_some() {
                if state.published.len() >= PUBLISHED {
                    state.published.pop_front();
                }
                state.published.push_back(published.clone());
            }
            Ok(())
        })
    }

    fn published(&self) -> Work<'_, Vec<Published>> {
        Box::pin(async move { Ok(self.state().published.iter().cloned().collect()) })
    }

    fn count<'a>(&'a self, owner: &'a str) -> Work<'a, usize> {
        Box::pin(async move { Ok(self.state().records.count(owner)) })
    }

    fn count_of<'a>(&'a self, picks: &'a (dyn Fn(&str) -> bool + Sync)) -> Work<'a, usize> {
        Box::pin(async move { Ok(self.state().records.count_of(picks)) })
    }

    fn outstanding(&self) -> Work<'_, Outstanding> {
        Box::pin(async move { Ok(self.state().records.outstanding()) })
    }

    fn in_folder<'a>(
        &'a self,
        owner: &'a str,
        folder: &'a TreePath,
    ) -> Work<'a, Vec<(UploadKey, Unfinished)>> {
        Box::pin(async move { Ok(directly_in(&self.state().records, owner, folder)) })
    }

    fn within<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Vec<(UploadKey, Unfinished)>> {
        Box::pin(async move { Ok(all_within(&self.state().records, folder)) })
    }

    fn moved<'a>(&'a self, owner: Option<&'a str>, from: &'a TreePath, to: &'a TreePath) -> Work<'a, ()> {
        Box::pin(async move {
            let mut state = self.state();
            state.leases.end_within(owner, from);
            state.leases.end_within(owner, to);
            state.records.moved(owner, from, to);
            Ok(())
        })
    }

    fn post<'a>(&'a self, letters: &'a [Letter], _: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            self.state().records.post(letters.iter().cloned());
            Ok(())
        })
    }

    fn unpost<'a>(&'a self, numbers: &'a [u64]) -> Work<'a, ()> {
        Box::pin(async move {
            self.state().records.unpost(numbers);
            Ok(())
        })
    }

    fn turn(&self) -> Work<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn letters(&self) -> Work<'_, Vec<Letter>> {
        Box::pin(async move { Ok(self.state().records.letters.values().cloned().collect()) })
    }
}

/// What this owner has directly in a folder.
pub(super) fn directly_in(records: &Records, owner: &str, folder: &TreePath) -> Vec<(UploadKey, Unfinished)> {
    let inside = records.within(folder, Some(owner));
    let directly = inside.filter(|(key, _)| key.path.parent().as_ref() == Some(folder));
    directly.map(|(key, record)| (key, record.clone())).collect()
}

/// Everything within a folder.
pub(super) fn all_within(records: &Records, folder: &TreePath) -> Vec<(UploadKey, Unfinished)> {
    records.within(folder, None).map(|(key, record)| (key, record.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_a_ledger_promises() {
        crate::ledger::wait(crate::ledger::conformance::all(MemoryLedger::default)).unwrap();
    }
}
