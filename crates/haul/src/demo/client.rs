//! One run of `haul get` or `haul put` over the link: what it tells as JSON, and its end, by itself or by kill -9.

use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Trouble;
use super::children::{Haul, Running};
use super::link::{Figures, Link};
use super::show::Show;

/// Far more than any run takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the live line is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// What a run told of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Bytes of an earlier run that it goes on from.
    pub(super) kept: Option<u64>,
    /// The far end's file is another one, and so many bytes were dropped.
    pub(super) changed: Option<u64>,
    /// What the result rests on.
    pub(super) verified: Option<String>,
    /// Why it failed.
    pub(super) failed: Option<String>,
    /// Bytes that are at their place.
    done: u64,
    /// The file's size.
    size: Option<u64>,
}

impl Told {
    /// Takes one line of JSON; whatever else is said is kept as the reason of a failure to come.
    fn take(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            self.failed = Some(line.to_owned());
            return;
        };
        let number = |name: &str| event[name].as_u64();
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        match event["event"].as_str() {
            Some("resumed") => self.kept = number("kept"),
            Some("changed") => {
                self.kept = None;
                self.changed = number("dropped");
            }
            Some("progress") => {
                self.done = number("done").unwrap_or(self.done);
                self.size = number("size").or(self.size);
            }
            Some("done") => self.verified = text("verified"),
            Some("failed") => self.failed = text("message"),
            _ => {}
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    /// By us.
    Killed,
    /// By itself.
    Ended(ExitStatus),
}

/// A run, from its start to its end.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) told: Told,
    pub(super) end: End,
    pub(super) took: Duration,
    /// What the link carried of it.
    pub(super) over: Figures,
}

/// What is run.
pub(super) struct Job<'a> {
    pub(super) haul: &'a Haul,
    pub(super) link: &'a Link,
    pub(super) show: &'a Show,
    /// Where it is run.
    pub(super) dir: &'a Path,
    /// What is typed behind `haul`.
    pub(super) words: Vec<String>,
}

impl Job<'_> {
    /// Runs it to its end, or until the link has carried so many bytes of it.
    pub(super) async fn run(&self, kill_at: Option<u64>) -> Result<Run, Trouble> {
        self.show.command(&self.words);
        let mut words = self.words.clone();
        words.splice(1..1, ["--progress".to_owned(), "json".to_owned()]);
        let before = self.link.figures();
        let begun = Instant::now();
        let mut process = self.haul.start(&words, self.dir)?;
        let mut told = Told::default();
        let watched = self.watch(&mut process, &mut told, kill_at.map(|bytes| total(before) + bytes));
        let killed = match timeout(PATIENCE, watched).await {
            Ok(killed) => killed,
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                return Err(Trouble(format!("haul {} was not done in {seconds} s", self.words.join(" "))));
            }
        };
        let end = if killed {
            process.kill();
            // What is on its way goes with it: a machine that dies sends nothing more.
            self.link.fail();
            End::Killed
        } else {
            End::Ended(process.ended()?)
        };
        self.show.live(None);
        let (took, after) = (begun.elapsed(), self.link.figures());
        let over = Figures {
            up: after.up - before.up,
            down: after.down - before.down,
            cuts: after.cuts - before.cuts,
        };
        Ok(Run { told, end, took, over })
    }

    /// Listens until the process ends, or the link has carried so much; whether it was the latter.
    async fn watch(&self, process: &mut Running, told: &mut Told, kill_at: Option<u64>) -> bool {
        let enough = async {
            match kill_at {
                Some(bytes) => self.link.until(|figures| total(*figures) >= bytes).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(enough);
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                line = process.err.recv() => match line {
                    Some(line) => told.take(&line),
                    None => return false,
                },
                () = &mut enough => return true,
                _ = frames.tick() => {
                    self.show.live(told.size.map(|size| (told.done, size, self.link.figures().cuts)));
                }
            }
        }
    }
}

fn total(figures: Figures) -> u64 {
    figures.up + figures.down
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_tells_is_understood() {
        let mut told = Told::default();
        told.take(r#"{"event":"resumed","file":"a","kept":40}"#);
        assert_eq!(told.kept, Some(40));
        told.take(r#"{"event":"changed","file":"a","what":"etag","dropped":40}"#);
        told.take(r#"{"event":"progress","file":"a","size":100,"done":60,"rate":8,"lanes":[]}"#);
        told.take(r#"{"event":"done","file":"a","size":100,"verified":"etag"}"#);
        let expected = Told {
            kept: None,
            changed: Some(40),
            verified: Some("etag".into()),
            failed: None,
            done: 60,
            size: Some(100),
        };
        assert_eq!(told, expected);
        told.take(r#"{"event":"failed","code":3,"message":"gave up"}"#);
        assert_eq!(told.failed.as_deref(), Some("gave up"));
        told.take("no JSON at all");
        assert_eq!(told.failed.as_deref(), Some("no JSON at all"));
    }
}
