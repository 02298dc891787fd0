//! A file on its way to the client: by the system itself where it can (sendfile), else in pieces that are read and
//! written. It ends cleanly only if every byte went and the file is still what it was; where its end is told among its
//! bytes (MODE B and others) that is not told before.

use std::{fs::File, io, sync::Arc, time::Duration};

use haul_proto::ftp::server::{Form, Mode, Retrieve, Shape, Transferred, Trouble};
use haul_store::{Body, Kind, Reading};
use tokio::task::spawn_blocking;

use super::{
    by_system::{self, Sending},
    data::{Ending, Stream},
    figures::Figures,
    in_blocks::{InBlocks, Laid},
    shaping::Outward,
    trouble::trouble,
};
use crate::{ServerError, by_system::is_unsupported, depot::Visitor, pace::Way, sys};

/// What is read at once, to be converted, compressed or encrypted.
const PIECE: u64 = 256 << 10;
/// In MODE B so many bytes of a file lie between two restart markers.
pub(super) const MARKED: u64 = 1 << 20;

/// A file that can be sent, and which of its bytes.
pub(super) struct Leaving {
    reading: Reading,
    from: u64,
    to: u64,
}

impl Leaving {
    pub(super) async fn open(visitor: &Visitor, wanted: &Retrieve) -> Result<Self, Trouble> {
        let reading = visitor.read(&wanted.path).await.map_err(|error| trouble(&error))?;
        if reading.meta.kind == Kind::Folder {
            return Err(Trouble::NotAFile);
        }
        let size = reading.meta.size;
        let to = wanted.to.map_or(size, |to| to.min(size));
        if wanted.from > size {
            return Err(Trouble::PastEnd { end: size });
        }
        Ok(Self { reading, from: wanted.from, to: to.max(wanted.from) })
    }

    /// The first byte.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    /// Of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.reading.meta.size
    }
}

/// Sends it. Nothing but a whole range ends the connection as a whole file ends.
pub(super) async fn send(
    leaving: Leaving,
    stream: Stream,
    visitor: &Visitor,
    shape: Shape,
    figures: &Arc<Figures>,
    stall: Duration,
) -> Result<(), Transferred> {
    let mut ending = Ending::of(stream);
    let mut outward = Outward::new(shape);
    let sent = pass(&leaving, &mut ending, visitor, (shape, &mut outward), figures, stall).await;
    sent.map_err(|error| told(&error, figures))?;
    // A reader must not take half an old and half a new file for one.
    visitor.unchanged(&leaving.reading).await.map_err(|error| Transferred::Failed(trouble(&error)))?;
    let mut end = Vec::new();
    outward.finish(&mut end);
    let Some(mut stream) = ending.stream.take() else { return Ok(()) };
    if !end.is_empty() {
        let written = stream.write(&end, stall).await;
        written.map_err(|error| Transferred::Broken(words(&error, figures)))?;
        figures.add(end.len());
    }
    stream.finish(stall).await.map_err(|error| Transferred::Broken(words(&error, figures)))
}

/// Why bytes stopped.
pub(super) enum Stopped {
    Wire(io::Error),
    Here(ServerError),
    /// There were fewer than there had been.
    Shrunk,
}

fn told(stopped: &Stopped, figures: &Figures) -> Transferred {
    match stopped {
        Stopped::Wire(error) => Transferred::Broken(words(error, figures)),
        Stopped::Here(error) => Transferred::Failed(trouble(error)),
        Stopped::Shrunk => Transferred::Failed(Trouble::Changed),
    }
}

pub(super) fn words(error: &io::Error, figures: &Figures) -> String {
    let sent = figures.moved();
    match error.kind() {
        io::ErrorKind::TimedOut => format!("it stood still after {sent} bytes"),
        kind => format!("{kind} after {sent} bytes"),
    }
}

async fn pass(
    leaving: &Leaving,
    ending: &mut Ending,
    visitor: &Visitor,
    (shape, outward): (Shape, &mut Outward),
    figures: &Arc<Figures>,
    stall: Duration,
) -> Result<(), Stopped> {
    let mut at = leaving.from;
    if let (Some(laid), Body::File(file)) = (laid(shape, at, figures), &leaving.reading.body)
        && ending.bare().is_some()
    {
        let sending = Sending { file, to: leaving.to, laid, visitor, figures, stall };
        let sent = by_system::send(ending, sending, &mut at).await;
        match sent {
            Err(Stopped::Wire(error)) if is_unsupported(&error) => {}
            sent => return sent,
        }
    }
    let Some(stream) = &mut ending.stream else {
        return Err(Stopped::Wire(io::ErrorKind::NotConnected.into()));
    };
    by_pieces(leaving, (stream, at), visitor, (shape, outward), figures, stall).await
}

/// How the system sends it from here on, where it can.
fn laid(shape: Shape, from: u64, figures: &Arc<Figures>) -> Option<Laid> {
    match shape.mode {
        Mode::Stream if shape.keeps_bytes() => Some(Laid::Bare),
        Mode::Block if shape.keeps_bytes() => Some(Laid::InBlocks(InBlocks::new(from, figures))),
        Mode::Stream | Mode::Block | Mode::Deflate(_) => None,
    }
}

async fn by_pieces(
    leaving: &Leaving,
    (stream, mut at): (&mut Stream, u64),
    visitor: &Visitor,
    (shape, outward): (Shape, &mut Outward),
    figures: &Figures,
    stall: Duration,
) -> Result<(), Stopped> {
    let (mut wire, mut buffer) = (Vec::new(), Vec::new());
    while at < leaving.to {
        let piece = visitor.piece(Way::Down).unwrap_or(PIECE);
        // Up to where a marker may stand.
        let most = (leaving.to - at).min(PIECE - at % PIECE).min(piece);
        let most = usize::try_from(most).unwrap_or(1);
        match &leaving.reading.body {
            Body::File(file) => {
                buffer = read_piece(Arc::clone(file), at, most, buffer).await.map_err(Stopped::Here)?;
            }
            Body::Pieces(pieces) => {
                let read = pieces.read(at, most).await.map_err(|error| Stopped::Here(error.into()))?;
                buffer.clear();
                buffer.extend_from_slice(&read);
            }
        }
        if buffer.is_empty() {
            return Err(Stopped::Shrunk);
        }
        at += buffer.len() as u64;
        let sent = if shape.is_plain() {
            buffer.as_slice()
        } else {
            wire.clear();
            (buffer, wire) = outward.take(buffer, wire).await.map_err(Stopped::Here)?;
            // Where it begins nobody needs one, and in TYPE A nobody can use one.
            if at.is_multiple_of(MARKED) && at < leaving.to && shape.form == Form::Image {
                outward.mark(at, &mut wire);
            }
            wire.as_slice()
        };
        visitor.pass(Way::Down, sent.len() as u64).await;
        stream.write(sent, stall).await.map_err(Stopped::Wire)?;
        figures.add(sent.len());
    }
    Ok(())
}

/// The buffer comes back filled.
async fn read_piece(
    file: Arc<File>,
    at: u64,
    most: usize,
    mut buffer: Vec<u8>,
) -> Result<Vec<u8>, ServerError> {
    let read = spawn_blocking(move || {
        buffer.resize(most, 0);
        let read = sys::read_at(&file, &mut buffer, at)?;
        buffer.truncate(read);
        Ok(buffer)
    });
    let read: io::Result<Vec<u8>> = read.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
    read.map_err(|error| ServerError::Other(format!("reading: {}", error.kind())))
}
