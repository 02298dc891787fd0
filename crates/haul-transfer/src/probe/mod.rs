//! `haul probe`: whether and how a server can resume, from what it does and not from what it says.
//!
//! `http` and `ftp` ask, compare bytes and come to a [`Verdict`]; what is printed of it is not known here.

mod ftp;
mod http;

use std::time::Duration;

use haul_core::transfer::Trouble;
use url::Url;

use crate::{
    client::{Client, Stop},
    failure::{Failure, Kind},
    source::Failed,
};

pub use ftp::{Encrypted, FtpReport, Inside, Probed, Tried, WriteReport};
pub use http::HttpReport;

/// What a server was found to do.
#[derive(Clone, Debug)]
pub enum Report {
    /// Over HTTP.
    Http(Box<HttpReport>),
    /// Over FTP.
    Ftp(Box<FtpReport>),
}

/// Whether it can resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Yes, and a changed file is noticed.
    Yes,
    /// No: every break begins anew.
    No,
    /// It continues, but nothing proves that it continues the same file; haul compares bytes.
    Unsafe,
}

/// The verdict, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it can resume.
    pub resume: Resume,
    /// Why, in plain words.
    pub why: String,
}

/// How far a probe may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether a small file of a name that nobody has may be uploaded and deleted again. FTP only.
    pub write: bool,
    /// A step that takes longer has told enough. (FTP has its own: [`crate::FtpOptions::patience`].)
    pub patience: Duration,
}

/// Finds out whether the server of `url` can resume. At the sign to stop it deletes what it uploaded and ends.
///
/// # Errors
/// [`Kind::Network`] and [`Kind::Refused`] where nothing can be tried, [`Kind::Usage`] for a URL that names nothing
/// or a `write` over HTTP, [`Kind::Interrupted`].
pub async fn probe(client: &Client, url: &Url, limits: Limits, stop: &Stop) -> Result<Report, Failure> {
    if matches!(url.scheme(), "ftp" | "ftps") {
        let report = Box::pin(ftp::probe(client, url, limits.write, stop)).await?;
        return Ok(Report::Ftp(Box::new(report)));
    }
    if limits.write {
        return Err(Failure::new(Kind::Usage, "--write tries uploads, which haul does over FTP only so far"));
    }
    tokio::select! {
        report = Box::pin(http::probe(client, url, limits.patience)) => Ok(Report::Http(Box::new(report?))),
        () = stop.stopped() => Err(Failure::new(Kind::Interrupted, "stopped")),
    }
}

fn refused(failed: Failed) -> Failure {
    let kind = match failed.why {
        Trouble::Denied | Trouble::Fatal => Kind::Refused,
        Trouble::Unreachable | Trouble::Broken | Trouble::Busy | Trouble::Unreliable => Kind::Network,
    };
    Failure::new(kind, failed.message)
}
