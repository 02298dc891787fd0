//! Who is writing what at the moment: one seat for each unfinished upload, and the rule by which a newer session of its
//! owner gets it.
//!
//! Whoever has the seat may write the upload's bytes and its record, or change what has its name. It is given back when
//! [`Sitting`] ends, whatever became of the session.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use haul_core::{
    TreePath,
    receiving::{Control, DataEnd, Takeover, takeover},
};
use haul_store::{StageId, UploadKey};
use tokio::{
    sync::{Mutex as Turn, Semaphore},
    time::{sleep, timeout},
};

use super::{Depot, Seen, unfinished, upload::Upload, woven::Woven};
use crate::{ServerError, account::counts_as};

/// What is done to an upload at the moment is waited for, for so long …
pub(super) const AT_WORK: Duration = Duration::from_secs(10);
/// … and looked at so often.
pub(super) const BREATH: Duration = Duration::from_millis(2);

/// All seats that are taken.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<HashMap<UploadKey, Arc<Seat>>>,
    /// How many uploads were begun that nothing was known of.
    begun: AtomicU64,
}

/// One of them.
pub(super) struct Seat {
    pub(super) key: UploadKey,
    /// What is being received; locked while something is done to it.
    pub(super) turn: Turn<Phase>,
    pace: Mutex<Pace>,
    /// With whose uploads it counts.
    pub(super) counts_as: String,
    /// Which of those that were begun it is, where nothing was known of it; else 0.
    begun: AtomicU64,
    /// Closed when its holder has left it; nobody ever gets past it otherwise.
    over: Semaphore,
}

/// What the one who has the seat does.
pub(super) enum Phase {
    /// Prepares, or changes what has the name: soon done.
    Busy,
    /// Receives.
    Open(Box<Upload>),
    /// Receives on several lanes.
    Lanes(Arc<Woven>),
    /// It is being settled, or was taken over.
    Over,
}

/// What others see of it, without waiting for their turn.
struct Pace {
    /// When the last byte came.
    last: Instant,
    touched: i64,
    /// The staged file and the offset that may be told, once something was begun.
    told: Option<(StageId, u64)>,
}

/// A seat that is had. Ends with it.
pub(super) struct Sitting {
    depot: Arc<Depot>,
    pub(super) seat: Arc<Seat>,
}

impl Drop for Sitting {
    fn drop(&mut self) {
        self.depot.seats.leave(&self.seat);
    }
}

impl Seat {
    fn new(key: UploadKey) -> Self {
        let pace = Pace { last: Instant::now(), touched: unfinished::now(), told: None };
        let (turn, over) = (Turn::new(Phase::Busy), Semaphore::const_new(0));
        let counts_as = counts_as(&key.owner).into_owned();
        Self { key, turn, pace: Mutex::new(pace), counts_as, begun: AtomicU64::new(0), over }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        let mut pace = self.pace();
        pace.last = Instant::now();
    }

    /// For how long no byte came.
    pub(super) fn silent(&self) -> Duration {
        self.pace().last.elapsed()
    }

    /// So much may be told from now on.
    pub(super) fn tell(&self, stage: &StageId, at: u64) {
        let mut pace = self.pace();
        pace.touched = unfinished::now();
        pace.told = Some((stage.clone(), at));
    }

    /// Nothing is there to tell any more.
    pub(super) fn tell_nothing(&self) {
        self.pace().told = None;
    }

    /// What was told last.
    pub(super) fn told(&self) -> Option<u64> {
        self.pace().told.as_ref().map(|(_, at)| *at)
    }

    /// Returns when its holder has left it.
    pub(super) async fn left(&self) {
        // It ends in no other way than by being closed.
        let _ = self.over.acquire().await;
    }

    fn was_begun_before(&self, another: &Self) -> bool {
        let number = another.begun.load(Ordering::Relaxed);
        self.counts_as == another.counts_as && (1..number).contains(&self.begun.load(Ordering::Relaxed))
    }

    fn seen(&self) -> Option<Seen> {
        let pace = self.pace();
        pace.told.as_ref().map(|(stage, at)| unfinished::seen(stage, *at, pace.touched))
    }
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, HashMap<UploadKey, Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is begun there that nothing is known of; how much else was begun so before that counts with it,
    /// and is still received.
    pub(super) fn begins(&self, seat: &Seat) -> usize {
        let taken = self.taken();
        // Under the lock, so that of two who come at once one is the first for both.
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        seat.begun.store(number, Ordering::Relaxed);
        taken.values().filter(|other| other.was_begun_before(seat)).count()
    }

    /// What else that counts with it was begun before this one, and nothing was known of, and is still received.
    pub(super) fn begun_before(&self, seat: &Seat) -> Vec<UploadKey> {
        let taken = self.taken();
        taken.values().filter(|other| other.was_begun_before(seat)).map(|other| other.key.clone()).collect()
    }

    /// What is being received, as its owner may see it.
    pub(super) fn seen(&self, key: &UploadKey) -> Option<Seen> {
        self.of(key)?.seen()
    }

    /// What this owner receives into a folder.
    pub(super) fn seen_in(&self, owner: &str, folder: &TreePath) -> Vec<(Vec<u8>, Seen)> {
        let taken = self.taken();
        let inside = taken
            .values()
            .filter(|seat| seat.key.owner == owner && seat.key.path.parent().as_ref() == Some(folder));
        inside.filter_map(|seat| Some((seat.key.path.name().to_vec(), seat.seen()?))).collect()
    }

    /// What is being received within a folder, by whomever.
    pub(super) fn within(&self, folder: &TreePath) -> Vec<UploadKey> {
        self.taken().keys().filter(|key| key.path.is_within(folder)).cloned().collect()
    }

    /// The seat of this upload, where somebody has it.
    pub(super) fn of(&self, key: &UploadKey) -> Option<Arc<Seat>> {
        self.taken().get(key).cloned()
    }

    fn leave(&self, seat: &Arc<Seat>) {
        let mut taken = self.taken();
        if taken.get(&seat.key).is_some_and(|other| Arc::ptr_eq(other, seat)) {
            taken.remove(&seat.key);
        }
        drop(taken);
        seat.over.close();
    }
}

impl Depot {
    /// Waits until nothing is being received, settled or changed: before a server ends, so that what it tells the next
    /// one is all there.
    pub async fn at_rest(&self) {
        loop {
            let Some(other) = self.seats.taken().values().next().cloned() else { return };
            // Whoever has it has gone then, and others may have come.
            other.left().await;
        }
    }

    /// Takes the seat of an upload: at once, after its holder is done, or from a holder who has received nothing for as
    /// long as the rules say. What that one had is kept first. Else [`ServerError::Busy`].
    pub(super) async fn sit(self: &Arc<Self>, key: UploadKey) -> Result<Sitting, ServerError> {
        self.sit_after(key, self.rules.takeover).await
    }

    /// As [`Self::sit`], from whoever has it, as soon as that one is between two bytes.
    pub(super) async fn sit_now(self: &Arc<Self>, key: UploadKey) -> Result<Sitting, ServerError> {
        let came = Instant::now();
        loop {
            match self.sit_after(key.clone(), Duration::ZERO).await {
                // What is at work at the moment is not disturbed in it.
                Err(ServerError::Busy) if came.elapsed() < AT_WORK => sleep(BREATH).await,
                sat => return sat,
            }
        }
    }

    async fn sit_after(self: &Arc<Self>, key: UploadKey, patience: Duration) -> Result<Sitting, ServerError> {
        let came = Instant::now();
        loop {
            if let Some(sitting) = self.sit_if_free(&key) {
                return Ok(sitting);
            }
            let Some(other) = self.seats.of(&key) else { continue };
            match self.judge(&other, came, patience) {
                Judged::Taken(upload) => self.put_down(upload, &other).await,
                Judged::Woven(woven) => {
                    // In a task, to the end, as below.
                    if let Err(error) = tokio::spawn(async move { woven.put_down().await }).await {
                        tracing::warn!(%error, "an upload that was taken over could not be kept");
                    }
                }
                Judged::Wait(time) => {
                    // Whether it is over or the time is, what is next is seen by looking again.
                    let _ = timeout(time, other.left()).await;
                }
                Judged::Busy => return Err(ServerError::Busy),
            }
        }
    }

    /// Takes the seat of an upload that nobody has.
    pub(super) fn sit_if_free(self: &Arc<Self>, key: &UploadKey) -> Option<Sitting> {
        match self.seats.taken().entry(key.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                let seat = Arc::clone(free.insert(Arc::new(Seat::new(key.clone()))));
                Some(Sitting { depot: Arc::clone(self), seat })
            }
        }
    }

    /// What to do about who has the seat.
    fn judge(&self, other: &Seat, came: Instant, patience: Duration) -> Judged {
        // Who is at work is not idle, however long a disk takes.
        let turn = other.turn.try_lock().ok();
        let mut open = turn.filter(|phase| matches!(**phase, Phase::Open(_) | Phase::Lanes(_)));
        let idle = open.as_ref().map(|_| other.pace().last.elapsed()).unwrap_or_default();
        match (takeover(idle, came.elapsed(), patience), open.as_mut()) {
            (Takeover::Take, Some(phase)) => match std::mem::replace(&mut **phase, Phase::Over) {
                Phase::Open(upload) => Judged::Taken(upload),
                Phase::Lanes(woven) => Judged::Woven(woven),
                Phase::Busy | Phase::Over => Judged::Busy,
            },
            // Only where nobody is waited for at all.
            (Takeover::Take, None) | (Takeover::Busy, _) => Judged::Busy,
            (Takeover::Wait(time), _) => Judged::Wait(time),
        }
    }

    /// Ends what an older session had begun, as if its connection had broken.
    async fn put_down(self: &Arc<Self>, upload: Box<Upload>, seat: &Arc<Seat>) {
        let sitting = Sitting { depot: Arc::clone(self), seat: Arc::clone(seat) };
        // In a task, to the end: whoever wants the seat may go away meanwhile, and who had it may never ask again.
        let ended = tokio::spawn(async move {
            let path = &sitting.seat.key.path;
            match upload.finish(DataEnd::Unclean, Control::Gone).await {
                Ok(settled) => tracing::info!(%path, ?settled, "an upload was taken over by a newer session"),
                Err(error) => {
                    tracing::warn!(%path, %error, "an upload that was taken over could not be kept");
                }
            }
        });
        if let Err(error) = ended.await {
            tracing::warn!(%error, "an upload that was taken over could not be kept");
        }
    }
}

/// What comes of looking at who has the seat.
enum Judged {
    Taken(Box<Upload>),
    Woven(Arc<Woven>),
    Wait(Duration),
    Busy,
}
