//! What an upload is to be, as it was found out before its first byte.

use std::sync::Arc;

use haul_core::{
    TreePath,
    receiving::{Begin, Completion, Declared},
};
use haul_store::{Reading, Staged, Unfinished};

use super::{quota::Charge, unfinished::Base};
use crate::hooks::Teller;

/// What an upload is to be.
///
/// It is had for as long as bytes come: what only some uploads have is elsewhere.
pub(super) struct Plan {
    pub(super) target: TreePath,
    pub(super) completion: Completion,
    /// Nothing may be replaced.
    pub(super) only_new: bool,
    /// What a door wants to know of it later.
    pub(super) note: Vec<u8>,
    /// Who uploads, for those who are told of it.
    pub(super) teller: Arc<Teller>,
    /// It is never published by itself.
    pub(super) aside: bool,
    /// It is put together from such.
    pub(super) joined: bool,
    pub(super) begin: Begin,
    pub(super) declared: Declared,
    /// It is whole with the end that is told among its bytes, and with nothing else.
    pub(super) tells_end: bool,
    /// So many of its first bytes are the finished file's, and not sent by its owner.
    pub(super) copied: u64,
    /// What is copied first.
    pub(super) source: Option<Box<Reading>>,
    /// The finished file that this goes on from.
    pub(super) base: Option<Base>,
    /// The unfinished upload that has the name.
    pub(super) earlier: Option<Box<Unfinished>>,
    /// Its bytes, where they are gone on with.
    pub(super) staged: Option<Box<dyn Staged>>,
    /// The empty staged file of one that begins anew.
    pub(super) fresh: Option<Box<dyn Staged>>,
    /// What it counts for, where somebody counts.
    pub(super) charge: Option<Box<Charge>>,
}
