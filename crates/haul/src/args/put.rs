//! The command line of `haul put`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use haul_core::Digest;

use super::{FtpArgs, ProgressChoice, ReachArgs};
use crate::value::{self, Retries};

/// Upload files; the same command again goes on where it stopped.
///
/// What the server has of a file is compared with it before it is continued. What was begun is remembered in
/// $XDG_STATE_HOME/haul (else ~/.local/state/haul).
///
/// Exit codes: 0 done, 1 unexpected, 2 usage, 3 network (what the server has is kept), 4 refused by the server (also: no
/// room there), 7 local (cannot be read, changes all the time, in use), 8 cannot be done safely (another file is there,
/// which was left alone), 130 interrupted. Of several files the first failure counts.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    /// What to send (`-` is standard input, which cannot be resumed), and last the URL to send it to (http, https, ftp or
    /// ftps); with a slash at its end it is a folder
    // One list: clap lets no option stand between a list and what follows it.
    #[arg(value_name = "FILE... URL", required = true)]
    pub(crate) operands: Vec<PathBuf>,

    /// Send folders with what is in them, without symbolic links and empty folders
    #[arg(short, long, help_heading = "What goes")]
    pub(crate) recursive: bool,

    /// Files that are sent at the same time
    #[arg(short, long, value_name = "N", default_value = "3", value_parser = value::count)]
    #[arg(help_heading = "What goes")]
    pub(crate) jobs: NonZeroUsize,

    /// Before it is sent, the local file's digest must be this one; so must the server's, where it tells one
    #[arg(long, value_name = "ALGO=HEX", value_parser = value::checksum, help_heading = "What goes")]
    pub(crate) checksum: Option<Digest>,

    /// What to do about a file that is there and was not begun by haul [default: skip the same one, else fail]
    #[arg(long, value_name = "WHAT", help_heading = "What is there")]
    pub(crate) if_exists: Option<IfExistsChoice>,

    /// What is compared before a part that is there is continued
    #[arg(long, value_name = "HOW", default_value = "auto", help_heading = "What is there")]
    pub(crate) verify: VerifyChoice,

    /// Begin anew what is unfinished
    #[arg(long, help_heading = "What is there")]
    pub(crate) restart: bool,

    /// Make missing folders
    #[arg(long, help_heading = "What is there")]
    pub(crate) mkdir: bool,

    /// Send as NAME.part, and rename it when it is complete
    #[arg(long, help_heading = "What is there")]
    pub(crate) temp_name: bool,

    /// Connections to one host [default: up to 8, one for each file]; with this one file goes over so many, where the server
    /// can put it together (tus with concatenation, FTP of haul serve)
    #[arg(short = 'n', long, value_name = "N", value_parser = value::count, help_heading = "Network")]
    pub(crate) connections: Option<NonZeroUsize>,

    /// Bytes a second in all, as 500K or 10M (K is 1024)
    #[arg(long, value_name = "RATE", value_parser = value::rate, help_heading = "Network")]
    pub(crate) limit_rate: Option<NonZeroU64>,

    /// Failures in a row without progress before giving up (`inf` is never)
    #[arg(long, value_name = "N", default_value = "20", value_parser = value::retries, help_heading = "Network")]
    pub(crate) retries: Retries,

    /// A connection that takes no byte for so long is given up
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = value::seconds)]
    #[arg(help_heading = "Network")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,

    #[command(flatten)]
    pub(crate) ftp: FtpArgs,

    /// Send as text: line ends become those of the server, nothing can be resumed, and a file that is there is never known
    /// to be the same (also for a URL that ends in `;type=a`)
    #[arg(long, help_heading = "FTP")]
    pub(crate) ascii: bool,

    /// In which dialect files go over HTTP
    #[arg(long, value_name = "NAME", default_value = "auto", help_heading = "HTTP")]
    pub(crate) protocol: ProtocolChoice,

    /// How progress is shown [default: bar on a terminal, else plain]
    #[arg(long, value_name = "HOW", help_heading = "Output")]
    pub(crate) progress: Option<ProgressChoice>,

    /// Say nothing but failures
    #[arg(short, long, conflicts_with = "progress", help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Log to standard error what is done (twice: everything)
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Output")]
    pub(crate) verbose: u8,
}

/// `--protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolChoice {
    /// The best that the server offers when it is asked (OPTIONS)
    Auto,
    /// The resumable uploads of the IETF's draft
    Draft,
    /// tus 1.0.0
    Tus,
    /// PUT, in pieces where the server takes them (Content-Range)
    Put,
}

/// `--if-exists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfExistsChoice {
    /// Replace it, unless it is the same or the beginning of the same
    Overwrite,
    /// Leave it, which counts as done
    Skip,
    /// Leave it, which counts as failed (code 8)
    Fail,
}

/// `--verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyChoice {
    /// A checksum where the server makes one, else as tail
    Auto,
    /// Its last 64 KiB, read back
    Tail,
    /// All of it, by a checksum or read back
    Full,
    /// Nothing but its size
    None,
}
