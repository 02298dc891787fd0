//! STRU R in MODE S (RFC 959 §3.1.2.2, §3.4.1): a byte 255 begins a control code of two bytes, the end of a record, of
//! the file, or of both; a byte 255 of the data is sent twice.
//!
//! Here are both ways, however the bytes are cut. What a record becomes is not known here.

/// What begins a code.
const ESCAPE: u8 = 255;

/// A record ends here.
pub const END_OF_RECORD: [u8; 2] = [ESCAPE, 1];

/// The file ends here.
pub const END_OF_FILE: [u8; 2] = [ESCAPE, 2];

/// Appends these bytes of a record.
pub fn escape(bytes: &[u8], wire: &mut Vec<u8>) {
    for piece in bytes.split_inclusive(|byte| *byte == ESCAPE) {
        wire.extend_from_slice(piece);
        if piece.last() == Some(&ESCAPE) {
            wire.push(ESCAPE);
        }
    }
}

/// What stands next in a stream of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Bytes of a record, at least one.
    Content(&'a [u8]),
    /// A record ends here.
    Record,
    /// The file ends here. Nothing may follow.
    End,
}

/// Why a stream of records is none.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Wrong {
    /// A control code that means nothing.
    #[error("a control code means nothing ({0})")]
    Code(u8),
    /// Something stands behind the end of the file.
    #[error("something came behind the end of the file")]
    Behind,
}

/// Records as they come in, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The last byte began a code.
    escaped: bool,
    /// The file ends, which is told behind the end of its last record.
    ending: bool,
    ended: bool,
}

impl Decoder {
    /// What stands next in `bytes`, which moves past it; `None`: more have to come.
    ///
    /// # Errors
    /// The stream is none of records: nothing behind this place can be read.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Next<'a>>, Wrong> {
        if std::mem::take(&mut self.ending) {
            self.ended = true;
            return Ok(Some(Next::End));
        }
        loop {
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            if self.ended {
                return Err(Wrong::Behind);
            }
            if std::mem::take(&mut self.escaped) {
                let (code, behind) = bytes.split_at(1);
                *bytes = behind;
                match first {
                    1 | 3 => {
                        self.ending = *first == 3;
                        return Ok(Some(Next::Record));
                    }
                    2 => {
                        self.ended = true;
                        return Ok(Some(Next::End));
                    }
                    &ESCAPE => return Ok(Some(Next::Content(code))),
                    other => return Err(Wrong::Code(*other)),
                }
            }
            if *first == ESCAPE {
                self.escaped = true;
                *bytes = rest;
                continue;
            }
            let plain = bytes.iter().position(|byte| *byte == ESCAPE).unwrap_or(bytes.len());
            let (piece, behind) = bytes.split_at(plain);
            *bytes = behind;
            return Ok(Some(Next::Content(piece)));
        }
    }

    /// Whether the end of the file was told.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Records that ended, the one that did not, whether the file has ended, and what was wrong.
    fn read(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>, bool, Option<Wrong>) {
        let (mut decoder, mut records, mut last) = (Decoder::default(), Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            loop {
                match decoder.next(&mut rest) {
                    Ok(None) => break,
                    Ok(Some(Next::Content(bytes))) => last.extend_from_slice(bytes),
                    Ok(Some(Next::Record)) => records.push(std::mem::take(&mut last)),
                    Ok(Some(Next::End)) => {}
                    Err(wrong) => return (records, last, decoder.has_ended(), Some(wrong)),
                }
            }
        }
        (records, last, decoder.has_ended(), None)
    }

    fn write(records: &[Vec<u8>]) -> Vec<u8> {
        let mut wire = Vec::new();
        for record in records {
            escape(record, &mut wire);
            wire.extend(END_OF_RECORD);
        }
        wire.extend(END_OF_FILE);
        wire
    }

    #[test]
    fn codes_are_no_bytes_of_a_record() {
        let (records, last, ended, wrong) = read(&[b"a\xff\xff\xff\xffb\xff\x01\xff\x01c\xff\x02"]);
        assert_eq!(records, [b"a\xff\xffb".to_vec(), Vec::new()]);
        assert_eq!((last, ended, wrong), (b"c".to_vec(), true, None));
        assert_eq!(read(&[b"a\xff\x03"]), (vec![b"a".to_vec()], Vec::new(), true, None));
    }

    #[test]
    fn what_means_nothing_is_told() {
        assert_eq!(read(&[b"a\xff\x04"]).3, Some(Wrong::Code(4)));
        assert_eq!(read(&[b"a\xff\x00"]).3, Some(Wrong::Code(0)));
        assert_eq!(read(&[b"a\xff\x02b"]).3, Some(Wrong::Behind));
        assert_eq!(read(&[b"a\xff\x03\xff\x02"]).3, Some(Wrong::Behind));
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in(
            records in prop::collection::vec(prop::collection::vec(prop_oneof![Just(255_u8), any::<u8>()], 0..9), 0..5),
        ) {
            let wire = write(&records);
            prop_assert_eq!(read(&[&wire]), (records, Vec::new(), true, None));
        }

        #[test]
        fn however_it_is_cut(
            wire in prop::collection::vec(prop_oneof![Just(255_u8), 0_u8..6], 0..30),
            cut in 0_usize..30,
        ) {
            let (before, behind) = wire.split_at(cut.min(wire.len()));
            prop_assert_eq!(read(&[before, behind]), read(&[&wire]));
        }
    }
}
