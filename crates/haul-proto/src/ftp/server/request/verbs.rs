//! Every command there is, and what each one wants behind it. What HELP tells, what may be said before a login and
//! which function reads the argument stand in one row; `docs/ftp-commands.md` is held against it by a test.

use super::{
    Move, Opts, Refusal, Request,
    arguments::{self as read, Read},
};
use crate::ftp::hash::Kind;
use haul_core::Algorithm;

/// A command.
#[derive(Debug)]
pub struct Verb {
    /// Its name, in capitals.
    pub name: &'static str,
    /// The whole command, for people.
    pub syntax: &'static str,
    /// Whether it may be said before a login.
    pub open: bool,
    argument: Argument,
}

/// What stands behind a command.
#[derive(Debug)]
enum Argument {
    /// Nothing.
    Nothing(Request),
    /// Words: read without blanks around.
    Words(fn(&[u8]) -> Read),
    /// Bytes as they are, and not none.
    Bytes(fn(Vec<u8>) -> Request),
    /// Bytes as they are, or none.
    Optional(fn(Option<Vec<u8>>) -> Request),
    /// Bytes as they are, read further.
    Raw(fn(&[u8]) -> Read),
    /// It is known, and not done here.
    NotDone(&'static str),
}

use Argument::{Bytes, NotDone, Nothing, Optional, Raw, Words};

/// A row for after the login.
const fn row(name: &'static str, syntax: &'static str, argument: Argument) -> Verb {
    Verb { name, syntax, open: false, argument }
}

/// A row for any time.
const fn open(name: &'static str, syntax: &'static str, argument: Argument) -> Verb {
    Verb { name, syntax, open: true, argument }
}

const fn digest(algorithm: Algorithm) -> Kind {
    Kind::Digest(algorithm)
}

/// All of them.
pub static VERBS: &[Verb] = &[
    // Who, and how it is protected.
    open("USER", "USER name", Bytes(Request::User)),
    open("PASS", "PASS password", Optional(|password| Request::Pass(password.unwrap_or_default().into()))),
    row("ACCT", "ACCT account", Words(|_| Ok(Request::Acct))),
    open("HOST", "HOST name", Words(read::host)),
    open("CLNT", "CLNT name", Words(|_| Ok(Request::Clnt))),
    open("CSID", "CSID name=value; …", Words(read::csid)),
    open("AUTH", "AUTH TLS", Words(read::auth)),
    open("ADAT", "ADAT data", NotDone("TLS needs no ADAT.")),
    open("PBSZ", "PBSZ 0", Words(read::pbsz)),
    open("PROT", "PROT P | PROT C", Words(read::prot)),
    open("CCC", "CCC", Nothing(Request::Ccc)),
    open("MIC", "MIC command", NotDone("Commands are protected by TLS.")),
    open("CONF", "CONF command", NotDone("Commands are protected by TLS.")),
    open("ENC", "ENC command", NotDone("Commands are protected by TLS.")),
    row("REIN", "REIN", Nothing(Request::Rein)),
    open("QUIT", "QUIT", Nothing(Request::Quit)),
    // About.
    open("NOOP", "NOOP", Nothing(Request::Noop)),
    open("SYST", "SYST", Nothing(Request::Syst)),
    open("FEAT", "FEAT", Nothing(Request::Feat)),
    open(
        "OPTS",
        "OPTS UTF8 ON | OPTS MLST [facts] | OPTS HASH [algorithm] | OPTS MODE Z LEVEL n",
        Words(read::opts),
    ),
    open("HELP", "HELP [command]", Optional(Request::Help)),
    row("SITE", "SITE CHMOD | SITE UTIME | SITE RANG | SITE HELP | SITE WHO", Raw(read::site)),
    row("SMNT", "SMNT path", NotDone("Nothing can be mounted.")),
    open("LANG", "LANG [language]", Words(read::lang)),
    // How data travels.
    row("TYPE", "TYPE A [N] | TYPE I | TYPE L 8", Words(read::form)),
    row("STRU", "STRU F | STRU R", Words(read::structure)),
    row("MODE", "MODE S | MODE B | MODE Z", Words(read::mode)),
    row("PORT", "PORT h1,h2,h3,h4,p1,p2", Words(read::port)),
    row("PASV", "PASV", Nothing(Request::Pasv)),
    row("EPRT", "EPRT |protocol|address|port|", Words(read::eprt)),
    row("EPSV", "EPSV [1 | 2 | ALL]", Words(read::epsv)),
    row("REST", "REST offset", Words(read::rest)),
    row("RANG", "RANG first last [upload]", Words(read::rang)),
    row("ALLO", "ALLO bytes [R bytes]", Words(read::allo)),
    // Transfers.
    row("RETR", "RETR path", Bytes(|path| Request::Move(Move::Retr(path)))),
    row("STOR", "STOR path", Bytes(|path| Request::Move(Move::Stor(path)))),
    row("APPE", "APPE path", Bytes(|path| Request::Move(Move::Appe(path)))),
    row("STOU", "STOU", Optional(|path| Request::Move(Move::Stou(path)))),
    row("LIST", "LIST [-aAdR] [path]", Raw(|list| Ok(Request::Move(Move::List(read::list(list)))))),
    row("NLST", "NLST [-aAdR] [path]", Raw(|list| Ok(Request::Move(Move::Nlst(read::list(list)))))),
    row("MLSD", "MLSD [folder]", Optional(|path| Request::Move(Move::Mlsd(path)))),
    row("MLST", "MLST [path]", Optional(Request::Mlst)),
    open("STAT", "STAT [path]", Raw(read::stat)),
    row("ABOR", "ABOR", Nothing(Request::Abor)),
    // Names.
    row("CWD", "CWD folder", Bytes(Request::Cwd)),
    row("XCWD", "XCWD folder", Bytes(Request::Cwd)),
    row("CDUP", "CDUP", Nothing(Request::Cdup)),
    row("XCUP", "XCUP", Nothing(Request::Cdup)),
    row("PWD", "PWD", Nothing(Request::Pwd)),
    row("XPWD", "XPWD", Nothing(Request::Pwd)),
    row("MKD", "MKD folder", Bytes(Request::Mkd)),
    row("XMKD", "XMKD folder", Bytes(Request::Mkd)),
    row("RMD", "RMD folder", Bytes(Request::Rmd)),
    row("XRMD", "XRMD folder", Bytes(Request::Rmd)),
    row("DELE", "DELE path", Bytes(Request::Dele)),
    row("RNFR", "RNFR path", Bytes(Request::Rnfr)),
    row("RNTO", "RNTO path", Bytes(Request::Rnto)),
    // What is known of a file.
    row("SIZE", "SIZE path", Bytes(Request::Size)),
    row("MDTM", "MDTM path", Bytes(Request::Mdtm)),
    row("MFMT", "MFMT YYYYMMDDHHMMSS path", Raw(read::mfmt)),
    row("HASH", "HASH path", Bytes(Request::Hash)),
    row("XCRC", "XCRC path [from to]", Raw(|of| read::x_hash(Kind::Crc32, of))),
    row("XMD5", "XMD5 path [from to]", Raw(|of| read::x_hash(digest(Algorithm::Md5), of))),
    row("XSHA", "XSHA path [from to]", Raw(|of| read::x_hash(digest(Algorithm::Sha1), of))),
    row("XSHA1", "XSHA1 path [from to]", Raw(|of| read::x_hash(digest(Algorithm::Sha1), of))),
    row("XSHA256", "XSHA256 path [from to]", Raw(|of| read::x_hash(digest(Algorithm::Sha256), of))),
    row("XSHA512", "XSHA512 path [from to]", Raw(|of| read::x_hash(digest(Algorithm::Sha512), of))),
    row("AVBL", "AVBL [path]", Optional(Request::Avbl)),
];

impl Verb {
    /// The command of this name, in any case.
    pub fn find(name: &[u8]) -> Option<&'static Self> {
        VERBS.iter().find(|verb| verb.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether it is done here.
    pub fn is_done(&self) -> bool {
        !matches!(self.argument, NotDone(_))
    }

    pub(super) fn read(&self, argument: &[u8]) -> Read {
        match &self.argument {
            Nothing(request) if argument.trim_ascii().is_empty() => Ok(request.clone()),
            Nothing(_) => Err(Refusal::Syntax(self.syntax)),
            Words(read) => read(argument.trim_ascii()).map_err(|refusal| self.in_words(refusal)),
            Raw(read) => read(argument).map_err(|refusal| self.in_words(refusal)),
            Bytes(_) if argument.is_empty() => Err(Refusal::Syntax(self.syntax)),
            Bytes(made) => Ok(made(argument.to_vec())),
            Optional(made) => Ok(made((!argument.is_empty()).then(|| argument.to_vec()))),
            NotDone(why) => Err(Refusal::NotDone(why)),
        }
    }

    /// A reader that only says "wrong" means the syntax of the row.
    fn in_words(&self, refusal: Refusal) -> Refusal {
        match refusal {
            Refusal::Syntax("") => Refusal::Syntax(self.syntax),
            refusal => refusal,
        }
    }
}

/// `OPTS` of what is always on.
pub(super) const UTF8: Request = Request::Opts(Opts::Utf8);
