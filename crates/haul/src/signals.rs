//! Ctrl-C and its kin: the first one asks the transfers to stop and to save what is there, the second one leaves.
//!
//! On a thread of their own: transfers write to the disk on theirs, and a disk that hangs must not keep anybody here.

use std::io;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use haul_transfer::Stop;
use tokio::runtime::{self, Runtime};
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
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name("haul-signals".into()).spawn(move || match listening() {
        Ok((runtime, signals)) => {
            let _ = tell.send(Ok(()));
            runtime.block_on(signals.obeyed(stop, screen));
        }
        Err(error) => drop(tell.send(Err(error))),
    })?;
    told.recv().unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

/// Made on the thread that has it: a runtime can't be let go within another one.
fn listening() -> io::Result<(Runtime, Signals)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? }
    };
    Ok((runtime, signals))
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
        // Where nobody reads what is said it may never be said: nothing waits for it.
        let remark = move || screen.remark("stopping, to save what is there; once more leaves at once");
        let _ = thread::Builder::new().spawn(remark);
        let together = Instant::now() + TOGETHER;
        while timeout_at(together, self.next()).await.is_ok() {}
        self.next().await;
        // What was written is in the journal already: nothing is lost but the last sync.
        process::exit(exit::INTERRUPTED.into());
    }
}
