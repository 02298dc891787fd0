//! One connection of a link: one thread that owns both sockets, so that closing one really closes it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Lost, Settings, Shared, TICK, Tally};
use crate::pace::Pace;
use crate::socket::{self, Cut};

const BUFFER: usize = 256 << 10;

/// One direction: what was read and is not yet written, and whether the reader has seen the end.
struct Flow {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    held_until: Instant,
}

impl Flow {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER], from: 0, to: 0, ended: false, held_until: Instant::now() }
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Reads at most `limit` bytes into the empty buffer.
    fn take(&mut self, mut source: &TcpStream, limit: usize) -> io::Result<usize> {
        let limit = limit.min(self.buffer.len());
        match source.read(&mut self.buffer[..limit]) {
            Ok(0) => {
                self.ended = true;
                Ok(0)
            }
            Ok(count) => {
                (self.from, self.to) = (0, count);
                Ok(count)
            }
            Err(e) if is_not_yet(&e) => Ok(0),
            Err(e) => Err(e),
        }
    }

    fn give(&mut self, mut sink: &TcpStream) -> io::Result<usize> {
        match sink.write(&self.buffer[self.from..self.to]) {
            Ok(count) => {
                self.from += count;
                Ok(count)
            }
            Err(e) if is_not_yet(&e) => Ok(0),
            Err(e) => Err(e),
        }
    }
}

fn is_not_yet(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// What the settings let through at this moment.
enum Gate {
    Open(usize),
    Wait(Duration),
    Cut(Cut),
}

pub(super) fn run(client: TcpStream, number: usize, tally: &Tally, shared: &Shared) {
    let Ok(server) = TcpStream::connect(shared.to) else {
        return socket::reset_on_close(&client);
    };
    let _ = server.set_nodelay(true);
    if client.set_nonblocking(true).and(server.set_nonblocking(true)).is_err() {
        return;
    }
    // Whoever takes what is paced is the client here.
    let (client, server) = if shared.up { (server, client) } else { (client, server) };
    let mut relay =
        Relay { client, server, number, up: Flow::new(), down: Flow::new(), pace: None, loses: None };
    if relay.pass_until_cut(tally, shared).is_err() {
        // One of the two died; the other shall see it die.
        socket::reset_on_close(&relay.client);
        socket::reset_on_close(&relay.server);
    }
}

struct Relay {
    client: TcpStream,
    server: TcpStream,
    number: usize,
    up: Flow,
    down: Flow,
    pace: Option<Pace>,
    /// The answer that comes next is lost.
    loses: Option<Lost>,
}

impl Relay {
    fn pass_until_cut(&mut self, tally: &Tally, shared: &Shared) -> io::Result<()> {
        while !(self.down.ended && self.down.is_empty() && self.up.ended && self.up.is_empty()) {
            if shared.stopped.load(Ordering::Relaxed) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            let killed = *tally.killed.lock().unwrap();
            let settings = shared.settings.lock().unwrap().clone();
            let gate = match killed {
                Some(how) => Gate::Cut(how),
                None => self.gate(&settings, tally.passed.load(Ordering::Relaxed)),
            };
            let (limit, patience) = match gate {
                Gate::Cut(how) => {
                    let _ = self.server.shutdown(Shutdown::Both);
                    socket::end(&self.client, how);
                    return Ok(());
                }
                Gate::Open(limit) => (limit, TICK),
                Gate::Wait(wait) => (0, wait.min(TICK)),
            };
            self.wait(limit > 0, patience)?;
            self.pass_up(settings.latency, shared)?;
            if self.has_lost() {
                return Err(ErrorKind::ConnectionReset.into());
            }
            let passed = self.pass_down(limit)?;
            tally.passed.fetch_add(passed, Ordering::Relaxed);
            shared.passed.fetch_add(passed, Ordering::Relaxed);
        }
        Ok(())
    }

    /// `passed` counts what the client's socket has taken; what waits in our buffer was let through before.
    fn gate(&mut self, settings: &Settings, passed: u64) -> Gate {
        let let_in = passed + (self.down.to - self.down.from) as u64;
        let mut limit = BUFFER as u64;
        if let Some((bytes, how)) = settings.cut {
            if passed >= bytes {
                return Gate::Cut(how);
            }
            limit = limit.min(bytes - let_in.min(bytes));
        }
        if let Some(bytes) = settings.stall {
            limit = limit.min(bytes.saturating_sub(let_in));
        }
        if limit == 0 {
            return Gate::Wait(TICK);
        }
        let Some(rate) = settings.rate_of(self.number) else {
            self.pace = None;
            return Gate::Open(limit as usize);
        };
        if self.pace.as_ref().is_none_or(|pace| pace.rate() != rate) {
            self.pace = Some(Pace::new(rate));
        }
        match self.pace.as_ref().map(|pace| pace.allows(Instant::now())) {
            Some(Err(wait)) => Gate::Wait(wait),
            Some(Ok(count)) => Gate::Open(limit.min(count as u64) as usize),
            None => Gate::Open(limit as usize),
        }
    }

    fn wait(&self, may_read_down: bool, patience: Duration) -> io::Result<()> {
        let flag = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        let now = Instant::now();
        let client = flag(!self.down.is_empty(), PollFlags::OUT)
            | flag(self.up.is_empty() && !self.up.ended, PollFlags::IN);
        let server = flag(!self.up.is_empty() && self.up.held_until <= now, PollFlags::OUT)
            | flag(may_read_down && self.down.is_empty() && !self.down.ended, PollFlags::IN);
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        // A socket that has hung up is always ready: one that nobody asks about must not keep us spinning.
        let mut sockets = Vec::with_capacity(2);
        if !client.is_empty() {
            sockets.push(PollFd::new(&self.client, client));
        }
        if !server.is_empty() {
            sockets.push(PollFd::new(&self.server, server));
        }
        poll(&mut sockets, Some(&timeout))?;
        Ok(())
    }

    /// Whether the answer that is not to arrive has come, or is not even waited for.
    fn has_lost(&self) -> bool {
        match self.loses {
            None => false,
            Some(Lost::AtOnce) => self.up.is_empty(),
            Some(Lost::Answered) => !self.down.is_empty(),
        }
    }

    fn pass_up(&mut self, latency: Duration, shared: &Shared) -> io::Result<()> {
        if self.up.is_empty() && !self.up.ended {
            if self.up.take(&self.client, BUFFER)? > 0 {
                self.up.held_until = Instant::now() + latency;
                let brought = &self.up.buffer[self.up.from..self.up.to];
                let loses = &mut shared.settings.lock().unwrap().loses;
                let has = |words: &[u8]| brought.windows(words.len()).any(|window| window == words);
                if let Some((_, when)) = loses.take_if(|(words, _)| has(words)) {
                    self.loses = Some(when);
                }
            }
            if self.up.ended {
                let _ = self.server.shutdown(Shutdown::Write);
            }
        }
        if !self.up.is_empty() && self.up.held_until <= Instant::now() {
            self.up.give(&self.server)?;
        }
        Ok(())
    }

    fn pass_down(&mut self, limit: usize) -> io::Result<u64> {
        if limit > 0 && self.down.is_empty() && !self.down.ended {
            let count = self.down.take(&self.server, limit)?;
            if let Some(pace) = &mut self.pace {
                pace.pay(Instant::now(), count);
            }
            if self.down.ended {
                let _ = self.client.shutdown(Shutdown::Write);
            }
        }
        if self.down.is_empty() || self.loses.is_some() {
            return Ok(0);
        }
        Ok(self.down.give(&self.client)? as u64)
    }
}
