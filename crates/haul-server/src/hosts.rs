//! Hosts that are one server: names, each group of them with a certificate, a greeting and a folder of its own.
//!
//! Which one is meant is told by TLS (SNI, RFC 6066 §3), in FTP by HOST (RFC 7151), and in HTTP by Host (RFC 9110 §7.2);
//! who is meant by no name is met with the server's own certificate and greeting, and all of the tree. Who may come in is
//! the same for all.

use std::{fmt, sync::Arc};

use haul_core::TreePath;
use rustls::{
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{Certificate, ServerError};

/// One host.
pub struct Host {
    names: Vec<String>,
    banner: Option<String>,
    key: Option<Arc<CertifiedKey>>,
    home: TreePath,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Host {
    /// One of these names, in small letters, whose homes lie in this folder of the tree; without a banner or a
    /// certificate it has the server's own.
    ///
    /// # Errors
    /// Where the key does not belong to the certificate, or is of no use.
    pub fn new(
        names: Vec<String>,
        banner: Option<String>,
        certificate: Option<Certificate>,
        home: TreePath,
    ) -> Result<Self, ServerError> {
        let provider = aws_lc_rs::default_provider();
        let wrong = |error: rustls::Error| ServerError::Setting(format!("the certificate: {error}"));
        let key = certificate.map(|Certificate { chain, key }| {
            CertifiedKey::from_der(chain, key, &provider).map(Arc::new).map_err(wrong)
        });
        Ok(Self { names, banner, key: key.transpose()?, home })
    }

    /// What its greeting says.
    pub(crate) fn banner(&self) -> Option<&str> {
        self.banner.as_deref()
    }

    /// Whether this is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name.trim_end_matches('.')))
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<[Host]>);

impl From<Vec<Host>> for Hosts {
    fn from(hosts: Vec<Host>) -> Self {
        Self(hosts.into())
    }
}

impl Hosts {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Host> {
        self.0.iter().find(|host| host.is_called(name))
    }

    /// Where homes lie for whoever means the host of this name.
    pub(crate) fn home(&self, name: Option<&str>) -> TreePath {
        name.and_then(|name| self.find(name)).map(|host| host.home.clone()).unwrap_or_default()
    }

    /// Whether both names mean the same host, be it none of these.
    pub(crate) fn are_one(&self, one: &str, other: &str) -> bool {
        match (self.find(one), self.find(other)) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Certificates by the name that TLS tells, or else by the one that was `told` before; where neither is of one of
    /// these, `own`.
    pub(crate) fn certificates(
        &self,
        own: &Arc<dyn ResolvesServerCert>,
        told: Option<String>,
    ) -> Arc<dyn ResolvesServerCert> {
        if self.is_empty() {
            return Arc::clone(own);
        }
        Arc::new(ByName { hosts: self.clone(), own: Arc::clone(own), told })
    }
}

struct ByName {
    hosts: Hosts,
    own: Arc<dyn ResolvesServerCert>,
    told: Option<String>,
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByName").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().or(self.told.as_deref());
        let host = name.and_then(|name| self.hosts.find(name));
        match host.and_then(|host| host.key.clone()) {
            Some(key) => Some(key),
            None => self.own.resolve(hello),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_hosts_in_any_case_and_with_a_dot_behind() {
        let host = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Host::new(names, None, None, TreePath::ROOT).unwrap()
        };
        let hosts = Hosts::from(vec![host(&["a.example", "b.example"]), host(&["c.example"])]);
        assert!(hosts.find("A.Example.").is_some() && hosts.find("d.example").is_none());
        assert!(hosts.are_one("a.example", "b.example") && !hosts.are_one("a.example", "c.example"));
        assert!(hosts.are_one("x.example", "y.example") && !hosts.are_one("x.example", "a.example"));
    }

    #[test]
    fn a_key_of_another_certificate_is_told() {
        let made = || Certificate::self_signed(vec!["a.example".into()]).unwrap();
        let (one, other) = (made(), made());
        let mixed = Certificate { chain: one.chain, key: other.key };
        let error =
            Host::new(vec!["a.example".into()], None, Some(mixed), TreePath::ROOT).unwrap_err().to_string();
        assert!(error.contains("the certificate"), "{error}");
    }
}
