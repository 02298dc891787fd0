//! Uploads: lets the upload machine of haul-core have its way with a local file and a `Sink`.
//!
//! ```text
//!   machine ──action──► Put ──► sink: look, compare, begin, write …, end, seal
//!      ▲                 │  ──► the local file, read at offsets
//!      └───── event ─────┘  ──► memory: what the next run has to know
//! ```
//! One thing is done at a time, so this is one loop. It decides nothing about offsets: it asks the machine.

mod buffer;
mod feed;
mod job;
mod lanes;
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

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use haul_core::{
    Digest,
    upload::{Action, Event, Found, How, Name, Outcome, Plan, Proof, Refusal, Upload, Way},
};

pub use haul_core::upload::{IfExists, Verify};
pub use job::{From, MakeFolders, PutJob, url_in_folder};
pub use sink::Protocol;
pub use tree::{Leaf, Tree};

pub(crate) use sink::{FtpFile, FtpSink, HttpPlan, HttpSink};

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
    host::Host,
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
    let http = matches!(scheme, "http" | "https");
    if !http && !matches!(scheme, "ftp" | "ftps") {
        return Err(Failure::new(Kind::Usage, format!("haul cannot send to {scheme}:// URLs")));
    }
    // A connection to the host, among those that it gets.
    let host = client.host(&job.url);
    let slot = tokio::select! {
        slot = Arc::clone(&host).slot() => slot,
        () = stop.stopped() => return Err(Failure::new(Kind::Interrupted, "interrupted")),
    };
    let ended = if http {
        Box::pin(to_http(client, &job, &host, &stop, watch)).await
    } else {
        text::heed_typecode(&mut job);
        Box::pin(to_ftp(client, &job, &host, &stop, watch)).await
    };
    drop(slot);
    ended
}

async fn to_ftp(
    client: &Client,
    job: &PutJob,
    host: &Arc<Host>,
    stop: &Stop,
    watch: Watch,
) -> Result<Done, Failure> {
    let sink = client.ftp_sink(&job.url, job.make_folders, job.timeout);
    let sink = sink.map_err(|why| Failure::new(Kind::Usage, format!("{}: {why}", crate::place(&job.url))))?;
    let far = Far {
        who: sink.user().to_owned(),
        path: if job.temporary { sink.temporary_path() } else { sink.path() },
    };
    if job.text {
        return text::send(client, job, sink.of_text(), far, stop, watch).await;
    }
    let memory = memory(job, far)?;
    let mut put = Put::new(client, job, host, sink, memory, watch)?;
    let ended = put.run(stop).await;
    put.sink.close();
    ended
}

async fn to_http(
    client: &Client,
    job: &PutJob,
    host: &Arc<Host>,
    stop: &Stop,
    watch: Watch,
) -> Result<Done, Failure> {
    if job.text {
        return Err(Failure::new(Kind::Usage, "HTTP knows no sending as text"));
    }
    let mut sink = client.http_sink(HttpPlan {
        url: job.url.clone(),
        protocol: job.protocol,
        resumes: job.from.path().is_some(),
        spread: job.lanes > 1,
        temporary: job.temporary,
        make_folders: job.make_folders,
        if_exists: job.if_exists,
        patience: job.timeout,
        digest: job.checksum.clone(),
    });
    let far = Far { who: client.user_at(&job.url), path: sink.far_path() };
    let memory = memory(job, far)?;
    if let Some(resource) = memory.resource() {
        // Who begins anew is not held up by what was confirmed before.
        let acknowledged = if job.restart { 0 } else { resource.acknowledged };
        sink.remember(sink::Resource { acknowledged, ..resource });
    }
    if memory.has_parts() {
        sink.spread();
    }
    let mut put = Put::new(client, job, host, sink, memory, watch)?;
    let ended = put.run(stop).await;
    if ended.is_err() {
        put.leave().await;
    }
    put.sink.close();
    ended
}

fn memory(job: &PutJob, far: Far) -> Result<Memory, Failure> {
    Memory::of(job.state.as_deref(), &job.url, &far.who, job.from.path(), far.path)
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
    host: Arc<Host>,
    sink: S,
    feed: Feed,
    machine: Upload,
    memory: Memory,
    tell: Tell,
    temporary: bool,
    restart: bool,
    retries: Option<u32>,
    /// So many connections are wanted.
    lanes: usize,
    /// It was said that there is but one.
    told_one_lane: bool,
    /// What the far end has of parts, as far as is known.
    kept_on_lanes: u64,
    /// What the user says that the file is.
    checksum: Option<Digest>,
    /// What the far end said last to a refusal or a failure.
    said: Option<String>,
}

impl<'a, S: Sink> Put<'a, S> {
    fn new(
        client: &'a Client,
        job: &PutJob,
        host: &Arc<Host>,
        sink: S,
        memory: Memory,
        watch: Watch,
    ) -> Result<Self, Failure> {
        let piece = client.piece(PIECE);
        let feed = Feed::open(&job.from, piece)?;
        let local = feed.local();
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
            host: Arc::clone(host),
            sink,
            feed,
            machine: Upload::new(plan, memory.memo()),
            memory,
            tell: Tell::new(watch, local.map(|local| local.size)),
            temporary: job.temporary,
            restart: job.restart,
            retries: job.retries,
            lanes: job.lanes,
            told_one_lane: false,
            kept_on_lanes: 0,
            checksum: job.checksum.clone(),
            said: None,
        })
    }

    async fn run(&mut self, stop: &Stop) -> Result<Done, Failure> {
        if matches!(self.feed, Feed::Stream(_)) {
            self.tell.remark("standard input cannot be read twice: this upload cannot be resumed");
        }
        self.check_local().await?;
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
                Action::Finish(outcome) => {
                    self.tell_remarks();
                    return self.finish(outcome).await;
                }
                Action::Say(why) => {
                    self.tell.remark(words::anew(why));
                    self.tell.begins_anew();
                    self.memory.no_parts();
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
            if let Event::Refused(Refusal::Came) = event {
                self.memory.not_begun().await;
            }
            self.handle(event);
        }
    }

    /// The local file is what the user says that it is, before anything of it is sent.
    async fn check_local(&self) -> Result<(), Failure> {
        let (Some(digest), Feed::File(file, _)) = (&self.checksum, &self.feed) else { return Ok(()) };
        let (kind, size, file) = (sum::Kind::Digest(digest.algorithm()), file.identity.size, file.clone());
        let computed = tokio::task::spawn_blocking(move || sum::of(&file, size, kind, || true)).await;
        match computed {
            Ok(Ok(Some(sum::Sum::Digest(ours)))) if ours == *digest => Ok(()),
            Ok(Ok(Some(sum::Sum::Digest(ours)))) => Err(Failure::new(
                Kind::Mismatch,
                format!("the local file is another one than --checksum says: {ours}"),
            )),
            Ok(Ok(_)) => Err(Failure::new(Kind::Local, "the local file changed while it was read")),
            Ok(Err(error)) => {
                Err(Failure::new(Kind::Local, format!("cannot read what is to be sent: {error}")))
            }
            Err(error) => Err(Failure::new(Kind::Unexpected, error.to_string())),
        }
    }

    /// What was begun stays unfinished: how far it is known to be is remembered.
    async fn leave(&mut self) {
        if let (Some(local), Some(resource)) = (self.feed.local(), self.sink.resource()) {
            self.memory.left(local, &resource).await;
        }
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        // What a break costs is known after a look.
        let waits = matches!(event, Event::Failed { .. } | Event::Refused(Refusal::Busy) | Event::Seen(_));
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
                Feed::File(file, _) => {
                    self.tell.compares(size);
                    self.sink.compare(name, size, how, file).await.map(Event::Checked)
                }
                Feed::Stream(_) => Ok(Event::Checked(Found::Unable)),
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
        if let Some(event) = Box::pin(self.send_on_lanes(name, at)).await? {
            return Ok(event);
        }
        let whole = self.feed.local().map(|local| local.size);
        if let Err(fault) = self.sink.begin(name, at, way, whole).await {
            return Ok(self.fault(fault));
        }
        // From here on what the far end has is ours; that is remembered before a byte of it is sent.
        self.machine.handle(Instant::now(), Event::Begun);
        if let Some(local) = self.feed.local() {
            self.memory.begun(local, at, self.sink.resource().as_ref()).await;
        }
        self.tell_remarks();
        self.tell.begins(at);
        let to = match self.send_bytes(at).await? {
            Ok(to) => to,
            Err(fault) => return Ok(self.fault(fault)),
        };
        if let Feed::File(file, _) = &self.feed
            && !file.is_unchanged()
        {
            // What was sent may be of both: it is not let become a file.
            self.sink.give_up();
            return self.changed();
        }
        Ok(match self.sink.end().await {
            Ok(()) => Event::Sent(to),
            Err(fault) => self.fault(fault),
        })
    }

    /// The local file is another one now: that one is sent instead.
    fn changed(&mut self) -> Result<Event, Failure> {
        let Feed::File(file, buffers) = &self.feed else { return Ok(Event::Pause) };
        if self.checksum.is_some() {
            let words = "the local file changed while it was sent, and is not what --checksum says any more";
            return Err(Failure::new(Kind::Mismatch, words));
        }
        let file = file.reopen()?;
        self.tell.resize(file.identity.size);
        let event = Event::LocalChanged(file.identity);
        self.feed = Feed::File(file, buffers.clone());
        Ok(event)
    }

    /// Sends everything from `at` on; returns where it ended.
    async fn send_bytes(&mut self, mut at: u64) -> Result<Result<u64, Fault>, Failure> {
        while let Some(piece) = self.feed.next(at).await? {
            let sent = piece.len();
            if let Err(fault) = written(&mut self.sink, piece, &mut self.tell, at).await {
                return Ok(Err(fault));
            }
            at += sent as u64;
            self.machine.handle(Instant::now(), Event::Moved(at));
            self.heed_safe().await;
            if let (Some(local), Some(resource)) = (self.feed.local(), self.sink.resource()) {
                self.memory.begun(local, at, Some(&resource)).await;
            }
            self.tell.sent(sent, at);
            if let Some(limit) = &self.client.limit {
                limit.pay(sent).await;
            }
        }
        Ok(Ok(at))
    }

    /// What the far end has said to be safe counts, and is remembered.
    async fn heed_safe(&mut self) {
        let safe = self.sink.safe();
        if safe == 0 {
            return;
        }
        self.machine.handle(Instant::now(), Event::Safe(safe));
        if let Some(local) = self.feed.local() {
            self.memory.safe(local, safe).await;
        }
    }

    async fn finish(&mut self, outcome: Outcome) -> Result<Done, Failure> {
        match outcome {
            Outcome::Done { proof, already } => {
                let proof = self.confirm(proof).await?;
                Ok(self.tell.done(Verified::Far(proof), already))
            }
            Outcome::Skipped => {
                self.tell.remark("a file of that name is there, and is left alone, as --if-exists skip says");
                Ok(self.tell.done(Verified::Unchecked, true))
            }
            outcome => {
                let mut failure = words::failure(&outcome, self.said.as_deref());
                if self.feed.local().is_some() {
                    failure.kept = self.machine.confirmed().max(self.kept_on_lanes);
                    if failure.kept == 0 && outcome == Outcome::Paused {
                        // What has arrived nobody has acknowledged yet, and the next run asks for it.
                        failure.advice =
                            Some("the same command again goes on with what the server has of it".into());
                    }
                }
                Err(failure)
            }
        }
    }

    /// Where the user gave a digest, and the file is that: the far end's file is, too, if the two sides' sums agree.
    async fn confirm(&mut self, proof: Proof) -> Result<Proof, Failure> {
        let (Some(_), Feed::File(file, _)) = (&self.checksum, &self.feed) else { return Ok(proof) };
        if matches!(proof, Proof::Hash | Proof::Whole) {
            return Ok(proof);
        }
        match self.sink.compare(Name::Target, file.identity.size, How::Hash, file).await {
            Ok(Found::Same | Found::Blank) => Ok(Proof::Hash),
            Ok(Found::Different | Found::Grown) => Err(Failure::new(
                Kind::Mismatch,
                "the server has confirmed the file, and its checksum is not the one that --checksum says",
            )),
            Ok(Found::Unable) | Err(_) => {
                self.tell.remark("the server makes no checksum of the file: --checksum was held against the local one only");
                Ok(proof)
            }
        }
    }
}

/// Hands a piece over, and tells how things stand while that takes its time.
async fn written<S: Sink>(sink: &mut S, piece: Bytes, tell: &mut Tell, at: u64) -> Result<(), Fault> {
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
