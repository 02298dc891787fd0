//! What a download in MODE B takes off its bytes (RFC 959 §3.4.2, §3.5): the header before each block, restart markers,
//! and the end of the file, without which no file is whole.
//!
//! A marker that is an offset is held against the place where it stands: whoever has lost count on the way, of a block's
//! bytes or of where it began, is found out there. What has come since the last one that agreed is only as good as the
//! next header. A marker that is a mere name says nothing here; it is noted that the server has such. The end of a record
//! means nothing in a file without records (STRU F).

use bytes::{Bytes, BytesMut};
use haul_proto::ftp::block::{Decoder, Next, Wrong};

/// More than this of headers and markers in a row, without a byte of the file, is not waited through.
const MOST_BESIDE: usize = 64 << 10;

/// Where a download in blocks is.
#[derive(Debug)]
pub(super) struct FromBlocks {
    decoder: Decoder,
    /// The offset of the next byte.
    at: u64,
    /// So many bytes came since a marker agreed, or since it began.
    unconfirmed: u64,
    /// So many bytes of headers and markers came since the last byte of the file.
    beside: usize,
    names: bool,
}

/// What stands next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Bytes of the file, at least one.
    Bytes(Bytes),
    /// The file ends here.
    End,
}

/// Why what comes cannot be relied on.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadBlocks {
    /// It is none of blocks.
    #[error("{0}")]
    Wrong(Wrong),
    /// The server counts otherwise than we do.
    #[error("a restart marker says that byte {says} of the file comes next, where byte {at} would")]
    Elsewhere {
        /// What it says.
        says: u64,
        /// Where it stands.
        at: u64,
    },
    /// It brings no bytes.
    #[error("there is no end of blocks without a byte of the file")]
    Endless,
}

impl FromBlocks {
    /// Of a file from the byte `at` on.
    pub(super) fn new(at: u64) -> Self {
        Self { decoder: Decoder::default(), at, unconfirmed: 0, beside: 0, names: false }
    }

    /// Takes what stands next off the buffer; `None`: more has to come, and the buffer is empty.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Came>, BadBlocks> {
        loop {
            let room = self.decoder.room();
            if room > 0 && !buffer.is_empty() {
                let bytes = buffer.split_to(room.min(buffer.len())).freeze();
                self.decoder.passed(bytes.len());
                self.at += bytes.len() as u64;
                self.unconfirmed += bytes.len() as u64;
                self.beside = 0;
                return Ok(Some(Came::Bytes(bytes)));
            }
            let most = self.decoder.short_of().min(buffer.len());
            let mut head = buffer.get(..most).unwrap_or_default();
            let next = self.decoder.next(&mut head).map_err(BadBlocks::Wrong)?;
            let taken = most - head.len();
            match next {
                Some(Next::End) => return Ok(Some(Came::End)),
                Some(Next::Marker(marker)) => match marker.offset() {
                    Some(says) if says == self.at => self.unconfirmed = 0,
                    Some(says) => return Err(BadBlocks::Elsewhere { says, at: self.at }),
                    None => self.names = true,
                },
                // Less than a block's bytes was given.
                Some(Next::Record | Next::Content(_)) => {}
                None if buffer.is_empty() => return Ok(None),
                None => {}
            }
            let _ = buffer.split_to(taken);
            self.beside += taken;
            if self.beside > MOST_BESIDE {
                return Err(BadBlocks::Endless);
            }
        }
    }

    /// The offset of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether the end of the file was told.
    pub(super) fn has_ended(&self) -> bool {
        self.decoder.has_ended()
    }

    /// Whether bytes came that no marker has confirmed.
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed > 0
    }

    /// Whether a marker came that is no offset: then REST in MODE B takes such names, and no offsets.
    pub(super) fn has_names(&self) -> bool {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::block;

    use super::*;

    /// All that comes of these bytes, however they are cut.
    fn read(from: u64, wire: &[u8], step: usize) -> (Vec<u8>, bool, Result<(), BadBlocks>, FromBlocks) {
        let mut blocks = FromBlocks::new(from);
        let (mut file, mut ended) = (Vec::new(), false);
        for piece in wire.chunks(step) {
            let mut buffer = BytesMut::from(piece);
            loop {
                match blocks.next(&mut buffer) {
                    Ok(Some(Came::Bytes(bytes))) => file.extend_from_slice(&bytes),
                    Ok(Some(Came::End)) => ended = true,
                    Ok(None) => break,
                    Err(bad) => return (file, ended, Err(bad), blocks),
                }
            }
            assert!(buffer.is_empty());
        }
        (file, ended, Ok(()), blocks)
    }

    fn wrapped(bytes: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        block::wrap(bytes, &mut wire);
        wire
    }

    const STEPS: [usize; 5] = [1, 2, 3, 1000, usize::MAX];

    #[test]
    fn bytes_come_out_with_their_end_and_markers_agree() {
        let long = vec![7; 100_000];
        let wire = [
            wrapped(b"some"),
            block::mark(14),
            wrapped(&long),
            block::END_OF_RECORD.to_vec(),
            wrapped(b""),
            block::END_OF_FILE.to_vec(),
        ];
        for step in STEPS {
            let (file, ended, result, blocks) = read(10, &wire.concat(), step);
            assert!(file == [b"some", &long[..]].concat());
            assert_eq!((ended, result), (true, Ok(())));
            assert!(blocks.has_ended() && blocks.is_unconfirmed() && !blocks.has_names());
        }
        // Bytes in the block that is the end, and a marker behind all of them.
        let (file, ended, ..) = read(0, b"\x40\0\x02ab", 1);
        assert_eq!((&file[..], ended), (&b"ab"[..], true));
        let (.., blocks) = read(0, &[wrapped(b"ab"), block::mark(2)].concat(), 1);
        assert!(!blocks.is_unconfirmed() && !blocks.has_ended());
    }

    #[test]
    fn a_marker_that_goes_back_or_ahead_is_told() {
        for says in [0, 3, 5, u64::MAX] {
            for step in STEPS {
                let (file, _, result, blocks) = read(0, &[wrapped(b"four"), block::mark(says)].concat(), step);
                assert_eq!(result, Err(BadBlocks::Elsewhere { says, at: 4 }));
                assert_eq!((&file[..], blocks.is_unconfirmed()), (&b"four"[..], true));
            }
        }
    }

    #[test]
    fn a_marker_that_is_a_name_is_noted() {
        let (file, ended, result, blocks) = read(0, b"\x10\0\x03rs1\0\0\x01a\x40\0\0", 1);
        assert_eq!((&file[..], ended, result), (&b"a"[..], true, Ok(())));
        assert!(blocks.has_names());
    }

    #[test]
    fn what_is_no_block_is_told() {
        for (wire, wrong) in [
            (&b"\0\0\x01a\x07\0\x01b"[..], Wrong::Descriptor(7)),
            (b"\0\0\x01a\x20\0\x01b", Wrong::Suspect),
            (b"\0\0\x01a\x10\0\0", Wrong::Marker),
            (b"\0\0\x01a\x40\0\0x", Wrong::Behind),
        ] {
            for step in STEPS {
                let (file, _, result, _) = read(0, wire, step);
                assert_eq!((&file[..], result), (&b"a"[..], Err(BadBlocks::Wrong(wrong))));
            }
        }
    }

    #[test]
    fn blocks_without_bytes_are_not_waited_through() {
        for idle in [block::mark(1), wrapped(b""), block::END_OF_RECORD.to_vec(), block::content(0).to_vec()] {
            if idle.is_empty() {
                continue;
            }
            let some = idle.repeat(1000);
            let (file, _, result, _) = read(0, &[wrapped(b"a"), some, wrapped(b"b")].concat(), 1000);
            assert_eq!((&file[..], result), (&b"ab"[..], Ok(())));
            let many = idle.repeat(MOST_BESIDE / idle.len() + 1);
            for step in [1, 1000, usize::MAX] {
                let (file, _, result, _) = read(0, &[wrapped(b"a"), many.clone()].concat(), step);
                assert_eq!((&file[..], result), (&b"a"[..], Err(BadBlocks::Endless)));
            }
        }
    }
}
