//! One JSON object a line, for programs (cli.md, "Output"). Names and meanings of members are a contract.

use std::path::Path;
use std::time::{Duration, Instant};

use haul_transfer::{Done, Failure, LaneView, Notice};
use serde::Serialize;

use super::facts::Facts;
use super::text::{safe, safe_json};
use super::{Say, View, sentence};
use crate::exit;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Start {
        file: Option<String>,
        url: &'a str,
        size: Option<u64>,
    },
    Resumed {
        file: Option<String>,
        kept: u64,
    },
    Remark {
        file: Option<String>,
        text: &'a str,
    },
    Changed {
        file: Option<String>,
        what: &'a str,
        dropped: u64,
    },
    Retry {
        file: Option<String>,
        after: f64,
        why: &'a str,
        strikes: u32,
    },
    Progress {
        file: Option<String>,
        size: Option<u64>,
        done: u64,
        rate: u64,
        lanes: Vec<Lane>,
    },
    Done {
        file: Option<String>,
        size: u64,
        fetched: u64,
        kept: u64,
        seconds: f64,
        verified: &'a str,
        already: bool,
    },
    Failed {
        file: Option<String>,
        url: Option<&'a str>,
        code: u8,
        message: &'a str,
        kept: u64,
        advice: Option<&'a str>,
    },
}

/// `[from, pos, end]`; the end is null where it is the file's end, wherever that is.
#[derive(Serialize)]
struct Lane(u64, u64, Option<u64>);

impl Event<'_> {
    fn line(&self) -> String {
        // Serialising these shapes has no way to fail; an empty line would be the mildest that could come of it.
        let json = serde_json::to_string(self).unwrap_or_default();
        safe_json(&json).into_owned()
    }
}

/// A run that could not begin, as a `failed` of no file.
pub(crate) fn refused(message: &str, code: u8) -> String {
    let (file, url) = (None, None);
    Event::Failed { file, url, code, message: &safe(message), kept: 0, advice: None }.line()
}

/// Something about the whole run, as a `remark` of no file.
pub(crate) fn remark(text: &str) -> String {
    Event::Remark { file: None, text: &safe(text) }.line()
}

/// One job as events.
pub(crate) struct Json {
    facts: Facts,
    say: Say,
}

impl Json {
    /// The job of `facts`, told to `say`.
    pub(crate) fn new(facts: Facts, say: Say) -> Self {
        Self { facts, say }
    }

    fn file(&self) -> Option<String> {
        self.facts.file.as_deref().map(Path::to_string_lossy).map(String::from)
    }
}

/// Milliseconds are as exact as anybody can use.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

impl View for Json {
    fn notice(&mut self, notice: &Notice, _now: Instant) {
        self.facts.note(notice);
        let file = self.file();
        let event = match notice {
            Notice::Start { size, .. } => Event::Start { file, url: &self.facts.url, size: *size },
            Notice::Resumed { kept } => Event::Resumed { file, kept: *kept },
            Notice::Remark(text) => Event::Remark { file, text },
            Notice::Changed { what, dropped } => Event::Changed { file, what, dropped: *dropped },
            Notice::Retry { after, why, strikes } => {
                Event::Retry { file, after: seconds(*after), why, strikes: *strikes }
            }
            Notice::Progress(progress) => Event::Progress {
                file,
                size: self.facts.size,
                done: progress.done,
                // The cast saturates, and makes 0 of what is no number.
                rate: progress.rate.round() as u64,
                lanes: progress
                    .lanes
                    .iter()
                    .map(|&LaneView { from, pos, end }| Lane(from, pos, end))
                    .collect(),
            },
        };
        (self.say)(&event.line());
    }

    fn done(&mut self, done: &Done) {
        self.facts.is_at(done.target.as_deref());
        let event = Event::Done {
            file: self.file(),
            size: done.size,
            fetched: done.fetched,
            kept: done.kept,
            seconds: seconds(done.took),
            verified: done.verified.word(),
            already: done.already,
        };
        (self.say)(&event.line());
    }

    fn failed(&mut self, failure: &Failure) {
        self.facts.is_at(failure.target.as_deref());
        let event = Event::Failed {
            file: self.file(),
            url: Some(&self.facts.url),
            code: exit::code(failure.kind),
            message: &failure.message,
            kept: failure.kept,
            advice: sentence::advice(failure),
        };
        (self.say)(&event.line());
    }
}

#[cfg(test)]
mod tests {
    use haul_core::transfer::Basis;
    use haul_transfer::{Kind, Progress, Verified};

    use super::super::tests::{facts, recorder};
    use super::*;

    #[test]
    fn events_have_the_shape_of_the_contract() {
        let (say, said) = recorder();
        let mut json = Json::new(facts(), say);
        let now = Instant::now();
        json.notice(&Notice::Start { size: Some(100), target: Some("d/a.iso".into()) }, now);
        json.notice(&Notice::Resumed { kept: 10 }, now);
        json.notice(&Notice::Changed { what: "etag".into(), dropped: 10 }, now);
        let retry = Notice::Retry { after: Duration::from_millis(1500), why: "reset".into(), strikes: 2 };
        json.notice(&retry, now);
        let lanes =
            vec![LaneView { from: 0, pos: 5, end: Some(50) }, LaneView { from: 50, pos: 60, end: None }];
        let progress = Progress { size: Some(100), done: 15, rate: 7.6, lanes, ..Progress::default() };
        json.notice(&Notice::Progress(progress), now);
        json.done(&Done {
            target: Some("d/a.iso".into()),
            size: 100,
            fetched: 90,
            kept: 0,
            took: Duration::from_millis(1234),
            verified: Verified::By(Basis::ETag),
            already: false,
        });
        json.failed(&Failure { kept: 15, ..Failure::new(Kind::Network, "gave up") });
        assert_eq!(
            said(),
            [
                r#"{"event":"start","file":"d/a.iso","url":"http://h/a.iso","size":100}"#,
                r#"{"event":"resumed","file":"d/a.iso","kept":10}"#,
                r#"{"event":"changed","file":"d/a.iso","what":"etag","dropped":10}"#,
                r#"{"event":"retry","file":"d/a.iso","after":1.5,"why":"reset","strikes":2}"#,
                concat!(
                    r#"{"event":"progress","file":"d/a.iso","size":100,"done":15,"rate":8,"#,
                    r#""lanes":[[0,5,50],[50,60,null]]}"#
                ),
                concat!(
                    r#"{"event":"done","file":"d/a.iso","size":100,"fetched":90,"kept":0,"seconds":1.234,"#,
                    r#""verified":"etag","already":false}"#
                ),
                concat!(
                    r#"{"event":"failed","file":"d/a.iso","url":"http://h/a.iso","code":3,"#,
                    r#""message":"gave up","kept":15,"advice":"the same command again goes on from there"}"#
                ),
            ]
        );
    }

    #[test]
    fn a_name_with_control_characters_stays_on_one_harmless_line() {
        let (say, said) = recorder();
        let mut json = Json::new(facts(), say);
        let name = "a\n\u{9b}2J\u{202e}.iso";
        json.notice(&Notice::Start { size: None, target: Some(name.into()) }, Instant::now());
        let [line] = &said()[..] else { panic!("one line") };
        assert!(!line.contains(haul_transfer::is_harmful), "{line}");
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["file"], name);
        assert_eq!(read["size"], serde_json::Value::Null);
    }

    #[test]
    fn bad_input_is_a_failure_of_no_file() {
        assert_eq!(
            refused("no URL", exit::USAGE),
            r#"{"event":"failed","file":null,"url":null,"code":2,"message":"no URL","kept":0,"advice":null}"#
        );
    }
}
