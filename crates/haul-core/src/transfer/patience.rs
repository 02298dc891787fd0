//! When to try again, and when to give up: backoff with jitter, counted in failures in a row without progress.
//!
//! A failure after progress costs nothing and is tried again at once. Several lanes that fail together are one
//! failure, not several.

use std::time::{Duration, Instant};

use super::Trouble;
use crate::Random;

/// The first wait; it doubles with each further failure.
const FIRST: Duration = Duration::from_millis(250);
/// No wait grows past this by doubling.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a far end may ask to be left alone before that counts as a refusal.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Tries of a far end that never answered in this run.
const UNREACHABLE_TRIES: u32 = 3;
/// Tries of a far end that answered before and now says no.
const DENIED_TRIES: u32 = 3;

/// Why a lane came to nothing, and what the far end asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) why: Trouble,
    /// How long the far end wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// The count of failures in a row, and what follows from it.
#[derive(Debug)]
pub(crate) struct Patience {
    retries: Option<u32>,
    strikes: u32,
    last: Option<Instant>,
    until: Option<Instant>,
    random: Random,
}

impl Patience {
    pub(crate) fn new(retries: Option<u32>, seed: u64) -> Self {
        Self { retries, strikes: 0, last: None, until: None, random: Random::new(seed) }
    }

    /// Bytes came: all is forgiven.
    pub(crate) fn progress(&mut self) {
        self.strikes = 0;
        self.last = None;
        self.until = None;
    }

    /// A failure after progress costs nothing, but the far end may want to be left alone. Says whether to go on.
    pub(crate) fn rest(&mut self, now: Instant, failure: Failure) -> Result<(), Trouble> {
        let asked = failure.retry_after.unwrap_or_default();
        if self.retries.is_some() && asked > LONGEST_RETRY_AFTER {
            return Err(failure.why);
        }
        self.until = Some(now + asked);
        Ok(())
    }

    /// Failures in a row so far.
    pub(crate) fn strikes(&self) -> u32 {
        self.strikes
    }

    /// The moment before which nothing is to be opened, if that lies ahead.
    pub(crate) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// A lane that was opened at `opened` failed without progress. Says whether to go on.
    pub(crate) fn strike(
        &mut self,
        now: Instant,
        opened: Instant,
        failure: Failure,
        answered: bool,
    ) -> Result<(), Trouble> {
        let Failure { why, retry_after } = failure;
        if why == Trouble::Fatal || (why == Trouble::Denied && !answered) {
            return Err(why);
        }
        if self.last.is_some_and(|last| opened < last) {
            return Ok(());
        }
        self.strikes += 1;
        self.last = Some(now);
        let tries = match why {
            Trouble::Unreachable if !answered => {
                self.retries.map(|retries| (retries + 1).min(UNREACHABLE_TRIES))
            }
            Trouble::Denied => Some(DENIED_TRIES),
            _ => self.retries.map(|retries| retries.saturating_add(1)),
        };
        let asked = retry_after.unwrap_or_default();
        if tries.is_some_and(|tries| self.strikes >= tries || asked > LONGEST_RETRY_AFTER) {
            return Err(why);
        }
        let wait = if why == Trouble::Unreachable && !answered {
            // Three tries in about three seconds.
            Duration::from_secs(u64::from(self.strikes)).min(LONGEST)
        } else {
            let doubled = FIRST.saturating_mul(1 << (self.strikes - 1).min(10)).min(LONGEST);
            doubled.mul_f64(0.5 + 0.5 * self.random.fraction())
        };
        self.until = Some(now + wait.max(asked));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_fail_together_are_one_failure() {
        let mut patience = Patience::new(Some(2), 1);
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        for _ in 0..8 {
            assert!(
                patience
                    .strike(later, start, Failure { why: Trouble::Broken, retry_after: None }, true)
                    .is_ok()
            );
        }
        assert_eq!(patience.strikes(), 1);
        assert!(patience.until(later).is_some());
        patience.progress();
        assert!(patience.until(later).is_none());
    }

    #[test]
    fn who_asks_to_be_left_alone_is_left_alone_after_progress_too() {
        let mut patience = Patience::new(Some(1), 1);
        let now = Instant::now();
        let busy = |seconds| Failure { why: Trouble::Busy, retry_after: Some(Duration::from_secs(seconds)) };
        assert!(patience.rest(now, busy(7)).is_ok());
        assert_eq!((patience.until(now), patience.strikes()), (Some(now + Duration::from_secs(7)), 0));
        assert_eq!(patience.rest(now, busy(86_400)), Err(Trouble::Busy));
        let broken = Failure { why: Trouble::Broken, retry_after: None };
        assert!(patience.rest(now, broken).is_ok());
        assert_eq!(patience.until(now), None);
    }

    #[test]
    fn an_unknown_host_is_tried_three_times_in_about_three_seconds() {
        let mut patience = Patience::new(Some(20), 1);
        let start = Instant::now();
        let mut now = start;
        while patience
            .strike(now, now, Failure { why: Trouble::Unreachable, retry_after: None }, false)
            .is_ok()
        {
            now = patience.until(now).unwrap();
        }
        assert_eq!(patience.strikes(), 3);
        assert_eq!(now - start, Duration::from_secs(3));
    }

    #[test]
    fn retry_after_is_honoured_and_bounded() {
        let mut patience = Patience::new(Some(20), 1);
        let now = Instant::now();
        let asked = Duration::from_secs(7);
        assert!(
            patience.strike(now, now, Failure { why: Trouble::Busy, retry_after: Some(asked) }, true).is_ok()
        );
        assert_eq!(patience.until(now), Some(now + asked));
        let then = now + asked;
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(
            patience.strike(then, then, Failure { why: Trouble::Busy, retry_after: day }, true),
            Err(Trouble::Busy)
        );
    }
}
