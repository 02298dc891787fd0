//! Who vouches for clients: certificates of authorities, from a PEM file. Whoever shows a certificate must have one of
//! theirs, or the handshake fails; whoever shows none comes in by a password, as ever.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::ServerError;

/// Who vouches for clients.
#[derive(Clone)]
pub struct ClientAuthority(Arc<dyn ClientCertVerifier>);

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthority").finish_non_exhaustive()
    }
}

impl ClientAuthority {
    /// Those in a PEM file.
    ///
    /// # Errors
    /// Where it cannot be read, or has none in it; which, and why.
    pub fn from_file(path: &Path) -> Result<Self, ServerError> {
        let wrong = |what: String| ServerError::Setting(format!("{}: {what}", path.display()));
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut roots = RootCertStore::empty();
        for authority in read.map_err(|error| wrong(error.to_string()))? {
            roots.add(authority).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(ServerError::Setting(format!("{} has no certificate in it", path.display())));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = builder.allow_unauthenticated().build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self(verifier))
    }

    /// As rustls wants it; nobody is asked for a certificate where nobody vouches for any.
    pub(crate) fn verifier(of: Option<&Self>) -> Arc<dyn ClientCertVerifier> {
        of.map_or_else(WebPkiClientVerifier::no_client_auth, |authority| Arc::clone(&authority.0))
    }
}
