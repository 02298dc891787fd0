//! How a hostile FTP peer behaves, as data: a well-behaved server by default, and one field for every way to be wrong.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::blocks::Blocks;
use crate::content::Content;
use crate::hostile::Which;
use crate::socket::Cut;

/// What an [`super::FtpPeer`] does. Made with [`FtpBehaviour::proper`] and struct update syntax or the methods below;
/// changed in mid-run with [`super::FtpPeer::change`]: cuts, stalls, rates and room count at once, everything else
/// from the next command on.
///
/// Transfers (RETR, STOR, APPE; no listings) are numbered over all sessions, from 0; sessions in the order in which
/// they connected.
#[derive(Debug, Clone)]
pub struct FtpBehaviour {
    /// What a session is greeted with; `120-` lines and silence (an empty text) included.
    pub greeting: String,
    /// Sessions that get this instead of a greeting, and are closed: `421 …`.
    pub sessions_refused: Vec<(Which, String)>,
    /// Beyond so many open sessions a newcomer gets this instead of a greeting.
    pub at_most: Option<(usize, String)>,
    /// The only name and password that may log in; anybody may where there is none.
    pub login: Option<(String, String)>,
    /// Attempts to log in (PASS), by their number, that get this reply: `530 …`, `421 …`.
    pub logins_refused: Vec<(Which, String)>,
    /// Commands that it does not know (500) and that FEAT leaves out: MDTM, SIZE, REST, EPSV, MLSD, MLST, MFMT …
    pub without: Vec<String>,
    /// Commands that get this raw text for a reply and are not obeyed; an empty text is silence.
    pub instead: Vec<Instead>,
    /// How replies are sent.
    pub replies: Replies,
    /// Replies to commands that begin so become one line of at least so many bytes.
    pub huge_reply: Option<(String, usize)>,
    /// Sent in the same packet as the reply to AUTH, before TLS: an injection.
    pub after_auth: Option<String>,
    /// Data connections over TLS have to resume a session, else 522.
    pub reuse_required: bool,
    /// What EPSV and PASV tell.
    pub passive: Passive,
    /// Data connections are cut once they have carried so many bytes.
    pub cut: Option<(Which, u64, Cut)>,
    /// What is replied after such a cut; nothing, and the control connection ends too, if None.
    pub cut_reply: Option<String>,
    /// The control connection ends once the transfer has carried so many bytes; the data connection goes on.
    pub control_cut: Option<(Which, u64, Cut)>,
    /// A data connection stands still once it has carried so many bytes, until [`super::FtpPeer::release`].
    pub stall: Option<(Which, u64)>,
    /// Bytes a second on data connections; the first entry that names the transfer counts.
    pub rates: Vec<(Which, u64)>,
    /// How transfers begin and end in words; the first entry that names the transfer counts.
    pub completions: Vec<(Which, Completion)>,
    /// What REST before RETR does.
    pub rest: Rest,
    /// What REST before STOR does.
    pub restart: Restart,
    /// What APPE does.
    pub append: Append,
    /// What SIZE tells, and MLST and LIST with it.
    pub sizes: Sizes,
    /// What MDTM tells, and MLST with it.
    pub dates: Dates,
    /// How LIST looks.
    pub list_style: ListStyle,
    /// More names that each listing has, as they are: `../x`.
    pub listed: Vec<String>,
    /// What LIST and MLSD bring of any folder that may be entered.
    pub lists: Lists,
    /// HASH, MD5, XCRC, XMD5, XSHA1, XSHA256: what it has of them.
    pub digests: Vec<String>,
    /// Whether they tell something wrong.
    pub digests_lie: bool,
    /// How files are sent in MODE B, which FEAT has then; None: MODE changes nothing. Nothing is taken in blocks.
    pub blocks: Option<Blocks>,
    /// Once so many bytes were sent in all, a file is replaced.
    pub replace_after: Option<(u64, Replacement)>,
    /// Nothing can be written: 550.
    pub read_only: bool,
    /// STOR and APPE to a file that is there are refused for a while: an old session holds it.
    pub busy: Option<(Busy, String)>,
    /// No file becomes longer than this: the data connection is closed, and this is the reply (`452 …`, `552 …`).
    pub room: Option<(u64, String)>,
    /// What ABOR gets in the middle of a transfer, one after the other; usually 426 and 226.
    pub abor: Vec<String>,
}

/// A reply in the place of obedience.
#[derive(Debug, Clone)]
pub struct Instead {
    /// Which of the commands that begin so, from 0.
    pub which: Which,
    /// What the line begins with, whatever its case.
    pub command: String,
    /// The text, without the last line end.
    pub reply: String,
}

/// How replies are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replies {
    /// At once.
    Whole,
    /// Every byte in a packet of its own, with a pause after each.
    Split(Duration),
}

/// What EPSV and PASV tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passive {
    /// The truth.
    Proper,
    /// PASV tells an address that is somebody else's.
    Foreign(Ipv4Addr),
    /// A port on which nobody listens.
    Dead,
    /// A port that accepts, but is never served.
    Deaf,
}

/// How a transfer begins and ends in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// 150, the data, 226.
    Proper,
    /// 150 and 226, and only then the data.
    Early,
    /// The data, then 426 and 226.
    AbortedThenDone,
    /// 150, and then neither data nor a reply, until [`super::FtpPeer::release`].
    Nothing,
    /// The data, and then no reply, until [`super::FtpPeer::release`].
    Withheld,
    /// The data, and then the control connection ends: 226 is lost.
    Lost(Cut),
    /// The data, and then this, although all went well.
    Reply(String),
}

/// What REST before RETR does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Begins where it was asked to.
    Proper,
    /// 350, and then from the first byte.
    FromZero,
    /// 350, and then that much later, or earlier.
    OffBy(i64),
    /// This code.
    Refused(u16),
    /// 350, and then RETR gets this code.
    RetrRefused(u16),
}

/// What REST before STOR does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Writes from there; what lies behind stays, as with vsftpd, ProFTPD and pyftpdlib.
    InPlace,
    /// Cuts the file there first, as Pure-FTPd does.
    Truncates,
    /// STOR gets this code; 451 is ProFTPD's default.
    Refused(u16),
    /// 350, 150, and then the file is begun anew.
    FromZero,
}

/// What APPE does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Append {
    /// Writes at the end.
    Proper,
    /// Begins the file anew, as some old servers do.
    Truncates,
    /// This code where the file is there.
    Refused(u16),
}

/// What SIZE tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// The truth in TYPE I, and something larger in TYPE A.
    Proper,
    /// That much too much, or too little.
    OffBy(i64),
    /// Always this.
    Always(u64),
    /// What would be sent: in MODE B with the headers of blocks (RFC 3659, section 4.1).
    OfMode,
}

/// What MDTM tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// The truth.
    Proper,
    /// Always this, in seconds since 1970.
    Always(u64),
    /// Another one each time it is asked.
    Noise,
}

/// How LIST looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListStyle {
    /// As `ls -l`.
    Unix,
    /// As `dir`.
    Dos,
    /// Easily parsed LIST format.
    Eplf,
}

/// What a list of a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lists {
    /// Its entries.
    Proper,
    /// These bytes.
    Text(Vec<u8>),
    /// These bytes, again and again, until the client goes.
    Endless(Vec<u8>),
}

/// What comes in a file's place.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// The file.
    pub name: String,
    /// Its new bytes.
    pub content: Content,
    /// Its new date; None for the one it had.
    pub modified: Option<u64>,
}

/// How long an old session holds a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// So many attempts are refused.
    Attempts(usize),
    /// From the first attempt on, for so long.
    For(Duration),
}

impl FtpBehaviour {
    /// A proper server with all that RFC 3659 has and no digests. REST before STOR writes in place.
    pub fn proper() -> Self {
        Self {
            greeting: "220 ready".into(),
            sessions_refused: Vec::new(),
            at_most: None,
            login: None,
            logins_refused: Vec::new(),
            without: Vec::new(),
            instead: Vec::new(),
            replies: Replies::Whole,
            huge_reply: None,
            after_auth: None,
            reuse_required: false,
            passive: Passive::Proper,
            cut: None,
            cut_reply: Some("426 the data connection broke".into()),
            control_cut: None,
            stall: None,
            rates: Vec::new(),
            completions: Vec::new(),
            rest: Rest::Proper,
            restart: Restart::InPlace,
            append: Append::Proper,
            sizes: Sizes::Proper,
            dates: Dates::Proper,
            list_style: ListStyle::Unix,
            listed: Vec::new(),
            lists: Lists::Proper,
            digests: Vec::new(),
            digests_lie: false,
            blocks: None,
            replace_after: None,
            read_only: false,
            busy: None,
            room: None,
            abor: vec!["426 stopped".into(), "226 as you wished".into()],
        }
    }

    /// Without these commands.
    #[must_use]
    pub fn without(mut self, commands: &[&str]) -> Self {
        self.without.extend(commands.iter().map(|name| name.to_ascii_uppercase()));
        self
    }

    /// With this reply to every command that begins so.
    #[must_use]
    pub fn instead(self, command: &str, reply: &str) -> Self {
        self.instead_of(Which::Every, command, reply)
    }

    /// With this reply to some of the commands that begin so.
    #[must_use]
    pub fn instead_of(mut self, which: Which, command: &str, reply: &str) -> Self {
        self.instead.push(Instead { which, command: command.into(), reply: reply.into() });
        self
    }

    /// With replies sent this way.
    #[must_use]
    pub fn replies(self, replies: Replies) -> Self {
        Self { replies, ..self }
    }

    /// With data connections cut after so many bytes.
    #[must_use]
    pub fn cut(self, which: Which, bytes: u64, how: Cut) -> Self {
        Self { cut: Some((which, bytes, how)), ..self }
    }

    /// With the control connection ended in mid-transfer.
    #[must_use]
    pub fn control_cut(self, which: Which, bytes: u64, how: Cut) -> Self {
        Self { control_cut: Some((which, bytes, how)), ..self }
    }

    /// With transfers that stand still after so many bytes.
    #[must_use]
    pub fn stall(self, which: Which, bytes: u64) -> Self {
        Self { stall: Some((which, bytes)), ..self }
    }

    /// With so many bytes a second on these transfers.
    #[must_use]
    pub fn rate(mut self, which: Which, rate: u64) -> Self {
        self.rates.push((which, rate));
        self
    }

    /// With these transfers ended this way.
    #[must_use]
    pub fn completion(mut self, which: Which, completion: Completion) -> Self {
        self.completions.push((which, completion));
        self
    }

    /// With this way with REST before RETR.
    #[must_use]
    pub fn rest(self, rest: Rest) -> Self {
        Self { rest, ..self }
    }

    /// With this way with REST before STOR.
    #[must_use]
    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// With this way with APPE.
    #[must_use]
    pub fn append(self, append: Append) -> Self {
        Self { append, ..self }
    }

    /// With sizes told this way.
    #[must_use]
    pub fn sizes(self, sizes: Sizes) -> Self {
        Self { sizes, ..self }
    }

    /// With dates told this way.
    #[must_use]
    pub fn dates(self, dates: Dates) -> Self {
        Self { dates, ..self }
    }

    /// With this answer to EPSV and PASV.
    #[must_use]
    pub fn passive(self, passive: Passive) -> Self {
        Self { passive, ..self }
    }

    /// With these digests.
    #[must_use]
    pub fn digests(mut self, names: &[&str]) -> Self {
        self.digests.extend(names.iter().map(|name| name.to_ascii_uppercase()));
        self
    }

    /// With MODE B, in which files are sent so.
    #[must_use]
    pub fn blocks(self, blocks: Blocks) -> Self {
        Self { blocks: Some(blocks), ..self }
    }

    /// With one more name in every listing.
    #[must_use]
    pub fn listed(mut self, name: &str) -> Self {
        self.listed.push(name.into());
        self
    }

    /// With only one name and password.
    #[must_use]
    pub fn login(self, name: &str, password: &str) -> Self {
        Self { login: Some((name.into(), password.into())), ..self }
    }

    /// With these attempts to log in refused.
    #[must_use]
    pub fn refuses_login(mut self, which: Which, reply: &str) -> Self {
        self.logins_refused.push((which, reply.into()));
        self
    }

    /// With these sessions refused.
    #[must_use]
    pub fn refuses_session(mut self, which: Which, reply: &str) -> Self {
        self.sessions_refused.push((which, reply.into()));
        self
    }

    /// With at most so many sessions at a time; 421 beyond.
    #[must_use]
    pub fn at_most(self, count: usize) -> Self {
        Self { at_most: Some((count, "421 too many connections".into())), ..self }
    }

    /// With files that an old session holds for a while.
    #[must_use]
    pub fn busy(self, busy: Busy, reply: &str) -> Self {
        Self { busy: Some((busy, reply.into())), ..self }
    }

    /// With room for files of so many bytes.
    #[must_use]
    pub fn room(self, bytes: u64, reply: &str) -> Self {
        Self { room: Some((bytes, reply.into())), ..self }
    }

    /// With a file replaced once so many bytes were sent in all; the date stays if there is none.
    #[must_use]
    pub fn replaced_after(self, bytes: u64, name: &str, content: Content, modified: Option<u64>) -> Self {
        let replacement = Replacement { name: name.into(), content, modified };
        Self { replace_after: Some((bytes, replacement)), ..self }
    }

    /// With one file system that cannot be written to.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    pub(super) fn knows(&self, command: &str) -> bool {
        !self.without.iter().any(|name| name.eq_ignore_ascii_case(command))
    }

    pub(super) fn completion_of(&self, transfer: usize) -> Completion {
        let own = self.completions.iter().find(|(which, _)| which.includes(transfer));
        own.map_or(Completion::Proper, |(_, completion)| completion.clone())
    }
}
