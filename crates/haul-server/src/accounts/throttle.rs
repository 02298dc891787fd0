//! How often an address may be wrong: each failed login makes the next answer slower, and after a number of them the
//! address is not listened to for a while.
//!
//! An IPv6 customer has a whole /64, so that counts as one address. A failure is forgotten as time goes by, one after
//! the other; a success forgives none, or whoever has an account could guess at all others. It knows no clock, no
//! name and no password.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// The most addresses that are remembered.
const MOST: usize = 10_000;

/// The answer to the first failure waits so long, to the second twice that, and so on …
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// … up to this.
const LONGEST_DELAY: Duration = Duration::from_secs(8);

/// How many failures are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So many failures in a row make an address refused; 0: never.
    pub failures: u32,
    /// For so long. In the same time all failures are forgotten.
    pub refuse: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { failures: 10, refuse: Duration::from_secs(600) }
    }
}

/// Failed logins by address.
#[derive(Debug, Default)]
pub struct Throttle {
    patience: Patience,
    addresses: HashMap<IpAddr, Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    /// From when on failures are forgotten.
    since: Instant,
    refused_until: Option<Instant>,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(patience: Patience) -> Self {
        Self { patience, addresses: HashMap::new() }
    }

    /// From now on this many failures are borne; what was counted stays.
    pub fn set(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// For how long this address is not listened to any more; `None`: it may try.
    pub fn refused(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        let until = self.record(whose(address), now)?.refused_until?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// A login from there has failed: after how long that may be answered.
    pub fn failed(&mut self, address: IpAddr, now: Instant) -> Duration {
        let (patience, address) = (self.patience, whose(address));
        let before = self.record(address, now);
        if before.is_none() && self.addresses.len() >= MOST {
            self.make_room();
        }
        let mut record = before.unwrap_or(Record { failures: 0, since: now, refused_until: None });
        record.failures = record.failures.saturating_add(1);
        let doublings = record.failures.saturating_sub(1).min(16);
        if patience.failures != 0 && record.failures >= patience.failures {
            record.refused_until = now.checked_add(patience.refuse);
        }
        self.addresses.insert(address, record);
        FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY)
    }

    /// What is still held against an address, after time has gone by.
    fn record(&mut self, address: IpAddr, now: Instant) -> Option<Record> {
        let mut record = *self.addresses.get(&address)?;
        if record.refused_until.is_some_and(|until| until <= now) {
            self.addresses.remove(&address);
            return None;
        }
        let step = (self.patience.refuse / self.patience.failures.max(10)).max(Duration::from_millis(1));
        let passed = now.saturating_duration_since(record.since).as_nanos() / step.as_nanos();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        if record.refused_until.is_none() && passed >= record.failures {
            self.addresses.remove(&address);
            return None;
        }
        if record.refused_until.is_none() {
            record.failures -= passed;
            record.since += step.saturating_mul(passed);
        }
        self.addresses.insert(address, record);
        Some(record)
    }

    /// Forgets the one that has been quiet for longest; whoever is refused stays remembered as long as anybody else is.
    fn make_room(&mut self) {
        let oldest = self.addresses.iter().min_by_key(|(_, record)| (record.refused_until, record.since));
        if let Some(address) = oldest.map(|(address, _)| *address) {
            self.addresses.remove(&address);
        }
    }
}

/// What counts as one address.
pub(crate) fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { failures: 3, refuse: Duration::from_secs(60) };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn answers_grow_slower_up_to_a_limit() {
        let (mut throttle, now) = (Throttle::new(Patience { failures: 0, ..PATIENCE }), Instant::now());
        let delays: Vec<_> = (0..7).map(|_| throttle.failed(address("192.0.2.1"), now).as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(throttle.refused(address("192.0.2.1"), now), None, "0 is never");
    }

    #[test]
    fn an_address_is_refused_for_a_while_and_then_not() {
        let (mut throttle, now) = (Throttle::new(PATIENCE), Instant::now());
        let here = address("192.0.2.1");
        for _ in 0..2 {
            throttle.failed(here, now);
            assert_eq!(throttle.refused(here, now), None);
        }
        throttle.failed(here, now);
        assert_eq!(throttle.refused(here, after(now, 20)), Some(Duration::from_secs(40)));
        assert_eq!(throttle.refused(address("192.0.2.2"), now), None, "nobody else");
        assert_eq!(throttle.refused(here, after(now, 60)), None);
        assert_eq!(throttle.failed(here, after(now, 60)), FIRST_DELAY, "all is forgotten");
    }

    #[test]
    fn failures_fade() {
        let (mut throttle, now) = (Throttle::new(PATIENCE), Instant::now());
        let here = address("192.0.2.1");
        throttle.failed(here, now);
        throttle.failed(here, now);
        // One failure is forgotten in a tenth of the time.
        assert_eq!(throttle.failed(here, after(now, 7)), FIRST_DELAY * 2);
        assert_eq!(throttle.refused(here, after(now, 7)), None);
        assert_eq!(throttle.failed(here, after(now, 200)), FIRST_DELAY);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (mut throttle, now) = (Throttle::new(PATIENCE), Instant::now());
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"] {
            throttle.failed(address(host), now);
        }
        assert!(throttle.refused(address("2001:db8::4"), now).is_some());
        assert!(throttle.refused(address("2001:db8:0:1::1"), now).is_none());
        assert_eq!(whose(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn no_flood_of_addresses_fills_the_memory_or_frees_who_is_refused() {
        let (mut throttle, now) = (Throttle::new(PATIENCE), Instant::now());
        let bad = address("192.0.2.1");
        for _ in 0..3 {
            throttle.failed(bad, now);
        }
        for number in 0..u32::try_from(MOST).unwrap() + 100 {
            throttle.failed(IpAddr::V4((0x0a00_0000 + number).into()), now);
        }
        assert_eq!(throttle.addresses.len(), MOST);
        assert!(throttle.refused(bad, now).is_some());
    }
}
