//! The ledger as a SQLite database in the server's state folder (docs/adr/019-sqlite-for-the-ledger.md).
//!
//! ```text
//! STATE/lock          exists, and is locked while a server uses this state
//!       uploads.db    the records; created by the first one
//! ```
//! One server has the state folder, so every record is in memory as well and questions are answered from there; the
//! database is written by one thread, which commits everything that waits at once. What is not asked to be durable is
//! in the system's hands after its commit: it outlives this process, and costs no sync.

mod answer;
mod clerk;
mod letters;
mod published;
mod tables;
#[cfg(test)]
mod tests;

use std::{
    fs::{DirBuilder, File, TryLockError},
    io::{Seek, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use haul_core::TreePath;

use self::{
    answer::{Answer, Teller, pair},
    clerk::{Move, Order, State},
    tables::Tables,
};
use super::memory::{all_within, directly_in};
use super::{Lease, Ledger, Letter, Outstanding, Published, Unfinished, UploadKey, fenced};
use crate::{Durability, StoreError, Watch, Work, sys};

/// Remembers in a database.
pub struct SqliteLedger {
    path: PathBuf,
    state: Arc<Mutex<State>>,
    /// `None` only while it is dropped.
    orders: Option<mpsc::Sender<Order>>,
    clerk: Option<JoinHandle<()>>,
    /// Somebody who hears how many orders wait.
    watch: Option<Arc<dyn Watch>>,
    /// Holds the lock; let go when the thread has ended.
    _lock: File,
}

impl std::fmt::Debug for SqliteLedger {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SqliteLedger").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteLedger {
    /// The ledger in this folder, which is created where it is not there. [`StoreError::InUse`] where another server
    /// has it, [`StoreError::NewerFormat`] where a newer haul wrote it. The database itself is created by the first
    /// record.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::opened(folder, None)
    }

    /// As [`Self::open`], with somebody who hears how long commits take.
    pub fn watched(folder: &Path, watch: Arc<dyn Watch>) -> Result<Self, StoreError> {
        Self::opened(folder, Some(watch))
    }

    /// How many bytes the database in this folder has on its medium, with what is not in its place yet; 0 where there is
    /// none.
    pub fn size_in(folder: &Path) -> u64 {
        let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |seen| seen.len());
        size("uploads.db") + size("uploads.db-wal")
    }

    fn opened(folder: &Path, watch: Option<Arc<dyn Watch>>) -> Result<Self, StoreError> {
        Self::make(folder)?;
        let lock = lock(folder)?;
        let path = folder.join("uploads.db");
        let (tables, records) = Tables::find(path.clone())?;
        let state = Arc::new(Mutex::new(State { records, ..State::default() }));
        let (orders, taken) = mpsc::channel();
        let (shared, hears) = (Arc::clone(&state), watch.clone());
        let clerk = std::thread::Builder::new()
            .name("haul-ledger".to_owned())
            .spawn(move || clerk::work(tables, &shared, hears.as_deref(), &taken))
            .map_err(|error| StoreError::at("starting a thread for", &path, error))?;
        Ok(Self { path, state, orders: Some(orders), clerk: Some(clerk), watch, _lock: lock })
    }

    /// Makes the folder that [`Self::open`] would make, and nothing in it.
    pub fn make(folder: &Path) -> Result<(), StoreError> {
        make(folder).map_err(|error| StoreError::at("creating", folder, error))
    }

    /// Waits until nothing of a server that is no more holds this folder, at most so long. A program that it was just about
    /// to start when it was killed still has all that it had open, for the moment until that program runs.
    pub fn outlive(folder: &Path, at_most: Duration) {
        let until = Instant::now() + at_most;
        while is_held_by_the_dead(&folder.join("lock")) && Instant::now() < until {
            std::thread::sleep(A_LOOK);
        }
    }

    /// What a server that does not run has left in this folder: nothing is created or changed, and no server is kept from
    /// starting. [`StoreError::InUse`] where one runs.
    pub fn look(folder: &Path) -> Result<Vec<(UploadKey, Unfinished)>, StoreError> {
        let (lock, path) = (folder.join("lock"), folder.join("uploads.db"));
        let file = match File::open(&lock) {
            // Where no server has ever been, none has left anything.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(|error| StoreError::at("opening", &lock, error))?,
        };
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(folder, &lock)),
            Err(TryLockError::Error(error)) => return Err(StoreError::at("locking", &lock, error)),
        }
        let (tables, records) = Tables::find(path)?;
        drop(tables);
        Ok(all_within(&records, &TreePath::ROOT))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing stops half-way that holds it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an order while the state is held, so that orders are carried out as they were judged.
    fn give<T>(&self, state: &mut State, order: impl FnOnce(Teller<T>) -> Order) -> Answer<T> {
        let (teller, answer) = pair();
        if let Some(orders) = &self.orders
            && orders.send(order(teller)).is_ok()
        {
            state.waiting += 1;
            if let Some(watch) = &self.watch {
                watch.waiting(state.waiting);
            }
        }
        answer
    }

    /// What is told when the thread is no more.
    fn ended(&self) -> StoreError {
        let source = std::io::Error::other("its thread has ended");
        StoreError::Io { doing: "writing the ledger", path: self.path.clone(), source }
    }

    /// What ends a record, and with it the lease. Where none is known there is nothing to do.
    async fn ends(
        &self,
        lease: &Lease,
        order: impl FnOnce(Teller<Result<(), StoreError>>) -> Order,
    ) -> Result<(), StoreError> {
        let answer = {
            let mut state = self.state();
            if !state.leases.is_current(lease) {
                return Err(fenced(&lease.key));
            }
            state.leases.end(lease);
            if state.waiting == 0 && state.records.get(&lease.key).is_none() {
                return Ok(());
            }
            self.give(&mut state, order)
        };
        self.done(answer).await
    }

    async fn done(&self, answer: Answer<Result<(), StoreError>>) -> Result<(), StoreError> {
        answer.await.unwrap_or_else(|| Err(self.ended()))
    }
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(clerk) = self.clerk.take() {
            // If it panicked its orders were answered with nothing.
            let _ = clerk.join();
        }
    }
}

impl Ledger for SqliteLedger {
    fn claim<'a>(&'a self, key: &'a UploadKey) -> Work<'a, (Lease, Option<Unfinished>)> {
        Box::pin(async move {
            let answer = {
                let mut state = self.state();
                let lease = state.leases.claim(key);
                if state.waiting == 0 {
                    let known = state.records.get(key).cloned();
                    return Ok((lease, known));
                }
                self.give(&mut state, |teller| Order::Claim(lease, teller))
            };
            answer.await.ok_or_else(|| self.ended())
        })
    }

    fn load<'a>(&'a self, key: &'a UploadKey) -> Work<'a, Option<Unfinished>> {
        Box::pin(async move { Ok(self.state().records.get(key).cloned()) })
    }

    fn save<'a>(&'a self, lease: &'a Lease, record: &'a Unfinished, how: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            let answer = {
                let mut state = self.state();
                if !state.leases.is_current(lease) {
                    return Err(fenced(&lease.key));
                }
                let record = Box::new(record.clone());
                self.give(&mut state, |teller| Order::Save(lease.key.clone(), record, how, teller))
            };
            self.done(answer).await
        })
    }

    fn forget<'a>(&'a self, lease: &'a Lease) -> Work<'a, ()> {
        Box::pin(self.ends(lease, |teller| Order::Forget(lease.key.clone(), teller)))
    }

    fn publish<'a>(&'a self, lease: &'a Lease, published: &'a Published) -> Work<'a, ()> {
        Box::pin(self.ends(lease, |teller| Order::Publish(Box::new(published.clone()), teller)))
    }

    fn published(&self) -> Work<'_, Vec<Published>> {
        Box::pin(async move {
            let answer = self.give(&mut self.state(), Order::Published);
            answer.await.unwrap_or_else(|| Err(self.ended()))
        })
    }

    fn count<'a>(&'a self, owner: &'a str) -> Work<'a, usize> {
        Box::pin(async move { Ok(self.state().records.count(owner)) })
    }

    fn count_of<'a>(&'a self, picks: &'a (dyn Fn(&str) -> bool + Sync)) -> Work<'a, usize> {
        Box::pin(async move { Ok(self.state().records.count_of(picks)) })
    }

    fn outstanding(&self) -> Work<'_, Outstanding> {
        Box::pin(async move { Ok(self.state().records.outstanding()) })
    }

    fn in_folder<'a>(
        &'a self,
        owner: &'a str,
        folder: &'a TreePath,
    ) -> Work<'a, Vec<(UploadKey, Unfinished)>> {
        Box::pin(async move { Ok(directly_in(&self.state().records, owner, folder)) })
    }

    fn within<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Vec<(UploadKey, Unfinished)>> {
        Box::pin(async move { Ok(all_within(&self.state().records, folder)) })
    }

    fn moved<'a>(&'a self, owner: Option<&'a str>, from: &'a TreePath, to: &'a TreePath) -> Work<'a, ()> {
        Box::pin(async move {
            let answer = {
                let mut state = self.state();
                state.leases.end_within(owner, from);
                state.leases.end_within(owner, to);
                if state.waiting == 0 && state.records.within(from, owner).next().is_none() {
                    return Ok(());
                }
                let what = Move { owner: owner.map(str::to_owned), from: from.clone(), to: to.clone() };
                self.give(&mut state, |teller| Order::Moved(Box::new(what), teller))
            };
            self.done(answer).await
        })
    }

    fn post<'a>(&'a self, letters: &'a [Letter], how: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            let order = |teller| Order::Post(letters.to_vec(), how, teller);
            let answer = self.give(&mut self.state(), order);
            self.done(answer).await
        })
    }

    fn unpost<'a>(&'a self, numbers: &'a [u64]) -> Work<'a, ()> {
        Box::pin(async move {
            let answer = {
                let mut state = self.state();
                let there = |number| state.records.letters.contains_key(number);
                if state.waiting == 0 && !numbers.iter().any(there) {
                    return Ok(());
                }
                self.give(&mut state, |teller| Order::Unpost(numbers.to_vec(), teller))
            };
            self.done(answer).await
        })
    }

    fn turn(&self) -> Work<'_, ()> {
        Box::pin(async move {
            let answer = self.give(&mut self.state(), Order::Turn);
            answer.await.ok_or_else(|| self.ended())
        })
    }

    fn letters(&self) -> Work<'_, Vec<Letter>> {
        Box::pin(async move { Ok(self.state().records.letters.values().cloned().collect()) })
    }
}

/// Makes the state folder, for nobody else to read.
fn make(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)?;
    folder.parent().filter(|above| !above.as_os_str().is_empty()).map_or(Ok(()), sys::sync_dir)
}

/// Somebody else has the lock of this folder.
fn in_use(folder: &Path, lock: &Path) -> StoreError {
    StoreError::InUse { path: folder.to_path_buf(), pid: noted(lock) }
}

/// The process that had a lock last.
fn noted(lock: &Path) -> Option<u32> {
    std::fs::read_to_string(lock).ok().and_then(|text| text.trim().parse().ok())
}

/// Whether a lock cannot be had although the process that took it is gone.
fn is_held_by_the_dead(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    held && noted(lock).is_some_and(|pid| !sys::lives(pid))
}

/// Who only looks at a state is done after so long, most likely.
const A_LOOK: Duration = Duration::from_millis(5);

/// Whether a lock that cannot be had is only shared, by those who look and go away again. It is not had afterwards.
fn is_looked_at(file: &File) -> bool {
    file.try_lock_shared().is_ok() && file.unlock().is_ok()
}

/// Takes the lock of a state folder.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let say = |error| StoreError::at("locking", &path, error);
    let mut file = sys::open_private(&path).map_err(say)?;
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock if is_looked_at(&file) => std::thread::sleep(A_LOOK),
            TryLockError::WouldBlock => return Err(in_use(folder, &path)),
            TryLockError::Error(error) => return Err(say(error)),
        }
    }
    // Only for people: the lock is what counts.
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(say)?;
    Ok(file)
}
