//! What a browser can be lured into, and is not let: changes from a page elsewhere, reads by a name that is not this
//! machine's. Which pages may is configured.

use std::{fs, net::SocketAddr};

use haul_testkit::{HttpCaller, Served, http_caller::Answer};

use crate::scene::{
    files,
    http::{OWNER, ask, request},
    served::Place,
};

/// A method, a path, fields, content.
type Asked = (&'static str, &'static str, &'static [&'static str], Option<&'static [u8]>);

const CHANGES: [Asked; 5] = [
    ("PUT", "/f", &[], Some(b"changed")),
    ("DELETE", "/f", &[], None),
    ("MKCOL", "/d", &[], None),
    ("MOVE", "/f", &["Destination: /g"], None),
    ("POST", "/", &[], Some(b"changed")),
];

fn served(config: &str) -> (Place, Served) {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().config(config).http().start();
    (place, served)
}

fn asked(addr: SocketAddr, change: usize, more: &[&str]) -> Answer {
    let (method, path, fields, content) = CHANGES[change];
    HttpCaller::to(addr).asks(request(method, path, &[&[OWNER], fields, more].concat(), content))
}

#[test]
fn a_page_elsewhere_changes_nothing() {
    let (place, served) = served("");
    let addr = served.http_addr();
    for fields in [
        &["Origin: https://evil.example"][..],
        &["Origin: null"],
        &["Origin: http://localhost.evil.example"],
        &["Origin: http://localhost:1"],
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site"],
        &["Sec-Fetch-Site: none of these"],
        &["Origin: https://evil.example", "Sec-Fetch-Site: same-origin"],
        &["Origin: https://evil.example", "Content-Type: text/plain"],
    ] {
        for (change, (method, ..)) in CHANGES.iter().enumerate() {
            let answer = asked(addr, change, fields);
            assert_eq!(answer.status(), 403, "{method} {fields:?}: {answer:?}");
            assert_eq!(answer.field("Access-Control-Allow-Origin"), None);
        }
        assert_eq!(
            (files(place.root()), fs::read(place.far("f")).unwrap()),
            (vec![".haul".into(), "f".into()], b"x".to_vec())
        );
        // Reading is another thing: the browser itself keeps the answer from that page.
        let read = ask(addr, "GET", "/f", &[&[OWNER], fields].concat()).expect(200);
        assert_eq!(read.field("Access-Control-Allow-Origin"), None);
    }
}

#[test]
fn a_page_of_this_server_and_whoever_is_no_browser_change_what_they_may() {
    let (_place, served) = served("");
    let addr = served.http_addr();
    let own = format!("Origin: http://{addr}");
    let host = format!("Host: {addr}");
    for fields in [
        &[][..],
        &[own.as_str(), host.as_str()],
        &[own.as_str(), host.as_str(), "Sec-Fetch-Site: same-origin"],
        &["Sec-Fetch-Site: same-origin"],
        // Typed by the user, or from a bookmark.
        &["Sec-Fetch-Site: none"],
        &["Origin: http://localhost"],
    ] {
        let answer = asked(addr, 0, fields);
        assert_eq!(answer.status(), 204, "{fields:?}: {answer:?}");
    }
}

#[test]
fn this_machine_answers_to_its_own_names_alone() {
    let (_place, served_plainly) = served("");
    let addr = served_plainly.http_addr();
    let of = |host: &str| ask(addr, "GET", "/f", &[OWNER, &format!("Host: {host}")]).status();
    for host in
        ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:8080"]
    {
        assert_eq!(of(host), 200, "{host}");
    }
    for host in ["a.localhost", "LOCALHOST", "localhost."] {
        assert_eq!(of(host), 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "10.0.0.1:80",
        "nas.lan",
        "[2001:db8::1]",
        "",
    ] {
        assert!(matches!(of(host), 421 | 400), "{host}: {}", of(host));
    }
    // Neither what the server tells of itself nor a question beforehand gets by.
    for (method, path) in
        [("GET", "/-/health"), ("GET", "/-/metrics"), ("OPTIONS", "/f"), ("PUT", "/f"), ("GET", "/")]
    {
        assert_eq!(ask(addr, method, path, &[OWNER, "Host: evil.example"]).status(), 421, "{method} {path}");
    }
    let (_place, named) = served("[http]\nhosts = [\"nas.lan\", \"Files.Example\"]\n");
    let of = |host: &str| ask(named.http_addr(), "GET", "/f", &[OWNER, &format!("Host: {host}")]).status();
    assert_eq!([of("nas.lan"), of("NAS.lan:8080"), of("files.example"), of("localhost")], [200; 4]);
    assert_eq!(of("other.lan"), 421);
}

#[test]
fn pages_that_may_are_let_and_told_so() {
    let (place, served) = served("[http]\norigins = [\"https://app.example\", \"http://localhost:3000\"]\n");
    let addr = served.http_addr();
    for origin in ["https://app.example", "http://localhost:3000"] {
        let field = format!("Origin: {origin}");
        let beforehand = ask(
            addr,
            "OPTIONS",
            "/f",
            &[
                &field,
                "Access-Control-Request-Method: PUT",
                "Access-Control-Request-Headers: authorization,if-match,tus-resumable",
            ],
        );
        assert_eq!(beforehand.status(), 204, "without credentials, as browsers ask: {beforehand:?}");
        assert_eq!(beforehand.field("Access-Control-Allow-Origin"), Some(origin));
        assert_eq!(beforehand.field("Access-Control-Allow-Credentials"), Some("true"));
        let methods = beforehand.field("Access-Control-Allow-Methods").unwrap();
        assert!(
            ["GET", "PUT", "PATCH", "DELETE", "MOVE"].iter().all(|method| methods.contains(method)),
            "{methods}"
        );
        assert_eq!(
            beforehand.field("Access-Control-Allow-Headers"),
            Some("authorization,if-match,tus-resumable")
        );
        assert!(beforehand.head.all("Vary").iter().any(|vary| vary.contains("Origin")));
        let put = asked(addr, 0, &[&field, "Sec-Fetch-Site: cross-site"]).expect(204);
        assert_eq!(put.field("Access-Control-Allow-Origin"), Some(origin));
        assert!(put.field("Access-Control-Expose-Headers").unwrap().contains("Upload-Offset"));
        // What fails must be readable, too.
        let refused = ask(addr, "DELETE", "/f", &[OWNER, &field, "If-Match: \"other\""]).expect(412);
        assert_eq!(refused.field("Access-Control-Allow-Origin"), Some(origin));
    }
    assert_eq!(fs::read(place.far("f")).unwrap(), b"changed");
    for origin in
        ["https://app.example.evil.example", "http://app.example", "https://app.example:8443", "null"]
    {
        let field = format!("Origin: {origin}");
        let put = asked(addr, 0, &[&field]);
        assert_eq!((put.status(), put.field("Access-Control-Allow-Origin")), (403, None), "{origin}");
        let beforehand = ask(addr, "OPTIONS", "/f", &[&field, "Access-Control-Request-Method: PUT"]);
        assert_eq!(beforehand.field("Access-Control-Allow-Origin"), None, "{origin}");
        assert_eq!(beforehand.field("Access-Control-Allow-Methods"), None, "{origin}");
    }
    // A cache must not give one page's answer to another.
    let plain = ask(addr, "GET", "/f", &[OWNER]).expect(200);
    assert!(plain.head.all("Vary").iter().any(|vary| vary.contains("Origin")), "{plain:?}");
}

#[test]
fn everybody_s_pages_may_read_where_that_is_configured_and_change_nothing() {
    let (place, served) = served("[http]\norigins = [\"*\"]\n");
    let addr = served.http_addr();
    let read = ask(addr, "GET", "/f", &["Origin: https://any.example"]).expect(200);
    assert_eq!(read.field("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(read.field("Access-Control-Allow-Credentials"), None);
    for change in 0..CHANGES.len() {
        assert_eq!(asked(addr, change, &["Origin: https://any.example"]).status(), 403);
    }
    assert_eq!(fs::read(place.far("f")).unwrap(), b"x");
}

#[test]
fn what_is_served_runs_nothing() {
    let (place, served) = served("");
    fs::write(place.far("page.html"), "<script>alert(1)</script>").unwrap();
    fs::write(place.far("p.svg"), "<svg onload='alert(1)'/>").unwrap();
    let addr = served.http_addr();
    for path in ["/page.html", "/p.svg", "/f"] {
        for method in ["GET", "HEAD"] {
            let answer = ask(addr, method, path, &[OWNER]).expect(200);
            assert_eq!(answer.field("Content-Security-Policy"), Some("sandbox"), "{path}");
            assert_eq!(answer.field("X-Content-Type-Options"), Some("nosniff"), "{path}");
        }
    }
    // Answers that are no files are not sniffed either.
    for (path, status) in [("/absent%3Cscript%3E", 404), ("/%2e%2e/", 400), ("/-/health", 200)] {
        let answer = ask(addr, "GET", path, &[OWNER]);
        if answer.status() != 400 {
            assert_eq!(answer.status(), status, "{path}");
        }
        assert_eq!(answer.field("X-Content-Type-Options"), Some("nosniff"), "{path}");
        assert!(!answer.field("Content-Type").unwrap_or_default().contains("html"), "{path}");
    }
}

#[test]
fn configuration_that_is_no_origin_or_no_host_is_told() {
    let place = Place::new();
    for (config, key) in [
        ("[http]\norigins = [\"app.example\"]\n", "http.origins"),
        ("[http]\norigins = [\"https://app.example/\"]\n", "http.origins"),
        ("[http]\nhosts = [\"nas.lan:80\"]\n", "http.hosts"),
        ("[http]\nconnections = 0\n", "http.connections"),
        ("[http]\nidle = \"soon\"\n", "http.idle"),
        ("[http]\nlisten_tls = \":8443\"\n", "http.listen_tls"),
        ("[http]\nunknown = 1\n", "http.unknown"),
    ] {
        let end = place.serve().config(config).arg("--check").run().expect_code(2);
        assert!(end.stderr.contains(key), "{config}: {}", end.stderr);
    }
}
