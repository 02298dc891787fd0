//! A file that the system sends by itself (sendfile): no byte of it comes into this process.
//!
//! As long as a client takes all that it can get, a thread stays with it and lets the system wait within the call, which
//! costs least. For a slower client the session waits, and no thread.

use std::{
    fs::File,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{io::Interest, net::TcpStream, task::spawn_blocking, time::timeout};

use super::{data::Ending, figures::Figures, retrieve::Stopped};
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
    pub(super) ending: &'a Arc<Ending>,
    pub(super) file: &'a Arc<File>,
    pub(super) to: u64,
    pub(super) figures: &'a Arc<Figures>,
    /// The longest time without a byte.
    pub(super) stall: Duration,
}

/// Sends from `at` on, which moves with what was sent.
pub(super) async fn send(sending: &Sending<'_>, at: &mut u64) -> Result<(), Stopped> {
    let &Sending { ending, file, to, figures, stall } = sending;
    let not_bare = || Stopped::Wire(io::ErrorKind::NotConnected.into());
    let stream = ending.bare().ok_or_else(not_bare)?;
    while *at < to {
        let writable = timeout(stall, stream.writable()).await;
        writable.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Stopped::Wire)?;
        if to - *at <= LITTLE {
            short_burst(stream, file, at, to, figures)?;
            continue;
        }
        let (ending, file, figures) = (Arc::clone(ending), Arc::clone(file), Arc::clone(figures));
        let mut moving = *at;
        let sent = spawn_blocking(move || {
            let stream = ending.bare().ok_or_else(not_bare);
            let sent = stream.and_then(|stream| turn(stream, &file, &mut moving, to, &figures));
            drop(ending);
            (moving, sent)
        });
        let (moved, sent) = sent.await.map_err(|_| Stopped::Wire(io::ErrorKind::Interrupted.into()))?;
        *at = moved;
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
    match stream.try_io(Interest::WRITABLE, || sys::send_file(stream, file, at, count)) {
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
