//! How a hostile peer behaves, as data: a well-behaved server by default, and one field for every way to be wrong.

use std::time::Duration;

use crate::content::Content;
use crate::socket::Cut;

/// What one resource of an [`super::HttpPeer`] is and how it is answered for. Made with [`Behaviour::of`] and struct
/// update syntax or the methods below; changed in mid-run with [`super::HttpPeer::change`].
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The version served now. A request keeps the version it began with.
    pub version: Version,
    /// After so many body bytes in all, another version takes the place of the first.
    pub replace_after: Option<(u64, Version)>,
    /// Whether and what Date is sent.
    pub date: Date,
    /// How the length of a body is told.
    pub length: Length,
    /// What becomes of a Range.
    pub ranges: Ranges,
    /// What becomes of an If-Range.
    pub if_range: IfRange,
    /// Whether a 416 tells the size.
    pub bare_416: bool,
    /// Whether `Accept-Ranges: bytes` is claimed, whatever `ranges` says.
    pub accept_ranges: bool,
    /// What Content-Encoding claims, and whether it is true.
    pub encoding: Encoding,
    /// Answers with a status instead of the resource.
    pub refusals: Vec<Refusal>,
    /// At most so many at a time; what comes beyond gets this.
    pub at_most: Option<(usize, Excess)>,
    /// Cuts a connection once it has carried so many body bytes.
    pub cut: Option<(Which, u64, Cut)>,
    /// A connection falls silent once it has carried so many body bytes, until [`super::HttpPeer::release`].
    pub stall: Option<(Which, u64)>,
    /// Body bytes a second; the first entry that names the connection counts.
    pub rates: Vec<(Which, u64)>,
    /// How the head of an answer is sent.
    pub head: Head,
    /// More header fields, as they are.
    pub fields: Vec<(String, String)>,
    /// The name and password without which the answer is 401.
    pub auth: Option<(String, String)>,
    /// So many bytes are sent after the end that Content-Length told.
    pub surplus: usize,
    /// Whether the connection is kept after an answer.
    pub keep_alive: bool,
    /// Where `/go` leads.
    pub go: Option<Go>,
}

/// One version of a file, with what is said about it.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its bytes.
    pub content: Content,
    /// Its ETag.
    pub etag: ETags,
    /// Its Last-Modified, in seconds since 1970.
    pub modified: Option<u64>,
}

/// The ETag of an answer; the names are opaque tags, quoted on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ETags {
    /// None is sent.
    None,
    /// The same strong one always.
    Strong(String),
    /// The same weak one always.
    Weak(String),
    /// Another strong one for every request, as from nodes that disagree.
    PerRequest,
    /// These strong ones in turn.
    Cycle(Vec<String>),
}

/// The Date field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// The time of the answer.
    Now,
    /// Not sent.
    Absent,
    /// Always this second since 1970.
    At(u64),
}

/// How the length of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// By Content-Length.
    Told,
    /// Not at all: chunked.
    Chunked,
    /// Not at all: HTTP/1.0, and the body ends with the connection.
    UntilClose,
}

/// What becomes of a Range. "Resumed" means: the asked range does not begin at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// Answered as asked.
    Proper,
    /// Always 200 with everything.
    Ignored,
    /// As `Ignored`, from the request with this number on.
    IgnoredAfter(usize),
    /// Resumed ranges begin that much later (earlier, if negative), and Content-Range says so.
    OffsetBy(i64),
    /// Resumed ranges begin that much later (earlier), but Content-Range claims what was asked.
    LyingOffset(i64),
    /// So many bytes are missing at the end, and Content-Range says so.
    ShortBy(u64),
    /// At most so many bytes, and Content-Range says so.
    Capped(u64),
    /// So many bytes too many, and Content-Range says so.
    LongerBy(u64),
    /// One range as multipart/byteranges.
    Multipart,
    /// 206 without Content-Range.
    NoContentRange,
    /// Content-Range claims this size of the whole on resumed ranges.
    Total(u64),
    /// `*` for the size of the whole.
    UnknownTotal,
    /// Whoever asks for a range gets this status.
    Refused(u16),
    /// Resumed ranges are refused with this status; from 0 is answered.
    ResumeRefused(u16),
}

/// What becomes of an If-Range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfRange {
    /// The range is given if the validator is the current one (strongly), else the whole.
    Honoured,
    /// The range is given whatever the validator.
    Ignored,
    /// The whole is given whenever the field is there, under the same validators.
    Always200,
    /// As `Honoured` for a date; an ETag always gets the whole.
    DatesOnly,
}

/// Content-Encoding, though identity was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// None.
    Identity,
    /// Claimed and true: the whole file as a gzip stream, ranges ignored.
    Gzip,
    /// Claimed, but the bytes are plain.
    ClaimedGzip,
}

/// A status instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which requests, by their number at this resource.
    pub requests: Which,
    /// What they get.
    pub status: u16,
    /// The Retry-After beside it.
    pub retry_after: RetryAfter,
}

/// The Retry-After field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Not sent.
    None,
    /// In seconds.
    Seconds(u64),
    /// As a date that many seconds ahead.
    DateIn(u64),
}

/// Numbers of requests or connections, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    Every,
    /// One.
    Only(usize),
    /// Those below.
    First(usize),
    /// This one and those after it.
    From(usize),
}

impl Which {
    /// Whether `number` is among them.
    pub fn includes(self, number: usize) -> bool {
        match self {
            Self::Every => true,
            Self::Only(only) => number == only,
            Self::First(count) => number < count,
            Self::From(first) => number >= first,
        }
    }
}

/// What a request or connection beyond the limit gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Requests beyond those under way: a status, as nginx's limit_conn does.
    Status(u16, RetryAfter),
    /// Connections beyond those open: RST.
    Reset,
    /// Connections beyond those open: nobody listens.
    Refuse,
}

/// How the head of an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// At once.
    Proper,
    /// Byte by byte with a pause after each.
    Dribbled(Duration),
    /// With one field of so many bytes.
    Huge(usize),
    /// Not HTTP at all, then FIN.
    Garbage,
    /// FIN instead of an answer.
    Nothing,
    /// No answer until [`super::HttpPeer::release`].
    Withheld,
}

/// Where `/go` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Go {
    /// To `/signed?token=N`, a new one each time; each is good for so many requests, then 403.
    Signed(usize),
    /// To this URL: another origin, another scheme.
    To(String),
    /// To `/go/1`, from there to `/go/2`, and so on without end.
    Loop,
}

impl Version {
    /// A strong ETag and a date long ago.
    pub fn new(content: Content, etag: &str) -> Self {
        Self { content, etag: ETags::Strong(etag.into()), modified: Some(1_700_000_000) }
    }
}

impl Behaviour {
    /// A proper server of this content, with a strong ETag `"v1"` and a date long ago.
    pub fn of(content: Content) -> Self {
        Self {
            version: Version::new(content, "v1"),
            replace_after: None,
            date: Date::Now,
            length: Length::Told,
            ranges: Ranges::Proper,
            if_range: IfRange::Honoured,
            bare_416: false,
            accept_ranges: true,
            encoding: Encoding::Identity,
            refusals: Vec::new(),
            at_most: None,
            cut: None,
            stall: None,
            rates: Vec::new(),
            head: Head::Proper,
            fields: Vec::new(),
            auth: None,
            surplus: 0,
            keep_alive: true,
            go: None,
        }
    }

    /// With this ETag.
    #[must_use]
    pub fn etag(mut self, etag: ETags) -> Self {
        self.version.etag = etag;
        self
    }

    /// With this Last-Modified, in seconds since 1970.
    #[must_use]
    pub fn modified(mut self, modified: Option<u64>) -> Self {
        self.version.modified = modified;
        self
    }

    /// Without ETag and Last-Modified.
    #[must_use]
    pub fn without_validators(self) -> Self {
        self.etag(ETags::None).modified(None)
    }

    /// With this way with ranges.
    #[must_use]
    pub fn ranges(self, ranges: Ranges) -> Self {
        Self { ranges, ..self }
    }

    /// With this way with If-Range.
    #[must_use]
    pub fn if_range(self, if_range: IfRange) -> Self {
        Self { if_range, ..self }
    }

    /// With lengths told this way.
    #[must_use]
    pub fn length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    /// With this Content-Encoding.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// With these requests refused.
    #[must_use]
    pub fn refuses(mut self, requests: Which, status: u16, retry_after: RetryAfter) -> Self {
        self.refusals.push(Refusal { requests, status, retry_after });
        self
    }

    /// With at most `count` at a time.
    #[must_use]
    pub fn at_most(self, count: usize, excess: Excess) -> Self {
        Self { at_most: Some((count, excess)), ..self }
    }

    /// With these connections cut after so many body bytes.
    #[must_use]
    pub fn cut(self, which: Which, bytes: u64, how: Cut) -> Self {
        Self { cut: Some((which, bytes, how)), ..self }
    }

    /// With these connections silent after so many body bytes.
    #[must_use]
    pub fn stall(self, which: Which, bytes: u64) -> Self {
        Self { stall: Some((which, bytes)), ..self }
    }

    /// With so many body bytes a second on these connections.
    #[must_use]
    pub fn rate(mut self, which: Which, rate: u64) -> Self {
        self.rates.push((which, rate));
        self
    }

    /// With heads sent this way.
    #[must_use]
    pub fn head(self, head: Head) -> Self {
        Self { head, ..self }
    }

    /// With one more header field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// With a name and a password.
    #[must_use]
    pub fn auth(self, name: &str, password: &str) -> Self {
        Self { auth: Some((name.into(), password.into())), ..self }
    }

    /// With this behind `/go`.
    #[must_use]
    pub fn go(self, go: Go) -> Self {
        Self { go: Some(go), ..self }
    }

    /// With another version once so many body bytes were sent in all.
    #[must_use]
    pub fn replaced_after(self, bytes: u64, version: Version) -> Self {
        Self { replace_after: Some((bytes, version)), ..self }
    }
}
