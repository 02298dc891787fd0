//! How many sessions there are of each user, or of each address, at a time.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Sessions by whose they are; nobody who has none.
#[derive(Debug)]
pub(crate) struct Tally<Of>(Mutex<HashMap<Of, usize>>);

/// A session of somebody, as long as this lives.
#[derive(Debug)]
pub(super) struct Counted<Of: Eq + Hash> {
    of: Of,
    tally: Arc<Tally<Of>>,
}

impl<Of> Default for Tally<Of> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Of> Tally<Of> {
    fn all(&self) -> MutexGuard<'_, HashMap<Of, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Of: Clone + Eq + Hash> Tally<Of> {
    /// One more session of theirs, unless there are as many; `None`: any number.
    pub(super) fn count(self: &Arc<Self>, of: Of, most: Option<u32>) -> Option<Counted<Of>> {
        let mut all = self.all();
        let there = all.get(&of).copied().unwrap_or(0);
        if most.is_some_and(|most| there >= usize::try_from(most).unwrap_or(usize::MAX)) {
            return None;
        }
        all.insert(of.clone(), there + 1);
        Some(Counted { of, tally: Arc::clone(self) })
    }
}

impl<Of: Eq + Hash> Counted<Of> {
    /// Whose it is.
    pub(super) fn of(&self) -> &Of {
        &self.of
    }
}

impl<Of: Eq + Hash> Drop for Counted<Of> {
    fn drop(&mut self) {
        let mut all = self.tally.all();
        match all.get_mut(&self.of) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(all.remove(&self.of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_as_long_as_it_lives() {
        let tally = Arc::new(Tally::default());
        let one = tally.count("ann", Some(2));
        let two = tally.count("ann", Some(2)).unwrap();
        assert!(one.is_some() && tally.count("ann", Some(2)).is_none());
        assert!(tally.count("bob", Some(1)).is_some(), "each for itself");
        drop(two);
        assert!(tally.count("ann", Some(2)).is_some());
        drop(one);
        assert!(tally.all().is_empty(), "nobody is remembered");
    }
}
