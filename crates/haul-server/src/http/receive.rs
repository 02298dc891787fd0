//! The content of a request on its way into an upload, for every dialect.

use std::{
    cmp::Ordering,
    sync::{
        Arc,
        atomic::{self, AtomicU64},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{Algorithm, Digest, TreePath};
use haul_store::{Body, StoreError};

use super::{
    content::{Content, Cut},
    file,
    request::Client,
};
use crate::{
    ServerError,
    checksum::Checksum,
    depot::{Control, DataEnd, Order, Receiving, Settled, Visitor},
    house::OnItsWay,
    log::{Direction, Ended, Event, Transfer},
    metrics::{Dialect, Meter},
    pace::Way,
};

/// Where no bytes come, it is looked at so often whether those that came are safe.
const LOOK_AFTER: Duration = Duration::from_secs(1);

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
    /// How many bytes came, for whoever asks meanwhile.
    came: Arc<AtomicU64>,
    meter: Meter,
    underway: OnItsWay,
    client: Arc<Client>,
    visitor: Visitor,
    /// Where it is to be, where somebody writes down what it replaces.
    path: Option<TreePath>,
    /// What the content has come to so far, by each algorithm that it may have to be shown by.
    checked: Vec<Checksum>,
}

/// Begins to receive. That there is no room in a quota is an end of it, which is written down, and told.
pub(super) async fn begin(
    client: &Arc<Client>,
    visitor: &Visitor,
    path: &TreePath,
    order: Order,
    dialect: Dialect,
) -> Result<Receiving, ServerError> {
    let began = Instant::now();
    let begun = visitor.begin(path, order).await;
    if let Err(error @ ServerError::OverQuota) = &begun {
        let transfer = file::transfer(client, visitor, path, 0);
        let (took, ended) = (began.elapsed(), Ended::Failed { why: error.to_string() });
        tell(client, visitor, Transfer { direction: Direction::Received, dialect, took, ended, ..transfer });
    }
    begun
}

/// Writes down the end of something received; hooks hear of it where it has a place in the tree.
fn tell(client: &Client, visitor: &Visitor, transfer: Transfer) {
    if visitor.is_aside() {
        client.house.log.tell(Event::Transferred(transfer));
    } else {
        client.house.transferred(transfer, super::PROTOCOL);
    }
}

impl Arriving {
    pub(super) fn new(
        client: &Arc<Client>,
        visitor: &Visitor,
        path: &TreePath,
        receiving: Receiving,
        dialect: Dialect,
    ) -> Self {
        let transfer = file::transfer(client, visitor, path, receiving.offset());
        let resumed = client.house.log.metrics().resumes(&transfer.path, transfer.from);
        let direction = Direction::Received;
        let transfer = Transfer { direction, dialect, resumed, ..transfer };
        let meter = client.house.log.metrics().meter(transfer.door, direction);
        let came = Arc::<AtomicU64>::default();
        let underway = client.place.moves(transfer, Arc::<AtomicU64>::clone(&came));
        let path = client.house.log.audits().then(|| path.clone());
        let (client, visitor) = (Arc::clone(client), visitor.clone());
        Self { path, receiving, came, meter, underway, client, visitor, checked: Vec::new() }
    }

    /// What comes from now on counts only once it [is right](Self::is_right) by one of these algorithms.
    pub(super) async fn withhold(&mut self, until: &[Algorithm]) -> Result<(), ServerError> {
        self.receiving.withhold().await?;
        self.checked = until.iter().copied().map(Checksum::of).collect();
        Ok(())
    }

    /// Whether all that came is what it should be. If not, none of it counts.
    pub(super) async fn is_right(&mut self, expected: &Digest) -> Result<bool, ServerError> {
        let right = self.checked.drain(..).filter_map(Checksum::value).any(|made| made == *expected);
        if right {
            self.receiving.vouch().await?;
        }
        Ok(right)
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
        let end = most.map(|most| self.receiving.offset().saturating_add(most));
        // The last piece is taken only when it is sure that it is the last: with it an upload has all that was
        // declared, and is whole, whatever is said of it afterwards.
        let mut last: Option<Bytes> = None;
        loop {
            let next = self.next(content, &mut told).await;
            let piece = match (last.take(), next) {
                (Some(_), Some(Ok(_))) => return Poured::TooMuch,
                (Some(last), next) => {
                    if let Err(error) = self.take_in_time(last).await {
                        return Poured::Failed(error);
                    }
                    told(self.receiving.safe());
                    return next.and_then(Result::err).unwrap_or(Poured::Whole);
                }
                (None, None) => return Poured::Whole,
                (None, Some(Err(poured))) => return poured,
                (None, Some(Ok(piece))) => piece,
            };
            let room = end.map_or(u64::MAX, |end| end.saturating_sub(self.receiving.offset()));
            match (piece.len() as u64).cmp(&room) {
                Ordering::Greater => return Poured::TooMuch,
                Ordering::Equal => last = Some(piece),
                Ordering::Less => {
                    if let Err(error) = self.take_in_time(piece).await {
                        return Poured::Failed(error);
                    }
                    told(self.receiving.safe());
                }
            }
        }
    }

    /// The next piece. While none comes, what came is made safe in time all the same, and whoever was taken over hears
    /// of it.
    async fn next(
        &mut self,
        content: &mut Content,
        told: &mut impl FnMut(u64),
    ) -> Option<Result<Bytes, Poured>> {
        let mut left = self.client.settings.times.stall;
        loop {
            let time = left.min(LOOK_AFTER);
            match content.next(time).await {
                Ok(came) => return came.map(|came| came.map_err(Poured::Cut)),
                Err(_) if left <= LOOK_AFTER => {
                    return content.stalled().map(|came| came.map_err(Poured::Cut));
                }
                Err(_) => {
                    left = left.saturating_sub(time);
                    if let Err(error) = self.receiving.rest().await {
                        return Some(Err(Poured::Failed(error)));
                    }
                    told(self.receiving.safe());
                }
            }
        }
    }

    /// Takes in a piece as fast as that may be.
    async fn take_in_time(&mut self, mut piece: Bytes) -> Result<(), ServerError> {
        while let Some(most) = self.visitor.piece(Way::Up).and_then(|most| usize::try_from(most).ok())
            && !piece.is_empty()
        {
            let some = piece.split_to(piece.len().min(most));
            // Memory of its own, which who is not limited does not hold.
            Box::pin(self.visitor.pass_up(some.len() as u64, || self.receiving.waits())).await;
            self.take(some).await?;
        }
        if piece.is_empty() { Ok(()) } else { self.take(piece).await }
    }

    /// Takes in a piece.
    pub(super) async fn take(&mut self, piece: Bytes) -> Result<(), ServerError> {
        for made in &mut self.checked {
            made.take(&piece);
        }
        let len = piece.len() as u64;
        // Memory of its own, as the end has.
        Box::pin(self.receiving.append(piece)).await?;
        self.came.fetch_add(len, atomic::Ordering::Relaxed);
        self.meter.add(len);
        Ok(())
    }

    /// Takes in bytes of another file of this tree, which its store copies by itself. No checksum is made of them.
    pub(super) async fn copy(&mut self, body: &Body, at: u64, len: u64) -> Result<(), ServerError> {
        Box::pin(self.receiving.copy(body, at, len)).await?;
        self.came.fetch_add(len, atomic::Ordering::Relaxed);
        Ok(())
    }

    /// The end of it: published where that is what it comes to. It has memory of its own, which those that wait for
    /// their bytes do not hold.
    pub(super) async fn settle(self, data: DataEnd, why: &str) -> Result<Settled, ServerError> {
        Box::pin(self.settled(data, why)).await
    }

    async fn settled(self, data: DataEnd, why: &str) -> Result<Settled, ServerError> {
        let control = if data == DataEnd::Clean { Control::Alive } else { Control::Gone };
        let Self { mut receiving, underway, client, visitor, path, .. } = self;
        let replaced = match path {
            Some(path) => visitor.published(&path).await.is_ok(),
            None => false,
        };
        // Before it is judged: what an end promises.
        let settled = match receiving.sync().await {
            Ok(()) => receiving.settle(data, control).await,
            // As much as is safe is kept; what is whole all the same is there.
            Err(error) => match receiving.settle(DataEnd::Unclean, Control::Gone).await {
                Ok(done @ Settled::Published(_)) => Ok(done),
                Ok(Settled::Kept { .. }) | Err(_) => Err(error),
            },
        };
        tell(&client, &visitor, Transfer { replaced, ..underway.ended(ended(&settled, why)) });
        settled
    }

    /// The end of a part of it: kept, with all that came.
    pub(super) async fn keep(self) -> Result<Settled, ServerError> {
        let Self { receiving, underway, client, .. } = self;
        let settled = Box::pin(receiving.keep()).await;
        if underway.moved() == 0 && settled.is_ok() {
            // That it was begun is no transfer.
            return settled;
        }
        // That more is to come is no end.
        let transfer = underway.ended(ended(&settled, "more is to come"));
        if let Ok(Settled::Kept { at, .. }) = &settled {
            client.house.log.metrics().continues(&transfer.path, *at);
        }
        client.house.log.tell(Event::Transferred(transfer));
        settled
    }
}

/// What is written down of its end.
fn ended(settled: &Result<Settled, ServerError>, why: &str) -> Ended {
    match settled {
        Ok(Settled::Published(_)) => Ended::Complete,
        Ok(Settled::Kept { at, .. }) => Ended::Kept { at: *at, why: why.to_owned() },
        Err(error) => Ended::Failed { why: error.to_string() },
    }
}

/// Whether a newer request has taken an upload over.
pub(super) fn is_fenced(error: &ServerError) -> bool {
    matches!(error, ServerError::Store(StoreError::Fenced { .. }) | ServerError::Busy)
}
