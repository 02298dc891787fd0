//! The door itself: where connections come in, and how many of them.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

use super::connection;
use crate::{
    ServerError,
    house::{self, House, Room},
    log::Event,
    metrics::DoorName,
};

/// So many clients at a time are told that there is no place for them, …
static FAREWELLS: Semaphore = Semaphore::const_new(64);
/// … and have so long to ask and to hear it.
const FAREWELL: Duration = Duration::from_secs(3);

/// Whether a door speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In the clear.
    Plain,
    /// From the first byte (https).
    Secured,
}

/// A door: an address where clients come in.
pub struct Door {
    door: house::Door,
    kind: Kind,
}

impl Kind {
    /// What it is called.
    pub(super) fn name(self) -> DoorName {
        match self {
            Self::Plain => DoorName::Http,
            Self::Secured => DoorName::Https,
        }
    }
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
        if kind == Kind::Secured && house.terms().http.protection.is_none() {
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

    /// Lets clients in until the house is closed. Connections go on by themselves.
    pub async fn serve(self) {
        let kind = self.kind;
        self.door.serve(move |house, stream, peer| let_in(house, kind, stream, peer)).await;
    }
}

fn let_in(house: &House, kind: Kind, stream: TcpStream, peer: SocketAddr) {
    let settings = house.terms().http;
    let room = Room { in_all: settings.limits.connections, for_address: settings.limits.per_address };
    let inside = house.clone();
    match house.admit(&house.connections, peer.ip(), room) {
        Ok(place) => {
            place.through(kind.name());
            house.log.tell(Event::Connected { session: place.number(), address: peer, door: kind.name() });
            // It leaves this runtime, and is at home in the one where its connection is.
            let Ok(stream) = stream.into_std() else { return };
            house.spawn(connection::attend(inside, settings, kind, stream, peer, (place, None)));
        }
        Err(full) => {
            house.log.metrics().refused(kind.name(), full.into());
            house.log.tell(Event::Refused { address: peer.ip(), why: full.words().to_owned() });
            // There is no answer before a request. A flood of those who come is not answered: that costs more than is
            // left.
            let Ok(permit) = FAREWELLS.try_acquire() else { return };
            let Ok(stream) = stream.into_std() else { return };
            let place = house.connections.beside();
            house.spawn(async move {
                let told = connection::attend(inside, settings, kind, stream, peer, (place, Some(full)));
                let _ = timeout(FAREWELL, told).await;
                drop(permit);
            });
        }
    }
}
