//! An HTTP/1.1 client that sends exactly the bytes the test gives it, and reads what comes back by the rules of
//! RFC 9112: interim answers, then a head, then a body of a known length, in chunks, or up to the connection's end.
//!
//! It adds nothing to a request and keeps no state but its connection, so that a request may be as wrong as a test
//! likes. It is strict with answers: what RFC 9112 §2 to §7 do not allow stops the test, with the bytes shown.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::caller::connect_from;
use crate::socket::reset_on_close;
use crate::wire::{PATIENCE, Wire, waits_at_most};

/// More than any head or line of an answer may have.
const LONG: usize = 256 << 10;

/// The first line of an answer, and its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `HTTP/1.1`, as it came.
    pub version: String,
    /// Three digits.
    pub status: u16,
    /// What stands behind them.
    pub reason: String,
    /// Names as they came and values without the spaces around them, in their order.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// All values of a field, whatever the case of its name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name).collect()
    }

    /// The value of a field that may be there once: where it is there twice the test stops.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        match self.all(name)[..] {
            [] => None,
            [value] => Some(value),
            _ => panic!("{name} more than once: {self:?}"),
        }
    }

    /// The same where its value has to be a number.
    #[track_caller]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {self:?}")))
    }

    /// Whether another answer follows (RFC 9110 §15.2). After 101 it is no longer HTTP/1.1 that is spoken.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

fn values<'a>(fields: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// How the end of a body is told (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none: an answer to HEAD, 204, 304.
    Bodiless,
    /// By Content-Length.
    Length(u64),
    /// By its last chunk.
    Chunked,
    /// By the end of the connection.
    UntilEnd,
}

/// An answer, with all that came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 1xx answers, in their order.
    pub interim: Vec<Head>,
    /// The answer's own.
    pub head: Head,
    /// The content without its chunks' heads; what had come of it where the connection ended too early.
    pub body: Vec<u8>,
    /// Fields after the last chunk.
    pub trailers: Vec<(String, String)>,
    /// How the body's end was told.
    pub framing: Framing,
    /// Whether the body ended as it was told.
    pub whole: bool,
    /// All bytes of it, from the first interim answer on, as they came.
    pub raw: Vec<u8>,
}

impl Answer {
    /// The status of the final answer.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// [`Head::field`] of the final answer.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// The content as text, whatever it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The final answer, which is whole and has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let Self { head, whole, .. } = &self;
        assert!(*whole, "cut after {} bytes of its body: {head:?}", self.body.len());
        assert_eq!(head.status, status, "{:?}\n{}", self.head, self.text());
        self
    }
}

/// A connection.
#[derive(Debug)]
pub struct HttpCaller {
    wire: Wire,
    patience: Duration,
    /// What came and was not asked for yet.
    buffer: Vec<u8>,
    /// What has been taken of the answer that is being read.
    raw: Vec<u8>,
}

/// The connection ended, by FIN or RST, where more had to come.
#[derive(Debug)]
struct Ended;

impl HttpCaller {
    /// Connects.
    #[track_caller]
    pub fn to(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).expect("a server that listens"))
    }

    /// Connects from another address of loopback, as another host would.
    #[track_caller]
    pub fn from_address(from: IpAddr, addr: SocketAddr) -> Self {
        Self::over(connect_from(from, addr))
    }

    /// Connects with TLS; which protocols are offered by ALPN, the configuration tells.
    #[track_caller]
    pub fn to_tls(addr: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let Self { wire, patience, buffer, raw } = Self::to(addr);
        Self { wire: wire.secured(config), patience, buffer, raw }
    }

    /// Over a connection that was made already.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        waits_at_most(&stream);
        Self { wire: Wire::Plain(stream), patience: PATIENCE, buffer: Vec::new(), raw: Vec::new() }
    }

    /// How long each answer may take, from when it is asked for to its last byte; 30 s where nothing is said.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.tries(bytes).expect("a server that takes them");
    }

    /// Sends bytes to somebody who may have gone.
    pub fn tries(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.wire.write_all(bytes.as_ref())?;
        self.wire.flush()
    }

    /// Sends a request and hears its answer. The first word is the method, by which the answer's framing goes.
    #[track_caller]
    pub fn asks(&mut self, request: impl AsRef<[u8]>) -> Answer {
        let request = request.as_ref();
        let method = request.split(|byte| *byte == b' ').next().unwrap_or_default();
        let method = String::from_utf8_lossy(method).into_owned();
        self.sends(request);
        self.answer(&method)
    }

    /// The next answer, to a request with this method.
    #[track_caller]
    pub fn answer(&mut self, method: &str) -> Answer {
        self.hears(method).expect("an answer before the connection ends")
    }

    /// The same, or None where the connection ends before a final answer's head is whole.
    #[track_caller]
    pub fn hears(&mut self, method: &str) -> Option<Answer> {
        let deadline = Instant::now() + self.patience;
        let mut interim = Vec::new();
        let head = loop {
            let head = self.head_by(deadline).ok()?;
            if !head.is_interim() {
                break head;
            }
            interim.push(head);
        };
        let framing = framing(method, &head);
        let (mut body, mut trailers) = (Vec::new(), Vec::new());
        let whole = self.body_by(deadline, framing, &mut body, &mut trailers).is_ok();
        Some(Answer { interim, head, body, trailers, framing, whole, raw: std::mem::take(&mut self.raw) })
    }

    /// The next head alone, interim or not; None where the connection ends instead. For 100 and 104 while a request is
    /// still being sent: what this has heard is no part of a later [`Answer`], and the body of a final one is not read.
    #[track_caller]
    pub fn next_head(&mut self) -> Option<Head> {
        let head = self.head_by(Instant::now() + self.patience).ok();
        self.raw.clear();
        head
    }

    /// Whether the server ends the connection without another byte.
    #[track_caller]
    pub fn is_ended(&mut self) -> bool {
        self.buffer.is_empty() && self.more(Instant::now() + self.patience).is_err()
    }

    /// Says that nothing more is coming, and still hears what is said.
    pub fn shuts(&self) {
        let _ = self.wire.tcp().shutdown(Shutdown::Write);
    }

    /// Ends as if its host had gone: by RST.
    pub fn resets(self) {
        reset_on_close(self.wire.tcp());
    }

    /// Our port: by it the system's table tells what has not been taken yet.
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.wire.tcp().local_addr().expect("our address").port()
    }

    #[track_caller]
    fn head_by(&mut self, deadline: Instant) -> Result<Head, Ended> {
        let first = self.line_by(deadline)?;
        let (version, rest) = first.split_once(' ').unwrap_or_else(|| panic!("no status line: {first:?}"));
        // The space behind the status stands also where no reason follows (RFC 9112 §4).
        let (status, reason) = rest.split_once(' ').unwrap_or_else(|| panic!("no status line: {first:?}"));
        let digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        assert!(digits && version.starts_with("HTTP/1."), "no status line: {first:?}");
        let (version, reason) = (version.to_owned(), reason.to_owned());
        let status = status.parse().expect("three digits");
        Ok(Head { version, status, reason, fields: self.fields_by(deadline)? })
    }

    /// Field lines up to the empty one.
    #[track_caller]
    fn fields_by(&mut self, deadline: Instant) -> Result<Vec<(String, String)>, Ended> {
        let (mut fields, mut size) = (Vec::new(), 0);
        loop {
            let line = self.line_by(deadline)?;
            if line.is_empty() {
                return Ok(fields);
            }
            size += line.len();
            assert!(size < LONG, "a head without end");
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
            assert!(!name.is_empty() && name.bytes().all(is_token), "no field name: {line:?}");
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
    }

    #[track_caller]
    fn body_by(
        &mut self,
        deadline: Instant,
        framing: Framing,
        body: &mut Vec<u8>,
        trailers: &mut Vec<(String, String)>,
    ) -> Result<(), Ended> {
        match framing {
            Framing::Bodiless => Ok(()),
            Framing::Length(length) => self.bytes_by(deadline, length, body),
            Framing::UntilEnd => match self.bytes_by(deadline, u64::MAX, body) {
                Ok(()) | Err(Ended) => Ok(()),
            },
            Framing::Chunked => loop {
                let line = self.line_by(deadline)?;
                let size = line.split(';').next().unwrap_or_default().trim_end();
                let size = u64::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no chunk: {line:?}"));
                if size == 0 {
                    *trailers = self.fields_by(deadline)?;
                    return Ok(());
                }
                self.bytes_by(deadline, size, body)?;
                let end = self.line_by(deadline)?;
                assert!(end.is_empty(), "a chunk longer than it says: {end:?}");
            },
        }
    }

    /// Moves so many bytes to `body`, or as many as come.
    #[track_caller]
    fn bytes_by(&mut self, deadline: Instant, count: u64, body: &mut Vec<u8>) -> Result<(), Ended> {
        let mut left = count;
        while left > 0 {
            if self.buffer.is_empty() {
                self.more(deadline)?;
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            body.extend(self.taken(count));
            left -= count as u64;
        }
        Ok(())
    }

    /// A line without its CR LF.
    #[track_caller]
    fn line_by(&mut self, deadline: Instant) -> Result<String, Ended> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.taken(searched + at + 1);
                line.pop();
                assert_eq!(line.pop(), Some(b'\r'), "LF without CR after {}", line.escape_ascii());
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            searched = self.buffer.len();
            assert!(searched < LONG, "a line without end");
            self.more(deadline)?;
        }
    }

    /// The first bytes of the buffer, which belong to the answer that is being read.
    fn taken(&mut self, count: usize) -> Vec<u8> {
        let bytes: Vec<u8> = self.buffer.drain(..count).collect();
        self.raw.extend(&bytes);
        bytes
    }

    /// Reads what is there, once.
    #[track_caller]
    fn more(&mut self, deadline: Instant) -> Result<(), Ended> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.wire.tcp().set_read_timeout(Some(left)).expect("a deadline");
        let mut piece = vec![0; 64 << 10];
        match self.wire.read(&mut piece) {
            Ok(0) => Err(Ended),
            Ok(count) => {
                self.buffer.extend(&piece[..count]);
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let so_far = self.raw.iter().chain(&self.buffer).copied().take(4096).collect::<Vec<_>>();
                panic!("no more within {:?} after \"{}\"", self.patience, so_far.escape_ascii())
            }
            // A signal, as when a child of this process has ended: a socket with a deadline is not read on by itself.
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            Err(_) => Err(Ended),
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9112 §6.3. What would let two readers disagree stops the test.
#[track_caller]
fn framing(method: &str, head: &Head) -> Framing {
    let (codings, lengths) = (head.all("Transfer-Encoding"), head.all("Content-Length"));
    assert!(codings.is_empty() || lengths.is_empty(), "two ends of a body: {head:?}");
    if method == "HEAD" || matches!(head.status, 101 | 204 | 304) {
        return Framing::Bodiless;
    }
    match (&codings[..], &lengths[..]) {
        ([], []) => Framing::UntilEnd,
        ([coding], _) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
        ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            Framing::Length(length.parse().unwrap_or_else(|_| panic!("no length: {head:?}")))
        }
        _ => panic!("the body's end is not told: {head:?}"),
    }
}

#[cfg(test)]
mod tests;
