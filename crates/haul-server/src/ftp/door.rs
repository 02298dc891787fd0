//! The door itself: where control connections come in, and how many of them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::{
    control::Control,
    session::Conversation,
    sessions::{Full, Place, Sessions},
    settings::Settings,
    stop::{Phase, Stop},
    tls::Protection,
    workers::Workers,
};
use crate::{
    ServerError,
    accounts::Accounts,
    depot::Depot,
    log::{Event, Log},
    sys,
};

/// Connections that the system holds for us before we take them.
const BACKLOG: u32 = 1024;
/// When the system has no socket left, so long until it is asked again.
const BREATH: Duration = Duration::from_millis(100);
/// A client that is sent away has so long to take that.
const FAREWELL: Duration = Duration::from_secs(2);
/// A control connection that is silent for so long is asked whether it is still there.
const KEEP_AWAKE: Duration = Duration::from_secs(60);

/// What all doors of a server have in common.
#[derive(Clone)]
pub struct House {
    /// The tree.
    pub depot: Arc<Depot>,
    /// Who may come in.
    pub accounts: Arc<Accounts>,
    /// Who is there.
    pub sessions: Arc<Sessions>,
    /// How it is closed.
    pub stop: Stop,
    /// Where it is written down.
    pub log: Log,
    settings: Arc<Mutex<Arc<Settings>>>,
    workers: Arc<Workers>,
}

/// Whether a door speaks TLS from the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In the clear, until AUTH TLS is said.
    Explicit,
    /// From the first byte (ftps).
    Implicit,
}

/// A door: an address where clients come in.
pub struct Door {
    house: House,
    listener: TcpListener,
    kind: Kind,
}

impl House {
    /// A house with these terms.
    pub fn new(depot: Arc<Depot>, accounts: Arc<Accounts>, settings: Settings, log: Log) -> Self {
        let settings = Arc::new(Mutex::new(Arc::new(settings)));
        let workers = Arc::default();
        Self { depot, accounts, sessions: Arc::default(), stop: Stop::new(), log, settings, workers }
    }

    /// The same, with sessions on these threads.
    #[must_use]
    pub fn on(self, workers: Workers) -> Self {
        Self { workers: Arc::new(workers), ..self }
    }

    /// The present terms.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these terms, for whoever comes next.
    pub fn change(&self, settings: Settings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

impl Door {
    /// Opens a door at this address.
    ///
    /// # Errors
    /// Where the address cannot be had, or TLS is wanted and there is no certificate.
    pub fn bind(house: House, address: SocketAddr, kind: Kind) -> Result<Self, ServerError> {
        if kind == Kind::Implicit && house.settings().protection.is_none() {
            return Err(ServerError::Other("there is no certificate for TLS".to_owned()));
        }
        let listener = listen(address)
            .map_err(|error| ServerError::Other(format!("cannot listen at {address}: {error}")))?;
        Ok(Self { house, listener, kind })
    }

    /// Where it really is.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Lets clients in until the house is closed. Sessions go on by themselves.
    pub async fn serve(self) {
        let mut phase = self.house.stop.watch();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.let_in(stream, canonical(peer));
                }
                // Of one connection, or of all as long as there is no socket left: the door stays open.
                Err(error) => {
                    self.house.log.tell(Event::Problem { what: format!("cannot let anybody in: {error}") });
                    sleep(BREATH).await;
                }
            }
        }
    }

    fn let_in(&self, stream: TcpStream, peer: SocketAddr) {
        let settings = self.house.settings();
        match self.house.sessions.enter(peer.ip(), &settings.limits) {
            Ok(place) => {
                let door = match self.kind {
                    Kind::Explicit => "ftp",
                    Kind::Implicit => "ftps",
                };
                self.house.log.tell(Event::Connected { session: place.number(), address: peer, door });
                let house = self.house.clone();
                let (kind, peer) = (self.kind, peer.ip());
                // It leaves this runtime, and is at home in the one where its session is.
                let Ok(stream) = stream.into_std() else { return };
                self.house.workers.spawn(async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        attend(house, settings, kind, stream, peer, place).await;
                    }
                });
            }
            Err(full) => {
                let (address, why) = (peer.ip(), full.words().to_owned());
                self.house.log.tell(Event::Refused { address, why });
                tokio::spawn(send_away(stream, full, self.kind));
            }
        }
    }
}

/// An address of IPv4 as such, also where it came through a socket of IPv6; any other as it is, with its link.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// One session, from its first byte to its last.
async fn attend(
    house: House,
    settings: Arc<Settings>,
    kind: Kind,
    stream: TcpStream,
    peer: IpAddr,
    place: Place,
) {
    // What only its beginning needs is not kept for its whole life.
    let met = Box::pin(meet(house, settings, kind, stream, peer, place)).await;
    if let Some(conversation) = met {
        conversation.hold().await;
    }
}

/// The beginning of a session: with TLS, where the door begins with it.
async fn meet(
    house: House,
    settings: Arc<Settings>,
    kind: Kind,
    stream: TcpStream,
    peer: IpAddr,
    place: Place,
) -> Option<Box<Conversation>> {
    let local = canonical(stream.local_addr().ok()?);
    // Each of them is a convenience: without it the session is slower or hangs on longer.
    let _ = stream.set_nodelay(true);
    let _ = sys::keep_awake(&stream, KEEP_AWAKE);
    let _ = sys::urgent_inline(&stream);
    let (control, own) = match (kind, &settings.protection) {
        (Kind::Explicit, _) => (Control::new(stream), None),
        (Kind::Implicit, protection) => {
            let begun = match protection.as_ref().map(Protection::own)? {
                Ok(own) => own.begin(stream, settings.times.handshake).await.map(|secured| (secured, own)),
                Err(error) => Err(io::Error::other(error)),
            };
            match begun {
                Ok((secured, own)) => (Control::secured(secured), Some(own)),
                Err(error) => {
                    let (session, why) = (place.number(), format!("TLS did not begin: {error}"));
                    house.log.tell(Event::Closed { session, address: peer, why });
                    return None;
                }
            }
        }
    };
    Some(Conversation::new(house, settings, kind, control, (peer, local), own, place))
}

async fn send_away(mut stream: TcpStream, why: Full, kind: Kind) {
    let why = format!("421 {}\r\n", why.words());
    // Before TLS there is nothing that could be said.
    if kind == Kind::Explicit {
        let _ = timeout(FAREWELL, stream.write_all(why.as_bytes())).await;
    }
    let _ = timeout(FAREWELL, stream.shutdown()).await;
}
