//! One sync for all who wait for the same folder.
//!
//! Whoever has renamed something needs a sync that began after it. While one runs, all who come wait for the next, which
//! one of them does for all: a folder that receives a thousand files at once is synced a few times, not a thousand.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// The gate of one folder.
#[derive(Debug, Default)]
pub(super) struct Gate {
    turns: Mutex<Turns>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    /// How many syncs have begun; they run one after the other.
    begun: u64,
    /// How many have ended.
    ended: u64,
    /// What became of the last that failed: its number, and the system's.
    failed: Option<(u64, Option<i32>)>,
}

impl Gate {
    /// Returns after a sync that began after the call.
    pub(super) fn pass(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut turns = self.lock();
        let mine = turns.begun + 1;
        while turns.begun > turns.ended {
            turns = self.ended.wait(turns).unwrap_or_else(PoisonError::into_inner);
            if turns.ended >= mine {
                return turns.outcome(mine);
            }
        }
        turns.begun += 1;
        let number = turns.begun;
        drop(turns);
        let done = sync();
        let mut turns = self.lock();
        turns.ended = number;
        if let Err(error) = &done {
            turns.failed = Some((number, error.raw_os_error()));
        }
        drop(turns);
        self.ended.notify_all();
        done
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// What became of the syncs from `mine` on, for one who has waited for them. One of them that went well is enough,
    /// but a system tells of a loss only once: so is one that failed.
    fn outcome(&self, mine: u64) -> io::Result<()> {
        match self.failed {
            Some((number, told)) if number >= mine => {
                Err(told.map_or_else(|| io::ErrorKind::Other.into(), io::Error::from_raw_os_error))
            }
            _ => Ok(()),
        }
    }
}

/// The gates of all folders that somebody is syncing, by device and inode.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<(u64, u64), Arc<Gate>>>);

impl Gates {
    /// Makes the names in a folder durable, together with whoever else wants that.
    pub(super) fn pass(&self, folder: (u64, u64), sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let gate = Arc::clone(self.lock().entry(folder).or_default());
        let done = gate.pass(sync);
        let mut gates = self.lock();
        drop(gate);
        // Only the table's: nobody is at it, and nobody can come while the table is locked.
        if gates.get(&folder).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&folder);
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(u64, u64), Arc<Gate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    };

    use super::*;

    #[test]
    fn all_who_come_while_a_sync_runs_share_the_next_one() {
        let gates = Gates::default();
        let syncs = AtomicUsize::new(0);
        let (began, begun) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let (gates, syncs) = (&gates, &syncs);
            let first = scope.spawn(move || {
                gates.pass((1, 1), || {
                    began.send(()).unwrap();
                    wait.recv().unwrap();
                    Ok(())
                })
            });
            begun.recv().unwrap();
            let others: Vec<_> = (0..20)
                .map(|_| {
                    scope.spawn(move || {
                        gates.pass((1, 1), || {
                            syncs.fetch_add(1, SeqCst);
                            Ok(())
                        })
                    })
                })
                .collect();
            // All of them hold the gate of the folder that is being synced.
            while gates.lock().get(&(1, 1)).map_or(0, Arc::strong_count) < 22 {
                std::thread::yield_now();
            }
            assert_eq!(syncs.load(SeqCst), 0, "the running one began before they came");
            go.send(()).unwrap();
            first.join().unwrap().unwrap();
            others.into_iter().for_each(|other| other.join().unwrap().unwrap());
        });
        // One for all who were asleep by then; at most a few came to wait only after the first had ended.
        assert!((1..=20).contains(&syncs.load(SeqCst)));
        assert!(gates.lock().is_empty(), "no gate is left behind");
    }

    #[test]
    fn a_sync_that_fails_fails_for_all_who_waited_for_it() {
        let gate = Gate::default();
        let failed = gate.pass(|| Err(io::Error::from_raw_os_error(5)));
        assert_eq!(failed.unwrap_err().raw_os_error(), Some(5));
        assert_eq!(gate.lock().outcome(1).unwrap_err().raw_os_error(), Some(5));
        gate.lock().outcome(2).unwrap();
        gate.pass(|| Ok(())).unwrap();
    }
}
