//! Who is there: every session has a place, and there are only so many of them, in all and for one address (a /64 of
//! IPv6, as for logins).

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use super::settings::Limits;
use crate::accounts::throttle::whose;

/// All sessions of all doors.
#[derive(Debug, Default)]
pub struct Sessions {
    places: Mutex<Places>,
    /// Told whenever one leaves.
    left: Notify,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    taken: BTreeMap<u64, Card>,
}

#[derive(Debug)]
struct Card {
    peer: IpAddr,
    since: Instant,
    user: Option<Box<str>>,
    doing: Option<Box<str>>,
}

/// A session's place; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    sessions: Arc<Sessions>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    InAll,
    ForAddress,
}

impl Full {
    /// What to tell.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::InAll => "Too many are connected; try again later",
            Self::ForAddress => "Too many are connected from your address",
        }
    }
}

impl Sessions {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, limits: &Limits) -> Result<Place, Full> {
        let mut places = self.places();
        if places.taken.len() >= limits.sessions {
            return Err(Full::InAll);
        }
        let of_peer = || places.taken.values().filter(|card| whose(card.peer) == whose(peer)).count();
        if limits.per_address < limits.sessions && of_peer() >= limits.per_address {
            return Err(Full::ForAddress);
        }
        let number = places.next;
        places.next += 1;
        places.taken.insert(number, Card { peer, since: Instant::now(), user: None, doing: None });
        Ok(Place { number, sessions: Arc::clone(self) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places().taken.len()
    }

    /// Returns when nobody is there.
    pub async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }

    /// One line for each session of this user.
    pub(super) fn lines(&self, user: &str) -> Vec<String> {
        let places = self.places();
        let own = places.taken.values().filter(|card| card.user.as_deref() == Some(user));
        own.map(|card| {
            let doing = card.doing.as_deref().unwrap_or("idle");
            format!("{user} from {}, {} s: {doing}", card.peer, card.since.elapsed().as_secs())
        })
        .collect()
    }
}

impl Place {
    /// A number that no other session of this run has.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn called(&self, user: &str) {
        if let Some(card) = self.sessions.places().taken.get_mut(&self.number) {
            card.user = Some(user.into());
        }
    }

    pub(super) fn doing(&self, what: Option<String>) {
        if let Some(card) = self.sessions.places().taken.get_mut(&self.number) {
            card.doing = what.map(String::into_boxed_str);
        }
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.places().taken.remove(&self.number);
        self.sessions.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_ends() {
        let sessions = Arc::new(Sessions::default());
        let limits = Limits { sessions: 2, per_address: 1, ..Limits::default() };
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = sessions.enter(one, &limits).unwrap();
        assert_eq!(sessions.enter(one, &limits).unwrap_err(), Full::ForAddress);
        let _second = sessions.enter(other, &limits).unwrap();
        assert_eq!(sessions.enter(other, &limits).unwrap_err(), Full::InAll);
        drop(first);
        assert!(sessions.enter(one, &limits).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let sessions = Arc::new(Sessions::default());
        let limits = Limits { sessions: 9, per_address: 1, ..Limits::default() };
        let _first = sessions.enter("2001:db8::1".parse().unwrap(), &limits).unwrap();
        let second = sessions.enter("2001:db8::2".parse().unwrap(), &limits);
        assert_eq!(second.unwrap_err(), Full::ForAddress);
        assert!(sessions.enter("2001:db8:0:1::1".parse().unwrap(), &limits).is_ok());
    }

    #[test]
    fn a_user_sees_own_sessions_only() {
        let sessions = Arc::new(Sessions::default());
        let place = sessions.enter("192.0.2.1".parse().unwrap(), &Limits::default()).unwrap();
        place.called("ann");
        assert_eq!(sessions.lines("ann"), ["ann from 192.0.2.1, 0 s: idle"]);
        assert!(sessions.lines("bob").is_empty());
    }
}
