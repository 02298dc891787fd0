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

/// Puts the file by curl, as `name`; the status.
fn put(server: &Running, name: &str, args: &[&str]) -> Option<String> {
    let dir = folder();
    let (file, url) = (dir.path().join("f.bin"), server.url(name));
    let all = [&["--noproxy", "*", "-T", file.to_str().unwrap()], args, &[url.as_str()]].concat();
    Some(curl(&all)?.0)
}

fn takes_the_file(server: Option<Running>, root: &TempDir) {
    let Some(server) = server else { return };
    let Some(status) = put(&server, "/new.bin", &[]) else { return };
    assert_eq!(status, "201", "{}", server.log());
    FILE.assert_file_is(root.path().join("new.bin"));
}

#[test]
fn nginx_takes_files_and_no_pieces() {
    let root = tempfile::tempdir().unwrap();
    takes_the_file(Nginx::over(root.path()).dav().start(), &root);
    let Some(server) = Nginx::over(root.path()).dav().start() else { return };
    let Some(status) = put(&server, "/piece.bin", &["-H", "Content-Range: bytes 0-299999/400000"]) else {
        return;
    };
    assert_eq!(status, "501");
}

#[test]
fn apache_takes_files_and_writes_pieces_in_place() {
    let root = tempfile::tempdir().unwrap();
    takes_the_file(Apache::dav(root.path()), &root);
    let Some(server) = Apache::dav(root.path()) else { return };
    let piece = ["-H", "Content-Range: bytes 300000-599999/600000"];
    let Some(status) = put(&server, "/new.bin", &piece) else { return };
    assert_eq!(status, "204", "{}", server.log());
    assert_eq!(std::fs::metadata(root.path().join("new.bin")).unwrap().len(), 600_000);
}

#[test]
fn wsgidav_takes_files() {
    let root = tempfile::tempdir().unwrap();
    takes_the_file(Wsgidav::serve(root.path()), &root);
    let Some(server) = Wsgidav::over(root.path()).login().start() else { return };
    assert_eq!(put(&server, "/b.bin", &["-u", "x:y"]).as_deref(), Some("401"));
    let login = format!("{}:{}", server.user(), server.password());
    assert_eq!(put(&server, "/b.bin", &["-u", &login]).as_deref(), Some("201"));
}

#[test]
fn the_tus_projects_server_takes_uploads() {
    let root = tempfile::tempdir().unwrap();
    let Some(server) = TusServer::over(root.path()).max_size(400_000).start() else { return };
    let mut caller = crate::HttpCaller::to(server.addr());
    let tus = "Host: h\r\nTus-Resumable: 1.0.0\r\n";
    caller
        .asks(format!("POST /files HTTP/1.1\r\n{tus}Upload-Length: 400001\r\nContent-Length: 0\r\n\r\n"))
        .expect(413);
    let created = format!("POST /files HTTP/1.1\r\n{tus}Upload-Length: 300000\r\nContent-Length: 0\r\n\r\n");
    let created = caller.asks(created).expect(201);
    let path = created.field("Location").unwrap().split_once("/files/").unwrap().1.to_owned();
    for range in [0..100_000, 100_000..300_000] {
        let fields = format!(
            "{tus}Content-Type: application/offset+octet-stream\r\nUpload-Offset: {}\r\nContent-Length: {}\r\n\r\n",
            range.start,
            range.end - range.start
        );
        let head = format!("PATCH /files/{path} HTTP/1.1\r\n{fields}");
        let answer = caller.asks([head.as_bytes(), &FILE.bytes(range.clone())].concat()).expect(204);
        assert_eq!(answer.field("Upload-Offset"), Some(range.end.to_string().as_str()));
    }
    let [upload] = &TusServer::uploads(root.path())[..] else { panic!("{}", server.log()) };
    FILE.assert_file_is(upload);
}
