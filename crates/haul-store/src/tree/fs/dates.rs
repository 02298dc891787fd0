//! Which date a published file gets: later, by whole seconds, than that of every earlier file of the same name, so that
//! whoever compares dates as FTP and HTTP write them never takes one version for another.
//!
//! What has the name now is looked at. What had it and was removed, renamed away or given another date is remembered
//! here for as long as its date could be given again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use haul_core::{Modified, TreePath};

/// A file whose last byte was written so many seconds ago is dated anew: a sync that takes long must not bring back a
/// second that was used and forgotten meanwhile.
const STALE: i64 = 2;

/// Above this many names the oldest dates are forgotten early.
const MOST: usize = 10_000;

/// The last dates of names that are no more.
#[derive(Debug, Default)]
pub(super) struct Dates(Mutex<HashMap<TreePath, i64>>);

impl Dates {
    /// A file of this name had this date. Of a folder that is gone: everything in it had at most this one.
    pub(super) fn remember(&self, path: &TreePath, seconds: i64) {
        let now = now().seconds;
        if seconds < now - STALE {
            return;
        }
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gone.len() >= MOST {
            gone.retain(|_, seconds| *seconds >= now - STALE);
        }
        if gone.len() >= MOST {
            let oldest = gone.iter().min_by_key(|(_, seconds)| **seconds).map(|(path, _)| path.clone());
            oldest.map(|path| gone.remove(&path));
        }
        let last = gone.entry(path.clone()).or_insert(seconds);
        *last = seconds.max(*last);
    }

    /// The date for a file whose last byte was written at `written`, in place of one dated `replaced`; `None` where
    /// the one it has will do.
    pub(super) fn next(&self, path: &TreePath, written: Modified, replaced: Option<i64>) -> Option<Modified> {
        let last = self.last_within(path).into_iter().chain(replaced).max();
        let now = now();
        let fresh = written.seconds >= now.seconds - STALE && written.seconds <= now.seconds;
        match last {
            Some(last) if now.seconds <= last => {
                let seconds = last.saturating_add(1);
                // Ahead of the clock: remembered from now on, because it may go away unseen, with its folder.
                self.remember(path, seconds);
                Some(Modified { seconds, nanos: 0, strong: false })
            }
            Some(last) if written.seconds <= last => Some(now),
            _ if fresh => None,
            _ => Some(now),
        }
    }

    /// The date for a file dated `has` that is renamed to `path`, in place of one dated `replaced`; `None` where the
    /// one it has will do. A date that somebody has set, long ago, is left to him.
    pub(super) fn moved(&self, path: &TreePath, has: Modified, replaced: Option<i64>) -> Option<Modified> {
        let recent = has.seconds >= now().seconds - STALE;
        let last = self.last_within(path).into_iter().chain(replaced).max()?;
        if !recent || last < has.seconds {
            return None;
        }
        let seconds = last.saturating_add(1);
        self.remember(path, seconds);
        Some(Modified { seconds, nanos: 0, strong: false })
    }

    fn last_within(&self, path: &TreePath) -> Option<i64> {
        let gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gone.is_empty() {
            return None;
        }
        let mut last = None;
        let mut at = Some(path.clone());
        while let Some(path) = at {
            last = last.max(gone.get(&path).copied());
            at = path.parent();
        }
        last
    }
}

/// This moment.
pub(super) fn now() -> Modified {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Modified { seconds, nanos: since.subsec_nanos(), strong: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> TreePath {
        TreePath::ROOT.join(raw.as_bytes()).unwrap()
    }

    #[test]
    fn the_same_second_is_never_given_twice() {
        let dates = Dates::default();
        let now = now();
        assert_eq!(dates.next(&path("a"), now, None), None);
        assert_eq!(dates.next(&path("a"), now, Some(now.seconds - 5)), None);
        let later = dates.next(&path("a"), now, Some(now.seconds + 10)).unwrap();
        assert_eq!((later.seconds, later.nanos), (now.seconds + 11, 0));
        let gone = dates.next(&path("a"), now, None).unwrap();
        assert_eq!(gone.seconds, now.seconds + 12, "whatever became of the one before");
    }

    #[test]
    fn what_was_removed_is_remembered_and_what_was_in_a_folder_too() {
        let dates = Dates::default();
        let now = now();
        dates.remember(&path("a"), now.seconds + 10);
        assert_eq!(dates.next(&path("a"), now, None).unwrap().seconds, now.seconds + 11);
        dates.remember(&path("f"), now.seconds + 20);
        assert_eq!(dates.next(&path("f/g/h"), now, None).unwrap().seconds, now.seconds + 21);
        assert_eq!(dates.next(&path("fg"), now, None), None);
        dates.remember(&path("old"), now.seconds - 100);
        assert_eq!(dates.next(&path("old"), now, None), None);
    }

    #[test]
    fn what_was_written_long_ago_is_dated_when_it_is_published() {
        let dates = Dates::default();
        let now = now();
        let long_ago = Modified { seconds: now.seconds - 100, ..now };
        assert!(dates.next(&path("a"), long_ago, None).unwrap().seconds >= now.seconds);
    }

    #[test]
    fn what_is_renamed_has_no_second_of_what_was_there_either() {
        let dates = Dates::default();
        let now = now();
        assert_eq!(dates.moved(&path("a"), now, None), None);
        assert_eq!(dates.moved(&path("a"), now, Some(now.seconds - 1)), None);
        assert_eq!(dates.moved(&path("a"), now, Some(now.seconds)).unwrap().seconds, now.seconds + 1);
        let set = Modified { seconds: 1_000_000_000, ..now };
        assert_eq!(dates.moved(&path("b"), set, Some(set.seconds)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let dates = Dates::default();
        let now = now().seconds;
        for n in 0..=MOST {
            dates.remember(&path(&n.to_string()), now + 100 + i64::try_from(n).unwrap());
        }
        assert_eq!(dates.0.lock().unwrap().len(), MOST);
    }
}
