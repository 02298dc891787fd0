//! CRC32C (Castagnoli, RFC 3720 section 12.1), by which records and claims know their bytes again.
//!
//! It finds what was torn, turned or overwritten by chance; it is no proof against somebody who means harm.

use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest, checksum_combine};

/// The checksum of these bytes.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    append(0, bytes)
}

/// The checksum of what `crc` speaks of and these bytes behind it.
pub(crate) fn append(crc: u32, bytes: &[u8]) -> u32 {
    // A running state is the complement of the checksum so far.
    let mut digest = Digest::new_with_init_state(Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    narrow(digest.finalize())
}

/// The checksum of two stretches, the second one `len` bytes long, from the checksums of each.
pub(crate) fn join(first: u32, second: u32, len: u64) -> u32 {
    narrow(checksum_combine(Crc32Iscsi, first.into(), second.into(), len))
}

#[allow(clippy::cast_possible_truncation, reason = "a CRC of 32 bits has no more")]
fn narrow(crc: u64) -> u32 {
    crc as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720 section B.4, and the check value of the catalogues.
    #[test]
    fn it_is_the_castagnoli_crc() {
        assert_eq!(of(b"123456789"), 0xE306_9283);
        assert_eq!(of(&[0; 32]), 0x8A91_36AA);
        assert_eq!(of(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(of(b""), 0);
    }

    #[test]
    fn parts_add_up_to_the_whole_at_every_length() {
        let bytes: Vec<u8> = (0..4_200_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for len in (0..600).chain([1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 4_200]) {
            let bytes = &bytes[..len];
            let by_bit = bytes.iter().fold(!0_u32, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                    (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg())
                })
            });
            assert_eq!(of(bytes), !by_bit, "{len} bytes");
            for at in [0, 1, len / 3, len / 2, len.saturating_sub(1)] {
                let (left, right) = bytes.split_at(at.min(len));
                assert_eq!(append(of(left), right), of(bytes), "{len} bytes, cut at {at}");
                assert_eq!(
                    join(of(left), of(right), right.len() as u64),
                    of(bytes),
                    "{len} bytes, cut at {at}"
                );
            }
        }
    }
}
