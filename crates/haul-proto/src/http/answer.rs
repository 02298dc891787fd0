//! What an answer to a GET says, its fields read together (RFC 9110 §14, §15).
//!
//! Every answer to a request for a file comes through [`read`] before a byte of it is believed: where its bytes
//! belong, which version they are of, or why there are none. It sees one answer only. Whether that answer belongs
//! to the version already on disk, and what to do next, is the transfer machine's business.

use std::time::{Duration, SystemTime};

use haul_core::{ByteRange, Digest, Entity, Span};
use http::{HeaderMap, StatusCode, header};

use super::{
    content_digest,
    content_range::{self, ContentRange},
    date, disposition, etag,
    field::{self, Single},
    retry_after,
};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The bytes that are wanted.
    pub span: Span,
    /// Whether a Range field was sent; without one the whole file is expected, whatever `span` is.
    pub ranged: bool,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 or 206: the file, or a part of it, follows.
    Body {
        /// Where in the file the body's bytes belong, `to` where the length is known.
        ///
        /// This is what comes, not what was asked: it may begin earlier (drop the overlap), end earlier (ask again
        /// for the rest) and end later (stop reading). It always reaches past the first byte asked for, unless
        /// it is the whole file.
        serves: Span,
        /// The version these bytes are of, with the size of the whole.
        entity: Entity,
        /// What it shows of the server's ranges.
        ranges: Ranges,
        /// The file's name by Content-Disposition, raw: see [`super::name::safe_name`].
        name: Option<String>,
        /// Digests of the whole file, in its content coding.
        digests: Vec<Digest>,
    },
    /// 416: there is nothing at the offset asked for.
    Unsatisfiable {
        /// The size of the whole, where told.
        total: Option<u64>,
        /// The version that was told, with that size.
        entity: Entity,
    },
    /// 301, 302, 303, 307 or 308: it is somewhere else.
    Redirect {
        /// The URI reference, relative to the URL asked; bytes beyond ASCII are percent-encoded.
        location: String,
    },
    /// It may work later: 408, 421, 425, 429, and every 5xx but 501 and 505.
    Busy {
        /// The status.
        status: u16,
        /// How long the server asks us to wait.
        retry_after: Option<Duration>,
        /// Whether we are too many or too quick for the server (429, 503), so that fewer connections would help.
        load: bool,
    },
    /// 401, or 407 from a proxy.
    NeedsCredentials {
        /// The status.
        status: u16,
    },
    /// Everything else: asking again will not help.
    Refused {
        /// The status.
        status: u16,
    },
    /// It contradicts itself or the request: none of it can be used.
    Nonsense(Nonsense),
}

/// What an answer with a body shows of the server's ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// It is a 206.
    Proven,
    /// A 200 with `Accept-Ranges: bytes`: a promise, which some servers break.
    Offered,
    /// A 200 without a word about them.
    Unknown,
    /// A 200 with `Accept-Ranges: none`.
    Refused,
}

/// How an answer contradicts itself or the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// A 206 to a request without Range.
    #[error("the server sent a part of the file (206), but the whole was asked for")]
    PartUnasked,
    /// A 206 in multipart/byteranges.
    #[error("the server sent several parts (multipart/byteranges), but one range was asked for")]
    Multipart,
    /// A 206 without Content-Range.
    #[error("the server sent a part of the file (206) without saying which (no Content-Range)")]
    NoContentRange,
    /// A 206 whose Content-Range is invalid, or says `*/N`.
    #[error("the server sent a part of the file (206) with an unusable Content-Range: {0:?}")]
    BadContentRange(String),
    /// A 206 that begins behind the first byte asked for, or ends before it.
    #[error("the server sent bytes {sent} of the file, but those from {asked} on were asked for")]
    Elsewhere {
        /// The first byte asked for.
        asked: u64,
        /// What came.
        sent: ByteRange,
    },
    /// A 206 whose Content-Length is not that of its Content-Range.
    #[error("the server's Content-Range has {range} bytes, but its Content-Length is {length}")]
    LengthDiffers {
        /// How many bytes the Content-Range names.
        range: u64,
        /// The Content-Length.
        length: u64,
    },
    /// A Content-Length that is no number.
    #[error("the server sent an unusable Content-Length: {0:?}")]
    BadContentLength(String),
    /// A field that decides what the answer means is there several times with different values.
    #[error("the server sent {0} several times with different values")]
    Contradiction(&'static str),
}

/// Reads an answer to a GET; `now` is used only where the answer has no Date to count Retry-After from.
pub fn read(asked: Asked, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Answer {
    let code = status.as_u16();
    match code {
        200 => whole(headers).unwrap_or_else(Answer::Nonsense),
        206 => part(asked, headers).unwrap_or_else(Answer::Nonsense),
        301 | 302 | 303 | 307 | 308 => redirect(code, headers),
        401 | 407 => Answer::NeedsCredentials { status: code },
        416 if asked.ranged => unsatisfiable(headers),
        501 | 505 => Answer::Refused { status: code },
        408 | 421 | 425 | 429 | 500..=599 => Answer::Busy {
            status: code,
            retry_after: retry_after::of(headers, now),
            load: matches!(code, 429 | 503),
        },
        _ => Answer::Refused { status: code },
    }
}

/// The version that an answer's fields tell of; the size comes from elsewhere, since its place depends on the status.
pub fn entity(headers: &HeaderMap, size: Option<u64>) -> Entity {
    Entity { size, etag: etag::of(headers), modified: date::modified(headers), encoding: encoding(headers) }
}

/// A 200: the whole file, whatever was asked. A Content-Range has no meaning here (RFC 9110 §14.4).
fn whole(headers: &HeaderMap) -> Result<Answer, Nonsense> {
    let size = content_length(headers)?;
    Ok(body(Span { from: 0, to: size }, entity(headers, size), accept_ranges(headers), headers))
}

/// A 206: a part, which must be the one asked for.
fn part(asked: Asked, headers: &HeaderMap) -> Result<Answer, Nonsense> {
    if !asked.ranged {
        return Err(Nonsense::PartUnasked);
    }
    if is_multipart(headers) {
        return Err(Nonsense::Multipart);
    }
    let value = match Single::of(headers, &header::CONTENT_RANGE) {
        Single::Value(value) => value,
        Single::Absent => return Err(Nonsense::NoContentRange),
        Single::Contradiction => return Err(Nonsense::Contradiction("Content-Range")),
    };
    let Some(ContentRange::Satisfied { range, total }) = content_range::parse(value) else {
        return Err(Nonsense::BadContentRange(excerpt(value.as_bytes())));
    };
    if !range.contains(asked.span.from) {
        return Err(Nonsense::Elsewhere { asked: asked.span.from, sent: range });
    }
    match content_length(headers)? {
        Some(length) if length != range.len() => Err(Nonsense::LengthDiffers { range: range.len(), length }),
        _ => Ok(body(range.into(), entity(headers, total), Ranges::Proven, headers)),
    }
}

fn body(serves: Span, entity: Entity, ranges: Ranges, headers: &HeaderMap) -> Answer {
    Answer::Body {
        serves,
        entity,
        ranges,
        name: disposition::of(headers),
        digests: content_digest::of(headers),
    }
}

fn unsatisfiable(headers: &HeaderMap) -> Answer {
    let range = Single::of(headers, &header::CONTENT_RANGE).value().and_then(content_range::parse);
    let total = match range {
        Some(ContentRange::Unsatisfied { total }) => Some(total),
        _ => None,
    };
    // A content coding would be that of the error page.
    Answer::Unsatisfiable { total, entity: Entity { encoding: None, ..entity(headers, total) } }
}

fn redirect(status: u16, headers: &HeaderMap) -> Answer {
    let location = match Single::of(headers, &header::LOCATION) {
        Single::Value(value) => value.as_bytes().trim_ascii(),
        Single::Absent => b"",
        Single::Contradiction => return Answer::Nonsense(Nonsense::Contradiction("Location")),
    };
    if location.is_empty() {
        return Answer::Refused { status };
    }
    // Encoded byte by byte, raw UTF-8 and raw ISO-8859-1 both lead where the server meant.
    let location = percent_encoding::percent_encode(location, percent_encoding::CONTROLS).to_string();
    Answer::Redirect { location }
}

/// Content-Length (RFC 9110 §8.6), `None` where it is absent or where Transfer-Encoding overrides it (RFC 9112 §6.3).
/// A list of the same number is that number.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Nonsense> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Ok(None);
    }
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        let bad = || Nonsense::BadContentLength(excerpt(value.as_bytes()));
        for member in value.to_str().map_err(|_| bad())?.split(',') {
            let member = field::number(field::trim(member)).ok_or_else(bad)?;
            if length.is_some_and(|length| length != member) {
                return Err(Nonsense::Contradiction("Content-Length"));
            }
            length = Some(member);
        }
    }
    Ok(length)
}

/// Accept-Ranges (RFC 9110 §14.3). Other units are nothing to us.
fn accept_ranges(headers: &HeaderMap) -> Ranges {
    let units = list(headers, &header::ACCEPT_RANGES);
    if units.iter().any(|unit| unit == "bytes") {
        Ranges::Offered
    } else if units.iter().any(|unit| unit == "none") {
        Ranges::Refused
    } else {
        Ranges::Unknown
    }
}

/// Content-Encoding (RFC 9110 §8.4): the codings in their order, `None` where there are none but identity.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let mut codings = list(headers, &header::CONTENT_ENCODING);
    codings.retain(|coding| coding != "identity");
    if codings.is_empty() { None } else { Some(codings.join(", ")) }
}

fn is_multipart(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"multipart/byteranges")
    })
}

/// The members of a list of tokens, over all lines of the field, in lower case.
fn list(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let members = |line: &str| -> Vec<String> {
        line.split(',').map(|member| field::trim(member).to_ascii_lowercase()).collect()
    };
    lines.flat_map(|line| members(&line)).filter(|member| !member.is_empty()).collect()
}

/// The beginning of a value, for a message.
fn excerpt(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().take(80).collect()
}

#[cfg(test)]
mod tests;
