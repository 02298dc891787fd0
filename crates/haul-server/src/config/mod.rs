//! What a server is told: a TOML file, and over it the options of the command line, become one [`Config`] in which
//! nothing contradicts anything else.
//!
//! All that is wrong is told at once, with key and line. What each key means stands in docs/configuration.md. The
//! world is looked at only by [`Config::check`].

mod document;
mod flags;
mod hooks;
mod lines;
mod problem;
mod resolve;
mod value;

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

    /// Whether somebody may write: then there is state.
    pub fn anybody_writes(&self) -> bool {
        self.anonymous.writes() || self.users.iter().any(User::writes)
    }

    /// Looks at the world: whether the folders and files are there that this speaks of.
    pub fn check(&self) -> Result<(), Problems> {
        let mut list = Vec::new();
        if !self.dir.is_dir() {
            list.push(Problem::of("dir", format!("{} is no folder", self.dir.display())));
        } else if let (Some(dir), Some(state)) = (real(&self.dir), real(&self.state))
            && resolve::is_served(&dir, &state)
        {
            list.push(resolve::served_state(&self.state));
        }
        self.check_mounts(&mut list);
        if let Some(Tls { certificate: Certificate::Files { cert, key }, .. }) = &self.tls {
            for (name, file) in [("tls.cert", cert), ("tls.key", key)] {
                if let Err(why) = std::fs::File::open(file) {
                    list.push(Problem::of(name, format!("{}: {why}", file.display())));
                }
            }
        }
        for (cert, key) in self.hosts.iter().filter_map(|host| host.certificate.as_ref()) {
            for (name, file) in [("host.cert", cert), ("host.key", key)] {
                if let Err(why) = std::fs::File::open(file) {
                    list.push(Problem::of(name, format!("{}: {why}", file.display())));
                }
            }
        }
        if let Some(clients) = self.tls.as_ref().and_then(|tls| tls.clients.as_deref())
            && let Err(why) = std::fs::File::open(clients)
        {
            list.push(Problem::of("tls.client_ca", format!("{}: {why}", clients.display())));
        }
        for (name, file) in [("log.xferlog", &self.log.xferlog), ("log.audit", &self.log.audit)] {
            let folder = file.as_deref().map(|file| match file.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            });
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                list.push(Problem::of(name, format!("{} is no folder", folder.display())));
            }
        }
        list.extend(self.hooks.iter().filter_map(hooks::unfit));
        if list.is_empty() { Ok(()) } else { Err(self.lines.told(list)) }
    }

    /// Folders that are served twice would have two that stage and sweep in them.
    fn check_mounts(&self, list: &mut Vec<Problem>) {
        let mut served: Vec<PathBuf> = real(&self.dir).into_iter().collect();
        for (number, Mount { path, dir }) in self.mounts.iter().enumerate() {
            let wrong = |key: &str, what: String| {
                let line = self.lines.nth(key, number);
                Problem { line, ..Problem::of(key, what) }
            };
            let Some(folder) = real(dir).filter(|folder| folder.is_dir()) else {
                list.push(wrong("mount.dir", format!("{} is no folder", dir.display())));
                continue;
            };
            let twice = served.iter().find(|other| folder.starts_with(other) || other.starts_with(&folder));
            if let Some(other) = twice {
                let what = format!("{} and {} lie in each other", dir.display(), other.display());
                list.push(wrong("mount.dir", what));
            }
            if real(&self.state).is_some_and(|state| resolve::is_served(&folder, &state)) {
                list.push(resolve::served_state(&self.state));
            }
            served.push(folder);
            let above = path.parent().unwrap_or_default();
            if !self.folder_of(&above).is_some_and(|folder| folder.is_dir()) {
                let what = format!("there is no folder {above} for {path} to be shown in");
                list.push(wrong("mount.path", what));
            }
        }
    }

    /// The folder of this machine that is served there.
    fn folder_of(&self, path: &TreePath) -> Option<PathBuf> {
        let around = self.mounts.iter().filter(|mount| path.is_within(&mount.path));
        let (at, dir) = around
            .max_by_key(|mount| mount.path.as_bytes().len())
            .map_or((TreePath::ROOT, &self.dir), |mount| (mount.path.clone(), &mount.dir));
        let inside = path.moved(&at, &TreePath::ROOT)?;
        Some(dir.join(inside.to_string().trim_start_matches('/')))
    }

    /// Homes that are not there. Whose home it is comes in all the same, finds nothing, and may be helped by whoever
    /// makes the folder; nobody else is concerned.
    pub fn absent_homes(&self) -> Problems {
        let anonymous = match &self.anonymous {
            Anonymous::On { home, .. } => Some(("anonymous.home", None, home)),
            Anonymous::Off => None,
        };
        let users = self.users.iter().map(|user| ("user.home", Some(&user.name), &user.home));
        let hosts = self.hosts.iter().map(|host| ("host.home", host.names.first(), &host.home));
        let absent = users.chain(anonymous).chain(hosts).filter(|(_, _, home)| {
            !self.folder_of(home).is_some_and(|folder| folder.is_dir()) && self.dir.is_dir()
        });
        let told = absent.map(|(key, name, home)| {
            let whose = name.map(|name| format!("{name:?}: ")).unwrap_or_default();
            let dir = self.dir.display();
            Problem::of(key, format!("{whose}there is no folder {home} in {dir}"))
        });
        self.lines.told(told.collect())
    }
}

/// Where a path leads, though the end of it may not be there yet.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|there| {
        let rest = path.strip_prefix(there).ok()?;
        Some(there.canonicalize().ok()?.join(rest))
    })
}

#[cfg(test)]
mod tests;
