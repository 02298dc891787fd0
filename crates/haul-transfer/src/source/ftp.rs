//! Files over FTP: SIZE and MDTM say which version it is, REST and RETR bring its bytes from anywhere on (RFC 3659).
//!
//! A server says nothing of the version in the answer itself, so it is asked before every transfer, on the very
//! session that brings the bytes. That REST does what it says is shown once for each server: the last byte is asked
//! for, and one byte must come.
//!
//! Where FEAT has MODE B bytes come in blocks, until those of this server are found to be broken. In MODE B REST
//! takes a marker of the server's (RFC 959 §3.5), and not an offset as in MODE S (RFC 3659 §5): of a server whose
//! markers are offsets it is the same, which that last byte shows too; of one whose markers are names no more is
//! asked in blocks.

mod confirm;
mod proof;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    time::SystemTime,
};

use haul_core::{
    Entity, Modified,
    transfer::{Ranges, Trouble},
};
use haul_proto::ftp::{
    Command,
    path::{FtpPath, TypeCode},
    size,
};
use url::Url;

use super::{
    Failed, FtpIdle, FtpServer, OpenError, Opened, Source, Wish, ftp_body::FtpBody, http::unconnected,
};
use crate::{
    connect::Connector,
    escape::place,
    ftp::{FtpError, FtpOptions, Place, Session, Started},
};
use proof::{Proof, last_byte_alone};

/// A date that is so many seconds old by our clock is older than a second by any server's that is not far off: no
/// later change can bear it too.
const OLD: i64 = 60;

/// As often as this is a server's way.
const MOST_MISFITS: u32 = 3;

/// What was learned of a source, by all of its lanes.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Somebody got in: a refused login is a matter of how many there are.
    let_in: AtomicBool,
    /// SIZE tells another number than transfers do.
    size_lies: AtomicBool,
    /// Where what came and what SIZE told did not fit, and how often in a row.
    misfits: Mutex<(u64, u32)>,
    /// Bytes came in this run.
    pub(super) sent: AtomicBool,
    rest: AtomicU8,
    /// What SIZE told last in MODE S, where it was asked for.
    size: Mutex<Option<Option<u64>>>,
    /// What holds for all files of its server.
    pub(super) server: Arc<FtpServer>,
}

/// What REST does. The order is that of [`Known::rest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Untried,
    Works,
    Absent,
}

impl Known {
    /// What came and what SIZE told did not fit at this offset. Whether that is the server's way, and not a
    /// connection that was cut.
    pub(super) fn is_hopeless(&self, at: u64) -> bool {
        let mut misfits = self.misfits.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, often) = *misfits;
        *misfits = (at, if last == at { often + 1 } else { 1 });
        misfits.1 >= MOST_MISFITS
    }

    fn rest(&self) -> Rest {
        match self.rest.load(Relaxed) {
            0 => Rest::Untried,
            1 => Rest::Works,
            _ => Rest::Absent,
        }
    }

    fn learn_rest(&self, rest: Rest) {
        self.rest.store(rest as u8, Relaxed);
    }
}

/// One URL.
#[derive(Debug)]
pub(crate) struct FtpSource {
    /// As it may be shown.
    shown: String,
    file: Result<File, &'static str>,
    connector: Connector,
    options: Arc<FtpOptions>,
    idle: Arc<FtpIdle>,
    known: Arc<Known>,
}

/// Where the file is.
#[derive(Debug)]
struct File {
    place: Place,
    path: Vec<u8>,
    /// Its name, where the URL's last segment is not just that.
    name: Option<String>,
}

/// What a session told of the file.
struct Seen {
    session: Session,
    entity: Entity,
}

impl FtpSource {
    pub(crate) fn new(
        url: &Url,
        login: crate::credentials::Login,
        connector: Connector,
        options: Arc<FtpOptions>,
        (idle, server): (Arc<FtpIdle>, Arc<FtpServer>),
    ) -> Self {
        let file = File::of(url, login);
        let known = Arc::new(Known { server, ..Known::default() });
        Self { shown: place(url), file, connector, options, idle, known }
    }

    /// Whether bytes came from it in this run.
    pub(crate) fn has_sent(&self) -> bool {
        self.known.sent.load(Relaxed)
    }

    /// A session that asked what version the file is.
    async fn ask(&self, file: &File, fresh: bool) -> Result<Seen, FtpError> {
        let kept = if fresh { None } else { self.idle.take(&file.place).await };
        if let Some(mut session) = kept
            && session.can_resume_tls()
            && let Ok(entity) = self.entity(&mut session, file).await
        {
            return Ok(Seen { session, entity });
        }
        // Or the server has closed it meanwhile.
        let mut session = self.idle.open(&self.connector, &file.place, &self.options).await?;
        self.known.let_in.store(true, Relaxed);
        let entity = self.entity(&mut session, file).await?;
        Ok(Seen { session, entity })
    }

    async fn entity(&self, session: &mut Session, file: &File) -> Result<Entity, FtpError> {
        let size = self.size(session, file).await?.filter(|_| !self.known.size_lies.load(Relaxed));
        let modified = session.modified(&file.path).await?;
        // Without a size there is too little to tell versions, and the effect of REST, apart.
        let modified = modified.map(|date| Modified { strong: size.is_some() && is_old(date), ..date });
        Ok(Entity { size, modified, ..Entity::default() })
    }

    /// SIZE counts what would be sent in the mode of the moment (RFC 3659 §4.1): in blocks it is asked for only of a
    /// server that was seen to tell the same one in both.
    async fn size(&self, session: &mut Session, file: &File) -> Result<Option<u64>, FtpError> {
        let Known { size: bare, server, .. } = &*self.known;
        if session.is_in_blocks() && !server.tells_one_size() {
            let before = *bare.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(before) = before
                && session.size(&file.path).await? == before
            {
                if before.is_some() {
                    server.note_one_size();
                }
                return Ok(before);
            }
            session.leave_blocks().await?;
        }
        let size = session.size(&file.path).await?;
        if !session.is_in_blocks() {
            *bare.lock().unwrap_or_else(PoisonError::into_inner) = Some(size);
        }
        Ok(size)
    }

    /// Begins to send the file at `from`, or at 0 where the server cannot do otherwise.
    async fn retrieve(
        &self,
        seen: &mut Seen,
        file: &File,
        mut from: u64,
    ) -> Result<(Started, u64), FtpError> {
        let retr = Command::retr(&file.path)?;
        let session = &mut seen.session;
        if from > 0
            && self.known.rest() == Rest::Untried
            && let Some(size) = seen.entity.size
        {
            match self.prove(session, &retr, size).await? {
                Proof::Works => self.known.learn_rest(Rest::Works),
                Proof::Fails => self.known.learn_rest(Rest::Absent),
                // It is the offset that is refused, if the whole is not.
                Proof::Refused => {
                    let started = self.start(session, 0, &retr).await?;
                    self.known.learn_rest(Rest::Absent);
                    return Ok((started, 0));
                }
            }
        }
        if self.known.rest() == Rest::Absent {
            from = 0;
        }
        match self.start(session, from, &retr).await {
            Err(FtpError::NoRest(reply)) => {
                tracing::debug!(%reply, "no REST");
                self.known.learn_rest(Rest::Absent);
                Ok((self.start(session, 0, &retr).await?, 0))
            }
            started => Ok((started?, from)),
        }
    }

    /// Begins to fetch, in blocks where they are to be had, and else without them.
    async fn start(&self, session: &mut Session, from: u64, retr: &Command) -> Result<Started, FtpError> {
        let started = session.start_fetching(from, retr, self.known.server.blocks()).await;
        let why = match &started {
            Err(FtpError::NoRest(_)) => "REST is refused with them",
            // As servers say that they have not what was asked for (RFC 959 §4.2.2).
            Err(error) if (500..=504).contains(&error.code()) && session.is_usable() => {
                "a transfer is refused in them"
            }
            _ => return started,
        };
        if !session.is_in_blocks() {
            return started;
        }
        // Or it is not the blocks that are refused.
        let bare = session.start(from, retr).await;
        if bare.is_ok() {
            self.known.server.leave_blocks(why);
        }
        bare
    }

    /// Asks for the last byte, in blocks first, where the server has them.
    async fn prove(&self, session: &mut Session, retr: &Command, size: u64) -> Result<Proof, FtpError> {
        let (patience, server) = (self.options.patience, &self.known.server);
        let proof = last_byte_alone(session, retr, size, server.blocks(), patience).await?;
        if !session.is_in_blocks() {
            return Ok(proof);
        }
        if proof == Proof::Works {
            server.note_sound();
            return Ok(proof);
        }
        let bare = last_byte_alone(session, retr, size, false, patience).await?;
        if bare == Proof::Works {
            server.leave_blocks("the last byte alone does not come in them");
        }
        Ok(bare)
    }

    /// Finds out whether REST is known at all, where the server does not say. The transfer itself begins with REST 0
    /// then.
    async fn try_rest(&self, session: &mut Session) -> Result<(), FtpError> {
        let told = session.features().rest_stream || self.known.rest() != Rest::Untried;
        if !told && !session.try_rest().await? {
            self.known.learn_rest(Rest::Absent);
        }
        Ok(())
    }

    /// Whether parts can be had, as far as is known behind an answer from `from` on.
    fn ranges(&self, from: u64) -> Ranges {
        match self.known.rest() {
            Rest::Works => Ranges::Proven,
            Rest::Absent => Ranges::Absent,
            Rest::Untried if from == 0 => Ranges::Offered,
            // No size is told: then the bytes are compared, since no date counts either.
            Rest::Untried => Ranges::Proven,
        }
    }

    async fn try_open(&self, file: &File, wish: &Wish) -> Result<Opened<FtpBody>, OpenError> {
        let failed = |error| OpenError::Failed(self.failed(&error));
        let mut seen = self.ask(file, wish.fresh).await.map_err(failed)?;
        if let Some(size) = seen.entity.size.filter(|size| wish.from > 0 && *size <= wish.from) {
            // Never REST past the end: some servers send the last byte then, some the whole.
            self.idle.put(seen.session);
            return Err(OpenError::Unsatisfiable { seen: seen.entity, total: Some(size) });
        }
        if wish.from == 0 {
            self.try_rest(&mut seen.session).await.map_err(failed)?;
        }
        // Of a file whose length it does not know a server may tell 0: the end shows which it is.
        seen.entity.size = seen.entity.size.filter(|size| *size > 0);
        let begun = self.retrieve(&mut seen, file, wish.from).await;
        if seen.session.refuses_blocks() {
            self.known.server.leave_blocks("MODE B is refused");
        }
        let (started, from) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                if is_missing(&error)
                    && seen.session.is_usable()
                    && seen.session.enter(&file.path).await.is_ok()
                {
                    // It is elsewhere now, and of no use to others.
                    seen.session.quit().await;
                    return Err(OpenError::Failed(self.folder(&error)));
                }
                // The next try needs no login where this was a refusal and no more.
                self.idle.put(seen.session);
                return Err(failed(error));
            }
        };
        let Seen { session, mut entity } = seen;
        let told = size::announced(&started.opening);
        if from == 0 && entity.size.is_some() && told.is_some() && told != entity.size {
            // One of the two is wrong: the end will show.
            self.known.size_lies.store(true, Relaxed);
            entity.size = None;
            entity.modified = entity.modified.map(|date| Modified { strong: false, ..date });
        }
        let to = match (wish.to, entity.size) {
            (Some(to), Some(size)) => Some(to.min(size)),
            (to, size) => to.or(size),
        };
        let patience = self.options.patience;
        let shared = (Arc::clone(&self.idle), Arc::clone(&self.known));
        let body = FtpBody::new((session, started.data), from, (to, entity.size), patience, shared);
        let (name, place) = (file.name.clone(), self.shown.clone());
        let ranges = self.ranges(from);
        Ok(Opened { seen: entity, from, to, ranges, name, digests: Vec::new(), place, body })
    }

    /// What was asked for is no file, and what to ask for instead.
    fn folder(&self, error: &FtpError) -> Failed {
        let shown = &self.shown;
        let what = format!(
            "{shown} is a folder ({error}); {shown}/ with a slash at its end is listed, and with -r fetched"
        );
        Failed::new(Trouble::Denied, what)
    }

    /// What the machine needs to know of a failure.
    fn failed(&self, error: &FtpError) -> Failed {
        if let FtpError::Connect(error) = error {
            return unconnected(error);
        }
        let why = error.trouble(self.known.let_in.load(Relaxed));
        Failed::new(why, format!("{error}, for {}", self.shown))
    }
}

impl Source for FtpSource {
    type Body = FtpBody;

    /// Each reply is awaited for so long; a login alone has ten of them.
    fn keeps_time(&self) -> bool {
        true
    }

    async fn open(&self, wish: Wish) -> Result<Opened<FtpBody>, OpenError> {
        match &self.file {
            Ok(file) => self.try_open(file, &wish).await,
            Err(why) => {
                Err(OpenError::Failed(Failed::new(Trouble::Fatal, format!("{why}, at {}", self.shown))))
            }
        }
    }
}

impl File {
    fn of(url: &Url, login: crate::credentials::Login) -> Result<Self, &'static str> {
        let origin = crate::connect::Origin::of(url).ok_or("the URL names no host")?;
        // FTP has no query: what looks like one is part of the name.
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let path = FtpPath::from_url(path)
            .map_err(|_| "the URL's path contains what no FTP command can carry (a line end, a NUL byte)")?;
        if path.is_folder() {
            return Err("this is a folder and not a file");
        }
        if path.typecode() == Some(TypeCode::Ascii) {
            return Err("the URL asks for a transfer as text (;type=a), which cannot be resumed");
        }
        let last = path.segments().last().map(|name| String::from_utf8_lossy(name).into_owned());
        let odd = path.typecode().is_some() || url.query().is_some();
        let name = last.filter(|_| odd);
        Ok(Self { place: Place { origin, login }, path: path.pathname(), name })
    }
}

/// Whether no later change can bear this date.
fn is_old(date: Modified) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).is_ok_and(|now| now - date.seconds >= OLD)
}

/// Whether the server has no such file, in its words.
fn is_missing(error: &FtpError) -> bool {
    matches!(error, FtpError::Refused { command, reply } if command == "RETR" && reply.code().get() == 550)
}
