//! What can go wrong in an FTP dialogue: one variant for each thing that has another consequence.

use std::{fmt, io};

use haul_core::transfer::Trouble;
use haul_proto::ftp::{
    Reply,
    command::BadCommand,
    reply::{BadReply, Class},
};

use super::BadBlocks;
use crate::{connect::ConnectError, escape::escape};

/// Why a dialogue came to nothing. Its text is made for a terminal: what a server said is escaped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FtpError {
    /// There is no connection, or no TLS on it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The control connection ended or broke.
    #[error("the control connection broke {doing}{}", source.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Broken {
        /// During what.
        doing: &'static str,
        /// What the system said; `None` where the server ended it.
        source: Option<io::Error>,
    },
    /// The data connection could not be opened, or broke.
    #[error("the data connection {what}")]
    Data {
        /// What it did.
        what: String,
    },
    /// The data connection was closed before the file's end was told, which is told in blocks.
    #[error("the data connection ended before the file's end was told")]
    NoEnd,
    /// What came in blocks is not to be relied on.
    #[error("the server's blocks (MODE B) cannot be relied on: {0}")]
    BadBlocks(BadBlocks),
    /// No reply, or no data connection, for so long.
    #[error("the server said nothing for {seconds} s {doing}")]
    Silent {
        /// During what.
        doing: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// What came is no reply.
    #[error("{}", escape(&.0.to_string()))]
    BadReply(#[from] BadReply),
    /// What is asked for cannot be put into a command.
    #[error("cannot ask an FTP server for this: {0}")]
    BadCommand(#[from] BadCommand),
    /// The server said no to a login.
    #[error("the server does not accept this login ({})", Words(.0))]
    Login(Reply),
    /// The server wants something for a login that is not known here.
    #[error("the server wants an account besides user name and password ({})", Words(.0))]
    NeedsAccount(Reply),
    /// The server said no, or made no sense of a command.
    #[error("the server answered {command} with {}", Words(reply))]
    Refused {
        /// The command's name.
        command: String,
        /// What it said.
        reply: Reply,
    },
    /// A REST was refused, or understood as another offset: the transfer would begin at 0.
    #[error("the server does not begin in the middle of a file ({})", Words(.0))]
    NoRest(Reply),
    /// `--tls required`, and the server does not do it.
    #[error("the server does not encrypt {what} ({}), and --tls required was asked for", Words(reply))]
    NoTls {
        /// What would be in the clear.
        what: &'static str,
        /// What it said.
        reply: Reply,
    },
    /// Bytes came in the clear behind the agreement on TLS (CVE-2011-0411 and its like).
    #[error(
        "the server sent more than a reply before TLS began: somebody may be tampering with the connection"
    )]
    Injected,
    /// A reply to nothing that was asked: whatever follows would be taken for another's answer.
    #[error("the server spoke without being asked ({})", Words(.0))]
    Unasked(Reply),
    /// It cannot be done this way.
    #[error("{0}")]
    Impossible(&'static str),
}

impl FtpError {
    /// The reply that it rests on.
    pub(crate) fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Login(reply)
            | Self::NeedsAccount(reply)
            | Self::NoRest(reply)
            | Self::Unasked(reply)
            | Self::NoTls { reply, .. }
            | Self::Refused { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// What it means for another try. `let_in`: somebody got in before, and who is refused now is one too many.
    pub(crate) fn trouble(&self, let_in: bool) -> Trouble {
        let crowded = if let_in { Trouble::Busy } else { Trouble::Denied };
        match self {
            Self::Connect(error) => error.patience().into(),
            Self::BadReply(BadReply::NoCode(_)) if !let_in => Trouble::Fatal,
            Self::BadBlocks(BadBlocks::Suspect { .. }) => Trouble::Denied,
            // It says no to a way of sending, and another connection begins in the other one.
            Self::Refused { command, .. } if command == "MODE" => Trouble::Broken,
            Self::Broken { .. }
            | Self::Data { .. }
            | Self::NoEnd
            | Self::BadBlocks(_)
            | Self::Silent { .. }
            | Self::Unasked(_)
            | Self::NoRest(_)
            | Self::BadReply(_) => Trouble::Broken,
            Self::Login(reply) if reply.class() == Class::TransientNegative => Trouble::Busy,
            Self::Login(_) => crowded,
            Self::Refused { reply, .. } => match reply.code().get() {
                421 => Trouble::Busy,
                530 => crowded,
                400..500 => Trouble::Broken,
                _ => Trouble::Denied,
            },
            Self::NeedsAccount(_) => Trouble::Denied,
            Self::BadCommand(_) | Self::NoTls { .. } | Self::Injected | Self::Impossible(_) => Trouble::Fatal,
        }
    }

    /// The code of that reply; 0 where there is none.
    pub(crate) fn code(&self) -> u16 {
        self.reply().map_or(0, |reply| reply.code().get())
    }
}

/// A reply as it may be shown: its code and its last line.
pub(crate) struct Words<'a>(pub(crate) &'a Reply);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0.last_line());
        write!(f, "{} {}", self.0.code(), escape(text.trim()))
    }
}
