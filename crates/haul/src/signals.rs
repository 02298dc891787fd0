//! Ctrl-C and its kin: the first one asks the transfers to stop and to save what is there, the second one leaves.

use std::io;
use std::process;
use std::time::Duration;

use haul_transfer::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use crate::exit;
use crate::screen::Screen;

/// Signals that come within this time are one: timeout(1) sends one to the process and one to its group.
const TOGETHER: Duration = Duration::from_millis(300);

/// The signals that ask to stop. From its making on they no longer end the process by themselves.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Inside of a runtime.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Heeds them for as long as this is polled.
    pub(crate) async fn heed(mut self, stop: Stop, screen: Screen) {
        self.next().await;
        stop.stop();
        screen.remark("stopping, to save what is there; once more leaves at once");
        let together = Instant::now() + TOGETHER;
        while timeout_at(together, self.next()).await.is_ok() {}
        self.next().await;
        // What was written is in the journal already: nothing is lost but the last sync.
        process::exit(exit::INTERRUPTED.into());
    }
}
