//! Real peers from the distribution, started on loopback over a folder of the test's, and stopped when dropped.
//!
//! Each gets a configuration of a few lines in a scratch folder of its own: nothing of the machine's configuration
//! counts, and nothing outside of that folder is written. Ready means: it accepts connections.

mod apache;
mod caddy;
mod ftp_tls;
mod haproxy;
mod inetutils;
mod lighttpd;
mod nginx;
mod proftpd;
mod proxies;
mod pureftpd;
mod pyftpdlib;
mod python;
mod running;
mod sessions;
mod tus_server;
mod vsftpd;
mod wsgidav;

use std::path::PathBuf;

pub use self::apache::Apache;
pub use self::caddy::Caddy;
pub use self::ftp_tls::FtpTls;
pub use self::haproxy::Haproxy;
pub use self::inetutils::Inetutils;
pub use self::lighttpd::Lighttpd;
pub use self::nginx::Nginx;
pub use self::proftpd::ProFtpd;
pub use self::proxies::{Microsocks, Tinyproxy};
pub use self::pureftpd::PureFtpd;
pub use self::pyftpdlib::Pyftpdlib;
pub use self::python::PythonHttp;
pub use self::running::Running;
pub use self::tus_server::TusServer;
pub use self::vsftpd::Vsftpd;
pub use self::wsgidav::Wsgidav;

/// The user of every FTP server that lets us name him; [`Running::user`] tells for each.
pub const USER: &str = "haul";
/// His password.
pub const PASSWORD: &str = "pass-of-haul";
/// The same as `crypt` keeps it.
const PASSWORD_HASH: &str = "$5$haul$W4iZF5gduntqerD5yWDktfEbVItggzw8mR9/sMNjb51";

/// Where scripts/peers puts what it does not install: `target/peers`, or HAUL_PEERS_DIR.
fn unpacked() -> PathBuf {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers");
    std::env::var_os("HAUL_PEERS_DIR").map_or_else(|| own.into(), PathBuf::from)
}

/// Where a program is. None, and said so, where it is missing; with HAUL_REQUIRE_PEERS=1 a missing peer is a failure,
/// so that a machine that ought to have them all skips nothing in silence.
#[track_caller]
pub fn peer(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let folders = std::iter::once(unpacked().join("bin")).chain(std::env::split_paths(&path)).chain(usual);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        let required = std::env::var_os("HAUL_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "{name} is not installed (scripts/peers does that), and HAUL_REQUIRE_PEERS=1");
        println!("skipped: {name} is not installed");
    }
    found
}

#[cfg(test)]
mod ftp_tests;
#[cfg(test)]
mod tests;
