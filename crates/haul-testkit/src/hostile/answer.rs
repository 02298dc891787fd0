//! What a request gets: a pure function of the request, the behaviour and the counters; nothing is sent here.
//!
//! The order follows RFC 9110, sections 13.2.2 and 14.2, wherever the behaviour does not say otherwise.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;

use super::behaviour::{Behaviour, Date, ETags, Encoding, Go, IfRange, Length, Ranges, RetryAfter, Version};
use super::gzip;
use super::request::Request;
use crate::content::Content;

/// An answer before it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// A range of the content, between what a multipart answer puts around it.
    Piece {
        before: Vec<u8>,
        content: Content,
        range: Range<u64>,
        after: Vec<u8>,
    },
}

impl Body {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Piece { before, range, after, .. } => {
                before.len() as u64 + (range.end - range.start) + after.len() as u64
            }
        }
    }
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        let body = Body::Bytes(format!("{status}: not what you asked for\n").into_bytes());
        Self { status, fields: vec![("Content-Type".into(), "text/plain".into())], body }
    }

    pub(super) fn refusal(status: u16, retry_after: RetryAfter) -> Self {
        let answer = Self::status(status);
        match retry_after {
            RetryAfter::None => answer,
            RetryAfter::Seconds(seconds) => answer.with("Retry-After", &seconds.to_string()),
            RetryAfter::DateIn(seconds) => {
                let date = SystemTime::now() + Duration::from_secs(seconds);
                answer.with("Retry-After", &httpdate::fmt_http_date(date))
            }
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

/// `number` is that of this request at its resource, from 0.
pub(super) fn answer(request: &Request, behaviour: &Behaviour, number: usize) -> Answer {
    if !is_allowed(request, behaviour) {
        return Answer::status(401).with("WWW-Authenticate", "Basic realm=\"haul\"");
    }
    if let Some(refusal) = behaviour.refusals.iter().find(|refusal| refusal.requests.includes(number)) {
        return Answer::refusal(refusal.status, refusal.retry_after);
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Answer::status(405).with("Allow", "GET, HEAD");
    }
    let etag = etag_of(&behaviour.version, number);
    let mut answer = represent(request, behaviour, number, etag.as_deref());
    validators(&mut answer, behaviour, etag);
    answer.fields.extend(behaviour.fields.iter().cloned());
    answer
}

/// Where `/go` and what lies behind it lead; `tokens` holds how often each signed target was used.
pub(super) fn redirect(request: &Request, behaviour: &Behaviour, tokens: &mut Vec<usize>) -> Option<Answer> {
    let go = behaviour.go.as_ref()?;
    let to = |target: String| Some(Answer::status(302).with("Location", &target));
    match (go, request.path()) {
        (Go::Signed(_), "/go") => {
            tokens.push(0);
            to(format!("/signed?token={}", tokens.len() - 1))
        }
        (Go::Signed(uses), "/signed") => {
            let token: Option<usize> = request.target.rsplit('=').next().and_then(|token| token.parse().ok());
            match token.and_then(|token| tokens.get_mut(token)) {
                Some(used) if *used < *uses => {
                    *used += 1;
                    None
                }
                _ => Some(Answer::status(403)),
            }
        }
        (Go::To(url), "/go") => to(url.clone()),
        (Go::Loop, path) => {
            let count: u64 = path.strip_prefix("/go")?.trim_start_matches('/').parse().unwrap_or(0);
            to(format!("/go/{}", count + 1))
        }
        _ => None,
    }
}

fn is_allowed(request: &Request, behaviour: &Behaviour) -> bool {
    let Some((name, password)) = &behaviour.auth else { return true };
    let token = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    request.field("Authorization") == Some(&format!("Basic {token}"))
}

fn etag_of(version: &Version, request: usize) -> Option<String> {
    match &version.etag {
        ETags::None => None,
        ETags::Strong(tag) => Some(format!("\"{tag}\"")),
        ETags::Weak(tag) => Some(format!("W/\"{tag}\"")),
        ETags::PerRequest => Some(format!("\"node-{request}\"")),
        ETags::Cycle(tags) => Some(format!("\"{}\"", tags[request % tags.len()])),
    }
}

fn validators(answer: &mut Answer, behaviour: &Behaviour, etag: Option<String>) {
    let mut add = |name: &str, value: String| answer.fields.push((name.into(), value));
    if let Some(etag) = etag {
        add("ETag", etag);
    }
    if let Some(modified) = behaviour.version.modified {
        add("Last-Modified", http_date(modified));
    }
    match behaviour.date {
        Date::Now => add("Date", httpdate::fmt_http_date(SystemTime::now())),
        Date::At(seconds) => add("Date", http_date(seconds)),
        Date::Absent => {}
    }
    if behaviour.accept_ranges {
        add("Accept-Ranges", "bytes".into());
    }
}

fn http_date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn represent(request: &Request, behaviour: &Behaviour, number: usize, etag: Option<&str>) -> Answer {
    let size = behaviour.version.content.size();
    let whole = || piece(200, behaviour, 0..size);
    match behaviour.encoding {
        Encoding::Gzip => {
            let body = Body::Bytes(gzip::stored(&behaviour.version.content.bytes(0..size)));
            return Answer { status: 200, fields: Vec::new(), body }.with("Content-Encoding", "gzip");
        }
        Encoding::ClaimedGzip | Encoding::Identity => {}
    }
    let asked = request.range().filter(|_| request.method == "GET" && keeps_range(request, behaviour, etag));
    let Some((first, last)) = asked else { return whole() };
    match behaviour.ranges {
        Ranges::Ignored => return whole(),
        Ranges::IgnoredAfter(count) if number >= count => return whole(),
        Ranges::Refused(status) => return Answer::status(status),
        Ranges::ResumeRefused(status) if first > 0 => return Answer::status(status),
        _ => {}
    }
    if size == 0 && first == 0 {
        return whole();
    }
    if first >= size {
        let bare = Answer::status(416);
        return if behaviour.bare_416 {
            bare
        } else {
            bare.with("Content-Range", &format!("bytes */{size}"))
        };
    }
    let end = last.map_or(size, |last| last.saturating_add(1).min(size));
    partial(behaviour, first..end)
}

/// Whether If-Range leaves the Range standing (RFC 9110, section 13.1.5).
fn keeps_range(request: &Request, behaviour: &Behaviour, etag: Option<&str>) -> bool {
    let Some(told) = request.field("If-Range") else { return true };
    let tag_agrees = etag.is_some_and(|etag| etag == told && !etag.starts_with("W/"));
    let date_agrees = behaviour.version.modified.is_some_and(|modified| http_date(modified) == told);
    match behaviour.if_range {
        IfRange::Honoured => tag_agrees || date_agrees,
        IfRange::DatesOnly => date_agrees,
        IfRange::Ignored => true,
        IfRange::Always200 => false,
    }
}

fn piece(status: u16, behaviour: &Behaviour, range: Range<u64>) -> Answer {
    let body =
        Body::Piece { before: Vec::new(), content: behaviour.version.content, range, after: Vec::new() };
    let answer = Answer { status, fields: Vec::new(), body };
    let answer = answer.with("Content-Type", "application/octet-stream");
    match behaviour.encoding {
        Encoding::ClaimedGzip => answer.with("Content-Encoding", "gzip"),
        _ => answer,
    }
}

/// 206 for a satisfiable range, or what this peer makes of it.
fn partial(behaviour: &Behaviour, asked: Range<u64>) -> Answer {
    let size = behaviour.version.content.size();
    let moved = |by: i64| {
        let start = asked.start.saturating_add_signed(by).min(size - 1);
        start..asked.end.saturating_add_signed(by.max(0)).min(size).max(start + 1)
    };
    let told = |range: &Range<u64>| format!("bytes {}-{}/{size}", range.start, range.end - 1);
    let resumed = asked.start > 0;
    let (range, content_range) = match behaviour.ranges {
        Ranges::OffsetBy(by) if resumed => (moved(by), None),
        Ranges::LyingOffset(by) if resumed => {
            // The content goes on past its end, so that the lie is as long as the truth.
            let start = asked.start.saturating_add_signed(by);
            (start..start + (asked.end - asked.start), Some(told(&asked)))
        }
        Ranges::ShortBy(by) => (asked.start..asked.end.saturating_sub(by).max(asked.start + 1), None),
        Ranges::Capped(most) => (asked.start..asked.end.min(asked.start.saturating_add(most.max(1))), None),
        Ranges::LongerBy(by) => (asked.start..asked.end.saturating_add(by).min(size), None),
        Ranges::Total(total) if resumed => {
            (asked.clone(), Some(format!("bytes {}-{}/{total}", asked.start, asked.end - 1)))
        }
        Ranges::UnknownTotal => (asked.clone(), Some(format!("bytes {}-{}/*", asked.start, asked.end - 1))),
        Ranges::NoContentRange => return piece(206, behaviour, asked),
        Ranges::Multipart => return multipart(behaviour, asked.clone(), &told(&asked)),
        _ => (asked.clone(), None),
    };
    let content_range = content_range.unwrap_or_else(|| told(&range));
    piece(206, behaviour, range).with("Content-Range", &content_range)
}

fn multipart(behaviour: &Behaviour, range: Range<u64>, told: &str) -> Answer {
    let before = format!("--sep\r\nContent-Range: {told}\r\n\r\n").into_bytes();
    let body =
        Body::Piece { before, content: behaviour.version.content, range, after: b"\r\n--sep--\r\n".to_vec() };
    let answer = Answer { status: 206, fields: Vec::new(), body };
    answer.with("Content-Type", "multipart/byteranges; boundary=sep")
}

/// What frames the body: the fields to add, and whether it goes out in chunks.
pub(super) fn framing(behaviour: &Behaviour, body: &Body) -> (Vec<(String, String)>, bool) {
    let field = |name: &str, value: String| vec![(name.to_owned(), value)];
    match behaviour.length {
        Length::Told => (field("Content-Length", body.len().to_string()), false),
        Length::Chunked => (field("Transfer-Encoding", "chunked".into()), true),
        Length::UntilClose => (Vec::new(), false),
    }
}
