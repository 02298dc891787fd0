//! What all doors of a server have in common: the tree, who may come in, who is there, the threads they live on, the
//! log, and how it is all closed. It knows no protocol.

mod listen;
mod proxied;
mod sessions;
mod stop;
mod tally;
mod turns;
mod underway;
mod workers;

use std::{
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    account::Account,
    accounts::{Accounts, Networks},
    depot::Depot,
    ftp, http,
    log::{Event, Log, Transfer},
    pace::{Bandwidth, Gates, Pace},
};

pub use listen::listen;
pub(crate) use listen::{Door, canonical};
pub use proxied::{Others, Proxies};
pub(crate) use proxied::{Taken, client};
pub(crate) use sessions::{Full, Place, Room};
pub use sessions::{Present, Sessions};
pub use stop::Stop;
pub(crate) use stop::{Phase, closing, over};
pub use turns::Turn;
pub use underway::Moving;
pub(crate) use underway::{Counting, OnItsWay};
pub use workers::Workers;

/// What all doors of a server have in common. Clones are the same house.
#[derive(Clone)]
pub struct House {
    /// The tree.
    pub depot: Arc<Depot>,
    /// Who may come in.
    pub accounts: Arc<Accounts>,
    /// Who is there over FTP.
    pub sessions: Arc<Sessions>,
    /// Who is there over HTTP: a connection is a session.
    pub connections: Arc<Sessions>,
    /// How it is closed.
    pub stop: Stop,
    /// Where it is written down.
    pub log: Log,
    /// Digests of files, once computed.
    pub(crate) digests: Arc<http::Digests>,
    /// How fast everybody may be.
    gates: Arc<Gates>,
    /// How many sessions each user has.
    tally: Arc<tally::Tally<Box<str>>>,
    /// How many sessions there are over all doors.
    crowd: Arc<sessions::Crowd>,
    terms: Arc<Mutex<Terms>>,
    /// Where the ledger is, to tell its size.
    state: Option<Arc<Path>>,
    workers: Arc<Workers>,
}

/// On which terms doors serve.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Over FTP.
    pub ftp: Arc<ftp::Settings>,
    /// Over HTTP.
    pub http: Arc<http::Settings>,
    /// Who speaks for others, at every door.
    pub proxies: Arc<Proxies>,
    /// Over all.
    pub limits: Arc<Limits>,
}

/// What holds at every door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// From where anybody at all may come.
    pub networks: Networks,
    /// How many sessions there may be over all doors together; `None`: as many as each door lets in.
    pub sessions: Option<u32>,
    /// How many of them from one address, which is a /64 of IPv6.
    pub sessions_per_address: Option<u32>,
    /// How many sessions a user may have at a time, where nothing else is said of that user; `None`: any number.
    pub sessions_per_user: Option<u32>,
    /// How fast everybody may be.
    pub bandwidth: Bandwidth,
}

impl From<ftp::Settings> for Terms {
    fn from(ftp: ftp::Settings) -> Self {
        Self { ftp: Arc::new(ftp), ..Self::default() }
    }
}

impl From<http::Settings> for Terms {
    fn from(http: http::Settings) -> Self {
        Self { http: Arc::new(http), ..Self::default() }
    }
}

impl House {
    /// A house with these terms.
    pub fn new(depot: Arc<Depot>, accounts: Arc<Accounts>, terms: impl Into<Terms>, log: Log) -> Self {
        let (gates, terms) = (Arc::new(Gates::default()), terms.into());
        gates.change(terms.limits.bandwidth, |user| accounts.rates(user));
        Self {
            depot,
            accounts,
            sessions: Arc::default(),
            connections: Arc::default(),
            stop: Stop::new(),
            log,
            digests: Arc::default(),
            tally: Arc::default(),
            crowd: Arc::default(),
            gates,
            terms: Arc::new(Mutex::new(terms)),
            state: None,
            workers: Arc::default(),
        }
    }

    /// The same, with sessions on these threads.
    #[must_use]
    pub fn on(self, workers: Workers) -> Self {
        Self { workers: Arc::new(workers), ..self }
    }

    /// The same, which keeps what it remembers in this folder.
    #[must_use]
    pub fn remembering(self, state: &Path) -> Self {
        Self { state: Some(state.into()), ..self }
    }

    /// Where it keeps what it remembers.
    pub(crate) fn state_folder(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// The present terms.
    pub fn terms(&self) -> Terms {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on these terms, for whoever comes next; how fast bytes may go holds for whoever is there as well.
    pub fn change(&self, terms: impl Into<Terms>) {
        let terms = terms.into();
        self.gates.change(terms.limits.bandwidth, |user| self.accounts.rates(user));
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// A place for somebody from this address, among these sessions.
    pub(crate) fn admit(&self, among: &Arc<Sessions>, peer: IpAddr, room: Room) -> Result<Place, Full> {
        let limits = self.terms().limits;
        if !limits.networks.let_in(peer) {
            return Err(Full::Network);
        }
        let place = among.enter(peer, room)?;
        place.among(&self.crowd, peer, limits.sessions, limits.sessions_per_address)
    }

    /// Counts a session as this account's, unless that has as many as it may.
    pub(crate) fn belongs(&self, place: &Place, account: &Account) -> Result<(), Full> {
        let most = account.bounds.sessions.or(self.terms().limits.sessions_per_user);
        place.is_of(&account.shares(), &self.tally, most)
    }

    /// The pace of a session of this account.
    pub(crate) fn pace(&self, account: &Account) -> Arc<Pace> {
        self.gates.session(&account.shares(), account.bounds.rates)
    }

    /// Has a session on one of the threads.
    pub(crate) fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.workers.spawn(session);
    }

    /// A transfer of a door that speaks this has ended: it is written down, and hooks hear of it.
    pub(crate) fn transferred(&self, transfer: Transfer, protocol: &'static str) {
        if let Some(hooks) = self.depot.hooks() {
            hooks.ended(&transfer, protocol);
        }
        self.log.tell(Event::Transferred(transfer));
    }

    /// Returns when nobody is there.
    pub async fn empty(&self) {
        self.sessions.empty().await;
        self.connections.empty().await;
    }
}
