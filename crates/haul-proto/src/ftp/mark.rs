//! The reply to a restart marker (RFC 959 §4.2, 110), whose text is exact: `MARK yyyy = mmmm`, the sender's name for the
//! place, and the receiver's.

use super::{digits, reply::Reply};

/// The offset that the receiver has made safe, of a sender whose markers are offsets; `None`: it is no such reply. What
/// the receiver calls that place is told by SIZE as well.
pub fn safe(reply: &Reply) -> Option<u64> {
    let mut words = digits::words(reply.text_of(110)?);
    let (mark, theirs, is, ours) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let exact =
        mark.eq_ignore_ascii_case(b"MARK") && is == b"=" && !ours.is_empty() && words.next().is_none();
    if exact { digits::number(theirs) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: u16, text: &str) -> Option<u64> {
        safe(&Reply::new(code, &[text.as_bytes()]))
    }

    #[test]
    fn what_is_safe_is_told_by_the_name_of_the_sender() {
        assert_eq!(told(110, "MARK 1048576 = 1048576"), Some(1_048_576));
        assert_eq!(told(110, "MARK 7 = tape-3"), Some(7));
        for text in [
            "",
            "MARK",
            "MARK 7",
            "MARK 7 =",
            "MARK 7 = 7 8",
            "MARK x = 7",
            "MARK -7 = 7",
            "7 = 7",
            "REST 7 = 7",
        ] {
            assert_eq!(told(110, text), None, "{text}");
        }
        assert_eq!(told(150, "MARK 7 = 7"), None);
    }
}
