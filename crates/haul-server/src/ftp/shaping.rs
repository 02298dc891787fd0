//! A file and what it is on the wire, as TYPE, STRU and MODE have it, by turns that are soon over.
//!
//! In MODE Z a client says how hard is to be compressed, and what it sends may swell a thousandfold: both are done beside
//! the session's thread, in turns so short that whoever waits for one looks in time whether there is to be another. Only
//! the first moment of a transfer is spent at once: most small files are done by then, for which the way to another thread
//! and back would be the longer part. How a file looks in each shape is `haul_proto::ftp::server::wire`'s business.

use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use haul_proto::ftp::{
    block::Decoder,
    server::{
        Form, Mode, Shape, Structure,
        wire::{Incoming, Outgoing, Taken, Wrong},
    },
};

use super::aside::aside;
use crate::ServerError;

/// So long a transfer is worked for at once …
const MOMENT: Duration = Duration::from_millis(2);
/// … by so many bytes of the file, or of what came …
const STEP: usize = 4 << 10;
/// … of which no more is made than this.
const SWOLLEN: usize = 64 << 10;
/// The most of what came that is inflated in a turn: there are streams that cost time and become nothing.
const TURN: usize = 64 << 10;
/// What stands for a file that another thread is at.
const ELSEWHERE: Shape = Shape { form: Form::Image, structure: Structure::File, mode: Mode::Stream };

/// The moment that a transfer has at once: `None` where it costs no time to speak of.
fn moment(shape: Shape) -> Option<Duration> {
    matches!(shape.mode, Mode::Deflate(_)).then_some(MOMENT)
}

/// Does some of it, and what is left of the moment.
fn at_once<T>(left: Duration, work: impl FnOnce() -> T) -> (T, Option<Duration>) {
    let began = Instant::now();
    let done = work();
    (done, Some(left.saturating_sub(began.elapsed())))
}

/// A file on its way out.
pub(super) struct Outward {
    outgoing: Outgoing,
    moment: Option<Duration>,
}

impl Outward {
    pub(super) fn new(shape: Shape) -> Self {
        Self { outgoing: Outgoing::new(shape), moment: moment(shape) }
    }

    /// Appends to `wire` what these bytes are there; both come back.
    pub(super) async fn take(
        &mut self,
        bytes: Vec<u8>,
        mut wire: Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<u8>), ServerError> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.moment {
                None => {
                    self.outgoing.take(rest, &mut wire);
                    break;
                }
                Some(Duration::ZERO) => return self.take_aside(bytes, at, wire).await,
                Some(left) => {
                    let step = rest.get(..STEP).unwrap_or(rest);
                    at += step.len();
                    self.moment = at_once(left, || self.outgoing.take(step, &mut wire)).1;
                }
            }
        }
        Ok((bytes, wire))
    }

    async fn take_aside(
        &mut self,
        bytes: Vec<u8>,
        at: usize,
        mut wire: Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<u8>), ServerError> {
        let mut outgoing = std::mem::replace(&mut self.outgoing, Outgoing::new(ELSEWHERE));
        let turn = move || {
            outgoing.take(bytes.get(at..).unwrap_or_default(), &mut wire);
            (outgoing, bytes, wire)
        };
        let (outgoing, bytes, wire) = aside(turn).await?;
        self.outgoing = outgoing;
        Ok((bytes, wire))
    }

    /// Appends a restart marker for this place, in MODE B.
    pub(super) fn mark(&mut self, offset: u64, wire: &mut Vec<u8>) {
        self.outgoing.mark(offset, wire);
    }

    /// Appends the end of the file, where it is told. What is left to be compressed for it is little.
    pub(super) fn finish(&mut self, wire: &mut Vec<u8>) {
        self.outgoing.finish(wire);
    }
}

/// A file on its way in.
pub(super) struct Inward {
    incoming: Incoming,
    moment: Option<Duration>,
}

impl Inward {
    pub(super) fn new(shape: Shape) -> Self {
        Self { incoming: Incoming::new(shape), moment: moment(shape) }
    }

    /// Whether what came is taken by turns, each of which may be the last.
    pub(super) fn is_by_turns(&self) -> bool {
        self.moment.is_some()
    }

    /// Takes some of `wire`, which moves past it, and appends to `file` what that is there, until there are about `enough`
    /// bytes. [`Taken::Enough`] also where a turn is over.
    pub(super) async fn take(
        &mut self,
        wire: &mut Bytes,
        file: &mut Vec<u8>,
        enough: usize,
    ) -> Result<Result<Taken, Wrong>, ServerError> {
        let told = match self.moment {
            None => taken(&mut self.incoming, wire, file, enough),
            Some(Duration::ZERO) => self.take_aside(wire, file, enough).await?,
            Some(left) => {
                let mut step = wire.slice(..wire.len().min(STEP));
                let (all, enough) = (step.len(), enough.min(file.len() + SWOLLEN));
                let (told, left) = at_once(left, || taken(&mut self.incoming, &mut step, file, enough));
                self.moment = left;
                wire.advance(all - step.len());
                told
            }
        };
        Ok(match told {
            Ok(Taken::All) if !wire.is_empty() => Ok(Taken::Enough),
            told => told,
        })
    }

    async fn take_aside(
        &mut self,
        wire: &mut Bytes,
        file: &mut Vec<u8>,
        enough: usize,
    ) -> Result<Result<Taken, Wrong>, ServerError> {
        let mut incoming = std::mem::replace(&mut self.incoming, Incoming::new(ELSEWHERE));
        let (mut piece, mut more) = (wire.slice(..wire.len().min(TURN)), std::mem::take(file));
        let all = piece.len();
        let turn = move || {
            let told = taken(&mut incoming, &mut piece, &mut more, enough);
            (incoming, piece.len(), more, told)
        };
        let (incoming, rest, more, told) = aside(turn).await?;
        (self.incoming, *file) = (incoming, more);
        wire.advance(all - rest);
        Ok(told)
    }

    /// The connection ended, well: appends what is left. Whether the file has ended, too.
    pub(super) fn finish(&mut self, file: &mut Vec<u8>) -> bool {
        self.incoming.finish(file)
    }

    /// Whether the end of the file was told.
    pub(super) fn has_ended(&self) -> bool {
        self.incoming.has_ended()
    }

    /// MODE B of a file as it is, where its bytes may be taken elsewhere.
    pub(super) fn bare_blocks(&mut self) -> Option<&mut Decoder> {
        self.incoming.bare_blocks()
    }
}

/// As [`Incoming::take`].
fn taken(
    incoming: &mut Incoming,
    wire: &mut Bytes,
    file: &mut Vec<u8>,
    enough: usize,
) -> Result<Taken, Wrong> {
    let mut rest = &wire[..];
    let told = incoming.take(&mut rest, file, enough);
    let rest = rest.len();
    wire.advance(wire.len() - rest);
    told
}

#[cfg(test)]
mod tests {
    use haul_proto::ftp::server::Level;

    use super::*;

    const ENOUGH: usize = 256 << 10;
    /// What stands for a stream of zlib, and a block of it that is not compressed, has nothing in it and is not the last.
    const HEADER: [u8; 2] = [0x78, 0x9c];
    const NOTHING: [u8; 5] = [0, 0, 0, 0xff, 0xff];

    fn deflate() -> Shape {
        Shape { mode: Mode::Deflate(Level::new(9).unwrap()), ..ELSEWHERE }
    }

    async fn sent(file: &[u8]) -> Vec<u8> {
        let (mut outward, mut wire) = (Outward::new(deflate()), Vec::new());
        for piece in file.chunks(256 << 10) {
            wire = outward.take(piece.to_vec(), wire).await.unwrap().1;
        }
        outward.finish(&mut wire);
        wire
    }

    /// All turns: how much of the wire each took, and of the file each made.
    async fn turns(wire: Vec<u8>) -> (Vec<(usize, usize)>, Vec<u8>, bool) {
        let (mut inward, mut wire) = (Inward::new(deflate()), Bytes::from(wire));
        let (mut turns, mut whole) = (Vec::new(), Vec::new());
        loop {
            let (before, mut file) = (wire.len(), Vec::new());
            let told = inward.take(&mut wire, &mut file, ENOUGH).await.unwrap().unwrap();
            turns.push((before - wire.len(), file.len()));
            whole.extend(file);
            if told != Taken::Enough {
                return (turns, whole, inward.has_ended());
            }
        }
    }

    #[tokio::test]
    async fn what_goes_out_comes_in_whatever_its_size() {
        for size in [0, 1, STEP, STEP + 1, TURN, 5 * TURN + 7, 100 * TURN] {
            let file: Vec<u8> = (0..size as u64).map(|n| ((n * n) >> 7) as u8).collect();
            let (_, came, whole) = turns(sent(&file).await).await;
            assert!(whole && came == file, "{size}");
        }
    }

    #[tokio::test]
    async fn what_swells_and_what_becomes_nothing_is_taken_by_turns() {
        let (bomb, more) = (64 << 20, 32 << 10);
        let (each, came, whole) = turns(sent(&vec![0; bomb]).await).await;
        assert!(whole && came.len() == bomb);
        assert!(each[0].0 <= STEP && each[0].1 <= SWOLLEN + more, "at once: {each:?}");
        assert!(each.iter().all(|(_, made)| *made <= ENOUGH + more), "{each:?}");
        let nothing = [&HEADER[..], &NOTHING.repeat(50_000)].concat();
        let (each, came, whole) = turns(nothing).await;
        assert!(!whole && came.is_empty());
        assert!(each.iter().all(|(took, _)| *took <= TURN), "{each:?}");
    }
}
