//! haul-store: where haul keeps bytes.
//!
//! An unfinished file is a [`Partial`]. On a file system ([`FsPartial`]) it is NAME.part, with a journal beside it,
//! NAME.part.haul, that says which bytes are there and how safe they are; once whole it gets its name at once. The
//! journal never says more than is true (docs/format.md).
//!
//! What is remembered of uploads are small files in the user's state ([`UploadRecords`]).
//!
//! What this crate does not know: networks, protocols, and whether two sources have the same file.

mod boot;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(any(test, feature = "testing"))]
pub mod crash;
mod crc;
pub mod disk;
mod error;
mod fs_partial;
mod inspect;
mod journal;
mod ledger;
mod partial;
mod subject;
mod sys;
#[cfg(test)]
mod tests;
mod tree;
mod uploads;
mod watch;

pub use boot::boot;
pub use error::StoreError;
pub use fs_partial::{Found, FsPartial, Orphan, Resumed};
pub use inspect::{Inspection, Problem, find_by_key, inspect, journals_in};
pub use journal::VERSION as JOURNAL_VERSION;
#[cfg(any(test, feature = "testing"))]
pub use ledger::conformance as ledger_conformance;
pub use ledger::{
    Dated, Lease, Ledger, Letter, MemoryLedger, Outstanding, PUBLISHED, Pledge, Published, SqliteLedger,
    Unfinished, UploadKey,
};
pub use partial::{Geometry, Held, Note, Partial, Publish};
pub use subject::{SourceRecord, Subject};
pub use sys::free_space;
#[cfg(any(test, feature = "testing"))]
pub use tree::conformance as tree_conformance;
#[cfg(unix)]
pub use tree::fs::{FsStore, Resolver};
pub use tree::mounted::MountedStore;
pub use tree::pool::{Job, Pool};
pub use tree::{
    Assent, Body, Durability, Entry, Kind, Listing, Meta, Pieces, Reading, Scattered, Source, StageId,
    Staged, Store, Stretch, Syncer, Taken, Then, When, Work,
};
pub use uploads::{
    Remembered, UploadClaim, UploadDialect, UploadPart, UploadRecord, UploadRecords, UploadResource,
    UploadStage,
};
pub use watch::{Synced, Watch};
