//! What the demo says on standard output: headings, commands as one types them, what came of them, and on a terminal a
//! line that moves while something is under way.

use std::cell::Cell;
use std::io::{self, Write as _};

use console::{Term, style};
use haul_core::{ByteRange, RangeSet};

use crate::human;
use crate::screen::map::{self, Ink};
use crate::screen::text::safe;

/// How wide a map is; that of `haul status` is as wide.
const MAP: usize = 60;
/// How wide the bar of the live line is.
const BAR: usize = 30;

/// Standard output.
pub(super) struct Show {
    terminal: bool,
    ink: Ink,
    /// Whether a live line is there, to be cleared.
    live: Cell<bool>,
}

impl Show {
    pub(super) fn new() -> Self {
        let ink = Ink::of_locale(|name| std::env::var(name).ok());
        Self { terminal: Term::stdout().is_term(), ink, live: Cell::new(false) }
    }

    /// A line that begins something.
    pub(super) fn heading(&self, text: &str) {
        self.write(&format!("\n{}\n", style(text).bold()));
    }

    /// A command, as it would be typed.
    pub(super) fn command(&self, words: &[String]) {
        self.write(&format!("{} haul {}\n", style("$").dim(), words.join(" ")));
    }

    /// What came of it. What others have said may be in it.
    pub(super) fn line(&self, text: &str) {
        self.write(&format!("  {}\n", safe(text)));
    }

    /// Lines as they are: they are ours, and may have colours.
    pub(super) fn lines(&self, text: &str) {
        self.write(text);
    }

    /// The map of a file of which the first `held` bytes are there.
    pub(super) fn map(&self, held: u64, size: u64) {
        let held: RangeSet = ByteRange::new(0, held).into_iter().collect();
        self.line(&format!("map        {}", map::render(size, &held, &[], MAP, self.ink)));
    }

    /// The line that moves: bytes there, of how many, cuts so far; `None` clears it.
    pub(super) fn live(&self, now: Option<(u64, u64, u64)>) {
        if !self.terminal {
            return;
        }
        let Some((done, size, cuts)) = now else { return self.write("") };
        let held: RangeSet = ByteRange::new(0, done.min(size)).into_iter().collect();
        let bar = map::render(size, &held, &[], BAR, self.ink);
        let figures = format!("{} of {}, {cuts} cuts", human::size(done), human::size(size));
        self.write(&format!("  {bar} {}", style(figures).dim()));
        self.live.set(true);
    }

    /// Nobody may be listening any more; the exit code tells all the same.
    fn write(&self, text: &str) {
        let clear = if self.live.replace(false) { "\r\x1b[K" } else { "" };
        let mut out = io::stdout().lock();
        let _ = write!(out, "{clear}{text}").and_then(|()| out.flush());
    }
}
