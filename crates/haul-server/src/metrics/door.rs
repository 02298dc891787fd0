//! A door of its own for whoever collects figures: where none for HTTP is open, or where that one is for others. It knows
//! no file and no account, and is there while the server is being stopped.
//!
//! Each connection is for one answer, and has so long for it in all: whoever is slow to ask or to read has its place no
//! longer than that.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{CONTENT_TYPE, scrape};
use crate::{ServerError, house::House};

/// So many collectors at a time; others wait.
const AT_ONCE: usize = 32;
/// So long one has to ask and to take its answer: three times what Prometheus itself waits by default.
const PATIENCE: Duration = Duration::from_secs(30);
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

async fn attend(house: &House, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(|request: Request<Incoming>| {
        let house = house.clone();
        async move { Ok::<_, Infallible>(answer(&house, request.method(), request.uri().path()).await) }
    });
    let mut rules = http1::Builder::new();
    rules.keep_alive(false).max_buf_size(REQUEST);
    // Whoever goes away has what it wanted, or comes again.
    let _ = timeout(PATIENCE, rules.serve_connection(TokioIo::new(stream), service)).await;
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

#[cfg(test)]
mod tests {
    use haul_store::{FsStore, Job};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::Instant,
    };

    use super::*;
    use crate::{
        accounts::{Accounts, Anonymous, throttle::Patience},
        depot::Depot,
        http::Settings,
        log::{Format, Log},
    };

    fn house(root: &std::path::Path) -> House {
        let store = FsStore::open(root, Arc::new(|job: Job| job())).unwrap();
        let accounts = Accounts::new(Vec::new(), Anonymous::Off, Patience::default()).unwrap();
        let log = Log::write_to(Box::new(io::sink()), Format::Text, None).unwrap();
        House::new(Depot::read_only(Arc::new(store)), Arc::new(accounts), Settings::default(), log)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_to_ask_or_to_read_is_left_in_time() {
        let root = tempfile::tempdir().unwrap();
        let house = house(root.path());
        let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
        let asks = [
            &b""[..],
            b"GET /met",
            request,
            b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        ];
        for asked in asks {
            // It takes a little of what is told, and no more.
            let (mut slow, ours) = duplex(1000);
            slow.write_all(asked).await.unwrap();
            let began = Instant::now();
            attend(&house, ours).await;
            assert!(began.elapsed() <= PATIENCE + Duration::from_secs(1), "{asked:?}");
            drop(slow);
        }
    }

    #[tokio::test]
    async fn who_asks_many_times_before_it_reads_is_told_once() {
        let root = tempfile::tempdir().unwrap();
        let house = house(root.path());
        let (mut hasty, ours) = duplex(1 << 20);
        let requests = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50);
        hasty.write_all(&requests).await.unwrap();
        attend(&house, ours).await;
        let mut told = Vec::new();
        hasty.read_to_end(&mut told).await.unwrap();
        let told = String::from_utf8(told).unwrap();
        assert_eq!(
            (told.matches("HTTP/1.1 200").count(), told.matches("# TYPE haul_sessions ").count()),
            (1, 1)
        );
    }
}
