//! Requests of an upload, one at a time: the user's fields and credentials for whom they are meant for, a connection
//! that is kept or a new one, redirects. What an answer means to the upload is not known here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use haul_core::transfer::Trouble;
use haul_proto::http::upload_client::{Said, interim_offset, resource, said};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use url::Url;

use super::running::{Interim, Running};
use crate::{
    connect::{Connection, Connector, Content, Origin},
    credentials::Secrets,
    escape::place,
    source::{Failed, Idle, USER_AGENT, broken, unconnected},
};

/// More redirects than this are a loop.
const MOST_REDIRECTS: usize = 20;
/// So much of an answer's body is read, so that its connection can be used again.
const MOST_BODY: usize = 256 << 10;

/// Fields of one request.
pub(super) type Fields = Vec<(HeaderName, HeaderValue)>;

/// Who asks.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) connector: Connector,
    pub(super) secrets: Arc<Secrets>,
    pub(super) idle: Arc<Idle>,
    /// The user's own URL, to whose origin the user's secrets belong.
    pub(super) owner: Url,
    /// How long an answer, or a byte of it, may take.
    pub(super) patience: Duration,
}

/// The head of an answer, and its body on the way.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What was asked in the end.
    pub(super) url: Url,
    pub(super) body: Incoming,
    pub(super) connection: Connection,
}

impl Answered {
    pub(super) fn said(&self) -> Said {
        said(self.status, &self.headers, SystemTime::now())
    }

    /// What it said, in words for a user.
    pub(super) fn words(&self) -> String {
        let reason = self.status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
        let who = if self.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED { "proxy" } else { "server" };
        format!("the {who} answered {}{reason} for {}", self.status.as_u16(), place(&self.url))
    }

    /// Reads its body, and keeps the connection for the next request. `None` where it is too long, is cut, or takes longer
    /// than `patience` in all: it is short, and one that comes byte by byte would never end.
    pub(super) async fn read(mut self, idle: &Idle, patience: Duration) -> Option<Vec<u8>> {
        let bytes = tokio::time::timeout(patience, self.all()).await.ok().flatten()?;
        idle.put(self.connection);
        Some(bytes)
    }

    async fn all(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(frame) = self.body.frame().await {
            bytes.extend_from_slice(frame.ok()?.data_ref().map(AsRef::as_ref).unwrap_or_default());
            if bytes.len() > MOST_BODY {
                return None;
            }
        }
        Some(bytes)
    }
}

impl Caller {
    /// What every request to `url` has, and these fields.
    fn headers(&self, url: &Url, fields: Fields) -> HeaderMap {
        let mut headers = self.secrets.headers_for(&self.owner, &self.owner, url);
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // What a dialect says takes the place of what a user says with -H: twice it would be neither.
        for (name, value) in fields {
            headers.insert(name, value);
        }
        headers
    }

    /// Asks without content; redirects that keep the method are followed.
    pub(super) async fn ask(&self, method: Method, url: &Url, fields: Fields) -> Result<Answered, Failed> {
        let mut url = url.clone();
        let safe = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
        for _ in 0..=MOST_REDIRECTS {
            let asked = self.ask_once(&method, &url, fields.clone());
            let answered = match tokio::time::timeout(self.patience, Box::pin(asked)).await {
                Ok(answered) => answered?,
                Err(_elapsed) => {
                    let message = format!("no answer within {} s", self.patience.as_secs_f64());
                    return Err(Failed::new(Trouble::Broken, message));
                }
            };
            match answered.said() {
                // Whatever is removed, it is not what somebody else points to.
                Said::Elsewhere { location, as_get } if safe || (!as_get && method != Method::DELETE) => {
                    let next = elsewhere(&url, &location)?;
                    answered.read(&self.idle, self.patience).await;
                    url = next;
                }
                _ => return Ok(answered),
            }
        }
        Err(Failed::new(Trouble::Fatal, format!("more than {MOST_REDIRECTS} redirects")))
    }

    async fn ask_once(&self, method: &Method, url: &Url, mut fields: Fields) -> Result<Answered, Failed> {
        if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE) {
            fields.push((header::CONTENT_LENGTH, HeaderValue::from(0)));
        }
        let headers = self.headers(url, fields);
        tracing::debug!(%method, url = %place(url), "request");
        if let Some(mut connection) = Origin::of(url).and_then(|origin| self.idle.take(&origin)) {
            let request = connection.asking(method.clone(), url, headers.clone(), Content::none());
            let request = request.map_err(|error| unconnected(&error))?;
            // The far end may have closed it meanwhile: then a new one is made.
            if let Ok(response) = connection.send(request).await {
                return Ok(answered(response, url, connection));
            }
        }
        let mut connection = self.connector.connect(url).await.map_err(|error| unconnected(&error))?;
        let request = connection.asking(method.clone(), url, headers, Content::none());
        let request = request.map_err(|error| unconnected(&error))?;
        let response = connection.send(request).await.map_err(|error| broken(&error))?;
        Ok(answered(response, url, connection))
    }

    /// Begins a request whose content comes piece by piece. `fresh`: on a connection that was not used before.
    pub(super) async fn start(
        &self,
        method: Method,
        url: &Url,
        fields: Fields,
        length: Option<u64>,
        fresh: bool,
    ) -> Result<Running, Failed> {
        let mut headers = self.headers(url, fields);
        if length == Some(0) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        }
        let kept = Origin::of(url).filter(|_| !fresh).and_then(|origin| self.idle.take(&origin));
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connector.connect(url).await.map_err(|error| unconnected(&error))?,
        };
        let (pieces, content) = Content::of(length);
        let request = connection.asking(method, url, headers, content);
        let mut request = request.map_err(|error| unconnected(&error))?;
        tracing::debug!(method = %request.method(), url = %place(url), length, "request with content");
        let interim = Arc::<Mutex<Interim>>::default();
        let heard = Arc::clone(&interim);
        hyper::ext::on_informational(&mut request, move |answer| {
            if answer.status().as_u16() != 104 {
                return;
            }
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            let (location, offset) = (resource(answer.headers()), interim_offset(answer.headers()));
            heard.hear(location, offset, answer.headers());
        });
        let begun = connection.written();
        let answer = connection.begin_sending(request).await.map_err(|error| broken(&error))?;
        Ok(Running::new(url.clone(), connection, pieces, Box::pin(answer), interim, (begun, length)))
    }
}

pub(super) fn answered(response: http::Response<Incoming>, url: &Url, connection: Connection) -> Answered {
    let (head, body) = response.into_parts();
    tracing::debug!(status = %head.status, "answer");
    Answered { status: head.status, headers: head.headers, url: url.clone(), body, connection }
}

/// Where a redirect leads.
pub(super) fn elsewhere(from: &Url, location: &str) -> Result<Url, Failed> {
    let fatal = |message: String| Failed::new(Trouble::Fatal, message);
    // Not shown: its query may be a secret.
    let next = from.join(location).map_err(|_| fatal("redirected to what is no URL".to_owned()))?;
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(fatal(format!("refused a redirect from https to {}: {}", next.scheme(), place(&next))));
    }
    if !matches!(next.scheme(), "http" | "https") {
        return Err(fatal(format!("redirected to {}, which is not HTTP", place(&next))));
    }
    Ok(next)
}
