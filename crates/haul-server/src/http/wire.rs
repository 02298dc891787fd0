//! What lies between hyper's HTTP/1.1 and the connection: it lets files leave by the system itself (sendfile), writes
//! interim answers where hyper would not, and gives up on a client that takes nothing.
//!
//! hyper hands over what is to be written as slices. In the place of a file's bytes a body hands it a [`Stand`], whose
//! slice is recognised here by its address, and as many bytes of the file are sent in its place. That hyper neither
//! copies that slice nor looks at it is not promised by it: its version is pinned, and
//! `a_file_leaves_by_the_system_and_arrives_whole` holds it.
//!
//! An interim answer may only be written when nothing else is half-way: when hyper flushes, its own buffer is empty.

use std::{
    fs::File,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

use super::interim::{self, Interim};
use crate::{
    by_system::{Bare, Broken, LITTLE, Watching, by_hand, is_unsupported, turn},
    pace::{Pace, Way},
    sys,
};

/// What stands for the bytes of a file.
static STAND: [u8; 64] = [b'?'; 64];
/// What a client still sends when it was answered already is read for so long, so that the answer is not lost in a reset.
const LINGER: Duration = Duration::from_secs(5);

/// What a body hands to hyper.
pub(super) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// So many bytes of the file that was given to the [`Lift`].
    Stand(usize),
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Stand(left) => *left,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Stand(left) => STAND.get(..(*left).min(STAND.len())).unwrap_or_default(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Stand(left) => *left = left.saturating_sub(count),
        }
    }
}

/// Bytes of a file that are to leave.
#[derive(Clone)]
pub(super) struct Stretch {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
    pub(super) to: u64,
    pub(super) watching: Arc<dyn Watching + Send + Sync>,
    /// How fast it may go.
    pub(super) pace: Option<Arc<Pace>>,
}

impl Stretch {
    /// Sends for a while, on a thread that may be kept busy.
    fn send(&mut self, stream: &TcpStream, unaided: &AtomicBool) -> Result<(), Broken> {
        let Self { file, at, to, watching, .. } = self;
        if !unaided.load(Ordering::Relaxed) {
            match turn(stream, (file, &mut Bare), at, *to, &**watching) {
                Err(Broken::Wire(error)) if is_unsupported(&error) => unaided.store(true, Ordering::Relaxed),
                ended => return ended,
            }
        }
        by_hand(stream, file, at, *to, &**watching)
    }
}

/// Whether there is room to send; the runtime learns it, too.
fn room(stream: &TcpStream) -> io::Result<()> {
    if sys::wait_writable(stream, Duration::ZERO) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

fn failed(broken: Broken) -> io::Error {
    match broken {
        Broken::Wire(error) => error,
        Broken::Shrunk => io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut meanwhile"),
    }
}

/// Where a body leaves a file for its connection to send; clones are the same place.
#[derive(Clone, Default)]
pub(super) struct Lift(Arc<Mutex<Load>>);

#[derive(Default)]
struct Load {
    leaving: Option<Stretch>,
    waiting: Option<Waker>,
}

impl Lift {
    fn load(&self) -> MutexGuard<'_, Load> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves bytes of a file; a [`Stand`](Piece::Stand) for as many goes to hyper next.
    pub(super) fn put(&self, leaving: Stretch) {
        self.load().leaving = Some(leaving);
    }

    /// The file is sent up to there; how much that is.
    fn moved(&self, to: u64) -> u64 {
        let mut load = self.load();
        let Some(leaving) = &mut load.leaving else { return 0 };
        let sent = to.saturating_sub(leaving.at);
        leaving.at = to;
        if leaving.at >= leaving.to {
            load.leaving = None;
            if let Some(waiting) = load.waiting.take() {
                waiting.wake();
            }
        }
        sent
    }

    /// Ready when what was left has been sent.
    pub(super) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut load = self.load();
        if load.leaving.is_none() {
            return Poll::Ready(());
        }
        load.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A connection, in the clear or not.
pub(super) enum Line {
    /// In the clear: a thread may have it, too.
    Plain(Arc<TcpStream>),
    /// Within TLS.
    Secured(Box<TlsStream<TcpStream>>),
}

/// What hyper reads from and writes to.
pub(super) struct Wire {
    line: Line,
    /// What was read already, to learn what is spoken.
    first: Bytes,
    lift: Lift,
    interim: Interim,
    /// The rest of an interim answer.
    begun: Bytes,
    /// A limited file waits for its turn.
    waits: Option<Pin<Box<dyn Future<Output = u64> + Send>>>,
    /// So many bytes of it may go.
    granted: u64,
    /// A thread has the connection, which waits in its calls meanwhile.
    turn: Option<JoinHandle<(u64, Result<(), Broken>)>>,
    /// The system does not send files like these by itself.
    unaided: Arc<AtomicBool>,
    stall: Duration,
    /// Runs while the client takes nothing.
    patience: Option<Pin<Box<Sleep>>>,
    lingers: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(line: Line, first: Bytes, lift: Lift, interim: Interim, stall: Duration) -> Self {
        Self {
            line,
            first,
            lift,
            interim,
            begun: Bytes::new(),
            waits: None,
            granted: 0,
            turn: None,
            unaided: Arc::default(),
            stall,
            patience: None,
            lingers: None,
        }
    }

    /// Fails when the client has taken nothing for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let stall = self.stall;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(stall)));
        patience.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into())
    }

    fn poll_slices(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let wrote = match &mut self.line {
            Line::Secured(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Line::Plain(stream) => loop {
                match stream.poll_write_ready(cx) {
                    Poll::Pending => break Poll::Pending,
                    Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) => {}
                }
                match stream.try_write_vectored(slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    wrote => break Poll::Ready(wrote),
                }
            },
        };
        match wrote {
            Poll::Ready(wrote) => {
                self.patience = None;
                Poll::Ready(wrote)
            }
            Poll::Pending => self.wait(cx).map(Err),
        }
    }

    /// What is left of an interim answer goes first.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.begun.is_empty() {
            let begun = self.begun.clone();
            let wrote = ready!(self.poll_slices(cx, &[IoSlice::new(&begun)]))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun.advance(wrote);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends some of the file that was left; how much.
    fn poll_file(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Line::Plain(stream) = &self.line else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let stream = Arc::clone(stream);
        loop {
            let sent = if let Some(turn) = &mut self.turn {
                let joined = ready!(Pin::new(turn).poll(cx));
                self.turn = None;
                let (at, ended) = joined.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?;
                ended.map_err(failed)?;
                let sent = self.lift.moved(at);
                self.granted = self.granted.saturating_sub(sent);
                sent
            } else {
                let limited = ready!(self.poll_pace(cx));
                match stream.poll_write_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => return self.wait(cx).map(Err),
                }
                self.begin_file(&stream, limited)?
            };
            if sent > 0 {
                self.patience = None;
                return Poll::Ready(Ok(usize::try_from(sent).unwrap_or(usize::MAX)));
            }
        }
    }

    /// Whether the file that was left is limited; if so, some of it may go now.
    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.waits.is_none() && self.granted == 0 {
            let load = self.lift.load();
            let limited = load.leaving.as_ref().and_then(|leaving| {
                let pace = Arc::clone(leaving.pace.as_ref()?);
                let piece = pace.piece(Way::Down)?.min(leaving.to - leaving.at);
                Some((pace, piece))
            });
            drop(load);
            let Some((pace, piece)) = limited else { return Poll::Ready(false) };
            self.waits = Some(Box::pin(async move {
                pace.pass(Way::Down, piece).await;
                piece
            }));
        }
        if let Some(waits) = &mut self.waits {
            self.granted = ready!(waits.as_mut().poll(cx));
            self.waits = None;
        }
        Poll::Ready(true)
    }

    /// Sends a little of the file here, so that the runtime learns whether there is room, and has a thread go on with
    /// what is left, unless it is limited; how much went.
    fn begin_file(&mut self, stream: &Arc<TcpStream>, limited: bool) -> io::Result<u64> {
        // Whoever hands over a stand has left a file for it.
        let leaving = self.lift.load().leaving.clone();
        let mut leaving = leaving.ok_or(io::Error::from(io::ErrorKind::InvalidData))?;
        let Stretch { file, at, to, watching, .. } = &mut leaving;
        if limited {
            *to = (*to).min(*at + self.granted);
        }
        let count = (*to - *at).min(LITTLE);
        // This thread has other sessions: it waits for no disk.
        let cached = sys::read_cached(file, &mut [0; 1], *at + count - 1).is_ok();
        if cached && !self.unaided.load(Ordering::Relaxed) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            match stream.try_io(Interest::WRITABLE, || sys::send_file(&**stream, file, at, count)) {
                Ok(0) => return Err(failed(Broken::Shrunk)),
                Ok(sent) => watching.sent(sent),
                Err(error) if is_unsupported(&error) => self.unaided.store(true, Ordering::Relaxed),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
                {
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        } else if stream.try_io(Interest::WRITABLE, || room(stream)).is_err() {
            return Ok(0);
        }
        let sent = self.lift.moved(leaving.at);
        self.granted = self.granted.saturating_sub(sent);
        if leaving.at < leaving.to && !(limited && cached && sent > 0) {
            let (stream, unaided) = (Arc::clone(stream), Arc::clone(&self.unaided));
            self.turn = Some(spawn_blocking(move || {
                let ended = leaving.send(&stream, &unaided);
                (leaving.at, ended)
            }));
        }
        Ok(sent)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(into.remaining());
            into.put_slice(&self.first.split_to(count));
            return Poll::Ready(Ok(()));
        }
        if self.turn.is_some() {
            // A call would wait; this task is woken when the thread is done.
            return Poll::Pending;
        }
        match &mut self.line {
            Line::Secured(stream) => Pin::new(stream).poll_read(cx, into),
            Line::Plain(stream) => loop {
                ready!(stream.poll_read_ready(cx))?;
                match stream.try_read_buf(into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => break Poll::Ready(read.map(drop)),
                }
            },
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_begun(cx))?;
        match slices.iter().position(|slice| slice.as_ptr() == STAND.as_ptr()) {
            Some(0) => self.poll_file(cx),
            Some(before) => self.poll_slices(cx, slices.get(..before).unwrap_or_default()),
            None => self.poll_slices(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_begun(cx))?;
        for fields in self.interim.take() {
            self.begun = [self.begun.as_ref(), &interim::written(&fields)].concat().into();
        }
        ready!(self.poll_begun(cx))?;
        match &mut self.line {
            // What is left in there is no less a wait for the client.
            Line::Secured(stream) => match Pin::new(stream).poll_flush(cx) {
                Poll::Pending => self.wait(cx).map(Err),
                flushed => {
                    self.patience = None;
                    flushed
                }
            },
            Line::Plain(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            match &mut self.line {
                Line::Secured(stream) => match Pin::new(stream).poll_shutdown(cx) {
                    Poll::Pending => return self.wait(cx).map(Err),
                    Poll::Ready(ended) => ended?,
                },
                Line::Plain(stream) => sys::end_of_sending(&**stream)?,
            }
            self.lingers = Some(Box::pin(sleep(LINGER)));
        }
        let mut unread = [0; 16 << 10];
        loop {
            if self.lingers.as_mut().is_none_or(|lingers| lingers.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(Ok(()));
            }
            let mut into = ReadBuf::new(&mut unread);
            match ready!(self.as_mut().poll_read(cx, &mut into)) {
                Ok(()) if !into.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
