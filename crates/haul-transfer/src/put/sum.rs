//! Checksums of the local file's first bytes, of the kinds that FTP servers make.

use std::io;

use haul_core::Digest;
pub(super) use haul_proto::ftp::hash::{Kind, Sum};

use super::local::LocalFile;
use crate::checksum::Hasher;

/// How much is read at a time.
const PIECE: usize = 1 << 20;

/// The checksum of the first `size` bytes; `None` where the file has not so many, or where it is not `wanted` any more.
/// It takes as long as it takes.
pub(super) fn of(
    file: &LocalFile,
    size: u64,
    kind: Kind,
    wanted: impl Fn() -> bool,
) -> io::Result<Option<Sum>> {
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    let mut summing = match kind {
        Kind::Crc32 => Summing::Crc(u32::MAX),
        Kind::Digest(algorithm) => Summing::Digest(Box::new(Hasher::new(algorithm))),
    };
    while at < size {
        let most = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        let read = file.read_blocking(&mut buffer[..most], at)?;
        if read < most || !wanted() {
            return Ok(None);
        }
        match &mut summing {
            Summing::Crc(crc) => *crc = crc_on(*crc, &buffer[..read]),
            Summing::Digest(hasher) => hasher.update(&buffer[..read]),
        }
        at += read as u64;
    }
    Ok(match (summing, kind) {
        (Summing::Crc(crc), _) => Some(Sum::Crc32(!crc)),
        (Summing::Digest(hasher), Kind::Digest(algorithm)) => {
            Digest::new(algorithm, hasher.finish()).map(Sum::Digest)
        }
        (Summing::Digest(_), Kind::Crc32) => None,
    })
}

enum Summing {
    Crc(u32),
    Digest(Box<Hasher>),
}

/// CRC-32 (ISO 3309, polynomial 0xEDB88320 reflected), eight bytes at a time.
fn crc_on(mut crc: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for [a, b, c, d, e, f, g, h] in eights {
        let low = crc ^ u32::from_le_bytes([*a, *b, *c, *d]);
        let [a, b, c, d] = low.to_le_bytes();
        crc = [a, b, c, d, *e, *f, *g, *h]
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(*byte)]);
    }
    rest.iter().fold(crc, |crc, byte| TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

/// What a byte does to the CRC when so many bytes follow it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use haul_core::Algorithm;

    use super::*;

    #[test]
    fn sums_are_those_of_the_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"123456789 and more").unwrap();
        let file = LocalFile::open(&path).unwrap();
        // The check value of every list of CRCs.
        assert_eq!(of(&file, 9, Kind::Crc32, || true).unwrap(), Some(Sum::Crc32(0xCBF4_3926)));
        assert_eq!(of(&file, 0, Kind::Crc32, || true).unwrap(), Some(Sum::Crc32(0)));
        let md5 = of(&file, 9, Kind::Digest(Algorithm::Md5), || true).unwrap();
        let Some(Sum::Digest(md5)) = md5 else { panic!("{md5:?}") };
        assert_eq!(md5.to_string(), "md5=25f9e794323b453885f5181f1b624d0b");
        assert_eq!(of(&file, 99, Kind::Crc32, || true).unwrap(), None);
        assert_eq!(of(&file, 9, Kind::Crc32, || false).unwrap(), None, "nobody waits for it");
    }

    #[test]
    fn eight_at_a_time_are_as_good_as_one() {
        let bytes: Vec<u8> = (0..1000_u32).map(|i| (i * i / 3) as u8).collect();
        for len in [0, 1, 7, 8, 9, 63, 1000] {
            let slow = bytes[..len]
                .iter()
                .fold(u32::MAX, |crc, byte| TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8));
            assert_eq!(crc_on(u32::MAX, &bytes[..len]), slow, "{len}");
        }
    }
}
