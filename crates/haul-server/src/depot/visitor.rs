//! The tree as one account sees it: what may be looked at. What may be changed is in `changes`, what is sent to it in
//! `receiving`.

use std::{sync::Arc, time::Duration};

use haul_core::{BadPath, TreePath};
use haul_store::{Meta, Reading, UploadKey};
use tokio::time::timeout;

use super::{Depot, Names, Peek, Seen, quota::Parts, seats::Phase, told::Told, unfinished};
use crate::{
    ServerError,
    account::{Account, Permissions},
    hooks::{Teller, Whence},
    pace::{Pace, Way},
};

/// The tree as one account sees it; paths begin at its home.
#[derive(Clone)]
pub struct Visitor {
    depot: Arc<Depot>,
    account: Arc<Account>,
    told: Arc<Told>,
    /// What it uploads has no place in the tree.
    pub(super) aside: bool,
    /// Of what it is put together.
    pub(super) joins: Option<Parts>,
    pace: Option<Arc<Pace>>,
    /// From where it comes.
    whence: Option<Whence>,
}

/// Who waits for a turn to take bytes says so often that it is there: more often than anybody takes for silence.
const BEAT: Duration = Duration::from_millis(500);

/// What stands behind the owner of uploads without a place: no account's name has a colon in it.
pub(super) const ASIDE: &str = ":part";

impl Visitor {
    /// Whether [`Receiving::publish_now`](super::Receiving::publish_now) is worth a try here.
    pub fn publishes_at_once(&self) -> bool {
        self.depot().rules.publishes_at_once()
    }

    pub(super) fn new(depot: Arc<Depot>, account: Arc<Account>) -> Self {
        Self { depot, account, told: Arc::default(), aside: false, joins: None, pace: None, whence: None }
    }

    /// The same, whose bytes go at this pace.
    #[must_use]
    pub fn at(self, pace: Arc<Pace>) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// The same one with its home within another folder; `None` where that makes too long a path.
    pub(crate) fn within(self, folder: &TreePath) -> Option<Self> {
        let Self { account, .. } = self;
        Some(Self { account: account.within(folder)?, ..self })
    }

    /// Its pace, where it has one.
    pub(crate) fn pace(&self) -> Option<Arc<Pace>> {
        self.pace.clone()
    }

    /// How many bytes of its are to go at once, where that is limited: for each [`Self::pass`] has to be waited for.
    pub(crate) fn piece(&self, way: Way) -> Option<u64> {
        self.pace.as_ref()?.piece(way)
    }

    /// Waits until so many bytes may go.
    pub(crate) async fn pass(&self, way: Way, bytes: u64) {
        if let Some(pace) = &self.pace {
            pace.pass(way, bytes).await;
        }
    }

    /// Waits until so many bytes that came may be taken. Meanwhile `waits` says again and again that they are there: who
    /// is held up here is not silent.
    pub(crate) async fn pass_up(&self, bytes: u64, waits: impl Fn()) {
        if self.piece(Way::Up).is_none() {
            return;
        }
        waits();
        let mut passing = std::pin::pin!(self.pass(Way::Up, bytes));
        while timeout(BEAT, &mut passing).await.is_err() {
            waits();
        }
    }

    /// The same one, who comes from there.
    #[must_use]
    pub fn coming(self, whence: Whence) -> Self {
        Self { whence: Some(whence), ..self }
    }

    /// Who it is, for those who are told of its uploads.
    pub(super) fn teller(&self) -> Arc<Teller> {
        Teller::new(&self.account, self.whence)
    }

    pub(super) fn depot(&self) -> &Arc<Depot> {
        &self.depot
    }

    /// What its session was told.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// Who it is.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Where a path of this account lies in the tree.
    pub(super) fn place(&self, path: &TreePath) -> Result<TreePath, ServerError> {
        // Its names are good ones, so it can only be too long.
        Ok(path.moved(&TreePath::ROOT, &self.account.home).ok_or(BadPath::TooLong)?)
    }

    /// This account's upload to a place.
    pub(super) fn key(&self, place: &TreePath) -> UploadKey {
        UploadKey { owner: self.owner(), path: place.clone() }
    }

    /// Whose unfinished uploads are this visitor's.
    pub(super) fn owner(&self) -> String {
        let owner = self.account.owner();
        if self.aside { owner + ASIDE } else { owner }
    }

    /// A path of this account as one of the whole tree, for whoever reads logs.
    pub fn whole(&self, path: &TreePath) -> TreePath {
        self.place(path).unwrap_or_else(|_| path.clone())
    }

    /// Of what is in a folder where nothing at all may be done nothing is told.
    fn may_know(&self, path: &TreePath) -> Result<(), ServerError> {
        let hidden = self.account.bounds.folders.at(path) == Some(Permissions::default());
        if hidden { Err(ServerError::Denied) } else { Ok(()) }
    }

    /// What has this name. Whoever may do anything here may know.
    pub async fn stat(&self, path: &TreePath) -> Result<Seen, ServerError> {
        self.may_know(path)?;
        let place = self.place(path)?;
        if let Some(seen) = self.depot.caught_up(&self.key(&place)).await? {
            self.told.note(place, &seen);
            return Ok(seen);
        }
        Ok(Seen { meta: self.depot.store.stat(&place).await?, unfinished: false })
    }

    /// What is in a folder.
    pub async fn list(&self, folder: &TreePath) -> Result<Names, ServerError> {
        if !self.account.may_at(folder).list {
            return Err(ServerError::Denied);
        }
        let place = self.place(folder)?;
        let listing = self.depot.store.list(&place).await?;
        let mut own = std::collections::BTreeMap::new();
        if !self.depot.rules.in_place {
            let owner = self.owner();
            for (key, record) in self.depot.ledger.in_folder(&owner, &place).await? {
                let seen = unfinished::seen(&record.stage, record.offset, record.touched);
                own.insert(key.path.name().to_vec(), seen);
            }
            // What is under way says it better than what is remembered.
            own.extend(self.depot.seats.seen_in(&owner, &place));
            for (name, seen) in &own {
                self.told.note(place.join(name)?, seen);
            }
        }
        Ok(Names::new(listing, own))
    }

    /// Opens a finished file; an unfinished upload of this account is [`ServerError::Unfinished`].
    pub async fn read(&self, path: &TreePath) -> Result<Reading, ServerError> {
        if !self.account.may_at(path).read {
            return Err(ServerError::Denied);
        }
        let place = self.place(path)?;
        if let Some(seen) = self.depot.unfinished(&self.key(&place)).await? {
            self.told.note(place, &seen);
            return Err(ServerError::Unfinished { at: seen.meta.size });
        }
        Ok(self.depot.store.read(&place).await?)
    }

    /// The finished file or folder of this name, whatever this account is just uploading there.
    pub async fn published(&self, path: &TreePath) -> Result<Meta, ServerError> {
        self.may_know(path)?;
        Ok(self.depot.store.stat(&self.place(path)?).await?)
    }

    /// Opens the finished file of this name, whatever this account is just uploading there.
    pub async fn open(&self, path: &TreePath) -> Result<Reading, ServerError> {
        if !self.account.may_at(path).read {
            return Err(ServerError::Denied);
        }
        Ok(self.depot.store.read(&self.place(path)?).await?)
    }

    /// As [`Self::open`], for whoever wants to know which version it is: who may only write may know that.
    pub async fn open_to_compare(&self, path: &TreePath) -> Result<Reading, ServerError> {
        let may = self.account.may_at(path);
        if !may.read && !may.write {
            return Err(ServerError::Denied);
        }
        Ok(self.depot.store.read(&self.place(path)?).await?)
    }

    /// Whether what was read is still what it was.
    pub async fn unchanged(&self, reading: &Reading) -> Result<(), ServerError> {
        Ok(self.depot.store.unchanged(reading).await?)
    }

    /// Opens for a checksum: the unfinished upload first. Who may only write may compare what it has sent, and nothing that
    /// was copied from a finished file.
    pub async fn peek(&self, path: &TreePath) -> Result<Peek, ServerError> {
        let (may, depot) = (self.account.may_at(path), &self.depot);
        let place = self.place(path)?;
        let key = self.key(&place);
        if depot.unfinished(&key).await?.is_none() {
            if !may.read {
                return Err(ServerError::Denied);
            }
            return Ok(Peek::finished(depot.store.read(&place).await?));
        }
        if !may.read && !may.write {
            return Err(ServerError::Denied);
        }
        if let Some(seat) = depot.seats.of(&key) {
            let (readable, sent) = match &*seat.turn.lock().await {
                Phase::Open(upload) => (upload.readable(), upload.is_sent()),
                Phase::Lanes(woven) => (seat.told(), woven.is_sent()),
                Phase::Busy | Phase::Over => (None, false),
            };
            if readable.is_some() && !may.read && !sent {
                return Err(ServerError::Denied);
            }
            return readable.map(|len| Peek::receiving(seat, len)).ok_or(ServerError::Busy);
        }
        // With the seat nobody else opens it at the same time.
        let sitting = depot.sit(key).await?;
        match depot.ledger.load(&sitting.seat.key).await? {
            Some(record) if !may.read && record.copied > 0 => Err(ServerError::Denied),
            Some(record) => Ok(Peek::unfinished(depot.store.staged(&record.stage).await?, record.offset)),
            None => Err(ServerError::Busy),
        }
    }

    /// How many bytes may still be written there.
    pub async fn space(&self, path: &TreePath) -> Result<Option<u64>, ServerError> {
        if !self.account.may_at(path).write {
            return Err(ServerError::Denied);
        }
        Ok(match (self.free(path).await?, self.left()) {
            (Some(space), Some(left)) => Some(space.min(left)),
            (space, left) => space.or(left),
        })
    }

    /// The same by the medium alone, whatever this account may have of it.
    pub(crate) async fn free(&self, path: &TreePath) -> Result<Option<u64>, ServerError> {
        Ok(self.depot.store.space(&self.place(path)?).await?)
    }
}
