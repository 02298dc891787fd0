//! An upload in the clear that comes as fast as it can be written: the store takes it from the connection itself, on one
//! thread that reads and writes, as long as bytes keep coming. For a slower one the session waits, and no thread.

use std::{
    io::{self, PipeWriter},
    sync::Arc,
    time::{Duration, Instant},
};

use haul_store::{Source, Then};
use tokio::{io::Interest, net::TcpStream};

use super::figures::Figures;
use crate::{ServerError, depot::Receiving, sys};

/// So many bytes are taken before the depot looks after them …
const MOST: u64 = 16 << 20;
/// … and so long a thread stays with one client.
const TURN: Duration = Duration::from_millis(200);
/// So long it waits for one that is slower than the disk.
const SHORT_WAIT: Duration = Duration::from_millis(3);

/// What comes on a connection.
struct Wire {
    incoming: sys::Incoming,
    figures: Arc<Figures>,
    until: Instant,
}

impl Wire {
    /// What `some` takes from the connection, as long as this thread may stay with it.
    fn take(&self, some: impl FnOnce(&sys::Incoming) -> io::Result<usize>) -> io::Result<usize> {
        if self.figures.is_halted() || Instant::now() >= self.until {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = some(&self.incoming)?;
        self.figures.add(taken);
        Ok(taken)
    }
}

impl Source for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.take(|incoming| incoming.read(into, SHORT_WAIT))
    }

    fn fill(&mut self, into: &PipeWriter, most: usize) -> io::Result<usize> {
        self.take(|incoming| incoming.fill(into, most, SHORT_WAIT))
    }
}

/// Waits until bytes or the end have come. What the thread has read is gone without a word to the runtime, so it is
/// looked at.
pub(super) async fn ready(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || sys::can_read(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            looked => return looked,
        }
    }
}

/// Takes what has come and goes on coming; `None` where this system cannot.
pub(super) async fn turn(
    stream: &TcpStream,
    receiving: &mut Receiving,
    figures: &Arc<Figures>,
) -> Option<Result<Then, ServerError>> {
    let incoming = sys::Incoming::of(stream).ok()?;
    let wire = Wire { incoming, figures: Arc::clone(figures), until: Instant::now() + TURN };
    Some(receiving.take(Box::new(wire), MOST).await)
}
