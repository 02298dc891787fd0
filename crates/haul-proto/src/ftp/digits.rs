//! Numbers as FTP writes them: ASCII digits, no sign, nothing that does not fit.

/// The number that these bytes are, and nothing but it.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// The digits at the beginning, and what follows them.
pub(super) fn leading(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// The words between spaces and tabs.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616", "١"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn leading_digits_are_split_off() {
        assert_eq!(leading(b"12a3"), (&b"12"[..], &b"a3"[..]));
        assert_eq!(leading(b"12"), (&b"12"[..], &b""[..]));
        assert_eq!(leading(b"a"), (&b""[..], &b"a"[..]));
    }
}
