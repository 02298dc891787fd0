//! What must fit together in a configuration, once the options are laid over the file: keys that need others, and keys
//! that contradict others. Each mistake is told at the key that is at fault, with the other's line beside.

use std::{ffi::OsStr, net::IpAddr, path::Path};

use super::{
    Certificate, Config, Listen, Problem, Sandbox, Tls, TlsMode, VirtualHost, file::TlsKeys, lines::Lines,
};
use crate::{
    accounts::{Anonymous, User},
    hooks::To,
};

/// All that does not.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut list = Vec::new();
    if is_served(&config.dir, &config.state) {
        list.push(lies_open("state", &config.state).beside("dir"));
    }
    doors(config, &mut list);
    process(config, &mut list);
    let (lines, tls) = (&config.lines, config.tls.as_ref());
    if tls.is_none_or(|tls| tls.clients.is_none()) {
        list.extend(config.users.iter().filter_map(|user| unvouched(user, lines)));
    }
    if tls.is_none() {
        let hosts = config.hosts.iter().enumerate();
        list.extend(hosts.filter_map(|(number, host)| alone(host, lines.nth("host.cert", number))));
    }
    if config.users.is_empty() && config.anonymous == Anonymous::Off {
        let what = "is off, and there is no user: nobody could come in";
        list.push(Problem::of("anonymous.access", what));
    }
    if let (Some(xferlog), Some(audit)) = (&config.log.xferlog, &config.log.audit)
        && xferlog == audit
    {
        let what = format!("{} is the xferlog, and has lines of another kind", audit.display());
        list.push(Problem::of("log.audit", what).beside("log.xferlog"));
    }
    list
}

/// Certificates of somebody that nobody vouches for.
fn unvouched(user: &User, lines: &Lines) -> Option<Problem> {
    let what = "nobody vouches for any: tls.client_ca is missing";
    let line = lines.of("user.certificates", "user.name", &user.name);
    (!user.bounds.certificates.is_empty()).then(|| Problem::of("user.certificates", what).at(line))
}

/// A certificate for those who name a host, and none for those who name none.
fn alone(host: &VirtualHost, line: Option<usize>) -> Option<Problem> {
    let what = "there is none for whoever names no host: tls.cert and tls.key, or tls.self_signed";
    host.certificate.is_some().then(|| Problem::of("host.cert", what).at(line))
}

fn doors(config: &Config, list: &mut Vec<Problem>) {
    let doors = [
        ("ftp.listen", config.ftp.listen),
        ("ftp.listen_tls", config.ftp.listen_tls),
        ("http.listen", config.http.listen),
        ("http.listen_tls", config.http.listen_tls),
    ];
    if doors.iter().all(|(_, listen)| *listen == Listen::Off) {
        let what = "is off, and so is every other door: there is nothing to serve at";
        let others = doors.iter().skip(1).map(|(key, _)| *key);
        list.push(others.fold(Problem::of("ftp.listen", what), Problem::beside));
    }
    let all = doors.into_iter().chain([("metrics.listen", config.metrics)]);
    let mut earlier: Vec<(&str, Listen)> = Vec::new();
    for (key, listen) in all {
        if let Some((other, _)) = earlier.iter().find(|(_, other)| are_one(*other, listen)) {
            let what = format!("{listen} is where {other} listens already");
            list.push(Problem::of(key, what).beside(other));
        }
        earlier.push((key, listen));
    }
}

/// Whether a client could not tell one from the other.
fn are_one(one: Listen, other: Listen) -> bool {
    let place = |listen| match listen {
        Listen::Off => None,
        Listen::Everywhere(port) => Some((None, port)),
        Listen::At(address) => Some((Some(address.ip()), address.port())),
    };
    let (Some((one, port)), Some((other, other_port))) = (place(one), place(other)) else { return false };
    let has = |all: IpAddr, it: IpAddr| all == it || (all.is_unspecified() && all.is_ipv4() == it.is_ipv4());
    // Port 0 is another one each time.
    port == other_port
        && port != 0
        && match (one, other) {
            (Some(one), Some(other)) => has(one, other) || has(other, one),
            (None, _) | (_, None) => true,
        }
}

fn process(config: &Config, list: &mut Vec<Problem>) {
    let (told, ports) = (&config.process, &config.ftp.passive_ports);
    if told.group.is_some() && told.user.is_none() {
        list.push(Problem::of("process.group", "needs process.user beside it"));
    }
    if told.user.is_some() && ports.as_ref().is_some_and(|ports| *ports.start() < 1024) {
        let what = "only root can listen at ports below 1024, and the server is process.user by then";
        list.push(Problem::of("ftp.passive_ports", what).beside("process.user"));
    }
    let program = config.hooks.iter().find(|hook| matches!(hook.to, To::Command { .. }));
    if let Some(hook) = program.filter(|_| told.sandbox == Sandbox::Required) {
        let what = format!("is required, and there is none: the hook {:?} runs a program", hook.name);
        let line = config.lines.of("hook.command", "hook.name", &hook.name);
        list.push(Problem::of("process.sandbox", what).beside_at("hook.command", line));
    }
}

/// Whether somebody could fetch what the server has for itself: only below the reserved name nobody can.
pub(super) fn is_served(dir: &Path, own: &Path) -> bool {
    let reserved = |part: &OsStr| part.eq_ignore_ascii_case(haul_core::RESERVED);
    own.strip_prefix(dir).is_ok_and(|rest| !rest.iter().any(reserved))
}

/// Somebody could.
pub(super) fn lies_open(key: &str, path: &Path) -> Problem {
    let what = format!(
        "{} lies in the folder that is served, where clients could fetch it: choose one outside, or below {}",
        path.display(),
        haul_core::RESERVED
    );
    Problem::of(key, what)
}

/// What a certificate, its key and the doors make together.
pub(super) fn tls(
    keys: TlsKeys,
    begin_with_it: [(&str, Listen); 2],
    problems: &mut Vec<Problem>,
) -> Option<Tls> {
    const NEEDS: &str = "needs a certificate: tls.cert and tls.key, or tls.self_signed";
    let mut wrong = |problem: Problem| {
        problems.push(problem);
        None
    };
    let certificate = match (keys.cert, keys.key, keys.self_signed) {
        (None, None, true) => Some(Certificate::SelfSigned),
        (Some(cert), Some(key), false) => Some(Certificate::Files { cert, key }),
        (None, None, false) => None,
        (Some(_), None, _) => {
            return wrong(Problem::of("tls.key", "is missing beside tls.cert").beside("tls.cert"));
        }
        (None, Some(_), _) => {
            return wrong(Problem::of("tls.cert", "is missing beside tls.key").beside("tls.key"));
        }
        (Some(_), Some(_), true) => {
            let what = "there is a certificate already: it is one or the other";
            return wrong(Problem::of("tls.self_signed", what).beside("tls.cert").beside("tls.key"));
        }
    };
    let Some(certificate) = certificate else {
        if keys.mode == Some(TlsMode::Required) {
            wrong(Problem::of("tls.mode", NEEDS));
        }
        for (key, _) in begin_with_it.iter().filter(|(_, listen)| *listen != Listen::Off) {
            wrong(Problem::of(key, NEEDS));
        }
        if keys.clients.is_some() {
            wrong(Problem::of("tls.client_ca", NEEDS));
        }
        return None;
    };
    Some(Tls { certificate, mode: keys.mode.unwrap_or_default(), clients: keys.clients })
}
