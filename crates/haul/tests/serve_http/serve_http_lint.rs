//! What those who wrote parts of HTTP's specifications find in haul's answers: httplint reads them as they came, redbot
//! asks by itself.

use std::fs;

use haul_testkit::{Content, HttpCaller};

use crate::scene::{
    http::{OWNER, etag, request},
    lint::{Level, assert_clean, httplint, redbot},
    served::Place,
};

const WRONG: &str = "Authorization: Basic YTp3cm9uZw==";

#[test]
fn httplint_finds_nothing_in_any_answer() {
    let place = Place::new();
    Content::new(1, 20_000).write_to(place.far("f.bin"));
    fs::write(place.far("t.txt"), "text\n").unwrap();
    fs::create_dir(place.far("d")).unwrap();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let tag = etag(addr, "/f.bin");
    let (right, same) = (format!("If-None-Match: {tag}"), format!("If-Range: {tag}"));
    for (method, path, fields, status) in [
        ("GET", "/f.bin", &[OWNER][..], 200),
        ("GET", "/t.txt", &[OWNER], 200),
        ("GET", "/f.bin?download", &[OWNER], 200),
        ("HEAD", "/f.bin", &[OWNER], 200),
        ("GET", "/f.bin", &[OWNER, "Want-Repr-Digest: sha-256=1"], 200),
        ("GET", "/f.bin", &[OWNER, "Range: bytes=0-99"], 206),
        ("GET", "/f.bin", &[OWNER, "Range: bytes=0-99", &same], 206),
        ("GET", "/f.bin", &[OWNER, "Range: bytes=0-99,200-299"], 206),
        ("GET", "/f.bin", &[OWNER, &right], 304),
        ("HEAD", "/f.bin", &[OWNER, &right], 304),
        ("GET", "/f.bin", &[OWNER, "If-Match: \"other\""], 412),
        ("GET", "/f.bin", &[OWNER, "Range: bytes=20000-"], 416),
        ("GET", "/absent", &[OWNER], 404),
        ("HEAD", "/absent", &[OWNER], 404),
        ("GET", "/f.bin", &[WRONG], 401),
        ("PUT", "/f.bin", &[], 401),
        ("GET", "/f.bin", &[OWNER, "Host: evil.example"], 421),
        ("DELETE", "/f.bin", &[OWNER, "Origin: https://evil.example"], 403),
        ("GET", "/", &[OWNER, "Accept: application/json"], 200),
        ("GET", "/", &[OWNER], 200),
        ("HEAD", "/", &[OWNER], 200),
        ("GET", "/d", &[OWNER], 308),
        ("OPTIONS", "/f.bin", &[OWNER], 204),
        ("TRACE", "/f.bin", &[OWNER], 405),
        ("GET", "/%2e%2e/", &[OWNER], 400),
        ("MKCOL", "/d", &[OWNER], 405),
        ("MKCOL", "/e", &[OWNER], 201),
        ("MOVE", "/e", &[OWNER, "Destination: /g"], 201),
        ("DELETE", "/g", &[OWNER], 204),
        ("GET", "/-/health", &[], 200),
        ("GET", "/-/metrics", &[], 200),
        ("PUT", "/new", &[OWNER, "Content-Length: 0"], 201),
        ("PUT", "/new", &[OWNER, "Content-Length: 0"], 204),
        ("PUT", "/d", &[OWNER, "Content-Length: 0"], 409),
    ] {
        let answer = HttpCaller::to(addr).asks(request(method, path, fields, None)).expect(status);
        let all = [fields, &["Host: localhost"][..]].concat();
        let all: Vec<&str> =
            if fields.iter().any(|field| field.starts_with("Host")) { fields.to_vec() } else { all };
        let Some(notes) = httplint(method, path, &all, &answer.raw) else { return };
        println!("{method} {path} {fields:?} {status}");
        // That a 400 is one is no news. It misses what a message of several parts must not have (RFC 9110 §15.3.7.2).
        let wrongly = answer.field("Content-Type").is_some_and(|kind| kind.starts_with("multipart/"));
        assert_clean(&notes, if wrongly { &["PARTIAL_WITHOUT_RANGE"] } else { &["STATUS_BAD_REQUEST"] });
    }
}

#[test]
fn redbot_finds_nothing_whatever_it_asks() {
    let place = Place::new();
    Content::new(1, 20_000).write_to(place.far("f.bin"));
    fs::write(place.far("t.txt"), "text\n".repeat(1000)).unwrap();
    let served = place.serve().args(["--anonymous", "off"]).http().start();
    for path in ["/f.bin", "/t.txt"] {
        let url = format!("http://{}{path}", served.http_addr());
        let Some(notes) = redbot(&url, &[OWNER]) else { return };
        for right in ["INM_304", "IMS_304", "RANGE_CORRECT"] {
            assert!(notes.iter().any(|note| note.name == right && note.level == Level::Good), "{notes:#?}");
        }
        assert_clean(&notes, &[]);
    }
    for path in ["/", "/absent", "/-/health"] {
        let url = format!("http://{}{path}", served.http_addr());
        assert_clean(&redbot(&url, &[OWNER]).unwrap(), &[]);
    }
}
