//! When the staging folder is made and where, and what becomes of writes that nobody waits for any more.

use std::{fs, sync::Mutex};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use super::*;
use crate::StageId;

#[test]
fn a_tree_that_is_only_read_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "x").unwrap();
    let store = open(dir.path(), Resolver::System);
    wait(store.stat(&path("a"))).unwrap();
    wait(store.read(&path("a"))).unwrap();
    wait(store.list(&TreePath::ROOT)).unwrap();
    assert_eq!(wait(store.sweep(&[StageId("0".repeat(32))])).unwrap(), 0);
    assert!(wait(store.staged(&StageId("0".repeat(32)))).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_staging_folder_that_was_removed_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    let staged = wait(store.stage(&path("a"))).unwrap();
    fs::remove_dir_all(dir.path().join(".haul")).unwrap();
    let id = staged.id().clone();
    assert!(wait(staged.publish(&path("a"), When::Always, Durability::Full)).is_err());
    assert!(matches!(wait(store.staged(&id)).map(drop), Err(StoreError::NotFound { .. })));
    upload(&store, "a", "x").unwrap();
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"x");
}

#[test]
fn a_folder_with_the_number_of_a_removed_staging_folder_is_one_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    for n in 0..20 {
        drop(wait(store.stage(&path("a"))).unwrap());
        fs::remove_dir_all(dir.path().join(".haul")).unwrap();
        // File systems like to give a number again at once.
        for m in 0..3 {
            let at = path(&format!("{n} {m}"));
            wait(store.make_folder(&at, Durability::Full)).unwrap();
            wait(store.stat(&at)).unwrap();
            wait(store.list(&at)).unwrap();
        }
    }
}

#[test]
fn a_folder_in_which_only_haul_s_own_is_left_can_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    fs::create_dir_all(dir.path().join("f/.haul/staging")).unwrap();
    fs::create_dir_all(dir.path().join("g/.haul/staging")).unwrap();
    fs::write(dir.path().join("g/.haul/staging/a"), "somebody's").unwrap();
    wait(store.remove_folder(&path("f"), Durability::Full)).unwrap();
    assert!(matches!(
        wait(store.remove_folder(&path("g"), Durability::Full)),
        Err(StoreError::NotEmpty { .. })
    ));
    assert!(dir.path().join("g/.haul/staging/a").exists());
}

#[test]
fn a_second_server_on_a_tree_takes_nothing_away_from_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path(), Resolver::System), open(dir.path(), Resolver::System));
    let mut staged = wait(first.stage(&path("a"))).unwrap();
    wait(staged.append(Bytes::from_static(b"x"))).unwrap();
    let swept = wait(second.sweep(&[]));
    let told = dir.path().canonicalize().unwrap();
    assert!(matches!(&swept, Err(StoreError::InUse { path, .. }) if *path == told), "{swept:?}");
    assert!(matches!(wait(second.stage(&path("b"))).map(drop), Err(StoreError::InUse { .. })));
    assert!(wait(second.stat(&TreePath::ROOT)).is_ok(), "to look needs no lock");
    wait(staged.publish(&path("a"), When::Absent, Durability::Full)).unwrap();
    drop(first);
    assert_eq!(wait(second.sweep(&[])).unwrap(), 0);
    upload(&second, "b", "x").unwrap();
}

#[test]
fn a_second_server_hears_of_the_first_at_its_start_also_before_anything_is_staged() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path(), Resolver::System), open(dir.path(), Resolver::System));
    assert_eq!(wait(first.sweep(&[])).unwrap(), 0);
    let swept = wait(second.sweep(&[]));
    assert!(matches!(&swept, Err(StoreError::InUse { .. })), "{swept:?}");
    assert!(!dir.path().join(".haul").exists(), "nothing is made for that");
    upload(&first, "a", "x").unwrap();
    assert_eq!(wait(first.sweep(&[])).unwrap(), 0, "it is ours already");
    drop(first);
    assert_eq!(wait(second.sweep(&[])).unwrap(), 0);
}

#[test]
fn a_tree_within_a_tree_has_its_own_staging_and_both_are_out_of_each_other_s_reach() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("inner")).unwrap();
    let (outer, inner) =
        (open(dir.path(), Resolver::System), open(&dir.path().join("inner"), Resolver::System));
    let theirs = wait(inner.stage(&path("a"))).unwrap();
    let ours = wait(outer.stage(&path("inner/a"))).unwrap();
    assert_eq!(wait(outer.sweep(std::slice::from_ref(ours.id()))).unwrap(), 0);
    assert_eq!(wait(inner.sweep(std::slice::from_ref(theirs.id()))).unwrap(), 0);
    assert!(matches!(
        wait(outer.remove_folder(&path("inner"), Durability::Full)),
        Err(StoreError::NotEmpty { .. })
    ));
    wait(theirs.publish(&path("a"), When::Absent, Durability::Full)).unwrap();
    wait(ours.publish(&path("inner/b"), When::Absent, Durability::Full)).unwrap();
}

/// Takes and gives the right to change a folder, also from root.
fn set_unchangeable(folder: &Path, to: bool) -> bool {
    let Ok(fd) = fs::File::open(folder) else { return false };
    let Ok(flags) = ioctl_getflags(&fd) else { return false };
    let flags = if to { flags | IFlags::IMMUTABLE } else { flags - IFlags::IMMUTABLE };
    ioctl_setflags(&fd, flags).is_ok()
}

#[test]
fn where_the_top_is_not_ours_the_first_folder_that_is_does() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("incoming/deep")).unwrap();
    let store = open(root, Resolver::System);
    if !set_unchangeable(root, true) {
        println!("skipped: no folder can be made unchangeable here");
        return;
    }
    let mut staged = wait(store.stage(&path("incoming/deep/a"))).unwrap();
    wait(staged.append(Bytes::from_static(b"x"))).unwrap();
    let refused = wait(store.stage(&path("a"))).map(drop);
    let (id, orphan) = (staged.id().clone(), wait(store.stage(&path("incoming/b"))).unwrap().id().clone());
    let lies_there = root.join("incoming/.haul/staging").exists();
    drop((staged, store));
    let store = open(root, Resolver::System);
    let swept = wait(store.sweep(std::slice::from_ref(&id)));
    let staged = wait(store.staged(&id));
    let published = staged
        .and_then(|staged| wait(staged.publish(&path("incoming/deep/a"), When::Always, Durability::Full)));
    set_unchangeable(root, false);
    assert!(lies_there);
    assert!(matches!(refused, Err(StoreError::Permission { .. })), "said before a byte comes: {refused:?}");
    assert!(swept.unwrap() >= 1 && wait(store.staged(&orphan)).is_err());
    assert_eq!(published.unwrap().size, 1);
}

#[test]
fn a_write_that_nobody_waits_for_any_more_spoils_nothing() {
    // A pool that runs its jobs when it is told to.
    let jobs: Arc<Mutex<Vec<Job>>> = Arc::default();
    let held = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let pool = {
        let (jobs, held) = (Arc::clone(&jobs), Arc::clone(&held));
        Arc::new(move |job: Job| {
            if held.load(std::sync::atomic::Ordering::SeqCst) {
                jobs.lock().unwrap().push(job);
            } else {
                job();
            }
        })
    };
    let hold = |hold: bool| held.store(hold, std::sync::atomic::Ordering::SeqCst);
    let dir = tempfile::tempdir().unwrap();
    let store = FsStore::open(dir.path(), pool).unwrap();
    let mut older = wait(store.stage(&path("a"))).unwrap();
    wait(older.append(Bytes::from_static(b"first"))).unwrap();
    let id = older.id().clone();
    hold(true);
    let mut write = older.append(Bytes::from_static(b"late"));
    assert!(write.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
    drop(write);
    drop(older);
    hold(false);
    let mut newer = wait(store.staged(&id)).unwrap();
    wait(newer.append(Bytes::from_static(b" second"))).unwrap();
    for job in std::mem::take(&mut *jobs.lock().unwrap()) {
        job();
    }
    wait(newer.append(Bytes::from_static(b" third"))).unwrap();
    wait(newer.publish(&path("a"), When::Always, Durability::Full)).unwrap();
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"first second third");
}

#[test]
fn uploads_to_one_folder_at_once_are_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Resolver::System);
    std::thread::scope(|scope| {
        for n in 0..16 {
            let store = store.clone();
            scope.spawn(move || {
                for m in 0..8 {
                    upload(&store, &format!("{n}-{m}"), &format!("{n} {m}")).unwrap();
                }
            });
        }
    });
    for n in 0..16 {
        for m in 0..8 {
            let bytes = fs::read_to_string(dir.path().join(format!("{n}-{m}"))).unwrap();
            assert_eq!(bytes, format!("{n} {m}"));
        }
    }
    assert_eq!(fs::read_dir(dir.path().join(".haul/staging")).unwrap().count(), 0);
}
