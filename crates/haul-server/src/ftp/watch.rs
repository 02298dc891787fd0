//! How long the control connection is watched after the end of an upload's data, before the upload counts as whole.
//!
//! A client that is killed closes its data connection as cleanly as one that is done; but its control connection ends
//! some microseconds later, or milliseconds on a busy machine. So the end is believed only if the control connection
//! outlives it: for two round trips, for a twentieth of the time that the transfer took (a fifth, where that is little),
//! and as long as the sync lasts anyway; never longer than a quarter of a second beyond the data's end. A small upload
//! that is not synced is made ready to be published meanwhile, so that all that comes after the watch is its name.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;

/// The longest watch …
const LONGEST: Duration = Duration::from_millis(250);
/// … and the shortest: a process that is killed closes what it has open one after the other.
const SHORTEST: Duration = Duration::from_micros(100);
/// So long a watch may take a fifth of a transfer's time …
const LITTLE: Duration = Duration::from_millis(50);
/// … that is no small file's.
const SMALL: Duration = Duration::from_millis(10);
/// Below this tokio's timer, which counts milliseconds, is too coarse …
const FINE: Duration = Duration::from_millis(3);
/// … and below this another thread costs more than it spares: this one sleeps.
const BRIEF: Duration = Duration::from_micros(500);

/// How long to watch, after the data's end.
pub(super) fn length(round_trip: Option<Duration>, took: Duration) -> Duration {
    let trips = round_trip.map_or(Duration::ZERO, |time| time * 2);
    let fifth = if took < SMALL { Duration::ZERO } else { (took / 5).min(LITTLE) };
    trips.max(took / 20).max(fifth).clamp(SHORTEST, LONGEST)
}

/// As [`pause`], on this thread, where that is so short that another one would cost more than it spares.
pub(super) fn short(since: Instant, length: Duration) -> Option<impl FnOnce() + Send> {
    (length <= BRIEF).then_some(move || thread::sleep(length.saturating_sub(since.elapsed())))
}

/// Returns `length` after `since`.
pub(super) async fn pause(since: Instant, length: Duration) {
    let left = length.saturating_sub(since.elapsed());
    if left.is_zero() {
        return;
    }
    if left > FINE {
        tokio::time::sleep(left).await;
    } else if left <= BRIEF {
        thread::sleep(left);
    } else {
        // It cannot fail but by a panic, and there is none in it.
        let _ = spawn_blocking(move || thread::sleep(left)).await;
    }
}

/// The shortest time that a client has taken to answer: no round trip is longer than that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    asked: Option<Instant>,
    shortest: Option<Duration>,
}

impl RoundTrip {
    /// A reply is on its way.
    pub(super) fn asked(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// Something came.
    pub(super) fn answered(&mut self) {
        if let Some(asked) = self.asked.take() {
            let took = asked.elapsed();
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        }
    }

    /// No round trip is longer.
    pub(super) fn at_most(&self) -> Option<Duration> {
        self.shortest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_is_as_long_as_the_way_and_the_transfer_ask_for() {
        let ms = Duration::from_millis;
        assert_eq!(length(None, ms(0)), SHORTEST);
        assert_eq!(length(Some(ms(20)), ms(100)), ms(40));
        assert_eq!(length(None, ms(5)), Duration::from_micros(250));
        assert_eq!(length(None, ms(100)), ms(20));
        assert_eq!(length(Some(ms(1)), ms(400)), ms(50));
        assert_eq!(length(Some(ms(1)), ms(2000)), ms(100));
        assert_eq!(length(Some(ms(1)), ms(60_000)), LONGEST);
        assert_eq!(length(Some(ms(900)), ms(1)), LONGEST);
    }
}
