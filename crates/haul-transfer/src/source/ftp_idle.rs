//! FTP sessions between two transfers: a login costs ten round trips, and servers count connections.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Notify, task::JoinSet};

use crate::{
    connect::Connector,
    ftp::{Data, FtpError, FtpOptions, Place, Session},
};

/// Servers close idle sessions after a minute and more; later than this nobody will come for it.
const KEPT: Duration = Duration::from_secs(20);
/// How long the end of a run may take for the sake of good manners.
const FAREWELL: Duration = Duration::from_millis(250);
/// The longest wait for a session that is about to come back.
const WORTH: Duration = Duration::from_secs(3);

/// Idle sessions.
#[derive(Debug, Default)]
pub(crate) struct FtpIdle {
    shelves: Mutex<HashMap<Place, Shelf>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Shelf {
    kept: Vec<(Instant, Session)>,
    /// Sessions whose transfers are being broken off.
    returning: usize,
}

impl FtpIdle {
    /// Keeps a session, if it can be used again.
    pub(crate) fn put(&self, mut session: Session) {
        if session.is_usable() {
            self.with(&session.place().clone(), |shelf| shelf.kept.push((Instant::now(), session)));
            self.changed.notify_waiters();
        }
    }

    /// A session that still works, as far as can be told; also one that is on its way back.
    pub(crate) async fn take(&self, place: &Place) -> Option<Session> {
        tokio::time::timeout(WORTH, self.next(place)).await.ok().flatten()
    }

    async fn next(&self, place: &Place) -> Option<Session> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let (found, returning) = self.with(place, |shelf| (shelf.take(), shelf.returning));
            if found.is_some() || returning == 0 {
                return found;
            }
            changed.await;
        }
    }

    /// Takes leave of all that are kept, at once; whoever is slow to say goodbye, or to come back, is left without.
    pub(crate) async fn leave(&self) {
        let leaving = async {
            loop {
                let mut changed = pin!(self.changed.notified());
                changed.as_mut().enable();
                let (kept, returning) = self.all();
                let mut quits: JoinSet<()> = kept.into_iter().map(Session::quit).collect();
                while quits.join_next().await.is_some() {}
                if !returning {
                    break;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, leaving).await;
    }

    /// Takes all that are kept; whether more are about to come back.
    fn all(&self) -> (Vec<Session>, bool) {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = shelves.values_mut().flat_map(|shelf| shelf.kept.drain(..)).map(|(_, session)| session);
        let kept = kept.collect();
        (kept, shelves.values().any(|shelf| shelf.returning > 0))
    }

    /// A new session. A server that bears no more may bear one in the place of those that are idle here.
    pub(crate) async fn open(
        &self,
        connector: &Connector,
        place: &Place,
        options: &Arc<FtpOptions>,
    ) -> Result<Session, FtpError> {
        let open = || Box::pin(Session::open(connector, place, options));
        let error = match open().await {
            Err(error) if matches!(error.code(), 421 | 530) => error,
            opened => return opened,
        };
        let idle = self.clear(place);
        if idle.is_empty() {
            return Err(error);
        }
        for session in idle {
            session.quit().await;
        }
        open().await
    }

    /// All that are kept for this place.
    fn clear(&self, place: &Place) -> Vec<Session> {
        self.with(place, |shelf| shelf.kept.drain(..).map(|(_, session)| session).collect())
    }

    /// Breaks a transfer off, aside, and keeps the session where that succeeds.
    pub(super) fn release(self: &Arc<Self>, mut session: Session, data: Data) {
        let Ok(runtime) = Handle::try_current() else { return };
        let place = session.place().clone();
        self.with(&place, |shelf| shelf.returning += 1);
        let idle = Arc::clone(self);
        runtime.spawn(async move {
            if session.release(data).await {
                idle.put(session);
            }
            idle.with(&place, |shelf| shelf.returning -= 1);
            idle.changed.notify_waiters();
        });
    }

    fn with<T>(&self, place: &Place, act: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        act(shelves.entry(place.clone()).or_default())
    }
}

impl Shelf {
    fn take(&mut self) -> Option<Session> {
        while let Some((since, mut session)) = self.kept.pop() {
            if since.elapsed() < KEPT && session.is_usable() {
                return Some(session);
            }
        }
        None
    }
}
