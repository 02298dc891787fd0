//! An address where clients come in, for any protocol: it listens until the house is closed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};

use super::{House, Phase, Taken, client};
use crate::{
    ServerError,
    log::Event,
    metrics::{DoorName, Reason},
    sys,
};

/// Connections that the system holds for us before we take them.
const BACKLOG: u16 = 1024;
/// When the system has no socket left, so long until it is asked again.
const BREATH: Duration = Duration::from_millis(100);
/// So many proxies may be about to tell whom they speak for; then no other connection is taken.
const TELLING: usize = 1024;

/// An address where clients come in.
pub(crate) struct Door {
    pub(crate) house: House,
    name: DoorName,
    listener: TcpListener,
}

impl Door {
    /// One at which clients come in already, or are about to.
    ///
    /// # Errors
    /// Where the runtime cannot watch it.
    pub(crate) fn over(
        house: House,
        listener: std::net::TcpListener,
        name: DoorName,
    ) -> Result<Self, ServerError> {
        let watched = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        let listener =
            watched.map_err(|error| ServerError::Other(format!("cannot wait for clients: {error}")))?;
        Ok(Self { house, name, listener })
    }

    /// Where it really is.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Hands over whoever comes until the house is closed.
    pub(crate) async fn serve(self, let_in: impl Fn(&House, TcpStream, SocketAddr) + Send + Sync + 'static) {
        let mut phase = self.house.stop.watch();
        let (let_in, telling) = (Arc::new(let_in), Arc::new(Semaphore::new(TELLING)));
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok((stream, peer)) => (stream, canonical(peer)),
                // Of one connection, or of all as long as there is no socket left: the door stays open.
                Err(error) => {
                    self.house.log.tell(Event::Problem { what: format!("cannot let anybody in: {error}") });
                    sleep(BREATH).await;
                    continue;
                }
            };
            match self.house.terms().proxies.take(peer.ip()) {
                Taken::AsItIs => let_in(&self.house, stream, peer),
                Taken::Refused => self.refuse(peer, "only proxies are let in, and that is none of them"),
                Taken::ForAnother => {
                    // It is never closed.
                    let Ok(place) = Arc::clone(&telling).acquire_owned().await else { return };
                    let (house, let_in, name) = (self.house.clone(), Arc::clone(&let_in), self.name);
                    tokio::spawn(async move {
                        let mut stream = stream;
                        let told = client(&mut stream, peer).await;
                        drop(place);
                        match told {
                            Ok(client) => let_in(&house, stream, client),
                            Err(why) => {
                                house.log.metrics().refused(name, Reason::Network);
                                house.log.tell(Event::Refused { address: peer.ip(), why });
                            }
                        }
                    });
                }
            }
        }
    }

    fn refuse(&self, peer: SocketAddr, why: &str) {
        self.house.log.metrics().refused(self.name, Reason::Network);
        self.house.log.tell(Event::Refused { address: peer.ip(), why: why.to_owned() });
    }
}

/// An address of IPv4 as such, also where it came through a socket of IPv6; any other as it is, with its link.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Listens there, for clients of any protocol.
///
/// # Errors
/// Where the address cannot be had.
pub fn listen(address: SocketAddr) -> Result<std::net::TcpListener, ServerError> {
    sys::listen(address, BACKLOG)
        .map_err(|error| ServerError::Other(format!("cannot listen at {address}: {error}")))
}
