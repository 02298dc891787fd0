//! The tree as the doors see it: finished files, and for its owner each unfinished upload in the place of what it will
//! become.
//!
//! Rules are `haul_core::receiving`'s, bytes a `Store`'s, memory a `Ledger`'s; here they come together, with who is
//! writing at the moment. It knows no protocol and no disk.
//!
//! ```text
//!  Visitor ── looks ──────────────> unfinished upload of this owner, or else the finished file
//!     │
//!     ├── receive ── a seat ──> Upload ── bytes ── settle ──> published, or kept in the ledger
//!     │               │            └─ beside: sync, then the record
//!     │               └─ taken already: wait, take over, or Busy
//!     ├── lane ── a seat that lanes share ──> Woven ── the same, of ranges
//!     └── changes ── the seats of what is concerned, first
//! ```
//! Order within an upload: bytes are synced, then the ledger says so, then the offset is told; that it is published is
//! noted afterwards. A crash between any two of them leaves something that recovery puts right.

mod beginning;
mod begun;
mod changes;
mod finished;
mod lane;
mod marked;
mod names;
mod order;
mod peek;
mod pending;
mod plan;
mod quota;
mod receiving;
mod recovery;
mod remaining;
mod seats;
mod telling;
#[cfg(test)]
mod tests;
mod told;
mod unfinished;
mod upload;
mod visitor;
mod woven;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use haul_store::{Durability, Ledger, MemoryLedger, Meta, Store};

pub(crate) use self::quota::Joining;
use self::{beginning::Readers, finished::Finished, quota::Quotas, seats::Seats};
use crate::{ServerError, account::Account, hooks::Hooks};

pub use self::{
    beginning::{Beginning, Kept},
    lane::{Ended, Lane, Piece, Ranges},
    names::Names,
    order::{Announced, Condition, Older, Order},
    peek::Peek,
    pending::{Named, Pending},
    receiving::Receiving,
    remaining::{GivenUp, Remaining},
    visitor::Visitor,
};
pub use haul_core::receiving::{Control, DataEnd, Wish};

/// How uploads are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether an upload is written where readers see it, the classic way.
    pub in_place: bool,
    /// What the end of an upload promises, or of a change to names.
    pub durability: Durability,
    /// After how long without a byte an unfinished upload is forgotten.
    pub expire: Duration,
    /// How many unfinished uploads one owner may have; with as many no other is begun.
    pub max_unfinished: usize,
    /// How long a newcomer waits for an older session of the same owner to show that it is dead.
    pub takeover: Duration,
}

impl Rules {
    /// Whether the end of an upload promises nothing that takes its time: [`Receiving::publish_now`] is for those.
    fn publishes_at_once(&self) -> bool {
        self.durability == Durability::Relaxed && !self.in_place
    }
}

/// The tree.
pub struct Depot {
    store: Arc<dyn Store>,
    ledger: Arc<dyn Ledger>,
    rules: Rules,
    /// Nothing is ever written, whoever asks.
    read_only: bool,
    seats: Seats,
    finished: Finished,
    readers: Readers,
    quotas: Quotas,
    hooks: OnceLock<Arc<Hooks>>,
}

/// What is told of a name.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it is; of an unfinished upload the size is its offset.
    pub meta: Meta,
    /// Whether it is an unfinished upload of this account.
    pub unfinished: bool,
}

/// What became of an upload.
#[derive(Clone, Debug)]
pub enum Settled {
    /// It is there, whole.
    Published(Meta),
    /// It is kept, and can be gone on with from `at`.
    Kept {
        /// The offset; it is synced.
        at: u64,
        /// The size that was declared and not reached.
        declared: Option<u64>,
    },
}

impl Depot {
    /// Opens a tree: what a crash left is put in order, what has expired is removed. Where uploads go in place, the
    /// ledger and what lies staged are not touched.
    pub async fn open(
        store: Arc<dyn Store>,
        ledger: Arc<dyn Ledger>,
        rules: Rules,
    ) -> Result<Arc<Self>, ServerError> {
        let depot = Self::as_it_is(store, ledger, rules);
        if !rules.in_place {
            recovery::recover(&depot).await?;
            recovery::expire(&depot).await?;
        }
        Ok(depot)
    }

    /// Opens a tree as it was left: nothing is put in order, nothing expires.
    pub fn as_it_is(store: Arc<dyn Store>, ledger: Arc<dyn Ledger>, rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            store,
            ledger,
            rules,
            read_only: false,
            seats: Seats::default(),
            finished: Finished::default(),
            readers: Readers::default(),
            quotas: Quotas::default(),
            hooks: OnceLock::new(),
        })
    }

    /// Opens a tree in which nobody may write. Nothing is created, swept or put in order: another server may do that.
    pub fn read_only(store: Arc<dyn Store>) -> Arc<Self> {
        let rules = Rules {
            in_place: true,
            durability: Durability::Full,
            expire: Duration::MAX,
            max_unfinished: 0,
            takeover: Duration::ZERO,
        };
        let ledger = Arc::new(MemoryLedger::default());
        Arc::new(Self {
            store,
            ledger,
            rules,
            read_only: true,
            seats: Seats::default(),
            finished: Finished::default(),
            readers: Readers::default(),
            quotas: Quotas::default(),
            hooks: OnceLock::new(),
        })
    }

    /// The tree as this account sees it.
    pub fn visitor(self: &Arc<Self>, account: impl Into<Arc<Account>>) -> Visitor {
        Visitor::new(Arc::clone(self), account.into())
    }

    /// Forgets what has had no byte for longer than the rules say; how many. To be called again and
    /// again.
    pub async fn expire(self: &Arc<Self>) -> Result<usize, ServerError> {
        recovery::expire(self).await
    }
}
