//! A file sent as text (TYPE A, RFC 959 §3.1.1.1): its line ends travel as CR LF, and become those of the far end.
//!
//! ```text
//!   look ── free ──▶ TYPE A ─ STOR ─ bytes ─ 226 ─ TYPE I ──▶ date, name
//!    ▲                        │
//!    └─── broke, or the local file changed: from the first byte again
//! ```
//! What a server makes of text has another size and other bytes than ours: nothing of it is ever compared or gone on
//! with, so there is no machine, and only the server's last reply says that all of it is there. For the same reason a
//! file that is there is never known to be this one. What a run began and did not finish is remembered as such, so that
//! the next one may replace it, and no other upload takes it for the beginning of a file.

use std::time::Duration;

use haul_core::{
    transfer::Trouble,
    upload::{Name, Obstacle, Outcome, Refusal, Seen, There, Way},
};
use haul_proto::ftp::ascii::ToWire;

use super::{
    Far, FtpSink, IfExists, PIECE, PutJob,
    feed::Feed,
    remember::Memory,
    sink::{Fault, Sink},
    tell::Tell,
    text_length::Length,
    text_words, words, written,
};
use crate::{
    client::{Client, Stop},
    drive::{WAITS, Watch, is_text},
    failure::{Failure, Kind},
    notice::{Done, Verified},
};

/// A local file that changes again and again is given up.
const MOST_CHANGES: u32 = 3;
/// A host that was never reached is tried so often.
const MOST_UNREACHED: u32 = 3;

/// A URL that ends in `;type=a` asks for what `text` asks for; the place that it means is the one without that.
pub(super) fn heed_typecode(job: &mut PutJob) {
    if !is_text(&job.url) {
        return;
    }
    job.text = true;
    // FTP has no query: what looks like one is part of the name.
    let cut = |text: &str| text.rfind(';').map(|at| text[..at].to_owned());
    match job.url.query() {
        Some(query) => {
            let query = cut(query);
            job.url.set_query(query.as_deref());
        }
        None => {
            let path = cut(job.url.path()).unwrap_or_default();
            job.url.set_path(&path);
        }
    }
}

/// Sends one file as text; it begins anew whenever it is broken off.
///
/// # Errors
/// [`Failure`], which says what happened and what to do next.
pub(super) async fn send(
    client: &Client,
    job: &PutJob,
    sink: FtpSink,
    far: Far,
    stop: &Stop,
    watch: Watch,
) -> Result<Done, Failure> {
    let piece = client.piece(PIECE);
    let feed = Feed::open(&job.from, piece)?;
    let memory = Memory::of(job.state.as_deref(), &job.url, &far.who, job.from.path(), far.path)?;
    let tell = Tell::new(watch, feed.local().map(|local| local.size));
    let longest = memory.unfinished_text();
    let mut text = Text {
        client,
        job,
        sink,
        feed,
        memory,
        tell,
        ours: longest.is_some(),
        longest,
        stage: Stage::New,
        said: None,
        answered: false,
        strikes: 0,
    };
    let ended = tokio::select! {
        biased;
        ended = text.run() => ended,
        () = stop.stopped() => Err(text.interrupted()),
    };
    text.sink.close();
    ended
}

/// One such upload.
struct Text<'a> {
    client: &'a Client,
    job: &'a PutJob,
    sink: FtpSink,
    feed: Feed,
    memory: Memory,
    tell: Tell,
    /// What lies under the name that bytes are sent to is an unfinished text of ours.
    ours: bool,
    /// No more than so much of it can an earlier run have left.
    longest: Option<u64>,
    stage: Stage,
    /// What the far end said last to a refusal or a failure.
    said: Option<String>,
    /// The server was spoken to in this run.
    answered: bool,
    strikes: u32,
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was taken from standard input.
    New,
    /// Something was.
    Used,
    /// The server said that it has all of it.
    Confirmed,
    /// The renaming was tried, and its answer got lost.
    Renaming,
}

/// Why an attempt came to nothing.
enum Broken {
    /// The far end: another attempt may do better.
    Far(Fault),
    /// The local file is another one than that which was begun.
    Changed,
    /// There is no more to be done.
    Over(Failure),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Far(fault)
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Over(failure)
    }
}

impl Text<'_> {
    /// Attempt after attempt, until one brings it there.
    async fn run(&mut self) -> Result<Done, Failure> {
        self.tell.remark(text_words::NOT_RESUMED);
        let mut changes = 0;
        loop {
            let ended = self.attempt().await;
            let remarks = [self.memory.remark.take(), self.sink.remark()];
            remarks.iter().flatten().for_each(|remark| self.tell.remark(remark));
            match ended {
                Ok(done) => return Ok(done),
                Err(Broken::Over(failure)) => return Err(failure),
                Err(Broken::Changed) => {
                    changes += 1;
                    if changes > MOST_CHANGES {
                        return Err(words::failure(&Outcome::Restless, None));
                    }
                    self.tell.remark(words::anew(haul_core::upload::Anew::LocalChanged));
                }
                Err(Broken::Far(fault)) => {
                    let after = self.weigh(fault)?;
                    let why = self.said.as_deref().unwrap_or_default();
                    self.tell.retry(after, why, self.strikes);
                    tokio::time::sleep(after).await;
                }
            }
        }
    }

    async fn attempt(&mut self) -> Result<Done, Broken> {
        if matches!(self.stage, Stage::New | Stage::Used) {
            if let Some(skipped) = self.look().await? {
                return Ok(skipped);
            }
            let length = self.send().await?;
            self.stage = Stage::Confirmed;
            // No more than a hint: a connection that is lost over it is another one for what follows.
            if let Ok(Seen { there: There::Size(size), .. }) = self.sink.look(self.sent_to(), false).await
                && let Some(remark) = length.remark(size)
            {
                self.tell.remark(&remark);
            }
        }
        self.seal().await?;
        self.memory.finished(None, None).await;
        Ok(self.tell.done(Verified::Reply, false))
    }

    /// The name that bytes are sent to.
    fn sent_to(&self) -> Name {
        if self.job.temporary { Name::Temporary } else { Name::Target }
    }

    /// Whether anything is in the way; the end where that is to be skipped.
    async fn look(&mut self) -> Result<Option<Done>, Broken> {
        if self.ours {
            // A session that is dead for us may still be writing.
            let there = self.sink.look(self.sent_to(), true).await?.there;
            self.answered = true;
            let longest = self.longest.take();
            self.ours = !matches!((there, longest), (There::Size(size), Some(longest)) if size > longest);
        }
        if self.job.if_exists == Some(IfExists::Overwrite) {
            return Ok(None);
        }
        let names: &[Name] =
            if self.job.temporary { &[Name::Target, Name::Temporary] } else { &[Name::Target] };
        for &name in names {
            if name == self.sent_to() && self.ours {
                continue;
            }
            let there = self.sink.look(name, false).await?.there;
            self.answered = true;
            match there {
                There::Absent => {}
                _ if self.job.if_exists == Some(IfExists::Skip) && name == Name::Target => {
                    self.tell.remark(text_words::SKIPPED);
                    return Ok(Some(self.tell.done(Verified::Unchecked, true)));
                }
                There::Unknown => {
                    return Err(words::failure(&Outcome::InTheWay(Obstacle::Unknown), None).into());
                }
                There::Size(_) => return Err(text_words::in_the_way(name).into()),
            }
        }
        Ok(None)
    }

    /// All of it, once, until the server says that it has it.
    async fn send(&mut self) -> Result<Length, Broken> {
        self.sink.begin(self.sent_to(), 0, Way::Begin, None).await?;
        (self.ours, self.longest, self.answered) = (true, None, true);
        self.memory.text_begun(self.feed.local()).await;
        self.tell.begins(0);
        let (mut to_wire, mut lines, mut at) = (ToWire::default(), Vec::new(), 0);
        let mut length = Length::default();
        while let Some(piece) = self.feed.next(at).await? {
            self.stage = Stage::Used;
            to_wire.take(&piece, &mut lines);
            length.take(&lines, piece.len());
            let sent = lines.len();
            written(&mut self.sink, std::mem::take(&mut lines).into(), &mut self.tell, at).await?;
            at += piece.len() as u64;
            self.tell.sent(sent, at);
            if let Some(limit) = &self.client.limit {
                limit.pay(sent).await;
            }
        }
        if let Feed::File(file, buffers) = &self.feed
            && !file.is_unchanged()
        {
            // What was sent may be of both: it is not let become a file.
            self.sink.give_up();
            let file = file.reopen()?;
            self.tell.resize(file.identity.size);
            self.feed = Feed::File(file, buffers.clone());
            return Err(Broken::Changed);
        }
        self.sink.end().await?;
        Ok(length)
    }

    /// Its date, and its name where it has another one.
    async fn seal(&mut self) -> Result<(), Broken> {
        let rename = self.job.temporary && self.is_to_be_renamed().await?;
        self.stage = Stage::Renaming;
        match self.sink.seal(self.feed.local(), rename).await {
            Err(Fault::Refused(_, words)) => Err(words::failure(&Outcome::NotRenamed, Some(&words)).into()),
            sealed => Ok(sealed.map(|_| ())?),
        }
    }

    /// Whether NAME.part has still to be given its name. Somebody else's file may have come meanwhile, and most servers let
    /// a renaming replace it.
    async fn is_to_be_renamed(&mut self) -> Result<bool, Broken> {
        if self.stage == Stage::Renaming
            && self.sink.look(Name::Temporary, false).await?.there == There::Absent
            && self.sink.look(Name::Target, false).await?.there != There::Absent
        {
            // Only the answer got lost.
            return Ok(false);
        }
        let may_replace = self.job.if_exists == Some(IfExists::Overwrite);
        if !may_replace && self.sink.look(Name::Target, false).await?.there != There::Absent {
            return Err(text_words::came().into());
        }
        Ok(true)
    }

    /// How long to wait before the next attempt, or why there is none.
    fn weigh(&mut self, fault: Fault) -> Result<Duration, Failure> {
        let (why, words) = match fault {
            Fault::Failed(failed) => (failed.why, failed.message),
            Fault::Refused(Refusal::Busy, words) => (Trouble::Busy, words),
            Fault::Refused(refusal, words) => return Err(text_words::refused(refusal, &words)),
        };
        tracing::debug!(why = words, "upload failed");
        let gone = self.stage == Stage::Used && self.feed.local().is_none();
        let final_one = matches!(why, Trouble::Denied | Trouble::Fatal);
        let unreached = why == Trouble::Unreachable && !self.answered && self.strikes + 1 >= MOST_UNREACHED;
        if gone {
            return Err(words::failure(&Outcome::StreamBroken(why), Some(&words)));
        }
        if final_one || unreached || self.job.retries.is_some_and(|most| self.strikes >= most) {
            let failure = words::failure(&Outcome::GaveUp(why), Some(&words));
            return Err(if failure.kind == Kind::Network && !unreached {
                failure.advise(text_words::AGAIN)
            } else {
                failure
            });
        }
        let after = WAITS.get(self.strikes as usize).or(WAITS.last()).copied().unwrap_or_default();
        self.strikes += 1;
        self.said = Some(words);
        Ok(after)
    }

    /// The caller stopped it.
    fn interrupted(&mut self) -> Failure {
        self.sink.give_up();
        let what = match self.stage {
            Stage::Confirmed | Stage::Renaming if self.job.temporary => {
                "interrupted: all of it is there as NAME.part, but perhaps not renamed"
            }
            Stage::Confirmed | Stage::Renaming => {
                "interrupted: the server has all of it, but perhaps not its date"
            }
            _ if self.ours => "interrupted: what the server has of it is not whole",
            _ => return Failure::new(Kind::Interrupted, "interrupted"),
        };
        Failure::new(Kind::Interrupted, what).advise(text_words::AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::put::From;

    #[test]
    fn a_typecode_asks_for_text_and_is_no_part_of_the_place() {
        for (url, text, place) in [
            ("ftp://h/a,b.txt;type=a", true, "ftp://h/a,b.txt"),
            ("ftp://h/a;b;TYPE=A", true, "ftp://h/a;b"),
            ("ftp://h/a?b;type=a", true, "ftp://h/a?b"),
            ("ftp://h/a,b.txt", false, "ftp://h/a,b.txt"),
            ("ftp://h/a;type=i", false, "ftp://h/a;type=i"),
        ] {
            let mut job = PutJob::new(From::Stdin, Url::parse(url).unwrap());
            heed_typecode(&mut job);
            assert_eq!((job.text, job.url.as_str()), (text, place));
        }
    }
}
