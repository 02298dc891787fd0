//! What a text may measure on a server's disk, by what was sent. Pure.
//!
//! A size proves nothing of a text; but one that no system makes of it is worth a look, and so are line ends that stay
//! as they travelled: some servers take TYPE A and convert nothing.

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Length {
    sent: u64,
    /// Line ends, of two bytes each.
    ends: u64,
    /// All CRs, those of line ends too.
    returns: u64,
    /// What of that was put in, since it was no CR LF before.
    added: u64,
}

impl Length {
    /// These bytes were sent, for so many of the local file.
    pub(super) fn take(&mut self, wire: &[u8], local: usize) {
        let count = |byte| wire.iter().filter(|found| **found == byte).count() as u64;
        self.sent += wire.len() as u64;
        self.ends += count(b'\n');
        self.returns += count(b'\r');
        self.added += wire.len().saturating_sub(local) as u64;
    }

    /// What a user should know of a server's file of this size.
    pub(super) fn remark(self, size: u64) -> Option<String> {
        let (lf, bare) = (self.sent - self.ends, self.sent - self.returns);
        match size {
            _ if size == lf || size == bare => None,
            _ if size == self.sent && self.added == 0 => None,
            _ if size == self.sent => Some(
                "the server's lines end in CR LF: either its system has them so, or it takes text and does not \
                 convert it (as vsftpd without ascii_upload_enable)"
                    .to_owned(),
            ),
            _ => Some(format!(
                "the server confirmed the text, and says that it has {size} bytes of it, where such lines make {lf}, or \
                 {} with CR LF: look at what is there",
                self.sent
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &[u8], wire: &[u8], size: u64) -> Option<String> {
        let mut length = Length::default();
        length.take(wire, text.len());
        length.remark(size)
    }

    #[test]
    fn only_what_no_system_makes_of_it_is_told_and_line_ends_that_stayed() {
        let (text, wire) = (b"a\nb\n", b"a\r\nb\r\n");
        assert_eq!(said(text, wire, 4), None);
        assert!(said(text, wire, 6).unwrap().contains("end in CR LF"));
        assert!(said(text, wire, 3).unwrap().contains("has 3 bytes of it, where such lines make 4, or 6"));
        assert_eq!(said(wire, wire, 6), None, "they were so before");
        assert_eq!(said(b"a\rb\n", b"a\rb\r\n", 3), None, "a server that drops every CR");
        assert_eq!(said(b"", b"", 0), None);
    }
}
