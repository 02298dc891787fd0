//! A file on its way from the client: read in pieces as large as what comes, and handed to the depot in order.
//!
//! Only FIN, over TLS close_notify, is the end of a whole file; all else is an accident. Whether it is one after all is
//! judged by the session, which knows how the control connection fared.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use haul_proto::ftp::{
    ascii::FromWire,
    server::{Form, Incomplete, Transferred},
};
use tokio::time::timeout;

use super::{
    data::Stream,
    figures::Figures,
    transfer::{Halt, Halted, halt},
    trouble::trouble,
};
use crate::{
    ServerError,
    depot::{Control, DataEnd, Receiving, Settled},
};

/// The first piece is at most so large, and grows as long as it is filled at once …
const FIRST_PIECE: usize = 16 << 10;
/// … up to this.
const LARGEST_PIECE: usize = 1 << 20;

/// An upload whose data connection is yet to come.
pub(super) struct Arriving {
    receiving: Receiving,
}

/// An upload whose data connection has ended.
pub(super) struct Received {
    receiving: Receiving,
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
    pub(super) fn new(receiving: Receiving) -> Self {
        Self { receiving }
    }

    /// The byte that comes next.
    pub(super) fn from(&self) -> u64 {
        self.receiving.offset()
    }

    /// It never had a data connection.
    pub(super) fn unbegun(self, told: Transferred) -> Received {
        let why = match told {
            Transferred::Aborted { .. } => Why::Aborted,
            told => Why::Told(told),
        };
        self.ended(Ending::Unclean(why), Duration::ZERO)
    }

    fn ended(self, ending: Ending, took: Duration) -> Received {
        Received { receiving: self.receiving, ending, ended: Instant::now(), took }
    }
}

/// Receives until the data connection ends or is ended.
pub(super) async fn pour(
    mut arriving: Arriving,
    mut stream: Stream,
    form: Form,
    figures: &Figures,
    halted: &mut Halted,
    stall: Duration,
) -> Received {
    let began = Instant::now();
    let ending = take(&mut arriving.receiving, &mut stream, form, figures, halted, stall).await;
    let took = began.elapsed();
    match &ending {
        // Over TLS the client waits for our close_notify; one that does not wait is no accident.
        Ending::Clean => drop(stream.finish(stall).await),
        Ending::Unclean(_) => stream.break_off(),
    }
    arriving.ended(ending, took)
}

async fn take(
    receiving: &mut Receiving,
    stream: &mut Stream,
    form: Form,
    figures: &Figures,
    halted: &mut Halted,
    stall: Duration,
) -> Ending {
    let mut room = FIRST_PIECE;
    let mut buffer = BytesMut::new();
    let mut text = FromWire::default();
    loop {
        buffer.reserve(room);
        let read = match stream.read_on(&mut buffer).await {
            Ok(0) => tokio::select! {
                biased;
                why = halt(halted) => return Ending::Unclean(halting(why)),
                read = timeout(stall, stream.read(&mut buffer)) => match read {
                    Ok(read) => read,
                    Err(_) => return incomplete(Incomplete::Stalled),
                },
            },
            read => read,
        };
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return incomplete(Incomplete::Broken),
        }
        let broken = loop {
            if buffer.len() >= room {
                break false;
            }
            match stream.read_on(&mut buffer).await {
                Ok(0) => break false,
                Ok(_) => {}
                // Told once: a read after a reset would see a clean end.
                Err(_) => break true,
            }
        };
        if buffer.len() >= room {
            room = (room * 4).min(LARGEST_PIECE);
        }
        figures.add(buffer.len());
        let piece = match form {
            Form::Image => buffer.split().freeze(),
            Form::Ascii => {
                let mut lines = Vec::with_capacity(buffer.len() + 1);
                text.take(&buffer, &mut lines);
                buffer.clear();
                lines.into()
            }
        };
        if let Err(error) = append(receiving, piece).await {
            return error;
        }
        if broken {
            return incomplete(Incomplete::Broken);
        }
        if let Some(why) = *halted.borrow() {
            return Ending::Unclean(halting(why));
        }
    }
    let mut rest = Vec::new();
    text.finish(&mut rest);
    append(receiving, rest.into()).await.err().unwrap_or(Ending::Clean)
}

fn incomplete(why: Incomplete) -> Ending {
    Ending::Unclean(Why::Incomplete(why))
}

fn halting(why: Halt) -> Why {
    match why {
        Halt::Aborted => Why::Aborted,
        Halt::Stopping => Why::Incomplete(Incomplete::Stopping),
    }
}

async fn append(receiving: &mut Receiving, piece: Bytes) -> Result<(), Ending> {
    if piece.is_empty() {
        return Ok(());
    }
    let appended = receiving.append(piece).await;
    appended.map_err(|error| Ending::Unclean(Why::Told(Transferred::Failed(trouble(&error)))))
}

impl Received {
    /// Makes it safe, as long as that may take; a failure is told when it is settled.
    pub(super) async fn sync(&mut self) -> Result<(), ServerError> {
        self.receiving.sync().await
    }

    /// It cannot be made safe.
    pub(super) fn failed(&mut self, error: &ServerError) {
        self.ending = Ending::Unclean(Why::Told(Transferred::Failed(trouble(error))));
    }

    /// Publishes or keeps it; what to tell.
    pub(super) async fn settle(self, control: Control, aborted: bool, figures: &Figures) -> Transferred {
        let Self { receiving, ending, .. } = self;
        let (data, why) = match ending {
            Ending::Clean if aborted => (DataEnd::Clean, Some(Why::Aborted)),
            Ending::Clean => (DataEnd::Clean, None),
            Ending::Unclean(why) => (DataEnd::Unclean, Some(why)),
        };
        match (receiving.settle(data, control).await, why) {
            (Ok(Settled::Published(_)), _) => Transferred::Complete(figures.line()),
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
}
