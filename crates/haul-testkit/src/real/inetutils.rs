//! inetutils-ftpd, a child of BSD's: no MLSD, no TLS, no option worth mentioning, a session started for each
//! connection by inetd.
//!
//! It knows the machine's accounts and no others. So it runs in a mount namespace of its own, in which `/etc/passwd` is
//! a file of ours; outside of it nothing changes. Where that may not be done it is skipped.

use std::path::Path;
use std::process::{Command, Stdio};

use super::running::Running;
use super::{PASSWORD, PASSWORD_HASH, USER};

const INETD: &str = include_str!("inetd.py");

/// In the namespace: our accounts in the place of the machine's, and then what is to run.
const ENTER: &str = r#"mount --bind "$1" /etc/passwd && shift && exec "$@""#;

/// inetutils-ftpd.
#[derive(Debug)]
pub struct Inetutils;

impl Inetutils {
    /// Starts it over a folder, with a password and uploads; None where it is not installed or cannot have a
    /// namespace.
    #[track_caller]
    pub fn serve(root: &Path) -> Option<Running> {
        let (ftpd, python) = (super::peer("ftpd")?, super::peer("python3")?);
        let may = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            println!("skipped: ftpd needs a mount namespace, which is not permitted here");
            return None;
        }
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let (uid, gid, home) = (uid.as_raw(), gid.as_raw(), root.display());
        let accounts = tempfile::NamedTempFile::new().expect("a scratch file");
        let account = format!("{USER}:{PASSWORD_HASH}:{uid}:{gid}::{home}:/bin/sh\n");
        std::fs::write(accounts.path(), account).expect("a scratch file");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]).arg(accounts.path());
        command.arg(python).args(["-u", "-c", INETD]).arg(ftpd).args(["--auth=default", "--umask=022"]);
        let running = Running::start_telling("ftpd", command, |said| {
            said.split_once("port ")?.1.split_once('\n')?.0.parse().ok()
        });
        // A file that is mounted may lose its name.
        drop(accounts);
        Some(running.with_scheme("ftp").with_login(USER, PASSWORD))
    }
}
