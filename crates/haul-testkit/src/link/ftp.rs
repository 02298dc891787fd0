//! A link in front of an FTP server: the control connection passes as it is, but for the ports of data connections, each
//! of which gets a link of its own.
//!
//! It reads the two replies that name a port (227, RFC 959 §4.2; 229, RFC 2428 §3) and nothing else, so it is for
//! sessions in the clear.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{Link, TICK};
use crate::port::Port;
use crate::socket::{self, Cut};

/// The relay; it and all its connections end when it is dropped.
#[derive(Debug)]
pub struct FtpLink {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    /// A link of the right direction to a data port.
    link: fn(SocketAddr) -> Link,
    data: Mutex<DataSettings>,
    links: Mutex<Vec<Link>>,
    controls: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// What data connections are like that are made from now on.
#[derive(Debug, Default)]
struct DataSettings {
    rate: Option<u64>,
    rate_of_first: Option<(usize, u64)>,
    cut: Option<(u64, Cut)>,
}

impl FtpLink {
    /// A link to the server at `to`, on a free port of its own; what is paced and cut is what goes up to the server.
    pub fn up_to(to: SocketAddr) -> Self {
        Self::by(Link::up_to, to)
    }

    /// The same, where what is paced and cut is what comes down from the server.
    pub fn to(to: SocketAddr) -> Self {
        Self::by(Link::to, to)
    }

    fn by(link: fn(SocketAddr) -> Link, to: SocketAddr) -> Self {
        let port = Port::open();
        let addr = port.addr();
        let shared = Arc::new(Shared {
            to,
            link,
            data: Mutex::default(),
            links: Mutex::default(),
            controls: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&port, &shared)
        });
        Self { addr, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Bytes a second on each data connection; None for no limit.
    pub fn rate(&self, rate: Option<u64>) -> &Self {
        self.shared.data.lock().unwrap().rate = rate;
        self
    }

    /// The first so many data connections get a rate of their own.
    pub fn rate_of_first(&self, count: usize, rate: u64) -> &Self {
        self.shared.data.lock().unwrap().rate_of_first = Some((count, rate));
        self
    }

    /// Cuts each data connection once it has passed so many bytes.
    pub fn cut_after(&self, bytes: u64, how: Cut) -> &Self {
        self.shared.data.lock().unwrap().cut = Some((bytes, how));
        self
    }

    /// How many data connections were made so far.
    pub fn data_connections(&self) -> usize {
        self.shared.links.lock().unwrap().iter().map(Link::connections).sum()
    }

    /// Bytes passed over all data connections.
    pub fn passed(&self) -> u64 {
        self.shared.links.lock().unwrap().iter().map(Link::passed).sum()
    }
}

impl Drop for FtpLink {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for control in self.shared.controls.lock().unwrap().iter() {
            let _ = control.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn accept(port: &Port, shared: &Arc<Shared>) {
    while !shared.stopped.load(Ordering::Relaxed) {
        let Ok(Some(client)) = port.accept(TICK) else { continue };
        let Ok(server) = TcpStream::connect(shared.to) else {
            socket::reset_on_close(&client);
            continue;
        };
        let _ = server.set_nodelay(true);
        let kept = [client.try_clone(), server.try_clone()];
        shared.controls.lock().unwrap().extend(kept.into_iter().flatten());
        let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { continue };
        std::thread::spawn(move || pass(&from, &to, |_| None));
        let shared = Arc::clone(shared);
        std::thread::spawn(move || pass(&server, &client, |line| shared.opened(line)));
    }
}

/// Passes lines on, each as `changed` has it; what ends on one side ends on the other.
fn pass(from: &TcpStream, to: &TcpStream, changed: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let mut lines = BufReader::new(from);
    let mut to = to;
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
        let sent = changed(&line).unwrap_or_else(|| line.clone());
        if to.write_all(&sent).is_err() {
            break;
        }
        line.clear();
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Shared {
    /// A reply that names a port names a link's instead.
    fn opened(&self, line: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(line).ok()?;
        let inside = text.split_once('(')?.1.split_once(')')?.0;
        let port = match text.get(..4)? {
            "229 " => inside.split('|').nth(3)?.parse().ok()?,
            "227 " => {
                let bytes: Vec<u16> = inside.split(',').map_while(|byte| byte.parse().ok()).collect();
                bytes.get(4)? * 256 + bytes.get(5)?
            }
            _ => return None,
        };
        let port = self.link_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let told = match text.get(..3)? {
            "229" => format!("229 Elsewhere (|||{port}|)\r\n"),
            _ => format!("227 Elsewhere (127,0,0,1,{},{})\r\n", port / 256, port % 256),
        };
        Some(told.into_bytes())
    }

    fn link_to(&self, data: SocketAddr) -> u16 {
        let link = (self.link)(data);
        let settings = self.data.lock().unwrap();
        let mut links = self.links.lock().unwrap();
        let own = settings.rate_of_first.filter(|(count, _)| links.len() < *count).map(|(_, rate)| rate);
        link.rate(own.or(settings.rate));
        if let Some((bytes, how)) = settings.cut {
            link.cut_after(bytes, how);
        }
        let port = link.addr().port();
        links.push(link);
        port
    }
}
