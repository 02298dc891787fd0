//! How fast bytes may go: for all sessions together, for each user, and for each session, either way.
//!
//! ```text
//!   transfer ─> session ─> user ─> all ─> may go
//! ```
//! A transfer that is limited asks for a small piece at a time. At each gate it waits for its turn, first come first
//! served, and then until the piece fits the gate's rate; it holds the gates behind it meanwhile. So each user has one
//! piece before the last gate, whatever number of sessions, and each session one before its user's: users share alike
//! what there is in all, and sessions what there is for their user. A turn at the last gate is worth as much to each
//! user, and is used up piece by piece where pieces are smaller. No gate saves up more than `SAVED`. It knows no
//! protocol; where nothing is limited it costs three numbers that are looked at.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex as Turn, MutexGuard as Held},
    time::{Instant, sleep_until},
};

/// Who was late by so much, since a timer is, may make up for it.
const SAVED: Duration = Duration::from_millis(50);
/// So many pieces go in a second at the rate of the widest gate, …
const PIECES: u64 = 100;
/// … and no fewer than so many at that of the narrowest, …
const FEWEST: u64 = 5;
/// … none is smaller …
const SMALLEST: u64 = 1 << 10;
/// … or larger than this.
const LARGEST: u64 = 128 << 10;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the client.
    Down,
    /// From the client.
    Up,
}

/// Bytes a second; `None`: as fast as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// To clients.
    pub down: Option<u64>,
    /// From clients.
    pub up: Option<u64>,
}

/// How fast one user may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserRates {
    /// In all sessions together.
    pub user: Rates,
    /// In each.
    pub session: Rates,
}

/// How fast everybody may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// All together.
    pub all: Rates,
    /// Each user, where nothing else is said of that user.
    pub each: UserRates,
}

impl Rates {
    /// These, and where they say nothing the others.
    fn or(self, others: Self) -> Self {
        Self { down: self.down.or(others.down), up: self.up.or(others.up) }
    }
}

impl UserRates {
    /// These, and where they say nothing the others.
    fn or(self, others: Self) -> Self {
        Self { user: self.user.or(others.user), session: self.session.or(others.session) }
    }
}

/// A rate that may change; 0 is none.
#[derive(Debug, Default)]
struct Rate(AtomicU64);

impl Rate {
    fn set(&self, rate: Option<u64>) {
        self.0.store(rate.unwrap_or(0), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thing for each way.
#[derive(Debug, Default)]
struct Both<T> {
    down: T,
    up: T,
}

impl<T> Both<T> {
    fn of(&self, way: Way) -> &T {
        match way {
            Way::Down => &self.down,
            Way::Up => &self.up,
        }
    }
}

impl Both<Rate> {
    fn set(&self, rates: Rates) {
        self.down.set(rates.down);
        self.up.set(rates.up);
    }
}

/// Where one piece after the other goes through.
#[derive(Debug, Default)]
struct Gate(Turn<Passage>);

/// What a gate knows; whoever has it has the turn.
#[derive(Debug, Default)]
struct Passage {
    /// When the next piece may pass.
    next: Option<Instant>,
    /// So many bytes more may go on without another turn at the gate behind.
    ahead: u64,
}

impl Gate {
    /// Waits for its turn, and until so many bytes fit; others wait as long as the turn is held.
    async fn pass(&self, rate: &Rate, bytes: u64) -> Held<'_, Passage> {
        let mut passage = self.0.lock().await;
        let now = Instant::now();
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let at = passage.next.map_or(now, |next| next.max(earliest));
        let rate = rate.get();
        if rate > 0 {
            sleep_until(at).await;
            passage.next = Some(at + Duration::from_secs_f64(bytes as f64 / rate as f64));
        }
        passage
    }
}

/// All gates of a server.
#[derive(Debug, Default)]
pub struct Gates {
    rates: Both<Rate>,
    all: Both<Gate>,
    each: Mutex<UserRates>,
    users: Mutex<HashMap<Box<str>, Weak<User>>>,
}

/// A user's.
#[derive(Debug, Default)]
struct User {
    rates: Both<Rate>,
    gates: Both<Gate>,
    session: Both<Rate>,
}

/// A session's pace.
#[derive(Debug)]
pub struct Pace {
    gates: Arc<Gates>,
    user: Arc<User>,
    /// Made when first a piece has to go through: most sessions are as fast as they can be.
    own: Both<OnceLock<Box<Gate>>>,
}

impl Gates {
    fn users(&self) -> MutexGuard<'_, HashMap<Box<str>, Weak<User>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self) -> UserRates {
        *self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one user's turn at the last gate is worth. It is the same for all, or those whose pieces are small, since their
    /// sessions are slow, would get less than others at each.
    fn turn(&self, way: Way) -> u64 {
        (self.rates.of(way).get() / PIECES).min(LARGEST)
    }

    /// From now on it goes so fast, also what runs already; `of` says how fast a user may be.
    pub fn change(&self, bandwidth: Bandwidth, of: impl Fn(&str) -> UserRates) {
        *self.each.lock().unwrap_or_else(PoisonError::into_inner) = bandwidth.each;
        self.rates.set(bandwidth.all);
        let users: Vec<_> =
            self.users().iter().filter_map(|(name, user)| Some((name.clone(), user.upgrade()?))).collect();
        for (name, user) in users {
            user.set(of(&name).or(bandwidth.each));
        }
    }

    /// The pace of one more session of this user, who may be so fast.
    pub fn session(self: &Arc<Self>, user: &str, rates: UserRates) -> Arc<Pace> {
        let mut users = self.users();
        let known = users.get(user).and_then(Weak::upgrade);
        let user = known.unwrap_or_else(|| {
            users.retain(|_, user| user.strong_count() > 0);
            let new = Arc::new(User::default());
            new.set(rates.or(self.each()));
            users.insert(user.into(), Arc::downgrade(&new));
            new
        });
        Arc::new(Pace { gates: Arc::clone(self), user, own: Both::default() })
    }
}

impl User {
    fn set(&self, rates: UserRates) {
        self.rates.set(rates.user);
        self.session.set(rates.session);
    }
}

impl Pace {
    /// How many bytes are to go at once, where that is limited. Pieces of all sessions before a gate should be alike, or
    /// who has small ones gets less: so the widest gate counts, as long as the narrowest is not held up for too long.
    pub(crate) fn piece(&self, way: Way) -> Option<u64> {
        let rates = [&self.user.session, &self.user.rates, &self.gates.rates];
        let rates = rates.map(|rate| rate.of(way).get());
        let narrowest = rates.into_iter().filter(|rate| *rate > 0).min()?;
        let widest = rates.into_iter().max().unwrap_or(narrowest);
        Some((widest / PIECES).min(narrowest / FEWEST).clamp(SMALLEST, LARGEST))
    }

    /// Waits until so many bytes may go; where nothing is limited not at all.
    pub(crate) async fn pass(&self, way: Way, bytes: u64) {
        let mut left = bytes;
        while left > 0
            && let Some(piece) = self.piece(way)
        {
            let piece = piece.min(left);
            let own = self.own.of(way).get_or_init(Box::default);
            let session = own.pass(self.user.session.of(way), piece).await;
            let mut user = self.user.gates.of(way).pass(self.user.rates.of(way), piece).await;
            if user.ahead < piece {
                let turn = self.gates.turn(way).max(piece);
                drop(self.gates.all.of(way).pass(self.gates.rates.of(way), turn).await);
                user.ahead += turn;
            }
            user.ahead -= piece;
            drop((user, session));
            // Whoever was held up by these comes to its turn first, also where no time had to be waited for.
            tokio::task::yield_now().await;
            left -= piece;
        }
    }
}
