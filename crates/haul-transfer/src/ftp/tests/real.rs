//! What a session does with every real server.

use haul_testkit::real::{ProFtpd, PureFtpd, Pyftpdlib, Vsftpd};

use super::*;

/// Fetches from the beginning and from the middle, breaks off, and goes on with the same session.
async fn serves(server: Option<Running>) {
    let Some(server) = server else { return };
    let mut session = open(&server).await;
    assert_eq!(session.size(b"f.bin").await.unwrap(), Some(FILE.size()));
    assert!(session.modified(b"f.bin").await.unwrap().is_some());
    assert_eq!(session.size(b"none").await.unwrap(), None);
    assert!(fetch(&mut session, 0).await.unwrap() == FILE.bytes(0..FILE.size()));
    assert!(fetch(&mut session, 1_234_567).await.unwrap() == FILE.bytes(1_234_567..FILE.size()));
    let missing = session.start(0, &Command::retr(b"none").unwrap()).await.unwrap_err();
    assert_eq!(missing.code(), 550, "{missing}");

    let last = FILE.size() - 1;
    for _ in 0..2 {
        let mut started = session.start(5, &Command::retr(b"f.bin").unwrap()).await.unwrap();
        assert!(matches!(started.data.read().await.unwrap(), Piece::Bytes(_)));
        assert!(session.release(started.data).await, "a transfer that is given up leaves a session");
        assert!(fetch(&mut session, last).await.unwrap() == FILE.bytes(last..FILE.size()));
    }
    // The same with NOOPs whose answers are still to come.
    let mut started = session.start(5, &Command::retr(b"f.bin").unwrap()).await.unwrap();
    assert!(matches!(started.data.read().await.unwrap(), Piece::Bytes(_)));
    session.keep_alive().await.unwrap();
    if session.release(started.data).await {
        assert!(fetch(&mut session, last).await.unwrap() == FILE.bytes(last..FILE.size()));
    }
    session.quit().await;
}

/// A NOOP while bytes flow does not disturb the dialogue, whenever it is answered.
async fn is_kept_awake(server: Option<Running>) {
    let Some(server) = server else { return };
    let mut session = open(&server).await;
    let mut started = session.start(0, &Command::retr(b"f.bin").unwrap()).await.unwrap();
    assert!(matches!(started.data.read().await.unwrap(), Piece::Bytes(_)));
    session.keep_alive().await.unwrap();
    read(&mut started.data).await;
    drop(started);
    assert!(session.finish_now().await.unwrap().is_completion());
    assert!(session.is_usable());
    assert_eq!(session.size(b"f.bin").await.unwrap(), Some(FILE.size()));
}

#[tokio::test]
async fn vsftpd_serves() {
    let dir = folder();
    serves(Vsftpd::serve(dir.path())).await;
    is_kept_awake(Vsftpd::serve(dir.path())).await;
}

#[tokio::test]
async fn proftpd_serves() {
    let dir = folder();
    serves(ProFtpd::serve(dir.path())).await;
    is_kept_awake(ProFtpd::serve(dir.path())).await;
}

#[tokio::test]
async fn pureftpd_serves() {
    let dir = folder();
    serves(PureFtpd::serve(dir.path())).await;
    is_kept_awake(PureFtpd::serve(dir.path())).await;
}

#[tokio::test]
async fn pyftpdlib_serves() {
    let dir = folder();
    serves(Pyftpdlib::serve(dir.path())).await;
    is_kept_awake(Pyftpdlib::serve(dir.path())).await;
}

#[tokio::test]
async fn a_server_connects_to_here_where_that_is_wanted() {
    let dir = folder();
    for server in [
        Vsftpd::serve(dir.path()),
        ProFtpd::serve(dir.path()),
        PureFtpd::serve(dir.path()),
        Pyftpdlib::serve(dir.path()),
    ] {
        let Some(server) = server else { continue };
        let options = Arc::new(FtpOptions { active: true, ..FtpOptions::default() });
        let mut session = Session::open(&connector(None), &place(&server), &options).await.unwrap();
        assert!(fetch(&mut session, 10_000_000).await.unwrap() == FILE.bytes(10_000_000..FILE.size()));
        assert!(fetch(&mut session, 0).await.unwrap() == FILE.bytes(0..FILE.size()));
    }
}
