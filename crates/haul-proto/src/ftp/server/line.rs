//! Bytes of the control connection as lines (RFC 959 §5.3.1): a line ends in CR LF, or in LF alone, as netcat sends it.
//!
//! Telnet's commands (RFC 854) are taken out wherever the bytes are cut, and not answered; a doubled 255 is one byte 255
//! (RFC 959 §3.1.1.5.3, RFC 2640 §3.1). A line of more than [`LONGEST`] bytes is thrown away to its end. Nothing here
//! knows what a line says.
//!
//! ```text
//!            IAC               WILL WONT DO DONT
//!   Plain --------> Command ------------------------> Choice
//!    ^ ^              |  |  SB          IAC              |
//!    | |  any other   |  +------> Within ----> WithinCommand
//!    | +--------------+              ^    not SE  |  |   |
//!    |                               +------------+  |   | any
//!    +-----------------------------------------------+---+
//! ```
//!
//! How much is held is the driver's to bound: it reads no more while [`Lines::has_room`] says no. What a line says is
//! never shown: it may be a password.

use std::fmt;

/// The most bytes of a line, without its end.
pub const LONGEST: usize = 4096;
/// With so many bytes held, no more should be read.
const ENOUGH: usize = 4 * LONGEST;

/// What came.
#[derive(Clone, PartialEq, Eq)]
pub enum Line {
    /// A command line, without its line end and without Telnet's commands.
    Command(Vec<u8>),
    /// One that was too long, and was thrown away.
    TooLong,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => write!(f, "Command({} bytes)", line.len()),
            Self::TooLong => f.write_str("TooLong"),
        }
    }
}

/// Cuts what comes into lines.
#[derive(Default)]
pub struct Lines {
    /// Bytes without Telnet's commands, from `start` on; a line in it has at most two more than the limit.
    held: Vec<u8>,
    /// Before this one they were handed out.
    start: usize,
    /// Where the last line, which has no end yet, begins.
    last: usize,
    telnet: Telnet,
}

/// Where in Telnet's language the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    /// Nowhere.
    #[default]
    Plain,
    /// Behind an IAC.
    Command,
    /// Before the option of WILL, WONT, DO or DONT.
    Choice,
    /// Within a subnegotiation.
    Within,
    /// Behind an IAC within one.
    WithinCommand,
}

const IAC: u8 = 255;
const WILL: u8 = 251;
const DONT: u8 = 254;
const SB: u8 = 250;
const SE: u8 = 240;

impl Lines {
    /// More bytes came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.held.drain(..self.start);
            self.last = self.last.saturating_sub(self.start);
            self.start = 0;
        }
        for byte in bytes {
            if let Some(byte) = self.telnet.take(*byte) {
                self.keep(byte);
            }
        }
    }

    /// The next whole line.
    pub fn next_line(&mut self) -> Option<Line> {
        let rest = self.held.get(self.start..self.last)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest.get(..end)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if line.len() > LONGEST { Line::TooLong } else { Line::Command(line.to_vec()) };
        self.start += end + 1;
        if self.start == self.held.len() {
            // An idle session holds no memory for lines.
            (self.held, self.start, self.last) = (Vec::new(), 0, 0);
        }
        Some(line)
    }

    /// Whether a byte more may be read: no, while many lines wait to be taken.
    pub fn has_room(&self) -> bool {
        self.buffered() < ENOUGH
    }

    /// How many bytes are held: of lines that were not taken, and of one that has no end yet.
    pub fn buffered(&self) -> usize {
        self.held.len() - self.start
    }

    /// Forgets everything that was received: before TLS begins (RFC 4217 §4; what came in the clear would else count as
    /// secured).
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn keep(&mut self, byte: u8) {
        if byte == b'\n' {
            self.held.push(byte);
            self.last = self.held.len();
        } else if self.held.len() - self.last < LONGEST + 2 {
            // Two more than the limit: whatever comes behind them, the line is then known to be too long, and one that
            // only has a CR behind it is not.
            self.held.push(byte);
        }
    }
}

impl Telnet {
    /// One byte more; what it is in a line, if anything.
    fn take(&mut self, byte: u8) -> Option<u8> {
        let (next, kept) = match (*self, byte) {
            (Self::Plain, IAC) => (Self::Command, None),
            (Self::Plain, byte) => (Self::Plain, Some(byte)),
            (Self::Command, IAC) => (Self::Plain, Some(IAC)),
            (Self::Command, SB) => (Self::Within, None),
            (Self::Command, WILL..=DONT) => (Self::Choice, None),
            (Self::Command | Self::Choice, _) | (Self::WithinCommand, SE) => (Self::Plain, None),
            (Self::Within, IAC) => (Self::WithinCommand, None),
            (Self::Within | Self::WithinCommand, _) => (Self::Within, None),
        };
        *self = next;
        kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pushes: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::default();
        let mut told = Vec::new();
        for bytes in pushes {
            lines.push(bytes);
            told.extend(std::iter::from_fn(|| lines.next_line()));
        }
        told
    }

    fn command(text: &[u8]) -> Line {
        Line::Command(text.to_vec())
    }

    #[test]
    fn both_line_ends_end_a_line() {
        assert_eq!(
            lines(&[b"NOOP\r\nPWD\n\nA\rB\r\r\nrest"]),
            [command(b"NOOP"), command(b"PWD"), command(b""), command(b"A\rB\r")]
        );
    }

    #[test]
    fn telnet_is_taken_out_however_it_is_cut() {
        let sent =
            b"\xff\xf4\xff\xf2AB\xff\xfd\x06OR\r\nRE\xff\xfa\x18\xff\xff\nx\xff\xf0TR a\xff\xffb\xff\xf1\r\n";
        let whole = lines(&[sent]);
        assert_eq!(whole, [command(b"ABOR"), command(b"RETR a\xffb")]);
        for at in 0..sent.len() {
            assert_eq!(lines(&[&sent[..at], &sent[at..]]), whole, "cut at {at}");
        }
        let single: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(lines(&single), whole);
    }

    #[test]
    fn a_line_that_is_too_long_is_thrown_away_to_its_end() {
        let full = vec![b'a'; LONGEST];
        let cases: [(&[u8], bool); 8] = [
            (b"\n", true),
            (b"\r\n", true),
            (b"b\n", false),
            (b"b\r\n", false),
            (b"\r\r\n", false),
            (b"\rb\n", false),
            (b"\rb\r\n", false),
            (b"bc\r\n", false),
        ];
        for (end, fits) in cases {
            let sent = [&full, end, b"NOOP\n"].concat();
            let expected = if fits { command(&full) } else { Line::TooLong };
            assert_eq!(lines(&[&sent]), [expected, command(b"NOOP")], "{end:?}");
        }
    }

    #[test]
    fn a_line_without_end_does_not_grow() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.push(&[b'x'; 4096]);
            assert!(lines.buffered() <= LONGEST + 2);
            assert_eq!(lines.next_line(), None);
        }
        assert!(lines.has_room());
        lines.push(b"\n");
        assert_eq!(lines.next_line(), Some(Line::TooLong));
        assert_eq!(lines.buffered(), 0);
    }

    #[test]
    fn many_lines_that_nobody_takes_leave_no_room() {
        let mut lines = Lines::default();
        lines.push(&[b'\n'; ENOUGH]);
        assert!(!lines.has_room());
        assert_eq!(lines.next_line(), Some(command(b"")));
        assert!(lines.has_room());
    }

    #[test]
    fn what_came_in_the_clear_is_forgotten() {
        let mut lines = Lines::default();
        lines.push(b"AUTH TLS\r\nUSER eve\r\nPA\xff");
        assert_eq!(lines.next_line(), Some(command(b"AUTH TLS")));
        lines.clear();
        assert_eq!((lines.next_line(), lines.buffered()), (None, 0));
        lines.push(b"USER a\r\n");
        assert_eq!(lines.next_line(), Some(command(b"USER a")));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes in prop::collection::vec(prop_oneof![Just(255_u8), Just(10), Just(13), 240_u8.., any::<u8>()], 0..300), piece in 1..40_usize) {
            let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
            prop_assert_eq!(lines(&pieces), lines(&[&bytes]));
        }

        #[test]
        fn a_line_has_no_line_end_in_it(bytes: Vec<u8>) {
            for line in lines(&[&bytes]) {
                prop_assert!(matches!(line, Line::Command(line) if !line.contains(&b'\n')));
            }
        }
    }
}
