//! The machine's letters: what it is told ([`Event`]) and what it wants done ([`Action`]).

use std::time::Duration;

use crate::{ByteRange, Entity};

/// One connection at work on one range. Numbers are never used twice in one run, so a late word of a lane that is
/// gone is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// The index of a source in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceId(pub usize);

/// Which bytes a lane asks for: `from..compare_to` are there already and are compared, the rest is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The first byte asked for.
    pub from: u64,
    /// The first byte that is wanted and not just compared; equal to `from` where nothing is compared.
    pub compare_to: u64,
    /// The offset behind the last byte asked for; `None` is the end of the file.
    pub to: Option<u64>,
}

/// What an answer says of ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// It is a part, as asked.
    Proven,
    /// It is the whole, with a word that parts can be had.
    Offered,
    /// It is the whole, without such a word.
    Absent,
}

/// What a comparison of bytes that came again with those that are there found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The same bytes.
    Same,
    /// Other bytes.
    Different,
    /// The same, but all of them one repeated byte: proves nothing.
    Blank,
}

/// Why a lane came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection could be made: unknown host, connection refused.
    Unreachable,
    /// The connection broke, or the answer made no sense; another try may do better.
    Broken,
    /// The far end is too busy for this connection (429, 503, 421, 530).
    Busy,
    /// The far end says no to this request (404, 403 …).
    Denied,
    /// Nothing that trying again could mend: a bad certificate, a redirect to somewhere unsafe.
    Fatal,
    /// What this answer has brought was found not to be what it was taken for: not a byte of it is to be relied on, nor
    /// of all that it lies among. Asked again, the far end answers in another way.
    Unreliable,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A lane's answer began.
    Opened {
        /// Whose.
        lane: LaneId,
        /// What the answer says of the file.
        seen: Entity,
        /// The offset of the first byte that comes; at or before the one asked for.
        from: u64,
        /// The offset behind the last byte that comes, where known.
        to: Option<u64>,
        /// Whether parts can be had.
        ranges: Ranges,
    },
    /// The bytes of a lane before `compare_to` were compared.
    Checked {
        /// Whose.
        lane: LaneId,
        /// What came of it.
        found: Match,
    },
    /// A lane is at work, though it brings no new bytes: it compares, or waits for its turn on this side.
    Heard {
        /// Whose.
        lane: LaneId,
    },
    /// This side has no connection to spare for a lane beside others right now.
    Spared {
        /// Whose.
        lane: LaneId,
    },
    /// A lane's body ended as it should.
    Ended {
        /// Whose.
        lane: LaneId,
    },
    /// The far end has no such bytes (416).
    Unsatisfiable {
        /// Whose.
        lane: LaneId,
        /// What the answer says of the file.
        seen: Entity,
        /// The file's size, where told.
        total: Option<u64>,
    },
    /// A lane came to nothing, or broke off.
    Failed {
        /// Whose.
        lane: LaneId,
        /// Why.
        why: Trouble,
        /// How long the far end wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Bytes that the machine took are written and claimed.
    Written(ByteRange),
    /// The sync that was asked for is done.
    Durable,
    /// The reset that was asked for is done: nothing is held any more.
    ResetDone,
    /// The publication that was asked for is done.
    Published,
    /// The publication that was asked for did not begin: asked once more, the far end says that its file is another
    /// one now.
    Outdated {
        /// What differs, in plain words.
        what: String,
    },
    /// The caller wants to stop, keeping what is there.
    Pause,
}

/// Something that the driver shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a lane.
    Open {
        /// Its name from now on.
        lane: LaneId,
        /// Where.
        source: SourceId,
        /// Which bytes.
        ask: Ask,
        /// The version it must be, where a condition can say so (If-Range).
        same: Option<Entity>,
        /// Whether it must be a connection that was not used before.
        fresh: bool,
    },
    /// Close a lane; nothing more of it is wanted.
    Cancel(LaneId),
    /// Make durable what is written.
    Sync,
    /// Drop all bytes: the file is begun anew.
    Reset(Reason),
    /// All bytes are there: check the digest, publish.
    Publish,
    /// It is over.
    Finish(Outcome),
}

/// Why what is there is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file is another one now; what differs, in plain words.
    Changed(String),
    /// It can't be shown that what is there belongs to what the far end has.
    Unproven,
    /// What an answer brought was found not to be what it was taken for ([`Trouble::Unreliable`]).
    Unreliable,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Complete and published.
    Complete(Basis),
    /// Stopped by the caller.
    Paused,
    /// Too many failures in a row; the last trouble.
    GaveUp(Trouble),
    /// The file changed; what differs.
    Changed(String),
    /// What is there cannot be continued safely.
    Unsafe,
}

/// What "all bytes are of one version" rests on, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// One answer brought everything, and it named no strong validator.
    Single,
    /// The same strong entity tag on every answer.
    ETag,
    /// The same strong modification date and size on every answer.
    Date,
    /// Bytes fetched again and compared.
    Overlap,
}

impl Basis {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::ETag => "etag",
            Self::Date => "date",
            Self::Overlap => "overlap",
        }
    }
}
