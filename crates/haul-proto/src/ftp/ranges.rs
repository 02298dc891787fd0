//! What a server tells of an upload that several sessions fill, each a range of it: `RANG STOR` in FEAT, haul serve's own
//! (docs/ftp-commands.md, "Several sessions, one file").

use haul_core::{ByteRange, RangeSet};

use super::{digits, reply::Reply};

/// An unfinished upload, as SITE RANG tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Its name.
    pub upload: String,
    /// Its size in bytes, where it was declared.
    pub size: Option<u64>,
    /// What is safe of it.
    pub ranges: RangeSet,
}

/// What a 213 to SITE RANG tells; `None` where it is not that, or cannot be read.
pub fn unfinished(reply: &Reply) -> Option<Unfinished> {
    if reply.code().get() != 213 {
        return None;
    }
    let [facts, ranges @ ..] = reply.inner_lines() else { return None };
    let (mut upload, mut size) = (None, None);
    for fact in std::str::from_utf8(facts).ok()?.trim().split(';') {
        match fact.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("upload") => upload = name_of(value.as_bytes()),
            Some((name, value)) if name.eq_ignore_ascii_case("size") => {
                size = Some(digits::number(value.as_bytes())?);
            }
            _ => {}
        }
    }
    let ranges = ranges.iter().map(|line| range(line.trim_ascii()).map(|(range, _)| range));
    Some(Unfinished { upload: upload?, size, ranges: ranges.collect::<Option<RangeSet>>()? })
}

/// The name of the upload that a 150 has begun, or joined: `Upload NAME: …`.
pub fn joined(reply: &Reply) -> Option<String> {
    let rest = reply.text_of(150)?.strip_prefix(b"Upload ")?;
    name_of(rest.get(..rest.iter().position(|byte| *byte == b':')?)?)
}

/// The bytes that a reply to STOR says are safe of this range: `RANG first last NAME is safe.` at its end. The outer
/// `None` is that it says nothing of the kind, the inner one that there are none.
pub fn safe(reply: &Reply) -> Option<Option<ByteRange>> {
    let line = reply.last_line();
    let at = line.windows(5).rposition(|word| word == b"RANG ")?;
    let words = line.get(at + 5..)?;
    if let Some((range, _)) = range(words) {
        return Some(Some(range));
    }
    words.starts_with(b"1 0 ").then_some(None)
}

/// `first last`, and what follows.
fn range(words: &[u8]) -> Option<(ByteRange, &[u8])> {
    let (first, rest) = digits::leading(words);
    let (last, rest) = digits::leading(rest.strip_prefix(b" ")?);
    let (first, last) = (digits::number(first)?, digits::number(last)?);
    Some((ByteRange::new(first, last.checked_add(1)?)?, rest))
}

/// A name that a command can carry.
fn name_of(bytes: &[u8]) -> Option<String> {
    let fits = !bytes.is_empty() && bytes.len() <= 128 && bytes.iter().all(u8::is_ascii_graphic);
    fits.then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ftp::ReplyParser;

    fn reply(text: &str) -> Reply {
        let text = text.replace('\n', "\r\n");
        ReplyParser::new().advance(&mut text.as_bytes()).unwrap().unwrap()
    }

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().filter_map(|&(from, to)| ByteRange::new(from, to)).collect()
    }

    #[test]
    fn what_is_there_is_read() {
        let told = reply("213-There is:\n upload=0a;size=9;new=1;\n 0 2\n 5 5\n213 End.\n");
        let expected = Unfinished { upload: "0a".to_owned(), size: Some(9), ranges: set(&[(0, 3), (5, 6)]) };
        assert_eq!(unfinished(&told), Some(expected));
        let none = reply("213-There is:\n upload=0a;\n213 End.\n");
        assert_eq!(unfinished(&none).map(|told| (told.size, told.ranges.total())), Some((None, 0)));
        for bad in [
            "213 End.\n",
            "213-There is:\n size=9;\n213 End.\n",
            "213-There is:\n upload=0a;\n 5 2\n213 End.\n",
            "213-There is:\n upload=0 a;\n213 End.\n",
            "550 none\n",
        ] {
            assert_eq!(unfinished(&reply(bad)), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_to_stor_names_the_upload_and_then_what_is_safe() {
        assert_eq!(joined(&reply("150 Upload 4f0c: opening BINARY mode.\n")).as_deref(), Some("4f0c"));
        assert_eq!(joined(&reply("150 Opening.\n")), None);
        let range = |from, to| ByteRange::new(from, to);
        assert_eq!(safe(&reply("250 RANG 5 9 4f0c is safe.\n")), Some(range(5, 10)));
        assert_eq!(safe(&reply("426 It broke. RANG 5 9 4f0c is safe.\n")), Some(range(5, 10)));
        assert_eq!(safe(&reply("250 RANG 1 0 4f0c is safe.\n")), Some(None));
        assert_eq!(safe(&reply("226 Done.\n")), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(text in "[ -~]{0,60}") {
            for text in [format!("213-x\n {text}\n {text}\n213 End.\n"), format!("250 RANG {text}\n")] {
                let _ = (unfinished(&reply(&text)), joined(&reply(&text)), safe(&reply(&text)));
            }
        }
    }
}
