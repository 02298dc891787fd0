//! A transfer, from the question whether it can be done to what is told of its end.
//!
//! ```text
//!   prepare ---> Started (150) ---> data connection ---> bytes ---> told
//!      |                                                   |
//!      +--> refused                          an upload: safe, watched, settled, told
//! ```
//!
//! Each arrow is a future that the session waits for while it listens to its client. Nothing here knows lines or
//! replies.

use std::{net::IpAddr, sync::Arc};

use haul_core::{ByteRange, TreePath};
use haul_proto::ftp::server::{
    Form, Mode, Outcome, Shape, StoreWish, Structure, Transfer, Transferred, Trouble, What,
};
use tokio::sync::{mpsc, watch};

use super::{
    data::{Stream, Way},
    figures::Figures,
    list::{self, Listed},
    marks::{Marks, Safe},
    receive::{self, Arriving, Received},
    retrieve::{self, Leaving},
    settings::Times,
    target::Target,
    tls::{self, Own},
    trouble::trouble,
};
use crate::{
    ServerError,
    depot::{Order, Piece, Visitor, Wish},
};

/// Why a transfer is ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// ABOR was said.
    Aborted,
    /// The server is being stopped.
    Stopping,
}

/// Told to a running transfer.
pub(super) type Halted = watch::Receiver<Option<Halt>>;

/// A transfer and what it needs.
pub(super) struct Errand {
    pub(super) visitor: Visitor,
    pub(super) transfer: Transfer,
    pub(super) way: Way,
    /// TLS for the data connection, where it is to be protected.
    pub(super) own: Option<Own>,
    pub(super) peer: IpAddr,
    pub(super) times: Times,
    pub(super) figures: Arc<Figures>,
    pub(super) halted: Halted,
    /// Who is told of marks in an upload.
    pub(super) marks: Option<mpsc::Sender<Safe>>,
}

/// Whether a client may go on where it has marked its place: an offset means nothing in TYPE A.
pub(super) fn is_marked(transfer: &Transfer) -> bool {
    let Shape { form, mode, .. } = transfer.shape;
    matches!(transfer.what, What::Store { .. }) && (form, mode) == (Form::Image, Mode::Block)
}

/// What is to be moved, once it is known that it can be.
pub(super) enum Cargo {
    Leaving(Leaving),
    Arriving(Box<Arriving>),
    Listed(Listed),
}

impl Cargo {
    /// The byte that it begins with.
    pub(super) fn from(&self) -> u64 {
        match self {
            Self::Leaving(leaving) => leaving.from(),
            Self::Arriving(arriving) => arriving.from(),
            Self::Listed(_) => 0,
        }
    }
}

/// How the moving ended.
pub(super) enum Moved {
    /// That is all there is to tell.
    Told(Transferred),
    /// An upload, which is still to be judged.
    Received(Box<Received>),
}

/// Finds out whether it can be done; what to tell then, and what to move.
pub(super) async fn prepare(errand: &Errand) -> Result<(Outcome, Cargo), Trouble> {
    let visitor = &errand.visitor;
    let (started, cargo) = match &errand.transfer.what {
        What::Retrieve(wanted) => {
            let leaving = Leaving::open(visitor, wanted).await?;
            let Shape { form, structure, .. } = errand.transfer.shape;
            let is_size = (form, structure) == (Form::Image, Structure::File);
            let size = is_size.then_some(leaving.size());
            (Outcome::Started { size, name: None }, Cargo::Leaving(leaving))
        }
        What::Store { path, wish: StoreWish::Range { from, to, of }, declared } => {
            lane(visitor, path, (*from, *to), of.clone(), *declared).await?
        }
        What::Store { path, wish, declared } => {
            let told = |error: ServerError| trouble(&error);
            let (path, wish, name) = match wish {
                StoreWish::Anew => (path.clone(), Wish::Anew, None),
                StoreWish::From(at) => (path.clone(), Wish::From(*at), None),
                // Told above: no range is empty.
                StoreWish::Range { .. } => return Err(Trouble::Local("a range is no file".to_owned())),
                StoreWish::Append => (path.clone(), Wish::Append, None),
                StoreWish::Unique => {
                    let found = visitor.unique(path).await.map_err(told)?;
                    let name = found.name().to_vec();
                    (found, Wish::Anew, Some(name))
                }
            };
            let order = Order {
                announced: (*declared).into(),
                tells_end: errand.transfer.shape.tells_end(),
                ..Order::new(wish)
            };
            let receiving = visitor.begin(&path, order).await.map_err(told)?;
            let arriving = Arriving::new(Target::Whole(receiving));
            (Outcome::Started { size: None, name }, Cargo::Arriving(Box::new(arriving)))
        }
        What::List { path, glob, style, scope } => {
            let listed = Listed::prepare(visitor, path, glob.as_deref(), *style, *scope).await?;
            (Outcome::Started { size: None, name: None }, Cargo::Listed(listed))
        }
    };
    Ok((started, cargo))
}

/// A range of a file that several sessions fill.
async fn lane(
    visitor: &Visitor,
    path: &TreePath,
    (from, to): (u64, u64),
    of: Option<String>,
    total: Option<u64>,
) -> Result<(Outcome, Cargo), Trouble> {
    let range = ByteRange::new(from, to).ok_or_else(|| Trouble::NoRange("it is empty".to_owned()))?;
    let lane = visitor.lane(path, Piece { range, total, of }).await.map_err(|error| trouble(&error))?;
    let started = Outcome::StartedPart { upload: lane.id() };
    Ok((started, Cargo::Arriving(Box::new(Arriving::new(Target::Lane(lane))))))
}

/// Makes the data connection and moves the bytes.
pub(super) async fn carry(errand: Errand, mut cargo: Cargo) -> Moved {
    let Errand { visitor, transfer, way, own, peer, times, figures, mut halted, marks } = errand;
    let own = own.map(|own| match cargo {
        Cargo::Arriving(_) => (own, tls::Way::FromClient),
        Cargo::Leaving(_) | Cargo::Listed(_) => (own, tls::Way::ToClient),
    });
    // The client has its 150 and is busy with it. To its end, whatever happens meanwhile: what it makes is not to be lost.
    let prepared = match &mut cargo {
        Cargo::Arriving(arriving) => arriving.prepare().await,
        Cargo::Leaving(_) | Cargo::Listed(_) => Ok(()),
    };
    let opened = tokio::select! {
        biased;
        why = halt(&mut halted) => Err(ended_by(why)),
        opened = async {
            prepared?;
            way.open(peer, own.as_ref(), times.connect).await
        } => opened,
    };
    let stream = match (opened, cargo) {
        (Ok(stream), cargo) => (stream, cargo),
        (Err(told), Cargo::Arriving(arriving)) => return Moved::Received(Box::new(arriving.unbegun(told))),
        (Err(told), Cargo::Leaving(_) | Cargo::Listed(_)) => return Moved::Told(told),
    };
    match stream {
        (stream, Cargo::Arriving(arriving)) => {
            let received = receive::pour(
                *arriving,
                stream,
                (transfer.shape, &visitor, Marks::new(marks)),
                &figures,
                &mut halted,
                times.stall,
            );
            Moved::Received(Box::new(received.await))
        }
        (stream, cargo) => {
            let sent = tokio::select! {
                biased;
                why = halt(&mut halted) => Err(ended_by(why)),
                sent = send(stream, cargo, &visitor, transfer.shape, &figures, &times) => sent,
            };
            figures.halt();
            Moved::Told(sent.map_or_else(|told| told, |()| Transferred::Complete(figures.line())))
        }
    }
}

async fn send(
    stream: Stream,
    cargo: Cargo,
    visitor: &Visitor,
    shape: Shape,
    figures: &Arc<Figures>,
    times: &Times,
) -> Result<(), Transferred> {
    match cargo {
        Cargo::Leaving(leaving) => {
            retrieve::send(leaving, stream, visitor, shape, figures, times.stall).await
        }
        Cargo::Listed(listed) => {
            list::send(listed, (stream, shape.mode), visitor, figures, times.stall).await
        }
        Cargo::Arriving(_) => Ok(()),
    }
}

/// Returns when the transfer is to end, and why.
pub(super) async fn halt(halted: &mut Halted) -> Halt {
    let told = halted.wait_for(Option::is_some).await.ok().and_then(|why| *why);
    match told {
        Some(why) => why,
        // Nobody is left who could say so.
        None => std::future::pending().await,
    }
}

/// What is told of a transfer that was ended.
pub(super) fn ended_by(why: Halt) -> Transferred {
    match why {
        Halt::Aborted => Transferred::Aborted { at: None },
        Halt::Stopping => Transferred::Broken("the server is being stopped".to_owned()),
    }
}
