//! How far a transfer is: counted where bytes move, read where somebody asks.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::metrics::Meter;

impl crate::house::Counting for Figures {
    fn moved(&self) -> u64 {
        self.moved()
    }
}

/// A running transfer's count.
#[derive(Debug)]
pub(super) struct Figures {
    moved: AtomicU64,
    began: Instant,
    /// Set when no further byte may be sent: whoever moves them on another thread looks here.
    halted: AtomicBool,
    /// Where they are added up with others', of a file.
    meter: Option<Meter>,
    /// Another file had the name before, where somebody looks.
    replaced: AtomicBool,
}

impl Figures {
    pub(super) fn new(meter: Option<Meter>) -> Self {
        Self {
            moved: AtomicU64::new(0),
            began: Instant::now(),
            halted: AtomicBool::new(false),
            meter,
            replaced: AtomicBool::new(false),
        }
    }

    pub(super) fn add(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(meter) = &self.meter {
            meter.add(bytes as u64);
        }
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    pub(super) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn replaces(&self, another: bool) {
        self.replaced.store(another, Ordering::Relaxed);
    }

    pub(super) fn has_replaced(&self) -> bool {
        self.replaced.load(Ordering::Relaxed)
    }

    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// One line of them.
    pub(super) fn line(&self) -> String {
        let (moved, took) = (self.moved(), self.took().as_secs_f64());
        let mut line = format!("{moved} bytes in {took:.3} s");
        if took > 0.0 {
            // Whatever it is, it can be written to a string.
            let _ = write!(line, " ({:.2} MB/s)", moved as f64 / took / 1e6);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_is_told_in_one_line() {
        let figures = Figures::new(None);
        figures.add(5);
        figures.add(7);
        let line = figures.line();
        assert!(line.starts_with("12 bytes in ") && line.ends_with(" MB/s)"), "{line}");
    }
}
