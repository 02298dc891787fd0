//! The beginning and the end of an upload, and what a door holds meanwhile.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use haul_core::{
    TreePath,
    receiving::{Begin, There, begin},
};
use haul_store::{
    Assent, Body, Kind, Meta, Reading, Source, Staged, StoreError, Then, Unfinished, UploadKey,
};

use super::{
    Announced, Condition, Control, DataEnd, Depot, Older, Order, Settled, Visitor, Wish, order,
    plan::Plan,
    seats::{Phase, Seat, Sitting},
    unfinished,
    upload::Upload,
};
use crate::{
    ServerError,
    account::{counts_alone, counts_as},
};

/// An upload that is being received.
///
/// Its futures are to be waited for: one that is dropped half-way may have done its work or not. A `Receiving` that is
/// dropped without [`settle`](Self::settle) is kept as after an unclean end.
pub struct Receiving {
    /// `None` once it is being settled.
    sitting: Option<Sitting>,
    offset: u64,
}

impl Visitor {
    /// Begins or goes on with an upload. Nothing changes before its first byte: what is there until then stays.
    pub async fn receive(
        &self,
        path: &TreePath,
        wish: Wish,
        declared: impl Into<Announced>,
    ) -> Result<Receiving, ServerError> {
        self.begin(path, Order { announced: declared.into(), ..Order::new(wish) }).await
    }

    /// As [`Self::receive`], with all that can be wanted.
    pub async fn begin(&self, path: &TreePath, order: Order) -> Result<Receiving, ServerError> {
        // In memory of its own, which those that wait for their bytes afterwards do not hold.
        let (sitting, plan) = Box::pin(self.plan(path, order)).await?;
        let offset = plan.begin.at();
        let upload = Upload::new(Arc::clone(self.depot()), Arc::clone(&sitting.seat), plan);
        *sitting.seat.turn.lock().await = Phase::Open(Box::new(upload));
        Ok(Receiving { sitting: Some(sitting), offset })
    }

    /// Has the seat, and says what is to become of what is there and what comes.
    async fn plan(&self, path: &TreePath, order: Order) -> Result<(Sitting, Plan), ServerError> {
        let Order { wish, announced, tells_end, condition, older, from_finished, of, note } = order;
        let depot = self.depot();
        // A file that has the name of a folder with a rule of its own would be one of the folder above it.
        if !self.may_add(path) || !self.account().may_name(path).write {
            return Err(ServerError::Denied);
        }
        let target = self.place(path)?;
        let sitting = match older {
            Older::GoesIfSilent => depot.sit(self.writes(&target)).await?,
            Older::Goes => depot.sit_now(self.writes(&target)).await?,
        };
        // What begins anew needs no look at what it replaces: where it is staged a folder of that name is refused.
        let anew = matches!(wish, Wish::Anew | Wish::From(0)) && !depot.rules.in_place;
        let counts = depot.quotas.concern(&target);
        let blind = anew && self.account().anonymous.is_none() && condition == Condition::Any && !counts;
        let published = if blind { None } else { depot.finished(&target).await? };
        if published.is_some() && self.account().anonymous.is_some() {
            return Err(ServerError::Denied);
        }
        if !condition.is_met(published.as_ref()) {
            return Err(StoreError::Changed { path: PathBuf::from(target.to_string()) }.into());
        }
        // Whoever names an upload goes on with it, also where it has no byte yet.
        let (wish, named_at) = match (wish, &of) {
            (Wish::From(at), Some(_)) => (Wish::Append, Some(at)),
            (wish, _) => (wish, None),
        };
        let wish = self.meant(wish, &sitting.seat.key, published.as_ref()).await?;
        let (earlier, mut staged) = depot.what_goes_on(&sitting.seat.key, wish).await?;
        if of.is_some_and(|id| earlier.as_ref().is_none_or(|record| record.stage.0 != id)) {
            return Err(StoreError::NotFound { path: PathBuf::from(target.to_string()) }.into());
        }
        if let (Some(at), Some(earlier)) = (named_at, &earlier)
            && at != earlier.offset
        {
            return Err(ServerError::PastEnd { end: earlier.offset });
        }
        if earlier.is_none() && !depot.rules.in_place {
            depot.has_room_for_another(&sitting.seat).await?;
        }
        let there = There {
            unfinished: earlier.as_ref().map(|record| record.offset),
            published: published.as_ref().filter(|_| from_finished).map(|meta| meta.size),
        };
        let begin = begin(wish, there).map_err(|past| ServerError::PastEnd { end: past.end })?;
        let (mut source, mut base) = (None, None);
        let mut before = None;
        let mut copied = 0;
        match begin {
            // A folder that takes no file says so before the first byte.
            Begin::Create if !depot.rules.in_place => {
                depot.store.takes_file(&target).await?;
                staged = None;
            }
            Begin::Create if published.is_none() => depot.takes_files(&target).await?,
            Begin::Create => {}
            Begin::Copy { upto } if !depot.rules.in_place => {
                let reading = depot.source(&target, upto).await?;
                base = Some(unfinished::base(&reading.meta));
                source = Some(reading);
                copied = upto;
            }
            Begin::Copy { .. } => {}
            Begin::Continue { .. } | Begin::Cut { .. } => {
                base = earlier.as_ref().and_then(|record| record.base.clone());
                // Who cuts has another file in mind than before.
                let goes_on = matches!(begin, Begin::Continue { .. });
                before = earlier.as_ref().and_then(|record| record.declared).filter(|_| goes_on);
                copied = earlier.as_ref().map_or(0, |record| record.copied.min(begin.at()));
            }
        }
        let declared = announced.declared(begin.at(), before);
        let goes_on = earlier.as_ref().filter(|_| !matches!(begin, Begin::Create));
        let note = order::note(note, goes_on);
        let replaces = published.as_ref().filter(|_| !self.is_aside()).map(|meta| meta.size);
        let charge = self.charge(&sitting.seat.key, replaces, declared.certain()).await?;
        let base = condition.base().or(base);
        let plan = Plan {
            target,
            completion: self.account().completion,
            only_new: self.account().anonymous.is_some() || base == Some(order::nothing()),
            note,
            teller: self.teller(),
            aside: self.is_aside(),
            joined: self.joins.is_some(),
            begin,
            declared,
            tells_end,
            copied,
            source: source.map(Box::new),
            base,
            earlier: earlier.map(Box::new),
            staged,
            fresh: None,
            charge: charge.map(Box::new),
        };
        Ok((sitting, plan))
    }

    /// From where a client sends that was told how far its file is: to append names no offset.
    async fn meant(
        &self,
        wish: Wish,
        key: &UploadKey,
        published: Option<&Meta>,
    ) -> Result<Wish, ServerError> {
        let (Wish::Append, Some(told)) = (wish, self.told().take(&key.path)) else { return Ok(wish) };
        let unfinished = self.depot().ledger.load(key).await?;
        let from = told.append(unfinished.as_ref(), published.map(|meta| meta.size));
        Ok(from.ok_or_else(|| StoreError::Changed { path: PathBuf::from(key.path.to_string()) })?)
    }

    /// The seat of whoever writes there: one for each owner, or one in all where everybody sees what is written.
    pub(super) fn writes(&self, target: &TreePath) -> UploadKey {
        let owner = if self.depot().rules.in_place { String::new() } else { self.owner() };
        UploadKey { owner, path: target.clone() }
    }
}

impl Depot {
    /// The finished file at a place where a file is to be put.
    pub(super) async fn finished(&self, target: &TreePath) -> Result<Option<Meta>, ServerError> {
        match self.store.stat(target).await {
            Ok(Meta { kind: Kind::Folder, .. }) => Err(not_a_file(target).into()),
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound { .. }) if !target.is_root() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the owner of this seat may have one more unfinished upload, beside those that are remembered and those
    /// that are just being received and will be, if they do not come to their end.
    pub(super) async fn has_room_for_another(&self, seat: &Seat) -> Result<(), ServerError> {
        let mut unknown = self.seats.begins(seat);
        if unknown + self.remembered(seat).await? >= self.rules.max_unfinished {
            // Before the others are counted: who is remembered in between counts twice, and not never.
            unknown = 0;
            for key in self.seats.begun_before(seat) {
                unknown += usize::from(self.ledger.load(&key).await?.is_none());
            }
        }
        let unfinished = unknown + self.remembered(seat).await?;
        if unfinished < self.rules.max_unfinished { Ok(()) } else { Err(ServerError::TooMany { unfinished }) }
    }

    /// How many are remembered of all that counts with this seat.
    async fn remembered(&self, seat: &Seat) -> Result<usize, ServerError> {
        let Seat { key, counts_as: of, .. } = seat;
        if counts_alone(of) {
            return Ok(self.ledger.count(&key.owner).await?);
        }
        Ok(self.ledger.count_of(&|owner| counts_as(owner) == *of).await?)
    }

    /// Whether the folder of this place is one.
    async fn takes_files(&self, target: &TreePath) -> Result<(), ServerError> {
        let folder = target.parent().ok_or_else(|| not_a_file(target))?;
        match self.store.stat(&folder).await?.kind {
            Kind::Folder => Ok(()),
            Kind::File => Err(StoreError::NotAFolder { path: PathBuf::from(folder.to_string()) }.into()),
        }
    }

    /// The finished file that would be replaced there, where a file can be put.
    pub(super) async fn what_is_replaced(&self, target: &TreePath) -> Result<Option<Meta>, ServerError> {
        let finished = self.finished(target).await?;
        if finished.is_none() {
            self.takes_files(target).await?;
        }
        Ok(finished)
    }

    /// The unfinished upload of that name, and its bytes if they are to be gone on with. A record without bytes is
    /// forgotten, and none says more than is there.
    async fn what_goes_on(
        &self,
        key: &UploadKey,
        wish: Wish,
    ) -> Result<(Option<Unfinished>, Option<Box<dyn Staged>>), ServerError> {
        if self.rules.in_place {
            return Ok((None, None));
        }
        let Some(mut record) = self.ledger.load(key).await? else { return Ok((None, None)) };
        if matches!(wish, Wish::Anew | Wish::From(0)) {
            return Ok((Some(record), None));
        }
        match self.store.staged(&record.stage).await {
            Ok(staged) => {
                if staged.len() < record.offset {
                    let (path, there) = (&key.path, staged.len());
                    tracing::warn!(%path, there, told = record.offset, "an unfinished upload was cut by another program");
                    record.offset = there;
                }
                Ok((Some(record), Some(staged)))
            }
            Err(StoreError::NotFound { .. }) => {
                tracing::warn!(path = %key.path, "the bytes of an unfinished upload are gone");
                self.drop_unfinished(key).await?;
                Ok((None, None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The finished file whose first bytes an upload begins with.
    async fn source(&self, target: &TreePath, upto: u64) -> Result<Reading, ServerError> {
        let reading = self.store.read(target).await?;
        if reading.meta.size < upto {
            // It was longer a moment ago.
            return Err(StoreError::Changed { path: PathBuf::from(target.to_string()) }.into());
        }
        Ok(reading)
    }
}

impl Receiving {
    /// The byte that comes next.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// So many bytes are safe, and may be told.
    pub fn safe(&self) -> u64 {
        let told = self.sitting.as_ref().and_then(|sitting| sitting.seat.told());
        told.unwrap_or(0)
    }

    /// Bytes are there, and wait until they may be taken: nobody is to take them for a client that is silent.
    pub(crate) fn waits(&self) {
        if let Some(sitting) = &self.sitting {
            sitting.seat.received();
        }
    }

    /// Makes it an unfinished upload now, also without a byte, and tells its name; `None` where uploads go in place and
    /// have none.
    pub async fn name(&mut self) -> Result<Option<String>, ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => upload.name().await,
            Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(sitting).into()),
        }
    }

    /// Does now, while no byte is there yet, what the first one would have to wait for.
    pub async fn prepare(&mut self) -> Result<(), ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => Ok(upload.prepare().await?),
            Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(sitting).into()),
        }
    }

    /// What comes from now on counts only after [`Self::vouch`]: nobody is told of it, and however this ends before
    /// that, with the server too, the upload is kept as it is now.
    pub async fn withhold(&mut self) -> Result<(), ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => upload.withhold().await,
            Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(sitting).into()),
        }
    }

    /// All that came counts.
    pub async fn vouch(&mut self) -> Result<(), ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => upload.vouch(),
            Phase::Busy | Phase::Lanes(_) | Phase::Over => return Err(fenced(sitting).into()),
        }
        Ok(())
    }

    /// More bytes. Every few seconds and 64 MiB what is there is made safe, beside.
    ///
    /// [`StoreError::Fenced`] when a newer session has taken over, [`ServerError::OverQuota`] when as much came as may.
    /// After another error the upload can still be settled.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), ServerError> {
        let len = bytes.len() as u64;
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        let taken = match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => upload.append(bytes).await?,
            Phase::Busy | Phase::Lanes(_) | Phase::Over => return Err(fenced(sitting).into()),
        };
        self.offset += taken;
        if taken < len { Err(ServerError::OverQuota) } else { Ok(()) }
    }

    /// What comes from a source, once there was a byte: as [`Self::append`], but a thread stays with it until there is
    /// nothing for now, or no more, or `most` bytes came.
    pub async fn take(&mut self, source: Box<dyn Source>, most: u64) -> Result<Then, ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        let taken = match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => upload.take(source, most).await?,
            Phase::Busy | Phase::Lanes(_) | Phase::Over => return Err(fenced(sitting).into()),
        };
        self.offset += taken.bytes;
        Ok(taken.then)
    }

    /// `len` bytes of another file of this tree, from `at` on, which the store copies by itself: as [`Self::append`].
    pub async fn copy(&mut self, body: &Body, at: u64, len: u64) -> Result<(), ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => upload.copy_in(body, at, len).await?,
            Phase::Busy | Phase::Lanes(_) | Phase::Over => return Err(fenced(sitting).into()),
        }
        self.offset += len;
        Ok(())
    }

    /// Nothing comes for the moment: what came is made safe in time all the same. To be called every few seconds.
    pub async fn rest(&mut self) -> Result<(), ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => Ok(Box::pin(upload.rest()).await?),
            Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(sitting).into()),
        }
    }

    /// The client has marked a place that it has reached, to go on from there if need be: once that is safe it is never
    /// held back, since this client knows that its end is still to be told.
    ///
    /// How many bytes may be told: with `wait` all up to the mark, and without it those are made safe soon, at most twice
    /// a second. To be asked again until they are. May be dropped.
    pub async fn safe_mark(&mut self, mark: u64, wait: bool) -> Result<u64, ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => Ok(upload.safe_mark(mark, wait).await?),
            Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(sitting).into()),
        }
    }

    /// Makes all of it safe: before the end is judged, while the control connection is watched.
    pub async fn sync(&mut self) -> Result<(), ServerError> {
        let sitting = self.sitting.as_ref().ok_or(ServerError::Busy)?;
        match &mut *sitting.seat.turn.lock().await {
            Phase::Open(upload) => Ok(upload.sync().await?),
            Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(sitting).into()),
        }
    }

    /// Publishes at once what has ended well and needs no sync first, if `assent` says so at the last moment: what was to
    /// be done before that is done by then. If not, it is given back as it was.
    pub async fn publish_now(mut self, assent: Assent) -> Result<Result<Meta, Self>, ServerError> {
        let sitting = self.sitting.take().ok_or(ServerError::Busy)?;
        let offset = self.offset;
        // In a task, as below.
        let ended = tokio::spawn(async move {
            let mut turn = sitting.seat.turn.lock().await;
            let published = match &mut *turn {
                Phase::Open(upload) => upload.publish_now(assent).await,
                Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(&sitting).into()),
            };
            if let Ok(None) = published {
                drop(turn);
                return Ok(Err(Self { sitting: Some(sitting), offset }));
            }
            *turn = Phase::Over;
            Ok(published?.ok_or_else(|| Self { sitting: None, offset }))
        });
        ended.await.unwrap_or_else(|error| Err(gone(&error)))
    }

    /// Keeps it, with all that came, for whoever brings the rest: its client has said that there is more, or will say
    /// when there is no more. Also without a byte it is an unfinished upload from now on.
    pub async fn keep(mut self) -> Result<Settled, ServerError> {
        let sitting = self.sitting.take().ok_or(ServerError::Busy)?;
        // In a task, as above.
        let ended = tokio::spawn(async move {
            let phase = std::mem::replace(&mut *sitting.seat.turn.lock().await, Phase::Over);
            match phase {
                Phase::Open(upload) => upload.keep_all().await,
                Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(&sitting).into()),
            }
        });
        ended.await.unwrap_or_else(|error| Err(gone(&error)))
    }

    /// Publishes it, or keeps it. What can't be published for want of room, or because its name was taken or changed
    /// meanwhile, is kept, and the error is told.
    pub async fn settle(mut self, data: DataEnd, control: Control) -> Result<Settled, ServerError> {
        let sitting = self.sitting.take().ok_or(ServerError::Busy)?;
        // In a task: it comes to its end even if the session does not.
        let ended = tokio::spawn(end(sitting, data, control)).await;
        ended.unwrap_or_else(|error| Err(gone(&error)))
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let Some(sitting) = self.sitting.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The server is at its end; the next one finds what is there.
            return;
        };
        runtime.spawn(async move {
            let path = sitting.seat.key.path.clone();
            match end(sitting, DataEnd::Unclean, Control::Gone).await {
                Ok(_) | Err(ServerError::Store(StoreError::Fenced { .. })) => {}
                Err(error) => tracing::warn!(%path, %error, "an upload that was given up could not be kept"),
            }
        });
    }
}

async fn end(sitting: Sitting, data: DataEnd, control: Control) -> Result<Settled, ServerError> {
    let phase = std::mem::replace(&mut *sitting.seat.turn.lock().await, Phase::Over);
    match phase {
        Phase::Open(upload) => upload.finish(data, control).await,
        Phase::Busy | Phase::Lanes(_) | Phase::Over => Err(fenced(&sitting).into()),
    }
}

fn gone(error: &tokio::task::JoinError) -> ServerError {
    ServerError::Other(format!("settling an upload: {error}"))
}

fn not_a_file(target: &TreePath) -> StoreError {
    StoreError::NotAFile { path: PathBuf::from(target.to_string()) }
}

fn fenced(sitting: &Sitting) -> StoreError {
    StoreError::Fenced { path: PathBuf::from(sitting.seat.key.path.to_string()) }
}
