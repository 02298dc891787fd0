//! What a transfer tells while it runs and when it ends: facts for a screen or a log, not sentences for one.

use std::{path::PathBuf, time::Duration};

use haul_core::{RangeSet, transfer::Basis, upload::Proof};

/// Something that happened, or how far things are.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The far end answered, the name is known, bytes begin to come.
    Start {
        /// The file's size in bytes, where known.
        size: Option<u64>,
        /// Where the finished file will be; `None` is standard output.
        target: Option<PathBuf>,
    },
    /// An earlier run's work goes on.
    Resumed {
        /// Bytes that need not be fetched again.
        kept: u64,
    },
    /// Something that a user should know, in one plain sentence (escaped for a terminal).
    Remark(String),
    /// The far end's file is another one now; what was there is dropped.
    Changed {
        /// What differs, in plain words.
        what: String,
        /// Bytes dropped.
        dropped: u64,
    },
    /// A connection failed and will be tried again.
    Retry {
        /// When.
        after: Duration,
        /// Why it failed, in plain words.
        why: String,
        /// How many failures in a row without a byte of progress.
        strikes: u32,
    },
    /// How far it is; some ten times a second.
    Progress(Progress),
}

/// How far a transfer is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The file's size in bytes, where known.
    pub size: Option<u64>,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes a second, over the last seconds.
    pub rate: f64,
    /// The connections at work.
    pub lanes: Vec<LaneView>,
    /// The ranges that are there.
    pub held: RangeSet,
}

/// One connection at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneView {
    /// Where it began.
    pub from: u64,
    /// The next byte it will receive.
    pub pos: u64,
    /// Where it will stop; `None` is at the file's end, wherever that is.
    pub end: Option<u64>,
}

/// A finished transfer.
#[derive(Clone, Debug)]
pub struct Done {
    /// Where the file is; `None` is standard output.
    pub target: Option<PathBuf>,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes received over the network in this run, or sent, those moved twice counted twice.
    pub fetched: u64,
    /// Bytes that an earlier run had left.
    pub kept: u64,
    /// How long this run took.
    pub took: Duration,
    /// What says that all bytes are of one version.
    pub verified: Verified,
    /// Whether it was complete before this run began.
    pub already: bool,
}

/// What the claim "these bytes are of one version" rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// One answer of one connection, or what the transfer machine says.
    By(Basis),
    /// The digest of the whole file, as the user gave it.
    Digest,
    /// Of an upload: what says that the far end has it.
    Far(Proof),
    /// The far end's word alone that it sent all of it: of a text, whose size tells nothing.
    Reply,
    /// Nothing: the far end's file was left alone.
    Unchecked,
}

impl Verified {
    /// One word: `etag`, `date`, `overlap`, `digest`, `single` (one answer brought it all), `reply` (of a text);
    /// of an upload `hash`, `whole`,
    /// `tail`, `date`, `size`, `reply`, or `unchecked`.
    pub fn word(self) -> &'static str {
        match self {
            Self::By(basis) => basis.word(),
            Self::Digest => "digest",
            Self::Far(proof) => proof.word(),
            Self::Reply => "reply",
            Self::Unchecked => "unchecked",
        }
    }
}
