//! Each way a link can be bad, measured at its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::*;
use crate::{Behaviour, Content, HttpPeer};

fn ask(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(b"GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn behind_link(size: u64) -> (HttpPeer, Link) {
    let peer = HttpPeer::start(Behaviour::of(Content::new(1, size)));
    let link = Link::to(peer.addr());
    (peer, link)
}

#[test]
fn all_bytes_pass_when_nothing_is_set() {
    let (_peer, link) = behind_link(3_000_000);
    let mut all = Vec::new();
    ask(link.addr()).read_to_end(&mut all).unwrap();
    assert!(all.ends_with(&Content::new(1, 3_000_000).bytes(0..3_000_000)));
    assert_eq!(link.passed(), all.len() as u64);
    assert_eq!(link.connections(), 1);
}

#[test]
fn a_cut_by_fin_comes_after_exactly_so_many_bytes() {
    let (_peer, link) = behind_link(3_000_000);
    link.cut_after(1_234_567, Cut::Fin);
    let mut all = Vec::new();
    ask(link.addr()).read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 1_234_567);
}

#[test]
fn a_cut_by_rst_lets_the_bytes_before_it_arrive() {
    let (_peer, link) = behind_link(3_000_000);
    link.cut_after(1_234_567, Cut::Rst);
    let mut all = Vec::new();
    let end = ask(link.addr()).read_to_end(&mut all).unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(all.len(), 1_234_567);
}

#[test]
fn a_stall_holds_until_released() {
    let (_peer, link) = behind_link(300_000);
    link.stall_after(1000);
    let mut stream = ask(link.addr());
    stream.read_exact(&mut [0; 1000]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err());
    stream.set_read_timeout(None).unwrap();
    link.release();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 299_000);
}

#[test]
fn the_first_connections_get_a_rate_of_their_own() {
    let (_peer, link) = behind_link(2_000_000);
    link.rate(Some(20_000_000)).rate_of_first(1, 4_000_000);
    let seconds = |_| {
        let start = Instant::now();
        ask(link.addr()).read_to_end(&mut Vec::new()).unwrap();
        start.elapsed().as_secs_f64()
    };
    let [slow, fast] = [0, 1].map(seconds);
    // Only lower bounds: a busy machine may be late, but never early.
    assert!(slow > 0.46, "{slow}");
    assert!(fast > 0.08 && fast < slow, "{fast} {slow}");
}

#[test]
fn refusing_is_a_refusal_and_ends() {
    let (_peer, link) = behind_link(10);
    link.refuse(true);
    let deadline = Instant::now() + Duration::from_secs(5);
    let refused = loop {
        match TcpStream::connect(link.addr()) {
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => break true,
            _ if Instant::now() > deadline => break false,
            _ => {}
        }
    };
    assert!(refused);
    link.refuse(false);
    while TcpStream::connect(link.addr()).is_err() {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn kill_all_resets_what_is_open() {
    let (_peer, link) = behind_link(300_000);
    link.stall_after(1000);
    let mut stream = ask(link.addr());
    stream.read_exact(&mut [0; 1000]).unwrap();
    link.kill_all(Cut::Rst);
    assert!(stream.read_to_end(&mut Vec::new()).is_err());
}

#[test]
fn what_goes_up_is_what_is_paced_and_cut_on_a_link_for_uploads() {
    let far = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let link = Link::up_to(far.local_addr().unwrap());
    link.cut_after(100_000, Cut::Fin).rate(Some(1 << 20));
    let mut near = TcpStream::connect(link.addr()).unwrap();
    let (mut taken, _) = far.accept().unwrap();
    taken.write_all(b"an answer").unwrap();
    let mut answer = [0; 9];
    near.read_exact(&mut answer).unwrap();
    assert_eq!(link.passed(), 0, "answers are not counted");
    let writing = std::thread::spawn(move || near.write_all(&vec![7; 200_000]));
    let (began, mut all) = (Instant::now(), Vec::new());
    taken.read_to_end(&mut all).unwrap();
    assert_eq!((all.len(), link.passed()), (100_000, 100_000));
    assert!(began.elapsed() >= Duration::from_millis(30), "it was paced");
    let _ = writing.join();
}
