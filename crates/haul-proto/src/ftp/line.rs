//! Lines out of a stream, however it is cut: ended by LF, with or without a CR before it, and never longer than a
//! limit.
//!
//! Replies on the control connection and lists on a data connection are read through this. Telnet is not known here
//! ([`super::reply`] takes it out first): on a data connection there is none.

/// A line that ends too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a line of more than {limit} bytes")]
pub struct LineTooLong {
    /// How many bytes are allowed, without the line's end.
    pub limit: usize,
}

/// What has come of the present line, and how long it may get.
#[derive(Clone, Debug)]
pub struct Lines {
    partial: Vec<u8>,
    limit: usize,
}

impl Lines {
    /// Lines of at most `limit` bytes, without their ends.
    pub const fn new(limit: usize) -> Self {
        Self { partial: Vec::new(), limit }
    }

    /// Takes bytes from the front of `input` up to the end of a line, and returns that line without its end. `None`:
    /// all of it was taken, and the line is not complete.
    ///
    /// # Errors
    /// The line is longer than the limit. At most that many bytes are ever held.
    pub fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, LineTooLong> {
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            if let Some(line) = self.push(*byte)? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// The last line, where the stream ended without an end of line.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.partial);
        let _ = line.pop_if(|last| *last == b'\r');
        (!line.is_empty()).then_some(line)
    }

    /// One byte more; the line, where that ends it.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Vec<u8>>, LineTooLong> {
        if byte == b'\n' {
            let mut line = std::mem::take(&mut self.partial);
            let _ = line.pop_if(|last| *last == b'\r');
            if line.len() > self.limit {
                return Err(LineTooLong { limit: self.limit });
            }
            return Ok(Some(line));
        }
        // One more than the limit may be the CR of the line's end.
        if self.partial.len() > self.limit {
            return Err(LineTooLong { limit: self.limit });
        }
        self.partial.push(byte);
        Ok(None)
    }

    /// The last byte of the line so far.
    pub(super) fn last(&self) -> Option<u8> {
        self.partial.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(limit: usize, chunks: &[&[u8]]) -> Result<Vec<String>, LineTooLong> {
        let mut lines = Lines::new(limit);
        let mut told = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while let Some(line) = lines.advance(&mut input)? {
                told.push(String::from_utf8(line).unwrap());
            }
            assert!(input.is_empty());
        }
        told.extend(lines.finish().map(|line| String::from_utf8(line).unwrap()));
        Ok(told)
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        assert_eq!(read(9, &[b"a\r\n\nb\rc\nd"]).unwrap(), ["a", "", "b\rc", "d"]);
        assert_eq!(
            read(9, &[b"a", b"\r", b"\n", b"\n", b"b\r", b"c\n", b"d"]).unwrap(),
            ["a", "", "b\rc", "d"]
        );
    }

    #[test]
    fn the_limit_does_not_count_the_end() {
        assert_eq!(read(3, &[b"abc\r\nabc\nabc"]).unwrap(), ["abc", "abc", "abc"]);
        for long in [&b"abcd\n"[..], b"abcd\r\n", b"abc\rd\n", b"abcde"] {
            assert_eq!(read(3, &[long]), Err(LineTooLong { limit: 3 }), "{long:?}");
        }
    }
}
