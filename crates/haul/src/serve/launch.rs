//! What happens before there is more than one thread, in this order: what was handed over is taken, doors are opened and
//! the certificate is read, as whoever started the server; then it becomes the user that it is to be, and gives up what
//! it need not reach. All else is done as that.

use std::{fs::File, net::TcpListener, path::Path, sync::Arc, thread, time::Duration};

use haul_server::{
    config::{Certificate, Config, Sandbox, Tls},
    hooks::To,
    log::Event,
    metrics::Process,
};
use haul_store::SqliteLedger;
use rustix::{fs::Mode, process::umask};

use crate::sys;

use super::{
    Unserved,
    entrance::{self, Entrance},
    house::{Made, Protected},
    identity::Identity,
    sandbox::{self, Reach},
    systemd::{self, Notify},
};

/// The most threads that sessions live on; what waits for a disk has others.
const WORKERS: usize = 16;

/// So long is waited for what a killed server has left: it is about to become another program.
const LEFT: Duration = Duration::from_secs(5);

/// What a server begins with.
pub(super) struct Launch {
    /// Sockets for its doors.
    pub(super) doors: Vec<(Entrance, TcpListener)>,
    /// Whoever wants to hear how it is.
    pub(super) notify: Arc<Notify>,
    pub(super) made: Made,
    pub(super) protected: Option<Protected>,
    /// The fingerprint of a certificate that was made now.
    pub(super) fingerprint: Option<String>,
    /// So many threads for sessions.
    pub(super) threads: usize,
    /// What the system tells of this process.
    pub(super) process: Process,
    /// What is to be told once there is a log.
    pub(super) said: Vec<Event>,
}

impl Launch {
    /// With these settings, which came from this file.
    pub(super) fn of(config: &Config, file: Option<&Path>) -> Result<Self, Unserved> {
        let notify = Arc::new(Notify::from_environment().map_err(Unserved::Local)?);
        let handed = systemd::sockets().map_err(Unserved::Local)?;
        sys::keep_rights();
        let identity = super::identity(config)?;
        if let Some(bits) = config.process.umask {
            umask(Mode::from_raw_mode(bits));
        }
        // Also its doors are held by what is left of a server that was killed.
        SqliteLedger::outlive(&config.state, LEFT);
        let made = Made::default();
        let (protected, fingerprint) = made.protection(config)?;
        let doors = entrance::open(config, handed)?;
        // What it asks the system for may be out of reach later.
        let threads = thread::available_parallelism().map_or(1, |count| count.get().min(WORKERS));
        let mut said = Vec::new();
        if let Some(identity) = identity {
            identity.assume().map_err(Unserved::Local)?;
            said.extend(unreadable(config, file, &identity));
        }
        if config.anybody_writes() || !config.hooks.is_empty() {
            SqliteLedger::make(&config.state)?;
        }
        let process = Process::open();
        said.extend(confined(config, file)?);
        Ok(Self { doors, notify, made, protected, fingerprint, threads, process, said })
    }
}

/// What a reload will not be able to read again.
fn unreadable(config: &Config, file: Option<&Path>, identity: &Identity) -> Vec<Event> {
    let certificate = match &config.tls {
        Some(Tls { certificate: Certificate::Files { cert, key }, .. }) => {
            vec![cert.as_path(), key.as_path()]
        }
        _ => Vec::new(),
    };
    let clients = config.tls.as_ref().and_then(|tls| tls.clients.as_deref());
    let hosts = config.hosts.iter().filter_map(|host| host.certificate.as_ref());
    let hosts = hosts.flat_map(|(cert, key)| [cert.as_path(), key.as_path()]);
    let files = certificate.into_iter().chain(hosts).chain(clients).chain(file);
    let failed = files.filter_map(|file| Some((file, File::open(file).err()?)));
    let told = failed.map(|(file, why)| {
        let (file, name) = (file.display(), &identity.name);
        let what = format!("{file} cannot be read as {name}: a reload will change nothing ({why})");
        Event::Problem { what }
    });
    told.collect()
}

fn confined(config: &Config, file: Option<&Path>) -> Result<Option<Event>, Unserved> {
    let entered = || {
        // A sandbox holds for whatever is started in it, and nobody knows what a program needs.
        match config.hooks.iter().find(|hook| matches!(hook.to, To::Command { .. })) {
            Some(hook) => Err(format!("the hook {:?} runs a program", hook.name)),
            None => sandbox::enter(&Reach::of(config, file)),
        }
    };
    match config.process.sandbox {
        Sandbox::Off => Ok(None),
        Sandbox::Required => match entered() {
            Ok(landlock) => Ok(Some(Event::Sandbox { landlock: Some(landlock), why: None })),
            Err(why) => {
                Err(Unserved::Local(format!("process.sandbox is required, and there is none: {why}")))
            }
        },
        Sandbox::Auto => Ok(Some(match entered() {
            Ok(landlock) => Event::Sandbox { landlock: Some(landlock), why: None },
            Err(why) => Event::Sandbox { landlock: None, why: Some(why) },
        })),
    }
}
