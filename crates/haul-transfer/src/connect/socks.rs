//! The client's side of SOCKS 5 (RFC 1928) with user name and password (RFC 1929). CONNECT only.
//!
//! ```text
//! methods ──▶ chosen: none ─────────────────────▶ CONNECT ──▶ reply ──▶ the stream is the tunnel
//!                └─ user name/password ─▶ status ───▲
//! ```
//! Every read is of a length the RFC fixes, at most 262 bytes, and never takes a byte of what follows.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::ProxyFailure;
use crate::credentials::Credentials;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHODS: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;

/// Where the proxy is to connect to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// An address that we know.
    Address(SocketAddr),
    /// A name that the proxy resolves.
    Name(&'a str, u16),
}

/// Why the proxy could not connect (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// 1
    GeneralFailure,
    /// 2
    NotAllowed,
    /// 3
    NetworkUnreachable,
    /// 4
    HostUnreachable,
    /// 5
    ConnectionRefused,
    /// 6
    TtlExpired,
    /// 7
    CommandNotSupported,
    /// 8
    AddressTypeNotSupported,
    /// Anything else.
    Unassigned(u8),
}

impl Reply {
    /// `None` for success.
    fn failure(code: u8) -> Option<Self> {
        Some(match code {
            0 => return None,
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Unassigned(other),
        })
    }

    /// Whether another address of the same host may fare better.
    pub(super) fn is_about_the_address(self) -> bool {
        !matches!(self, Self::NotAllowed | Self::CommandNotSupported)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeneralFailure => "general failure",
            Self::NotAllowed => "its rules do not allow it",
            Self::NetworkUnreachable => "the network is unreachable",
            Self::HostUnreachable => "the host is unreachable or unknown",
            Self::ConnectionRefused => "the server refused the connection",
            Self::TtlExpired => "the host did not answer in time",
            Self::CommandNotSupported => "it does not know CONNECT",
            Self::AddressTypeNotSupported => "it does not know this type of address",
            Self::Unassigned(code) => return write!(f, "SOCKS reply {code}"),
        })
    }
}

/// Asks the proxy at the other end of `stream` for a way to `target`. Afterwards the stream is that way.
pub(super) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    target: Target<'_>,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyFailure> {
    let request = connect_request(target)?;
    let methods: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USERNAME_PASSWORD],
        None => &[VERSION, 1, NO_AUTHENTICATION],
    };
    stream.write_all(methods).await.map_err(broken)?;
    let [version, method] = read(stream).await?;
    check(version)?;
    match (method, credentials) {
        (NO_AUTHENTICATION, _) => {}
        (USERNAME_PASSWORD, Some(credentials)) => authenticate(stream, credentials).await?,
        (NO_ACCEPTABLE_METHODS, None) => return Err(ProxyFailure::NeedsCredentials),
        (NO_ACCEPTABLE_METHODS, Some(_)) => return Err(ProxyFailure::BadCredentials),
        _ => return Err(ProxyFailure::Protocol("it chose a method that was not offered")),
    }
    stream.write_all(&request).await.map_err(broken)?;
    let [version, reply, _reserved, address_type] = read(stream).await?;
    check(version)?;
    if let Some(failure) = Reply::failure(reply) {
        return Err(ProxyFailure::Socks(failure));
    }
    skip_bound_address(stream, address_type).await
}

async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    credentials: &Credentials,
) -> Result<(), ProxyFailure> {
    let mut request = vec![1];
    for field in [&credentials.user, &credentials.password] {
        let length = u8::try_from(field.len()).map_err(|_| ProxyFailure::BadCredentials)?;
        request.push(length);
        request.extend_from_slice(field.as_bytes());
    }
    stream.write_all(&request).await.map_err(broken)?;
    // The version of the answer is 1; some proxies say 5, and nothing hangs on it.
    let [_version, status] = read(stream).await?;
    if status == 0 { Ok(()) } else { Err(ProxyFailure::BadCredentials) }
}

fn connect_request(target: Target<'_>) -> Result<Vec<u8>, ProxyFailure> {
    let mut request = vec![VERSION, CONNECT, 0];
    let port = match target {
        Target::Address(SocketAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.ip().octets());
            address.port()
        }
        Target::Address(SocketAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.ip().octets());
            address.port()
        }
        Target::Name(name, port) => {
            let length = u8::try_from(name.len())
                .map_err(|_| ProxyFailure::Protocol("SOCKS has no room for a name of more than 255 bytes"))?;
            request.extend_from_slice(&[DOMAIN_NAME, length]);
            request.extend_from_slice(name.as_bytes());
            port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

/// The address that the proxy connects from is of no use to us, but stands before the first byte of the tunnel.
async fn skip_bound_address<S: AsyncRead + Unpin>(
    stream: &mut S,
    address_type: u8,
) -> Result<(), ProxyFailure> {
    let length = match address_type {
        IPV4 => 4,
        IPV6 => 16,
        DOMAIN_NAME => usize::from(read::<_, 1>(stream).await?[0]),
        _ => return Err(ProxyFailure::Protocol("it answered with an unknown type of address")),
    };
    let mut rest = vec![0; length + 2];
    stream.read_exact(&mut rest).await.map_err(broken)?;
    Ok(())
}

async fn read<S: AsyncRead + Unpin, const N: usize>(stream: &mut S) -> Result<[u8; N], ProxyFailure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

fn check(version: u8) -> Result<(), ProxyFailure> {
    if version == VERSION { Ok(()) } else { Err(ProxyFailure::Protocol("the answer is not SOCKS 5")) }
}

fn broken(error: io::Error) -> ProxyFailure {
    ProxyFailure::Broken(Box::new(error))
}
