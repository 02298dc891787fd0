//! A server that is asked by POST over HTTP/1.1, with the body as it is in the letter.
//!
//! How it is signed follows Standard Webhooks 1.0.0: HMAC-SHA256 over `ID.TIMESTAMP.BODY`, in base64 behind `v1,`, so
//! that libraries there are can verify it. Redirects are not followed: who is told is who was named.

use std::{error::Error as _, io, path::Path, sync::Arc, time::SystemTime};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use haul_store::Letter;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, Error as TlsError, crypto::aws_lc_rs as provider, pki_types::ServerName,
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OnceCell,
    task::{JoinSet, spawn_blocking},
};
use tokio_rustls::TlsConnector;

use super::{Url, delivery::End};

/// What a secret begins with that is written in base64.
const ENCODED: &str = "whsec_";

/// By what a server knows that we ask.
pub(super) struct Secret(hmac::Key);

impl Secret {
    /// The file without blanks around its text; behind `whsec_` it is base64.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read(file).map_err(|error| error.to_string())?;
        let text = text.trim_ascii();
        let key = match text.strip_prefix(ENCODED.as_bytes()) {
            Some(encoded) => {
                BASE64_STANDARD.decode(encoded).map_err(|_| "is no base64 behind whsec_".to_owned())?
            }
            None => text.to_vec(),
        };
        if key.is_empty() {
            return Err("there is nothing in it".to_owned());
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

/// Whose certificates are believed: those of the platform's authorities, which are read when the first server is asked
/// within TLS, and again after hooks were changed.
#[derive(Default)]
pub(super) struct Trust(OnceCell<TlsConnector>);

impl Trust {
    async fn connector(&self) -> io::Result<TlsConnector> {
        let make = || async {
            // Reading them takes its time.
            let made = spawn_blocking(|| {
                let builder = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
                    .with_safe_default_protocol_versions()
                    .and_then(BuilderVerifierExt::with_platform_verifier)
                    .map_err(io::Error::other)?;
                let mut config = builder.with_no_client_auth();
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                Ok(TlsConnector::from(Arc::new(config)))
            });
            made.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        self.0.get_or_try_init(make).await.cloned()
    }
}

/// Asks once.
pub(super) async fn ask(
    url: &Url,
    trust: &Trust,
    letter: &Letter,
    attempt: u32,
    secret: Option<&Secret>,
) -> End {
    match answer(url, trust, letter, attempt, secret).await {
        Ok(status) if status.is_success() => End::Heard,
        Ok(StatusCode::GONE) => End::Unwanted("the answer was 410".to_owned()),
        Ok(status) => End::Failed(format!("the answer was {}", status.as_u16())),
        Err(why) => End::Failed(why),
    }
}

async fn answer(
    url: &Url,
    trust: &Trust,
    letter: &Letter,
    attempt: u32,
    secret: Option<&Secret>,
) -> Result<StatusCode, String> {
    let request = request(url, letter, attempt, secret)?;
    let connected = TcpStream::connect((url.host.as_str(), url.port)).await;
    let stream = connected.map_err(|error| format!("{} is not reached: {error}", url.authority))?;
    if !url.tls {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(url.host.clone()).map_err(|error| error.to_string())?;
    let connector = trust.connector().await.map_err(|error| format!("TLS: {error}"))?;
    let stream = connector.connect(name, stream).await.map_err(|error| unprotected(&error))?;
    exchange(stream, request).await
}

fn request(
    url: &Url,
    letter: &Letter,
    attempt: u32,
    secret: Option<&Secret>,
) -> Result<Request<Full<Bytes>>, String> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let timestamp = since.as_secs();
    let mut request = Request::post(&url.target)
        .header(header::HOST, &url.authority)
        .header(header::USER_AGENT, concat!("haul/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header("webhook-id", &letter.id)
        .header("webhook-timestamp", timestamp)
        .header("haul-attempt", attempt);
    if let Some(secret) = secret {
        request = request.header("webhook-signature", secret.sign(&letter.id, timestamp, &letter.body));
    }
    request.body(Full::new(Bytes::from(letter.body.clone()))).map_err(|error| error.to_string())
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, String> {
    let failed = |error: hyper::Error| match error.source() {
        Some(why) => format!("no answer: {error}: {why}"),
        None => format!("no answer: {error}"),
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends when this is dropped: what else an answer says is not read.
    let mut beside = JoinSet::new();
    beside.spawn(connection);
    Ok(sender.send_request(request).await.map_err(failed)?.status())
}

/// Why TLS did not begin, in words.
fn unprotected(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(TlsError::InvalidCertificate(why)) => match why {
            // An authority of the same name as one that is trusted shows by its signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by nobody whom this system trusts".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::Other(why) => format!("its certificate is not good: {:?}", why.0),
            why => format!("its certificate is not good: {why}"),
        },
        _ => format!("TLS: {error}"),
    }
}
