//! `haul serve`: options and file become a configuration, the configuration a tree with doors, and signals close them.
//!
//! Standard output says which doors are open, one a line, once they are; everything else is on standard error.

mod house;
mod signals;
mod warnings;

use std::{fmt, fs, io::Write as _, net::SocketAddr, sync::Arc};

use haul_server::{
    ServerError,
    config::{Config, Flags, Listen, Problem, Problems},
    ftp, http,
};
use haul_store::StoreError;
use tokio::{runtime, task::JoinSet};

use crate::args::serve::ServeArgs;
use crate::exit;
use crate::screen::{Screen, Style};

use house::Household;

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
                Self::Settings(Problems { file: None, list: vec![Problem { line: None, key: None, what }] })
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
    let check = args.check;
    let told = Told { args };
    let config = match told.config() {
        Ok(config) => config,
        Err(unserved) => return refused(&screen, &unserved),
    };
    if check {
        // The certificate is read as well: a file that is there may still be none.
        let absent = Problems { file: None, list: config.absent_homes() };
        return match house::Made::default().protection(&config) {
            Err(unserved) => refused(&screen, &unserved),
            Ok(_) if !absent.list.is_empty() => refused(&screen, &absent.into()),
            Ok(_) => exit::DONE,
        };
    }
    haul_server::allow_many_files();
    // Here doors are opened and signals obeyed; sessions are at home elsewhere.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.refused(&format!("cannot start: {error}"), exit::UNEXPECTED);
            return exit::UNEXPECTED;
        }
    };
    let code = runtime.block_on(serve(&told, config)).unwrap_or_else(|error| refused(&screen, &error));
    // A disk that hangs keeps nobody here: what was told to clients is safe already.
    runtime.shutdown_background();
    code
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

impl Told {
    /// What it comes to with the file as it is now.
    pub(crate) fn config(&self) -> Result<Config, Unserved> {
        let path = self.args.config.as_deref();
        let text = path.map(|path| {
            let text = fs::read_to_string(path);
            text.map_err(|error| Unserved::Local(format!("cannot read {}: {error}", path.display())))
        });
        let text = text.transpose()?;
        let file = path.zip(text.as_deref());
        let config = Config::resolve(file, self.flags())?;
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

async fn serve(told: &Told, config: Config) -> Result<u8, Unserved> {
    let household = Household::open(&config).await?;
    let signals = signals::Signals::new()
        .map_err(|error| Unserved::Local(format!("cannot listen to signals: {error}")))?;
    let mut serving = JoinSet::new();
    let unknown = |error: std::io::Error| Unserved::Local(error.to_string());
    for (name, listen, kind) in [
        ("http", config.http.listen, http::Kind::Plain),
        ("https", config.http.listen_tls, http::Kind::Secured),
    ] {
        let house = &household.house;
        if let Some(door) = open(listen, |address| http::Door::bind(house.clone(), address, kind))? {
            say(&format!("listening {name} {}", door.address().map_err(unknown)?));
            serving.spawn(door.serve());
        }
    }
    for (name, listen, kind) in [
        ("ftp", config.ftp.listen, ftp::Kind::Explicit),
        ("ftps", config.ftp.listen_tls, ftp::Kind::Implicit),
    ] {
        let house = &household.house;
        if let Some(door) = open(listen, |address| ftp::Door::bind(house.clone(), address, kind))? {
            say(&format!("listening {name} {}", door.address().map_err(unknown)?));
            serving.spawn(door.serve());
        }
    }
    let (depot, log) = (Arc::clone(&household.house.depot), household.house.log.clone());
    let counting = tokio::spawn(house::count(Arc::clone(&depot), log.clone()));
    let expiring = tokio::spawn(house::expire(depot, config.uploads.expire, log.clone()));
    signals.obey(told, &household, config.drain).await;
    expiring.abort();
    counting.abort();
    // Blocks, for the last lines; nothing else is to be done.
    log.flush();
    Ok(exit::DONE)
}

/// A door where it is to be, if it is to be anywhere.
fn open<D>(
    listen: Listen,
    bind: impl Fn(SocketAddr) -> Result<D, ServerError>,
) -> Result<Option<D>, Unserved> {
    Ok(match house::addresses(listen).as_slice() {
        [] => None,
        [only] => Some(bind(*only)?),
        // Both families at one door; where there is no IPv6, the other alone.
        [both, one, ..] => Some(bind(*both).or_else(|_| bind(*one))?),
    })
}

/// A line on standard output, at once: somebody may be waiting for it. Where nobody reads, that is no reason not to
/// serve.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
