//! One connection, from its first byte to its last: TLS where the door has it, then the version of HTTP that is spoken.
//! In the clear HTTP/2 begins with its preface, unasked (RFC 9113 §3.3), and anything else is HTTP/1.1.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use super::{
    door::Kind,
    h1, h2,
    preface::Prefaced,
    request::Client,
    settings::Settings,
    tls::{presented, speaks_h2},
    wire::Line,
};
use crate::{
    house::{Full, House, Place, canonical, closing},
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
    stream: std::net::TcpStream,
    peer: SocketAddr,
    (place, full): (Place, Option<Full>),
) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let Ok(local) = stream.local_addr().map(canonical) else { return };
    // Each of them is a convenience.
    let _ = stream.set_nodelay(true);
    let _ = sys::keep_awake(&stream, KEEP_AWAKE);
    let client = Arc::new(Client {
        house,
        settings,
        kind,
        peer,
        local,
        place,
        user: Mutex::default(),
        pace: Mutex::default(),
        presented: OnceLock::new(),
        full,
    });
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
    let mut phase = client.house.stop.watch();
    let first = tokio::select! {
        first = timeout(client.settings.times.head, first_bytes(&mut stream)) => first,
        // Nothing was asked for.
        () = closing(&mut phase) => return Ok(()),
    };
    let first = first.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let first = first.map_err(|error| error.kind().to_string())?;
    match first {
        First::None => Ok(()),
        First::Http1(begun) => h1::serve(client, Line::Plain(Arc::new(stream)), begun).await,
        First::Http2(preface) => Box::pin(h2::serve(client, Prefaced::new(preface, stream))).await,
    }
}

async fn secured(client: &Arc<Client>, stream: TcpStream) -> Result<(), String> {
    let Some(protection) = &client.settings.protection else { return Ok(()) };
    let mut phase = client.house.stop.watch();
    let begun = tokio::select! {
        begun = protection.begin(stream, client.settings.times.handshake) => begun,
        () = closing(&mut phase) => return Ok(()),
    };
    let stream = begun.map_err(|error| {
        client.house.log.metrics().unprotected(client.kind.name());
        format!("TLS did not begin: {error}")
    })?;
    if let Some(presented) = presented(&stream) {
        // Nothing was set before.
        let _ = client.presented.set(presented);
    }
    if speaks_h2(&stream) {
        Box::pin(h2::serve(client, Prefaced::new(Bytes::new(), stream))).await
    } else {
        h1::serve(client, Line::Secured(Box::new(stream)), Bytes::new()).await
    }
}

/// As many bytes as it takes to tell the versions apart; none where they were told apart by a look at what is there,
/// and nothing was taken. What hyper reads in two goes takes twice its buffer.
async fn first_bytes(stream: &mut TcpStream) -> io::Result<First> {
    let mut first = [0; PREFACE.len()];
    let seen = stream.peek(&mut first).await?;
    match first.get(..seen) {
        None | Some([]) => return Ok(First::None),
        Some(seen) if !PREFACE.starts_with(seen) => return Ok(First::Http1(Bytes::new())),
        Some(_) => {}
    }
    let mut first = BytesMut::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&first) && first.len() < PREFACE.len() {
        let mut rest = (&mut *stream).take((PREFACE.len() - first.len()) as u64);
        if rest.read_buf(&mut first).await? == 0 {
            break;
        }
    }
    Ok(match first.freeze() {
        preface if preface == PREFACE => First::Http2(preface),
        begun => First::Http1(begun),
    })
}

/// How a connection in the clear begins.
enum First {
    /// It was closed.
    None,
    /// With a request, of which so much was read already.
    Http1(Bytes),
    /// With the preface, which was read.
    Http2(Bytes),
}
