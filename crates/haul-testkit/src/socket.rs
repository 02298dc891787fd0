//! What std leaves out of sockets: ending one by RST, and ending one by FIN with nothing left unread.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// As if the peer had said all it had to say.
    Fin,
    /// As if the peer had died.
    Rst,
}

/// Ends a connection so that all that was written arrives first, whatever the way of ending.
pub(crate) fn end(stream: &TcpStream, how: Cut) {
    match how {
        Cut::Fin => {
            let _ = stream.shutdown(Shutdown::Write);
            drain(stream);
        }
        Cut::Rst => {
            wait_until_delivered(stream);
            reset_on_close(stream);
        }
    }
}

/// The close that follows sends RST, and throws away what was not delivered.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// Reads until the peer closes too: closing with bytes unread would turn the FIN into an RST.
fn drain(mut stream: &TcpStream) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut sink = [0; 4096];
    while Instant::now() < deadline {
        match stream.read(&mut sink) {
            Ok(0) => return,
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            _ => {}
        }
    }
}

/// An RST discards the send queue, so "cut after N bytes" has to see it empty first; a peer that does not read
/// cannot hold this up for long.
fn wait_until_delivered(stream: &TcpStream) {
    let deadline = Instant::now() + Duration::from_millis(500);
    while unacknowledged(stream).is_some_and(|count| count > 0) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The kernel's own table has the length of the send queue; None where there is no such table.
fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    let (here, there) = (table_name(stream.local_addr().ok()?)?, table_name(stream.peer_addr().ok()?)?);
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|cells| cells.len() > 4 && cells[1] == here && cells[2] == there)?;
    u64::from_str_radix(row[4].split(':').next()?, 16).ok()
}

fn table_name(addr: SocketAddr) -> Option<String> {
    let SocketAddr::V4(addr) = addr else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(addr.ip().octets()), addr.port()))
}
