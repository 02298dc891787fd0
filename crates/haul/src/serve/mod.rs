//! `haul serve`: options and file become a configuration, the configuration a tree with doors, and signals close them.
//!
//! `haul serve status` and `uploads` ask a server that runs, over its control socket.
//!
//! Standard output says which doors are open, one a line, once they are; everything else is on standard error.

mod columns;
mod entrance;
mod house;
mod identity;
mod launch;
mod sandbox;
mod signals;
mod status;
mod systemd;
mod uploads;
mod warnings;
mod which;

use std::{
    fmt, fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use haul_server::{
    ServerError,
    config::{Config, Flags, Problem, Problems},
    control::{self, About},
};
use haul_store::StoreError;
use tokio::{runtime, task::JoinSet};

use crate::args::serve::{Instead, ServeArgs};
use crate::exit;
use crate::screen::{Screen, Style};

use house::Household;
use launch::Launch;

/// What the server was told on its command line, kept to be told again over a changed file.
pub(crate) struct Told {
    args: ServeArgs,
}

/// Why there is no server.
#[derive(Debug)]
pub(crate) enum Unserved {
    /// The settings are wrong.
    Settings(Problems),
    /// This machine does not let it.
    Local(String),
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(problems) => problems.fmt(f),
            Self::Local(what) => f.write_str(what),
        }
    }
}

impl From<Problems> for Unserved {
    fn from(problems: Problems) -> Self {
        Self::Settings(problems)
    }
}

impl From<ServerError> for Unserved {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Setting(what) => {
                Self::Settings(Problems { file: None, list: vec![Problem::in_words(what)] })
            }
            error => Self::Local(error.to_string()),
        }
    }
}

impl From<StoreError> for Unserved {
    fn from(error: StoreError) -> Self {
        Self::Local(error.to_string())
    }
}

/// Runs the command; the result is the exit code.
pub(crate) fn run(args: ServeArgs) -> u8 {
    let screen = Screen::new(Style::Plain);
    let told = match &args.instead {
        None => None,
        Some(Instead::Status(args)) => Some(status::run(args)),
        Some(Instead::Uploads(args)) => Some(uploads::run(args)),
    };
    if let Some(told) = told {
        return told.unwrap_or_else(|error| refused(&screen, &error));
    }
    let check = args.check;
    let told = Told { args };
    let config = match told.config() {
        Ok(config) => config,
        Err(unserved) => return refused(&screen, &unserved),
    };
    if check {
        if let Err(unserved) = identity(&config) {
            return refused(&screen, &unserved);
        }
        // The certificate is read as well: a file that is there may still be none.
        let absent = config.absent_homes();
        return match house::Made::default().protection(&config) {
            Err(unserved) => refused(&screen, &unserved),
            Ok(_) if !absent.list.is_empty() => refused(&screen, &absent.into()),
            Ok(_) => exit::DONE,
        };
    }
    haul_server::allow_many_files();
    let launch = match Launch::of(&config, told.args.config.as_deref()) {
        Ok(launch) => launch,
        Err(unserved) => return refused(&screen, &unserved),
    };
    // Here doors are opened and signals obeyed; sessions are at home elsewhere.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.refused(&format!("cannot start: {error}"), exit::UNEXPECTED);
            return exit::UNEXPECTED;
        }
    };
    let code =
        runtime.block_on(serve(&told, config, launch)).unwrap_or_else(|error| refused(&screen, &error));
    // A disk that hangs keeps nobody here: what was told to clients is safe already.
    runtime.shutdown_background();
    code
}

/// Who the server is to become, if anybody. Where this machine has no such user that is told with its line.
fn identity(config: &Config) -> Result<Option<identity::Identity>, Unserved> {
    let found = identity::of(&config.process);
    found.map_err(|(key, what)| Unserved::Local(config.wrong(key, &[], None, what).to_string()))
}

fn refused(screen: &Screen, unserved: &Unserved) -> u8 {
    let code = match unserved {
        Unserved::Settings(_) => exit::USAGE,
        Unserved::Local(_) => exit::LOCAL,
    };
    for line in unserved.to_string().lines() {
        screen.refused(line, code);
    }
    code
}

/// What a file and options come to.
fn read(path: Option<&Path>, flags: Flags) -> Result<Config, Unserved> {
    let text = path.map(|path| {
        let text = fs::read_to_string(path);
        text.map_err(|error| Unserved::Local(format!("cannot read {}: {error}", path.display())))
    });
    let text = text.transpose()?;
    Ok(Config::resolve(path.zip(text.as_deref()), flags)?)
}

/// Whether what is in this folder may be changed by this process: what root puts there a server of another user could not
/// use.
fn is_ours(state: &Path) -> Result<(), Unserved> {
    let owner = fs::metadata(state).map(|seen| std::os::unix::fs::MetadataExt::uid(&seen));
    let own = rustix::process::geteuid().as_raw();
    match owner {
        Ok(owner) if owner != own => {
            let what =
                format!("{} belongs to the user with number {owner}: do this as that one", state.display());
            Err(Unserved::Local(what))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

impl Told {
    /// What it comes to with the file as it is now.
    pub(crate) fn config(&self) -> Result<Config, Unserved> {
        let config = read(self.args.config.as_deref(), self.flags())?;
        config.check()?;
        Ok(config)
    }

    fn flags(&self) -> Flags {
        let args = &self.args;
        Flags {
            dir: args.dir.clone(),
            state: args.state.clone(),
            ftp: args.ftp,
            ftps: args.ftps,
            http: args.http,
            https: args.https,
            metrics: args.metrics,
            users: args.users.clone(),
            anonymous: args.anonymous,
            tls_cert: args.tls_cert.clone(),
            tls_key: args.tls_key.clone(),
            tls_self_signed: args.tls_self_signed,
            tls: args.tls,
            passive_ports: args.passive_ports.clone(),
            external_address: args.external_address,
            log: args.log,
            drain: args.drain,
        }
    }
}

async fn serve(told: &Told, config: Config, mut launch: Launch) -> Result<u8, Unserved> {
    let started = control::unix_now();
    let opened = std::mem::take(&mut launch.doors);
    let notify = Arc::clone(&launch.notify);
    let household = Household::open(&config, launch).await?;
    let house = &household.house;
    let signals = signals::Signals::new()
        .map_err(|error| Unserved::Local(format!("cannot listen to signals: {error}")))?;
    let (mut serving, mut doors) = (JoinSet::new(), Vec::new());
    for (door, listener) in opened {
        doors.push((door.name(), door.serve(house.clone(), listener, &mut serving)?));
    }
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        dir: absolute(&config.dir),
        state: absolute(&config.state),
        doors: doors.clone(),
        started,
    };
    let asked = household.control(about).map(|control| tokio::spawn(control.serve(house.clone())));
    for (name, address) in &doors {
        say(&format!("listening {name} {address}"));
    }
    notify.ready(house);
    let (depot, log) = (Arc::clone(&house.depot), house.log.clone());
    let counting = tokio::spawn(house::count(Arc::clone(&depot), log.clone()));
    let expiring = tokio::spawn(house::expire(depot, config.uploads.expire, log.clone()));
    let tending = house.clone();
    let tended = tokio::spawn({
        let notify = Arc::clone(&notify);
        async move { notify.tend(&tending).await }
    });
    signals.obey(told, &household, &notify, config.drain).await;
    expiring.abort();
    counting.abort();
    tended.abort();
    if let Some(asked) = asked {
        asked.abort();
        // With it goes the socket.
        let _ = asked.await;
    }
    // Blocks, for the last lines; nothing else is to be done.
    log.flush();
    Ok(exit::DONE)
}

/// The same place, also for who is elsewhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A line on standard output, at once: somebody may be waiting for it. Where nobody reads, that is no reason not to
/// serve.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
