//! The TLS sessions of one dialogue with one server: what its next connection can resume.
//!
//! Many FTP servers refuse a data connection that does not resume the control connection's session. Under TLS 1.3 each
//! ticket is good for one connection, and a server may hand out fewer than it wants to see: so it has to be known
//! before a connection whether there is one left.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustls::{
    NamedGroup,
    client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
};

/// More tickets than this are not kept: the oldest go first.
const MOST: usize = 8;

/// Sessions with one server, whatever it is called: no other one is spoken to with them.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    group: Option<NamedGroup>,
    /// TLS 1.2: good for any number of connections.
    session: Option<Tls12ClientSessionValue>,
    /// TLS 1.3: each for one.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl Tickets {
    /// Whether the next connection can resume a session.
    pub(super) fn is_some(&self) -> bool {
        let held = self.held();
        held.session.is_some() || !held.tickets.is_empty()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _server: ServerName<'static>, group: NamedGroup) {
        self.held().group = Some(group);
    }

    fn kx_hint(&self, _server: &ServerName<'_>) -> Option<NamedGroup> {
        self.held().group
    }

    fn set_tls12_session(&self, _server: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.held().session = Some(session);
    }

    fn tls12_session(&self, _server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.held().session.clone()
    }

    fn remove_tls12_session(&self, _server: &ServerName<'static>) {
        self.held().session = None;
    }

    fn insert_tls13_ticket(&self, _server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut held = self.held();
        if held.tickets.len() == MOST {
            held.tickets.pop_front();
        }
        held.tickets.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.held().tickets.pop_back()
    }
}
