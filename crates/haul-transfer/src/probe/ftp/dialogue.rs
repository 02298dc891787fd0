//! A dialogue over as many sessions as it takes: whatever is tried may cost the one that it was tried in.
//!
//! It knows how to bring and to send a few bytes, and notes on the way how data connections come about and whether
//! they are encrypted. What is tried is not known here.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use haul_proto::ftp::{Command, Reply};

use super::{Encrypted, FtpReport, Tried};
use crate::{
    connect::{Connector, Encryption},
    ftp::{DataWay, FtpError, FtpOptions, Piece, Place, Session, Started},
};

/// A server that costs more sessions than this has told enough.
const MOST_SESSIONS: u32 = 24;
/// How long the reply to a broken sending is waited for.
const REASON: Duration = Duration::from_secs(2);
/// How long a server gets to take a few bytes before the connection breaks: those that it has not read are lost.
const TAKING: Duration = Duration::from_millis(300);

/// One server, and what was noticed in passing.
pub(super) struct Dialogue {
    connector: Connector,
    place: Place,
    options: Arc<FtpOptions>,
    session: Option<Session>,
    sessions: u32,
    /// PASV before EPSV.
    pub(super) pasv_first: bool,
    noticed: Noticed,
}

/// How data connections came about.
#[derive(Debug, Default)]
struct Noticed {
    version: Option<&'static str>,
    /// How many data connections there were, how many encrypted, how many that resumed a session.
    data: (u32, u32, u32),
    epsv: Tried,
    pasv: Tried,
    address: Option<Ipv4Addr>,
    active: Tried,
}

/// The first bytes of a RETR.
pub(super) struct Fetched {
    /// As many as wanted, or fewer.
    pub(super) bytes: Vec<u8>,
    /// Whether there were no more, and the server said so.
    pub(super) whole: bool,
}

impl Dialogue {
    pub(super) fn new(connector: Connector, place: Place, options: Arc<FtpOptions>) -> Self {
        let noticed = Noticed::default();
        Self { connector, place, options, session: None, sessions: 0, pasv_first: false, noticed }
    }

    /// Whether servers connect to here.
    pub(super) fn is_active(&self) -> bool {
        self.options.active
    }

    /// The session at hand, or a new one; whoever takes it gives it back while it may be good.
    async fn take(&mut self) -> Result<Session, FtpError> {
        if let Some(mut session) = self.session.take()
            && session.is_usable()
        {
            return Ok(session);
        }
        self.open().await
    }

    async fn open(&mut self) -> Result<Session, FtpError> {
        if self.sessions == MOST_SESSIONS {
            return Err(FtpError::Impossible("the server has broken too many connections"));
        }
        self.sessions += 1;
        let session = Box::pin(Session::open(&self.connector, &self.place, &self.options)).await?;
        self.noticed.version = session.encryption().map(|tls| tls.version);
        Ok(session)
    }

    /// A session whose next data connection will be taken.
    async fn take_for_data(&mut self) -> Result<Session, FtpError> {
        let mut session = self.take().await?;
        if !session.can_resume_tls() {
            session.quit().await;
            session = self.open().await?;
        }
        if self.pasv_first {
            session.prefer_pasv();
        }
        Ok(session)
    }

    /// The server's first words.
    pub(super) async fn greeting(&mut self) -> Result<Reply, FtpError> {
        let session = self.take().await?;
        let greeting = session.greeting().clone();
        self.session = Some(session);
        Ok(greeting)
    }

    /// A command and the reply to it.
    pub(super) async fn ask(&mut self, command: &Command) -> Result<Reply, FtpError> {
        let mut session = self.take().await?;
        let reply = session.command(command).await;
        self.session = Some(session);
        reply
    }

    /// The first bytes of a file from an offset on. A connection may break by chance: then it is tried once more.
    pub(super) async fn fetch(&mut self, path: &[u8], from: u64, most: usize) -> Result<Fetched, FtpError> {
        let retr = Command::retr(path)?;
        match self.bring(&retr, from, most).await {
            Err(FtpError::Broken { .. } | FtpError::Data { .. } | FtpError::Unasked(_)) => {
                self.bring(&retr, from, most).await
            }
            fetched => fetched,
        }
    }

    /// The first bytes that a command brings.
    pub(super) async fn bring(
        &mut self,
        command: &Command,
        from: u64,
        most: usize,
    ) -> Result<Fetched, FtpError> {
        let mut session = self.take_for_data().await?;
        let patience = self.options.patience;
        let started = begun(&mut session, &mut self.noticed, (command, from)).await;
        let brought = match started {
            Ok(started) => brought(&mut session, started, (command, most), patience).await,
            Err(error) => Err(error),
        };
        self.session = Some(session);
        brought
    }

    /// Whether the server says that it has blocks (MODE B).
    pub(super) async fn says_blocks(&mut self) -> bool {
        let Ok(session) = self.take().await else { return false };
        let says = session.features().mode_b;
        self.session = Some(session);
        says
    }

    /// The first bytes of a file from an offset on, in blocks; `None`: the server refuses these.
    pub(super) async fn fetch_in_blocks(
        &mut self,
        path: &[u8],
        from: u64,
        most: usize,
    ) -> Result<Option<Fetched>, FtpError> {
        let retr = Command::retr(path)?;
        let mut session = self.take_for_data().await?;
        let patience = self.options.patience;
        let brought = match session.start_fetching(from, &retr, true).await {
            Ok(started) => {
                self.noticed.note(session.way(), started.data.encryption().as_ref());
                brought(&mut session, started, (&retr, most), patience).await
            }
            Err(error) => Err(error),
        };
        let refused = !session.has_blocks();
        self.session = Some(session);
        brought.map(|fetched| Some(fetched).filter(|_| !refused))
    }

    /// Sends a few bytes by STOR or APPE, and has them confirmed.
    pub(super) async fn send(&mut self, from: u64, command: &Command, bytes: &[u8]) -> Result<(), FtpError> {
        let mut session = self.take_for_data().await?;
        let patience = self.options.patience;
        let sent = sent(&mut session, &mut self.noticed, (command, from, bytes), patience).await;
        self.session = Some(session);
        sent
    }

    /// Sends a few bytes, and breaks off. Whether the server has noticed.
    pub(super) async fn break_off(&mut self, command: &Command, bytes: &[u8]) -> Result<bool, FtpError> {
        let mut session = self.take_for_data().await?;
        let mut data = begun(&mut session, &mut self.noticed, (command, 0)).await?.data;
        let patience = self.options.patience;
        let sending = async {
            data.write_all(bytes).await?;
            data.break_off(TAKING).await
        };
        let silent = FtpError::Silent { doing: "while it was to take bytes", seconds: patience.as_secs() };
        tokio::time::timeout(patience, sending).await.map_err(|_elapsed| silent)??;
        // Whatever it says.
        let noticed = session.finish(REASON).await.is_ok();
        self.session = Some(session);
        Ok(noticed)
    }

    /// Ends the session at hand: something in it is not as it was at its beginning.
    pub(super) async fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.quit().await;
        }
    }

    /// As many sessions as before may be had once more: what was begun has to be cleaned up.
    pub(super) fn renew(&mut self) {
        self.sessions = 0;
    }

    /// PASV leads nowhere.
    pub(super) fn note_no_pasv(&mut self, why: Tried) {
        self.noticed.pasv = why;
    }

    /// Whether PASV was used with success.
    pub(super) fn pasv_works(&self) -> bool {
        self.noticed.pasv.works()
    }

    /// Tells what was noticed.
    pub(super) fn tell(&mut self, report: &mut FtpReport) {
        let Noticed { version, data: (all, secured, resumed), .. } = self.noticed;
        report.encrypted = Encrypted {
            offered: Some(version.is_some()),
            version,
            data: (all > 0).then_some(secured == all && all > 0),
            connections: secured,
            resumed,
        };
        let noticed = std::mem::take(&mut self.noticed);
        (report.epsv, report.pasv, report.active) = (noticed.epsv, noticed.pasv, noticed.active);
        report.pasv_address = noticed.address;
    }
}

impl Noticed {
    fn note(&mut self, way: Option<&DataWay>, tls: Option<&Encryption>) {
        let (all, secured, resumed) = &mut self.data;
        *all += 1;
        *secured += u32::from(tls.is_some());
        *resumed += u32::from(tls.is_some_and(|tls| tls.resumed));
        match way {
            None => {}
            Some(DataWay::Epsv) => self.epsv = Tried::Works,
            Some(DataWay::Active) => self.active = Tried::Works,
            Some(DataWay::Pasv { told, foreign, instead }) => {
                self.pasv = Tried::Works;
                self.address = foreign.then_some(*told);
                if let Some(why) = instead {
                    self.epsv = Tried::Refused(why.clone());
                }
            }
        }
    }
}

async fn begun(
    session: &mut Session,
    noticed: &mut Noticed,
    (command, from): (&Command, u64),
) -> Result<Started, FtpError> {
    let started = session.start(from, command).await?;
    noticed.note(session.way(), started.data.encryption().as_ref());
    Ok(started)
}

async fn brought(
    session: &mut Session,
    started: Started,
    (command, most): (&Command, usize),
    patience: Duration,
) -> Result<Fetched, FtpError> {
    let mut data = started.data;
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() <= most {
            match data.read().await? {
                Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
                Piece::End { .. } => return Ok::<_, FtpError>(true),
            }
        }
        Ok(false)
    };
    let silent = FtpError::Silent { doing: "while bytes were to come", seconds: patience.as_secs() };
    let ended = tokio::time::timeout(patience, reading).await.map_err(|_elapsed| silent)??;
    if !ended {
        bytes.truncate(most);
        session.release(data).await;
        return Ok(Fetched { bytes, whole: false });
    }
    drop(data);
    confirmed(session, command).await?;
    Ok(Fetched { bytes, whole: true })
}

async fn sent(
    session: &mut Session,
    noticed: &mut Noticed,
    (command, from, bytes): (&Command, u64, &[u8]),
    patience: Duration,
) -> Result<(), FtpError> {
    let mut data = begun(session, noticed, (command, from)).await?.data;
    let sending = async {
        data.write_all(bytes).await?;
        data.end(patience).await
    };
    let silent = FtpError::Silent { doing: "while it was to take bytes", seconds: patience.as_secs() };
    let sent = tokio::time::timeout(patience * 2, sending).await.map_err(|_elapsed| silent)?;
    if let Err(error) = sent {
        // The server's word says why, where it has one.
        return match session.finish(REASON).await {
            Ok(reply) if !reply.is_completion() => Err(no(command, reply)),
            _ => Err(error),
        };
    }
    confirmed(session, command).await
}

async fn confirmed(session: &mut Session, command: &Command) -> Result<(), FtpError> {
    let reply = session.finish_now().await?;
    if reply.is_completion() { Ok(()) } else { Err(no(command, reply)) }
}

fn no(command: &Command, reply: Reply) -> FtpError {
    FtpError::Refused { command: command.verb().to_owned(), reply }
}
