//! A file that the system sends by itself (sendfile): no byte of it comes into this process.
//!
//! As long as a client takes all that it can get, a thread stays with it and lets the system wait within the call, which
//! costs least. Meanwhile the runtime does not watch its connection: it would be woken whenever there is room in it. For
//! a slower client the session waits, and no thread.

use std::{
    fs::File,
    io,
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{io::Interest, task::spawn_blocking, time::timeout};

use super::{
    data::{Ending, Stream},
    figures::Figures,
    retrieve::Stopped,
};
use crate::sys;

/// What the system sends at once to a client that is still to show how fast it is …
const BURST: usize = 1 << 20;
/// … and to one that is fast. Between two of these it is seen whether the transfer is to end.
const LONG_BURST: usize = 4 << 20;
/// So little is sent without leaving this thread.
const LITTLE: u64 = 128 << 10;
/// So long a thread stays with one client before others get their turn …
const TURN: Duration = Duration::from_millis(200);
/// … and so long it waits for one that is slower than we are.
const SHORT_WAIT: Duration = Duration::from_millis(5);

/// Which bytes of what go where.
pub(super) struct Sending<'a> {
    pub(super) file: &'a Arc<File>,
    pub(super) to: u64,
    pub(super) figures: &'a Arc<Figures>,
    /// The longest time without a byte.
    pub(super) stall: Duration,
}

/// Takes the connection out, to be lent to a thread; no runtime watches it then. Until it is back it is broken off by
/// whoever has it last: a part of a file must not end as a whole one.
fn lend(ending: &mut Ending) -> io::Result<TcpStream> {
    sys::drop_hard(ending.bare().ok_or(io::ErrorKind::NotConnected)?)?;
    match ending.stream.take() {
        Some(Stream::Clear(stream)) => stream.into_std(),
        Some(Stream::Secured(_)) | None => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Gives it back to the runtime that is here.
fn give_back(lent: TcpStream) -> io::Result<Stream> {
    let stream = tokio::net::TcpStream::from_std(lent)?;
    sys::drop_gently(&stream)?;
    Ok(Stream::Clear(stream))
}

/// Sends from `at` on, which moves with what was sent.
pub(super) async fn send(ending: &mut Ending, sending: &Sending<'_>, at: &mut u64) -> Result<(), Stopped> {
    let &Sending { file, to, figures, stall } = sending;
    while *at < to {
        let stream = ending.bare().ok_or(Stopped::Wire(io::ErrorKind::NotConnected.into()))?;
        let writable = timeout(stall, stream.writable()).await;
        writable.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Stopped::Wire)?;
        if to - *at <= LITTLE {
            let few = usize::try_from(to - *at).unwrap_or(BURST);
            told(stream.try_io(Interest::WRITABLE, || sys::send_file(stream, file, at, few)), figures)?;
            continue;
        }
        let lent = lend(ending).map_err(Stopped::Wire)?;
        let (file, figures, mut moving) = (Arc::clone(file), Arc::clone(figures), *at);
        let turned = spawn_blocking(move || {
            let sent = turn(&lent, &file, &mut moving, to, &figures);
            (lent, moving, sent)
        });
        let (lent, moved, sent) =
            turned.await.map_err(|_| Stopped::Wire(io::ErrorKind::Interrupted.into()))?;
        *at = moved;
        ending.stream = Some(give_back(lent).map_err(Stopped::Wire)?);
        sent?;
    }
    Ok(())
}

/// What a thread does for one client at a time.
fn turn(stream: &TcpStream, file: &File, at: &mut u64, to: u64, figures: &Figures) -> Result<(), Stopped> {
    let began = Instant::now();
    while *at < to && began.elapsed() < TURN && !figures.is_halted() {
        if short_burst(stream, file, at, to, figures)? {
            continue;
        }
        if !sys::wait_writable(stream, SHORT_WAIT) {
            return Ok(());
        }
        // It took a whole buffer in no time.
        if let Ok(waiting) = sys::Waiting::within(stream, SHORT_WAIT * 4) {
            long_bursts(&waiting, file, at, to, figures, began)?;
        }
    }
    Ok(())
}

/// Sends until the client is slower than it was, or others have their turn.
fn long_bursts(
    waiting: &sys::Waiting<'_, TcpStream>,
    file: &File,
    at: &mut u64,
    to: u64,
    figures: &Figures,
    began: Instant,
) -> Result<(), Stopped> {
    while *at < to && began.elapsed() < TURN && !figures.is_halted() {
        let count = usize::try_from(to - *at).unwrap_or(LONG_BURST).min(LONG_BURST);
        match waiting.send_file(file, at, count) {
            Ok(0) => return Err(Stopped::Shrunk),
            Ok(sent) => {
                figures.add(sent);
                if sent < count {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Stopped::Wire(error)),
        }
    }
    Ok(())
}

/// Sends what can be sent without waiting; `false` where the client must take some of it first.
fn short_burst(
    stream: &TcpStream,
    file: &File,
    at: &mut u64,
    to: u64,
    figures: &Figures,
) -> Result<bool, Stopped> {
    let count = usize::try_from(to - *at).unwrap_or(BURST).min(BURST);
    told(sys::send_file(stream, file, at, count), figures)
}

/// Counts what was sent; `false` where nothing could be.
fn told(sent: io::Result<usize>, figures: &Figures) -> Result<bool, Stopped> {
    match sent {
        Ok(0) => Err(Stopped::Shrunk),
        Ok(sent) => {
            figures.add(sent);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(Stopped::Wire(error)),
    }
}
