//! Checksums of parts of files (HASH, XCRC and its kin), and the size that a text has on the wire.
//!
//! Computed beside the runtime, one piece at a time and one checksum for each session, so that a session that ends
//! takes its computation along.

use bytes::Bytes;
use haul_core::{Algorithm, Digest, TreePath};
use haul_proto::ftp::{
    ascii::ToWire,
    hash::Kind,
    server::{Outcome, Sum, SumValue, Trouble},
};
use sha2::Digest as _;
use tokio::task::spawn_blocking;

use super::trouble::trouble;
use crate::depot::{Peek, Visitor};

/// What is read at once.
const PIECE: usize = 1 << 20;
/// The longest text whose size on the wire is counted.
const LONGEST_TEXT: u64 = 1 << 20;

/// A checksum that is being made.
enum Making {
    Crc32(crc_fast::Digest),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Blake3(Box<blake3::Hasher>),
}

impl Making {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Crc32 => Self::Crc32(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc)),
            Kind::Digest(Algorithm::Md5) => Self::Md5(md5::Md5::new()),
            Kind::Digest(Algorithm::Sha1) => Self::Sha1(sha1::Sha1::new()),
            Kind::Digest(Algorithm::Sha256) => Self::Sha256(sha2::Sha256::new()),
            Kind::Digest(Algorithm::Sha512) => Self::Sha512(sha2::Sha512::new()),
            Kind::Digest(Algorithm::Blake3) => Self::Blake3(Box::default()),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(made) => made.update(bytes),
            Self::Md5(made) => made.update(bytes),
            Self::Sha1(made) => made.update(bytes),
            Self::Sha256(made) => made.update(bytes),
            Self::Sha512(made) => made.update(bytes),
            Self::Blake3(made) => drop(made.update(bytes)),
        }
    }

    fn value(self) -> Option<SumValue> {
        let (algorithm, bytes) = match self {
            Self::Crc32(made) => return u32::try_from(made.finalize()).ok().map(SumValue::Crc32),
            Self::Md5(made) => (Algorithm::Md5, made.finalize().to_vec()),
            Self::Sha1(made) => (Algorithm::Sha1, made.finalize().to_vec()),
            Self::Sha256(made) => (Algorithm::Sha256, made.finalize().to_vec()),
            Self::Sha512(made) => (Algorithm::Sha512, made.finalize().to_vec()),
            Self::Blake3(made) => (Algorithm::Blake3, made.finalize().as_bytes().to_vec()),
        };
        Digest::new(algorithm, bytes).map(SumValue::Digest)
    }
}

/// The checksum of a part of a file.
pub(super) async fn sum(
    visitor: &Visitor,
    path: &TreePath,
    kind: Kind,
    from: u64,
    to: Option<u64>,
) -> Result<Outcome, Trouble> {
    let peek = visitor.peek(path).await.map_err(|error| trouble(&error))?;
    let end = peek.len();
    let to = to.unwrap_or(end);
    if from > to || to > end {
        return Err(Trouble::PastEnd { end });
    }
    let mut making = Making::new(kind);
    let mut at = from;
    while at < to {
        let piece = piece(&peek, at, to).await?;
        at += piece.len() as u64;
        let made = spawn_blocking(move || {
            making.take(&piece);
            making
        });
        making = made.await.map_err(|error| Trouble::Local(error.to_string()))?;
    }
    let value = making.value().ok_or_else(|| Trouble::Local("no checksum came of it".to_owned()))?;
    Ok(Outcome::Sum(Sum { value, from, to }))
}

/// How many bytes a text has on the wire.
pub(super) async fn ascii_size(visitor: &Visitor, path: &TreePath) -> Result<Outcome, Trouble> {
    let peek = visitor.peek(path).await.map_err(|error| trouble(&error))?;
    let to = peek.len();
    if to > LONGEST_TEXT {
        return Err(Trouble::TooLarge("too large to count its line ends; say TYPE I first".to_owned()));
    }
    let (mut text, mut at, mut size) = (ToWire::default(), 0, 0);
    while at < to {
        let piece = piece(&peek, at, to).await?;
        at += piece.len() as u64;
        size += text.count(&piece);
    }
    Ok(Outcome::AsciiSize(size))
}

/// The next bytes before `to`; there are some.
async fn piece(peek: &Peek, at: u64, to: u64) -> Result<Bytes, Trouble> {
    let most = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
    let piece = peek.read(at, most).await.map_err(|error| trouble(&error))?;
    if piece.is_empty() { Err(Trouble::Changed) } else { Ok(piece) }
}
