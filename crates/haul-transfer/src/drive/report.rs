//! What a transfer tells: the one place where the driver's facts become notices, results and failures.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use haul_core::transfer::{Outcome, Reason, Transfer, Trouble};

use super::Watch;
use crate::{
    failure::{Failure, Kind},
    notice::{Done, LaneView, Notice, Progress, Verified},
    rate::Meter,
    source::Failed,
};

const RESTART_OR_CHECK: &str = "use --restart to begin anew, or --checksum to have the whole checked";
const ALL_HERE: &str = "all bytes are here, and only whether the file is still that one could not be found out; the \
                        same command again asks once more and fetches nothing that is here";
const PIPED: &str = "throw away what went to standard output and run the same command again, or use -o FILE, \
                     which can be continued";

/// The teller, with the figures it needs.
pub(super) struct Report {
    watch: Watch,
    began: Instant,
    meter: Meter,
    /// Bytes of bodies received over the network.
    pub(super) fetched: Arc<AtomicU64>,
    /// Bytes an earlier run left.
    kept: u64,
    started: bool,
    /// What the whole was checked by, where it was.
    pub(super) verified: Option<Verified>,
    /// The retry told last.
    told_retry: Option<Instant>,
    /// How many bytes are left for the next run, once that is known.
    pub(super) left: Option<u64>,
    pub(super) last_target: Option<PathBuf>,
}

impl Report {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            began: Instant::now(),
            meter: Meter::default(),
            fetched: Arc::default(),
            kept: 0,
            started: false,
            verified: None,
            told_retry: None,
            left: None,
            last_target: None,
        }
    }

    pub(super) fn tell(&self, notice: Notice) {
        (self.watch)(notice);
    }

    /// An earlier run's work goes on.
    pub(super) fn resumes(&mut self, size: Option<u64>, kept: u64, target: Option<PathBuf>) {
        self.begins(size, target);
        self.kept = kept;
        if kept > 0 {
            self.tell(Notice::Resumed { kept });
        }
    }

    /// Bytes begin to come.
    pub(super) fn begins(&mut self, size: Option<u64>, target: Option<PathBuf>) {
        if !self.started {
            self.started = true;
            self.tell(Notice::Start { size, target });
        }
    }

    pub(super) fn progress(&mut self, machine: &Transfer) {
        if !self.started {
            return;
        }
        let view = machine.view();
        let rate = self.meter.mark(Instant::now(), self.fetched.load(Relaxed));
        let lanes = view.lanes.iter().map(|&(from, pos, end)| LaneView { from, pos, end }).collect();
        let done = view.held.total();
        self.tell(Notice::Progress(Progress { size: view.size, done, rate, lanes, held: view.held }));
    }

    /// What is here is dropped; `last`: what failed last.
    pub(super) fn reset(&mut self, reason: &Reason, machine: &Transfer, last: Option<&Failed>) {
        let dropped = machine.view().held.total();
        self.kept = 0;
        match reason {
            Reason::Changed(what) => self.tell(Notice::Changed { what: what.clone(), dropped }),
            Reason::Unproven => self.tell(Notice::Remark(format!(
                "nothing proves that the {dropped} bytes that are here belong to the server's file: begun anew"
            ))),
            Reason::Unreliable => self.tell(Notice::Remark(format!(
                "{}; the {dropped} bytes that are here are dropped: begun anew, in another way",
                last.map_or("what came cannot be relied on", |failed| &failed.message)
            ))),
        }
    }

    /// A lane failed; tells of the wait that follows, where there is one.
    pub(super) fn retry(&mut self, now: Instant, machine: &Transfer, failed: &Failed) {
        let (strikes, until) = machine.waiting(now);
        if until.is_some() && until != self.told_retry {
            self.told_retry = until;
            let after = until.map(|until| until - now).unwrap_or_default();
            self.tell(Notice::Retry { after, why: failed.message.clone(), strikes });
        }
    }

    /// The file was there before.
    pub(super) fn already(&mut self, target: PathBuf, size: u64, verified: Verified) -> Done {
        self.begins(Some(size), Some(target.clone()));
        Done {
            target: Some(target),
            size,
            fetched: self.fetched.load(Relaxed),
            kept: size,
            took: self.began.elapsed(),
            verified,
            already: true,
        }
    }

    /// It is over.
    pub(super) fn finish(
        &mut self,
        outcome: &Outcome,
        machine: &Transfer,
        target: Option<PathBuf>,
        last: Option<&Failed>,
    ) -> Result<Done, Failure> {
        // What went to standard output can neither be taken back nor gone on with.
        let piped = target.is_none();
        Err(match outcome {
            Outcome::Complete(basis) => {
                return Ok(Done {
                    target,
                    size: machine.size().unwrap_or_default(),
                    fetched: self.fetched.load(Relaxed),
                    kept: self.kept,
                    took: self.began.elapsed(),
                    verified: self.verified.unwrap_or(Verified::By(*basis)),
                    already: false,
                });
            }
            Outcome::Paused => Failure::new(Kind::Interrupted, "interrupted"),
            Outcome::Changed(what) => Failure::new(Kind::Changed, format!("the remote file changed: {what}"))
                .advise(if piped { PIPED } else { "use --restart to fetch the new one" }),
            Outcome::Unsafe if last.is_some_and(|failed| failed.why == Trouble::Unreliable) => {
                let message = last.map(|failed| failed.message.clone()).unwrap_or_default();
                Failure::new(Kind::Unsafe, message).advise(if piped { PIPED } else { RESTART_OR_CHECK })
            }
            Outcome::Unsafe => Failure::new(
                Kind::Unsafe,
                "nothing proves that what is here belongs to the server's file, so it cannot be continued safely",
            )
            .advise(if piped { PIPED } else { RESTART_OR_CHECK }),
            Outcome::GaveUp(trouble) if machine.size() == Some(machine.view().held.total()) => {
                gave_up(*trouble, last).advise(ALL_HERE)
            }
            Outcome::GaveUp(trouble) => gave_up(*trouble, last),
        })
    }
}

fn gave_up(trouble: Trouble, last: Option<&Failed>) -> Failure {
    let message = last.map_or_else(|| "the connection was lost".to_owned(), |failed| failed.message.clone());
    match trouble {
        Trouble::Unreachable => {
            Failure::new(Kind::Network, message).advise("check the address, and run the same command again")
        }
        Trouble::Broken | Trouble::Busy | Trouble::Unreliable => {
            Failure::new(Kind::Network, format!("gave up: {message}"))
                .advise("run the same command again to go on")
        }
        Trouble::Denied | Trouble::Fatal => Failure::new(Kind::Refused, message),
    }
}
