//! A connection of a hostile FTP or upload peer: plain at first, TLS perhaps later; it waits as long as it takes, unless
//! the peer is being stopped.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::socket::{self, Cut};

const TICK: Duration = Duration::from_millis(20);

/// A socket that is patient until the peer is stopped.
pub(super) struct Patient {
    stream: TcpStream,
    stopped: Arc<AtomicBool>,
    /// Whether nothing to read is a reason to come back.
    asks_only: bool,
}

impl Patient {
    fn again<T>(&mut self, mut act: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            match act(&mut self.stream) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.stopped.load(Ordering::Relaxed) {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                    if self.asks_only {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                }
                result => return result,
            }
        }
    }
}

impl Read for Patient {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.again(|stream| stream.read(out))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.again(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection.
pub(super) enum Wire {
    Plain(Patient),
    Tls(Box<StreamOwned<ServerConnection, Patient>>),
    /// Between the two, and after a handshake that failed.
    Broken,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, stopped: &Arc<AtomicBool>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(Self::Plain(Patient { stream, stopped: Arc::clone(stopped), asks_only: false }))
    }

    /// Speaks TLS from here on.
    pub(super) fn secure(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        let Self::Plain(mut socket) = std::mem::replace(self, Self::Broken) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        *self = Self::Tls(Box::new(StreamOwned::new(tls, socket)));
        Ok(())
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether its TLS session goes on with an earlier one.
    pub(super) fn is_resumed(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.conn.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    fn patient(&mut self) -> Option<&mut Patient> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(tls) => Some(&mut tls.sock),
            Self::Broken => None,
        }
    }

    /// What is there to read, without waiting; None if there is nothing yet.
    pub(super) fn read_now(&mut self, out: &mut [u8]) -> io::Result<Option<usize>> {
        self.ask_only(true)?;
        let read = self.read(out);
        self.ask_only(false)?;
        match read {
            Ok(count) => Ok(Some(count)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn ask_only(&mut self, value: bool) -> io::Result<()> {
        let Some(socket) = self.patient() else { return Err(ErrorKind::NotConnected.into()) };
        socket.asks_only = value;
        socket.stream.set_nonblocking(value)
    }

    /// Ends it so that all that was written arrives first.
    pub(super) fn cut(&mut self, how: Cut) {
        if let Some(socket) = self.patient() {
            socket::end(&socket.stream, how);
        }
        *self = Self::Broken;
    }

    /// Ends it at once.
    pub(super) fn die(&mut self, how: Cut) {
        if let (Some(socket), Cut::Rst) = (self.patient(), how) {
            socket::reset_on_close(&socket.stream);
        }
        *self = Self::Broken;
    }

    /// An end that is no cut; over TLS it is announced.
    pub(super) fn close(mut self) {
        if let Self::Tls(tls) = &mut self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    }
}

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(out),
            Self::Tls(tls) => tls.read(out),
            Self::Broken => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
            Self::Broken => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
            Self::Broken => Err(ErrorKind::NotConnected.into()),
        }
    }
}
