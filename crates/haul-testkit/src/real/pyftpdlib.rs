//! pyftpdlib: the FTP server that people start from python. It has MLSD, MFMT and the rest of RFC 3659, no HASH; it
//! answers 226 to an upload whose data connection was reset, and 450 to APPE after REST.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::ftp_tls::{FtpTls, When};
use super::running::Running;
use super::{PASSWORD, USER};

const SCRIPT: &str = include_str!("pyftpdlib.py");

/// A pyftpdlib server that is about to be started over a folder.
#[derive(Debug)]
pub struct Pyftpdlib {
    root: PathBuf,
    tls: Option<FtpTls>,
    anonymous: bool,
    read_only: bool,
    max_clients: usize,
    rate: u64,
}

impl Pyftpdlib {
    /// Starts it over a folder, with a password and uploads.
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), tls: None, anonymous: false, read_only: false, max_clients: 0, rate: 0 }
    }

    /// With TLS. It never asks for session reuse.
    #[must_use]
    pub fn tls(self, tls: FtpTls) -> Self {
        assert!(!tls.reuse, "pyftpdlib cannot require session reuse");
        Self { tls: Some(tls), ..self }
    }

    /// `anonymous` may log in too.
    #[must_use]
    pub fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }

    /// Nothing can be written.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// At most so many sessions; 421 beyond.
    #[must_use]
    pub fn max_clients(self, count: usize) -> Self {
        Self { max_clients: count, ..self }
    }

    /// At most so many bytes a second on each connection; not with TLS.
    #[must_use]
    pub fn limit_rate(self, rate: u64) -> Self {
        Self { rate, ..self }
    }

    /// Starts it; None where it is not installed.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        assert!(self.rate == 0 || self.tls.is_none(), "pyftpdlib is paced without TLS only");
        let mut command = Command::new(super::peer("pyftpdlib")?);
        command.args(["-u", "-W", "ignore", "-c", SCRIPT, &self.options()]);
        let scheme = FtpTls::scheme(self.tls.as_ref());
        let running = Running::start_telling("pyftpdlib", command, |said| {
            said.split_once("port ")?.1.split_once('\n')?.0.parse().ok()
        });
        Some(running.with_scheme(scheme).with_login(USER, PASSWORD))
    }

    fn options(&self) -> String {
        let tls = self.tls.as_ref().map_or_else(
            || "null".into(),
            |tls| {
                let when = match tls.when {
                    When::Offered => "offered",
                    When::Required => "required",
                    When::Implicit => "implicit",
                };
                let (least, most) = tls.limits();
                let (cert, key) = (&tls.cert, &tls.key);
                format!(
                    "{{\"when\": \"{when}\", \"least\": \"{least}\", \"most\": \"{most}\", \
                     \"cert\": {cert:?}, \"key\": {key:?}}}"
                )
            },
        );
        let Self { root, anonymous, read_only, max_clients, rate, .. } = self;
        // Debug's quotes are JSON's for the plain names of scratch folders.
        format!(
            "{{\"root\": {root:?}, \"user\": \"{USER}\", \"password\": \"{PASSWORD}\", \"tls\": {tls}, \
             \"anonymous\": {anonymous}, \"read_only\": {read_only}, \"max_clients\": {max_clients}, \
             \"rate\": {rate}}}"
        )
    }
}
