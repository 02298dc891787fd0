//! A file on its way from the client: read in pieces as large as what comes, and handed to the depot in order.
//!
//! In MODE S only FIN, over TLS close_notify, is the end of a whole file; all else is an accident. Whether it is one after
//! all is judged by the session, which knows how the control connection fared. Where the file's end is told among its bytes
//! (MODE B, MODE Z, STRU R) there is nothing to judge: with it the file is whole, however the connections fare, and without
//! it it is not.

use std::{
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use haul_proto::ftp::{
    block::Decoder,
    server::{Incomplete, Shape, Transferred, Trouble, wire::Taken},
};
use haul_store::{Assent, Then};
use tokio::time::{sleep, timeout};

use super::{
    data::{Came, Stream},
    figures::Figures,
    from_blocks::is_large,
    marks::Marks,
    shaping::Inward,
    taking,
    target::Target,
    transfer::{Halt, Halted, halt},
    trouble::trouble,
};
use crate::{
    ServerError,
    depot::{Control, DataEnd, Ended, Lane, Receiving, Settled, Visitor},
    pace::Way,
    sys,
};

/// The first piece is at most so large, and grows as long as it is filled at once …
const FIRST_PIECE: usize = 16 << 10;
/// … up to this.
const LARGEST_PIECE: usize = 256 << 10;

/// When an upload is ended from our side, bytes that have come already are taken in, as long as each comes at once …
const SOON: Duration = Duration::from_millis(2);
/// … and no longer than this.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A client that sends nothing for so long may wait to be told what of its marks is safe.
const PAUSE: Duration = Duration::from_millis(20);

/// While nothing comes it is seen to so often that what came is made safe.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// An upload whose data connection is yet to come.
pub(super) struct Arriving {
    receiving: Target,
}

/// An upload whose data connection has ended.
pub(super) struct Received {
    receiving: Target,
    /// How it ended.
    pub(super) ending: Ending,
    /// When it did …
    pub(super) ended: Instant,
    /// … and how long it had taken by then.
    pub(super) took: Duration,
}

/// How a data connection ended, as far as an upload is concerned.
pub(super) enum Ending {
    /// As a whole file ends.
    Clean,
    /// The file's own end came.
    Told,
    /// By accident, or not even begun.
    Unclean(Why),
}

/// Why an upload did not end as a whole file.
pub(super) enum Why {
    Incomplete(Incomplete),
    Aborted,
    Told(Transferred),
}

impl Arriving {
    pub(super) fn new(receiving: Target) -> Self {
        Self { receiving }
    }

    /// The byte that comes next.
    pub(super) fn from(&self) -> u64 {
        self.receiving.offset()
    }

    /// Does what need not wait for the first byte.
    pub(super) async fn prepare(&mut self) -> Result<(), Transferred> {
        self.receiving.prepare().await.map_err(|error| Transferred::Failed(trouble(&error)))
    }

    /// It never had a data connection.
    pub(super) fn unbegun(self, told: Transferred) -> Received {
        let why = match told {
            Transferred::Aborted { .. } => Why::Aborted,
            told => Why::Told(told),
        };
        self.ended(Ending::Unclean(why), Instant::now(), Duration::ZERO)
    }

    fn ended(self, ending: Ending, ended: Instant, took: Duration) -> Received {
        Received { receiving: self.receiving, ending, ended, took }
    }
}

/// Receives until the data connection ends or is ended.
pub(super) async fn pour(
    mut arriving: Arriving,
    stream: Stream,
    (shape, visitor, marks): (Shape, &Visitor, Marks),
    figures: &Arc<Figures>,
    halted: &mut Halted,
    stall: Duration,
) -> Received {
    let began = Instant::now();
    let mut pouring = Pouring {
        receiving: &mut arriving.receiving,
        shape,
        visitor,
        figures,
        incoming: Inward::new(shape),
        marks,
        buffer: BytesMut::new(),
        room: FIRST_PIECE,
        end: None,
    };
    let (ending, stream) = pouring.run(stream, halted, stall).await;
    let ended = pouring.end.unwrap_or_else(Instant::now);
    match (&ending, stream) {
        // Over TLS the client waits for our close_notify; one that does not wait is no accident.
        (Ending::Clean | Ending::Told, Some(stream)) => drop(stream.finish(stall).await),
        (Ending::Unclean(_), Some(stream)) => stream.break_off(),
        (_, None) => {}
    }
    arriving.ended(ending, ended, ended.duration_since(began))
}

/// An upload between its connection and its place.
struct Pouring<'a> {
    receiving: &'a mut Target,
    shape: Shape,
    visitor: &'a Visitor,
    figures: &'a Arc<Figures>,
    incoming: Inward,
    marks: Marks,
    buffer: BytesMut,
    /// How much is handed over at once.
    room: usize,
    /// When its end was seen: what is done with the last bytes is no time of the transfer any more.
    end: Option<Instant>,
}

impl Pouring<'_> {
    /// To the end; what it was, and the connection.
    async fn run(
        &mut self,
        mut stream: Stream,
        halted: &mut Halted,
        stall: Duration,
    ) -> (Ending, Option<Stream>) {
        loop {
            if let Some(ending) = self.by_pieces(&mut stream, halted, stall).await {
                return (ending, Some(stream));
            }
            stream = match self.taken(stream, halted, stall).await {
                (None, Some(stream)) => stream,
                (ending, stream) => {
                    return (ending.unwrap_or_else(|| incomplete(Incomplete::Broken)), stream);
                }
            };
        }
    }

    /// In pieces, to the end; `None` where the store is to take the rest itself.
    async fn by_pieces(
        &mut self,
        stream: &mut Stream,
        halted: &mut Halted,
        stall: Duration,
    ) -> Option<Ending> {
        while !self.may_be_taken() {
            self.buffer.reserve(self.room());
            let read = match stream.read_on(&mut self.buffer).await {
                Ok(Came::Nothing) => tokio::select! {
                    biased;
                    why = halt(halted) => return Some(self.halted(stream, halted, why).await),
                    read = quiet(
                        stall,
                        (self.receiving, &mut self.marks),
                        stream.read(&mut self.buffer),
                    ) => match read {
                        Ok(read) => read,
                        Err(ending) => return Some(ending),
                    },
                },
                read => read,
            };
            let broken = match read {
                Ok(Came::End) => return Some(self.ended().await),
                Ok(Came::Bytes | Came::Nothing) => self.gather(stream).await.is_err(),
                Err(_) => return Some(incomplete(Incomplete::Broken)),
            };
            let ended = tokio::select! {
                biased;
                why = halt(halted) => Some(why),
                () = self.visitor.pass_up(self.buffer.len() as u64, || self.receiving.waits()) => None,
            };
            if let Err(ending) = self.hand_over(halted).await {
                return Some(ending);
            }
            if self.incoming.has_ended() {
                return Some(self.ended().await);
            }
            if let Some(why) = ended {
                return Some(self.halted(stream, halted, why).await);
            }
            if broken {
                return Some(incomplete(Incomplete::Broken));
            }
            if self.end.is_some() {
                return Some(self.ended().await);
            }
            let why = *halted.borrow();
            if let Some(why) = why {
                return Some(self.halted(stream, halted, why).await);
            }
        }
        None
    }

    /// A fast upload, taken by the store itself: to its end, or without one as long as it is fast.
    async fn taken(
        &mut self,
        mut stream: Stream,
        halted: &mut Halted,
        stall: Duration,
    ) -> (Option<Ending>, Option<Stream>) {
        loop {
            let why = *halted.borrow();
            if let Some(why) = why {
                return (Some(self.halted(&mut stream, halted, why).await), Some(stream));
            }
            if self.is_limited() {
                return (None, Some(stream));
            }
            tokio::select! {
                biased;
                why = halt(halted) => return (Some(self.halted(&mut stream, halted, why).await), Some(stream)),
                ready = quiet(stall, (self.receiving, &mut self.marks), taking::ready(&stream)) => match ready {
                    Err(ending) => return (Some(ending), Some(stream)),
                    Ok(Err(_)) => return (Some(incomplete(Incomplete::Broken)), Some(stream)),
                    Ok(Ok(())) => {}
                },
            }
            let before = self.receiving.offset();
            let decoder = self.incoming.bare_blocks().map(std::mem::take);
            let turned = taking::turn(stream, decoder, self.receiving, self.figures).await;
            let mut back = turned.stream;
            let ending = match turned.then {
                Ok(Then::Enough | Then::Nothing) => self.behind(turned.decoder, back.as_mut(), halted).await,
                Ok(Then::End) => Some(self.ended().await),
                Ok(Then::Broken(_)) => Some(incomplete(Incomplete::Broken)),
                Err(error) => Some(failed(&error)),
            };
            let slow = self.receiving.offset() - before < LARGEST_PIECE as u64;
            stream = match (ending, back) {
                (None, Some(back)) if !slow && self.may_be_taken() => back,
                (ending, back) => {
                    if slow {
                        // A thread is not lent to who lets it wait.
                        self.room = FIRST_PIECE;
                    }
                    return (ending, back);
                }
            };
        }
    }

    /// In MODE B: goes on with what stands behind the bytes that the store has taken.
    async fn behind(
        &mut self,
        decoder: Option<Decoder>,
        mut stream: Option<&mut Stream>,
        halted: &Halted,
    ) -> Option<Ending> {
        let (Some(blocks), Some(decoder)) = (self.incoming.bare_blocks(), decoder) else { return None };
        let large = is_large(&decoder);
        *blocks = decoder;
        if let (Some(stream), false) = (&mut stream, large) {
            // What a connection that is broken has is found out with the next read.
            let _ = stream.read_on(&mut self.buffer).await;
        }
        if let Err(ending) = self.hand_over(halted).await {
            return Some(ending);
        }
        if !self.incoming.has_ended() {
            return None;
        }
        if let Some(stream) = stream {
            // What stands behind the end is to be found out; the runtime has to learn first that it has come.
            let _ = timeout(SOON, stream.read(&mut self.buffer)).await;
        }
        let handed = self.hand_over(halted).await;
        Some(match handed {
            Ok(()) => self.ended().await,
            Err(ending) => ending,
        })
    }

    /// Whether the store is to take what comes next itself.
    fn may_be_taken(&mut self) -> bool {
        self.room >= LARGEST_PIECE
            && (self.shape.is_plain() || self.incoming.bare_blocks().is_some_and(|blocks| is_large(blocks)))
            && sys::READS_ON_A_THREAD
            && !self.is_limited()
    }

    fn is_limited(&self) -> bool {
        self.visitor.piece(Way::Up).is_some()
    }

    /// How much is handed over at once.
    fn room(&self) -> usize {
        let most = self.visitor.piece(Way::Up).and_then(|piece| usize::try_from(piece).ok());
        most.map_or(self.room, |most| self.room.min(most))
    }

    /// What else is there already. A failure is told once: a read after a reset would see a clean end.
    async fn gather(&mut self, stream: &mut Stream) -> io::Result<()> {
        let room = self.room();
        while self.buffer.len() < room {
            match stream.read_on(&mut self.buffer).await? {
                Came::Bytes => {}
                Came::Nothing => break,
                Came::End => {
                    self.end = Some(Instant::now());
                    break;
                }
            }
        }
        if self.buffer.len() >= self.room && !self.is_limited() {
            self.room = (self.room * 4).min(LARGEST_PIECE);
        }
        Ok(())
    }

    /// What came becomes bytes of the file. What is taken by turns may swell: it ends between two of them, where it is to.
    async fn hand_over(&mut self, halted: &Halted) -> Result<(), Ending> {
        self.figures.add(self.buffer.len());
        let mut wire = self.buffer.split().freeze();
        if self.shape.is_plain() {
            return append(self.receiving, wire).await;
        }
        // However small what came is cut, it is appended in one.
        let mut file = Vec::with_capacity(wire.len().min(LARGEST_PIECE) + 1);
        loop {
            let taken = self.incoming.take(&mut wire, &mut file, LARGEST_PIECE).await;
            match taken.map_err(|error| failed(&error))? {
                Ok(Taken::Marker(marker)) => {
                    self.marks.add(marker, self.receiving.offset() + file.len() as u64);
                }
                Ok(Taken::Enough) => {
                    let why = halted.borrow().filter(|_| self.incoming.is_by_turns());
                    if file.len() >= LARGEST_PIECE || why.is_some() {
                        append(self.receiving, std::mem::take(&mut file).into()).await?;
                    }
                    if let Some(why) = why {
                        return Err(ended_early(why));
                    }
                }
                // What stands behind the end is found out.
                Ok(Taken::End) => {}
                Ok(Taken::All) => break,
                Err(wrong) => {
                    // What came before it is kept with the rest.
                    append(self.receiving, file.into()).await?;
                    return Err(incomplete(Incomplete::Malformed(wrong.words())));
                }
            }
        }
        append(self.receiving, file.into()).await?;
        self.marks.tell(self.receiving, false).await.map_err(|error| failed(&error))
    }

    /// The clean end of the connection, or the file's own.
    async fn ended(&mut self) -> Ending {
        self.end.get_or_insert_with(Instant::now);
        let mut rest = Vec::new();
        let whole = self.incoming.finish(&mut rest);
        if let Err(ending) = append(self.receiving, rest.into()).await {
            return ending;
        }
        if !whole {
            return incomplete(Incomplete::Unended);
        }
        if !self.shape.tells_end() {
            return Ending::Clean;
        }
        match self.marks.tell(self.receiving, true).await {
            Ok(()) => Ending::Told,
            Err(error) => failed(&error),
        }
    }

    /// It is to end here; what had come by then is kept with the rest.
    async fn halted(&mut self, stream: &mut Stream, halted: &Halted, why: Halt) -> Ending {
        let until = Instant::now() + LAST_WORDS;
        while Instant::now() < until {
            self.buffer.reserve(self.room);
            match timeout(SOON, stream.read(&mut self.buffer)).await {
                Ok(Ok(Came::Bytes)) => {}
                Ok(_) | Err(_) => break,
            }
            if let Err(ending) = self.hand_over(halted).await {
                return ending;
            }
            if self.incoming.has_ended() {
                return self.ended().await;
            }
        }
        ended_early(why)
    }
}

/// Waits for bytes, as long as that may take; what came before is made safe meanwhile, and where that was marked it is
/// told soon.
async fn quiet<T>(
    stall: Duration,
    (receiving, marks): (&mut Target, &mut Marks),
    coming: impl Future<Output = T>,
) -> Result<T, Ending> {
    let mut coming = pin!(coming);
    let until = Instant::now() + stall;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let came = if marks.wait() {
            tokio::select! {
                biased;
                came = timeout(left.min(LOOK_AFTER), &mut coming) => came,
                told = told_soon(receiving, marks) => {
                    told.map_err(|error| failed(&error))?;
                    continue;
                }
            }
        } else {
            timeout(left.min(LOOK_AFTER), &mut coming).await
        };
        match came {
            Ok(came) => return Ok(came),
            Err(_) if left <= LOOK_AFTER => return Err(incomplete(Incomplete::Stalled)),
            Err(_) => receiving.rest().await.map_err(|error| failed(&error))?,
        }
    }
}

/// Tells all marks, after a pause: whose bytes go on has them told when what came is made safe anyway.
async fn told_soon(receiving: &mut Target, marks: &mut Marks) -> Result<(), ServerError> {
    sleep(PAUSE).await;
    marks.tell(receiving, true).await
}

fn ended_early(why: Halt) -> Ending {
    Ending::Unclean(match why {
        Halt::Aborted => Why::Aborted,
        Halt::Stopping => Why::Incomplete(Incomplete::Stopping),
    })
}

fn incomplete(why: Incomplete) -> Ending {
    Ending::Unclean(Why::Incomplete(why))
}

async fn append(receiving: &mut Target, piece: Bytes) -> Result<(), Ending> {
    if piece.is_empty() {
        return Ok(());
    }
    receiving.append(piece).await.map_err(|error| failed(&error))
}

fn failed(error: &ServerError) -> Ending {
    Ending::Unclean(Why::Told(Transferred::Failed(trouble(error))))
}

impl Received {
    /// Makes it safe, as long as that may take; a failure is told when it is settled.
    pub(super) async fn sync(&mut self) -> Result<(), ServerError> {
        self.receiving.sync().await
    }

    /// Whether how the control connection fares says something of it: a part of a file is what came, whoever ends it.
    pub(super) fn is_judged(&self) -> bool {
        matches!(self.receiving, Target::Whole(_)) && matches!(self.ending, Ending::Clean)
    }

    /// Whether it is whole, however the connections fare.
    pub(super) fn is_told(&self) -> bool {
        matches!(self.ending, Ending::Told)
    }

    /// It cannot be made safe.
    pub(super) fn failed(&mut self, error: &ServerError) {
        self.ending = Ending::Unclean(Why::Told(Transferred::Failed(trouble(error))));
    }

    /// Publishes it at once, if it ended well and `assent` says so at the last moment; else it is given back.
    pub(super) async fn publish_now(
        self,
        assent: Assent,
        figures: &Figures,
    ) -> Result<Transferred, Box<Self>> {
        let Self { receiving, ending, ended, took } = self;
        let receiving = match receiving {
            Target::Whole(receiving) => receiving,
            receiving @ Target::Lane(_) => return Err(Box::new(Self { receiving, ending, ended, took })),
        };
        match receiving.publish_now(assent).await {
            Ok(Ok(_)) => Ok(Transferred::Complete(figures.line())),
            Ok(Err(receiving)) => {
                let receiving = Target::Whole(receiving);
                Err(Box::new(Self { receiving, ending, ended, took }))
            }
            Err(error) => Ok(Transferred::Failed(trouble(&error))),
        }
    }

    /// Publishes or keeps it; what to tell.
    pub(super) async fn settle(self, control: Control, aborted: bool, figures: &Figures) -> Transferred {
        let Self { receiving, ending, .. } = self;
        let (data, why) = match ending {
            Ending::Clean if aborted => (DataEnd::Clean, Some(Why::Aborted)),
            Ending::Clean | Ending::Told => (DataEnd::Clean, None),
            Ending::Unclean(why) => (DataEnd::Unclean, Some(why)),
        };
        match receiving {
            Target::Whole(receiving) => whole(receiving, data, control, why, figures).await,
            Target::Lane(lane) => part(lane, why, figures).await,
        }
    }
}

async fn whole(
    receiving: Receiving,
    data: DataEnd,
    control: Control,
    why: Option<Why>,
    figures: &Figures,
) -> Transferred {
    match (receiving.settle(data, control).await, why) {
        (Ok(Settled::Published(_)), _) => Transferred::Complete(figures.line()),
        (Ok(Settled::Kept { at, .. }), Some(Why::Told(Transferred::Failed(Trouble::NoSpace)))) => {
            Transferred::Kept { at, why: Incomplete::NoSpace }
        }
        (Ok(Settled::Kept { at, .. }), Some(Why::Told(Transferred::Failed(Trouble::OverQuota)))) => {
            Transferred::Kept { at, why: Incomplete::OverQuota }
        }
        (Ok(Settled::Kept { .. }), Some(Why::Told(told))) => told,
        (Ok(Settled::Kept { at, .. }), Some(Why::Aborted)) => Transferred::Aborted { at: Some(at) },
        (Ok(Settled::Kept { at, .. }), Some(Why::Incomplete(why))) => Transferred::Kept { at, why },
        (Ok(Settled::Kept { at, declared }), None) => {
            let why = declared.map_or(Incomplete::Gone, |declared| Incomplete::Short { declared });
            Transferred::Kept { at, why }
        }
        (Err(error), _) => Transferred::Failed(trouble(&error)),
    }
}

/// A range of a file: what came of it is told, whatever ended it.
async fn part(lane: Lane, why: Option<Why>, figures: &Figures) -> Transferred {
    let (kept, upload) = match lane.end().await {
        Ok(Ended::Published(_)) => return Transferred::Complete(figures.line()),
        Ok(Ended::Part { kept, id }) => (kept.map(|range| (range.start(), range.end())), id),
        Err(error) => return Transferred::Failed(trouble(&error)),
    };
    let why = match why {
        None => None,
        Some(Why::Incomplete(why)) => Some(why),
        Some(Why::Aborted) => Some(Incomplete::Aborted),
        Some(Why::Told(Transferred::Failed(Trouble::NoSpace))) => Some(Incomplete::NoSpace),
        Some(Why::Told(Transferred::Failed(Trouble::NoRange(_)))) => Some(Incomplete::Full),
        Some(Why::Told(told)) => return told,
    };
    Transferred::Part { kept, upload, why }
}
