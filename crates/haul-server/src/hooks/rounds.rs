//! Who brings letters: those of one path to one hook in their order, those of different paths beside each other, so many
//! at once as the hook bears. A task of its own, which nobody waits for.
//!
//! ```text
//!  posted ──> waits for its path's turn ──> due ──> being delivered ──┬── heard, given up ──> forgotten
//!                                            ^                       │
//!                                            └── a while later ───── failed
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use haul_core::TreePath;
use haul_store::{Durability, Ledger, Letter};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    delivery::{End, Ready, Tried},
    places,
};
use crate::log::{Event, Log, Told};

/// So many orders are taken before anything is done about them.
const AT_ONCE: usize = 512;

/// What the rounds are asked for.
pub(super) enum Order {
    /// These; whether they are in the ledger already.
    Deliver(Vec<Letter>, bool),
    /// From now on these hooks.
    Change(Arc<[Arc<Ready>]>),
    /// Nothing more is begun; what is under way has so long.
    Rest(Duration, oneshot::Sender<()>),
}

/// A try that is over.
struct Done {
    hook: String,
    path: TreePath,
    number: u64,
    tried: Tried,
}

/// What waits for one hook.
struct Line {
    ready: Arc<Ready>,
    /// By path, in their order; the first of each is due, or being delivered.
    paths: HashMap<TreePath, VecDeque<Letter>>,
    /// When the first of each path is due that is not being delivered.
    due: BTreeSet<(Instant, u64, TreePath)>,
    running: usize,
}

pub(super) struct Rounds {
    ledger: Arc<dyn Ledger>,
    log: Log,
    waiting: Arc<AtomicUsize>,
    lines: HashMap<String, Line>,
    running: JoinSet<Done>,
}

impl Line {
    fn new(ready: Arc<Ready>) -> Self {
        Self { ready, paths: HashMap::new(), due: BTreeSet::new(), running: 0 }
    }

    fn push(&mut self, letter: Letter) {
        match self.paths.entry(letter.path.clone()) {
            Entry::Occupied(mut there) => there.get_mut().push_back(letter),
            Entry::Vacant(none) => {
                self.due.insert((Instant::now(), letter.number, letter.path.clone()));
                none.insert(VecDeque::from([letter]));
            }
        }
    }

    /// What can be delivered now.
    fn next(&mut self) -> Option<Letter> {
        if self.running >= self.ready.hook.at_once {
            return None;
        }
        let first = self.due.first().filter(|(due, ..)| *due <= Instant::now())?.clone();
        self.due.remove(&first);
        self.running += 1;
        self.paths.get(&first.2)?.front().cloned()
    }

    /// The first of this path is heard, or given up: the next one has its turn.
    fn pop(&mut self, path: &TreePath) -> Option<Letter> {
        let letters = self.paths.get_mut(path)?;
        let first = letters.pop_front();
        match letters.front() {
            Some(next) => {
                self.due.insert((Instant::now(), next.number, path.clone()));
            }
            None => {
                self.paths.remove(path);
            }
        }
        first
    }

    fn letters(self) -> impl Iterator<Item = Letter> {
        self.paths.into_values().flatten()
    }
}

impl Rounds {
    pub(super) fn new(
        ledger: Arc<dyn Ledger>,
        ready: &[Arc<Ready>],
        log: Log,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        let line = |ready: &Arc<Ready>| (ready.hook.name.clone(), Line::new(Arc::clone(ready)));
        let lines = ready.iter().map(line).collect();
        Self { ledger, log, waiting, lines, running: JoinSet::new() }
    }

    /// Makes them until they are to rest, or nobody gives orders any more.
    pub(super) async fn make(mut self, letters: Vec<Letter>, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.take(letters).await;
        loop {
            self.begin();
            let due = self.lines.values().filter(|line| line.running < line.ready.hook.at_once);
            let due = due.filter_map(|line| line.due.first()).map(|(due, ..)| *due).min();
            let mut came = Vec::new();
            tokio::select! {
                Some(done) = self.running.join_next() => {
                    // One that panicked stays where it is until the next server.
                    if let Ok(done) = done {
                        self.done(done).await;
                    }
                }
                count = orders.recv_many(&mut came, AT_ONCE) => if count == 0 {
                    return;
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            if let Some((within, done)) = self.obey(came).await {
                self.rest(within).await;
                // What happened meanwhile is for the next server.
                let late = std::iter::from_fn(|| orders.try_recv().ok()).collect();
                let _ = self.obey(late).await;
                let _ = done.send(());
                return;
            }
        }
    }

    async fn obey(&mut self, orders: Vec<Order>) -> Option<(Duration, oneshot::Sender<()>)> {
        let (mut new, mut letters) = (Vec::new(), Vec::new());
        let (mut changed, mut rest) = (None, None);
        for order in orders {
            match order {
                Order::Deliver(more, posted) => {
                    if !posted {
                        new.extend_from_slice(&more);
                    }
                    letters.extend(more);
                }
                Order::Change(ready) => changed = Some(ready),
                Order::Rest(within, done) => rest = Some((within, done)),
            }
        }
        if !new.is_empty()
            && let Err(error) = self.ledger.post(&new, Durability::Relaxed).await
        {
            self.problem(format!("what hooks are told would not survive this server: {error}"));
        }
        if let Some(ready) = changed {
            self.change(&ready).await;
        }
        letters.sort_by_key(|letter| letter.number);
        self.take(letters).await;
        rest
    }

    /// Takes letters into their lines; those to nobody are forgotten.
    async fn take(&mut self, letters: Vec<Letter>) {
        let mut nobodys: BTreeMap<String, Vec<Letter>> = BTreeMap::new();
        for letter in letters {
            match self.lines.get_mut(&letter.to) {
                Some(line) => line.push(letter),
                None => nobodys.entry(letter.to.clone()).or_default().push(letter),
            }
        }
        for letters in nobodys.into_values() {
            self.drop_all(letters).await;
        }
    }

    async fn drop_all(&mut self, letters: Vec<Letter>) {
        let Some(first) = letters.first() else { return };
        let what =
            format!("{} deliveries are dropped: there is no hook {:?} any more", letters.len(), first.to);
        self.problem(what);
        self.forget(&letters).await;
    }

    async fn change(&mut self, ready: &[Arc<Ready>]) {
        let mut before = std::mem::take(&mut self.lines);
        for ready in ready {
            let line = match before.remove(&ready.hook.name) {
                Some(line) => Line { ready: Arc::clone(ready), ..line },
                None => Line::new(Arc::clone(ready)),
            };
            self.lines.insert(ready.hook.name.clone(), line);
        }
        for line in before.into_values() {
            self.drop_all(line.letters().collect()).await;
        }
    }

    /// Begins what is due and has room.
    fn begin(&mut self) {
        for line in self.lines.values_mut() {
            while let Some(letter) = line.next() {
                let ready = Arc::clone(&line.ready);
                self.running.spawn(async move {
                    let tried = ready.deliver(&letter, letter.tries.saturating_add(1)).await;
                    let Letter { to: hook, path, number, .. } = letter;
                    Done { hook, path, number, tried }
                });
            }
        }
    }

    /// A try is over.
    async fn done(&mut self, done: Done) {
        let Done { hook, path, number, tried: Tried { end, output } } = done;
        let Some(line) = self.lines.get_mut(&hook) else { return };
        line.running = line.running.saturating_sub(1);
        let first = line.paths.get_mut(&path).and_then(VecDeque::front_mut);
        let Some(letter) = first.filter(|letter| letter.number == number) else { return };
        letter.tries = letter.tries.saturating_add(1);
        let (attempt, id) = (letter.tries, letter.id.clone());
        let told = match end {
            End::Heard => Told::Heard,
            End::Unwanted(why) => Told::GivenUp { why },
            End::Failed(why) => match line.ready.hook.wait(attempt) {
                Some(again) => Told::Again { why, again },
                None => Told::GivenUp { why },
            },
        };
        if let Told::Again { again, .. } = &told {
            let letter = letter.clone();
            line.due.insert((Instant::now() + *again, number, path.clone()));
            if let Err(error) = self.ledger.post(&[letter], Durability::Relaxed).await {
                tracing::warn!(%error, "how often a hook was tried could not be saved");
            }
        } else {
            let over = line.pop(&path);
            self.forget(over.as_slice()).await;
        }
        self.log.tell(Event::Hook { hook, id, path, attempt, told, output });
    }

    async fn forget(&self, letters: &[Letter]) {
        self.waiting.fetch_sub(places(letters), Ordering::Relaxed);
        let numbers: Vec<_> = letters.iter().map(|letter| letter.number).collect();
        if let Err(error) = self.ledger.unpost(&numbers).await {
            tracing::warn!(%error, "what hooks were told is still in the ledger, and is told again after a restart");
        }
    }

    /// What is under way has so long; what is not over by then is ended, and tried again by the next server.
    async fn rest(&mut self, within: Duration) {
        let over = async {
            while let Some(done) = self.running.join_next().await {
                if let Ok(done) = done {
                    self.done(done).await;
                }
            }
        };
        let _ = timeout(within, over).await;
        self.running.shutdown().await;
    }

    fn problem(&self, what: String) {
        self.log.tell(Event::Problem { what });
    }
}
