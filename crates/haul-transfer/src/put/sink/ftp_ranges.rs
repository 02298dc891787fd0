//! One unfinished upload that several FTP sessions fill, each a range of it: `RANG STOR` in FEAT, haul serve's own
//! (docs/ftp-commands.md, "Several sessions, one file").
//!
//! ```text
//!   SITE RANG ──► what is there ──┬─► RANG first last ID, STOR ──► bytes ──► 250, or 226 where that was all
//!   ALLO, RANG, STOR ──► its ID ──┘
//! ```
//! The server publishes the file when it has all of it; nothing has to be joined.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{
    ByteRange, RangeSet,
    transfer::Trouble,
    upload::{Refusal, lanes::Kept},
};
use haul_proto::ftp::{Command, Reply, command::BadCommand, ranges, ranges::Unfinished, reply::Class};

use super::{Fault, ftp_words};
use crate::{
    connect::{Connector, Newest},
    ftp::{Data, FtpError, FtpOptions, Place, Session, Words},
    put::lanes::{Errand, Stopped},
    source::{Failed, FtpIdle},
};

/// How long the reply behind the last byte may take: it may be the one that publishes the file.
const CONFIRMATION: Duration = Duration::from_secs(600);
/// How long the reply to a broken sending is waited for.
const REASON: Duration = Duration::from_secs(2);
/// How often the control connection is kept awake while bytes flow.
const AWAKE: Duration = Duration::from_secs(45);
/// So many bytes have to be taken before a server's patience is over.
const TAKEN: usize = 64 << 10;

/// How sessions come about.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    pub(super) connector: Connector,
    pub(super) options: Arc<FtpOptions>,
    pub(super) idle: Arc<FtpIdle>,
    pub(super) place: Place,
    pub(super) newest: Newest,
    pub(super) patience: Duration,
}

/// An upload that sessions can join.
#[derive(Clone, Debug)]
pub(crate) struct Ranges {
    sessions: Sessions,
    path: Vec<u8>,
    whole: u64,
    upload: String,
    /// What was there of it.
    held: RangeSet,
}

/// A session that sends a range.
#[derive(Debug)]
pub(crate) struct RangeWay {
    sessions: Sessions,
    /// The next byte.
    at: u64,
    /// `None` where all was there already.
    open: Option<(Session, Data)>,
    awake: Instant,
}

impl Ranges {
    pub(super) fn new(sessions: Sessions, path: Vec<u8>, whole: u64, there: Unfinished) -> Self {
        Self { sessions, path, whole, upload: there.upload, held: there.ranges }
    }

    /// Its name.
    pub(crate) fn upload(&self) -> &str {
        &self.upload
    }

    /// What was there of it, as parts that are complete.
    pub(crate) fn held(&self) -> Vec<Kept> {
        let kept =
            |range: ByteRange| Kept { from: range.start(), at: range.end(), end: range.end(), closed: true };
        self.held.iter().map(kept).collect()
    }

    /// Begins to send what of a range is missing. A range that was begun before is asked for first.
    pub(crate) async fn open(&self, errand: &Errand) -> Result<(u64, Option<String>, RangeWay), Stopped> {
        let fault = |error| Stopped::Fault(ftp_words::failed(&error, true));
        let mut session = self.sessions.get().await.map_err(fault)?;
        let mut at = errand.at;
        if errand.place.is_some() {
            match there(&mut session, &self.path).await.map_err(fault)? {
                Some(there) if there.upload == self.upload => {
                    at = there.ranges.first_missing(errand.from).min(errand.end);
                }
                _ => return self.over(session, errand).await,
            }
        }
        let way = |at, open| RangeWay { sessions: self.sessions.clone(), at, open, awake: Instant::now() };
        let new = errand.place.is_none().then(|| self.upload.clone());
        let Some(range) = ByteRange::new(at, errand.end) else {
            self.sessions.idle.put(session);
            return Ok((at, new, way(at, None)));
        };
        match start(&mut session, &self.path, range, Some(&self.upload)).await {
            Ok(started) => Ok((at, new, way(at, Some((session, started.data))))),
            Err(FtpError::Refused { reply, .. }) if reply.code().get() == 550 => {
                self.over(session, errand).await
            }
            Err(FtpError::Refused { reply, .. }) if matches!(reply.code().get(), 450 | 554) => {
                self.sessions.idle.put(session);
                // Another session of ours has not been noticed to be dead, or had more than was told: both pass.
                Err(Stopped::Fault(broken(&reply)))
            }
            Err(FtpError::Refused { command, reply }) if command == "STOR" => {
                self.sessions.idle.put(session);
                Err(Stopped::Fault(ftp_words::after_bytes(&reply)))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// There is no such upload any more: because it was published while nobody heard it?
    async fn over(
        &self,
        mut session: Session,
        errand: &Errand,
    ) -> Result<(u64, Option<String>, RangeWay), Stopped> {
        let size = session.size(&self.path).await;
        let size = size.map_err(|error| Stopped::Fault(ftp_words::failed(&error, true)))?;
        self.sessions.idle.put(session);
        if size == Some(self.whole) {
            let way = RangeWay {
                sessions: self.sessions.clone(),
                at: errand.end,
                open: None,
                awake: Instant::now(),
            };
            return Ok((errand.end, None, way));
        }
        let message = "the server has the upload no more";
        Err(Stopped::Over(Fault::Failed(Failed::new(Trouble::Broken, message))))
    }
}

impl Sessions {
    /// A session that is idle, or a new one.
    pub(super) async fn get(&self) -> Result<Session, FtpError> {
        if let Some(mut session) = self.idle.take(&self.place).await
            && session.newest_tls() == self.newest
            && session.is_usable()
            && session.can_resume_tls()
        {
            return Ok(session);
        }
        Box::pin(Session::open_with(&self.connector, &self.place, &self.options, self.newest)).await
    }
}

/// What there is of an unfinished upload; `None` where there is none.
pub(super) async fn there(session: &mut Session, path: &[u8]) -> Result<Option<Unfinished>, FtpError> {
    let reply = session.command(&Command::site_rang(path)?).await?;
    match reply.class() {
        Class::PositiveCompletion => Ok(ranges::unfinished(&reply)),
        Class::TransientNegative => Err(FtpError::Refused { command: "SITE".to_owned(), reply }),
        _ => Ok(None),
    }
}

/// RANG and STOR.
pub(super) async fn start(
    session: &mut Session,
    path: &[u8],
    range: ByteRange,
    upload: Option<&str>,
) -> Result<crate::ftp::Started, FtpError> {
    let commands: Result<_, BadCommand> =
        Command::rang_stor(range, upload).and_then(|rang| Ok((rang, Command::stor(path)?)));
    let (rang, stor) = commands?;
    Box::pin(session.start_range(&rang, &stor)).await
}

fn broken(reply: &Reply) -> Fault {
    Fault::Failed(Failed::new(Trouble::Broken, format!("the server answered {}", Words(reply))))
}

impl RangeWay {
    /// Hands over the next bytes.
    pub(crate) async fn hand(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let Some((session, data)) = &mut self.open else {
            return Err(Fault::Refused(Refusal::Contradiction, "it had these bytes before".to_owned()));
        };
        if self.awake.elapsed() >= AWAKE {
            self.awake = Instant::now();
            if let Err(error) = session.keep_alive().await {
                tracing::debug!(%error, "the control connection is lost");
            }
        }
        let patience = self.sessions.patience;
        for piece in bytes.chunks(TAKEN) {
            let what = match tokio::time::timeout(patience, data.write_all(piece)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => format!("the server took no byte for {} s", patience.as_secs_f64()),
            };
            return Err(self.why(what).await);
        }
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The bytes could not be handed over: the server's word says why, where it has one.
    async fn why(&mut self, what: String) -> Fault {
        let Some((mut session, data)) = self.open.take() else {
            return Fault::Failed(Failed::new(Trouble::Broken, what));
        };
        data.reset();
        match session.finish(REASON).await {
            Ok(reply) if !reply.is_completion() => {
                self.sessions.idle.put(session);
                ftp_words::after_bytes(&reply)
            }
            Ok(_) | Err(_) => Fault::Failed(Failed::new(Trouble::Broken, what)),
        }
    }

    /// The range ends here; returns once the server has said that it has all of it.
    pub(crate) async fn end(mut self, at: u64) -> Result<(), Fault> {
        let Some((mut session, data)) = self.open.take() else { return Ok(()) };
        if let Err(error) = data.end(self.sessions.patience).await {
            return Err(Fault::Failed(Failed::new(Trouble::Broken, error.to_string())));
        }
        let reply = session.finish(CONFIRMATION).await.map_err(|error| ftp_words::failed(&error, true))?;
        let whole = reply.code().get() == 226;
        // The reply tells the range from this session's first byte on.
        let safe = matches!(ranges::safe(&reply), Some(Some(range)) if range.end() == at);
        self.sessions.idle.put(session);
        match reply.is_completion() {
            true if whole || (safe && self.at == at) => Ok(()),
            true => Err(broken(&reply)),
            false => Err(ftp_words::after_bytes(&reply)),
        }
    }
}
