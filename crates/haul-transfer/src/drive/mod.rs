//! The driver: lets the transfer machine of haul-core have its way with real connections and a real disk.
//!
//! ```text
//!   lanes (one task each) ──words──► driver ──jobs──► writer (one thread) ──► partial and journal
//!        ▲                            │  ▲                  │
//!        └────── open, cancel ────────┘  └─────── told ─────┘
//! ```
//!
//! The driver decides nothing about ranges or versions: it asks the machine. What it adds is the place on disk
//! ([`seat`]), which may be known only when the first answer brings the file's name.

mod lane;
mod report;
mod seat;
mod writer;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use haul_core::{
    Algorithm, Digest, Entity,
    transfer::{Action, Ask, Basis, Event, LaneId, Lanes, Memo, Plan, SourceId, Transfer},
};
use haul_store::{Publish, Subject};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use url::Url;

use self::{
    lane::{ROOM_UNIT, Shared, Word},
    report::Report,
    seat::{Look, Seat},
    writer::{Told, Writer},
};
use crate::{
    client::{Client, Stop},
    failure::{Failure, Kind},
    job::{Connections, Job, Target},
    notice::{Done, Notice, Verified},
    out::Out,
    source::{Failed, HttpSource, Wish},
};

/// Who is told what happens.
pub type Watch = Arc<dyn Fn(Notice) + Send + Sync>;

/// Bytes between the network and the disk, over all lanes of a transfer.
const ROOM: usize = 8 << 20;
/// Words of lanes that wait for the driver.
const WORDS: usize = 64;
/// As many lanes as pay, but no more than this.
const MOST_UNASKED: usize = 8;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// Fetches one file: begins, or goes on where an earlier run stopped.
///
/// # Errors
/// [`Failure`], which says what happened, what is kept and what to do next.
pub async fn get(client: &Client, job: Job, stop: Stop, watch: Watch) -> Result<Done, Failure> {
    let mut drive = Drive::new(client, job, stop, watch)?;
    let ended = drive.run().await;
    drive.close().await;
    ended.map_err(|failure| drive.sign(failure))
}

/// Where the bytes go, once that is known.
struct Place {
    writer: Writer,
    told: mpsc::UnboundedReceiver<Told>,
    /// `None` is standard output.
    target: Option<PathBuf>,
    /// What the journal was last told.
    noted: Subject,
}

/// One transfer on its way.
struct Drive<'a> {
    client: &'a Client,
    job: Job,
    stop: Stop,
    sources: Vec<Arc<HttpSource>>,
    machine: Transfer,
    lanes: HashMap<LaneId, lane::Lane>,
    shared: Shared,
    words: mpsc::Receiver<(LaneId, Word)>,
    place: Option<Place>,
    /// The slot of the first connection; it is held as long as the transfer lives.
    first_slot: Option<OwnedSemaphorePermit>,
    report: Report,
    last_failure: Option<Failed>,
    /// The digest of the whole that the far end tells of this version.
    told_digest: Option<Digest>,
}

/// What became of a step: go on, or it is over.
type Step = Result<Option<Done>, Failure>;

impl<'a> Drive<'a> {
    fn new(client: &'a Client, job: Job, stop: Stop, watch: Watch) -> Result<Self, Failure> {
        let urls = std::iter::once(&job.url).chain(&job.mirrors);
        let sources = urls.map(|url| client.http(url).into()).collect();
        let machine = Transfer::new(None, plan(&job));
        let (sender, words) = mpsc::channel(WORDS);
        let room = Arc::new(Semaphore::new(ROOM / ROOM_UNIT));
        let report = Report::new(watch);
        let fetched = Arc::clone(&report.fetched);
        let shared = Shared { words: sender, room, limit: client.limit.clone(), fetched, reader: None };
        let mut drive = Self {
            client,
            stop,
            sources,
            machine,
            lanes: HashMap::new(),
            shared,
            words,
            place: None,
            first_slot: None,
            report,
            last_failure: None,
            told_digest: None,
            job,
        };
        if drive.job.target == Target::Stdout {
            let subject = seat::subject(&drive.job, None, None, &[]);
            drive.take(Out::new(std::io::stdout()), None, subject)?;
        } else if let Some(seat) = seat::before_asking(&drive.job)? {
            drive.sit(seat, None)?;
        }
        Ok(drive)
    }

    async fn run(&mut self) -> Result<Done, Failure> {
        tokio::select! {
            slot = self.client.first_slot(&self.job.url) => self.first_slot = slot,
            () = self.stop.stopped() => return Err(self.interrupted()),
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.stopped());
        let mut stopping = false;
        loop {
            while let Some(action) = self.machine.poll(Instant::now()) {
                if let Some(done) = self.act(action)? {
                    return Ok(done);
                }
            }
            let deadline = self.machine.deadline();
            let told = async {
                match &mut self.place {
                    Some(place) => place.told.recv().await,
                    None => std::future::pending().await,
                }
            };
            let over = tokio::select! {
                biased;
                told = told => self.on_told(told)?,
                Some((id, word)) = self.words.recv() => self.on_word(id, word)?,
                () = &mut stopped, if !stopping => {
                    stopping = true;
                    if self.place.is_none() {
                        return Err(self.interrupted());
                    }
                    self.machine.handle(Instant::now(), Event::Pause);
                    None
                }
                _ = tick.tick() => {
                    self.report.progress(&self.machine);
                    None
                }
                () = until(deadline) => None,
            };
            if let Some(done) = over {
                return Ok(done);
            }
        }
    }

    /// Does what the machine wants done.
    fn act(&mut self, action: Action) -> Step {
        match action {
            Action::Open { lane, source, ask, same, fresh } => self.open(lane, source, ask, same, fresh),
            Action::Cancel(lane) => {
                self.lanes.remove(&lane);
            }
            Action::Sync => match &self.place {
                Some(place) => place.writer.sync(),
                None => self.machine.handle(Instant::now(), Event::Durable),
            },
            Action::Reset(reason) => {
                self.report.reset(&reason, &self.machine);
                self.told_digest = None;
                let subject = self.subject(None, &[]);
                match &mut self.place {
                    Some(place) => {
                        place.noted = subject.clone();
                        place.writer.reset(subject);
                    }
                    None => self.machine.handle(Instant::now(), Event::ResetDone),
                }
            }
            Action::Publish => self.publish(),
            Action::Finish(outcome) => {
                return self
                    .report
                    .finish(&outcome, &self.machine, self.target(), self.last_failure.as_ref())
                    .map(Some);
            }
        }
        Ok(None)
    }

    fn open(&mut self, id: LaneId, source: SourceId, ask: Ask, same: Option<Entity>, fresh: bool) {
        let url = self.url(source);
        // A lane that has brought all of its bytes is about to end by itself.
        let alone = !self.lanes.keys().any(|lane| self.machine.expects(*lane));
        let slot = if alone { None } else { self.client.further_slot(&url) };
        if slot.is_none() && !alone && !fresh {
            self.machine.handle(Instant::now(), Event::Spared { lane: id });
            return;
        }
        let Some(source) = self.sources.get(source.0) else { return };
        let wish = Wish { from: ask.from, to: ask.to, same, fresh };
        let lane = lane::start(Arc::clone(source), id, ask, wish, slot, self.shared.clone());
        self.lanes.insert(id, lane);
    }

    fn url(&self, source: SourceId) -> Url {
        source
            .0
            .checked_sub(1)
            .and_then(|mirror| self.job.mirrors.get(mirror))
            .unwrap_or(&self.job.url)
            .clone()
    }

    fn publish(&mut self) {
        let size = self.machine.size().unwrap_or_default();
        let dates = self.machine.sources().into_iter().flatten().find_map(|entity| entity.modified);
        let modified = dates.map(|modified| (modified.seconds, modified.nanos));
        let how = Publish { replace: self.job.overwrite, modified };
        self.note_subject();
        let digest = self.job.checksum.clone().or_else(|| self.told_digest.clone());
        self.report.verified = digest.as_ref().map(|_| Verified::Digest);
        if let Some(place) = &self.place {
            place.writer.publish(how, size, digest);
        }
    }

    /// Takes note of what a lane says.
    fn on_word(&mut self, lane: LaneId, word: Word) -> Step {
        let now = Instant::now();
        if !self.lanes.contains_key(&lane) {
            return Ok(None);
        }
        match word {
            Word::Opened { seen, from, to, ranges, name, digests } => {
                if self.place.is_none() {
                    match self.sit_by_answer(&seen, name.as_deref())? {
                        Sat::Here => {}
                        Sat::Elsewhere => return Ok(None),
                        Sat::Done(done) => return Ok(Some(done)),
                    }
                }
                self.told_digest = self.told_digest.take().or_else(|| strongest(digests));
                self.machine.handle(now, Event::Opened { lane, seen, from, to, ranges });
                self.after_answer()?;
            }
            Word::Checked(found) => {
                self.machine.handle(now, Event::Checked { lane, found });
                self.note_subject();
            }
            Word::Heard => self.machine.handle(now, Event::Heard { lane }),
            Word::Bytes { at, bytes, room } => self.on_bytes(now, lane, at, &bytes, room),
            Word::Ended => {
                self.lanes.remove(&lane);
                self.machine.handle(now, Event::Ended { lane });
            }
            Word::Unsatisfiable { seen, total } => {
                self.lanes.remove(&lane);
                if self.place.is_none()
                    && let Sat::Done(done) =
                        self.sit_by_answer(&Entity { size: total, ..seen.clone() }, None)?
                {
                    return Ok(Some(done));
                }
                self.machine.handle(now, Event::Unsatisfiable { lane, seen, total });
                self.note_subject();
            }
            Word::Failed(failed) => {
                self.lanes.remove(&lane);
                let (why, retry_after) = (failed.why, failed.retry_after);
                tracing::debug!(lane = lane.0, why = failed.message, "lane failed");
                self.machine.handle(now, Event::Failed { lane, why, retry_after });
                self.report.retry(now, &self.machine, &failed);
                self.last_failure = Some(failed);
            }
        }
        Ok(None)
    }

    fn on_bytes(
        &mut self,
        now: Instant,
        lane: LaneId,
        at: u64,
        bytes: &bytes::Bytes,
        room: OwnedSemaphorePermit,
    ) {
        let Some(range) = haul_core::ByteRange::from_len(at, bytes.len() as u64) else { return };
        let taken = self.machine.receive(now, lane, range);
        let Some(place) = &self.place else { return };
        let room = Arc::new(room);
        for piece in taken {
            let from = (piece.start() - at) as usize;
            let to = (piece.end() - at) as usize;
            place.writer.write(piece.start(), bytes.slice(from..to), Arc::clone(&room));
        }
    }

    /// Takes note of what the writer says.
    fn on_told(&mut self, told: Option<Told>) -> Step {
        let now = Instant::now();
        match told {
            Some(Told::Written(range)) => self.machine.handle(now, Event::Written(range)),
            Some(Told::Durable) => self.machine.handle(now, Event::Durable),
            Some(Told::ResetDone) => self.machine.handle(now, Event::ResetDone),
            Some(Told::Published) => self.machine.handle(now, Event::Published),
            Some(Told::Mismatch { found, kept }) => {
                let found = found.map(|found| found.to_string()).unwrap_or_default();
                let wanted = self.job.checksum.as_ref().or(self.told_digest.as_ref());
                let wanted = wanted.map(ToString::to_string).unwrap_or_default();
                let message = format!("the file has another checksum: {found}, and not {wanted}");
                return Err(Failure::new(Kind::Mismatch, message)
                    .advise(format!("the bad file is kept as {}", kept.display())));
            }
            Some(Told::Broken(error)) => {
                self.machine.handle(now, Event::Pause);
                return Err(seat::store(&error));
            }
            None => return Err(Failure::new(Kind::Unexpected, "the writer ended without a word")),
        }
        Ok(None)
    }

    /// What the machine may have learned from an answer is told to the journal before any byte of it is.
    fn after_answer(&mut self) -> Result<(), Failure> {
        self.note_subject();
        let size = self.machine.size();
        if self.report.begins(size, self.target()) {
            let held = self.machine.view().held.total();
            if let Some(target) = self.target() {
                seat::check_room(&target, size, held)?;
            }
        }
        Ok(())
    }

    fn note_subject(&mut self) {
        let subject = self.subject(self.machine.size(), &self.machine.sources());
        let Some(place) = &mut self.place else { return };
        if place.noted != subject {
            place.noted = subject.clone();
            place.writer.note(subject);
        }
    }

    fn subject(&self, size: Option<u64>, known: &[Option<Entity>]) -> Subject {
        seat::subject(&self.job, self.target().as_deref(), size, known)
    }

    fn target(&self) -> Option<PathBuf> {
        self.place.as_ref().and_then(|place| place.target.clone())
    }

    /// Finds the place now that the far end has said what the file is.
    fn sit_by_answer(&mut self, seen: &Entity, name: Option<&str>) -> Result<Sat, Failure> {
        match seat::with_answer(&self.job, seen, name)? {
            Look::Already { target, size } => {
                let verified =
                    self.job.checksum.as_ref().map_or(Verified::By(Basis::Date), |_| Verified::Digest);
                Ok(Sat::Done(self.report.already(target, size, verified)))
            }
            Look::Seat(seat) => {
                let fresh = seat.memo.is_none();
                self.sit(*seat, Some(seen))?;
                Ok(if fresh { Sat::Here } else { Sat::Elsewhere })
            }
        }
    }

    /// Takes a place; where an earlier run left something, the machine begins anew from that.
    fn sit(&mut self, seat: Seat, seen: Option<&Entity>) -> Result<(), Failure> {
        let Seat { partial, target, memo, remarks } = seat;
        remarks.into_iter().for_each(|remark| self.report.tell(Notice::Remark(remark)));
        let known: Vec<_> = match &memo {
            Some(memo) => memo.sources.clone(),
            None => vec![seen.cloned()],
        };
        let size = memo.as_ref().map_or(seen.and_then(|seen| seen.size), |memo| memo.size);
        let subject = seat::subject(&self.job, Some(&target), size, &known);
        let unwritten = memo.as_ref().is_some_and(|memo| memo.held.is_empty());
        self.take(partial, Some(target), subject.clone())?;
        if let Some(memo) = memo {
            self.begin_from(memo);
            if let Some(place) = &self.place {
                // What an earlier run left may be of no use, or be known by an older URL.
                if unwritten { place.writer.reset(subject) } else { place.writer.note(subject) }
            }
        }
        Ok(())
    }

    fn take<P: haul_store::Partial>(
        &mut self,
        partial: P,
        target: Option<PathBuf>,
        noted: Subject,
    ) -> Result<(), Failure> {
        let started = Writer::start(partial);
        let (writer, told) =
            started.map_err(|error| Failure::new(Kind::Local, format!("no thread for writing: {error}")))?;
        self.shared.reader = Some(writer.reader());
        self.place = Some(Place { writer, told, target, noted });
        Ok(())
    }

    /// Begins the machine from what an earlier run left. Lanes of the machine before are let go, and so are their words.
    fn begin_from(&mut self, memo: Memo) {
        self.report.resumes(memo.size, memo.held.total(), self.target());
        self.lanes.clear();
        let (sender, words) = mpsc::channel(WORDS);
        self.shared.words = sender;
        self.words = words;
        self.machine = Transfer::new(Some(memo), plan(&self.job));
    }

    fn interrupted(&self) -> Failure {
        Failure::new(Kind::Interrupted, "interrupted")
    }

    /// Lets everything go in order: connections first, then the disk.
    async fn close(&mut self) {
        self.lanes.clear();
        self.shared.reader = None;
        self.words.close();
        while self.words.recv().await.is_some() {}
        let why = self.report.ended.clone();
        if let Some(place) = &self.place
            && let Some(why) = why
        {
            place.writer.note_stop(why);
        }
        if let Some(place) = self.place.take() {
            self.report.last_target = place.target;
            place.writer.end().await;
        }
    }

    /// Adds to a failure what is known here.
    fn sign(&self, mut failure: Failure) -> Failure {
        failure.target = failure.target.or_else(|| self.report.last_target.clone());
        if !matches!(failure.kind, Kind::Mismatch) && self.job.target != Target::Stdout {
            failure.kept = failure.kept.max(self.machine.view().held.total());
        }
        failure
    }
}

/// Where the first answer leads.
enum Sat {
    /// Its bytes can be used.
    Here,
    /// Something was there: the machine has begun anew from that, and asks again.
    Elsewhere,
    /// The file is there already.
    Done(Done),
}

fn plan(job: &Job) -> Plan {
    let lanes = match job.connections {
        Connections::AsPays => Lanes::Grow(MOST_UNASKED),
        Connections::Exactly(lanes) => Lanes::Exactly(lanes.get()),
    };
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Plan {
        sources: 1 + job.mirrors.len(),
        lanes,
        together: job.checksum.is_some(),
        in_order: job.target == Target::Stdout,
        stall: job.timeout,
        retries: job.retries,
        on_change: job.on_change,
        seed: since.as_nanos() as u64 ^ u64::from(std::process::id()),
    }
}

/// The digest to check the whole by: MD5 and SHA-1 prove too little to refuse a file for.
fn strongest(digests: Vec<Digest>) -> Option<Digest> {
    digests.into_iter().find(|digest| matches!(digest.algorithm(), Algorithm::Sha256 | Algorithm::Sha512))
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
