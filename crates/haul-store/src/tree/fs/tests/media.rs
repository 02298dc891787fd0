//! Several file systems in one tree, small ones among them. Where mounting is not permitted these tests say so.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, process::Command};

use super::*;

/// Something mounted; gone when it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: &Path, options: &[&str]) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let done = Command::new("mount").args(options).arg(at).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(at.to_path_buf()));
        }
        println!("skipped: mounting is not permitted here");
        None
    }

    fn memory(at: &Path, bytes: u64) -> Option<Self> {
        Self::new(at, &["-t", "tmpfs", "-o", &format!("size={bytes},mode=755"), "haul-test"])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn count(at: &Path) -> usize {
    fs::read_dir(at).map_or(0, Iterator::count)
}

#[test]
fn what_is_unfinished_lies_on_the_medium_of_what_it_becomes() {
    for resolver in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let Some(_mounted) = Mounted::memory(&root.join("in/a b"), 8 << 20) else { return };
        fs::create_dir_all(root.join("in/a b/deep/er")).unwrap();
        let store = open(root, resolver);
        let mut staged = wait(store.stage(&path("in/a b/deep/er/x"))).unwrap();
        wait(staged.append(Bytes::from_static(b"bytes"))).unwrap();
        assert_eq!(count(&root.join("in/a b/.haul/staging")), 1);
        assert!(!root.join(".haul").exists() && !root.join("in/a b/deep/.haul").exists());
        let mut listing = wait(store.list(&path("in/a b"))).unwrap();
        assert_eq!(wait(listing.next()).unwrap().len(), 1, "it is out of sight there, too");

        let (id, orphan) = (staged.id().clone(), wait(store.stage(&path("in/a b/y"))).unwrap());
        drop((staged, orphan, listing, store));
        let store = open(root, resolver);
        assert_eq!(wait(store.sweep(std::slice::from_ref(&id))).unwrap(), 1);
        let staged = wait(store.staged(&id)).unwrap();
        let meta = wait(staged.publish(&path("in/a b/deep/er/x"), When::Absent, Durability::Full));
        assert_eq!(meta.unwrap().size, 5);
        assert_eq!(count(&root.join("in/a b/.haul/staging")), 0);
    }
}

#[test]
fn a_mount_takes_what_is_unfinished_along_when_its_folder_is_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let Some(_mounted) = Mounted::memory(&root.join("in/m"), 8 << 20) else { return };
    let store = open(root, Resolver::System);
    let mut staged = wait(store.stage(&path("in/m/a"))).unwrap();
    wait(staged.append(Bytes::from_static(b"bytes"))).unwrap();
    let id = staged.id().clone();
    drop(staged);
    wait(store.rename(&path("in"), &path("new"), false, Durability::Full)).unwrap();
    let moved = Mounted(root.join("new/m"));
    assert_eq!(wait(store.staged(&id)).unwrap().len(), 5);
    drop(store);
    let store = open(root, Resolver::System);
    assert_eq!(wait(store.sweep(std::slice::from_ref(&id))).unwrap(), 0);
    let staged = wait(store.staged(&id)).unwrap();
    wait(staged.publish(&path("new/m/a"), When::Absent, Durability::Full)).unwrap();
    assert_eq!(fs::read(root.join("new/m/a")).unwrap(), b"bytes");
    drop(moved);
}

#[test]
fn an_upload_whose_target_went_to_another_medium_is_taken_there() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let Some(_mounted) = Mounted::memory(&root.join("m"), 64 << 10) else { return };
    let store = open(root, Resolver::System);
    let mut staged = wait(store.stage(&path("a"))).unwrap();
    wait(staged.append(Bytes::from(vec![7; 40 << 10]))).unwrap();
    wait(staged.publish(&path("m/a"), When::Absent, Durability::Full)).unwrap();
    assert_eq!(fs::read(root.join("m/a")).unwrap(), vec![7; 40 << 10]);
    assert_ne!(root.join("m/a").metadata().unwrap().dev(), root.metadata().unwrap().dev());
    assert_eq!(count(&root.join(".haul/staging")) + count(&root.join("m/.haul/staging")), 0);

    // No room there: it stays where it is, and nothing is left over there.
    let mut staged = wait(store.stage(&path("b"))).unwrap();
    wait(staged.append(Bytes::from(vec![8; 40 << 10]))).unwrap();
    let id = staged.id().clone();
    let full = wait(staged.publish(&path("m/b"), When::Absent, Durability::Full));
    assert!(matches!(full, Err(StoreError::NoSpace { .. })), "{full:?}");
    assert_eq!(wait(store.staged(&id)).unwrap().len(), 40 << 10);
    assert_eq!(count(&root.join("m/.haul/staging")), 0);

    // A finished file is not moved there: that could not be at once.
    upload(&store, "c", "x").unwrap();
    let moved = wait(store.rename(&path("c"), &path("m/c"), false, Durability::Full));
    assert!(matches!(moved, Err(StoreError::OtherMedium { .. })), "{moved:?}");
}

#[test]
fn the_same_medium_mounted_twice_is_two() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("f/g")).unwrap();
    let from = root.join("f");
    let Some(_mounted) = Mounted::new(&root.join("again"), &["--bind", from.to_str().unwrap()]) else {
        return;
    };
    let store = open(root, Resolver::System);
    for at in ["f/a", "again/b", "again/g/c", "top"] {
        upload(&store, at, at).unwrap();
        assert_eq!(fs::read_to_string(root.join(at)).unwrap(), at);
    }
}

#[test]
fn what_is_staged_by_one_way_is_no_leavings_when_the_folder_is_met_by_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let Some(_medium) = Mounted::memory(&root.join("ann"), 1 << 20) else { return };
    let shared = root.join("ann");
    let Some(_mounted) = Mounted::new(&root.join("bob"), &["--bind", shared.to_str().unwrap()]) else {
        return;
    };
    let store = open(root, Resolver::System);
    assert_eq!(wait(store.sweep(&[])).unwrap(), 0);
    let mut first = wait(store.stage(&path("ann/a"))).unwrap();
    wait(first.append(Bytes::from_static(b"first"))).unwrap();
    upload(&store, "bob/b", "second").unwrap();
    wait(first.publish(&path("ann/a"), When::Absent, Durability::Full)).unwrap();
    assert_eq!(fs::read(root.join("bob/a")).unwrap(), b"first");
}

#[test]
fn what_is_staged_on_a_medium_that_is_missing_is_not_gone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let Some(mounted) = Mounted::memory(&root.join("m"), 1 << 20) else { return };
    let store = open(root, Resolver::System);
    let id = wait(store.stage(&path("m/a"))).unwrap().id().clone();
    drop((store, mounted));
    let store = open(root, Resolver::System);
    let missing = wait(store.staged(&id)).map(drop);
    assert!(matches!(missing, Err(StoreError::Io { .. })), "{missing:?}");
}

#[test]
fn a_medium_within_the_tree_that_another_server_stages_on_is_left_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let Some(_mounted) = Mounted::memory(&root.join("m"), 1 << 20) else { return };
    let (inner, outer) = (open(&root.join("m"), Resolver::System), open(root, Resolver::System));
    let staged = wait(inner.stage(&path("a"))).unwrap();
    assert_eq!(wait(outer.sweep(&[])).unwrap(), 0);
    assert!(matches!(wait(outer.stage(&path("m/b"))).map(drop), Err(StoreError::InUse { .. })));
    upload(&outer, "b", "x").unwrap();
    wait(staged.publish(&path("a"), When::Absent, Durability::Full)).unwrap();
}

#[test]
fn what_is_unfinished_is_no_folder_of_the_tree_wherever_it_is_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    drop(wait(open(root, Resolver::System).stage(&path("a"))).unwrap());
    let own = root.join(".haul");
    let Some(_mounted) = Mounted::new(&root.join("f/own"), &["--bind", own.to_str().unwrap()]) else {
        return;
    };
    for resolver in BOTH {
        let store = open(root, resolver);
        for at in ["f/own", "f/own/staging"] {
            assert!(matches!(wait(store.stat(&path(at))), Err(StoreError::NotFound { .. })), "{at}");
            assert!(wait(store.list(&path(at))).is_err(), "{at}");
            assert!(upload(&store, &format!("{at}/x"), "x").is_err(), "{at}");
        }
        let mut listing = wait(store.list(&path("f"))).unwrap();
        assert!(wait(listing.next()).unwrap().is_empty());
    }
}

#[test]
fn a_full_medium_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::memory(&dir.path().join("m"), 256 << 10) else { return };
    let root = &mounted.0;
    let store = open(root, Resolver::System);
    let mut staged = wait(store.stage(&path("a"))).unwrap();
    wait(staged.append(Bytes::from(vec![1; 100_000]))).unwrap();
    let full = wait(staged.append(Bytes::from(vec![2; 400_000])));
    assert!(matches!(full, Err(StoreError::NoSpace { .. })), "{full:?}");
    assert_eq!((staged.len(), wait(staged.sync()).unwrap()), (100_000, 100_000));
    assert!(wait(store.space(&path("a"))).unwrap().unwrap() > 50_000, "what was half written is free again");
    let room = Command::new("mount").args(["-o", "remount,size=1m"]).arg(root).status();
    assert!(room.unwrap().success());
    wait(staged.append(Bytes::from(vec![2; 400_000]))).unwrap();
    wait(staged.publish(&path("a"), When::Absent, Durability::Full)).unwrap();
    assert_eq!(fs::read(root.join("a")).unwrap(), [vec![1; 100_000], vec![2; 400_000]].concat());
}
