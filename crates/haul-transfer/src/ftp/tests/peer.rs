//! A small FTP server in the test's own process, whose answers a test may replace one by one.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use haul_testkit::Content;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, WriteHalf},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// What a test replaces: the reply to a command, given as a line; `None` leaves it as it is. The greeting is asked for
/// as `CONNECT n`, n being the number of the connection, from 1.
pub(super) type Hook = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What is served, and how.
pub(super) struct World {
    pub(super) file: Mutex<Content>,
    pub(super) modified: Mutex<&'static str>,
    /// REST is answered and has no effect.
    pub(super) rest_lies: bool,
    /// Each data connection ends after so many bytes, and 426 follows.
    pub(super) cut: u64,
    /// Bytes a second on each data connection, roughly; 0 is no limit.
    pub(super) pace: u64,
    /// TLS from the first byte on.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Data connections end without close_notify.
    pub(super) rude: bool,
    pub(super) host: IpAddr,
    pub(super) hook: Hook,
    pub(super) connections: AtomicUsize,
}

impl Default for World {
    fn default() -> Self {
        Self {
            file: Mutex::new(super::FILE),
            modified: Mutex::new("20200102030405"),
            rest_lies: false,
            cut: u64::MAX,
            pace: 0,
            tls: None,
            rude: false,
            host: Ipv4Addr::LOCALHOST.into(),
            hook: Box::new(|_| None),
            connections: AtomicUsize::new(0),
        }
    }
}

/// A running one; it ends with the test's runtime.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) world: Arc<World>,
}

impl Peer {
    pub(super) async fn start(world: World) -> Self {
        let listener = TcpListener::bind((world.host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(world);
        let shared = Arc::clone(&world);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = Arc::clone(&shared);
                tokio::spawn(async move { Connection::new(world).run(stream).await });
            }
        });
        Self { address, world }
    }

    /// One that answers by `hook`.
    pub(super) async fn answering(hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::start(World { hook: Box::new(hook), ..World::default() }).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.world.tls.is_some() { "ftps" } else { "ftp" };
        format!("{scheme}://{}/{path}", self.address)
    }
}

/// Bytes, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

type Replies = WriteHalf<Box<dyn Wire>>;

struct Connection {
    world: Arc<World>,
    rest: u64,
    data: Option<TcpListener>,
    /// Where the client listens.
    there: Option<u16>,
}

impl Connection {
    fn new(world: Arc<World>) -> Self {
        Self { world, rest: 0, data: None, there: None }
    }

    async fn run(mut self, stream: TcpStream) -> Option<()> {
        let number = self.world.connections.fetch_add(1, Relaxed) + 1;
        let (read, mut write) = tokio::io::split(self.wrap(stream).await?);
        let mut lines = BufReader::new(read).lines();
        let greeting = (self.world.hook)(&format!("CONNECT {number}"));
        let greeting = greeting.unwrap_or_else(|| "220 ready".into());
        say(&mut write, &greeting).await?;
        if greeting.starts_with('4') || greeting.starts_with('5') {
            return None;
        }
        while let Ok(Some(line)) = lines.next_line().await {
            let reply = match (self.world.hook)(&line) {
                Some(reply) => reply,
                None => self.answer(&line, &mut write).await?,
            };
            say(&mut write, &reply).await?;
        }
        None
    }

    async fn wrap(&self, stream: TcpStream) -> Option<Box<dyn Wire>> {
        match &self.world.tls {
            Some(tls) => Some(Box::new(TlsAcceptor::from(Arc::clone(tls)).accept(stream).await.ok()?)),
            None => Some(Box::new(stream)),
        }
    }

    /// Waits for the client, or connects to it, behind a stranger.
    async fn joined(&mut self) -> Option<TcpStream> {
        let Some(port) = self.there else { return Some(self.data.take()?.accept().await.ok()?.0) };
        let there = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stranger = TcpSocket::new_v4().ok()?;
        stranger.bind(SocketAddr::from(([127, 0, 0, 2], 0))).ok()?;
        let mut stranger = stranger.connect(there).await.ok()?;
        stranger.write_all(b"these are not the bytes").await.ok()?;
        drop(stranger);
        TcpStream::connect(there).await.ok()
    }

    async fn listen(&mut self) -> Option<u16> {
        let listener = TcpListener::bind((self.world.host, 0)).await.ok()?;
        let port = listener.local_addr().ok()?.port();
        self.data = Some(listener);
        Some(port)
    }

    async fn answer(&mut self, line: &str, write: &mut Replies) -> Option<String> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let reply = match verb {
            "USER" => "331 password".to_owned(),
            "PASS" => "230 welcome".to_owned(),
            "FEAT" => "211-Features\r\n REST STREAM\r\n SIZE\r\n MDTM\r\n211 End".to_owned(),
            "TYPE" | "NOOP" => "200 fine".to_owned(),
            "SIZE" => format!("213 {}", self.world.file.lock().unwrap().size()),
            "MDTM" => format!("213 {}", self.world.modified.lock().unwrap()),
            "PBSZ" | "PROT" => "200 fine".to_owned(),
            "EPSV" => format!("229 there (|||{}|)", self.listen().await?),
            "EPRT" => {
                self.there = argument.split('|').nth(3)?.parse().ok();
                "200 there".to_owned()
            }
            // The address is another host's.
            "PASV" => {
                let port = self.listen().await?;
                format!("227 there (192,0,2,1,{},{})", port / 256, port % 256)
            }
            "REST" => {
                self.rest = argument.parse().ok()?;
                format!("350 at {}", self.rest)
            }
            "RETR" => return self.retrieve(write).await,
            "QUIT" => "221 bye".to_owned(),
            _ => "502 no".to_owned(),
        };
        Some(reply)
    }

    async fn retrieve(&mut self, write: &mut Replies) -> Option<String> {
        let mut from = std::mem::take(&mut self.rest);
        if self.world.rest_lies {
            from = 0;
        }
        let opening = (self.world.hook)("150").unwrap_or_else(|| "150 here it comes".into());
        say(write, &opening).await?;
        let data = self.joined().await?;
        let mut data = self.wrap(data).await?;
        let mut sent = 0;
        loop {
            let file = *self.world.file.lock().unwrap();
            let end = file.size().min(from + 65_536).min(from.saturating_add(self.world.cut - sent));
            if end <= from {
                break;
            }
            if data.write_all(&file.bytes(from..end)).await.is_err() {
                return Some("426 gone".into());
            }
            (sent, from) = (sent + end - from, end);
            if let Some(wait) = (65_536 * 1_000_000_u64).checked_div(self.world.pace) {
                tokio::time::sleep(std::time::Duration::from_micros(wait)).await;
            }
        }
        if self.world.rude {
            data.flush().await.ok()?;
        } else {
            data.shutdown().await.ok()?;
        }
        drop(data);
        let whole = sent < self.world.cut;
        Some((self.world.hook)("226").unwrap_or_else(|| if whole { "226 done" } else { "426 cut" }.into()))
    }
}

async fn say(write: &mut Replies, reply: &str) -> Option<()> {
    write.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    write.flush().await.ok()
}
