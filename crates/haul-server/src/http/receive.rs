//! The content of a request on its way into an upload, for every dialect.

use std::{sync::Arc, time::Instant};

use haul_core::TreePath;
use haul_store::StoreError;

use super::{
    content::{Content, Cut},
    file,
    request::Client,
};
use crate::{
    ServerError,
    depot::{Control, DataEnd, Receiving, Settled, Visitor},
    log::{Direction, Ended, Event, Transfer},
};

/// How the content ended.
pub(super) enum Poured {
    /// As a whole message ends.
    Whole,
    /// In the middle.
    Cut(Cut),
    /// There was more than was to come.
    TooMuch,
    /// Here.
    Failed(ServerError),
}

/// An upload that is being received, and what is written down of it.
pub(super) struct Arriving {
    receiving: Receiving,
    began: Instant,
    transfer: Transfer,
    client: Arc<Client>,
}

impl Arriving {
    pub(super) fn new(
        client: &Arc<Client>,
        visitor: &Visitor,
        path: &TreePath,
        receiving: Receiving,
    ) -> Self {
        let transfer = file::transfer(client, visitor, path, receiving.offset());
        let transfer = Transfer { direction: Direction::Received, ..transfer };
        Self { receiving, began: Instant::now(), transfer, client: Arc::clone(client) }
    }

    /// The byte that comes next.
    pub(super) fn offset(&self) -> u64 {
        self.receiving.offset()
    }

    /// Has it remembered now; its name.
    pub(super) async fn name(&mut self) -> Result<Option<String>, ServerError> {
        self.receiving.name().await
    }

    /// Takes in the content, but no more than `most` bytes; `told` hears how much is safe.
    pub(super) async fn pour(
        &mut self,
        content: &mut Content,
        most: Option<u64>,
        mut told: impl FnMut(u64),
    ) -> Poured {
        let stall = self.client.settings.times.stall;
        let end = most.map(|most| self.receiving.offset().saturating_add(most));
        while let Some(piece) = content.next(stall).await {
            let mut piece = match piece {
                Ok(piece) => piece,
                Err(cut) => return Poured::Cut(cut),
            };
            let room = end.map_or(u64::MAX, |end| end.saturating_sub(self.receiving.offset()));
            let too_much = piece.len() as u64 > room;
            if too_much {
                piece.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            }
            let len = piece.len() as u64;
            if len > 0 {
                if let Err(error) = self.receiving.append(piece).await {
                    return Poured::Failed(error);
                }
                self.transfer.bytes += len;
                self.client.house.counts.received(len);
                told(self.receiving.safe());
            }
            if too_much {
                return Poured::TooMuch;
            }
        }
        Poured::Whole
    }

    /// The end of it: published where that is what it comes to.
    pub(super) async fn settle(self, data: DataEnd, why: &str) -> Result<Settled, ServerError> {
        let control = if data == DataEnd::Clean { Control::Alive } else { Control::Gone };
        let Self { mut receiving, began, transfer, client } = self;
        // Before it is judged: what an end promises.
        let settled = match receiving.sync().await {
            Ok(()) => receiving.settle(data, control).await,
            Err(error) => {
                // As much as is safe is kept.
                let _ = receiving.settle(DataEnd::Unclean, Control::Gone).await;
                Err(error)
            }
        };
        write_down(&client, transfer, began, &settled, why);
        settled
    }

    /// The end of a part of it: kept, with all that came.
    pub(super) async fn keep(self) -> Result<Settled, ServerError> {
        let Self { receiving, began, transfer, client } = self;
        let settled = receiving.keep().await;
        write_down(&client, transfer, began, &settled, "more is to come");
        settled
    }
}

fn write_down(
    client: &Client,
    mut transfer: Transfer,
    began: Instant,
    settled: &Result<Settled, ServerError>,
    why: &str,
) {
    transfer.took = began.elapsed();
    transfer.ended = match settled {
        Ok(Settled::Published(_)) => Ended::Complete,
        Ok(Settled::Kept { at, .. }) => Ended::Kept { at: *at, why: why.to_owned() },
        Err(error) => Ended::Failed { why: error.to_string() },
    };
    client.house.log.tell(Event::Transferred(transfer));
}

/// Whether a newer request has taken an upload over.
pub(super) fn is_fenced(error: &ServerError) -> bool {
    matches!(error, ServerError::Store(StoreError::Fenced { .. }) | ServerError::Busy)
}
