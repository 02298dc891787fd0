//! The driver: lets the transfer machine of haul-core have its way with real connections and a real disk.
//!
//! ```text
//!   lanes (one task each) ──words──► driver ──pieces──► partial and journal
//!        ▲                            │  ▲  └─jobs──► writer's thread ──┘ │
//!        └────── open, cancel ────────┘  └──────────── told ──────────────┘
//! ```
//!
//! The driver decides nothing about ranges or versions: it asks the machine. What it adds is the place on disk
//! ([`seat`]), which may be known only when the first answer brings the file's name.

mod confirm;
mod lane;
mod place;
mod report;
mod seat;
mod text;
mod words;
mod writer;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use haul_core::{
    Digest, Entity,
    transfer::{Action, Ask, Event, LaneId, Lanes, Plan, SourceId, Transfer},
};
use haul_store::Publish;
use tokio::sync::mpsc;
use url::Url;

use self::{
    confirm::{Confirming, confirmed},
    lane::{Entry, Shared, Word},
    place::Place,
    report::Report,
};
use crate::{
    client::{Client, Stop},
    failure::{Failure, Kind},
    job::{Connections, Job, Target},
    notice::{Done, Notice, Verified},
    source::{AnySource, Failed, Wish},
    threads::Threads,
};

pub(crate) use text::WAITS;
pub use text::{get_text, is_text};

/// Who is told what happens.
pub type Watch = Arc<dyn Fn(Notice) + Send + Sync>;

/// Words of lanes that wait for the driver.
const WORDS: usize = 64;
/// As many lanes as pay, but no more than this.
const MOST_UNASKED: usize = 8;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);
/// A turn of the driver takes as long as a tick, where nothing holds it up.
const AWAY: Duration = Duration::from_millis(500);

/// Fetches one file: begins, or goes on where an earlier run stopped.
///
/// # Errors
/// [`Failure`], which says what happened, what is kept and what to do next.
pub async fn get(client: &Client, job: Job, stop: Stop, watch: Watch) -> Result<Done, Failure> {
    let mut drive = Drive::new(client, job, stop, watch);
    let ended = match drive.sit_unasked().await {
        Ok(()) => drive.run().await,
        Err(failure) => Err(failure),
    };
    drive.close(ended.as_ref().err()).await;
    ended.map_err(|failure| drive.sign(failure))
}

/// One transfer on its way.
struct Drive<'a> {
    client: &'a Client,
    job: Job,
    stop: Stop,
    sources: Vec<Arc<AnySource>>,
    machine: Transfer,
    lanes: HashMap<LaneId, lane::Lane>,
    shared: Shared,
    words: mpsc::Receiver<(LaneId, Word)>,
    place: Option<Place>,
    report: Report,
    last_failure: Option<Failed>,
    /// The last question before the file is published.
    confirming: Option<Confirming>,
    /// The digest of the whole that the far end tells of this version.
    told_digest: Option<Digest>,
}

/// What became of a step: go on, or it is over.
type Step = Result<Option<Done>, Failure>;

impl<'a> Drive<'a> {
    fn new(client: &'a Client, job: Job, stop: Stop, watch: Watch) -> Self {
        let urls = std::iter::once(&job.url).chain(&job.mirrors);
        let sources = urls.map(|url| client.source(url, &job.url).into()).collect();
        let machine = Transfer::new(None, plan(&job));
        let (sender, words) = mpsc::channel(WORDS);
        let report = Report::new(watch);
        let fetched = Arc::clone(&report.fetched);
        let shared = Shared { words: sender, limit: client.limit.clone(), fetched, reader: None };
        Self {
            client,
            stop,
            sources,
            machine,
            lanes: HashMap::new(),
            shared,
            words,
            place: None,
            report,
            last_failure: None,
            confirming: None,
            told_digest: None,
            job,
        }
    }

    async fn run(&mut self) -> Result<Done, Failure> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.stopped());
        let mut stopping = false;
        let mut attentive = Instant::now();
        loop {
            self.excuse_lanes(&mut attentive);
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
                () = &mut stopped, if !stopping => {
                    stopping = true;
                    // A pipe that nobody reads takes no last word, and keeps nothing.
                    let piped = self.job.target == Target::Stdout;
                    if self.place.is_none() || self.confirming.is_some() || piped {
                        return Err(self.interrupted());
                    }
                    self.machine.handle(Instant::now(), Event::Pause);
                    None
                }
                _ = tick.tick() => {
                    self.report.progress(&self.machine);
                    None
                }
                told = told => self.on_told(told)?,
                Some((id, word)) = self.words.recv() => self.on_word(id, word).await?,
                answer = confirmed(&mut self.confirming) => self.on_confirmed(answer)?,
                () = until(deadline) => None,
            };
            if let Some(done) = over {
                return Ok(done);
            }
        }
    }

    /// After a time in which nobody listened here (a disk that blocks, a process that was stopped), no lane is to
    /// blame for its silence.
    fn excuse_lanes(&mut self, attentive: &mut Instant) {
        let now = Instant::now();
        if now.duration_since(*attentive) >= AWAY {
            for lane in self.lanes.keys() {
                self.machine.handle(now, Event::Heard { lane: *lane });
            }
        }
        *attentive = now;
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
                self.report.reset(&reason, &self.machine, self.last_failure.as_ref());
                self.told_digest = None;
                let subject = self.subject(None, &[]);
                match &mut self.place {
                    // Somebody else's file is not lost for a wrong guess; once compared it is a part of ours.
                    Some(place) if place.adopted && self.machine.is_unproven() => {
                        place.writer.set_aside("old");
                    }
                    Some(place) => {
                        place.noted = subject.clone();
                        place.writer.reset(subject);
                    }
                    None => self.machine.handle(Instant::now(), Event::ResetDone),
                }
            }
            Action::Publish => self.confirm(),
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
        let host = self.client.host(&url);
        let entry = match (alone, fresh) {
            (true, _) => Entry::Turn(host),
            (false, true) => Entry::Aside,
            (false, false) => match host.spare_slot() {
                Some(slot) => Entry::Slot(slot),
                None => return self.machine.handle(Instant::now(), Event::Spared { lane: id }),
            },
        };
        let Some(source) = self.sources.get(source.0) else { return };
        let wish = Wish { from: ask.from, to: ask.to, same, fresh };
        let runs = if alone { Threads::here() } else { self.client.threads.beside() };
        let lane = lane::start(&runs, Arc::clone(source), id, ask, wish, entry, self.shared.clone());
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
        // What went to standard output can't be read back.
        let digest = digest.filter(|_| self.job.target != Target::Stdout);
        self.report.verified = digest.as_ref().map(|_| Verified::Digest);
        if let Some(place) = &self.place {
            place.writer.publish(how, size, digest);
        }
    }

    fn interrupted(&self) -> Failure {
        Failure::new(Kind::Interrupted, "interrupted")
    }

    /// Adds to a failure what is known here.
    fn sign(&self, mut failure: Failure) -> Failure {
        failure.target = failure.target.or_else(|| self.report.last_target.clone());
        failure.kept = self.report.left.unwrap_or(failure.kept);
        failure
    }
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

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
