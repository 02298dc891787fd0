//! A loopback port that is ours for as long as we like, whether or not anybody listens on it.
//!
//! A socket that is bound and never listens keeps the port; the listener beside it comes and goes. While it is gone a
//! client gets "connection refused", as from a host whose server is down, and nobody else can take the port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};

/// A port on which nobody else can come to listen without asking for the same number.
#[derive(Debug)]
pub struct KeptPort {
    addr: SocketAddr,
    _socket: OwnedFd,
}

impl KeptPort {
    /// A free one.
    #[expect(clippy::new_without_default, reason = "it is no plain value")]
    pub fn new() -> Self {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket");
        sockopt::set_socket_reuseaddr(&socket, true).expect("SO_REUSEADDR");
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = SocketAddr::try_from(getsockname(&socket).expect("our address")).expect("an IP address");
        Self { addr, _socket: socket }
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A kept port on which we listen whenever we like.
#[derive(Debug)]
pub(crate) struct Port {
    kept: KeptPort,
    listener: Option<TcpListener>,
}

impl Port {
    pub(crate) fn open() -> Self {
        let mut port = Self { kept: KeptPort::new(), listener: None };
        port.listen(true);
        port
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.kept.addr
    }

    pub(crate) fn listen(&mut self, wanted: bool) {
        if wanted && self.listener.is_none() {
            let listener = TcpListener::bind(self.kept.addr).expect("the port is kept for us");
            listener.set_nonblocking(true).expect("a listener that does not block");
            self.listener = Some(listener);
        } else if !wanted {
            self.listener = None;
        }
    }

    /// The next connection, if one comes within `patience`.
    pub(crate) fn accept(&self, patience: Duration) -> io::Result<Option<TcpStream>> {
        let Some(listener) = &self.listener else {
            std::thread::sleep(patience);
            return Ok(None);
        };
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&timeout))?;
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                Ok(Some(stream))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}
