//! `--limit-rate`: so many bytes a second for all lanes of all transfers together, and how fast a transfer is.

use std::{
    collections::VecDeque,
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time that was not used is made up for, up to this much: a busy machine wakes sleepers late.
const CREDIT: Duration = Duration::from_millis(100);

/// A limit on bytes a second. Lanes book bytes and wait until those before them are paid for.
#[derive(Debug)]
pub(crate) struct Limit {
    rate: f64,
    paid_until: Mutex<Instant>,
}

impl Limit {
    pub(crate) fn new(rate: NonZeroU64) -> Self {
        Self { rate: rate.get() as f64, paid_until: Mutex::new(Instant::now()) }
    }

    /// Books `bytes` that have come; says when the next ones may.
    fn book(&self, now: Instant, bytes: usize) -> Instant {
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        *paid_until = (*paid_until).max(earliest) + Duration::from_secs_f64(bytes as f64 / self.rate);
        *paid_until
    }

    /// Books `bytes` that have come and waits until more may.
    pub(crate) async fn pay(&self, bytes: usize) {
        let until = self.book(Instant::now(), bytes);
        tokio::time::sleep_until(until.into()).await;
    }
}

/// The speed of a transfer over the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    marks: VecDeque<(Instant, u64)>,
}

impl Meter {
    const WINDOW: Duration = Duration::from_secs(3);

    /// Notes that `total` bytes have come by `now`; tells bytes a second.
    pub(crate) fn mark(&mut self, now: Instant, total: u64) -> f64 {
        self.marks.push_back((now, total));
        while self.marks.len() > 2 && self.marks.get(1).is_some_and(|(at, _)| now - *at >= Self::WINDOW) {
            self.marks.pop_front();
        }
        let Some((since, before)) = self.marks.front() else { return 0.0 };
        let seconds = (now - *since).as_secs_f64();
        if seconds > 0.0 { total.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_paid_for_in_turn() {
        let limit = Limit::new(NonZeroU64::new(1000).unwrap());
        let now = Instant::now();
        let first = limit.book(now, 500);
        let second = limit.book(now, 500);
        assert!(first >= now + Duration::from_millis(500) - CREDIT);
        assert_eq!(second, first + Duration::from_millis(500));
        // Whoever comes late is not made to pay for it twice, nor given more than the credit.
        let late = second + Duration::from_secs(9);
        assert_eq!(limit.book(late, 500), late + Duration::from_millis(500) - CREDIT);
    }
}
