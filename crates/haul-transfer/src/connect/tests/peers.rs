//! The peers: an HTTP server that answers with the request it got, a CONNECT proxy, a SOCKS proxy, and silence.

use std::future::Future;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// A listening task that is over when this is dropped.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves every connection to a fresh port of 127.0.0.1.
pub(super) async fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> Peer
where
    F: Future<Output = ()> + Send + 'static,
{
    serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), handle)
}

pub(super) fn serve_on<F>(listener: TcpListener, handle: impl Fn(TcpStream) -> F + Send + 'static) -> Peer
where
    F: Future<Output = ()> + Send + 'static,
{
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    Peer { address, task }
}

/// A bound port that nobody listens on: refused for as long as the socket is kept.
pub(super) fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Answers each request with its own head as the body.
pub(super) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    while let Some(head) = read_head(&mut stream).await {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Keeps the connection open and never says a word.
pub(super) async fn silence(mut stream: TcpStream) {
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await.is_ok_and(|got| got > 0) {}
}

pub(super) async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// An HTTP proxy for CONNECT to one `name:port`, which it knows to be at `server`; 502 for all else.
pub(super) async fn connect_proxy<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: S,
    server: SocketAddr,
    name: &str,
    login: Option<&str>,
) {
    let Some(head) = read_head(&mut client).await else { return };
    let wanted = login.map(|pair| format!("proxy-authorization: Basic {}", BASE64_STANDARD.encode(pair)));
    let refusal = if wanted.is_some_and(|wanted| !head.lines().any(|line| line == wanted)) {
        Some("407 Proxy Authentication Required")
    } else if !head.starts_with(&format!("CONNECT {name} HTTP/1.1\r\n")) {
        Some("502 Bad Gateway")
    } else {
        None
    };
    if let Some(status) = refusal {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        client.write_all(answer.as_bytes()).await.unwrap();
        return;
    }
    let mut upstream = TcpStream::connect(server).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    drop(copy_bidirectional(&mut client, &mut upstream).await);
}

/// A SOCKS 5 proxy that takes every target for `server` and tells over `seen` which one it was asked for.
#[derive(Clone)]
pub(super) struct Socks {
    pub(super) server: SocketAddr,
    pub(super) login: Option<(&'static str, &'static str)>,
    /// What it says to the request: 0 is success.
    pub(super) reply: u8,
    pub(super) seen: tokio::sync::mpsc::UnboundedSender<String>,
}

impl Socks {
    pub(super) async fn run(self, mut client: TcpStream) {
        // Whoever drops the dialogue in the middle ends this task: there is nobody to tell.
        drop(self.talk(&mut client).await);
    }

    async fn talk(&self, client: &mut TcpStream) -> std::io::Result<()> {
        assert_eq!(client.read_u8().await?, 5);
        let methods = read_field(client).await?;
        let method = if self.login.is_some() { 2 } else { 0 };
        if !methods.contains(&method) {
            return client.write_all(&[5, 0xff]).await;
        }
        client.write_all(&[5, method]).await?;
        if let Some((user, password)) = self.login {
            assert_eq!(client.read_u8().await?, 1);
            let given = (read_field(client).await?, read_field(client).await?);
            let good = given == (user.into(), password.into());
            client.write_all(&[1, u8::from(!good)]).await?;
            if !good {
                return Ok(());
            }
        }
        let mut request = [0; 4];
        client.read_exact(&mut request).await?;
        assert_eq!(request[..3], [5, 1, 0]);
        let host = match request[3] {
            1 => std::net::Ipv4Addr::from(client.read_u32().await?).to_string(),
            4 => std::net::Ipv6Addr::from(client.read_u128().await?).to_string(),
            _ => String::from_utf8(read_field(client).await?).unwrap(),
        };
        let port = client.read_u16().await?;
        drop(self.seen.send(format!("{host} {port}")));
        if self.reply != 0 {
            return client.write_all(&[5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        }
        let mut upstream = TcpStream::connect(self.server).await?;
        // A bound address by name: of odd length, so that a client that takes too much or too little shows it.
        client.write_all(b"\x05\x00\x00\x03\x05bound\x00\x50").await?;
        copy_bidirectional(client, &mut upstream).await.map(drop)
    }
}

/// One byte of length, then so many bytes.
async fn read_field(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut field = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut field).await?;
    Ok(field)
}
