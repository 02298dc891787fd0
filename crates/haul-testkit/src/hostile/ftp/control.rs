//! The control connection: lines in, replies out, in whole or byte by byte.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::ServerConfig;

use super::behaviour::Replies;
use crate::hostile::wire::Wire;

/// What telnet puts before an urgent ABOR (RFC 959, section 4.1.3): IAC, IP, DM.
const TELNET: [u8; 3] = [0xFF, 0xF4, 0xF2];

/// What came on the control connection while a transfer ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Abor,
    /// The client has gone.
    End,
}

/// A control connection; lines that came while a transfer ran wait in it.
pub(super) struct Control {
    pub(super) wire: Wire,
    unread: Vec<u8>,
}

impl Control {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, unread: Vec::new() }
    }

    /// The next line; None when the client has gone.
    pub(super) fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            let mut piece = [0; 4096];
            match self.wire.read(&mut piece)? {
                0 => return Ok(None),
                count => self.unread.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// What the client has said meanwhile: ABOR is taken, other commands wait for the end of the transfer.
    pub(super) fn hear(&mut self) -> Heard {
        let mut piece = [0; 4096];
        let gone = loop {
            match self.wire.read_now(&mut piece) {
                Ok(Some(0)) | Err(_) => break true,
                Ok(Some(count)) => self.unread.extend_from_slice(&piece[..count]),
                Ok(None) => break false,
            }
        };
        let plain: Vec<u8> =
            self.unread.iter().filter(|byte| !TELNET.contains(byte)).take(4).copied().collect();
        if plain.eq_ignore_ascii_case(b"ABOR") && self.take_line().is_some() {
            return Heard::Abor;
        }
        if gone { Heard::End } else { Heard::Nothing }
    }

    /// Speaks TLS from here on; what came before it is not heeded any more.
    pub(super) fn secure(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        self.unread.clear();
        self.wire.secure(config)
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.unread.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.unread.drain(..=end).filter(|byte| !TELNET.contains(byte)).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Sends whole lines.
    pub(super) fn send(&mut self, text: &str, how: Replies) -> io::Result<()> {
        let Replies::Split(pause) = how else {
            self.wire.write_all(text.as_bytes())?;
            return self.wire.flush();
        };
        for byte in text.bytes() {
            self.wire.write_all(&[byte])?;
            self.wire.flush()?;
            std::thread::sleep(pause);
        }
        Ok(())
    }
}
