//! Requests over HTTP that nobody means well with: each gets an answer that says no, or an end, and nothing it should not
//! have; and whoever comes next is served as ever.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use haul_testkit::{Content, HttpCaller, Served, http_caller::Answer};

use crate::scene::{
    MIB, files,
    http::{OWNER, ask, get, request, send},
    served::Place,
    wait_until,
};

fn served() -> (Place, Served) {
    let place = Place::new();
    fs::write(place.far("f"), "0123456789").unwrap();
    let served = place.serve().http().start();
    (place, served)
}

/// All the answers to these bytes, until the connection ends.
#[track_caller]
fn answers(addr: SocketAddr, bytes: &[u8], methods: &[&str]) -> Vec<Answer> {
    let mut caller = HttpCaller::to(addr).patience(Duration::from_secs(20));
    // It may hang up before it has heard it all.
    let _ = caller.tries(bytes);
    caller.shuts();
    methods.iter().map_while(|method| caller.hears(method)).collect()
}

/// These bytes are answered with one refusal, and then the connection ends: what stands behind them is no request.
#[track_caller]
fn is_refused(addr: SocketAddr, bytes: &[u8], statuses: &[u16]) {
    let behind = format!("GET /f HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\n\r\n");
    let heard = answers(addr, &[bytes, behind.as_bytes()].concat(), &["GET", "GET"]);
    let told: Vec<u16> = heard.iter().map(Answer::status).collect();
    let text = bytes.escape_ascii().to_string();
    let text = text.get(..200).unwrap_or(&text);
    assert!(told.len() <= 1, "a second answer {told:?} to {text}");
    for answer in &heard {
        assert!(statuses.contains(&answer.status()), "{told:?} to {text}");
        assert!(!answer.text().contains("0123456789"), "{text}");
    }
    assert!(!heard.is_empty() || statuses.contains(&0), "no answer to {text}");
}

#[test]
fn whatever_ranges_are_asked_for_the_answer_is_bounded() {
    let place = Place::new();
    let content = Content::new(1, 8 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().http().start();
    let before = served.process().resident().unwrap();
    let many = |count: usize, range: fn(usize) -> String| {
        let ranges: Vec<String> = (0..count).map(range).collect();
        format!("Range: bytes={}", ranges.join(","))
    };
    for field in [
        many(1300, |n| format!("5-{n}")),
        many(1300, |_| "0-".to_owned()),
        many(1300, |n| format!("{}-{}", n * 2, n * 2)),
        many(1300, |n| format!("-{n}")),
        many(1300, |n| format!("{n}-")),
        many(16, |n| format!("{n}-8000000")),
    ] {
        let mut caller = HttpCaller::to(served.http_addr());
        let answer = caller.asks(request("GET", "/f", &[OWNER, &field], None));
        assert!(answer.whole && matches!(answer.status(), 200 | 206), "{:?}", answer.head);
        assert!(answer.body.len() as u64 <= 8 * MIB + 4096, "{} bytes", answer.body.len());
        if answer.status() == 200 {
            assert!(answer.body == content.bytes(0..content.size()));
        }
    }
    let grown = served.process().resident().unwrap().saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes more");
}

#[test]
fn heads_without_measure_are_refused() {
    let (_place, served) = served();
    let addr = served.http_addr();
    let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
    is_refused(addr, format!("GET /f HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes(), &[431, 0]);
    let long = "y".repeat(1 << 20);
    is_refused(
        addr,
        format!("GET /f HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n").as_bytes(),
        &[431, 0],
    );
    is_refused(addr, format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes(), &[414, 431, 0]);
    let name = "x".repeat(70_000);
    is_refused(
        addr,
        format!("GET /f HTTP/1.1\r\nHost: localhost\r\n{name}: y\r\n\r\n").as_bytes(),
        &[400, 431, 0],
    );
    // As many as a browser may send are fine.
    let some: String = (0..80).map(|n| format!("X-{n}: y\r\n")).collect();
    let answer =
        HttpCaller::to(addr).asks(format!("GET /f HTTP/1.1\r\nHost: h.localhost\r\n{OWNER}\r\n{some}\r\n"));
    assert_eq!(answer.expect(200).body, b"0123456789");
}

#[test]
fn two_readings_of_one_message_are_never_possible() {
    let (place, served) = served();
    let addr = served.http_addr();
    let head = |method: &str, path: &str, fields: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\n{fields}\r\n")
    };
    // What hides in the content, should somebody take the wrong end for it.
    let smuggled = head("DELETE", "/f", "");
    let chunked = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for (what, fields, content) in [
        ("two lengths", "Content-Length: 0\r\nContent-Length: 5\r\n", "hello"),
        ("a list of lengths", "Content-Length: 5, 6\r\n", "hello"),
        ("a plus", "Content-Length: +5\r\n", "hello"),
        ("a minus", "Content-Length: -5\r\n", "hello"),
        ("hexadecimal", "Content-Length: 0x5\r\n", "hello"),
        ("a blank within", "Content-Length: 5 0\r\n", "hello"),
        ("no number", "Content-Length: five\r\n", "hello"),
        ("nothing", "Content-Length:\r\n", "hello"),
        ("over 64 bits", "Content-Length: 18446744073709551621\r\n", "hello"),
        ("a blank before the colon", "Content-Length : 5\r\n", "hello"),
        ("a tab before the colon", "Content-Length\t: 5\r\n", "hello"),
        ("a blank before the colon of a coding", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("a folded line", "X: y\r\n Content-Length: 5\r\n", ""),
        ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("no colon", "Content-Length 5\r\n", ""),
        ("a NUL", "X: \0\r\n", ""),
        ("a bare CR", "X: y\rContent-Length: 5\r\n", ""),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n", &chunked),
        ("chunked that is not last", "Transfer-Encoding: chunked, identity\r\n", &chunked),
        ("a coding in quotes", "Transfer-Encoding: \"chunked\"\r\n", &chunked),
        ("a vertical tab", "Transfer-Encoding: \x0bchunked\r\n", &chunked),
        ("a coding and a length", "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n", &chunked),
    ] {
        let message = format!("{}{content}", head("PUT", "/smuggled", fields));
        let behind = head("DELETE", "/f", "");
        let heard = answers(addr, format!("{message}{behind}").as_bytes(), &["PUT", "DELETE", "DELETE"]);
        let told: Vec<u16> = heard.iter().map(Answer::status).collect();
        assert!(matches!(told[..], [] | [400 | 411 | 501]), "{what}: {told:?}");
        assert_eq!(files(place.root()), [".haul", "f"], "{what}");
    }
    // Chunks whose size is none.
    for (what, content) in [
        ("hexadecimal", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a minus", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a blank before", " 5\r\nhello\r\n0\r\n\r\n"),
        ("a blank within", "5 0\r\nhello\r\n0\r\n\r\n"),
        ("no number", "hello\r\nhello\r\n0\r\n\r\n"),
        ("nothing", "\r\nhello\r\n0\r\n\r\n"),
        ("over 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("more than it says", "4\r\nhello\r\n0\r\n\r\n"),
        ("less than it says", "6\r\nhello\r\n0\r\n\r\n"),
        ("a bare LF", "5\nhello\n0\n\n"),
        ("a bare CR", "5\rhello\r\n0\r\n\r\n"),
        ("a line end in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ] {
        let message = format!("{}{content}", head("PUT", "/smuggled", "Transfer-Encoding: chunked\r\n"));
        let heard = answers(addr, message.as_bytes(), &["PUT"]);
        let told: Vec<u16> = heard.iter().map(Answer::status).collect();
        assert!(matches!(told[..], [] | [400]), "{what}: {told:?}");
        assert_eq!(files(place.root()), [".haul", "f"], "{what}");
    }
    // Both ends: the chunks count, and nothing is read behind them (RFC 9112 §6.3).
    let both = head("PUT", "/both", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n");
    let message = format!("{both}{chunked}{}", head("DELETE", "/f", ""));
    let heard = answers(addr, message.as_bytes(), &["PUT", "DELETE"]);
    let told: Vec<u16> = heard.iter().map(Answer::status).collect();
    assert!(matches!(told[..], [] | [400] | [201]), "{told:?}");
    assert!(place.far("f").exists());
    if told == [201] {
        assert_eq!(fs::read_to_string(place.far("both")).unwrap(), smuggled, "by its chunks");
    }
    assert_eq!(get(addr, "/f"), b"0123456789");
}

#[test]
fn content_shorter_or_longer_than_its_length_makes_no_file() {
    let (place, served) = served();
    let addr = served.http_addr();
    let head = format!("PUT /up HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\nContent-Length: 10\r\n\r\n");
    let heard = answers(addr, format!("{head}12345").as_bytes(), &["PUT"]);
    assert!(heard.iter().all(|answer| answer.status() == 400), "{heard:?}");
    assert!(!place.far("up").exists());
    // What is more is another request, and none.
    let heard = answers(addr, format!("{head}1234567890 is all").as_bytes(), &["PUT", "GET"]);
    let told: Vec<u16> = heard.iter().map(Answer::status).collect();
    assert!(matches!(told[..], [201] | [201, 400]), "{told:?}");
    assert_eq!(fs::read(place.far("up")).unwrap(), b"1234567890");
    // Chunks that do not come to their last one, or to the end behind it.
    let head =
        format!("PUT /chunked HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\nTransfer-Encoding: chunked\r\n\r\n");
    for cut in [
        "5\r\nhello\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\nX: y\r\n",
        "5\r\nhello\r\n0",
    ] {
        let heard = answers(addr, format!("{head}{cut}").as_bytes(), &["PUT"]);
        assert!(heard.iter().all(|answer| answer.status() == 400), "{cut:?} {heard:?}");
        assert!(!place.far("chunked").exists(), "{cut:?}");
    }
    let heard = answers(addr, format!("{head}5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n").as_bytes(), &["PUT"]);
    assert_eq!(heard[0].status(), 201, "{heard:?}");
    assert_eq!(fs::read(place.far("chunked")).unwrap(), b"hello");
}

#[test]
fn no_path_leads_out_and_none_to_what_is_out_of_sight() {
    let place = Place::new();
    let outside = place.local("secret");
    fs::write(&outside, "SECRET").unwrap();
    symlink(&outside, place.far("link")).unwrap();
    symlink(place.dir(), place.far("links")).unwrap();
    symlink("../..", place.far("up")).unwrap();
    fs::write(place.far("f"), "0123456789").unwrap();
    fs::create_dir(place.far("d")).unwrap();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    // Something out of sight.
    let begun =
        format!("PUT /begun HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\nContent-Length: 10\r\n\r\nSECRET");
    let _ = answers(addr, begun.as_bytes(), &["PUT"]);
    let steps = place.local("secret").display().to_string();
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/%2E%2E/%2e%2e/secret",
        "/.%2e/secret",
        "/d/../../secret",
        "/d/%2e%2e/f",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/d%2f..%2f..%2fsecret",
        "/f%00",
        "/f%00.txt",
        "/%c0%ae%c0%ae/secret",
        "/%c0%ae%c0%ae%c0%afsecret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/%uff0e%uff0e/secret",
        "/%252e%252e/secret",
        "/....//secret",
        "/link",
        "/links/secret",
        "/links",
        "/links/",
        "/up/",
        "/.haul",
        "/.haul/",
        "/%2ehaul/",
        "/.h%61ul/",
        "/d/.haul/",
        "/f%0d%0aX:y",
        "/f%0a",
        "/f/",
        "/f/.",
        "//../secret",
        "/;/../secret",
        "/d/..;/secret",
        &format!("/{steps}"),
        &format!("/%2f{}", steps.trim_start_matches('/')),
    ] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "MKCOL"] {
            let content = (method == "PUT").then_some(&b"overwritten"[..]);
            let Some(answer) = ({
                let mut caller = HttpCaller::to(addr);
                caller.sends(request(method, path, &[OWNER], content));
                caller.hears(method)
            }) else {
                continue;
            };
            assert!(!answer.text().contains("SECRET"), "{method} {path}");
            if matches!(method, "GET" | "HEAD") || path.contains("haul") {
                assert!((400..500).contains(&answer.status()), "{method} {path}: {:?}", answer.head);
            }
        }
        assert_eq!(fs::read_to_string(&outside).ok().as_deref(), Some("SECRET"), "{path}");
        assert_eq!(fs::read_to_string(place.far("f")).ok().as_deref(), Some("0123456789"), "{path}");
        fs::create_dir_all(place.far("d")).unwrap();
        assert_eq!(fs::read_link(place.far("link")).ok().as_ref(), Some(&outside), "{path}");
        // What looked like a way and was a name.
        for entry in fs::read_dir(place.root()).unwrap().flatten() {
            let (name, there) = (entry.file_name(), entry.path());
            let ours = [".haul", "d", "f", "link", "links", "up"].iter().any(|ours| name == *ours);
            if !ours && there.is_dir() {
                fs::remove_dir_all(there).unwrap();
            } else if !ours {
                fs::remove_file(there).unwrap();
            }
        }
    }
    assert_eq!(files(place.dir()), ["secret"]);
    // Nor by a name that a request gives itself.
    for to in [
        "/../stolen",
        "/%2e%2e/stolen",
        "/.haul/stolen",
        "/links/stolen",
        "/up/stolen",
        "/-/stolen",
        "stolen",
        "*",
    ] {
        let destination = format!("Destination: {to}");
        let answer = ask(addr, "MOVE", "/f", &[OWNER, &destination]);
        assert!(matches!(answer.status(), 400..=499 | 502), "{to}: {:?}", answer.head);
        assert!(place.far("f").exists(), "{to}");
    }
    let elsewhere = ask(addr, "MOVE", "/f", &[OWNER, "Destination: http://elsewhere.example/f"]);
    assert_eq!(elsewhere.status(), 502, "RFC 4918 §9.9.4");
}

#[test]
fn nothing_is_reflected_tunnelled_or_taken_for_a_proxy_s() {
    let (place, served) = served();
    let addr = served.http_addr();
    let trace = ask(addr, "TRACE", "/f", &[OWNER, "X-Seen: yes"]);
    assert_eq!(trace.status(), 405);
    assert!(!trace.text().contains("X-Seen") && trace.field("Allow").is_some(), "{trace:?}");
    let mut caller = HttpCaller::to(addr);
    let connect = caller.asks(format!("CONNECT {addr} HTTP/1.1\r\nHost: {addr}\r\n{OWNER}\r\n\r\n"));
    assert_eq!(connect.status(), 405, "{connect:?}");
    assert!(connect.field("Allow").is_some());
    for method in ["POST", "PATCH", "PROPFIND", "LOCK", "COPY", "BREW", "get"] {
        let answer = ask(addr, method, "/f", &[OWNER]);
        assert!(matches!(answer.status(), 400..=499 | 501), "{method}: {:?}", answer.head);
        if answer.status() == 405 {
            assert!(answer.field("Allow").is_some(), "{method}: RFC 9110 §15.5.6");
        }
    }
    // An absolute target is this server's when its host is; Host is then ignored (RFC 9112 §3.2.2).
    let absolute = |target: &str, host: &str| {
        HttpCaller::to(addr).asks(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{OWNER}\r\n\r\n"))
    };
    assert_eq!(absolute("http://localhost/f", "evil.example").expect(200).body, b"0123456789");
    assert_eq!(absolute("http://evil.example/f", "localhost").status(), 421);
    assert_eq!(
        absolute("ftp://localhost/f", "localhost").status() / 100 * 100,
        200,
        "the path is what counts"
    );
    assert_eq!(ask(addr, "OPTIONS", "*", &[]).status(), 204);
    assert!((400..500).contains(&ask(addr, "GET", "*", &[OWNER]).status()));
    assert_eq!(files(place.root()).last().unwrap(), "f");
}

#[test]
fn older_versions_are_answered_as_they_can_be() {
    let (_place, served) = served();
    let addr = served.http_addr();
    let mut caller = HttpCaller::to(addr);
    let old = caller.asks(format!("GET /f HTTP/1.0\r\n{OWNER}\r\n\r\n")).expect(200);
    assert_eq!((old.body.as_slice(), old.field("Transfer-Encoding")), (&b"0123456789"[..], None));
    assert!(caller.is_ended(), "it did not ask for more");
    let mut caller = HttpCaller::to(addr);
    for _ in 0..2 {
        let kept =
            caller.asks(format!("GET /f HTTP/1.0\r\nConnection: keep-alive\r\n{OWNER}\r\n\r\n")).expect(200);
        assert_eq!(kept.body, b"0123456789");
    }
    // A folder's list has no length beforehand, or has; 1.0 has no chunks.
    let list =
        HttpCaller::to(addr).asks(format!("GET / HTTP/1.0\r\n{OWNER}\r\nAccept: application/json\r\n\r\n"));
    assert!(list.expect(200).text().contains("\"f\""));
    for bytes in [
        &b"GET /f\r\n"[..],
        b"GET /f\r\n\r\n",
        b"GET /f HTTP/0.9\r\n\r\n",
        b"GET /f HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET /f HTTP/1.2.3\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"USER a\r\nPASS secret\r\n",
        b"GET  /f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /f f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"G\xc3\x89T /f HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        is_refused(addr, bytes, &[400, 505, 0]);
    }
    // Both must be there in 1.1: a host, and one (RFC 9112 §3.2).
    for host in ["", "Host: localhost\r\nHost: evil.example\r\n", "Host: a b\r\n", "Host: local/host\r\n"] {
        let answer = HttpCaller::to(addr).asks(format!("GET /f HTTP/1.1\r\n{host}{OWNER}\r\n\r\n"));
        assert_eq!(answer.status(), 400, "{host:?}");
    }
}

#[test]
fn what_drips_is_ended_in_time() {
    let place = Place::new();
    Content::new(1, 64 * MIB).write_to(place.far("f"));
    let served = place.serve().config("[http]\nidle = \"1s\"\nstall = \"1s\"\n").http().start();
    let addr = served.http_addr();
    let began = Instant::now();
    // A head, byte by byte, faster than any pause but without end.
    let mut dripping = HttpCaller::to(addr);
    dripping.sends("GET /f HTTP/1.1\r\nHost: localhost\r\nX: ");
    while dripping.tries("y").is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "a head may take for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Nothing at all, a part of HTTP/2's preface, nothing behind a request.
    let began = Instant::now();
    let mut silent = HttpCaller::to(addr);
    let mut preface = HttpCaller::to(addr);
    preface.sends("PRI * HTTP/2.0\r\n\r\nS");
    let mut satisfied = HttpCaller::to(addr);
    satisfied.asks(request("HEAD", "/f", &[OWNER], None)).expect(200);
    assert!(silent.hears("GET").is_none() && preface.hears("GET").is_none());
    assert!(satisfied.is_ended());
    // Content that does not come.
    let mut stopped = HttpCaller::to(addr);
    stopped
        .sends(format!("PUT /up HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\nContent-Length: 1000\r\n\r\nsome"));
    if let Some(answer) = stopped.hears("PUT") {
        assert!(matches!(answer.status(), 400 | 408), "{:?}", answer.head);
    }
    assert!(stopped.is_ended());
    assert!(!place.far("up").exists());
    // A reader that takes nothing.
    let mut stuck = HttpCaller::to(addr);
    stuck.sends(request("GET", "/f", &[OWNER], None));
    let told = |line: &&str| line.contains(" sent ") && line.contains("complete=no");
    wait_until(|| served.process().stderr().lines().any(|line| told(&line)));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(stuck);
    assert_eq!(ask(addr, "HEAD", "/f", &[OWNER]).status(), 200);
}

#[test]
fn an_answer_before_the_content_has_come_is_heard() {
    let (place, served) = served();
    let addr = served.http_addr();
    // 8 MiB are on their way when it is refused; the refusal must not drown in a reset.
    let content = vec![b'x'; 8 << 20];
    for fields in [&[][..], &[OWNER, "If-Match: \"other\""][..], &[OWNER, "Content-Encoding: gzip"][..]] {
        let answer = send(addr, "PUT", "/f", fields, &content);
        assert!(matches!(answer.status(), 401 | 412 | 415), "{:?}", answer.head);
    }
    assert_eq!(fs::read(place.far("f")).unwrap(), b"0123456789");
}
