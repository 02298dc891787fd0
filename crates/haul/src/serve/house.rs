//! A configuration becomes a tree with accounts and terms; and again, when it has changed.

use std::{
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use haul_core::TreePath;
use haul_server::{
    Certificate, ClientAuthority, Host, Hosts, House, ServerError, Terms, Workers,
    accounts::Accounts,
    config::{Certificate as From, Config, Mount, TlsMode, TlsReuse, VirtualHost},
    control::{About, Control},
    depot::Depot,
    ftp::{Limits, Passive, Protection, Reuse, Settings, Times},
    hooks::{Hooks, To, Whereabouts},
    http,
    log::{Event, Log},
    metrics::Metrics,
};
use haul_store::{FsStore, Job, MountedStore, SqliteLedger, Store};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Unserved, launch::Launch, warnings};

/// What has expired is looked for so many times while one expires …
const LOOKS: u32 = 24;
/// … but so often, and no more seldom than that.
const BETWEEN_LOOKS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// What lies in homes with a quota is counted anew so often.
const BETWEEN_COUNTS: Duration = Duration::from_secs(3600);

/// What is served, and to whom.
pub(crate) struct Household {
    pub(crate) house: House,
    /// Somebody may write: there is a place for what is unfinished.
    writes: bool,
    /// Who is told of transfers; `None` where nobody was to be when the server was started.
    hooks: Option<Arc<Hooks>>,
    /// Whether it is in its sandbox.
    confined: bool,
    /// As it was when the server was started.
    began: Config,
    made: Made,
}

/// A certificate that was made for this run: it stays the same, since clients may have been told to trust it.
#[derive(Default)]
pub(crate) struct Made(Mutex<Option<Certificate>>);

impl Household {
    /// Opens the tree, and puts in order what a crash has left.
    pub(super) async fn open(config: &Config, launch: Launch) -> Result<Self, Unserved> {
        let Launch { made, protected, fingerprint, threads, said, process, .. } = launch;
        let accounts = Accounts::new(config.users.clone(), config.anonymous.clone(), config.patience)?;
        let writes = accounts.anybody_writes();
        let log = Log::start(config.log.format, config.log.xferlog.as_deref())?;
        let log = log.auditing(config.log.audit.as_deref())?;
        // Before the tree is opened: what is found then is worth a word.
        warnings::start(&log);
        let confined = said.iter().any(|event| matches!(event, Event::Sandbox { landlock: Some(_), .. }));
        said.into_iter().for_each(|event| log.tell(event));
        let (dir, state, mounts) = (config.dir.clone(), config.state.clone(), config.mounts.clone());
        let metrics = Arc::clone(log.metrics());
        metrics.of(process);
        metrics.configured();
        let remembers = writes || !config.hooks.is_empty();
        let opened = spawn_blocking(move || {
            let store = tree(&dir, &mounts, &metrics)?;
            // Where nobody may write, and nobody is told of anything, nothing is created.
            let ledger = remembers.then(|| SqliteLedger::watched(&state, metrics)).transpose()?;
            Ok::<_, haul_store::StoreError>((store, ledger.map(Arc::new)))
        });
        let (store, ledger) = opened.await.map_err(|error| Unserved::Local(error.to_string()))??;
        let depot = match ledger.clone().filter(|_| writes) {
            Some(ledger) => Depot::open(store, ledger, config.uploads).await?,
            None => Depot::read_only(store),
        };
        http::put_in_order(&depot).await?;
        let hooks = match ledger {
            Some(ledger) => {
                let mounts = config.mounts.iter().map(|mount| (mount.path.clone(), mount.dir.clone()));
                let tree = Whereabouts::new(&config.dir, mounts);
                let hooks = Hooks::open(ledger, &config.hooks, tree, log.clone()).await?;
                depot.report_to(Arc::clone(&hooks));
                Some(hooks)
            }
            None => None,
        };
        depot.measure(measured_homes(&accounts, config));
        tell(&log, fingerprint, config);
        log.metrics().certified(protected.as_ref().and_then(|it| it.until));
        let terms = terms(config, protected)?;
        let workers = Workers::start(threads)
            .map_err(|error| Unserved::Local(format!("cannot start a thread: {error}")))?;
        let house = House::new(depot, Arc::new(accounts), terms, log).on(workers);
        let house = if remembers { house.remembering(&config.state) } else { house };
        Ok(Self { house, writes, hooks, confined, began: config.clone(), made })
    }

    /// Where this server is asked how it is; none where it has no state folder, since nobody may write, or where it cannot
    /// be had: that keeps nobody from being served.
    pub(crate) fn control(&self, about: About) -> Option<Control> {
        let state = about.state.clone();
        if !self.writes && !state.is_dir() {
            return None;
        }
        let opened = Control::open(&state, self.writes, about);
        opened.inspect_err(|error| self.house.log.tell(Event::Problem { what: error.to_string() })).ok()
    }

    /// From now on users, limits and certificates are these; whoever is in stays in on the old terms.
    pub(crate) fn change(&self, config: &Config) -> Result<(), Unserved> {
        let accounts = Accounts::new(config.users.clone(), config.anonymous.clone(), config.patience)?;
        if accounts.anybody_writes() && !self.writes {
            let what =
                "nobody could write when this server was started, and now somebody could: start it anew";
            return Err(Unserved::Local(what.to_owned()));
        }
        if self.hooks.is_none() && !config.hooks.is_empty() {
            let what = "nobody was told of anything when this server was started, and now there are hooks: start it anew";
            return Err(Unserved::Local(what.to_owned()));
        }
        let (protection, fingerprint) = self.made.protection(config)?;
        let until = protection.as_ref().and_then(|it| it.until);
        let terms = terms(config, protection)?;
        self.hooks.iter().try_for_each(|hooks| hooks.change(&config.hooks))?;
        self.house.accounts.replace(config.users.clone(), config.anonymous.clone(), config.patience)?;
        self.house.log.metrics().certified(until);
        self.house.change(terms);
        self.house.depot.measure(measured_homes(&self.house.accounts, config));
        let log = &self.house.log;
        log.reopen();
        tell(log, fingerprint, config);
        let waits = self.waits_for_a_restart(config).join(" and ");
        if !waits.is_empty() {
            log.tell(Event::Problem { what: format!("changed, but not before a restart: {waits}") });
        }
        log.tell(Event::Reloaded);
        Ok(())
    }

    /// Ends what hooks are being told; the next server goes on with it.
    pub(crate) async fn rest(&self, within: Duration) {
        if let Some(hooks) = &self.hooks {
            hooks.rest(within).await;
        }
    }

    /// What is another thing now in the settings, and stays as it was until the server is started anew.
    fn waits_for_a_restart(&self, now: &Config) -> Vec<&'static str> {
        let began = &self.began;
        let asks = |config: &Config| config.hooks.iter().any(|hook| matches!(hook.to, To::Post { .. }));
        let runs = |config: &Config| config.hooks.iter().any(|hook| matches!(hook.to, To::Command { .. }));
        let parts = [
            ("dir", began.dir != now.dir),
            ("state", began.state != now.state),
            ("mount", began.mounts != now.mounts),
            ("ftp.listen", began.ftp.listen != now.ftp.listen),
            ("ftp.listen_tls", began.ftp.listen_tls != now.ftp.listen_tls),
            ("http.listen", began.http.listen != now.http.listen),
            ("http.listen_tls", began.http.listen_tls != now.http.listen_tls),
            ("process", began.process != now.process),
            ("uploads", began.uploads != now.uploads),
            ("log", began.log != now.log),
            ("metrics.listen", began.metrics != now.metrics),
            // A sandbox stays as it was made.
            ("hook.url", self.confined && asks(now) && !asks(began)),
            ("hook.command", self.confined && runs(now)),
        ];
        parts.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

/// The tree: a folder, and others at places in it.
pub(super) fn tree(
    dir: &Path,
    mounts: &[Mount],
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn Store>, haul_store::StoreError> {
    let open = |dir: &Path| -> Result<Arc<dyn Store>, haul_store::StoreError> {
        let metrics = Arc::<Metrics>::clone(metrics);
        Ok(Arc::new(FsStore::watched(dir, Arc::new(|job: Job| drop(spawn_blocking(job))), metrics)?))
    };
    let first = open(dir)?;
    if mounts.is_empty() {
        return Ok(first);
    }
    let others = mounts.iter().map(|mount| Ok((mount.path.clone(), open(&mount.dir)?)));
    let others = others.collect::<Result<Vec<_>, haul_store::StoreError>>()?;
    Ok(Arc::new(MountedStore::new(first, others)?))
}

/// What whoever runs the server should know of its settings.
fn tell(log: &Log, fingerprint: Option<String>, config: &Config) {
    if let Some(fingerprint) = fingerprint {
        log.tell(Event::CertificateMade { fingerprint });
    }
    for problem in config.absent_homes().list {
        log.tell(Event::Problem { what: problem.to_string() });
    }
}

impl Made {
    /// The certificate as the doors use it, and the fingerprint of one that was made now.
    pub(crate) fn protection(
        &self,
        config: &Config,
    ) -> Result<(Option<Protected>, Option<String>), Unserved> {
        let Some(tls) = &config.tls else { return Ok((None, None)) };
        let (certificate, fingerprint) = match &tls.certificate {
            From::Files { cert, key } => (
                certificate_of(config, ["tls.cert", "tls.key"], None, (cert.as_path(), key.as_path()))?,
                None,
            ),
            From::SelfSigned => self.once()?,
        };
        let reuse = match config.ftp.tls_reuse {
            TlsReuse::Prefer => Reuse::Prefer,
            TlsReuse::Require => Reuse::Require,
            TlsReuse::Off => Reuse::Off,
        };
        let required = tls.mode == TlsMode::Required;
        let clients = tls.clients.as_deref().map(ClientAuthority::from_file).transpose();
        let clients = clients.map_err(|error| wrong(config, "tls.client_ca", &[], None, error))?;
        let clients = clients.as_ref();
        let protected = http::Protection::asking(&certificate, required, clients).and_then(|http| {
            let until = certificate.until();
            let ftp = Protection::asking(certificate.chain, certificate.key, reuse, required, clients)?;
            Ok((ftp, http, until))
        });
        let protected = protected.map_err(|error| match &tls.certificate {
            From::Files { cert, key } => {
                wrong(config, "tls.cert", &["tls.key"], None, of_both(error, (cert.as_path(), key.as_path())))
            }
            From::SelfSigned => error.into(),
        })?;
        let (ftp, http, until) = protected;
        let hosts = hosts_of(config)?;
        let (ftp, http) = (ftp.for_hosts(&hosts), http.for_hosts(&hosts));
        Ok((Some(Protected { ftp, http, hosts, until }), fingerprint))
    }

    /// The one of this run, and its fingerprint if it is new.
    fn once(&self) -> Result<(Certificate, Option<String>), Unserved> {
        let mut there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = |of: &Certificate| Certificate { chain: of.chain.clone(), key: of.key.clone_key() };
        if let Some(made) = &*there {
            return Ok((copy(made), None));
        }
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let made = there.insert(Certificate::self_signed(names)?);
        Ok((copy(made), Some(made.fingerprint())))
    }
}

/// A certificate as each protocol uses it.
pub(crate) struct Protected {
    ftp: Protection,
    http: http::Protection,
    /// Until when it is good, in seconds since 1970.
    until: Option<i64>,
    hosts: Hosts,
}

/// What the server is called besides, with the certificates.
fn hosts_of(config: &Config) -> Result<Hosts, Unserved> {
    let host = |(number, host): (usize, &VirtualHost)| {
        const KEYS: [&str; 2] = ["host.cert", "host.key"];
        let files = host.certificate.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path()));
        let read = files.map(|files| certificate_of(config, KEYS, Some(number), files)).transpose()?;
        let home = host.home.clone();
        Host::new(host.names.clone(), host.banner.clone(), read, home).map_err(|error| match files {
            Some(files) => wrong(config, KEYS[0], &KEYS[1..], Some(number), of_both(error, files)),
            None => error.into(),
        })
    };
    Ok(config.hosts.iter().enumerate().map(host).collect::<Result<Vec<_>, Unserved>>()?.into())
}

/// The homes of all who may have only so much there, at each host.
fn measured_homes(accounts: &Accounts, config: &Config) -> Vec<TreePath> {
    let homes = accounts.measured_homes();
    let hosts = || config.hosts.iter().map(|host| &host.home).chain([&TreePath::ROOT]);
    homes.iter().flat_map(|home| hosts().filter_map(|host| home.moved(&TreePath::ROOT, host))).collect()
}

/// A certificate and its key from files that these keys name.
fn certificate_of(
    config: &Config,
    [cert_key, key_key]: [&str; 2],
    number: Option<usize>,
    (cert, key): (&Path, &Path),
) -> Result<Certificate, Unserved> {
    Certificate::from_files(cert, key).map_err(|error| {
        let at_fault = if Certificate::chain_from_file(cert).is_err() { cert_key } else { key_key };
        wrong(config, at_fault, &[], number, error)
    })
}

/// Of a certificate and a key which are good each for itself.
fn of_both(error: ServerError, (cert, key): (&Path, &Path)) -> ServerError {
    match error {
        ServerError::Setting(what) => {
            ServerError::Setting(format!("{} with {}: {what}", cert.display(), key.display()))
        }
        error => error,
    }
}

/// A setting that is wrong has the line of its key.
fn wrong(config: &Config, key: &str, beside: &[&str], number: Option<usize>, error: ServerError) -> Unserved {
    match error {
        ServerError::Setting(what) => config.wrong(key, beside, number, what).into(),
        error => error.into(),
    }
}

fn terms(config: &Config, protected: Option<Protected>) -> Result<Terms, Unserved> {
    let (protected, hosts) = protected.map(|Protected { ftp, http, hosts, .. }| ((ftp, http), hosts)).unzip();
    let (ftp, http) = protected.unzip();
    // Without TLS none has a certificate.
    let hosts = hosts.map_or_else(|| hosts_of(config), Ok)?;
    Ok(Terms {
        http: Arc::new(http_terms(config, http, hosts.clone())),
        ftp: Arc::new(ftp_terms(config, ftp, hosts)),
        proxies: Arc::new(config.proxy.clone()),
        limits: Arc::new(config.limits.clone()),
    })
}

fn http_terms(config: &Config, protection: Option<http::Protection>, hosts: Hosts) -> http::Settings {
    let many = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let told = &config.http;
    http::Settings {
        protection,
        limits: http::Limits {
            connections: many(told.connections),
            per_address: many(told.connections_per_address),
            ..http::Limits::default()
        },
        times: http::Times { head: told.idle, stall: told.stall, ..http::Times::default() },
        origins: told.origins.clone(),
        hosts: told.hosts.clone(),
        virtual_hosts: hosts,
    }
}

fn ftp_terms(config: &Config, protection: Option<Protection>, hosts: Hosts) -> Settings {
    let ftp = &config.ftp;
    let many = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Settings {
        banner: ftp.banner.clone(),
        hosts,
        protection,
        passive: Passive {
            ports: ftp.passive_ports.clone(),
            external: ftp.external_address,
            proxies: Arc::new(config.proxy.clone()),
        },
        compression: ftp.compression,
        limits: Limits {
            sessions: many(ftp.sessions),
            per_address: many(ftp.sessions_per_address),
            logins: ftp.logins,
        },
        times: Times { idle: ftp.idle, no_transfer: ftp.no_transfer, stall: ftp.stall, ..Times::default() },
    }
}

/// Counts what lies in homes with a quota, at once and then now and then: other programs change it, too.
pub(crate) async fn count(depot: Arc<Depot>, log: Log) {
    loop {
        if let Err(error) = depot.recount().await {
            log.tell(Event::Problem {
                what: format!("what lies in a home with a quota cannot be counted: {error}"),
            });
        }
        let _ = timeout(BETWEEN_COUNTS, depot.recount_is_wanted()).await;
    }
}

/// Forgets unfinished uploads that nobody came back for within this time: a little later than their clients were told.
pub(crate) async fn expire(depot: Arc<Depot>, within: Duration, log: Log) {
    let mut looks = interval((within / LOOKS).clamp(*BETWEEN_LOOKS.start(), *BETWEEN_LOOKS.end()));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match depot.expire().await {
            Ok(expired) => log.metrics().expired(expired),
            Err(error) => {
                log.tell(Event::Problem { what: format!("what has expired is still there: {error}") });
            }
        }
    }
}
