//! `-v`: what the libraries trace, as lines on the screen.

use std::io;

use tracing::level_filters::LevelFilter;

use crate::screen::Say;
use crate::screen::text::safe;

/// From now on traces go to `say`: those that tell what is done where `verbose` is 1, all of them where it is more.
pub(crate) fn start(verbose: u8, say: Say) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_writer(move || Lines { say: say.clone() })
        .init();
}

/// Hands on each event, which tracing writes in one piece.
struct Lines {
    say: Say,
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(|line| (self.say)(&safe(line)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
