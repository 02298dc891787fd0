//! No proxy and no TLS: names, addresses, requests.

use std::io;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::peers::{closed_port, echo, read_head, serve, serve_on, silence};
use super::*;
use crate::connect::{Patience, Role, tcp};

#[tokio::test]
async fn a_request_is_in_origin_form_with_host_and_port() {
    let server = serve(echo).await;
    let seen = ask(direct(), &at("http", server.address)).await.unwrap();
    assert_eq!(seen, format!("GET /file?x=1 HTTP/1.1\r\nhost: {}\r\n\r\n", server.address));
}

#[tokio::test]
async fn one_connection_serves_request_after_request_of_its_origin_only() {
    let server = serve(echo).await;
    let here = at("http", server.address);
    let mut connection = Connector::new(&direct()).unwrap().connect(&here).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("virtual.example"));
    headers.insert(header::PROXY_AUTHORIZATION, HeaderValue::from_static("Basic c2VjcmV0"));
    let first = exchange(&mut connection, &here, headers).await;
    assert_eq!(first, "GET /file?x=1 HTTP/1.1\r\nhost: virtual.example\r\n\r\n");
    let second = exchange(&mut connection, &here.join("/other#part").unwrap(), HeaderMap::new()).await;
    assert!(second.starts_with("GET /other HTTP/1.1\r\n"), "{second}");
    assert_eq!(connection.origin().to_string(), format!("http://{}", server.address));
    assert!(!connection.is_closed());

    let elsewhere = connection.request(&url("http://example.com/"), HeaderMap::new());
    assert!(matches!(elsewhere, Err(ConnectError::BadUrl { .. })));
    let endless = here.join(&format!("/{}", "x".repeat(70_000))).unwrap();
    assert!(matches!(connection.request(&endless, HeaderMap::new()), Err(ConnectError::BadUrl { .. })));
}

#[tokio::test]
async fn an_ipv6_host_stands_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let server = serve_on(listener, echo);
    let seen = ask(direct(), &at("http", server.address)).await.unwrap();
    assert!(seen.contains(&format!("\r\nhost: [::1]:{}\r\n", server.address.port())), "{seen}");
}

#[tokio::test]
async fn localhost_is_found_when_only_one_family_listens() {
    let server = serve(echo).await;
    let port = server.address.port();
    // Holds the port of the other family, without listening; on a machine without IPv6 nobody listens anyway.
    let six = TcpSocket::new_v6();
    let _held = six.as_ref().map(|six| six.bind(format!("[::1]:{port}").parse().unwrap()));
    let seen = ask(direct(), &url(&format!("http://localhost:{port}/"))).await.unwrap();
    assert!(seen.contains(&format!("host: localhost:{port}\r\n")), "{seen}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_does_not_hold_up_the_next() {
    // A listener whose queue is full drops new connections unanswered, as a dead host does.
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let dead = full.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(taken) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(dead)).await {
        fill.push(taken.unwrap());
    }
    let server = serve(echo).await;
    let stream = tokio::time::timeout(PATIENCE, tcp::connect(vec![dead, server.address])).await.unwrap();
    assert_eq!(stream.unwrap().peer_addr().unwrap(), server.address);
}

#[tokio::test]
async fn of_several_failures_a_refusal_is_told() {
    let (_kept, closed) = closed_port();
    let error = tcp::connect(vec![closed, "[::ffff:0.0.0.0]:0".parse().unwrap()]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let (_kept, closed) = closed_port();
    let error = failure(direct(), &at("http", closed)).await;
    let ConnectError::Unreachable { role: Role::Server, host, port, source } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((host.as_str(), *port), ("127.0.0.1", closed.port()));
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(error.patience(), Patience::Few);
}

#[tokio::test]
async fn a_name_without_address_is_an_unknown_host() {
    let error = failure(direct(), &url("http://name.invalid/")).await;
    assert!(matches!(&error, ConnectError::UnknownHost { host, .. } if host == "name.invalid"), "{error:?}");
    assert_eq!(error.patience(), Patience::Few);
}

#[tokio::test]
async fn other_schemes_are_refused_before_anything_is_asked() {
    let error = failure(direct(), &url("ftp://u:p@127.0.0.1/x?sig")).await;
    assert_eq!(error.to_string(), "cannot ask ftp://127.0.0.1/x: its scheme is neither http nor https");
    assert_eq!(error.patience(), Patience::None);
}

#[tokio::test]
async fn a_head_without_end_is_an_error_and_not_memory() {
    let server = serve(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let line = format!("x-padding: {}\r\n", "x".repeat(1000));
        let mut answer = b"HTTP/1.1 200 OK\r\n".as_slice();
        while stream.write_all(answer).await.is_ok() {
            answer = line.as_bytes();
        }
    })
    .await;
    let here = at("http", server.address);
    let mut connection = Connector::new(&direct()).unwrap().connect(&here).await.unwrap();
    let request = connection.request(&here, HeaderMap::new()).unwrap();
    let error = connection.send(request).await.unwrap_err();
    assert!(error.is_parse(), "{error:?}");
}

#[tokio::test]
async fn dropping_a_connection_closes_it() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let ended = std::sync::Arc::new(std::sync::Mutex::new(Some(ended)));
    let server = serve(move |stream| {
        let ended = ended.clone();
        async move {
            silence(stream).await;
            drop(ended.lock().unwrap().take());
        }
    })
    .await;
    let connection = Connector::new(&direct()).unwrap().connect(&at("http", server.address)).await.unwrap();
    drop(connection);
    assert!(tokio::time::timeout(PATIENCE, end).await.unwrap().is_err());
}
