//! What a server has counted since it was started, for Prometheus: through all doors, by one implementation.
//!
//! ```text
//!  events ──> Log::tell ──┐
//!  bytes  ──> Meter ──────┼──> Metrics ── scrape ──> Page ──> /-/metrics, and the door of its own
//!  disks  ──> Watch ──────┘       ^
//!  refusals, answers, times ──────┘
//! ```
//! Whoever counts adds to a number that is there (`figure`), by labels with few values (`label`); it never waits and
//! never allocates. All else, what is now and what the system knows of the process, is looked at when somebody asks
//! (`scrape`). What each metric means stands in docs/monitoring.md.

mod door;
mod events;
mod figure;
mod label;
mod page;
mod process;
mod reason;
mod scrape;
mod watch;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::{
    figure::{Count, Grid, Level, Quick, Slow, Spread},
    label::{Class, Durable, Result},
};
use haul_core::TreePath;

use crate::log::Direction;

pub use self::{
    door::Door,
    label::{Dialect, DoorName},
    process::Process,
};
pub(crate) use self::{
    label::{Paper, Reason, Sort},
    page::CONTENT_TYPE,
    scrape::scrape,
};

/// By what transfers are told apart when they have ended.
type Ending = ((DoorName, Dialect), (Direction, label::Outcome));

/// What a server has counted. Shared by all that count.
#[derive(Debug, Default)]
pub struct Metrics {
    sessions: Grid<DoorName, Count>,
    logins: Grid<DoorName, Count>,
    transfers: Grid<Ending, Count>,
    took: Grid<(DoorName, Direction), Spread<Slow>>,
    bytes: Grid<(DoorName, Direction), Count>,
    resumes: Grid<(DoorName, Direction), Count>,
    saved: Grid<(DoorName, Direction), Count>,
    refusals: Grid<(DoorName, Reason), Count>,
    /// Answers of both HTTP doors, replies of both FTP doors.
    answers: Grid<(DoorName, Class), Count>,
    requests: Grid<(DoorName, Sort), Spread<Quick>>,
    handshakes: Grid<DoorName, Count>,
    changes: Grid<(DoorName, crate::log::Change), Count>,
    syncs: Grid<Durable, Spread<Quick>>,
    sync_failures: Grid<Durable, Count>,
    commits: Spread<Quick>,
    commit_failures: Count,
    orders: Level,
    expired: Count,
    dropped: Count,
    reloads: Grid<Result, Count>,
    hooks: Grid<Result, Count>,
    hooks_given_up: Count,
    /// When it was read last, whether that went well, and when it went well last.
    reloaded: Level,
    reload_failed: Level,
    lost: Grid<Paper, Count>,
    paper_failures: Grid<Paper, Count>,
    /// Until when the certificate is good, in seconds since 1970; 0: there is none.
    certificate: Level,
    continuations: Continuations,
    process: OnceLock<Process>,
}

impl Metrics {
    /// Somebody is refused something.
    pub(crate) fn refused(&self, door: DoorName, reason: Reason) {
        self.refusals.at((door, reason)).add(1);
    }

    /// An answer or a reply of this number.
    pub(crate) fn answered(&self, door: DoorName, number: u16) {
        self.answers.at((door, Class::of(number))).add(1);
    }

    /// A request or command was worked at for so long, until its answer began.
    pub(crate) fn asked(&self, door: DoorName, sort: Sort, took: Duration) {
        self.requests.at((door, sort)).add(took);
    }

    /// TLS did not begin.
    pub(crate) fn unprotected(&self, door: DoorName) {
        self.handshakes.at(door).add(1);
    }

    /// The configuration was read for the first time.
    pub fn configured(&self) {
        self.reloaded.set(now());
    }

    /// So many unfinished uploads have expired.
    pub fn expired(&self, uploads: usize) {
        self.expired.add(u64::try_from(uploads).unwrap_or(u64::MAX));
    }

    /// Until when the certificate that is shown now is good, in seconds since 1970; `None`: there is none.
    pub fn certified(&self, until: Option<i64>) {
        self.certificate.set(until.unwrap_or(0));
    }

    /// What the system knows of this process: opened before it gives up what it need not reach.
    pub fn of(&self, process: Process) {
        // Nothing was set before.
        let _ = self.process.set(process);
    }

    /// Lines that were not written, since too many waited.
    pub(crate) fn lost(&self, paper: Paper, lines: u64) {
        self.lost.at(paper).add(lines);
    }

    /// A line that could not be written.
    pub(crate) fn unwritten(&self, paper: Paper) {
        self.paper_failures.at(paper).add(1);
    }

    /// Counts the bytes of one transfer while they move.
    pub(crate) fn meter(self: &Arc<Self>, door: DoorName, way: Direction) -> Meter {
        Meter { metrics: Arc::clone(self), key: (door, way) }
    }

    /// A request's content ended as it should, and more of this upload is to come from `at`.
    pub(crate) fn continues(&self, upload: &TreePath, at: u64) {
        self.continuations.note(upload, at);
    }

    /// Whether what begins at this offset goes on with what was cut off: not what a request before it has announced.
    pub(crate) fn resumes(&self, upload: &TreePath, at: u64) -> bool {
        at > 0 && !self.continuations.take(upload, at)
    }
}

/// Counts the bytes of one transfer.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    metrics: Arc<Metrics>,
    key: (DoorName, Direction),
}

impl Meter {
    pub(crate) fn add(&self, bytes: u64) {
        self.metrics.bytes.at(self.key).add(bytes);
    }
}

/// Which uploads come in several requests on purpose, so that the next one is not taken for one that resumes. A few
/// numbers, whoever comes: what two uploads share is forgotten for one of them, which then counts once too often.
#[derive(Debug)]
struct Continuations([AtomicU64; 1024]);

impl Default for Continuations {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; 1024])
    }
}

impl Continuations {
    fn place(&self, upload: &TreePath, at: u64) -> (Option<&AtomicU64>, u64) {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        upload.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % 1024).unwrap_or(0);
        at.hash(&mut hasher);
        (self.0.get(index), hasher.finish() | 1)
    }

    fn note(&self, upload: &TreePath, at: u64) {
        let (place, mark) = self.place(upload, at);
        if let Some(place) = place {
            place.store(mark, Relaxed);
        }
    }

    fn take(&self, upload: &TreePath, at: u64) -> bool {
        let (place, mark) = self.place(upload, at);
        place.is_some_and(|place| place.compare_exchange(mark, 0, Relaxed, Relaxed).is_ok())
    }
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_several_requests_on_purpose_does_not_resume() {
        let metrics = Metrics::default();
        let [one, other] = ["one", "other"].map(|name| TreePath::ROOT.join(name.as_bytes()).unwrap());
        assert!(!metrics.resumes(&one, 0), "it begins");
        metrics.continues(&one, 5);
        assert!(!metrics.resumes(&one, 5));
        assert!(metrics.resumes(&one, 5), "what was announced has come: this one was cut");
        metrics.continues(&one, 9);
        assert!(metrics.resumes(&one, 8) && metrics.resumes(&other, 9));
    }
}
