//! What a request wants, in which dialect: the one place where the fields of the draft, of tus and of PUT in pieces are
//! read.

use super::behaviour::{Step, UploadBehaviour};
use super::request::UploadRequest;

/// Where uploads are.
pub(super) const UPLOADS: &str = "/uploads/";

/// How an upload is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Draft,
    Tus,
    Pieces,
    Plain,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Options,
    Create(Dialect, Creation),
    Query(Dialect, Name),
    Append(Dialect, Name, Addition),
    Cancel(Dialect, Name),
    Look(String),
    /// A method or field that is not taken: this status.
    Refused(u16),
}

/// An upload by its URL, or by the path of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Id(usize),
    Path(String),
}

/// The beginning of an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Creation {
    /// The path of the file; empty for a part that has none.
    pub(super) path: String,
    pub(super) length: Option<u64>,
    /// Whether the request's content is the end of the file.
    pub(super) ends: bool,
    /// The parts that it is put together of.
    pub(super) parts: Vec<usize>,
}

/// More bytes of an upload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Addition {
    pub(super) from: u64,
    pub(super) length: Option<u64>,
    pub(super) ends: bool,
}

impl Ask {
    /// What this request wants of a server that behaves so.
    pub(super) fn of(request: &UploadRequest, b: &UploadBehaviour) -> Self {
        let tus = request.field("Tus-Resumable").is_some();
        let upload = request.path().strip_prefix(UPLOADS).and_then(|id| id.parse().ok()).map(Name::Id);
        match (request.method.as_str(), upload) {
            ("OPTIONS", _) => b.options_refused.map_or(Self::Options, Self::Refused),
            ("HEAD", Some(name)) => Self::Query(upload_dialect(tus), name),
            ("PATCH", Some(name)) => append(request, upload_dialect(tus), name),
            ("DELETE", Some(name)) => Self::Cancel(upload_dialect(tus), name),
            ("HEAD" | "GET", None) => Self::Look(request.path().to_owned()),
            ("POST", None) if tus => match &b.tus {
                Some(_) => Self::Create(Dialect::Tus, tus_creation(request)),
                None => Self::Refused(405),
            },
            (_, None) if request.field("Upload-Complete").is_some() => match b.draft {
                Some(_) => Self::Create(Dialect::Draft, draft_creation(request)),
                // Who does not know the field takes the content for all there is: only whoever says that more
                // follows must not be believed.
                None if request.method == "PUT" && ends(request) => put(request, b),
                None => Self::Refused(405),
            },
            ("PUT", None) => put(request, b),
            _ => Self::Refused(405),
        }
    }

    pub(super) fn step(&self) -> Step {
        match self {
            Self::Options => Step::Options,
            Self::Create(..) => Step::Create,
            Self::Query(..) => Step::Query,
            Self::Append(..) => Step::Append,
            Self::Cancel(..) => Step::Cancel,
            Self::Look(_) => Step::Look,
            Self::Refused(_) => Step::Other,
        }
    }
}

fn upload_dialect(tus: bool) -> Dialect {
    if tus { Dialect::Tus } else { Dialect::Draft }
}

fn ends(request: &UploadRequest) -> bool {
    request.field("Upload-Complete") == Some("?1")
}

fn append(request: &UploadRequest, dialect: Dialect, name: Name) -> Ask {
    let media = match dialect {
        Dialect::Tus => "application/offset+octet-stream",
        _ => "application/partial-upload",
    };
    if request.field("Content-Type") != Some(media) {
        return Ask::Refused(415);
    }
    let Some(from) = request.number("Upload-Offset") else { return Ask::Refused(400) };
    let addition = Addition { from, length: request.number("Upload-Length"), ends: ends(request) };
    Ask::Append(dialect, name, addition)
}

fn draft_creation(request: &UploadRequest) -> Creation {
    let ends = ends(request);
    let whole = request.number("Content-Length").filter(|_| ends);
    let length = request.number("Upload-Length").or(whole);
    Creation { path: request.path().to_owned(), length, ends, parts: Vec::new() }
}

fn tus_creation(request: &UploadRequest) -> Creation {
    let length = request.number("Upload-Length");
    let concat = request.field("Upload-Concat").unwrap_or_default();
    let parts = concat.strip_prefix("final;").unwrap_or_default().split(' ');
    let parts = parts.filter_map(|url| url.rsplit('/').next()?.parse().ok()).collect();
    let path = if concat == "partial" { String::new() } else { named(request) };
    Creation { path, length, ends: false, parts }
}

/// The file's path: what was posted to, and `filename` of Upload-Metadata behind it where that is a folder.
fn named(request: &UploadRequest) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let pairs = request.field("Upload-Metadata").unwrap_or_default().split(',');
    let name = pairs.filter_map(|pair| pair.trim().split_once(' ')).find(|(key, _)| *key == "filename");
    let name = name.and_then(|(_, value)| STANDARD.decode(value.trim()).ok());
    let name = name.and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
    if request.path().ends_with('/') {
        format!("{}{name}", request.path())
    } else {
        request.path().to_owned()
    }
}

/// PUT: whole, a piece (`bytes A-B/TOTAL`), or the question how far it is (`bytes */TOTAL`).
fn put(request: &UploadRequest, b: &UploadBehaviour) -> Ask {
    let path = request.path().to_owned();
    let Some(range) = request.field("Content-Range") else {
        let length = request.number("Content-Length");
        let creation = Creation { path, length, ends: true, parts: Vec::new() };
        return b.put_refused.map_or(Ask::Create(Dialect::Plain, creation), Ask::Refused);
    };
    if let Some(status) = b.pieces_refused {
        return Ask::Refused(status);
    }
    let Some((range, total)) = range.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')) else {
        return Ask::Refused(400);
    };
    let length: Option<u64> = total.parse().ok();
    if range == "*" {
        return Ask::Query(Dialect::Pieces, Name::Path(path));
    }
    let numbers =
        range.split_once('-').and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
    let Some((from, last)) = numbers else { return Ask::Refused(400) };
    let ends = length == Some(last + 1);
    if from == 0 {
        return Ask::Create(Dialect::Pieces, Creation { path, length, ends, parts: Vec::new() });
    }
    Ask::Append(Dialect::Pieces, Name::Path(path), Addition { from, length, ends })
}
