//! What happened, written down: events on standard error as text or JSON, and a line for each file in an xferlog.
//!
//! [`Log::tell`] never waits: a thread writes. When whatever reads standard error stands still, events are dropped
//! and counted, because a server that waits for its log stands still with it.

mod audit;
mod event;
mod line;
mod lines;
mod xferlog;

use std::{
    io::{self, BufWriter, Write},
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

pub use event::{Change, Direction, Ended, Event, Told, Transfer};
pub(crate) use line::date as rfc3339;

use self::lines::Lines;
use crate::{
    ServerError,
    metrics::{Metrics, Paper},
};

/// Lines are gathered for so long, to be written together.
const GATHERING: Duration = Duration::from_millis(5);

/// So many events may wait to be written.
const WAITING: usize = 8192;

/// So long [`Log::flush`] waits for whoever reads.
const PATIENCE: Duration = Duration::from_secs(2);

/// The xferlog is made for everybody to read whom the umask lets.
const XFERLOG: u32 = 0o666;

/// How lines on standard error look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, and for fail2ban.
    #[default]
    Text,
    /// One object a line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("is none of text, json".to_owned()),
        }
    }
}

/// Where events are told. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    to: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    /// Whatever is told is counted, also what is not written.
    metrics: Arc<Metrics>,
    audit: Option<audit::Audit>,
}

#[derive(Debug)]
enum Message {
    Event(SystemTime, Event),
    /// Everything before this is written: then say so.
    Flush(SyncSender<()>),
    /// The xferlog was moved away.
    Reopen,
}

impl Log {
    /// Begins to write to standard error, and to the xferlog, which is opened at once.
    pub fn start(format: Format, xferlog: Option<&Path>) -> Result<Self, ServerError> {
        Self::write_to(Box::new(io::stderr()), format, xferlog)
    }

    /// Begins to write there.
    pub fn write_to(
        to: Box<dyn Write + Send>,
        format: Format,
        xferlog: Option<&Path>,
    ) -> Result<Self, ServerError> {
        let xferlog = xferlog.map(|path| Lines::open(path, XFERLOG)).transpose()?;
        let (sender, receiver) = sync_channel(WAITING);
        let (lost, metrics) = (Arc::new(AtomicU64::new(0)), Arc::<Metrics>::default());
        let writer = Writer {
            to: BufWriter::new(to),
            format,
            xferlog,
            lost: Arc::clone(&lost),
            metrics: Arc::clone(&metrics),
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|why| ServerError::Other(format!("cannot start a thread: {why}")))?;
        Ok(Self { to: sender, lost, metrics, audit: None })
    }

    /// The same, with a line for each change in this file, which is opened at once.
    pub fn auditing(self, audit: Option<&Path>) -> Result<Self, ServerError> {
        let audit = audit.map(|path| audit::Audit::start(path, &self.metrics, self.clone())).transpose()?;
        Ok(Self { audit, ..self })
    }

    /// Whether changes are written down.
    pub(crate) fn audits(&self) -> bool {
        self.audit.is_some()
    }

    /// Tells of something. Never waits.
    pub fn tell(&self, event: Event) {
        let when = SystemTime::now();
        self.metrics.saw(&event);
        if let Some(audit) = &self.audit {
            audit.tell(when, &event);
        }
        if self.to.try_send(Message::Event(when, event)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.metrics.lost(Paper::Events, 1);
        }
    }

    /// What was counted of all that was told, and of more.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Opens the files again, which were moved away to begin new ones.
    pub fn reopen(&self) {
        if let Some(audit) = &self.audit {
            audit.reopen();
        }
        // Where there is no room for this there is none for events either, and that is told.
        let _ = self.to.try_send(Message::Reopen);
    }

    /// Waits until all that was told is written, but not for ever: for the end of the process. Blocks.
    pub fn flush(&self) {
        let until = Instant::now() + PATIENCE;
        if let Some(audit) = &self.audit {
            audit.flush(until);
        }
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(back)) = self.to.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = back;
            thread::sleep(Duration::from_millis(5));
        }
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// The thread's side.
struct Writer {
    to: BufWriter<Box<dyn Write + Send>>,
    format: Format,
    xferlog: Option<Lines>,
    lost: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn run(mut self, from: &Receiver<Message>) {
        loop {
            // Lines are written together as long as there are more.
            let message = match from.try_recv() {
                Ok(message) => Some(message),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let message = from.recv().ok();
                    if let Some(Message::Event(..)) = message {
                        // Whoever tells something wakes this thread only if it waits for it: the next ones need not.
                        thread::sleep(GATHERING);
                    }
                    message
                }
            };
            match message {
                Some(Message::Event(when, event)) => self.event(when, &event),
                Some(Message::Flush(done)) => {
                    self.flush();
                    let _ = done.try_send(());
                }
                Some(Message::Reopen) => self.reopen(),
                None => return self.flush(),
            }
        }
    }

    fn event(&mut self, when: SystemTime, event: &Event) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.line(when, &Event::Problem { what: format!("{lost} events could not be written") });
        }
        self.line(when, event);
        if let (Event::Transferred(transfer), Some(xferlog)) = (event, &mut self.xferlog)
            && let Err(why) = xferlog.add(&xferlog::of(when, transfer))
        {
            self.metrics.unwritten(Paper::Xferlog);
            self.line(when, &Event::Problem { what: why.to_string() });
        }
    }

    fn line(&mut self, when: SystemTime, event: &Event) {
        // Nobody is left to be told that this fails.
        let _ = self.to.write_all(line::of(self.format, when, event).as_bytes());
    }

    fn flush(&mut self) {
        let _ = self.to.flush();
    }

    fn reopen(&mut self) {
        if let Some(Err(why)) = self.xferlog.as_mut().map(Lines::reopen) {
            self.line(SystemTime::now(), &Event::Problem { what: why.to_string() });
        }
    }
}

#[cfg(test)]
mod tests;
