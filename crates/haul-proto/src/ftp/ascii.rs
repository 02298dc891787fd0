//! Text as it travels in TYPE A (RFC 959 §3.1.1.1): lines end in CR LF, whatever either side's own are.
//!
//! Here are both ways for a side whose lines end in LF, however the bytes are cut. A CR that ends no line is a
//! character like any other, so what comes from a well-behaved sender is what its lines say.

/// From the wire to lines that end in LF.
#[derive(Clone, Debug, Default)]
pub struct FromWire {
    /// The last byte was a CR, which may belong to a line's end.
    cr: bool,
}

impl FromWire {
    /// Appends what these bytes say to `text`.
    pub fn take(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if self.cr && *first != b'\n' {
                text.push(b'\r');
            }
            self.cr = *first == b'\r';
            if self.cr {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let plain = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
            let (before, behind) = rest.split_at(plain);
            text.extend_from_slice(before);
            rest = behind;
        }
    }

    /// The end: a CR that nothing followed is a character.
    pub fn finish(&mut self, text: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) {
            text.push(b'\r');
        }
    }
}

/// From lines that end in LF to the wire. A line that ends in CR LF already stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ToWire {
    /// The last byte was a CR.
    cr: bool,
}

impl ToWire {
    /// Appends these bytes of a text to what goes out.
    pub fn take(&mut self, text: &[u8], wire: &mut Vec<u8>) {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let before = match line.split_last() {
                Some((b'\n', before)) => before,
                _ => line,
            };
            wire.extend_from_slice(before);
            self.cr = before.last().map_or(self.cr, |last| *last == b'\r');
            if before.len() < line.len() {
                wire.extend_from_slice(if self.cr { b"\n" } else { b"\r\n" });
                self.cr = false;
            }
        }
    }

    /// How many bytes [`Self::take`] would append: for the size of a text on the wire.
    pub fn count(&mut self, text: &[u8]) -> u64 {
        let mut count = 0;
        for byte in text {
            count += 1 + u64::from(*byte == b'\n' && !self.cr);
            self.cr = *byte == b'\r';
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from_wire(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut from, mut text) = (FromWire::default(), Vec::new());
        chunks.iter().for_each(|chunk| from.take(chunk, &mut text));
        from.finish(&mut text);
        text
    }

    fn to_wire(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut to, mut wire) = (ToWire::default(), Vec::new());
        chunks.iter().for_each(|chunk| to.take(chunk, &mut wire));
        wire
    }

    #[test]
    fn line_ends_change_and_nothing_else() {
        for (wire, text) in [
            (&b"a\r\nb\r\n"[..], &b"a\nb\n"[..]),
            (b"a\nb", b"a\nb"),
            (b"a\rb\r", b"a\rb\r"),
            (b"\r\r\n\n\r\n", b"\r\n\n\n"),
            (b"\r\n\xff\0\r\n", b"\n\xff\0\n"),
            (b"", b""),
        ] {
            assert_eq!(from_wire(&[wire]), text, "{wire:?}");
        }
        assert_eq!(to_wire(&[b"a\nb\r\nc\n\n"]), b"a\r\nb\r\nc\r\n\r\n");
    }

    proptest! {
        #[test]
        fn however_it_is_cut(text in "[ab\r\n]{0,12}", at in 0_usize..12) {
            let (before, behind) = text.as_bytes().split_at(at.min(text.len()));
            prop_assert_eq!(from_wire(&[before, behind]), from_wire(&[text.as_bytes()]));
            prop_assert_eq!(to_wire(&[before, behind]), to_wire(&[text.as_bytes()]));
            let mut counted = ToWire::default();
            let count = counted.count(before) + counted.count(behind);
            prop_assert_eq!(count, u64::try_from(to_wire(&[text.as_bytes()]).len()).unwrap());
        }

        #[test]
        fn text_comes_back_as_it_went(text in "[ab\n]{0,20}") {
            prop_assert_eq!(from_wire(&[&to_wire(&[text.as_bytes()])]), text.into_bytes());
        }
    }
}
