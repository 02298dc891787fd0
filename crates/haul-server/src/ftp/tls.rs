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
    server::{NoServerSessionStorage, ServerSessionMemoryCache},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::ServerError;

/// Sessions of TLS 1.2 that one control connection keeps for its data connections.
const KEPT: usize = 16;
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
        let wrong = |error: rustls::Error| ServerError::Other(format!("the certificate: {error}"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(wrong)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(wrong)?;
        // A browser that was lured here asks for another protocol, and is not answered (ALPACA).
        config.alpn_protocols = vec![b"ftp".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = if reuse == Reuse::Off { 0 } else { TICKETS };
        Ok(Self { config: Arc::new(config), reuse, required })
    }

    /// Whether nothing goes without it.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// What one control connection and its data connections use.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub(super) fn own(&self) -> Result<Own, ServerError> {
        if self.reuse == Reuse::Off {
            let config = Arc::clone(&self.config);
            return Ok(Own { uploads: Arc::clone(&config), config, reuse: self.reuse });
        }
        let mut config = ServerConfig::clone(&self.config);
        config.session_storage = ServerSessionMemoryCache::new(KEPT);
        config.ticketer = aws_lc_rs::Ticketer::new()
            .map_err(|error| ServerError::Other(format!("no key for tickets: {error}")))?;
        let mut uploads = config.clone();
        if self.reuse == Reuse::Prefer {
            uploads.send_tls13_tickets = 0;
        }
        Ok(Own { config: Arc::new(config), uploads: Arc::new(uploads), reuse: self.reuse })
    }
}

/// The configuration of one control connection.
#[derive(Clone)]
pub(super) struct Own {
    config: Arc<ServerConfig>,
    /// For data connections on which only the client sends.
    uploads: Arc<ServerConfig>,
    reuse: Reuse,
}

impl Own {
    /// For a data connection of an upload.
    pub(super) fn for_upload(self) -> Self {
        Self { config: Arc::clone(&self.uploads), ..self }
    }

    /// TLS on a connection.
    pub(super) async fn begin<S>(&self, stream: S, within: Duration) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        timeout(within, acceptor.accept(stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Whether a data connection may be used; else what to tell.
    pub(super) fn accepts(&self, data: Option<HandshakeKind>) -> Result<(), &'static str> {
        match self.reuse {
            Reuse::Require if data != Some(HandshakeKind::Resumed) => {
                Err("The data connection must resume the control connection's TLS session")
            }
            Reuse::Require | Reuse::Prefer | Reuse::Off => Ok(()),
        }
    }
}
