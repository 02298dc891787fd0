//! One connection of a hostile peer: reads requests, sends answers, and breaks where the behaviour says so.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use super::Shared;
use super::answer::{Answer, Body, framing};
use super::behaviour::{Behaviour, Head, Length};
use super::request::{self, Request};
use crate::pace::Pace;
use crate::socket::{self, Cut};

const PIECE: usize = 256 << 10;
const TICK: Duration = Duration::from_millis(5);

/// A socket that waits as long as it takes, unless the peer is being stopped.
struct Patient {
    stream: TcpStream,
    shared: Arc<Shared>,
}

impl Patient {
    fn again<T>(&mut self, mut act: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            match act(&mut self.stream) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.shared.is_stopped() {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                }
                result => return result,
            }
        }
    }
}

impl Read for Patient {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.again(|stream| stream.read(out))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.again(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Wire {
    Plain(Patient),
    Tls(Box<StreamOwned<ServerConnection, Patient>>),
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => &socket.stream,
            Self::Tls(tls) => &tls.sock.stream,
        }
    }

    fn end(&mut self, how: Cut) {
        socket::end(self.socket(), how);
    }

    /// The end of a connection that is not cut: over TLS it is announced.
    fn close(&mut self) {
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        self.end(Cut::Fin);
    }
}

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(out),
            Self::Tls(tls) => tls.read(out),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// What becomes of the connection after an answer.
enum After {
    Kept,
    Closed,
    Cut(Cut),
}

pub(super) fn serve(stream: TcpStream, number: usize, shared: &Arc<Shared>) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    let _ = stream.set_write_timeout(Some(Duration::from_millis(20)));
    let socket = Patient { stream, shared: Arc::clone(shared) };
    let wire = match &shared.tls {
        None => Wire::Plain(socket),
        Some(config) => {
            let Ok(tls) = ServerConnection::new(Arc::clone(config)) else { return };
            Wire::Tls(Box::new(StreamOwned::new(tls, socket)))
        }
    };
    let mut connection =
        Connection { wire: BufReader::new(wire), number, shared: Arc::clone(shared), carried: 0, pace: None };
    // An error is the client's going, or our own stop: nobody is left to tell.
    let _ = connection.run();
}

struct Connection {
    wire: BufReader<Wire>,
    number: usize,
    shared: Arc<Shared>,
    /// Body bytes over all answers of this connection.
    carried: u64,
    pace: Option<Pace>,
}

impl Connection {
    fn run(&mut self) -> io::Result<()> {
        while let Some(request) = request::read(&mut self.wire, self.number)? {
            let shared = Arc::clone(&self.shared);
            let (answer, behaviour, under_way) = Shared::answer(&shared, &request);
            let after = self.send(&request, &answer, &behaviour);
            drop(under_way);
            match after? {
                After::Kept => {}
                After::Closed => {
                    self.wire.get_mut().close();
                    return Ok(());
                }
                After::Cut(how) => {
                    self.wire.get_mut().end(how);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, request: &Request, answer: &Answer, behaviour: &Behaviour) -> io::Result<After> {
        match behaviour.head {
            Head::Nothing => return Ok(After::Cut(Cut::Fin)),
            Head::Garbage => {
                self.wire
                    .get_mut()
                    .write_all(b"\x00\xff220 this is not the protocol you look for\r\n\r\n")?;
                return Ok(After::Cut(Cut::Fin));
            }
            Head::Withheld => self.wait_until(|b| b.head != Head::Withheld, request)?,
            _ => {}
        }
        request.progress.status.store(u64::from(answer.status), Ordering::Relaxed);
        let (frame, chunked) = framing(behaviour, &answer.body);
        let asked_to_close = request.field("Connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let kept = behaviour.keep_alive
            && !asked_to_close
            && behaviour.surplus == 0
            && behaviour.length != Length::UntilClose;
        let head = head_of(answer, &frame, kept, behaviour);
        self.send_head(&head, behaviour.head)?;
        if request.method != "HEAD"
            && let Some(how) = self.send_body(request, &answer.body, behaviour, chunked)?
        {
            return Ok(After::Cut(how));
        }
        self.wire.get_mut().flush()?;
        request.progress.complete.store(true, Ordering::Relaxed);
        Ok(if kept { After::Kept } else { After::Closed })
    }

    fn send_head(&mut self, head: &[u8], how: Head) -> io::Result<()> {
        let wire = self.wire.get_mut();
        let Head::Dribbled(pause) = how else { return wire.write_all(head) };
        for byte in head {
            wire.write_all(&[*byte])?;
            wire.flush()?;
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// The body, or as much of it as goes before the cut.
    fn send_body(
        &mut self,
        request: &Request,
        body: &Body,
        b: &Behaviour,
        chunked: bool,
    ) -> io::Result<Option<Cut>> {
        let no_piece = Vec::new();
        let parts = match body {
            Body::Bytes(bytes) => [Part::Bytes(bytes), Part::Bytes(&no_piece), Part::Bytes(&no_piece)],
            Body::Piece { before, content, range, after } => {
                [Part::Bytes(before), Part::Content(*content, range.clone()), Part::Bytes(after)]
            }
        };
        for part in parts {
            let mut done = 0;
            while done < part.len() {
                // Cuts, stalls and rates change in mid-answer; everything else is as the answer began.
                let (limit, cut) = self.gate(request)?;
                if let Some(how) = cut {
                    self.wire.get_mut().flush()?;
                    return Ok(Some(how));
                }
                let bytes = part.bytes(done, limit);
                self.write_piece(&bytes, chunked)?;
                done += bytes.len() as u64;
                self.count(request, bytes.len());
            }
        }
        let wire = self.wire.get_mut();
        if chunked {
            wire.write_all(b"0\r\n\r\n")?;
        }
        wire.write_all(&vec![b'!'; b.surplus])?;
        Ok(None)
    }

    fn write_piece(&mut self, bytes: &[u8], chunked: bool) -> io::Result<()> {
        let wire = self.wire.get_mut();
        if !chunked {
            return wire.write_all(bytes);
        }
        wire.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        wire.write_all(bytes)?;
        wire.write_all(b"\r\n")
    }

    fn count(&mut self, request: &Request, bytes: usize) {
        self.carried += bytes as u64;
        if let Some(pace) = &mut self.pace {
            pace.pay(Instant::now(), bytes);
        }
        request.progress.body_sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.carried(request.path(), bytes as u64);
    }

    /// Waits until body bytes may go, and says how many at most; or that the connection is to be cut here.
    fn gate(&mut self, request: &Request) -> io::Result<(usize, Option<Cut>)> {
        loop {
            self.check_stopped()?;
            let limits = self.shared.limits(request.path(), self.number);
            let mut most = PIECE as u64;
            if let Some((bytes, how)) = limits.cut {
                if self.carried >= bytes {
                    return Ok((0, Some(how)));
                }
                most = most.min(bytes - self.carried);
            }
            if let Some(bytes) = limits.stall {
                most = most.min(bytes.saturating_sub(self.carried));
            }
            if self.pace.as_ref().map(Pace::rate) != limits.rate {
                self.pace = limits.rate.map(Pace::new);
            }
            let wait = match self.pace.as_ref().map(|pace| pace.allows(Instant::now())) {
                Some(Ok(count)) => {
                    most = most.min(count as u64);
                    TICK
                }
                Some(Err(wait)) => {
                    most = 0;
                    wait.min(TICK)
                }
                None => TICK,
            };
            if most > 0 && !limits.held {
                return Ok((most as usize, None));
            }
            self.wire.get_mut().flush()?;
            std::thread::sleep(wait);
        }
    }

    fn wait_until(&self, done: impl Fn(&Behaviour) -> bool, request: &Request) -> io::Result<()> {
        while !self.shared.behaviour(request.path(), &done) {
            self.check_stopped()?;
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    fn check_stopped(&self) -> io::Result<()> {
        if self.shared.is_stopped() { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

enum Part<'a> {
    Bytes(&'a [u8]),
    Content(crate::Content, std::ops::Range<u64>),
}

impl Part<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Content(_, range) => range.end - range.start,
        }
    }

    fn bytes(&self, from: u64, most: usize) -> Vec<u8> {
        let count = (self.len() - from).min(most as u64) as usize;
        match self {
            Self::Bytes(bytes) => bytes[from as usize..from as usize + count].to_vec(),
            Self::Content(content, range) => {
                let mut out = vec![0; count];
                content.fill(range.start + from, &mut out);
                out
            }
        }
    }
}

fn head_of(answer: &Answer, frame: &[(String, String)], kept: bool, behaviour: &Behaviour) -> Vec<u8> {
    let version = if behaviour.length == Length::UntilClose { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut head = format!("{version} {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in answer.fields.iter().chain(frame) {
        head += &format!("{name}: {value}\r\n");
    }
    if !kept {
        head += "Connection: close\r\n";
    }
    if let Head::Huge(bytes) = behaviour.head {
        head += &format!("X-Huge: {}\r\n", "x".repeat(bytes));
    }
    (head + "\r\n").into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
