//! An address where clients come in, for any protocol: it listens until the house is closed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};

use super::{House, Phase};
use crate::{ServerError, log::Event};

/// Connections that the system holds for us before we take them.
const BACKLOG: u32 = 1024;
/// When the system has no socket left, so long until it is asked again.
const BREATH: Duration = Duration::from_millis(100);

/// An address where clients come in.
pub(crate) struct Door {
    pub(crate) house: House,
    listener: TcpListener,
}

impl Door {
    /// Opens one.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(crate) fn bind(house: House, address: SocketAddr) -> Result<Self, ServerError> {
        let listener = listen(address)
            .map_err(|error| ServerError::Other(format!("cannot listen at {address}: {error}")))?;
        Ok(Self { house, listener })
    }

    /// Where it really is.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Hands over whoever comes until the house is closed.
    pub(crate) async fn serve(self, let_in: impl Fn(&House, TcpStream, SocketAddr)) {
        let mut phase = self.house.stop.watch();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => let_in(&self.house, stream, canonical(peer)),
                // Of one connection, or of all as long as there is no socket left: the door stays open.
                Err(error) => {
                    self.house.log.tell(Event::Problem { what: format!("cannot let anybody in: {error}") });
                    sleep(BREATH).await;
                }
            }
        }
    }
}

/// An address of IPv4 as such, also where it came through a socket of IPv6; any other as it is, with its link.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
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
