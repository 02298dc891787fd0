//! Answers of a peer that says what the test says, and of a real server.

use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;
use crate::real::Nginx;
use crate::tls::Certificates;

/// A server that says this to whoever comes, and hangs up.
fn saying(bytes: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let said = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // In pieces, so that lines and chunks are cut anywhere.
        for piece in bytes.chunks(3) {
            stream.write_all(piece).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (addr, said)
}

fn heard(method: &str, bytes: &'static [u8]) -> Option<Answer> {
    let (addr, said) = saying(bytes);
    let answer = HttpCaller::to(addr).hears(method);
    said.join().unwrap();
    answer
}

#[test]
fn interim_answers_come_before_the_final_one() {
    let bytes = b"HTTP/1.1 104 Upload Resumption Supported\r\nLocation: /u\r\n\r\nHTTP/1.1 104 \r\nUpload-Offset: 5\r\n\r\n\
                  HTTP/1.1 201 Created\r\nUpload-Offset: 9\r\nContent-Length: 2\r\n\r\nok";
    let answer = heard("POST", bytes).unwrap().expect(201);
    let [first, second] = &answer.interim[..] else { panic!("two of them: {answer:?}") };
    assert_eq!((first.field("location"), first.reason.as_str()), (Some("/u"), "Upload Resumption Supported"));
    assert_eq!((second.number("upload-offset"), second.reason.as_str()), (Some(5), ""));
    assert_eq!((answer.text().as_str(), answer.head.number("Upload-Offset")), ("ok", Some(9)));
    assert_eq!(answer.raw, bytes);
}

#[test]
fn each_framing_ends_the_body_where_it_says() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nrest";
    let answer = heard("GET", chunked).unwrap().expect(200);
    assert_eq!((answer.framing, answer.text().as_str()), (Framing::Chunked, "abc0123456789"));
    assert_eq!(answer.trailers, [("T".to_owned(), "v".to_owned())]);
    assert_eq!(answer.raw, &chunked[..chunked.len() - 4], "what follows belongs to the next answer");

    let answer = heard("GET", b"HTTP/1.1 200 OK\r\n\r\nall of it").unwrap().expect(200);
    assert_eq!((answer.framing, answer.text().as_str()), (Framing::UntilEnd, "all of it"));

    let answer = heard("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n").unwrap().expect(200);
    assert_eq!((answer.framing, answer.head.number("content-length")), (Framing::Bodiless, Some(7)));
}

#[test]
fn a_body_that_is_cut_is_not_whole() {
    let answer = heard("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhal").unwrap();
    assert!(!answer.whole && answer.body == b"hal", "{answer:?}");
    let answer =
        heard("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").unwrap();
    assert!(!answer.whole && answer.body == b"hello", "{answer:?}");
    assert_eq!(heard("GET", b"HTTP/1.1 200 OK\r\nContent-"), None, "nor is a head");
    assert_eq!(heard("GET", b""), None);
}

#[test]
#[should_panic(expected = "two ends of a body")]
fn an_answer_that_two_readers_would_cut_differently_stops_the_test() {
    heard("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n");
}

#[test]
#[should_panic(expected = "LF without CR")]
fn a_bare_line_feed_stops_the_test() {
    heard("GET", b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n");
}

#[test]
#[should_panic(expected = "no more within 50ms after \"HTTP/1.1 200\"")]
fn silence_stops_the_test_and_shows_what_had_come() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut caller = HttpCaller::to(listener.local_addr().unwrap()).patience(Duration::from_millis(50));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 200").unwrap();
    caller.answer("GET");
}

#[test]
fn a_real_server_answers_one_request_after_another() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), b"0123456789").unwrap();
    let certificates = Certificates::for_loopback();
    let Some(plain) = Nginx::serve(dir.path()) else { return };
    let Some(secured) = Nginx::over(dir.path()).tls(&certificates).start() else { return };
    let callers = [
        HttpCaller::to(plain.addr()),
        HttpCaller::from_address(IpAddr::from([127, 0, 0, 9]), plain.addr()),
        HttpCaller::to_tls(secured.addr(), &certificates.client_config(None)),
    ];
    for mut caller in callers {
        let part = caller.asks("GET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n\r\n").expect(206);
        assert_eq!((part.text().as_str(), part.field("content-range")), ("234", Some("bytes 2-4/10")));
        // Two requests at once.
        caller.sends(
            "HEAD /f HTTP/1.1\r\nHost: a\r\n\r\nGET /g HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(caller.answer("HEAD").expect(200).head.number("content-length"), Some(10));
        caller.answer("GET").expect(404);
        assert!(caller.is_ended());
    }
}
