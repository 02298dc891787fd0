//! TLS with real servers: agreed on or from the first byte, and data connections that resume the control session.

use haul_testkit::real::{FtpTls as ServerTls, ProFtpd, PureFtpd, Pyftpdlib, Vsftpd};

use super::*;
use crate::ftp::FtpTls;

/// So many transfers in a row, each way: more than a server hands out tickets for at once.
const MANY: usize = 20;

async fn goes_on_for_long(server: Option<Running>, certificates: &Certificates, newest: Newest, dir: &Path) {
    let Some(server) = server else { return };
    let mut session = open_tls(&server, certificates, newest).await;
    assert_eq!(session.encrypted(), (true, true));
    let last = FILE.size() - 100_000;
    for i in 0..MANY {
        let bytes = fetch(&mut session, last)
            .await
            .unwrap_or_else(|error| panic!("{newest:?} download {i}: {error}"));
        assert!(bytes == FILE.bytes(last..FILE.size()));
    }
    for i in 0..MANY {
        if !session.can_resume_tls() {
            assert_eq!(session.newest_tls(), Newest::Tls13, "TLS 1.2 sessions are not used up");
            session.quit().await;
            session = open_tls(&server, certificates, Newest::Tls12).await;
        }
        let bytes = FILE.bytes(i as u64..100_000);
        store(&mut session, &format!("up{i}"), &bytes)
            .await
            .unwrap_or_else(|error| panic!("{newest:?} upload {i}: {error}"));
        assert_stored(dir, &format!("up{i}"), &bytes);
    }
}

#[tokio::test]
async fn vsftpd_that_requires_reuse_takes_twenty_transfers_in_a_row() {
    let (dir, certificates) = (folder(), Certificates::for_loopback());
    for newest in [Newest::Tls13, Newest::Tls12] {
        let tls = ServerTls::required(&certificates).reuse_required();
        let server = Vsftpd::over(dir.path()).tls(tls).start();
        goes_on_for_long(server, &certificates, newest, dir.path()).await;
    }
}

#[tokio::test]
async fn proftpd_that_requires_reuse_takes_twenty_transfers_in_a_row() {
    let (dir, certificates) = (folder(), Certificates::for_loopback());
    for newest in [Newest::Tls13, Newest::Tls12] {
        let tls = ServerTls::required(&certificates).reuse_required();
        let server = ProFtpd::over(dir.path()).tls(tls).start();
        goes_on_for_long(server, &certificates, newest, dir.path()).await;
    }
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let (dir, certificates) = (folder(), Certificates::for_loopback());
    let tls = || ServerTls::implicit(&certificates);
    for server in [
        Vsftpd::over(dir.path()).tls(tls()).start(),
        ProFtpd::over(dir.path()).tls(tls()).start(),
        Pyftpdlib::over(dir.path()).tls(tls()).start(),
    ] {
        let Some(server) = server else { continue };
        let mut session = open_tls(&server, &certificates, Newest::Tls13).await;
        assert_eq!(session.encrypted(), (true, true));
        assert!(fetch(&mut session, 0).await.unwrap() == FILE.bytes(0..FILE.size()));
    }
}

#[tokio::test]
async fn what_tls_says_is_done() {
    let (dir, certificates) = (folder(), Certificates::for_loopback());
    let with = async |server: &Running, tls: FtpTls| {
        let options = Arc::new(FtpOptions { tls, ..FtpOptions::default() });
        Session::open(&connector(Some(&certificates)), &place(server), &options).await
    };
    if let Some(plain) = Pyftpdlib::serve(dir.path()) {
        assert_eq!(with(&plain, FtpTls::IfOffered).await.unwrap().encrypted(), (false, false));
        let error = with(&plain, FtpTls::Required).await.unwrap_err();
        assert!(matches!(error, FtpError::NoTls { .. }), "{error}");
    }
    let tls = || ServerTls::offered(&certificates);
    let pure = PureFtpd::over(dir.path()).tls(tls()).start();
    for server in [Pyftpdlib::over(dir.path()).tls(tls()).start(), pure].iter().flatten() {
        assert_eq!(with(server, FtpTls::IfOffered).await.unwrap().encrypted(), (true, true));
        let mut plain = with(server, FtpTls::Off).await.unwrap();
        assert_eq!(plain.encrypted(), (false, false));
        assert!(fetch(&mut plain, 11_000_000).await.unwrap() == FILE.bytes(11_000_000..FILE.size()));
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_not_accepted() {
    let (dir, certificates) = (folder(), Certificates::for_names(&["elsewhere.example"]));
    let Some(server) = Vsftpd::over(dir.path()).tls(ServerTls::offered(&certificates)).start() else {
        return;
    };
    let connector = connector(Some(&certificates));
    let error = Session::open(&connector, &place(&server), &Arc::default()).await.unwrap_err();
    assert!(error.to_string().contains("is not to be trusted"), "{error}");
}
