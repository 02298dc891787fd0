//! How many lanes are wanted: all at once where the caller gave the number, else doubled as long as that makes the
//! whole faster.

use std::time::{Duration, Instant};

use super::Lanes;

/// How long a number of lanes is watched before it is judged.
const WATCH: Duration = Duration::from_millis(400);
/// What twice the lanes must bring to be worth it.
const PAYS: f64 = 1.12;
/// With less than this left another lane is not worth trying.
const WORTHWHILE: f64 = 1.0;

/// The wanted number of lanes.
#[derive(Debug)]
pub(super) struct Growth {
    lanes: Lanes,
    wanted: usize,
    before: Option<f64>,
    watch: Option<(Instant, u64)>,
    settled: bool,
}

impl Growth {
    pub(super) fn new(lanes: Lanes) -> Self {
        let wanted = match lanes {
            Lanes::Grow(_) => 1,
            Lanes::Exactly(most) => most.max(1),
        };
        Self { lanes, wanted, before: None, watch: None, settled: wanted >= lanes.most() }
    }

    /// The number wanted now.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Whether it may still change, so that somebody should look from time to time.
    pub(super) fn watches(&self) -> bool {
        !self.settled
    }

    /// Looks at what `streaming` lanes have brought (`total` bytes in all, `rest` still missing).
    pub(super) fn look(&mut self, now: Instant, streaming: usize, total: u64, rest: Option<u64>) {
        if self.settled || streaming < self.wanted {
            self.watch = None;
            return;
        }
        let (since, bytes) = *self.watch.get_or_insert((now, total));
        let took = now.saturating_duration_since(since);
        if took < WATCH {
            return;
        }
        let rate = total.saturating_sub(bytes) as f64 / took.as_secs_f64();
        self.watch = None;
        if self.before.is_some_and(|before| rate < before * PAYS) {
            self.settled = true;
            self.wanted = (self.wanted / 2).max(1);
            return;
        }
        if rest.is_some_and(|rest| (rest as f64) < rate * WORTHWHILE) {
            return;
        }
        self.before = Some(rate);
        self.wanted = (self.wanted * 2).min(self.lanes.most());
        // The last step is never judged: nothing could follow from it.
        self.settled = self.wanted == self.lanes.most();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_while_it_pays_and_then_steps_back() {
        let mut growth = Growth::new(Lanes::Grow(8));
        let mut now = Instant::now();
        let mut total = 0;
        for _ in 0..400 {
            // Lanes of 1 MB/s each, but no more than 2.2 MB/s in all.
            let lanes = growth.wanted();
            total += (lanes as u64 * 10_000).min(22_000);
            now += Duration::from_millis(10);
            growth.look(now, lanes, total, Some(1 << 30));
        }
        assert_eq!(growth.wanted(), 2);
        assert!(!growth.watches());
    }
}
