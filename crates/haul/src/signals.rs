//! Ctrl-C and its kin: the first one asks the transfers to stop and to save what is there, the second one leaves.
//!
//! On a thread of their own: transfers write to the disk on theirs, and a disk that hangs must not keep anybody here.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use haul_transfer::Stop;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use crate::exit;
use crate::screen::Screen;

/// Signals that come within this time are one: timeout(1) sends one to the process and one to its group.
const TOGETHER: Duration = Duration::from_millis(300);

/// The signals that ask to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// Heeds signals until the process ends. From the return on they no longer end it by themselves.
///
/// # Errors
/// Where the system has no room for a handler or a thread; then a signal ends the process, as it would anyway.
pub(crate) fn heed(stop: Stop, screen: Screen) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? }
    };
    let thread = thread::Builder::new().name("haul-signals".into());
    thread.spawn(move || runtime.block_on(signals.obeyed(stop, screen))).map(drop)
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn obeyed(mut self, stop: Stop, screen: Screen) {
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
