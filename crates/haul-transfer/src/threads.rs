//! Where lanes run. The first one of a transfer runs beside its driver: what it brings is written while that core still
//! has it in its cache. Lanes beside it would have to wait for each other there, so they get threads of their own, made
//! when the first of them is sent out; they bring their bytes to the driver like any other.

use std::{sync::OnceLock, thread};

use tokio::runtime::{Builder, Handle, Runtime};

/// More threads than this read faster than one writes.
const MOST: usize = 3;

/// The threads for lanes beside the first.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    runtime: OnceLock<Option<Runtime>>,
}

impl Threads {
    /// For a lane that is the only one.
    pub(crate) fn here() -> Handle {
        Handle::current()
    }

    /// For a lane beside others; where no thread can be had, that is here as well.
    pub(crate) fn beside(&self) -> Handle {
        let runtime = self.runtime.get_or_init(|| {
            // A runtime that gets no thread panics; one that is refused here would be refused there.
            thread::Builder::new().spawn(|| ()).ok()?.join().ok()?;
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let threads = cores.saturating_sub(1).clamp(1, MOST);
            Builder::new_multi_thread()
                .worker_threads(threads)
                .thread_name("haul-lanes")
                .enable_all()
                .build()
                .ok()
        });
        runtime.as_ref().map_or_else(Self::here, |runtime| runtime.handle().clone())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Nothing of a lane is worth waiting for, and inside of a runtime nobody may.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}
