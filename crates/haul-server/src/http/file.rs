//! Files on their way out: GET and HEAD, with every condition and range (RFC 9110 §9.3.1, §13, §14). What a request
//! means is decided by `haul_proto::http::download`; a folder is answered by `folder`.

use std::{sync::Arc, time::SystemTime};

use haul_core::{ByteRange, TreePath};
use haul_proto::http::{
    byteranges::{self, Boundary, Byteranges},
    content_disposition::{Disposition, disposition_value},
    current::{Current, Marks, Stamp},
    download::Download,
    repr_digest,
    selection::Selection,
};
use haul_store::{Reading, StoreError};
use http::{HeaderValue, Method, StatusCode, header};

use super::{
    answer::{Answer, Body},
    digest, folder,
    leaving::{Leaving, Origin, Record, Segment, Sent},
    place::{Place, href},
    request::{Client, Request},
    trouble::{Answered, Trouble},
};
use crate::{
    ServerError,
    depot::Visitor,
    log::{Direction, Ended, Transfer},
    metrics::Dialect,
};

/// A file that is shown runs nothing and asks for nothing (CSP3 §6.3.2): its page is nobody's.
pub(super) const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox");
/// It may be kept, and is asked for again each time: with its tag that costs little.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Sends a file, or shows a folder.
pub(super) async fn get(client: &Client, request: &Request, visitor: &Visitor, place: &Place) -> Answered {
    match visitor.open(&place.path).await {
        Ok(_) if place.slash => Err(Trouble::not_found()),
        Ok(reading) => send(client, request, visitor, &place.path, reading).await,
        // Whether somebody who may not read may know it.
        Err(ServerError::Store(StoreError::NotAFile { .. }) | ServerError::Denied) => {
            let meta = visitor.published(&place.path).await?;
            match meta.kind {
                haul_store::Kind::File => Err(ServerError::Denied.into()),
                haul_store::Kind::Folder if place.slash => folder::get(client, request, visitor, place).await,
                haul_store::Kind::Folder => Ok(moved_to_folder(&place.path, request)),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn moved_to_folder(path: &TreePath, request: &Request) -> Answer {
    let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    Answer::new(StatusCode::PERMANENT_REDIRECT).told(header::LOCATION, href(path, true) + &query)
}

/// What this version of a file is called in HTTP.
pub(super) fn current(reading: &Reading) -> Current {
    let modified = reading.meta.modified;
    Current::of(&Marks {
        modified: Stamp { seconds: modified.seconds, nanos: modified.nanos },
        changed: reading.changed.map(|(seconds, nanos)| Stamp { seconds, nanos }),
        size: reading.meta.size,
        unique: &reading.meta.unique,
    })
}

/// An answer that tells of this version.
pub(super) fn about(answer: Answer, current: &Current, now: SystemTime) -> Answer {
    let answer = answer.told(header::ETAG, current.etag().to_string());
    match current.last_modified(now) {
        Some(date) => answer.told(header::LAST_MODIFIED, date),
        None => answer,
    }
}

async fn send(
    client: &Client,
    request: &Request,
    visitor: &Visitor,
    path: &TreePath,
    reading: Reading,
) -> Answered {
    let (now, current) = (SystemTime::now(), current(&reading));
    let download = Download::decide(&request.method, &request.fields, &current, now);
    let mut answer = about(Answer::new(download.status()), &current, now)
        .with(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        // A 304 has it, too (RFC 9110 §15.4.5).
        .with(header::CACHE_CONTROL, NO_CACHE);
    if let Some(range) = download.content_range(current.size()) {
        answer = answer.told(header::CONTENT_RANGE, range.to_string());
    }
    if let Some(algorithm) = repr_digest::wanted(&request.fields)
        // Of these two it would be that of the problem.
        && !matches!(download, Download::Failed | Download::Send(Selection::Unsatisfiable))
        && let Some(digest) = digest::of(client, &reading, algorithm).await
        && let Some(value) = repr_digest::repr_digest_value(&digest)
    {
        answer = answer.told(repr_digest::REPR_DIGEST, value);
    }
    let kind = media_type(path.name());
    let segments = match download {
        Download::Failed => {
            let words = "it is not the version that the condition names";
            return Err(Trouble::new(StatusCode::PRECONDITION_FAILED, words).with_all(answer.fields));
        }
        Download::NotModified => return Ok(answer),
        Download::Send(Selection::Unsatisfiable) => {
            let words = format!("it has {} bytes, and none of them was asked for", current.size());
            return Err(Trouble::new(StatusCode::RANGE_NOT_SATISFIABLE, words).with_all(answer.fields));
        }
        Download::Send(Selection::Whole) => Segments::whole(current.size(), &kind),
        Download::Send(Selection::Part(part)) => Segments::one(part, &kind),
        Download::Send(Selection::Parts(parts)) => Segments::several(&parts, current.size(), &kind)?,
    };
    answer = answer.with(header::CONTENT_TYPE, segments.kind.clone());
    let shown = match request.asked("download") {
        Some(_) => Disposition::Attachment,
        None => Disposition::Inline,
    };
    answer = answer
        .told(header::CONTENT_DISPOSITION, disposition_value(shown, path.name()))
        .with(header::CONTENT_SECURITY_POLICY, SANDBOX);
    if request.method == Method::HEAD {
        return Ok(answer.with(header::CONTENT_LENGTH, segments.length().into()));
    }
    answer.body = segments.of(client, visitor, path, Origin::File(reading, visitor.clone()));
    Ok(answer)
}

/// What an answer has of something that leaves.
pub(super) struct Segments {
    /// Its media type.
    pub(super) kind: HeaderValue,
    all: Vec<Segment>,
}

impl Segments {
    /// All of it.
    pub(super) fn whole(size: u64, kind: &HeaderValue) -> Self {
        let all = ByteRange::new(0, size).map(Segment::File).into_iter().collect();
        Self { kind: kind.clone(), all }
    }

    /// One range.
    pub(super) fn one(part: ByteRange, kind: &HeaderValue) -> Self {
        Self { kind: kind.clone(), all: vec![Segment::File(part)] }
    }

    /// Several ranges in one message.
    pub(super) fn several(parts: &[ByteRange], size: u64, kind: &HeaderValue) -> Result<Self, Trouble> {
        let mut random = [0; 16];
        let random = aws_lc_rs::rand::fill(&mut random).ok().map(|()| random);
        let several =
            random.and_then(|random| Byteranges::new(parts, size, Some(kind), &Boundary::new(random)));
        let trouble = || Trouble::new(StatusCode::INTERNAL_SERVER_ERROR, "no random numbers");
        let several = several.ok_or_else(trouble)?;
        let kind = HeaderValue::try_from(several.content_type()).map_err(|_| trouble())?;
        Ok(Self { kind, all: several.into_segments().map(Segment::from).collect() })
    }

    /// How many bytes there are in all.
    pub(super) fn length(&self) -> u64 {
        self.all.iter().map(Segment::len).sum()
    }

    /// Them, on their way out.
    pub(super) fn of(self, client: &Client, visitor: &Visitor, path: &TreePath, origin: Origin) -> Body {
        let first = self.all.iter().find_map(|segment| match segment {
            Segment::File(range) => Some(range.start()),
            Segment::Text(_) => None,
        });
        // Who goes on asks for the rest of it; so does the last of several lanes, and nobody knows which it is.
        let resumed = match self.all.as_slice() {
            [Segment::File(range)] => range.start() > 0 && range.end() == origin.size(),
            _ => false,
        };
        let told = transfer(client, visitor, path, first.unwrap_or(0));
        let record = Record::new(client, Transfer { resumed, ..told });
        Body::Leaving(Box::new(Leaving::new(origin, self.all, record)))
    }
}

impl Record {
    fn new(client: &Client, transfer: Transfer) -> Self {
        let meter = client.house.log.metrics().meter(client.kind.name(), Direction::Sent);
        let sent = Arc::new(Sent::new(meter));
        let underway = client.place.moves(transfer, Arc::<Sent>::clone(&sent));
        Self { house: client.house.clone(), ended: None, sent, underway }
    }
}

/// What is written down of a file that goes one way or the other, as far as it is known beforehand.
pub(super) fn transfer(client: &Client, visitor: &Visitor, path: &TreePath, from: u64) -> Transfer {
    let account = visitor.account();
    Transfer {
        session: client.place.number(),
        user: account.name.clone(),
        anonymous: account.anonymous.is_some(),
        address: client.peer.ip(),
        door: client.kind.name(),
        dialect: Dialect::Get,
        resumed: false,
        replaced: false,
        direction: Direction::Sent,
        path: visitor.whole(path),
        from,
        bytes: 0,
        took: std::time::Duration::ZERO,
        ascii: false,
        protected: client.kind == super::door::Kind::Secured,
        ended: Ended::Complete,
    }
}

impl From<byteranges::Segment> for Segment {
    fn from(segment: byteranges::Segment) -> Self {
        match segment {
            byteranges::Segment::Text(text) => Self::Text(text),
            byteranges::Segment::File(range) => Self::File(range),
        }
    }
}

/// What a file of this name is. A text is one in UTF-8, as most are.
fn media_type(name: &[u8]) -> HeaderValue {
    let guess = mime_guess::from_path(String::from_utf8_lossy(name).as_ref()).first_raw();
    let guess = guess.unwrap_or("application/octet-stream");
    let told = if guess.starts_with("text/") { format!("{guess}; charset=utf-8") } else { guess.to_owned() };
    HeaderValue::from_str(&told).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_the_name() {
        assert_eq!(media_type(b"a.txt"), "text/plain; charset=utf-8");
        assert_eq!(media_type(b"a.PNG"), "image/png");
        assert_eq!(media_type(b"a"), "application/octet-stream");
        assert_eq!(media_type(b"\xff.zip"), "application/zip");
    }
}
