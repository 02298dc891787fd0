//! A file on its way out: whole, a range of it, or several in one message. The last bytes only go when the file is
//! still what it was when it was opened, so that half an old and half a new file never end well.

use std::{
    collections::VecDeque,
    fs::File,
    future::poll_fn,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use haul_core::ByteRange;
use haul_store::{Body, Reading};
use tokio::task::spawn_blocking;

use super::{
    buffer::{self, Buffer},
    wire::{Lift, Piece, Stretch},
};
use crate::{
    ServerError,
    by_system::Watching,
    depot::{Beginning, Visitor},
    house::{Counting, House, OnItsWay},
    log::Ended,
    metrics::Meter,
    pace::Way,
    sys,
};

/// What is read at once.
const PIECE: u64 = buffer::SIZE as u64;
/// As much is read and not sent by the system, since that costs less.
const LITTLE: u64 = 64 << 10;
/// So much is read at the end, so that the file can be looked at once more before the client has it all.
const TAIL: u64 = 4 << 10;

/// No more is handed to the system at once: it fits a `usize` anywhere.
const MOST_AT_ONCE: u64 = 1 << 30;

/// A part of what leaves.
pub(super) enum Segment {
    /// Between the ranges.
    Text(Bytes),
    /// Of the file.
    File(ByteRange),
}

/// A file on its way out.
pub(super) struct Leaving {
    from: Origin,
    segments: VecDeque<Segment>,
    length: u64,
    record: Record,
}

/// What leaves, and how it is known to be still the same.
pub(super) enum Origin {
    /// A finished file.
    File(Reading, Visitor),
    /// The first bytes of an unfinished upload.
    Upload(Beginning, Visitor),
}

impl Origin {
    fn body(&self) -> &Body {
        match self {
            Self::File(reading, _) => &reading.body,
            Self::Upload(beginning, _) => &beginning.body,
        }
    }

    /// How many bytes there are in all.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(reading, _) => reading.meta.size,
            Self::Upload(beginning, _) => beginning.pending.offset,
        }
    }

    fn visitor(&self) -> &Visitor {
        match self {
            Self::File(_, visitor) | Self::Upload(_, visitor) => visitor,
        }
    }

    async fn unchanged(&self) -> Result<(), ServerError> {
        match self {
            Self::File(reading, visitor) => visitor.unchanged(reading).await,
            Self::Upload(beginning, _) if beginning.kept.is_same() => Ok(()),
            Self::Upload(..) => Err(ServerError::Other("the upload was taken back meanwhile".to_owned())),
        }
    }
}

/// What is written down of it, when it ends.
pub(super) struct Record {
    pub(super) house: House,
    /// How it ended, once it has. Before, it is the connection that ended it.
    pub(super) ended: Option<Ended>,
    pub(super) sent: Arc<Sent>,
    pub(super) underway: OnItsWay,
}

/// How many bytes of the file went.
pub(super) struct Sent {
    bytes: AtomicU64,
    meter: Meter,
}

impl Sent {
    pub(super) fn new(meter: Meter) -> Self {
        Self { bytes: AtomicU64::new(0), meter }
    }
}

impl Counting for Sent {
    fn moved(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Watching for Sent {
    fn sent(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.meter.add(bytes as u64);
    }

    fn is_over(&self) -> bool {
        false
    }
}

impl Leaving {
    pub(super) fn new(from: Origin, segments: impl IntoIterator<Item = Segment>, mut record: Record) -> Self {
        let segments: VecDeque<Segment> = segments.into_iter().collect();
        let length = segments.iter().map(Segment::len).sum();
        if segments.is_empty() {
            record.ended = Some(Ended::Complete);
        }
        Self { from, segments, length, record }
    }

    /// How many bytes there are in all.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The next piece. Where there is a lift, the system sends what is large.
    pub(super) async fn next(&mut self, lift: Option<&Lift>) -> Option<Result<Piece, ServerError>> {
        if let Some(lift) = lift {
            poll_fn(|cx| lift.poll_empty(cx)).await;
        }
        let piece = match self.segments.pop_front()? {
            // What is behind the last range goes only when all of them are of one version.
            Segment::Text(text) if self.segments.is_empty() => {
                let same = self.from.unchanged().await;
                same.map(|()| Piece::Bytes(text))
            }
            Segment::Text(text) => Ok(Piece::Bytes(text)),
            Segment::File(range) => self.piece(range, lift).await,
        };
        match &piece {
            Ok(_) if self.segments.is_empty() => self.record.ended = Some(Ended::Complete),
            Ok(_) => {}
            Err(error) => {
                self.segments.clear();
                self.record.ended = Some(Ended::Failed { why: error.to_string() });
            }
        }
        Some(piece)
    }

    async fn piece(&mut self, range: ByteRange, lift: Option<&Lift>) -> Result<Piece, ServerError> {
        let len = range.end() - range.start();
        if let (Some(lift), Body::File(file), true) = (lift, self.from.body(), len > LITTLE) {
            let file = Arc::clone(file);
            let to = if self.segments.is_empty() { range.end() - TAIL } else { range.end() };
            let to = to.min(range.start() + MOST_AT_ONCE);
            self.put_back(to, range.end());
            let watching: Arc<dyn Watching + Send + Sync> = self.record.sent.clone();
            let pace = self.from.visitor().pace();
            lift.put(Stretch { file, at: range.start(), to, watching, pace });
            return Ok(Piece::Stand(usize::try_from(to - range.start()).unwrap_or(usize::MAX)));
        }
        let most = len.min(PIECE).min(self.from.visitor().piece(Way::Down).unwrap_or(PIECE));
        self.from.visitor().pass(Way::Down, most).await;
        let read = self.read(range.start(), usize::try_from(most).unwrap_or(usize::MAX)).await?;
        if read.is_empty() {
            return Err(ServerError::Other("the file was cut meanwhile".to_owned()));
        }
        self.put_back(range.start() + read.len() as u64, range.end());
        if self.segments.is_empty() {
            self.from.unchanged().await?;
        }
        self.record.sent.sent(read.len());
        Ok(Piece::Bytes(read))
    }

    fn put_back(&mut self, from: u64, to: u64) {
        if let Some(rest) = ByteRange::new(from, to) {
            self.segments.push_front(Segment::File(rest));
        }
    }

    async fn read(&self, at: u64, most: usize) -> Result<Bytes, ServerError> {
        match self.from.body() {
            Body::Pieces(pieces) => Ok(pieces.read(at, most).await?),
            Body::File(file) => read(file, at, most)
                .await
                .map_err(|error| ServerError::Other(format!("reading: {}", error.kind()))),
        }
    }
}

impl Segment {
    /// How many bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File(range) => range.end() - range.start(),
        }
    }
}

/// Reads here what is in memory, and elsewhere what is not.
async fn read(file: &Arc<File>, at: u64, most: usize) -> io::Result<Bytes> {
    let mut buffer = Buffer::of(most);
    match sys::read_cached(file, buffer.room(), at) {
        Ok(0) => {}
        Ok(read) => return Ok(buffer.filled(read)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    let file = Arc::clone(file);
    let read = spawn_blocking(move || {
        let read = sys::read_at(&file, buffer.room(), at)?;
        Ok(buffer.filled(read))
    });
    read.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
}

impl Drop for Record {
    fn drop(&mut self) {
        let cut = || Ended::Failed { why: "the connection ended".to_owned() };
        let ended = self.ended.take().unwrap_or_else(cut);
        self.house.transferred(self.underway.ended(ended), super::PROTOCOL);
    }
}
