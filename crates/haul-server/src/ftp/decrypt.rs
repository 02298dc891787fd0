//! TLS without the runtime: what came on a connection is decrypted on the thread that wants it, and nothing is waited
//! for (RFC 8446 §5, 6.1; RFC 5246 §6, 7.2.1).
//!
//! What was decrypted and not read stays in the session; whoever reads next, here or in the runtime, gets it first.

use std::{
    io::{self, Read},
    net::TcpStream,
};

use rustls::ServerConnection;

use crate::sys;

/// Reads what is there, as far as there is room. 0 is the clean end, close_notify; FIN without it is
/// [`io::ErrorKind::UnexpectedEof`].
pub(super) fn read(session: &mut ServerConnection, socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    loop {
        let rest = into.get_mut(filled..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(filled);
        }
        let read = match session.reader().read(rest) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match more(session, socket) {
                Ok(()) => continue,
                Err(error) => Err(error),
            },
            read => read,
        };
        match read {
            // What was read comes first. The end stays, and so does an error of TLS; after one of the connection
            // nothing comes but its end.
            Ok(0) | Err(_) if filled > 0 => return Ok(filled),
            Ok(0) => return Ok(0),
            Ok(read) => filled += read,
            Err(error) => return Err(error),
        }
    }
}

/// Whether something can be read, or the end be seen, without the connection.
pub(super) fn is_ahead(session: &ServerConnection) -> bool {
    !session.wants_read()
}

/// Takes some of what has come into the session; what the session has to say to it (an alert) is said as far as that can
/// be done now.
fn more(session: &mut ServerConnection, socket: &TcpStream) -> io::Result<()> {
    session.read_tls(&mut Now(socket))?;
    let processed = session.process_new_packets();
    while session.wants_write() {
        // A connection that is broken is seen where it is read.
        if !matches!(session.write_tls(&mut &*socket), Ok(1..)) {
            break;
        }
    }
    processed.map(drop).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// What is there now of what comes on a socket.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        sys::read_now(self.0, into)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind::WouldBlock, Write as _},
        net::{Shutdown, TcpListener},
        sync::Arc,
        thread::{self, JoinHandle},
    };

    use haul_testkit::tls::{Certificates, Version};
    use rustls::{ClientConnection, StreamOwned};

    use super::*;

    type Client = StreamOwned<ClientConnection, TcpStream>;

    /// The server's end.
    struct Here(ServerConnection, TcpStream);

    impl Here {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            read(&mut self.0, &self.1, into)
        }

        /// Reads once there is something.
        fn read_soon(&mut self, into: &mut [u8]) -> io::Result<usize> {
            loop {
                match self.read(into) {
                    Err(error) if error.kind() == WouldBlock => thread::yield_now(),
                    read => return read,
                }
            }
        }
    }

    /// What `client` does once TLS is there, on a thread, and the server's end.
    fn with(
        version: Version,
        client: impl FnOnce(Client) -> Client + Send + 'static,
    ) -> (Here, JoinHandle<Client>) {
        let certificates = Certificates::for_loopback();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, config) = (listener.local_addr().unwrap(), certificates.client_config(Some(version)));
        let client = thread::spawn(move || {
            let session = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
            let mut stream = Client::new(session, TcpStream::connect(addr).unwrap());
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).unwrap();
            }
            client(stream)
        });
        let (mut socket, _) = listener.accept().unwrap();
        let mut config = rustls::ServerConfig::clone(&certificates.server_config());
        config.send_tls13_tickets = 0;
        let mut session = ServerConnection::new(Arc::new(config)).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        (Here(session, socket), client)
    }

    #[test]
    fn what_was_decrypted_and_not_read_is_ahead_of_what_is_on_the_connection() {
        for version in [Version::Tls12, Version::Tls13] {
            let (mut here, client) = with(version, |mut client| {
                client.write_all(b"begins here and goes on").unwrap();
                client
            });
            assert!(!is_ahead(&here.0));
            let (mut few, mut more) = ([0; 6], [0; 5]);
            assert_eq!(here.read_soon(&mut few).unwrap(), 6);
            assert!(is_ahead(&here.0));
            assert_eq!(here.read(&mut more).unwrap(), 5);
            let mut rest = [0; 100];
            assert_eq!(here.read(&mut rest).unwrap(), 12);
            assert!(few == *b"begins" && more == *b" here" && rest.starts_with(b" and goes on"));
            assert_eq!(here.read(&mut rest).unwrap_err().kind(), WouldBlock);
            assert!(!is_ahead(&here.0));
            drop(client.join().unwrap());
        }
    }

    #[test]
    fn close_notify_is_the_only_clean_end() {
        for version in [Version::Tls12, Version::Tls13] {
            for clean in [true, false] {
                let (mut here, client) = with(version, move |mut client| {
                    client.write_all(b"all").unwrap();
                    if clean {
                        client.conn.send_close_notify();
                        client.flush().unwrap();
                    }
                    client.sock.shutdown(Shutdown::Write).unwrap();
                    client
                });
                let mut all = [0; 100];
                assert_eq!(here.read_soon(&mut all).unwrap(), 3);
                for _ in 0..2 {
                    let end = here.read_soon(&mut all).map_err(|error| error.kind());
                    assert_eq!(end, if clean { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof) });
                }
                assert_eq!(is_ahead(&here.0), clean);
                drop(client.join().unwrap());
            }
        }
    }

    #[test]
    fn a_key_that_is_changed_is_read_on_with() {
        let (mut here, client) = with(Version::Tls13, |mut client| {
            client.write_all(b"old").unwrap();
            client.conn.refresh_traffic_keys().unwrap();
            client.write_all(b"new").unwrap();
            client
        });
        let (mut old, mut new) = ([0; 3], [0; 3]);
        assert_eq!(here.read_soon(&mut old).unwrap(), 3);
        assert_eq!(here.read_soon(&mut new).unwrap(), 3);
        assert!(old == *b"old" && new == *b"new");
        drop(client.join().unwrap());
    }

    #[test]
    fn what_nobody_sealed_is_refused_and_the_client_is_told() {
        let (mut here, client) = with(Version::Tls13, |mut client| {
            client.sock.write_all(b"\x17\x03\x03\x00\x20not sealed, and as long as it says it is").unwrap();
            client
        });
        let mut bytes = [0; 6];
        let refused = here.read_soon(&mut bytes).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        let mut client = client.join().unwrap();
        let told = client.conn.complete_io(&mut client.sock).unwrap_err();
        assert!(told.to_string().contains("BadRecordMac"), "{told}");
    }
}
