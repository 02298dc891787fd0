//! What of an upload in MODE B (RFC 959 §3.4.2) goes from its connection to its file without the session: the bytes of
//! large blocks. Their headers are read one by one, and no byte behind them, so that whoever takes the bytes may do that
//! as in MODE S.
//!
//! What stands between such blocks is for the session: a marker, the end, blocks so small that to copy them costs less
//! than their headers, and what is no block at all.

use std::io;

use haul_proto::ftp::block::{Decoder, HEADER};

/// Smaller blocks are cheaper read and copied with others.
const LEAST: usize = 16 << 10;

/// What is wanted of a connection.
pub(super) enum Wanted<'a> {
    /// Bytes of a header.
    Header(&'a mut [u8]),
    /// Bytes of a block, at most so many; so many others came before them.
    Bytes { behind: usize, most: usize },
}

/// The blocks of an upload.
pub(super) struct Blocks {
    pub(super) decoder: Decoder,
    /// What stands next is for the session.
    stopped: bool,
}

/// Whether what comes next are the bytes of a block that may be a large one: of those that come one after another it is
/// seldom the first byte that is next.
pub(super) fn is_large(decoder: &Decoder) -> bool {
    decoder.room() >= LEAST / 2
}

impl Blocks {
    /// From here on.
    pub(super) fn new(decoder: Decoder) -> Self {
        Self { decoder, stopped: false }
    }

    /// Takes up to `most` bytes of large blocks from a connection, by `wire`, which may wait where the second argument
    /// says so. 0 is its end, [`io::ErrorKind::WouldBlock`] nothing for now, or for the session.
    pub(super) fn take(
        &mut self,
        most: usize,
        mut wire: impl FnMut(Wanted<'_>, bool) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut filled = 0;
        let ended = loop {
            if self.stopped || filled == most {
                break Err(io::ErrorKind::WouldBlock.into());
            }
            // What came is not kept waiting for more.
            let patient = filled == 0;
            let (room, mut header) = (self.decoder.room(), [0; HEADER]);
            let came = if room > 0 {
                wire(Wanted::Bytes { behind: filled, most: room.min(most - filled) }, patient)
            } else {
                wire(Wanted::Header(header.get_mut(..self.decoder.short_of()).unwrap_or_default()), patient)
            };
            match came {
                Ok(came @ 1..) if room > 0 => {
                    self.decoder.passed(came);
                    filled += came;
                }
                Ok(came @ 1..) => self.header(header.get(..came).unwrap_or_default()),
                ended => break ended,
            }
            self.stopped |= self.decoder.short_of() == 0 && self.decoder.room() == 0;
        };
        if filled > 0 { Ok(filled) } else { ended }
    }

    fn header(&mut self, bytes: &[u8]) {
        let whole = bytes.len() >= self.decoder.short_of();
        self.decoder.take_header(bytes);
        self.stopped = whole && self.decoder.room() < LEAST;
    }
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::block::{END_OF_FILE, Next, mark, wrap};

    use super::*;

    /// Takes what `wire` has, in pieces of `step` at most, into pieces of `most`; what is left of it.
    fn taken(decoder: Decoder, wire: &[u8], step: usize, most: usize) -> (Vec<u8>, Decoder, &[u8]) {
        let (mut blocks, mut rest, mut file) = (Blocks::new(decoder), wire, Vec::new());
        loop {
            let mut piece = vec![0; most];
            let took = blocks.take(most, |wanted, _| {
                let into = match wanted {
                    Wanted::Header(into) => into,
                    Wanted::Bytes { behind, most } => &mut piece[behind..behind + most],
                };
                let few = into.len().min(step).min(rest.len());
                into[..few].copy_from_slice(&rest[..few]);
                rest = &rest[few..];
                if few == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(few) }
            });
            match took {
                Ok(took) => file.extend_from_slice(&piece[..took]),
                Err(_) => return (file, blocks.decoder, rest),
            }
        }
    }

    /// A block of which the first byte was read, and what follows it.
    fn within(bytes: &[u8], behind: &[u8]) -> (Decoder, Vec<u8>) {
        let (mut wire, mut decoder) = (Vec::new(), Decoder::default());
        wrap(bytes, &mut wire);
        wire.extend_from_slice(behind);
        assert_eq!(decoder.next(&mut &wire[..=HEADER]), Ok(Some(Next::Content(&bytes[..1]))));
        (decoder, wire.split_off(HEADER + 1))
    }

    /// What is told of these bytes.
    fn told(mut decoder: Decoder, mut bytes: &[u8]) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match decoder.next(&mut bytes) {
                Ok(None) => return told,
                Ok(Some(next)) => told.push(format!("{next:?}")),
                Err(wrong) => {
                    told.push(wrong.to_string());
                    return told;
                }
            }
        }
    }

    #[test]
    fn only_the_bytes_of_large_blocks_are_taken_and_the_session_goes_on_behind_them() {
        let bytes: Vec<u8> = (0..3 * 65_535_u32).map(|n| n.to_le_bytes()[0]).collect();
        let [marker, small, empty] = [mark(7), [&[0, 0, 9][..], b"some bytes"].concat(), vec![0, 0, 0]];
        let odd = vec![1, 0xff, 0xff, 0];
        for behind in [&marker[..], &END_OF_FILE, &small, &empty, &odd, b"\0", b""] {
            for (step, most) in [(1, 1000), (2, 1 << 20), (70_000, 1 << 20), (70_000, 100_000)] {
                let (decoder, wire) = within(&bytes, behind);
                let (file, decoder, rest) = taken(decoder, &wire, step, most);
                assert!(file == bytes[1..], "{behind:?}");
                assert!(rest.len() + HEADER >= behind.len(), "no more than a header was read: {behind:?}");
                assert_eq!(told(decoder, rest), told(Decoder::default(), behind));
            }
        }
    }
}
