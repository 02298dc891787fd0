//! Digests of a file or a range of it, for HASH and the X commands.

use std::ops::Range;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::tree::File;

const PIECE: u64 = 1 << 20;

/// The algorithms, by the names that HASH has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Md5,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Self; 4] = [Self::Crc32, Self::Md5, Self::Sha1, Self::Sha256];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// In lower-case hexadecimal digits.
    pub(super) fn of(self, file: &File, range: Range<u64>) -> String {
        let pieces = move || {
            let starts = range.clone().step_by(PIECE as usize);
            let end = range.end;
            starts.map(move |from| file.read(from, (end - from).min(PIECE) as usize))
        };
        match self {
            Self::Crc32 => format!("{:08x}", !pieces().fold(!0, |crc, piece| crc32(crc, &piece))),
            Self::Md5 => hex(&pieces().fold(Md5::new(), |hash, piece| hash.chain_update(piece)).finalize()),
            Self::Sha1 => hex(&pieces().fold(Sha1::new(), |hash, piece| hash.chain_update(piece)).finalize()),
            Self::Sha256 => {
                hex(&pieces().fold(Sha256::new(), |hash, piece| hash.chain_update(piece)).finalize())
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The CRC of zip and Ethernet, bit by bit: no table, no speed.
fn crc32(crc: u32, piece: &[u8]) -> u32 {
    piece.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_books() {
        let file = File::stored(b"x123456789y".to_vec());
        let of = |algorithm: Algorithm| algorithm.of(&file, 1..10);
        assert_eq!(of(Algorithm::Crc32), "cbf43926");
        assert_eq!(of(Algorithm::Md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(of(Algorithm::Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert!(of(Algorithm::Sha256).starts_with("15e2b0d3c33891eb"));
    }
}
