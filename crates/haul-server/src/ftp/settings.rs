//! On what terms the door serves: limits, times, ports, TLS. Read at the beginning of a session, so that a change
//! holds for whoever comes next.

use std::{net::Ipv4Addr, ops::RangeInclusive, sync::Arc, time::Duration};

use super::tls::Protection;
use crate::{Hosts, house::Proxies};

/// The terms of a door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the greeting says.
    pub banner: String,
    /// What this server is called besides, and what it says then.
    pub hosts: Hosts,
    /// A certificate and what is asked of TLS; without it there is none.
    pub protection: Option<Protection>,
    /// Where data connections are waited for.
    pub passive: Passive,
    /// Whether MODE Z may be used.
    pub compression: bool,
    /// How many of what.
    pub limits: Limits,
    /// How long for what.
    pub times: Times,
}

/// Where data connections are waited for.
#[derive(Clone, Debug, Default)]
pub struct Passive {
    /// The ports; any free one where none are named.
    pub ports: Option<RangeInclusive<u16>>,
    /// The address that PASV tells instead of the connection's own: of whatever translates addresses in between.
    pub external: Option<Ipv4Addr>,
    /// Who may bring one for somebody else.
    pub proxies: Arc<Proxies>,
}

/// How many of what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions of one address.
    pub per_address: usize,
    /// Failed logins on one connection.
    pub logins: u32,
}

/// How long for what. None of them runs while data flows.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the connection to a login.
    pub login: Duration,
    /// Without a command.
    pub idle: Duration,
    /// Without a transfer, whatever else is said.
    pub no_transfer: Duration,
    /// Without a byte in a transfer.
    pub stall: Duration,
    /// For a data connection to come about, its TLS too.
    pub connect: Duration,
    /// For a TLS handshake on the control connection.
    pub handshake: Duration,
    /// For a client to take a reply off our hands.
    pub reply: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            banner: "haul is ready".to_owned(),
            hosts: Hosts::default(),
            protection: None,
            passive: Passive::default(),
            compression: false,
            limits: Limits::default(),
            times: Times::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 2000, per_address: 2000, logins: 3 }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            no_transfer: Duration::from_secs(1800),
            stall: Duration::from_secs(120),
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(30),
            reply: Duration::from_secs(30),
        }
    }
}
