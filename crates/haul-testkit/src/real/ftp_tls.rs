//! How a real FTP server speaks TLS.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::write;
use crate::tls::Certificates;

/// TLS for an FTP server: when, which versions, and whether data connections have to resume the control session.
#[derive(Debug, Clone)]
pub struct FtpTls {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) when: When,
    pub(super) versions: Versions,
    pub(super) reuse: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Offered,
    Required,
    Implicit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    Both,
    Only12,
    Only13,
}

impl FtpTls {
    fn new(certificates: &Certificates, when: When) -> Self {
        let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
        Self { cert, key, when, versions: Versions::Both, reuse: false }
    }

    /// AUTH TLS for whoever asks. The certificates have to outlive the server.
    pub fn offered(certificates: &Certificates) -> Self {
        Self::new(certificates, When::Offered)
    }

    /// AUTH TLS before the login, and PROT P before data.
    pub fn required(certificates: &Certificates) -> Self {
        Self::new(certificates, When::Required)
    }

    /// TLS from the first byte: `ftps://`.
    pub fn implicit(certificates: &Certificates) -> Self {
        Self::new(certificates, When::Implicit)
    }

    /// TLS 1.2 and nothing else.
    #[must_use]
    pub fn only_12(self) -> Self {
        Self { versions: Versions::Only12, ..self }
    }

    /// TLS 1.3 and nothing else.
    #[must_use]
    pub fn only_13(self) -> Self {
        Self { versions: Versions::Only13, ..self }
    }

    /// A data connection that does not resume the control connection's session is refused. Only vsftpd and ProFTPD
    /// have this; others panic when told.
    #[must_use]
    pub fn reuse_required(self) -> Self {
        Self { reuse: true, ..self }
    }

    pub(super) fn scheme(tls: Option<&Self>) -> &'static str {
        if tls.is_some_and(|tls| tls.when == When::Implicit) { "ftps" } else { "ftp" }
    }

    /// The certificate and its key in one file, for servers that want it so.
    pub(super) fn combined(&self, scratch: &Path) -> PathBuf {
        let read = |path: &Path| std::fs::read_to_string(path).expect("a PEM file of the test's");
        write(scratch, "combined.pem", &(read(&self.cert) + &read(&self.key)))
    }

    /// The least and the greatest version.
    pub(super) fn limits(&self) -> (&'static str, &'static str) {
        match self.versions {
            Versions::Both => ("1.2", "1.3"),
            Versions::Only12 => ("1.2", "1.2"),
            Versions::Only13 => ("1.3", "1.3"),
        }
    }

    /// Limits the versions by OpenSSL's own configuration, for servers that have no word for it.
    pub(super) fn limit_openssl(&self, scratch: &Path, command: &mut Command) {
        let (least, most) = self.limits();
        let text = format!(
            "openssl_conf = all\n[all]\nssl_conf = tls\n[tls]\nsystem_default = versions\n\
             [versions]\nMinProtocol = TLSv{least}\nMaxProtocol = TLSv{most}\n"
        );
        command.env("OPENSSL_CONF", write(scratch, "openssl.cnf", &text));
    }
}
