//! How a door is closed: first nothing new is begun, then what still runs is ended with what it has.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// How far the closing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything goes on.
    Open,
    /// No new sessions and no new transfers; what runs has until then.
    Draining(Instant),
    /// What runs is ended.
    Closed,
}

/// Closes doors. Clones close the same ones.
#[derive(Clone, Debug)]
pub struct Stop {
    phase: watch::Sender<Phase>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Open) }
    }
}

impl Stop {
    /// One that closes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No new sessions and transfers from now on; what runs has so much time. What is then unfinished is kept.
    pub fn drain(&self, grace: Duration) {
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Open;
            if first {
                *phase = Phase::Draining(Instant::now() + grace);
            }
            first
        });
    }

    /// What still runs ends now.
    pub fn now(&self) {
        self.phase.send_replace(Phase::Closed);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}

/// Returns when nothing new is to be begun.
pub(crate) async fn closing(watch: &mut watch::Receiver<Phase>) {
    // Whoever holds the sender holds the house.
    let _ = watch.wait_for(|phase| *phase != Phase::Open).await;
}

/// Returns when whatever runs must end.
pub(crate) async fn over(watch: &mut watch::Receiver<Phase>) {
    loop {
        let phase = *watch.borrow_and_update();
        match phase {
            Phase::Closed => return,
            Phase::Open => {
                if watch.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Phase::Draining(until) => {
                tokio::select! {
                    () = tokio::time::sleep_until(until) => return,
                    changed = watch.changed() => if changed.is_err() {
                        tokio::time::sleep_until(until).await;
                        return;
                    },
                }
            }
        }
    }
}
