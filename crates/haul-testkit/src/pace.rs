//! A token bucket whose bursts are small: at most ten milliseconds' worth of bytes at once.
//!
//! A thread that woke late may catch up for a moment, so that the rate is kept on a busy machine too; a peer that had
//! nothing to send may not.

use std::time::{Duration, Instant};

const BURST: Duration = Duration::from_millis(10);
const CATCH_UP: Duration = Duration::from_millis(25);

/// The bucket of one connection.
#[derive(Debug)]
pub struct Pace {
    rate: u64,
    paid_until: Instant,
}

impl Pace {
    /// A bucket that lets `rate` bytes a second through.
    pub fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid_until: Instant::now() }
    }

    /// The bytes a second it lets through.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// How many bytes may pass now, or how long to wait for the next ones.
    pub fn allows(&self, now: Instant) -> Result<usize, Duration> {
        match self.paid_until.checked_duration_since(now) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(((self.rate as f64 * BURST.as_secs_f64()) as usize).max(1)),
        }
    }

    /// `count` bytes have passed.
    pub fn pay(&mut self, now: Instant, count: usize) {
        let oldest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let price = Duration::from_secs_f64(count as f64 / self.rate as f64);
        self.paid_until = self.paid_until.max(oldest) + price;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_second_passes_half_the_rate() {
        let mut pace = Pace::new(1_000_000);
        let start = Instant::now();
        let (mut now, mut passed) = (start, 0);
        while now < start + Duration::from_millis(500) {
            match pace.allows(now) {
                Ok(count) => {
                    passed += count;
                    pace.pay(now, count);
                }
                Err(wait) => now += wait,
            }
        }
        assert!((490_000..=510_000).contains(&passed), "{passed}");
    }
}
