//! What was changed, and who came in: a line of JSON for each, in a file that only grows.
//!
//! It has a thread and a queue of its own, so that nobody who does not read standard error keeps a line out of it. Who
//! moves the file away has it opened anew ([`Log::reopen`](super::Log::reopen)). What is not written is counted and told.

use std::{
    fmt::Write as _,
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Instant, SystemTime},
};

use haul_core::TreePath;
use serde_json::Value;

use super::{
    Log, PATIENCE,
    event::{Direction, Ended, Event, Transfer},
    line,
    lines::Lines,
};
use crate::{
    ServerError,
    metrics::{DoorName, Metrics, Paper},
};

/// So many lines may wait to be written.
const WAITING: usize = 65_536;
/// Who may read them: it is said who did what from where.
const MODE: u32 = 0o640;

/// Where changes are written down. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Audit {
    to: SyncSender<Message>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
enum Message {
    Line(String),
    Flush(SyncSender<()>),
    Reopen,
}

impl Audit {
    /// Opens the file; what goes wrong later is told there.
    pub(super) fn start(path: &Path, metrics: &Arc<Metrics>, log: Log) -> Result<Self, ServerError> {
        let lines = Lines::open(path, MODE)?;
        let (to, receiver) = sync_channel(WAITING);
        let writer = Writer { lines, failing: false, log };
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|why| ServerError::Other(format!("cannot start a thread: {why}")))?;
        Ok(Self { to, metrics: Arc::clone(metrics) })
    }

    /// Writes it down, where it is a change. Never waits.
    pub(super) fn tell(&self, when: SystemTime, event: &Event) {
        if let Some(line) = of(when, event)
            && self.to.try_send(Message::Line(line)).is_err()
        {
            self.metrics.lost(Paper::Audit, 1);
        }
    }

    pub(super) fn reopen(&self) {
        // A disk stands still, and is told of by what is lost.
        let _ = self.to.try_send(Message::Reopen);
    }

    /// Waits until all is written, but not for ever. Blocks.
    pub(super) fn flush(&self, until: Instant) {
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(back)) = self.to.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = back;
            thread::sleep(PATIENCE / 100);
        }
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// The thread's side.
struct Writer {
    lines: Lines,
    /// It was told that lines cannot be written.
    failing: bool,
    log: Log,
}

impl Writer {
    fn run(mut self, from: &Receiver<Message>) {
        while let Ok(message) = from.recv() {
            match message {
                Message::Line(line) => self.line(&line),
                Message::Flush(done) => drop(done.try_send(())),
                Message::Reopen => {
                    if let Err(why) = self.lines.reopen() {
                        self.problem(&why);
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &str) {
        match self.lines.add(line) {
            Ok(()) => self.failing = false,
            Err(why) => {
                self.log.metrics.unwritten(Paper::Audit);
                // Once, until it goes well again.
                if !std::mem::replace(&mut self.failing, true) {
                    self.problem(&why);
                }
            }
        }
    }

    fn problem(&self, what: &ServerError) {
        self.log.tell(Event::Problem { what: what.to_string() });
    }
}

/// The line of an event, if it is a change or a login.
fn of(when: SystemTime, event: &Event) -> Option<String> {
    let mut line = Line::at(when);
    match event {
        Event::LoggedIn { session, door, user, address } => {
            line.did("login").by(user.as_bytes(), *address, *door, *session);
        }
        Event::LoginFailed { session, door, user, address } => {
            line.did("login failed").by(user, *address, *door, *session);
        }
        Event::LoginRefused { session, door, address, .. } => {
            line.did("login refused").from(*address, *door, *session);
        }
        Event::LoginBarred { session, door, user, address, why } => {
            line.did("login barred").by(user, *address, *door, *session).text("why", why.as_bytes());
        }
        Event::Transferred(transfer) => line.uploaded(transfer)?,
        Event::Changed { session, door, user, address, what, path, to } => {
            line.did(what.name()).by(user.as_bytes(), *address, *door, *session).path("path", path);
            if let Some(to) = to {
                line.path("to", to);
            }
        }
        Event::Dropped { user, path, offset } => {
            line.did("dropped").text("user", user.as_bytes()).path("path", path).number("bytes", *offset);
        }
        Event::Reloaded => drop(line.did("reloaded")),
        Event::NotReloaded { why } => drop(line.did("reload failed").text("why", why.as_bytes())),
        Event::Stopping { .. } => drop(line.did("stopping")),
        Event::Connected { .. }
        | Event::Refused { .. }
        | Event::NoDataPort { .. }
        | Event::Closed { .. }
        | Event::CertificateMade { .. }
        | Event::Sandbox { .. }
        | Event::Hook { .. }
        | Event::Problem { .. } => return None,
    }
    Some(line.end())
}

/// A line that is being put together.
struct Line(String);

impl Line {
    fn at(when: SystemTime) -> Self {
        Self(format!("{{\"time\":\"{}\"", line::date(when)))
    }

    fn put(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = write!(self.0, ",\"{key}\":{}", value.into());
        self
    }

    fn did(&mut self, what: &str) -> &mut Self {
        self.put("did", what)
    }

    /// What is no UTF-8 is made so; a name that was guessed may be long.
    fn text(&mut self, key: &str, text: &[u8]) -> &mut Self {
        let text = text.get(..4096).unwrap_or(text);
        self.put(key, String::from_utf8_lossy(text).as_ref())
    }

    fn path(&mut self, key: &str, path: &TreePath) -> &mut Self {
        self.text(key, &path.absolute())
    }

    fn number(&mut self, key: &str, number: u64) -> &mut Self {
        self.put(key, number)
    }

    fn from(&mut self, address: IpAddr, door: DoorName, session: u64) -> &mut Self {
        self.put("address", address.to_canonical().to_string())
            .put("door", door.name())
            .put("session", session)
    }

    fn by(&mut self, user: &[u8], address: IpAddr, door: DoorName, session: u64) -> &mut Self {
        self.text("user", user).from(address, door, session)
    }

    /// A file that has its name now; what is kept unfinished has changed nothing that anybody sees.
    fn uploaded(&mut self, transfer: &Transfer) -> Option<()> {
        if transfer.direction != Direction::Received || transfer.ended != Ended::Complete {
            return None;
        }
        let did = if transfer.replaced { "replaced" } else { "uploaded" };
        self.did(did)
            .by(transfer.user.as_bytes(), transfer.address, transfer.door, transfer.session)
            .path("path", &transfer.path)
            .put("dialect", transfer.dialect.name())
            .number("from", transfer.from)
            .number("bytes", transfer.bytes);
        Some(())
    }

    fn end(self) -> String {
        self.0 + "}\n"
    }
}
