//! What the libraries warn of, as lines of the server's log: an upload that could not be kept, a record that stays. They
//! know no log, and whoever runs the server should know.

use std::io;

use haul_server::log::{Event, Log};
use tracing::level_filters::LevelFilter;

/// From now on warnings go to `log`.
pub(crate) fn start(log: &Log) {
    let log = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .without_time()
        .with_writer(move || Lines { log: log.clone() });
    // Somebody else listens already only where several servers live in one process: then they hear it.
    let _ = subscriber.try_init();
}

/// Hands on each warning, which tracing writes in one piece.
struct Lines {
    log: Log,
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let what = String::from_utf8_lossy(bytes).trim_end().to_owned();
        self.log.tell(Event::Problem { what });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
