//! One connection and many requests over HTTP: kept alive, in a pipeline, at once over HTTP/2. And what the server tells
//! of itself.

use crate::scene;
use std::fs;

use haul_testkit::{Content, Haul, HttpCaller, real::peer, tls::Certificates};

use crate::scene::{
    MIB,
    http::{OWNER, WAYS, Way, ask, curl, get, request},
    served::Place,
};

const FILE: Content = Content::new(1, 3 * MIB + 1);

#[test]
fn a_connection_is_kept_whatever_was_asked() {
    let place = Place::new();
    FILE.write_to(place.far("f"));
    let served = place.serve().http().start();
    let mut caller = HttpCaller::to(served.http_addr());
    for round in 0..3 {
        let mut asks = |method: &str, path: &str, fields: &[&str], content: Option<&[u8]>| {
            caller.asks(request(method, path, &[&[OWNER], fields].concat(), content))
        };
        assert!(asks("GET", "/f", &[], None).expect(200).body == FILE.bytes(0..FILE.size()));
        assert!(asks("GET", "/f", &["Range: bytes=-70000"], None).expect(206).body.len() == 70_000);
        asks("HEAD", "/f", &[], None).expect(200);
        asks("GET", "/f", &["If-None-Match: *"], None).expect(304);
        asks("GET", "/f", &["Range: bytes=9999999-"], None).expect(416);
        asks("GET", "/absent", &[], None).expect(404);
        asks("GET", "/%2e%2e/", &[], None).expect(400);
        asks("GET", "/", &["Accept: application/json"], None).expect(200);
        asks("OPTIONS", "/f", &[], None).expect(204);
        asks("PUT", "/up", &[], Some(b"up")).expect(if round == 0 { 201 } else { 204 });
        asks("PUT", "/up", &["If-None-Match: *"], Some(b"up")).expect(412);
        asks("GET", "/f", &["Authorization: none"], None);
        asks("TRACE", "/f", &[], None).expect(405);
    }
    let closed = caller.asks(request("GET", "/up", &[OWNER, "Connection: close"], None)).expect(200);
    assert_eq!(closed.field("Connection"), Some("close"));
    assert!(caller.is_ended());
}

#[test]
fn requests_in_a_pipeline_are_answered_in_their_order() {
    let place = Place::new();
    FILE.write_to(place.far("f"));
    let certificates = Certificates::for_loopback();
    let [cert, key] = [certificates.cert_pem_path(), certificates.key_pem_path()];
    let serve = place.serve().arg("--tls-cert").arg(cert).arg("--tls-key").arg(key);
    let served = serve.http().https().start();
    let secured = HttpCaller::to_tls(served.https_addr(), &certificates.client_config(None));
    for mut caller in [HttpCaller::to(served.http_addr()), secured] {
        let mut line = Vec::new();
        for number in 0..20_u64 {
            let range = format!("Range: bytes={}-{}", number, number * 100_000 + 10);
            line.extend(request("GET", "/f", &[OWNER, &range], None));
            line.extend(request("PUT", &format!("/{number}"), &[OWNER], Some(range.as_bytes())));
            line.extend(request("HEAD", &format!("/{number}"), &[OWNER], None));
            line.extend(request("GET", &format!("/{number}"), &[OWNER], None));
            line.extend(request("DELETE", &format!("/{number}"), &[OWNER], None));
        }
        caller.sends(line);
        for number in 0..20_u64 {
            let part = caller.answer("GET").expect(206);
            assert!(part.body == FILE.bytes(number..number * 100_000 + 11), "{number}");
            caller.answer("PUT").expect(201);
            let length = caller.answer("HEAD").expect(200).head.number("Content-Length");
            let there = caller.answer("GET").expect(200);
            assert_eq!(length, Some(there.body.len() as u64));
            assert!(there.text().starts_with(&format!("Range: bytes={number}-")), "{}", there.text());
            caller.answer("DELETE").expect(204);
        }
    }
}

#[test]
fn bytes_that_come_one_by_one_are_a_request_as_well() {
    let place = Place::new();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().http().start();
    // As HTTP/2 would begin, for a while.
    for method in ["GET", "PUT", "P", "PRI"] {
        let mut caller = HttpCaller::to(served.http_addr());
        for byte in request(method, "/f", &[OWNER], (method == "PUT").then_some(b"x")) {
            caller.sends([byte]);
        }
        let status = caller.answer(method).status();
        assert_eq!(
            status,
            match method {
                "GET" => 200,
                "PUT" => 204,
                _ => 405,
            },
            "{method}"
        );
    }
}

#[test]
fn many_requests_at_once_over_http2() {
    let place = Place::new();
    FILE.write_to(place.far("f"));
    fs::write(place.far("small"), "0123456789").unwrap();
    let served = place.serve().arg("--tls-self-signed").http().https().start();
    for url in [Way::Http2.url(&served, ""), Way::Https2.url(&served, "")] {
        let Some(nghttp) = peer("nghttp") else { return };
        let asked = |arguments: &[&str]| Haul::new(&nghttp).args(arguments).run().expect_code(0);
        let whole =
            asked(&["-H", OWNER.replace("Authorization", "authorization").as_str(), &format!("{url}/f")]);
        assert!(whole.stdout == FILE.bytes(0..FILE.size()), "{} bytes", whole.stdout.len());
        let many = asked(&["-m", "50", "-n", "-s", &format!("{url}/f")]);
        let told = String::from_utf8(many.stdout).unwrap();
        assert_eq!(
            told.lines().filter(|line| line.contains(" 200 ") && line.ends_with("/f")).count(),
            50,
            "{told}"
        );
        // A small window: the server sends no more than it may.
        let narrow = asked(&["-w", "10", "-W", "10", &format!("{url}/f")]);
        assert!(narrow.stdout == FILE.bytes(0..FILE.size()), "{} bytes", narrow.stdout.len());
        let Some(h2load) = peer("h2load") else { return };
        let load = Haul::new(h2load).args(["-n", "2000", "-c", "8", "-m", "20", &format!("{url}/small")]);
        let told = String::from_utf8(load.run().expect_code(0).stdout).unwrap();
        assert!(told.contains("2000 succeeded, 0 failed") && told.contains("2000 2xx"), "{told}");
    }
}

#[test]
fn a_server_that_is_told_to_stop_ends_what_it_has_begun() {
    let place = Place::new();
    FILE.write_to(place.far("f"));
    let served = place.serve().http().start();
    let mut idle = HttpCaller::to(served.http_addr());
    idle.asks(request("HEAD", "/f", &[OWNER], None)).expect(200);
    let mut sending = HttpCaller::to(served.http_addr());
    sending.sends(request("PUT", "/up", &[OWNER, "Content-Length: 4", "Expect: 100-continue"], None));
    assert_eq!(sending.next_head().unwrap().status, 100, "it has begun");
    sending.sends("hal");
    served.process().terminate();
    assert!(idle.is_ended(), "nothing was asked for");
    sending.sends("f");
    sending.answer("PUT").expect(201);
    assert!(sending.is_ended());
    assert_eq!(served.wait().code, Some(0));
    assert_eq!(fs::read(place.far("up")).unwrap(), b"half");
}

#[test]
fn the_server_tells_how_it_is_and_what_it_did() {
    let place = Place::new();
    fs::write(place.far("f"), "0123456789").unwrap();
    let served = place.serve().arg("--tls-self-signed").http().https().start();
    let addr = served.http_addr();
    let health = ask(addr, "GET", "/-/health", &[]).expect(200);
    assert_eq!(
        (health.field("Content-Type"), health.text().trim()),
        (Some("application/json"), r#"{"status":"ok"}"#)
    );
    assert_eq!(health.field("Cache-Control"), Some("no-store"));
    get(addr, "/f");
    ask(addr, "GET", "/absent", &[OWNER]).expect(404);
    scene::http::send(addr, "PUT", "/up", &[OWNER], b"12345").expect(201);
    let metrics = ask(addr, "GET", "/-/metrics", &[]).expect(200);
    assert_eq!(metrics.field("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = metrics.text();
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}:\n{text}")).parse().unwrap()
    };
    assert_eq!(value("haul_transfer_bytes_total{door=\"http\",direction=\"down\"}") as u64, 10);
    assert_eq!(value("haul_transfer_bytes_total{door=\"http\",direction=\"up\"}") as u64, 5);
    assert!(value("haul_answers_total{door=\"http\",class=\"2xx\"}") >= 3.0);
    assert_eq!(value("haul_answers_total{door=\"http\",class=\"4xx\"}") as u64, 1);
    assert!(
        value("haul_sessions{door=\"http\"}") >= 1.0 && value("haul_sessions_total{door=\"http\"}") >= 4.0
    );
    // Each has its kind told before its first value, and nobody's name is in it.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        // A distribution is told in three parts.
        let parts = ["_bucket", "_sum", "_count"].map(|part| name.strip_suffix(part));
        let names = parts.into_iter().flatten().chain([name]);
        let kind = names.filter_map(|name| text.find(&format!("# TYPE {name} "))).next().unwrap();
        assert!(kind < text.find(line).unwrap(), "{line}");
    }
    assert_eq!(ask(addr, "POST", "/-/health", &[]).status(), 405);
    assert!(matches!(ask(addr, "PUT", "/-/health", &[OWNER]).status(), 404 | 405));
    for way in WAYS {
        let Some(heard) = curl(way, place.dir(), &[], &way.url(&served, "/-/health")) else { return };
        assert_eq!(heard.status, 200, "{way:?}");
    }
}

#[test]
fn a_folder_is_told_as_json() {
    let place = Place::new();
    fs::create_dir_all(place.far("d/sub")).unwrap();
    for name in ["b", "a \"quoted\" <&>", "é", "%41"] {
        fs::write(place.far("d").join(name), name).unwrap();
    }
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let list = ask(addr, "GET", "/d/", &[OWNER, "Accept: application/json"]).expect(200);
    assert_eq!(list.field("Content-Type"), Some("application/json"));
    let told: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    let entries = told["entries"].as_array().unwrap();
    assert_eq!((told["path"].as_str(), entries.len()), (Some("/d/"), 5));
    for entry in entries {
        let (name, href) = (entry["name"].as_str().unwrap(), entry["href"].as_str().unwrap());
        if name == "sub" {
            assert_eq!((entry["type"].as_str(), href), (Some("folder"), "/d/sub/"));
        } else {
            assert_eq!(entry["size"].as_u64(), Some(name.len() as u64));
            assert_eq!(get(addr, href), name.as_bytes(), "{href}");
        }
    }
    // Without its slash a folder is elsewhere, whatever the query.
    let moved = ask(addr, "GET", "/d?x=y", &[OWNER]);
    assert_eq!((moved.status(), moved.field("Location")), (308, Some("/d/?x=y")));
}
