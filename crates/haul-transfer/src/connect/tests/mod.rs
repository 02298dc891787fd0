//! Connections against small peers on loopback, each its own task that ends with the test.

mod direct;
mod peers;
mod proxies;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use http_body_util::BodyExt as _;
use url::Url;

use super::{ConnectError, Connection, Connector, Options, ProxyChoice};

/// Long enough for a busy machine; only what is meant to time out comes near its own.
const PATIENCE: Duration = Duration::from_secs(20);

fn direct() -> Options {
    Options { connect_timeout: PATIENCE, proxy: ProxyChoice::Direct, ..Options::default() }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn at(scheme: &str, address: SocketAddr) -> Url {
    url(&format!("{scheme}://{address}/file?x=1"))
}

/// Connects, asks, and gives back the request as [`peers::echo`] saw it.
async fn ask(options: Options, url: &Url) -> Result<String, ConnectError> {
    let mut connection = Connector::new(&options)?.connect(url).await?;
    Ok(exchange(&mut connection, url, HeaderMap::new()).await)
}

async fn exchange(connection: &mut Connection, url: &Url, headers: HeaderMap) -> String {
    let request = connection.request(url, headers).unwrap();
    let answer = connection.send(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

async fn failure(options: Options, url: &Url) -> ConnectError {
    ask(options, url).await.expect_err("there is to be no connection")
}
