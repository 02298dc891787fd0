//! What is to be told to somebody outside, in the order in which it came about: it waits here until it is delivered,
//! also over the end of a server. What it says and how it is brought is not known here.

use haul_core::TreePath;

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
    /// When the file was dated that it replaces, in seconds since 1970-01-01T00:00:00Z: no later version of a name has the
    /// second of an earlier one, so what has this date still is that one.
    pub replaces: Option<i64>,
}
