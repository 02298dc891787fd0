//! Uploads: lets the upload machine of haul-core have its way with a local file and a `Sink`.
//!
//! ```text
//!   machine ──action──► Put ──► sink: look, compare, begin, write …, end, seal
//!      ▲                 │  ──► the local file, read at offsets
//!      └───── event ─────┘  ──► memory: what the next run has to know
//! ```
//! One thing is done at a time, so this is one loop. It decides nothing about offsets: it asks the machine.

mod feed;
mod job;
mod local;
mod remember;
mod sink;
mod sum;
mod tell;
mod text;
mod text_length;
mod text_words;
mod tree;
mod words;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use haul_core::upload::{Action, Event, Name, Outcome, Plan, Refusal, Upload, Way};

pub use haul_core::upload::{IfExists, Verify};
pub use job::{From, MakeFolders, PutJob, url_in_folder};
pub use tree::{Leaf, Tree};

pub(crate) use sink::{FtpFile, FtpSink};

use self::{
    feed::Feed,
    remember::Memory,
    sink::{Fault, Sink},
    tell::Tell,
};
use crate::{
    client::{Client, Stop},
    drive::Watch,
    failure::{Failure, Kind},
    notice::{Done, Verified},
};

/// How much is read from the local file at a time.
const PIECE: usize = 512 << 10;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// Sends one file: begins, or goes on where an earlier run stopped.
///
/// # Errors
/// [`Failure`], which says what happened, what is kept and what to do next.
pub async fn put(client: &Client, mut job: PutJob, stop: Stop, watch: Watch) -> Result<Done, Failure> {
    let scheme = job.url.scheme();
    if !matches!(scheme, "ftp" | "ftps") {
        return Err(Failure::new(Kind::Usage, format!("haul cannot send to {scheme}:// URLs")));
    }
    text::heed_typecode(&mut job);
    let sink = client.ftp_sink(&job.url, job.make_folders, job.timeout);
    let sink = sink.map_err(|why| Failure::new(Kind::Usage, format!("{}: {why}", crate::place(&job.url))))?;
    let far = Far {
        who: sink.user().to_owned(),
        path: if job.temporary { sink.temporary_path() } else { sink.path() },
    };
    // A connection to the host, among those that it gets.
    let host = client.host(&job.url);
    let slot = tokio::select! {
        slot = host.slot() => slot,
        () = stop.stopped() => return Err(Failure::new(Kind::Interrupted, "interrupted")),
    };
    if job.text {
        let ended = Box::pin(text::send(client, &job, sink.of_text(), far, &stop, watch)).await;
        drop(slot);
        return ended;
    }
    let ended = match Put::new(client, &job, sink, far, watch) {
        Ok(mut put) => {
            let ended = Box::pin(put.run(&stop)).await;
            put.sink.close();
            ended
        }
        Err(failure) => Err(failure),
    };
    drop(slot);
    ended
}

/// Where it goes.
struct Far {
    /// Who logs in there.
    who: String,
    /// The path that bytes are sent to.
    path: Vec<u8>,
}

/// One upload on its way.
struct Put<'a, S> {
    client: &'a Client,
    sink: S,
    feed: Feed,
    machine: Upload,
    memory: Memory,
    tell: Tell,
    temporary: bool,
    /// What the far end said last to a refusal or a failure.
    said: Option<String>,
    /// Stands between reads, so that it is made once.
    buffer: Vec<u8>,
}

impl<'a, S: Sink> Put<'a, S> {
    fn new(client: &'a Client, job: &PutJob, sink: S, far: Far, watch: Watch) -> Result<Self, Failure> {
        let piece = client.piece(PIECE);
        let feed = Feed::open(&job.from, piece)?;
        let local = feed.local();
        let memory = Memory::of(job.state.as_deref(), &job.url, &far.who, job.from.path(), far.path)?;
        let plan = Plan {
            local,
            verify: job.verify,
            if_exists: job.if_exists,
            restart: job.restart,
            temporary: job.temporary,
            retries: job.retries,
            seed: seed(),
        };
        Ok(Self {
            client,
            sink,
            feed,
            machine: Upload::new(plan, memory.memo()),
            memory,
            tell: Tell::new(watch, local.map(|local| local.size)),
            temporary: job.temporary,
            said: None,
            buffer: vec![0; piece],
        })
    }

    async fn run(&mut self, stop: &Stop) -> Result<Done, Failure> {
        if matches!(self.feed, Feed::Stream(_)) {
            self.tell.remark("standard input cannot be read twice: this upload cannot be resumed");
        }
        loop {
            self.tell_remarks();
            let now = Instant::now();
            let Some(action) = self.machine.poll(now) else {
                let until = self.machine.deadline(now).unwrap_or(now + TICK);
                tokio::select! {
                    () = tokio::time::sleep_until(until.into()) => {}
                    () = stop.stopped() => self.machine.handle(now, Event::Pause),
                }
                continue;
            };
            let event = match action {
                Action::Finish(outcome) => return self.finish(outcome),
                Action::Say(why) => {
                    self.tell.remark(words::anew(why));
                    self.tell.begins_anew();
                    continue;
                }
                action => tokio::select! {
                    biased;
                    event = self.act(action) => event?,
                    () = stop.stopped() => {
                        self.sink.give_up();
                        Event::Pause
                    }
                },
            };
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        let waits = matches!(event, Event::Failed { .. } | Event::Refused(Refusal::Busy));
        self.machine.handle(now, event);
        if waits && let Some(until) = self.machine.deadline(now) {
            let why = self.said.as_deref().unwrap_or("the connection was lost");
            self.tell.retry(until - now, why, self.machine.strikes());
        }
    }

    fn tell_remarks(&mut self) {
        let remarks = [self.memory.remark.take(), self.sink.remark()];
        remarks.iter().flatten().for_each(|remark| self.tell.remark(remark));
    }

    /// Does what the machine wants. Errors are those of this side.
    async fn act(&mut self, action: Action) -> Result<Event, Failure> {
        let done = match action {
            Action::Look { name, settle } => self.sink.look(name, settle).await.map(Event::Seen),
            Action::Check { name, size, how } => match &self.feed {
                Feed::File(file) => {
                    self.tell.compares(size);
                    self.sink.compare(name, size, how, file).await.map(Event::Checked)
                }
                Feed::Stream(_) => Ok(Event::Checked(haul_core::upload::Found::Unable)),
            },
            Action::Send { name, at, way } => return self.send(name, at, way).await,
            Action::Seal => {
                let local = self.feed.local();
                let sealed = self.sink.seal(local, self.temporary).await;
                if let Ok(sealed) = sealed {
                    self.memory.finished(local, sealed.modified).await;
                }
                sealed.map(|_| Event::Sealed)
            }
            Action::Say(_) | Action::Finish(_) => Ok(Event::Pause),
        };
        Ok(done.unwrap_or_else(|fault| self.fault(fault)))
    }

    fn fault(&mut self, fault: Fault) -> Event {
        match fault {
            Fault::Failed(failed) => {
                tracing::debug!(why = failed.message, "upload failed");
                self.said = Some(failed.message);
                Event::Failed { why: failed.why, retry_after: failed.retry_after }
            }
            Fault::Refused(refusal, words) => {
                tracing::debug!(why = words, "upload refused");
                self.said = Some(words);
                Event::Refused(refusal)
            }
        }
    }

    async fn send(&mut self, name: Name, at: u64, way: Way) -> Result<Event, Failure> {
        if let Err(fault) = self.sink.begin(name, at, way).await {
            return Ok(self.fault(fault));
        }
        // From here on what the far end has is ours; that is remembered before a byte of it is sent.
        self.machine.handle(Instant::now(), Event::Begun);
        if let Some(local) = self.feed.local() {
            self.memory.begun(local, at).await;
        }
        self.tell.begins(at);
        let to = match self.send_bytes(at).await? {
            Ok(to) => to,
            Err(fault) => return Ok(self.fault(fault)),
        };
        if let Feed::File(file) = &self.feed
            && !file.is_unchanged()
        {
            // What was sent may be of both: it is not let become a file.
            self.sink.give_up();
            let file = file.reopen()?;
            self.tell.resize(file.identity.size);
            let event = Event::LocalChanged(file.identity);
            self.feed = Feed::File(file);
            return Ok(event);
        }
        Ok(match self.sink.end().await {
            Ok(()) => Event::Sent(to),
            Err(fault) => self.fault(fault),
        })
    }

    /// Sends everything from `at` on; returns where it ended.
    async fn send_bytes(&mut self, mut at: u64) -> Result<Result<u64, Fault>, Failure> {
        loop {
            let read = self.feed.next(&mut self.buffer, at).await?;
            let Some(piece) = self.buffer.get(..read).filter(|_| read > 0) else { return Ok(Ok(at)) };
            if let Err(fault) = written(&mut self.sink, piece, &mut self.tell, at).await {
                return Ok(Err(fault));
            }
            let sent = piece.len();
            at += sent as u64;
            self.machine.handle(Instant::now(), Event::Moved(at));
            self.tell.sent(sent, at);
            if let Some(limit) = &self.client.limit {
                limit.pay(sent).await;
            }
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Result<Done, Failure> {
        match outcome {
            Outcome::Done { proof, already } => Ok(self.tell.done(Verified::Far(proof), already)),
            Outcome::Skipped => {
                self.tell.remark("a file of that name is there, and is left alone, as --if-exists skip says");
                Ok(self.tell.done(Verified::Unchecked, true))
            }
            outcome => {
                let mut failure = words::failure(&outcome, self.said.as_deref());
                if self.feed.local().is_some() {
                    failure.kept = self.machine.confirmed();
                }
                Err(failure)
            }
        }
    }
}

/// Hands a piece over, and tells how things stand while that takes its time.
async fn written<S: Sink>(sink: &mut S, piece: &[u8], tell: &mut Tell, at: u64) -> Result<(), Fault> {
    let mut writing = std::pin::pin!(sink.write(piece));
    loop {
        tokio::select! {
            biased;
            written = &mut writing => return written,
            () = tokio::time::sleep(TICK) => tell.progress(at),
        }
    }
}

/// Jitter needs no more than a clock.
fn seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}
