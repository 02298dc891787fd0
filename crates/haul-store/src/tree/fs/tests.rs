//! The tree on real folders: what is a file system's own affair and not the waist's.

mod conforming;
mod dressing;
mod forbidden;
mod links;
mod media;
mod order;
mod power;
mod staging;
mod taking;
mod turns;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use haul_core::TreePath;

use super::{FsStore, Resolver};
use crate::{Durability, Meta, Store, StoreError, When, ledger::wait, tree::pool::Job};

const BOTH: [Resolver; 2] = [Resolver::System, Resolver::ByHand];

fn path(raw: &str) -> TreePath {
    TreePath::ROOT.join(raw.as_bytes()).unwrap()
}

fn open(root: &Path, resolver: Resolver) -> FsStore {
    FsStore::open_with(root, Arc::new(|job: Job| job()), resolver).unwrap()
}

fn upload(store: &FsStore, to: &str, bytes: &str) -> Result<Meta, StoreError> {
    let mut staged = wait(store.stage(&path(to)))?;
    wait(staged.append(Bytes::copy_from_slice(bytes.as_bytes())))?;
    wait(staged.publish(&path(to), When::Always, Durability::Full))
}
