//! Restart markers of an upload in MODE B (RFC 959 §3.5): each place that a client has marked is told back to it, once all
//! before that is safe, as an offset for REST.

use std::collections::VecDeque;

use haul_proto::ftp::block::Marker;
use tokio::sync::mpsc;

use super::target::Target;
use crate::ServerError;

/// The most marks that wait to be safe, or to be told: of a client that sends more, the oldest are not told.
const MOST: usize = 64;

/// A mark whose place is safe: the client's name for it, and the offset.
pub(super) type Safe = (Marker, u64);

/// The marks of one upload.
pub(super) struct Marks {
    waiting: VecDeque<Safe>,
    told: Option<mpsc::Sender<Safe>>,
}

impl Marks {
    /// None is told where there is nobody to be told.
    pub(super) fn new(told: Option<mpsc::Sender<Safe>>) -> Self {
        Self { waiting: VecDeque::new(), told }
    }

    /// Somebody to be told.
    pub(super) fn listener() -> (mpsc::Sender<Safe>, mpsc::Receiver<Safe>) {
        mpsc::channel(MOST)
    }

    /// Whether some are not told.
    pub(super) fn wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The client has marked this place.
    pub(super) async fn add(&mut self, marker: Marker, receiving: &mut Target) -> Result<(), ServerError> {
        if self.told.is_none() {
            return Ok(());
        }
        receiving.mark().await?;
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back((marker, receiving.offset()));
        self.tell(receiving, false).await
    }

    /// Tells those that are safe; with `wait` they all are then. May be dropped.
    pub(super) async fn tell(&mut self, receiving: &mut Target, wait: bool) -> Result<(), ServerError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let safe = receiving.safe_mark(wait).await?;
        while let (Some((_, offset)), Some(told)) = (self.waiting.front(), &self.told)
            && *offset <= safe
        {
            // Whoever takes no replies is told less.
            if let Some(mark) = self.waiting.pop_front() {
                let _ = told.try_send(mark);
            }
        }
        Ok(())
    }
}
