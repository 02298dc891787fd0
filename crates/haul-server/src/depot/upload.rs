//! One upload from its first byte to its end.
//!
//! ```text
//!  planned ── first byte, or a clean end without one ──> begun ──> finish ──> published
//!     └────── any other end: nothing has changed              └─────────────> kept
//! ```
//! Invariant: the ledger's offset is never more than what is synced, and what others are told is never more than the
//! ledger's offset.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{
    RangeSet, TreePath,
    receiving::{Begin, Control, DataEnd, Ended, Settle, held, settle, told},
};
use haul_store::{
    Assent, Body, Durability, Lease, Meta, Source, Staged, StoreError, Taken, Then, Unfinished, When, boot,
};

use super::{
    Depot, Settled,
    begun::{Begun, Beside, Failed, discard},
    finished,
    plan::Plan,
    seats::Seat,
    telling, unfinished,
};
use crate::ServerError;

/// What is there is made safe at the latest after so long …
pub(super) const SYNC_AFTER: Duration = Duration::from_secs(5);
/// … or so many bytes.
pub(super) const SYNC_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };
/// Who asks how far it is, or marks a place, has it made safe, if that was not done for so long.
pub(super) const ASKED_AGAIN: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_millis(500) };
/// An upload is remembered after so long …
const SAVE_AFTER: Duration = Duration::from_millis(200);
/// … or so many bytes: most small files are whole before, and cost the ledger nothing.
const SAVE_BYTES: u64 = 256 << 10;
/// What is given back of a full disk so that its record finds room; each time twice as much.
const ROOM: u64 = 1 << 20;

/// What is taken at once may be more than was asked for by so much.
const OVERSHOOT: u64 = 4 << 20;

/// An upload under way.
pub(super) struct Upload {
    depot: Arc<Depot>,
    pub(super) seat: Arc<Seat>,
    plan: Plan,
    pub(super) begun: Option<Begun>,
    /// What came from here on counts only once somebody has vouched for it.
    withheld: Option<u64>,
    /// Up to here the client knows a place to go on from, and that its end is still to be told: none of it is held back.
    pub(super) marked: u64,
}

impl Upload {
    pub(super) fn new(depot: Arc<Depot>, seat: Arc<Seat>, plan: Plan) -> Self {
        Self { depot, seat, plan, begun: None, withheld: None, marked: 0 }
    }

    pub(super) fn start(&self) -> u64 {
        self.plan.begin.at()
    }

    /// Bytes that are there.
    pub(super) async fn read(&self, at: u64, most: usize) -> Result<Bytes, StoreError> {
        match (&self.begun, &self.plan.staged) {
            (Some(Begun { staged, .. }), _) | (None, Some(staged)) => staged.read(at, most).await,
            (None, None) => Ok(Bytes::new()),
        }
    }

    /// Whether all that is there was sent by its owner.
    pub(super) fn is_sent(&self) -> bool {
        self.plan.copied == 0
    }

    /// The offset of what [`Self::read`] reads.
    pub(super) fn readable(&self) -> Option<u64> {
        let planned =
            || self.plan.staged.as_ref().and(self.plan.earlier.as_ref()).map(|record| record.offset);
        self.begun.as_ref().map_or_else(planned, |_| self.seat.told())
    }

    /// Makes the empty staged file of one that begins anew, which is no trace of it yet.
    pub(super) async fn prepare(&mut self) -> Result<(), StoreError> {
        let anew = matches!(self.plan.begin, Begin::Create) && !self.depot.rules.in_place;
        if anew && self.begun.is_none() && self.plan.fresh.is_none() {
            self.plan.fresh = Some(self.depot.store.stage(&self.plan.target).await?);
        }
        Ok(())
    }

    /// Begins it, and has it remembered; its name.
    pub(super) async fn name(&mut self) -> Result<Option<String>, ServerError> {
        let begun = self.begin().await?;
        let Some(lease) = begun.lease.clone() else { return Ok(None) };
        if !begun.saved {
            let (Some(begun), start) = (&self.begun, self.start()) else { return Ok(None) };
            let record = self.record(begun.staged.as_ref(), self.told(begun.durable).max(start), false);
            self.depot.ledger.save(&lease, &record, Durability::Relaxed).await?;
        }
        let Some(begun) = &mut self.begun else { return Ok(None) };
        begun.saved = true;
        Ok(Some(begun.staged.id().0.clone()))
    }

    /// Adds bytes at its end, as many as may be; how many.
    pub(super) async fn append(&mut self, mut bytes: Bytes) -> Result<u64, ServerError> {
        self.seat.received();
        let begun = self.begin().await?;
        begun.look_beside(false).await?;
        let (end, more) = (begun.staged.len(), bytes.len() as u64);
        let taken = self.plan.charge.as_ref().map_or(more, |charge| charge.grow(end, more));
        bytes.truncate(usize::try_from(taken).unwrap_or(usize::MAX));
        if let Some(begun) = &mut self.begun
            && let Err(error) = begun.staged.append(bytes).await
        {
            self.count(end);
            return Err(error.into());
        }
        self.seat.received();
        self.keep_safe().await?;
        Ok(taken)
    }

    /// There are so many bytes of it, whatever was asked for.
    fn count(&self, len: u64) {
        if let Some(charge) = &self.plan.charge {
            charge.settle(len);
        }
    }

    /// Adds what comes from a source; after the first byte, so that a source without one changes nothing.
    pub(super) async fn take(&mut self, source: Box<dyn Source>, most: u64) -> Result<Taken, ServerError> {
        let begun = self.begin().await?;
        begun.look_beside(false).await?;
        let end = begun.staged.len();
        if let Some(charge) = &self.plan.charge {
            let room = most.saturating_add(OVERSHOOT);
            if charge.grow(end, room) < room {
                charge.settle(end);
                // So little is left that each piece asks for itself.
                return Ok(Taken { bytes: 0, then: Then::Nothing });
            }
        }
        let Some(begun) = &mut self.begun else { return Err(self.unclaimed().into()) };
        let taken = begun.staged.take(source, most).await;
        let end = begun.staged.len();
        self.count(end);
        let taken = taken?;
        if taken.bytes > 0 {
            self.seat.received();
        }
        self.keep_safe().await?;
        Ok(taken)
    }

    /// Adds `len` bytes of another file in the tree or out of its sight, from `at` on.
    pub(super) async fn copy_in(&mut self, body: &Body, at: u64, len: u64) -> Result<(), ServerError> {
        self.seat.received();
        let begun = self.begin().await?;
        begun.look_beside(false).await?;
        let end = begun.staged.len();
        if self.plan.charge.as_ref().is_some_and(|charge| charge.grow(end, len) < len) {
            self.count(end);
            return Err(ServerError::OverQuota);
        }
        if let Some(begun) = &mut self.begun
            && let Err(error) = begun.staged.copy_from(body, at, len).await
        {
            let there = begun.staged.len();
            self.count(there);
            return Err(error.into());
        }
        self.seat.received();
        Ok(self.keep_safe().await?)
    }

    /// From now on nothing is told of what comes, and nothing of it stays, unless [`Self::vouch`] comes after it. The
    /// ledger knows that before the first byte of it: a server that is killed does not come back with any.
    pub(super) async fn withhold(&mut self) -> Result<(), ServerError> {
        self.begin().await?.look_beside(true).await?;
        let end = self.end();
        self.withheld = Some(end);
        let Some(begun) = &self.begun else { return Ok(()) };
        let Some(lease) = begun.lease.clone() else { return Ok(()) };
        let record = self.record(begun.staged.as_ref(), self.told(begun.durable), true);
        self.depot.ledger.save(&lease, &record, Durability::Relaxed).await?;
        if let Some(begun) = &mut self.begun {
            begun.saved = true;
        }
        Ok(())
    }

    /// All that came counts.
    pub(super) fn vouch(&mut self) {
        self.withheld = None;
    }

    /// How many bytes there are.
    pub(super) fn end(&self) -> u64 {
        self.begun.as_ref().map_or_else(|| self.start(), |begun| begun.staged.len())
    }

    /// What the first byte needs.
    async fn begin(&mut self) -> Result<&mut Begun, ServerError> {
        let begun = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let start = self.start();
                let before = self.plan.earlier.as_ref().map_or(0, |record| record.offset);
                if let Some(charge) = &self.plan.charge {
                    charge.open(start)?;
                }
                let first = self.first().await;
                if let (Err(_), Some(charge)) = (&first, &self.plan.charge) {
                    if self.plan.earlier.is_some() { charge.settle(before) } else { charge.dropped() }
                }
                first?
            }
        };
        Ok(self.begun.insert(begun))
    }

    async fn first(&mut self) -> Result<Begun, StoreError> {
        let depot = Arc::clone(&self.depot);
        let start = self.start();
        if depot.rules.in_place {
            let staged = depot.store.in_place(&self.plan.target, start).await?;
            return Ok(Begun::new(staged, None, false, start));
        }
        let (lease, known) = depot.ledger.claim(&self.seat.key).await?;
        let begun = match self.plan.begin {
            Begin::Create => self.create(lease.clone()).await,
            Begin::Continue { at } | Begin::Cut { at } => self.go_on(lease.clone(), at).await,
            Begin::Copy { upto } => self.copy(lease.clone(), upto).await,
        };
        match &begun {
            Ok(begun) => self.seat.tell(begun.staged.id(), start),
            // Nobody needs a lease of what is not there.
            Err(_) if known.is_none() => depot.ledger.forget(&lease).await?,
            Err(_) => {}
        }
        begun
    }

    /// The unfinished upload, up to `at`.
    async fn go_on(&mut self, lease: Lease, at: u64) -> Result<Begun, StoreError> {
        let mut staged = match (self.plan.staged.take(), &self.plan.earlier) {
            (Some(staged), _) => staged,
            (None, Some(earlier)) => self.depot.store.staged(&earlier.stage).await?,
            (None, None) => {
                return Err(StoreError::NotFound { path: PathBuf::from(self.plan.target.to_string()) });
            }
        };
        let cuts = matches!(self.plan.begin, Begin::Cut { .. });
        if cuts {
            self.depot.readers.cut(staged.id());
        }
        // Whoever goes on by an offset sends all that is behind it.
        let beyond = self.plan.earlier.as_ref().is_some_and(|earlier| !earlier.beyond.is_empty());
        if cuts || beyond {
            // First the claim is taken back, then what it spoke of.
            let record = self.record(staged.as_ref(), at, true);
            self.depot.ledger.save(&lease, &record, Durability::Full).await?;
        }
        // Else this is the byte that was held back, and what was never synced.
        staged.cut(at).await?;
        Ok(Begun::new(staged, Some(lease), false, at))
    }

    /// An empty file; an earlier upload of that name is given up for it.
    async fn create(&mut self, lease: Lease) -> Result<Begun, StoreError> {
        let staged = match self.plan.fresh.take() {
            Some(staged) => staged,
            None => self.depot.store.stage(&self.plan.target).await?,
        };
        let Some(earlier) = &self.plan.earlier else { return Ok(Begun::new(staged, Some(lease), false, 0)) };
        // Synced: after a power cut nobody must go on with the old one as if it were the new.
        let record = self.record(staged.as_ref(), 0, false);
        if let Err(error) = self.depot.ledger.save(&lease, &record, Durability::Full).await {
            discard(staged).await;
            return Err(error);
        }
        self.depot.remove_staged(&earlier.stage).await;
        Ok(Begun::new(staged, Some(lease), true, 0))
    }

    /// The first bytes of the finished file.
    async fn copy(&mut self, lease: Lease, upto: u64) -> Result<Begun, StoreError> {
        let path = || PathBuf::from(self.plan.target.to_string());
        let source = self.plan.source.take().ok_or_else(|| StoreError::Changed { path: path() })?;
        let mut staged = self.depot.store.stage(&self.plan.target).await?;
        let mut durable = 0;
        let copied = async {
            staged.copy_from(&source.body, 0, upto).await?;
            self.depot.store.unchanged(&source).await?;
            // Whoever asked for the size of the finished file was told these bytes.
            durable = staged.sync().await?;
            Ok(())
        };
        if let Err(error) = copied.await {
            discard(staged).await;
            self.plan.source = Some(source);
            return Err(error);
        }
        Ok(Begun::new(staged, Some(lease), false, durable))
    }

    /// What the ledger is to remember.
    fn record(&self, staged: &dyn Staged, offset: u64, settled: bool) -> Unfinished {
        let counts = self.withheld.unwrap_or(u64::MAX);
        Unfinished {
            stage: staged.id().clone(),
            mark: staged.mark().to_vec(),
            offset: offset.min(counts),
            beyond: RangeSet::new(),
            // The last word, too, if the server should end now.
            settled: settled || self.withheld.is_some(),
            boot: boot().to_owned(),
            declared: self.plan.declared.given(staged.len().min(counts)).certain(),
            base: self.plan.base.clone(),
            copied: self.plan.copied,
            touched: unfinished::now(),
            note: self.plan.note.clone(),
        }
    }

    /// The offset that may be told when so many bytes are safe.
    fn told(&self, durable: u64) -> u64 {
        told(self.known(), durable, self.plan.declared)
    }

    /// Nothing comes for the moment.
    pub(super) async fn rest(&mut self) -> Result<(), StoreError> {
        if let Some(begun) = &mut self.begun {
            begun.look_beside(false).await?;
        }
        self.keep_safe().await
    }

    /// Sees to it that what came is synced and remembered in time, without waiting for it, unless as much again has come
    /// since.
    async fn keep_safe(&mut self) -> Result<(), StoreError> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        let end = begun.staged.len();
        let safe_soon = begun.beside.as_ref().and_then(|beside| beside.upto).unwrap_or(begun.durable);
        let full = end.saturating_sub(safe_soon) >= SYNC_BYTES;
        if begun.beside.is_some() {
            return if full { begun.look_beside(true).await } else { Ok(()) };
        }
        let due = full || (begun.synced.elapsed() >= SYNC_AFTER && end > begun.durable);
        let goes_on = matches!(self.plan.begin, Begin::Continue { .. } | Begin::Cut { .. });
        // What goes on is no small file.
        let new = !begun.saved
            && (goes_on
                || end.saturating_sub(self.plan.begin.at()) >= SAVE_BYTES
                || begun.since.elapsed() >= SAVE_AFTER);
        if due {
            self.sync_beside(end);
        } else if new {
            self.save_beside();
        }
        Ok(())
    }

    /// Makes safe what its owner, who asks how far it is, may be about to go on from; not at every question of a session
    /// that only watches.
    pub(super) async fn catch_up(&mut self) -> Result<(), StoreError> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        if begun.was_just_synced() {
            return Ok(());
        }
        begun.look_beside(true).await?;
        let (end, durable) = (begun.staged.len(), begun.durable);
        // What was made safe for its end to be judged was not told yet: it may be judged to be none.
        let told = self.seat.told().unwrap_or(0);
        if end > durable || self.told(durable) > told {
            self.sync_beside(end);
        }
        match &mut self.begun {
            Some(begun) => begun.look_beside(true).await,
            None => Ok(()),
        }
    }

    pub(super) fn sync_beside(&mut self, upto: u64) {
        let Some(begun) = &self.begun else { return };
        let record = self.record(begun.staged.as_ref(), self.told(upto), false);
        let (syncer, lease) = (begun.staged.syncer(), begun.lease.clone());
        let (depot, seat) = (Arc::clone(&self.depot), Arc::clone(&self.seat));
        let task = tokio::spawn(async move {
            syncer.sync().await.map_err(Failed::Sync)?;
            if let Some(lease) = lease {
                depot.ledger.save(&lease, &record, Durability::Full).await.map_err(Failed::Save)?;
                seat.tell(&record.stage, record.offset);
            }
            Ok(())
        });
        if let Some(begun) = &mut self.begun {
            begun.saved = true;
            begun.synced = Instant::now();
            begun.beside = Some(Beside { task, upto: Some(upto) });
        }
    }

    fn save_beside(&mut self) {
        let Some(begun) = &self.begun else { return };
        let Some(lease) = begun.lease.clone() else { return };
        let record = self.record(begun.staged.as_ref(), self.told(begun.durable), false);
        let depot = Arc::clone(&self.depot);
        let task = tokio::spawn(async move {
            depot.ledger.save(&lease, &record, Durability::Relaxed).await.map_err(Failed::Save)
        });
        if let Some(begun) = &mut self.begun {
            begun.saved = true;
            begun.beside = Some(Beside { task, upto: None });
        }
    }

    /// Makes all of it safe, where an end promises that. What the ledger does not know of yet will most likely never be
    /// known to it.
    pub(super) async fn sync(&mut self) -> Result<(), StoreError> {
        match (&mut self.begun, self.depot.rules.durability) {
            (Some(begun), Durability::Full) => {
                begun.look_beside(true).await?;
                begun.sync_to_publish().await
            }
            (None, _) | (Some(_), Durability::Relaxed) => Ok(()),
        }
    }

    /// Publishes or keeps it.
    pub(super) async fn finish(
        mut self: Box<Self>,
        data: DataEnd,
        control: Control,
    ) -> Result<Settled, ServerError> {
        let start = self.known();
        if let Some(begun) = &mut self.begun
            && let Err(error) = begun.look_beside(true).await
        {
            // If it was the record, it is saved now or not needed any more.
            tracing::warn!(path = %self.plan.target, %error, "an upload could not be kept safe while it came");
        }
        if let Some(at) = self.withheld {
            return self.keep(at).await;
        }
        let data = match data {
            DataEnd::Unclean if self.plan.tells_end => DataEnd::Untold,
            data => data,
        };
        let end = self.end();
        let lost = self.begun.as_ref().is_some_and(|begun| begun.lost);
        let (completion, declared) = (self.plan.completion, self.plan.declared);
        match settle(Ended { data, control, completion, start, end, declared }) {
            Settle::Publish if self.plan.aside => {
                // Also where no byte came now: its size may have been told only with its end.
                self.begin().await?;
                self.keep(end).await
            }
            Settle::Publish if lost => {
                self.keep(end).await?;
                Err(self.unclaimed().into())
            }
            Settle::Publish => match self.publish(Box::new(|| true)).await {
                Ok(meta) => Ok(Settled::Published(meta)),
                Err(error) => self.keep_after(error).await,
            },
            Settle::Keep { at } => self.keep(at).await,
        }
    }

    /// Keeps all that came, and that it was begun at all.
    pub(super) async fn keep_all(mut self: Box<Self>) -> Result<Settled, ServerError> {
        let begun = self.begin().await?;
        if let Err(error) = begun.look_beside(true).await {
            tracing::warn!(path = %self.plan.target, %error, "an upload could not be kept safe while it came");
        }
        let end = self.withheld.unwrap_or_else(|| self.end());
        self.keep(end).await
    }

    /// Publishes what has ended well and needs no sync first, if `assent` says so at the last moment. If not, or if it is
    /// no such upload, nothing has changed: it is for [`Self::finish`].
    pub(super) async fn publish_now(&mut self, assent: Assent) -> Result<Option<Meta>, ServerError> {
        let at_once = self.depot.rules.publishes_at_once() && self.withheld.is_none();
        let start = self.known();
        let Some(begun) = self.begun.as_mut().filter(|begun| at_once && !begun.lost) else {
            return Ok(None);
        };
        if begun.look_beside(true).await.is_err() {
            return Ok(None);
        }
        let ended = Ended {
            data: DataEnd::Clean,
            control: Control::Alive,
            completion: self.plan.completion,
            start,
            end: begun.staged.len(),
            declared: self.plan.declared,
        };
        if settle(ended) != Settle::Publish || self.plan.aside {
            return Ok(None);
        }
        match self.publish(assent).await {
            Ok(meta) => Ok(Some(meta)),
            Err(ServerError::Store(StoreError::Withdrawn { .. })) if self.begun.is_some() => Ok(None),
            // What cannot be opened again is not what it was: as if it had not begun, it would be published empty.
            Err(ServerError::Store(StoreError::Withdrawn { .. })) => Err(self.unclaimed().into()),
            Err(error) => self.keep_after(error).await.map(|_| None),
        }
    }

    /// Gives it its name. After an error it is unfinished as before, unless it has its name in spite of that.
    async fn publish(&mut self, assent: Assent) -> Result<Meta, ServerError> {
        let (path, teller, from) = (self.plan.target.clone(), Arc::clone(&self.plan.teller), self.start());
        let begun = self.begin().await?;
        let (id, end, took) = (begun.staged.id().clone(), begun.staged.len(), begun.since.elapsed());
        let told = || telling::complete(path, teller, end, from, took);
        let pledged = self.depot.pledge(&id, told).await?;
        let Some(Begun { staged, lease, saved, since, synced, durable, lost, beside }) = self.begun.take()
        else {
            return Err(self.unclaimed().into());
        };
        let when = match (&self.plan.base, self.plan.only_new) {
            (_, true) => When::Absent,
            (Some(base), false) => When::Same(unfinished::meta_of(base)),
            (None, false) => When::Always,
        };
        let how = self.depot.rules.durability;
        let replaced = self.depot.weigh(&self.plan.target).await;
        let published = staged.publish_if(&self.plan.target, when, how, assent).await;
        self.depot.redeem(pledged, &published).await;
        match &published {
            Ok(_) => {
                match &self.plan.charge {
                    Some(charge) if lease.is_none() => charge.written(end),
                    // Also where a quota has come only since it began.
                    Some(_) | None => self.depot.quotas.published(&self.seat.key, end, replaced),
                }
                let note = if self.plan.joined { &self.plan.note } else { finished::kept(&self.plan.note) };
                self.depot.has_its_name(&self.seat, lease, id, end, note).await;
            }
            Err(_) if lease.is_none() => {}
            // It is staged again, or else it has its name in spite of the error.
            Err(_) => match self.depot.store.staged(&id).await {
                Ok(staged) => {
                    // What could not be saved is not there any more.
                    let durable = durable.min(end).min(staged.len());
                    self.begun = Some(Begun { staged, lease, saved, since, synced, durable, lost, beside });
                }
                Err(StoreError::NotFound { .. }) => self.forget(lease).await,
                Err(again) => {
                    tracing::warn!(path = %self.plan.target, error = %again, "an upload could not be kept");
                }
            },
        }
        Ok(published?)
    }

    /// Keeps what could not be published, if there is something left to keep, and says why it could not.
    async fn keep_after(&mut self, error: ServerError) -> Result<Settled, ServerError> {
        if let Some(begun) = &self.begun {
            let at = held(self.known(), begun.staged.len(), self.plan.declared);
            self.keep(at).await?;
        } else if let Some(fresh) = self.plan.fresh.take() {
            discard(fresh).await;
        }
        Err(error)
    }

    fn unclaimed(&self) -> StoreError {
        StoreError::Unclaimed { path: PathBuf::from(self.plan.target.to_string()) }
    }

    /// Nothing is unfinished any more.
    async fn forget(&self, lease: Option<Lease>) {
        self.seat.tell_nothing();
        if let Some(lease) = lease
            && let Err(error) = self.depot.ledger.forget(&lease).await
        {
            tracing::warn!(path = %self.plan.target, %error, "a published upload is still remembered as unfinished");
        }
    }

    async fn keep(&mut self, at: u64) -> Result<Settled, ServerError> {
        let Some(begun) = &mut self.begun else {
            // Nothing came, so nothing has changed.
            if let Some(fresh) = self.plan.fresh.take() {
                discard(fresh).await;
            }
            let at = self.plan.earlier.as_ref().map_or(self.start(), |record| record.offset);
            return Ok(Settled::Kept { at, declared: self.plan.declared.certain() });
        };
        if self.withheld.is_some()
            && begun.staged.len() > at
            && let Err(error) = begun.staged.cut(at).await
        {
            // It is cut again before anybody goes on.
            tracing::warn!(path = %self.plan.target, %error, "what nobody vouched for is still there");
        }
        let synced = if begun.durable >= at { Ok(()) } else { begun.sync().await };
        let (end, safe, lost) = (begun.staged.len(), begun.durable, begun.lost);
        if let Some(charge) = &self.plan.charge {
            if begun.lease.is_some() { charge.settle(end) } else { charge.written(end) }
        }
        let Some(lease) = begun.lease.clone() else {
            synced?;
            return Ok(Settled::Kept { at: end, declared: self.missing(end) });
        };
        if let Err(error) = synced {
            tracing::warn!(path = %self.plan.target, %error, "an upload could not be made safe");
        }
        // Nothing is claimed of what the disk did not take.
        let at = if lost { self.seat.told().unwrap_or(0) } else { at.min(safe) };
        match self.remember(&lease, at).await {
            Ok(at) => Ok(Settled::Kept { at, declared: self.missing(at) }),
            Err(error) => match (self.discard_unknown().await?, error) {
                // Not even what is given back makes room, since others take it: what was told before is kept.
                (Some(at), StoreError::NoSpace { .. }) => {
                    Ok(Settled::Kept { at, declared: self.missing(at) })
                }
                (_, error) => Err(error.into()),
            },
        }
    }

    /// Removes bytes of which no record speaks, of whatever name: nobody could ever go on with them. How many a record
    /// speaks of, if one does.
    async fn discard_unknown(&mut self) -> Result<Option<u64>, StoreError> {
        let Some(begun) = self.begun.take() else { return Ok(None) };
        let known = self.depot.ledger.within(&TreePath::ROOT).await?;
        let record = known.into_iter().find(|(_, record)| record.stage == *begun.staged.id());
        let Some((_, record)) = record else {
            discard(begun.staged).await;
            if let Some(charge) = &self.plan.charge {
                charge.dropped();
            }
            return Ok(None);
        };
        Ok(Some(record.offset.min(begun.staged.len())))
    }

    /// The size that was declared and not reached.
    fn missing(&self, at: u64) -> Option<u64> {
        self.plan.declared.given(at).certain().filter(|size| *size > at)
    }

    /// Saves the offset for good. Where not even a record finds room, a little of what came is given back for it: sent
    /// again it costs less than all of it.
    async fn remember(&mut self, lease: &Lease, at: u64) -> Result<u64, StoreError> {
        let told = self.seat.told().unwrap_or(0);
        let (mut at, mut room) = (at, ROOM);
        loop {
            let Some(begun) = &self.begun else { return Ok(at) };
            let record = self.record(begun.staged.as_ref(), at, true);
            let saved = self.depot.ledger.save(lease, &record, Durability::Full).await;
            let less = at.saturating_sub(room).max(told);
            match (saved, &mut self.begun) {
                (Ok(()), _) => {
                    self.seat.tell(&record.stage, at);
                    return Ok(at);
                }
                (Err(StoreError::NoSpace { .. }), Some(begun)) if less < at => {
                    begun.staged.cut(less).await?;
                    (at, room) = (less, room.saturating_mul(2));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }
}
