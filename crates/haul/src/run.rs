//! The tasks of a plan, some at a time, and the one exit code they come to.
//!
//! One failure does not stop the others; the first one is the exit code. A signal stops all, and no more are begun.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::rc::Rc;

use haul_transfer::folder::{self, Found, Walk};
use haul_transfer::put::PutJob;
use haul_transfer::{Client, ClientOptions, Failure, Job, Kind, Stop};
use tokio::runtime;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, LocalSet};

use crate::screen::Screen;
use crate::screen::facts::Facts;
use crate::{exit, listing, signals};

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// A file to bring here.
    Get(Box<Job>),
    /// A file to send.
    Put(Box<PutJob>),
    /// A file to bring here as text.
    Text(Box<Job>),
    /// A folder to bring here with all that is in it.
    Tree(Box<Job>),
    /// A folder to show.
    List(Box<Job>),
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
    let lists = tasks.iter().filter(|task| matches!(task, Task::List(_))).count();
    let run = Rc::new(Run {
        client,
        ahead: Mutex::new(Ahead { tasks: tasks.into(), tree: None }),
        lists,
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

/// What nobody has begun yet.
struct Ahead {
    tasks: VecDeque<Task>,
    /// The tree whose files come before all other tasks.
    tree: Option<Walk>,
}

impl Ahead {
    fn workers(&self, at_once: usize) -> usize {
        let trees = self.tasks.iter().any(|task| matches!(task, Task::Tree(_)));
        if trees { at_once } else { at_once.min(self.tasks.len()) }
    }
}

/// What the workers of one run share.
struct Run {
    client: Client,
    ahead: Mutex<Ahead>,
    /// How many folders are shown.
    lists: usize,
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
        let workers_at_most = self.ahead.lock().await.workers(at_once);
        for _ in 0..workers_at_most {
            workers.spawn_local(Rc::clone(&self).work());
        }
        while let Some(ended) = workers.join_next().await {
            if ended.is_err() {
                // A panic, whose own message has just been printed.
                self.note(exit::UNEXPECTED);
            }
        }
        self.client.leave().await;
        let ahead = self.ahead.lock().await;
        let left = ahead.tasks.len();
        if ahead.tree.is_some() {
            self.screen
                .remark("the rest of the folder not begun; the same command again goes on with it too");
        }
        if left > 0 {
            self.screen
                .remark(&format!("{left} more not begun; the same command again goes on with them too"));
        }
        let left = left + usize::from(ahead.tree.is_some());
        if self.interrupted.get() || (left > 0 && self.stop.is_stopped()) {
            return exit::INTERRUPTED;
        }
        self.first.get().unwrap_or(exit::DONE)
    }

    /// Takes task after task until there is none, or a signal came.
    async fn work(self: Rc<Self>) {
        while let Some(task) = self.next().await {
            let (client, stop) = (&self.client, self.stop.clone());
            // Boxed: a worker would carry the largest of them for its whole life.
            let (shown, outcome) = match task {
                Task::Get(job) => {
                    let shown = self.screen.job(Facts::of(&job));
                    let got = Box::pin(haul_transfer::get(client, *job, stop, shown.watch())).await;
                    (shown, got)
                }
                Task::Text(job) => {
                    let shown = self.screen.job(Facts::of(&job));
                    let got = Box::pin(haul_transfer::get_text(client, *job, stop, shown.watch())).await;
                    (shown, got)
                }
                Task::Put(job) => {
                    let shown = self.screen.job(Facts::of_put(&job));
                    let put = Box::pin(haul_transfer::put::put(client, *job, stop, shown.watch())).await;
                    (shown, put)
                }
                Task::List(job) => match Box::pin(self.list(&job)).await {
                    // What it is about is on standard output.
                    Ok(()) => continue,
                    Err(failure) => (self.screen.job(Facts::of(&job)), Err(failure)),
                },
                // A tree is taken file by file.
                Task::Tree(_) => continue,
            };
            shown.ended(&outcome);
            if let Err(failure) = outcome {
                self.failed(&failure);
            }
        }
    }

    /// The next task that one worker can do.
    async fn next(&self) -> Option<Task> {
        let mut ahead = self.ahead.lock().await;
        loop {
            if self.stop.is_stopped() {
                return None;
            }
            if let Some(walk) = &mut ahead.tree {
                match walk.next(&self.stop).await {
                    Some(Found::File(job)) => return Some(Task::Get(job)),
                    Some(found) => self.tell(found),
                    None if self.stop.is_stopped() => {}
                    None => ahead.tree = None,
                }
                continue;
            }
            match ahead.tasks.pop_front()? {
                Task::Tree(job) => match Walk::new(&self.client, (*job).clone()) {
                    Ok(walk) => ahead.tree = Some(walk),
                    Err(failure) => self.tell(Found::Failed(job, failure)),
                },
                task => return Some(task),
            }
        }
    }

    /// What a walk came upon that is nothing to fetch.
    fn tell(&self, found: Found) {
        match found {
            Found::File(_) => {}
            Found::Remark(text) => self.screen.remark(&text),
            Found::Already(job, done) => self.screen.job(Facts::of(&job)).ended(&Ok(done)),
            Found::Failed(job, failure) => {
                self.failed(&failure);
                self.screen.job(Facts::of(&job)).ended(&Err(failure));
            }
        }
    }

    /// Shows a folder on standard output.
    async fn list(&self, job: &Job) -> Result<(), Failure> {
        let list = folder::list(&self.client, &job.url, job.retries, &self.stop).await?;
        list.remarks.iter().for_each(|remark| self.screen.remark(remark));
        listing::print(&list.entries, (self.lists > 1).then_some(&job.url))
            .map_err(|error| Failure::new(Kind::Local, format!("cannot write the list: {error}")))
    }

    /// Only the first failure counts.
    fn failed(&self, failure: &Failure) {
        self.interrupted.set(self.interrupted.get() || failure.kind == Kind::Interrupted);
        self.note(exit::code(failure.kind));
    }

    fn note(&self, code: u8) {
        self.first.set(self.first.get().or(Some(code)));
    }
}
