//! TLS 1.2 and 1.3 by rustls: whom to trust, and what a failed handshake means in plain words.
//!
//! Nothing is prepared before the first https connection: reading the platform's roots takes longer than fetching a
//! small file over plain http. One configuration serves all lanes, so that they resume each other's sessions.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::ConnectError;
use super::error::Role;
use super::stream::Stream;

/// Whose certificates are trusted.
#[derive(Clone, Debug)]
enum Trust {
    /// Those that the platform trusts.
    Platform,
    /// Only those under the roots of a file.
    Roots { path: PathBuf, roots: RootCertStore },
    /// Anybody's.
    Anyone,
}

/// The client's side of TLS.
#[derive(Debug)]
pub(super) struct Tls {
    trust: Trust,
    config: OnceCell<Arc<ClientConfig>>,
    /// The same without TLS 1.3.
    config_12: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// Reads and checks the CA file, which replaces the platform's roots, and prepares nothing else.
    pub(super) fn new(ca_file: Option<&Path>, insecure: bool) -> Result<Self, ConnectError> {
        let roots = ca_file.map(|path| Ok((path.to_owned(), read_roots(path)?))).transpose()?;
        let trust = match roots {
            _ if insecure => Trust::Anyone,
            Some((path, roots)) => Trust::Roots { path, roots },
            None => Trust::Platform,
        };
        Ok(Self { trust, config: OnceCell::new(), config_12: OnceCell::new() })
    }

    /// The configuration, made at the first call, off the event loop.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        self.made(&self.config, rustls::DEFAULT_VERSIONS).await
    }

    /// The same for TLS 1.2 and nothing else.
    pub(super) async fn config_12(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        static ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        self.made(&self.config_12, ONLY).await
    }

    async fn made(
        &self,
        config: &OnceCell<Arc<ClientConfig>>,
        versions: &'static [&'static SupportedProtocolVersion],
    ) -> Result<Arc<ClientConfig>, ConnectError> {
        let make = || async {
            let trust = self.trust.clone();
            match tokio::task::spawn_blocking(move || configure(&trust, versions)).await {
                Ok(made) => made,
                Err(lost) => Err(bad_ca(&self.trust, &lost)),
            }
        };
        config.get_or_try_init(make).await.cloned()
    }

    /// Speaks TLS over `stream` with the peer that is to prove that it is `host` (a name, or an address with or
    /// without brackets).
    pub(super) async fn wrap(&self, stream: Stream, role: Role, host: &str) -> Result<Stream, ConnectError> {
        wrap(self.config().await?, stream, role, host).await
    }
}

/// Speaks TLS over `stream` by this configuration.
pub(super) async fn wrap(
    config: Arc<ClientConfig>,
    stream: Stream,
    role: Role,
    host: &str,
) -> Result<Stream, ConnectError> {
    let failed = |error| handshake_failure(error, role, host);
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let tls = TlsConnector::from(config).connect(name, stream).await.map_err(failed)?;
    Ok(Stream::Tls(Box::new(tls)))
}

fn read_roots(path: &Path) -> Result<RootCertStore, ConnectError> {
    let bad = |reason: String| ConnectError::BadCa { path: path.display().to_string(), reason };
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("there is no PEM certificate in it".to_owned()));
    }
    Ok(roots)
}

fn configure(
    trust: &Trust,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ClientConfig>, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let unusable = |error: rustls::Error| bad_ca(trust, &error);
    let builder = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(unusable)?;
    let builder = match trust {
        Trust::Platform => builder.with_platform_verifier().map_err(unusable)?,
        Trust::Roots { roots, .. } => builder.with_root_certificates(roots.clone()),
        Trust::Anyone => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate { algorithms }))
        }
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn bad_ca(trust: &Trust, error: &dyn std::error::Error) -> ConnectError {
    let path = match trust {
        Trust::Roots { path, .. } => path.display().to_string(),
        Trust::Platform | Trust::Anyone => "of this system".to_owned(),
    };
    ConnectError::BadCa { path, reason: error.to_string() }
}

/// The rustls error inside what tokio-rustls returns; `None` when the connection itself failed.
pub(super) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn handshake_failure(error: io::Error, role: Role, host: &str) -> ConnectError {
    let host = host.to_owned();
    match rustls_error(&error) {
        Some(rustls::Error::InvalidCertificate(fault)) => {
            ConnectError::Certificate { role, host, reason: in_plain_words(fault) }
        }
        Some(rustls::Error::NoCertificatesPresented) => {
            ConnectError::Certificate { role, host, reason: "none was shown".to_owned() }
        }
        _ => ConnectError::Tls { role, host, source: error },
    }
}

fn in_plain_words(fault: &CertificateError) -> String {
    use CertificateError as Fault;
    match fault {
        Fault::Expired | Fault::ExpiredContext { .. } => "it has expired".to_owned(),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "it is not valid yet (is the clock of this machine right?)".to_owned()
        }
        Fault::UnknownIssuer => {
            "its issuer is unknown here (--cacert FILE names one that you trust)".to_owned()
        }
        Fault::NotValidForName => "it was issued for another name".to_owned(),
        Fault::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            format!("it was issued for {}", names.join(", "))
        }
        Fault::NotValidForNameContext { .. } => "it was issued for no name at all".to_owned(),
        Fault::Revoked => "it was revoked".to_owned(),
        Fault::BadEncoding => "it cannot be read".to_owned(),
        Fault::BadSignature => "its signature is wrong".to_owned(),
        other => other.to_string(),
    }
}

/// The name in `DnsName("example.org")`, which is how rustls hands it over.
fn bare(presented: &str) -> &str {
    let inside = presented.split_once('(').and_then(|(_kind, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(presented).trim_matches('"')
}

/// `--insecure`: any certificate will do. The handshake is still held to be signed by that certificate's key.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
