//! Over FTP: what people do by hand with a terminal, and a look at the bytes that come of it.
//!
//! ```text
//! greeting, TLS, login ─ SYST, FEAT ─┬─ a file: SIZE, MDTM, MLST, RETR, REST + RETR ──┬─▶ verdict
//!                                    └─ a folder: MLSD or LIST, REST ─────────────────┤
//!                     --write:  STOR, REST + STOR, APPE, sums, MFMT, RNFR, DELE ──────┘
//! ```
//! Bytes that came are compared with those that ought to have come; a server's yes counts for nothing by itself.

mod dialogue;
mod look;
mod sums;
mod verdict;
mod write;

use std::net::Ipv4Addr;

use haul_core::Entity;
use haul_proto::ftp::{
    Command, Reply,
    path::FtpPath,
    reply::{BadReply, Class},
};
use url::Url;

use self::dialogue::Dialogue;
use super::{Verdict, refused};
use crate::{
    client::{Client, Stop},
    connect::Origin,
    escape::place,
    failure::{Failure, Kind},
    ftp::{FtpError, FtpTls, Place, Words},
    source::unconnected,
};

/// What came of something that was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tried {
    /// It was not tried.
    #[default]
    Not,
    /// It did what it should.
    Works,
    /// The server said no; its words.
    Refused(String),
    /// The server did not say no, and did something else.
    Wrong(String),
}

impl Tried {
    /// Whether it did what it should.
    pub fn works(&self) -> bool {
        *self == Self::Works
    }
}

/// What was found to be encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// Whether the server does it; `None` where it was not asked and does not say so.
    pub offered: Option<bool>,
    /// The version for commands; `None` in the clear.
    pub version: Option<&'static str>,
    /// Whether data connections are encrypted; `None` where there was none.
    pub data: Option<bool>,
    /// How many of them there were.
    pub connections: u32,
    /// How many of them resumed a session of this dialogue.
    pub resumed: u32,
}

/// What the URL turned out to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// A file.
    File,
    /// A folder: no file was tried, but perhaps one of our own.
    Folder,
    /// Nothing, so that only uploads were tried; the server's words.
    Nothing(String),
}

/// What an FTP server was found to do.
#[derive(Clone, Debug)]
pub struct FtpReport {
    /// The URL, without secrets.
    pub place: String,
    /// What the URL names.
    pub probed: Probed,
    /// The server's first words.
    pub greeting: String,
    /// What SYST says.
    pub system: Option<String>,
    /// What FEAT says, a line each.
    pub features: Vec<String>,
    /// What is encrypted.
    pub encrypted: Encrypted,
    /// Data connections by EPSV.
    pub epsv: Tried,
    /// Data connections by PASV.
    pub pasv: Tried,
    /// The address that PASV tells, where it is another one than the server's; it is not used.
    pub pasv_address: Option<Ipv4Addr>,
    /// Data connections by EPRT or PORT.
    pub active: Tried,
    /// Listing the folder, by MLSD or LIST.
    pub list: Tried,
    /// SIZE of the file.
    pub size: Tried,
    /// MDTM of the file.
    pub mdtm: Tried,
    /// MLST of the file.
    pub mlst: Tried,
    /// What SIZE and MDTM tell.
    pub entity: Entity,
    /// The offset that REST was tried with.
    pub rest_at: u64,
    /// REST and RETR: whether the right bytes came.
    pub rest: Tried,
    /// REST to the last byte and RETR: whether it came, and nothing else.
    pub last_byte: Tried,
    /// RETR in blocks (MODE B), where FEAT has them: whether the right bytes came, and the end of the file was told.
    pub blocks: Tried,
    /// What follows for downloads.
    pub verdict: Verdict,
    /// Uploads, where they were asked for.
    pub write: Option<WriteReport>,
}

/// What REST and STOR inside of a file does with what lies behind the bytes that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// It stays.
    Kept,
    /// It is cut off.
    Cut,
}

/// What was found out with a small file of our own.
#[derive(Clone, Debug)]
pub struct WriteReport {
    /// Its name.
    pub name: String,
    /// STOR.
    pub stor: Tried,
    /// Whether it could be read back; else sizes are all there is to compare.
    pub read_back: bool,
    /// REST and STOR at the file's end.
    pub restart: Tried,
    /// The same inside of it; `None` where it was not tried, or did something else.
    pub inside: Option<Inside>,
    /// APPE.
    pub append: Tried,
    /// Commands whose checksum was right.
    pub sums: Vec<String>,
    /// Commands whose checksum was wrong.
    pub wrong_sums: Vec<String>,
    /// MFMT.
    pub mfmt: Tried,
    /// RNFR and RNTO.
    pub rename: Tried,
    /// What an upload has sent that breaks off: whether it is kept.
    pub kept: Tried,
    /// DELE.
    pub delete: Tried,
    /// Files of ours that are still there: the server did not delete them.
    pub left: Vec<String>,
    /// What follows for uploads.
    pub verdict: Verdict,
}

/// Finds out whether the server of `url` can resume.
pub(super) async fn probe(
    client: &Client,
    url: &Url,
    write: bool,
    stop: &Stop,
) -> Result<FtpReport, Failure> {
    let shown = place(url);
    let usage = |why: &str| Failure::new(Kind::Usage, why);
    let origin = Origin::of(url).ok_or_else(|| usage("the URL names no host"))?;
    // FTP has no query: what looks like one is part of the name.
    let path =
        FtpPath::from_url(&url[url::Position::BeforePath..url::Position::AfterQuery]).map_err(|_| {
            usage("the URL's path contains what no FTP command can carry (a line end, a NUL byte)")
        })?;
    let (connector, options, login) = client.ftp_session(url);
    let tls = options.tls;
    let mut dialogue = Dialogue::new(connector, Place { origin, login }, options);
    let mut report = empty(shown);
    let stopped = || Failure::new(Kind::Interrupted, "stopped");
    tokio::select! {
        looked = Box::pin(look_around(&mut dialogue, &path, write, &mut report)) => looked?,
        () = stop.stopped() => return Err(stopped()),
    }
    if write {
        let of_own = report.probed != Probed::File;
        let folder = if report.probed == Probed::Folder { Some(path) } else { path.parent() };
        let prefix = folder.map(|folder| folder.pathname()).unwrap_or_default();
        let tried = Box::pin(write::probe(&mut dialogue, &prefix, of_own, &mut report, stop)).await;
        if stop.is_stopped() {
            let mut failure = stopped();
            if !tried.left.is_empty() {
                failure = failure.advise(format!("delete what was left there: {}", tried.left.join(", ")));
            }
            return Err(failure);
        }
        report.write = Some(tried);
    }
    dialogue.tell(&mut report);
    if tls == FtpTls::Off && report.encrypted.version.is_none() {
        let told = report.features.iter().any(|line| line.to_ascii_uppercase().starts_with("AUTH"));
        report.encrypted.offered = told.then_some(true);
    }
    let of_own = report.probed != Probed::File && write;
    report.verdict = verdict::download(&report, of_own);
    dialogue.leave().await;
    Ok(report)
}

fn empty(place: String) -> FtpReport {
    FtpReport {
        place,
        probed: Probed::File,
        greeting: String::new(),
        system: None,
        features: Vec::new(),
        encrypted: Encrypted::default(),
        epsv: Tried::Not,
        pasv: Tried::Not,
        pasv_address: None,
        active: Tried::Not,
        list: Tried::Not,
        size: Tried::Not,
        mdtm: Tried::Not,
        mlst: Tried::Not,
        entity: Entity::default(),
        rest_at: 0,
        rest: Tried::Not,
        last_byte: Tried::Not,
        blocks: Tried::Not,
        verdict: Verdict { resume: super::Resume::No, why: String::new() },
        write: None,
    }
}

/// All that needs no writing.
async fn look_around(
    dialogue: &mut Dialogue,
    path: &FtpPath,
    write: bool,
    report: &mut FtpReport,
) -> Result<(), Failure> {
    look::server(dialogue, report).await.map_err(|error| failure(&error))?;
    let pathname = path.pathname();
    if !path.is_folder() {
        let refusal = match look::file(dialogue, &pathname, report).await {
            Ok(()) => return Ok(()),
            Err(FtpError::Refused { command, reply }) if reply.class() == Class::PermanentNegative => {
                FtpError::Refused { command, reply }
            }
            Err(error) => return Err(failure(&error)),
        };
        if !look::is_folder(dialogue, &pathname).await {
            if !write {
                return Err(failure(&refusal));
            }
            (report.size, report.mdtm, report.mlst) = Default::default();
            report.probed = Probed::Nothing(refusal.to_string());
            return Ok(());
        }
    }
    (report.size, report.mdtm, report.mlst) = Default::default();
    report.probed = Probed::Folder;
    look::folder(dialogue, &pathname, report).await;
    Ok(())
}

/// What an error says of something that was tried.
fn tried<T>(result: Result<T, FtpError>) -> Tried {
    match result {
        Ok(_) => Tried::Works,
        Err(FtpError::NoRest(reply)) if reply.class() == Class::PositiveIntermediate => {
            Tried::Wrong(format!("REST was taken for another offset ({})", Words(&reply)))
        }
        Err(FtpError::NoRest(reply)) => Tried::Refused(answered("REST", &reply)),
        // That it goes away now (421) is no word on what was asked.
        Err(error @ FtpError::Refused { .. }) if error.code() != 421 => Tried::Refused(error.to_string()),
        Err(error) => Tried::Wrong(error.to_string()),
    }
}

/// The words that [`FtpError::Refused`] would have.
fn answered(command: &str, reply: &Reply) -> String {
    format!("the server answered {command} with {}", Words(reply))
}

/// What a refusal says of a command that works by its reply alone.
fn accepted(command: &Command, reply: &Reply) -> Tried {
    match reply.class() {
        Class::PositiveCompletion | Class::PositiveIntermediate => Tried::Works,
        _ => Tried::Refused(answered(command.verb(), reply)),
    }
}

/// Why there is nothing to try.
fn failure(error: &FtpError) -> Failure {
    let kind = match error {
        FtpError::Connect(error) => return refused(unconnected(error)),
        FtpError::BadReply(BadReply::NoCode(_))
        | FtpError::NeedsAccount(_)
        | FtpError::NoTls { .. }
        | FtpError::Injected
        | FtpError::BadCommand(_)
        | FtpError::Impossible(_) => Kind::Refused,
        FtpError::Login(reply) | FtpError::Refused { reply, .. } => match reply.class() {
            Class::PermanentNegative => Kind::Refused,
            _ => Kind::Network,
        },
        FtpError::Broken { .. }
        | FtpError::Data { .. }
        | FtpError::NoEnd
        | FtpError::BadBlocks(_)
        | FtpError::Silent { .. }
        | FtpError::BadReply(_)
        | FtpError::NoRest(_)
        | FtpError::Unasked(_) => Kind::Network,
    };
    Failure::new(kind, error.to_string())
}
