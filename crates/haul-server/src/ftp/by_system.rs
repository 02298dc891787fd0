//! A file that the system sends by itself over a data connection in the clear: no byte of it comes into this process.
//!
//! As long as a client takes all that it can get, a thread stays with it. For a slower client the session waits, and no
//! thread.

use std::{fs::File, io, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};

use super::{data::Ending, figures::Figures, retrieve::Stopped};
use crate::by_system::{Broken, Watching, short_burst, turn};

/// So little is sent without leaving this thread.
const LITTLE: u64 = 128 << 10;

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

/// Which bytes of what go where.
pub(super) struct Sending<'a> {
    pub(super) ending: &'a Arc<Ending>,
    pub(super) file: &'a Arc<File>,
    pub(super) to: u64,
    pub(super) figures: &'a Arc<Figures>,
    /// The longest time without a byte.
    pub(super) stall: Duration,
}

/// Sends from `at` on, which moves with what was sent.
pub(super) async fn send(sending: &Sending<'_>, at: &mut u64) -> Result<(), Stopped> {
    let &Sending { ending, file, to, figures, stall } = sending;
    let not_bare = || Stopped::Wire(io::ErrorKind::NotConnected.into());
    let stream = ending.bare().ok_or_else(not_bare)?;
    while *at < to {
        let writable = timeout(stall, stream.writable()).await;
        writable.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Stopped::Wire)?;
        if to - *at <= LITTLE {
            short_burst(stream, file, at, to, figures.as_ref())?;
            continue;
        }
        let (ending, file, figures) = (Arc::clone(ending), Arc::clone(file), Arc::clone(figures));
        let mut moving = *at;
        let sent = spawn_blocking(move || {
            let stream = ending.bare().ok_or_else(not_bare);
            let sent = stream.and_then(|stream| Ok(turn(stream, &file, &mut moving, to, figures.as_ref())?));
            drop(ending);
            (moving, sent)
        });
        let (moved, sent) = sent.await.map_err(|_| Stopped::Wire(io::ErrorKind::Interrupted.into()))?;
        *at = moved;
        sent?;
    }
    Ok(())
}
