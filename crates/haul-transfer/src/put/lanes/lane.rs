//! One lane: opens its connection, and sends the bytes that it is granted, read from the local file, until it hears of its
//! end.
//!
//! It knows nothing of the other lanes. Two grants at most are on their way to it, so that it holds little memory.

use std::{future::pending, sync::Arc};

use bytes::Bytes;
use haul_core::{
    ByteRange,
    transfer::{LaneId, Trouble},
};
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

use super::{Door, Errand, Stopped};
use crate::{
    host::Slot,
    put::{buffer::Buffers, local::LocalFile, sink::Fault},
    rate::Limit,
};

/// What a lane is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Send these bytes.
    Send(ByteRange),
    /// There is no more behind this byte.
    End(u64),
}

/// What a lane tells.
#[derive(Debug)]
pub(super) enum Word {
    /// It can send, from this byte on; where the part is new, its place.
    Opened { at: u64, place: Option<String> },
    /// Its connection took the bytes of one order.
    Moved(u64),
    /// The far end has the part.
    Ended,
    /// There is no such part any more.
    Lost,
    /// It is over.
    Fault(Fault),
    /// So is the whole upload.
    Over(Fault),
    /// The local file has not these bytes any more, or cannot be read.
    Unreadable(Option<std::io::Error>),
}

/// What all lanes of an upload share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) door: Door,
    pub(super) file: LocalFile,
    pub(super) words: mpsc::Sender<(LaneId, Word)>,
    pub(super) limit: Option<Arc<Limit>>,
    /// The most bytes of an order.
    pub(super) grant: usize,
}

/// A lane at work; dropping it closes its connection.
#[derive(Debug)]
pub(super) struct Lane {
    task: JoinHandle<()>,
    /// The machine grants no more than a few at a time.
    orders: mpsc::UnboundedSender<Order>,
}

impl Lane {
    /// Sends a lane out.
    pub(super) fn start(runs: &Handle, errand: Errand, slot: Option<Slot>, shared: Shared) -> Self {
        let (orders, told) = mpsc::unbounded_channel();
        let task = runs.spawn(async move {
            let lane = errand.lane;
            let last = match run(&errand, told, &shared).await {
                Ok(()) => Word::Ended,
                Err(word) => word,
            };
            let busy = matches!(&last, Word::Fault(Fault::Failed(failed)) if failed.why == Trouble::Busy);
            if let Some(slot) = slot.filter(|_| busy) {
                slot.refused();
            }
            tell(&shared, lane, last).await;
        });
        Self { task, orders }
    }

    pub(super) fn order(&self, order: Order) {
        // A lane that is over has said so, or will.
        let _ = self.orders.send(order);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tells the driver; where nobody listens any more, the lane waits to be dropped.
async fn tell(shared: &Shared, lane: LaneId, word: Word) {
    if shared.words.send((lane, word)).await.is_err() {
        pending::<()>().await;
    }
}

async fn run(
    errand: &Errand,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: &Shared,
) -> Result<(), Word> {
    let (at, place, mut way) = shared.door.open(errand).await.map_err(|stopped| match stopped {
        Stopped::Lost => Word::Lost,
        Stopped::Over(fault) => Word::Over(fault),
        Stopped::Fault(fault) => Word::Fault(fault),
    })?;
    tell(shared, errand.lane, Word::Opened { at, place }).await;
    let buffers = Buffers::of(shared.grant);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send(range) => {
                let bytes = read(&shared.file, &buffers, range).await.map_err(Word::Unreadable)?;
                way.hand(bytes).await.map_err(Word::Fault)?;
                tell(shared, errand.lane, Word::Moved(range.len())).await;
                if let Some(limit) = &shared.limit {
                    limit.pay(usize::try_from(range.len()).unwrap_or(usize::MAX)).await;
                }
            }
            Order::End(at) => return way.end(at).await.map_err(Word::Fault),
        }
    }
    pending().await
}

/// These bytes of the local file; `None` as an error is a file that became shorter.
async fn read(
    file: &LocalFile,
    buffers: &Buffers,
    range: ByteRange,
) -> Result<Bytes, Option<std::io::Error>> {
    let wanted = usize::try_from(range.len()).unwrap_or(usize::MAX).min(buffers.size());
    let mut buffer = buffers.take();
    buffer.truncate(wanted);
    let (mut buffer, read) = file.read(buffer, range.start()).await.map_err(Some)?;
    buffer.resize(buffers.size(), 0);
    if read == wanted && wanted as u64 == range.len() { Ok(buffers.filled(buffer, read)) } else { Err(None) }
}
