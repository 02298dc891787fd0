//! An upload that comes as fast as it can be written: the store takes it from the connection itself, on one thread that
//! reads, decrypts where there is TLS, and writes, as long as bytes keep coming. For a slower one the session waits, and
//! no thread. In MODE B it takes the bytes of large blocks, and leaves what else there is to the session.
//!
//! While the thread has the connection the runtime does not watch it: it would be woken for each packet, which costs a
//! sixth of all the work.

use std::{
    io::{self, PipeWriter},
    net::TcpStream,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use haul_proto::ftp::block::Decoder;
use haul_store::{Source, Then};
use tokio_rustls::server::TlsStream;

use super::{
    data::Stream,
    decrypt,
    figures::Figures,
    from_blocks::{Blocks, Wanted},
    socket::Socket,
    target::Target,
};
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
    /// In MODE B.
    blocks: Option<Blocks>,
}

impl Lent {
    fn new(stream: Stream, blocks: Option<Blocks>) -> io::Result<Self> {
        let (socket, tls) = match stream {
            Stream::Clear(socket) => (Some(socket), None),
            Stream::Secured(mut tls) => (tls.get_mut().0.take(), Some(tls)),
        };
        let socket = socket.ok_or(io::ErrorKind::NotConnected)?.into_std()?;
        Ok(Self { socket, tls, blocks })
    }

    /// Reads what is there.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => sys::read_now(&self.socket, into),
            Some(tls) => decrypt::read(tls.get_mut().1, &self.socket, into),
        }
    }

    /// As [`Self::read`], into a pipe.
    fn fill(&mut self, into: &PipeWriter, most: usize) -> io::Result<usize> {
        let filled = match &self.tls {
            None => sys::fill_now(&self.socket, into, most),
            Some(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        if let Ok(0) = filled { Err(io::ErrorKind::Unsupported.into()) } else { filled }
    }

    /// To the runtime that is here, and what there is of blocks.
    fn back(self) -> (io::Result<Stream>, Option<Blocks>) {
        let stream = tokio::net::TcpStream::from_std(self.socket).map(|socket| match self.tls {
            None => Stream::Clear(socket),
            Some(mut tls) => {
                tls.get_mut().0.put(socket);
                Stream::Secured(tls)
            }
        });
        (stream, self.blocks)
    }
}

/// What comes on it.
struct Wire {
    lent: Arc<Mutex<Lent>>,
    figures: Arc<Figures>,
    until: Instant,
}

impl Wire {
    /// What `some` takes from the connection, as long as this thread may stay with it. `stuck` is what it is if nothing
    /// can be taken though something is there; where there is none nothing is waited for.
    fn once(
        &self,
        lent: &mut Lent,
        stuck: Option<io::ErrorKind>,
        mut some: impl FnMut(&mut Lent) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.figures.is_halted() || Instant::now() >= self.until {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = match (some(lent), stuck) {
            (Err(error), Some(stuck)) if error.kind() == io::ErrorKind::WouldBlock => {
                let there = sys::wait_readable(&lent.socket, SHORT_WAIT);
                match some(lent) {
                    Err(error) if there && error.kind() == io::ErrorKind::WouldBlock => Err(stuck.into()),
                    taken => taken,
                }
            }
            (taken, _) => taken,
        }?;
        self.figures.add(taken);
        Ok(taken)
    }

    /// What `some` takes of the file: behind so many bytes, at most so many.
    fn take(
        &self,
        most: usize,
        stuck: io::ErrorKind,
        mut some: impl FnMut(&mut Lent, usize, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut blocks) = lent.blocks.take() else {
            return self.once(&mut lent, Some(stuck), |lent| some(lent, 0, most));
        };
        let taken = blocks.take(most, |wanted, patient| match wanted {
            Wanted::Header(into) => {
                let stuck = patient.then_some(io::ErrorKind::WouldBlock);
                self.once(&mut lent, stuck, |lent| lent.read(into))
            }
            Wanted::Bytes { behind, most } => {
                self.once(&mut lent, patient.then_some(stuck), |lent| some(lent, behind, most))
            }
        });
        lent.blocks = Some(blocks);
        taken
    }
}

impl Source for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A part of a record of TLS is something, and nothing to take.
        self.take(into.len(), io::ErrorKind::WouldBlock, |lent, behind, most| {
            lent.read(into.get_mut(behind..behind + most).unwrap_or_default())
        })
    }

    fn fill(&mut self, into: &PipeWriter, most: usize) -> io::Result<usize> {
        // No pipe takes a byte that is marked as urgent: there it stands still, or is at its end as if nothing came
        // behind it. A read passes it, and knows the end from that.
        self.take(most, io::ErrorKind::Unsupported, |lent, _, most| lent.fill(into, most))
    }
}

/// Waits until bytes or the end have come; now and then for nothing.
pub(super) async fn ready(stream: &Stream) -> io::Result<()> {
    match stream {
        Stream::Secured(tls) if decrypt::is_ahead(tls.get_ref().1) => Ok(()),
        stream => stream.socket().ok_or(io::ErrorKind::NotConnected)?.readable().await,
    }
}

/// What a thread gives back after its turn.
pub(super) struct Turned {
    pub(super) then: Result<Then, ServerError>,
    /// The stream, unless the system does not give it back.
    pub(super) stream: Option<Stream>,
    /// In MODE B.
    pub(super) decoder: Option<Decoder>,
}

/// Takes what has come and goes on coming; in MODE B as long as it is in large blocks.
pub(super) async fn turn(
    stream: Stream,
    decoder: Option<Decoder>,
    receiving: &mut Target,
    figures: &Arc<Figures>,
) -> Turned {
    let lent = match Lent::new(stream, decoder.map(Blocks::new)) {
        Ok(lent) => Arc::new(Mutex::new(lent)),
        Err(error) => return Turned { then: Ok(Then::Broken(error)), stream: None, decoder: None },
    };
    let wire = Wire { lent: Arc::clone(&lent), figures: Arc::clone(figures), until: Instant::now() + TURN };
    let then = receiving.take(Box::new(wire), MOST).await;
    let lent = Arc::into_inner(lent).and_then(|lent| lent.into_inner().ok());
    let (stream, blocks) = lent.map(Lent::back).unzip();
    let decoder = blocks.flatten().map(|blocks| blocks.decoder);
    Turned { then, stream: stream.and_then(Result::ok), decoder }
}
