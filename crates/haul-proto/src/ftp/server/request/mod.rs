//! Commands as they come in (RFC 959 §4.1, 1123 §4.1, 2228, 2389, 2428, 3659, 4217, 7151, and drafts): a line is read
//! once, here, and what leaves cannot be wrong in itself.
//!
//! `verbs` is the table of all commands, `arguments` reads what stands behind them. Paths stay bytes, with every
//! blank beyond the one that parts them from their command: where they lead depends on the session, and whether a
//! command may be said now, too.

mod arguments;
mod verbs;

use std::net::{SocketAddr, SocketAddrV4};

use haul_core::Modified;

pub use verbs::{VERBS, Verb};

use super::step::{Family, Form, Level, Mode, Password, Scope, Structure};
use crate::ftp::hash::Kind;

/// A command, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `USER name`.
    User(Vec<u8>),
    /// `PASS password`, which may be empty.
    Pass(Password),
    /// `ACCT`; nobody needs one.
    Acct,
    /// `HOST name` (RFC 7151).
    Host(Vec<u8>),
    /// `CLNT name`: what the client is.
    Clnt,
    /// `CSID name=value; …`: what the client is, and what is the server?
    Csid,
    /// `LANG`, `LANG tag`: in which language replies are, if it is one of ours.
    Lang,
    /// `AUTH mechanism`; whether it implies that data is protected (`SSL`, `TLS-P`).
    Auth {
        /// Data connections are protected from then on.
        data: bool,
    },
    /// `PBSZ n`.
    Pbsz,
    /// `PROT P` or `PROT C`.
    Prot {
        /// P.
        private: bool,
    },
    /// `CCC`.
    Ccc,
    /// `REIN`.
    Rein,
    /// `QUIT`.
    Quit,
    /// `NOOP`.
    Noop,
    /// `SYST`.
    Syst,
    /// `FEAT`.
    Feat,
    /// `OPTS`.
    Opts(Opts),
    /// `HELP`, `HELP verb`.
    Help(Option<Vec<u8>>),
    /// `TYPE`.
    Type(Form),
    /// `STRU`.
    Stru(Structure),
    /// `MODE`; of Z the level is set by OPTS.
    Mode(Mode),
    /// `PORT h1,h2,h3,h4,p1,p2`.
    Port(SocketAddrV4),
    /// `EPRT |n|address|port|`.
    Eprt(SocketAddr),
    /// `PASV`.
    Pasv,
    /// `EPSV`, `EPSV 1`, `EPSV 2`.
    Epsv(Option<Family>),
    /// `EPSV ALL`.
    EpsvAll,
    /// `REST n`.
    Rest(u64),
    /// `RANG first last`.
    Rang(Range),
    /// `ALLO n`; the size that is declared, if that says one.
    Allo(Option<u64>),
    /// What uses a data connection.
    Move(Move),
    /// `MLST`, `MLST path`.
    Mlst(Option<Vec<u8>>),
    /// `STAT`.
    Status,
    /// `STAT path`.
    Stat(List),
    /// `ABOR`.
    Abor,
    /// `CWD folder`.
    Cwd(Vec<u8>),
    /// `CDUP`.
    Cdup,
    /// `PWD`.
    Pwd,
    /// `MKD folder`.
    Mkd(Vec<u8>),
    /// `RMD folder`.
    Rmd(Vec<u8>),
    /// `DELE path`.
    Dele(Vec<u8>),
    /// `RNFR path`.
    Rnfr(Vec<u8>),
    /// `RNTO path`.
    Rnto(Vec<u8>),
    /// `SIZE path`.
    Size(Vec<u8>),
    /// `MDTM path`.
    Mdtm(Vec<u8>),
    /// `MFMT time path`, and `SITE UTIME`.
    Mfmt {
        /// The date.
        to: Modified,
        /// Of what.
        path: Vec<u8>,
    },
    /// `SITE CHMOD mode path`.
    Chmod {
        /// Permission bits, at most 0o777.
        mode: u32,
        /// Of what.
        path: Vec<u8>,
    },
    /// `SITE HELP`.
    SiteHelp,
    /// `SITE RANG path`.
    Ranges(Vec<u8>),
    /// `SITE WHO`.
    Who,
    /// `HASH path`.
    Hash(Vec<u8>),
    /// `XCRC`, `XMD5`, `XSHA`…
    XHash {
        /// By which.
        kind: Kind,
        /// Of what.
        path: Vec<u8>,
        /// The first byte, and the one behind the last.
        part: Option<(u64, u64)>,
    },
    /// `AVBL`, `AVBL path`.
    Avbl(Option<Vec<u8>>),
}

/// A command that uses a data connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// `RETR path`.
    Retr(Vec<u8>),
    /// `STOR path`.
    Stor(Vec<u8>),
    /// `APPE path`.
    Appe(Vec<u8>),
    /// `STOU`; some clients say a path, of which the folder counts.
    Stou(Option<Vec<u8>>),
    /// `LIST`.
    List(List),
    /// `NLST`.
    Nlst(List),
    /// `MLSD`, `MLSD folder`.
    Mlsd(Option<Vec<u8>>),
}

/// What RANG says (draft-bryan-ftp-range).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// `RANG 1 0`: none.
    Reset,
    /// The first byte, and the last one; for STOR also the unfinished upload that is meant.
    Of(u64, u64, Option<String>),
}

/// What OPTS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opts {
    /// `UTF8`, `UTF8 ON`: it is on.
    Utf8,
    /// `MLST facts`.
    Mlst(Vec<u8>),
    /// `HASH`: which algorithm is selected?
    Hash,
    /// `HASH algorithm`.
    HashBy(Kind),
    /// `MODE Z LEVEL n`.
    Level(Level),
}

/// What LIST, NLST and STAT say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Letters behind a hyphen.
    pub scope: Scope,
    /// The path; `None`: the present folder.
    pub path: Option<Vec<u8>>,
}

/// Why a line is no command that is done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 500: no such command.
    Unknown,
    /// 500: the line was too long.
    TooLong,
    /// 421, and the connection is ended: a browser was made to speak to us (ALPACA, CVE-2021-3618).
    Http,
    /// 501: this is what it looks like.
    Syntax(&'static str),
    /// 501: why the argument cannot be.
    Argument(&'static str),
    /// 502.
    NotDone(&'static str),
    /// 504.
    Parameter(&'static str),
    /// 522 (RFC 2428 §2).
    Protocol,
    /// 536 (RFC 2228 §3).
    Protection(&'static str),
}

/// A line, parted: its command is known, its argument is not read yet.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The command.
    pub verb: &'static Verb,
    argument: &'a [u8],
}

impl<'a> Said<'a> {
    /// The command of a line, in any case.
    ///
    /// # Errors
    /// There is no such command, or the line is HTTP's.
    pub fn of(line: &'a [u8]) -> Result<Self, Refusal> {
        let (word, argument) = match line.iter().position(|byte| *byte == b' ') {
            Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
            None => (line, &[][..]),
        };
        if is_http(word, argument) {
            return Err(Refusal::Http);
        }
        let verb = Verb::find(word).ok_or(Refusal::Unknown)?;
        Ok(Self { verb, argument })
    }

    /// The whole command.
    ///
    /// # Errors
    /// The argument is missing, or cannot be read or done.
    pub fn read(self) -> Result<Request, Refusal> {
        self.verb.read(self.argument)
    }
}

impl Request {
    /// Reads a line, whoever says it.
    ///
    /// # Errors
    /// It is no command that is done here.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        Said::of(line)?.read()
    }
}

/// Whether a line is a request of HTTP: a method, and a version at the end.
fn is_http(word: &[u8], rest: &[u8]) -> bool {
    const METHODS: [&[u8]; 11] = [
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"DELETE",
        b"CONNECT",
        b"OPTIONS",
        b"TRACE",
        b"PATCH",
        b"PROPFIND",
        b"PRI",
    ];
    let version = rest.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    METHODS.iter().any(|method| method.eq_ignore_ascii_case(word)) && version.starts_with(b"HTTP/")
}

#[cfg(test)]
mod tests;
