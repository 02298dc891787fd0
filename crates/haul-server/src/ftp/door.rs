//! The door itself: where control connections come in, and how many of them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use super::{control::Control, session::Conversation, settings::Settings};
use crate::{
    ServerError,
    house::{self, Full, House, Place, Room, canonical},
    log::Event,
    metrics::DoorName,
    sys,
};

/// A client that is sent away has so long to take that.
const FAREWELL: Duration = Duration::from_secs(2);
/// A control connection that is silent for so long is asked whether it is still there.
const KEEP_AWAKE: Duration = Duration::from_secs(60);

/// Whether a door speaks TLS from the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In the clear, until AUTH TLS is said.
    Explicit,
    /// From the first byte (ftps).
    Implicit,
}

impl Kind {
    /// What it is called.
    pub(super) fn name(self) -> DoorName {
        match self {
            Self::Explicit => DoorName::Ftp,
            Self::Implicit => DoorName::Ftps,
        }
    }
}

/// A door: an address where clients come in.
pub struct Door {
    door: house::Door,
    kind: Kind,
}

impl Door {
    /// Opens a door at this address.
    ///
    /// # Errors
    /// Where the address cannot be had, or TLS is wanted and there is no certificate.
    pub fn bind(house: House, address: SocketAddr, kind: Kind) -> Result<Self, ServerError> {
        Self::over(house, house::listen(address)?, kind)
    }

    /// Opens a door where somebody listens already.
    ///
    /// # Errors
    /// Where TLS is wanted and there is no certificate.
    pub fn over(house: House, listener: std::net::TcpListener, kind: Kind) -> Result<Self, ServerError> {
        if kind == Kind::Implicit && house.terms().ftp.protection.is_none() {
            return Err(ServerError::Other("there is no certificate for TLS".to_owned()));
        }
        Ok(Self { door: house::Door::over(house, listener, kind.name())?, kind })
    }

    /// Where it really is.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.door.address()
    }

    /// Lets clients in until the house is closed. Sessions go on by themselves.
    pub async fn serve(self) {
        let kind = self.kind;
        self.door.serve(move |house, stream, peer| let_in(house, kind, stream, peer)).await;
    }
}

fn let_in(house: &House, kind: Kind, stream: TcpStream, peer: SocketAddr) {
    let settings = house.terms().ftp;
    let room = Room { in_all: settings.limits.sessions, for_address: settings.limits.per_address };
    match house.admit(&house.sessions, peer.ip(), room) {
        Ok(place) => {
            let door = kind.name();
            place.through(door);
            house.log.tell(Event::Connected { session: place.number(), address: peer, door });
            // It leaves this runtime, and is at home in the one where its session is.
            let Ok(stream) = stream.into_std() else { return };
            let (inside, peer) = (house.clone(), peer.ip());
            house.spawn(async move {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    attend(inside, settings, kind, stream, peer, place).await;
                }
            });
        }
        Err(full) => {
            let (address, why) = (peer.ip(), full.words().to_owned());
            house.log.metrics().refused(kind.name(), full.into());
            house.log.tell(Event::Refused { address, why });
            tokio::spawn(send_away(stream, full, kind));
        }
    }
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
            let begun = match protection.as_ref().map(|protection| protection.own(None))? {
                Ok(own) => own.begin(stream, settings.times.handshake).await.map(|secured| (secured, own)),
                Err(error) => Err(io::Error::other(error)),
            };
            match begun {
                Ok((secured, own)) => (Control::secured(secured), Some(own)),
                Err(error) => {
                    house.log.metrics().unprotected(kind.name());
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
