//! Lines for a log: what happens as it happens, and how far it is every few seconds.

use std::time::{Duration, Instant};

use haul_transfer::{Done, Failure, Notice, Progress};

use super::facts::Facts;
use super::text::safe;
use super::{Say, View, sentence};
use crate::human;

/// How long between two lines that only say how far it is.
const PACE: Duration = Duration::from_secs(5);

/// One job in lines of text.
pub(crate) struct Plain {
    facts: Facts,
    say: Say,
    told: Option<Instant>,
}

impl Plain {
    /// The job of `facts`, told to `say`.
    pub(crate) fn new(facts: Facts, say: Say) -> Self {
        Self { facts, say, told: None }
    }

    fn progress(&self, progress: &Progress) -> String {
        let Facts { name, .. } = &self.facts;
        let (done, rate) = (human::size(progress.done), human::rate(progress.rate));
        let Some(size) = progress.size.or(self.facts.size) else {
            return format!("{name}: {done}, {rate}");
        };
        let percent = human::percent(progress.done, size);
        let left = match human::time_left(size.saturating_sub(progress.done), progress.rate) {
            Some(time) => format!(", {time} left"),
            None => String::new(),
        };
        format!("{name}: {percent}%, {done} of {}, {rate}{left}", human::size(size))
    }
}

impl View for Plain {
    fn notice(&mut self, notice: &Notice, now: Instant) {
        self.facts.note(notice);
        let name = &self.facts.name;
        let line = match notice {
            Notice::Start { .. } => sentence::start(&self.facts),
            Notice::Resumed { .. } => sentence::resumed(&self.facts),
            Notice::Remark(text) => format!("{name}: {}", safe(text)),
            Notice::Changed { what, dropped } => sentence::changed(&self.facts, what, *dropped),
            Notice::Retry { after, why, strikes } => {
                format!("{name}: {}; retry {strikes} in {}", safe(why), human::time(*after))
            }
            Notice::Progress(progress) => {
                // The first one only sets the clock: the line of the start has just been told.
                let due = *self.told.get_or_insert(now) + PACE;
                if now < due {
                    return;
                }
                self.told = Some(now);
                self.progress(progress)
            }
        };
        (self.say)(&line);
    }

    fn done(&mut self, done: &Done) {
        self.facts.is_at(done.target.as_deref());
        (self.say)(&sentence::done(&self.facts, done));
    }

    fn failed(&mut self, failure: &Failure) {
        self.facts.is_at(failure.target.as_deref());
        (self.say)(&sentence::failed(&self.facts, failure));
    }
}

#[cfg(test)]
mod tests {
    use haul_transfer::Kind;

    use super::super::tests::{facts, recorder};
    use super::*;

    fn at(done: u64, size: Option<u64>) -> Notice {
        Notice::Progress(Progress { size, done, rate: 1024.0, ..Progress::default() })
    }

    #[test]
    fn progress_is_told_every_few_seconds_and_not_more() {
        let (say, said) = recorder();
        let mut plain = Plain::new(facts(), say);
        let begin = Instant::now();
        plain.notice(&Notice::Start { size: Some(102_400), target: Some("d/a.iso".into()) }, begin);
        plain.notice(&Notice::Resumed { kept: 1024 }, begin);
        for tenth in 0..=105 {
            plain.notice(&at(tenth * 100, None), begin + Duration::from_millis(tenth * 100));
        }
        assert_eq!(
            said(),
            [
                "a.iso: 100.0 KiB from http://h/a.iso",
                "a.iso: resumed at 1%, 1.0 KiB kept",
                "a.iso: 4%, 4.9 KiB of 100.0 KiB, 1.0 KiB/s, 1m 36s left",
                "a.iso: 9%, 9.8 KiB of 100.0 KiB, 1.0 KiB/s, 1m 31s left",
            ]
        );
    }

    #[test]
    fn an_unknown_size_has_no_percent_and_no_time_left() {
        let (say, said) = recorder();
        let mut plain = Plain::new(facts(), say);
        let begin = Instant::now();
        plain.notice(&at(0, None), begin);
        plain.notice(&at(2048, None), begin + PACE);
        assert_eq!(said(), ["a.iso: 2.0 KiB, 1.0 KiB/s"]);
    }

    #[test]
    fn a_retry_says_why_and_when() {
        let (say, said) = recorder();
        let mut plain = Plain::new(facts(), say);
        let retry = Notice::Retry { after: Duration::from_millis(1500), why: "reset\x07".into(), strikes: 3 };
        plain.notice(&retry, Instant::now());
        plain.failed(&Failure::new(Kind::Refused, "404 Not Found"));
        assert_eq!(said(), ["a.iso: reset\\u{7}; retry 3 in 1.5s", "haul: a.iso: 404 Not Found"]);
    }
}
