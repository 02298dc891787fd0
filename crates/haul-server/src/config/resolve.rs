//! File and command line become one: defaults under the file, the file under the options, then what must fit together.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use haul_core::TreePath;
use haul_store::Durability;

use super::{
    Certificate, Config, Flags, Ftp, Http, Logging, Mount, Problem, Problems, Process, Tls, VirtualHost,
    document::{Document, Table},
    hooks,
    lines::Lines,
    value::{self, AnonymousAccess, Listen, Ports, TlsMode},
};
use crate::{
    account::{Completion, Permissions},
    accounts::{Anonymous, Bounds, Folders, Networks, Password, Quota, User, throttle::Patience},
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
struct File {
    dir: Option<PathBuf>,
    state: Option<PathBuf>,
    mounts: Vec<Mount>,
    drain: Option<Duration>,
    ftp: Ftp,
    http: Http,
    tls: TlsKeys,
    hosts: Vec<VirtualHost>,
    users: Vec<User>,
    anonymous: (AnonymousAccess, TreePath, Arc<Bounds>),
    patience: Patience,
    proxy: Proxies,
    process: Process,
    limits: Limits,
    uploads: Rules,
    log: Logging,
    metrics: Listen,
    hooks: Vec<Hook>,
}

#[derive(Default)]
struct TlsKeys {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: bool,
    mode: Option<TlsMode>,
    clients: Option<PathBuf>,
}

pub(super) fn resolve(file: Option<(&Path, &str)>, flags: Flags) -> Result<Config, Problems> {
    let folder = file.and_then(|(path, _)| path.parent()).unwrap_or(Path::new(""));
    let (mut document, root) = Document::parse(file.map_or("", |(_, text)| text));
    let told = read(&mut document, root, folder);
    let mut problems = std::mem::take(&mut document.problems);
    let lines = lines(std::mem::take(&mut document.lines), file.map(|(path, _)| path), &flags);

    let dir = flags.dir.or(told.dir).unwrap_or_else(|| PathBuf::from("."));
    let state = flags.state.or(told.state).unwrap_or_else(|| dir.join(haul_core::RESERVED));
    if is_served(&dir, &state) {
        problems.push(served_state(&state));
    }
    let ftp = Ftp {
        listen: flags.ftp.unwrap_or(told.ftp.listen),
        listen_tls: flags.ftps.unwrap_or(told.ftp.listen_tls),
        passive_ports: flags.passive_ports.map(|Ports(ports)| ports).or(told.ftp.passive_ports),
        external_address: flags.external_address.or(told.ftp.external_address),
        ..told.ftp
    };
    let http = Http {
        listen: flags.http.unwrap_or(told.http.listen),
        listen_tls: flags.https.unwrap_or(told.http.listen_tls),
        ..told.http
    };
    // A certificate on the command line replaces that of the file as a whole.
    let mode = flags.tls.or(told.tls.mode);
    let given = flags.tls_cert.is_some() || flags.tls_key.is_some() || flags.tls_self_signed;
    let keys = if given {
        TlsKeys {
            cert: flags.tls_cert,
            key: flags.tls_key,
            self_signed: flags.tls_self_signed,
            mode,
            clients: told.tls.clients,
        }
    } else {
        TlsKeys { mode, ..told.tls }
    };
    let begin_with_it = [("ftp.listen_tls", ftp.listen_tls), ("http.listen_tls", http.listen_tls)];
    let tls = tls(keys, begin_with_it, &mut problems);
    if [ftp.listen, ftp.listen_tls, http.listen, http.listen_tls].iter().all(|door| *door == Listen::Off) {
        problems.push(Problem::of(
            "ftp.listen",
            "is off, and so is every other door: there is nothing to serve at",
        ));
    }
    if told.process.group.is_some() && told.process.user.is_none() {
        problems.push(Problem::of("process.group", "needs process.user beside it"));
    }
    if told.process.user.is_some() && ftp.passive_ports.as_ref().is_some_and(|ports| *ports.start() < 1024) {
        let what = "only root can listen at ports below 1024, and the server is process.user by then";
        problems.push(Problem::of("ftp.passive_ports", what));
    }
    let vouched = tls.as_ref().is_some_and(|tls| tls.clients.is_some());
    let known = told.users.iter().position(|user| !user.bounds.certificates.is_empty());
    if let Some(number) = known.filter(|_| !vouched) {
        let what = "nobody vouches for any: tls.client_ca is missing";
        let line = lines.nth("user.certificates", number);
        problems.push(Problem { line, ..Problem::of("user.certificates", what) });
    }
    let users = users(told.users, flags.users.into_iter().map(|user| user.0), &lines, &mut problems);
    let certified = told.hosts.iter().position(|host| host.certificate.is_some());
    if let Some(number) = certified.filter(|_| tls.is_none()) {
        let what = "there is none for whoever names no host: tls.cert and tls.key, or tls.self_signed";
        let line = lines.nth("host.cert", number);
        problems.push(Problem { line, ..Problem::of("host.cert", what) });
    }
    let (access, home, bounds) = told.anonymous;
    let anonymous = match flags.anonymous.unwrap_or(access) {
        AnonymousAccess::Off => Anonymous::Off,
        AnonymousAccess::Read => Anonymous::On { write: false, home, bounds },
        AnonymousAccess::ReadWrite => Anonymous::On { write: true, home, bounds },
    };
    if users.is_empty() && anonymous == Anonymous::Off {
        problems.push(Problem::of("user", "there is none, and anonymous is off: nobody could come in"));
    }
    if !problems.is_empty() {
        return Err(lines.told(problems));
    }
    Ok(Config {
        dir,
        state,
        mounts: told.mounts,
        drain: flags.drain.or(told.drain).unwrap_or(Duration::from_secs(10)),
        ftp,
        http,
        tls,
        hosts: told.hosts,
        users,
        anonymous,
        patience: told.patience,
        proxy: told.proxy,
        process: told.process,
        limits: told.limits,
        uploads: told.uploads,
        log: Logging { format: flags.log.unwrap_or(told.log.format), ..told.log },
        metrics: flags.metrics.unwrap_or(told.metrics),
        hooks: told.hooks,
        lines,
    })
}

/// Where keys stand whose values count, and are not what the command line says instead.
fn lines(mut lines: Lines, file: Option<&Path>, flags: &Flags) -> Lines {
    lines.file = file.map(Path::to_owned);
    let certificate = flags.tls_cert.is_some() || flags.tls_key.is_some() || flags.tls_self_signed;
    for (instead, keys) in [
        (flags.dir.is_some(), &["dir"][..]),
        (flags.state.is_some(), &["state"]),
        (flags.ftp.is_some(), &["ftp.listen", "ftp"]),
        (flags.ftps.is_some(), &["ftp.listen_tls", "ftp"]),
        (flags.https.is_some(), &["http.listen_tls", "http"]),
        (flags.passive_ports.is_some(), &["ftp.passive_ports"]),
        (flags.tls.is_some(), &["tls.mode"]),
        (certificate, &["tls", "tls.cert", "tls.key", "tls.self_signed"]),
    ] {
        if instead {
            lines.forget(keys);
        }
    }
    lines
}

/// Whether somebody could fetch what the server remembers: only below the reserved name nobody can.
pub(super) fn is_served(dir: &Path, state: &Path) -> bool {
    let reserved = |part: &std::ffi::OsStr| part.eq_ignore_ascii_case(haul_core::RESERVED);
    state.strip_prefix(dir).is_ok_and(|rest| !rest.iter().any(reserved))
}

pub(super) fn served_state(state: &Path) -> Problem {
    let what = format!(
        "{} lies in the folder that is served, where clients could fetch it: choose one outside, or below {}",
        state.display(),
        haul_core::RESERVED
    );
    Problem::of("state", what)
}

/// Everything in the file.
fn read<'a>(document: &mut Document<'a>, mut root: Table<'a>, folder: &Path) -> File {
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
        anonymous: anonymous(document, &mut root),
        patience: patience(document, &mut root),
        proxy: proxy(document, &mut root),
        process: process(document, &mut root),
        limits: limits(document, &mut root),
        uploads: uploads(document, &mut root),
        log: logging(document, &mut root, folder),
        metrics: metrics(document, &mut root),
        hooks: hooks::read(document, &mut root, folder),
        users: document
            .tables(&mut root, "user")
            .into_iter()
            .filter_map(|table| user(document, table))
            .collect(),
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

/// What a certificate, its key and the doors make together.
fn tls(keys: TlsKeys, begin_with_it: [(&str, Listen); 2], problems: &mut Vec<Problem>) -> Option<Tls> {
    let mut wrong = |key: &str, what: &str| {
        problems.push(Problem::of(key, what));
        None
    };
    let certificate = match (keys.cert, keys.key, keys.self_signed) {
        (None, None, true) => Some(Certificate::SelfSigned),
        (Some(cert), Some(key), false) => Some(Certificate::Files { cert, key }),
        (None, None, false) => None,
        (Some(_), None, _) => return wrong("tls.key", "is missing beside tls.cert"),
        (None, Some(_), _) => return wrong("tls.cert", "is missing beside tls.key"),
        (Some(_), Some(_), true) => {
            return wrong("tls.self_signed", "there is a certificate already: it is one or the other");
        }
    };
    const NEEDS: &str = "needs a certificate: tls.cert and tls.key, or tls.self_signed";
    let Some(certificate) = certificate else {
        if keys.mode == Some(TlsMode::Required) {
            wrong("tls.mode", NEEDS);
        }
        for (key, _) in begin_with_it.iter().filter(|(_, listen)| *listen != Listen::Off) {
            problems.push(Problem::of(key, NEEDS));
        }
        if keys.clients.is_some() {
            problems.push(Problem::of("tls.client_ca", NEEDS));
        }
        return None;
    };
    Some(Tls { certificate, mode: keys.mode.unwrap_or_default(), clients: keys.clients })
}

fn anonymous<'a>(
    document: &mut Document<'a>,
    root: &mut Table<'a>,
) -> (AnonymousAccess, TreePath, Arc<Bounds>) {
    let mut table = document.table(root, "anonymous");
    let access = document.text(&mut table, "access", str::parse).unwrap_or_default();
    let home = document.text(&mut table, "home", value::home).unwrap_or_default();
    let bounds = bounds(document, &mut table);
    document.finish(table);
    (access, home, bounds)
}

/// What an account is kept to.
fn bounds<'a>(document: &mut Document<'a>, table: &mut Table<'a>) -> Arc<Bounds> {
    Arc::new(Bounds {
        folders: Folders(folders(document, table)),
        networks: Networks(document.texts(table, "networks", str::parse)),
        expires: document.date(table, "expires", value::until),
        quota: Quota {
            bytes: document.text(table, "quota_bytes", value::size),
            files: document.number(table, "quota_files", &(1..u32::MAX)).map(u64::from),
        },
        rates: UserRates { user: rates(document, table, ""), session: rates(document, table, "session_") },
        sessions: document.number(table, "sessions", &(1..1_000_001)),
        certificates: Vec::new(),
    })
}

/// What may be done in which folder.
fn folders<'a>(document: &mut Document<'a>, table: &mut Table<'a>) -> Vec<(TreePath, Permissions)> {
    let mut folders: Vec<(TreePath, Permissions)> = Vec::new();
    for mut folder in document.tables(table, "folder") {
        document.demand(&folder, "path");
        document.demand(&folder, "permissions");
        let path = document.text(&mut folder, "path", |text| {
            let path = value::home(text)?;
            match folders.iter().any(|(there, _)| *there == path) {
                _ if path.is_root() => {
                    Err("is the home itself, which has the permissions beside its name".to_owned())
                }
                true => Err("is there twice".to_owned()),
                false => Ok(path),
            }
        });
        let may = document.text(&mut folder, "permissions", value::permissions);
        document.finish(folder);
        folders.extend(path.zip(may));
    }
    folders
}

/// Other folders in the tree.
fn mounts<'a>(document: &mut Document<'a>, root: &mut Table<'a>, folder: &Path) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for mut table in document.tables(root, "mount") {
        document.demand(&table, "path");
        document.demand(&table, "dir");
        let at = document.text(&mut table, "path", |text| {
            let at = value::home(text)?;
            match mounts.iter().any(|mount| mount.path == at) {
                _ if at.is_root() => Err("is the root, which is dir".to_owned()),
                true => Err("is there twice".to_owned()),
                false => Ok(at),
            }
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
        let names = document.texts(&mut table, "names", |text| {
            let name = value::host(text)?;
            let is_there = hosts.iter().any(|host| host.names.contains(&name));
            if is_there { Err("is there twice".to_owned()) } else { Ok(name) }
        });
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
fn rates<'a>(document: &mut Document<'a>, table: &mut Table<'a>, of: &str) -> Rates {
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

fn user<'a>(document: &mut Document<'a>, mut table: Table<'a>) -> Option<User> {
    const COMPLETION: [(&str, Completion); 2] =
        [("strict", Completion::Strict), ("lenient", Completion::Lenient)];
    document.demand(&table, "name");
    document.demand(&table, "password");
    let name = document.text(&mut table, "name", value::user_name);
    let password = document.secret(&mut table, "password", |text| {
        Password::hashed(text).ok_or_else(|| "is no argon2 hash: let `haul passwd` make one".to_owned())
    });
    let home = document.text(&mut table, "home", value::home).unwrap_or_default();
    let may = document.text(&mut table, "permissions", value::permissions).unwrap_or(value::ALL);
    let completion =
        document.text(&mut table, "completion", |text| value::one_of(text, &COMPLETION)).unwrap_or_default();
    let bounds = bounds(document, &mut table);
    let certificates = document.texts(&mut table, "certificates", str::parse);
    let bounds = Arc::new(Bounds { certificates, ..Arc::unwrap_or_clone(bounds) });
    document.finish(table);
    Some(User { name: name?, password: password?, home, may, completion, bounds })
}

/// Users of the file, and over them those of the command line.
fn users(
    file: Vec<User>,
    flags: impl Iterator<Item = User>,
    lines: &Lines,
    problems: &mut Vec<Problem>,
) -> Vec<User> {
    let mut flags: Vec<User> = flags.collect();
    // Where one of them is no user for another reason, which is told, numbers say nothing.
    let all = problems.iter().all(|problem| !problem.key.as_ref().is_some_and(|key| key.starts_with("user")));
    let mut twice = |users: &[User], key: &str| {
        for (index, user) in users.iter().enumerate() {
            if users.iter().take(index).any(|earlier| earlier.name == user.name) {
                let what = format!("{:?} is there twice", user.name);
                let line = lines.nth(key, index).filter(|_| all);
                problems.push(Problem { line, ..Problem::of(key, what) });
            }
        }
    };
    twice(&file, "user.name");
    twice(&flags, "--user");
    let kept: Vec<User> =
        file.into_iter().filter(|user| !flags.iter().any(|flag| flag.name == user.name)).collect();
    flags.extend(kept);
    flags
}

/// Every key that a file may have.
#[cfg(test)]
pub(super) fn keys() -> std::collections::BTreeSet<String> {
    let (mut document, root) =
        Document::parse("[[mount]]\n[[hook]]\n[[host]]\n[[user]]\n[[user.folder]]\n[[anonymous.folder]]");
    read(&mut document, root, Path::new(""));
    document.asked
}
