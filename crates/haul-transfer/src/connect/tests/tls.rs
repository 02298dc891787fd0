//! TLS: who is trusted, and what each refusal is called.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::peers::{Peer, echo, serve, silence};
use super::*;
use crate::connect::{Patience, Role};

/// An authority of our own and the file that names it.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own: under one name two authorities would be the same issuer with a wrong signature.
        let folder = tempfile::tempdir().unwrap();
        params.distinguished_name.push(DnType::CommonName, folder.path().display().to_string());
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(super) fn trusted(&self) -> Options {
        Options { ca_file: Some(self.folder.path().join("ca.pem")), ..direct() }
    }

    /// A server's side of TLS with a certificate for `names`.
    pub(super) fn acceptor(&self, names: &[&str], expired: bool) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

pub(super) async fn serve_tls(acceptor: TlsAcceptor) -> Peer {
    serve(move |stream| {
        let accept = acceptor.accept(stream);
        async move {
            if let Ok(stream) = accept.await {
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
                echo(stream).await;
            }
        }
    })
    .await
}

async fn certificate_fault(options: Options, address: SocketAddr) -> String {
    let error = failure(options, &at("https", address)).await;
    assert_eq!(error.patience(), Patience::None);
    match error {
        ConnectError::Certificate { role: Role::Server, host, reason } => {
            assert_eq!(host, "127.0.0.1");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_under_the_ca_file_is_accepted() {
    let authority = Authority::new();
    let server = serve_tls(authority.acceptor(&["127.0.0.1"], false)).await;
    let seen = ask(authority.trusted(), &at("https", server.address)).await.unwrap();
    assert_eq!(seen, format!("GET /file?x=1 HTTP/1.1\r\nhost: {}\r\n\r\n", server.address));
}

#[tokio::test]
async fn an_unknown_issuer_a_wrong_name_and_an_expired_certificate_are_told_apart() {
    let authority = Authority::new();
    let good = serve_tls(authority.acceptor(&["127.0.0.1"], false)).await;
    let reason = certificate_fault(Authority::new().trusted(), good.address).await;
    assert!(reason.starts_with("its issuer is unknown"), "{reason}");

    let wrong = serve_tls(authority.acceptor(&["a.example", "127.0.0.2"], false)).await;
    let reason = certificate_fault(authority.trusted(), wrong.address).await;
    assert!(reason.starts_with("it was issued for ") && reason.contains("a.example"), "{reason}");

    let old = serve_tls(authority.acceptor(&["127.0.0.1"], true)).await;
    assert_eq!(certificate_fault(authority.trusted(), old.address).await, "it has expired");

    // --insecure takes all of them.
    for server in [&good, &wrong, &old] {
        ask(Options { insecure: true, ..direct() }, &at("https", server.address)).await.unwrap();
    }
}

#[tokio::test]
async fn the_platform_does_not_know_our_authority() {
    let server = serve_tls(Authority::new().acceptor(&["127.0.0.1"], false)).await;
    match failure(direct(), &at("https", server.address)).await {
        ConnectError::Certificate { reason, .. } => {
            assert!(reason.starts_with("its issuer is unknown"), "{reason}");
        }
        // A bare machine may trust nobody at all.
        ConnectError::BadCa { path, .. } => assert_eq!(path, "of this system"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_connection_resumes_the_session_of_the_first() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["127.0.0.1"], false);
    let (kinds, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = serve(move |stream: TcpStream| {
        let (accept, kinds) = (acceptor.accept(stream), kinds.clone());
        async move {
            let stream = accept.await.unwrap();
            kinds.send(stream.get_ref().1.handshake_kind()).unwrap();
            echo(stream).await;
        }
    })
    .await;
    let here = at("https", server.address);
    let connector = Connector::new(&authority.trusted()).unwrap();
    for expected in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut lane = connector.clone().connect(&here).await.unwrap();
        exchange(&mut lane, &here, HeaderMap::new()).await;
        assert_eq!(seen.recv().await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn a_peer_without_tls_is_no_certificate_error() {
    let server = serve(echo_garbage).await;
    let error = failure(Authority::new().trusted(), &at("https", server.address)).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert_eq!(error.patience(), Patience::Few);
}

async fn echo_garbage(mut stream: TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut scratch = [0; 4096];
    assert!(stream.read(&mut scratch).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    silence(stream).await;
}

#[tokio::test]
async fn a_peer_that_hangs_up_in_the_handshake_is_a_passing_failure() {
    let server = serve(|mut stream: TcpStream| async move {
        use tokio::io::AsyncReadExt as _;
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    })
    .await;
    let error = failure(Authority::new().trusted(), &at("https", server.address)).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert_eq!(error.patience(), Patience::Full);
}

#[tokio::test]
async fn a_peer_that_says_nothing_in_the_handshake_times_out() {
    let server = serve(silence).await;
    let options = Options { connect_timeout: Duration::from_millis(300), insecure: true, ..direct() };
    let error = failure(options, &at("https", server.address)).await;
    assert!(matches!(&error, ConnectError::Timeout { host, .. } if host == "127.0.0.1"), "{error:?}");
    assert_eq!(error.patience(), Patience::Full);
}

#[test]
fn a_ca_file_that_is_missing_empty_or_broken_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let mut told = Vec::new();
    for content in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let error = Connector::new(&Options { ca_file: Some(file.clone()), ..direct() }).unwrap_err();
        assert!(matches!(error, ConnectError::BadCa { .. }), "{error:?}");
        assert_eq!(error.patience(), Patience::None);
        told.push(error.to_string());
    }
    assert!(told[1].ends_with("there is no PEM certificate in it"), "{told:?}");
}
