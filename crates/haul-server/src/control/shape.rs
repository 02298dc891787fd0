//! What is asked and answered at the control socket, as lines of JSON. Programs hold on to these names: add, never rename.
//!
//! Times are seconds since 1970 (`since`, `touched`) or seconds (`age`, `took`); sizes are bytes. Paths are those of the
//! served tree; what is no UTF-8 in them is replaced, and is not needed: uploads are named by `id`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A question.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Question {
    /// How the server is.
    Status,
    /// What is unfinished.
    Uploads,
    /// These uploads are given up.
    Drop {
        /// Their names.
        ids: Vec<String>,
    },
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// How it is.
    Status(Box<Status>),
    /// What is unfinished.
    Uploads(Vec<Upload>),
    /// What became of each, in the order in which they were named.
    Dropped(Vec<Dropped>),
    /// There is no answer: why.
    Failed(String),
}

/// How a server is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// The process; none where nobody serves.
    pub server: Option<Server>,
    /// Who is on, the longest first.
    pub sessions: Vec<Session>,
    /// What is unfinished.
    pub uploads: Vec<Upload>,
}

/// The process.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Its number.
    pub process: u32,
    /// haul's version.
    pub version: String,
    /// Since when it runs.
    pub since: i64,
    /// It was asked to stop, and does when what runs is done.
    pub stopping: bool,
    /// The folder that is served.
    pub dir: String,
    /// Its state folder.
    pub state: String,
    /// Where clients come in.
    pub doors: Vec<Door>,
}

/// Where clients come in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Door {
    /// `ftp`, `ftps`, `http`, `https`.
    pub name: String,
    /// Address and port.
    pub address: String,
}

/// Somebody who is on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Session {
    /// Its number in the log.
    pub session: u64,
    /// Through which door.
    pub door: String,
    /// From where.
    pub address: String,
    /// Who; nobody who has said so yet.
    pub user: Option<String>,
    /// Since when.
    pub since: i64,
    /// What it is at, where that can be said in a word.
    pub doing: Option<String>,
    /// What is on its way.
    pub moving: Vec<Moved>,
}

/// A file on its way.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Moved {
    /// `sent` or `received`.
    pub way: String,
    /// Whose.
    pub user: String,
    /// Which file.
    pub path: String,
    /// The first byte.
    pub from: u64,
    /// How many went so far.
    pub bytes: u64,
    /// In how many seconds.
    pub took: f64,
}

/// An unfinished upload.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// Its name, which no other upload has had.
    pub id: String,
    /// The account, or `anonymous@ADDRESS`.
    pub user: String,
    /// What it becomes; of a part, on which medium it lies.
    pub path: String,
    /// Whether it is a part of what is put together later (tus).
    pub part: bool,
    /// So many bytes can be gone on from.
    pub offset: u64,
    /// So many more lie behind, where it comes in ranges.
    pub beyond: u64,
    /// The size that was declared.
    pub size: Option<u64>,
    /// When the last byte came.
    pub touched: i64,
    /// How many seconds ago that was.
    pub age: u64,
    /// Whether it is being received.
    pub receiving: bool,
}

/// What became of an upload that was to be given up.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Its name.
    pub id: String,
    /// Whether it is gone.
    pub dropped: bool,
    /// Why not.
    pub why: Option<String>,
}

/// Now, in seconds since 1970.
pub fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
