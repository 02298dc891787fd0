//! A file that the system sends by itself over a data connection in the clear: no byte of it comes into this process.
//!
//! As long as a client takes all that it can get, a thread stays with it. Meanwhile the runtime does not watch its
//! connection: it would be woken whenever there is room in it. For a slower client the session waits, and no thread.

use std::{fs::File, io, net::TcpStream, sync::Arc, time::Duration};

use tokio::{io::Interest, task::spawn_blocking, time::timeout};

use super::{
    data::{Ending, Stream},
    figures::Figures,
    in_blocks::Laid,
    retrieve::Stopped,
};
use crate::{
    by_system::{Broken, LITTLE, Laying as _, Watching, turn},
    depot::Visitor,
    pace::Way,
    sys,
};

impl Watching for Figures {
    fn sent(&self, bytes: usize) {
        self.add(bytes);
    }

    fn is_over(&self) -> bool {
        self.is_halted()
    }
}

impl From<Broken> for Stopped {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Wire(error) => Self::Wire(error),
            Broken::Shrunk => Self::Shrunk,
        }
    }
}

/// Which bytes of what go where, and how.
pub(super) struct Sending<'a> {
    pub(super) file: &'a Arc<File>,
    pub(super) to: u64,
    pub(super) laid: Laid,
    pub(super) visitor: &'a Visitor,
    pub(super) figures: &'a Arc<Figures>,
    /// The longest time without a byte.
    pub(super) stall: Duration,
}

/// Takes the connection out, to be lent to a thread; no runtime watches it then. Until it is back it is broken off by
/// whoever has it last: a part of a file must not end as a whole one.
fn lend(ending: &mut Ending) -> io::Result<TcpStream> {
    sys::drop_hard(ending.bare().ok_or(io::ErrorKind::NotConnected)?)?;
    match ending.stream.take() {
        Some(Stream::Clear(stream)) => stream.into_std(),
        Some(Stream::Secured(_)) | None => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Gives it back to the runtime that is here.
fn give_back(lent: TcpStream) -> io::Result<Stream> {
    let stream = tokio::net::TcpStream::from_std(lent)?;
    sys::drop_gently(&stream)?;
    Ok(Stream::Clear(stream))
}

/// Sends from `at` on, which moves with what was sent.
pub(super) async fn send(ending: &mut Ending, sending: Sending<'_>, at: &mut u64) -> Result<(), Stopped> {
    let Sending { file, to, mut laid, visitor, figures, stall } = sending;
    // Up to where a limited transfer may send.
    let mut granted = 0;
    while *at < to {
        let stream = ending.bare().ok_or(Stopped::Wire(io::ErrorKind::NotConnected.into()))?;
        let writable = timeout(stall, stream.writable()).await;
        writable.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Stopped::Wire)?;
        // As it is now that there is room: piece by piece, each asked for.
        let to = match visitor.piece(Way::Down) {
            Some(piece) if granted <= *at => {
                let piece = piece.min(to - *at);
                visitor.pass(Way::Down, piece).await;
                granted = *at + piece;
                granted
            }
            Some(_) => granted,
            None => to,
        };
        if to - *at <= LITTLE {
            little(stream, (file, &mut laid), at, to, figures)?;
            continue;
        }
        let lent = lend(ending).map_err(Stopped::Wire)?;
        let (file, figures, mut moving) = (Arc::clone(file), Arc::clone(figures), *at);
        let turned = spawn_blocking(move || {
            let sent = turn(&lent, (&file, &mut laid), &mut moving, to, figures.as_ref());
            (lent, laid, moving, sent.map_err(Stopped::from))
        });
        let (lent, back, moved, sent) =
            turned.await.map_err(|_| Stopped::Wire(io::ErrorKind::Interrupted.into()))?;
        (*at, laid) = (moved, back);
        ending.stream = Some(give_back(lent).map_err(Stopped::Wire)?);
        sent?;
    }
    Ok(())
}

/// Sends the last of it, without waiting.
fn little(
    stream: &tokio::net::TcpStream,
    (file, laid): (&File, &mut Laid),
    at: &mut u64,
    to: u64,
    figures: &Figures,
) -> Result<(), Stopped> {
    let few = usize::try_from(to - *at).unwrap_or(usize::MAX);
    match stream.try_io(Interest::WRITABLE, || laid.send(stream, file, at, few)) {
        Ok(0) => Err(Stopped::Shrunk),
        Ok(sent) => {
            figures.add(sent);
            Ok(())
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(())
        }
        Err(error) => Err(Stopped::Wire(error)),
    }
}
