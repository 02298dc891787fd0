//! Whoever wants to know what disks take: told each time, at once, on the thread that waited.

use std::{fmt::Debug, time::Duration};

/// Hears how long it took to make something durable. It must not wait: whoever tells it has a client that does.
pub trait Watch: Send + Sync + Debug + 'static {
    /// A file's bytes or a folder's names were made durable, or could not be.
    fn synced(&self, what: Synced, took: Duration, well: bool);
    /// The ledger has committed what waited, or could not.
    fn committed(&self, took: Duration, well: bool);
    /// So many orders wait for the ledger now.
    fn waiting(&self, orders: usize);
}

/// What was made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// The bytes of a file.
    File,
    /// The names in a folder.
    Folder,
}
