//! The command line of `haul serve`. What values mean is said by haul-server, so that the file and the options cannot
//! differ.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use haul_server::config::{AnonymousAccess, Listen, PlainUser, Ports, Time, TlsMode};
use haul_server::log::Format;

/// Serve a folder over HTTP and FTP: any client downloads and uploads, with resume, and nobody sees a half-written file.
///
/// Without --user everybody may read and nobody may write. When a door is open, a line says so on standard output:
/// `listening http 127.0.0.1:8080`. SIGTERM and Ctrl-C end the server when what is running is done, or its time is over;
/// a second one ends it at once. What is unfinished is kept, and clients go on with it later. SIGHUP reads users, limits
/// and certificates again.
///
/// Exit codes: 0 stopped when asked to, 1 unexpected, 2 usage or configuration, 7 local (address or state in use, no
/// permission).
///
/// A folder that is called as one of the commands below is served by ./NAME.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true)]
#[command(disable_help_subcommand = true)]
#[command(subcommand_help_heading = "Asking a server that runs", subcommand_value_name = "COMMAND")]
pub(crate) struct ServeArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub(crate) instead: Option<Instead>,

    /// The folder [default: the current one]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Where HTTP is spoken, `off` for nowhere; `:8080` is every address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = value::<Listen>, help_heading = "Doors")]
    pub(crate) http: Option<Listen>,

    /// Where HTTP is spoken within TLS, over HTTP/1.1 and HTTP/2 [default: off]
    #[arg(long, value_name = "ADDR", value_parser = value::<Listen>, help_heading = "Doors")]
    pub(crate) https: Option<Listen>,

    /// Where FTP is spoken, `off` for nowhere; `:2121` is every address [default: 127.0.0.1:2121]
    #[arg(long, value_name = "ADDR", value_parser = value::<Listen>, help_heading = "Doors")]
    pub(crate) ftp: Option<Listen>,

    /// Where FTP begins with TLS [default: off]
    #[arg(long, value_name = "ADDR", value_parser = value::<Listen>, help_heading = "Doors")]
    pub(crate) ftps: Option<Listen>,

    /// Ports for passive data connections, as 50000-50999 [default: any free one]
    #[arg(long, value_name = "A-B", value_parser = value::<Ports>, help_heading = "Doors")]
    pub(crate) passive_ports: Option<Ports>,

    /// The address that PASV tells, of whatever translates addresses before this server
    #[arg(long, value_name = "IP", value_parser = external, help_heading = "Doors")]
    pub(crate) external_address: Option<Ipv4Addr>,

    /// Somebody who may come in (repeatable); PERMS of r (read), w (write), d (remove, rename), l (list), default rwdl.
    /// Whoever can list processes sees the password: --config takes hashes from `haul passwd`
    #[arg(long = "user", value_name = "NAME:PASSWORD[:PERMS]", value_parser = user, help_heading = "Who")]
    pub(crate) users: Vec<PlainUser>,

    /// What those without a name may do: off, r (read), rw (create, too; never replace or remove) [default: r]
    #[arg(long, value_name = "WHAT", value_parser = value::<AnonymousAccess>, help_heading = "Who")]
    pub(crate) anonymous: Option<AnonymousAccess>,

    /// The certificate with those above it, in PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Its key, in PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Make a certificate for this run; its SHA-256 is in the log, to compare with what a client shows
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"], help_heading = "TLS")]
    pub(crate) tls_self_signed: bool,

    /// Whether anything may be spoken without TLS: offered, required [default: offered, where there is a certificate]
    #[arg(long, value_name = "WHEN", value_parser = value::<TlsMode>, help_heading = "TLS")]
    pub(crate) tls: Option<TlsMode>,

    /// Where the server keeps what it remembers of unfinished uploads [default: DIR/.haul]
    #[arg(long, value_name = "DIR", help_heading = "Operation")]
    pub(crate) state: Option<PathBuf>,

    /// Where figures for Prometheus are told, at /metrics; a door of HTTP tells them at /-/metrics as well [default: off]
    #[arg(long, value_name = "ADDR", value_parser = value::<Listen>, help_heading = "Operation")]
    pub(crate) metrics: Option<Listen>,

    /// More settings, in TOML; options win over it
    #[arg(long, value_name = "FILE", help_heading = "Operation")]
    pub(crate) config: Option<PathBuf>,

    /// How log lines on standard error look: text, json [default: text]
    #[arg(long, value_name = "FORM", value_parser = value::<Format>, help_heading = "Operation")]
    pub(crate) log: Option<Format>,

    /// What is running may go on for so long after a SIGTERM [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = grace, help_heading = "Operation")]
    pub(crate) drain: Option<Duration>,

    /// Say what is wrong with the settings, and do nothing else
    #[arg(long, help_heading = "Operation")]
    pub(crate) check: bool,
}

// What each is for stands at its options.
#[derive(Debug, Subcommand)]
pub(crate) enum Instead {
    Status(StatusArgs),
    Uploads(UploadsArgs),
}

/// Say how a server is: since when it runs, who is on, what is moving, and what is unfinished.
///
/// The server is found by its state folder, and tells its own user and root only.
///
/// Exit codes: 0 it runs, 2 usage or configuration, 7 nobody serves there, or it does not tell.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// List unfinished uploads with size and age, or drop some; also where nobody serves.
///
/// What is listed is what meets all that is said of it. What bytes come for at the moment is not dropped.
///
/// Exit codes: 0 done, 2 usage or configuration, 7 something could not be listed or dropped.
#[derive(Args, Debug)]
pub(crate) struct UploadsArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Give up what would be listed: its bytes are removed, and its client begins anew
    #[arg(long, requires = "chosen")]
    pub(crate) drop: bool,

    /// Only this one (repeatable)
    #[arg(long = "id", value_name = "ID", group = "chosen", help_heading = "Which of them")]
    pub(crate) ids: Vec<String>,

    /// Only this user's; those without a name are anonymous@ADDRESS
    #[arg(long, value_name = "NAME", group = "chosen", help_heading = "Which of them")]
    pub(crate) user: Option<String>,

    /// Only those that have had no byte for so long, as 12h or 7d
    #[arg(long, value_name = "TIME", value_parser = value::<Time>, group = "chosen")]
    #[arg(help_heading = "Which of them")]
    pub(crate) older_than: Option<Time>,

    /// All of them, also where they are to be dropped
    #[arg(long, group = "chosen", help_heading = "Which of them")]
    pub(crate) all: bool,

    /// Print one JSON object for each, one a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which server: by what it was told itself.
#[derive(Args, Debug)]
pub(crate) struct WhichArgs {
    /// The folder that is served [default: the current one]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Its state folder [default: DIR/.haul]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Its configuration, which says where both are
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// A value whose error is the end of a sentence.
fn value<T: std::str::FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|why| format!("{text:?} {why}"))
}

/// What is given has a password in it, and is not repeated.
fn user(text: &str) -> Result<PlainUser, String> {
    text.parse()
}

fn external(text: &str) -> Result<Ipv4Addr, String> {
    let address = text.parse().ok().filter(|address: &Ipv4Addr| !address.is_unspecified());
    address.ok_or_else(|| format!("{text:?} is no IPv4 address (over IPv6 no address is told)"))
}

fn grace(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { crate::value::seconds(text) }
}
