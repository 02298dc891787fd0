//! Replies (RFC 959 §4.2, RFC 1123 §4.1.2.11): a code of three digits and one or more lines of text.
//!
//! ```text
//!            "code SP text"                       "code SP text" -> Reply
//!   between ----------------> Reply      inside ----------------------------> between
//!      |     "code-text"                   ^  |   any other line: kept
//!      +-----------------------------------+  +---+
//! ```
//!
//! [`ReplyParser`] takes bytes as they come. It leaves what follows a reply with the caller, who must know whether
//! anything does: after the reply to AUTH nothing may (RFC 4217 §4, bytes sent in the clear would count as secured).
//! Telnet's commands (RFC 854, RFC 959 §5.3) are taken out and not answered. What a code means is not judged here.

use std::{borrow::Cow, fmt};

use super::line::{LineTooLong, Lines};

/// A longer line is refused.
pub const LONGEST_LINE: usize = 8 * 1024;
/// A reply of more lines is refused.
pub const MOST_LINES: usize = 512;
/// A reply of more bytes, Telnet's included, is refused.
pub const LARGEST: usize = 64 * 1024;

/// A reply code, 100 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// What a code's first digit says (RFC 959 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 1yz: it has begun, and another reply will follow.
    PositivePreliminary,
    /// 2yz: done.
    PositiveCompletion,
    /// 3yz: accepted, and another command is expected.
    PositiveIntermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: not so.
    PermanentNegative,
}

impl Code {
    /// This code, or `None` where it is not within 100 to 599.
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 100 && code <= 599 { Some(Self(code)) } else { None }
    }

    /// The code as a number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What its first digit says.
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            1 => Class::PositivePreliminary,
            2 => Class::PositiveCompletion,
            3 => Class::PositiveIntermediate,
            4 => Class::TransientNegative,
            _ => Class::PermanentNegative,
        }
    }

    /// The three digits at the beginning of a line.
    fn of(line: &[u8]) -> Option<Self> {
        let digits = line.get(..3)?;
        Self::new(u16::try_from(super::digits::number(digits)?).ok()?)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: Code,
    lines: Vec<Vec<u8>>,
}

impl Reply {
    /// A reply of these lines, which a server might have sent.
    #[cfg(test)]
    pub(super) fn new(code: u16, lines: &[&[u8]]) -> Self {
        Self { code: Code::new(code).unwrap(), lines: lines.iter().map(|line| line.to_vec()).collect() }
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the code's first digit says.
    pub fn class(&self) -> Class {
        self.code.class()
    }

    /// Whether it is a 2yz.
    pub fn is_completion(&self) -> bool {
        self.class() == Class::PositiveCompletion
    }

    /// The text, line by line, as bytes: without line ends, and without the code wherever it stood. Other lines
    /// inside a reply keep the space they begin with. There is at least one line.
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// The last line's text: the only one where there is one.
    pub fn last_line(&self) -> &[u8] {
        self.lines.last().map_or(&[], Vec::as_slice)
    }

    /// The lines between the first and the last one.
    pub fn inner_lines(&self) -> &[Vec<u8>] {
        self.lines.get(1..self.lines.len().saturating_sub(1)).unwrap_or_default()
    }

    /// The text for a human, lines joined by LF and bytes that are no UTF-8 replaced. A peer's words: escape them
    /// before a terminal sees them.
    pub fn text(&self) -> String {
        let lines: Vec<Cow<'_, str>> = self.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        lines.join("\n")
    }

    /// The same with asterisks wherever it repeats a secret. One of less than four bytes stays: it stands in other words
    /// too, and what is missing there would tell it.
    #[must_use]
    pub fn without(mut self, secret: &[u8]) -> Self {
        if secret.len() >= SHORTEST_SECRET {
            self.lines = self.lines.iter().map(|line| hidden(line, secret)).collect();
        }
        self
    }

    /// The text of the last line, where the code is `code`.
    pub(super) fn text_of(&self, code: u16) -> Option<&[u8]> {
        (self.code.get() == code).then(|| self.last_line())
    }
}

/// Shorter ones are not looked for.
const SHORTEST_SECRET: usize = 4;

/// A line with asterisks for a secret.
fn hidden(line: &[u8], secret: &[u8]) -> Vec<u8> {
    let (mut shown, mut rest) = (Vec::with_capacity(line.len()), line);
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(secret) {
            shown.extend_from_slice(b"****");
            rest = behind;
        } else {
            shown.push(*first);
            rest = behind;
        }
    }
    shown
}

impl fmt::Display for Reply {
    /// As on the wire, but lossily and without the last line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.lines.len().saturating_sub(1);
        for (at, line) in self.lines.iter().enumerate() {
            let line = String::from_utf8_lossy(line);
            match at {
                _ if at == last => write!(f, "{} {line}", self.code)?,
                0 => writeln!(f, "{}-{line}", self.code)?,
                _ => writeln!(f, "{line}")?,
            }
        }
        Ok(())
    }
}

/// Why what came is no reply. The connection is of no use afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// A line too long.
    #[error("{0} in a reply")]
    LongLine(#[from] LineTooLong),
    /// Too many lines.
    #[error("the server sent a reply of more than {MOST_LINES} lines")]
    TooManyLines,
    /// Too many bytes.
    #[error("the server sent a reply of more than {LARGEST} bytes")]
    TooLarge,
    /// A line that does not begin with a code, where a reply should begin: another protocol, most likely.
    #[error("the server sent {0:?}, which is no FTP reply")]
    NoCode(String),
}

/// Reads replies out of a stream of bytes.
#[derive(Clone, Debug)]
pub struct ReplyParser {
    line: Lines,
    telnet: Telnet,
    /// The code and the lines of a reply that has begun.
    begun: Option<(Code, Vec<Vec<u8>>)>,
    /// Bytes since the last reply's end.
    taken: usize,
    failed: Option<BadReply>,
}

/// Where the stream is within a Telnet command (RFC 854).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telnet {
    Data,
    /// Behind IAC.
    Command,
    /// Behind IAC WILL, WONT, DO or DONT: the option comes.
    Option,
    /// Between IAC SB and IAC SE.
    Negotiation,
    /// Behind an IAC in there.
    NegotiationCommand,
}

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;

impl Default for ReplyParser {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplyParser {
    /// A parser at the beginning of a control connection.
    pub const fn new() -> Self {
        Self { line: Lines::new(LONGEST_LINE), telnet: Telnet::Data, begun: None, taken: 0, failed: None }
    }

    /// Takes bytes from the front of `input` up to the end of a reply, and returns that reply. `None`: all of it was
    /// taken, and more is needed.
    ///
    /// # Errors
    /// What came is no reply, or is too large for one; every later call says so again. No more than [`LARGEST`] bytes
    /// are ever held.
    pub fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, BadReply> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let read = self.read(input);
        if let Err(why) = &read {
            *self = Self { failed: Some(why.clone()), ..Self::new() };
        }
        read
    }

    /// Whether nothing has come since the last reply's end. An end of the connection is clean only then.
    pub fn is_between(&self) -> bool {
        self.taken == 0
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, BadReply> {
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            self.taken += 1;
            if self.taken > LARGEST {
                return Err(BadReply::TooLarge);
            }
            if let Some(reply) = self.take(*byte)? {
                self.taken = 0;
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// One byte, past Telnet.
    fn take(&mut self, byte: u8) -> Result<Option<Reply>, BadReply> {
        let next = match (self.telnet, byte) {
            (Telnet::Data, IAC) => Telnet::Command,
            (Telnet::Data, _) => return self.data(byte),
            (Telnet::Command, SB) => Telnet::Negotiation,
            (Telnet::Command, 251..=254) => Telnet::Option,
            (Telnet::Command, IAC) => {
                self.telnet = Telnet::Data;
                return self.data(IAC);
            }
            (Telnet::Command, 240..=249) | (Telnet::Option, _) => Telnet::Data,
            // No Telnet command has such a code: a server that does not know Telnet sent a plain 0xff, perhaps as
            // the last byte of a line.
            (Telnet::Command, _) => {
                self.telnet = Telnet::Data;
                self.line.push(IAC)?;
                return self.data(byte);
            }
            (Telnet::Negotiation, IAC) => Telnet::NegotiationCommand,
            (Telnet::NegotiationCommand, SE) => Telnet::Data,
            (Telnet::Negotiation | Telnet::NegotiationCommand, _) => Telnet::Negotiation,
        };
        self.telnet = next;
        Ok(None)
    }

    /// One byte of text.
    fn data(&mut self, byte: u8) -> Result<Option<Reply>, BadReply> {
        // CR NUL is a CR of the text (RFC 854; RFC 2640 §3.1 for pathnames).
        if byte == 0 && self.line.last() == Some(b'\r') {
            return Ok(None);
        }
        match self.line.push(byte)? {
            Some(line) => self.line(line),
            None => Ok(None),
        }
    }

    /// One line.
    fn line(&mut self, line: Vec<u8>) -> Result<Option<Reply>, BadReply> {
        let Some((code, mut lines)) = self.begun.take() else {
            return self.first(&line);
        };
        if lines.len() >= MOST_LINES {
            return Err(BadReply::TooManyLines);
        }
        let behind = if Code::of(&line) == Some(code) { line.get(3) } else { Some(&b'x') };
        match behind {
            None | Some(b' ') => {
                lines.push(text(&line));
                return Ok(Some(Reply { code, lines }));
            }
            // Many servers put the code before every line.
            Some(b'-') => lines.push(text(&line)),
            Some(_) => lines.push(line),
        }
        self.begun = Some((code, lines));
        Ok(None)
    }

    /// The first line of a reply.
    fn first(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        if line.is_empty() {
            // Some servers end a reply with one line end too many.
            return Ok(None);
        }
        let code = Code::of(line).filter(|_| matches!(line.get(3), None | Some(b' ' | b'-')));
        let code = code.ok_or_else(|| BadReply::NoCode(excerpt(line)))?;
        let lines = vec![text(line)];
        if line.get(3) == Some(&b'-') {
            self.begun = Some((code, lines));
            return Ok(None);
        }
        Ok(Some(Reply { code, lines }))
    }
}

/// What stands behind the code and the space or hyphen.
fn text(line: &[u8]) -> Vec<u8> {
    line.get(4..).unwrap_or_default().to_vec()
}

/// As much of a line as an error needs to show.
fn excerpt(line: &[u8]) -> String {
    String::from_utf8_lossy(line.get(..80).unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_cut(bytes: &[u8], piece: usize) -> Result<Vec<Reply>, BadReply> {
        let mut parser = ReplyParser::new();
        let mut told = Vec::new();
        for mut chunk in bytes.chunks(piece.max(1)) {
            while let Some(reply) = parser.advance(&mut chunk)? {
                assert!(parser.is_between());
                told.push(reply);
            }
        }
        Ok(told)
    }

    fn read(bytes: &[u8]) -> Vec<Reply> {
        let told = read_cut(bytes, bytes.len()).unwrap();
        assert_eq!(read_cut(bytes, 1).unwrap(), told, "cut at every byte");
        told
    }

    fn one(bytes: &[u8]) -> Reply {
        let mut told = read(bytes);
        assert_eq!(told.len(), 1);
        told.remove(0)
    }

    #[test]
    fn a_secret_is_taken_out_of_every_line_that_repeats_it() {
        let reply = Reply::new(530, &[b"hunter2? ", b"hunterhunter2hunter2", b"hunter"]);
        let shown = Reply::new(530, &[b"****? ", b"hunter********", b"hunter"]);
        assert_eq!(reply.clone().without(b"hunter2"), shown);
        for secret in [&b""[..], b"ter", b"another one"] {
            assert_eq!(reply.clone().without(secret), reply);
        }
    }

    #[test]
    fn single_lines_are_read() {
        let reply = one(b"220 Ready.\r\n");
        assert_eq!((reply.code().get(), reply.class()), (220, Class::PositiveCompletion));
        assert_eq!(reply.text(), "Ready.");
        assert_eq!(one(b"220\r\n"), Reply::new(220, &[b""]));
        assert_eq!(one(b"220 \n"), Reply::new(220, &[b""]));
        assert_eq!(one(b"\r\n220 bare\n"), Reply::new(220, &[b"bare"]));
    }

    #[test]
    fn several_lines_are_one_reply() {
        let reply =
            one(b"123-First line\r\nSecond line\r\n 234 A line beginning with numbers\r\n123 Last\r\n");
        let lines: [&[u8]; 4] =
            [b"First line", b"Second line", b" 234 A line beginning with numbers", b"Last"];
        assert_eq!(reply, Reply::new(123, &lines));
        assert_eq!(reply.inner_lines().len(), 2);
        assert_eq!(reply.last_line(), b"Last");
    }

    #[test]
    fn only_the_same_code_and_a_space_end_a_reply() {
        let reply = one(b"220-a\r\n221 b\r\n2200 c\r\n220-d\r\n220x e\r\n 220 f\r\n22\r\n\r\n220 g\r\n");
        let lines: [&[u8]; 9] = [b"a", b"221 b", b"2200 c", b"d", b"220x e", b" 220 f", b"22", b"", b"g"];
        assert_eq!(reply, Reply::new(220, &lines));
    }

    #[test]
    fn several_replies_at_once_are_told_one_by_one() {
        let mut input: &[u8] = b"426 Aborted\r\n226 Done\r\n22";
        let mut parser = ReplyParser::new();
        assert_eq!(parser.advance(&mut input).unwrap().unwrap().code().get(), 426);
        assert_eq!(input, b"226 Done\r\n22", "what follows stays with the caller");
        assert_eq!(parser.advance(&mut input).unwrap().unwrap().code().get(), 226);
        assert_eq!(parser.advance(&mut input), Ok(None));
        assert!(!parser.is_between());
    }

    #[test]
    fn telnet_is_taken_out() {
        let reply = one(b"\xff\xfb\x012\xff\xf120 a\xff\xfa\x18\n\xff\xff\xff\xf0b\xff\xffc\xff\r\n");
        assert_eq!(reply, Reply::new(220, &[b"ab\xffc\xff"]));
        assert_eq!(one(b"257 \"/\xff\"\r\n"), Reply::new(257, &[b"\"/\xff\""]), "a server without Telnet");
        assert_eq!(one(b"257 \"a\r\0b\"\r\n"), Reply::new(257, &[b"\"a\rb\""]));
    }

    #[test]
    fn another_protocol_is_no_reply() {
        for bad in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"SSH-2.0-x\r\n", b"099 a\r\n", b"600 a\r\n", b"22 a\r\n"]
        {
            assert!(matches!(read_cut(bad, 1), Err(BadReply::NoCode(_))), "{bad:?}");
        }
        assert!(matches!(read_cut(b"220x a\r\n", 9), Err(BadReply::NoCode(_))));
    }

    #[test]
    fn every_limit_holds_early() {
        let mut parser = ReplyParser::new();
        let ten_megabytes = vec![b'2'; 10 << 20];
        let mut input = &ten_megabytes[..];
        let long = Err(BadReply::LongLine(LineTooLong { limit: LONGEST_LINE }));
        assert_eq!(parser.advance(&mut input), long);
        assert!(input.len() > ten_megabytes.len() - LONGEST_LINE - 10, "the rest was not even looked at");
        assert_eq!(parser.advance(&mut &b"220 a\r\n"[..]), long, "a failed parser stays so");

        let many = [b"220-a\r\n".to_vec(), b"b\r\n".repeat(MOST_LINES)].concat();
        assert_eq!(read_cut(&many, 100), Err(BadReply::TooManyLines));
        let most = [b"220-a\r\n".to_vec(), b"b\r\n".repeat(MOST_LINES - 2), b"220 c\r\n".to_vec()].concat();
        assert_eq!(one(&most).lines().len(), MOST_LINES);
        let large =
            [b"220-a\r\n".to_vec(), [vec![b'b'; 1000], b"\r\n".to_vec()].concat().repeat(70)].concat();
        assert_eq!(read_cut(&large, 100), Err(BadReply::TooLarge));
        assert_eq!(read_cut(&b"\xff\xf1".repeat(LARGEST), 100), Err(BadReply::TooLarge), "Telnet counts");
    }

    #[test]
    fn a_limit_is_for_one_reply() {
        let replies = b"200 a\r\n".repeat(LARGEST);
        assert_eq!(read_cut(&replies, 4096).unwrap().len(), LARGEST);
    }

    #[test]
    fn replies_are_shown_as_they_came() {
        assert_eq!(one(b"220-a\r\n b\r\n220 c\r\n").to_string(), "220-a\n b\n220 c");
    }

    proptest! {
        #[test]
        fn never_panics_and_cuts_do_not_matter(
            any_bytes: Vec<u8>,
            near in prop::collection::vec(
                prop::sample::select(vec![&b"220"[..], b"-", b" ", b"\r", b"\n", b"\r\n", b"\xff", b"\xfa", b"\xf0", b"\0", b"a"]),
                0..40,
            ),
            piece in 1_usize..9,
        ) {
            for bytes in [any_bytes, near.concat()] {
                let whole = read_cut(&bytes, bytes.len());
                prop_assert_eq!(read_cut(&bytes, piece), whole);
            }
        }
    }
}
