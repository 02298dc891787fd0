//! The offset that a reply to REST repeats (RFC 3659 §5.4 leaves its text free).
//!
//! Some servers answer 350 to anything and begin at 0; most say where they will begin. An echo that differs from what
//! was asked is a refusal, whatever the code says. Without an echo nothing is known.

use super::{digits, reply::Reply};

/// The offset in a 350, where there is exactly one number in its text: `Restarting at 4.`, `Restart position accepted
/// (4).`
pub fn offset(reply: &Reply) -> Option<u64> {
    let mut rest = reply.text_of(350)?;
    let mut told = None;
    let mut before = b' ';
    while let Some((first, behind)) = rest.split_first() {
        if !first.is_ascii_digit() {
            (before, rest) = (*first, behind);
            continue;
        }
        let (number, behind) = digits::leading(rest);
        rest = behind;
        // `UTF8` and `4k` are no offsets, `-4` and `4.5` no numbers to rely on, and of two nobody knows which.
        let after = match behind {
            [b'.' | b',', digit, ..] if digit.is_ascii_digit() => return None,
            [after, ..] => *after,
            [] => b' ',
        };
        if before == b'-' || told.is_some() {
            return None;
        }
        if !before.is_ascii_alphanumeric() && !after.is_ascii_alphanumeric() {
            told = Some(digits::number(number)?);
        }
        before = b'0';
    }
    told
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset_in(text: &str) -> Option<u64> {
        offset(&Reply::new(350, &[text.as_bytes()]))
    }

    #[test]
    fn every_servers_words_are_understood() {
        let texts = [
            "Restarting at 4. Send STORE or RETRIEVE to initiate transfer",
            "Restarting at 4",
            "Restart position accepted (4).",
            "Restarting at position 4.",
            "Rest supported. Restarting at 4",
            "4",
        ];
        for text in texts {
            assert_eq!(offset_in(text), Some(4), "{text}");
        }
        assert_eq!(offset_in("Restarting at 18446744073709551615."), Some(u64::MAX));
    }

    #[test]
    fn what_is_not_one_number_is_no_echo() {
        let texts = [
            "",
            "REST supported",
            "at -1",
            "at 4 of 10",
            "at 4.5",
            "at 1,024",
            "at 18446744073709551616",
            "UTF8",
            "4k",
        ];
        for text in texts {
            assert_eq!(offset_in(text), None, "{text}");
        }
        assert_eq!(offset(&Reply::new(200, &[b"4"])), None);
    }

    proptest! {
        #[test]
        fn never_panics(any: Vec<u8>, near in "[0-9., k-]{0,30}") {
            for text in [any, near.into_bytes()] {
                let _ = offset(&Reply::new(350, &[&text]));
            }
        }
    }
}
