//! `haul get`: the jobs of a plan, some at a time, and the one exit code they come to.
//!
//! One failure does not stop the others; the first one is the exit code. A signal stops all, and no more are begun.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::rc::Rc;

use haul_transfer::{Client, Failure, Job, Kind, Stop};
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::args::GetArgs;
use crate::plan::{self, GetPlan};
use crate::screen::Screen;
use crate::screen::facts::Facts;
use crate::{exit, log, signals, world};

/// Runs the command; the result is the exit code.
pub(crate) fn run(args: GetArgs) -> u8 {
    let screen = Screen::new(plan::style(&args, io::stderr().is_terminal()));
    let verbose = args.verbose;
    let plan = match world::real(|world| plan::get(args, world)) {
        Ok(plan) => plan,
        Err(usage) => {
            screen.refused(&format!("{usage} (see haul get --help)"), exit::USAGE);
            return exit::USAGE;
        }
    };
    log::start(verbose, screen.say());
    let GetPlan { jobs, at_once, client } = plan;
    let client = match Client::new(client) {
        Ok(client) => client,
        Err(failure) => {
            screen.refused(&failure.message, exit::code(failure.kind));
            return exit::code(failure.kind);
        }
    };
    let run = Rc::new(Run {
        client,
        queue: RefCell::new(jobs.into()),
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
    /// Jobs that nobody has begun.
    queue: RefCell<VecDeque<Job>>,
    stop: Stop,
    screen: Screen,
    /// The exit code of the first failure.
    first: Cell<Option<u8>>,
    /// Whether a job ended because of a signal.
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
            self.screen.remark(&format!("{left} more not begun; the same command again fetches them too"));
        }
        if self.interrupted.get() || (left > 0 && self.stop.is_stopped()) {
            return exit::INTERRUPTED;
        }
        self.first.get().unwrap_or(exit::DONE)
    }

    /// Takes job after job until there is none, or a signal came.
    async fn work(self: Rc<Self>) {
        while let Some(job) = self.next() {
            let shown = self.screen.job(Facts::of(&job));
            let transfer = haul_transfer::get(&self.client, job, self.stop.clone(), shown.watch());
            let outcome = Box::pin(transfer).await;
            shown.ended(&outcome);
            if let Err(Failure { kind, .. }) = outcome {
                self.interrupted.set(self.interrupted.get() || kind == Kind::Interrupted);
                self.note(exit::code(kind));
            }
        }
    }

    fn next(&self) -> Option<Job> {
        if self.stop.is_stopped() { None } else { self.queue.borrow_mut().pop_front() }
    }

    /// Only the first failure counts.
    fn note(&self, code: u8) {
        self.first.set(self.first.get().or(Some(code)));
    }
}
