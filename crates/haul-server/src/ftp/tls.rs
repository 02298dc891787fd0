//! TLS for a session: one configuration of its own for each control connection, so that a data connection that resumes
//! a session can only have resumed this one's (RFC 4217 §10.2).
//!
//! Resumed sessions lie in the memory of their control connection and nowhere else: with its end they are worth
//! nothing. TLS 1.2 finds them by number, as often as it likes; a ticket of TLS 1.3 is good for one connection, and
//! each handshake brings new ones.

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

/// Sessions that one control connection keeps for its data connections.
const KEPT: usize = 64;
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
    pub(super) fn own(&self) -> Own {
        if self.reuse == Reuse::Off {
            return Own { config: Arc::clone(&self.config), reuse: self.reuse };
        }
        let mut config = ServerConfig::clone(&self.config);
        config.session_storage = ServerSessionMemoryCache::new(KEPT);
        Own { config: Arc::new(config), reuse: self.reuse }
    }
}

/// The configuration of one control connection.
#[derive(Clone)]
pub(super) struct Own {
    config: Arc<ServerConfig>,
    reuse: Reuse,
}

impl Own {
    /// TLS on a control connection.
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
