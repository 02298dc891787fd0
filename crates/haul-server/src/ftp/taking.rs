//! An upload that comes as fast as it can be written: the store takes it from the connection itself, on one thread that
//! reads, decrypts where there is TLS, and writes, as long as bytes keep coming. For a slower one the session waits, and
//! no thread.
//!
//! While the thread has the connection the runtime does not watch it: it would be woken for each packet, which costs a
//! sixth of all the work.

use std::{
    io::{self, PipeWriter},
    net::TcpStream,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use haul_store::{Source, Then};
use tokio_rustls::server::TlsStream;

use super::{data::Stream, decrypt, figures::Figures, socket::Socket, target::Target};
use crate::{ServerError, sys};

/// So many bytes are taken before the depot looks after them …
const MOST: u64 = 16 << 20;
/// … and so long a thread stays with one client.
const TURN: Duration = Duration::from_millis(200);
/// So long it waits for one that is slower than the disk.
const SHORT_WAIT: Duration = Duration::from_millis(3);

/// A connection that a thread has, and no runtime watches.
struct Lent {
    socket: TcpStream,
    tls: Option<Box<TlsStream<Socket>>>,
}

impl Lent {
    fn new(stream: Stream) -> io::Result<Self> {
        let (socket, tls) = match stream {
            Stream::Clear(socket) => (Some(socket), None),
            Stream::Secured(mut tls) => (tls.get_mut().0.take(), Some(tls)),
        };
        let socket = socket.ok_or(io::ErrorKind::NotConnected)?.into_std()?;
        Ok(Self { socket, tls })
    }

    /// To the runtime that is here.
    fn back(self) -> io::Result<Stream> {
        let socket = tokio::net::TcpStream::from_std(self.socket)?;
        Ok(match self.tls {
            None => Stream::Clear(socket),
            Some(mut tls) => {
                tls.get_mut().0.put(socket);
                Stream::Secured(tls)
            }
        })
    }
}

/// What comes on it.
struct Wire {
    lent: Arc<Mutex<Lent>>,
    figures: Arc<Figures>,
    until: Instant,
}

impl Wire {
    /// What `some` takes from the connection, as long as this thread may stay with it.
    /// `stuck` is what it is if nothing can be taken though something is there.
    fn take(
        &self,
        stuck: io::ErrorKind,
        mut some: impl FnMut(&mut Lent) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.figures.is_halted() || Instant::now() >= self.until {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = match some(&mut lent) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let there = sys::wait_readable(&lent.socket, SHORT_WAIT);
                match some(&mut lent) {
                    Err(error) if there && error.kind() == io::ErrorKind::WouldBlock => Err(stuck.into()),
                    taken => taken,
                }
            }
            taken => taken,
        }?;
        self.figures.add(taken);
        Ok(taken)
    }
}

impl Source for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A part of a record is something, and nothing to take.
        self.take(io::ErrorKind::WouldBlock, |Lent { socket, tls }| match tls {
            None => sys::read_now(&*socket, into),
            Some(tls) => decrypt::read(tls.get_mut().1, socket, into),
        })
    }

    fn fill(&mut self, into: &PipeWriter, most: usize) -> io::Result<usize> {
        // No pipe takes a byte that is marked as urgent: there it stands still, or is at its end as if nothing came
        // behind it. A read passes it, and knows the end from that.
        let filled = self.take(io::ErrorKind::Unsupported, |Lent { socket, tls }| match tls {
            None => sys::fill_now(&*socket, into, most),
            Some(_) => Err(io::ErrorKind::Unsupported.into()),
        });
        if let Ok(0) = filled { Err(io::ErrorKind::Unsupported.into()) } else { filled }
    }
}

/// Waits until bytes or the end have come; now and then for nothing.
pub(super) async fn ready(stream: &Stream) -> io::Result<()> {
    match stream {
        Stream::Secured(tls) if decrypt::is_ahead(tls.get_ref().1) => Ok(()),
        stream => stream.socket().ok_or(io::ErrorKind::NotConnected)?.readable().await,
    }
}

/// Takes what has come and goes on coming. The stream comes back, unless the system does not give it back.
pub(super) async fn turn(
    stream: Stream,
    receiving: &mut Target,
    figures: &Arc<Figures>,
) -> (Result<Then, ServerError>, Option<Stream>) {
    let lent = match Lent::new(stream) {
        Ok(lent) => Arc::new(Mutex::new(lent)),
        Err(error) => return (Ok(Then::Broken(error)), None),
    };
    let wire = Wire { lent: Arc::clone(&lent), figures: Arc::clone(figures), until: Instant::now() + TURN };
    let taken = receiving.take(Box::new(wire), MOST).await;
    let lent = Arc::into_inner(lent).and_then(|lent| lent.into_inner().ok());
    (taken, lent.and_then(|lent| lent.back().ok()))
}
