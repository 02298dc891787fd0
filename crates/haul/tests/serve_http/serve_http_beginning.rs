//! What is there of an unfinished upload is read back over the real HTTP door by whoever owns it, whichever protocol
//! began it: whole, in ranges, by its digest, beside the request that brings more.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use haul_testkit::{Content, Haul, http_caller::Answer, real::peer};
use sha2::{Digest as _, Sha256, Sha512};

use crate::scene::{
    served::{Place, left_unfinished, part},
    uploading::{Ask, Draft, Known, filename, listed, location, tus},
    wait_until,
};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN);
const DRAFT: Draft = Draft(9);

/// The URL of the only unfinished upload at a path, and its offset.
#[track_caller]
fn url_of(addr: SocketAddr, path: &str) -> (String, u64) {
    let told = listed(addr, path);
    (told[0]["url"].as_str().unwrap().to_owned(), told[0]["offset"].as_u64().unwrap())
}

fn piece(path: &str, from: u64, to: u64, total: u64) -> Ask {
    Ask::new("PUT", path).range(format!("{from}-{}/{total}", to - 1))
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

/// What no answer may lack that has bytes of an unfinished upload, and what none may have.
#[track_caller]
fn is_no_version(answer: &Answer, offset: u64) {
    assert_eq!(answer.head.number("Upload-Offset"), Some(offset));
    for (name, value) in [
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "sandbox"),
        ("X-Content-Type-Options", "nosniff"),
        ("Accept-Ranges", "bytes"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{:?}", answer.head);
    }
    for name in ["ETag", "Last-Modified"] {
        assert_eq!(answer.field(name), None, "{:?}", answer.head);
    }
}

/// Four uploads, each begun in another protocol.
fn begun_in_each(place: &Place) -> (haul_testkit::Served, Vec<&'static str>) {
    let served = place.serve().http().start();
    let addr = served.http_addr();
    left_unfinished(served.addr(), "ftp", &part(NEW, 0, 100_001));
    piece("/put", 0, 100_000, LEN).brings(addr, &part(NEW, 0, 100_000)).expect(308);
    DRAFT.creates(Ask::new("POST", "/draft"), false).brings(addr, &part(NEW, 0, 100_000)).expect(201);
    let created = tus("POST", "/-/tus").with("Upload-Length", LEN).with("Upload-Metadata", filename("tus"));
    let created = created.with("Content-Type", "application/offset+octet-stream");
    created.brings(addr, &part(NEW, 0, 100_000)).expect(201);
    (served, vec!["/ftp", "/put", "/draft", "/tus"])
}

#[test]
fn the_owner_reads_back_what_is_there_of_an_upload_begun_in_any_protocol() {
    let place = Place::new();
    let (served, paths) = begun_in_each(&place);
    let addr = served.http_addr();
    for path in paths {
        let (url, offset) = url_of(addr, path);
        assert_eq!(offset, 100_000, "{path}");
        let whole = Ask::new("GET", &url).to(addr).expect(200);
        is_no_version(&whole, offset);
        assert!(whole.body == part(NEW, 0, offset), "{path}");
        let one = Ask::new("GET", &url).with("Range", "bytes=70000-").to(addr).expect(206);
        is_no_version(&one, offset);
        assert_eq!(one.field("Content-Range"), Some("bytes 70000-99999/100000"));
        assert!(one.body == part(NEW, 70_000, offset), "{path}");
        let several = Ask::new("GET", &url).with("Range", "bytes=0-9,50000-50009").to(addr).expect(206);
        let kind = several.field("Content-Type").unwrap();
        assert!(kind.starts_with("multipart/byteranges"), "{kind}");
        let there = |wanted: Vec<u8>| several.body.windows(10).any(|window| window == wanted);
        assert!(there(part(NEW, 0, 10)) && there(part(NEW, 50_000, 50_010)), "{path}");
        let past = Ask::new("GET", &url).with("Range", "bytes=100000-").to(addr).expect(416);
        assert_eq!(past.field("Content-Range"), Some("bytes */100000"));
        // Whatever version a client has in mind, this is none.
        let tagged = Ask::new("GET", &url).with("Range", "bytes=0-9").with("If-Range", "\"x\"");
        assert_eq!(tagged.to(addr).expect(200).body.len(), 100_000);
        // It is as it was, and nobody else's.
        assert_eq!(url_of(addr, path), (url.clone(), offset));
        Ask::stranger("GET", &url).to(addr).expect(404);
        assert!([401, 404].contains(&Ask::nameless("GET", &url).to(addr).status()));
        let ended = DRAFT.appends(&url, offset, true).brings(addr, &part(NEW, offset, LEN));
        assert_eq!(Known::of(&ended, DRAFT), Known { offset: LEN, complete: true });
        NEW.assert_file_is(place.far(&path[1..]));
        // What is finished has a URL of its own.
        assert!(Ask::new("GET", &url).to(addr).expect(204).body.is_empty());
    }
}

#[test]
fn a_digest_is_of_exactly_what_is_there() {
    let place = Place::new();
    let (served, paths) = begun_in_each(&place);
    let addr = served.http_addr();
    for path in paths {
        let (url, offset) = url_of(addr, path);
        let there = part(NEW, 0, offset);
        let wanted = sha256(&there);
        let head = Ask::new("HEAD", &url).with("Want-Repr-Digest", "sha-256=1").to(addr).expect(204);
        assert_eq!(head.field("Repr-Digest"), Some(wanted.as_str()), "{path}");
        assert_eq!(head.head.number("Upload-Offset"), Some(offset));
        let head = tus("HEAD", &url).with("Want-Repr-Digest", "sha-256=1").to(addr).expect(200);
        assert_eq!(head.field("Repr-Digest"), Some(wanted.as_str()), "{path}");
        // Of a range, too, it is that of all that is there.
        let get = Ask::new("GET", &url).with("Range", "bytes=0-0").with("Want-Repr-Digest", "sha-512=9");
        let wide = format!("sha-512=:{}:", STANDARD.encode(Sha512::digest(&there)));
        assert_eq!(get.to(addr).expect(206).field("Repr-Digest"), Some(wide.as_str()), "{path}");
        assert_eq!(Ask::new("HEAD", &url).to(addr).expect(204).field("Repr-Digest"), None);
    }
}

#[test]
fn a_digest_is_of_the_bytes_that_are_there_now_and_not_of_those_before_them() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let asked = |url: &str| {
        let head = Ask::new("HEAD", url).with("Want-Repr-Digest", "sha-256=1").to(addr).expect(204);
        head.field("Repr-Digest").map(str::to_owned)
    };
    piece("/f", 0, 2000, LEN).brings(addr, &part(OLD, 0, 2000)).expect(308);
    let (url, _) = url_of(addr, "/f");
    assert_eq!(asked(&url), Some(sha256(&part(OLD, 0, 2000))));
    // The same upload, with as many bytes, which are others.
    piece("/f", 1000, 2000, LEN).brings(addr, &part(NEW, 1000, 2000)).expect(308);
    assert_eq!(url_of(addr, "/f"), (url.clone(), 2000));
    assert_eq!(asked(&url), Some(sha256(&[part(OLD, 0, 1000), part(NEW, 1000, 2000)].concat())));
}

#[test]
fn an_upload_without_a_byte_is_read_back_as_nothing() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let created = DRAFT.creates(Ask::new("POST", "/f"), false).brings(addr, b"").expect(201);
    let url = location(&created.head);
    let got = Ask::new("GET", &url).with("Range", "bytes=0-").with("Want-Repr-Digest", "sha-256=1");
    let got = got.to(addr).expect(200);
    is_no_version(&got, 0);
    assert!(got.body.is_empty());
    assert_eq!(got.field("Repr-Digest"), Some(sha256(b"").as_str()));
}

#[test]
fn who_reads_back_does_not_end_the_request_that_brings_more() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let created = DRAFT.creates(Ask::new("POST", "/f"), false).with("Upload-Length", LEN);
    let url = location(&created.brings(addr, b"").expect(201).head);
    let mut bringing = DRAFT.appends(&url, 0, true).begins(addr, Some(LEN));
    let mut sent = 0;
    for end in [50_000, 120_000, 200_000] {
        bringing.sends(&part(NEW, sent, end));
        bringing.is_taken();
        sent = end;
        // Taken from the socket is not yet received.
        wait_until(|| {
            let got = Ask::new("GET", &url).with("Want-Repr-Digest", "sha-256=1").to(addr).expect(200);
            let offset = got.head.number("Upload-Offset").unwrap();
            assert!(got.body == part(NEW, 0, offset), "{offset}");
            assert_eq!(got.field("Repr-Digest"), Some(sha256(&got.body).as_str()));
            offset == sent
        });
    }
    bringing.sends(&part(NEW, sent, LEN));
    let ended = bringing.ends();
    assert_eq!(ended.status() / 100, 2, "{ended:?}");
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn what_is_taken_back_while_it_is_read_never_ends_well() {
    const LONG: u64 = 48 << 20;
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let content = Content::new(7, LONG);
    piece("/f", 0, LONG, LONG + 1).brings(addr, &part(content, 0, LONG)).expect(308);
    let (url, offset) = url_of(addr, "/f");
    assert_eq!(offset, LONG);
    // A client that reads the head, and for a while no more.
    let mut stream = TcpStream::connect(addr).unwrap();
    let ask = format!("GET {url} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpzZWNyZXQ=\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", head.escape_ascii());
    piece("/f", LONG - 1000, LONG, LONG + 1).brings(addr, &part(OLD, 0, 1000)).expect(308);
    let mut body = Vec::new();
    // FIN or RST: either way it is less than was told.
    let _ = stream.read_to_end(&mut body);
    assert!((body.len() as u64) < LONG, "{}", body.len());
}

#[test]
fn curl_reads_back_a_range() {
    let (Some(curl), place) = (peer("curl"), Place::new()) else { return };
    let served = place.serve().http().start();
    piece("/f", 0, 2000, LEN).brings(served.http_addr(), &part(NEW, 0, 2000)).expect(308);
    let (url, _) = url_of(served.http_addr(), "/f");
    let url = served.http_url(&url);
    let end = Haul::new(curl).args(["-q", "-sS", "-f", "-u", "a:secret", "-r", "1500-", &url]).run();
    assert!(end.expect_code(0).stdout == part(NEW, 1500, 2000));
}

#[test]
fn every_answer_says_that_it_is_haul_s() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for (method, path) in [
        ("OPTIONS", "/"),
        ("OPTIONS", "*"),
        ("HEAD", "/"),
        ("GET", "/nothing"),
        ("GET", "/-/health"),
        ("PUT", "/"),
    ] {
        let answer = Ask::new(method, path).to(addr);
        let server = answer.field("Server").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
        assert_eq!(server, concat!("haul/", env!("CARGO_PKG_VERSION")), "{method} {path}");
    }
}
