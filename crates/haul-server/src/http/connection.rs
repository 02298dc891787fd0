//! One connection, from its first byte to its last: TLS where the door has it, then the version of HTTP that is spoken.
//! In the clear HTTP/2 begins with its preface, unasked (RFC 9113 §3.3), and anything else is HTTP/1.1.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use super::{door::Kind, h1, h2, request::Client, settings::Settings, tls::speaks_h2, wire::Line};
use crate::{
    house::{House, Place, canonical},
    log::Event,
    sys,
};

/// How HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A connection that is silent for so long is asked whether the other end is still there.
const KEEP_AWAKE: Duration = Duration::from_secs(60);

/// Serves a connection until it ends.
pub(super) async fn attend(
    house: House,
    settings: Arc<Settings>,
    kind: Kind,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
) {
    let Ok(local) = stream.local_addr().map(canonical) else { return };
    // Each of them is a convenience.
    let _ = stream.set_nodelay(true);
    let _ = sys::keep_awake(&stream, KEEP_AWAKE);
    let client = Arc::new(Client { house, settings, kind, peer, local, place, user: Mutex::default() });
    let ended = match kind {
        Kind::Plain => Box::pin(in_the_clear(&client, stream)).await,
        Kind::Secured => Box::pin(secured(&client, stream)).await,
    };
    let why = match ended {
        Ok(()) => "the connection ended".to_owned(),
        Err(why) => why,
    };
    let (session, address) = (client.place.number(), peer.ip());
    client.house.log.tell(Event::Closed { session, address, why });
}

async fn in_the_clear(client: &Arc<Client>, mut stream: TcpStream) -> Result<(), String> {
    let first = timeout(client.settings.times.head, first_bytes(&mut stream)).await;
    let first = first.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let first = first.map_err(|error| error.kind().to_string())?;
    if first.is_empty() {
        Ok(())
    } else if first.as_ref() == PREFACE {
        h2::serve(client, Prefaced { first, stream }).await
    } else {
        h1::serve(client, Line::Plain(Arc::new(stream)), first).await
    }
}

async fn secured(client: &Arc<Client>, stream: TcpStream) -> Result<(), String> {
    let Some(protection) = &client.settings.protection else { return Ok(()) };
    let begun = protection.begin(stream, client.settings.times.handshake).await;
    let stream = begun.map_err(|error| format!("TLS did not begin: {error}"))?;
    if speaks_h2(&stream) {
        h2::serve(client, stream).await
    } else {
        h1::serve(client, Line::Secured(Box::new(stream)), Bytes::new()).await
    }
}

/// As many bytes as it takes to tell the versions apart.
async fn first_bytes(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut first = BytesMut::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&first) && first.len() < PREFACE.len() {
        let mut rest = (&mut *stream).take((PREFACE.len() - first.len()) as u64);
        if rest.read_buf(&mut first).await? == 0 {
            break;
        }
    }
    Ok(first.freeze())
}

/// A connection of which the first bytes were read already.
pub(super) struct Prefaced {
    first: Bytes,
    stream: TcpStream,
}

mod prefaced {
    //! Reading what was read already, then the rest.

    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Prefaced;

    impl AsyncRead for Prefaced {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.first.is_empty() {
                return Pin::new(&mut self.stream).poll_read(cx, into);
            }
            let count = self.first.len().min(into.remaining());
            into.put_slice(&self.first.split_to(count));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Prefaced {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }
}
