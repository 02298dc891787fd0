//! Disks that are full or fail, ledgers that are, and servers that get so far and no further.

mod steps;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use haul_core::Modified;
use haul_store::{
    Assent, Body, Durability, Geometry, Lease, Letter, Listing, MemoryLedger, Outstanding, Published,
    Reading, Scattered, Source, StageId, Staged, Store, Syncer, Taken, When, Work,
};

use tokio::sync::Notify;

use super::*;

/// What goes wrong at the moment.
#[derive(Default)]
struct Faults {
    /// No staged file may have more bytes than this; 0: no limit.
    room: AtomicU64,
    /// The next sync fails, and nothing that was not synced is there any more.
    sync: AtomicBool,
    publish: AtomicBool,
    /// Names are changed, and that cannot be made safe.
    names: AtomicBool,
    /// No record can be saved while the staged file has more bytes than this; 0: no limit.
    ledger_room: AtomicU64,
    len: AtomicU64,
    /// Folders called `closed` cannot be read.
    closed: AtomicBool,
    /// Nothing is to be had of its medium.
    dead: AtomicBool,
    /// What a power cut leaves of the ledger: everything as it was at the last save that was synced.
    survives: Mutex<Vec<(UploadKey, Unfinished)>>,
    /// So many changes have been made, or were about to be.
    steps: AtomicU64,
    /// The server is killed when it is about to make that one; 0: it lives.
    dies_at: AtomicU64,
    died: Notify,
}

impl Faults {
    /// Something is about to be changed: never returns in a server that is dead.
    async fn step(&self) {
        let (step, last) = (self.steps.fetch_add(1, SeqCst) + 1, self.dies_at.load(SeqCst));
        if last > 0 && step >= last {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Returns when this server is dead; what an earlier one has left to say of itself is none of its.
    async fn death(&self) {
        loop {
            self.died.notified().await;
            if self.dies_at.load(SeqCst) > 0 {
                return;
            }
        }
    }
}

fn full<T>(doing: &'static str) -> Result<T, StoreError> {
    let source = std::io::ErrorKind::StorageFull.into();
    Err(StoreError::NoSpace { doing, path: PathBuf::from("a"), source })
}

struct Flaky(Arc<FsStore>, Arc<Faults>);
struct FlakyStaged(Box<dyn Staged>, Arc<Faults>);
struct FlakySyncer(Arc<dyn Syncer>, Arc<Faults>);
struct FullLedger(MemoryLedger, Arc<Faults>);

impl Store for Flaky {
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }
    fn stat<'a>(&'a self, path: &'a TreePath) -> Work<'a, Meta> {
        if self.1.dead.load(SeqCst) {
            let source = std::io::ErrorKind::NotConnected.into();
            let failed = StoreError::Io { doing: "looking at", path: PathBuf::from("a"), source };
            return Box::pin(async { Err(failed) });
        }
        self.0.stat(path)
    }
    fn list<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Box<dyn Listing>> {
        if self.1.closed.load(SeqCst) && folder.name() == b"closed" {
            let source = std::io::ErrorKind::PermissionDenied.into();
            let refused = StoreError::Permission { doing: "listing", path: PathBuf::from("closed"), source };
            return Box::pin(async { Err(refused) });
        }
        self.0.list(folder)
    }
    fn read<'a>(&'a self, path: &'a TreePath) -> Work<'a, Reading> {
        self.0.read(path)
    }
    fn unchanged<'a>(&'a self, reading: &'a Reading) -> Work<'a, ()> {
        self.0.unchanged(reading)
    }
    fn make_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        self.0.make_folder(path, how)
    }
    fn remove_folder<'a>(&'a self, path: &'a TreePath, how: Durability) -> Work<'a, ()> {
        self.0.remove_folder(path, how)
    }
    fn remove_if<'a>(&'a self, path: &'a TreePath, when: When, how: Durability) -> Work<'a, ()> {
        self.0.remove_if(path, when, how)
    }
    fn rename_if<'a>(
        &'a self,
        from: &'a TreePath,
        to: &'a TreePath,
        when: When,
        replace: bool,
        how: Durability,
    ) -> Work<'a, ()> {
        Box::pin(async move {
            self.0.rename_if(from, to, when, replace, how).await?;
            if self.1.names.load(SeqCst) { failed_sync() } else { Ok(()) }
        })
    }
    fn set_modified<'a>(&'a self, path: &'a TreePath, to: Modified) -> Work<'a, ()> {
        self.0.set_modified(path, to)
    }
    fn set_mode<'a>(&'a self, path: &'a TreePath, mode: u32) -> Work<'a, ()> {
        self.0.set_mode(path, mode)
    }
    fn space<'a>(&'a self, path: &'a TreePath) -> Work<'a, Option<u64>> {
        self.0.space(path)
    }
    fn takes_file<'a>(&'a self, target: &'a TreePath) -> Work<'a, ()> {
        self.0.takes_file(target)
    }
    fn stage<'a>(&'a self, target: &'a TreePath) -> Work<'a, Box<dyn Staged>> {
        Box::pin(async move {
            self.1.step().await;
            Ok(Box::new(FlakyStaged(self.0.stage(target).await?, Arc::clone(&self.1))) as Box<dyn Staged>)
        })
    }
    fn staged<'a>(&'a self, id: &'a StageId) -> Work<'a, Box<dyn Staged>> {
        Box::pin(async move {
            Ok(Box::new(FlakyStaged(self.0.staged(id).await?, Arc::clone(&self.1))) as Box<dyn Staged>)
        })
    }
    fn peek<'a>(&'a self, id: &'a StageId) -> Work<'a, Body> {
        self.0.peek(id)
    }
    fn became<'a>(&'a self, target: &'a TreePath, mark: &'a [u8], how: Durability) -> Work<'a, Option<Meta>> {
        self.0.became(target, mark, how)
    }
    fn in_place<'a>(&'a self, target: &'a TreePath, from: u64) -> Work<'a, Box<dyn Staged>> {
        self.0.in_place(target, from)
    }
    fn sweep<'a>(&'a self, keep: &'a [StageId]) -> Work<'a, usize> {
        self.0.sweep(keep)
    }
}

impl FlakyStaged {
    fn fits(&self, more: u64) -> Result<(), StoreError> {
        let room = self.1.room.load(SeqCst);
        if room > 0 && self.0.len() + more > room { full("writing") } else { Ok(()) }
    }
}

impl Staged for FlakyStaged {
    fn id(&self) -> &StageId {
        self.0.id()
    }
    fn mark(&self) -> &[u8] {
        self.0.mark()
    }
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn append(&mut self, bytes: Bytes) -> Work<'_, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.fits(bytes.len() as u64)?;
            self.0.append(bytes).await?;
            self.1.len.store(self.0.len(), SeqCst);
            Ok(())
        })
    }
    fn take(&mut self, source: Box<dyn Source>, most: u64) -> Work<'_, Taken> {
        Box::pin(async move {
            self.fits(most)?;
            let taken = self.0.take(source, most).await?;
            self.1.len.store(self.0.len(), SeqCst);
            Ok(taken)
        })
    }
    fn copy_from<'a>(&'a mut self, body: &'a Body, at: u64, len: u64) -> Work<'a, ()> {
        Box::pin(async move {
            self.fits(len)?;
            self.0.copy_from(body, at, len).await
        })
    }
    fn cut(&mut self, at: u64) -> Work<'_, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.0.cut(at).await?;
            self.1.len.store(self.0.len(), SeqCst);
            Ok(())
        })
    }
    fn read(&self, at: u64, most: usize) -> Work<'_, Bytes> {
        self.0.read(at, most)
    }
    fn sync(&mut self) -> Work<'_, u64> {
        if self.1.sync.load(SeqCst) {
            return Box::pin(async { failed_sync().map(|()| 0) });
        }
        Box::pin(async move {
            self.1.step().await;
            self.0.sync().await
        })
    }
    fn syncer(&self) -> Arc<dyn Syncer> {
        Arc::new(FlakySyncer(self.0.syncer(), Arc::clone(&self.1)))
    }
    fn scattered(&self) -> Option<Arc<dyn Scattered>> {
        self.0.scattered()
    }
    fn publish_if<'a>(
        self: Box<Self>,
        target: &'a TreePath,
        when: When,
        how: Durability,
        assent: Assent,
    ) -> Work<'a, Meta> {
        if self.1.publish.load(SeqCst) {
            return Box::pin(async { full("publishing") });
        }
        Box::pin(async move {
            self.1.step().await;
            self.0.publish_if(target, when, how, assent).await
        })
    }
    fn discard(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.0.discard().await
        })
    }
}

fn failed_sync() -> Result<(), StoreError> {
    let source = std::io::Error::other("the disk is gone");
    Err(StoreError::Io { doing: "saving", path: PathBuf::from("a"), source })
}

impl Syncer for FlakySyncer {
    fn sync(&self) -> Work<'_, ()> {
        if self.1.sync.load(SeqCst) {
            return Box::pin(async { failed_sync() });
        }
        Box::pin(async move {
            self.1.step().await;
            self.0.sync().await
        })
    }
}

impl Ledger for FullLedger {
    fn claim<'a>(&'a self, key: &'a UploadKey) -> Work<'a, (Lease, Option<Unfinished>)> {
        self.0.claim(key)
    }
    fn load<'a>(&'a self, key: &'a UploadKey) -> Work<'a, Option<Unfinished>> {
        self.0.load(key)
    }
    fn save<'a>(&'a self, lease: &'a Lease, record: &'a Unfinished, how: Durability) -> Work<'a, ()> {
        let room = self.1.ledger_room.load(SeqCst);
        if room > 0 && self.1.len.load(SeqCst) > room {
            return Box::pin(async { full("saving the ledger") });
        }
        Box::pin(async move {
            self.1.step().await;
            self.0.save(lease, record, how).await?;
            if how == Durability::Full {
                *self.1.survives.lock().unwrap() = self.0.within(&TreePath::ROOT).await?;
            }
            Ok(())
        })
    }
    fn forget<'a>(&'a self, lease: &'a Lease) -> Work<'a, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.0.forget(lease).await
        })
    }
    fn publish<'a>(&'a self, lease: &'a Lease, published: &'a Published) -> Work<'a, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.0.publish(lease, published).await
        })
    }
    fn published(&self) -> Work<'_, Vec<Published>> {
        self.0.published()
    }
    fn count<'a>(&'a self, owner: &'a str) -> Work<'a, usize> {
        self.0.count(owner)
    }
    fn count_of<'a>(&'a self, picks: &'a (dyn Fn(&str) -> bool + Sync)) -> Work<'a, usize> {
        self.0.count_of(picks)
    }
    fn outstanding(&self) -> Work<'_, Outstanding> {
        self.0.outstanding()
    }
    fn in_folder<'a>(
        &'a self,
        owner: &'a str,
        folder: &'a TreePath,
    ) -> Work<'a, Vec<(UploadKey, Unfinished)>> {
        self.0.in_folder(owner, folder)
    }
    fn within<'a>(&'a self, folder: &'a TreePath) -> Work<'a, Vec<(UploadKey, Unfinished)>> {
        self.0.within(folder)
    }
    fn moved<'a>(&'a self, owner: Option<&'a str>, from: &'a TreePath, to: &'a TreePath) -> Work<'a, ()> {
        self.0.moved(owner, from, to)
    }
    fn post<'a>(&'a self, letters: &'a [Letter], how: Durability) -> Work<'a, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.0.post(letters, how).await
        })
    }
    fn unpost<'a>(&'a self, numbers: &'a [u64]) -> Work<'a, ()> {
        Box::pin(async move {
            self.1.step().await;
            self.0.unpost(numbers).await
        })
    }
    fn turn(&self) -> Work<'_, ()> {
        self.0.turn()
    }
    fn letters(&self) -> Work<'_, Vec<Letter>> {
        self.0.letters()
    }
}

async fn flaky(bench: &Bench) -> (Server, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let store = Flaky(Arc::new(FsStore::open(&bench.root(), pool()).unwrap()), Arc::clone(&faults));
    let ledger: Arc<dyn Ledger> = Arc::new(FullLedger(MemoryLedger::default(), Arc::clone(&faults)));
    let depot = Depot::open(Arc::new(store), Arc::clone(&ledger), RULES).await.unwrap();
    (Server { depot, ledger }, faults)
}

fn is_full<T>(result: &Result<T, ServerError>) -> bool {
    matches!(result, Err(ServerError::Store(StoreError::NoSpace { .. })))
}

#[tokio::test]
async fn on_a_full_disk_what_came_is_kept_and_gone_on_with_when_there_is_room() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    faults.room.store(1500, SeqCst);
    let mut receiving = send(&ann, "a", Wish::Anew, 1000).await;
    assert!(is_full(&receiving.append(content(1000, 2000).into()).await));
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Alive).await), 999);
    let mut again = ann.receive(&path("a"), Wish::Append, None).await.unwrap();
    assert!(is_full(&again.append(content(999, 2000).into()).await));
    assert_eq!(kept(again.settle(DataEnd::Unclean, Control::Alive).await), 999);
    faults.room.store(0, SeqCst);
    published(complete(&ann, "a", Wish::Append, 2000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

/// Bytes of [`content`] from here on, as a connection has them.
struct Wire(u64);

impl Source for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let some = content(self.0, self.0 + into.len() as u64);
        into.copy_from_slice(&some);
        self.0 += some.len() as u64;
        Ok(some.len())
    }
}

#[tokio::test]
async fn what_the_store_takes_by_itself_is_kept_and_fenced_as_everything_else() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let mut older = send(&server.ann(), "a", Wish::Anew, 1000).await;
    older.take(Box::new(Wire(1000)), 3 << 20).await.unwrap();
    let end = older.offset();
    assert!(end >= 3 << 20);
    faults.room.store(end, SeqCst);
    assert!(is_full(&older.take(Box::new(Wire(end)), 1).await));
    faults.room.store(0, SeqCst);
    let mut newer = server.ann().receive(&path("a"), Wish::Append, None).await.unwrap();
    assert_eq!(newer.offset(), end - 1);
    let late = older.take(Box::new(Wire(end)), 1).await;
    assert!(matches!(late, Err(ServerError::Store(StoreError::Fenced { .. }))));
    newer.append(content(end - 1, end + 5).into()).await.unwrap();
    published(newer.settle(DataEnd::Clean, Control::Alive).await);
    assert!(bench.published("a").unwrap() == content(0, end + 5));
}

#[tokio::test]
async fn a_copy_that_finds_no_room_leaves_what_is_there() {
    let bench = Bench::new();
    bench.put("a", &content(0, 1000));
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    faults.room.store(500, SeqCst);
    let mut receiving = ann.receive(&path("a"), Wish::Append, None).await.unwrap();
    assert!(is_full(&receiving.append(bytes(b"more")).await));
    kept(receiving.settle(DataEnd::Unclean, Control::Alive).await);
    assert_eq!(ann.read(&path("a")).await.unwrap().meta.size, 1000);
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
}

#[tokio::test]
async fn what_finds_no_room_to_be_published_is_kept_and_its_last_byte_publishes_it() {
    let bench = Bench::new();
    bench.put("a", b"old");
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    faults.publish.store(true, SeqCst);
    assert!(is_full(&complete(&ann, "a", Wish::Anew, 1000).await));
    assert_eq!(size(&ann, "a").await, Some(999));
    assert_eq!(bench.published("a").unwrap(), b"old");
    faults.publish.store(false, SeqCst);
    published(complete(&ann, "a", Wish::From(999), 1000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 1000));
}

#[tokio::test]
async fn a_little_is_given_back_where_not_even_a_record_finds_room() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    faults.ledger_room.store(500_000, SeqCst);
    // Small enough that nothing was saved before.
    let receiving = send(&ann, "a", Wish::Anew, 100_000).await;
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Alive).await), 99_999);
    let mut receiving = ann.receive(&path("a"), Wish::Append, None).await.unwrap();
    receiving.append(content(99_999, 300_000).into()).await.unwrap();
    receiving.append(content(300_000, 900_000).into()).await.unwrap();
    let at = kept(receiving.settle(DataEnd::Unclean, Control::Alive).await);
    assert_eq!(at, 99_999, "what was told before stays");
    published(complete(&ann, "a", Wish::Append, 200_000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 200_000));
}

#[tokio::test]
async fn what_could_not_be_synced_is_not_claimed() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 1000).await, 999);
    let receiving = send(&ann, "a", Wish::Append, 2000).await;
    faults.sync.store(true, SeqCst);
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Alive).await), 999);
    faults.sync.store(false, SeqCst);
    assert_eq!(size(&ann, "a").await, Some(999));
    published(complete(&ann, "a", Wish::Append, 3000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 3000));
}

#[tokio::test]
async fn a_sync_that_fails_beside_ends_the_upload_and_publishes_nothing() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    faults.sync.store(true, SeqCst);
    let mut receiving = send(&ann, "a", Wish::Anew, 2 << 20).await;
    let mut at = receiving.offset();
    let failed = loop {
        match receiving.append(content(at, at + 100_000).into()).await {
            Ok(()) => at += 100_000,
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, ServerError::Store(StoreError::Io { .. })), "{failed}");
    let settled = receiving.settle(DataEnd::Clean, Control::Alive).await;
    assert!(bench.published("a").is_none(), "{settled:?}");
    assert_eq!(size(&ann, "a").await, Some(0));
}

#[tokio::test]
async fn a_power_cut_does_not_bring_back_what_was_given_up() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    let offsets =
        || faults.survives.lock().unwrap().iter().map(|(_, record)| record.offset).collect::<Vec<_>>();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 5000).await, 4999);
    assert_eq!(offsets(), [4999]);
    // Another file is sent under that name.
    let receiving = send(&ann, "a", Wish::Anew, 10).await;
    assert_eq!(offsets(), [0]);
    assert_eq!(kept(receiving.settle(DataEnd::Unclean, Control::Gone).await), 9);
    ann.remove(&path("a")).await.unwrap();
    assert_eq!(offsets(), [0]);
    // Cut off inside.
    assert_eq!(break_off(&ann, "b", Wish::Anew, 5000).await, 4999);
    let receiving = send(&ann, "b", Wish::From(1000), 1001).await;
    assert_eq!(offsets(), [1000]);
    drop(receiving);
}

#[tokio::test]
async fn on_a_full_disk_an_unfinished_upload_can_be_removed() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    assert_eq!(break_off(&ann, "a", Wish::Anew, 5000).await, 4999);
    faults.ledger_room.store(1, SeqCst);
    ann.remove(&path("a")).await.unwrap();
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
}

#[tokio::test]
async fn what_cannot_be_put_in_order_keeps_no_server_from_its_start() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    assert_eq!(break_off(&server.ann(), "a", Wish::Anew, 1000).await, 999);
    // As a kill leaves it, on a disk that is full by now.
    let (lease, known) = server.ledger.claim(&key("ann", "a")).await.unwrap();
    let left = Unfinished { settled: false, offset: 100, ..known.unwrap() };
    server.ledger.save(&lease, &left, Durability::Full).await.unwrap();
    let ledger = Arc::clone(&server.ledger);
    server.depot.at_rest().await;
    drop(server);
    faults.ledger_room.store(1, SeqCst);
    let store = Flaky(Arc::new(FsStore::open(&bench.root(), pool()).unwrap()), Arc::clone(&faults));
    let depot = Depot::open(Arc::new(store), Arc::clone(&ledger), RULES).await.unwrap();
    let server = Server { depot, ledger };
    let ann = server.ann();
    assert_eq!(size(&ann, "a").await, Some(100), "what was told");
    faults.ledger_room.store(0, SeqCst);
    published(complete(&ann, "a", Wish::Append, 2000).await);
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn bytes_that_cannot_be_remembered_are_not_left_behind() {
    let bench = Bench::new();
    let (server, _) = flaky(&bench).await;
    let receiving = send(&server.ann(), "a", Wish::Anew, 1000).await;
    assert_eq!(bench.staged(), 1);
    // Somebody else has the right to write by now, and the ledger knows nothing of these bytes.
    server.ledger.claim(&key("ann", "a")).await.unwrap();
    let late = receiving.settle(DataEnd::Unclean, Control::Alive).await;
    assert!(matches!(late, Err(ServerError::Store(StoreError::Fenced { .. }))), "{late:?}");
    assert_eq!(bench.staged(), 0);
}

#[tokio::test]
async fn a_folder_that_has_its_new_name_takes_its_uploads_along_also_if_that_could_not_be_made_safe() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    ann.make_folder(&path("f")).await.unwrap();
    assert_eq!(break_off(&ann, "f/a", Wish::Anew, 1000).await, 999);
    faults.names.store(true, SeqCst);
    assert!(ann.rename(&path("f"), &path("g")).await.is_err());
    assert_eq!((size(&ann, "f/a").await, size(&ann, "g/a").await), (None, Some(999)));
}

#[tokio::test]
async fn of_lanes_nothing_is_claimed_that_could_not_be_made_safe() {
    let bench = Bench::new();
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    let range = |from, to| haul_core::ByteRange::new(from, to).unwrap();
    let piece = |from, to, of| Piece { range: range(from, to), total: Some(2000), of };
    let mut lane = ann.lane(&path("a"), piece(500, 1000, None)).await.unwrap();
    let id = lane.id();
    lane.append(content(500, 700).into()).await.unwrap();
    lane.end().await.unwrap();
    let told = |there: haul_core::RangeSet| there.iter().collect::<Vec<_>>();
    let mut other = ann.lane(&path("a"), piece(1500, 2000, Some(id.clone()))).await.unwrap();
    other.append(content(1500, 1900).into()).await.unwrap();
    faults.sync.store(true, SeqCst);
    assert!(other.end().await.is_err());
    faults.sync.store(false, SeqCst);
    assert_eq!(told(ann.ranges(&path("a")).await.unwrap().unwrap().there), [range(500, 700)]);
    // It is sent again, and all is well.
    for (from, to) in [(1500, 2000), (0, 500), (700, 1500)] {
        let mut lane = ann.lane(&path("a"), piece(from, to, Some(id.clone()))).await.unwrap();
        lane.append(content(from, to).into()).await.unwrap();
        lane.end().await.unwrap();
    }
    assert_eq!(bench.published("a").unwrap(), content(0, 2000));
}

#[tokio::test]
async fn lanes_that_cannot_be_published_are_kept_and_one_more_byte_publishes_them() {
    let bench = Bench::new();
    bench.put("a", b"old");
    let (server, faults) = flaky(&bench).await;
    let ann = server.ann();
    let range = |from, to| haul_core::ByteRange::new(from, to).unwrap();
    let piece = |from, to, of| Piece { range: range(from, to), total: Some(1000), of };
    let mut lane = ann.lane(&path("a"), piece(500, 1000, None)).await.unwrap();
    let id = lane.id();
    lane.append(content(500, 1000).into()).await.unwrap();
    lane.end().await.unwrap();
    faults.publish.store(true, SeqCst);
    let mut last = ann.lane(&path("a"), piece(0, 500, Some(id.clone()))).await.unwrap();
    last.append(content(0, 500).into()).await.unwrap();
    assert!(is_full(&last.end().await));
    assert_eq!(bench.published("a").unwrap(), b"old");
    let there: Vec<_> = ann.ranges(&path("a")).await.unwrap().unwrap().there.iter().collect();
    assert_eq!(there, [range(0, 499), range(500, 1000)]);
    faults.publish.store(false, SeqCst);
    let mut byte = ann.lane(&path("a"), piece(499, 500, Some(id))).await.unwrap();
    byte.append(content(499, 500).into()).await.unwrap();
    assert!(matches!(byte.end().await, Ok(Ended::Published(_))));
    assert_eq!(bench.published("a").unwrap(), content(0, 1000));
}

#[tokio::test]
async fn a_folder_that_the_server_may_not_read_keeps_no_home_from_being_counted() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("closed")).unwrap();
    bench.put("closed/f", &content(0, 1000));
    bench.put("g", &content(0, 1000));
    let (server, faults) = flaky(&bench).await;
    faults.closed.store(true, SeqCst);
    server.depot.measure([TreePath::ROOT]);
    server.depot.recount().await.unwrap();
    let quota = crate::accounts::Quota { bytes: Some(3000), files: None };
    let bounds = Arc::new(crate::accounts::Bounds { quota, ..Default::default() });
    let ann = server.visitor(Account { bounds, ..account("ann") });
    published(complete(&ann, "h", Wish::Anew, 500).await);
    assert_eq!(ann.left(), Some(1500));
}

#[tokio::test]
async fn a_mount_whose_medium_is_gone_keeps_nobody_from_what_lies_beside_it() {
    let (bench, other) = (Bench::new(), tempfile::tempdir().unwrap());
    std::fs::create_dir(bench.root().join("media")).unwrap();
    bench.put("media/beneath", b"x");
    bench.put("f", b"x");
    let faults = Arc::new(Faults::default());
    let first: Arc<dyn Store> = Arc::new(FsStore::open(&bench.root(), pool()).unwrap());
    let mounted: Arc<dyn Store> =
        Arc::new(Flaky(Arc::new(FsStore::open(other.path(), pool()).unwrap()), Arc::clone(&faults)));
    let store = haul_store::MountedStore::new(first, [(path("media"), mounted)]).unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let depot = Depot::open(Arc::new(store), Arc::clone(&ledger), RULES).await.unwrap();
    let server = Server { depot, ledger };
    let names =
        async || listed(&server.ann(), "").await.into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(names().await, ["f", "media"]);
    faults.dead.store(true, SeqCst);
    assert_eq!(names().await, ["f"], "nor is what it hides to be seen");
}
