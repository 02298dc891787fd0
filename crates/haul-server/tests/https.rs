//! The HTTPS door in this process, for what takes too long in a real server: how long a TLS handshake may take.

// A test that cannot go on may say so loudly.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use haul_server::{
    Certificate, House,
    accounts::{Accounts, Anonymous, throttle::Patience},
    depot::Depot,
    http::{Door, Kind, Protection, Settings, Times},
    log::{Format, Log},
};
use haul_store::{FsStore, Job};
use tokio::{runtime::Runtime, task::spawn_blocking};

/// A door where a handshake may take so long, and a request as long as one likes.
fn serve(runtime: &Runtime, root: &std::path::Path, handshake: Duration) -> SocketAddr {
    let certificate = Certificate::self_signed(vec!["localhost".into()]).unwrap();
    let protection = Some(Protection::new(&certificate, false).unwrap());
    let settings =
        Settings { protection, times: Times { handshake, ..Times::default() }, ..Settings::default() };
    runtime.block_on(async move {
        let store = FsStore::open(root, Arc::new(|job: Job| drop(spawn_blocking(job)))).unwrap();
        let accounts = Accounts::new(Vec::new(), Anonymous::Off, Patience::default()).unwrap();
        let log = Log::write_to(Box::new(std::io::sink()), Format::Text, None).unwrap();
        let house = House::new(Depot::read_only(Arc::new(store)), Arc::new(accounts), settings, log);
        let door = Door::bind(house, ([127, 0, 0, 1], 0).into(), Kind::Secured).unwrap();
        let address = door.address().unwrap();
        tokio::spawn(door.serve());
        address
    })
}

#[test]
fn whoever_does_not_come_to_the_end_of_a_handshake_is_sent_away() {
    let (runtime, root) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let address = serve(&runtime, root.path(), Duration::from_millis(300));
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    // Nothing, the beginning of a hello, and one that comes byte by byte.
    for (said, drips) in [(&b""[..], false), (&hello[..], false), (&hello[..], true)] {
        // The server's time begins with the connection.
        let began = Instant::now();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        stream.write_all(said).unwrap();
        let mut sink = [0; 64];
        loop {
            if drips && stream.write_all(b"x").is_err() {
                break;
            }
            match stream.read(&mut sink) {
                Ok(0) => break,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
                // An alert is no handshake.
                Ok(_) | Err(_) => {}
            }
            assert!(began.elapsed() < Duration::from_secs(20), "a handshake may take for ever");
        }
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    }
}
