//! TLS for a session: one configuration of its own for each control connection, so that a data connection that resumes
//! a session can only have resumed this one's (RFC 4217 §10.2).
//!
//! Sessions are sealed into tickets with a key that lives and dies with the control connection; TLS 1.2 can also find
//! them by number. Nobody else's ticket opens anything here, and a ticket may be used again by a client that has no
//! other.
//!
//! An upload brings no new tickets: a client that only sends does not read them, and closing with something unread
//! resets the connection and tears off the upload's tail. Only where resuming is required they are sent all the same,
//! since a client that throws each away after use would soon be refused.

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{
    HandshakeKind, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::NoServerSessionStorage,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::tickets::{Numbers, Tickets};
use crate::{ClientAuthority, Hosts, ServerError};

/// Tickets of TLS 1.3 that each handshake brings.
const TICKETS: usize = 4;

/// Whether data connections resume the control connection's TLS session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// They may; one that does not is as good, since it comes from the same address and from nobody else's.
    #[default]
    Prefer,
    /// They must: clients that use each ticket of TLS 1.3 once and read none while they upload are refused after some
    /// uploads.
    Require,
    /// They cannot.
    Off,
}

/// A certificate, and what is asked of TLS.
#[derive(Clone)]
pub struct Protection {
    config: Arc<ServerConfig>,
    reuse: Reuse,
    required: bool,
    hosts: Hosts,
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protection")
            .field("reuse", &self.reuse)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

impl Protection {
    /// Protection by this certificate; `required`: nobody logs in and nothing is transferred without it.
    ///
    /// # Errors
    /// Where the key does not belong to the certificate, or is of no use.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        reuse: Reuse,
        required: bool,
    ) -> Result<Self, ServerError> {
        Self::asking(chain, key, reuse, required, None)
    }

    /// As [`Self::new`]; clients are asked for a certificate that these vouch for.
    ///
    /// # Errors
    /// As there.
    pub fn asking(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        reuse: Reuse,
        required: bool,
        clients: Option<&ClientAuthority>,
    ) -> Result<Self, ServerError> {
        let wrong = |error: rustls::Error| ServerError::Setting(format!("the certificate: {error}"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(wrong)?
            .with_client_cert_verifier(ClientAuthority::verifier(clients))
            .with_single_cert(chain, key)
            .map_err(wrong)?;
        // A browser that was lured here asks for another protocol, and is not answered (ALPACA).
        config.alpn_protocols = vec![b"ftp".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = if reuse == Reuse::Off { 0 } else { TICKETS };
        Ok(Self { config: Arc::new(config), reuse, required, hosts: Hosts::default() })
    }

    /// The same, with certificates by the names of hosts.
    #[must_use]
    pub fn for_hosts(self, hosts: &Hosts) -> Self {
        Self { hosts: hosts.clone(), ..self }
    }

    /// Whether nothing goes without it.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// What one control connection and its data connections use; `told`: the host that HOST has named.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub(super) fn own(&self, told: Option<String>) -> Result<Own, ServerError> {
        let mut config = ServerConfig::clone(&self.config);
        config.cert_resolver = self.hosts.certificates(&config.cert_resolver, told);
        if self.reuse == Reuse::Off {
            return Ok(Own { config: Arc::new(config), data: None, reuse: self.reuse });
        }
        let tickets =
            Tickets::new().map_err(|error| ServerError::Other(format!("no key for tickets: {error}")))?;
        let numbers = Numbers::new();
        let mut data = config.clone();
        data.session_storage = Arc::new(numbers.for_data());
        config.session_storage = Arc::new(numbers);
        config.ticketer = tickets.for_control();
        Ok(Own { config: Arc::new(config), data: Some(Arc::new((tickets, data))), reuse: self.reuse })
    }
}

/// The configuration of one control connection.
#[derive(Clone)]
pub(super) struct Own {
    config: Arc<ServerConfig>,
    /// What data connections need to resume a session.
    data: Option<Arc<(Arc<Tickets>, ServerConfig)>>,
    reuse: Reuse,
}

/// Which way the bytes of a data connection go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToClient,
    FromClient,
}

impl Own {
    /// TLS on a data connection; what to tell where there is none.
    pub(super) async fn begin_data<S>(
        &self,
        stream: S,
        way: Way,
        within: Duration,
    ) -> Result<TlsStream<S>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.data.as_deref().map(|(tickets, config)| {
            let mut config = config.clone();
            config.ticketer = tickets.for_data();
            if way == Way::FromClient && self.reuse == Reuse::Prefer {
                config.send_tls13_tickets = 0;
            }
            Arc::new(config)
        });
        let config = config.unwrap_or_else(|| Arc::clone(&self.config));
        let secured = accept(config, stream, within).await.map_err(|error| error.to_string())?;
        let resumed = secured.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        if let Some((tickets, _)) = self.data.as_deref()
            && (resumed || self.reuse == Reuse::Prefer)
        {
            tickets.is_ours();
        }
        if self.reuse == Reuse::Require && !resumed {
            return Err("it must resume the control connection's session".to_owned());
        }
        Ok(secured)
    }

    /// TLS on the control connection.
    pub(super) async fn begin<S>(&self, stream: S, within: Duration) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        accept(Arc::clone(&self.config), stream, within).await
    }
}

async fn accept<S>(config: Arc<ServerConfig>, stream: S, within: Duration) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let accepted = timeout(within, TlsAcceptor::from(config).accept(stream)).await;
    accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
