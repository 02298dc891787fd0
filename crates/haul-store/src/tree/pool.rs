//! Calls that may block for long leave the async world here; what a local disk does in some microseconds need not.
//! Which threads they block is for whoever opens a store to say: this crate knows no runtime.
//!
//! A future that is dropped leaves its call running to the end: what is shared with it must bear that.

use std::{
    future::poll_fn,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use crate::{StoreError, Work};

/// A call that may block.
pub type Job = Box<dyn FnOnce() + Send>;

/// Threads that may be blocked, as tokio's: `|job| drop(tokio::task::spawn_blocking(job))`.
pub trait Pool: Send + Sync + 'static {
    /// Runs the job soon, on another thread or at once on this one. A job that is dropped instead is an error for
    /// whoever waits for it.
    fn run(&self, job: Job);
}

impl<F: Fn(Job) + Send + Sync + 'static> Pool for F {
    fn run(&self, job: Job) {
        self(job);
    }
}

/// Runs `work` in the pool. Nothing happens before the future is polled.
pub(crate) fn hop<T: Send + 'static>(
    pool: &Arc<dyn Pool>,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Work<'static, T> {
    let pool = Arc::clone(pool);
    Box::pin(async move {
        let slot = Arc::new(Mutex::new(Slot::Empty(None)));
        let mut promise = Promise(Arc::clone(&slot), false);
        pool.run(Box::new(move || promise.keep(work())));
        poll_fn(|context| {
            let mut slot = lock(&slot);
            match std::mem::replace(&mut *slot, Slot::Empty(None)) {
                Slot::Full(done) => Poll::Ready(done),
                Slot::Empty(_) => {
                    *slot = Slot::Empty(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    })
}

enum Slot<T> {
    Empty(Option<Waker>),
    Full(Result<T, StoreError>),
}

/// The job's end of the slot: it fills it, at the latest when it is dropped.
struct Promise<T>(Arc<Mutex<Slot<T>>>, bool);

impl<T> Promise<T> {
    fn keep(&mut self, done: Result<T, StoreError>) {
        self.1 = true;
        let before = std::mem::replace(&mut *lock(&self.0), Slot::Full(done));
        if let Slot::Empty(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.1 {
            let source = io::Error::other("the server is stopping, or the call has failed");
            self.keep(Err(StoreError::Io { doing: "giving up on", path: PathBuf::from("the tree"), source }));
        }
    }
}

fn lock<T>(slot: &Mutex<Slot<T>>) -> MutexGuard<'_, Slot<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::ledger::wait as block_on;

    #[test]
    fn a_job_is_waited_for_on_whatever_thread_it_runs() {
        let here: Arc<dyn Pool> = Arc::new(|job: Job| job());
        let there: Arc<dyn Pool> = Arc::new(|job: Job| drop(thread::spawn(job)));
        for pool in [here, there] {
            assert_eq!(block_on(hop(&pool, || Ok(7))).unwrap(), 7);
        }
    }

    #[test]
    fn a_job_that_nobody_runs_is_an_error() {
        let closed: Arc<dyn Pool> = Arc::new(|job: Job| drop(job));
        assert!(matches!(block_on(hop(&closed, || Ok(7))), Err(StoreError::Io { .. })));
    }

    #[test]
    fn a_future_that_is_dropped_leaves_the_job_to_its_end() {
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let (end, ended) = std::sync::mpsc::channel();
        let pool: Arc<dyn Pool> = Arc::new(|job: Job| drop(thread::spawn(job)));
        let mut work = hop(&pool, move || {
            begun.recv().unwrap();
            end.send(()).unwrap();
            Ok(())
        });
        let mut context = std::task::Context::from_waker(Waker::noop());
        assert!(work.as_mut().poll(&mut context).is_pending());
        drop(work);
        begin.send(()).unwrap();
        ended.recv().unwrap();
    }
}
