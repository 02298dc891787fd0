//! Who is there: every session has a place, and there are only so many of them, in all and for one address (a /64 of
//! IPv6, as for logins).

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    tally::{Counted, Tally},
    underway::{Counting, Moving, OnItsWay, Underway},
};
use crate::{accounts::throttle::whose, log::Transfer, metrics::DoorName};

/// The number of the next session, over whichever door.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// How many sessions there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Of everybody.
    pub(crate) in_all: usize,
    /// Of one address.
    pub(crate) for_address: usize,
}

/// All sessions of one protocol.
#[derive(Debug, Default)]
pub struct Sessions {
    places: Mutex<Places>,
    /// Told whenever one leaves.
    left: Notify,
}

#[derive(Debug, Default)]
struct Places {
    taken: BTreeMap<u64, Card>,
}

#[derive(Debug)]
struct Card {
    peer: IpAddr,
    since: Instant,
    door: Option<DoorName>,
    user: Option<Box<str>>,
    doing: Option<Box<str>>,
    underway: Arc<Underway>,
    /// As one of its user's.
    counted: Option<Counted<Box<str>>>,
}

/// A session as whoever runs the server sees it.
#[derive(Clone, Debug)]
pub struct Present {
    /// Its number in this run.
    pub session: u64,
    /// Through which door: `ftp`, `ftps`, `http`, `https`.
    pub door: &'static str,
    /// From where.
    pub address: IpAddr,
    /// Who, once that is known; `anonymous@ADDRESS` over FTP for those without a name.
    pub user: Option<String>,
    /// Since when.
    pub since: Duration,
    /// What it is at, where that is said in a word: an FTP command.
    pub doing: Option<String>,
    /// What is on its way.
    pub moving: Vec<Moving>,
}

/// Sessions of all doors together: of each address, and of everybody (`None`).
pub(super) type Crowd = Tally<Option<IpAddr>>;

/// A session's place; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    sessions: Arc<Sessions>,
    underway: Arc<Underway>,
    /// As one of everybody's, and of its address's.
    counted: Option<[Counted<Option<IpAddr>>; 2]>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    InAll,
    ForAddress,
    ForUser,
    /// Nobody is let in from there.
    Network,
}

impl Full {
    /// What to tell.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::InAll => "Too many are connected; try again later",
            Self::ForAddress => "Too many are connected from your address",
            Self::ForUser => "You have as many sessions as you may",
            Self::Network => "Nobody is let in from your address",
        }
    }
}

impl Sessions {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, room: Room) -> Result<Place, Full> {
        let mut places = self.places();
        if places.taken.len() >= room.in_all {
            return Err(Full::InAll);
        }
        let of_peer = || places.taken.values().filter(|card| whose(card.peer) == whose(peer)).count();
        if room.for_address < room.in_all && of_peer() >= room.for_address {
            return Err(Full::ForAddress);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let underway = Arc::<Underway>::default();
        places.taken.insert(number, Card::new(peer, Arc::clone(&underway)));
        Ok(Place { number, sessions: Arc::clone(self), underway, counted: None })
    }

    /// A place beside those that are counted, for somebody who is only told that there is none.
    pub(crate) fn beside(self: &Arc<Self>) -> Place {
        Place {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            sessions: Arc::clone(self),
            underway: Arc::default(),
            counted: None,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places().taken.len()
    }

    /// How many have come through each of these doors.
    pub(crate) fn through<const N: usize>(&self, doors: [DoorName; N]) -> [usize; N] {
        let places = self.places();
        doors.map(|door| places.taken.values().filter(|card| card.door == Some(door)).count())
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

    /// Everybody who is there, the oldest first.
    pub fn present(&self) -> Vec<Present> {
        let told = |(session, card): (&u64, &Card)| Present {
            session: *session,
            door: card.door.map_or("", DoorName::name),
            address: card.peer,
            user: card.user.as_deref().map(str::to_owned),
            since: card.since.elapsed(),
            doing: card.doing.as_deref().map(str::to_owned),
            moving: card.underway.now(),
        };
        self.places().taken.iter().map(told).collect()
    }

    /// One line for each session of this user.
    pub(crate) fn lines(&self, user: &str) -> Vec<String> {
        let places = self.places();
        let own = places.taken.values().filter(|card| card.user.as_deref() == Some(user));
        own.map(|card| {
            let doing = card.doing.as_deref().unwrap_or("idle");
            format!("{user} from {}, {} s: {doing}", card.peer, card.since.elapsed().as_secs())
        })
        .collect()
    }
}

impl Card {
    fn new(peer: IpAddr, underway: Arc<Underway>) -> Self {
        Self { peer, since: Instant::now(), door: None, user: None, doing: None, underway, counted: None }
    }
}

impl Place {
    /// Counts it as a session of this user, and no longer as another's, unless this one has as many as that.
    pub(super) fn is_of(
        &self,
        user: &str,
        tally: &Arc<Tally<Box<str>>>,
        most: Option<u32>,
    ) -> Result<(), Full> {
        let mut places = self.sessions.places();
        let Some(card) = places.taken.get_mut(&self.number) else { return Ok(()) };
        if card.counted.as_ref().is_none_or(|counted| **counted.of() != *user) {
            card.counted = Some(tally.count(user.into(), most).ok_or(Full::ForUser)?);
        }
        Ok(())
    }

    /// Counts it among those of all doors, unless there are as many, of everybody or of its address.
    pub(super) fn among(
        mut self,
        crowd: &Arc<Crowd>,
        peer: IpAddr,
        in_all: Option<u32>,
        for_address: Option<u32>,
    ) -> Result<Self, Full> {
        let all = crowd.count(None, in_all).ok_or(Full::InAll)?;
        let of_peer = crowd.count(Some(whose(peer)), for_address).ok_or(Full::ForAddress)?;
        self.counted = Some([all, of_peer]);
        Ok(self)
    }

    /// A number that no other session of this run has.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// It came through this door.
    pub(crate) fn through(&self, door: DoorName) {
        if let Some(card) = self.sessions.places().taken.get_mut(&self.number) {
            card.door = Some(door);
        }
    }

    /// A transfer begins, and is under way as long as what is returned lives.
    pub(crate) fn moves(&self, told: Transfer, count: Arc<dyn Counting>) -> OnItsWay {
        self.underway.begin(told, count)
    }

    pub(crate) fn called(&self, user: &str) {
        if let Some(card) = self.sessions.places().taken.get_mut(&self.number) {
            card.user = Some(user.into());
        }
    }

    pub(crate) fn doing(&self, what: Option<String>) {
        if let Some(card) = self.sessions.places().taken.get_mut(&self.number) {
            card.doing = what.map(String::into_boxed_str);
        }
    }

    pub(crate) fn sessions(&self) -> &Sessions {
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
        let room = Room { in_all: 2, for_address: 1 };
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = sessions.enter(one, room).unwrap();
        assert_eq!(sessions.enter(one, room).unwrap_err(), Full::ForAddress);
        let _second = sessions.enter(other, room).unwrap();
        assert_eq!(sessions.enter(other, room).unwrap_err(), Full::InAll);
        drop(first);
        assert!(sessions.enter(one, room).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let sessions = Arc::new(Sessions::default());
        let room = Room { in_all: 9, for_address: 1 };
        let _first = sessions.enter("2001:db8::1".parse().unwrap(), room).unwrap();
        let second = sessions.enter("2001:db8::2".parse().unwrap(), room);
        assert_eq!(second.unwrap_err(), Full::ForAddress);
        assert!(sessions.enter("2001:db8:0:1::1".parse().unwrap(), room).is_ok());
    }

    #[test]
    fn a_user_sees_own_sessions_only() {
        let sessions = Arc::new(Sessions::default());
        let place = sessions.enter("192.0.2.1".parse().unwrap(), Room { in_all: 1, for_address: 1 }).unwrap();
        place.called("ann");
        assert_eq!(sessions.lines("ann"), ["ann from 192.0.2.1, 0 s: idle"]);
        assert!(sessions.lines("bob").is_empty());
    }
}
