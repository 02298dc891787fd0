//! The command line of `haul probe`.

use std::time::Duration;

use clap::{ArgAction, Args};
use url::Url;

use super::{FtpArgs, ReachArgs};
use crate::value;

/// Find out whether and how a server can resume, from what it does and not from what it says.
///
/// The last line is the verdict, `resume: yes|no|unsafe — why`; with --write the line before it is the one for uploads.
/// The exit code is 0 whenever there is one.
#[derive(Args, Debug)]
pub(crate) struct ProbeArgs {
    /// What to ask for (http://, https://, ftp:// or ftps://); on an FTP server it may be a folder
    #[arg(value_name = "URL", value_parser = value::url)]
    pub(crate) url: Url,

    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,

    /// Try uploads too (FTP): a small file of a name that nobody has is sent beside URL, continued, and deleted again
    #[arg(long)]
    pub(crate) write: bool,

    /// A step in which nothing comes for so long is given up
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = value::seconds)]
    #[arg(help_heading = "Network")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,

    #[command(flatten)]
    pub(crate) ftp: FtpArgs,

    /// Log to standard error what is done (twice: everything)
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
}
