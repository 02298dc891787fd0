//! Where a certificate comes from: PEM files, or one made on the spot that nobody trusts until told to.

use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{Error, PemObject as _},
};
use sha2::{Digest as _, Sha256};

use crate::{ServerError, accounts::not_after};

/// Whom a certificate made on the spot names.
const NAME: &str = "haul";

/// A certificate with those that vouch for it, and its key.
#[derive(Debug)]
pub struct Certificate {
    /// The server's own, then those above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first.
    pub key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// Read from PEM files; they may be one and the same.
    ///
    /// # Errors
    /// Where one cannot be read or has nothing of the kind in it; which, and why.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, ServerError> {
        let certificates = Self::chain_from_file(chain)?;
        let secret =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error, "a private key"))?;
        Ok(Self { chain: certificates, key: secret })
    }

    /// Only the certificates.
    ///
    /// # Errors
    /// As [`Self::from_files`].
    pub fn chain_from_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = read.map_err(|error| wrong(path, &error, "a certificate"))?;
        if certificates.is_empty() {
            return Err(wrong(path, &Error::NoItemsFound, "a certificate"));
        }
        Ok(certificates)
    }

    /// One for these names, made now, signed by itself.
    ///
    /// # Errors
    /// Where no key can be made, or a name is none.
    pub fn self_signed(names: Vec<String>) -> Result<Self, ServerError> {
        let failed = |error| ServerError::Other(format!("cannot make a certificate: {error}"));
        let mut params = CertificateParams::new(names).map_err(failed)?;
        // What clients show to people.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, NAME);
        let signing_key = KeyPair::generate().map_err(failed)?;
        let cert = params.self_signed(&signing_key).map_err(failed)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        Ok(Self { chain: vec![cert.der().clone()], key })
    }

    /// Until when the server's own is good, in seconds since 1970, where that can be read.
    pub fn until(&self) -> Option<i64> {
        self.chain.first().and_then(|own| not_after(own))
    }

    /// The SHA-256 of the server's own, as it is usually written.
    pub fn fingerprint(&self) -> String {
        let own = self.chain.first().map(AsRef::as_ref).unwrap_or_default();
        let pairs: Vec<String> = Sha256::digest(own).iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }
}

fn wrong(path: &Path, error: &Error, wanted: &str) -> ServerError {
    let path = path.display();
    match error {
        Error::NoItemsFound => {
            ServerError::Setting(format!("{path} has no {} in it", wanted.trim_start_matches("a ")))
        }
        Error::Io(error) => ServerError::Other(format!("cannot read {path}: {error}")),
        error => ServerError::Setting(format!("{path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::{Protection, Reuse};

    #[test]
    fn one_made_on_the_spot_protects() {
        let made = Certificate::self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        assert_eq!(made.fingerprint().len(), 32 * 3 - 1);
        let bytes = made.chain[0].as_ref();
        // Of subject and issuer: the object's number (2.5.4.3), a text of four letters, the text.
        let name = b"\x06\x03\x55\x04\x03\x0c\x04haul";
        assert_eq!(bytes.windows(name.len()).filter(|seen| seen == name).count(), 2);
        assert!(Protection::new(made.chain, made.key, Reuse::Prefer, false).is_ok());
    }

    #[test]
    fn a_file_without_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        std::fs::write(&path, "nothing").unwrap();
        let error = Certificate::from_files(&path, &path).unwrap_err().to_string();
        assert!(error.ends_with("empty.pem has no certificate in it"), "{error}");
        let error = Certificate::from_files(&folder.path().join("none"), &path).unwrap_err().to_string();
        assert!(error.starts_with("cannot read "), "{error}");
    }
}
