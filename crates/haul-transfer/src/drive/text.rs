//! A file fetched as text (TYPE A, RFC 959 §3.1.1.1): its line ends become those of this system.
//!
//! ```text
//!   session ─ MDTM ─ TYPE A ─ RETR ─▶ bytes ─ line ends ─▶ NAME.part ─ 226 ─ MDTM ─▶ NAME
//!        └── broke, or the file changed: from the first byte again
//! ```
//! Offsets and SIZE mean nothing here: servers count the bytes of their disk, or refuse to. So there is one connection
//! and no machine, nothing is ever gone on with, and only the server's last reply says that all of it came. What is
//! on the way is known by its URL with `;type=a`, so that no other transfer takes its bytes for the file's own.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{
    Entity, Modified,
    transfer::{OnChange, Trouble},
};
use haul_proto::ftp::{
    Command,
    ascii::FromWire,
    command::Type,
    path::{FtpPath, TypeCode},
};
use haul_store::{Found, FsPartial, Partial, Publish, Subject};
use tokio::sync::{Semaphore, mpsc};
use url::{Position, Url};

use super::{
    TICK, Watch,
    seat::{self, Look, Seat},
    writer::{Told, Writer},
};
use crate::{
    checksum,
    client::{Client, Stop},
    escape::{escape, place},
    failure::{Failure, Kind},
    folder::{Door, FolderPlace},
    ftp::{FtpError, Piece},
    job::{Job, Target},
    notice::{Done, LaneView, Notice, Progress, Verified},
    out::Out,
    rate::Meter,
};

/// How long to wait before it is begun again: the last one counts for all that follow.
pub(crate) const WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];
/// How often the control connection is kept awake.
const AWAKE: Duration = Duration::from_secs(45);
/// A file that changes again and again is given up.
const MOST_CHANGES: u32 = 2;

/// Whether a URL asks for a transfer as text: an ftp:// or ftps:// URL that ends in `;type=a`.
pub fn is_text(url: &Url) -> bool {
    matches!(url.scheme(), "ftp" | "ftps")
        && FtpPath::from_url(&url[Position::BeforePath..Position::AfterQuery])
            .is_ok_and(|path| path.typecode() == Some(TypeCode::Ascii))
}

/// Fetches one file of an FTP server as text. Its line ends become those of this system; it begins anew whenever it is
/// broken off.
///
/// # Errors
/// [`Failure`], which says what happened and what to do next.
pub async fn get_text(client: &Client, job: Job, stop: Stop, watch: Watch) -> Result<Done, Failure> {
    let mut text = Text::new(client, job, watch)?;
    if let Some(done) = text.sit().await? {
        return Ok(done);
    }
    let mut run = Box::pin(text.run());
    let ended = tokio::select! {
        ended = &mut run => ended,
        () = stop.stopped() => Err(Failure::new(Kind::Interrupted, "interrupted")
            .advise("what is fetched as text cannot be resumed: the same command begins anew")),
    };
    drop(run);
    text.close(ended).await
}

/// One such transfer.
struct Text<'a> {
    client: &'a Client,
    /// With the URL that it is known by.
    job: Job,
    door: Door,
    path: Vec<u8>,
    name: Option<String>,
    watch: Watch,
    began: Instant,
    fetched: u64,
    target: Option<PathBuf>,
    sat: Option<Sat>,
}

/// Where the bytes go.
struct Sat {
    writer: Writer,
    told: mpsc::UnboundedReceiver<Told>,
    turns: Arc<Semaphore>,
}

/// Why an attempt came to nothing.
enum Broken {
    /// The far end: another attempt may do better.
    Far(FtpError),
    /// The far end's file changed while it came.
    Changed,
    /// This side.
    Here(Failure),
}

impl From<FtpError> for Broken {
    fn from(error: FtpError) -> Self {
        Self::Far(error)
    }
}

impl<'a> Text<'a> {
    fn new(client: &'a Client, mut job: Job, watch: Watch) -> Result<Self, Failure> {
        let usage = |why| Failure::new(Kind::Usage, format!("{}: {why}", place(&job.url)));
        if !matches!(job.url.scheme(), "ftp" | "ftps") {
            return Err(usage("only FTP has transfers as text"));
        }
        let here = FolderPlace::of(&job.url).map_err(usage)?;
        if here.path.is_folder() {
            return Err(usage("this is a folder and not a file"));
        }
        let door = client.ftp_door(&job.url).map_err(usage)?;
        let last = here.path.segments().last();
        let name = last.map(|name| String::from_utf8_lossy(name).into_owned());
        let path = here.path.pathname();
        job.url = here.url;
        let known_by = format!("{};type=a", job.url.path());
        job.url.set_path(&known_by);
        let began = Instant::now();
        Ok(Self { client, job, door, path, name, watch, began, fetched: 0, target: None, sat: None })
    }

    /// Takes a place, unless the file is there already.
    async fn sit(&mut self) -> Result<Option<Done>, Failure> {
        if self.job.target == Target::Stdout {
            if self.job.checksum.is_some() {
                let what = "what goes to standard output cannot be checked by a checksum";
                return Err(Failure::new(Kind::Usage, what));
            }
            self.sat = Some(started(Out::standard()?)?);
            return Ok(None);
        }
        let before = seat::before_asking(&self.job)?;
        let target = seat::target(&self.job, self.name.as_deref());
        if before.is_none()
            && let Some(target) = target.filter(|target| target.symlink_metadata().is_ok())
            && !self.job.overwrite
        {
            return self.already(target).map(Some);
        }
        let seat = match before {
            Some(seat) => seat,
            None => match seat::with_answer(&self.job, &Entity::default(), self.name.as_deref())? {
                Look::Seat(seat) => *seat,
                Look::Already { target, .. } => return self.already(target).map(Some),
            },
        };
        let Seat { partial, target, memo, adopted, .. } = seat;
        self.target = Some(target.clone());
        let subject = self.subject(None);
        if adopted {
            // Somebody else's file is not lost; what a text's journal speaks of is ours, and of no use.
            let kept = partial.set_aside("old").await.map_err(|error| seat::store(&error))?;
            self.tell(Notice::Remark(format!(
                "what was there is kept as {}",
                escape(&kept.to_string_lossy())
            )));
            let anew = FsPartial::create(&target, &subject).map_err(|error| seat::store(&error))?;
            self.sat = Some(started(anew)?);
            return Ok(None);
        }
        self.sat = Some(started(partial)?);
        if memo.is_some() {
            self.reset();
        }
        Ok(None)
    }

    /// From the first byte again.
    fn reset(&mut self) {
        let subject = self.subject(None);
        if let Some(sat) = &mut self.sat {
            sat.writer.reset(subject);
        }
    }

    /// The file is there: by its checksum it may be this one, by nothing else.
    fn already(&self, target: PathBuf) -> Result<Done, Failure> {
        let wanted = self.job.checksum.as_ref();
        let found = wanted.and_then(|wanted| checksum::of_file(&target, wanted.algorithm()).ok().flatten());
        if wanted.is_none() || found.as_ref() != wanted {
            let shown = escape(&target.to_string_lossy());
            let what =
                format!("{shown} is there already; whether it is this file, sizes do not tell of text");
            return Err(Failure::new(Kind::Local, what)
                .advise("use --overwrite to replace it, or -o to choose another name"));
        }
        let size = target.metadata().map_or(0, |there| there.len());
        let (took, verified) = (self.began.elapsed(), Verified::Digest);
        Ok(Done { target: Some(target), size, fetched: 0, kept: size, took, verified, already: true })
    }

    fn subject(&self, size: Option<u64>) -> Subject {
        seat::subject(&self.job, self.target.as_deref(), size, &[])
    }

    fn tell(&self, notice: Notice) {
        (self.watch)(notice);
    }

    /// Attempt after attempt, until one brings it.
    async fn run(&mut self) -> Result<Done, Failure> {
        self.tell(Notice::Start { size: None, target: self.target.clone() });
        self.tell(Notice::Remark("fetched as text, which cannot be resumed".to_owned()));
        let (mut strikes, mut changes) = (0, 0);
        loop {
            let slot = self.client.host(&self.job.url).slot().await;
            let mut written = 0;
            let broken = match self.attempt(&mut written).await {
                Ok(modified) => return self.publish(written, modified).await,
                Err(broken) => broken,
            };
            drop(slot);
            let why = self.give_up(broken, &mut strikes, &mut changes)?;
            if written > 0 && self.target.is_none() {
                return Err(Failure::new(
                    Kind::Network,
                    format!("{why}; standard output cannot be taken back"),
                ));
            }
            if self.target.is_some() {
                self.reset();
            }
            let after = WAITS.get(strikes as usize).or(WAITS.last()).copied().unwrap_or_default();
            strikes += 1;
            self.tell(Notice::Retry { after, why, strikes });
            tokio::time::sleep(after).await;
        }
    }

    /// Why it is to be tried again, or why not.
    fn give_up(&self, broken: Broken, strikes: &mut u32, changes: &mut u32) -> Result<String, Failure> {
        let error = match broken {
            Broken::Here(failure) => return Err(failure),
            Broken::Changed => {
                let what = "its modification date differs".to_owned();
                if self.job.on_change == OnChange::Fail || *changes >= MOST_CHANGES {
                    let what = format!("the remote file changed while it came: {what}");
                    return Err(Failure::new(Kind::Changed, what).advise("run the same command again"));
                }
                (*changes, *strikes) = (*changes + 1, 0);
                self.tell(Notice::Changed { what: what.clone(), dropped: 0 });
                return Ok(format!("the remote file changed while it came: {what}"));
            }
            Broken::Far(error) => error,
        };
        let message = format!("{error}, for {}", place(&self.job.url));
        match self.door.trouble(&error) {
            Trouble::Denied | Trouble::Fatal => Err(Failure::new(Kind::Refused, message)),
            _ if self.job.retries.is_some_and(|most| *strikes >= most) => {
                Err(Failure::new(Kind::Network, format!("gave up: {message}"))
                    .advise("run the same command again to begin anew"))
            }
            Trouble::Unreachable if *strikes >= 2 => Err(Failure::new(Kind::Network, message)
                .advise("check the address, and run the same command again")),
            _ => Ok(message),
        }
    }

    /// All of it, once. Returns its date.
    async fn attempt(&mut self, written: &mut u64) -> Result<Option<Modified>, Broken> {
        let mut session = self.door.session().await?;
        let before = session.modified(&self.path).await?;
        session.set_type(Type::Ascii).await?;
        let started = session.start(0, &Command::retr(&self.path).map_err(FtpError::from)?).await;
        let mut data = match started {
            Ok(started) => started.data,
            Err(error) => {
                session.quit().await;
                return Err(error.into());
            }
        };
        let mut text = FromWire::default();
        let (mut meter, mut told, mut awake) = (Meter::default(), Instant::now(), Instant::now());
        let clean = loop {
            let seconds = self.job.timeout.as_secs();
            let piece = tokio::time::timeout(self.job.timeout, data.read()).await;
            let piece = piece
                .map_err(|_elapsed| FtpError::Silent { doing: "in the middle of the file", seconds })??;
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::End { clean } => break clean,
            };
            self.fetched += bytes.len() as u64;
            let mut lines = Vec::with_capacity(bytes.len() + 1);
            converted(&mut text, &bytes, &mut lines);
            self.write(written, lines).await?;
            if told.elapsed() >= TICK {
                told = Instant::now();
                self.progress(&mut meter, *written);
            }
            if awake.elapsed() >= AWAKE {
                awake = Instant::now();
                session.keep_alive().await?;
            }
            if let Some(limit) = &self.client.limit {
                limit.pay(bytes.len()).await;
            }
        };
        drop(data);
        let reply = session.finish_now().await?;
        if !reply.is_completion() {
            return Err(FtpError::Refused { command: "the transfer".into(), reply }.into());
        }
        if !clean {
            let what = "was cut off without a farewell of TLS, and as text there is no size to hold it to";
            return Err(FtpError::Data { what: what.into() }.into());
        }
        let mut lines = Vec::new();
        text.finish(&mut lines);
        self.write(written, lines).await?;
        session.set_type(Type::Image).await?;
        let after = session.modified(&self.path).await?;
        self.door.back(session);
        match before.zip(after) {
            Some((before, after)) if !before.same_moment(after) => Err(Broken::Changed),
            _ => Ok(after.or(before)),
        }
    }

    async fn write(&mut self, written: &mut u64, lines: Vec<u8>) -> Result<(), Broken> {
        let Some(sat) = self.sat.as_mut().filter(|_| !lines.is_empty()) else { return Ok(()) };
        let here = |failure| Err(Broken::Here(failure));
        // What only takes bytes in order says afterwards how it went.
        while let Ok(told) = sat.told.try_recv() {
            if let Told::Broken(error) = told {
                return here(seat::store(&error));
            }
        }
        let Ok(turn) = Arc::clone(&sat.turns).acquire_owned().await else {
            return here(Failure::new(Kind::Unexpected, "the writer is gone"));
        };
        let len = lines.len() as u64;
        match sat.writer.write(*written, Bytes::from(lines), &Arc::new(turn)).await {
            Ok(_) => *written += len,
            Err(error) => return here(seat::store(&error)),
        }
        Ok(())
    }

    fn progress(&self, meter: &mut Meter, done: u64) {
        let rate = meter.mark(Instant::now(), self.fetched);
        let lanes = vec![LaneView { from: 0, pos: done, end: None }];
        let held = haul_core::ByteRange::new(0, done).into_iter().collect();
        self.tell(Notice::Progress(Progress { size: None, done, rate, lanes, held }));
    }

    /// All of it came: it gets its name.
    async fn publish(&mut self, size: u64, modified: Option<Modified>) -> Result<Done, Failure> {
        let modified = modified.map(|modified| (modified.seconds, modified.nanos));
        let how = Publish { replace: self.job.overwrite, modified };
        let wanted = self.job.checksum.clone();
        let verified = if wanted.is_some() { Verified::Digest } else { Verified::Reply };
        let subject = self.subject(Some(size));
        let Some(sat) = &mut self.sat else {
            return Err(Failure::new(Kind::Unexpected, "there is no place to publish from"));
        };
        if self.target.is_some() {
            sat.writer.note(subject);
        }
        sat.writer.publish(how, size, wanted.clone());
        let ended = loop {
            match sat.told.recv().await {
                Some(Told::Published) => break Ok(()),
                Some(Told::Mismatch { found, kept }) => {
                    let found = found.map(|found| found.to_string()).unwrap_or_default();
                    let wanted = wanted.map(|wanted| wanted.to_string()).unwrap_or_default();
                    let message = format!("the file has another checksum: {found}, and not {wanted}");
                    let kept = escape(&kept.to_string_lossy());
                    break Err(Failure::new(Kind::Mismatch, message)
                        .advise(format!("the bad file is kept as {kept}")));
                }
                Some(Told::Broken(error)) => break Err(seat::store(&error)),
                Some(_) => {}
                None => break Err(Failure::new(Kind::Unexpected, "the writer ended without a word")),
            }
        };
        let (target, took) = (self.target.clone(), self.began.elapsed());
        ended.map(|()| Done { target, size, fetched: self.fetched, kept: 0, took, verified, already: false })
    }

    /// Nothing of an unfinished text is of use to anybody.
    async fn close(self, ended: Result<Done, Failure>) -> Result<Done, Failure> {
        if let Some(sat) = self.sat {
            sat.writer.end().await;
        }
        let Err(mut failure) = ended else { return ended };
        if let Some(target) = &self.target
            && let Ok(Found::Journaled(left)) = FsPartial::find(target)
        {
            let _ = left.partial.discard().await;
        }
        failure.target = self.target;
        Err(failure)
    }
}

fn started<P: Partial>(partial: P) -> Result<Sat, Failure> {
    let (writer, told) = Writer::start(partial)
        .map_err(|error| Failure::new(Kind::Local, format!("no thread for writing: {error}")))?;
    // One piece at a time is on its way: meanwhile the next ones wait in the socket.
    Ok(Sat { writer, told, turns: Arc::new(Semaphore::new(1)) })
}

/// Where lines end in CR LF anyway, bytes stay as they are.
fn converted(text: &mut FromWire, bytes: &[u8], lines: &mut Vec<u8>) {
    if cfg!(windows) { lines.extend_from_slice(bytes) } else { text.take(bytes, lines) }
}
