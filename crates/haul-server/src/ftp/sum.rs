//! Checksums of parts of files (HASH, XCRC and its kin), and the size that a text has on the wire.
//!
//! Computed beside the runtime, one piece at a time and one checksum for each session; what was begun is finished even
//! if its client has gone. However many ask at once, only some pieces are in memory and in work, and each asker gets its
//! turn.

use bytes::Bytes;
use haul_core::TreePath;
use haul_proto::ftp::{
    ascii::ToWire,
    hash::Kind,
    server::{Outcome, Sum, SumValue, Trouble},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::trouble::trouble;
use crate::{
    checksum::Checksum,
    depot::{Peek, Visitor},
};

/// What is read at once.
const PIECE: usize = 1 << 20;
/// So many pieces are read and computed at a time, of all sessions.
static TURNS: Semaphore = Semaphore::const_new(4);
/// The longest text whose size on the wire is counted.
const LONGEST_TEXT: u64 = 1 << 20;

/// A checksum that is being made.
enum Making {
    Crc32(crc_fast::Digest),
    Digest(Checksum),
}

impl Making {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Crc32 => Self::Crc32(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc)),
            Kind::Digest(algorithm) => Self::Digest(Checksum::of(algorithm)),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(made) => made.update(bytes),
            Self::Digest(made) => made.take(bytes),
        }
    }

    fn value(self) -> Option<SumValue> {
        match self {
            Self::Crc32(made) => u32::try_from(made.finalize()).ok().map(SumValue::Crc32),
            Self::Digest(made) => made.value().map(SumValue::Digest),
        }
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
        // It goes along, so that it is had as long as the thread has the piece.
        let turn = TURNS.acquire().await;
        let piece = piece(&peek, at, to).await?;
        at += piece.len() as u64;
        let made = spawn_blocking(move || {
            making.take(&piece);
            drop((piece, turn));
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
        return Err(Trouble::TooLarge("its line ends are not counted; say TYPE I first".to_owned()));
    }
    let (mut text, mut at, mut size) = (ToWire::default(), 0, 0);
    while at < to {
        let _turn = TURNS.acquire().await;
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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use haul_store::{FsStore, Job};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        account::{Account, Completion, Permissions},
        depot::Depot,
    };

    #[tokio::test]
    async fn only_so_many_pieces_are_in_work_and_everybody_gets_a_turn() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), vec![7; 3 * PIECE]).unwrap();
        let store = FsStore::open(folder.path(), Arc::new(|job: Job| drop(spawn_blocking(job)))).unwrap();
        let may = Permissions { read: true, ..Permissions::default() };
        let (home, completion) = (TreePath::ROOT, Completion::Strict);
        let account = Account {
            name: "ann".to_owned(),
            home,
            may,
            completion,
            anonymous: None,
            bounds: Arc::default(),
        };
        let visitor = Depot::read_only(Arc::new(store)).visitor(account);
        let path = TreePath::ROOT.join(b"f").unwrap();
        let crc = || sum(&visitor, &path, Kind::Crc32, 0, None);
        let all = TURNS.acquire_many(4).await;
        assert!(timeout(Duration::from_millis(100), crc()).await.is_err(), "no turn is free");
        drop(all);
        let (one, two, three, four, five) = tokio::join!(crc(), crc(), crc(), crc(), crc());
        for made in [one, two, three, four, five] {
            assert!(matches!(made, Ok(Outcome::Sum(_))), "{made:?}");
        }
    }
}
