//! The command line as clap reads it: options, their help, and which of them exclude each other.
//!
//! Each value becomes its type here, by the readers in [`crate::value`]; what needs more than one value, or a look at
//! the world, is settled in [`crate::plan`]. The contract is cli.md.

pub(crate) mod demo;
pub(crate) mod manual;
pub(crate) mod probe;
pub(crate) mod put;
pub(crate) mod serve;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use haul_core::Digest;
use haul_transfer::connect::ProxyChoice;
use http::{HeaderName, HeaderValue};
use url::Url;

use crate::value::{self, Login, Retries};

/// haul moves files over links that break.
///
/// Every transfer is picked up at the byte where it stopped, and two versions of a file are never mixed.
#[derive(Debug, Parser)]
#[command(name = "haul", version, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

// What each is for stands at its options, since clap would show a text given here instead of that one.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(Box<GetArgs>),
    Put(Box<put::PutArgs>),
    Status(StatusArgs),
    Probe(Box<probe::ProbeArgs>),
    Serve(Box<serve::ServeArgs>),
    Passwd(PasswdArgs),
    Demo(demo::DemoArgs),
    Man(manual::ManArgs),
    Completions(manual::CompletionsArgs),
}

/// Download files; the same command again goes on where it stopped.
///
/// While it is under way a file is NAME.part with its journal NAME.part.haul; NAME appears when it is complete.
///
/// Exit codes: 0 done, 1 unexpected, 2 usage, 3 network (partial kept), 4 refused by the server, 5 the remote file
/// changed, 6 checksum mismatch (kept as NAME.bad), 7 local (space, permission, in use), 8 cannot resume safely, 130
/// interrupted (partial kept). Of several URLs the first failure counts.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// What to download (http://, https://, ftp:// or ftps://); a folder on an FTP server, whose URL ends in a slash, is
    /// listed on standard output
    #[arg(value_name = "URL", value_parser = value::url, required_unless_present = "input_file")]
    pub(crate) urls: Vec<Url>,

    /// Fetch FTP folders with all that is in them: what is in ftp://HOST/a/b/ comes into a folder b (of the host's name,
    /// for ftp://HOST/) below DIR; files that are there already, unchanged, are not fetched
    #[arg(short, long)]
    pub(crate) recursive: bool,

    /// Read more URLs from FILE, one a line (`-` is standard input); blank lines and lines with # are skipped
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input_file: Option<PathBuf>,

    /// Files that are fetched at the same time
    #[arg(short, long, value_name = "N", default_value = "3", value_parser = value::count)]
    pub(crate) jobs: NonZeroUsize,

    /// Save as FILE (`-` is standard output, in order)
    #[arg(short, long, value_name = "FILE", help_heading = "Where it goes")]
    pub(crate) output: Option<PathBuf>,

    /// Save into DIR, a folder that exists
    #[arg(short, long, value_name = "DIR", help_heading = "Where it goes")]
    pub(crate) dir: Option<PathBuf>,

    /// Replace a finished file of that name
    #[arg(long, help_heading = "Where it goes")]
    pub(crate) overwrite: bool,

    /// Take over a shorter NAME left by curl, wget or a browser, after it was compared with the server's file
    #[arg(short = 'c', long = "continue", help_heading = "Where it goes")]
    pub(crate) adopt: bool,

    /// Forget what is there and begin anew
    #[arg(long, conflicts_with = "adopt", help_heading = "Where it goes")]
    pub(crate) restart: bool,

    /// What the file's digest must be: sha-256, sha-512, sha-1, md5 or blake3
    #[arg(long, value_name = "ALGO=HEX", value_parser = value::checksum, help_heading = "What it is")]
    pub(crate) checksum: Option<Digest>,

    /// What to do when the remote file has changed since an earlier run
    #[arg(long, value_name = "WHAT", default_value = "restart", help_heading = "What it is")]
    pub(crate) on_change: OnChange,

    /// The same file elsewhere (repeatable); used at the same time with --checksum, else when the first one fails
    #[arg(long = "mirror", value_name = "URL", value_parser = value::url, help_heading = "What it is")]
    pub(crate) mirrors: Vec<Url>,

    /// Connections to one host [default: as many as pay, up to 8]
    #[arg(short = 'n', long, value_name = "N", value_parser = value::count, help_heading = "Network")]
    pub(crate) connections: Option<NonZeroUsize>,

    /// Bytes a second in all, as 500K or 10M (K is 1024)
    #[arg(long, value_name = "RATE", value_parser = value::rate, help_heading = "Network")]
    pub(crate) limit_rate: Option<NonZeroU64>,

    /// Failures in a row without progress before giving up (`inf` is never)
    #[arg(long, value_name = "N", default_value = "20", value_parser = value::retries, help_heading = "Network")]
    pub(crate) retries: Retries,

    /// A connection on which no byte comes for so long is given up
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = value::seconds)]
    #[arg(help_heading = "Network")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,

    #[command(flatten)]
    pub(crate) ftp: FtpArgs,

    /// Fetch text: its line ends become those of this system, over one connection and without resuming (also for a URL
    /// that ends in `;type=a`)
    #[arg(long, help_heading = "FTP")]
    pub(crate) ascii: bool,

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

/// How a server is reached: the same options for every command that asks one.
#[derive(Args, Debug)]
pub(crate) struct ReachArgs {
    /// Send this header too (repeatable); another origin never sees it
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = value::header)]
    #[arg(help_heading = "Network")]
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,

    /// Log in as NAME; without a password it is taken from HAUL_PASSWORD or netrc, else asked for
    #[arg(short, long, value_name = "NAME[:PASSWORD]", value_parser = value::login, help_heading = "Network")]
    pub(crate) user: Option<Login>,

    /// Take names and passwords from FILE [default: $NETRC, else ~/.netrc]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, help_heading = "Network")]
    pub(crate) netrc: Option<Option<PathBuf>>,

    /// Go through this proxy: http, https, socks5 or socks5h (empty: none) [default: from the environment]
    #[arg(long, value_name = "URL", value_parser = value::proxy, help_heading = "Network")]
    pub(crate) proxy: Option<ProxyChoice>,

    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure", help_heading = "Network")]
    pub(crate) cacert: Option<PathBuf>,

    /// Trust any certificate: whoever is on the way can read and change everything
    #[arg(long, help_heading = "Network")]
    pub(crate) insecure: bool,

    /// A connection that has not come about after so long is given up
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = value::seconds)]
    #[arg(help_heading = "Network")]
    pub(crate) connect_timeout: Duration,
}

/// How FTP servers are spoken to.
#[derive(Args, Debug)]
pub(crate) struct FtpArgs {
    /// Servers connect to here for data (PORT, EPRT); else it is the other way round
    #[arg(long, help_heading = "FTP")]
    pub(crate) ftp_active: bool,

    /// Encryption of ftp:// (ftps:// always is)
    #[arg(long, value_name = "WHEN", default_value = "if-offered", help_heading = "FTP")]
    pub(crate) tls: TlsChoice,

    /// Send this command after the login, on every connection (repeatable); -v shows the reply
    #[arg(long, value_name = "CMD", value_parser = value::command, help_heading = "FTP")]
    pub(crate) quote: Vec<haul_transfer::FtpCommand>,
}

/// Say what is there of an unfinished download, from where, and whether `haul get` would go on with it.
///
/// Exit codes: 0 when there is something to say of every PATH, 7 when there is nothing at one or it cannot be read.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// A NAME, a NAME.part, a journal NAME.part.haul, or a folder with such files
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// Print one JSON object for each, one a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Read a password and print its argon2 hash, for the configuration of `haul serve`.
///
/// At a terminal it is asked for twice, without echo; else the first line of standard input is the password.
///
/// Exit codes: 0 done, 2 there is no password, or two different ones were typed.
#[derive(Args, Debug)]
pub(crate) struct PasswdArgs {}

/// `--on-change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnChange {
    /// Drop what is there and fetch the new one
    Restart,
    /// Stop with code 5 and keep what is there
    Fail,
}

/// `--tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsChoice {
    /// Or nothing is transferred
    Required,
    /// Where the server does it
    IfOffered,
    /// Never
    Off,
}

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressChoice {
    /// Live lines; where standard error is no terminal, plain ones
    Bar,
    /// Lines for a log
    Plain,
    /// One JSON object a line
    Json,
    /// Nothing but failures
    None,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn netrc_takes_a_file_only_behind_an_equals_sign() {
        let parsed = |text: &str| match Cli::try_parse_from(text.split(' ')).unwrap().command {
            Command::Get(get) => (get.reach.netrc, get.urls.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(parsed("haul get http://h/a"), (None, 1));
        assert_eq!(parsed("haul get --netrc http://h/a"), (Some(None), 1));
        assert_eq!(parsed("haul get --netrc=f http://h/a"), (Some(Some("f".into())), 1));
    }
}
