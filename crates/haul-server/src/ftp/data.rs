//! The data connection: one that is waited for or one that is made, and then a stream of bytes, in the clear or within
//! TLS (RFC 959 §3.2, 3.3; RFC 2428; RFC 2577 for whom it is with; RFC 4217 §7).
//!
//! It knows no file. Whose address may be at the other end is said by the session.

use std::{
    future::{Future as _, poll_fn},
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::BytesMut;
use haul_proto::ftp::server::{Family, Transferred};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::server::TlsStream;

use super::{
    settings::Passive,
    socket::Socket,
    tls::{self, Own},
};
use crate::{
    house::{Proxies, Taken, canonical, client},
    sys,
};

/// So many connections may wait there: the client's, and those of others who try to be first.
const BACKLOG: u16 = 4;

/// Where one data connection is waited for. The runtime does not watch it before somebody waits: most clients connect
/// first and then ask for the transfer, and who connects would have to wake us.
#[derive(Debug)]
pub(super) struct Pending {
    listener: TcpListener,
    at: SocketAddr,
    /// Who may come for somebody else.
    proxies: Arc<Proxies>,
}

impl Pending {
    /// Listens at the address that the control connection came to, on the same link where it means one only there.
    pub(super) fn listen(control: SocketAddr, family: Option<Family>, passive: &Passive) -> io::Result<Self> {
        Self::is_possible(control, family)?;
        let Some(ports) = passive.ports.clone() else {
            return Self::at(at_port(control, 0), passive);
        };
        // From a place nobody can guess, so that nobody waits at the next port; then every port once.
        let (first, count) = (*ports.start(), u32::from(ports.end().saturating_sub(*ports.start())) + 1);
        let from = random() % count;
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for step in 0..count {
            let port = u32::from(first) + (from + step) % count;
            match Self::at(at_port(control, u16::try_from(port).unwrap_or(first)), passive) {
                Ok(pending) => return Ok(pending),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(last.kind(), "all passive ports are in use"))
    }

    fn is_possible(control: SocketAddr, family: Option<Family>) -> io::Result<()> {
        let matches = match family {
            None => true,
            Some(Family::V4) => control.is_ipv4(),
            Some(Family::V6) => control.is_ipv6(),
        };
        let why = "the control connection has no such address";
        if matches { Ok(()) } else { Err(io::Error::new(io::ErrorKind::Unsupported, why)) }
    }

    fn at(address: SocketAddr, passive: &Passive) -> io::Result<Self> {
        let listener = sys::listen(address, BACKLOG)?;
        let at = listener.local_addr()?;
        Ok(Self { listener, at, proxies: Arc::clone(&passive.proxies) })
    }

    /// What PASV and EPSV tell.
    pub(super) fn told(&self, family: Option<Family>, passive: &Passive) -> SocketAddr {
        match passive.external {
            Some(external) if family.is_none() && self.at.is_ipv4() => {
                SocketAddr::new(external.into(), self.at.port())
            }
            _ => self.at,
        }
    }

    /// The connection that comes, which must be the client's: whoever comes first from elsewhere ends it
    /// (RFC 2577 §3), and the client is told.
    async fn accept(self, peer: IpAddr, until: Instant) -> Result<TcpStream, Transferred> {
        let proxies = Arc::clone(&self.proxies);
        let (mut stream, mut from) = match timeout_at(until, self.first()).await {
            Err(_) => return Err(Transferred::NoData("none came in time".to_owned())),
            Ok(Err(error)) => return Err(Transferred::NoData(error.kind().to_string())),
            Ok(Ok((stream, from))) => (stream, canonical(from)),
        };
        // Whoever else comes may be the client, whom the proxy is not asked to bring.
        if proxies.take(from.ip()) == Taken::ForAnother {
            from = client(&mut stream, from).await.map_err(Transferred::NoData)?;
        }
        if from.ip() != peer {
            return Err(Transferred::NoData("one came from another address, and was closed".to_owned()));
        }
        Ok(stream)
    }

    async fn first(self) -> io::Result<(TcpStream, SocketAddr)> {
        match self.listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::net::TcpListener::from_std(self.listener)?.accept().await
            }
            came => {
                let (stream, from) = came?;
                stream.set_nonblocking(true)?;
                Ok((TcpStream::from_std(stream)?, from))
            }
        }
    }
}

/// A place for the data connection that a client who has just had one may ask for next: made while the client is busy,
/// told to nobody, and given up when no question comes soon.
#[derive(Debug)]
pub(super) struct Spare {
    pending: Pending,
    until: Instant,
}

/// So long it is kept.
const KEPT: Duration = Duration::from_secs(1);

impl Spare {
    /// Where any free port will do.
    pub(super) fn make(control: SocketAddr, passive: &Passive) -> Option<Self> {
        if passive.ports.is_some() {
            return None;
        }
        let pending = Pending::at(at_port(control, 0), passive).ok()?;
        Some(Self { pending, until: Instant::now() + KEPT })
    }

    /// Until when it is kept.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// To be told, if it may be. Whoever has found it before that is not the client, and is sent away.
    pub(super) fn take(self, control: SocketAddr, family: Option<Family>) -> io::Result<Pending> {
        Pending::is_possible(control, family)?;
        while self.pending.listener.accept().is_ok() {}
        Ok(self.pending)
    }
}

/// How long a client has to hang up, once it was sent everything, before it is told so: one that gets the reply to the
/// end together with the reply to the beginning may never look at it (aria2 waits for another minute).
const PARTING: Duration = Duration::from_millis(20);

/// How a data connection comes about.
pub(super) enum Way {
    /// It comes here.
    Passive(Option<Pending>),
    /// It is made, from this address of ours.
    Active(SocketAddr, SocketAddr),
}

/// A data connection.
pub(super) enum Stream {
    Clear(TcpStream),
    Secured(Box<TlsStream<Socket>>),
}

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Bytes,
    /// Nothing for now.
    Nothing,
    /// The clean end: FIN, over TLS close_notify.
    End,
}

impl Came {
    fn of(read: usize) -> Self {
        if read == 0 { Self::End } else { Self::Bytes }
    }
}

impl Way {
    /// Makes the connection, and TLS on it where `own` is given.
    pub(super) async fn open(
        self,
        peer: IpAddr,
        own: Option<&(Own, tls::Way)>,
        within: Duration,
    ) -> Result<Stream, Transferred> {
        let until = Instant::now() + within;
        let stream = match self {
            Self::Passive(None) => {
                return Err(Transferred::NoData("PASV, EPSV, PORT or EPRT comes first".to_owned()));
            }
            Self::Passive(Some(pending)) => pending.accept(peer, until).await?,
            Self::Active(to, from) => {
                let connected = timeout_at(until, connect(to, from)).await;
                connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
                    Transferred::NoData(format!("your address cannot be reached: {}", error.kind()))
                })?
            }
        };
        // Where it cannot be set replies are a little slower.
        let _ = stream.set_nodelay(true);
        let Some((own, way)) = own else { return Ok(Stream::Clear(stream)) };
        let left = until.saturating_duration_since(Instant::now());
        let secured =
            own.begin_data(Socket::new(stream), *way, left).await.map_err(Transferred::NotProtected)?;
        Ok(Stream::Secured(Box::new(secured)))
    }
}

async fn connect(to: SocketAddr, from: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(at_port(from, 0))?;
    socket.connect(on_the_link_of(from, to)).await
}

/// The same address, the link that it is on too, with another port.
fn at_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// Where a client really is that tells an address and a port: a link-local address means one on the link over which the
/// control connection came, and EPRT cannot say which that is (RFC 4007 §6).
fn on_the_link_of(own: SocketAddr, mut told: SocketAddr) -> SocketAddr {
    if let (SocketAddr::V6(own), SocketAddr::V6(told)) = (own, &mut told) {
        told.set_scope_id(own.scope_id());
    }
    told
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness the range is used in order.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

impl Stream {
    /// The socket, unless a thread has it.
    pub(super) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Clear(stream) => Some(stream),
            Self::Secured(stream) => stream.get_ref().0.get(),
        }
    }

    /// Reads what is there, up to the buffer's spare room; waits until there is something.
    pub(super) async fn read(&mut self, into: &mut BytesMut) -> io::Result<Came> {
        let read = match self {
            Self::Clear(stream) => stream.read_buf(into).await,
            Self::Secured(stream) => stream.read_buf(into).await,
        };
        read.map(Came::of)
    }

    /// Reads more only if it is there already.
    pub(super) async fn read_on(&mut self, into: &mut BytesMut) -> io::Result<Came> {
        let read = match self {
            Self::Clear(stream) => match stream.try_read_buf(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Came::Nothing),
                read => read?,
            },
            Self::Secured(stream) => {
                let mut reading = pin!(stream.read_buf(into));
                match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
                    Poll::Pending => return Ok(Came::Nothing),
                    Poll::Ready(read) => read?,
                }
            }
        };
        Ok(Came::of(read))
    }

    /// Writes all of it; no step may take longer than `stall`.
    pub(super) async fn write(&mut self, mut bytes: &[u8], stall: Duration) -> io::Result<()> {
        while !bytes.is_empty() {
            let wrote = match self {
                Self::Clear(stream) => timeout(stall, stream.write(bytes)).await,
                Self::Secured(stream) => timeout(stall, stream.write(bytes)).await,
            };
            match wrote.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                wrote => bytes = bytes.get(wrote..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Ends it as a whole file ends: FIN, and close_notify before it where there is TLS.
    pub(super) async fn finish(mut self, stall: Duration) -> io::Result<()> {
        let ended = match &mut self {
            Self::Clear(stream) => timeout(stall, stream.shutdown()).await,
            Self::Secured(stream) => timeout(stall, stream.shutdown()).await,
        };
        ended.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        // How the client hangs up does not matter.
        let _ = timeout(PARTING, self.hung_up()).await;
        Ok(())
    }

    /// Returns when the client has ended its side.
    async fn hung_up(&mut self) {
        let mut unexpected = [0; 256];
        loop {
            let read = match self {
                Self::Clear(stream) => stream.read(&mut unexpected).await,
                Self::Secured(stream) => stream.read(&mut unexpected).await,
            };
            if !matches!(read, Ok(1..)) {
                return;
            }
        }
    }

    /// Ends it so that nobody takes it for a whole file.
    pub(super) fn break_off(self) {
        // Where it cannot be set, at least no close_notify is sent.
        let _ = self.socket().map(sys::drop_hard);
    }
}

/// A connection that is broken off unless it was taken out to be ended well.
pub(super) struct Ending {
    pub(super) stream: Option<Stream>,
}

impl Ending {
    pub(super) fn of(stream: Stream) -> Self {
        Self { stream: Some(stream) }
    }

    /// The bare connection, where bytes may be sent by the system itself.
    pub(super) fn bare(&self) -> Option<&TcpStream> {
        match &self.stream {
            Some(Stream::Clear(stream)) => Some(stream),
            Some(Stream::Secured(_)) | None => None,
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.break_off();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stays_on_the_link_of_the_control_connection() {
        let own: SocketAddr = "[fe80::1%3]:2121".parse().unwrap();
        assert_eq!(at_port(own, 0), "[fe80::1%3]:0".parse().unwrap(), "passive, and the near end of active");
        let told = "[fe80::2]:40000".parse().unwrap();
        assert_eq!(on_the_link_of(own, told), "[fe80::2%3]:40000".parse().unwrap());
        let v4 = "192.0.2.1:40000".parse().unwrap();
        assert_eq!(on_the_link_of("192.0.2.2:21".parse().unwrap(), v4), v4);
    }

    #[tokio::test]
    async fn who_found_a_spare_place_before_it_was_told_is_sent_away() {
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let spare = Spare::make(here, &Passive::default()).unwrap();
        let _early = TcpStream::connect(spare.pending.at).await.unwrap();
        let pending = spare.take(here, None).unwrap();
        let client = TcpStream::connect(pending.at).await.unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        let came = pending.accept(here.ip(), until).await.unwrap();
        assert_eq!(came.peer_addr().unwrap(), client.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_client_may_come_before_it_is_waited_for_and_afterwards() {
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        for before in [true, false] {
            let pending = Pending::listen(here, None, &Passive::default()).unwrap();
            let at = pending.at;
            let early = if before { Some(TcpStream::connect(at).await.unwrap()) } else { None };
            let until = Instant::now() + Duration::from_secs(30);
            let late = async { if before { None } else { Some(TcpStream::connect(at).await.unwrap()) } };
            let (came, late) = tokio::join!(pending.accept(here.ip(), until), late);
            let client = early.or(late).unwrap();
            assert_eq!(came.unwrap().peer_addr().unwrap(), client.local_addr().unwrap());
        }
    }

    #[test]
    fn no_spare_place_is_kept_of_a_range_that_others_need() {
        let passive = Passive { ports: Some(40_000..=40_001), ..Passive::default() };
        assert!(Spare::make("127.0.0.1:0".parse().unwrap(), &passive).is_none());
    }
}
