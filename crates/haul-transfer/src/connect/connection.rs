//! One HTTP/1.1 connection (RFC 9112): requests of the right shape for its route, one at a time.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use url::Url;

use super::ConnectError;
use super::content::Content;
use super::counted::Counted;
use super::origin::{Origin, without_secrets};
use super::stream::Stream;

/// The longest head of an answer; curl draws the line at 300 KiB, real ones stay under 16.
const MAX_HEAD: usize = 128 * 1024;
/// The most header fields in an answer.
const MAX_FIELDS: usize = 256;
/// hyper refuses a smaller one.
const MIN_READ_BUFFER: usize = 8 * 1024;

/// How requests on this connection reach the origin.
#[derive(Debug)]
pub(super) enum Form {
    /// To the server itself, directly or through a tunnel (RFC 9112 §3.2.1).
    Origin,
    /// To a proxy that passes them on (RFC 9112 §3.2.2), with what it asks for.
    Absolute {
        /// The value of Proxy-Authorization.
        authorization: Option<HeaderValue>,
    },
}

/// One connection to one origin. Dropping it closes it, also under a body that is still being read.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Content>,
    written: Arc<AtomicU64>,
    task: JoinHandle<()>,
    origin: Origin,
    form: Form,
}

impl Connection {
    pub(super) async fn begin(
        stream: Stream,
        origin: Origin,
        form: Form,
        read_buffer: usize,
    ) -> Result<Self, ConnectError> {
        let written = Arc::<AtomicU64>::default();
        let stream = Counted::new(stream, Arc::clone(&written));
        let (sender, connection) = http1::Builder::new()
            // Reads begin at 8 KiB and double while they come back full, up to this size.
            .max_buf_size(read_buffer.max(MIN_READ_BUFFER))
            .max_header_size(MAX_HEAD)
            .max_headers(MAX_FIELDS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| ConnectError::Handshake { host: origin.host.to_string(), source })?;
        let task = tokio::spawn(async move {
            // Whoever sent the request sees the same error there.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(Self { sender, written, task, origin, form })
    }

    /// The origin that it leads to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether a request can be sent now: the last answer's body was read to its end.
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Bytes that the system has taken for the other end, so far.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// A GET for `url`, as [`Connection::asking`] makes it.
    ///
    /// # Errors
    /// `BadUrl` for a URL of another origin or one that does not fit into a request line.
    pub fn request(&self, url: &Url, headers: HeaderMap) -> Result<Request<Content>, ConnectError> {
        self.asking(Method::GET, url, headers, Content::none())
    }

    /// A request for `url`: the target in the form that the route needs, Host where `headers` has none, and
    /// Proxy-Authorization for a proxy that reads the request, for nobody else.
    ///
    /// # Errors
    /// `BadUrl` for a URL of another origin or one that does not fit into a request line.
    pub fn asking(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        content: Content,
    ) -> Result<Request<Content>, ConnectError> {
        let bad = |reason| ConnectError::BadUrl { url: without_secrets(url), reason };
        if Origin::of(url).as_ref() != Some(&self.origin) {
            return Err(bad("this connection leads to another origin"));
        }
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let target: Uri = match self.form {
            Form::Origin => path.parse(),
            Form::Absolute { .. } => format!("{}://{authority}{path}", url.scheme()).parse(),
        }
        .map_err(|_| bad("it is too long or holds a character that HTTP does not allow"))?;

        let mut request = Request::new(content);
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        if !headers.contains_key(header::HOST) {
            let host = HeaderValue::from_str(authority).map_err(|_| bad("its host is not a name"))?;
            headers.insert(header::HOST, host);
        }
        match &self.form {
            Form::Origin => {
                headers.remove(header::PROXY_AUTHORIZATION);
            }
            Form::Absolute { authorization: Some(value) } => {
                headers.insert(header::PROXY_AUTHORIZATION, value.clone());
            }
            Form::Absolute { authorization: None } => {}
        }
        Ok(request)
    }

    /// Sends `request` and waits for the head of its answer; the body is read from what comes back, while this
    /// connection is kept.
    ///
    /// # Errors
    /// What hyper says: the connection ended, the head is not HTTP or is too long.
    pub async fn send(&mut self, request: Request<Content>) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// Waits until a request can be sent, and begins with `request`; its answer comes from the future, on its own.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn begin_sending(
        &mut self,
        request: Request<Content>,
    ) -> Result<impl Future<Output = Result<Response<Incoming>, hyper::Error>> + Send + use<>, hyper::Error>
    {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
