//! The file system does what every store must.

use std::sync::Arc;

use super::{Resolver, StoreError, open, wait};
use crate::{
    Store,
    tree_conformance::{self as conformance, Bench},
};

struct Folder(tempfile::TempDir, Resolver);

impl Bench for Folder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(open(self.0.path(), self.1))
    }
}

fn conforms(resolver: Resolver) -> Result<(), StoreError> {
    let make = || Folder(tempfile::tempdir().unwrap(), resolver);
    wait(conformance::all(make))?;
    wait(conformance::in_place(make))
}

#[test]
fn a_file_system_conforms() {
    conforms(Resolver::System).unwrap();
}

#[test]
fn it_conforms_where_the_system_resolves_no_paths() {
    conforms(Resolver::ByHand).unwrap();
}
