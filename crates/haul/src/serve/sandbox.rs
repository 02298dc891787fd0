//! What a server gives up before its first client: every file that it need not reach, by Linux's Landlock. Whatever a
//! mistake in it may open, the system does not.
//!
//! Rules are for folders and hold for what comes to lie in them later. Threads that are there already are not concerned:
//! so this happens while there is one.

use std::path::{Path, PathBuf};

use haul_server::{
    config::{Certificate, Config, Tls},
    hooks::To,
};

/// What a server reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Where it reads and writes.
    written: Vec<PathBuf>,
    /// Where it only reads.
    read: Vec<PathBuf>,
}

/// Where the system looks things up in our name: the boot's number, random numbers.
const ALWAYS: [&str; 4] = ["/proc/sys/kernel/random", "/dev/urandom", "/dev/random", "/dev/null"];

/// Where the system looks for names of hosts, and for authorities to trust, when a hook's server is asked.
const ASKED: [&str; 17] = [
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

impl Reach {
    /// What these settings speak of, which came from this file.
    pub(super) fn of(config: &Config, file: Option<&Path>) -> Self {
        let mut reach = Self::default();
        let writes = config.anybody_writes();
        let dir = if writes { &mut reach.written } else { &mut reach.read };
        dir.push(config.dir.clone());
        dir.extend(config.mounts.iter().map(|mount| mount.dir.clone()));
        if writes || !config.hooks.is_empty() || config.state.is_dir() {
            reach.written.push(config.state.clone());
        }
        reach.written.extend(config.log.xferlog.iter().chain(&config.log.audit).map(|file| folder_of(file)));
        if let Some(Tls { certificate: Certificate::Files { cert, key }, .. }) = &config.tls {
            reach.read.extend([cert, key].into_iter().flat_map(|file| folders_of(file)));
        }
        let hosts = config.hosts.iter().filter_map(|host| host.certificate.as_ref());
        reach.read.extend(hosts.flat_map(|(cert, key)| [cert, key]).flat_map(|file| folders_of(file)));
        let clients = config.tls.as_ref().and_then(|tls| tls.clients.as_deref());
        reach.read.extend(clients.into_iter().flat_map(folders_of));
        reach.read.extend(file.into_iter().flat_map(folders_of));
        for hook in &config.hooks {
            if let To::Post { secret, .. } = &hook.to {
                reach.read.extend(secret.iter().flat_map(|file| folders_of(file)));
                reach.read.extend(ASKED.map(PathBuf::from).into_iter().filter(|path| path.exists()));
                let named =
                    |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.exists());
                reach.read.extend(named("SSL_CERT_FILE").iter().flat_map(|file| folders_of(file)));
                reach.read.extend(named("SSL_CERT_DIR"));
            }
        }
        reach
    }
}

/// The folder of a file: it is replaced there, and is another one then.
fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// That, and the one where it really lies.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let real = file.canonicalize().ok().map(|real| folder_of(&real));
    std::iter::once(folder_of(file)).chain(real).collect()
}

/// Gives up everything else; by which version of Landlock. In words why not.
#[cfg(target_os = "linux")]
pub(super) fn enter(reach: &Reach) -> Result<u32, String> {
    use landlock::{
        ABI, Access as _, AccessFs, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd,
        Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    };
    const KNOWN: ABI = ABI::V5;
    // The first version lets nothing be renamed from folder to folder: files get their names so.
    let able =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
    able.map_err(|_| "this system has no Landlock, or an old one".to_owned())?;
    let failed = |error: &dyn std::fmt::Display| format!("Landlock: {error}");
    let (written, read) = (
        AccessFs::from_all(KNOWN) & !(AccessFs::Execute | AccessFs::MakeBlock | AccessFs::MakeChar),
        AccessFs::ReadFile | AccessFs::ReadDir,
    );
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN)).and_then(Ruleset::create);
    let mut ruleset = ruleset.map_err(|error| failed(&error))?;
    let paths =
        reach.written.iter().map(|path| (path, written)).chain(reach.read.iter().map(|path| (path, read)));
    for (path, access) in paths {
        let open = PathFd::new(path).map_err(|error| failed(&error))?;
        ruleset = ruleset.add_rule(PathBeneath::new(open, access)).map_err(|error| failed(&error))?;
    }
    for path in ALWAYS {
        let Ok(open) = PathFd::new(path) else { continue };
        ruleset = ruleset.add_rule(PathBeneath::new(open, read)).map_err(|error| failed(&error))?;
    }
    let status = ruleset.restrict_self().map_err(|error| failed(&error))?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok((effective_abi as i32).cast_unsigned()),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => {
            Err("this system has no Landlock".to_owned())
        }
    }
}

/// There is no such thing.
#[cfg(not(target_os = "linux"))]
pub(super) fn enter(_reach: &Reach) -> Result<u32, String> {
    Err("only Linux has Landlock".to_owned())
}
