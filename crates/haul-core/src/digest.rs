//! A digest of a whole file, as a user or a server names it: `sha-256=…`.
//!
//! Computing one is not done here: core sees no bytes.

use std::{fmt, str::FromStr};

/// The digest algorithms haul knows, by their names in RFC 9530's registry (and `blake3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5, 16 bytes: against accidents only.
    Md5,
    /// SHA-1, 20 bytes: against accidents only.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
    /// BLAKE3, 32 bytes.
    Blake3,
}

impl Algorithm {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str, usize); 5] = [
        (Self::Sha256, "sha-256", 32),
        (Self::Sha512, "sha-512", 64),
        (Self::Sha1, "sha-1", 20),
        (Self::Md5, "md5", 16),
        (Self::Blake3, "blake3", 32),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(a, ..)| *a == self).map_or("", |(_, name, _)| name)
    }

    /// How many bytes a digest has.
    #[expect(clippy::len_without_is_empty, reason = "no digest is empty")]
    pub fn len(self) -> usize {
        Self::ALL.iter().find(|(a, ..)| *a == self).map_or(0, |(.., len)| *len)
    }
}

/// A digest and its algorithm; the length always fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// A digest of these bytes, or `None` where their number does not fit the algorithm.
    pub fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == algorithm.len()).then_some(Self { algorithm, bytes })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.algorithm.name())?;
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadDigest {
    /// No `ALGO=HEX`.
    Shape,
    /// An algorithm that haul does not know.
    Algorithm(String),
    /// Not hexadecimal, or of another length than the algorithm's.
    Hex {
        /// The algorithm named.
        algorithm: Algorithm,
    },
}

impl fmt::Display for BadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => write!(f, "a checksum is written ALGO=HEX, for example sha-256=9f86d0…"),
            Self::Algorithm(name) => {
                write!(f, "unknown checksum algorithm {name:?}; known: ")?;
                for (i, (_, name, _)) in Algorithm::ALL.iter().enumerate() {
                    write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Hex { algorithm } => {
                write!(f, "a {} checksum has {} hexadecimal digits", algorithm.name(), algorithm.len() * 2)
            }
        }
    }
}

impl std::error::Error for BadDigest {}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let (name, hex) = text.split_once('=').ok_or(BadDigest::Shape)?;
        let wanted = name.to_ascii_lowercase();
        let plain = |s: &str| s.replace('-', "");
        let algorithm = Algorithm::ALL
            .iter()
            .find(|(_, known, _)| plain(known) == plain(&wanted))
            .map(|(algorithm, ..)| *algorithm)
            .ok_or_else(|| BadDigest::Algorithm(name.to_owned()))?;
        let bad = BadDigest::Hex { algorithm };
        if hex.len() != algorithm.len() * 2 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad);
        }
        let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16));
        let bytes = bytes.collect::<Result<Vec<u8>, _>>().map_err(|_| bad.clone())?;
        Self::new(algorithm, bytes).ok_or(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        let md5: Digest = "MD5=d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
        assert_eq!(md5.to_string(), "md5=d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!("sha256=00".parse::<Digest>(), Err(BadDigest::Hex { algorithm: Algorithm::Sha256 }));
        assert_eq!("crc=00".parse::<Digest>(), Err(BadDigest::Algorithm("crc".into())));
        assert_eq!("00".parse::<Digest>(), Err(BadDigest::Shape));
        assert!("md5=é41d8cd98f00b204e9800998ecf8427".parse::<Digest>().is_err());
    }
}
