//! What a run learns of a host, over all of its transfers: how many connections it gets at a time, where a refusal
//! teaches that it bears fewer; and what an FTP server there is like.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::source::FtpServer;

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    slots: Arc<Semaphore>,
    most: AtomicUsize,
    /// The FTP server, where there is one.
    pub(crate) ftp: Arc<FtpServer>,
}

/// The right to one connection.
#[derive(Debug)]
pub(crate) struct Slot {
    permit: OwnedSemaphorePermit,
    host: Arc<Host>,
}

impl Host {
    pub(crate) fn new(most: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(most)), most: AtomicUsize::new(most), ftp: Arc::default() }
    }

    /// Waits for its turn. `None` never comes: the slots are never closed.
    pub(crate) async fn slot(self: Arc<Self>) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        Some(Slot { permit, host: self })
    }

    /// One more connection, if it may be now.
    pub(crate) fn spare_slot(self: Arc<Self>) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot { permit, host: self })
    }
}

impl Slot {
    /// The host refused this connection beside the others: one fewer than are open now is what it bears.
    pub(crate) fn refused(self) {
        let Host { slots, most, .. } = &*self.host;
        let free = slots.available_permits();
        let open = most.load(Relaxed).saturating_sub(free);
        if open > 1 {
            let forgotten = slots.forget_permits(free);
            self.permit.forget();
            most.fetch_sub(forgotten + 1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_bears_two_is_given_two() {
        let host = Arc::new(Host::new(8));
        let mut slots = Vec::new();
        while let Some(slot) = Arc::clone(&host).spare_slot() {
            slots.push(slot);
        }
        assert_eq!(slots.len(), 8);
        // Six of eight are refused, one after the other.
        slots.drain(..6).for_each(Slot::refused);
        assert!(Arc::clone(&host).spare_slot().is_none());
        slots.clear();
        let first = Arc::clone(&host).slot().await.unwrap();
        let second = Arc::clone(&host).spare_slot().unwrap();
        assert!(Arc::clone(&host).spare_slot().is_none());
        drop(second);
        // One alone is never refused away.
        first.refused();
        assert!(host.spare_slot().is_some());
    }
}
