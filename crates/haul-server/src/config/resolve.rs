//! File and command line become one: defaults under the file, the file under the options.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Config, Flags, Ftp, Http, Logging, Problem, Problems,
    document::Document,
    file::{self, TlsKeys},
    fit,
    lines::Lines,
    value::{AnonymousAccess, Ports},
};
use crate::accounts::{Anonymous, User};

pub(super) fn resolve(file: Option<(&Path, &str)>, flags: Flags) -> Result<Config, Problems> {
    let folder = file.and_then(|(path, _)| path.parent()).unwrap_or(Path::new(""));
    let (mut document, root) = Document::parse(file.map_or("", |(_, text)| text));
    let told = file::read(&mut document, root, folder);
    let mut problems = std::mem::take(&mut document.problems);
    let lines = lines(std::mem::take(&mut document.lines), file.map(|(path, _)| path), &flags);

    let dir = flags.dir.or(told.dir).unwrap_or_else(|| PathBuf::from("."));
    let state = flags.state.or(told.state).unwrap_or_else(|| dir.join(haul_core::RESERVED));
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
    let tls = fit::tls(keys, begin_with_it, &mut problems);
    let users = users(told.users, flags.users.into_iter().map(|user| user.0), &mut problems);
    let (access, home, bounds) = told.anonymous;
    let anonymous = match flags.anonymous.unwrap_or(access) {
        AnonymousAccess::Off => Anonymous::Off,
        AnonymousAccess::Read => Anonymous::On { write: false, home, bounds },
        AnonymousAccess::ReadWrite => Anonymous::On { write: true, home, bounds },
    };
    let config = Config {
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
    };
    problems.extend(fit::problems(&config));
    if problems.is_empty() { Ok(config) } else { Err(config.lines.told(problems)) }
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
        (flags.http.is_some(), &["http.listen", "http"]),
        (flags.https.is_some(), &["http.listen_tls", "http"]),
        (flags.metrics.is_some(), &["metrics.listen", "metrics"]),
        (flags.anonymous.is_some(), &["anonymous.access", "anonymous"]),
        (flags.passive_ports.is_some(), &["ftp.passive_ports"]),
        (flags.tls.is_some(), &["tls.mode"]),
        (certificate, &["tls", "tls.cert", "tls.key", "tls.self_signed"]),
    ] {
        if instead {
            lines.forget(keys);
        }
    }
    for user in &flags.users {
        lines.forget_where("user.name", &user.0.name);
    }
    lines
}

/// Users of the file, and over them those of the command line.
fn users(file: Vec<User>, flags: impl Iterator<Item = User>, problems: &mut Vec<Problem>) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for user in flags {
        if users.iter().any(|earlier| earlier.name == user.name) {
            problems.push(Problem::of("--user", format!("{:?} is there twice", user.name)));
        }
        users.push(user);
    }
    let given = users.len();
    for user in file {
        if !users.iter().take(given).any(|flag| flag.name == user.name) {
            users.push(user);
        }
    }
    users
}
