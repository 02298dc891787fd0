//! On what terms the door serves: limits, times, TLS, and which pages elsewhere may use it. Read at the beginning of a
//! connection, so that a change holds for whoever comes next.

use std::time::Duration;

use super::tls::Protection;
use crate::Hosts;

/// The terms of a door.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A certificate, and whether nothing is served without it.
    pub protection: Option<Protection>,
    /// How many of what.
    pub limits: Limits,
    /// How long for what.
    pub times: Times,
    /// Whose pages may read and change things here, as browsers name them (`https://example.org`); `*` is everybody's,
    /// for reading alone.
    pub origins: Vec<String>,
    /// Names under which this server is known, beside those that mean this machine: asked for where a connection comes
    /// from it.
    pub hosts: Vec<String>,
    /// Hosts that this server is besides, under their names.
    pub virtual_hosts: Hosts,
}

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address.
    pub per_address: usize,
    /// Fields of one request.
    pub fields: usize,
    /// Bytes of the head of one request.
    pub head: usize,
    /// Requests at a time on one connection of HTTP/2.
    pub streams: u32,
}

/// How long for what. None of them runs while data flows.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the head of a request, from the end of the one before it: idle connections last so long.
    pub head: Duration,
    /// Without a byte in a transfer, either way.
    pub stall: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, per_address: 10_000, fields: 100, head: 64 << 10, streams: 100 }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(60),
            stall: Duration::from_secs(120),
            handshake: Duration::from_secs(30),
        }
    }
}
