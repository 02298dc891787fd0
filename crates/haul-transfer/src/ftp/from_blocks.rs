//! What a download in MODE B takes off its bytes (RFC 959 §3.4.2, §3.5): the header before each block, restart markers,
//! and the end of the file, without which no file is whole.
//!
//! Whoever has lost count on the way, of a block's bytes or of where it began, takes bytes of the file for a header,
//! and hardly any are one. So a block's bytes are held back, where they came into the buffer, until a header has come
//! behind them that can be one. A marker that is an offset is held against the place where it stands, which finds out
//! the rest: what was handed on since the last one that agreed may still be wrong. One that is a mere name says
//! nothing here; it is noted that the server has such. The end of a record means nothing in a file without records
//! (STRU F).

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use haul_proto::ftp::block::{Decoder, Next, Wrong};

/// More than this of headers and markers in a row, without a byte of the file, is not waited through.
const MOST_BESIDE: usize = 64 << 10;
/// So many headers in a row that say "suspect" are no chance, in whatever text they would stand.
const MOST_SUSPECT: u8 = 16;

/// Where a download in blocks is.
#[derive(Debug)]
pub(crate) struct FromBlocks {
    decoder: Decoder,
    /// The offset of the next byte that comes.
    at: u64,
    /// So many bytes at the front of the buffer are held back.
    held: usize,
    /// So many bytes were handed on since a marker agreed, or since it began.
    unconfirmed: u64,
    /// So many bytes of headers and markers came since the last byte of the file.
    beside: usize,
    agreed: bool,
    names: bool,
    /// Where the blocks begin that their sender suspects, if they are some: their bytes are passed over.
    suspect: Option<u64>,
    /// How many they are.
    suspects: u8,
    /// What is wrong. It is told behind the bytes that were handed on.
    bad: Option<BadBlocks>,
}

/// What was moved together in a buffer.
struct Gathered {
    /// Where the bytes of the file are now.
    bytes: Range<usize>,
    /// Where the last marker stood that agreed, or they begin.
    agreed: usize,
    /// Where the last header stood, or they begin.
    good: usize,
}

/// What stands beside the bytes of the file says this of those before it.
#[derive(PartialEq)]
enum Sign {
    Nothing,
    /// They may end here: what came can be a header.
    Header,
    /// They end here.
    Agreed,
}

/// Why what comes cannot be relied on.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadBlocks {
    /// It is none of blocks.
    #[error("{0}")]
    Wrong(Wrong),
    /// They are blocks, and the server itself does not vouch for the bytes of this one.
    #[error(
        "the server does not vouch for the bytes from {at} on: it marks their block as suspected of errors"
    )]
    Suspect {
        /// The offset of the first of them.
        at: u64,
    },
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
        Self {
            decoder: Decoder::default(),
            at,
            held: 0,
            unconfirmed: 0,
            beside: 0,
            agreed: false,
            names: false,
            suspect: None,
            suspects: 0,
            bad: None,
        }
    }

    /// Takes what can be handed on off the buffer, if there is anything. What stays there is held back, and belongs
    /// before all that comes next. Bytes of several blocks come as one piece: each piece is written, and written
    /// down, by itself.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Bytes, BadBlocks> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        let Gathered { bytes, agreed, good } = self.gather(buffer);
        // Who has lost count may have done so before: nobody is to have what no marker has shown to be right.
        let end = match self.bad {
            None | Some(BadBlocks::Suspect { .. }) => good,
            Some(_) => agreed,
        };
        self.held = bytes.end - end;
        self.unconfirmed += (end - agreed) as u64;
        buffer.truncate(bytes.end);
        buffer.advance(bytes.start);
        match self.bad {
            _ if end > bytes.start => Ok(buffer.split_to(end - bytes.start).freeze()),
            Some(bad) => Err(bad),
            None => Ok(Bytes::new()),
        }
    }

    /// What was held back, once the end was told and nothing has come behind it.
    pub(super) fn rest(&mut self, buffer: &mut BytesMut) -> Result<Bytes, BadBlocks> {
        self.bad = self.suspect.map(|at| BadBlocks::Suspect { at });
        self.unconfirmed += self.held as u64;
        let rest = buffer.split_to(std::mem::take(&mut self.held)).freeze();
        self.bad.filter(|_| rest.is_empty()).map_or(Ok(rest), Err)
    }

    /// Moves the bytes of blocks together, those that were held back first.
    fn gather(&mut self, wire: &mut [u8]) -> Gathered {
        let mut taken = self.held;
        let (mut bytes, mut agreed, mut good) = (0..taken, 0, 0);
        while self.bad.is_none() {
            let count = self.decoder.room().min(wire.len() - taken);
            if count > 0 {
                if self.suspect.is_none() {
                    if bytes.is_empty() {
                        (bytes, agreed, good) = (taken..taken, taken, taken);
                    } else if bytes.end != taken {
                        wire.copy_within(taken..taken + count, bytes.end);
                    }
                    bytes.end += count;
                }
                taken += count;
                self.decoder.passed(count);
                self.at += count as u64;
                self.beside = 0;
                continue;
            }
            let (count, sign) = match self.step(wire.get(taken..).unwrap_or_default()) {
                Ok(None) => break,
                Ok(Some(step)) => step,
                Err(bad) => {
                    self.bad = Some(bad);
                    (0, if matches!(bad, BadBlocks::Suspect { .. }) { Sign::Header } else { Sign::Nothing })
                }
            };
            taken += count;
            if sign != Sign::Nothing {
                good = bytes.end;
            }
            if sign == Sign::Agreed {
                (agreed, self.agreed, self.unconfirmed) = (bytes.end, true, 0);
            }
        }
        Gathered { bytes, agreed, good }
    }

    /// What stands beside the bytes of the file, headers, markers, the end: how much of it was taken, and what it
    /// says of the bytes before it. `None`: more has to come.
    fn step(&mut self, wire: &[u8]) -> Result<Option<(usize, Sign)>, BadBlocks> {
        // What a block says besides its bytes comes first; then no more is given than is taken.
        let (mut head, mut told) = (&[][..], self.decoder.next(&mut &[][..]));
        if told == Ok(None) {
            head = wire.get(..self.decoder.beside()).unwrap_or(wire);
            if head.is_empty() {
                return Ok(None);
            }
            told = self.decoder.next(&mut &*head);
        }
        self.beside += head.len();
        if self.beside > MOST_BESIDE {
            return Err(BadBlocks::Endless);
        }
        let sign = match told {
            Ok(Some(Next::Marker(marker))) => match marker.offset() {
                Some(says) if says == self.at => Sign::Agreed,
                Some(says) => return Err(BadBlocks::Elsewhere { says, at: self.at }),
                None => {
                    self.names = true;
                    Sign::Header
                }
            },
            // A header without bytes behind it may be zeros of the file.
            Ok(None) if self.decoder.room() > 0 => Sign::Header,
            // The end is one if nothing comes behind it, which is seen elsewhere.
            Ok(_) => Sign::Nothing,
            Err(Wrong::Suspect) if self.suspects == MOST_SUSPECT => Sign::Header,
            Err(Wrong::Suspect) => {
                self.suspect.get_or_insert(self.at);
                self.suspects += 1;
                self.decoder.pass_suspect().map_err(BadBlocks::Wrong)?;
                Sign::Nothing
            }
            Err(wrong) => return Err(BadBlocks::Wrong(wrong)),
        };
        match self.suspect {
            Some(at) if sign != Sign::Nothing => Err(BadBlocks::Suspect { at }),
            _ => Ok(Some((head.len(), sign))),
        }
    }

    /// The offset of the next byte that comes, behind all that is held back.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether the end of the file was told.
    pub(super) fn has_ended(&self) -> bool {
        self.decoder.has_ended()
    }

    /// Whether bytes were handed on that no marker has confirmed: should the blocks turn out to be none, these are
    /// not to be relied on.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed > 0
    }

    /// Whether a marker has shown that nobody had lost count until then.
    pub(crate) fn has_agreed(&self) -> bool {
        self.agreed
    }

    /// Whether a marker came that is no offset: then REST in MODE B takes such names, and no offsets.
    pub(crate) fn has_names(&self) -> bool {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::block;

    use super::*;

    /// What comes of these bytes, however they are cut: what is handed on, what is held back then, and what is wrong.
    fn read(from: u64, wire: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, Result<(), BadBlocks>, FromBlocks) {
        let (mut blocks, mut buffer, mut file) = (FromBlocks::new(from), BytesMut::new(), Vec::new());
        for piece in wire.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                match blocks.next(&mut buffer) {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => file.extend_from_slice(&bytes),
                    Err(bad) => return (file, Vec::new(), Err(bad), blocks),
                }
            }
        }
        let held = buffer.to_vec();
        assert_eq!(held.len(), blocks.held, "all of it was looked at");
        if blocks.has_ended() {
            assert!(blocks.rest(&mut buffer).is_ok_and(|rest| rest == held) || held.is_empty());
        }
        (file, held, blocks.bad.map_or(Ok(()), Err), blocks)
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
            let (file, held, result, blocks) = read(10, &wire.concat(), step);
            assert!([file, held].concat() == [b"some", &long[..]].concat());
            assert_eq!((blocks.at(), result), (100_014, Ok(())));
            assert!(blocks.has_ended() && blocks.has_agreed() && !blocks.has_names());
        }
        // Bytes in the block that is the end, and a marker behind all of them.
        let (.., held, _, blocks) = read(0, b"\x40\0\x02ab", 1);
        assert_eq!((&held[..], blocks.has_ended()), (&b"ab"[..], true));
        let (file, .., blocks) = read(0, &[wrapped(b"ab"), block::mark(2)].concat(), 1);
        assert_eq!((&file[..], blocks.is_unconfirmed(), blocks.has_ended()), (&b"ab"[..], false, false));
    }

    #[test]
    fn a_blocks_bytes_are_held_back_until_a_header_stands_behind_them() {
        for behind in [&b"\0\0\x01"[..], b"\x80\0\x01", b"\x10\0\x013", b"\x10\0\x02m1"] {
            for step in STEPS {
                let wire = [b"\0\0\x03abc", behind].concat();
                let (file, held, ..) = read(0, &wire[..wire.len() - 1], step);
                assert_eq!((&file[..], &held[..]), (&b""[..], &b"abc"[..]), "{behind:?}");
                let (file, held, result, blocks) = read(0, &wire, step);
                assert_eq!((&file[..], &held[..], result), (&b"abc"[..], &b""[..], Ok(())), "{behind:?}");
                let marked = behind[0] == 16;
                assert_eq!(blocks.is_unconfirmed(), !(marked && blocks.has_agreed()));
            }
        }
        // Neither is a header of nothing one, which may be zeros of the file, nor is the end, until nothing follows it.
        for behind in [&b"\0\0\0\0\0\0"[..], b"\x80\0\0", b"\x40\0\0"] {
            for step in STEPS {
                let (file, held, ..) = read(0, &[b"\0\0\x03abc", behind].concat(), step);
                assert_eq!((&file[..], &held[..]), (&b""[..], &b"abc"[..]), "{behind:?}");
            }
        }
    }

    #[test]
    fn no_more_is_held_back_than_a_block_has() {
        let wire = wrapped(&vec![7; 1_000_000]);
        let (mut blocks, mut buffer, mut most) = (FromBlocks::new(0), BytesMut::new(), 0);
        for piece in wire.chunks(10_000) {
            buffer.extend_from_slice(piece);
            while !blocks.next(&mut buffer).unwrap().is_empty() {}
            most = most.max(buffer.len());
        }
        assert!(most <= block::MOST.into(), "{most}");
    }

    #[test]
    fn a_marker_that_goes_back_or_ahead_is_told() {
        for says in [0, 3, 5, 9, u64::MAX] {
            for step in STEPS {
                let wire = [wrapped(b"four"), wrapped(b"more"), block::mark(says)].concat();
                let (file, _, result, blocks) = read(0, &wire, step);
                assert_eq!(result, Err(BadBlocks::Elsewhere { says, at: 8 }));
                // What came together with it is not handed on.
                let came = if step >= 1000 { &b""[..] } else { b"four" };
                assert_eq!((&file[..], blocks.is_unconfirmed()), (came, !came.is_empty()));
            }
        }
        // What a marker has shown to be right is.
        for step in STEPS {
            let wire = [wrapped(b"four"), block::mark(4), wrapped(b"more"), block::mark(9)].concat();
            let (file, _, result, blocks) = read(0, &wire, step);
            assert_eq!(result, Err(BadBlocks::Elsewhere { says: 9, at: 8 }));
            assert_eq!((&file[..], blocks.is_unconfirmed()), (&b"four"[..], false));
        }
    }

    #[test]
    fn a_marker_that_is_a_name_is_noted() {
        let (file, held, result, blocks) = read(0, b"\x10\0\x03rs1\0\0\x01a\x40\0\0", 1);
        assert_eq!((&file[..], &held[..], result), (&b""[..], &b"a"[..], Ok(())));
        assert!(blocks.has_names() && blocks.has_ended() && !blocks.has_agreed());
    }

    #[test]
    fn what_is_no_block_is_told() {
        for (wire, wrong) in [
            (&b"\0\0\x01a\0\0\x01b\x07\0\x01c"[..], Wrong::Descriptor(7)),
            (b"\0\0\x01a\0\0\x01b\x10\0\0", Wrong::Marker),
            (b"\0\0\x01a\0\0\x01b\x40\0\0x", Wrong::Behind),
        ] {
            for step in STEPS {
                let (file, _, result, blocks) = read(0, wire, step);
                // Nor what came together with it.
                let came = if step >= wire.len() { &b""[..] } else { b"a" };
                assert_eq!((&file[..], result), (came, Err(BadBlocks::Wrong(wrong))));
                assert_eq!(blocks.is_unconfirmed(), !came.is_empty());
            }
        }
    }

    #[test]
    fn a_suspect_block_is_one_where_another_stands_behind_it() {
        let suspect = |wire: &[u8], step| read(3, wire, step);
        let many = b"\xa0\0\0".repeat(MOST_SUSPECT.into());
        for behind in
            [&b"\0\0\x01"[..], b"\x10\0\x016", b"\x40\0\0", b"\x60\0\0", b"\x20\0\x01x\0\0\x01", &many[..]]
        {
            for step in STEPS {
                let wire = [b"\0\0\x01a\x20\0\x02xx", behind].concat();
                let (file, held, result, _) = suspect(&wire, step);
                let came = [file, held].concat();
                assert_eq!((&came[..], result), (&b"a"[..], Err(BadBlocks::Suspect { at: 4 })), "{behind:?}");
            }
        }
        for (behind, bad) in [
            (&b"\x07\0\x01"[..], BadBlocks::Wrong(Wrong::Descriptor(7))),
            (b"\x10\0\x017", BadBlocks::Elsewhere { says: 7, at: 6 }),
            (b"\x20\0\x01x\x07\0\x01", BadBlocks::Wrong(Wrong::Descriptor(7))),
            (b"\x60\0\0x", BadBlocks::Wrong(Wrong::Behind)),
        ] {
            for step in STEPS {
                let (file, _, result, _) = suspect(&[b"\0\0\x01a\x20\0\x02xx", behind].concat(), step);
                assert_eq!((&file[..], result), (&b""[..], Err(bad)), "{behind:?}");
            }
        }
        // Its bytes are nobody's.
        let (file, held, result, _) = suspect(b"\0\0\x01a\x20\0\x02xx", 1);
        assert_eq!((&file[..], &held[..], result), (&b""[..], &b"a"[..], Ok(())));
    }

    #[test]
    fn blocks_without_bytes_are_not_waited_through() {
        for idle in [block::mark(1), block::END_OF_RECORD.to_vec(), block::content(0).to_vec()] {
            let some = idle.repeat(1000);
            let wire = [wrapped(b"a"), some, wrapped(b"b")].concat();
            let (file, held, result, _) = read(0, &wire, 1000);
            assert_eq!((&file[..], &held[..], result), (&b"a"[..], &b"b"[..], Ok(())));
            let many = idle.repeat(MOST_BESIDE / idle.len() + 1);
            for step in [1, 1000, usize::MAX] {
                let (file, _, result, _) = read(0, &[wrapped(b"a"), many.clone()].concat(), step);
                let came = if idle == block::mark(1) { &b"a"[..] } else { b"" };
                assert_eq!((&file[..], result), (came, Err(BadBlocks::Endless)));
            }
        }
    }
}
