//! HTTP/2 as a test speaks it: requests by the h2 library, which hears interim answers and can end one at any moment; and
//! single frames, for what no library would send.

use std::{
    future::poll_fn,
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use bytes::Bytes;
use h2::{Reason, SendStream, client::ResponseFuture, client::SendRequest};
use haul_testkit::{HttpCaller, tls::Certificates};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::SOON;

/// A connection, in the clear with prior knowledge or within TLS.
pub(crate) struct H2 {
    sender: SendRequest<Bytes>,
    driving: JoinHandle<Result<(), h2::Error>>,
    /// The connection once more, to end it.
    tcp: TcpStream,
    /// Goes on with it while the test does other things; last, so that it outlives what runs in it.
    runtime: Runtime,
}

impl H2 {
    /// In the clear.
    #[track_caller]
    pub(crate) fn to(addr: SocketAddr) -> Self {
        Self::with(addr, None)
    }

    /// Within TLS, agreed upon by ALPN.
    #[track_caller]
    pub(crate) fn to_tls(addr: SocketAddr, certificates: &Certificates) -> Self {
        Self::with(addr, Some(certificates))
    }

    #[track_caller]
    fn with(addr: SocketAddr, certificates: Option<&Certificates>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let tcp = TcpStream::connect(addr).expect("a server that listens");
        tcp.set_nodelay(true).unwrap();
        let ours = tcp.try_clone().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (sender, driving) = soon(runtime.handle(), async {
            let stream = tokio::net::TcpStream::from_std(ours).unwrap();
            let Some(certificates) = certificates else {
                let (sender, connection) = h2::client::handshake(stream).await.unwrap();
                return (sender, tokio::spawn(connection));
            };
            let mut config = (*certificates.client_config(None)).clone();
            config.alpn_protocols = vec![b"h2".to_vec()];
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let (sender, connection) = h2::client::handshake(stream).await.unwrap();
            (sender, tokio::spawn(connection))
        });
        Self { sender, driving, tcp, runtime }
    }

    /// The beginning of a request whose content comes bit by bit. Fields are written as over HTTP/1.1.
    #[track_caller]
    pub(crate) fn begins(&self, method: &str, path: &str, fields: &[&str]) -> Exchange {
        self.request(method, path, fields, false)
    }

    /// A request with this content, and its answer.
    #[track_caller]
    pub(crate) fn asks(&self, method: &str, path: &str, fields: &[&str], content: &[u8]) -> Heard {
        let mut exchange = self.request(method, path, fields, content.is_empty());
        exchange.sends(content);
        exchange.ends()
    }

    #[track_caller]
    fn request(&self, method: &str, path: &str, fields: &[&str], ends: bool) -> Exchange {
        let mut request = http::Request::builder().method(method).uri(format!("http://localhost{path}"));
        for field in fields {
            let (name, value) = field.split_once(':').unwrap();
            request = request.header(name, value.trim());
        }
        let request = request.body(()).unwrap();
        let sender = self.sender.clone();
        let handle = self.runtime.handle().clone();
        let mut sender = soon(&handle, sender.ready()).unwrap();
        let (answer, content) = sender.send_request(request, ends).unwrap();
        Exchange { answer, content, over: ends, handle }
    }

    /// Ends as if its host had gone: by RST.
    pub(crate) fn resets(self) {
        HttpCaller::over(self.let_go()).resets();
    }

    /// Ends by FIN, without a word of TLS or HTTP.
    pub(crate) fn hangs_up(self) {
        drop(self.let_go());
    }

    /// The connection, which nobody else has any more.
    fn let_go(self) -> TcpStream {
        let Self { sender, driving, tcp, runtime } = self;
        drop(sender);
        driving.abort();
        let _ = runtime.block_on(driving);
        tcp
    }
}

/// What this comes to, which is not waited for for ever.
#[track_caller]
fn soon<F: Future>(handle: &Handle, future: F) -> F::Output {
    handle.block_on(async { timeout(SOON, future).await }).expect("soon")
}

/// A request whose content is on its way.
pub(crate) struct Exchange {
    answer: ResponseFuture,
    content: SendStream<Bytes>,
    /// Nothing more is to be sent.
    over: bool,
    handle: Handle,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.field(name).map(|value| value.parse().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl Exchange {
    /// Sends bytes.
    #[track_caller]
    pub(crate) fn sends(&mut self, bytes: &[u8]) {
        self.tries(bytes).expect("a server that takes them");
    }

    /// Sends bytes to somebody who may not want them.
    pub(crate) fn tries(&mut self, bytes: &[u8]) -> Result<(), h2::Error> {
        let Self { content, handle, .. } = self;
        let mut bytes = Bytes::copy_from_slice(bytes);
        while !bytes.is_empty() {
            content.reserve_capacity(bytes.len());
            let room = soon(handle, poll_fn(|cx| content.poll_capacity(cx)));
            let room = room.ok_or(Reason::STREAM_CLOSED)??;
            content.send_data(bytes.split_to(room.min(bytes.len())), false)?;
        }
        Ok(())
    }

    /// Ends the content with these fields behind it.
    #[track_caller]
    pub(crate) fn trails(&mut self, fields: &[&str]) {
        let fields = fields.iter().map(|field| {
            let (name, value) = field.split_once(':').unwrap();
            let name = HeaderName::try_from(name).unwrap();
            (name, HeaderValue::try_from(value.trim()).unwrap())
        });
        let mut trailers = HeaderMap::new();
        trailers.extend(fields.map(|(name, value)| (Some(name), value)));
        self.content.send_trailers(trailers).unwrap();
        self.over = true;
    }

    /// The next interim answer.
    #[track_caller]
    pub(crate) fn interim(&mut self) -> Response<()> {
        let Self { answer, handle, .. } = self;
        let heard = soon(handle, poll_fn(|cx| answer.poll_informational(cx)));
        heard.expect("an interim answer").unwrap()
    }

    /// The answer, where all was sent.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Heard {
        if !self.over {
            self.content.send_data(Bytes::new(), true).unwrap();
        }
        self.hears().expect("an answer")
    }

    /// The answer, whatever is still to be sent.
    pub(crate) fn hears(self) -> Result<Heard, h2::Error> {
        let Self { answer, content, handle, .. } = self;
        let heard = soon(&handle, async {
            let (head, mut stream) = answer.await?.into_parts();
            let mut body = Vec::new();
            while let Some(piece) = stream.data().await {
                let piece = piece?;
                let _ = stream.flow_control().release_capacity(piece.len());
                body.extend_from_slice(&piece);
            }
            Ok(Heard { status: head.status.as_u16(), fields: head.headers, body })
        });
        drop(content);
        heard
    }

    /// The head of the answer; nothing of its body is read, and no room given for it.
    #[track_caller]
    pub(crate) fn head(self) -> (Response<h2::RecvStream>, SendStream<Bytes>) {
        let Self { answer, content, handle, .. } = self;
        (soon(&handle, answer).expect("an answer"), content)
    }

    /// Takes the request back.
    pub(crate) fn resets(mut self, why: Reason) {
        self.content.send_reset(why);
    }
}

/// A frame (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fields, each a literal that nobody remembers (RFC 7541 §6.2.2).
pub(crate) fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 127, "it would need a longer length: {text}");
        [&[length], text.as_bytes()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}
