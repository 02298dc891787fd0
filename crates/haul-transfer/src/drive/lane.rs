//! One lane: opens its source, compares what is there already, and hands on the rest in pieces.
//!
//! It knows nothing of the other lanes and decides nothing; the transfer machine does, by what it is told here.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{
    ByteRange, Digest, Entity,
    transfer::{Ask, LaneId, Match, Ranges, Trouble},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use super::writer::Reader;
use crate::{
    host::{Host, Slot},
    rate::Limit,
    source::{Body, Failed, OpenError, Opened, Source, Wish},
};

/// What a lane tells the driver.
#[derive(Debug)]
pub(super) enum Word {
    Opened {
        seen: Entity,
        from: u64,
        to: Option<u64>,
        ranges: Ranges,
        name: Option<String>,
        digests: Vec<Digest>,
    },
    Checked(Match),
    /// Still at work: comparing, waiting for its turn, or for what has to come before a piece can be had.
    Heard,
    Bytes {
        at: u64,
        bytes: Bytes,
        /// The lane's next piece comes when this is given back.
        turn: OwnedSemaphorePermit,
    },
    Ended,
    Unsatisfiable {
        seen: Entity,
        total: Option<u64>,
    },
    Failed(Failed),
}

/// What all lanes of a transfer share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) words: mpsc::Sender<(LaneId, Word)>,
    pub(super) limit: Option<Arc<Limit>>,
    /// Bytes of bodies that came over the network, wanted or not.
    pub(super) fetched: Arc<AtomicU64>,
    /// For the bytes that are there already; `None` before there are any.
    pub(super) reader: Option<Reader>,
}

/// How often a lane that brings nothing says that it is alive.
const HEARD: Duration = Duration::from_millis(500);

/// A lane at work; dropping it closes its connection.
#[derive(Debug)]
pub(super) struct Lane {
    task: JoinHandle<()>,
}

/// How a lane comes by its connection.
pub(super) enum Entry {
    /// It waits for its turn at this host.
    Turn(Arc<Host>),
    /// It has a slot.
    Slot(Slot),
    /// It asks one small question and needs none.
    Aside,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends a lane out.
pub(super) fn start<S: Source>(
    runs: &Handle,
    source: Arc<S>,
    id: LaneId,
    ask: Ask,
    wish: Wish,
    entry: Entry,
    shared: Shared,
) -> Lane {
    let task = runs.spawn(async move {
        let slot = match entry {
            Entry::Turn(host) => in_turn(&shared, id, host.slot()).await,
            Entry::Slot(slot) => Some(slot),
            Entry::Aside => None,
        };
        let last = match run(&*source, id, ask, wish, &shared).await {
            Ok(()) => Word::Ended,
            Err(OpenError::Unsatisfiable { seen, total }) => Word::Unsatisfiable { seen, total },
            Err(OpenError::Failed(failed)) => {
                if let (Trouble::Busy, Some(slot)) = (failed.why, slot) {
                    slot.refused();
                }
                Word::Failed(failed)
            }
        };
        tell(&shared, id, last).await;
    });
    Lane { task }
}

/// Tells the driver; where nobody listens any more, the lane waits to be dropped.
async fn tell(shared: &Shared, id: LaneId, word: Word) {
    if shared.words.send((id, word)).await.is_err() {
        pending::<()>().await;
    }
}

async fn run<S: Source>(
    source: &S,
    id: LaneId,
    ask: Ask,
    wish: Wish,
    shared: &Shared,
) -> Result<(), OpenError> {
    let began = Instant::now();
    let opened = match source.keeps_time() {
        true => in_turn(shared, id, source.open(wish)).await?,
        false => source.open(wish).await?,
    };
    let Opened { seen, from, to, ranges, name, digests, place, mut body } = opened;
    tracing::debug!(lane = id.0, %place, from, ?to, took = ?began.elapsed(), "opened");
    tell(shared, id, Word::Opened { seen, from, to, ranges, name, digests }).await;
    let mut at = from;
    let mut rest = None;
    if from < ask.compare_to {
        let found;
        (found, at, rest) = compare(&mut body, (from, to), ask.compare_to, id, shared).await?;
        tell(shared, id, Word::Checked(found)).await;
    }
    // One piece of a lane at a time is on its way to the disk: meanwhile the next ones wait in the socket.
    let turns = Arc::new(Semaphore::new(1));
    loop {
        let turn = in_turn(shared, id, Arc::clone(&turns).acquire_owned()).await;
        let Ok(turn) = turn else { return pending().await };
        let piece = match rest.take() {
            Some(rest) => rest,
            // All of it came. A clean end lets the connection be used again; nothing else is awaited.
            None if to.is_some_and(|to| at >= to) => {
                let _ = tokio::time::timeout(HEARD, next(&mut body, shared)).await;
                return Ok(());
            }
            None => match next(&mut body, shared).await? {
                Some(piece) => piece,
                None => return Ok(()),
            },
        };
        let len = piece.len();
        if len == 0 {
            tell(shared, id, Word::Heard).await;
            continue;
        }
        tell(shared, id, Word::Bytes { at, bytes: piece, turn }).await;
        at += len as u64;
        if let Some(limit) = &shared.limit {
            in_turn(shared, id, limit.pay(len)).await;
        }
    }
}

/// The next piece of a body, counted.
async fn next<B: Body>(body: &mut B, shared: &Shared) -> Result<Option<Bytes>, OpenError> {
    let piece = body.next().await.map_err(OpenError::Failed)?;
    shared.fetched.fetch_add(piece.as_ref().map_or(0, |piece| piece.len() as u64), Relaxed);
    Ok(piece)
}

/// Waits for something that takes as long as it takes, and says now and then that the lane is alive.
async fn in_turn<T>(shared: &Shared, id: LaneId, wait: impl Future<Output = T>) -> T {
    let mut wait = std::pin::pin!(wait);
    loop {
        tokio::select! {
            biased;
            done = &mut wait => return done,
            () = tokio::time::sleep(HEARD) => tell(shared, id, Word::Heard).await,
        }
    }
}

/// Reads up to `end` and compares with what is there. Returns what it found, the offset reached, and what came beyond.
async fn compare<B: Body>(
    body: &mut B,
    (from, to): (u64, Option<u64>),
    end: u64,
    id: LaneId,
    shared: &Shared,
) -> Result<(Match, u64, Option<Bytes>), OpenError> {
    let mut at = from;
    let mut told = Instant::now();
    let mut blank = Blank::default();
    while at < end {
        let Some(mut piece) = next(body, shared).await? else {
            if to.is_some_and(|to| at >= to) {
                let message = "the server's answers are too short to be compared";
                return Err(OpenError::Failed(Failed::new(Trouble::Broken, message)));
            }
            // The whole ended before it reached what is there: not the same file.
            return Ok((Match::Different, at, None));
        };
        let inside = (end - at).min(piece.len() as u64) as usize;
        let rest = piece.split_off(inside);
        // What went to standard output long ago is out of reach; its end is not.
        let reach = shared
            .reader
            .as_ref()
            .and_then(|reader| reader.reach)
            .map_or(0, |reach| end.saturating_sub(reach));
        let comparable = piece.slice((reach.saturating_sub(at) as usize).min(inside)..);
        at += inside as u64;
        if let Some(range) = ByteRange::new(at - comparable.len() as u64, at) {
            let here = match &shared.reader {
                Some(reader) => in_turn(shared, id, reader.read(range)).await,
                None => None,
            };
            if here.as_ref() != Some(&comparable) {
                return Ok((Match::Different, at, None));
            }
            blank.see(&comparable);
        }
        if let Some(limit) = &shared.limit {
            in_turn(shared, id, limit.pay(inside)).await;
        }
        if told.elapsed() > HEARD {
            told = Instant::now();
            tell(shared, id, Word::Heard).await;
        }
        if at == end {
            return Ok((blank.verdict(), at, Some(rest).filter(|rest| !rest.is_empty())));
        }
    }
    Ok((blank.verdict(), at, None))
}

/// Whether all bytes seen are one repeated byte.
#[derive(Debug, Default)]
struct Blank {
    first: Option<u8>,
    varied: bool,
}

impl Blank {
    fn see(&mut self, bytes: &[u8]) {
        let Some(first) = self.first.or(bytes.first().copied()) else { return };
        self.first = Some(first);
        self.varied = self.varied || bytes.iter().any(|byte| *byte != first);
    }

    fn verdict(&self) -> Match {
        if self.varied { Match::Same } else { Match::Blank }
    }
}
