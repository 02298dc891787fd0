//! ProFTPD. As it comes it refuses REST before STOR, and APPE to a file that is there (451 to both); it has MLSD and
//! MFMT; HASH, XCRC and their like with [`ProFtpd::digests`]. As root it keeps its user in the folder (chroot).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ftp_tls::{FtpTls, When};
use super::running::{Running, is_root, write};
use super::{PASSWORD, PASSWORD_HASH, USER};

/// A ProFTPD that is about to be started over a folder.
#[derive(Debug)]
pub struct ProFtpd {
    root: PathBuf,
    tls: Option<FtpTls>,
    anonymous: bool,
    directives: String,
}

impl ProFtpd {
    /// Starts it over a folder, with a password and uploads, and with its defaults: no upload can be continued.
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), tls: None, anonymous: false, directives: String::new() }
    }

    /// With TLS. Session reuse is ProFTPD's own default, and off here unless the [`FtpTls`] says so.
    #[must_use]
    pub fn tls(self, tls: FtpTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// `anonymous` and `ftp` may log in too, with the same rights; root only, as it puts them into a chroot.
    #[must_use]
    pub fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }

    /// REST before STOR is allowed, and APPE to a file that is there.
    #[must_use]
    pub fn allow_store_restart(self) -> Self {
        self.directive("AllowStoreRestart on")
    }

    /// Uploads go to a hidden file and are renamed when they end; REST before STOR is refused (501), and APPE goes
    /// to the file itself if [`Self::allow_store_restart`] is said too.
    #[must_use]
    pub fn hidden_stores(self) -> Self {
        self.directive("HiddenStores on")
    }

    /// HASH, XCRC, XMD5, XSHA1, XSHA256, XSHA512 and MD5.
    #[must_use]
    pub fn digests(self) -> Self {
        self.directive("LoadModule mod_digest.c")
    }

    /// Nothing can be written.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.directive("<Limit WRITE>\nDenyAll\n</Limit>")
    }

    /// At most so many sessions; 530 to the password beyond.
    #[must_use]
    pub fn max_clients(self, count: usize) -> Self {
        self.directive(&format!("MaxClients {count}"))
    }

    /// At most so many bytes a second on each download.
    #[must_use]
    pub fn limit_rate(self, rate: u64) -> Self {
        self.directive(&format!("TransferRate RETR {}", rate.div_ceil(1024)))
    }

    /// Another line of its configuration.
    #[must_use]
    pub fn directive(mut self, line: &str) -> Self {
        let _ = writeln!(self.directives, "{line}");
        self
    }

    /// Starts it; None where it is not installed, or where we may not do what was asked for.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        let program = super::peer("proftpd")?;
        if self.anonymous && !is_root() {
            println!("skipped: proftpd has no anonymous logins if it is not started by root");
            return None;
        }
        let scheme = FtpTls::scheme(self.tls.as_ref());
        let running = Running::start_ftp("proftpd", scheme, |addr, scratch| {
            let config = write(scratch, "proftpd.conf", &self.config(addr, scratch));
            self.accounts(scratch);
            let mut command = Command::new(program);
            command.args(["--nodaemon", "--quiet", "--config"]).arg(config);
            command
        });
        Some(running.with_login(USER, PASSWORD))
    }

    fn accounts(&self, scratch: &Path) {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let (uid, gid, root) = (uid.as_raw(), gid.as_raw(), self.root.display());
        let account = |name| format!("{name}:{PASSWORD_HASH}:{uid}:{gid}::{root}:/bin/sh\n");
        let passwords = write(scratch, "passwords", &(account(USER) + &account("ftp")));
        let groups = write(scratch, "groups", &format!("haul:x:{gid}:\n"));
        // It reads no account from a file that others could read.
        for path in [passwords, groups] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a file of ours");
        }
    }

    fn config(&self, addr: SocketAddr, scratch: &Path) -> String {
        let (dir, port, root) = (scratch.display(), addr.port(), self.root.display());
        // Without User and Group it stays root; anybody else it has to be told to stay.
        let who = if is_root() {
            "RootLogin on\nDefaultRoot ~\n".to_owned()
        } else {
            format!("User {}\nGroup {}\n", our_name("-un"), our_name("-gn"))
        };
        let modules = modules();
        let mut text = format!(
            "ServerName haul\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {port}\nSocketBindTight on\n\
             UseIPv6 off\nUseReverseDNS off\nModulePath {}\nControlsEngine off\n\
             DelayEngine off\nWtmpLog off\nTransferLog none\nSystemLog {dir}/error.log\nPidFile {dir}/pid\n\
             ScoreboardFile {dir}/scoreboard\nMaxLoginAttempts 100\n\
             AuthOrder mod_auth_file.c\nAuthUserFile {dir}/passwords\nAuthGroupFile {dir}/groups\n\
             RequireValidShell off\nUseFtpUsers off\nAllowOverwrite on\n{who}",
            modules.display()
        );
        if self.anonymous {
            let _ = write!(
                text,
                "<Anonymous {root}>\nUser ftp\nUserAlias anonymous ftp\nAnonRequirePassword off\n\
                 RequireValidShell off\n</Anonymous>\n"
            );
        }
        if let Some(tls) = &self.tls {
            tls_config(&mut text, tls, scratch);
        }
        text + &self.directives
    }
}

fn tls_config(text: &mut String, tls: &FtpTls, scratch: &Path) {
    let versions = match tls.limits() {
        ("1.2", "1.3") => "TLSv1.2 TLSv1.3".to_owned(),
        (only, _) => format!("TLSv{only}"),
    };
    let mut options = String::new();
    if tls.when == When::Implicit {
        options += " UseImplicitSSL";
    }
    if !tls.reuse {
        options += " NoSessionReuseRequired";
    }
    if !options.is_empty() {
        options = format!("TLSOptions{options}\n");
    }
    let required = if tls.when == When::Required { "on" } else { "off" };
    let _ = write!(
        text,
        "LoadModule mod_tls.c\nTLSEngine on\nTLSLog {}/error.log\nTLSRequired {required}\nTLSVerifyClient off\n\
         TLSProtocol {versions}\nTLSECCertificateFile {}\nTLSECCertificateKeyFile {}\n{options}",
        scratch.display(),
        tls.cert.display(),
        tls.key.display(),
    );
}

/// Our name, or our group's: it takes no numbers.
fn our_name(of: &str) -> String {
    let told = Command::new("id").arg(of).output().expect("the program id");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

/// Where its modules are: beside the one that was unpacked, or where its package puts them.
fn modules() -> PathBuf {
    let unpacked = super::unpacked().join("proftpd/usr/lib/proftpd");
    if unpacked.is_dir() { unpacked } else { "/usr/lib/proftpd".into() }
}
