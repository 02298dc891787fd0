//! What the command line of `haul serve` says. Each wins over the file.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use super::value::{AnonymousAccess, Listen, PlainUser, Ports, TlsMode};
use crate::log::Format;

/// The options of `haul serve`; what was not given is `None`.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// DIR.
    pub dir: Option<PathBuf>,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--ftp`.
    pub ftp: Option<Listen>,
    /// `--ftps`.
    pub ftps: Option<Listen>,
    /// `--http`.
    pub http: Option<Listen>,
    /// `--https`.
    pub https: Option<Listen>,
    /// `--metrics`.
    pub metrics: Option<Listen>,
    /// `--user`; one of the same name in the file is replaced.
    pub users: Vec<PlainUser>,
    /// `--anonymous`.
    pub anonymous: Option<AnonymousAccess>,
    /// `--tls-cert`.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`.
    pub tls_key: Option<PathBuf>,
    /// `--tls-self-signed`.
    pub tls_self_signed: bool,
    /// `--tls`.
    pub tls: Option<TlsMode>,
    /// `--passive-ports`.
    pub passive_ports: Option<Ports>,
    /// `--external-address`.
    pub external_address: Option<Ipv4Addr>,
    /// `--log`.
    pub log: Option<Format>,
    /// `--drain`.
    pub drain: Option<Duration>,
}
