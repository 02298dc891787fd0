//! The file system does what every store must.

use std::sync::Arc;

use super::{BOTH, Resolver, open, wait};
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

#[test]
fn a_file_system_conforms() {
    for resolver in BOTH {
        let make = || Folder(tempfile::tempdir().unwrap(), resolver);
        wait(conformance::all(make)).unwrap();
        wait(conformance::in_place(make)).unwrap();
    }
}
