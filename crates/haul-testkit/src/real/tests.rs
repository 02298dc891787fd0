//! Each real peer serves a file.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::tls::Certificates;
use crate::{Behaviour, Content, HttpPeer};

const FILE: Content = Content::new(11, 300_000);

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    FILE.write_to(dir.path().join("f.bin"));
    dir
}

/// What curl gets with these arguments: the status and the body.
fn curl(args: &[&str]) -> Option<(String, Vec<u8>)> {
    let out = Command::new(peer("curl")?)
        .args(["-q", "-sS", "-w", "%{stderr}%{http_code}"])
        .args(args)
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .env_remove("all_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("HTTPS_PROXY")
        .output()
        .unwrap();
    Some((String::from_utf8_lossy(&out.stderr).into_owned(), out.stdout))
}

fn serves_the_file(server: Option<Running>, range: bool) {
    let Some(server) = server else { return };
    let url = server.url("/f.bin");
    let Some((status, body)) = curl(&["--noproxy", "*", &url]) else { return };
    assert!(status == "200" && body == FILE.bytes(0..300_000), "{status}\n{}", server.log());
    let (status, body) = curl(&["--noproxy", "*", "-r", "1000-1999", &url]).unwrap();
    assert_eq!(status, if range { "206" } else { "200" });
    assert!(!range || body == FILE.bytes(1000..2000));
}

#[test]
fn nginx_serves() {
    let dir = folder();
    serves_the_file(Nginx::serve(dir.path()), true);
}

#[test]
fn apache_serves() {
    let dir = folder();
    serves_the_file(Apache::serve(dir.path()), true);
}

#[test]
fn lighttpd_serves() {
    let dir = folder();
    serves_the_file(Lighttpd::serve(dir.path()), true);
}

#[test]
fn caddy_serves() {
    let dir = folder();
    serves_the_file(Caddy::serve(dir.path()), true);
}

#[test]
fn python_serves_without_ranges() {
    let dir = folder();
    serves_the_file(PythonHttp::serve(dir.path()), false);
}

#[test]
fn nginx_asks_for_a_password_behind_tls() {
    let dir = folder();
    let certificates = Certificates::for_loopback();
    let Some(server) = Nginx::over(dir.path()).tls(&certificates).auth("n", "p").start() else { return };
    let ca = certificates.ca_pem_path();
    let ask =
        |user| curl(&["--noproxy", "*", "--cacert", ca.to_str().unwrap(), "-u", user, &server.url("/f.bin")]);
    let Some((status, body)) = ask("n:p") else { return };
    assert!(status == "200" && body == FILE.bytes(0..300_000), "{status}\n{}", server.log());
    assert_eq!(ask("n:wrong").unwrap().0, "401");
}

#[test]
fn nginx_refuses_more_requests_than_it_allows() {
    let dir = folder();
    let Some(server) = Nginx::over(dir.path()).limit_conn(1).limit_rate(1000).start() else { return };
    let mut first = TcpStream::connect(server.addr()).unwrap();
    first.write_all(b"GET /f.bin HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    first.read_exact(&mut [0; 12]).unwrap();
    let Some((status, _)) = curl(&["--noproxy", "*", &server.url("/f.bin")]) else { return };
    assert_eq!(status, "503");
}

#[test]
fn proxies_lead_to_a_server() {
    let server = HttpPeer::start(Behaviour::of(FILE));
    let url = server.url("/f");
    for proxy in [Tinyproxy::start(None), Microsocks::start(None)] {
        let Some(proxy) = proxy else { continue };
        let Some((status, body)) = curl(&["--noproxy", "", "--proxy", &proxy.url(""), &url]) else { return };
        assert!(status == "200" && body == FILE.bytes(0..300_000), "{status}\n{}", proxy.log());
    }
    let Some(proxy) = Tinyproxy::start(Some(("n", "p"))) else { return };
    assert_eq!(curl(&["--noproxy", "", "--proxy", &proxy.url(""), &url]).unwrap().0, "407");
    let Some(proxy) = Microsocks::start(Some(("n", "p"))) else { return };
    let with_password = proxy.url("").replace("//", "//n:p@");
    assert_eq!(curl(&["--noproxy", "", "--proxy", &with_password, &url]).unwrap().0, "200");
}
