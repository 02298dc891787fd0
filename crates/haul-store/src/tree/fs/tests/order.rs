//! Bytes before names, names before success: every call under an upload in its order, and each of them failing in turn.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::BorrowedFd,
        unix::fs::{FileExt, MetadataExt},
    },
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use rustix::io::Errno;

use super::*;
use crate::tree::fs::door::{Door, Named};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Write(u64),
    Cut(u64),
    SyncData(u64),
    SyncAll(u64),
    Rename(String),
    SyncFolder(u64),
}

/// Writes down every call; the `stop`th one fails, and every write but the last byte's is short.
#[derive(Debug)]
struct Watched {
    calls: Mutex<Vec<Call>>,
    stop: AtomicUsize,
    errno: Errno,
}

impl Watched {
    fn new(stop: usize, errno: Errno) -> Arc<Self> {
        Arc::new(Self { calls: Mutex::default(), stop: AtomicUsize::new(stop), errno })
    }

    fn call(&self, call: Call) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        if calls.len() == self.stop.load(SeqCst) { Err(self.errno.into()) } else { Ok(()) }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

fn inode(file: &File) -> u64 {
    file.metadata().unwrap().ino()
}

#[derive(Debug)]
struct Watch(Arc<Watched>);

impl Door for Watch {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        let half = bytes.len().div_ceil(2);
        if let Err(error) = self.0.call(Call::Write(inode(file))) {
            // As a full disk does: some of it is there.
            file.write_at(&bytes[..half], at)?;
            return Err(error);
        }
        file.write_at(&bytes[..half], at)
    }
    fn cut(&self, file: &File, at: u64) -> io::Result<()> {
        self.0.call(Call::Cut(inode(file)))?;
        file.set_len(at)
    }
    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.0.call(Call::SyncData(inode(file)))?;
        file.sync_data()
    }
    fn sync_all(&self, file: &File) -> io::Result<()> {
        self.0.call(Call::SyncAll(inode(file)))?;
        file.sync_all()
    }
    fn rename(&self, from: Named<'_>, to: Named<'_>, replace: bool) -> io::Result<()> {
        self.0.call(Call::Rename(String::from_utf8_lossy(to.1).into_owned()))?;
        crate::sys::tree::rename_at((from.0, from.1), (to.0, to.1), replace)
    }
    fn sync_folder(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        self.0.call(Call::SyncFolder(rustix::fs::fstat(folder)?.st_ino))?;
        crate::sys::tree::sync_folder(folder)
    }
}

fn watched(root: &Path, watch: &Arc<Watched>) -> FsStore {
    let pool = Arc::new(|job: Job| job());
    FsStore::behind(root, pool, Resolver::System, Box::new(Watch(Arc::clone(watch)))).unwrap()
}

const NEW: &[u8] = b"the new version of it";

/// One upload, its id told as soon as there is one.
fn receive(store: &FsStore, id: &mut Option<crate::StageId>, synced: bool) -> Result<Meta, StoreError> {
    let mut staged = wait(store.stage(&path("f/a")))?;
    *id = Some(staged.id().clone());
    wait(staged.append(Bytes::from_static(&NEW[..7])))?;
    wait(staged.append(Bytes::from_static(&NEW[7..])))?;
    if synced {
        assert_eq!(wait(staged.sync())?, NEW.len() as u64);
    }
    wait(staged.publish(&path("f/a"), When::Always, Durability::Full))
}

fn scene() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("f")).unwrap();
    let old = dir.path().join("f/a");
    fs::write(&old, "old").unwrap();
    // Long ago, so that the new date needs no second thought.
    let old = File::options().write(true).open(old).unwrap();
    old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    dir
}

#[test]
fn bytes_are_saved_before_the_name_and_the_name_before_success() {
    for synced in [true, false] {
        let dir = scene();
        let watch = Watched::new(0, Errno::IO);
        let store = watched(dir.path(), &watch);
        receive(&store, &mut None, synced).unwrap();
        let ino = |at: &str| dir.path().join(at).metadata().unwrap().ino();
        let (top, haul, staging) = (ino(""), ino(".haul"), ino(".haul/staging"));
        let calls = watch.calls();
        let folders = [staging, haul, top].map(Call::SyncFolder);
        assert_eq!(calls[..3], folders, "what is made for staging survives");
        let calls: Vec<_> =
            calls[3..].iter().filter(|call| !matches!(call, Call::Write(_))).cloned().collect();
        let mut wanted = vec![Call::SyncAll(ino("f/a"))];
        if synced {
            wanted.push(Call::SyncFolder(staging));
        }
        wanted.extend([Call::Rename("a".to_owned()), Call::SyncFolder(ino("f"))]);
        assert_eq!(calls, wanted, "and no sync is done twice");
    }
}

#[test]
fn whatever_fails_the_file_is_the_old_or_the_new_one_and_the_upload_goes_on() {
    for synced in [true, false] {
        let mut stop = 1;
        loop {
            let dir = scene();
            let watch = Watched::new(stop, Errno::IO);
            let store = watched(dir.path(), &watch);
            let mut id = None;
            let done = receive(&store, &mut id, synced);
            let calls = watch.calls();
            if done.is_ok() {
                assert!(calls.len() < stop, "an error of {:?} was swallowed", calls.get(stop - 1));
                break;
            }
            let seen = fs::read(dir.path().join("f/a")).unwrap();
            let renamed = matches!(calls.get(stop - 1), Some(Call::SyncFolder(_)))
                && calls[..stop - 1].contains(&Call::Rename("a".to_owned()));
            assert_eq!(seen, if renamed { NEW } else { b"old" }, "{:?}", calls.last());
            assert!(fs::read_dir(dir.path().join("f")).unwrap().count() == 1);
            // The next run of the server finds what is there, and goes on.
            drop(store);
            let store = open(dir.path(), Resolver::System);
            if let (Some(id), false) = (&id, renamed) {
                let mut staged = wait(store.staged(id)).unwrap();
                let at = usize::try_from(staged.len()).unwrap();
                assert_eq!(wait(staged.read(0, 100)).unwrap(), NEW[..at], "nothing that was not received");
                wait(staged.append(Bytes::from_static(&NEW[at..]))).unwrap();
                wait(staged.publish(&path("f/a"), When::Always, Durability::Full)).unwrap();
                assert_eq!(fs::read(dir.path().join("f/a")).unwrap(), NEW);
            }
            stop += 1;
        }
        assert!(stop > 10);
    }
}

#[test]
fn after_a_failed_write_the_length_is_what_it_was() {
    let dir = scene();
    let watch = Watched::new(0, Errno::NOSPC);
    let store = watched(dir.path(), &watch);
    let mut staged = wait(store.stage(&path("f/a"))).unwrap();
    wait(staged.append(Bytes::from_static(&NEW[..7]))).unwrap();
    // The second of the pieces of this one.
    watch.stop.store(watch.calls().len() + 2, SeqCst);
    let full = wait(staged.append(Bytes::from_static(&NEW[7..])));
    assert!(matches!(full, Err(StoreError::NoSpace { .. })), "{full:?}");
    assert_eq!(staged.len(), 7);
    let on_disk = dir.path().join(".haul/staging").join(&staged.id().0);
    assert_eq!(on_disk.metadata().unwrap().len(), 7);
    wait(staged.append(Bytes::from_static(&NEW[7..]))).unwrap();
    wait(staged.publish(&path("f/a"), When::Always, Durability::Full)).unwrap();
    assert_eq!(fs::read(dir.path().join("f/a")).unwrap(), NEW);
}

#[test]
fn after_a_failed_sync_only_what_was_safe_before_counts() {
    for beside in [false, true] {
        let dir = scene();
        let watch = Watched::new(0, Errno::IO);
        let store = watched(dir.path(), &watch);
        let mut staged = wait(store.stage(&path("f/a"))).unwrap();
        wait(staged.append(Bytes::from_static(&NEW[..7]))).unwrap();
        assert_eq!(wait(staged.sync()).unwrap(), 7);
        wait(staged.append(Bytes::from_static(&NEW[7..]))).unwrap();
        watch.stop.store(watch.calls().len() + 1, SeqCst);
        let failed = if beside { wait(staged.syncer().sync()) } else { wait(staged.sync()).map(drop) };
        assert!(matches!(failed, Err(StoreError::Io { .. })));
        // The system would say that all is well from now on: it tells of a loss once.
        assert!(matches!(wait(staged.sync()), Err(StoreError::Unclaimed { .. })));
        assert!(matches!(wait(staged.append(Bytes::from_static(b"x"))), Err(StoreError::Unclaimed { .. })));
        let id = staged.id().clone();
        let published = wait(staged.publish(&path("f/a"), When::Always, Durability::Full));
        assert!(matches!(published, Err(StoreError::Unclaimed { .. })));
        assert_eq!(fs::read(dir.path().join("f/a")).unwrap(), b"old");
        let staged = wait(store.staged(&id)).unwrap();
        assert_eq!(staged.len(), 7);
        assert_eq!(wait(staged.read(0, 100)).unwrap(), NEW[..7]);
    }
}

#[test]
fn what_is_published_has_neither_more_nor_fewer_bytes_than_were_received() {
    let dir = scene();
    let store = open(dir.path(), Resolver::System);
    let received = |len: u64| {
        let mut staged = wait(store.stage(&path("f/a"))).unwrap();
        wait(staged.append(Bytes::from_static(NEW))).unwrap();
        wait(staged.sync()).unwrap();
        // As a failed write leaves it whose cut has failed as well, or another program.
        let on_disk = dir.path().join(".haul/staging").join(&staged.id().0);
        File::options().write(true).open(on_disk).unwrap().set_len(len).unwrap();
        staged
    };
    let long = received(100);
    wait(long.publish(&path("f/a"), When::Always, Durability::Full)).unwrap();
    assert_eq!(fs::read(dir.path().join("f/a")).unwrap(), NEW);
    let short = received(3);
    let id = short.id().clone();
    let refused = wait(short.publish(&path("f/a"), When::Always, Durability::Full));
    assert!(matches!(refused, Err(StoreError::Incomplete { held: 3, .. })), "{refused:?}");
    assert_eq!(wait(store.staged(&id)).unwrap().len(), 3);
    assert_eq!(fs::read(dir.path().join("f/a")).unwrap(), NEW);
}

#[test]
fn relaxed_asks_the_disk_for_nothing() {
    let dir = scene();
    let watch = Watched::new(0, Errno::IO);
    let store = watched(dir.path(), &watch);
    upload(&store, "first", "x").unwrap();
    let before = watch.calls().len();
    let mut staged = wait(store.stage(&path("f/a"))).unwrap();
    wait(staged.append(Bytes::from_static(b"x"))).unwrap();
    wait(staged.publish(&path("f/a"), When::Always, Durability::Relaxed)).unwrap();
    let calls = watch.calls()[before..].to_vec();
    assert!(matches!(&calls[..], [Call::Write(_), Call::Rename(_)]), "{calls:?}");
}

#[test]
fn a_staging_folder_of_an_earlier_run_is_made_sure_of_before_it_is_used() {
    let dir = scene();
    // Made, and then the machine or the server stopped.
    fs::create_dir_all(dir.path().join(".haul/staging")).unwrap();
    let watch = Watched::new(0, Errno::IO);
    let store = watched(dir.path(), &watch);
    upload(&store, "b", "x").unwrap();
    upload(&store, "c", "x").unwrap();
    let ino = |at: &str| dir.path().join(at).metadata().unwrap().ino();
    let folders = [".haul/staging", ".haul", ""].map(|at| Call::SyncFolder(ino(at)));
    let calls = watch.calls();
    assert_eq!(calls[..3], folders);
    assert!(!calls[3..].contains(&folders[1]), "once is enough");
}

#[test]
fn a_name_that_is_made_moved_or_removed_is_saved_before_success() {
    let dir = scene();
    let watch = Watched::new(0, Errno::IO);
    let store = watched(dir.path(), &watch);
    let ino = |at: &str| dir.path().join(at).metadata().unwrap().ino();
    let (top, f) = (ino(""), ino("f"));
    let done = |how, change: &dyn Fn(Durability) -> Result<(), StoreError>| {
        let before = watch.calls().len();
        change(how).unwrap();
        watch.calls().split_off(before)
    };
    for how in [Durability::Relaxed, Durability::Full] {
        let saved = |folders: &[u64]| match how {
            Durability::Full => folders.iter().copied().map(Call::SyncFolder).collect(),
            Durability::Relaxed => Vec::new(),
        };
        assert_eq!(done(how, &|how| wait(store.make_folder(&path("d"), how))), saved(&[top]));
        let d = ino("d");
        let away = |how| wait(store.rename(&path("f/a"), &path("d/a"), true, how));
        assert_eq!(done(how, &away), saved(&[d, f]), "where it is, then where it was");
        let within = |how| wait(store.rename(&path("d/a"), &path("d/b"), true, how));
        assert_eq!(done(how, &within), saved(&[d]), "once is enough");
        fs::write(dir.path().join("f/a"), "another").unwrap();
        assert_eq!(done(how, &|how| wait(store.remove(&path("d/b"), how))), saved(&[d]));
        assert_eq!(done(how, &|how| wait(store.remove_folder(&path("d"), how))), saved(&[top]));
    }
    watch.stop.store(watch.calls().len() + 1, SeqCst);
    let unsaved = wait(store.remove(&path("f/a"), Durability::Full));
    assert!(matches!(unsaved, Err(StoreError::Io { .. })), "{unsaved:?}");
}
