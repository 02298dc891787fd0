//! Who may write when two sessions of one owner want to.
//!
//! A client that lost its connection comes back while its old session still waits for bytes that never come. So the
//! newer one waits until the older has received nothing for a while, and takes over; while bytes still come, it is the
//! newer one that goes.

use std::time::Duration;

/// What a newcomer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Fences the older one off and writes.
    Take,
    /// Looks again after this time, or as soon as the older one is done.
    Wait(Duration),
    /// Goes.
    Busy,
}

/// What a newcomer does that has `waited` already, when the older one has received nothing for `idle`, and `patience`
/// is how long that must be. Neither waits longer than that in all.
pub fn takeover(idle: Duration, waited: Duration, patience: Duration) -> Takeover {
    if idle >= patience {
        Takeover::Take
    } else if waited >= patience {
        Takeover::Busy
    } else {
        Takeover::Wait((patience - idle).min(patience - waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn after(idle: u64, waited: u64) -> Takeover {
        takeover(Duration::from_millis(idle), Duration::from_millis(waited), PATIENCE)
    }

    #[test]
    fn a_silent_session_is_taken_over_at_once() {
        assert_eq!(after(2000, 0), Takeover::Take);
        assert_eq!(after(9000, 2000), Takeover::Take);
    }

    #[test]
    fn a_session_that_falls_silent_is_waited_for() {
        assert_eq!(after(0, 0), Takeover::Wait(PATIENCE));
        assert_eq!(after(1500, 0), Takeover::Wait(Duration::from_millis(500)));
    }

    #[test]
    fn nobody_waits_longer_than_that_for_one_that_receives() {
        assert_eq!(after(100, 500), Takeover::Wait(Duration::from_millis(1500)));
        assert_eq!(after(1999, 2000), Takeover::Busy);
    }

    #[test]
    fn without_patience_the_newest_wins() {
        assert_eq!(takeover(Duration::ZERO, Duration::ZERO, Duration::ZERO), Takeover::Take);
    }
}
