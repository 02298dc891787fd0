//! What the session wants of whoever drives it, and what comes back.
//!
//! At most one [`Ask`] is open at a time, and each is answered by exactly one [`Outcome`] of its kind; only a
//! [`Transfer`] tells twice (that it has begun, how it ended), in between of restart markers ([`Outcome::Marked`]), and
//! lets [`Ask::Figures`] and [`Ask::Abort`] come between.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use haul_core::{Digest, Modified, TreePath};

use super::facts::Chosen;
use crate::ftp::{block::Marker, hash::Kind as SumKind};

/// What to do next. In order: a reply is on its way before the next step is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send these bytes: a whole reply, with its line ends.
    Reply(Vec<u8>),
    /// Do this, and tell what came of it.
    Ask(Ask),
    /// Everything that was received after the last line is dropped, then TLS begins on the control connection.
    Secure,
    /// Everything is sent, then the connection is closed.
    Close,
}

/// What the session cannot do itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Is this somebody? Answered by [`Outcome::Login`].
    Login {
        /// The name, as given to USER.
        user: Vec<u8>,
        /// The password, as given to PASS.
        password: Password,
    },
    /// Is this somebody, by the certificate that was shown on the control connection? Answered by [`Outcome::Login`];
    /// [`Login::No`]: a password is needed.
    Recognise {
        /// The name, as given to USER.
        user: Vec<u8>,
    },
    /// Is this a host of ours, by its name or address as given to HOST? [`Outcome::Host`]; from then on it is the one that is
    /// meant.
    Host(Vec<u8>),
    /// No host is meant any more: answered by nothing.
    AnyHost,
    /// Listen for one data connection, at the address that the control connection came to, and no longer for any other:
    /// [`Outcome::Listening`].
    Listen {
        /// The family that EPSV asks for; `None`: the control connection's own.
        family: Option<Family>,
    },
    /// No longer listen, and drop a data connection that was made: answered by nothing.
    Unlisten,
    /// What has this name? [`Outcome::Seen`].
    Look(TreePath),
    /// What is in this folder, for a reply on the control connection (STAT path): [`Outcome::Listed`].
    LookInto(TreePath),
    /// [`Outcome::Done`].
    MakeFolder(TreePath),
    /// [`Outcome::Done`].
    RemoveFolder(TreePath),
    /// [`Outcome::Done`].
    Remove(TreePath),
    /// [`Outcome::Done`].
    Rename {
        /// What.
        from: TreePath,
        /// What it is called then.
        to: TreePath,
    },
    /// [`Outcome::Done`].
    SetModified(TreePath, Modified),
    /// [`Outcome::Done`].
    SetMode(TreePath, u32),
    /// The checksum of a part of a file: [`Outcome::Sum`].
    Sum {
        /// Of what.
        path: TreePath,
        /// Which.
        kind: SumKind,
        /// The first byte.
        from: u64,
        /// The byte behind the last one; `None`: to the end.
        to: Option<u64>,
    },
    /// How many bytes TYPE A would send of this: [`Outcome::AsciiSize`].
    AsciiSize(TreePath),
    /// What is there of an unfinished upload: [`Outcome::Ranges`].
    Ranges(TreePath),
    /// How many bytes may still be written: [`Outcome::Space`].
    Space(TreePath),
    /// Who is there: [`Outcome::Who`].
    Who,
    /// Move bytes on a data connection: [`Outcome::Started`] once it is known that it can be done and *before* the
    /// data connection is waited for, then [`Outcome::Transferred`]; or [`Outcome::Refused`] at once.
    Transfer(Transfer),
    /// How far the running transfer is: [`Outcome::Figures`], at once. None may be running any more.
    Figures,
    /// End the running transfer at once; its [`Outcome::Transferred`] comes as ever. None may be running any more, and
    /// then there is nothing to do.
    Abort,
}

/// What was given to PASS. It can be compared and never shown, so that no log of steps tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// It itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Password {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A family of addresses, as EPSV and EPRT number them (RFC 2428 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 1.
    V4,
    /// 2.
    V6,
}

/// Which data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// The one that comes to where [`Ask::Listen`] listens.
    Passive,
    /// One made to there. The address is the control connection's own peer, and the port is none of a service.
    Active(SocketAddr),
}

/// How bytes look on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// TYPE I: as they are.
    Image,
    /// TYPE A: lines end in CR LF.
    Ascii,
}

/// What a file is made of (RFC 959 §3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// STRU F: bytes.
    File,
    /// STRU R: records, each a line of the file.
    Record,
}

/// How bytes travel (RFC 959 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MODE S: as they are; the end of the connection is the end of the file.
    Stream,
    /// MODE B: in blocks, with an end of their own and restart markers.
    Block,
    /// MODE Z: as a stream of zlib (draft-preston-ftpext-deflate).
    Deflate(Level),
}

/// How hard to compress: 0 not at all, 9 as much as can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// This level; `None` above 9.
    pub fn new(level: u64) -> Option<Self> {
        u8::try_from(level).ok().filter(|level| *level <= 9).map(Self)
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Level {
    /// 6, as zlib's own.
    fn default() -> Self {
        Self(6)
    }
}

/// How bytes look on a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// TYPE.
    pub form: Form,
    /// STRU.
    pub structure: Structure,
    /// MODE.
    pub mode: Mode,
}

impl Shape {
    /// Whether what travels is what lies there, byte for byte.
    pub fn is_plain(self) -> bool {
        self == Self { form: Form::Image, structure: Structure::File, mode: Mode::Stream }
    }

    /// Whether what travels, without what the mode adds, is what lies there.
    pub fn keeps_bytes(self) -> bool {
        (self.form, self.structure) == (Form::Image, Structure::File)
    }

    /// Whether what travels says itself where the file ends: then an end of the connection that comes before that is
    /// none.
    pub fn tells_end(self) -> bool {
        self.mode != Mode::Stream || self.structure == Structure::Record
    }
}

/// Bytes to move.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// Where the data connection comes from.
    pub data: Data,
    /// Whether it is protected by TLS (PROT P).
    pub protected: bool,
    /// How bytes look on it. A list has no records, whatever STRU says.
    pub shape: Shape,
    /// What.
    pub what: What,
}

/// What a transfer moves.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A file, to the client.
    Retrieve(Retrieve),
    /// A file, from the client.
    Store {
        /// What it becomes. For STOU the folder: the driver chooses a name in it, and tells it in
        /// [`Outcome::Started`].
        path: TreePath,
        /// From where.
        wish: StoreWish,
        /// The size that ALLO declared: of the whole, or of the rest that is sent.
        declared: Option<u64>,
    },
    /// Names, to the client.
    List {
        /// The folder, or the one thing.
        path: TreePath,
        /// Where it is given, `path` is a folder, and only those names in it are listed that the pattern describes, or
        /// that are it letter by letter.
        glob: Option<Vec<u8>>,
        /// How.
        style: Style,
        /// What LIST's options ask for.
        scope: Scope,
    },
}

/// A file to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrieve {
    /// Which.
    pub path: TreePath,
    /// The first byte (REST, RANG).
    pub from: u64,
    /// The byte behind the last one (RANG); `None`: to the end.
    pub to: Option<u64>,
}

/// From where a file is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreWish {
    /// STOR.
    Anew,
    /// REST n, STOR.
    From(u64),
    /// APPE.
    Append,
    /// STOU.
    Unique,
    /// RANG, STOR: a part of a file that several sessions fill.
    Range {
        /// The first byte.
        from: u64,
        /// The byte behind the last one.
        to: u64,
        /// The unfinished upload that RANG names; `None`: it is begun anew.
        of: Option<String>,
    },
}

/// How names are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// LIST: as `ls -l` writes.
    Long,
    /// NLST: names only.
    Names,
    /// MLSD: these facts.
    Facts(Chosen),
}

/// What the options of LIST and NLST ask for beyond the folder's visible names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Names that begin with a dot (`-a`, `-A`).
    pub hidden: bool,
    /// `.` and `..` (`-a`).
    pub dots: bool,
    /// The folder itself instead of what is in it (`-d`).
    pub itself: bool,
    /// Folders within, too (`-R`), to a limit.
    pub deep: bool,
}

/// What came of an [`Ask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Whether it is somebody.
    Login(Login),
    /// Whether it is a host of ours.
    Host(Hosted),
    /// Where a data connection is waited for: what PASV tells (it may be another address than the own one, behind NAT).
    Listening(SocketAddr),
    /// What was looked at.
    Seen(Listed),
    /// What is in a folder, names that begin with a dot among it, `.` and `..` not.
    Listed {
        /// At most some thousand entries, sorted by name.
        entries: Vec<Listed>,
        /// The time, in seconds since 1970: `ls -l` writes old dates otherwise.
        now: i64,
    },
    /// It is done.
    Done,
    /// A checksum, and the range it was made of.
    Sum(Sum),
    /// A size in TYPE A.
    AsciiSize(u64),
    /// Bytes that may still be written; `None`: nobody knows.
    Space(Option<u64>),
    /// One line for each session.
    Who(Vec<String>),
    /// A transfer begins.
    Started {
        /// The size of the whole file that is sent, where it is known.
        size: Option<u64>,
        /// The name that STOU found.
        name: Option<Vec<u8>>,
    },
    /// A part of a file begins to be received, of the unfinished upload of this name.
    StartedPart {
        /// Printable, without blanks.
        upload: String,
    },
    /// What is there of an unfinished upload.
    Ranges(Ranges),
    /// A transfer has ended.
    Transferred(Transferred),
    /// How far a transfer is, one line.
    Figures(String),
    /// What was received before a restart marker is safe.
    Marked {
        /// The client's name for that place.
        theirs: Marker,
        /// The offset.
        ours: u64,
    },
    /// It can't be done.
    Refused(Trouble),
}

/// What is there of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// Its name: printable, without blanks.
    pub upload: String,
    /// The size that was declared for the whole file.
    pub size: Option<u64>,
    /// What is safe, in order: the first byte of each, and the one behind its last.
    pub there: Vec<(u64, u64)>,
}

/// Whether a host is ours (RFC 7151).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosted {
    /// Yes.
    Here {
        /// What to tell, one line.
        banner: String,
    },
    /// No.
    Unknown,
    /// The handshake of TLS named another one.
    NotThatOfTls,
}

/// Whether somebody may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Yes, and is in the root of the tree that is theirs.
    Welcome {
        /// What to tell, one line.
        banner: String,
    },
    /// No. Why is not told.
    No,
    /// No, though name and password are right: this account stays out for now.
    Barred {
        /// What to tell, one line.
        why: String,
    },
    /// No, and the connection is ended: too many tries, too many sessions.
    Never {
        /// What to tell, one line.
        why: String,
    },
}

/// What is told of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its last name; `.` and `..` in a list that shows them.
    pub name: Vec<u8>,
    /// A folder, or else a file.
    pub folder: bool,
    /// Bytes. For its owner those of the unfinished upload, where there is one.
    pub size: u64,
    /// The last change.
    pub modified: Modified,
    /// MLST's `unique`.
    pub unique: Vec<u8>,
    /// Permission bits for `ls -l` and `UNIX.mode`.
    pub mode: u32,
    /// Owner and group for `ls -l`.
    pub owner: (String, String),
    /// What this session may do with it.
    pub may: May,
    /// Whether it is an unfinished upload of this session's owner.
    pub unfinished: bool,
}

/// What a session may do, in a folder or with a file: MLST's `perm` is made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct May {
    /// r: read files.
    pub read: bool,
    /// w: create, and replace or append.
    pub write: bool,
    /// d: remove and rename.
    pub delete: bool,
    /// l: list folders.
    pub list: bool,
}

/// A checksum and what it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// The checksum.
    pub value: SumValue,
    /// The first byte.
    pub from: u64,
    /// The byte behind the last.
    pub to: u64,
}

/// A checksum's value.
#[derive(Clone, Debug, PartialEq)]
pub enum SumValue {
    /// CRC-32.
    Crc32(u32),
    /// Everything else.
    Digest(Digest),
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Transferred {
    /// Everything was sent, or received and published. What to tell, one line (figures).
    Complete(String),
    /// What was received is kept and can be resumed from `at`.
    Kept {
        /// The offset.
        at: u64,
        /// Why it is not complete.
        why: Incomplete,
    },
    /// A part of a file was received, which is not whole yet.
    Part {
        /// What of it is safe: the first byte, and the one behind the last.
        kept: Option<(u64, u64)>,
        /// The name of the unfinished upload.
        upload: String,
        /// Why the part is not whole, where its client did not end it.
        why: Option<Incomplete>,
    },
    /// The data connection could not be made, or somebody else's came: 425.
    NoData(String),
    /// TLS on the data connection failed or was not resumed: 425 or 522.
    NotProtected(String),
    /// The client or its connection ended it: 426.
    Broken(String),
    /// ABOR ended it: 426, then 226.
    Aborted {
        /// From where an upload can go on.
        at: Option<u64>,
    },
    /// Something on this side failed.
    Failed(Trouble),
}

/// Why what was received is no whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// The data connection broke, or TLS did not end with close_notify.
    Broken,
    /// The control connection was gone.
    Gone,
    /// Fewer bytes than were declared.
    Short {
        /// How many were declared for the whole.
        declared: u64,
    },
    /// Nothing came for too long.
    Stalled,
    /// The disk is full.
    NoSpace,
    /// As much is there as this account may have.
    OverQuota,
    /// More came than a range has, or than is left of it since another session has its tail.
    Full,
    /// The data connection ended before the file did, which MODE B, MODE Z and STRU R tell.
    Unended,
    /// What came is nothing that the mode or the structure has, or its sender does not vouch for it.
    Malformed(&'static str),
    /// ABOR was said.
    Aborted,
    /// The server is being stopped.
    Stopping,
}

/// Why something can't be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 550.
    NotFound,
    /// 550: it is there already.
    Exists,
    /// 550: not a folder.
    NotAFolder,
    /// 550: a folder, and a file is wanted.
    NotAFile,
    /// 550.
    NotEmpty,
    /// 550: this session may not.
    Denied,
    /// 553: no such name can be given.
    BadName,
    /// 553: a name on another medium, which no rename leads to.
    OtherMedium,
    /// 552.
    NoSpace,
    /// 552: as much is there as this account may have.
    OverQuota,
    /// 452: no other upload is begun before some of those that this account has are finished or given up.
    TooMany {
        /// How many are not finished.
        unfinished: usize,
    },
    /// 450: somebody else is at it.
    Busy(String),
    /// 450: RETR of an unfinished upload.
    Unfinished {
        /// How far it is.
        at: u64,
    },
    /// 554: REST past the end.
    PastEnd {
        /// Where the end is.
        end: u64,
    },
    /// 554: a range that the file has not, or that is there already. In words.
    NoRange(String),
    /// 451: it changed while it was sent, or what it was to be combined with.
    Changed,
    /// 451: a newer session writes it.
    Fenced,
    /// 550: too large for what was asked (ASCII size, checksum of a folder …).
    TooLarge(String),
    /// 425.
    CannotListen(String),
    /// 421: the server is being stopped.
    Stopping,
    /// 451: something else, in words.
    Local(String),
}

/// Who the machine talks to, and on what terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The client's address: PORT and EPRT may name no other.
    pub peer: IpAddr,
    /// What the greeting says after 220.
    pub banner: String,
    /// Whether TLS can be had, must be had, or is there already.
    pub tls: Tls,
    /// The most failed logins on one connection.
    pub logins: u32,
    /// Whether several sessions may fill one file, each a range of it (RANG, STOR).
    pub weaves: bool,
    /// Whether MODE Z may be used.
    pub deflates: bool,
}

/// TLS on the control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// There is no certificate.
    None,
    /// AUTH TLS may be said.
    Offered,
    /// AUTH TLS must be said before USER, and PROT P before a transfer.
    Required,
    /// The connection began with it (ftps).
    Implicit,
}
