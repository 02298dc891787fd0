//! Checksums that the server makes of a small file whose bytes are known: HASH, the X commands, MD5.

use haul_core::{Algorithm, Digest};
use haul_proto::ftp::{
    Command,
    feat::Features,
    hash::{self, Kind, Sum},
};

use super::{WriteReport, dialogue::Dialogue};
use crate::{checksum::Hasher, ftp::FtpError};

const KINDS: [Kind; 5] = [
    Kind::Digest(Algorithm::Sha256),
    Kind::Digest(Algorithm::Sha512),
    Kind::Digest(Algorithm::Sha1),
    Kind::Digest(Algorithm::Md5),
    Kind::Crc32,
];

/// Tries all that there are, whatever FEAT says: one refusal each is little.
pub(super) async fn probe(
    dialogue: &mut Dialogue,
    path: &[u8],
    content: &[u8],
    write: &mut WriteReport,
) -> Result<(), FtpError> {
    let features = Features::of(&dialogue.ask(&Command::feat()).await?).unwrap_or_default();
    let before = features.hash.iter().find(|known| known.selected).map(|known| known.name.clone());
    for algorithm in features.hash.iter().filter(|known| known.kind.is_some()) {
        dialogue.ask(&Command::opts_hash(&algorithm.name)?).await?;
        let reply = dialogue.ask(&Command::hash(path)?).await?;
        let told = hash::hash(&reply).map(|hashed| hashed.sum);
        let right = algorithm.kind.and_then(|kind| of(content, kind));
        note(write, format!("HASH {}", algorithm.name), reply.is_completion(), told.as_ref(), right.as_ref());
    }
    if let Some(name) = before {
        dialogue.ask(&Command::opts_hash(&name)?).await?;
    }
    for kind in KINDS {
        let command = Command::x_hash(kind, path, None)?;
        let reply = dialogue.ask(&command).await?;
        let (told, right) = (hash::x_hash(kind, &reply), of(content, kind));
        note(write, command.verb().to_owned(), reply.is_completion(), told.as_ref(), right.as_ref());
    }
    let md5 = Kind::Digest(Algorithm::Md5);
    let reply = dialogue.ask(&Command::md5(path)?).await?;
    let (told, right) = (hash::x_hash(md5, &reply), of(content, md5));
    note(write, "MD5".into(), reply.is_completion(), told.as_ref(), right.as_ref());
    Ok(())
}

fn note(write: &mut WriteReport, command: String, done: bool, told: Option<&Sum>, right: Option<&Sum>) {
    if done {
        let list = if told.is_some() && told == right { &mut write.sums } else { &mut write.wrong_sums };
        list.push(command);
    }
}

/// The right checksum.
fn of(bytes: &[u8], kind: Kind) -> Option<Sum> {
    let Kind::Digest(algorithm) = kind else { return Some(Sum::Crc32(crc(bytes))) };
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    Digest::new(algorithm, hasher.finish()).map(Sum::Digest)
}

/// CRC-32 (ISO 3309), a bit at a time: it is for a few thousand bytes.
fn crc(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_right() {
        assert_eq!(of(b"123456789", Kind::Crc32), Some(Sum::Crc32(0xCBF4_3926)));
        let Some(Sum::Digest(md5)) = of(b"123456789", Kind::Digest(Algorithm::Md5)) else { panic!() };
        assert_eq!(md5.to_string(), "md5=25f9e794323b453885f5181f1b624d0b");
    }
}
