//! vsftpd. It runs as whoever runs the test, without chroot: paths from `/` on are the machine's, URLs are relative to
//! the folder that it serves, as everywhere in FTP.
//!
//! Other logins than the anonymous one would need an account of the machine's, so its one user is `ftp`, and a list of
//! permitted "e-mail addresses" makes the password count. It has no MLSD, MLST, MFMT or HASH.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PASSWORD;
use super::ftp_tls::{FtpTls, When};
use super::running::{Running, write};

/// A vsftpd that is about to be started over a folder.
#[derive(Debug)]
pub struct Vsftpd {
    root: PathBuf,
    tls: Option<FtpTls>,
    anonymous: bool,
    directives: String,
}

impl Vsftpd {
    /// Starts it over a folder, with a password and uploads.
    pub fn serve(root: &Path) -> Option<Running> {
        Self::over(root).start()
    }

    /// One over a folder, to be told more.
    pub fn over(root: &Path) -> Self {
        Self { root: root.into(), tls: None, anonymous: false, directives: String::new() }
    }

    /// With TLS.
    #[must_use]
    pub fn tls(self, tls: FtpTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Any password will do.
    #[must_use]
    pub fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }

    /// Nothing can be written.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.directive("write_enable=NO")
    }

    /// At most so many sessions; 421 beyond.
    #[must_use]
    pub fn max_clients(self, count: usize) -> Self {
        self.directive(&format!("max_clients={count}"))
    }

    /// At most so many bytes a second on each connection.
    #[must_use]
    pub fn limit_rate(self, rate: u64) -> Self {
        self.directive(&format!("anon_max_rate={rate}"))
    }

    /// Another line of its configuration; the last one of a kind counts.
    #[must_use]
    pub fn directive(mut self, line: &str) -> Self {
        let _ = writeln!(self.directives, "{line}");
        self
    }

    /// Starts it; None where it is not installed.
    #[track_caller]
    pub fn start(self) -> Option<Running> {
        let program = super::peer("vsftpd")?;
        let scheme = FtpTls::scheme(self.tls.as_ref());
        let running = Running::start_ftp("vsftpd", scheme, |addr, scratch| {
            write(scratch, "passwords", &format!("{PASSWORD}\n"));
            let mut command = Command::new(program);
            command.arg(write(scratch, "vsftpd.conf", &self.config(addr, scratch)));
            if let Some(tls) = &self.tls {
                tls.limit_openssl(scratch, &mut command);
            }
            command
        });
        Some(running.with_login("ftp", PASSWORD))
    }

    fn config(&self, addr: SocketAddr, scratch: &Path) -> String {
        let (root, dir, port) = (self.root.display(), scratch.display(), addr.port());
        let yes = |value: bool| if value { "YES" } else { "NO" };
        // The user has to exist, and to be nobody's login; with run_as_launching_user nothing ever runs as him.
        // Sandboxes and namespaces of its own cost time at each session, and are refused in containers.
        let mut text = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n\
             run_as_launching_user=YES\nftp_username=nobody\nanon_root={root}\nlocal_enable=NO\n\
             anonymous_enable=YES\nsecure_email_list_enable={}\nemail_password_file={dir}/passwords\n\
             write_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\n\
             anon_other_write_enable=YES\nanon_world_readable_only=NO\nanon_umask=022\nmdtm_write=YES\ndelay_failed_login=0\n\
             seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n\
             xferlog_enable=YES\nvsftpd_log_file={dir}/error.log\nlog_ftp_protocol=YES\n",
            yes(!self.anonymous)
        );
        if let Some(tls) = &self.tls {
            let (required, implicit) = (yes(tls.when == When::Required), yes(tls.when == When::Implicit));
            let _ = write!(
                text,
                "ssl_enable=YES\nallow_anon_ssl=YES\nssl_tlsv1=YES\nssl_ciphers=HIGH\n\
                 rsa_cert_file={}\nrsa_private_key_file={}\nforce_anon_logins_ssl={required}\n\
                 force_anon_data_ssl={required}\nimplicit_ssl={implicit}\nrequire_ssl_reuse={}\n",
                tls.cert.display(),
                tls.key.display(),
                yes(tls.reuse)
            );
        }
        text + &self.directives
    }
}
