//! How many sessions each user has at a time, over all doors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The sessions of each user that has any.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<HashMap<Box<str>, usize>>);

/// A session of a user, as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    user: Box<str>,
    tally: Arc<Tally>,
}

impl Tally {
    fn users(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more session of this user, unless there are as many.
    pub(super) fn count(self: &Arc<Self>, user: &str, most: usize) -> Option<Counted> {
        let mut users = self.users();
        let there = users.get(user).copied().unwrap_or(0);
        if there >= most {
            return None;
        }
        users.insert(user.into(), there + 1);
        Some(Counted { user: user.into(), tally: Arc::clone(self) })
    }
}

impl Counted {
    /// Whose it is.
    pub(super) fn is_of(&self, user: &str) -> bool {
        &*self.user == user
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut users = self.tally.users();
        match users.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(users.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_as_long_as_it_lives() {
        let tally = Arc::new(Tally::default());
        let one = tally.count("ann", 2);
        let two = tally.count("ann", 2).unwrap();
        assert!(one.is_some() && tally.count("ann", 2).is_none());
        assert!(tally.count("bob", 1).is_some(), "each for itself");
        drop(two);
        assert!(tally.count("ann", 2).is_some());
        drop(one);
        assert!(tally.users().is_empty(), "nobody is remembered");
    }
}
