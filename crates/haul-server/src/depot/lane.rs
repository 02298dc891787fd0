//! One session's part in an upload that comes in ranges: where it begins, what a door holds meanwhile, how it ends.
//!
//! Who begins such an upload begins it anew; who joins it, or goes on with it, names it. So two clients with two files of
//! one name never fill the same one.

use std::{path::PathBuf, sync::Arc, time::Instant};

use bytes::Bytes;
use haul_core::{ByteRange, RangeSet, TreePath};
use haul_store::{Durability, Meta, Source, StoreError, Stretch, Then, Unfinished, UploadKey};

use super::{
    Depot, Visitor,
    begun::discard,
    order,
    seats::{AT_WORK, BREATH, Phase, Sitting},
    woven::{Left, Pattern, Woven, fits},
};
use crate::ServerError;

/// A range of an upload that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which bytes.
    pub range: ByteRange,
    /// How many the file has in all, where that is said.
    pub total: Option<u64>,
    /// The unfinished upload that is meant, by its name ([`Pending::id`](super::Pending::id)); where none is named one is
    /// begun anew.
    pub of: Option<String>,
}

/// What is there of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// Its name.
    pub id: String,
    /// The size that was declared.
    pub declared: Option<u64>,
    /// What is safe.
    pub there: RangeSet,
}

/// What became of a lane.
#[derive(Clone, Debug)]
pub enum Ended {
    /// The file is there, whole: this lane's bytes and those of all others.
    Published(Meta),
    /// What came is safe.
    Part {
        /// It: `None` where nothing came.
        kept: Option<ByteRange>,
        /// The upload's name.
        id: String,
    },
}

/// A range of an upload that is being received. Dropped without [`end`](Self::end) it is kept all the same.
pub struct Lane {
    /// `None` once it is being ended.
    seam: Option<Seam>,
}

struct Seam {
    woven: Arc<Woven>,
    number: u64,
    stretch: Arc<Stretch>,
    start: u64,
}

impl Visitor {
    /// Whether uploads may come in ranges here.
    pub fn weaves(&self) -> bool {
        self.depot().weaves()
    }

    /// What is there of this account's unfinished upload to a place. What is being received is made safe first.
    pub async fn ranges(&self, path: &TreePath) -> Result<Option<Ranges>, ServerError> {
        let Some(pending) = self.pending(path).await? else { return Ok(None) };
        let record = self.depot().ledger.load(&self.key(&self.place(path)?)).await?;
        let mut there = record.filter(|record| record.stage.0 == pending.id).map(|record| record.beyond);
        let there = match &mut there {
            Some(beyond) => std::mem::take(beyond),
            None => RangeSet::new(),
        };
        let front = ByteRange::new(0, pending.offset);
        Ok(Some(Ranges {
            id: pending.id,
            declared: pending.declared,
            there: there.iter().chain(front).collect(),
        }))
    }

    /// Begins an upload with this range of it, joins one, or goes on with one. One that is begun anew is there at once,
    /// and what was unfinished at that place is given up.
    pub async fn lane(&self, path: &TreePath, piece: Piece) -> Result<Lane, ServerError> {
        let (this, path) = (self.clone(), path.clone());
        // In a task: what was begun is done, even if nobody waits for it any more, and then ended.
        let entered = tokio::spawn(async move { this.lane_of(&path, piece).await });
        entered.await.unwrap_or_else(|error| Err(ServerError::Other(format!("beginning an upload: {error}"))))
    }

    async fn lane_of(&self, path: &TreePath, piece: Piece) -> Result<Lane, ServerError> {
        let depot = self.depot();
        if !self.may_add(path) {
            return Err(ServerError::Denied);
        }
        if !depot.weaves() || self.is_aside() {
            return Err(unfit("uploads are in place here"));
        }
        let target = self.place(path)?;
        if self.account().anonymous.is_some() && depot.finished(&target).await?.is_some() {
            return Err(ServerError::Denied);
        }
        let key = self.key(&target);
        let came = Instant::now();
        loop {
            let woven = match &piece.of {
                None => self.woven_anew(&key, &piece).await?,
                Some(id) => self.woven(&key, &piece, id, came).await?,
            };
            self.told().take(&target);
            let entered = woven.enter(piece.range).await;
            match entered {
                Ok(Some((number, stretch))) => {
                    let seam = Seam { woven, number, stretch, start: piece.range.start() };
                    return Ok(Lane { seam: Some(seam) });
                }
                // It was just over, and may be there for the next.
                Ok(None) if came.elapsed() < AT_WORK => tokio::time::sleep(BREATH).await,
                Ok(None) => return Err(ServerError::Busy),
                Err(error) => {
                    woven.unless_wanted().await;
                    return Err(error);
                }
            }
        }
    }

    /// The upload of this name: as it is being filled, or from where it was left.
    async fn woven(
        &self,
        key: &UploadKey,
        piece: &Piece,
        id: &str,
        came: Instant,
    ) -> Result<Arc<Woven>, ServerError> {
        let depot = self.depot();
        loop {
            if let Some(sitting) = depot.sit_if_free(key) {
                return self.woven_again(sitting, piece, id).await;
            }
            let Some(seat) = depot.seats.of(key) else { continue };
            let phase = seat.turn.lock().await;
            match &*phase {
                Phase::Lanes(woven) if woven.id().0 == id => {
                    let other = piece.total.filter(|total| *total != woven.total());
                    return match other {
                        Some(_) => Err(other_size(woven.total())),
                        None => Ok(Arc::clone(woven)),
                    };
                }
                // Somebody is just about to let others in, or to go.
                Phase::Busy | Phase::Over if came.elapsed() < AT_WORK => {
                    drop(phase);
                    tokio::time::sleep(BREATH).await;
                }
                Phase::Busy | Phase::Over | Phase::Open(_) | Phase::Lanes(_) => {
                    drop(phase);
                    // Who means another one ends nobody.
                    recorded(depot, key, id).await?;
                    let sitting = depot.sit(key.clone()).await?;
                    return self.woven_again(sitting, piece, id).await;
                }
            }
        }
    }

    async fn woven_again(
        &self,
        sitting: Sitting,
        piece: &Piece,
        id: &str,
    ) -> Result<Arc<Woven>, ServerError> {
        let depot = self.depot();
        let key = sitting.seat.key.clone();
        let record = recorded(depot, &key, id).await?;
        let total = match (record.declared, piece.total) {
            (Some(declared), Some(total)) if declared != total => return Err(other_size(declared)),
            (Some(total), _) | (None, Some(total)) => total,
            (None, None) => return Err(unfit("its size is not known: ALLO tells it")),
        };
        fits(piece.range, total)?;
        let mut staged = depot.store.staged(&record.stage).await?;
        let there = what_is_there(&record, staged.len().min(total));
        self.charge_all(&key, total).await?;
        // What was never synced, and the byte that was held back.
        staged.cut(there.end()).await?;
        let (lease, _) = depot.ledger.claim(&key).await?;
        let pattern = Pattern {
            target: key.path.clone(),
            total,
            only_new: self.account().anonymous.is_some() || record.base == Some(order::nothing()),
            base: record.base,
            copied: record.copied,
            note: record.note,
            teller: self.teller(),
            before: (there.total(), Instant::now()),
        };
        let woven = Woven::new(Arc::clone(depot), sitting, pattern, lease, staged, there)?;
        self.opened(woven, Durability::Relaxed).await
    }

    /// One that nothing is there of.
    async fn woven_anew(&self, key: &UploadKey, piece: &Piece) -> Result<Arc<Woven>, ServerError> {
        let depot = self.depot();
        let total = piece.total.ok_or_else(|| unfit("its size is not known: ALLO tells it"))?;
        fits(piece.range, total)?;
        let sitting = depot.sit(key.clone()).await?;
        let earlier = depot.ledger.load(key).await?;
        if earlier.is_none() {
            depot.has_room_for_another(&sitting.seat).await?;
        }
        self.charge_all(key, total).await?;
        let staged = depot.store.stage(&key.path).await?;
        let id = staged.id().clone();
        let (lease, _) = depot.ledger.claim(key).await?;
        let pattern = Pattern {
            target: key.path.clone(),
            total,
            only_new: self.account().anonymous.is_some(),
            base: None,
            copied: 0,
            note: Vec::new(),
            teller: self.teller(),
            before: (0, Instant::now()),
        };
        // Synced: after a power cut nobody must go on with the old one as if it were the new.
        let how = if earlier.is_some() { Durability::Full } else { Durability::Relaxed };
        let made = Woven::new(Arc::clone(depot), sitting, pattern, lease, staged, RangeSet::new());
        let opened = match made {
            Ok(woven) => self.opened(woven, how).await,
            Err(error) => Err(error),
        };
        match (&opened, earlier) {
            (Ok(_), Some(earlier)) => depot.remove_staged(&earlier.stage).await,
            (Ok(_), None) => {}
            (Err(_), _) => {
                depot.quotas.dropped(key);
                // Nobody knows of it.
                if let Ok(staged) = depot.store.staged(&id).await {
                    discard(staged).await;
                }
            }
        }
        opened
    }

    /// All of it counts from its beginning: its ranges come in any order.
    async fn charge_all(&self, key: &UploadKey, total: u64) -> Result<(), ServerError> {
        let published = if self.depot().quotas.concern(&key.path) {
            self.depot().finished(&key.path).await?.map(|meta| meta.size)
        } else {
            None
        };
        let charge = self.charge(key, published, Some(total)).await?;
        charge.map_or(Ok(()), |charge| charge.open(total))
    }

    /// Has it remembered, and lets others in.
    async fn opened(&self, woven: Arc<Woven>, how: Durability) -> Result<Arc<Woven>, ServerError> {
        woven.begun(how).await?;
        woven.open().await;
        Ok(woven)
    }
}

impl Depot {
    /// Whether uploads may come in ranges.
    pub fn weaves(&self) -> bool {
        !self.rules.in_place && self.store.geometry().can_cut
    }
}

/// What is remembered of the upload of this name.
async fn recorded(depot: &Depot, key: &UploadKey, id: &str) -> Result<Unfinished, ServerError> {
    let known = depot.ledger.load(key).await?.filter(|record| record.stage.0 == id);
    Ok(known.ok_or_else(|| StoreError::NotFound { path: PathBuf::from(key.path.to_string()) })?)
}

/// What a record says, as far as it is there.
fn what_is_there(record: &Unfinished, len: u64) -> RangeSet {
    let told: RangeSet = record.beyond.iter().chain(ByteRange::new(0, record.offset)).collect();
    ByteRange::new(0, len).map(|all| told.covered(all).collect()).unwrap_or_default()
}

fn unfit(words: &str) -> ServerError {
    ServerError::Unfit(words.to_owned())
}

fn other_size(declared: u64) -> ServerError {
    ServerError::Unfit(format!("it was begun as a file of {declared} bytes"))
}

impl Lane {
    fn seam(&self) -> Result<&Seam, ServerError> {
        self.seam.as_ref().ok_or(ServerError::Busy)
    }

    /// The upload's name.
    pub fn id(&self) -> String {
        self.seam.as_ref().map(|seam| seam.woven.id().0.clone()).unwrap_or_default()
    }

    /// The byte that comes next.
    pub fn offset(&self) -> u64 {
        self.seam.as_ref().map_or(0, |seam| seam.stretch.at())
    }

    /// More bytes. [`ServerError::Unfit`] where there are more than the range has, or than is left of it since another
    /// lane has its tail; [`StoreError::Fenced`] where the upload was taken over.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), ServerError> {
        let seam = self.seam()?;
        seam.woven.is_open(seam.number)?;
        let more = bytes.len() as u64;
        let written = seam.woven.scattered.write(&seam.stretch, bytes).await?;
        seam.woven.received(seam.number)?;
        seam.woven.keep_safe().await?;
        if written < more { Err(unfit("what came behind the range's end was not taken")) } else { Ok(()) }
    }

    /// What comes from a source: a thread stays with it until there is nothing for now, or no more, or the range is full,
    /// or `most` bytes came.
    pub async fn take(&mut self, source: Box<dyn Source>, most: u64) -> Result<Then, ServerError> {
        let seam = self.seam()?;
        seam.woven.is_open(seam.number)?;
        let taken = seam.woven.scattered.take(&seam.stretch, source, most).await?;
        if taken.bytes > 0 {
            seam.woven.received(seam.number)?;
        }
        seam.woven.keep_safe().await?;
        Ok(taken.then)
    }

    /// Bytes are there, and wait until they may be taken: nobody is to take them for a client that is silent.
    pub(crate) fn waits(&self) {
        if let Some(seam) = &self.seam {
            // Where all is over the next bytes are refused.
            let _ = seam.woven.received(seam.number);
        }
    }

    /// Nothing comes for the moment: what came is made safe in time all the same. To be called every few seconds.
    pub async fn rest(&mut self) -> Result<(), ServerError> {
        Ok(self.seam()?.woven.keep_safe().await?)
    }

    /// The end of it, however its connection ended: what came is safe then, or the file is there.
    pub async fn end(mut self) -> Result<Ended, ServerError> {
        let seam = self.seam.take().ok_or(ServerError::Busy)?;
        // In a task: it comes to its end even if the session does not.
        let ended = tokio::spawn(seam.end()).await;
        ended.unwrap_or_else(|error| Err(ServerError::Other(format!("ending a part of an upload: {error}"))))
    }
}

impl Seam {
    async fn end(self) -> Result<Ended, ServerError> {
        let Self { woven, number, stretch, start } = self;
        Ok(match woven.leave(number, start).await? {
            Left::Published(meta) => Ended::Published(meta),
            Left::Part { upto } => {
                let kept = ByteRange::new(start, upto.min(stretch.at()));
                Ended::Part { kept, id: woven.id().0.clone() }
            }
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let Some(seam) = self.seam.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The server is at its end; the next one finds what is there.
            return;
        };
        runtime.spawn(async move {
            match seam.end().await {
                Ok(_) | Err(ServerError::Store(StoreError::Fenced { .. })) => {}
                Err(error) => {
                    tracing::warn!(%error, "a part of an upload that was given up could not be kept");
                }
            }
        });
    }
}
