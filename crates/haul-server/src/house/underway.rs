//! What is on its way over a session at the moment, for whoever runs the server and asks. Counting where bytes move, read
//! where somebody asks; a session that moves nothing has nothing here.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64, atomic::Ordering},
    time::{Duration, Instant},
};

use haul_core::TreePath;

use crate::log::{Direction, Ended, Transfer};

/// Whoever counts a transfer's bytes.
pub(crate) trait Counting: Send + Sync {
    /// How many have moved.
    fn moved(&self) -> u64;
}

impl Counting for AtomicU64 {
    fn moved(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }
}

/// A transfer that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// The account.
    pub user: String,
    /// Which way.
    pub direction: Direction,
    /// Which file: its place in the served tree.
    pub path: TreePath,
    /// The first byte.
    pub from: u64,
    /// How many bytes went over the line.
    pub bytes: u64,
    /// In which time.
    pub took: Duration,
}

/// All of one session: HTTP/2 has several at a time.
#[derive(Default)]
pub(super) struct Underway(Mutex<Vec<Arc<Begun>>>);

struct Begun {
    /// What will be written down of it, as far as that is known.
    told: Transfer,
    since: Instant,
    count: Arc<dyn Counting>,
}

/// A transfer is under way as long as this lives.
pub(crate) struct OnItsWay {
    all: Arc<Underway>,
    this: Arc<Begun>,
}

impl std::fmt::Debug for Underway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Underway").field(&self.list().len()).finish()
    }
}

impl Underway {
    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Begun>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(self: &Arc<Self>, told: Transfer, count: Arc<dyn Counting>) -> OnItsWay {
        let this = Arc::new(Begun { told, since: Instant::now(), count });
        self.list().push(Arc::clone(&this));
        OnItsWay { all: Arc::clone(self), this }
    }

    pub(super) fn now(&self) -> Vec<Moving> {
        let told = |begun: &Arc<Begun>| Moving {
            user: begun.told.user.clone(),
            direction: begun.told.direction,
            path: begun.told.path.clone(),
            from: begun.told.from,
            bytes: begun.count.moved(),
            took: begun.since.elapsed(),
        };
        self.list().iter().map(told).collect()
    }
}

impl OnItsWay {
    /// How many bytes have moved.
    pub(crate) fn moved(&self) -> u64 {
        self.this.count.moved()
    }

    /// What is to be written down of it, now that it has ended so.
    pub(crate) fn ended(&self, ended: Ended) -> Transfer {
        let Begun { told, since, count } = &*self.this;
        Transfer { bytes: count.moved(), took: since.elapsed(), ended, ..told.clone() }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.all.list().retain(|other| !Arc::ptr_eq(other, &self.this));
    }
}
