//! Many at once over HTTP: connections that do nothing, connections that are slow, requests that are taken back as fast
//! as they are made. What each costs is measured, and nobody else waits for them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use haul_testkit::{Content, HttpCaller, Served, limits, tls::Certificates};

use crate::scene::{
    MIB,
    h2::{CONTINUATION, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame},
    http::{OWNER, STRANGER, get, request},
    served::Place,
    wait_until,
};

const MANY: usize = 1000;
/// What one may cost, in a build without optimisation too.
const MOST: u64 = 20 << 10;

fn resident(served: &Served) -> u64 {
    served.process().resident().unwrap()
}

/// What each of so many more connections has cost, and that it is less than this.
#[track_caller]
fn each_costs_less(served: &Served, before: u64, most: u64, what: &str) {
    let each = resident(served).saturating_sub(before) / MANY as u64;
    assert!(each < most, "{what}: {each} bytes for each");
}

fn open(served: &Served) -> usize {
    let metrics =
        HttpCaller::to(served.http_addr()).asks(request("GET", "/-/metrics", &[], None)).expect(200);
    let text = metrics.text();
    let line = text.lines().find_map(|line| line.strip_prefix("haul_sessions{door=\"http\"} "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_thousand_idle_connections_cost_little_and_are_no_hindrance() {
    limits::raise_open_files();
    let place = Place::new();
    let content = Content::new(1, 3 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().http().start();
    // What the first ones cost is the server's own.
    for _ in 0..20 {
        assert!(get(served.http_addr(), "/f") == content.bytes(0..content.size()));
    }
    let before = resident(&served);
    let silent: Vec<_> = (0..MANY).map(|_| HttpCaller::to(served.http_addr())).collect();
    wait_until(|| open(&served) > MANY);
    each_costs_less(&served, before, MOST, "silent");
    drop(silent);
    wait_until(|| open(&served) < 10);
    let before = resident(&served);
    let mut kept: Vec<_> = (0..MANY).map(|_| HttpCaller::to(served.http_addr())).collect();
    for caller in &mut kept {
        caller.asks(request("HEAD", "/f", &[OWNER], None)).expect(200);
    }
    each_costs_less(&served, before, MOST, "idle between two requests");
    let began = Instant::now();
    assert!(get(served.http_addr(), "/f") == content.bytes(0..content.size()));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Each of them is still served.
    for caller in kept.iter_mut().step_by(100) {
        let part = caller.asks(request("GET", "/f", &[OWNER, "Range: bytes=0-999"], None)).expect(206);
        assert!(part.body == content.bytes(0..1000));
    }
}

#[test]
fn a_thousand_slow_downloads_cost_little_and_are_no_hindrance() {
    limits::raise_open_files();
    let place = Place::new();
    let content = Content::new(2, 64 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().http().start();
    let first = request("GET", "/f", &[OWNER, "Range: bytes=0-2999999"], None);
    HttpCaller::to(served.http_addr()).asks(&first).expect(206);
    let before = resident(&served);
    let slow: Vec<TcpStream> = (0..MANY)
        .map(|_| {
            let mut stream = TcpStream::connect(served.http_addr()).unwrap();
            stream.write_all(&request("GET", "/f", &[OWNER], None)).unwrap();
            stream
        })
        .collect();
    // Each has begun, and waits for a client that takes little.
    for mut stream in &slow {
        stream.read_exact(&mut [0; 2000]).unwrap();
    }
    each_costs_less(&served, before, MOST, "a slow download");
    let began = Instant::now();
    let part = HttpCaller::to(served.http_addr()).asks(&first).expect(206);
    assert!(part.body == content.bytes(0..3_000_000));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_thousand_slow_uploads_are_no_hindrance() {
    limits::raise_open_files();
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let mut begun: Vec<_> = (0..MANY).map(|_| HttpCaller::to(addr)).collect();
    for (number, caller) in begun.iter_mut().enumerate() {
        caller.sends(request("PUT", &format!("/{number}"), &[OWNER, "Content-Length: 5"], None));
        caller.sends("some");
    }
    let began = Instant::now();
    let mut other = HttpCaller::to(addr);
    // Of somebody else: this user has as many as one may have.
    other.asks(request("PUT", "/other", &[STRANGER], Some(b"x"))).expect(201);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for caller in &mut begun {
        caller.sends("5");
        caller.answer("PUT").expect(201);
    }
    assert_eq!(get(addr, "/999"), b"some5");
}

#[test]
fn more_connections_than_are_allowed_are_refused_and_those_that_are_there_go_on() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let config = "[http]\nconnections = 8\nconnections_per_address = 4\n";
    let served = place.serve().config(config).http().start();
    let addr = served.http_addr();
    let mut mine: Vec<_> = (0..4).map(|_| HttpCaller::to(addr)).collect();
    for caller in &mut mine {
        caller.asks(request("GET", "/f", &[OWNER], None)).expect(200);
    }
    assert!(HttpCaller::to(addr).is_ended(), "a fifth one of this address");
    let from = |last: u8| std::net::IpAddr::from([127, 0, 0, last]);
    let mut theirs: Vec<_> = (0..4).map(|_| HttpCaller::from_address(from(7), addr)).collect();
    for caller in &mut theirs {
        caller.asks(request("GET", "/f", &[OWNER], None)).expect(200);
    }
    assert!(HttpCaller::from_address(from(8), addr).is_ended(), "a ninth one in all");
    for caller in &mut mine {
        caller.asks(request("GET", "/f", &[OWNER], None)).expect(200);
    }
    drop(theirs);
    wait_until(|| {
        let mut caller = HttpCaller::from_address(from(8), addr);
        caller.tries(request("GET", "/f", &[OWNER], None)).is_ok() && caller.hears("GET").is_some()
    });
    // It is written down.
    wait_until(|| served.process().stderr().contains("refused"));
}

/// `GET /f` of `localhost`, by HPACK's static table and literals.
fn get_f() -> Vec<u8> {
    [&[0x82, 0x86, 0x04, 2][..], b"/f", &[0x41, 9], b"localhost"].concat()
}

/// Sends these frames again and again until the server has had enough; how many rounds that was.
fn until_it_ends(served: &Served, mut round: impl FnMut(u32) -> Vec<u8>) -> u32 {
    let mut stream = TcpStream::connect(served.http_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
    let mut sink = vec![0; 64 << 10];
    for number in 0..200_000 {
        if stream.write_all(&round(number)).is_err() {
            return number;
        }
        if number % 50 == 0 {
            match stream.read(&mut sink) {
                Ok(0) => return number,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return number,
                _ => {}
            }
        }
    }
    200_000
}

#[test]
fn requests_over_http2_that_are_taken_back_at_once_end_the_connection() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().http().start();
    get(served.http_addr(), "/f");
    let before = resident(&served);
    let rounds = until_it_ends(&served, |number| {
        let stream = number * 2 + 1;
        [frame(HEADERS, 5, stream, &get_f()), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    assert!(rounds < 200_000, "for ever");
    let began = Instant::now();
    assert_eq!(get(served.http_addr(), "/f"), b"x");
    assert!(began.elapsed() < Duration::from_secs(5));
    let grown = resident(&served).saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes more");
}

#[test]
fn a_head_over_http2_that_has_no_end_ends_the_connection() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().http().start();
    get(served.http_addr(), "/f");
    let before = resident(&served);
    // A literal field that is not remembered, in one frame after the other.
    let field = [&[0, 1][..], b"x", &[100], &[b'y'; 100]].concat();
    let rounds = until_it_ends(&served, |number| match number {
        0 => frame(HEADERS, 1, 1, &get_f()),
        _ => frame(CONTINUATION, 0, 1, &field.repeat(20)),
    });
    assert!(rounds < 200_000, "for ever");
    assert_eq!(get(served.http_addr(), "/f"), b"x");
    let grown = resident(&served).saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes more");
}

#[test]
fn pings_that_nobody_reads_the_answers_of_cost_no_memory() {
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().http().start();
    get(served.http_addr(), "/f");
    let before = resident(&served);
    let mut stream = TcpStream::connect(served.http_addr()).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1000);
    for _ in 0..2000 {
        if stream.write_all(&pings).is_err() {
            break;
        }
    }
    assert_eq!(get(served.http_addr(), "/f"), b"x");
    let grown = resident(&served).saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown} bytes more");
}

#[test]
fn handshakes_that_do_not_go_on_are_no_hindrance() {
    limits::raise_open_files();
    let place = Place::new();
    std::fs::write(place.far("f"), "x").unwrap();
    let certificates = Certificates::for_loopback();
    let [cert, key] = [certificates.cert_pem_path(), certificates.key_pem_path()];
    let serve = place.serve().arg("--tls-cert").arg(cert).arg("--tls-key").arg(key);
    let served = serve.https().start();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let stuck: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(served.https_addr()).unwrap();
            stream.write_all(hello).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    let mut caller = HttpCaller::to_tls(served.https_addr(), &certificates.client_config(None));
    caller.asks(request("GET", "/f", &[OWNER], None)).expect(200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(stuck);
}
