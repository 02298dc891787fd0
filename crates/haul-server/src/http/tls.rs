//! TLS for the door: one configuration for all connections, with the version of HTTP chosen in the handshake (ALPN,
//! RFC 7301).

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::{self, Ticketer},
    version::{TLS12, TLS13},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{Certificate, ClientAuthority, Hosts, ServerError, accounts::Presented};

/// A certificate, and whether nothing is served without it.
#[derive(Clone)]
pub struct Protection {
    config: Arc<ServerConfig>,
    required: bool,
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protection").field("required", &self.required).finish_non_exhaustive()
    }
}

impl Protection {
    /// Protection by this certificate; `required`: nobody logs in without it.
    ///
    /// # Errors
    /// Where the key does not belong to the certificate, or is of no use.
    pub fn new(certificate: &Certificate, required: bool) -> Result<Self, ServerError> {
        Self::asking(certificate, required, None)
    }

    /// As [`Self::new`]; clients are asked for a certificate that these vouch for.
    ///
    /// # Errors
    /// As there.
    pub fn asking(
        certificate: &Certificate,
        required: bool,
        clients: Option<&ClientAuthority>,
    ) -> Result<Self, ServerError> {
        let wrong = |error: rustls::Error| ServerError::Setting(format!("the certificate: {error}"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(wrong)?
            .with_client_cert_verifier(ClientAuthority::verifier(clients))
            .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())
            .map_err(wrong)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new().map_err(wrong)?;
        Ok(Self { config: Arc::new(config), required })
    }

    /// The same, with certificates by the names of hosts.
    #[must_use]
    pub fn for_hosts(self, hosts: &Hosts) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.cert_resolver = hosts.certificates(&config.cert_resolver, None);
        Self { config: Arc::new(config), ..self }
    }

    /// Whether nobody logs in without it.
    pub(super) fn is_required(&self) -> bool {
        self.required
    }

    pub(super) async fn begin(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let accepted = timeout(within, acceptor.accept(stream)).await;
        accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// The certificate that the client has shown, which somebody vouches for.
pub(super) fn presented(stream: &TlsStream<TcpStream>) -> Option<Presented> {
    let shown = stream.get_ref().1.peer_certificates()?.first()?;
    Some(Presented::of(shown))
}

/// Whether HTTP/2 was agreed upon.
pub(super) fn speaks_h2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}
