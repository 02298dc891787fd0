//! Digests in the making, and the digest of a whole partial, read back in order.

use haul_core::{Algorithm, ByteRange, Digest};
use haul_store::{Partial, StoreError};
use sha2::Digest as _;

/// How much is read at a time.
const PIECE: u64 = 1 << 20;

/// A digest in the making.
pub(crate) enum Hasher {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Md5(hasher) => hasher.finalize().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
            Self::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}

/// The digest of the first `size` bytes.
pub(crate) async fn of<P: Partial>(
    partial: &P,
    size: u64,
    algorithm: Algorithm,
) -> Result<Option<Digest>, StoreError> {
    let mut hasher = Hasher::new(algorithm);
    let mut at = 0;
    while let Some(range) = ByteRange::new(at, size.min(at + PIECE)) {
        hasher.update(&partial.read(range).await?);
        at = range.end();
    }
    Ok(Digest::new(algorithm, hasher.finish()))
}

/// The digest of a finished file.
pub(crate) fn of_file(path: &std::path::Path, algorithm: Algorithm) -> std::io::Result<Option<Digest>> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut piece = vec![0; PIECE as usize];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest::new(algorithm, hasher.finish())),
            n => hasher.update(&piece[..n]),
        }
    }
}
