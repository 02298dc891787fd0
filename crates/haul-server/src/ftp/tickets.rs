//! TLS tickets of one control connection: sealed with its own key, and each with the number of the connection that
//! brought it.
//!
//! Where resuming is required a ticket is worth something only if that connection was the control connection itself or
//! a data connection that had resumed one of its sessions. Else a stranger, sent away from one data connection, would
//! take its ticket to the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{
    crypto::aws_lc_rs,
    server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions},
};

/// The number of the control connection.
const CONTROL: u32 = 0;
/// After so many strangers nothing is resumed any more.
const STRANGERS: usize = 64;
/// Sessions of TLS 1.2 that are found by number.
const KEPT: usize = 16;

/// What makes and opens tickets.
#[derive(Debug)]
pub(super) struct Tickets {
    keys: Arc<dyn ProducesTickets>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The connection that comes next.
    next: u32,
    /// The one that was not judged yet.
    open: Option<u32>,
    /// Those that had not resumed anything.
    strangers: Vec<u32>,
}

impl Tickets {
    /// With a new key.
    pub(super) fn new() -> Result<Arc<Self>, rustls::Error> {
        let known = Known { next: CONTROL + 1, open: None, strangers: Vec::new() };
        Ok(Arc::new(Self { keys: aws_lc_rs::Ticketer::new()?, known: Mutex::new(known) }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the control connection.
    pub(super) fn for_control(self: &Arc<Self>) -> Arc<dyn ProducesTickets> {
        Arc::new(Numbered { tickets: Arc::clone(self), number: CONTROL })
    }

    /// For the next data connection, which is a stranger until [`Self::is_ours`] is said.
    pub(super) fn for_data(self: &Arc<Self>) -> Arc<dyn ProducesTickets> {
        let mut known = self.known();
        if let Some(unjudged) = known.open {
            known.strangers.push(unjudged);
        }
        let number = known.next;
        known.next = number.saturating_add(1);
        known.open = Some(number);
        Arc::new(Numbered { tickets: Arc::clone(self), number })
    }

    /// The data connection that was made last has resumed a session of ours.
    pub(super) fn is_ours(&self) {
        self.known().open = None;
    }

    fn trusts(&self, number: u32) -> bool {
        let known = self.known();
        number < known.next
            && known.open != Some(number)
            && known.strangers.len() < STRANGERS
            && !known.strangers.contains(&number)
    }
}

/// Tickets of one connection.
#[derive(Debug)]
struct Numbered {
    tickets: Arc<Tickets>,
    number: u32,
}

impl ProducesTickets for Numbered {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.tickets.keys.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.keys.encrypt(&[&self.number.to_be_bytes(), plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let opened = self.tickets.keys.decrypt(cipher)?;
        let (number, plain) = opened.split_first_chunk()?;
        self.tickets.trusts(u32::from_be_bytes(*number)).then(|| plain.to_vec())
    }
}

/// Sessions of TLS 1.2 by number: kept by the control connection only, and found by its data connections.
#[derive(Debug)]
pub(super) struct Numbers {
    kept: Arc<ServerSessionMemoryCache>,
    keeps: bool,
}

impl Numbers {
    /// For the control connection.
    pub(super) fn new() -> Self {
        Self { kept: ServerSessionMemoryCache::new(KEPT), keeps: true }
    }

    /// For its data connections.
    pub(super) fn for_data(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), keeps: false }
    }
}

impl StoresServerSessions for Numbers {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.keeps && self.kept.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept.take(key)
    }

    fn can_cache(&self) -> bool {
        self.keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_ticket_opens_nothing() {
        let tickets = Tickets::new().unwrap();
        let own = tickets.for_control().encrypt(b"own").unwrap();
        let stranger = tickets.for_data();
        let strange = stranger.encrypt(b"strange").unwrap();
        assert_eq!(stranger.decrypt(&strange), None, "not judged yet");
        let next = tickets.for_data();
        assert_eq!(next.decrypt(&strange), None);
        assert_eq!(next.decrypt(&own).as_deref(), Some(&b"own"[..]));
        tickets.is_ours();
        let ours = next.encrypt(b"ours").unwrap();
        let third = tickets.for_data();
        assert_eq!(third.decrypt(&ours).as_deref(), Some(&b"ours"[..]));
        assert_eq!(third.decrypt(&strange), None, "for ever");
        assert_eq!(Tickets::new().unwrap().for_control().decrypt(&own), None, "another session's");
    }
}
