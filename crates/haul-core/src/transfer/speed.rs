//! How fast bytes come: a mean that forgets, so that a lane that falls silent is seen to slow down.

use std::time::{Duration, Instant};

/// After so long without news a past rate counts for a third.
const MEMORY: Duration = Duration::from_millis(700);

/// The shortest stretch from which a rate is derived; shorter ones measure the buffers.
const SLICE: Duration = Duration::from_millis(30);

/// The speed of one lane, or of all of them.
#[derive(Clone, Debug)]
pub(crate) struct Speed {
    began: Instant,
    slice_began: Instant,
    in_slice: u64,
    total: u64,
    mean: Option<f64>,
}

impl Speed {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, slice_began: now, in_slice: 0, total: 0, mean: None }
    }

    /// `bytes` came.
    pub(crate) fn add(&mut self, now: Instant, bytes: u64) {
        self.total += bytes;
        self.in_slice += bytes;
        let took = now.saturating_duration_since(self.slice_began);
        if took >= SLICE {
            self.mean = Some(self.blend(took));
            self.slice_began = now;
            self.in_slice = 0;
        }
    }

    fn blend(&self, took: Duration) -> f64 {
        let seconds = took.as_secs_f64().max(1e-9);
        let rate = self.in_slice as f64 / seconds;
        match self.mean {
            None => rate,
            Some(mean) => {
                let keep = (-seconds / MEMORY.as_secs_f64()).exp();
                mean * keep + rate * (1.0 - keep)
            }
        }
    }

    /// Bytes a second while they came.
    pub(crate) fn mean(&self) -> Option<f64> {
        self.mean
    }

    /// Bytes a second, silence since the last byte counted in; `None` before there is anything to tell.
    pub(crate) fn now(&self, now: Instant) -> Option<f64> {
        let took = now.saturating_duration_since(self.slice_began);
        match self.mean {
            Some(mean) if took < SLICE * 4 => Some(mean),
            Some(_) => Some(self.blend(took)),
            None if self.total > 0 && now.saturating_duration_since(self.began) >= SLICE => {
                Some(self.blend(took))
            }
            None => None,
        }
    }
}
