//! An FTP client that says what the test says, word by word, and nothing else: as somebody at telnet would.
//!
//! It keeps no state but its sockets. With TLS, data connections resume the control connection's session, as servers
//! may require.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
use rustls::ClientConfig;

use crate::socket::reset_on_close;
use crate::wire::{PATIENCE, Wire, waits_at_most};

/// What a server said: a code, and the text of all lines as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits; 0 where the connection ended instead.
    pub code: u16,
    /// Everything, code and line ends included.
    pub text: String,
}

impl Reply {
    /// The number that stands behind the code, for SIZE.
    #[track_caller]
    pub fn number(&self) -> u64 {
        let text = self.text.get(4..).unwrap_or_default().trim();
        text.parse().unwrap_or_else(|_| panic!("no number: {self:?}"))
    }
}

/// A control connection.
#[derive(Debug)]
pub struct Caller {
    wire: BufReader<Wire>,
    tls: Option<Arc<ClientConfig>>,
    protected: bool,
}

impl Caller {
    /// Connects; the greeting is still to be read.
    #[track_caller]
    pub fn to(addr: SocketAddr) -> Self {
        Self::of(TcpStream::connect(addr).expect("a server that listens"))
    }

    /// Connects from another address of loopback, as another host would.
    #[track_caller]
    pub fn from_address(from: IpAddr, addr: SocketAddr) -> Self {
        Self::of(connect_from(from, addr))
    }

    /// Over a connection that is there, on which something may have been sent.
    pub fn over(stream: TcpStream) -> Self {
        Self::of(stream)
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        waits_at_most(&stream);
        Self { wire: BufReader::new(Wire::Plain(stream)), tls: None, protected: false }
    }

    /// Connects to a door that begins with TLS.
    #[track_caller]
    pub fn to_tls(addr: SocketAddr, config: Arc<ClientConfig>) -> Self {
        let mut caller = Self::to(addr);
        caller.secure(config);
        caller
    }

    /// Greeted and logged in.
    #[track_caller]
    pub fn login(addr: SocketAddr, user: &str, password: &str) -> Self {
        let mut caller = Self::to(addr);
        caller.hears(220);
        caller.logs_in(user, password);
        caller
    }

    /// The same, with binary transfers.
    #[track_caller]
    pub fn binary(addr: SocketAddr, user: &str, password: &str) -> Self {
        let mut caller = Self::login(addr, user, password);
        caller.says("TYPE I", 200);
        caller
    }

    /// Logs in.
    #[track_caller]
    pub fn logs_in(&mut self, user: &str, password: &str) {
        self.says(&format!("USER {user}"), 331);
        self.says(&format!("PASS {password}"), 230);
    }

    /// TLS begins on the control connection now: after AUTH TLS was answered.
    pub fn secure(&mut self, config: Arc<ClientConfig>) {
        assert!(self.wire.buffer().is_empty(), "nothing may come between AUTH's reply and TLS");
        let wire = std::mem::replace(self.wire.get_mut(), Wire::Gone);
        *self.wire.get_mut() = wire.secured(&config);
        self.tls = Some(config);
    }

    /// AUTH TLS, a login, and PROT P.
    #[track_caller]
    pub fn protected(addr: SocketAddr, config: Arc<ClientConfig>, user: &str, password: &str) -> Self {
        let mut caller = Self::to(addr);
        caller.hears(220);
        caller.says("AUTH TLS", 234);
        caller.secure(config);
        caller.logs_in(user, password);
        caller.says("TYPE I", 200);
        caller.protects();
        caller
    }

    /// PBSZ and PROT P: data connections speak TLS from here on.
    #[track_caller]
    pub fn protects(&mut self) {
        self.says("PBSZ 0", 200);
        self.says("PROT P", 200);
        self.protected = true;
    }

    /// Data connections know nothing of the control connection's TLS session from here on.
    pub fn forgets_session(&mut self, config: Arc<ClientConfig>) {
        self.tls = Some(config);
    }

    /// Data connections speak no TLS from here on, whatever was agreed.
    pub fn forgets_protection(&mut self) {
        self.protected = false;
    }

    /// Sends a line.
    #[track_caller]
    pub fn sends(&mut self, line: &str) {
        self.sends_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn sends_bytes(&mut self, bytes: &[u8]) {
        let wire = self.wire.get_mut();
        wire.write_all(bytes).expect("a server that listens");
        wire.flush().expect("a server that listens");
    }

    /// Sends bytes out of band, the last one marked as urgent.
    #[track_caller]
    pub fn sends_urgently(&mut self, bytes: &[u8]) {
        let sent = rustix::net::send(self.wire.get_ref().tcp(), bytes, rustix::net::SendFlags::OOB);
        assert_eq!(sent, Ok(bytes.len()));
    }

    /// The next reply; of code 0 at the end of the connection.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        let mut text = String::new();
        loop {
            let before = text.len();
            if let Err(error) = self.wire.read_line(&mut text) {
                let quiet =
                    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                assert!(!quiet, "no answer in {PATIENCE:?}: {text:?}");
                return Reply { code: 0, text };
            }
            let line = &text[before..];
            if line.is_empty() {
                return Reply { code: 0, text };
            }
            assert!(line.ends_with("\r\n"), "not a line: {line:?}");
            let code = line.get(..3).and_then(|code| code.parse().ok());
            if let (Some(code), Some(" ")) = (code, line.get(3..4)) {
                return Reply { code, text };
            }
        }
    }

    /// The next reply, which has this code.
    #[track_caller]
    pub fn hears(&mut self, code: u16) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.code, code, "{reply:?}");
        reply
    }

    /// Sends a line; the reply.
    #[track_caller]
    pub fn asks(&mut self, line: &str) -> Reply {
        self.sends(line);
        self.reply()
    }

    /// Sends a line; the reply, which has this code.
    #[track_caller]
    pub fn says(&mut self, line: &str, code: u16) -> Reply {
        let reply = self.asks(line);
        assert_eq!(reply.code, code, "{line}: {reply:?}");
        reply
    }

    /// The size that the server tells; None where it knows no such file.
    #[track_caller]
    pub fn size(&mut self, path: &str) -> Option<u64> {
        let reply = self.asks(&format!("SIZE {path}"));
        match reply.code {
            213 => Some(reply.number()),
            550 => None,
            _ => panic!("SIZE {path}: {reply:?}"),
        }
    }

    /// PASV, and where it says that it listens.
    #[track_caller]
    pub fn passive(&mut self) -> SocketAddr {
        let text = self.says("PASV", 227).text;
        let inside = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("six numbers").0;
        let numbers: Vec<u8> = inside.split(',').map(|number| number.parse().expect("a byte")).collect();
        let [a, b, c, d, high, low] = numbers[..] else { panic!("six numbers: {text}") };
        SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])))
    }

    /// PASV, connected; with TLS it begins with the first byte.
    #[track_caller]
    pub fn data(&mut self) -> Data {
        let addr = self.passive();
        self.data_at(addr)
    }

    /// A data connection to there.
    #[track_caller]
    pub fn data_at(&mut self, addr: SocketAddr) -> Data {
        let stream = TcpStream::connect(addr).expect("a server that listens for data");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        waits_at_most(&stream);
        self.data_over(stream)
    }

    /// A data connection that was made already.
    pub fn data_over(&self, stream: TcpStream) -> Data {
        let wire = Wire::Plain(stream);
        match &self.tls {
            Some(config) if self.protected => Data { wire: wire.secured(config) },
            _ => Data { wire },
        }
    }

    #[track_caller]
    fn begins(&mut self, command: &str) {
        let reply = self.asks(command);
        assert!(matches!(reply.code, 125 | 150), "{command}: {reply:?}");
    }

    /// Receives all that a command sends; the reply at its end has to be 226.
    #[track_caller]
    pub fn receives(&mut self, command: &str) -> Vec<u8> {
        let data = self.data();
        self.begins(command);
        let bytes = data.all();
        self.hears(226);
        bytes
    }

    /// Sends bytes by a command, and ends as a client does that is done; the reply at its end.
    #[track_caller]
    pub fn stores(&mut self, command: &str, bytes: &[u8]) -> Reply {
        let mut data = self.data();
        self.begins(command);
        data.sends(bytes);
        data.finish();
        self.reply()
    }

    /// The names in a folder, sorted.
    #[track_caller]
    pub fn names(&mut self, folder: &str) -> Vec<String> {
        let text = String::from_utf8(self.receives(&format!("NLST {folder}"))).expect("names in UTF-8");
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// The control connection ends as if its host had gone: by RST.
    pub fn resets(self) {
        reset_on_close(self.wire.get_ref().tcp());
    }

    /// Says that nothing more is coming, and still hears what is said.
    pub fn shuts(&self) {
        let _ = self.wire.get_ref().tcp().shutdown(Shutdown::Write);
    }

    /// Whether the server ends the connection without another word.
    #[track_caller]
    pub fn is_ended(&mut self) -> bool {
        self.reply().code == 0
    }
}

/// A data connection.
#[derive(Debug)]
pub struct Data {
    wire: Wire,
}

impl Data {
    /// Sends bytes.
    #[track_caller]
    pub fn sends(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).expect("a server that takes them");
        self.wire.flush().expect("a server that takes them");
    }

    /// Sends bytes out of band, the last one marked as urgent: it is no part of the stream.
    #[track_caller]
    pub fn sends_urgently(&mut self, bytes: &[u8]) {
        let sent = rustix::net::send(self.wire.tcp(), bytes, rustix::net::SendFlags::OOB);
        assert_eq!(sent, Ok(bytes.len()));
    }

    /// Our port: by it the system's table tells what has not been taken yet.
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.wire.tcp().local_addr().expect("our address").port()
    }

    /// Sends bytes to somebody who may have gone.
    pub fn tries(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.wire.write_all(bytes).and_then(|()| self.wire.flush())
    }

    /// So many bytes.
    #[track_caller]
    pub fn takes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.wire.read_exact(&mut bytes).expect("so many bytes");
        bytes
    }

    /// Everything to the end.
    #[track_caller]
    pub fn all(self) -> Vec<u8> {
        self.to_the_end().expect("a clean end")
    }

    /// The same where it may end otherwise.
    pub fn to_the_end(mut self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.wire.read_to_end(&mut bytes).map(|_| bytes)
    }

    /// Ends as whoever has sent all: close_notify where there is TLS, then FIN.
    pub fn finish(mut self) {
        if let Wire::Tls(stream) = &mut self.wire {
            // An empty upload has no handshake yet.
            while stream.conn.is_handshaking() {
                if stream.conn.complete_io(&mut stream.sock).is_err() {
                    return;
                }
            }
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.wire.tcp().shutdown(Shutdown::Write);
        // What the server still says (tickets) is read, so that the close is no RST.
        let _ = self.wire.read_to_end(&mut Vec::new());
    }

    /// FIN without close_notify: what a killed client's kernel sends.
    pub fn fin(self) {
        let _ = self.wire.tcp().shutdown(Shutdown::Write);
    }

    /// RST.
    pub fn reset(self) {
        reset_on_close(self.wire.tcp());
    }

    /// How TLS was agreed: whether it resumed an earlier session.
    pub fn resumed(&self) -> bool {
        let Wire::Tls(stream) = &self.wire else { return false };
        stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}

/// A connection from another address of this host.
#[track_caller]
pub fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_reuseaddr(&socket, true).expect("SO_REUSEADDR");
    bind(&socket, &SocketAddr::new(from, 0)).expect("an address of loopback");
    connect(&socket, &to).expect("a server that listens");
    let stream = TcpStream::from(socket);
    waits_at_most(&stream);
    stream
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::{FtpTls, PASSWORD, Pyftpdlib, USER};
    use crate::tls::{Certificates, Version};

    #[test]
    fn files_go_both_ways_word_by_word() {
        let dir = tempfile::tempdir().unwrap();
        let Some(server) = Pyftpdlib::serve(dir.path()) else { return };
        let mut caller = Caller::binary(server.addr(), USER, PASSWORD);
        assert_eq!(caller.stores("STOR f", b"0123456789").code, 226);
        assert_eq!((caller.size("f"), caller.size("absent")), (Some(10), None));
        caller.says("REST 4", 350);
        assert_eq!(caller.receives("RETR f"), b"456789");
        assert_eq!(caller.names("/"), ["f"]);
        caller.says("QUIT", 221);
        assert!(caller.is_ended());
    }

    #[test]
    fn data_connections_resume_the_session_of_control() {
        for version in [Version::Tls12, Version::Tls13] {
            let (dir, certificates) = (tempfile::tempdir().unwrap(), Certificates::for_loopback());
            let tls = FtpTls::required(&certificates);
            let Some(server) = Pyftpdlib::over(dir.path()).tls(tls).start() else { return };
            let config = certificates.client_config(Some(version));
            let mut caller = Caller::protected(server.addr(), config, USER, PASSWORD);
            assert_eq!(caller.stores("STOR f", b"secret").code, 226);
            assert_eq!(caller.receives("RETR f"), b"secret");
        }
    }
}
