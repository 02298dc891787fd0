//! How lanes end, and with the last of them, or the last byte, the upload: it is published or kept, and its seat left.

use std::sync::{Arc, PoisonError};

use haul_core::RangeSet;
use haul_store::{Meta, StoreError, When};

use super::{
    super::{
        seats::{BREATH, Phase},
        telling, unfinished,
    },
    Woven,
};
use crate::ServerError;

/// What became of a lane.
pub(in super::super) enum Left {
    /// All of the file is there.
    Published(Meta),
    /// The lane's bytes up to this one are safe, the upload is not whole.
    Part { upto: u64 },
}

impl Woven {
    /// A lane is at its end: what it has is safe when this returns, or the file is there. What is told of the lane: how
    /// many bytes of it are safe, from its start.
    pub(in super::super) async fn leave(
        self: &Arc<Self>,
        number: u64,
        start: u64,
    ) -> Result<Left, ServerError> {
        let stretch = self
            .state()
            .lanes
            .iter()
            .find(|lane| lane.number == number)
            .map(|lane| Arc::clone(&lane.stretch));
        if let Some(stretch) = stretch {
            // A write may still run that nobody waits for any more. Whoever has these bytes next must not meet it.
            stretch.stop();
            while !stretch.is_idle() {
                tokio::time::sleep(BREATH).await;
            }
        }
        let whole = self.is_whole(&self.state().written());
        let saved = if whole { Ok(()) } else { self.make_safe().await };
        let last = {
            let mut state = self.state();
            if state.over {
                None
            } else {
                state.take_out(number);
                // Where all is there the others have nothing to bring any more.
                state.over = state.lanes.is_empty() || self.is_whole(&state.written());
                Some(state.over)
            }
        };
        match last {
            Some(true) => self.finish().await?,
            Some(false) => {}
            // Somebody has ended all of it, and may be about to publish it.
            None => self.seat.left().await,
        }
        if let Some(meta) = self.state().published.clone() {
            return Ok(Left::Published(meta));
        }
        if last.is_none() {
            return Err(self.fenced().into());
        }
        saved?;
        Ok(Left::Part { upto: self.told.lock().await.first_missing(start) })
    }

    /// Ends all of it, as if every lane's connection had broken: somebody else is to have the seat.
    pub(in super::super) async fn put_down(&self) {
        {
            let mut state = self.state();
            if std::mem::replace(&mut state.over, true) {
                return;
            }
            while let Some(lane) = state.lanes.pop() {
                lane.stretch.stop();
                state.there.extend(lane.stretch.written());
            }
        }
        let path = &self.pattern.target;
        match self.finish().await {
            Ok(()) => tracing::info!(%path, "an upload was taken over by a newer session"),
            Err(error) => tracing::warn!(%path, %error, "an upload that was taken over could not be kept"),
        }
    }

    /// Gives the seat back where no lane has come.
    pub(in super::super) async fn unless_wanted(&self) {
        let unwanted = {
            let mut state = self.state();
            let unwanted = !state.over && state.lanes.is_empty();
            state.over |= unwanted;
            unwanted
        };
        if unwanted && let Err(error) = self.finish().await {
            tracing::warn!(path = %self.pattern.target, %error, "an upload could not be kept");
        }
    }

    /// Publishes it or keeps it, and leaves the seat. Nothing else is done to it by then.
    async fn finish(&self) -> Result<(), ServerError> {
        *self.seat.turn.lock().await = Phase::Over;
        let (there, lost) = {
            let state = self.state();
            (state.written(), state.lost)
        };
        let ended = if self.is_whole(&there) && !lost {
            self.publish(&there).await.map(|meta| self.state().published = Some(meta))
        } else {
            self.save(true).await.map_err(ServerError::from)
        };
        drop(self.staged.lock().await.take());
        drop(self.sitting.lock().unwrap_or_else(PoisonError::into_inner).take());
        ended
    }

    /// Gives it its name. After an error it is unfinished as before, unless it has its name in spite of that.
    async fn publish(&self, there: &RangeSet) -> Result<Meta, ServerError> {
        let total = self.pattern.total;
        let staged = self.staged.lock().await.take().filter(|staged| staged.len() == total);
        let staged = staged.ok_or_else(|| self.unclaimed())?;
        let when = match (&self.pattern.base, self.pattern.only_new) {
            (_, true) => When::Absent,
            (Some(base), false) => When::Same(unfinished::meta_of(base)),
            (None, false) => When::Always,
        };
        let replaced = self.depot.weigh(&self.pattern.target).await;
        let (path, teller) = (self.pattern.target.clone(), Arc::clone(&self.pattern.teller));
        let (before, since) = self.pattern.before;
        let told = || telling::complete(path, teller, total, before, since.elapsed());
        let published = match self.depot.pledge(&self.id, told).await {
            Ok(pledged) => {
                let how = self.depot.rules.durability;
                let published = staged.publish(&self.pattern.target, when, how).await;
                self.depot.redeem(pledged, &published).await;
                published
            }
            Err(error) => Err(error),
        };
        let error = match published {
            Ok(meta) => {
                self.depot.quotas.published(&self.seat.key, total, replaced);
                let (lease, id) = (Some(self.lease.clone()), self.id.clone());
                self.depot.has_its_name(&self.seat, lease, id, total, &self.pattern.note).await;
                return Ok(meta);
            }
            Err(error) => error,
        };
        // It is staged again, or else it has its name in spite of the error.
        match self.depot.store.staged(&self.id).await {
            Ok(mut staged) => {
                staged.sync().await?;
                let mut told = self.told.lock().await;
                *told = self.remember(there, &told).await?;
            }
            Err(StoreError::NotFound { .. }) => self.forget().await,
            Err(again) => {
                tracing::warn!(path = %self.pattern.target, error = %again, "an upload could not be kept");
            }
        }
        Err(error.into())
    }

    async fn forget(&self) {
        self.seat.tell_nothing();
        if let Err(error) = self.depot.ledger.forget(&self.lease).await {
            let path = &self.pattern.target;
            tracing::warn!(%path, %error, "a published upload is still remembered as unfinished");
        }
    }
}
