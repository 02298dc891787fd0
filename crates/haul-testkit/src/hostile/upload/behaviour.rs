//! How an upload peer behaves, as data: a well-behaved server of every dialect by default, and one field for every way
//! to be wrong.

use std::time::Duration;

use crate::hostile::Which;
use crate::socket::Cut;

/// What an [`super::UploadPeer`] does. Made with [`UploadBehaviour::proper`] and the methods below, changed in mid-run
/// with [`super::UploadPeer::change`]: cuts and rates count at once, everything else from the next request on.
///
/// Requests are numbered by their [`Step`], from 0, over all connections.
#[derive(Debug, Clone)]
pub struct UploadBehaviour {
    /// The interop version of the IETF draft that is spoken: only its clients hear 104. None: the draft is not spoken.
    pub draft: Option<u8>,
    /// The extensions of tus 1.0.0 that are spoken, besides its core. None: tus is not spoken.
    pub tus: Option<Vec<String>>,
    /// What PUT with Content-Range gets where it is not taken: `501`, as from nginx.
    pub pieces_refused: Option<u16>,
    /// What PUT of a whole file gets where it is not taken.
    pub put_refused: Option<u16>,
    /// What OPTIONS gets where it tells nothing.
    pub options_refused: Option<u16>,
    /// How often a new upload is announced by 104 with its Location.
    pub announcements: usize,
    /// 104 with Upload-Offset each time so many bytes more have come.
    pub progress: Option<u64>,
    /// How the URL of an upload is told.
    pub location: Location,
    /// What Upload-Limit and Tus-Max-Size tell, and what is held to.
    pub limits: Limits,
    /// Answers in the place of obedience; the first that fits counts.
    pub instead: Vec<Instead>,
    /// What is told instead of the true offset; the first that fits counts.
    pub lies: Vec<Lie>,
    /// A lock that a broken connection leaves behind.
    pub locked: Option<Locked>,
    /// What happens, at which of the completions, when all bytes have come.
    pub finish: Option<(Which, Finish)>,
    /// The URL of an upload that is complete is 404.
    pub forgets_complete: bool,
    /// 409 tells no offset.
    pub bare_conflicts: bool,
    /// Connections, by their number, are cut once they have brought so many bytes of content.
    pub cut: Option<(Which, u64, Cut)>,
    /// Requests with content, by their number among all requests, of which nothing more than the head is ever read.
    pub never_reads: Option<Which>,
    /// Bytes of content a second that are read from each connection.
    pub rate: Option<u64>,
    /// The only name and password that are let in (Basic); everybody is where there is none.
    pub login: Option<(String, String)>,
    /// Whether HEAD and GET of a file tell its Repr-Digest to whoever wants it.
    pub digests: bool,
}

/// How the URL of an upload is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// As a path.
    Path,
    /// With scheme and authority, as it is.
    Absolute,
    /// Behind this: the origin of somebody else.
    Behind(String),
    /// Not at all.
    Untold,
}

/// What a server says that it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a file: 413 beyond.
    pub max_size: Option<u64>,
    /// The most bytes of one request: 413 beyond.
    pub max_append: Option<u64>,
    /// How long an unfinished upload is kept; only told.
    pub max_age: Option<Duration>,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// OPTIONS.
    Options,
    /// The beginning of an upload, in any dialect; plain PUT too.
    Create,
    /// How far is it? HEAD of an upload, PUT of `bytes */N`.
    Query,
    /// More bytes: PATCH, PUT with Content-Range that begins behind 0.
    Append,
    /// DELETE.
    Cancel,
    /// GET or HEAD of a file.
    Look,
    /// No request: each 104 that tells an offset.
    Progress,
    /// Anything else.
    Other,
}

/// An answer in the place of obedience.
#[derive(Debug, Clone)]
pub struct Instead {
    /// Which of the requests of this step.
    pub which: Which,
    /// The step.
    pub step: Step,
    /// When it comes.
    pub when: When,
    /// The status. With 409 comes the upload's offset, unless [`UploadBehaviour::bare_conflicts`].
    pub status: u16,
    /// Its fields.
    pub fields: Vec<(String, String)>,
    /// What becomes of the upload.
    pub upload: Fate,
    /// What becomes of the connection.
    pub then: Then,
}

/// When an answer in the place of obedience comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When the head was read.
    AtOnce,
    /// When so many bytes of the request's content were taken, while more are under way.
    After(u64),
    /// When all of its content was taken; the upload is not completed by it.
    AtTheEnd,
}

/// What becomes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// What was taken stays.
    Kept,
    /// It is forgotten: 404 from then on.
    Lost,
    /// It has expired: 410 from then on.
    Expired,
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The rest of the content is read and thrown away.
    Reads,
    /// It is closed, with the content unread.
    Closes,
}

/// An offset that is not the true one.
#[derive(Debug, Clone)]
pub struct Lie {
    /// Which of the answers.
    pub which: Which,
    /// To what; [`Step::Append`] and [`Step::Create`] are final answers.
    pub step: Step,
    /// What is told.
    pub told: Told,
}

/// What is told for an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// So many less.
    Less(u64),
    /// So many more.
    More(u64),
    /// Nothing.
    Nothing,
    /// This.
    Text(String),
}

/// A lock that outlives its request: once an upload has so many bytes its connection is cut, and for a while it is 423
/// to whatever comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// So many bytes; it happens once.
    pub after: u64,
    /// For so long.
    pub time: Duration,
    /// What Retry-After tells, in seconds.
    pub retry_after: Option<u64>,
}

/// What happens when all bytes have come. The file is there in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// No answer comes, until [`super::UploadPeer::release`].
    Silent,
    /// The connection is cut instead of an answer.
    Cut(Cut),
    /// This status is the answer.
    Status(u16),
}

/// The extensions of tus that are known here.
const EXTENSIONS: [&str; 7] = [
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "termination",
    "checksum",
    "concatenation",
    "expiration",
];

impl UploadBehaviour {
    /// Every dialect, and nothing wrong: the draft in interop version 8, tus with all its extensions, PUT in pieces.
    pub fn proper() -> Self {
        Self {
            draft: Some(8),
            tus: Some(EXTENSIONS.map(str::to_owned).to_vec()),
            pieces_refused: None,
            put_refused: None,
            options_refused: None,
            announcements: 1,
            progress: None,
            location: Location::Path,
            limits: Limits::default(),
            instead: Vec::new(),
            lies: Vec::new(),
            locked: None,
            finish: None,
            forgets_complete: false,
            bare_conflicts: false,
            cut: None,
            never_reads: None,
            rate: None,
            login: None,
            digests: false,
        }
    }

    /// The draft and plain PUT, nothing else.
    pub fn draft() -> Self {
        Self { tus: None, pieces_refused: Some(501), ..Self::proper() }
    }

    /// tus with these extensions, nothing else.
    pub fn tus(extensions: &[&str]) -> Self {
        let tus = extensions.iter().map(|&name| name.to_owned()).collect();
        Self {
            draft: None,
            tus: Some(tus),
            pieces_refused: Some(501),
            put_refused: Some(405),
            ..Self::proper()
        }
    }

    /// PUT, whole and in pieces, nothing else.
    pub fn pieces() -> Self {
        Self { draft: None, tus: None, ..Self::proper() }
    }

    /// PUT of whole files, nothing else: OPTIONS says so, and Content-Range is 501.
    pub fn plain() -> Self {
        Self { pieces_refused: Some(501), ..Self::pieces() }
    }

    /// This status in the place of obedience, with the upload kept and the rest of the content read.
    #[must_use]
    pub fn instead(self, step: Step, which: Which, when: When, status: u16) -> Self {
        self.answers(Instead {
            which,
            step,
            when,
            status,
            fields: Vec::new(),
            upload: Fate::Kept,
            then: Then::Reads,
        })
    }

    /// The same in full.
    #[must_use]
    pub fn answers(mut self, instead: Instead) -> Self {
        self.instead.push(instead);
        self
    }

    /// Another offset than the true one in answers to this step.
    #[must_use]
    pub fn lies(mut self, step: Step, which: Which, told: Told) -> Self {
        self.lies.push(Lie { which, step, told });
        self
    }

    /// Cuts connections once they have brought so many bytes of content.
    #[must_use]
    pub fn cut(self, which: Which, bytes: u64, how: Cut) -> Self {
        Self { cut: Some((which, bytes, how)), ..self }
    }

    /// Reads at most so many bytes of content a second from each connection.
    #[must_use]
    pub fn rate(self, rate: u64) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// What happens when all bytes have come.
    #[must_use]
    pub fn finish(self, which: Which, finish: Finish) -> Self {
        Self { finish: Some((which, finish)), ..self }
    }
}
