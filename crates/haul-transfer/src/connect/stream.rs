//! One type for every byte stream that HTTP and FTP can run on: TCP, TLS over it, and TLS over a tunnel over TLS.
//!
//! An enum and no trait object: the hot path is one predictable branch.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection's bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    /// As they are on the wire.
    Plain(TcpStream),
    /// Through TLS, over either kind.
    Tls(Box<TlsStream<Stream>>),
}

/// What TLS came to on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// The version, as people write it.
    pub(crate) version: &'static str,
    /// Whether the session of an earlier connection was resumed.
    pub(crate) resumed: bool,
}

impl Stream {
    /// What TLS came to; `None` in the clear.
    pub(crate) fn encryption(&self) -> Option<Encryption> {
        let Self::Tls(stream) = self else { return None };
        let (_, tls) = stream.get_ref();
        let version = match tls.protocol_version()? {
            ProtocolVersion::TLSv1_2 => "TLS 1.2",
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            _ => "TLS of another version",
        };
        Some(Encryption { version, resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed) })
    }

    /// Its end will be a reset, and not a farewell.
    pub(crate) fn end_by_reset(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.set_zero_linger(),
            Self::Tls(stream) => stream.get_ref().0.end_by_reset(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => poll_fill(stream, cx, buf),
        }
    }
}

/// Reads until the buffer is full or nothing more is there: TLS hands out a record of at most 16 KiB at a time
/// (RFC 8446 §5.1), and each piece that goes on from here is a write to the disk.
fn poll_fill(
    stream: &mut TlsStream<Stream>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let before = buf.filled().len();
    loop {
        let had = buf.filled().len();
        let poll = Pin::new(&mut *stream).poll_read(cx, buf);
        let more = matches!(poll, Poll::Ready(Ok(()))) && buf.filled().len() > had && buf.remaining() > 0;
        if !more {
            // What came goes first; what ended it shows again at the next read.
            return if buf.filled().len() > before { Poll::Ready(Ok(())) } else { poll };
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
