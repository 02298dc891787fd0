//! A configuration becomes a tree with accounts and terms; and again, when it has changed.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use haul_server::{
    accounts::Accounts,
    config::{Certificate as From, Config, Listen, TlsMode, TlsReuse},
    depot::Depot,
    ftp::{Certificate, House, Limits, Passive, Protection, Reuse, Settings, Times, Workers},
    log::{Event, Log},
};
use haul_store::{FsStore, Job, SqliteLedger};
use tokio::{task::spawn_blocking, time::interval};

use super::Unserved;
use crate::screen::Screen;

/// The most threads that sessions live on; what waits for a disk has others.
const WORKERS: usize = 16;
/// How often what has expired is looked for.
const EXPIRY: Duration = Duration::from_secs(3600);

/// What is served, and to whom.
pub(crate) struct Household {
    pub(crate) house: House,
    /// Somebody may write: there is a place for what is unfinished.
    writes: bool,
}

impl Household {
    /// Opens the tree, and puts in order what a crash has left.
    pub(crate) async fn open(config: &Config, screen: &Screen) -> Result<Self, Unserved> {
        let accounts = Accounts::new(config.users.clone(), config.anonymous.clone(), config.patience)?;
        let writes = accounts.anybody_writes();
        let (dir, state) = (config.dir.clone(), config.state.clone());
        let opened = spawn_blocking(move || {
            let store = FsStore::open(&dir, Arc::new(|job: Job| drop(spawn_blocking(job))))?;
            // Where nobody may write nothing is created.
            let ledger = writes.then(|| SqliteLedger::open(&state)).transpose()?;
            Ok::<_, haul_store::StoreError>((Arc::new(store), ledger))
        });
        let depot = match opened.await.map_err(|error| Unserved::Local(error.to_string()))?? {
            (store, Some(ledger)) => Depot::open(store, Arc::new(ledger), config.uploads).await?,
            (store, None) => Depot::read_only(store),
        };
        let (protection, made) = protection(config)?;
        if let Some(fingerprint) = made {
            screen.remark(&format!("made a certificate for this run, SHA-256 {fingerprint}"));
        }
        let log = Log::start(config.log.format, config.log.xferlog.as_deref())?;
        let settings = settings(config, protection);
        let count = thread::available_parallelism().map_or(1, |count| count.get().min(WORKERS));
        let workers = Workers::start(count)
            .map_err(|error| Unserved::Local(format!("cannot start a thread: {error}")))?;
        let house = House::new(depot, Arc::new(accounts), settings, log).on(workers);
        Ok(Self { house, writes })
    }

    /// From now on users, limits and certificates are these; whoever is in stays in on the old terms.
    pub(crate) fn change(&self, config: &Config) -> Result<(), Unserved> {
        let accounts = Accounts::new(config.users.clone(), config.anonymous.clone(), config.patience)?;
        if accounts.anybody_writes() && !self.writes {
            let what =
                "nobody could write when this server was started, and now somebody could: start it anew";
            return Err(Unserved::Local(what.to_owned()));
        }
        // One that was made for this run stays: clients may have been told to trust it.
        let protection = match &config.tls {
            Some(tls) if tls.certificate == From::SelfSigned => self.house.settings().protection.clone(),
            _ => protection(config)?.0,
        };
        self.house.accounts.replace(config.users.clone(), config.anonymous.clone(), config.patience)?;
        self.house.change(settings(config, protection));
        self.house.log.reopen();
        self.house.log.tell(Event::Reloaded);
        Ok(())
    }
}

/// The certificate as the doors use it, and the fingerprint of one that was made now.
pub(crate) fn protection(config: &Config) -> Result<(Option<Protection>, Option<String>), Unserved> {
    let Some(tls) = &config.tls else { return Ok((None, None)) };
    let (certificate, made) = match &tls.certificate {
        From::Files { cert, key } => (Certificate::from_files(cert, key)?, None),
        From::SelfSigned => {
            let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
            let made = Certificate::self_signed(names)?;
            let fingerprint = made.fingerprint();
            (made, Some(fingerprint))
        }
    };
    let reuse = match config.ftp.tls_reuse {
        TlsReuse::Prefer => Reuse::Prefer,
        TlsReuse::Require => Reuse::Require,
        TlsReuse::Off => Reuse::Off,
    };
    let required = tls.mode == TlsMode::Required;
    Ok((Some(Protection::new(certificate.chain, certificate.key, reuse, required)?), made))
}

fn settings(config: &Config, protection: Option<Protection>) -> Settings {
    let ftp = &config.ftp;
    let many = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Settings {
        banner: ftp.banner.clone(),
        protection,
        passive: Passive { ports: ftp.passive_ports.clone(), external: ftp.external_address },
        limits: Limits {
            sessions: many(ftp.sessions),
            per_address: many(ftp.sessions_per_address),
            logins: ftp.logins,
        },
        times: Times { idle: ftp.idle, no_transfer: ftp.no_transfer, stall: ftp.stall, ..Times::default() },
    }
}

/// Where a door listens: nowhere, there, or everywhere, first of both families and then of the old one alone.
pub(crate) fn addresses(listen: Listen) -> Vec<SocketAddr> {
    match listen {
        Listen::Off => Vec::new(),
        Listen::At(address) => vec![address],
        Listen::Everywhere(port) => {
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
    }
}

/// Forgets unfinished uploads that nobody came back for.
pub(crate) async fn expire(depot: Arc<Depot>, log: Log) {
    let mut hours = interval(EXPIRY);
    loop {
        hours.tick().await;
        if let Err(error) = depot.expire().await {
            log.tell(Event::Problem { what: format!("what has expired is still there: {error}") });
        }
    }
}
