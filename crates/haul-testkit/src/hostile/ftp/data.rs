//! Where a data connection comes from: EPSV, PASV, EPRT and PORT (RFC 959, section 4.1.2; RFC 2428).

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::behaviour::Passive;
use crate::hostile::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the client was told, or told us, of the next data connection.
#[derive(Debug)]
pub(super) enum Meeting {
    /// We listen.
    Here(TcpListener),
    /// We call.
    There(SocketAddr),
    /// We told of a place where nobody is, or where nobody answers: the listener is kept, and not heeded.
    Nowhere(#[allow(dead_code, reason = "held so that it accepts")] Option<TcpListener>),
}

impl Meeting {
    /// A place to tell, and its port.
    pub(super) fn open(passive: Passive) -> io::Result<(Self, u16)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let meeting = match passive {
            Passive::Proper | Passive::Foreign(_) => Self::Here(listener),
            Passive::Dead => Self::Nowhere(None),
            Passive::Deaf => Self::Nowhere(Some(listener)),
        };
        Ok((meeting, port))
    }

    /// The connection; an error if none comes about in time.
    pub(super) fn connect(self, stopped: &Arc<AtomicBool>) -> io::Result<Wire> {
        let stream = match self {
            Self::Here(listener) => accept(&listener, stopped)?,
            Self::There(addr) => TcpStream::connect_timeout(&addr, PATIENCE)?,
            Self::Nowhere(_listener) => {
                let deadline = Instant::now() + PATIENCE;
                while Instant::now() < deadline && !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return Err(ErrorKind::TimedOut.into());
            }
        };
        stream.set_nonblocking(false)?;
        Wire::new(stream, stopped)
    }
}

fn accept(listener: &TcpListener, stopped: &AtomicBool) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !stopped.load(Ordering::Relaxed) {
        match listener.accept() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
            accepted => return accepted.map(|(stream, _)| stream),
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// The address in PORT's six numbers.
pub(super) fn port_address(text: &str) -> Option<SocketAddr> {
    let numbers: Option<Vec<u8>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let [a, b, c, d, high, low] = numbers?[..] else { return None };
    Some(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
}

/// The address in EPRT's `|1|127.0.0.1|4000|`.
pub(super) fn eprt_address(text: &str) -> Option<SocketAddr> {
    let mut parts = text.split(text.chars().next()?);
    let (_, _, addr, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(SocketAddr::new(addr.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

/// PASV's six numbers.
pub(super) fn pasv_numbers(addr: Ipv4Addr, port: u16) -> String {
    let ([a, b, c, d], [high, low]) = (addr.octets(), port.to_be_bytes());
    format!("{a},{b},{c},{d},{high},{low}")
}
