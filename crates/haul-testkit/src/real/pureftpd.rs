//! Pure-FTPd: replies of several lines, the tail cut off by REST before STOR, MLSD and MFMT but no HASH.
//!
//! It has to be started as root and serves nobody as root: its user is the unprivileged `nobody`, the folder becomes
//! his when it starts, and what a test puts there later becomes his with [`Running::hand_over`]. Anonymous logins
//! would need an account of the machine's, so there are none.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ftp_tls::{FtpTls, When};
use super::running::{Running, is_root, open_to_all, write};
use super::{PASSWORD, PASSWORD_HASH, USER};

/// The kernel's own number for somebody who is nobody.
const NOBODY: u32 = 65534;
const ROOT: u32 = 0;

/// A Pure-FTPd that is about to be started over a folder.
#[derive(Debug)]
pub struct PureFtpd {
    root: PathBuf,
    tls: Option<FtpTls>,
    read_only: bool,
    arguments: Vec<String>,
}

impl PureFtpd {
    /// Starts it over a folder, with a password and uploads.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), tls: None, read_only: false, arguments: Vec::new() }
    }

    /// With TLS, offered or required: implicit TLS it does not have, session reuse it cannot require.
    #[must_use]
    pub fn tls(self, tls: FtpTls) -> Self {
        assert!(!tls.reuse, "Pure-FTPd cannot require session reuse");
        assert!(tls.when != When::Implicit, "Pure-FTPd has no implicit TLS");
        Self { tls: Some(tls), ..self }
    }

    /// Nothing can be written: the folder stays somebody else's, and everybody may read it.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// At most so many sessions; 421 beyond.
    #[must_use]
    pub fn max_clients(self, count: usize) -> Self {
        self.argument("--maxclientsnumber").argument(&count.to_string())
    }

    /// At most so many bytes a second on each connection.
    #[must_use]
    pub fn limit_rate(self, rate: u64) -> Self {
        self.argument("--userbandwidth").argument(&rate.div_ceil(1024).to_string())
    }

    /// Another argument of its command line.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it; None where it is not installed, or where we are not root.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        let program = super::peer("pure-ftpd")?;
        let password_tool = super::peer("pure-pw")?;
        if !is_root() {
            println!("skipped: pure-ftpd cannot be started by anybody but root");
            return None;
        }
        let running = Running::start_ftp("pure-ftpd", "ftp", |addr, scratch| {
            let accounts = self.accounts(&password_tool, scratch);
            self.command(&program, addr, scratch, &accounts)
        });
        let running = running.with_login(USER, PASSWORD);
        let running = running.with_owner(&self.root, if self.read_only { ROOT } else { NOBODY });
        running.hand_over();
        if self.read_only {
            open_to_all(&self.root);
        }
        Some(running)
    }

    /// The accounts in the form that it reads. `/./` marks the folder that he cannot leave.
    fn accounts(&self, tool: &Path, scratch: &Path) -> PathBuf {
        let root = self.root.display();
        let text = format!("{USER}:{PASSWORD_HASH}:{NOBODY}:{NOBODY}::{root}/./::::::::::::\n");
        let (text, made) = (write(scratch, "passwords", &text), scratch.join("passwords.pdb"));
        let done = Command::new(tool).arg("mkdb").arg(&made).arg("-f").arg(text).status();
        assert!(done.is_ok_and(|status| status.success()), "pure-pw cannot make {}", made.display());
        made
    }

    fn command(&self, program: &Path, addr: SocketAddr, scratch: &Path, accounts: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .args(["--noanonymous", "--dontresolve", "--chrooteveryone", "--minuid", "1"])
            .args(["--bind", &format!("{},{}", addr.ip(), addr.port())])
            .arg("--login")
            .arg(format!("puredb:{}", accounts.display()))
            .arg("--pidfile")
            .arg(scratch.join("pid"))
            .arg("--altlog")
            .arg(format!("clf:{}", scratch.join("access.log").display()));
        if let Some(tls) = &self.tls {
            let level = if tls.when == When::Required { "3" } else { "1" };
            command.args(["--tls", level, "--certfile"]).arg(tls.combined(scratch));
            tls.limit_openssl(scratch, &mut command);
        }
        command.args(&self.arguments);
        command
    }
}
