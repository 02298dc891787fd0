//! Checksums that come behind the content (tus, checksum-trailer), over HTTP/1.1 and HTTP/2: right, wrong, cut off,
//! missing and too much. What was announced and not proved leaves nothing behind.

use crate::scene;
use std::{io::Write as _, net::TcpStream};

use haul_testkit::{Content, HttpCaller};
use sha2::{Digest, Sha256};

use crate::scene::{
    MIB,
    h2::{DATA, END_HEADERS, END_STREAM, H2, HEADERS, PREFACE, SETTINGS, frame, literals},
    http::OWNER,
    served::{Place, part},
    tls::{certificates, certified},
    tus::{BYTES, Tus, V1, base64, filename, location, offset_of, unseen},
    wait_until,
};

const LEN: u64 = 2 * MIB + 3;
const CONTENT: Content = Content::new(1, LEN);
const ANNOUNCED: &str = "Trailer: Upload-Checksum";

fn sum(bytes: &[u8]) -> String {
    format!("Upload-Checksum: sha256 {}", base64(&Sha256::digest(bytes)))
}

/// A chunk of HTTP/1.1.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The last chunk with these fields behind it.
fn trailers(fields: &[&str]) -> Vec<u8> {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("0\r\n{fields}\r\n").into_bytes()
}

/// The head of a PATCH in chunks.
fn head(ann: &Tus, url: &str, at: u64, more: &[&str]) -> Vec<u8> {
    let offset = offset_of(at);
    let fields: Vec<&str> =
        [V1, BYTES, &offset, "Transfer-Encoding: chunked"].iter().chain(more).copied().collect();
    ann.head("PATCH", url, &fields).into_bytes()
}

/// A PATCH in chunks, all at once; its status and offset, where there is an answer.
fn patch(ann: &Tus, url: &str, at: u64, more: &[&str], rest: &[u8]) -> Option<(u16, Option<u64>)> {
    let mut caller = ann.caller();
    // It may hang up on who still sends.
    let _ = caller.tries([head(ann, url, at, more), rest.to_vec()].concat());
    let answer = caller.hears("PATCH")?;
    Some((answer.status(), answer.head.number("Upload-Offset")))
}

#[test]
fn a_checksum_may_come_behind_the_content() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let offered = ann.says("OPTIONS", "/-/tus", &[], b"").expect(204);
    let extensions: Vec<&str> = offered.field("Tus-Extension").unwrap().split(',').collect();
    assert!(extensions.contains(&"checksum") && extensions.contains(&"checksum-trailer"), "{extensions:?}");
    let url = ann.creates("/", "f", LEN);
    let mut at = 0;
    for (to, announced) in [(1, ANNOUNCED), (MIB, "trailer: Expires, upload-checksum"), (LEN, ANNOUNCED)] {
        let bytes = part(CONTENT, at, to);
        for wrong in ["Upload-Checksum: md5 XUFAKrxLKna5cZ2REBfFkg==".to_owned(), sum(&bytes[1..])] {
            let rest = [chunk(&bytes), trailers(&[&wrong])].concat();
            assert_eq!(patch(&ann, &url, at, &[announced], &rest), Some((460, Some(at))), "{wrong}");
            assert_eq!(ann.offset(&url), at);
            assert!(unseen(&place.far("f")));
        }
        // In many chunks, and with other fields around it.
        let chunks: Vec<u8> = bytes.chunks(100_000).flat_map(chunk).collect();
        let rest = [chunks, trailers(&["X: y", &sum(&bytes), "Content-Digest: sha-256=:AAAA:"])].concat();
        assert_eq!(patch(&ann, &url, at, &[announced], &rest), Some((204, Some(to))));
        at = to;
    }
    CONTENT.assert_file_is(place.far("f"));
}

#[test]
fn a_creation_may_have_its_checksum_behind_its_content() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let creates = |name: &str, said: &[u8]| {
        let fields =
            [V1, BYTES, "Upload-Length: 5", &filename(name), "Transfer-Encoding: chunked", ANNOUNCED];
        let rest = [chunk(b"hello"), trailers(&[&sum(said)])].concat();
        ann.caller().asks([ann.head("POST", "/", &fields).as_bytes(), &rest].concat())
    };
    creates("right", b"hello").expect(201);
    assert_eq!(std::fs::read(place.far("right")).unwrap(), b"hello");
    let wrong = creates("wrong", b"hullo");
    assert_eq!(wrong.status(), 460, "{}", wrong.text());
    assert!(unseen(&place.far("wrong")));
    // It was created, and nothing came to it.
    assert_eq!(ann.offset(&location(&wrong)), 0);
}

#[test]
fn of_content_whose_announced_checksum_does_not_come_nothing_is_kept() {
    let place = Place::new();
    let mut served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", LEN);
    ann.sends(&url, 0, &part(CONTENT, 0, 1000)).expect(204);
    let bytes = part(CONTENT, 1000, LEN);
    let right = sum(&bytes);
    // All of it came, with which the upload has all that was declared.
    let whole = chunk(&bytes);
    let (missing, cut) = (trailers(&[]), trailers(&[&right]));
    let cuts = [
        whole[..MIB as usize].to_vec(),
        whole.clone(),
        [&whole[..], b"0\r\n"].concat(),
        [&whole[..], &cut[..cut.len() / 2]].concat(),
        // Only the empty line behind it is missing, or its half.
        [&whole[..], &cut[..cut.len() - 2]].concat(),
        [&whole[..], &cut[..cut.len() - 1]].concat(),
    ];
    for end in [HttpCaller::resets, drop, |caller: HttpCaller| caller.shuts()] {
        for cut in &cuts {
            let mut caller = ann.caller();
            caller.sends([head(&ann, &url, 1000, &[ANNOUNCED]), cut.clone()].concat());
            scene::tus::taken(&caller);
            end(caller);
            assert_eq!(ann.offset(&url), 1000, "{} bytes", cut.len());
            assert!(unseen(&place.far("f")));
        }
    }
    for cut in &cuts {
        let mut caller = ann.caller();
        caller.sends([head(&ann, &url, 1000, &[ANNOUNCED]), cut.clone()].concat());
        scene::tus::taken(&caller);
        served = served.killed_and_started_again();
        assert_eq!(ann.offset(&url), 1000, "{} bytes, and then the server was killed", cut.len());
        assert!(unseen(&place.far("f")));
    }
    // It ends as a message ends, and without it, or with something that is none.
    let told = |fields: &[&str]| {
        patch(&ann, &url, 1000, &[ANNOUNCED], &[whole.clone(), trailers(fields)].concat()).unwrap()
    };
    assert_eq!(told(&[]), (460, Some(1000)));
    assert_eq!(missing, b"0\r\n\r\n");
    for bad in ["Upload-Checksum: sha256", "Upload-Checksum: crc32 AAAAAA==", "Upload-Checksum:"] {
        assert_eq!(told(&[bad]), (400, Some(1000)), "{bad}");
    }
    assert_eq!(told(&[&right, "Upload-Checksum: md5 XUFAKrxLKna5cZ2REBfFkg=="]), (400, Some(1000)));
    // What has a length has nothing behind it.
    let plain = ann.asks("PATCH", &url, &[BYTES, "Upload-Offset: 1000", ANNOUNCED], &bytes);
    assert_eq!((plain.status(), plain.head.number("Upload-Offset")), (460, Some(1000)));
    // Before and behind at once.
    let twice = patch(&ann, &url, 1000, &[ANNOUNCED, &right], &[whole.clone(), cut].concat());
    assert!(twice.is_none_or(|(status, _)| status == 400), "{twice:?}");
    assert_eq!((ann.offset(&url), told(&[&right])), (1000, (204, Some(LEN))));
    CONTENT.assert_file_is(place.far("f"));
    drop(served);
}

#[test]
fn trailers_without_end_are_cut_off_and_prove_nothing() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 5);
    let right = sum(b"hello");
    let many: Vec<String> = (0..10_000).map(|number| format!("X-{number}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain([right.as_str()]).collect();
    let long = format!("X: {}", "y".repeat(1 << 20));
    for fields in [&many[..], &[&long, &right], &["no field at all", &right], &["X y: z", &right]] {
        let heard = patch(&ann, &url, 0, &[ANNOUNCED], &[chunk(b"hello"), trailers(fields)].concat());
        assert!(heard.is_none_or(|(status, _)| status == 400), "{heard:?} of {} fields", fields.len());
        assert_eq!(ann.offset(&url), 0);
    }
    // As many as a head may have.
    let some = [&many[..90], &[&right]].concat();
    let heard = patch(&ann, &url, 0, &[ANNOUNCED], &[chunk(b"hello"), trailers(&some)].concat());
    assert_eq!(heard, Some((204, Some(5))));
}

#[test]
fn what_was_not_announced_is_not_looked_at() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 10);
    for (at, announced) in [(0, "Trailer: X-Upload-Checksum"), (5, "X: y")] {
        let rest = [chunk(b"hello"), trailers(&[&sum(b"hullo")])].concat();
        assert_eq!(patch(&ann, &url, at, &[announced], &rest), Some((204, Some(at + 5))));
    }
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"hellohello");
    // Nor is any in another dialect.
    let put = [
        &b"PUT /g HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpzZWNyZXQ=\r\n"[..],
        b"Trailer: Upload-Checksum, Content-Digest\r\nTransfer-Encoding: chunked\r\n\r\n",
        &chunk(b"hello"),
        &trailers(&[&sum(b"hullo"), "Content-Digest: sha-256=:AAAA:", "Repr-Digest: sha-256=:AAAA:"]),
    ];
    ann.caller().asks(put.concat()).expect(201);
    assert_eq!(std::fs::read(place.far("g")).unwrap(), b"hello");
}

#[test]
fn checksums_come_behind_the_content_over_http2_as_well() {
    let place = Place::new();
    let served = certified(place.serve()).http().https().start();
    let ann = Tus::owner(served.http_addr());
    let clear = H2::to(served.http_addr());
    let secured = H2::to_tls(served.https_addr(), certificates());
    for (name, h2) in [("clear", &clear), ("secured", &secured)] {
        let url = ann.creates("/", name, LEN);
        let begins = |at: u64, to: u64, announced: &str| {
            let mut patch = h2.begins("PATCH", &url, &[OWNER, V1, BYTES, &offset_of(at), announced]);
            patch.sends(&part(CONTENT, at, to));
            patch
        };
        let mut wrong = begins(0, LEN, ANNOUNCED);
        wrong.trails(&[&sum(b"other")]);
        assert_eq!(wrong.ends().expect(460).number("Upload-Offset"), Some(0), "{name}");
        assert_eq!(begins(0, LEN, ANNOUNCED).ends().expect(460).number("Upload-Offset"), Some(0), "missing");
        let mut other = begins(0, LEN, ANNOUNCED);
        other.trails(&["X: y"]);
        other.ends().expect(460);
        begins(0, LEN, ANNOUNCED).resets(h2::Reason::NO_ERROR);
        begins(0, LEN, ANNOUNCED).resets(h2::Reason::CANCEL);
        assert_eq!(ann.offset(&url), 0);
        assert!(unseen(&place.far(name)));
        let mut right = begins(0, 1000, ANNOUNCED);
        right.trails(&["X: y", &sum(&part(CONTENT, 0, 1000))]);
        assert_eq!(right.ends().expect(204).number("Upload-Offset"), Some(1000));
        let mut unannounced = begins(1000, 2000, "X: y");
        unannounced.trails(&[&sum(b"other")]);
        assert_eq!(unannounced.ends().expect(204).number("Upload-Offset"), Some(2000));
        let mut last = begins(2000, LEN, ANNOUNCED);
        last.trails(&[&sum(&part(CONTENT, 2000, LEN))]);
        assert_eq!(last.ends().expect(204).number("Upload-Offset"), Some(LEN));
        CONTENT.assert_file_is(place.far(name));
    }
}

#[test]
fn trailers_over_http2_that_are_cut_or_too_large_prove_nothing() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 5);
    let right = sum(b"hello");
    let right = literals(&[("upload-checksum", right.strip_prefix("Upload-Checksum: ").unwrap())]);
    let field = literals(&[("x", &"y".repeat(100))]);
    let begun = || {
        let fields = [
            (":method", "PATCH"),
            (":scheme", "http"),
            (":path", &url),
            (":authority", "localhost"),
            ("authorization", "Basic YTpzZWNyZXQ="),
            ("tus-resumable", "1.0.0"),
            ("content-type", "application/offset+octet-stream"),
            ("upload-offset", "0"),
            ("trailer", "upload-checksum"),
        ];
        let head = frame(HEADERS, END_HEADERS, 1, &literals(&fields));
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &head, &frame(DATA, 0, 1, b"hello")].concat()
    };
    let ends = [
        // Cut between two of its frames, and in the middle of one.
        frame(HEADERS, END_STREAM, 1, &right),
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &right)[..20].to_vec(),
        // Trailers that do not end the stream are none (RFC 9113 §8.1).
        frame(HEADERS, END_HEADERS, 1, &right),
        // More than a head may have, in one frame after the other.
        [
            frame(HEADERS, END_STREAM, 1, &field.repeat(100)),
            frame(9, 0, 1, &field.repeat(100)).repeat(20),
            frame(9, END_HEADERS, 1, &right),
        ]
        .concat(),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let mut stream = TcpStream::connect(served.http_addr()).unwrap();
        // It may hang up before all of it has come.
        let _ = stream.write_all(&[begun(), end].concat());
        let caller = HttpCaller::over(stream.try_clone().unwrap());
        wait_until(|| scene::queued(caller.port()).unwrap_or(0) == 0);
        drop((caller, stream));
        assert_eq!(ann.offset(&url), 0, "{number}");
        assert!(unseen(&place.far("f")));
    }
    // The same request, and a trailer that is right.
    let mut stream = TcpStream::connect(served.http_addr()).unwrap();
    stream.write_all(&[begun(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &right)].concat()).unwrap();
    wait_until(|| std::fs::read(place.far("f")).is_ok_and(|bytes| bytes == b"hello"));
}
