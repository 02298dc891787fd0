//! An upload that several sessions of one owner fill at the same time, each its own range of one staged file.
//!
//! ```text
//!  begun anew, or gone on with ──> lanes come, are filled, leave ──┬── all of it is there ──> published
//!                                                                  └── the last one leaves ─> kept
//! ```
//! It has the seat of its upload as long as there is a lane. Invariants: the ledger never says more than is synced, nor
//! that all of it is there; a byte is written by one lane, once; who was told of a range finds it there.

mod ending;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{
    ByteRange, RangeSet, TreePath,
    receiving::{Takeover, claim, takeover},
};
use haul_store::{
    Durability, Lease, Meta, Scattered, StageId, Staged, StoreError, Stretch, Syncer, Unfinished, boot,
};
use tokio::sync::Mutex as Turn;

pub(super) use ending::Left;

use super::{
    Depot,
    seats::{BREATH, Phase, Seat, Sitting},
    unfinished::{self, Base},
    upload::{ASKED_AGAIN, SYNC_AFTER, SYNC_BYTES},
};
use crate::{ServerError, hooks::Teller};

/// So many pieces an upload may be in: its record has all of them.
const MOST_PIECES: usize = 1000;

/// Who comes back at once may be told of a byte before it is noted when that came: so much longer is waited.
const GRACE: Duration = Duration::from_millis(100);

/// What an upload is to be that comes in ranges.
pub(super) struct Pattern {
    pub(super) target: TreePath,
    /// How many bytes it has in all.
    pub(super) total: u64,
    /// Nothing may be replaced.
    pub(super) only_new: bool,
    pub(super) base: Option<Base>,
    /// So many of its first bytes are the finished file's, and not sent by its owner.
    pub(super) copied: u64,
    pub(super) note: Vec<u8>,
    /// Who uploads, for those who are told of it.
    pub(super) teller: Arc<Teller>,
    /// So many bytes were there before, and when that was.
    pub(super) before: (u64, Instant),
}

/// An upload that is filled by lanes.
pub(super) struct Woven {
    depot: Arc<Depot>,
    seat: Arc<Seat>,
    /// `None` once it is over.
    sitting: Mutex<Option<Sitting>>,
    pattern: Pattern,
    id: StageId,
    mark: Vec<u8>,
    lease: Lease,
    pub(super) scattered: Arc<dyn Scattered>,
    syncer: Arc<dyn Syncer>,
    /// `None` once it is published.
    staged: Turn<Option<Box<dyn Staged>>>,
    state: Mutex<State>,
    /// What was told; locked while more is made safe.
    told: Turn<RangeSet>,
}

struct State {
    lanes: Vec<Entry>,
    /// What lanes have left that are gone, and what was there before them.
    there: RangeSet,
    /// The number of the next lane.
    next: u64,
    over: bool,
    published: Option<Meta>,
    /// A sync has failed: nothing more is claimed.
    lost: bool,
    synced: Instant,
    asked: Option<Instant>,
    /// So many bytes were there at the last sync, or will be once the one is done that is under way.
    safe_soon: u64,
    beside: bool,
}

struct Entry {
    number: u64,
    stretch: Arc<Stretch>,
    /// When its last byte came.
    last: Instant,
}

/// Whether what came is to be made safe.
enum Due {
    Later,
    /// While more comes.
    Beside,
    /// Before more comes: as much again has come since that was begun.
    Now,
}

/// What comes of a wish for a range.
enum Entering {
    In(u64, Arc<Stretch>),
    Wait(Duration),
    Over,
}

impl State {
    fn written(&self) -> RangeSet {
        let mut there = self.there.clone();
        there.extend(self.lanes.iter().filter_map(|lane| lane.stretch.written()));
        there
    }

    fn take_out(&mut self, number: u64) {
        if let Some(index) = self.lanes.iter().position(|lane| lane.number == number) {
            let lane = self.lanes.swap_remove(index);
            self.there.extend(lane.stretch.written());
        }
    }
}

impl Woven {
    /// Takes over a staged file of which these bytes are there and safe, and which nobody else writes.
    pub(super) fn new(
        depot: Arc<Depot>,
        sitting: Sitting,
        pattern: Pattern,
        lease: Lease,
        staged: Box<dyn Staged>,
        there: RangeSet,
    ) -> Result<Arc<Self>, ServerError> {
        let words = "what comes in ranges cannot be put together here";
        let scattered = staged.scattered().ok_or_else(|| ServerError::Unfit(words.to_owned()))?;
        let state = State {
            lanes: Vec::new(),
            next: 0,
            over: false,
            published: None,
            lost: false,
            synced: Instant::now(),
            asked: None,
            safe_soon: there.total(),
            beside: false,
            there: there.clone(),
        };
        Ok(Arc::new(Self {
            depot,
            seat: Arc::clone(&sitting.seat),
            sitting: Mutex::new(Some(sitting)),
            pattern,
            id: staged.id().clone(),
            mark: staged.mark().to_vec(),
            lease,
            scattered,
            syncer: staged.syncer(),
            staged: Turn::new(Some(staged)),
            state: Mutex::new(state),
            told: Turn::new(there),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others in.
    pub(super) async fn open(self: &Arc<Self>) {
        *self.seat.turn.lock().await = Phase::Lanes(Arc::clone(self));
    }

    /// What it is called.
    pub(super) fn id(&self) -> &StageId {
        &self.id
    }

    /// How many bytes it has in all.
    pub(super) fn total(&self) -> u64 {
        self.pattern.total
    }

    /// Whether all that is there was sent by its owner.
    pub(super) fn is_sent(&self) -> bool {
        self.pattern.copied == 0
    }

    /// Bytes that are there.
    pub(super) async fn read(&self, at: u64, most: usize) -> Result<Bytes, StoreError> {
        match &*self.staged.lock().await {
            Some(staged) => staged.read(at, most).await,
            None => Ok(Bytes::new()),
        }
    }

    /// A lane for this range, as soon as no other has it; its number. `None` where all is just over.
    pub(super) async fn enter(&self, range: ByteRange) -> Result<Option<(u64, Arc<Stretch>)>, ServerError> {
        let came = Instant::now();
        loop {
            match self.try_enter(range, came)? {
                Entering::In(number, stretch) => return Ok(Some((number, stretch))),
                Entering::Over => return Ok(None),
                // Whoever has it may be done sooner.
                Entering::Wait(time) => tokio::time::sleep(time.min(Duration::from_millis(20))).await,
            }
        }
    }

    fn try_enter(&self, range: ByteRange, came: Instant) -> Result<Entering, ServerError> {
        let mut state = self.state();
        if state.over {
            return Ok(Entering::Over);
        }
        fits(range, self.pattern.total)?;
        let written = state.written();
        if let Some(there) = written.covered(range).next() {
            let (first, last) = (there.start(), there.end() - 1);
            return Err(ServerError::Unfit(format!("bytes {first} to {last} are there already")));
        }
        if written.iter().len() + state.lanes.len() >= MOST_PIECES {
            return Err(ServerError::Unfit(
                "it is in too many pieces: what is between them comes first".to_owned(),
            ));
        }
        for lane in &state.lanes {
            if lane.stretch.held().is_none_or(|held| held.intersection(range).is_none()) {
                continue;
            }
            // What it has not come to it gives up; where it is, only if it is silent.
            if range.start() > lane.stretch.at() && lane.stretch.shorten(range.start()) {
                continue;
            }
            let waited = came.elapsed().saturating_sub(GRACE);
            match takeover(lane.last.elapsed(), waited, self.depot.rules.takeover) {
                Takeover::Take => {
                    lane.stretch.stop();
                    if !lane.stretch.is_idle() {
                        return Ok(Entering::Wait(BREATH));
                    }
                }
                Takeover::Wait(time) => return Ok(Entering::Wait(time)),
                Takeover::Busy => return Err(ServerError::Busy),
            }
        }
        let (number, stretch) = (state.next, Arc::new(Stretch::new(range)));
        state.next += 1;
        state.lanes.push(Entry { number, stretch: Arc::clone(&stretch), last: Instant::now() });
        Ok(Entering::In(number, stretch))
    }

    /// Bytes came on this lane. [`StoreError::Fenced`] where all is over.
    pub(super) fn received(&self, number: u64) -> Result<(), StoreError> {
        self.seat.received();
        let mut state = self.state();
        match state.lanes.iter_mut().find(|lane| lane.number == number) {
            Some(lane) => {
                lane.last = Instant::now();
                Ok(())
            }
            None => Err(self.fenced()),
        }
    }

    /// Whether bytes may still come on this lane.
    pub(super) fn is_open(&self, number: u64) -> Result<(), StoreError> {
        let state = self.state();
        if state.lost {
            return Err(self.unclaimed());
        }
        if state.lanes.iter().any(|lane| lane.number == number) { Ok(()) } else { Err(self.fenced()) }
    }

    /// Sees to it that what came is synced and remembered in time, without waiting for it, unless as much again has come
    /// since.
    pub(super) async fn keep_safe(self: &Arc<Self>) -> Result<(), StoreError> {
        let next = {
            let mut state = self.state();
            let there = state.written().total();
            let news = there.saturating_sub(state.safe_soon);
            let full = news >= SYNC_BYTES;
            let due = full || (news > 0 && state.synced.elapsed() >= SYNC_AFTER);
            match (due, state.beside) {
                (true, false) => {
                    (state.beside, state.safe_soon) = (true, there);
                    Due::Beside
                }
                (true, true) if full => Due::Now,
                (true | false, _) => Due::Later,
            }
        };
        match next {
            Due::Later => {}
            Due::Now => self.make_safe().await?,
            Due::Beside => {
                let this = Arc::clone(self);
                tokio::spawn(async move {
                    let saved = this.make_safe().await;
                    this.state().beside = false;
                    if let Err(error) = saved {
                        let path = &this.pattern.target;
                        tracing::warn!(%path, %error, "an upload could not be kept safe while it came");
                    }
                });
            }
        }
        Ok(())
    }

    /// Makes safe what its owner, who asks how far it is, may be about to go on from; not at every question of a session
    /// that only watches.
    pub(super) async fn catch_up(self: &Arc<Self>) -> Result<(), StoreError> {
        {
            let mut state = self.state();
            if state.asked.is_some_and(|asked| asked.elapsed() < ASKED_AGAIN) {
                return Ok(());
            }
            state.asked = Some(Instant::now());
        }
        self.make_safe().await
    }

    /// Syncs what is there and has it remembered. That all of it is there is not: it is published then.
    async fn make_safe(self: &Arc<Self>) -> Result<(), StoreError> {
        let this = Arc::clone(self);
        // In a task: what was begun is done, even if nobody waits for it any more.
        let saved = tokio::spawn(async move { this.save(false).await });
        saved.await.unwrap_or_else(|_| Err(self.unclaimed()))
    }

    async fn save(&self, whole_too: bool) -> Result<(), StoreError> {
        let mut told = self.told.lock().await;
        let (there, lost) = {
            let state = self.state();
            (state.written(), state.lost)
        };
        if lost {
            return Err(self.unclaimed());
        }
        if there == *told || (!whole_too && self.is_whole(&there)) {
            return Ok(());
        }
        if let Err(error) = self.syncer.sync().await {
            // What was not safe by then is not claimed any more, whatever the disk says later.
            self.state().lost = true;
            return Err(error);
        }
        *told = self.remember(&there, &told).await?;
        self.state().synced = Instant::now();
        Ok(())
    }

    /// Has the ledger know that so much is safe; what is told from now on.
    async fn remember(&self, there: &RangeSet, told: &RangeSet) -> Result<RangeSet, StoreError> {
        let record = self.record(there, told);
        self.depot.ledger.save(&self.lease, &record, Durability::Full).await?;
        self.seat.tell(&self.id, record.offset);
        let mut all = record.beyond;
        all.extend(ByteRange::new(0, record.offset));
        Ok(all)
    }

    fn record(&self, there: &RangeSet, told: &RangeSet) -> Unfinished {
        let claim = claim(there, told, self.pattern.total);
        Unfinished {
            stage: self.id.clone(),
            mark: self.mark.clone(),
            offset: claim.offset,
            beyond: claim.beyond,
            // What lies behind the offset may be a hole: nothing that was not synced is ever relied on.
            settled: true,
            boot: boot().to_owned(),
            declared: Some(self.pattern.total),
            base: self.pattern.base.clone(),
            copied: self.pattern.copied,
            touched: unfinished::now(),
            note: self.pattern.note.clone(),
        }
    }

    /// Has the ledger know of it, before anybody is told that it is there.
    pub(super) async fn begun(&self, how: Durability) -> Result<(), StoreError> {
        let told = self.told.lock().await;
        let record = self.record(&told, &told);
        self.depot.ledger.save(&self.lease, &record, how).await?;
        self.seat.tell(&self.id, record.offset);
        Ok(())
    }

    fn is_whole(&self, there: &RangeSet) -> bool {
        ByteRange::new(0, self.pattern.total).is_none_or(|all| there.contains(all))
    }

    fn fenced(&self) -> StoreError {
        StoreError::Fenced { path: PathBuf::from(self.pattern.target.to_string()) }
    }

    fn unclaimed(&self) -> StoreError {
        StoreError::Unclaimed { path: PathBuf::from(self.pattern.target.to_string()) }
    }
}

/// Whether a file of this size has such a range.
pub(super) fn fits(range: ByteRange, total: u64) -> Result<(), ServerError> {
    if range.end() <= total {
        return Ok(());
    }
    Err(ServerError::Unfit(format!("the file has {total} bytes")))
}
