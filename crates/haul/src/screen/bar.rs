//! One live line for each job on a terminal, and one line that stays when it has ended.
//!
//! ```text
//! a.iso   42%   430.1 MiB of 1.0 GiB    20.1 MiB/s      30s left   4 lanes  ████▓>····██>·····
//! ```
//! The map of the ranges is drawn where the terminal is wide. indicatif draws, and keeps to the terminal's width and
//! to ten times a second; what stands in the line is decided here.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::{Term, measure_text_width, truncate_str};
use haul_transfer::{Done, Failure, Notice, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::facts::Facts;
use super::map::{self, Ink};
use super::text::safe;
use super::{Say, View, sentence};
use crate::human;

/// From this many columns on there is a map.
const WIDE: usize = 100;
/// The narrowest and the widest map.
const MAP: std::ops::RangeInclusive<usize> = 10..=80;
/// The fewest and the most columns of a name in the live line.
const NAME: std::ops::RangeInclusive<usize> = 8..=32;
/// A name cut shorter than this is reason enough to leave other things out.
const NAME_WANTED: usize = 20;

/// All live lines of this run.
#[derive(Clone)]
pub(crate) struct Bars {
    all: MultiProgress,
    ink: Ink,
}

impl Bars {
    /// Live lines on standard error.
    pub(crate) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { all, ink: Ink::of_locale(|name| std::env::var(name).ok()) }
    }

    /// Writes a line above the live ones.
    pub(crate) fn say(&self) -> Say {
        let all = self.all.clone();
        Arc::new(move |line| {
            // A terminal that is gone is no reason to stop a transfer.
            let _ = all.suspend(|| writeln!(io::stderr().lock(), "{line}"));
        })
    }
}

/// Why nothing comes, until something does.
struct Trouble {
    why: String,
    strikes: u32,
    due: Instant,
    done: u64,
}

/// One job as a live line.
pub(crate) struct Bar {
    facts: Facts,
    bars: Bars,
    line: ProgressBar,
    say: Say,
    last: Progress,
    trouble: Option<Trouble>,
}

impl Bar {
    /// The job of `facts`, below the lines that are there.
    pub(crate) fn new(facts: Facts, bars: &Bars) -> Self {
        let line = bars.all.add(ProgressBar::no_length());
        // `wide_msg` cuts at the terminal's width, whatever that is when the line is drawn.
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            line.set_style(style);
        }
        line.set_message(format!("{}  connecting", facts.name));
        let (bars, say) = (bars.clone(), bars.say());
        Self { facts, bars, line, say, last: Progress::default(), trouble: None }
    }

    fn draw(&mut self, now: Instant) {
        let (_rows, columns) = Term::stderr().size();
        let waits = self.trouble.as_ref().map(|trouble| {
            let after = trouble.due.saturating_duration_since(now);
            (trouble.why.as_str(), trouble.strikes, after)
        });
        let message = live(&self.facts, &self.last, waits, usize::from(columns), self.bars.ink);
        self.line.set_message(message);
    }

    fn end(&self, line: &str) {
        self.line.finish_and_clear();
        self.bars.all.remove(&self.line);
        (self.say)(line);
    }
}

impl View for Bar {
    fn notice(&mut self, notice: &Notice, now: Instant) {
        self.facts.note(notice);
        match notice {
            Notice::Progress(progress) => {
                self.trouble.take_if(|trouble| trouble.done != progress.done);
                self.last = progress.clone();
            }
            Notice::Retry { after, why, strikes } => {
                let (why, done) = (safe(why).into_owned(), self.last.done);
                self.trouble = Some(Trouble { why, strikes: *strikes, due: now + *after, done });
            }
            Notice::Start { .. } => {}
            Notice::Resumed { .. } => (self.say)(&sentence::resumed(&self.facts)),
            Notice::Remark(text) => (self.say)(&format!("{}: {}", self.facts.name, safe(text))),
            Notice::Changed { what, dropped } => {
                (self.say)(&sentence::changed(&self.facts, what, *dropped));
            }
        }
        self.draw(now);
    }

    fn done(&mut self, done: &Done) {
        self.facts.is_at(done.target.as_deref());
        self.end(&sentence::done(&self.facts, done));
    }

    fn failed(&mut self, failure: &Failure) {
        self.facts.is_at(failure.target.as_deref());
        self.end(&sentence::failed(&self.facts, failure));
    }
}

/// The live line; `waits` is why nothing comes, how often that was so, and when it is tried again.
fn live(
    facts: &Facts,
    progress: &Progress,
    waits: Option<(&str, u32, Duration)>,
    columns: usize,
    ink: Ink,
) -> String {
    let size = progress.size.or(facts.size);
    let behind = |rest: String| {
        let room = columns.saturating_sub(measure_text_width(&rest)).clamp(*NAME.start(), *NAME.end());
        truncate_str(&facts.name, room, "…").into_owned() + &rest
    };
    if let Some((why, strikes, after)) = waits {
        let far = how_far(progress, size, Form::Full);
        let name = truncate_str(&facts.name, (columns / 3).clamp(*NAME.start(), *NAME.end()), "…");
        return format!("{name}{far}  retry {strikes} in {}s: {why}", after.as_secs_f64().ceil());
    }
    let full = how_far(progress, size, Form::Full) + &how_fast(progress, size, Form::Full);
    let wanted = measure_text_width(&facts.name).min(NAME_WANTED);
    if columns < measure_text_width(&full) + wanted {
        return behind(how_far(progress, size, Form::Short) + &how_fast(progress, size, Form::Short));
    }
    let mut line = behind(full);
    let room = columns.saturating_sub(measure_text_width(&line) + 2);
    if let Some(size) = size.filter(|_| columns >= WIDE && room >= *MAP.start()) {
        let cells = room.min(*MAP.end());
        line += &format!("  {}", map::render(size, &progress.held, &progress.lanes, cells, ink));
    }
    line
}

/// How much a live line says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Everything.
    Full,
    /// What fits into a narrow terminal: neither the whole size nor the lanes.
    Short,
}

fn how_far(progress: &Progress, size: Option<u64>, form: Form) -> String {
    let done = human::size(progress.done);
    match size {
        Some(size) => {
            let percent = human::percent(progress.done, size);
            let of = if form == Form::Full { format!(" of {}", human::size(size)) } else { String::new() };
            format!("  {percent:>3}%  {done:>10}{of}")
        }
        None => format!("  {done:>10}"),
    }
}

/// Of fixed widths, so that the map behind it does not jump about.
fn how_fast(progress: &Progress, size: Option<u64>, form: Form) -> String {
    let mut text = format!("  {:>12}", human::rate(progress.rate));
    let missing = size.map(|size| size.saturating_sub(progress.done));
    match missing.and_then(|missing| human::time_left(missing, progress.rate)) {
        Some(time) => text += &format!("  {time:>7} left"),
        None if size.is_some() => text += &" ".repeat(14),
        None => {}
    }
    if form == Form::Full {
        let lanes = progress.lanes.len();
        text += &format!("  {lanes:>2} {:<5}", if lanes == 1 { "lane" } else { "lanes" });
    }
    text
}

#[cfg(test)]
mod tests {
    use haul_core::ByteRange;
    use haul_transfer::LaneView;

    use super::super::tests::facts;
    use super::*;

    fn progress() -> Progress {
        Progress {
            size: Some(1000),
            done: 250,
            rate: 25.0,
            lanes: vec![
                LaneView { from: 0, pos: 250, end: Some(500) },
                LaneView { from: 500, pos: 500, end: None },
            ],
            held: ByteRange::new(0, 250).into_iter().collect(),
        }
    }

    #[test]
    fn a_narrow_terminal_has_no_map() {
        let line = live(&facts(), &progress(), None, 99, Ink::ASCII);
        assert_eq!(line, "a.iso   25%       250 B of 1000 B        25 B/s      30s left   2 lanes");
    }

    #[test]
    fn a_wide_terminal_is_filled_with_the_map() {
        for columns in [100, 120, 1000] {
            let line = live(&facts(), &progress(), None, columns, Ink::BLOCKS);
            let map = line.rsplit("  ").next().unwrap();
            assert!(measure_text_width(&line) <= columns);
            assert_eq!(map.chars().filter(|c| *c == '>').count(), 2, "{line}");
            assert!(map.starts_with("█████") && map.ends_with('·'), "{line}");
        }
    }

    #[test]
    fn a_long_name_leaves_room_for_the_rest() {
        let long = Facts { name: "ファイル".repeat(40), ..facts() };
        let line = live(&long, &progress(), None, 120, Ink::ASCII);
        assert!(
            line.contains("…  ") && line.contains("2 lanes") && measure_text_width(&line) <= 120,
            "{line}"
        );
    }

    #[test]
    fn a_narrow_terminal_shows_rate_and_time_left_before_all_else() {
        let long = Facts { name: "debian-12.7.0-amd64-netinst.iso".into(), ..facts() };
        let line = live(&long, &progress(), None, 60, Ink::ASCII);
        assert_eq!(line, "debian-12.7.0…   25%       250 B        25 B/s      30s left");
        let line = live(&long, &progress(), None, 80, Ink::ASCII);
        assert_eq!(line, "debian-12.7.0-amd64-netinst.iso   25%       250 B        25 B/s      30s left");
        assert!(live(&facts(), &progress(), None, 80, Ink::ASCII).contains("250 B of 1000 B"));
        assert!(live(&long, &progress(), None, 10, Ink::ASCII).starts_with("debian-…  "));
    }

    #[test]
    fn an_unknown_size_has_neither_percent_nor_time_nor_map() {
        let unknown = Progress { size: None, lanes: Vec::new(), ..progress() };
        assert_eq!(
            live(&facts(), &unknown, None, 200, Ink::ASCII),
            "a.iso       250 B        25 B/s   0 lanes"
        );
    }

    #[test]
    fn while_it_waits_the_line_says_why_and_how_long() {
        let waits = Some(("connection refused", 3, Duration::from_millis(1200)));
        let line = live(&facts(), &progress(), waits, 120, Ink::ASCII);
        assert_eq!(line, "a.iso   25%       250 B of 1000 B  retry 3 in 2s: connection refused");
    }
}
