//! The replies of an FTP server as lines, and the data port that the one to EPSV tells (RFC 2428 §3).
//!
//! A link that carries FTP has to carry its data connections too, so it puts a port of its own into the reply, as
//! routers that translate addresses do. haul asks with EPSV first; a reply to PASV passes unchanged.

/// What came of the replies so far.
#[derive(Debug, Default)]
pub(super) struct Replies {
    unfinished: Vec<u8>,
}

/// One line of a reply, with its line end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line(Vec<u8>);

impl Replies {
    /// The lines that are complete with these bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Line> {
        self.unfinished.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let rest = self.unfinished.split_off(end + 1);
            lines.push(Line(std::mem::replace(&mut self.unfinished, rest)));
        }
        lines
    }
}

impl Line {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The data port, where this is the reply that tells one: `229 … (|||PORT|)`.
    pub(super) fn port(&self) -> Option<u16> {
        let text = std::str::from_utf8(&self.0).ok()?.strip_prefix("229 ")?;
        text.split_once("(|||")?.1.split_once("|)")?.0.parse().ok()
    }

    /// The same reply with another port.
    pub(super) fn with_port(self, port: u16) -> Self {
        Self(format!("229 Extended passive mode (|||{port}|)\r\n").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut replies = Replies::default();
        assert_eq!(replies.take(b"220 He"), []);
        assert_eq!(replies.take(b"llo\r\n331 "), [Line(b"220 Hello\r\n".to_vec())]);
        assert_eq!(replies.take(b"x\r\ny\r\n").len(), 2);
    }

    #[test]
    fn only_the_reply_to_epsv_tells_a_port() {
        let port = |text: &str| Line(text.as_bytes().to_vec()).port();
        assert_eq!(port("229 Entering Extended Passive Mode (|||40001|)\r\n"), Some(40_001));
        for other in
            ["227 Entering (127,0,0,1,156,65)\r\n", "229-(|||5|)\r\n", "229 (|||99999|)\r\n", "229\r\n"]
        {
            assert_eq!(port(other), None, "{other}");
        }
        let replaced = Line(b"229 (|||5|)\r\n".to_vec()).with_port(6);
        assert_eq!(replaced.port(), Some(6));
    }
}
