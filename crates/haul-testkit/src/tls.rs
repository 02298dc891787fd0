//! Certificates for TLS peers: an authority of our own and a leaf for loopback, as files and as a rustls configuration.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// An authority that nobody trusts by default, and a certificate it signed.
#[derive(Debug)]
pub struct Certificates {
    dir: TempDir,
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Certificates {
    /// For `localhost`, 127.0.0.1 and ::1.
    pub fn for_loopback() -> Self {
        Self::for_names(&["localhost", "127.0.0.1", "::1"])
    }

    /// For other names: a peer that is somebody else.
    pub fn for_names(names: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names at all");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "haul's test authority");
        let ca =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");

        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().expect("a key");
        let leaf =
            CertificateParams::new(names).expect("valid names").signed_by(&key, &ca).expect("a certificate");

        let dir = tempfile::tempdir().expect("a scratch folder");
        std::fs::write(dir.path().join("ca.pem"), ca.pem()).expect("ca.pem");
        std::fs::write(dir.path().join("cert.pem"), leaf.pem()).expect("cert.pem");
        std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).expect("key.pem");
        Self { dir, chain: vec![leaf.der().clone()], key: key.serialize_der() }
    }

    /// The authority, for `--cacert`.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The server's certificate.
    pub fn cert_pem_path(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// The server's key.
    pub fn key_pem_path(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// What a client of our own needs that trusts this authority; both versions of TLS, or only this one.
    pub fn client_config(&self, only: Option<Version>) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions: &[&SupportedProtocolVersion] = match only {
            None => rustls::ALL_VERSIONS,
            Some(Version::Tls12) => &[&rustls::version::TLS12],
            Some(Version::Tls13) => &[&rustls::version::TLS13],
        };
        let authority = CertificateDer::from_pem_file(self.ca_pem_path()).expect("ca.pem");
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("our own authority");
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// What a server of our own needs; HTTP/1.1 is all it offers.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect("our own certificate");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// An authority that vouches for clients, and what it has signed, as PEM files.
#[derive(Debug)]
pub struct ClientCertificates {
    dir: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A client's certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// What the certificate is, without its PEM.
    pub der: Vec<u8>,
}

impl ClientCertificates {
    /// An authority of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names at all");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let dir = tempfile::tempdir().expect("a scratch folder");
        std::fs::write(dir.path().join("clients.pem"), authority.pem()).expect("clients.pem");
        Self { dir, authority }
    }

    /// The authority.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.dir.path().join("clients.pem")
    }

    /// A certificate for a client of this common name.
    pub fn of(&self, name: &str) -> ClientCertificate {
        self.signed(&Self::params(name, &[]))
    }

    /// One that is good from the first day of one year to that of another.
    pub fn dated(&self, name: &str, (from, to): (i32, i32)) -> ClientCertificate {
        let mut params = Self::params(name, &[]);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        self.signed(&params)
    }

    /// One that is for servers, and for no client.
    pub fn for_a_server(&self, name: &str) -> ClientCertificate {
        let mut params = Self::params(name, &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.signed(&params)
    }

    /// One that has another name beside its common name.
    pub fn also_called(&self, name: &str, other: &str) -> ClientCertificate {
        self.signed(&Self::params(name, &[other.to_owned()]))
    }

    fn params(name: &str, others: &[String]) -> CertificateParams {
        let mut params = CertificateParams::new(others.to_vec()).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    }

    fn signed(&self, params: &CertificateParams) -> ClientCertificate {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.authority).expect("a certificate");
        // Several may have one name.
        let number = std::fs::read_dir(self.dir.path()).map_or(0, Iterator::count);
        let path = |kind: &str| self.dir.path().join(format!("{number}.{kind}.pem"));
        std::fs::write(path("cert"), signed.pem()).expect("a certificate's file");
        std::fs::write(path("key"), key.serialize_pem()).expect("a key's file");
        ClientCertificate { cert: path("cert"), key: path("key"), der: signed.der().to_vec() }
    }
}

impl Default for ClientCertificates {
    fn default() -> Self {
        Self::new()
    }
}
