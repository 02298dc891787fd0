//! Sizes in replies: SIZE's 213 (RFC 3659 §4), and the one that many servers put into the 150 of a transfer.

use super::{digits, reply::Reply};

/// The size in the reply to SIZE, in bytes as the present TYPE would send them.
pub fn size(reply: &Reply) -> Option<u64> {
    digits::number(reply.text_of(213)?.trim_ascii())
}

/// The size in a reply that opens a data connection, `150 … (1234 bytes)`.
///
/// No document has it: behind REST it is the whole in some servers and the remainder in others. Good for a hint where
/// SIZE is refused, never for a decision. Sizes told in other units are rounded, and not read.
pub fn announced(reply: &Reply) -> Option<u64> {
    if !matches!(reply.code().get(), 125 | 150) {
        return None;
    }
    reply.lines().iter().rev().find_map(|line| in_parentheses(line))
}

/// The number in the last `(N bytes)`: the file's name stands before it, and may look like one.
fn in_parentheses(line: &[u8]) -> Option<u64> {
    line.rsplit(|byte| *byte == b'(').find_map(|text| {
        let (number, unit) = digits::leading(text.trim_ascii_start());
        let unit = unit.trim_ascii_start();
        let behind = unit.strip_prefix(b"bytes").or_else(|| unit.strip_prefix(b"byte"))?;
        behind.trim_ascii_start().starts_with(b")").then(|| digits::number(number))?
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size_of(text: &str) -> Option<u64> {
        size(&Reply::new(213, &[text.as_bytes()]))
    }

    fn announced_by(text: &str) -> Option<u64> {
        announced(&Reply::new(150, &[text.as_bytes()]))
    }

    #[test]
    fn sizes_are_digits() {
        assert_eq!(size_of("0"), Some(0));
        assert_eq!(size_of("18446744073709551615 "), Some(u64::MAX));
        for bad in ["", "-1", "18446744073709551616", "12 34", "1,234", "a"] {
            assert_eq!(size_of(bad), None, "{bad:?}");
        }
        assert_eq!(size(&Reply::new(550, &[b"12"])), None);
    }

    #[test]
    fn announced_sizes_are_read() {
        assert_eq!(announced_by("Opening BINARY mode data connection for a (1234 bytes)."), Some(1234));
        assert_eq!(announced_by("Opening BINARY mode data connection for a(1 byte)"), Some(1));
        assert_eq!(announced_by("Opening data connection for (9 bytes) (8 bytes)"), Some(8));
        for bad in [
            "",
            "1024.0 kbytes to download",
            "for a (12 kbytes)",
            "for a (1.2 bytes)",
            "for a (bytes)",
            "a (1 bytes",
        ] {
            assert_eq!(announced_by(bad), None, "{bad:?}");
        }
        assert_eq!(announced(&Reply::new(226, &[b"(1 bytes)"])), None);
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "[(][0-9]{0,22} ?(bytes)?[)]?") {
            for text in [any, near.into_bytes()] {
                let _ = (size(&Reply::new(213, &[&text])), announced(&Reply::new(150, &[&text])));
            }
        }
    }
}
