//! Checksums that are made piece by piece, for every door.

use haul_core::{Algorithm, Digest};
use sha2::Digest as _;

/// A checksum that is being made.
#[derive(Debug)]
pub(crate) enum Checksum {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Blake3(Box<blake3::Hasher>),
}

impl Checksum {
    /// Of nothing yet.
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    /// More bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(made) => made.update(bytes),
            Self::Sha1(made) => made.update(bytes),
            Self::Sha256(made) => made.update(bytes),
            Self::Sha512(made) => made.update(bytes),
            Self::Blake3(made) => drop(made.update(bytes)),
        }
    }

    /// Of all that came.
    pub(crate) fn value(self) -> Option<Digest> {
        let (algorithm, bytes) = match self {
            Self::Md5(made) => (Algorithm::Md5, made.finalize().to_vec()),
            Self::Sha1(made) => (Algorithm::Sha1, made.finalize().to_vec()),
            Self::Sha256(made) => (Algorithm::Sha256, made.finalize().to_vec()),
            Self::Sha512(made) => (Algorithm::Sha512, made.finalize().to_vec()),
            Self::Blake3(made) => (Algorithm::Blake3, made.finalize().as_bytes().to_vec()),
        };
        Digest::new(algorithm, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_makes_its_own_digest_in_pieces() {
        for (algorithm, of_abc) in [
            (Algorithm::Md5, "md5=900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "sha-1=a9993e364706816aba3e25717850c26c9cd0d89d"),
        ] {
            let mut made = Checksum::of(algorithm);
            made.take(b"a");
            made.take(b"");
            made.take(b"bc");
            assert_eq!(made.value().unwrap().to_string(), of_abc);
        }
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Blake3] {
            assert_eq!(Checksum::of(algorithm).value().unwrap().algorithm(), algorithm);
        }
    }
}
