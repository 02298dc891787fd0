//! Whoever outside wants to know of transfers: programs that are run and servers that are asked, told complete or
//! incomplete. It knows neither protocol nor disk; what each is told stands in docs/hooks.md.
//!
//! ```text
//!  depot ── before the rename: letters under a pledge ──┐
//!        ── after it: the pledge is kept, or taken back ─┤
//!  doors ── any other end of a transfer ─────────────────┤
//!                                                        v
//!                     ledger <── posted ── Rounds ── a letter of each path at a time ──> command, post
//! ```
//! Invariants: a letter that says *complete* of an upload leaves only after the upload has its name; one that was posted
//! is there until it was delivered or given up, whatever ends the server; the letters of one path to one hook are
//! delivered in the order in which they came about.

mod command;
mod delivery;
mod happened;
mod hook;
mod post;
mod rounds;
mod whereabouts;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use haul_store::{Durability, Ledger, Letter, Pledge, StageId, StoreError};
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::happened::{Happened, Teller};
use self::{
    delivery::Ready,
    post::Trust,
    rounds::{Order, Rounds},
};
pub use self::{
    happened::{Outcome, Whence},
    hook::{Hook, To, Url},
    whereabouts::Whereabouts,
};
use crate::{
    ServerError,
    log::{Direction, Ended, Event, Log, Transfer},
};

/// So many places there are for letters that wait; beyond that nobody is told of what happens, and the log says so.
const MOST: usize = if cfg!(test) { 1000 } else { 100_000 };
/// A letter has a place for each time that many bytes of it are begun: who chooses long names fills no more memory.
const PLACE: usize = 1024;

/// What is told to whom, and the rounds on which it is brought. Deliveries end with [`Self::rest`].
pub struct Hooks {
    ledger: Arc<dyn Ledger>,
    log: Log,
    tree: Arc<Whereabouts>,
    ready: RwLock<Arc<[Arc<Ready>]>>,
    next: AtomicU64,
    /// How many places are taken.
    waiting: Arc<AtomicUsize>,
    full: AtomicBool,
    /// Letters under a pledge of which this server does not know whether it is kept, by their staged files.
    left: Mutex<Vec<(StageId, u64)>>,
    orders: mpsc::UnboundedSender<Order>,
}

/// Letters that are true once their upload has its name.
#[must_use = "a pledge is kept or taken back"]
pub(crate) struct Pledged(Vec<Letter>);

impl Hooks {
    /// Begins to deliver what waits in the ledger, and what comes. A [`Depot`](crate::depot::Depot) was opened over it
    /// before, so that nothing under a pledge is left whose fate is known. Within a runtime, which carries the deliveries.
    pub async fn open(
        ledger: Arc<dyn Ledger>,
        hooks: &[Hook],
        tree: Whereabouts,
        log: Log,
    ) -> Result<Arc<Self>, ServerError> {
        let tree = Arc::new(tree);
        let ready = ready(hooks, &tree)?;
        let letters = ledger.letters().await?;
        let next = letters.iter().map(|letter| letter.number.saturating_add(1)).max().unwrap_or(0);
        let left = left(&letters).collect();
        let letters: Vec<_> = letters.into_iter().filter(|letter| letter.pledge.is_none()).collect();
        let waiting = Arc::new(AtomicUsize::new(places(&letters)));
        let (orders, taken) = mpsc::unbounded_channel();
        let rounds = Rounds::new(Arc::clone(&ledger), &ready, log.clone(), Arc::clone(&waiting));
        tokio::spawn(rounds.make(letters, taken));
        Ok(Arc::new(Self {
            ledger,
            log,
            tree,
            ready: RwLock::new(ready),
            next: AtomicU64::new(next),
            waiting,
            full: AtomicBool::new(false),
            left: Mutex::new(left),
            orders,
        }))
    }

    /// From now on these. What waits for one that is gone is given up; what is being delivered is not disturbed.
    pub fn change(&self, hooks: &[Hook]) -> Result<(), ServerError> {
        let ready = ready(hooks, &self.tree)?;
        *self.ready.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ready);
        // Where nobody takes orders any more the server is at its end.
        let _ = self.orders.send(Order::Change(ready));
        Ok(())
    }

    /// Nothing more is begun; what is being delivered has so much time, and is then ended. What waits stays in the
    /// ledger, for the next server.
    pub async fn rest(&self, within: Duration) {
        let (done, rested) = oneshot::channel();
        if self.orders.send(Order::Rest(within, done)).is_ok() {
            let _ = rested.await;
        }
    }

    /// Returns when the ledger has come to it.
    pub(crate) async fn turn(&self) -> Result<(), StoreError> {
        self.ledger.turn().await
    }

    /// Whether anybody wants to hear of this.
    pub(crate) fn want(&self, happened: &Happened) -> bool {
        self.ready().iter().any(|ready| ready.hook.wants(happened))
    }

    /// Posts what is to be told once this is published. After an error nothing is posted.
    pub(crate) async fn pledge(
        &self,
        happened: &Happened,
        pledge: &Pledge,
        how: Durability,
    ) -> Result<Option<Pledged>, StoreError> {
        let mut letters = self.letters(happened);
        if letters.is_empty() {
            return Ok(None);
        }
        for letter in &mut letters {
            letter.pledge = Some(pledge.clone());
        }
        self.forget_earlier(&pledge.stage).await;
        let posted = self.ledger.post(&letters, how).await;
        if posted.is_err() {
            self.waiting.fetch_sub(places(&letters), Ordering::Relaxed);
        }
        posted.map(|()| Some(Pledged(letters)))
    }

    /// It is published.
    pub(crate) async fn keep(&self, Pledged(mut letters): Pledged) {
        for letter in &mut letters {
            letter.pledge = None;
        }
        if let Err(error) = self.ledger.post(&letters, Durability::Relaxed).await {
            // The next server would look whether it is published; this one knows.
            tracing::warn!(%error, "what hooks are told could not be saved");
        }
        let _ = self.orders.send(Order::Deliver(letters, true));
    }

    /// It is not published.
    pub(crate) async fn take_back(&self, Pledged(letters): Pledged) {
        let numbers: Vec<_> = letters.iter().map(|letter| letter.number).collect();
        self.waiting.fetch_sub(places(&letters), Ordering::Relaxed);
        if let Err(error) = self.ledger.unpost(&numbers).await {
            // While its bytes are staged the next server sees that it is not.
            tracing::warn!(%error, "what hooks were to be told is still in the ledger");
        }
    }

    /// Nobody knows whether it is published: the next server looks.
    pub(crate) fn leave(&self, Pledged(letters): Pledged) {
        self.waiting.fetch_sub(places(&letters), Ordering::Relaxed);
        self.left().extend(left(&letters));
    }

    /// What was posted of this staged file, and left, is not true: it is staged still.
    async fn forget_earlier(&self, stage: &StageId) {
        let earlier: Vec<_> =
            self.left().extract_if(.., |(of, _)| of == stage).map(|(_, number)| number).collect();
        if !earlier.is_empty()
            && let Err(error) = self.ledger.unpost(&earlier).await
        {
            tracing::warn!(%error, "what hooks were to be told is still in the ledger");
        }
    }

    /// Tells of something that needs no pledge, and is in the ledger then.
    pub(crate) async fn tell_for_certain(&self, happened: &Happened) {
        let letters = self.letters(happened);
        if !letters.is_empty() {
            self.keep(Pledged(letters)).await;
        }
    }

    /// Tells of something that needs no pledge. Never waits.
    pub(crate) fn tell(&self, happened: &Happened) {
        let letters = self.letters(happened);
        if !letters.is_empty() {
            let _ = self.orders.send(Order::Deliver(letters, false));
        }
    }

    /// A door has seen the end of a transfer. That an upload is complete is told by the depot, which knows it.
    pub(crate) fn ended(&self, transfer: &Transfer, protocol: &'static str) {
        if !(transfer.direction == Direction::Received && transfer.ended == Ended::Complete) {
            self.tell(&Happened::of(transfer, protocol));
        }
    }

    fn ready(&self) -> Arc<[Arc<Ready>]> {
        Arc::clone(&self.ready.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn left(&self) -> MutexGuard<'_, Vec<(StageId, u64)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A letter for each hook that wants one.
    fn letters(&self, happened: &Happened) -> Vec<Letter> {
        let ready = self.ready();
        let wanting: Vec<_> =
            ready.iter().filter(|ready| ready.hook.wants(happened)).map(|ready| &ready.hook.name).collect();
        if wanting.is_empty() || self.is_full() {
            return Vec::new();
        }
        let id = happened::new_id();
        let body = happened.told(&id);
        let letter = |to: &String| Letter {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            id: id.clone(),
            to: to.clone(),
            path: happened.path.clone(),
            pledge: None,
            tries: 0,
            body: body.clone(),
        };
        let letters: Vec<_> = wanting.into_iter().map(letter).collect();
        self.waiting.fetch_add(places(&letters), Ordering::Relaxed);
        letters
    }

    fn is_full(&self) -> bool {
        let full = self.waiting.load(Ordering::Relaxed) >= MOST;
        if full && !self.full.swap(full, Ordering::Relaxed) {
            let what =
                "as many deliveries of hooks wait as may: what happens now is told to nobody".to_owned();
            self.log.tell(Event::Problem { what });
        } else if !full {
            self.full.store(false, Ordering::Relaxed);
        }
        full
    }
}

/// How many places they take.
fn places(letters: &[Letter]) -> usize {
    letters.iter().map(|letter| 1 + (letter.path.as_bytes().len() + letter.body.len()) / PLACE).sum()
}

/// Those under a pledge.
fn left(letters: &[Letter]) -> impl Iterator<Item = (StageId, u64)> {
    letters.iter().filter_map(|letter| Some((letter.pledge.as_ref()?.stage.clone(), letter.number)))
}

/// Hooks with what they need: secrets and authorities are read anew at each change.
fn ready(hooks: &[Hook], tree: &Arc<Whereabouts>) -> Result<Arc<[Arc<Ready>]>, ServerError> {
    let trust = Arc::<Trust>::default();
    let ready = |hook: &Hook| Ready::new(hook.clone(), Arc::clone(tree), Arc::clone(&trust)).map(Arc::new);
    hooks.iter().map(ready).collect()
}

#[cfg(test)]
mod tests {
    use haul_core::TreePath;
    use haul_store::MemoryLedger;

    use super::*;
    use crate::log::Format;

    /// Nobody listens there.
    fn deaf(retries: u32) -> Hook {
        Hook {
            name: "deaf".to_owned(),
            on: vec![Outcome::Incomplete],
            direction: Direction::Received,
            path: TreePath::ROOT,
            to: To::Post { url: "http://127.0.0.1:1/".parse().unwrap(), secret: None },
            deadline: Duration::from_secs(60),
            retry: Duration::from_secs(3600),
            retries,
            at_once: 1,
        }
    }

    async fn hooks(ledger: &Arc<MemoryLedger>, hook: Hook) -> Arc<Hooks> {
        let log = Log::write_to(Box::new(std::io::sink()), Format::Text, None).unwrap();
        let tree = Whereabouts::new(std::path::Path::new("/"), []);
        Hooks::open(Arc::<MemoryLedger>::clone(ledger), &[hook], tree, log).await.unwrap()
    }

    fn broken_off(path: &str) -> Happened {
        Happened {
            outcome: Outcome::Incomplete,
            direction: Direction::Received,
            path: TreePath::ROOT.join(path.as_bytes()).unwrap(),
            teller: Arc::new(Teller { user: "ann".to_owned(), anonymous: false, whence: None }),
            size: None,
            from: 0,
            bytes: 0,
            took: Duration::ZERO,
            kept: None,
            why: Some("gone".to_owned()),
        }
    }

    #[tokio::test]
    async fn what_waits_takes_so_much_memory_however_long_its_names_are() {
        let long = vec!["x".repeat(250); 16].join("/");
        for (path, fewest) in [("f", MOST / 2), (long.as_str(), MOST / 20)] {
            let ledger = Arc::<MemoryLedger>::default();
            let hooks = hooks(&ledger, deaf(9)).await;
            (0..2 * MOST).for_each(|_| hooks.tell(&broken_off(path)));
            hooks.rest(Duration::from_secs(60)).await;
            let waiting = ledger.letters().await.unwrap();
            let bytes: usize =
                waiting.iter().map(|letter| letter.path.as_bytes().len() + letter.body.len()).sum();
            assert!(bytes < (MOST + 16) * PLACE, "{bytes}");
            assert!((fewest..=MOST).contains(&waiting.len()), "{}", waiting.len());
        }
    }

    #[tokio::test]
    async fn who_has_waited_leaves_the_place_to_others() {
        let ledger = Arc::<MemoryLedger>::default();
        let hooks = hooks(&ledger, deaf(0)).await;
        for name in ["a", "b", &"c".repeat(200)] {
            hooks.tell(&broken_off(name));
        }
        while hooks.waiting.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        hooks.rest(Duration::ZERO).await;
        assert_eq!(ledger.letters().await.unwrap(), []);
        assert_eq!(hooks.waiting.load(Ordering::Relaxed), 0);
    }
}
