//! How long things may take, and how many there may be.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use haul_server::{
    Certificate,
    ftp::{Kind, Limits, Passive, Protection, Reuse, Settings},
};
use haul_testkit::Caller;

use super::{serve, serve_at, times};

#[test]
fn a_download_that_nobody_reads_is_given_up() {
    let served = serve(times(|times| times.stall = Duration::from_millis(300)));
    let mut caller = served.caller();
    let mut data = served.leaving(&mut caller);
    let began = Instant::now();
    caller.hears(426);
    assert!(began.elapsed() < Duration::from_secs(10));
    // What lies in sockets may still come; a clean end must not.
    let mut end = Ok(());
    while end.is_ok() {
        end = data.tries(b"x");
    }
}

#[test]
fn silence_ends_a_session_and_says_why() {
    let served = serve(times(|times| times.idle = Duration::from_secs(2)));
    let mut caller = served.caller();
    caller.hears(421);
    assert!(caller.is_ended());
}

#[test]
fn whoever_does_not_log_in_is_sent_away() {
    let served = serve(times(|times| times.login = Duration::from_millis(200)));
    let mut caller = Caller::to(served.addr);
    caller.hears(220);
    caller.hears(421);
    assert!(caller.is_ended());
}

#[test]
fn whoever_does_not_begin_tls_is_sent_away_and_written_down() {
    let Certificate { chain, key } = Certificate::self_signed(vec!["localhost".into()]).unwrap();
    let mut settings = times(|times| times.handshake = Duration::from_millis(200));
    settings.protection = Some(Protection::new(chain, key, Reuse::Prefer, false).unwrap());
    let served = serve_at(Kind::Implicit, settings);
    let mut caller = Caller::to(served.addr);
    let line = served.log.waits_for(" closed ");
    assert!(line.contains("TLS did not begin: timed out"), "{line}");
    assert!(caller.is_ended());
}

#[test]
fn talking_is_no_transfer() {
    // Long enough for a login on a machine with much else to do.
    let served = serve(times(|times| times.no_transfer = Duration::from_secs(2)));
    // The server's time begins with the login.
    let began = Instant::now();
    let mut caller = served.caller();
    while caller.asks("NOOP").code == 200 {
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn nobody_is_idle_while_bytes_come() {
    // Longer than this test is ever kept from sending the next ones.
    let served = serve(times(|times| times.idle = Duration::from_secs(2)));
    let mut caller = served.caller();
    let mut data = served.arriving(&mut caller);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(4500) {
        data.sends(&[1; 100]);
        std::thread::sleep(Duration::from_millis(20));
    }
    data.finish();
    caller.hears(226);
}

#[test]
fn too_many_sessions_are_told_so() {
    let limits = Limits { sessions: 2, per_address: 2, ..Limits::default() };
    let served = serve(Settings { limits, ..Settings::default() });
    let (_one, two) = (served.caller(), served.caller());
    let mut three = Caller::to(served.addr);
    three.hears(421);
    assert!(three.is_ended());
    drop(two);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Caller::to(served.addr).reply().code != 220 {
        assert!(Instant::now() < deadline, "a place that was left is free again");
    }
}

#[test]
fn nothing_more_is_done_for_a_client_that_reads_no_replies() {
    let served = serve(times(|times| times.reply = Duration::from_secs(1)));
    let folder = served.root.path().join("d");
    fs::create_dir(&folder).unwrap();
    for number in 0..2000 {
        fs::write(folder.join(format!("{number:0200}")), "").unwrap();
    }
    let mut caller = served.caller();
    // More than sockets hold on the way.
    let lines = "STAT d\r\n".repeat(30);
    caller.sends(&format!("{lines}MKD proof"));
    served.log.waits_for("does not read replies");
    assert!(!served.root.path().join("proof").exists(), "every reply was made and kept");
}

#[test]
fn whoever_is_sent_away_by_a_server_that_ends_is_written_down_so() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    served.stop.drain(Duration::from_secs(60));
    caller.hears(421);
    let line = served.log.waits_for(" closed ");
    assert!(line.contains("why=\"the server is being stopped\""), "{line}");
}

#[test]
fn that_no_passive_port_is_left_is_told_and_logged() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let passive = Passive { ports: Some(port..=port), ..Passive::default() };
    let served = serve(Settings { passive, ..Settings::default() });
    let mut caller = served.caller();
    caller.says("EPSV", 425);
    let line = served.log.waits_for(" no data port ");
    // Sessions are numbered over all servers of a process.
    let (_, session) = line.split_once(" no data port session=").unwrap();
    let fields = session.trim_start_matches(|digit: char| digit.is_ascii_digit());
    assert_eq!(fields, " why=\"all passive ports are in use\" address=127.0.0.1");
    drop(taken);
    caller.says("EPSV", 229);
}
