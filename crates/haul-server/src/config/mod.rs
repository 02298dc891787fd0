//! What a server is told: a TOML file, and over it the options of the command line, become one [`Config`] in which
//! nothing contradicts anything else.
//!
//! All that is wrong is told at once, with key and line: what a key cannot be while the file is read (`file`), what does
//! not fit together once options are laid over it (`fit`), and what is not there (`world`). What each key
//! means stands in docs/configuration.md. The world is looked at only by [`Config::check`].

mod accounts;
mod document;
mod file;
mod fit;
mod flags;
mod hooks;
mod lines;
mod problem;
mod resolve;
mod value;
mod world;

use std::{
    net::Ipv4Addr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use haul_core::TreePath;

pub use flags::Flags;
pub use problem::{Problem, Problems};
pub use value::{AnonymousAccess, Listen, PlainUser, Ports, Sandbox, Time, TlsMode, TlsReuse};

use crate::{
    accounts::{Anonymous, User, throttle::Patience},
    depot::Rules,
    hooks::Hook,
    house::{Limits, Proxies},
    log::Format,
};

/// Everything that a server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that is served.
    pub dir: PathBuf,
    /// Where the server keeps what it remembers.
    pub state: PathBuf,
    /// Other folders that are served at places in the tree.
    pub mounts: Vec<Mount>,
    /// How long a transfer may go on once the server was asked to stop.
    pub drain: Duration,
    /// The doors that speak FTP.
    pub ftp: Ftp,
    /// The doors that speak HTTP.
    pub http: Http,
    /// The certificate, and what is asked of clients; `None`: there is no TLS.
    pub tls: Option<Tls>,
    /// What this server is called besides.
    pub hosts: Vec<VirtualHost>,
    /// Those who have a name.
    pub users: Vec<User>,
    /// Those who have none.
    pub anonymous: Anonymous,
    /// How often somebody may be wrong.
    pub patience: Patience,
    /// Who speaks for others.
    pub proxy: Proxies,
    /// What the process is on this machine.
    pub process: Process,
    /// What holds at every door.
    pub limits: Limits,
    /// How uploads are dealt with.
    pub uploads: Rules,
    /// What is written down, and how.
    pub log: Logging,
    /// Where figures are told beside the doors of HTTP.
    pub metrics: Listen,
    /// Who is told of transfers.
    pub hooks: Vec<Hook>,
    /// Where all this stands.
    lines: lines::Lines,
}

/// A folder of this machine at a place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The place.
    pub path: TreePath,
    /// The folder.
    pub dir: PathBuf,
}

/// The doors that speak FTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ftp {
    /// Where plain FTP, and FTP with AUTH TLS, is spoken.
    pub listen: Listen,
    /// Where FTP begins with TLS.
    pub listen_tls: Listen,
    /// Ports for passive data connections; any free one where none are named.
    pub passive_ports: Option<RangeInclusive<u16>>,
    /// What PASV tells instead of the connection's own address.
    pub external_address: Option<Ipv4Addr>,
    /// What the greeting says behind 220.
    pub banner: String,
    /// Without a command, while nothing is transferred.
    pub idle: Duration,
    /// Without a transfer, whatever else is said.
    pub no_transfer: Duration,
    /// Without a byte in a transfer.
    pub stall: Duration,
    /// Sessions in all.
    pub sessions: u32,
    /// Sessions of one address.
    pub sessions_per_address: u32,
    /// Failed logins on one connection.
    pub logins: u32,
    /// How a data connection with TLS proves whose it is.
    pub tls_reuse: TlsReuse,
    /// Whether MODE Z is offered.
    pub compression: bool,
}

/// The doors that speak HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where HTTP is spoken in the clear.
    pub listen: Listen,
    /// Where HTTP is spoken within TLS.
    pub listen_tls: Listen,
    /// Between two requests, and for the head of one.
    pub idle: Duration,
    /// Without a byte in a transfer.
    pub stall: Duration,
    /// Connections in all.
    pub connections: u32,
    /// Connections of one address.
    pub connections_per_address: u32,
    /// Whose pages may use this server from a browser.
    pub origins: Vec<String>,
    /// Names of this server beside those that mean this machine.
    pub hosts: Vec<String>,
}

/// What the process is on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The user that it becomes, started as root.
    pub user: Option<String>,
    /// The group, where it is not that user's own.
    pub group: Option<String>,
    /// What permissions new files do not get.
    pub umask: Option<u32>,
    /// Whether it gives up what it need not reach.
    pub sandbox: Sandbox,
}

/// TLS for all doors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whose the server says it is.
    pub certificate: Certificate,
    /// Whether anything may be spoken without it.
    pub mode: TlsMode,
    /// Who vouches for clients that show certificates, PEM; `None`: they are not asked for any.
    pub clients: Option<PathBuf>,
}

/// What this server is called besides (`[[host]]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHost {
    /// The names, in small letters; no other host has one of them.
    pub names: Vec<String>,
    /// What the greeting says to whoever means it.
    pub banner: Option<String>,
    /// Its certificate and the key, PEM; `None`: the server's own.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The folder of the tree in which all homes lie for whoever means it.
    pub home: TreePath,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// PEM files.
    Files {
        /// The chain, the server's own first.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Made by the server for itself, anew in each run: clients must be told to trust it.
    SelfSigned,
}

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// How lines on standard error look.
    pub format: Format,
    /// A file with a line for each transfer.
    pub xferlog: Option<PathBuf>,
    /// A file with a line for each change, and for each login.
    pub audit: Option<PathBuf>,
}

impl Config {
    /// The file's text, if there is one, and over it the command line. Relative paths in a file begin at its folder.
    pub fn resolve(file: Option<(&Path, &str)>, flags: Flags) -> Result<Self, Problems> {
        resolve::resolve(file, flags)
    }

    /// A mistake that is found out later, about this key, which does not fit to those beside it: with its lines. Of keys
    /// in tables that may be several, `number` says in which of them.
    pub fn wrong(&self, key: &str, beside: &[&str], number: Option<usize>, what: String) -> Problems {
        let line = |key: &str| self.lines.nth(key, number?);
        let problem = Problem::of(key, what).at(line(key));
        let problem = beside.iter().fold(problem, |problem, key| problem.beside_at(key, line(key)));
        self.lines.told(vec![problem])
    }

    /// Whether somebody may write: then there is state.
    pub fn anybody_writes(&self) -> bool {
        self.anonymous.writes() || self.users.iter().any(User::writes)
    }
}

#[cfg(test)]
mod tests;
