//! A door of its own for whoever collects figures: where none for HTTP is open, or where that one is for others. It knows
//! no file and no account, and is there while the server is being stopped.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};

use super::{CONTENT_TYPE, scrape};
use crate::{ServerError, house::House};

/// So many collectors at a time; others wait.
const AT_ONCE: usize = 32;
/// One that says nothing for so long is no longer listened to.
const PATIENCE: Duration = Duration::from_secs(60);
/// When the system has no socket left, so long until it is asked again.
const BREATH: Duration = Duration::from_millis(100);
/// A request is no longer than this.
const REQUEST: usize = 16 << 10;

/// An address where figures are told.
pub struct Door {
    house: House,
    listener: TcpListener,
}

impl Door {
    /// Opens it where somebody listens already.
    ///
    /// # Errors
    /// Where the runtime cannot watch it.
    pub fn over(house: House, listener: std::net::TcpListener) -> Result<Self, ServerError> {
        let watched = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        let listener =
            watched.map_err(|error| ServerError::Other(format!("cannot tell figures: {error}")))?;
        Ok(Self { house, listener })
    }

    /// Where it really is.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Tells until this is dropped.
    pub async fn serve(self) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            // It is never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(BREATH).await;
                continue;
            };
            let house = self.house.clone();
            tokio::spawn(async move {
                attend(&house, stream).await;
                drop(place);
            });
        }
    }
}

async fn attend(house: &House, stream: TcpStream) {
    let service = service_fn(|request: Request<Incoming>| {
        let house = house.clone();
        async move { Ok::<_, Infallible>(answer(&house, request.method(), request.uri().path()).await) }
    });
    let mut rules = http1::Builder::new();
    rules.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(REQUEST);
    // Whoever goes away has what it wanted, or comes again.
    let _ = rules.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(house: &House, method: &Method, path: &str) -> Response<Full<Bytes>> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let (status, kind, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/metrics" | "/-/metrics") => {
            (StatusCode::OK, CONTENT_TYPE, scrape(house).await)
        }
        (_, "/metrics" | "/-/metrics") => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "here may be GET, HEAD\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, PLAIN, "figures are at /metrics\n".to_owned()),
    };
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        fields.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    answer
}
