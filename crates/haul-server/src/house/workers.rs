//! Threads that sessions live on: each session on one of them, from its first byte to its last.
//!
//! A session waits for a disk many times for each small file, and is woken from another thread each time. Where any
//! thread may take it up again they wake each other to look for it; a thread that has it for good is woken alone: a third
//! less of changes from thread to thread for each small file.

use std::{
    future::{Future, pending},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle};

use crate::sys;

/// Threads for sessions. They last as long as the process.
#[derive(Debug, Default)]
pub struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// How many sessions it has.
    sessions: Arc<AtomicUsize>,
}

/// How many threads of one worker are at a disk at a time, or have a connection for a turn: whatever comes beyond that
/// waits for one of them. Each is some 17 KiB, and a thousand clients at once would have several hundred of them.
const AT_A_DISK: usize = 16;

impl Workers {
    /// So many threads, each with a runtime of its own.
    ///
    /// # Errors
    /// Where the system has no room for one.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut workers = Vec::new();
        for number in 0..count {
            let mut builder = Builder::new_current_thread();
            builder.enable_all().thread_name("haul-disk").max_blocking_threads(AT_A_DISK);
            let runtime = builder.build()?;
            workers.push(Worker { runtime: runtime.handle().clone(), sessions: Arc::default() });
            thread::Builder::new().name(format!("haul-{number}")).spawn(move || {
                sys::wake_in_time();
                runtime.block_on(pending::<()>());
            })?;
        }
        Ok(Self { workers })
    }

    /// Returns when each of the threads has taken a turn: where one hangs, never.
    pub(crate) async fn turn(&self) {
        let turns: Vec<_> = self.workers.iter().map(|worker| worker.runtime.spawn(async {})).collect();
        for turn in turns {
            // It has no way to fail.
            let _ = turn.await;
        }
    }

    /// Has a session on the one that has the fewest; where there are none, on the runtime that is here.
    pub(crate) fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        let fewest = self.workers.iter().min_by_key(|worker| worker.sessions.load(Ordering::Relaxed));
        match fewest {
            Some(worker) => {
                let counted = Counted::new(&worker.sessions);
                // What waits would hold it twice: as it was handed over, and as it runs.
                let session = Box::pin(session);
                worker.runtime.spawn(async move {
                    session.await;
                    drop(counted);
                });
            }
            None => drop(tokio::spawn(session)),
        }
    }
}

/// One session more, as long as this lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(sessions: &Arc<AtomicUsize>) -> Self {
        sessions.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(sessions))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn sessions_are_shared_out_and_each_stays_where_it_is() {
        let workers = Workers::start(2).unwrap();
        let (tell, told) = mpsc::channel();
        for _ in 0..2 {
            let tell = tell.clone();
            workers.spawn(async move {
                let before = thread::current().id();
                tokio::task::spawn_blocking(|| ()).await.unwrap();
                tell.send((before, thread::current().id())).unwrap();
                pending::<()>().await;
            });
        }
        let (one, two) = (told.recv().unwrap(), told.recv().unwrap());
        assert_eq!((one.0, two.0), (one.1, two.1));
        assert_ne!(one.0, two.0);
    }

    #[tokio::test]
    async fn a_thread_that_hangs_takes_no_turn() {
        let workers = Workers::start(2).unwrap();
        timeout(Duration::from_secs(30), workers.turn()).await.unwrap();
        let (let_go, held) = mpsc::channel::<()>();
        workers.spawn(async move {
            let _ = held.recv();
        });
        assert!(timeout(Duration::from_millis(50), workers.turn()).await.is_err());
        drop(let_go);
        timeout(Duration::from_secs(30), workers.turn()).await.unwrap();
    }
}
