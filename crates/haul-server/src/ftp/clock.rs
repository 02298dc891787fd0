//! When a session has been silent for too long. Time runs only while nothing is under way; while data flows nobody is
//! thrown out for saying nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Times;

/// What a session has done when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
    logged_in: bool,
    /// The last command, or the end of the last thing that was done.
    spoke: Instant,
    /// The end of the last transfer, or the login.
    moved: Instant,
    /// From then on the account is no longer good.
    expires: Option<Instant>,
}

/// Why a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Login,
    Idle,
    NoTransfer,
    Expired,
}

impl Late {
    /// What to tell.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Login => "Nobody has logged in for too long",
            Self::Idle => "Nothing was said for too long",
            Self::NoTransfer => "Nothing was transferred for too long",
            Self::Expired => "This account has expired",
        }
    }
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, logged_in: false, spoke: now, moved: now, expires: None }
    }

    pub(super) fn said(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// Somebody was let in, for so long.
    pub(super) fn came_in(&mut self, now: Instant, left: Option<Duration>) {
        (self.logged_in, self.moved) = (true, now);
        self.expires = left.and_then(|left| now.checked_add(left));
    }

    pub(super) fn transferred(&mut self, now: Instant) {
        (self.spoke, self.moved) = (now, now);
    }

    /// Until when something must happen, and what else.
    pub(super) fn deadline(&self, times: &Times) -> (Instant, Late) {
        let idle = (self.spoke + times.idle, Late::Idle);
        let other = if self.logged_in {
            (self.moved + times.no_transfer, Late::NoTransfer)
        } else {
            (self.began + times.login, Late::Login)
        };
        let silent = if other.0 < idle.0 { other } else { idle };
        match self.expires {
            Some(expires) if expires < silent.0 => (expires, Late::Expired),
            Some(_) | None => silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_has_its_own_time() {
        let times = Times {
            login: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            no_transfer: Duration::from_secs(600),
            ..Times::default()
        };
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut clock = Clock::new(begin);
        assert_eq!(clock.deadline(&times), (after(60), Late::Login));
        clock.said(after(50));
        assert_eq!(clock.deadline(&times), (after(60), Late::Login), "talking is no login");
        clock.came_in(after(50), Some(Duration::from_secs(800)));
        assert_eq!(clock.deadline(&times), (after(350), Late::Idle));
        clock.said(after(500));
        assert_eq!(clock.deadline(&times), (after(650), Late::NoTransfer), "NOOP is no transfer");
        clock.transferred(after(540));
        assert_eq!(clock.deadline(&times), (after(840), Late::Idle));
        clock.transferred(after(600));
        assert_eq!(clock.deadline(&times), (after(850), Late::Expired), "whatever was done until then");
    }
}
