//! One file over several connections: lets the machine of `haul_core::upload::lanes` have its way with lanes that read
//! the local file and send.
//!
//! ```text
//!   lanes (one task each) ──words──► Drive ──► machine
//!        ▲                             │  └──► memory: where the parts are, before a byte of them is sent
//!        └──── orders: bytes, end ─────┘
//! ```
//! It knows neither tus nor FTP: a [`Door`] does.

mod door;
mod drive;
mod lane;

use haul_core::transfer::LaneId;

pub(crate) use self::door::Door;
use super::sink::Fault;

/// What a lane is to do.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) lane: LaneId,
    /// The part's first byte.
    pub(crate) from: u64,
    /// The far end is known to have it up to here.
    pub(crate) at: u64,
    /// Behind its last byte, as far as is known.
    pub(crate) end: u64,
    /// Where it is, if it was begun.
    pub(crate) place: Option<String>,
}

/// Why a lane could not go on.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// There is no such part any more.
    Lost,
    /// Nothing of the upload is there any more.
    Over(Fault),
    /// Something else.
    Fault(Fault),
}

/// What became of parts that were to be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// They are one file.
    Whole,
    /// These are not there any more, by their places in the list.
    Gone(Vec<usize>),
}
