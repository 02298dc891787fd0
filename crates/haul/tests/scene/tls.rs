//! One certificate for all servers of a test.

use std::sync::OnceLock;

use haul_testkit::{Serve, tls::Certificates};

/// It, and who has signed it.
pub(crate) fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(Certificates::for_loopback)
}

/// A server that has it.
pub(crate) fn certified(serve: Serve) -> Serve {
    let [cert, key] = [certificates().cert_pem_path(), certificates().key_pem_path()];
    serve.arg("--tls-cert").arg(cert).arg("--tls-key").arg(key)
}
