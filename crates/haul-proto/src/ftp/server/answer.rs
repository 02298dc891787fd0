//! Replies as bytes (RFC 959 §4.2), and the one place where a failure becomes a code.
//!
//! Whatever a text holds (a name, a banner, what a driver says) it cannot end a line, begin another reply or be a Telnet
//! command: control characters become `?`, a byte 255 is doubled, and a line within a reply begins with a blank.

use super::{
    request::Refusal,
    step::{Incomplete, Transferred, Trouble},
};

/// One whole reply, with its line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// A reply of one line; of several, where the text has several.
    pub(super) fn new(code: u16, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let mut lines: Vec<&[u8]> =
            text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        let last = lines.pop().unwrap_or_default();
        let Some((first, inner)) = lines.split_first() else {
            return Self(line(code, b' ', last));
        };
        Self::of_lines(code, first, inner, last)
    }

    /// A reply of a first line, lines within, and a last one.
    pub(super) fn of_lines(
        code: u16,
        first: impl AsRef<[u8]>,
        inner: &[impl AsRef<[u8]>],
        last: impl AsRef<[u8]>,
    ) -> Self {
        let mut bytes = line(code, b'-', first.as_ref());
        for text in inner {
            bytes.push(b' ');
            write(text.as_ref(), &mut bytes);
        }
        bytes.extend(line(code, b' ', last.as_ref()));
        Self(bytes)
    }

    /// The bytes to send.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn line(code: u16, between: u8, text: &[u8]) -> Vec<u8> {
    let mut bytes = code.to_string().into_bytes();
    bytes.push(between);
    write(text, &mut bytes);
    bytes
}

fn write(text: &[u8], line: &mut Vec<u8>) {
    for byte in text {
        match byte {
            0..=31 | 127 => line.push(b'?'),
            255 => line.extend([255, 255]),
            byte => line.push(*byte),
        }
    }
    line.extend(b"\r\n");
}

/// Why a line is no command that is done here.
impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::new(500, "No such command."),
            Refusal::TooLong => Self::new(500, "The line is too long."),
            Refusal::Http => Self::new(421, "This is FTP and not HTTP."),
            Refusal::Syntax(syntax) => Self::new(501, format!("The syntax is: {syntax}")),
            Refusal::Argument(why) => Self::new(501, why),
            Refusal::NotDone(why) => Self::new(502, why),
            Refusal::Parameter(why) => Self::new(504, why),
            Refusal::Protocol => Self::new(522, "No such network protocol, use (1,2)."),
            Refusal::Protection(why) => Self::new(536, why),
        }
    }
}

/// Why something could not be done.
impl From<&Trouble> for Answer {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::NotFound => Self::new(550, "No such file or folder."),
            Trouble::Exists => Self::new(550, "It is there already."),
            Trouble::NotAFolder => Self::new(550, "It is not a folder."),
            Trouble::NotAFile => Self::new(550, "It is not a file."),
            Trouble::NotEmpty => Self::new(550, "The folder is not empty."),
            Trouble::Denied => Self::new(550, "Permission denied."),
            Trouble::BadName => Self::new(553, "No such name can be given here."),
            Trouble::OtherMedium => {
                Self::new(553, "That name would be on another medium: nothing can be moved there at once.")
            }
            Trouble::NoSpace => Self::new(552, "There is no space left; what was received is kept."),
            Trouble::OverQuota => {
                Self::new(552, "Your quota is used up, or this is more than is left of it.")
            }
            Trouble::TooMany { unfinished } => Self::new(
                452,
                format!(
                    "Too many of your uploads are not finished ({unfinished}): go on with them or delete them first."
                ),
            ),
            Trouble::Busy(why) => Self::new(450, format!("Somebody else is at it: {why}")),
            Trouble::Unfinished { at } => Self::new(
                450,
                format!("This upload is not finished, {at} bytes are there: go on with it or delete it."),
            ),
            Trouble::PastEnd { end } => {
                Self::new(554, format!("The restart point is past the end, which is at {end}."))
            }
            Trouble::NoRange(why) => Self::new(554, format!("That range cannot be sent: {why}.")),
            Trouble::Changed => Self::new(451, "The file has changed meanwhile: begin anew."),
            Trouble::Fenced => Self::new(451, "A newer session writes this file now."),
            Trouble::TooLarge(why) => Self::new(550, format!("It is too large: {why}")),
            Trouble::CannotListen(why) => {
                Self::new(425, format!("No data connection can be waited for: {why}"))
            }
            Trouble::Stopping => Self::new(421, "The server is being stopped."),
            Trouble::Local(why) => Self::new(451, format!("It failed here: {why}")),
        }
    }
}

/// How a transfer ended.
impl From<&Transferred> for Answer {
    fn from(end: &Transferred) -> Self {
        match end {
            Transferred::Complete(figures) => Self::new(226, figures),
            Transferred::Kept { at, why } => kept(*at, *why),
            Transferred::Part { kept, upload, why } => part(*kept, upload, *why),
            Transferred::NoData(why) => Self::new(425, format!("There is no data connection: {why}")),
            Transferred::NotProtected(why) => Self::new(522, format!("TLS on the data connection: {why}")),
            Transferred::Broken(why) => Self::new(426, format!("The data connection broke: {why}")),
            Transferred::Aborted { at: Some(at) } => {
                Self::new(426, format!("Aborted; {at} bytes are kept, go on with REST {at} or APPE."))
            }
            Transferred::Aborted { at: None } => Self::new(426, "Aborted."),
            Transferred::Failed(trouble) => trouble.into(),
        }
    }
}

fn kept(at: u64, why: Incomplete) -> Answer {
    let (code, why) = incomplete(why);
    Answer::new(code, format!("{why}; {at} bytes are kept, go on with REST {at} or APPE."))
}

/// As RANG says it: of nothing `1 0`.
fn part(kept: Option<(u64, u64)>, upload: &str, why: Option<Incomplete>) -> Answer {
    let (first, last) = kept.map_or((1, 0), |(from, to)| (from, to.saturating_sub(1)));
    let safe = format!("RANG {first} {last} {upload} is safe.");
    match why.map(incomplete) {
        None => Answer::new(250, safe),
        Some((code, why)) => Answer::new(code, format!("{why}; {safe}")),
    }
}

fn incomplete(why: Incomplete) -> (u16, String) {
    match why {
        Incomplete::Broken => (426, "The data connection broke".to_owned()),
        Incomplete::Gone => (426, "The control connection was gone".to_owned()),
        Incomplete::Short { declared } => (451, format!("Of {declared} bytes declared not all came")),
        Incomplete::Stalled => (426, "Nothing came for too long".to_owned()),
        Incomplete::NoSpace => (552, "There is no space left".to_owned()),
        Incomplete::OverQuota => (552, "Your quota is used up".to_owned()),
        Incomplete::Full => (451, "More came than the range has, or has left".to_owned()),
        Incomplete::Unended => (426, "The data connection ended before the file did".to_owned()),
        Incomplete::Malformed(why) => (451, format!("What came cannot be relied on ({why})")),
        Incomplete::Aborted => (426, "Aborted".to_owned()),
        Incomplete::Stopping => (421, "The server is being stopped".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ftp::{Reply, ReplyParser};

    fn read(answer: Answer) -> Reply {
        let bytes = answer.into_bytes();
        let mut rest = bytes.as_slice();
        let reply = ReplyParser::new().advance(&mut rest).unwrap().unwrap();
        assert!(rest.is_empty(), "one reply and nothing behind it");
        reply
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(Answer::new(220, "haul").into_bytes(), b"220 haul\r\n");
        assert_eq!(Answer::new(220, "").into_bytes(), b"220 \r\n");
    }

    #[test]
    fn lines_within_cannot_be_taken_for_the_last_one() {
        let answer = Answer::of_lines(250, "Facts", &["250 End", "226 x"], "End");
        assert_eq!(answer.into_bytes(), b"250-Facts\r\n 250 End\r\n 226 x\r\n250 End\r\n");
        assert_eq!(Answer::new(230, "a\nb\nc").into_bytes(), b"230-a\r\n b\r\n230 c\r\n");
    }

    #[test]
    fn a_name_cannot_begin_another_reply() {
        assert_eq!(
            Answer::new(257, b"\"a\r226 b\0\x7f\xff\"").into_bytes(),
            b"257 \"a?226 b??\xff\xff\"\r\n"
        );
    }

    proptest! {
        #[test]
        fn every_text_is_one_reply(code in 100..600_u16, text: Vec<u8>, inner: Vec<Vec<u8>>) {
            prop_assert_eq!(read(Answer::new(code, &text)).code().get(), code);
            let reply = read(Answer::of_lines(code, &text, &inner, &text));
            prop_assert_eq!((reply.code().get(), reply.lines().len()), (code, inner.len() + 2));
        }
    }
}
