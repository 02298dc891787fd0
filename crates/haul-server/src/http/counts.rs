//! What the door has counted since the server was started: for `/-/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures that only grow.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicU64,
    requests: [AtomicU64; 5],
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counts {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, status: http::StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = self.requests.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Answers by the class of their status, 1xx first.
    pub(super) fn requests(&self) -> [u64; 5] {
        std::array::from_fn(|class| self.requests.get(class).map_or(0, |count| count.load(Ordering::Relaxed)))
    }

    pub(super) fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}
