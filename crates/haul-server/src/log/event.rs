//! What a server tells of itself: each event once, as a name and fields, for whatever form a line has.
//!
//! Names of events and fields are held on to by those who read logs: add, never rename.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use haul_core::TreePath;

use crate::metrics::{Dialect, DoorName};

/// Something that happened. No password is ever part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Somebody came.
    Connected {
        /// The number of the session, in this run.
        session: u64,
        /// From where.
        address: SocketAddr,
        /// To which door.
        door: DoorName,
    },
    /// Somebody was let in.
    LoggedIn {
        /// The session.
        session: u64,
        /// Through which door.
        door: DoorName,
        /// The account.
        user: String,
        /// From where.
        address: IpAddr,
    },
    /// Somebody was not: the line that fail2ban reads.
    LoginFailed {
        /// The session.
        session: u64,
        /// Through which door.
        door: DoorName,
        /// The name that was given.
        user: Vec<u8>,
        /// From where.
        address: IpAddr,
    },
    /// Somebody was not even listened to, after too many failures.
    LoginRefused {
        /// The session.
        session: u64,
        /// Through which door.
        door: DoorName,
        /// From where.
        address: IpAddr,
        /// For how long still.
        remaining: Duration,
    },
    /// Somebody was not let in though the password was right: not from there, no longer, not so often at a time.
    LoginBarred {
        /// The session.
        session: u64,
        /// Through which door.
        door: DoorName,
        /// The name that was given.
        user: Vec<u8>,
        /// From where.
        address: IpAddr,
        /// Why.
        why: String,
    },
    /// A connection was not taken: too many are there.
    Refused {
        /// From where.
        address: IpAddr,
        /// Why.
        why: String,
    },
    /// A file was sent or received, or not.
    Transferred(Transfer),
    /// Something in the tree was changed.
    Changed {
        /// The session.
        session: u64,
        /// Through which door.
        door: DoorName,
        /// The account.
        user: String,
        /// From where.
        address: IpAddr,
        /// What was done.
        what: Change,
        /// To what.
        path: TreePath,
        /// What it is called now.
        to: Option<TreePath>,
    },
    /// Whoever runs the server has given up an unfinished upload.
    Dropped {
        /// Whose it was.
        user: String,
        /// What it was to become.
        path: TreePath,
        /// How far it was.
        offset: u64,
    },
    /// A client wanted a data connection, and there was no port to wait at.
    NoDataPort {
        /// The session.
        session: u64,
        /// Why there was none.
        why: String,
        /// From where.
        address: IpAddr,
    },
    /// A session has ended.
    Closed {
        /// The session.
        session: u64,
        /// From where.
        address: IpAddr,
        /// Why.
        why: String,
    },
    /// The server made a certificate for itself.
    CertificateMade {
        /// Its SHA-256.
        fingerprint: String,
    },
    /// The server has given up what it need not reach, or not.
    Sandbox {
        /// The version of Landlock's interface that was used.
        landlock: Option<u32>,
        /// Why there is no sandbox.
        why: Option<String>,
    },
    /// A hook was told of a transfer, or could not be.
    Hook {
        /// The hook's name.
        hook: String,
        /// What it is told of.
        id: String,
        /// Of which file.
        path: TreePath,
        /// Which try it was, from 1.
        attempt: u32,
        /// What came of it.
        told: Told,
        /// What a program has said.
        output: Vec<u8>,
    },
    /// The configuration was read again.
    Reloaded,
    /// The configuration was read again, and everything stays as it was.
    NotReloaded {
        /// Why.
        why: String,
    },
    /// The server was asked to stop.
    Stopping {
        /// How many sessions there are.
        sessions: usize,
    },
    /// Something that whoever runs the server should know.
    Problem {
        /// What.
        what: String,
    },
}

/// What came of a try to tell a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It has heard.
    Heard,
    /// It has not, and is tried again.
    Again {
        /// Why it has not.
        why: String,
        /// After so long.
        again: Duration,
    },
    /// It has not, and is not tried again.
    GivenUp {
        /// Why it has not.
        why: String,
    },
}

/// What was done to something in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file or an unfinished upload.
    Removed,
    /// A file, a folder or an unfinished upload.
    Renamed,
    /// A folder.
    FolderMade,
    /// A folder.
    FolderRemoved,
    /// A file's date.
    Dated,
    /// The permission bits of a file or folder.
    ModeSet,
}

/// A file that was sent or received.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// The session.
    pub session: u64,
    /// The account.
    pub user: String,
    /// Whether that is one without a name.
    pub anonymous: bool,
    /// From where.
    pub address: IpAddr,
    /// Through which door.
    pub door: DoorName,
    /// How it was asked for or sent.
    pub dialect: Dialect,
    /// Whether it goes on where another one stopped: then those before the first byte need not move again.
    pub resumed: bool,
    /// Of an upload that has its name now: whether another file had it before. Looked at only where somebody writes it
    /// down.
    pub replaced: bool,
    /// Which way.
    pub direction: Direction,
    /// Which file: its place in the served tree.
    pub path: TreePath,
    /// The first byte.
    pub from: u64,
    /// How many bytes went over the line.
    pub bytes: u64,
    /// In which time.
    pub took: Duration,
    /// Whether line ends were converted.
    pub ascii: bool,
    /// Whether the data connection was protected by TLS.
    pub protected: bool,
    /// How it ended.
    pub ended: Ended,
}

/// Which way a file went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the client.
    Sent,
    /// From the client.
    Received,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it is where it should be.
    Complete,
    /// What was received is kept, and can be gone on with.
    Kept {
        /// From there.
        at: u64,
        /// Why it is not complete.
        why: String,
    },
    /// It is not.
    Failed {
        /// Why.
        why: String,
    },
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Vec<u8>),
    /// One word that needs no quotes.
    Word(String),
    Number(u64),
    Seconds(Duration),
    Flag(bool),
}

pub(super) type Fields = Vec<(&'static str, Value)>;

impl Event {
    /// Its name, and what there is to tell of it.
    pub(super) fn told(&self) -> (&'static str, Fields) {
        let session = |number: &u64| ("session", Value::Number(*number));
        let user = |name: &str| ("user", Value::Text(name.as_bytes().to_vec()));
        let from = |address: &IpAddr| ("address", Value::Word(address.to_canonical().to_string()));
        let text = |key, text: &str| (key, Value::Text(text.as_bytes().to_vec()));
        match self {
            Self::Connected { session: number, address, door } => {
                let port = Value::Number(address.port().into());
                let door = Value::Word(door.name().to_owned());
                ("connected", vec![session(number), ("door", door), from(&address.ip()), ("port", port)])
            }
            Self::LoggedIn { session: number, user: name, address, .. } => {
                ("login", vec![session(number), user(name), from(address)])
            }
            // What the client sent is quoted, and a line can be read from its end: so it stands first.
            Self::LoginFailed { session: number, user: name, address, .. } => {
                let name = name.get(..256).unwrap_or(name).to_vec();
                ("login failed", vec![("user", Value::Text(name)), from(address), session(number)])
            }
            Self::LoginRefused { session: number, address, remaining, .. } => {
                let remaining = ("remaining", Value::Seconds(*remaining));
                ("login refused", vec![session(number), remaining, from(address)])
            }
            Self::LoginBarred { session: number, user: name, address, why, .. } => {
                let name = name.get(..256).unwrap_or(name).to_vec();
                (
                    "login barred",
                    vec![("user", Value::Text(name)), text("why", why), from(address), session(number)],
                )
            }
            Self::Refused { address, why } => ("refused", vec![text("why", why), from(address)]),
            Self::Transferred(transfer) => (transfer.name(), transfer.fields()),
            Self::Changed { session: number, user: name, what, path, to, .. } => {
                let mut fields = vec![session(number), user(name), ("path", Value::Text(path.absolute()))];
                fields.extend(to.iter().map(|to| ("to", Value::Text(to.absolute()))));
                (what.name(), fields)
            }
            Self::Dropped { user: name, path, offset } => {
                let path = ("path", Value::Text(path.absolute()));
                ("dropped", vec![user(name), path, ("offset", Value::Number(*offset))])
            }
            Self::NoDataPort { session: number, why, address } => {
                ("no data port", vec![session(number), text("why", why), from(address)])
            }
            Self::Closed { session: number, address, why } => {
                ("closed", vec![session(number), text("why", why), from(address)])
            }
            Self::CertificateMade { fingerprint } => {
                ("certificate made", vec![("sha256", Value::Word(fingerprint.clone()))])
            }
            Self::Sandbox { landlock, why } => {
                let level = landlock.map(|level| ("landlock", Value::Number(level.into())));
                let none = why.iter().map(|why| text("none", why));
                ("sandbox", level.into_iter().chain(none).collect())
            }
            Self::Hook { hook, id, path, attempt, told, output } => {
                let mut fields = vec![
                    text("hook", hook),
                    ("id", Value::Word(id.clone())),
                    ("path", Value::Text(path.absolute())),
                    ("attempt", Value::Number((*attempt).into())),
                ];
                fields.extend(told.fields());
                if !output.is_empty() {
                    fields.push(("output", Value::Text(output.clone())));
                }
                (told.name(), fields)
            }
            Self::Reloaded => ("reloaded", Vec::new()),
            Self::NotReloaded { why } => {
                ("problem", vec![text("what", &format!("everything stays as it was: {why}"))])
            }
            Self::Stopping { sessions } => {
                let sessions = u64::try_from(*sessions).unwrap_or(u64::MAX);
                ("stopping", vec![("sessions", Value::Number(sessions))])
            }
            Self::Problem { what } => ("problem", vec![text("what", what)]),
        }
    }
}

impl Told {
    fn name(&self) -> &'static str {
        match self {
            Self::Heard => "hook done",
            Self::Again { .. } => "hook failed",
            Self::GivenUp { .. } => "hook given up",
        }
    }

    fn fields(&self) -> Fields {
        let why = |why: &str| ("why", Value::Text(why.as_bytes().to_vec()));
        match self {
            Self::Heard => Vec::new(),
            Self::Again { why: reason, again } => vec![why(reason), ("again", Value::Seconds(*again))],
            Self::GivenUp { why: reason } => vec![why(reason)],
        }
    }
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::FolderMade => "folder made",
            Self::FolderRemoved => "folder removed",
            Self::Dated => "dated",
            Self::ModeSet => "mode set",
        }
    }
}

impl Transfer {
    fn name(&self) -> &'static str {
        match self.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        }
    }

    fn fields(&self) -> Fields {
        let mut fields = vec![
            ("session", Value::Number(self.session)),
            ("user", Value::Text(self.user.as_bytes().to_vec())),
            ("address", Value::Word(self.address.to_canonical().to_string())),
            ("path", Value::Text(self.path.absolute())),
            ("from", Value::Number(self.from)),
            ("bytes", Value::Number(self.bytes)),
            ("seconds", Value::Seconds(self.took)),
            ("tls", Value::Flag(self.protected)),
            ("complete", Value::Flag(self.ended == Ended::Complete)),
        ];
        match &self.ended {
            Ended::Complete => {}
            Ended::Kept { at, why } => {
                fields.push(("kept", Value::Number(*at)));
                fields.push(("why", Value::Text(why.as_bytes().to_vec())));
            }
            Ended::Failed { why } => fields.push(("why", Value::Text(why.as_bytes().to_vec()))),
        }
        fields
    }
}
