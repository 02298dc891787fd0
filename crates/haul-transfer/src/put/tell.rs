//! What an upload tells while it runs: the one place where the driver's facts become notices.

use std::time::{Duration, Instant};

use haul_core::{ByteRange, upload::lanes::Spread};

use super::TICK;
use crate::{
    drive::Watch,
    notice::{Done, LaneView, Notice, Progress, Verified},
    rate::Meter,
};

/// The teller, with the figures it needs.
pub(super) struct Tell {
    watch: Watch,
    began: Instant,
    meter: Meter,
    size: Option<u64>,
    /// Bytes handed over in this run.
    sent: u64,
    /// Bytes an earlier run had left at the far end.
    kept: u64,
    /// Where the present sending began, and how far it is.
    from: u64,
    at: u64,
    started: bool,
    told: Option<Instant>,
}

impl Tell {
    pub(super) fn new(watch: Watch, size: Option<u64>) -> Self {
        Self {
            watch,
            began: Instant::now(),
            meter: Meter::default(),
            size,
            sent: 0,
            kept: 0,
            from: 0,
            at: 0,
            started: false,
            told: None,
        }
    }

    pub(super) fn remark(&self, text: &str) {
        (self.watch)(Notice::Remark(text.to_owned()));
    }

    pub(super) fn retry(&self, after: Duration, why: &str, strikes: u32) {
        (self.watch)(Notice::Retry { after, why: why.to_owned(), strikes });
    }

    /// What is there is compared, which may take long.
    pub(super) fn compares(&self, size: u64) {
        tracing::debug!(size, "comparing what is there");
    }

    /// Nothing of what is there counts.
    pub(super) fn begins_anew(&mut self) {
        self.kept = 0;
    }

    /// The local file has another size now.
    pub(super) fn resize(&mut self, size: u64) {
        self.size = Some(size);
        self.started = false;
    }

    /// The far end takes bytes from `at` on.
    pub(super) fn begins(&mut self, at: u64) {
        (self.from, self.at) = (at, at);
        if !self.started {
            self.started = true;
            (self.watch)(Notice::Start { size: self.size, target: None });
            if at > 0 {
                self.kept = at;
                (self.watch)(Notice::Resumed { kept: at });
            }
        }
        self.progress(at);
    }

    /// The far end takes bytes on several lanes, and has so many from before.
    pub(super) fn begins_on_lanes(&mut self, kept: u64) {
        (self.from, self.at) = (0, kept);
        if !self.started {
            self.started = true;
            (self.watch)(Notice::Start { size: self.size, target: None });
            if kept > 0 {
                self.kept = kept;
                (self.watch)(Notice::Resumed { kept });
            }
        }
    }

    /// One of several lanes has moved so many more bytes.
    pub(super) fn moved(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// How things stand on several lanes, if it is time to tell.
    pub(super) fn progress_on_lanes(&mut self, spread: &Spread, now: Instant) {
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < TICK) {
            return;
        }
        self.told = Some(now);
        self.at = spread.done();
        let rate = self.meter.mark(now, self.sent);
        let lanes = (spread.views())
            .map(|view| LaneView { from: view.from, pos: view.pos, end: Some(view.end) })
            .collect();
        let held = spread.reached().collect();
        (self.watch)(Notice::Progress(Progress { size: self.size, done: self.at, rate, lanes, held }));
    }

    /// So many more bytes went over.
    pub(super) fn sent(&mut self, bytes: usize, at: u64) {
        self.sent += bytes as u64;
        self.at = at;
        if self.told.is_none_or(|told| told.elapsed() >= TICK) {
            self.progress(at);
        }
    }

    pub(super) fn progress(&mut self, at: u64) {
        let now = Instant::now();
        self.told = Some(now);
        let rate = self.meter.mark(now, self.sent);
        let lanes = vec![LaneView { from: self.from, pos: at, end: self.size }];
        let held = ByteRange::new(0, at).into_iter().collect();
        (self.watch)(Notice::Progress(Progress { size: self.size, done: at, rate, lanes, held }));
    }

    /// The far end has it.
    pub(super) fn done(&self, verified: Verified, already: bool) -> Done {
        let size = self.size.unwrap_or(self.at);
        Done {
            target: None,
            size,
            fetched: self.sent,
            kept: if already { size } else { self.kept },
            took: self.began.elapsed(),
            verified,
            already,
        }
    }
}
