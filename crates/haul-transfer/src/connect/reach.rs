//! Ways to a host and port for protocols that are not HTTP: the bytes of a connection, past names, addresses and
//! proxies, and TLS whose sessions belong to one dialogue.
//!
//! A proxy of any kind is asked for a tunnel. It knows nothing of what is said on the way.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use rustls::{ClientConfig, client::Resumption};
use url::Host;

use super::{
    ConnectError, Connector, Origin, ProxyFailure, Shared,
    error::Role,
    proxy::{Kind, Proxy},
    proxy_error, resolve,
    stream::Stream,
    tcp,
    tickets::Tickets,
    tls, tunnel, unreachable,
};

/// A connection to a server, and how it was reached: further ones have to end at the same place.
#[derive(Debug)]
pub(crate) struct Way {
    /// The bytes.
    pub(crate) stream: Stream,
    /// What the server said before it was asked, where a proxy has read it.
    pub(crate) said: Bytes,
    /// The server: the very address that was connected to, or the name that a proxy resolved.
    pub(crate) host: Host<String>,
    /// This end and the other one; `None` through a proxy, where both are the proxy's.
    pub(crate) ends: Option<(SocketAddr, SocketAddr)>,
}

impl Connector {
    /// A new connection to the origin's host and port, nothing said on it.
    pub(crate) async fn reach(&self, origin: &Origin) -> Result<Way, ConnectError> {
        self.within(origin, self.shared.reach(origin)).await
    }

    /// One more connection, to another port of the host that `way` led to, through the same proxy.
    pub(crate) async fn reach_beside(
        &self,
        origin: &Origin,
        host: &Host<String>,
        port: u16,
    ) -> Result<Stream, ConnectError> {
        let beside = async {
            let (stream, said) = match self.shared.rules.proxy_for(origin)? {
                None => (self.shared.dial(Role::Server, &host.to_string(), port).await?, Bytes::new()),
                Some(proxy) => self.shared.tunnel(proxy, host, port).await?,
            };
            match said.is_empty() {
                true => Ok(stream),
                false => Err(ConnectError::Proxy {
                    proxy: self.shared.rules.proxy_for(origin)?.map(ToString::to_string).unwrap_or_default(),
                    failure: ProxyFailure::Protocol("it sent bytes of its own into the tunnel"),
                }),
            }
        };
        self.within(origin, beside).await
    }

    /// TLS with a store for sessions that nobody else uses.
    pub(crate) async fn own_tls(&self, newest: Newest) -> Result<OwnTls, ConnectError> {
        let tls = &self.shared.tls;
        let config = match newest {
            Newest::Tls13 => tls.config().await?,
            Newest::Tls12 => tls.config_12().await?,
        };
        let mut config = ClientConfig::clone(&*config);
        config.alpn_protocols.clear();
        let tickets = Arc::<Tickets>::default();
        config.resumption = Resumption::store(Arc::<Tickets>::clone(&tickets));
        Ok(OwnTls { config: Arc::new(config), tickets })
    }

    /// The largest read from a connection, in bytes.
    pub(crate) fn read_buffer(&self) -> usize {
        self.shared.read_buffer
    }

    /// Under the time that a connection may take to come about.
    async fn within<T>(
        &self,
        origin: &Origin,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let limit = self.shared.connect_timeout;
        match tokio::time::timeout(limit, Box::pin(connecting)).await {
            Ok(connected) => connected,
            Err(_elapsed) => Err(ConnectError::Timeout {
                host: origin.host.to_string(),
                proxy: self.shared.rules.proxy_for(origin)?.map(ToString::to_string),
                seconds: limit.as_secs_f64(),
            }),
        }
    }
}

/// The newest version of TLS that is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Newest {
    /// 1.3: a session is resumed with tickets, each good for once (RFC 8446 §4.6.1).
    #[default]
    Tls13,
    /// 1.2: a session is resumed as often as the server likes.
    Tls12,
}

/// TLS for one dialogue: what is encrypted by the same one resumes its sessions.
#[derive(Clone, Debug)]
pub(crate) struct OwnTls {
    config: Arc<ClientConfig>,
    tickets: Arc<Tickets>,
}

impl OwnTls {
    /// Whether the next connection can resume a session of an earlier one.
    pub(crate) fn can_resume(&self) -> bool {
        self.tickets.is_some()
    }

    /// Speaks TLS over `stream` with the server that is to prove that it is `host`.
    pub(crate) async fn wrap(&self, stream: Stream, host: &Host<String>) -> Result<Stream, ConnectError> {
        tls::wrap(Arc::clone(&self.config), stream, Role::Server, &host.to_string()).await
    }
}

impl Shared {
    async fn reach(&self, origin: &Origin) -> Result<Way, ConnectError> {
        let Some(proxy) = self.rules.proxy_for(origin)? else {
            return self.straight(origin).await;
        };
        let asked = match (&origin.host, proxy.kind) {
            // Of a name resolved here each address gets its turn, and the one that answers is kept to.
            (Host::Domain(name), Kind::Socks5) => {
                resolve(Role::Server, name, origin.port).await?.into_iter().map(host_of).collect()
            }
            (host, _) => vec![host.clone()],
        };
        let mut last = ProxyFailure::Protocol("there is no address to ask it for");
        for host in asked {
            match self.tunnel(proxy, &host, origin.port).await {
                Ok((stream, said)) => return Ok(Way { stream, said, host, ends: None }),
                Err(ConnectError::Proxy { failure: ProxyFailure::Socks(reply), .. })
                    if reply.is_about_the_address() =>
                {
                    last = ProxyFailure::Socks(reply);
                }
                Err(other) => return Err(other),
            }
        }
        Err(proxy_error(proxy, last))
    }

    async fn straight(&self, origin: &Origin) -> Result<Way, ConnectError> {
        let host = origin.host.to_string();
        let addresses = resolve(Role::Server, &host, origin.port).await?;
        let failed = |error| unreachable(error, Role::Server, &host, origin.port);
        let stream = tcp::connect(addresses).await.map_err(failed)?;
        tcp::hold_back(&stream, self.unsent);
        let ends = (stream.local_addr().map_err(failed)?, stream.peer_addr().map_err(failed)?);
        let stream = Stream::Plain(stream);
        Ok(Way { stream, said: Bytes::new(), host: host_of(ends.1), ends: Some(ends) })
    }

    async fn tunnel(
        &self,
        proxy: &Proxy,
        host: &Host<String>,
        port: u16,
    ) -> Result<(Stream, Bytes), ConnectError> {
        if matches!(proxy.kind, Kind::Socks5 | Kind::Socks5h) {
            let origin = Origin { scheme: "ftp".into(), host: host.clone(), port };
            return Ok((self.through_socks(proxy, &origin).await?, Bytes::new()));
        }
        let mut stream = self.dial(Role::Proxy, &proxy.host, proxy.port).await?;
        if proxy.kind == Kind::Https {
            stream = self.tls.wrap(stream, Role::Proxy, &proxy.host).await?;
        }
        let tunnel = tunnel::negotiate(stream, host, port, proxy.credentials.as_ref()).await;
        tunnel.map_err(|failure| proxy_error(proxy, failure))
    }
}

fn host_of(address: SocketAddr) -> Host<String> {
    match address {
        SocketAddr::V4(address) => Host::Ipv4(*address.ip()),
        SocketAddr::V6(address) => Host::Ipv6(*address.ip()),
    }
}
