//! By what figures are told apart. Each label has a few values that are known beforehand: a name or a path that a client
//! chooses is never one, so that nobody can make figures without end, or read in them who was here.

use crate::log::{Change, Direction};

/// A label with all its values.
pub(super) trait Label: Copy + 'static {
    /// What it is called.
    const KEY: &'static str;
    /// Its values.
    const ALL: &'static [Self];
    /// What this value is called.
    fn name(self) -> &'static str;
    /// Its place among all.
    fn index(self) -> usize;
}

/// A label: its name, and its values in words.
macro_rules! label {
    ($(#[$doc:meta])* $vis:vis $of:ident, $key:literal: $($(#[$about:meta])* $value:ident = $name:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $of { $($(#[$about])* $value),+ }

        impl $of {
            /// What it is called in figures and in logs.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$value => $name),+ }
            }
        }

        impl Label for $of {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                $of::name(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Through which door somebody has come.
    pub DoorName, "door":
    /// FTP, in the clear or with AUTH TLS.
    Ftp = "ftp",
    /// FTP that begins with TLS.
    Ftps = "ftps",
    /// HTTP in the clear.
    Http = "http",
    /// HTTP within TLS.
    Https = "https",
}

label! {
    /// How a file was asked for or sent.
    pub Dialect, "dialect":
    /// RETR, STOR, APPE, STOU.
    Stream = "stream",
    /// RANG, then RETR or STOR.
    Range = "range",
    /// GET.
    Get = "get",
    /// PUT, with Content-Range or without.
    Put = "put",
    /// The IETF's resumable uploads.
    Draft = "draft",
    /// tus.
    Tus = "tus",
}

label! {
    /// How a transfer ended.
    pub(super) Outcome, "outcome":
    /// All of it is where it should be.
    Complete = "complete",
    /// It can be gone on with.
    Kept = "kept",
    /// It is lost, or was never there.
    Failed = "failed",
}

label! {
    /// Why something was not granted.
    pub(crate) Reason, "reason":
    /// A name or a password that is wrong.
    Login = "login",
    /// A name is needed, and none was given.
    Credentials = "credentials",
    /// Too many failed logins from that address.
    Throttled = "throttled",
    /// An account that may not come in: from there, at this time.
    Barred = "barred",
    /// Nobody is let in from there.
    Network = "network",
    /// As many sessions as there may be, in all.
    Sessions = "sessions",
    /// As many sessions as one address may have.
    SessionsOfAddress = "sessions_of_address",
    /// As many sessions as one user may have.
    SessionsOfUser = "sessions_of_user",
    /// The account, or the server itself, may not do that.
    Permission = "permission",
    /// Nothing is there.
    NotFound = "not_found",
    /// Something is there, and of another kind or in the way.
    Conflict = "conflict",
    /// No such name can be given.
    BadName = "bad_name",
    /// An offset or a range that does not fit what is there.
    BadOffset = "bad_offset",
    /// A condition does not hold, or the file has changed.
    Precondition = "precondition",
    /// What came is not what its sender has, by its checksum.
    Checksum = "checksum",
    /// Somebody else has it at the moment.
    Busy = "busy",
    /// A newer session or request has taken over.
    Fenced = "fenced",
    /// The account's quota is used up.
    Quota = "quota",
    /// As many unfinished uploads as an account may have.
    Unfinished = "unfinished",
    /// No space is left on the medium.
    DiskFull = "disk_full",
    /// It is larger than may be.
    TooLarge = "too_large",
    /// There is no data connection, or not the right one.
    Data = "data",
    /// The content was cut off on its way.
    Cut = "cut",
    /// The request itself is wrong, or asks for what there is not.
    Request = "request",
    /// The server is being stopped.
    Stopping = "stopping",
    /// The server has failed.
    Internal = "internal",
}

label! {
    /// What kind of thing was asked for.
    pub(crate) Sort, "kind":
    /// To be let in.
    Login = "login",
    /// To be told something.
    Look = "look",
    /// To get a file or a list.
    Download = "download",
    /// To send a file.
    Upload = "upload",
    /// To change names, dates or permissions.
    Change = "change",
}

label! {
    /// Of what class an answer is, by the first digit of its number.
    pub(crate) Class, "class":
    /// There is more to come.
    One = "1xx",
    /// It is done.
    Two = "2xx",
    /// Go on, elsewhere or otherwise.
    Three = "3xx",
    /// Not now, or not this.
    Four = "4xx",
    /// Not at all, or the server's own failure.
    Five = "5xx",
}

label! {
    /// What was made durable.
    pub(super) Durable, "what":
    /// A file's bytes.
    File = "file",
    /// The names in a folder.
    Folder = "folder",
}

label! {
    /// Whether something went well.
    pub(super) Result, "result":
    /// It did.
    Done = "done",
    /// It did not.
    Failed = "failed",
}

label! {
    /// What is written down where.
    pub(crate) Paper, "log":
    /// Events on standard error.
    Events = "events",
    /// The line for each file.
    Xferlog = "xferlog",
    /// The line for each change.
    Audit = "audit",
}

impl Label for Direction {
    const KEY: &'static str = "direction";
    const ALL: &'static [Self] = &[Self::Sent, Self::Received];

    /// As the client sees it.
    fn name(self) -> &'static str {
        match self {
            Self::Sent => "down",
            Self::Received => "up",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl DoorName {
    /// Whether it speaks FTP.
    pub(super) fn speaks_ftp(self) -> bool {
        matches!(self, Self::Ftp | Self::Ftps)
    }
}

impl Dialect {
    /// Whether there are such transfers.
    pub(super) fn is_of(self, door: DoorName, way: Direction) -> bool {
        match self {
            Self::Stream | Self::Range => door.speaks_ftp(),
            Self::Get => !door.speaks_ftp() && way == Direction::Sent,
            Self::Put | Self::Draft | Self::Tus => !door.speaks_ftp() && way == Direction::Received,
        }
    }
}

impl Class {
    /// The class of this number.
    pub(crate) fn of(number: u16) -> Self {
        match number / 100 {
            1 => Self::One,
            2 => Self::Two,
            3 => Self::Three,
            4 => Self::Four,
            _ => Self::Five,
        }
    }
}

impl Label for Change {
    const KEY: &'static str = "change";
    const ALL: &'static [Self] =
        &[Self::Removed, Self::Renamed, Self::FolderMade, Self::FolderRemoved, Self::Dated, Self::ModeSet];

    fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::FolderMade => "folder_made",
            Self::FolderRemoved => "folder_removed",
            Self::Dated => "dated",
            Self::ModeSet => "mode_set",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
