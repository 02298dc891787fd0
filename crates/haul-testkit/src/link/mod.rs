//! A TCP relay on loopback in front of any server, which breaks on command.
//!
//! Every setting may change while connections run, and counts from then on. The relay knows nothing of HTTP: bytes up
//! (to the server) pass as they come, bytes down (the answers) are counted, paced, held and cut; for uploads the other way
//! round ([`Link::up_to`]).

mod ftp;
mod relay;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::port::Port;
use crate::socket::Cut;

pub use ftp::FtpLink;

/// How often a thread with nothing to do looks at the settings.
const TICK: Duration = Duration::from_millis(5);

/// The relay; it and all its connections end when it is dropped.
#[derive(Debug)]
pub struct Link {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    /// What goes to the server is counted, paced, held and cut.
    up: bool,
    settings: Mutex<Settings>,
    connections: Mutex<Vec<Arc<Tally>>>,
    passed: AtomicU64,
    stopped: AtomicBool,
}

/// When the answer to a request is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// As soon as the request has gone up: whether it is done by the server is open.
    AtOnce,
    /// When the answer has come, of which no byte passes: what was asked for is done.
    Answered,
}

/// What one connection has done, and whether it has to go.
#[derive(Debug, Default)]
struct Tally {
    passed: AtomicU64,
    ended: AtomicBool,
    killed: Mutex<Option<Cut>>,
}

#[derive(Debug, Clone, Default)]
struct Settings {
    rate: Option<u64>,
    rates_of_first: Vec<(usize, u64)>,
    cut: Option<(u64, Cut)>,
    stall: Option<u64>,
    refuse: bool,
    latency: Duration,
    loses: Option<(Vec<u8>, Lost)>,
}

impl Settings {
    fn rate_of(&self, connection: usize) -> Option<u64> {
        let own = self.rates_of_first.iter().find(|(first, _)| connection < *first);
        own.map(|(_, rate)| *rate).or(self.rate)
    }
}

impl Link {
    /// A link to the server at `to`, on a free port of its own.
    pub fn to(to: SocketAddr) -> Self {
        Self::between(to, false)
    }

    /// The same for uploads: down is then the way to the server, and up the one of its answers, which pass as they come.
    pub fn up_to(to: SocketAddr) -> Self {
        Self::between(to, true)
    }

    fn between(to: SocketAddr, up: bool) -> Self {
        let port = Port::open();
        let addr = port.addr();
        let shared = Arc::new(Shared {
            to,
            up,
            settings: Mutex::default(),
            connections: Mutex::default(),
            passed: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(port, &shared)
        });
        Self { addr, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` this link and a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Bytes a second down each connection; None for no limit.
    pub fn rate(&self, rate: Option<u64>) -> &Self {
        self.set(|s| s.rate = rate)
    }

    /// The connections numbered below `count`, in the order in which they were made, get a rate of their own.
    pub fn rate_of_first(&self, count: usize, rate: u64) -> &Self {
        self.set(|s| s.rates_of_first.push((count, rate)))
    }

    /// Cuts each connection once it has passed `bytes` down: to the byte, and all of them arrive.
    pub fn cut_after(&self, bytes: u64, how: Cut) -> &Self {
        self.set(|s| s.cut = Some((bytes, how)))
    }

    /// Cuts no more.
    pub fn cut_never(&self) -> &Self {
        self.set(|s| s.cut = None)
    }

    /// Each connection passes `bytes` down and then nothing, without being closed, until [`Link::release`].
    pub fn stall_after(&self, bytes: u64) -> &Self {
        self.set(|s| s.stall = Some(bytes))
    }

    /// Lets what was stalled go on.
    pub fn release(&self) -> &Self {
        self.set(|s| s.stall = None)
    }

    /// Whether new connections are refused, as if nobody listened; open ones go on. Counts within some milliseconds.
    pub fn refuse(&self, refuse: bool) -> &Self {
        self.set(|s| s.refuse = refuse)
    }

    /// What goes up is held back for so long: the round trip of a longer way.
    pub fn latency(&self, latency: Duration) -> &Self {
        self.set(|s| s.latency = latency)
    }

    /// The answer to the next request in which these words stand is lost, once: its connection is reset.
    pub fn loses_answer_to(&self, words: &str, when: Lost) -> &Self {
        self.set(|s| s.loses = Some((words.as_bytes().to_vec(), when)))
    }

    /// Whether that has not happened yet.
    pub fn is_to_lose(&self) -> bool {
        self.shared.settings.lock().unwrap().loses.is_some()
    }

    /// Cuts every open connection now.
    pub fn kill_all(&self, how: Cut) {
        for tally in self.tallies() {
            *tally.killed.lock().unwrap() = Some(how);
        }
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    /// How many of them are open.
    pub fn open(&self) -> usize {
        self.tallies().iter().filter(|tally| !tally.ended.load(Ordering::Relaxed)).count()
    }

    /// Bytes passed down so far, over all connections.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }

    /// Bytes passed down each connection, in the order in which they were made.
    pub fn passed_by_connection(&self) -> Vec<u64> {
        self.tallies().iter().map(|tally| tally.passed.load(Ordering::Relaxed)).collect()
    }

    fn tallies(&self) -> Vec<Arc<Tally>> {
        self.shared.connections.lock().unwrap().clone()
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) -> &Self {
        change(&mut self.shared.settings.lock().unwrap());
        self
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn accept(mut port: Port, shared: &Arc<Shared>) {
    let count = AtomicUsize::new(0);
    while !shared.stopped.load(Ordering::Relaxed) {
        port.listen(!shared.settings.lock().unwrap().refuse);
        let Ok(Some(client)) = port.accept(TICK) else { continue };
        let tally = Arc::new(Tally::default());
        shared.connections.lock().unwrap().push(Arc::clone(&tally));
        let number = count.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            relay::run(client, number, &tally, &shared);
            tally.ended.store(true, Ordering::Relaxed);
        });
    }
}

#[cfg(test)]
mod tests;
