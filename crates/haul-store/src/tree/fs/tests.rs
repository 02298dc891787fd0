//! The tree on real folders: what is a file system's own affair and not the waist's.

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use haul_core::TreePath;

use crate::{Durability, FsStore, Resolver, Store, StoreError, When, ledger::wait, tree::pool::Job};

fn path(raw: &str) -> TreePath {
    TreePath::ROOT.join(raw.as_bytes()).unwrap()
}

fn open(root: &Path, resolver: Resolver) -> FsStore {
    FsStore::open_with(root, Arc::new(|job: Job| job()), resolver).unwrap()
}

fn upload(store: &FsStore, to: &str, bytes: &str) -> Result<crate::Meta, StoreError> {
    let mut staged = wait(store.stage(&path(to)))?;
    wait(staged.append(Bytes::copy_from_slice(bytes.as_bytes())))?;
    wait(staged.publish(&path(to), When::Always, Durability::Full))
}

#[test]
fn smoke() {
    for resolver in [Resolver::System, Resolver::ByHand] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), resolver);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        upload(&store, "a", "hello").unwrap();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"hello");
        let mut list = wait(store.list(&TreePath::ROOT)).unwrap();
        assert_eq!(wait(list.next()).unwrap().len(), 1);
        assert!(wait(list.next()).unwrap().is_empty());
        let mut staged = wait(store.stage(&path("b"))).unwrap();
        wait(staged.append(Bytes::from_static(b"0123456789"))).unwrap();
        wait(staged.cut(7)).unwrap();
        assert_eq!(wait(staged.sync()).unwrap(), 7);
        let id = staged.id().clone();
        drop(staged);
        let staged = wait(store.staged(&id)).unwrap();
        assert_eq!(staged.len(), 7);
        wait(staged.discard()).unwrap();
        assert!(matches!(wait(store.staged(&id)), Err(StoreError::NotFound { .. })));
    }
}
