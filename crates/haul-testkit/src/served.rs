//! `haul serve` as a process: started over a folder on a port that stays its own, so that it can be killed and started
//! again while clients go on asking for it.
//!
//! Ready means that it said so: one line on standard output for each door, `listening ftp 127.0.0.1:2121`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::haul_process::{Finished, Haul, HaulProcess};
use crate::port::KeptPort;

/// The user of a server that is told no other.
pub const USER: &str = "a";
/// Their password.
pub const PASSWORD: &str = "secret";

const PATIENCE: Duration = Duration::from_secs(60);

/// A `haul serve` that is about to be started.
#[derive(Debug)]
pub struct Serve {
    haul: Haul,
    root: PathBuf,
    ftp: KeptPort,
    ftps: Option<KeptPort>,
    http: Option<KeptPort>,
    https: Option<KeptPort>,
    scratch: TempDir,
}

impl Serve {
    /// Over a folder, with FTP on loopback and one user who may do everything.
    pub fn over(bin: impl Into<PathBuf>, root: &Path) -> Self {
        Self::without_user(bin, root).arg("--user").arg(format!("{USER}:{PASSWORD}"))
    }

    /// The same without that user.
    pub fn without_user(bin: impl Into<PathBuf>, root: &Path) -> Self {
        let ftp = KeptPort::new();
        let haul = Haul::new(bin).arg("serve").arg(root).args(["--ftp", &ftp.addr().to_string()]);
        let scratch = tempfile::tempdir().expect("a scratch folder");
        Self { haul, root: root.into(), ftp, ftps: None, http: None, https: None, scratch }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(self, arg: impl Into<OsString>) -> Self {
        Self { haul: self.haul.arg(arg), ..self }
    }

    /// With more arguments.
    #[must_use]
    pub fn args(self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { haul: self.haul.args(args), ..self }
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(self, name: &str, value: impl Into<OsString>) -> Self {
        Self { haul: self.haul.env(name, value), ..self }
    }

    /// With a second door that begins with TLS.
    #[must_use]
    pub fn ftps(self) -> Self {
        let port = KeptPort::new();
        let own = self.args(["--ftps", &port.addr().to_string()]);
        Self { ftps: Some(port), ..own }
    }

    /// With a door for HTTP in the clear.
    #[must_use]
    pub fn http(self) -> Self {
        Self { http: Some(KeptPort::new()), ..self }
    }

    /// With a door for HTTP within TLS.
    #[must_use]
    pub fn https(self) -> Self {
        let port = KeptPort::new();
        let own = self.args(["--https", &port.addr().to_string()]);
        Self { https: Some(port), ..own }
    }

    /// With this configuration file.
    #[must_use]
    pub fn config(self, toml: &str) -> Self {
        let path = self.scratch.path().join("serve.toml");
        std::fs::write(&path, toml).expect("a file in our scratch folder");
        self.arg("--config").arg(path)
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Served {
        let process = self.spawn();
        Served { process, serve: self }
    }

    /// Starts it where it is not to get as far as listening, and waits for its end.
    #[track_caller]
    pub fn run(self) -> Finished {
        self.command().run()
    }

    /// The command: without a door for HTTP, unless there is to be one.
    fn command(&self) -> Haul {
        let http = self.http.as_ref().map_or_else(|| "off".to_owned(), |port| port.addr().to_string());
        self.haul.clone().args(["--http", &http])
    }

    #[track_caller]
    fn spawn(&self) -> HaulProcess {
        let process = self.command().spawn();
        let more = [("ftps", &self.ftps), ("http", &self.http), ("https", &self.https)];
        let more = more.into_iter().filter_map(|(door, port)| Some((door, port.as_ref()?)));
        let doors = std::iter::once(("ftp", &self.ftp)).chain(more);
        for (door, port) in doors {
            let line = format!("listening {door} {}", port.addr());
            process.wait_for_output_line(|said| said == line, PATIENCE);
        }
        process
    }
}

/// A `haul serve` that runs; it is killed when it is dropped.
#[derive(Debug)]
pub struct Served {
    process: HaulProcess,
    serve: Serve,
}

impl Served {
    /// Where its FTP door is.
    pub fn addr(&self) -> SocketAddr {
        self.serve.ftp.addr()
    }

    /// Where its door is that begins with TLS.
    pub fn ftps_addr(&self) -> SocketAddr {
        self.serve.ftps.as_ref().expect("a server with that door").addr()
    }

    /// Where its door for HTTP is.
    pub fn http_addr(&self) -> SocketAddr {
        self.serve.http.as_ref().expect("a server with that door").addr()
    }

    /// Where its door for HTTP within TLS is.
    pub fn https_addr(&self) -> SocketAddr {
        self.serve.https.as_ref().expect("a server with that door").addr()
    }

    /// The URL of a path that begins with `/` over HTTP, for the user whom everybody here knows.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://{USER}:{PASSWORD}@{}{path}", self.http_addr())
    }

    /// The folder it serves.
    pub fn root(&self) -> &Path {
        &self.serve.root
    }

    /// The URL of a path that begins with `/`, for the user whom everybody here knows.
    pub fn url(&self, path: &str) -> String {
        format!("ftp://{USER}:{PASSWORD}@{}{path}", self.addr())
    }

    /// The process: what it costs, what it says.
    pub fn process(&self) -> &HaulProcess {
        &self.process
    }

    /// SIGKILL, and at once the same command again on the same port and the same state.
    #[track_caller]
    pub fn killed_and_started_again(self) -> Self {
        let Self { process, serve } = self;
        process.kill_9();
        serve.start()
    }

    /// SIGKILL; what is to be started again later.
    #[track_caller]
    pub fn killed(self) -> Serve {
        let Self { process, serve } = self;
        process.kill_9();
        serve
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(self) -> Finished {
        self.process.wait_at_most(PATIENCE)
    }
}
