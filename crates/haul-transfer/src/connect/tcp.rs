//! From a name and a port to a TCP connection: addresses of both families, tried as RFC 8305 says (happy eyeballs).
//!
//! It knows neither proxies nor deadlines: whoever asks drops the future when the time is up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How long one attempt may stay without result before the next address is tried beside it (RFC 8305 §5 and §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The addresses of `host`: a literal, `localhost`, or a name for the system's resolver. Never empty.
pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // RFC 6761 §6.3: always the loopback, whatever a resolver or a one-sided /etc/hosts says; and no thread for it.
    if host.eq_ignore_ascii_case("localhost") {
        let both: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        return Ok(both.map(|address| SocketAddr::new(address, port)).into());
    }
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    Ok(addresses)
}

/// Connects to whichever address answers first. They start in turn, a quarter of a second apart or as soon as the
/// one before has failed. The error is a refusal where there was one, since that names the cause best.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    if let [only] = addresses[..] {
        return attempt(only).await;
    }
    let mut waiting = interleave(addresses).into_iter();
    let mut running = JoinSet::new();
    let mut failure = io::Error::other("there is no address to try");
    loop {
        let more = match waiting.next() {
            Some(address) => {
                running.spawn(attempt(address));
                waiting.len() > 0
            }
            None => false,
        };
        let ended = if more {
            tokio::time::timeout(ATTEMPT_DELAY, running.join_next()).await
        } else {
            Ok(running.join_next().await)
        };
        match ended {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => {
                if failure.kind() != io::ErrorKind::ConnectionRefused {
                    failure = error;
                }
            }
            Ok(Some(Err(lost))) => failure = io::Error::other(lost),
            Ok(None) => return Err(failure),
            Err(_slow) => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    // The receive buffer is left to the kernel: setting it would end its autotuning.
    socket.set_keepalive(true)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Lets no more than so many bytes wait in the system to be sent. Where it knows no such thing, they wait as they like.
pub(super) fn hold_back(stream: &TcpStream, unsent: Option<u32>) {
    let Some(bytes) = unsent else { return };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes) {
        tracing::debug!(%error, "the system keeps what is to be sent as it likes");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, bytes);
}

/// The resolver's order within a family, the families in turn, beginning with the resolver's favourite (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let total = addresses.len();
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::with_capacity(total);
    while order.len() < total {
        order.extend(first.next());
        order.extend(second.next());
    }
    order
}
