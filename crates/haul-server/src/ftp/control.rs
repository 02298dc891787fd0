//! The control connection: bytes in become lines, replies become bytes out, in the clear or within TLS.
//!
//! It knows what a line is and not what it means. Nothing is kept for it while nothing comes: what is read goes from
//! the stack into the line that is being made (RFC 959 §3.1, RFC 2228 for TLS).

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use haul_proto::ftp::server::line::{Line, Lines};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::server::TlsStream;

use crate::{accounts::Presented, sys};

/// How much is read at once.
const PIECE: usize = 1024;
/// So much may wait to be taken before nothing more is listened to.
const ENOUGH: usize = 16 << 10;

/// What happened on the control connection.
#[derive(Debug)]
pub(super) enum Heard {
    /// Bytes came; there may be a line.
    Something,
    /// The client has closed its side.
    End,
    /// All replies are on their way.
    Written,
    /// It broke.
    Broken(io::Error),
}

enum Wire {
    Clear(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
    /// In between, and after a handshake that failed.
    None,
}

/// A control connection.
pub(super) struct Control {
    wire: Wire,
    lines: Lines,
    out: Vec<u8>,
    written: usize,
    /// Since when replies wait to be taken, and no byte of them was.
    stuck: Option<Instant>,
    ended: bool,
    /// Nothing can be said any more.
    mute: bool,
    /// How often something was taken in.
    heard: Arc<AtomicU64>,
}

/// A control connection of which nothing is to be heard.
pub(super) struct Silence {
    quiet: sys::Quiet,
    heard: Arc<AtomicU64>,
    before: u64,
}

impl Silence {
    /// Whether nothing has come since: neither what waits to be taken in, nor what was taken in meanwhile.
    pub(super) fn lasts(&self) -> bool {
        self.quiet.lasts() && self.heard.load(Ordering::SeqCst) == self.before
    }
}

impl Control {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self::over(Wire::Clear(stream))
    }

    /// One that began with TLS.
    pub(super) fn secured(stream: TlsStream<TcpStream>) -> Self {
        Self::over(Wire::Secured(Box::new(stream)))
    }

    fn over(wire: Wire) -> Self {
        Self {
            wire,
            lines: Lines::default(),
            out: Vec::new(),
            written: 0,
            stuck: None,
            ended: false,
            mute: false,
            heard: Arc::default(),
        }
    }

    /// The next line, in the order they came.
    pub(super) fn next_line(&mut self) -> Option<Line> {
        self.lines.next_line()
    }

    /// Whether the client has closed its side, and we have seen it.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the client has closed its side, seen or not.
    pub(super) fn hung_up(&self) -> bool {
        self.ended || self.socket().is_none_or(sys::hung_up)
    }

    /// A look at it from elsewhere: whether nothing has come beyond what was taken in by now, no end either. None where
    /// something has.
    pub(super) fn silence(&self) -> Option<Silence> {
        let socket = self.socket().filter(|_| !self.ended && self.lines.buffered() == 0)?;
        let quiet = sys::Quiet::of(socket).ok()?;
        Some(Silence { quiet, heard: Arc::clone(&self.heard), before: self.heard.load(Ordering::SeqCst) })
    }

    fn socket(&self) -> Option<&TcpStream> {
        match &self.wire {
            Wire::Clear(stream) => Some(stream),
            Wire::Secured(stream) => Some(stream.get_ref().0),
            Wire::None => None,
        }
    }

    /// Queues a reply.
    pub(super) fn say(&mut self, reply: &[u8]) {
        if self.mute {
            return;
        }
        self.out.extend_from_slice(reply);
        self.stuck.get_or_insert_with(Instant::now);
    }

    /// Whether so many replies wait to be taken that no further command is heard.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() - self.written >= ENOUGH
    }

    /// Since when the client has taken nothing of a reply that waits for it.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.stuck
    }

    /// Waits for the next thing to happen. Nothing is lost when it is not waited for to the end.
    pub(super) async fn heard(&mut self) -> Heard {
        poll_fn(|context| self.poll(context)).await
    }

    /// Takes in what is there already, without waiting.
    pub(super) async fn catch_up(&mut self) {
        poll_fn(|context| {
            while let Poll::Ready(Heard::Something) = self.poll_read(context) {}
            Poll::Ready(())
        })
        .await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        if self.stuck.is_some() {
            match self.poll_write(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(Heard::Written),
                Poll::Ready(Err(error)) => return Poll::Ready(self.broken(error)),
                Poll::Pending => {}
            }
        }
        self.poll_read(context)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        if self.ended || self.is_full() || !self.lines.has_room() {
            return Poll::Pending;
        }
        let mut piece = [0; PIECE];
        let mut piece = ReadBuf::new(&mut piece);
        let read = match &mut self.wire {
            Wire::Clear(stream) => Pin::new(stream).poll_read(context, &mut piece),
            Wire::Secured(stream) => Pin::new(stream).poll_read(context, &mut piece),
            Wire::None => Poll::Ready(Ok(())),
        };
        match ready!(read) {
            Ok(()) if piece.filled().is_empty() => {
                self.ended = true;
                Poll::Ready(Heard::End)
            }
            Ok(()) => {
                self.heard.fetch_add(1, Ordering::SeqCst);
                self.lines.push(piece.filled());
                self.read_on();
                Poll::Ready(Heard::Something)
            }
            // TLS without close_notify: a client that is gone, as in the clear.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ended = true;
                Poll::Ready(Heard::End)
            }
            Err(error) => Poll::Ready(self.broken(error)),
        }
    }

    /// What lies behind urgent bytes, where a read ends: nobody tells us that it is there (RFC 959 §4.1.3, ABOR).
    fn read_on(&mut self) {
        let Wire::Clear(stream) = &self.wire else { return };
        let mut piece = [0; PIECE];
        while self.lines.has_room()
            && let Ok(read @ 1..) = sys::read_now(stream, &mut piece)
        {
            self.lines.push(piece.get(..read).unwrap_or_default());
        }
    }

    fn broken(&mut self, error: io::Error) -> Heard {
        (self.ended, self.mute) = (true, true);
        (self.out, self.written, self.stuck) = (Vec::new(), 0, None);
        Heard::Broken(error)
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            let wrote = match &mut self.wire {
                Wire::Clear(stream) => Pin::new(stream).poll_write(context, rest),
                Wire::Secured(stream) => Pin::new(stream).poll_write(context, rest),
                Wire::None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
            match ready!(wrote)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                wrote => {
                    self.written += wrote;
                    self.stuck = Some(Instant::now());
                }
            }
        }
        if let Wire::Secured(stream) = &mut self.wire {
            ready!(Pin::new(stream).poll_flush(context))?;
        }
        self.out = Vec::new();
        self.written = 0;
        self.stuck = None;
        Poll::Ready(Ok(()))
    }

    /// Returns when every reply is on its way.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_write(context)).await
    }

    /// The bare connection, for TLS to begin on it; whatever was received and not yet looked at is forgotten
    /// (RFC 4217 §4; what a man in the middle put behind AUTH would else be taken for the client's).
    pub(super) fn take_bare(&mut self) -> Option<TcpStream> {
        self.lines.clear();
        match std::mem::replace(&mut self.wire, Wire::None) {
            Wire::Clear(stream) => Some(stream),
            Wire::Secured(_) | Wire::None => None,
        }
    }

    /// The certificate that the client has shown, which somebody vouches for.
    pub(super) fn presented(&self) -> Option<Presented> {
        match &self.wire {
            Wire::Secured(stream) => {
                stream.get_ref().1.peer_certificates()?.first().map(|shown| Presented::of(shown))
            }
            Wire::Clear(_) | Wire::None => None,
        }
    }

    /// The host that the client has named in the handshake of TLS.
    pub(super) fn named_host(&self) -> Option<&str> {
        match &self.wire {
            Wire::Secured(stream) => stream.get_ref().1.server_name(),
            Wire::Clear(_) | Wire::None => None,
        }
    }

    /// From now on within TLS.
    pub(super) fn put_secured(&mut self, stream: TlsStream<TcpStream>) {
        self.wire = Wire::Secured(Box::new(stream));
    }

    /// Reads to the client's end, and forgets what comes.
    pub(super) async fn discard(&mut self) {
        while !self.ended {
            self.lines.clear();
            if let Heard::End | Heard::Broken(_) = poll_fn(|context| self.poll_read(context)).await {
                return;
            }
        }
    }

    /// Closes it, with close_notify where there is TLS.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        match &mut self.wire {
            Wire::Clear(stream) => poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await,
            Wire::Secured(stream) => poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await,
            Wire::None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncWriteExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn what_was_taken_in_meanwhile_is_no_silence_either() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut control = Control::new(listener.accept().await.unwrap().0);
        let silence = control.silence().unwrap();
        assert!(silence.lasts());
        client.write_all(b"ABOR\r\n").await.unwrap();
        while silence.lasts() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(control.heard().await, Heard::Something));
        assert!(!silence.lasts());
        assert!(control.silence().is_none(), "there is a line to be looked at");
        assert!(control.next_line().is_some());
        let silence = control.silence().unwrap();
        assert!(silence.lasts());
        drop(client);
        while silence.lasts() {
            tokio::task::yield_now().await;
        }
    }
}
