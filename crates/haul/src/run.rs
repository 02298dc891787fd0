//! The tasks of a plan, some at a time, and the one exit code they come to.
//!
//! One failure does not stop the others; the first one is the exit code. A signal stops all, and no more are begun.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::rc::Rc;

use haul_transfer::put::PutJob;
use haul_transfer::{Client, ClientOptions, Failure, Job, Kind, Stop};
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::screen::Screen;
use crate::screen::facts::Facts;
use crate::{exit, signals};

/// One file to move.
#[derive(Debug)]
pub(crate) enum Task {
    /// To here.
    Get(Box<Job>),
    /// From here.
    Put(Box<PutJob>),
}

/// Does the tasks, `at_once` at a time; the result is the exit code.
pub(crate) fn tasks(tasks: Vec<Task>, at_once: NonZeroUsize, client: ClientOptions, screen: &Screen) -> u8 {
    let client = match Client::new(client) {
        Ok(client) => client,
        Err(failure) => {
            screen.refused(&failure.message, exit::code(failure.kind));
            return exit::code(failure.kind);
        }
    };
    let run = Rc::new(Run {
        client,
        queue: RefCell::new(tasks.into()),
        stop: Stop::new(),
        screen: screen.clone(),
        first: Cell::new(None),
        interrupted: Cell::new(false),
    });
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, Rc::clone(&run).all(at_once.get())),
        Err(error) => {
            screen.refused(&format!("cannot start: {error}"), exit::UNEXPECTED);
            exit::UNEXPECTED
        }
    }
}

/// What the workers of one run share.
struct Run {
    client: Client,
    /// Tasks that nobody has begun.
    queue: RefCell<VecDeque<Task>>,
    stop: Stop,
    screen: Screen,
    /// The exit code of the first failure.
    first: Cell<Option<u8>>,
    /// Whether a task ended because of a signal.
    interrupted: Cell<bool>,
}

impl Run {
    async fn all(self: Rc<Self>, at_once: usize) -> u8 {
        // Without them a signal still ends the process, and the journal still holds what was written.
        if let Err(error) = signals::heed(self.stop.clone(), self.screen.clone()) {
            tracing::warn!(%error, "no signals");
        }
        let mut workers = JoinSet::new();
        for _ in 0..at_once.min(self.queue.borrow().len()) {
            workers.spawn_local(Rc::clone(&self).work());
        }
        while let Some(ended) = workers.join_next().await {
            if ended.is_err() {
                // A panic, whose own message has just been printed.
                self.note(exit::UNEXPECTED);
            }
        }
        let left = self.queue.borrow().len();
        if left > 0 {
            self.screen
                .remark(&format!("{left} more not begun; the same command again goes on with them too"));
        }
        if self.interrupted.get() || (left > 0 && self.stop.is_stopped()) {
            return exit::INTERRUPTED;
        }
        self.first.get().unwrap_or(exit::DONE)
    }

    /// Takes task after task until there is none, or a signal came.
    async fn work(self: Rc<Self>) {
        while let Some(task) = self.next() {
            let (client, stop) = (&self.client, self.stop.clone());
            let shown = self.screen.job(match &task {
                Task::Get(job) => Facts::of(job),
                Task::Put(job) => Facts::of_put(job),
            });
            // Boxed: a worker would carry the larger of two for its whole life.
            let outcome = match task {
                Task::Get(job) => Box::pin(haul_transfer::get(client, *job, stop, shown.watch())).await,
                Task::Put(job) => Box::pin(haul_transfer::put::put(client, *job, stop, shown.watch())).await,
            };
            shown.ended(&outcome);
            if let Err(Failure { kind, .. }) = outcome {
                self.interrupted.set(self.interrupted.get() || kind == Kind::Interrupted);
                self.note(exit::code(kind));
            }
        }
    }

    fn next(&self) -> Option<Task> {
        if self.stop.is_stopped() { None } else { self.queue.borrow_mut().pop_front() }
    }

    /// Only the first failure counts.
    fn note(&self, code: u8) {
        self.first.set(self.first.get().or(Some(code)));
    }
}
