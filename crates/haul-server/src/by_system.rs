//! Bytes of a file that the system sends by itself (sendfile), on a thread that stays with one client while that takes
//! all it can get: the system waits within the call, which costs least. It knows no protocol and no figures.

use std::{
    fs::File,
    io,
    time::{Duration, Instant},
};

use crate::sys::{self, Socket};

/// What the system sends at once to a client that is still to show how fast it is …
const BURST: usize = 1 << 20;
/// … and to one that is fast. Between two of these it is seen whether the transfer is to end.
const LONG_BURST: usize = 4 << 20;
/// So little is sent where the session is: it is worth no other thread.
pub(crate) const LITTLE: u64 = 128 << 10;
/// What is read at once where the system does not send.
const PIECE: usize = 256 << 10;
/// So long a thread stays with one client before others get their turn …
const TURN: Duration = Duration::from_millis(200);
/// … and so long it waits for one that is slower than we are.
const SHORT_WAIT: Duration = Duration::from_millis(5);

/// Whoever wants to know how far it is.
pub(crate) trait Watching {
    /// So many bytes more were sent.
    fn sent(&self, bytes: usize);
    /// Whether no further byte may be sent.
    fn is_over(&self) -> bool;
}

/// How bytes of a file lie on a connection.
pub(crate) trait Laying {
    /// Sends up to `count` bytes of a file from `at` on, which moves; how many. 0 is the end of the file.
    fn send(&mut self, socket: &impl Socket, file: &File, at: &mut u64, count: usize) -> io::Result<usize>;
}

/// As they are.
pub(crate) struct Bare;

impl Laying for Bare {
    fn send(&mut self, socket: &impl Socket, file: &File, at: &mut u64, count: usize) -> io::Result<usize> {
        sys::send_file(socket, file, at, count)
    }
}

/// Why bytes stopped.
pub(crate) enum Broken {
    /// The connection.
    Wire(io::Error),
    /// There were fewer than there had been.
    Shrunk,
}

/// Whether this is a file that the system cannot send by itself (some of FUSE).
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// What a thread does for one client at a time: sends from `at` on, which moves. The socket's calls wait meanwhile.
pub(crate) fn turn(
    stream: &impl Socket,
    (file, laying): (&File, &mut impl Laying),
    at: &mut u64,
    to: u64,
    watching: &(impl Watching + ?Sized),
) -> Result<(), Broken> {
    let began = Instant::now();
    while *at < to && began.elapsed() < TURN && !watching.is_over() {
        if short_burst(stream, (file, laying), at, to, watching)? {
            continue;
        }
        if !sys::wait_writable(stream, SHORT_WAIT) {
            return Ok(());
        }
        // It took a whole buffer in no time.
        if let Ok(waiting) = sys::Waiting::within(stream, SHORT_WAIT * 4) {
            long_bursts(&waiting, (file, laying), at, to, watching, began)?;
        }
    }
    Ok(())
}

/// Sends until the client is slower than it was, or others have their turn.
fn long_bursts(
    waiting: &sys::Waiting<'_, impl Socket>,
    (file, laying): (&File, &mut impl Laying),
    at: &mut u64,
    to: u64,
    watching: &(impl Watching + ?Sized),
    began: Instant,
) -> Result<(), Broken> {
    while *at < to && began.elapsed() < TURN && !watching.is_over() {
        let count = usize::try_from(to - *at).unwrap_or(LONG_BURST).min(LONG_BURST);
        match laying.send(waiting.socket(), file, at, count) {
            Ok(0) => return Err(Broken::Shrunk),
            Ok(sent) => {
                watching.sent(sent);
                if sent < count {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Broken::Wire(error)),
        }
    }
    Ok(())
}

/// Sends what can be sent without waiting; `false` where the client must take some of it first.
fn short_burst(
    stream: &impl Socket,
    (file, laying): (&File, &mut impl Laying),
    at: &mut u64,
    to: u64,
    watching: &(impl Watching + ?Sized),
) -> Result<bool, Broken> {
    let count = usize::try_from(to - *at).unwrap_or(BURST).min(BURST);
    match laying.send(stream, file, at, count) {
        Ok(0) => Err(Broken::Shrunk),
        Ok(sent) => {
            watching.sent(sent);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(Broken::Wire(error)),
    }
}

/// As [`turn`], for a file that the system does not send by itself (some of FUSE): read and written.
pub(crate) fn by_hand(
    stream: &impl Socket,
    file: &File,
    at: &mut u64,
    to: u64,
    watching: &(impl Watching + ?Sized),
) -> Result<(), Broken> {
    let began = Instant::now();
    let mut buffer = vec![0; PIECE];
    while *at < to && began.elapsed() < TURN && !watching.is_over() {
        let most = usize::try_from(to - *at).unwrap_or(PIECE).min(PIECE);
        let read =
            sys::read_at(file, buffer.get_mut(..most).unwrap_or_default(), *at).map_err(Broken::Wire)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Err(Broken::Shrunk);
        }
        match sys::write_now(stream, piece) {
            Ok(wrote) => {
                watching.sent(wrote);
                *at += wrote as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !sys::wait_writable(stream, SHORT_WAIT) {
                    return Ok(());
                }
            }
            Err(error) => return Err(Broken::Wire(error)),
        }
    }
    Ok(())
}
