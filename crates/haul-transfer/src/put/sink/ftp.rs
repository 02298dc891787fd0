//! A file on an FTP server as a sink: one session at a time, REST and STOR or APPE, MFMT, RNFR and RNTO.
//!
//! ```text
//!   [no session] ── look, compare, begin, seal ──▶ session ── begin ──▶ session and data ── end, give up ──▶ …
//! ```
//! Whatever fails costs the session; the next step opens another one. Servers that want each data connection to resume
//! the control connection's TLS session, and run out of tickets under TLS 1.3, are spoken to under TLS 1.2 from then on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use haul_core::{
    ByteRange, Modified, RangeSet,
    transfer::Trouble,
    upload::{Can, Found, How, Local, Name, Refusal, Seen, There, Way},
};
use haul_proto::ftp::{
    Command, Reply,
    command::Type,
    ranges::{self, Unfinished},
    reply::Class,
};

use super::{
    Fault, FtpFile, Ranges, Sealed, Sink, ftp_compare, ftp_look,
    ftp_ranges::{self, Sessions},
    ftp_words,
};
use crate::{
    connect::{Connector, Newest},
    ftp::{BLOCK, Data, FtpError, FtpOptions, Session, Started, Words},
    put::{job::MakeFolders, lanes::Door, local::LocalFile},
    source::{Failed, FtpIdle},
};

/// How long the reply behind the last byte may take: a server may have to move the file, or look for viruses.
const CONFIRMATION: Duration = Duration::from_secs(600);
/// How long the reply to a broken sending is waited for.
const REASON: Duration = Duration::from_secs(2);
/// How often the control connection is kept awake while bytes flow.
const AWAKE: Duration = Duration::from_secs(45);
/// So many bytes have to be taken before a server's patience is over; a slow line needs its time for more.
const TAKEN: usize = 64 << 10;
/// An FTP server that takes a file.
#[derive(Debug)]
pub(crate) struct FtpSink {
    file: FtpFile,
    connector: Connector,
    options: Arc<FtpOptions>,
    idle: Arc<FtpIdle>,
    patience: Duration,
    session: Option<Session>,
    data: Option<Data>,
    /// When the control connection was last kept awake.
    awake: Instant,
    newest: Newest,
    /// Somebody was logged in before, in this run.
    let_in: bool,
    folders_made: bool,
    no_hash: bool,
    no_reading: bool,
    /// What is sent is text.
    as_text: bool,
    /// A sending in blocks was confirmed: if there is another one, that one did not come out right.
    sent_in_blocks: bool,
    /// So many bytes the server has said to be safe of what is being sent.
    safe: u64,
    /// The server has answered to the end of the last sending: nothing of it is under way any more.
    answered: bool,
    remarks: Vec<String>,
}

/// Does something with a session that is of no use any more if it fails.
macro_rules! with_session {
    ($sink:ident, |$session:ident| $act:expr) => {{
        let mut session = $sink.session().await?;
        let $session = &mut session;
        match $act.await {
            Ok(done) => {
                $sink.keep(session);
                Ok(done)
            }
            Err(error) => Err($sink.fault(&error)),
        }
    }};
}

impl FtpSink {
    pub(crate) fn new(
        file: FtpFile,
        connector: Connector,
        options: Arc<FtpOptions>,
        idle: Arc<FtpIdle>,
        patience: Duration,
    ) -> Self {
        Self {
            file,
            connector,
            options,
            idle,
            patience,
            session: None,
            data: None,
            awake: Instant::now(),
            newest: Newest::default(),
            let_in: false,
            folders_made: false,
            no_hash: false,
            no_reading: false,
            as_text: false,
            sent_in_blocks: false,
            safe: 0,
            answered: false,
            remarks: Vec::new(),
        }
    }

    /// The same for text: it is sent in TYPE A, and the server's word for it has to come last.
    pub(crate) fn of_text(self) -> Self {
        Self { as_text: true, ..self }
    }

    /// Who logs in.
    pub(crate) fn user(&self) -> &str {
        &self.file.place.login.user
    }

    /// The path that the file shall have.
    pub(crate) fn path(&self) -> Vec<u8> {
        self.file.path.clone()
    }

    /// The path that it has until it is complete.
    pub(crate) fn temporary_path(&self) -> Vec<u8> {
        self.file.temporary.clone()
    }

    /// The session that is there, one that is idle, or a new one. Whoever takes it gives it back while it is good.
    async fn session(&mut self) -> Result<Session, Fault> {
        self.cut_off();
        if let Some(mut session) = self.session.take()
            && session.is_usable()
        {
            return Ok(session);
        }
        if let Some(session) = self.idle.take(&self.file.place).await
            && session.newest_tls() == self.newest
        {
            self.let_in = true;
            return Ok(session);
        }
        self.open().await
    }

    async fn open(&mut self) -> Result<Session, Fault> {
        let opening = Session::open_with(&self.connector, &self.file.place, &self.options, self.newest);
        let session = Box::pin(opening).await.map_err(|error| self.fault(&error))?;
        self.let_in = true;
        Ok(session)
    }

    fn keep(&mut self, mut session: Session) {
        if session.is_usable() {
            self.session = Some(session);
        }
    }

    /// Ends a sending before its end. Servers that show a file only when it is complete have no other way to know that it
    /// is not: a connection that is closed is a file that is whole (RFC 959 §3.4.1).
    fn cut_off(&mut self) {
        if let Some(data) = self.data.take() {
            data.reset();
        }
    }

    /// What an error means, which has cost the session.
    fn fault(&mut self, error: &FtpError) -> Fault {
        if let Some(reply) = error.reply() {
            self.heed_reuse(reply);
        }
        ftp_words::failed(error, self.let_in)
    }

    /// Speaks an older TLS from now on where the server wants sessions resumed and the newer one has failed to. Says
    /// whether that is new.
    fn heed_reuse(&mut self, reply: &Reply) -> bool {
        let fails = self.newest == Newest::Tls13 && ftp_words::wants_reuse(reply);
        if fails {
            self.newest = Newest::Tls12;
            self.remarks.push(format!(
                "the server wants data connections to resume the TLS session ({}): TLS 1.2 from here on",
                Words(reply)
            ));
        }
        fails
    }

    /// Begins, and makes the folders first where that was the reason that it did not.
    async fn try_begin(
        &mut self,
        session: &mut Session,
        (rest, at): (u64, u64),
        to_come: u64,
        command: &Command,
    ) -> Begun {
        let first = self.starts(session, (rest, at), to_come, command).await;
        let missing = match &first {
            Err(FtpError::Refused { reply, .. }) => matches!(reply.code().get(), 450 | 550..=553),
            _ => false,
        };
        let folders = self.file.folders();
        if !missing || folders.is_empty() || std::mem::replace(&mut self.folders_made, true) {
            return first.map(|started| started.data);
        }
        for folder in folders {
            // One that is there already is refused, too: whether it helped is seen by the next try.
            session.command(&Command::mkd(&folder)?).await?;
        }
        self.starts(session, (rest, at), to_come, command).await.map(|started| started.data)
    }

    /// Begins: in blocks, which tell their end, or else with what is to come told beforehand.
    async fn starts(
        &self,
        session: &mut Session,
        (rest, at): (u64, u64),
        to_come: u64,
        command: &Command,
    ) -> Result<Started, FtpError> {
        let bare = self.as_text || self.sent_in_blocks;
        if bare || !session.features().mode_b {
            self.declare(session, to_come).await?;
        }
        if bare { session.start(rest, command).await } else { session.start_sending(rest, command, at).await }
    }

    /// Tells haul serve how many bytes there are to come. Should this process be killed its data connection ends as if all
    /// had come, and on a busy machine so long before its control connection that nothing else tells one from the other.
    /// Elsewhere ALLO is of no use, or means something else.
    async fn declare(&self, session: &mut Session, to_come: u64) -> Result<(), FtpError> {
        if session.features().rang_stor && !self.as_text && to_come > 0 {
            // A refusal says nothing that STOR will not say.
            session.command(&Command::allo(to_come)).await?;
        }
        Ok(())
    }

    /// Begins an upload that several sessions will fill: its name comes with the reply to a first range, of which nothing is
    /// sent.
    async fn begin_ranges(
        &mut self,
        mut session: Session,
        path: &[u8],
        whole: u64,
    ) -> Result<(Session, Unfinished), Fault> {
        let Some(range) = ByteRange::new(0, whole) else {
            return Err(Fault::Refused(Refusal::Way, "there is nothing to share".to_owned()));
        };
        if !session.can_resume_tls() {
            session.quit().await;
            session = self.open().await?;
        }
        let made = std::mem::replace(&mut self.folders_made, true);
        for folder in self.file.folders().into_iter().filter(|_| !made) {
            let command = Command::mkd(&folder).map_err(|error| self.fault(&error.into()))?;
            session.command(&command).await.map_err(|error| self.fault(&error))?;
        }
        session.command(&Command::allo(whole)).await.map_err(|error| self.fault(&error))?;
        let started = match ftp_ranges::start(&mut session, path, range, None).await {
            Ok(started) => started,
            Err(FtpError::Refused { command, reply }) if command == "STOR" && reply.code().get() != 421 => {
                return Err(self.refused(session, &reply, Way::Begin).await);
            }
            Err(error) => return Err(self.fault(&error)),
        };
        let upload = ranges::joined(&started.opening);
        started.data.end(self.patience).await.map_err(|error| self.fault(&error))?;
        let reply = session.finish(CONFIRMATION).await.map_err(|error| self.fault(&error))?;
        match upload.filter(|_| reply.is_completion()) {
            Some(upload) => {
                Ok((session, Unfinished { upload, size: Some(whole), ranges: RangeSet::default() }))
            }
            None => Err(ftp_words::after_bytes(&reply)),
        }
    }

    /// A refusal to begin, with the reason that a user can do something about.
    async fn refused(&mut self, mut session: Session, reply: &Reply, way: Way) -> Fault {
        if session.encrypted().1 && self.heed_reuse(reply) {
            return Fault::Failed(Failed::new(
                Trouble::Broken,
                format!("the server answered {}", Words(reply)),
            ));
        }
        let Fault::Refused(refusal, words) = ftp_words::refusal(reply, way) else {
            return ftp_words::refusal(reply, way);
        };
        if refusal != Refusal::Denied {
            self.keep(session);
            return Fault::Refused(refusal, words);
        }
        let folder = self.file.target.parent().filter(|parent| !parent.segments().is_empty());
        let gone = match folder.map(|folder| Command::cwd(&folder.pathname())) {
            // This session stands elsewhere now, or does not: it is not used again.
            Some(Ok(command)) => {
                session.command(&command).await.is_ok_and(|reply| reply.class() == Class::PermanentNegative)
            }
            _ => false,
        };
        let words = match (gone, self.file.make_folders) {
            (false, _) => words,
            (true, MakeFolders::Never) => {
                format!("{words}: the folder is not there, and --mkdir makes it")
            }
            (true, _) => format!("{words}: the folder is not there, and could not be made"),
        };
        Fault::Refused(refusal, words)
    }

    /// The bytes could not be handed over: the server's word says why, where it has one.
    async fn broken(&mut self, what: String) -> Fault {
        self.cut_off();
        let Some(mut session) = self.session.take() else {
            return Fault::Failed(Failed::new(Trouble::Broken, what));
        };
        match session.finish(REASON).await {
            Ok(reply) if !reply.is_completion() => {
                self.answered = true;
                let heeded = session.encrypted().1 && self.heed_reuse(&reply);
                let fault = ftp_words::after_bytes(&reply);
                if !heeded {
                    self.keep(session);
                }
                fault
            }
            Ok(_) | Err(_) => Fault::Failed(Failed::new(Trouble::Broken, what)),
        }
    }
}

type Begun = Result<Data, FtpError>;

impl FtpSink {
    /// Before the end of a text: a server that has had its last word already cannot vouch for what comes after it.
    async fn nothing_said(&mut self, session: &mut Session) -> Result<(), Fault> {
        match session.ended_early().await {
            Ok(Some(reply)) if reply.is_completion() => {
                let message = format!("the server answered {} before it had all of it", Words(reply));
                Err(Fault::Failed(Failed::new(Trouble::Broken, message)))
            }
            // A no counts whenever it comes: it is heeded behind the end.
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault(&error)),
        }
    }
}

impl Sink for FtpSink {
    async fn look(&mut self, name: Name, settle: bool) -> Result<Seen, Fault> {
        let path = self.file.path(name).to_vec();
        let patience = self.patience;
        // Once: whatever moves then is somebody else's.
        let settle = settle && !std::mem::take(&mut self.answered);
        let seen = with_session!(self, |session| async {
            let there = if settle {
                ftp_look::settled(session, &path, patience).await?
            } else {
                Some(ftp_look::there(session, &path, patience).await?)
            };
            let Some(there) = there else { return Ok(None) };
            let modified = match there {
                There::Size(_) => session.modified(&path).await?,
                There::Absent | There::Unknown => None,
            };
            Ok::<_, FtpError>(Some((there, modified, ftp_compare::ask(session.features()).is_some())))
        })?;
        let Some((there, modified, hash)) = seen else {
            let message = "the file at the server goes on growing: another session writes to it";
            return Err(Fault::Failed(Failed::new(Trouble::Busy, message)));
        };
        let can = Can { hash: hash && !self.no_hash, read_back: !self.no_reading };
        Ok(Seen { there, modified, can, declared: None, lost: false })
    }

    async fn compare(&mut self, name: Name, size: u64, how: How, with: &LocalFile) -> Result<Found, Fault> {
        let path = self.file.path(name).to_vec();
        let patience = self.patience;
        // A server that goes away over a checksum, or takes half an hour for none, is not asked for it again and again.
        let no_hash = self.no_hash;
        self.no_hash |= how == How::Hash;
        let found = with_session!(self, |session| async {
            match (how, ftp_compare::ask(session.features())) {
                (How::Hash, Some(ask)) => ftp_compare::by_hash(session, &ask, &path, size, with).await,
                (How::Hash, None) => Ok(Found::Unable),
                (How::Tail, _) => {
                    let range = (ftp_compare::tail(size), size);
                    ftp_compare::by_reading(session, &path, range, with, patience).await
                }
                (How::Whole, _) => ftp_compare::by_reading(session, &path, (0, size), with, patience).await,
            }
        })?;
        self.no_hash = no_hash;
        if found == Found::Unable {
            match how {
                How::Hash => self.no_hash = true,
                // A part may be refused where the whole is not.
                How::Tail => {}
                How::Whole => self.no_reading = true,
            }
        }
        Ok(found)
    }

    async fn begin(&mut self, name: Name, at: u64, way: Way, whole: Option<u64>) -> Result<(), Fault> {
        let path = self.file.path(name).to_vec();
        let command = match way {
            Way::Begin | Way::Restart => Command::stor(&path),
            Way::Append => Command::appe(&path),
        };
        let command = command.map_err(|error| self.fault(&error.into()))?;
        let rest = if way == Way::Restart { at } else { 0 };
        let mut session = self.session().await?;
        if !session.can_resume_tls() {
            // A server that wants TLS sessions resumed would refuse the data connection, some only when they have
            // emptied the file. A new session has tickets, where there are any.
            session.quit().await;
            session = self.open().await?;
        }
        if self.as_text {
            session.set_type(Type::Ascii).await.map_err(|error| self.fault(&error))?;
        }
        let to_come = whole.map_or(0, |whole| whole.saturating_sub(at));
        match Box::pin(self.try_begin(&mut session, (rest, at), to_come, &command)).await {
            Ok(data) => {
                self.session = Some(session);
                self.data = Some(data);
                self.safe = 0;
                self.answered = false;
                self.awake = Instant::now();
                Ok(())
            }
            Err(FtpError::NoRest(reply)) => {
                self.keep(session);
                Err(Fault::Refused(Refusal::Way, format!("the server answered {}", Words(&reply))))
            }
            Err(FtpError::Refused { command: refused, reply })
                if refused == command.verb() && reply.code().get() != 421 =>
            {
                Err(self.refused(session, &reply, way).await)
            }
            Err(error) => Err(self.fault(&error)),
        }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let (Some(session), Some(data)) = (&mut self.session, &mut self.data) else {
            return Err(Fault::Failed(Failed::new(Trouble::Broken, "there is no data connection")));
        };
        if self.awake.elapsed() >= AWAKE {
            self.awake = Instant::now();
            if let Err(error) = session.keep_alive().await {
                // The bytes still flow. Whether they all arrived can be asked in a new session.
                tracing::debug!(%error, "the control connection is lost");
            }
        }
        let blocks = data.tells_end();
        for piece in bytes.chunks(if blocks { BLOCK } else { TAKEN }) {
            match tokio::time::timeout(self.patience, data.write_all(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.broken(error.to_string()).await),
                Err(_elapsed) => {
                    // What is under way would still be written, should the server wake up: it is cut off.
                    self.give_up();
                    let message = format!("the server took no byte for {} s", self.patience.as_secs_f64());
                    return Err(Fault::Failed(Failed::new(Trouble::Broken, message)));
                }
            }
        }
        if blocks && let Some(session) = &mut self.session {
            // What else has come is heeded behind the end.
            if let Err(error) = session.ended_early().await {
                tracing::debug!(%error, "the control connection is lost");
            }
            self.safe = self.safe.max(session.safe());
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Fault> {
        let (Some(mut session), Some(data)) = (self.session.take(), self.data.take()) else {
            return Err(Fault::Failed(Failed::new(Trouble::Broken, "there is no data connection")));
        };
        if self.as_text
            && let Err(fault) = self.nothing_said(&mut session).await
        {
            data.reset();
            return Err(fault);
        }
        let blocks = data.tells_end();
        if let Err(error) = data.end(self.patience).await {
            self.session = Some(session);
            return Err(self.broken(error.to_string()).await);
        }
        match session.finish(CONFIRMATION).await {
            Ok(reply) if reply.is_completion() => {
                self.sent_in_blocks = blocks;
                // A session that cannot be had back from text is not kept; the file is there.
                if !self.as_text || session.set_type(Type::Image).await.is_ok() {
                    self.keep(session);
                }
                Ok(())
            }
            Ok(reply) => {
                self.answered = true;
                if !(session.encrypted().1 && self.heed_reuse(&reply)) {
                    self.keep(session);
                }
                Err(ftp_words::after_bytes(&reply))
            }
            Err(error) => Err(self.fault(&error)),
        }
    }

    async fn door(
        &mut self,
        name: Name,
        at: u64,
        whole: u64,
        known: Option<&str>,
    ) -> Result<Option<Door>, Fault> {
        let path = self.file.path(name).to_vec();
        let mut session = self.session().await?;
        if !session.features().rang_stor || self.as_text {
            self.keep(session);
            return Ok(None);
        }
        let there = ftp_ranges::there(&mut session, &path).await.map_err(|error| self.fault(&error))?;
        let sized = |there: &Unfinished| there.size.is_none_or(|size| size == whole);
        // What lies behind the front is only known to be ours where we have begun it.
        let there = there.filter(|there| match known {
            Some(known) if there.upload == known => sized(there),
            _ => at > 0 && sized(there) && there.ranges.total() == at && there.ranges.first_missing(0) == at,
        });
        let there = match there {
            Some(there) => there,
            None if at > 0 => {
                self.keep(session);
                return Ok(None);
            }
            None => {
                let (begun, there) = self.begin_ranges(session, &path, whole).await?;
                session = begun;
                there
            }
        };
        // The first lane has it.
        self.idle.put(session);
        let sessions = Sessions {
            connector: self.connector.clone(),
            options: Arc::clone(&self.options),
            idle: Arc::clone(&self.idle),
            place: self.file.place.clone(),
            newest: self.newest,
            patience: self.patience,
        };
        Ok(Some(Door::Ranges(Ranges::new(sessions, path, whole, there))))
    }

    fn give_up(&mut self) {
        self.cut_off();
        self.session = None;
    }

    fn safe(&self) -> u64 {
        self.safe
    }

    async fn seal(&mut self, local: Option<Local>, rename: bool) -> Result<Sealed, Fault> {
        let from = if rename { &self.file.temporary } else { &self.file.path };
        let (from, to) = (from.clone(), self.file.path.clone());
        let date =
            local.map(|local| Modified { seconds: local.modified.0, nanos: local.modified.1, strong: false });
        let sealed = with_session!(self, |session| async {
            if let Some(date) = date.filter(|_| session.features().mfmt)
                && let Ok(command) = Command::mfmt(date, &from)
            {
                // A server that keeps no dates is no reason to fail.
                session.command(&command).await?;
            }
            if rename {
                for command in [Command::rnfr(&from)?, Command::rnto(&to)?] {
                    let reply = session.command(&command).await?;
                    if !matches!(reply.class(), Class::PositiveIntermediate | Class::PositiveCompletion) {
                        return Ok(Err(reply));
                    }
                }
            }
            let modified = session.modified(&to).await?.map(|date| date.seconds);
            Ok::<_, FtpError>(Ok(Sealed { modified }))
        })?;
        sealed.map_err(|reply| {
            Fault::Refused(Refusal::Denied, format!("the server answered {}", Words(&reply)))
        })
    }

    fn remark(&mut self) -> Option<String> {
        self.remarks.pop()
    }

    fn close(&mut self) {
        self.cut_off();
        if let Some(session) = self.session.take() {
            self.idle.put(session);
        }
    }
}

#[cfg(test)]
mod tests;
