//! What is to be told to somebody outside, in the order in which it came about: it waits here until it is delivered,
//! also over the end of a server. What it says and how it is brought is not known here.

use haul_core::{Modified, TreePath};

use crate::StageId;

/// Something that waits to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its place in the queue, which no other one has that waits; given by whoever puts it there.
    pub number: u64,
    /// What it tells of: the same for all letters about it, and for each try.
    pub id: String,
    /// To whom.
    pub to: String,
    /// The place in the tree that it is about.
    pub path: TreePath,
    /// It is true only if this has become so; whoever put it there says later that it has.
    pub pledge: Option<Pledge>,
    /// How often it could not be delivered.
    pub tries: u32,
    /// What it says.
    pub body: Vec<u8>,
}

/// That a staged file is published. A server that finds such a letter looks whether that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pledge {
    /// The staged file: while it is there it is not published.
    pub stage: StageId,
    /// How many bytes it has.
    pub size: u64,
    /// The date of the file that it replaces: what has this date still is that one.
    pub replaces: Option<Dated>,
}

/// When a file was last modified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within that second; `None` where a ledger before format 6 has kept none.
    pub nanos: Option<u32>,
}

impl Dated {
    /// Whether a file of this date may be the one that is meant.
    pub fn is(self, date: Modified) -> bool {
        self.seconds == date.seconds && self.nanos.is_none_or(|nanos| nanos == date.nanos)
    }
}

impl From<Modified> for Dated {
    fn from(date: Modified) -> Self {
        Self { seconds: date.seconds, nanos: Some(date.nanos) }
    }
}
