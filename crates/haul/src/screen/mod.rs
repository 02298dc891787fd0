//! How a run looks on standard error: live lines, plain lines, JSON events, or only failures.
//!
//! Screens are fed with [`Notice`]s and know nothing of transfers. All output of a run goes through one [`Screen`], so
//! that log lines and live lines never cut into each other and `--progress json` has nothing but JSON.

mod bar;
pub(crate) mod facts;
mod json;
pub(crate) mod map;
mod plain;
mod quiet;
mod sentence;
pub(crate) mod text;

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use haul_transfer::{Done, Failure, Notice, Watch};

use bar::{Bar, Bars};
use facts::Facts;
use json::Json;
use plain::Plain;
use quiet::Quiet;

/// Which of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Live lines.
    Bar,
    /// Lines for a log.
    Plain,
    /// JSON events.
    Json,
    /// Failures only.
    Quiet,
}

/// Writes one line, without its end, to where the screen is.
pub(crate) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// One job on a screen.
trait View: Send {
    /// Something happened at `now`.
    fn notice(&mut self, notice: &Notice, now: Instant);
    /// It ended well.
    fn done(&mut self, done: &Done);
    /// It ended without the file.
    fn failed(&mut self, failure: &Failure);
}

/// The screen of a run.
#[derive(Clone)]
pub(crate) struct Screen {
    style: Style,
    say: Say,
    bars: Option<Bars>,
}

impl Screen {
    /// A screen on standard error.
    pub(crate) fn new(style: Style) -> Self {
        let bars = (style == Style::Bar).then(Bars::new);
        let say = match &bars {
            Some(bars) => bars.say(),
            None => stderr(),
        };
        Self { style, say, bars }
    }

    /// A place for one more job.
    pub(crate) fn job(&self, facts: Facts) -> Shown {
        let say = Arc::clone(&self.say);
        let view: Box<dyn View> = match (self.style, &self.bars) {
            (Style::Bar, Some(bars)) => Box::new(Bar::new(facts, bars)),
            (Style::Bar | Style::Plain, _) => Box::new(Plain::new(facts, say)),
            (Style::Json, _) => Box::new(Json::new(facts, say)),
            (Style::Quiet, _) => Box::new(Quiet::new(facts, say)),
        };
        Shown(Arc::new(Mutex::new(view)))
    }

    /// Says something about the whole run.
    pub(crate) fn remark(&self, text: &str) {
        match self.style {
            Style::Bar | Style::Plain => (self.say)(&format!("haul: {}", text::safe(text))),
            Style::Json => (self.say)(&json::remark(text)),
            Style::Quiet => {}
        }
    }

    /// Says why the run could not begin.
    pub(crate) fn refused(&self, message: &str, code: u8) {
        match self.style {
            Style::Bar | Style::Plain | Style::Quiet => (self.say)(&format!("haul: {}", text::safe(message))),
            Style::Json => (self.say)(&json::refused(message, code)),
        }
    }

    /// Where log lines go.
    pub(crate) fn say(&self) -> Say {
        Arc::clone(&self.say)
    }
}

fn stderr() -> Say {
    Arc::new(|line| {
        // One write a line, so that lines of several processes don't mix. Nobody may be listening any more, which
        // is no reason to stop a transfer.
        let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    })
}

/// One job's place on the screen.
#[derive(Clone)]
pub(crate) struct Shown(Arc<Mutex<Box<dyn View>>>);

impl Shown {
    /// What the transfer tells goes to this place.
    pub(crate) fn watch(&self) -> Watch {
        let place = self.clone();
        Arc::new(move |notice| place.with(|view| view.notice(&notice, Instant::now())))
    }

    /// It ended.
    pub(crate) fn ended(&self, outcome: &Result<Done, Failure>) {
        self.with(|view| match outcome {
            Ok(done) => view.done(done),
            Err(failure) => view.failed(failure),
        });
    }

    fn with(&self, act: impl FnOnce(&mut dyn View)) {
        act(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job called `a.iso`.
    pub(super) fn facts() -> Facts {
        let (name, url) = ("a.iso".to_owned(), "http://h/a.iso".to_owned());
        Facts { name, url, file: None, size: None, kept: 0, sends: false }
    }

    /// Somewhere to say things, and what was said.
    pub(super) fn recorder() -> (Say, impl Fn() -> Vec<String>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let say: Say = Arc::new(move |line| heard.lock().unwrap().push(line.to_owned()));
        (say, move || lines.lock().unwrap().clone())
    }
}
