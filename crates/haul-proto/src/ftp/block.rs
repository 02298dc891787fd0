//! MODE B (RFC 959 §3.4.2): bytes travel in blocks, each behind a header of three bytes, its descriptor and the count of
//! what follows. The end of a file, and of a record, is a bit of the descriptor, so that a connection that is cut is never
//! taken for the end. A block with a restart marker holds a name for this place instead of bytes (§3.5).
//!
//! Here are both ways, however the bytes are cut. What a marker stands for is not known here, nor what a record becomes.

use thiserror::Error;

use super::digits;

/// A record ends with this block.
const RECORD: u8 = 128;
/// The file ends with this block.
const END: u8 = 64;
/// The sender does not vouch for what is in this block.
const SUSPECT: u8 = 32;
/// The block is a marker.
const MARKER: u8 = 16;

/// A header's length.
pub const HEADER: usize = 3;
/// The most bytes that one block has.
pub const MOST: u16 = u16::MAX;
/// The most bytes of a marker: it has to fit into a reply, beside another one.
pub const LONGEST_MARKER: usize = 255;

/// The header of a block of so many bytes of a file.
pub fn content(count: u16) -> [u8; HEADER] {
    header(0, count)
}

/// A record ends here; no bytes follow.
pub const END_OF_RECORD: [u8; HEADER] = [RECORD, 0, 0];

/// The file ends here; no bytes follow.
pub const END_OF_FILE: [u8; HEADER] = [END, 0, 0];

fn header(descriptor: u8, count: u16) -> [u8; HEADER] {
    let [high, low] = count.to_be_bytes();
    [descriptor, high, low]
}

/// Appends these bytes of a file in as few blocks as they need.
pub fn wrap(bytes: &[u8], wire: &mut Vec<u8>) {
    for piece in bytes.chunks(MOST.into()) {
        // No piece is longer.
        wire.extend(content(u16::try_from(piece.len()).unwrap_or(MOST)));
        wire.extend_from_slice(piece);
    }
}

/// The block of a marker that stands for an offset: the offset in decimal digits.
pub fn mark(offset: u64) -> Vec<u8> {
    let digits = offset.to_string();
    // No offset has more than twenty digits.
    let count = u16::try_from(digits.len()).unwrap_or(MOST);
    [&header(MARKER, count)[..], digits.as_bytes()].concat()
}

/// A sender's name for a place in what it sends: printable ASCII, no blanks, at most [`LONGEST_MARKER`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(Vec<u8>);

impl Marker {
    /// The name, where it can be one.
    pub fn new(name: impl Into<Vec<u8>>) -> Option<Self> {
        let name = name.into();
        let fits = (1..=LONGEST_MARKER).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
        fits.then_some(Self(name))
    }

    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The offset that it stands for, of a sender that makes its markers by [`mark`]; `None`: it is a mere name.
    pub fn offset(&self) -> Option<u64> {
        digits::number(&self.0)
    }
}

/// What stands next in a stream of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Bytes of the file, at least one.
    Content(&'a [u8]),
    /// A record ends here.
    Record,
    /// A name for this place.
    Marker(Marker),
    /// The file ends here. Nothing may follow.
    End,
}

/// Why a stream of blocks is none, or not to be relied on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Wrong {
    /// A descriptor has bits that mean nothing.
    #[error("a block has a descriptor that means nothing ({0})")]
    Descriptor(u8),
    /// The sender does not vouch for its own bytes.
    #[error("a block is marked as suspected of errors by its sender")]
    Suspect,
    /// A marker is empty, too long, or not printable.
    #[error("a restart marker is empty, too long, or not printable")]
    Marker,
    /// Something stands behind the end of the file.
    #[error("something came behind the end of the file")]
    Behind,
}

/// Blocks as they come in, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The header, as far as it is there.
    header: [u8; HEADER],
    came: usize,
    /// How much of the block is still to come.
    left: usize,
    marker: Vec<u8>,
    /// The block's own ends, which are told behind its bytes.
    pending: u8,
    ended: bool,
}

impl Decoder {
    /// What stands next in `bytes`, which moves past it; `None`: more have to come.
    ///
    /// # Errors
    /// The stream is none of blocks, or not to be relied on: nothing behind this place can be read.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Next<'a>>, Wrong> {
        loop {
            if self.ended {
                return if bytes.is_empty() { Ok(None) } else { Err(Wrong::Behind) };
            }
            if self.left > 0 {
                let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
                *bytes = rest;
                self.left -= piece.len();
                match (self.pending & MARKER != 0, piece) {
                    (_, []) => return Ok(None),
                    (true, piece) => self.marker.extend_from_slice(piece),
                    (false, piece) => return Ok(Some(Next::Content(piece))),
                }
            } else if let Some(next) = self.told()? {
                return Ok(Some(next));
            } else if !self.begun(bytes)? {
                return Ok(None);
            }
        }
    }

    /// How many bytes of the present block are still to come: they may be taken elsewhere, and told by [`Self::passed`].
    /// 0 between blocks and in a marker.
    pub fn room(&self) -> usize {
        if self.pending & MARKER == 0 { self.left } else { 0 }
    }

    /// So many bytes of the present block went elsewhere.
    pub fn passed(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
    }

    /// How many bytes of a header come next; 0 within a block, and where [`Self::next`] tells something first.
    pub fn short_of(&self) -> usize {
        if self.left > 0 || self.pending != 0 || self.ended { 0 } else { HEADER - self.came }
    }

    /// How many bytes may be given to [`Self::next`] without one of a file's among them: of a header, or of a marker.
    pub fn beside(&self) -> usize {
        if self.pending & MARKER != 0 { self.left } else { HEADER - self.came }
    }

    /// Reads bytes of a header, at most [`Self::short_of`], and none behind it, so that what is there may be taken
    /// elsewhere. What it says, and whether it is one, is told by [`Self::next`].
    pub fn take_header(&mut self, mut bytes: &[u8]) {
        let _ = self.begun(&mut bytes);
    }

    /// Reads on behind [`Wrong::Suspect`]: the bytes of that block come next, as those of any other, for whoever
    /// takes none of them and wants to see whether it is a block at all.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn pass_suspect(&mut self) -> Result<(), Wrong> {
        let [descriptor, ..] = &mut self.header;
        *descriptor &= !SUSPECT;
        self.begun(&mut &[][..]).map(drop)
    }

    /// Whether the end of the file was told.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What a block says besides its bytes, in this order: the marker, the end of a record, the end of the file.
    fn told(&mut self) -> Result<Option<Next<'static>>, Wrong> {
        for bit in [MARKER, RECORD, END] {
            if self.pending & bit == 0 {
                continue;
            }
            self.pending &= !bit;
            return Ok(Some(match bit {
                MARKER => Next::Marker(Marker::new(std::mem::take(&mut self.marker)).ok_or(Wrong::Marker)?),
                RECORD => Next::Record,
                _ => {
                    self.ended = true;
                    Next::End
                }
            }));
        }
        Ok(None)
    }

    /// Reads a header; whether there is a whole one. What is wrong with it is told again if it is asked again.
    fn begun(&mut self, bytes: &mut &[u8]) -> Result<bool, Wrong> {
        while self.came < HEADER {
            let Some((first, rest)) = bytes.split_first() else { return Ok(false) };
            *bytes = rest;
            if let Some(place) = self.header.get_mut(self.came) {
                *place = *first;
            }
            self.came += 1;
        }
        let [descriptor, high, low] = self.header;
        if descriptor & !(RECORD | END | SUSPECT | MARKER) != 0 {
            return Err(Wrong::Descriptor(descriptor));
        }
        if descriptor & SUSPECT != 0 {
            return Err(Wrong::Suspect);
        }
        let count = u16::from_be_bytes([high, low]).into();
        if descriptor & MARKER != 0 && !(1..=LONGEST_MARKER).contains(&count) {
            return Err(Wrong::Marker);
        }
        (self.came, self.pending, self.left) = (0, descriptor, count);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is said, with bytes that touch taken together.
    #[derive(Clone, Debug, PartialEq)]
    enum Said {
        Bytes(Vec<u8>),
        Record,
        Marker(Vec<u8>),
        End,
        Wrong(Wrong),
    }

    fn read(pieces: &[&[u8]]) -> Vec<Said> {
        let (mut decoder, mut said) = (Decoder::default(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            loop {
                match decoder.next(&mut rest) {
                    Ok(None) => break,
                    Ok(Some(Next::Content(bytes))) => match said.last_mut() {
                        Some(Said::Bytes(before)) => before.extend_from_slice(bytes),
                        _ => said.push(Said::Bytes(bytes.to_vec())),
                    },
                    Ok(Some(Next::Record)) => said.push(Said::Record),
                    Ok(Some(Next::Marker(marker))) => said.push(Said::Marker(marker.as_bytes().to_vec())),
                    Ok(Some(Next::End)) => said.push(Said::End),
                    Err(wrong) => {
                        said.push(Said::Wrong(wrong));
                        return said;
                    }
                }
            }
            assert!(rest.is_empty());
        }
        said
    }

    fn bytes(text: &[u8]) -> Said {
        Said::Bytes(text.to_vec())
    }

    #[test]
    fn a_file_comes_out_as_it_went_in() {
        let mut wire = Vec::new();
        wrap(b"some", &mut wire);
        wire.extend(mark(4));
        wrap(b" bytes", &mut wire);
        wire.extend(END_OF_FILE);
        assert_eq!(
            read(&[&wire]),
            [bytes(b"some"), Said::Marker(b"4".to_vec()), bytes(b" bytes"), Said::End]
        );
        let long = vec![7; 200_000];
        let mut wire = Vec::new();
        wrap(&long, &mut wire);
        assert_eq!(wire.len(), long.len() + 4 * HEADER);
        assert_eq!(read(&[&wire]), [Said::Bytes(long)]);
    }

    #[test]
    fn ends_stand_behind_the_bytes_of_their_block() {
        assert_eq!(
            read(&[b"\x80\0\x02ab\xc0\0\x01c"]),
            [bytes(b"ab"), Said::Record, bytes(b"c"), Said::Record, Said::End]
        );
        assert_eq!(read(&[b"\x80\0\0\x40\0\0"]), [Said::Record, Said::End]);
        assert_eq!(read(&[b"\x50\0\x01m"]), [Said::Marker(b"m".to_vec()), Said::End]);
    }

    #[test]
    fn a_block_of_nothing_says_nothing() {
        assert_eq!(read(&[b"\0\0\0\0\0\0\0\0\x01a"]), [bytes(b"a")]);
    }

    #[test]
    fn what_is_no_block_or_not_to_be_relied_on_is_told() {
        let wrong = |wire: &[u8]| match read(&[wire]).pop() {
            Some(Said::Wrong(wrong)) => wrong,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong(b"\x01\0\x01a"), Wrong::Descriptor(1));
        assert_eq!(wrong(b"\x20\0\x01a"), Wrong::Suspect);
        assert_eq!(wrong(b"\x10\0\0"), Wrong::Marker);
        assert_eq!(wrong(b"\x10\0\x03a b"), Wrong::Marker);
        assert_eq!(wrong(b"\x10\0\x01\r"), Wrong::Marker);
        assert_eq!(wrong(b"\x10\x01\0"), Wrong::Marker);
        assert_eq!(wrong(b"\x40\0\0\x40\0\0"), Wrong::Behind);
        assert_eq!(wrong(b"\x40\0\0\0\0\x01a"), Wrong::Behind);
    }

    #[test]
    fn a_marker_is_an_offset_or_a_name() {
        let offset = |name: &str| Marker::new(name).unwrap().offset();
        assert_eq!(offset("1048576"), Some(1 << 20));
        assert_eq!([offset("tape-3"), offset("-1"), offset("18446744073709551616")], [None; 3]);
    }

    #[test]
    fn a_blocks_bytes_may_be_taken_elsewhere() {
        let mut decoder = Decoder::default();
        assert_eq!((decoder.room(), decoder.short_of()), (0, HEADER));
        assert_eq!(decoder.next(&mut &b"\x40\x01"[..]), Ok(None));
        assert_eq!(decoder.short_of(), 1);
        decoder.take_header(b"\x02");
        assert_eq!((decoder.room(), decoder.short_of()), (258, 0));
        decoder.passed(257);
        assert_eq!(decoder.next(&mut &b"x"[..]), Ok(Some(Next::Content(b"x"))));
        assert!(!decoder.has_ended());
        assert_eq!((decoder.room(), decoder.short_of()), (0, 0));
        assert_eq!(decoder.next(&mut &b""[..]), Ok(Some(Next::End)));
        assert!(decoder.has_ended());
        // What a header says is told afterwards, and what is wrong with it as often as somebody asks.
        for (header, told) in [
            (b"\x10\0\0", Err(Wrong::Marker)),
            (b"\x10\x01\0", Err(Wrong::Marker)),
            (b"\x21\0\x01", Err(Wrong::Descriptor(0x21))),
            (b"\x20\0\x01", Err(Wrong::Suspect)),
            (b"\x40\0\0", Ok(Some(Next::End))),
        ] {
            let mut decoder = Decoder::default();
            decoder.take_header(header);
            assert_eq!((decoder.room(), decoder.short_of()), (0, 0));
            assert_eq!(decoder.next(&mut &b""[..]), told);
            let again = if told.is_err() { told } else { Err(Wrong::Behind) };
            assert_eq!(decoder.next(&mut &b"x"[..]), again);
        }
    }

    #[test]
    fn what_stands_behind_a_suspect_block_can_be_read() {
        for (block, told) in [
            (&b"\x20\0\x02ab"[..], Ok(None)),
            (b"\x60\0\x02ab", Ok(Some(Next::End))),
            (b"\x20\0\0", Ok(None)),
            (b"\x30\0\x02m1", Ok(Some(Next::Marker(Marker::new("m1").unwrap())))),
        ] {
            let (mut decoder, mut rest) = (Decoder::default(), block);
            assert_eq!(decoder.next(&mut rest), Err(Wrong::Suspect));
            assert_eq!(decoder.pass_suspect(), Ok(()));
            let room = decoder.room();
            decoder.passed(room);
            assert_eq!(decoder.next(&mut &rest[room..]), told);
        }
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(&mut &b"\x30\0\0"[..]), Err(Wrong::Suspect));
        assert_eq!(decoder.pass_suspect(), Err(Wrong::Marker));
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
                let mut wire = Vec::new();
                wrap(&bytes, &mut wire);
                wire
            }),
            1 => any::<u64>().prop_map(mark),
            1 => Just(END_OF_RECORD.to_vec()),
            1 => Just(END_OF_FILE.to_vec()),
            1 => any::<[u8; 5]>().prop_map(|bytes| bytes.to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn however_it_is_cut(pieces in prop::collection::vec(piece(), 0..6), cuts in prop::collection::vec(0_usize..200, 0..5)) {
            let wire = pieces.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&parts), read(&[&wire]));
        }
    }
}
