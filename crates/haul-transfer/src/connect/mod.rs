//! Connections: from a URL to one HTTP/1.1 connection that can be asked for it, past names, addresses, proxies and TLS;
//! for other protocols (`reach`) to the bytes themselves.
//!
//! ```text
//!             ┌─ none ──────────────── tcp ───────────────────┐
//! URL ─ proxy ┼─ http, https ───────── tcp [─ tls] [─ tunnel] ┼─ [tls] ── Connection
//!             └─ socks5, socks5h ───── tcp ─ socks ───────────┘
//! ```
//! It does not retry, follow redirects, keep connections for later or know whose credentials go where. Every failure
//! has its own [`ConnectError`], because what is tried again, and how often, hangs on which it was.

mod connection;
mod content;
mod counted;
mod error;
mod origin;
mod proxy;
mod reach;
mod socks;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod tickets;
mod tls;
mod tunnel;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

pub use connection::Connection;
pub use content::{Content, Pieces};
pub use error::{ConnectError, Patience, ProxyFailure, Role};
pub use origin::Origin;
pub(crate) use reach::{Newest, OwnTls};
pub use socks::Reply;
pub(crate) use stream::{Encryption, Stream};

use connection::Form;
use proxy::{Kind, Proxy, Rules};
use socks::Target;
use tls::Tls;

/// What connections are made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The longest that one connection may take to come about: name, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// Which proxy is asked.
    pub proxy: ProxyChoice,
    /// PEM certificates that are trusted instead of the platform's, for servers and for https proxies.
    pub ca_file: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
    /// The largest read from a connection in bytes (at least 8 KiB): the lever for speed.
    pub read_buffer: usize,
    /// No more than so many bytes wait on this side to be sent, besides those on their way: what a connection has taken
    /// then tells how fast it is. `None` is as many as the system likes.
    pub unsent: Option<u32>,
}

impl Default for Options {
    /// 15 s, the environment's proxy, the platform's roots, reads of up to 1 MiB.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(15),
            proxy: ProxyChoice::Environment,
            ca_file: None,
            insecure: false,
            read_buffer: 1 << 20,
            unsent: None,
        }
    }
}

/// Where the proxy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case.
    Environment,
    /// None at all.
    Direct,
    /// This one, for all that `no_proxy` does not name.
    Url(Url),
}

impl ProxyChoice {
    /// The value of `--proxy`: a URL, a bare `host:port` for an http proxy, or nothing for none.
    ///
    /// # Errors
    /// `BadProxy` for what is no URL or names a proxy of a kind that is not spoken here.
    pub fn parse(text: &str) -> Result<Self, ConnectError> {
        if text.is_empty() {
            return Ok(Self::Direct);
        }
        let bad = |reason| ConnectError::BadProxy { from: None, reason };
        let choice = Self::Url(proxy::parse_url(text).map_err(bad)?);
        Rules::new(&choice, |_| None)?;
        Ok(choice)
    }
}

/// Makes connections. Cloning is cheap, and clones share TLS sessions.
#[derive(Clone, Debug)]
pub struct Connector {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connect_timeout: Duration,
    read_buffer: usize,
    unsent: Option<u32>,
    rules: Rules,
    tls: Tls,
}

impl Connector {
    /// Checks the proxy's URL and the CA file. The platform's roots are read at the first https connection, and a bad
    /// URL in the environment is an error only for who needs that proxy.
    ///
    /// # Errors
    /// `BadProxy`, `BadCa`.
    pub fn new(options: &Options) -> Result<Self, ConnectError> {
        let rules = Rules::new(&options.proxy, |name| std::env::var(name).ok())?;
        let tls = Tls::new(options.ca_file.as_deref(), options.insecure)?;
        let &Options { connect_timeout, read_buffer, unsent, .. } = options;
        Ok(Self { shared: Arc::new(Shared { connect_timeout, read_buffer, unsent, rules, tls }) })
    }

    /// A new connection that can be asked for `url` and whatever else is at its origin.
    ///
    /// # Errors
    /// Every variant of [`ConnectError`] except the two of [`Connector::new`]; `BadProxy` for the environment's, and
    /// `BadCa` where this system has no roots.
    pub async fn connect(&self, url: &Url) -> Result<Connection, ConnectError> {
        let origin = Origin::of_http(url)?;
        let limit = self.shared.connect_timeout;
        let host = origin.host.to_string();
        let proxy = self.shared.rules.proxy_for(&origin)?.map(ToString::to_string);
        // Boxed: the futures of two handshakes are large, and a lane would carry them for its whole life.
        match tokio::time::timeout(limit, Box::pin(self.shared.open(origin))).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(ConnectError::Timeout { host, proxy, seconds: limit.as_secs_f64() }),
        }
    }
}

impl Shared {
    async fn open(&self, origin: Origin) -> Result<Connection, ConnectError> {
        let proxy = self.rules.proxy_for(&origin)?;
        let reach = async {
            match proxy {
                None => {
                    Ok((self.dial(Role::Server, &origin.host.to_string(), origin.port).await?, Form::Origin))
                }
                Some(proxy) => self.through(proxy, &origin).await,
            }
        };
        let (stream, form) = if origin.is_https() {
            // The first connection waits for the network and for the roots at the same time.
            let ((stream, form), _ready) = tokio::try_join!(reach, self.tls.config())?;
            (self.tls.wrap(stream, Role::Server, &origin.host.to_string()).await?, form)
        } else {
            reach.await?
        };
        Connection::begin(stream, origin, form, self.read_buffer).await
    }

    async fn dial(&self, role: Role, host: &str, port: u16) -> Result<Stream, ConnectError> {
        let addresses = resolve(role, host, port).await?;
        let stream = tcp::connect(addresses).await.map_err(|error| unreachable(error, role, host, port))?;
        tcp::hold_back(&stream, self.unsent);
        Ok(Stream::Plain(stream))
    }

    async fn through(&self, proxy: &Proxy, origin: &Origin) -> Result<(Stream, Form), ConnectError> {
        let credentials = proxy.credentials.as_ref();
        if matches!(proxy.kind, Kind::Socks5 | Kind::Socks5h) {
            return Ok((self.through_socks(proxy, origin).await?, Form::Origin));
        }
        let mut stream = self.dial(Role::Proxy, &proxy.host, proxy.port).await?;
        if proxy.kind == Kind::Https {
            stream = self.tls.wrap(stream, Role::Proxy, &proxy.host).await?;
        }
        if !origin.is_https() {
            return Ok((stream, Form::Absolute { authorization: credentials.map(|known| known.basic()) }));
        }
        let tunnel =
            tunnel::negotiate(stream, &origin.host, origin.port, credentials).await.and_then(tunnel::silent);
        Ok((tunnel.map_err(|failure| proxy_error(proxy, failure))?, Form::Origin))
    }

    /// SOCKS tries one address a connection, so that of a name resolved here each gets its turn.
    async fn through_socks(&self, proxy: &Proxy, origin: &Origin) -> Result<Stream, ConnectError> {
        let port = origin.port;
        let targets = match &origin.host {
            Host::Ipv4(address) => vec![Target::Address((*address, port).into())],
            Host::Ipv6(address) => vec![Target::Address((*address, port).into())],
            Host::Domain(name) if proxy.kind == Kind::Socks5h => vec![Target::Name(name, port)],
            Host::Domain(name) => {
                resolve(Role::Server, name, port).await?.into_iter().map(Target::Address).collect()
            }
        };
        let mut last = ProxyFailure::Protocol("there is no address to ask it for");
        for target in targets {
            let mut stream = self.dial(Role::Proxy, &proxy.host, proxy.port).await?;
            match socks::negotiate(&mut stream, target, proxy.credentials.as_ref()).await {
                Ok(()) => return Ok(stream),
                Err(ProxyFailure::Socks(reply)) if reply.is_about_the_address() => {
                    last = ProxyFailure::Socks(reply);
                }
                Err(other) => return Err(proxy_error(proxy, other)),
            }
        }
        Err(proxy_error(proxy, last))
    }
}

async fn resolve(role: Role, host: &str, port: u16) -> Result<Vec<std::net::SocketAddr>, ConnectError> {
    tcp::resolve(host, port).await.map_err(|source| ConnectError::UnknownHost {
        role,
        host: host.to_owned(),
        source,
    })
}

fn unreachable(source: io::Error, role: Role, host: &str, port: u16) -> ConnectError {
    ConnectError::Unreachable { role, host: host.to_owned(), port, source }
}

fn proxy_error(proxy: &Proxy, failure: ProxyFailure) -> ConnectError {
    ConnectError::Proxy { proxy: proxy.to_string(), failure }
}
