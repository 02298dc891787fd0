//! What all transfers of one run share: connections, credentials, the rate limit, the number of connections a host
//! gets; and the sign to stop.

use std::{
    collections::HashMap,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use url::Url;

use crate::{
    connect::{self, Connector, Origin},
    credentials::{Login, Secrets},
    failure::{Failure, Kind},
    folder::Door,
    ftp::{FtpOptions, Place},
    host::Host,
    put::{FtpFile, FtpSink, HttpPlan, HttpSink, MakeFolders},
    rate::Limit,
    source::{AnySource, FtpIdle, FtpSource, HttpSource, Idle, Owned},
    threads::Threads,
};

/// What the read buffers of all connections to one host may take together, in bytes …
const BUFFERS: usize = 8 << 20;
/// … as long as each has this much: smaller reads cost speed.
const SMALLEST_SHARE: usize = 64 << 10;
/// The smallest read from a connection under a rate limit.
const SMALLEST_READ: usize = 8 << 10;

/// What a client is made with.
#[derive(Debug)]
pub struct ClientOptions {
    /// Proxies, certificates, timeouts.
    pub connect: connect::Options,
    /// How FTP servers are spoken to.
    pub ftp: FtpOptions,
    /// Credentials and header fields of the user.
    pub secrets: Secrets,
    /// Bytes a second for all transfers together.
    pub limit_rate: Option<NonZeroU64>,
    /// The most connections to one host at a time, over all transfers.
    pub per_host: usize,
}

/// Shared by all transfers of one run.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    secrets: Arc<Secrets>,
    idle: Arc<Idle>,
    ftp: Arc<FtpOptions>,
    ftp_idle: Arc<FtpIdle>,
    pub(crate) limit: Option<Arc<Limit>>,
    pub(crate) threads: Threads,
    per_host: usize,
    hosts: Mutex<HashMap<Option<Origin>, Arc<Host>>>,
}

impl Client {
    /// Checks what it is made with.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a proxy URL or a CA file that cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self, Failure> {
        let mut connect = options.connect;
        let share = (BUFFERS / options.per_host.max(1)).max(SMALLEST_SHARE);
        connect.read_buffer = connect.read_buffer.min(share);
        if let Some(rate) = options.limit_rate {
            // Small pieces, so that bytes come evenly: some fifty a second over all lanes.
            let piece = usize::try_from(rate.get() / 50).unwrap_or(usize::MAX);
            connect.read_buffer = connect.read_buffer.min(piece).max(SMALLEST_READ);
        }
        let connector =
            Connector::new(&connect).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
        Ok(Self {
            connector,
            secrets: Arc::new(options.secrets),
            idle: Arc::default(),
            ftp: Arc::new(options.ftp),
            ftp_idle: Arc::default(),
            limit: options.limit_rate.map(|rate| Arc::new(Limit::new(rate))),
            threads: Threads::default(),
            per_host: options.per_host.max(1),
            hosts: Mutex::default(),
        })
    }

    /// A source for `url`. The user's secrets belong to the origin of `owner`; a mirror may be another one.
    pub(crate) fn http(&self, url: &Url, owner: &Url) -> HttpSource {
        let owned = Owned { first: url.clone(), owner: owner.clone() };
        HttpSource::new(owned, self.connector.clone(), Arc::clone(&self.secrets), Arc::clone(&self.idle))
    }

    /// A source for `url` of either protocol.
    pub(crate) fn source(&self, url: &Url, owner: &Url) -> AnySource {
        if !matches!(url.scheme(), "ftp" | "ftps") {
            return AnySource::Http(self.http(url, owner));
        }
        let login = self.secrets.login_for(owner, url);
        let (options, idle) = (Arc::clone(&self.ftp), Arc::clone(&self.ftp_idle));
        let server = Arc::clone(&self.host(url).ftp);
        AnySource::Ftp(FtpSource::new(url, login, self.connector.clone(), options, (idle, server)))
    }

    /// What sessions with the FTP server of a URL are made of.
    pub(crate) fn ftp_session(&self, url: &Url) -> (Connector, Arc<FtpOptions>, Login) {
        (self.connector.clone(), Arc::clone(&self.ftp), self.secrets.login_for(url, url))
    }

    /// A sink for an ftp:// or ftps:// URL.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn ftp_sink(
        &self,
        url: &Url,
        make_folders: MakeFolders,
        patience: Duration,
    ) -> Result<FtpSink, &'static str> {
        let file = FtpFile::of(url, self.secrets.login_for(url, url), make_folders)?;
        let (options, idle) = (Arc::clone(&self.ftp), Arc::clone(&self.ftp_idle));
        Ok(FtpSink::new(file, self.connector.clone(), options, idle, patience))
    }

    /// A sink for an http:// or https:// URL.
    pub(crate) fn http_sink(&self, plan: HttpPlan) -> HttpSink {
        HttpSink::new(plan, self.connector.clone(), Arc::clone(&self.secrets), Arc::clone(&self.idle))
    }

    /// Who one is at an http:// or https:// URL, as far as it is told beforehand.
    pub(crate) fn user_at(&self, url: &Url) -> String {
        self.secrets.login_for(url, url).user
    }

    /// The FTP server of an ftp:// or ftps:// URL, to be asked for folders.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn ftp_door(&self, url: &Url) -> Result<Door, &'static str> {
        let origin = Origin::of(url).ok_or("the URL names no host")?;
        let place = Place { origin, login: self.secrets.login_for(url, url) };
        let (options, idle) = (Arc::clone(&self.ftp), Arc::clone(&self.ftp_idle));
        Ok(Door::new(place, self.connector.clone(), options, idle, self.host(url)))
    }

    /// The most bytes to send at a time, of `most`: small pieces under a rate limit, so that they go evenly.
    pub(crate) fn piece(&self, most: usize) -> usize {
        self.connector.read_buffer().min(most)
    }

    /// Takes leave of servers whose sessions were kept for later, within a moment. Call it when no transfer follows.
    pub async fn leave(&self) {
        self.ftp_idle.leave().await;
    }

    /// The host of a URL, and the connections it gets.
    pub(crate) fn host(&self, url: &Url) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(Origin::of(url)).or_insert_with(|| Arc::new(Host::new(self.per_host)));
        Arc::clone(host)
    }
}

/// The sign to stop, for any number of transfers.
#[derive(Clone, Debug)]
pub struct Stop {
    sign: watch::Sender<bool>,
}

impl Stop {
    /// A sign that is not given yet.
    pub fn new() -> Self {
        Self { sign: watch::Sender::new(false) }
    }

    /// Gives the sign.
    pub fn stop(&self) {
        self.sign.send_replace(true);
    }

    /// Whether it was given.
    pub fn is_stopped(&self) -> bool {
        *self.sign.borrow()
    }

    /// Waits for it.
    pub(crate) async fn stopped(&self) {
        let mut sign = self.sign.subscribe();
        // The sender lives in self, so this cannot fail.
        let _ = sign.wait_for(|stopped| *stopped).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
