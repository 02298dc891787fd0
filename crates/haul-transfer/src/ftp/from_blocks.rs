//! What a download in MODE B takes off its bytes (RFC 959 §3.4.2, §3.5): the header before each block, restart markers,
//! and the end of the file, without which no file is whole.
//!
//! A marker that is an offset is held against the place where it stands: whoever has lost count on the way, of a block's
//! bytes or of where it began, is found out there. What has come since the last one that agreed is only as good as the
//! next header. A marker that is a mere name says nothing here; it is noted that the server has such. The end of a record
//! means nothing in a file without records (STRU F).

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
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
    /// What is to be told behind the bytes that were handed on: the end, or what is wrong.
    due: Option<Result<(), BadBlocks>>,
}

/// What stands next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Bytes of the file, at least one.
    Bytes(Bytes),
    /// The file ends here.
    End,
}

/// What was moved together.
struct Gathered {
    /// Where the bytes of the file are now.
    bytes: Range<usize>,
    /// So much was looked at.
    taken: usize,
}

/// What came of a look beside the bytes of the file.
enum Step {
    /// So many bytes are past; 0: more have to come.
    Past(usize),
    /// Something was told without any.
    Told,
    /// So many, and the file ends here.
    End(usize),
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
        Self { decoder: Decoder::default(), at, unconfirmed: 0, beside: 0, names: false, due: None }
    }

    /// Takes what stands next off the buffer; `None`: more has to come, and the buffer is empty. Bytes of several blocks
    /// come as one piece: each piece is written, and written down, by itself.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Came>, BadBlocks> {
        if self.due.is_none() {
            let Gathered { bytes, taken } = self.gather(buffer);
            let mut front = buffer.split_to(taken);
            front.truncate(bytes.end);
            front.advance(bytes.start);
            if !front.is_empty() && !self.has_lost_count() {
                return Ok(Some(Came::Bytes(front.freeze())));
            }
        }
        self.due.take().transpose().map(|end| end.map(|()| Came::End))
    }

    /// Whether what came last is wrong, and so may be the bytes before it: nobody is to have those, who might ask for no
    /// more behind them and never hear of it.
    fn has_lost_count(&self) -> bool {
        match self.due {
            Some(Err(BadBlocks::Wrong(Wrong::Suspect))) | Some(Ok(())) | None => false,
            Some(Err(_)) => self.unconfirmed > 0,
        }
    }

    /// Moves the bytes of blocks together, up to what has to be told behind them.
    fn gather(&mut self, wire: &mut [u8]) -> Gathered {
        let (mut bytes, mut taken) = (0..0, 0);
        while self.due.is_none() {
            let count = self.decoder.room().min(wire.len() - taken);
            if count > 0 {
                if bytes.is_empty() {
                    bytes = taken..taken;
                }
                if bytes.end != taken {
                    wire.copy_within(taken..taken + count, bytes.end);
                }
                (bytes.end, taken) = (bytes.end + count, taken + count);
                self.decoder.passed(count);
                self.at += count as u64;
                self.unconfirmed += count as u64;
                self.beside = 0;
                continue;
            }
            match self.step(wire.get(taken..).unwrap_or_default()) {
                Ok(Step::Past(0)) => break,
                Ok(Step::Past(count)) => taken += count,
                Ok(Step::Told) => {}
                Ok(Step::End(count)) => (self.due, taken) = (Some(Ok(())), taken + count),
                Err(bad) => self.due = Some(Err(bad)),
            }
        }
        Gathered { bytes, taken }
    }

    /// What stands beside the bytes of the file: headers, markers, the end.
    fn step(&mut self, wire: &[u8]) -> Result<Step, BadBlocks> {
        // What a block says besides its bytes comes first; then no more is given than is taken.
        let told = self.decoder.next(&mut &[][..]).map_err(BadBlocks::Wrong)?;
        let head = match told {
            None => wire.get(..self.decoder.beside()).unwrap_or(wire),
            Some(_) => &[],
        };
        let next = match told {
            None => self.decoder.next(&mut &*head).map_err(BadBlocks::Wrong)?,
            told => told,
        };
        self.beside += head.len();
        if self.beside > MOST_BESIDE {
            return Err(BadBlocks::Endless);
        }
        match next {
            Some(Next::End) => return Ok(Step::End(head.len())),
            Some(Next::Marker(marker)) => match marker.offset() {
                Some(says) if says == self.at => self.unconfirmed = 0,
                Some(says) => return Err(BadBlocks::Elsewhere { says, at: self.at }),
                None => self.names = true,
            },
            // No bytes of a block were given.
            Some(Next::Record | Next::Content(_)) => {}
            None => return Ok(Step::Past(head.len())),
        }
        Ok(if head.is_empty() { Step::Told } else { Step::Past(head.len()) })
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
                let (file, _, result, blocks) =
                    read(0, &[wrapped(b"four"), block::mark(says)].concat(), step);
                assert_eq!(result, Err(BadBlocks::Elsewhere { says, at: 4 }));
                // What came together with it is not handed on.
                let came = if step == usize::MAX || step == 1000 { &b""[..] } else { b"four" };
                assert_eq!((&file[..], blocks.is_unconfirmed()), (came, true));
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
                // What came together with it is not handed on, but where its sender alone doubts what follows, and before
                // the end.
                let handed = matches!(wrong, Wrong::Suspect | Wrong::Behind);
                let together = step >= wire.len() && !handed;
                let came = if together { &b""[..] } else { b"a" };
                assert_eq!((&file[..], result), (came, Err(BadBlocks::Wrong(wrong))));
            }
        }
    }

    #[test]
    fn blocks_without_bytes_are_not_waited_through() {
        for idle in [block::mark(1), block::END_OF_RECORD.to_vec(), block::content(0).to_vec()] {
            let some = idle.repeat(1000);
            let (file, _, result, _) = read(0, &[wrapped(b"a"), some, wrapped(b"b")].concat(), 1000);
            assert_eq!((&file[..], result), (&b"ab"[..], Ok(())));
            let many = idle.repeat(MOST_BESIDE / idle.len() + 1);
            for step in [1, 1000, usize::MAX] {
                let (file, _, result, _) = read(0, &[wrapped(b"a"), many.clone()].concat(), step);
                let confirmed = idle == block::mark(1);
                let came = if step == usize::MAX && !confirmed { &b""[..] } else { b"a" };
                assert_eq!((&file[..], result), (came, Err(BadBlocks::Endless)));
            }
        }
    }
}
