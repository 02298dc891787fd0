//! How FTP servers are spoken to, as the user wants it.

use std::time::Duration;

use haul_proto::ftp::Command;

/// Whether an ftp:// session is encrypted. (ftps:// always is.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FtpTls {
    /// Or there is no session.
    Required,
    /// Where the server agrees to it (RFC 4217).
    #[default]
    IfOffered,
    /// Never.
    Off,
}

/// How FTP servers are spoken to.
#[derive(Clone, Debug)]
pub struct FtpOptions {
    /// Encryption of ftp:// sessions.
    pub tls: FtpTls,
    /// Servers open data connections to here (PORT, EPRT), instead of the other way round.
    pub active: bool,
    /// Commands to send on each control connection, after the login.
    pub quote: Vec<Command>,
    /// The longest silence of a server that owes a reply.
    pub patience: Duration,
}

impl Default for FtpOptions {
    /// TLS where it is offered, passive data connections, 30 s.
    fn default() -> Self {
        Self { tls: FtpTls::default(), active: false, quote: Vec::new(), patience: Duration::from_secs(30) }
    }
}
