//! The steps: a download and two uploads that are killed, and a download whose file changes in between.
//!
//! Each has a file and a link of its own. A verdict rests on the bytes of the result, on what the second run told, and
//! on what the link has carried: that it went on, and did not merely begin anew.

use std::path::Path;

use super::Trouble;
use super::children::{Haul, Server};
use super::client::{End, Job, Run};
use super::link::{Link, Speech, Weather};
use super::scratch::{self, Scratch};
use super::show::Show;
use super::table::{Row, Verdict};
use crate::human;

/// Seconds that a file takes over the link.
const PASSAGE: f64 = 2.0;
/// A connection carries this part of a file, and is cut.
const PART: u64 = 16;
/// Where more than this part of a file is sent twice, or less than this part is kept, nothing was resumed.
const RESUMED: u64 = 8;

/// A step.
pub(super) struct Step {
    heading: &'static str,
    name: &'static str,
    file: &'static str,
    way: Way,
    /// What is said where all is well.
    well: &'static str,
}

/// Which way the file goes, and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Down,
    Up(Speech),
    /// Down, and the server gets another one in its place after the kill.
    Changing,
}

/// All of them.
pub(super) const STEPS: [Step; 4] = [
    Step {
        heading: "1. A download, killed in the middle",
        name: "download",
        file: "disk.img",
        way: Way::Down,
        well: "whole, every byte right",
    },
    Step {
        heading: "2. An upload, killed in the middle",
        name: "upload by HTTP",
        file: "film.mkv",
        way: Way::Up(Speech::Http),
        well: "whole, every byte right",
    },
    Step {
        heading: "3. The same over FTP",
        name: "upload by FTP",
        file: "music.flac",
        way: Way::Up(Speech::Ftp),
        well: "whole, every byte right",
    },
    Step {
        heading: "4. A download, killed, and meanwhile the server's file is replaced",
        name: "changed file",
        file: "nightly.iso",
        way: Way::Changing,
        well: "the new one, whole, no mix",
    },
];

/// What all steps have in common.
pub(super) struct Stage<'a> {
    scratch: &'a Scratch,
    show: &'a Show,
    haul: Haul,
    server: Server,
    size: u64,
    weather: Weather,
}

impl<'a> Stage<'a> {
    /// Starts the server.
    pub(super) async fn set(scratch: &'a Scratch, show: &'a Show, size: u64) -> Result<Self, Trouble> {
        let weather = Weather { rate: (size as f64 / PASSAGE) as u64, cut_after: size / PART };
        show.lines(&format!(
            "Files of {} go over a link of {} that cuts each connection after {}.\n\
             Everything is on this machine, below {}.\n",
            human::size(size),
            human::rate(weather.rate as f64),
            human::size(weather.cut_after),
            scratch.root().display(),
        ));
        show.heading("A server");
        let haul = Haul::new(scratch)?;
        let words = ["serve", "--http", "127.0.0.1:0", "--ftp", "127.0.0.1:0", "--anonymous", "rw", "served"];
        let words = words.map(str::to_owned);
        show.command(&words);
        let server = haul.serve(&words, scratch.root()).await?;
        show.line(&format!("listening: http {}, ftp {}", server.http, server.ftp));
        Ok(Self { scratch, show, haul, server, size, weather })
    }

    /// Plays one step.
    pub(super) async fn play(&self, step: &Step, seed: u64) -> Result<Row, Trouble> {
        let Self { scratch, show, size, .. } = *self;
        show.heading(step.heading);
        let (served, here) = (scratch.served().join(step.file), scratch.here().join(step.file));
        let (original, result) = if step.way.is_up() { (here, served) } else { (served, here) };
        scratch::make(&original, seed, size)?;
        let link = self.link(step).await?;
        let dir = scratch.here();
        let words = step.words(&link);
        let job = Job { haul: &self.haul, link: &link, show, dir: &dir, words };

        let first = job.run(Some(size * 2 / 5)).await?;
        let End::Killed = first.end else {
            return Err(Trouble(format!("{} ended before it could be killed: {}", step.name, why(&first))));
        };
        show.line(&format!(
            "killed with -9 after {}; the link had cut {}",
            human::time(first.took),
            cuts(&first)
        ));
        if !step.way.is_up() {
            self.status(step.file, &dir).await?;
        }
        if step.way == Way::Changing {
            // No seed of another step: nothing of it is anywhere yet.
            scratch::make(&original, !seed, size)?;
            show.line("meanwhile the server gets another file of the same name and size");
        }
        let second = job.run(None).await?;
        self.tell(step, &second);

        let over = |run: &Run| if step.way.is_up() { run.over.up } else { run.over.down };
        let carried = over(&first) + over(&second);
        // What had come of the old version is no byte of the new one.
        let needed = if step.way == Way::Changing { over(&first) + size } else { size };
        let twice = carried.saturating_sub(needed);
        let verdict = self.verdict(step, &second, twice, &result, &original)?;
        if verdict.is_ok() {
            show.line("compared with the original, byte by byte: the same");
        }
        scratch.done_with(&original);
        scratch.done_with(&result);
        let (cuts, took) = (first.over.cuts + second.over.cuts, first.took + second.took);
        Ok(Row { step: step.name, size, carried, twice, cuts, took, verdict })
    }

    async fn link(&self, step: &Step) -> Result<Link, Trouble> {
        let speech = step.way.speech();
        let to = match speech {
            Speech::Http => self.server.http,
            Speech::Ftp => self.server.ftp,
        };
        Link::to(to, speech, self.weather).await
    }

    /// What `haul status` says of an unfinished download.
    async fn status(&self, file: &str, dir: &Path) -> Result<(), Trouble> {
        let words = ["status", file].map(str::to_owned);
        self.show.command(&words);
        for line in self.haul.says(&words, dir).await? {
            self.show.line(&line);
        }
        Ok(())
    }

    /// What the second run told.
    fn tell(&self, step: &Step, run: &Run) {
        let told = &run.told;
        if let Some(dropped) = told.changed {
            self.show.line(&format!(
                "the remote file changed: {} of the old one dropped, begun anew",
                human::size(dropped)
            ));
        }
        if let Some(kept) = told.kept {
            let percent = human::percent(kept, self.size);
            self.show.line(&format!("resumed at {percent}%, {} kept", human::size(kept)));
            if step.way.is_up() {
                self.show.map(kept, self.size);
            }
        }
        match &told.verified {
            Some(verified) => {
                let took = human::time(run.took);
                self.show.line(&format!(
                    "done after {took}, verified: {verified}; the link had cut {}",
                    cuts(run)
                ));
            }
            None => self.show.line(&why(run)),
        }
    }

    fn verdict(
        &self,
        step: &Step,
        run: &Run,
        twice: u64,
        result: &Path,
        original: &Path,
    ) -> Result<Verdict, Trouble> {
        let told = &run.told;
        let well = matches!(run.end, End::Ended(status) if status.success());
        if !well || !result.exists() {
            return Ok(Err(why(run)));
        }
        if let Some(at) = scratch::difference(result, original)? {
            return Ok(Err(format!("byte {at} differs from the original")));
        }
        let fair = match step.way {
            Way::Changing if told.changed.is_none() => {
                Err("that the file had changed was not told".to_owned())
            }
            Way::Changing => Ok(()),
            Way::Down | Way::Up(_) => match told.kept {
                Some(kept) if kept >= self.size / RESUMED => Ok(()),
                kept => Err(format!("begun anew: {} were kept", human::size(kept.unwrap_or(0)))),
            },
        };
        Ok(match fair {
            Ok(()) if twice > self.size / RESUMED => Err(format!("{} were sent twice", human::size(twice))),
            Ok(()) => Ok(step.well),
            Err(why) => Err(why),
        })
    }
}

impl Step {
    /// What is typed behind `haul`.
    fn words(&self, link: &Link) -> Vec<String> {
        let (scheme, address) = (self.way.scheme(), link.address());
        match self.way {
            Way::Down | Way::Changing => {
                vec!["get".into(), "-n".into(), "4".into(), format!("{scheme}://{address}/{}", self.file)]
            }
            Way::Up(_) => vec!["put".into(), self.file.into(), format!("{scheme}://{address}/")],
        }
    }
}

impl Way {
    fn is_up(self) -> bool {
        matches!(self, Self::Up(_))
    }

    fn speech(self) -> Speech {
        match self {
            Self::Down | Self::Changing => Speech::Http,
            Self::Up(speech) => speech,
        }
    }

    fn scheme(self) -> &'static str {
        match self.speech() {
            Speech::Http => "http",
            Speech::Ftp => "ftp",
        }
    }
}

fn cuts(run: &Run) -> String {
    match run.over.cuts {
        1 => "1 connection".to_owned(),
        cuts => format!("{cuts} connections"),
    }
}

/// Why a run did not end well.
fn why(run: &Run) -> String {
    match (&run.told.failed, &run.end) {
        (Some(why), _) => why.clone(),
        (None, End::Ended(status)) => format!("haul ended with {status}"),
        (None, End::Killed) => "haul was killed".to_owned(),
    }
}
