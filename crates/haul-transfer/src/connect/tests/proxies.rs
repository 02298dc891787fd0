//! Through proxies: each kind, with and without credentials, and what each refusal is called.

use http::{HeaderValue, StatusCode, header};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::peers::{Peer, Socks, closed_port, connect_proxy, echo, read_head, serve, silence};
use super::tls::{Authority, serve_tls};
use super::*;
use crate::connect::{Patience, ProxyFailure, Reply, Role};

fn through(proxy: &str, options: Options) -> Options {
    Options { proxy: ProxyChoice::parse(proxy).unwrap(), ..options }
}

async fn proxy_failure(options: Options, url: &Url) -> (ProxyFailure, Patience) {
    let error = failure(options, url).await;
    let patience = error.patience();
    match error {
        ConnectError::Proxy { failure, .. } => (failure, patience),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plain_http_proxy_gets_absolute_form_and_its_credentials() {
    let proxy = serve(echo).await;
    let seen = ask(
        through(&format!("http://a%40b:p%3Aw@{}", proxy.address), direct()),
        &url("http://u:secret@server.test:81/file?x=1#top"),
    )
    .await
    .unwrap();
    assert_eq!(
        seen,
        "GET http://server.test:81/file?x=1 HTTP/1.1\r\n\
         host: server.test:81\r\nproxy-authorization: Basic YUBiOnA6dw==\r\n\r\n"
    );
}

#[tokio::test]
async fn a_proxy_header_of_the_users_own_goes_to_the_proxy_where_its_url_has_no_credentials() {
    let proxy = serve(echo).await;
    let here = url("http://server.test/");
    let connector = Connector::new(&through(&proxy.address.to_string(), direct())).unwrap();
    let mut connection = connector.connect(&here).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::PROXY_AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    let seen = exchange(&mut connection, &here, headers).await;
    assert!(seen.contains("proxy-authorization: Bearer x\r\n"), "{seen}");
}

/// A TLS server for server.test, and an HTTP proxy that alone knows where that is.
async fn tunnelled(authority: &Authority, login: Option<&'static str>) -> (Peer, Peer) {
    let server = serve_tls(authority.acceptor(&["server.test"], false)).await;
    let address = server.address;
    let proxy =
        serve(move |client| async move { connect_proxy(client, address, "server.test:443", login).await })
            .await;
    (server, proxy)
}

#[tokio::test]
async fn https_goes_through_a_connect_tunnel_and_the_server_sees_no_proxy_credentials() {
    let authority = Authority::new();
    let (_server, proxy) = tunnelled(&authority, Some("u:p")).await;
    let options = through(&format!("http://u:p@{}", proxy.address), authority.trusted());
    let seen = ask(options, &url("https://server.test/file")).await.unwrap();
    assert_eq!(seen, "GET /file HTTP/1.1\r\nhost: server.test\r\n\r\n");
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_told_apart_from_one_that_does_not_like_them() {
    let authority = Authority::new();
    let (_server, proxy) = tunnelled(&authority, Some("u:p")).await;
    let here = url("https://server.test/file");
    let none = through(&format!("http://{}", proxy.address), authority.trusted());
    let (failure, patience) = proxy_failure(none, &here).await;
    assert!(matches!(failure, ProxyFailure::NeedsCredentials), "{failure:?}");
    assert_eq!(patience, Patience::None);
    let wrong = through(&format!("http://u:secret@{}", proxy.address), authority.trusted());
    let error = failure_text(wrong, &here).await;
    assert!(error.ends_with("does not accept this user name and password"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

async fn failure_text(options: Options, url: &Url) -> String {
    failure(options, url).await.to_string()
}

#[tokio::test]
async fn a_refused_tunnel_has_its_status() {
    let authority = Authority::new();
    let (_server, proxy) = tunnelled(&authority, None).await;
    let options = through(&format!("http://{}", proxy.address), authority.trusted());
    let (failure, patience) = proxy_failure(options, &url("https://other.test/")).await;
    assert!(matches!(failure, ProxyFailure::Status(StatusCode::BAD_GATEWAY)), "{failure:?}");
    assert_eq!(patience, Patience::Few);
}

#[tokio::test]
async fn an_https_proxy_tunnels_tls_in_tls_and_must_prove_its_name() {
    let authority = Authority::new();
    let server = serve_tls(authority.acceptor(&["server.test"], false)).await;
    let (acceptor, address) = (authority.acceptor(&["127.0.0.1"], false), server.address);
    let proxy = serve(move |client| {
        let accept = acceptor.accept(client);
        async move {
            if let Ok(client) = accept.await {
                connect_proxy(client, address, "server.test:443", None).await;
            }
        }
    })
    .await;
    let here = url("https://server.test/file");
    let proxy_url = format!("https://{}", proxy.address);
    let seen = ask(through(&proxy_url, authority.trusted()), &here).await.unwrap();
    assert!(seen.starts_with("GET /file HTTP/1.1\r\n"), "{seen}");
    let error = failure(through(&proxy_url, Authority::new().trusted()), &here).await;
    assert!(matches!(error, ConnectError::Certificate { role: Role::Proxy, .. }), "{error:?}");
}

#[tokio::test]
async fn a_proxy_that_chatters_or_never_ends_its_answer_is_refused_and_a_silent_one_times_out() {
    let authority = Authority::new();
    let here = url("https://server.test/");
    let endless = serve(|mut client: TcpStream| async move {
        read_head(&mut client).await;
        let mut piece = b"HTTP/1.1 200 OK\r\nx: ".as_slice();
        while client.write_all(piece).await.is_ok() {
            piece = &[b'x'; 1024];
        }
    })
    .await;
    let chatty = serve(|mut client: TcpStream| async move {
        read_head(&mut client).await;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
        silence(client).await;
    })
    .await;
    for proxy in [&endless, &chatty] {
        let options = through(&format!("http://{}", proxy.address), authority.trusted());
        let (failure, _) = proxy_failure(options, &here).await;
        assert!(matches!(failure, ProxyFailure::Protocol(_)), "{failure:?}");
    }
    for scheme in ["http", "socks5h"] {
        let silent = serve(silence).await;
        let mut options = through(&format!("{scheme}://{}", silent.address), authority.trusted());
        options.connect_timeout = Duration::from_millis(300);
        let error = failure(options, &here).await;
        assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_up_is_a_passing_failure() {
    for scheme in ["http", "socks5h"] {
        let proxy = serve(|client| async { drop(client) }).await;
        let options = through(&format!("{scheme}://{}", proxy.address), direct());
        let (failure, patience) = proxy_failure(options, &url("https://server.test/")).await;
        assert!(matches!(failure, ProxyFailure::Broken(_)), "{failure:?}");
        assert_eq!(patience, Patience::Full);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_as_the_proxy() {
    let (_kept, closed) = closed_port();
    for scheme in ["http", "socks5", "socks5h"] {
        let error =
            failure(through(&format!("{scheme}://{closed}"), direct()), &url("http://127.0.0.1/")).await;
        assert!(matches!(error, ConnectError::Unreachable { role: Role::Proxy, .. }), "{error:?}");
        assert!(error.to_string().starts_with(&format!("cannot connect to proxy {closed}: ")), "{error}");
    }
}

type Seen = tokio::sync::mpsc::UnboundedReceiver<String>;

async fn socks(login: Option<(&'static str, &'static str)>, reply: u8) -> (Peer, Peer, Seen) {
    let server = serve(echo).await;
    let (seen, asked) = tokio::sync::mpsc::unbounded_channel();
    let socks = Socks { server: server.address, login, reply, seen };
    let proxy = serve(move |client| socks.clone().run(client)).await;
    (server, proxy, asked)
}

#[tokio::test]
async fn socks5h_passes_the_name_and_socks5_an_address() {
    let (_server, proxy, mut asked) = socks(None, 0).await;
    let options = through(&format!("socks5h://{}", proxy.address), direct());
    let seen = ask(options, &url("http://server.test:81/file")).await.unwrap();
    assert_eq!(seen, "GET /file HTTP/1.1\r\nhost: server.test:81\r\n\r\n");
    assert_eq!(asked.recv().await.unwrap(), "server.test 81");

    let options = through(&format!("socks5://{}", proxy.address), direct());
    ask(options.clone(), &url("http://localhost:81/")).await.unwrap();
    assert_eq!(asked.recv().await.unwrap(), "::1 81");
    ask(options.clone(), &url("http://192.0.2.1/")).await.unwrap();
    assert_eq!(asked.recv().await.unwrap(), "192.0.2.1 80");
    let error = failure(options, &url("http://name.invalid/")).await;
    assert!(matches!(error, ConnectError::UnknownHost { role: Role::Server, .. }), "{error:?}");
}

#[tokio::test]
async fn socks_takes_a_user_name_and_a_password() {
    let (_server, proxy, _asked) = socks(Some(("a@b", "p:w")), 0).await;
    let here = url("http://server.test/");
    let with = |userinfo: &str| through(&format!("socks5h://{userinfo}{}", proxy.address), direct());
    ask(with("a%40b:p%3Aw@"), &here).await.unwrap();
    let (wrong, patience) = proxy_failure(with("a:b@"), &here).await;
    assert!(matches!(wrong, ProxyFailure::BadCredentials), "{wrong:?}");
    assert_eq!(patience, Patience::None);
    let (none, _) = proxy_failure(with(""), &here).await;
    assert!(matches!(none, ProxyFailure::NeedsCredentials), "{none:?}");
}

#[tokio::test]
async fn a_socks_refusal_is_told_in_words_after_every_address_was_tried() {
    let (_server, proxy, mut asked) = socks(None, 5).await;
    let options = through(&format!("socks5://{}", proxy.address), direct());
    let (failure, patience) = proxy_failure(options.clone(), &url("http://localhost/")).await;
    assert!(matches!(failure, ProxyFailure::Socks(Reply::ConnectionRefused)), "{failure:?}");
    assert_eq!(failure.to_string(), "could not open the way: the server refused the connection");
    assert_eq!(patience, Patience::Few);
    assert_eq!(asked.recv().await.unwrap(), "::1 80");
    assert_eq!(asked.recv().await.unwrap(), "127.0.0.1 80");

    let (_server, proxy, _asked) = socks(None, 2).await;
    let options = through(&format!("socks5h://{}", proxy.address), direct());
    let (failure, patience) = proxy_failure(options, &url("http://localhost/")).await;
    assert!(matches!(failure, ProxyFailure::Socks(Reply::NotAllowed)), "{failure:?}");
    assert_eq!(patience, Patience::None);
}

#[tokio::test]
async fn tls_runs_through_socks() {
    let authority = Authority::new();
    let server = serve_tls(authority.acceptor(&["server.test"], false)).await;
    let (seen, _asked) = tokio::sync::mpsc::unbounded_channel();
    let socks = Socks { server: server.address, login: None, reply: 0, seen };
    let proxy = serve(move |client| socks.clone().run(client)).await;
    let options = through(&format!("socks5h://{}", proxy.address), authority.trusted());
    ask(options, &url("https://server.test/file")).await.unwrap();
}
