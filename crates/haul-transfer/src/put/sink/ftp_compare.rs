//! Comparing what an FTP server has with the local file: by a checksum of its own (HASH, the X commands, MD5), or by
//! reading it back (REST, RETR).

use std::{sync::Arc, time::Duration};

use haul_core::{Algorithm, transfer::BLOCK, upload::Found};
use haul_proto::ftp::{
    Command,
    feat::Features,
    hash::{self, Kind, Sum},
};

use super::super::{local::LocalFile, sum};
use crate::ftp::{Data, FtpError, Piece, Session};

/// A server may have to read a very large file for it.
const HASHING: Duration = Duration::from_secs(1800);

/// A way to have a checksum made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// HASH, by the algorithm of this name; whether it has to be selected first.
    Hash(Kind, Option<String>),
    /// An X command.
    X(Kind),
    /// MD5.
    Md5,
}

/// Which kinds are preferred: those that prove most.
const ORDER: [Kind; 5] = [
    Kind::Digest(Algorithm::Sha256),
    Kind::Digest(Algorithm::Sha512),
    Kind::Digest(Algorithm::Sha1),
    Kind::Digest(Algorithm::Md5),
    Kind::Crc32,
];

/// The best that a server offers.
pub(super) fn ask(features: &Features) -> Option<Ask> {
    ORDER.into_iter().find_map(|kind| {
        let hash = features.hash.iter().find(|known| known.kind == Some(kind));
        match hash {
            Some(known) => Some(Ask::Hash(kind, (!known.selected).then(|| known.name.clone()))),
            None if features.x_hash.contains(&kind) => Some(Ask::X(kind)),
            None if features.md5 && kind == Kind::Digest(Algorithm::Md5) => Some(Ask::Md5),
            None => None,
        }
    })
}

/// By a checksum, which both sides make at the same time. The file there is `size` bytes long.
pub(super) async fn by_hash(
    session: &mut Session,
    ask: &Ask,
    path: &[u8],
    size: u64,
    local: &LocalFile,
) -> Result<Found, FtpError> {
    let (Ask::Hash(kind, _) | Ask::X(kind)) = *ask else {
        return both(session, ask, path, size, (local, Kind::Digest(Algorithm::Md5))).await;
    };
    both(session, ask, path, size, (local, kind)).await
}

/// Both sides make one.
async fn both(
    session: &mut Session,
    ask: &Ask,
    path: &[u8],
    size: u64,
    (local, kind): (&LocalFile, Kind),
) -> Result<Found, FtpError> {
    let file = local.clone();
    // Whoever is interrupted here does not wait for the rest of a large file.
    let waiting = Arc::new(());
    let awaited = Arc::downgrade(&waiting);
    let wanted = move || awaited.strong_count() > 0;
    let ours = tokio::task::spawn_blocking(move || sum::of(&file, size, kind, wanted));
    let theirs = theirs(session, ask, kind, path, size).await?;
    let Some(theirs) = theirs else { return Ok(Found::Unable) };
    let ours = ours.await;
    drop(waiting);
    match ours {
        Ok(Ok(Some(ours))) if ours == theirs => Ok(Found::Same),
        // Other bytes, or fewer than there; or it was made of more than was there before.
        Ok(Ok(_)) => Ok(match session.size(path).await? {
            Some(now) if now > size => Found::Grown,
            _ => Found::Different,
        }),
        Ok(Err(_)) | Err(_) => Ok(Found::Unable),
    }
}

/// The server's checksum; `None` where it makes none after all, or of something else.
async fn theirs(
    session: &mut Session,
    ask: &Ask,
    kind: Kind,
    path: &[u8],
    size: u64,
) -> Result<Option<Sum>, FtpError> {
    let command = match ask {
        Ask::Hash(_, select) => {
            if let Some(name) = select
                && !session.command(&Command::opts_hash(name)?).await?.is_completion()
            {
                return Ok(None);
            }
            Command::hash(path)?
        }
        Ask::X(_) => Command::x_hash(kind, path, None)?,
        Ask::Md5 => Command::md5(path)?,
    };
    let reply = session.command_within(&command, HASHING).await?;
    Ok(match ask {
        Ask::Hash(..) => hash::hash(&reply)
            // All of it: some servers tell the last byte, some the one behind it.
            .filter(|told| told.first == 0 && (told.last == size || told.last + 1 == size))
            .map(|told| told.sum)
            .filter(|sum| kind_of(sum) == kind),
        Ask::X(_) | Ask::Md5 => hash::x_hash(kind, &reply),
    })
}

fn kind_of(sum: &Sum) -> Kind {
    match sum {
        Sum::Crc32(_) => Kind::Crc32,
        Sum::Digest(digest) => Kind::Digest(digest.algorithm()),
    }
}

/// By reading it back from `from` to its end at `size`.
pub(super) async fn by_reading(
    session: &mut Session,
    path: &[u8],
    (from, size): (u64, u64),
    local: &LocalFile,
    patience: Duration,
) -> Result<Found, FtpError> {
    let mut data = match session.start(from, &Command::retr(path)?).await {
        Ok(started) => started.data,
        Err(FtpError::NoRest(_)) => return Ok(Found::Unable),
        Err(FtpError::Refused { reply, .. }) if reply.code().get() != 421 => return Ok(Found::Unable),
        Err(other) => return Err(other),
    };
    let mut at = from;
    let mut blank = Blank::default();
    let found = loop {
        let piece = match next(&mut data, patience).await? {
            Piece::Bytes(bytes) => bytes,
            Piece::End { .. } => break if at == size { Found::Same } else { Found::Different },
        };
        let end = at + piece.len() as u64;
        if end > size {
            // More than there was; or it did not begin where it was asked to.
            break Found::Grown;
        }
        match local.read_exactly(at, piece.len()).await {
            Ok(ours) if ours == piece => {}
            // Other bytes; or the local file has become shorter, or unreadable, which its next reading will tell.
            Ok(_) | Err(_) => break Found::Different,
        }
        blank.take(&piece);
        at = end;
    };
    if at < size || found != Found::Same {
        session.release(data).await;
        return Ok(found);
    }
    drop(data);
    let reply = session.finish_now().await?;
    Ok(match found {
        // What was cut off in the middle would look like this.
        _ if !reply.is_completion() => Found::Unable,
        Found::Same if from > 0 && blank.is_blank() => Found::Blank,
        found => found,
    })
}

/// The next bytes, under a deadline.
async fn next(data: &mut Data, patience: Duration) -> Result<Piece, FtpError> {
    let silent = FtpError::Silent { doing: "while a file was read back", seconds: patience.as_secs() };
    tokio::time::timeout(patience, data.read()).await.map_err(|_elapsed| silent)?
}

/// Where the tail begins.
pub(super) fn tail(size: u64) -> u64 {
    size.saturating_sub(BLOCK)
}

/// Whether all bytes are one repeated byte.
#[derive(Debug, Default)]
struct Blank {
    byte: Option<u8>,
    differs: bool,
}

impl Blank {
    fn take(&mut self, bytes: &[u8]) {
        let Some(first) = bytes.first() else { return };
        let byte = *self.byte.get_or_insert(*first);
        self.differs |= bytes.iter().any(|other| *other != byte);
    }

    fn is_blank(&self) -> bool {
        !self.differs
    }
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::ReplyParser;

    use super::*;

    fn features(lines: &str) -> Features {
        let reply = format!("211-Features:\r\n{lines}211 End\r\n");
        Features::of(&ReplyParser::new().advance(&mut reply.as_bytes()).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn the_checksum_that_proves_most_is_asked_for() {
        let sha256 = Kind::Digest(Algorithm::Sha256);
        let md5 = Kind::Digest(Algorithm::Md5);
        for (lines, expected) in [
            ("", None),
            (" SIZE\r\n", None),
            (" HASH SHA-256*;SHA-1;MD5\r\n", Some(Ask::Hash(sha256, None))),
            (" HASH SHA-1*;SHA-256\r\n", Some(Ask::Hash(sha256, Some("SHA-256".into())))),
            (" XCRC\r\n XMD5\r\n", Some(Ask::X(md5))),
            (" XCRC\r\n XSHA256\r\n HASH MD5*\r\n", Some(Ask::X(sha256))),
            (" XCRC filename\r\n", Some(Ask::X(Kind::Crc32))),
            (" MD5\r\n", Some(Ask::Md5)),
        ] {
            assert_eq!(ask(&features(lines)), expected, "{lines}");
        }
    }

    #[test]
    fn one_repeated_byte_is_blank() {
        let mut blank = Blank::default();
        blank.take(&[0; 9]);
        blank.take(&[]);
        assert!(blank.is_blank());
        blank.take(&[0, 0, 1]);
        assert!(!blank.is_blank());
    }
}
