//! Where bytes go: [`Sink`], one for each protocol.
//!
//! A sink looks at what the far end has, compares it, takes bytes in order, and seals the file. It decides nothing:
//! what is to be done next the upload machine says. Every wait of a sink has a deadline.

mod ftp;
mod ftp_compare;
mod ftp_file;
mod ftp_look;
mod ftp_ranges;
mod ftp_words;
mod http;

use bytes::Bytes;
use haul_core::upload::{Found, How, Local, Name, Refusal, Seen, Way};

pub(crate) use ftp::FtpSink;
pub(crate) use ftp_file::FtpFile;
pub(crate) use ftp_ranges::{RangeWay, Ranges};
pub use http::Protocol;
pub(crate) use http::{HttpPlan, HttpSink, PartWay, Parts};

use haul_store::UploadDialect;
use url::Url;

use super::{
    lanes::{Door, Joined},
    local::LocalFile,
};
use crate::source::Failed;

/// Why something was not done.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection came to nothing, or broke; or nothing will ever come of it.
    Failed(Failed),
    /// The far end said no; its words.
    Refused(Refusal, String),
}

/// What the sealing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The far end's date of the file, in seconds since 1970, where told.
    pub(crate) modified: Option<i64>,
}

/// An unfinished upload that has a URL of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The URL.
    pub(crate) url: Url,
    /// What is spoken there.
    pub(crate) dialect: UploadDialect,
    /// So many bytes the far end has said to be safe.
    pub(crate) acknowledged: u64,
}

/// Something that takes a file.
pub(crate) trait Sink: Send {
    /// What is there under a name. With `settle` only a size that holds still counts.
    fn look(&mut self, name: Name, settle: bool) -> impl Future<Output = Result<Seen, Fault>> + Send;

    /// Compares the first `size` bytes that are there with the local file's.
    fn compare(
        &mut self,
        name: Name,
        size: u64,
        how: How,
        with: &LocalFile,
    ) -> impl Future<Output = Result<Found, Fault>> + Send;

    /// Begins to send to `name` from `at` on what has `whole` bytes in the end, where that is known; once it returns the
    /// far end has taken it, or has not said no.
    fn begin(
        &mut self,
        name: Name,
        at: u64,
        way: Way,
        whole: Option<u64>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Hands over the next bytes. Not to be dropped in the middle, where the sink is to be used again.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Fault>> + Send;

    /// That was the last of them; returns once the far end says that it has all.
    fn end(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// How the `whole` bytes of the file can be sent on several lanes, of which the far end is known to have those before
    /// `at`; `None` where it takes them on one only. `known`: where an earlier run, or this one, has begun parts of it.
    fn door(
        &mut self,
        _name: Name,
        _at: u64,
        _whole: u64,
        _known: Option<&str>,
    ) -> impl Future<Output = Result<Option<Door>, Fault>> + Send {
        async { Ok(None) }
    }

    /// All parts are there, at these places in the order of the file: they become the file.
    fn join(
        &mut self,
        _name: Name,
        _door: &Door,
        _parts: &[String],
        _whole: u64,
    ) -> impl Future<Output = Result<Joined, Fault>> + Send {
        async { Ok(Joined::Whole) }
    }

    /// So many bytes the far end has said to be safe of what is being sent, where it does so on the way.
    fn safe(&self) -> u64 {
        0
    }

    /// What was begun is not to be finished.
    fn give_up(&mut self);

    /// Gives the file its date and, with `rename`, its final name.
    fn seal(
        &mut self,
        local: Option<Local>,
        rename: bool,
    ) -> impl Future<Output = Result<Sealed, Fault>> + Send;

    /// Where the far end has what is unfinished, if that is elsewhere than under its name.
    fn resource(&self) -> Option<Resource> {
        None
    }

    /// Something that a user should know, once.
    fn remark(&mut self) -> Option<String>;

    /// All is done; connections may be kept for the next one.
    fn close(&mut self);
}
