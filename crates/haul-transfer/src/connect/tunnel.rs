//! A way through an HTTP proxy by CONNECT (RFC 9110 §9.3.6). hyper speaks the HTTP; this room reads what it means.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use url::Host;

use super::error::ProxyFailure;
use super::stream::Stream;
use crate::credentials::Credentials;

/// More than any proxy's answer to CONNECT needs; an endless one ends here.
const MAX_ANSWER: usize = 32 * 1024;

/// Asks the proxy at the other end of `stream` to connect to `host` and `port`. What comes back is the tunnel, and
/// what the far end of it has said already.
pub(super) async fn negotiate(
    stream: Stream,
    host: &Host<String>,
    port: u16,
    credentials: Option<&Credentials>,
) -> Result<(Stream, Bytes), ProxyFailure> {
    let request = connect_request(host, port, credentials)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_header_size(MAX_ANSWER)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Polled here, not spawned: a tunnel that nobody waits for any more is closed with this future.
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let mut ended = false;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut answer => break answer.map_err(broken)?,
            _ = &mut connection, if !ended => ended = true,
        }
    };
    if !answer.status().is_success() {
        return Err(refusal(answer.status(), credentials.is_some()));
    }
    let mut upgrade = std::pin::pin!(hyper::upgrade::on(answer));
    let upgraded = loop {
        tokio::select! {
            biased;
            upgraded = &mut upgrade => break upgraded.map_err(broken)?,
            _ = &mut connection, if !ended => ended = true,
        }
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() else {
        return Err(ProxyFailure::Protocol("the tunnel is not the stream that was handed in"));
    };
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// The tunnel for a protocol in which the client speaks first, as in TLS: bytes that are here already are not the
/// server's.
pub(super) fn silent((stream, said): (Stream, Bytes)) -> Result<Stream, ProxyFailure> {
    if said.is_empty() {
        Ok(stream)
    } else {
        Err(ProxyFailure::Protocol("it sent bytes of its own into the tunnel"))
    }
}

fn connect_request(
    host: &Host<String>,
    port: u16,
    credentials: Option<&Credentials>,
) -> Result<Request<Empty<Bytes>>, ProxyFailure> {
    let unusable = || ProxyFailure::Protocol("the host's name does not fit into a CONNECT request");
    let authority = format!("{host}:{port}");
    let target = Uri::builder().authority(authority.as_str()).build().map_err(|_| unusable())?;
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target;
    let value = HeaderValue::from_str(&authority).map_err(|_| unusable())?;
    request.headers_mut().insert(header::HOST, value);
    if let Some(credentials) = credentials {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials.basic());
    }
    Ok(request)
}

fn refusal(status: StatusCode, had_credentials: bool) -> ProxyFailure {
    match status {
        // 401 is what tinyproxy says of a wrong password; no server has been asked yet.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED if had_credentials => {
            ProxyFailure::BadCredentials
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => ProxyFailure::NeedsCredentials,
        other => ProxyFailure::Status(other),
    }
}

fn broken(error: hyper::Error) -> ProxyFailure {
    if error.is_parse() {
        return ProxyFailure::Protocol("its answer is not HTTP/1.1, or is too long");
    }
    ProxyFailure::Broken(Box::new(error))
}
