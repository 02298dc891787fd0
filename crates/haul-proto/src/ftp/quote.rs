//! The quoted path in a 257 (RFC 959 §5.4 and appendix II): within quotes, those that are part of it doubled.

use super::reply::Reply;

/// The path in the reply to PWD or MKD. What stands behind the closing quote is not read.
pub fn pathname(reply: &Reply) -> Option<Vec<u8>> {
    let text = reply.text_of(257)?;
    let open = text.iter().position(|byte| *byte == b'"')?;
    let mut rest = text.get(open + 1..)?;
    let mut path = Vec::new();
    loop {
        let (byte, behind) = rest.split_first()?;
        rest = match (byte, behind) {
            (b'"', [b'"', behind @ ..]) => behind,
            (b'"', _) => return Some(path),
            _ => behind,
        };
        path.push(*byte);
    }
}

/// A path within quotes, those that are part of it doubled.
pub fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in path {
        text.push(*byte);
        if *byte == b'"' {
            text.push(b'"');
        }
    }
    text.push(b'"');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pathname_in(text: &[u8]) -> Option<Vec<u8>> {
        pathname(&Reply::new(257, &[text]))
    }

    #[test]
    fn quoted_paths_are_read() {
        assert_eq!(pathname_in(br#""/usr/dm""a" directory created"#).unwrap(), br#"/usr/dm"a"#);
        assert_eq!(pathname_in(br#""/""""#).unwrap(), br#"/""#);
        assert_eq!(pathname_in(br#"Current directory is "/a b" "c""#).unwrap(), b"/a b");
        assert_eq!(pathname_in(br#""""#).unwrap(), b"");
        for bad in [&b""[..], b"/usr", b"\"/usr", b"\"/usr\"\"", b"\""] {
            assert_eq!(pathname_in(bad), None, "{bad:?}");
        }
        assert_eq!(pathname(&Reply::new(250, &[b"\"/\""])), None);
    }

    proptest! {
        #[test]
        fn never_panics(text: Vec<u8>) {
            let _ = pathname_in(&text);
        }

        #[test]
        fn round_trips(path: Vec<u8>) {
            let text = [&quoted(&path)[..], b" is \"it\""].concat();
            prop_assert_eq!(pathname_in(&text), Some(path));
        }
    }
}
