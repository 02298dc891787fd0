//! Each misbehaviour of the hostile peer, seen from a raw socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::Content;

const FILE: Content = Content::new(5, 100_000);

/// Sends one request on a connection of its own; the head, lower-cased, and the body as it came.
fn ask(peer: &HttpPeer, target: &str, fields: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(peer.addr()).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&all[..end]).to_lowercase(), all[end + 4..].to_vec())
}

fn get(behaviour: Behaviour, fields: &str) -> (String, Vec<u8>) {
    ask(&HttpPeer::start(behaviour), "/f", fields)
}

#[test]
fn a_proper_peer_answers_ranges_and_tells_validators() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let (head, body) = ask(&peer, "/f", "Range: bytes=500-999\r\n");
    assert!(head.starts_with("http/1.1 206 "), "{head}");
    assert!(head.contains("content-range: bytes 500-999/100000"));
    assert!(head.contains("content-length: 500") && head.contains("etag: \"v1\""));
    assert!(head.contains("last-modified: tue, 14 nov 2023") && head.contains("date: "));
    assert_eq!(body, FILE.bytes(500..1000));
    let request = &peer.requests()[0];
    assert_eq!((request.range(), request.status(), request.connection), (Some((500, Some(999))), 206, 0));
    assert_eq!((request.body_sent(), peer.body_sent()), (500, 500));

    let (head, body) = ask(&peer, "/f", "Range: bytes=99990-\r\n");
    assert!(head.contains("content-range: bytes 99990-99999/100000"));
    assert_eq!(body, FILE.bytes(99_990..100_000));
    let (head, _) = ask(&peer, "/f", "Range: bytes=100000-\r\n");
    assert!(head.starts_with("http/1.1 416") && head.contains("content-range: bytes */100000"));
}

#[test]
fn if_range_decides_between_the_range_and_the_whole() {
    let fields = |tag: &str| format!("Range: bytes=5-\r\nIf-Range: {tag}\r\n");
    assert!(get(Behaviour::of(FILE), &fields("\"v1\"")).0.contains(" 206 "));
    assert!(get(Behaviour::of(FILE), &fields("\"v2\"")).0.contains(" 200 "));
    assert!(get(Behaviour::of(FILE), &fields("Tue, 14 Nov 2023 22:13:20 GMT")).0.contains(" 206 "));
    assert!(get(Behaviour::of(FILE).if_range(IfRange::Ignored), &fields("\"v2\"")).0.contains(" 206 "));
    assert!(get(Behaviour::of(FILE).if_range(IfRange::Always200), &fields("\"v1\"")).0.contains(" 200 "));
    let weak = Behaviour::of(FILE).etag(ETags::Weak("w".into()));
    assert!(get(weak, &fields("W/\"w\"")).0.contains(" 200 "));
}

#[test]
fn wrong_ranges_are_wrong_as_told() {
    let ask = |ranges| get(Behaviour::of(FILE).ranges(ranges), "Range: bytes=1000-1999\r\n");
    let (head, body) = ask(Ranges::OffsetBy(-10));
    assert!(head.contains("bytes 990-1999/") && body == FILE.bytes(990..2000), "{head}");
    let (head, body) = ask(Ranges::LyingOffset(7));
    assert!(head.contains("bytes 1000-1999/") && body == FILE.bytes(1007..2007));
    let (head, body) = ask(Ranges::ShortBy(400));
    assert!(head.contains("bytes 1000-1599/") && body.len() == 600);
    let (head, body) = ask(Ranges::Capped(64));
    assert!(head.contains("bytes 1000-1063/") && body.len() == 64);
    let (head, body) = ask(Ranges::LongerBy(5));
    assert!(head.contains("bytes 1000-2004/") && body.len() == 1005);
    assert!(ask(Ranges::Multipart).0.contains("multipart/byteranges"));
    assert!(!ask(Ranges::NoContentRange).0.contains("content-range"));
    assert!(ask(Ranges::Ignored).0.contains(" 200 "));
    assert!(ask(Ranges::IgnoredAfter(1)).0.contains(" 206 "));
    assert!(ask(Ranges::ResumeRefused(400)).0.contains(" 400 "));
}

#[test]
fn a_body_may_come_without_length() {
    let (head, body) = get(Behaviour::of(FILE).length(Length::Chunked), "");
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"));
    assert!(body.len() > 100_000 && body.ends_with(b"\r\n0\r\n\r\n"));
    let (head, body) = get(Behaviour::of(FILE).length(Length::UntilClose), "");
    assert!(head.starts_with("http/1.0 200") && body == FILE.bytes(0..100_000));
}

#[test]
fn a_cut_comes_at_its_byte_and_by_its_way() {
    for how in [Cut::Fin, Cut::Rst] {
        let peer = HttpPeer::start(Behaviour::of(FILE).cut(Which::Every, 12_345, how));
        let mut stream = TcpStream::connect(peer.addr()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut all = Vec::new();
        let end = stream.read_to_end(&mut all);
        assert_eq!(end.is_err(), how == Cut::Rst);
        let head = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(all[head..], FILE.bytes(0..12_345));
        assert!(!peer.requests()[0].is_complete());
    }
}

#[test]
fn signed_targets_expire() {
    let peer = HttpPeer::start(Behaviour::of(FILE).go(Go::Signed(1)));
    assert!(ask(&peer, "/go", "").0.contains("location: /signed?token=0"));
    assert!(ask(&peer, "/signed?token=0", "").0.contains(" 200 "));
    assert!(ask(&peer, "/signed?token=0", "").0.contains(" 403 "));
    assert!(ask(&peer, "/signed?token=9", "").0.contains(" 403 "));
    assert!(ask(&peer, "/go", "").0.contains("location: /signed?token=1"));
    peer.expire_tokens();
    assert!(ask(&peer, "/signed?token=1", "").0.contains(" 403 "));
}

#[test]
fn refusals_end_with_their_requests() {
    let peer = HttpPeer::start(
        Behaviour::of(FILE).refuses(Which::First(1), 503, RetryAfter::Seconds(1)).auth("n", "p"),
    );
    assert!(ask(&peer, "/f", "").0.contains(" 401 "));
    let auth = "Authorization: Basic bjpw\r\n";
    peer.change(|b| b.refusals[0].requests = Which::First(2));
    let (head, _) = ask(&peer, "/f", auth);
    assert!(head.contains(" 503 ") && head.contains("retry-after: 1"));
    assert!(ask(&peer, "/f", auth).0.contains(" 200 "));
}

#[test]
fn a_version_is_replaced_in_mid_run() {
    let new = Version::new(FILE.changed(0), "v2");
    let peer = HttpPeer::start(Behaviour::of(FILE).replaced_after(50_000, new));
    let (head, body) = ask(&peer, "/f", "");
    assert!(head.contains("\"v1\"") && body == FILE.bytes(0..100_000));
    let (head, body) = ask(&peer, "/f", "");
    assert!(head.contains("\"v2\"") && body == FILE.changed(0).bytes(0..100_000));
}

#[test]
fn requests_beyond_the_limit_are_refused_and_a_stall_is_released() {
    let limited = Behaviour::of(FILE).at_most(1, Excess::Status(503, RetryAfter::None));
    let peer = HttpPeer::start(limited.stall(Which::Only(0), 10));
    let mut stalled = TcpStream::connect(peer.addr()).unwrap();
    stalled.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    peer.wait_until_sent(10, Duration::from_secs(5));
    assert!(ask(&peer, "/f", "").0.contains(" 503 "));
    peer.release();
    let mut all = Vec::new();
    stalled.read_to_end(&mut all).unwrap();
    assert!(all.ends_with(&FILE.bytes(99_000..100_000)));
}

#[test]
fn curl_is_content_with_tls_and_gzip() {
    let peer = HttpPeer::start_tls(Behaviour::of(FILE).encoding(Encoding::Gzip));
    let Some(curl) = crate::real::peer("curl") else { return };
    let out = std::process::Command::new(curl)
        .args(["-q", "-sS", "--compressed", "--noproxy", "*", "--cacert"])
        .arg(peer.ca_pem_path())
        .arg(peer.url("/f"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == FILE.bytes(0..100_000));
}

#[test]
fn heads_may_be_slow_huge_or_not_heads_at_all() {
    let raw = |head| {
        let peer = HttpPeer::start(Behaviour::of(Content::new(1, 3)).head(head));
        let mut stream = TcpStream::connect(peer.addr()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    };
    assert!(raw(Head::Dribbled(Duration::from_micros(10))).starts_with(b"HTTP/1.1 200 "));
    assert!(raw(Head::Huge(10_000_000)).len() > 10_000_000);
    assert!(!raw(Head::Garbage).starts_with(b"HTTP"));
    assert!(raw(Head::Nothing).is_empty());
}

#[test]
fn a_withheld_head_comes_when_it_is_released() {
    let peer = HttpPeer::start(Behaviour::of(FILE).head(Head::Withheld));
    let mut stream = TcpStream::connect(peer.addr()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err());
    peer.release();
    stream.set_read_timeout(None).unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
}

#[test]
fn more_may_come_than_was_told() {
    let (head, body) = get(Behaviour { surplus: 9, ..Behaviour::of(FILE) }, "");
    assert!(head.contains("content-length: 100000"));
    assert_eq!(body.len(), 100_009);
}

#[test]
fn nodes_may_disagree_about_the_etag() {
    let tags = |etag| {
        let peer = HttpPeer::start(Behaviour::of(FILE).etag(etag));
        [0, 1, 2].map(|_| {
            let head = ask(&peer, "/f", "").0;
            head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned()
        })
    };
    assert_eq!(tags(ETags::PerRequest), ["\"node-0\"", "\"node-1\"", "\"node-2\""]);
    assert_eq!(tags(ETags::Cycle(vec!["a".into(), "b".into()])), ["\"a\"", "\"b\"", "\"a\""]);
    assert_eq!(tags(ETags::None), ["", "", ""]);
}

#[test]
fn redirects_lead_elsewhere_or_nowhere() {
    let peer = HttpPeer::start(Behaviour::of(FILE).go(Go::To("http://elsewhere.test/f".into())));
    assert!(ask(&peer, "/go", "").0.contains("location: http://elsewhere.test/f"));
    peer.change(|b| b.go = Some(Go::Loop));
    assert!(ask(&peer, "/go", "").0.contains("location: /go/1\r"));
    assert!(ask(&peer, "/go/41", "").0.contains("location: /go/42\r"));
}

#[test]
fn connections_beyond_the_limit_are_reset_or_refused() {
    for (excess, kind) in [
        (Excess::Reset, std::io::ErrorKind::ConnectionReset),
        (Excess::Refuse, std::io::ErrorKind::ConnectionRefused),
    ] {
        let peer = HttpPeer::start(Behaviour::of(FILE).at_most(1, excess));
        let mut kept = TcpStream::connect(peer.addr()).unwrap();
        kept.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        kept.read_exact(&mut [0; 100]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        // The listener is closed within some milliseconds; one that slips in before is reset.
        while TcpStream::connect(peer.addr()).and_then(|mut s| s.read(&mut [0; 1])).unwrap_err().kind()
            != kind
        {
            assert!(Instant::now() < deadline, "never {kind:?}");
        }
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn a_slow_connection_is_slow_alone() {
    let peer = HttpPeer::start(Behaviour::of(FILE).rate(Which::Only(0), 500_000));
    let seconds = |_| {
        let start = Instant::now();
        ask(&peer, "/f", "");
        start.elapsed().as_secs_f64()
    };
    let [slow, fast] = [0, 1].map(seconds);
    assert!(slow > 0.16 && fast < slow, "{slow} {fast}");
}

#[test]
fn resources_have_paths_and_the_empty_one_has_no_range() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    peer.also("/empty", Behaviour::of(Content::new(0, 0)));
    let (head, body) = ask(&peer, "/empty", "Range: bytes=0-\r\n");
    assert!(head.contains(" 200 ") && head.contains("content-length: 0") && body.is_empty());
    assert!(ask(&peer, "/other?query", "").0.contains("content-length: 100000"));
}
