//! What the file says, section by section, each key as what it means. What is not said has its default here; what does
//! not fit together is found out elsewhere.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use haul_core::TreePath;
use haul_store::Durability;

use super::{
    Ftp, Http, Logging, Mount, Process, VirtualHost, accounts,
    document::{Document, Table},
    hooks,
    value::{self, AnonymousAccess, Listen, Ports, TlsMode},
};
use crate::{
    accounts::{Bounds, Networks, User, throttle::Patience},
    depot::Rules,
    hooks::Hook,
    house::{Limits, Proxies},
    pace::{Bandwidth, Rates, UserRates},
};

/// How long a newcomer waits for an older session of the same user to show that it is dead.
const TAKEOVER: Duration = Duration::from_secs(2);
/// Unfinished uploads of one account: more than a person has, and no more than a ledger bears of many.
const MAX_UNFINISHED: u32 = 1000;

const DAY: Duration = Duration::from_secs(86_400);

/// What the file says, as far as it says anything.
pub(super) struct File {
    pub(super) dir: Option<PathBuf>,
    pub(super) state: Option<PathBuf>,
    pub(super) mounts: Vec<Mount>,
    pub(super) drain: Option<Duration>,
    pub(super) ftp: Ftp,
    pub(super) http: Http,
    pub(super) tls: TlsKeys,
    pub(super) hosts: Vec<VirtualHost>,
    pub(super) users: Vec<User>,
    pub(super) anonymous: (AnonymousAccess, TreePath, Arc<Bounds>),
    pub(super) patience: Patience,
    pub(super) proxy: Proxies,
    pub(super) process: Process,
    pub(super) limits: Limits,
    pub(super) uploads: Rules,
    pub(super) log: Logging,
    pub(super) metrics: Listen,
    pub(super) hooks: Vec<Hook>,
}

/// What is said of a certificate.
#[derive(Default)]
pub(super) struct TlsKeys {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) self_signed: bool,
    pub(super) mode: Option<TlsMode>,
    pub(super) clients: Option<PathBuf>,
}

/// Everything in the file.
pub(super) fn read<'a>(document: &mut Document<'a>, mut root: Table<'a>, folder: &Path) -> File {
    let path = |text: &str| path(folder, text);
    let file = File {
        dir: document.text(&mut root, "dir", path),
        state: document.text(&mut root, "state", path),
        mounts: mounts(document, &mut root, folder),
        drain: document.text(&mut root, "drain", value::time),
        ftp: ftp(document, &mut root),
        http: http(document, &mut root),
        tls: tls_keys(document, &mut root, folder),
        hosts: hosts(document, &mut root, folder),
        anonymous: accounts::anonymous(document, &mut root),
        patience: patience(document, &mut root),
        proxy: proxy(document, &mut root),
        process: process(document, &mut root),
        limits: limits(document, &mut root),
        uploads: uploads(document, &mut root),
        log: logging(document, &mut root, folder),
        metrics: metrics(document, &mut root),
        hooks: hooks::read(document, &mut root, folder),
        users: accounts::users(document, &mut root),
    };
    document.finish(root);
    file
}

pub(super) fn path(folder: &Path, text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') { Err("is no path".to_owned()) } else { Ok(folder.join(text)) }
}

fn ftp<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Ftp {
    let mut table = document.table(root, "ftp");
    let table_ = &mut table;
    let seconds = Duration::from_secs;
    let ftp = Ftp {
        listen: document
            .text(table_, "listen", str::parse)
            .unwrap_or(Listen::At(([127, 0, 0, 1], 2121).into())),
        listen_tls: document.text(table_, "listen_tls", str::parse).unwrap_or(Listen::Off),
        passive_ports: document.text(table_, "passive_ports", str::parse).map(|Ports(ports)| ports),
        external_address: document.text(table_, "external_address", value::external_address),
        banner: document.text(table_, "banner", value::line).unwrap_or_else(|| "haul is ready".to_owned()),
        idle: document.text(table_, "idle", value::time).unwrap_or(seconds(300)),
        no_transfer: document.text(table_, "no_transfer", value::time).unwrap_or(seconds(1800)),
        stall: document.text(table_, "stall", value::time).unwrap_or(seconds(120)),
        sessions: document.number(table_, "sessions", &(1..1_000_001)).unwrap_or(2000),
        sessions_per_address: document
            .number(table_, "sessions_per_address", &(1..1_000_001))
            .unwrap_or(2000),
        logins: document.number(table_, "logins", &(1..101)).unwrap_or(3),
        tls_reuse: document.text(table_, "tls_reuse", str::parse).unwrap_or_default(),
        compression: document.flag(table_, "compression").unwrap_or(false),
    };
    document.finish(table);
    ftp
}

fn http<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Http {
    let mut table = document.table(root, "http");
    let table_ = &mut table;
    let seconds = Duration::from_secs;
    let http = Http {
        listen: document
            .text(table_, "listen", str::parse)
            .unwrap_or(Listen::At(([127, 0, 0, 1], 8080).into())),
        listen_tls: document.text(table_, "listen_tls", str::parse).unwrap_or(Listen::Off),
        idle: document.text(table_, "idle", value::time).unwrap_or(seconds(60)),
        stall: document.text(table_, "stall", value::time).unwrap_or(seconds(120)),
        connections: document.number(table_, "connections", &(1..1_000_001)).unwrap_or(10_000),
        connections_per_address: document
            .number(table_, "connections_per_address", &(1..1_000_001))
            .unwrap_or(10_000),
        origins: document.texts(table_, "origins", value::origin),
        hosts: document.texts(table_, "hosts", value::host),
    };
    document.finish(table);
    http
}

fn tls_keys<'a>(document: &mut Document<'a>, root: &mut Table<'a>, folder: &Path) -> TlsKeys {
    let mut table = document.table(root, "tls");
    let keys = TlsKeys {
        cert: document.text(&mut table, "cert", |text| path(folder, text)),
        key: document.text(&mut table, "key", |text| path(folder, text)),
        self_signed: document.flag(&mut table, "self_signed").unwrap_or(false),
        mode: document.text(&mut table, "mode", str::parse),
        clients: document.text(&mut table, "client_ca", |text| path(folder, text)),
    };
    document.finish(table);
    keys
}

/// Other folders in the tree.
fn mounts<'a>(document: &mut Document<'a>, root: &mut Table<'a>, folder: &Path) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for mut table in document.tables(root, "mount") {
        document.demand(&table, "path");
        document.demand(&table, "dir");
        let at = document.once(&mut table, "path", |text| {
            let at = value::home(text)?;
            if at.is_root() { Err("is the root, which is dir".to_owned()) } else { Ok(at) }
        });
        let dir = document.text(&mut table, "dir", |text| path(folder, text));
        document.finish(table);
        mounts.extend(at.zip(dir).map(|(path, dir)| Mount { path, dir }));
    }
    mounts
}

/// What the server is called besides: `[[host]]`.
fn hosts<'a>(document: &mut Document<'a>, root: &mut Table<'a>, folder: &Path) -> Vec<VirtualHost> {
    let mut hosts: Vec<VirtualHost> = Vec::new();
    for mut table in document.tables(root, "host") {
        document.demand(&table, "names");
        let names = document.each_once(&mut table, "names", value::host);
        let banner = document.text(&mut table, "banner", value::line);
        let cert = document.text(&mut table, "cert", |text| path(folder, text));
        let key = document.text(&mut table, "key", |text| path(folder, text));
        if cert.is_some() != key.is_some() {
            document.demand(&table, if cert.is_some() { "key" } else { "cert" });
        }
        let home = document.text(&mut table, "home", value::home).unwrap_or_default();
        document.finish(table);
        hosts.push(VirtualHost { names, banner, certificate: cert.zip(key), home });
    }
    hosts
}

/// How fast it may be either way; `of` stands before the names of the keys.
pub(super) fn rates<'a>(document: &mut Document<'a>, table: &mut Table<'a>, of: &str) -> Rates {
    Rates {
        down: document.text(table, &format!("{of}down"), value::rate),
        up: document.text(table, &format!("{of}up"), value::rate),
    }
}

fn limits<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Limits {
    let mut table = document.table(root, "limits");
    let limits = Limits {
        networks: Networks(document.texts(&mut table, "networks", str::parse)),
        sessions: document.number(&mut table, "sessions", &(1..1_000_001)),
        sessions_per_address: document.number(&mut table, "sessions_per_address", &(1..1_000_001)),
        sessions_per_user: document.number(&mut table, "sessions_per_user", &(1..1_000_001)),
        bandwidth: Bandwidth {
            all: rates(document, &mut table, ""),
            each: UserRates {
                user: rates(document, &mut table, "user_"),
                session: rates(document, &mut table, "session_"),
            },
        },
    };
    document.finish(table);
    limits
}

fn patience<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Patience {
    let mut table = document.table(root, "login");
    let default = Patience::default();
    let patience = Patience {
        failures: document.number(&mut table, "failures", &(0..1001)).unwrap_or(default.failures),
        refuse: document.text(&mut table, "refuse", value::time).unwrap_or(default.refuse),
    };
    document.finish(table);
    patience
}

fn proxy<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Proxies {
    let mut table = document.table(root, "proxy");
    let proxy = Proxies {
        trusted: Networks(document.texts(&mut table, "trusted", str::parse)),
        others: document.text(&mut table, "others", str::parse).unwrap_or_default(),
    };
    document.finish(table);
    proxy
}

fn process<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Process {
    let mut table = document.table(root, "process");
    let process = Process {
        user: document.text(&mut table, "user", value::name_or_number),
        group: document.text(&mut table, "group", value::name_or_number),
        umask: document.text(&mut table, "umask", value::umask),
        sandbox: document.text(&mut table, "sandbox", str::parse).unwrap_or_default(),
    };
    document.finish(table);
    process
}

fn uploads<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Rules {
    let mut table = document.table(root, "uploads");
    let (whole, durability) = (
        [("whole", false), ("in-place", true)],
        [("full", Durability::Full), ("relaxed", Durability::Relaxed)],
    );
    let most = document.number(&mut table, "max_unfinished", &(1..1_000_001));
    let rules = Rules {
        in_place: document.text(&mut table, "mode", |text| value::one_of(text, &whole)).unwrap_or(false),
        durability: document
            .text(&mut table, "durability", |text| value::one_of(text, &durability))
            .unwrap_or(Durability::Full),
        expire: document.text(&mut table, "expire", value::time).unwrap_or(DAY * 7),
        max_unfinished: usize::try_from(most.unwrap_or(MAX_UNFINISHED)).unwrap_or(usize::MAX),
        takeover: TAKEOVER,
    };
    document.finish(table);
    rules
}

fn logging<'a>(document: &mut Document<'a>, root: &mut Table<'a>, folder: &Path) -> Logging {
    let mut table = document.table(root, "log");
    let logging = Logging {
        format: document.text(&mut table, "format", str::parse).unwrap_or_default(),
        xferlog: document.text(&mut table, "xferlog", |text| path(folder, text)),
        audit: document.text(&mut table, "audit", |text| path(folder, text)),
    };
    document.finish(table);
    logging
}

fn metrics<'a>(document: &mut Document<'a>, root: &mut Table<'a>) -> Listen {
    let mut table = document.table(root, "metrics");
    let listen = document.text(&mut table, "listen", str::parse).unwrap_or(Listen::Off);
    document.finish(table);
    listen
}

/// Every key that a file may have.
#[cfg(test)]
pub(super) fn keys() -> std::collections::BTreeSet<String> {
    let (mut document, root) =
        Document::parse("[[mount]]\n[[hook]]\n[[host]]\n[[user]]\n[[user.folder]]\n[[anonymous.folder]]");
    read(&mut document, root, Path::new(""));
    document.asked
}
