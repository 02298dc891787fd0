//! Where bytes come from: [`Source`], one for each protocol.
//!
//! A source opens one answer at a time on a connection of its own and tells what that answer says. Whether the answer
//! fits what is there is not its business: the transfer machine judges that.

mod any;
mod ftp;
mod ftp_body;
mod ftp_idle;
mod ftp_server;
mod http;
mod http_body;
mod idle;

use std::time::Duration;

use bytes::Bytes;
use haul_core::{
    Digest, Entity,
    transfer::{Ranges, Trouble},
};

pub(crate) use any::AnySource;
pub(crate) use ftp::FtpSource;
pub(crate) use ftp_idle::FtpIdle;
pub(crate) use ftp_server::FtpServer;
pub(crate) use http::{HttpSource, Owned, USER_AGENT, broken, unconnected};
pub(crate) use idle::Idle;

/// Which bytes are asked for, and on what conditions.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The first byte.
    pub(crate) from: u64,
    /// The offset behind the last one; `None` is the end of the file.
    pub(crate) to: Option<u64>,
    /// Only if the file is still this version; else the whole new one may come.
    pub(crate) same: Option<Entity>,
    /// On a connection that was not used before.
    pub(crate) fresh: bool,
}

/// An answer whose body is about to come.
#[derive(Debug)]
pub(crate) struct Opened<B> {
    /// What it says of the file.
    pub(crate) seen: Entity,
    /// The offset of the body's first byte.
    pub(crate) from: u64,
    /// The offset behind its last one, where known.
    pub(crate) to: Option<u64>,
    /// Whether parts can be had.
    pub(crate) ranges: Ranges,
    /// The name that the far end gives the file, as sent.
    pub(crate) name: Option<String>,
    /// Digests of the whole file, as the far end tells them.
    pub(crate) digests: Vec<Digest>,
    /// Where the answer came from in the end, without secrets.
    pub(crate) place: String,
    /// The bytes.
    pub(crate) body: B,
}

/// Why no body comes.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The file has no such bytes.
    Unsatisfiable {
        /// What the answer says of the file.
        seen: Entity,
        /// The file's size, where told.
        total: Option<u64>,
    },
    /// It came to nothing.
    Failed(Failed),
}

/// A failure on the way to an answer, or in the middle of one.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// What kind, as the machine sees it.
    pub(crate) why: Trouble,
    /// How long the far end wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// What happened, in plain words.
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn new(why: Trouble, message: impl Into<String>) -> Self {
        Self { why, retry_after: None, message: message.into() }
    }
}

/// Something that has the file.
pub(crate) trait Source: Send + Sync + 'static {
    /// The bytes of one answer.
    type Body: Body;

    /// Whether every step of [`Source::open`] has a deadline of its own, so that it need not end within the one that
    /// holds between two signs of life.
    fn keeps_time(&self) -> bool {
        false
    }

    /// Asks for bytes.
    fn open(&self, wish: Wish) -> impl Future<Output = Result<Opened<Self::Body>, OpenError>> + Send;
}

/// The bytes of one answer, in order.
pub(crate) trait Body: Send + 'static {
    /// The next piece; `None` after a clean end. One without bytes is a sign of life: what came is not to be had yet.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Failed>> + Send;
}
