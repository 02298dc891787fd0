//! Sessions with real servers and with scripted ones.

mod dialogue;
mod get;
mod peer;
mod real;
mod tls;

use std::{path::Path, sync::Arc};

use haul_proto::ftp::{Command, Reply};
use haul_testkit::{Content, real::Running, tls::Certificates};

use super::{Data, FtpError, FtpOptions, Piece, Place, Session};
use crate::{
    connect::{Connector, Newest, Options, Origin, ProxyChoice},
    credentials::Login,
};

const FILE: Content = Content::new(7, 12_000_000);

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    FILE.write_to(dir.path().join("f.bin"));
    dir
}

fn connector(certificates: Option<&Certificates>) -> Connector {
    let ca_file = certificates.map(Certificates::ca_pem_path);
    Connector::new(&Options { proxy: ProxyChoice::Direct, ca_file, ..Options::default() }).unwrap()
}

fn place(server: &Running) -> Place {
    let origin = Origin::of(&server.url("/").parse().unwrap()).unwrap();
    let login = Login { user: server.user().into(), password: server.password().into(), account: None };
    Place { origin, login }
}

async fn open(server: &Running) -> Session {
    Session::open(&connector(None), &place(server), &Arc::default()).await.unwrap()
}

async fn open_tls(server: &Running, certificates: &Certificates, newest: Newest) -> Session {
    let connector = connector(Some(certificates));
    Session::open_with(&connector, &place(server), &Arc::default(), newest).await.unwrap()
}

/// All that comes, and whether it ended cleanly.
async fn read(data: &mut Data) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    loop {
        match data.read().await.unwrap() {
            Piece::Bytes(bytes) => all.extend_from_slice(&bytes),
            Piece::End { clean } => return (all, clean),
        }
    }
}

async fn fetch(session: &mut Session, from: u64) -> Result<Vec<u8>, FtpError> {
    let mut started = session.start(from, &Command::retr(b"f.bin")?).await?;
    let (bytes, _) = read(&mut started.data).await;
    drop(started);
    done(session.finish_now().await?)?;
    Ok(bytes)
}

async fn store(session: &mut Session, name: &str, bytes: &[u8]) -> Result<(), FtpError> {
    let mut started = session.start(0, &Command::stor(name.as_bytes())?).await?;
    started.data.write_all(bytes).await?;
    started.data.end(std::time::Duration::from_secs(10)).await?;
    done(session.finish_now().await?)
}

fn done(reply: Reply) -> Result<(), FtpError> {
    if reply.is_completion() { Ok(()) } else { Err(FtpError::Refused { command: "the end".into(), reply }) }
}

fn assert_stored(dir: &Path, name: &str, bytes: &[u8]) {
    assert!(std::fs::read(dir.join(name)).unwrap() == bytes, "{name} differs");
}
