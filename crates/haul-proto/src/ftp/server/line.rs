//! Bytes of the control connection as lines (to be written).

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A command line, without its line end and without Telnet's commands.
    Command(Vec<u8>),
    /// One that was too long, and was thrown away.
    TooLong,
}

/// Cuts what comes into lines.
#[derive(Debug, Default)]
pub struct Lines;

impl Lines {
    /// More bytes came.
    pub fn push(&mut self, _bytes: &[u8]) {
        todo!()
    }
    /// The next whole line.
    pub fn next_line(&mut self) -> Option<Line> {
        todo!()
    }
    /// Forgets everything that was received: before TLS begins.
    pub fn clear(&mut self) {
        todo!()
    }
}
