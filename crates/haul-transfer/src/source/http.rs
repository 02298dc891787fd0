//! Files over HTTP (RFC 9110): a GET with Range and If-Range, redirects followed anew from the first URL each time.
//!
//! The rules of what an answer means are haul-proto's. Here they are turned into connections and requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};

use haul_core::{
    Entity, Span,
    transfer::{Ranges, Trouble},
};
use haul_proto::http::{
    answer::{self, Answer, Asked},
    if_range::if_range_value,
    range::range_value,
};
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Incoming;
use url::Url;

use super::{Failed, Idle, OpenError, Opened, Source, Wish, http_body::HttpBody};
use crate::{
    connect::{ConnectError, Connection, Connector, Origin},
    credentials::Secrets,
    escape::{escape, place},
};

/// More redirects than this are a loop.
const MOST_REDIRECTS: usize = 20;
pub(crate) const USER_AGENT: &str = concat!("haul/", env!("CARGO_PKG_VERSION"));

/// A URL, and the one whose origin the user's secrets belong to.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) first: Url,
    pub(crate) owner: Url,
}

/// One URL.
#[derive(Debug)]
pub(crate) struct HttpSource {
    url: Owned,
    connector: Connector,
    secrets: Arc<Secrets>,
    idle: Arc<Idle>,
    /// It answered a conditional range with the whole of the very version asked for: conditions are left out, the
    /// answers' validators are checked all the same.
    ignores_if_range: AtomicBool,
    /// It answered a range with a part: a later refusal has another reason.
    serves_ranges: AtomicBool,
    /// It refused a request only because of its Range.
    refuses_ranges: AtomicBool,
}

/// How one request is put.
#[derive(Clone, Copy)]
struct Manner {
    ranged: bool,
    conditional: bool,
}

/// An answer's head, with all that is needed to read on.
struct Reply {
    response: Response<Incoming>,
    connection: Connection,
    url: Url,
}

impl HttpSource {
    pub(crate) fn new(url: Owned, connector: Connector, secrets: Arc<Secrets>, idle: Arc<Idle>) -> Self {
        Self {
            url,
            connector,
            secrets,
            idle,
            ignores_if_range: AtomicBool::new(false),
            serves_ranges: AtomicBool::new(false),
            refuses_ranges: AtomicBool::new(false),
        }
    }

    fn headers(&self, now: &Url, wish: &Wish, manner: Manner) -> HeaderMap {
        let mut headers = self.secrets.headers_for(&self.url.owner, &self.url.first, now);
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let value = |text: String| HeaderValue::from_str(&text).ok();
        if manner.ranged
            && let Some(range) = value(range_value(Span { from: wish.from, to: wish.to }))
        {
            headers.insert(header::RANGE, range);
            let condition = wish.same.as_ref().filter(|_| manner.conditional).and_then(if_range_value);
            if let Some(condition) = condition.and_then(value) {
                headers.insert(header::IF_RANGE, condition);
            }
        }
        headers
    }

    /// Sends one request, on a connection kept from before if that still works.
    async fn ask(&self, url: &Url, wish: &Wish, manner: Manner) -> Result<Reply, Failed> {
        let headers = self.headers(url, wish, manner);
        let kept = Origin::of(url).filter(|_| !wish.fresh).and_then(|origin| self.idle.take(&origin));
        if let Some(mut connection) = kept {
            let request = connection.request(url, headers.clone()).map_err(|error| unconnected(&error))?;
            // The far end may have closed it meanwhile: then a new one is made.
            if let Ok(response) = connection.send(request).await {
                return Ok(Reply { response, connection, url: url.clone() });
            }
        }
        let mut connection = self.connector.connect(url).await.map_err(|error| unconnected(&error))?;
        let request = connection.request(url, headers).map_err(|error| unconnected(&error))?;
        tracing::debug!(url = %place(url), range = ?request.headers().get(header::RANGE), "request");
        let response = connection.send(request).await.map_err(|error| broken(&error))?;
        tracing::debug!(status = %response.status(), "answer");
        Ok(Reply { response, connection, url: url.clone() })
    }

    /// Asks, following redirects from the first URL on.
    async fn follow(&self, wish: &Wish, manner: Manner) -> Result<(Reply, Answer), Failed> {
        let mut url = self.url.first.clone();
        let asked = Asked { span: Span { from: wish.from, to: wish.to }, ranged: manner.ranged };
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.ask(&url, wish, manner).await?;
            let answer =
                answer::read(asked, reply.response.status(), reply.response.headers(), SystemTime::now());
            let Answer::Redirect { location } = answer else { return Ok((reply, answer)) };
            // Not shown: its query may be a secret.
            let next = url
                .join(&location)
                .map_err(|_| Failed::new(Trouble::Fatal, "redirected to what is no URL"))?;
            if url.scheme() == "https" && next.scheme() != "https" {
                let message = format!("refused a redirect from https to {}: {}", next.scheme(), place(&next));
                return Err(Failed::new(Trouble::Fatal, message));
            }
            if !matches!(next.scheme(), "http" | "https") {
                let message = format!("redirected to {}, which is not HTTP", place(&next));
                return Err(Failed::new(Trouble::Fatal, message));
            }
            url = next;
        }
        Err(Failed::new(Trouble::Fatal, format!("more than {MOST_REDIRECTS} redirects")))
    }

    /// The answer to `wish`, asked once more in another manner where only the manner was the trouble.
    async fn settle_manner(&self, wish: &Wish) -> Result<(Reply, Answer), Failed> {
        let manner = Manner {
            ranged: !self.refuses_ranges.load(Relaxed),
            conditional: !self.ignores_if_range.load(Relaxed),
        };
        let (reply, answer) = self.follow(wish, manner).await?;
        // Who has sent parts before and fails now has another reason: that is a matter of trying again.
        let known = self.serves_ranges.load(Relaxed);
        let hiccup = known && matches!(answer, Answer::Busy { .. });
        if manner.ranged && !hiccup && because_of_range(&answer) {
            let again = self.follow(wish, Manner { ranged: false, ..manner }).await?;
            if matches!(again.1, Answer::Body { .. }) {
                let refuses = matches!(answer, Answer::Refused { .. } | Answer::Nonsense(_));
                self.refuses_ranges.store(refuses && !known, Relaxed);
                return Ok(again);
            }
            return Ok((reply, answer));
        }
        if manner.ranged && manner.conditional && ignored_condition(wish, &answer) {
            drop(reply);
            let again = self.follow(wish, Manner { conditional: false, ..manner }).await?;
            self.ignores_if_range.store(true, Relaxed);
            return Ok(again);
        }
        Ok((reply, answer))
    }
}

impl Source for HttpSource {
    type Body = HttpBody;

    async fn open(&self, wish: Wish) -> Result<Opened<HttpBody>, OpenError> {
        let (reply, answer) = self.settle_manner(&wish).await.map_err(OpenError::Failed)?;
        let (serves, seen, ranges, name, digests) = match answer {
            Answer::Body { serves, entity, ranges, name, digests } => (serves, entity, ranges, name, digests),
            Answer::Unsatisfiable { total, entity } => {
                return Err(OpenError::Unsatisfiable { seen: entity, total });
            }
            other => return Err(OpenError::Failed(refusal(&other, &reply.url))),
        };
        if let Some(coding) = &seen.encoding
            && !names_its_coding(&reply.url, name.as_deref(), coding)
        {
            let message = format!(
                "the server sends the file in content coding {} although identity was asked for",
                escape(coding)
            );
            return Err(OpenError::Failed(Failed::new(Trouble::Denied, message)));
        }
        let ranges = match ranges {
            answer::Ranges::Proven => {
                self.serves_ranges.store(true, Relaxed);
                Ranges::Proven
            }
            answer::Ranges::Offered if !self.refuses_ranges.load(Relaxed) => Ranges::Offered,
            _ => Ranges::Absent,
        };
        Ok(Opened {
            seen,
            from: serves.from,
            to: serves.to,
            ranges,
            name,
            digests,
            place: place(&reply.url),
            body: HttpBody::new(
                reply.response.into_body(),
                reply.connection,
                Arc::clone(&self.idle),
                self.connector.read_buffer(),
            ),
        })
    }
}

/// Whether an answer may be a refusal of nothing but the Range.
fn because_of_range(answer: &Answer) -> bool {
    match answer {
        Answer::Unsatisfiable { total, .. } => total.is_none(),
        Answer::Refused { status } => !matches!(status, 401 | 404 | 407 | 410 | 451) && *status >= 400,
        Answer::Busy { status, load, .. } => !load && matches!(status, 500 | 502),
        // Who makes nonsense of a range may still be able to send the whole.
        Answer::Nonsense(_) => true,
        _ => false,
    }
}

/// Whether the whole came although the version is the one that the condition named.
fn ignored_condition(wish: &Wish, answer: &Answer) -> bool {
    let Answer::Body { serves, entity, ranges, .. } = answer else { return false };
    let same = |known: &Entity| match (known.strong_etag(), known.strong_date()) {
        (Some(tag), _) => entity.strong_etag() == Some(tag),
        (None, Some(date)) => entity.modified.is_some_and(|modified| modified.same_moment(date)),
        (None, None) => false,
    };
    *ranges != answer::Ranges::Proven && serves.from < wish.from && wish.same.as_ref().is_some_and(same)
}

/// Whether a file is meant to be in this coding: `x.tar.gz` sent as gzip is the file itself, mislabelled.
fn names_its_coding(url: &Url, name: Option<&str>, coding: &str) -> bool {
    let endings: &[&str] = match coding {
        "gzip" | "x-gzip" => &[".gz", ".tgz"],
        "br" => &[".br"],
        "zstd" => &[".zst"],
        "compress" | "x-compress" => &[".z"],
        _ => &[],
    };
    let ends = |text: &str| endings.iter().any(|ending| text.to_ascii_lowercase().ends_with(ending));
    name.is_some_and(ends) || ends(url.path())
}

/// Why an answer without a body is a failure.
fn refusal(answer: &Answer, url: &Url) -> Failed {
    let place = place(url);
    match answer {
        Answer::Busy { status, retry_after, load } => Failed {
            why: if *load { Trouble::Busy } else { Trouble::Broken },
            retry_after: *retry_after,
            message: format!("the server is not able to answer now ({status}) for {place}"),
        },
        Answer::NeedsCredentials { status } => {
            let what = if *status == 407 { "the proxy wants" } else { "the server wants" };
            Failed::new(
                Trouble::Denied,
                format!("{what} a user name and a password it accepts ({status}) for {place}"),
            )
        }
        Answer::Refused { status } => {
            let reason =
                http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            Failed::new(Trouble::Denied, format!("the server refused: {status}{reason} for {place}"))
        }
        Answer::Nonsense(nonsense) => {
            Failed::new(Trouble::Broken, format!("the server's answer can't be used: {nonsense}"))
        }
        Answer::Body { .. } | Answer::Unsatisfiable { .. } | Answer::Redirect { .. } => {
            Failed::new(Trouble::Broken, "an answer was misread")
        }
    }
}

pub(crate) fn unconnected(error: &ConnectError) -> Failed {
    Failed::new(error.patience().into(), escape(&error.to_string()))
}

/// What hyper says of a broken connection, in plain words.
pub(crate) fn broken(error: &hyper::Error) -> Failed {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        words = inner.to_string();
        source = inner.source();
    }
    let what = if error.is_parse() {
        format!("the server's answer is not HTTP: {words}")
    } else if error.is_incomplete_message() {
        "the connection ended in the middle of an answer".to_owned()
    } else {
        format!("the connection broke: {words}")
    };
    Failed::new(Trouble::Broken, escape(&what))
}
