//! Sessions with servers that do what they should not.

use std::time::Duration;

use super::{
    peer::{Peer, World},
    *,
};
use crate::ftp::FtpTls;

async fn session(peer: &Peer, options: FtpOptions) -> Result<Session, FtpError> {
    let origin = Origin::of(&peer.url("").parse().unwrap()).unwrap();
    let login = Login { user: "u".into(), password: "secret".into(), account: None };
    let options = Arc::new(FtpOptions { patience: Duration::from_secs(5), ..options });
    Session::open(&connector(None), &Place { origin, login }, &options).await
}

/// A peer that answers a command that begins so with this.
async fn with(answers: &'static [(&'static str, &'static str)]) -> Peer {
    Peer::answering(move |line| {
        let found = answers.iter().find(|(begin, _)| line.starts_with(begin));
        found.map(|(_, reply)| (*reply).to_owned())
    })
    .await
}

async fn opened(answers: &'static [(&'static str, &'static str)]) -> Result<Session, FtpError> {
    session(&with(answers).await, FtpOptions::default()).await
}

#[tokio::test]
async fn a_greeting_may_be_put_off() {
    opened(&[("CONNECT", "120-later\r\n120 5 minutes\r\n220 now")]).await.unwrap();
}

#[tokio::test]
async fn bytes_behind_the_reply_to_auth_are_refused() {
    let error = opened(&[("AUTH", "234 go on\r\n230 logged in already")]).await.unwrap_err();
    assert!(matches!(error, FtpError::Injected), "{error}");
    let error = opened(&[("AUTH", "234 go on\r\n2")]).await.unwrap_err();
    assert!(matches!(error, FtpError::Injected), "{error}");
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_without_the_password() {
    let error = opened(&[("PASS", "530 no, \x1b[2J")]).await.unwrap_err();
    let told = error.to_string();
    assert_eq!(error.code(), 530);
    assert!(!told.contains("secret") && !told.contains('\x1b'), "{told}");
    let account = opened(&[("PASS", "332 account")]).await.unwrap_err();
    assert!(matches!(account, FtpError::NeedsAccount(_)), "{account}");
    opened(&[("USER", "230 come in"), ("PASS", "503 no need")]).await.unwrap();
}

#[tokio::test]
async fn a_reply_without_end_costs_no_memory() {
    let peer = Peer::answering(|line| line.starts_with("FEAT").then(|| "2".repeat(10 << 20))).await;
    let error = session(&peer, FtpOptions::default()).await.unwrap_err();
    assert!(matches!(error, FtpError::BadReply(_)), "{error}");
    let peer = Peer::answering(|line| line.starts_with("CONNECT").then(|| "SSH-2.0-x".to_owned())).await;
    let error = session(&peer, FtpOptions::default()).await.unwrap_err();
    assert!(matches!(error, FtpError::BadReply(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let peer = with(&[("CONNECT", "120 wait")]).await;
    let origin = Origin::of(&peer.url("").parse().unwrap()).unwrap();
    let login = Login { user: "u".into(), password: "p".into(), account: None };
    let options = Arc::new(FtpOptions { patience: Duration::from_millis(50), ..FtpOptions::default() });
    let error = Session::open(&connector(None), &Place { origin, login }, &options).await.unwrap_err();
    assert!(matches!(error, FtpError::Silent { .. }), "{error}");
}

#[tokio::test]
async fn quoted_commands_are_sent_after_the_login_and_must_be_taken() {
    let quote = |line| vec![Command::raw(line).unwrap()];
    let peer = with(&[("SITE UMASK", "200 done")]).await;
    session(&peer, FtpOptions { quote: quote("SITE UMASK 022"), ..FtpOptions::default() }).await.unwrap();
    let refused = FtpOptions { quote: quote("CWD nowhere"), ..FtpOptions::default() };
    let error = session(&with(&[("CWD", "550 none")]).await, refused).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("CWD")), (550, true), "{error}");
}

#[tokio::test]
async fn pasv_is_used_where_epsv_is_not_known_and_its_address_is_not() {
    let mut session = opened(&[("EPSV", "500 what?")]).await.unwrap();
    assert!(fetch(&mut session, 11_000_000).await.unwrap() == FILE.bytes(11_000_000..FILE.size()));
}

#[tokio::test]
async fn an_epsv_port_that_leads_nowhere_is_left_for_pasv() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let peer =
        Peer::answering(move |line| line.starts_with("EPSV").then(|| format!("229 (|||{closed}|)"))).await;
    let mut session = session(&peer, FtpOptions::default()).await.unwrap();
    assert!(fetch(&mut session, 11_000_000).await.unwrap() == FILE.bytes(11_000_000..FILE.size()));
}

#[tokio::test]
async fn a_stranger_at_our_port_is_not_the_server() {
    let peer = Peer::start(World::default()).await;
    let mut session = session(&peer, FtpOptions { active: true, ..FtpOptions::default() }).await.unwrap();
    assert!(fetch(&mut session, 11_000_000).await.unwrap() == FILE.bytes(11_000_000..FILE.size()));
}

#[tokio::test]
async fn a_server_of_the_newer_protocol_is_reached_in_it() {
    let host = std::net::Ipv6Addr::LOCALHOST.into();
    let peer = Peer::start(World { host, ..World::default() }).await;
    let mut session = session(&peer, FtpOptions::default()).await.unwrap();
    assert!(fetch(&mut session, 11_000_000).await.unwrap() == FILE.bytes(11_000_000..FILE.size()));
}

#[tokio::test]
async fn a_rest_that_is_understood_as_another_offset_is_a_refusal() {
    for answer in [&[("REST", "350 at 0")], &[("REST", "501 no")]] {
        let mut session = opened(answer).await.unwrap();
        let error = fetch(&mut session, 5).await.unwrap_err();
        assert!(matches!(error, FtpError::NoRest(_)), "{error}");
    }
}

#[tokio::test]
async fn the_last_reply_may_come_first() {
    let mut session = opened(&[("150", "150 go\r\n226 done"), ("226", "")]).await.unwrap();
    assert!(fetch(&mut session, 11_000_000).await.unwrap() == FILE.bytes(11_000_000..FILE.size()));
    // An empty line between replies is no reply; the session is in step.
    assert_eq!(session.size(b"f.bin").await.unwrap(), Some(FILE.size()));
}

#[tokio::test]
async fn a_reply_to_nothing_ends_the_session() {
    let mut session = opened(&[("SIZE", "213 5\r\n226 surprise")]).await.unwrap();
    assert_eq!(session.size(b"f.bin").await.unwrap(), Some(5));
    assert!(!session.is_usable());
    let error = session.modified(b"f.bin").await.unwrap_err();
    assert!(matches!(error, FtpError::Unasked(_)), "{error}");
    assert!(!session.is_usable());
}

#[tokio::test]
async fn tls_that_is_required_and_not_there_is_said() {
    let options = FtpOptions { tls: FtpTls::Required, ..FtpOptions::default() };
    let error = session(&Peer::start(World::default()).await, options).await.unwrap_err();
    assert!(error.to_string().contains("--tls required"), "{error}");
}

#[tokio::test]
async fn a_command_without_a_data_connection_can_be_anything() {
    let mut session = opened(&[("SITE", "214-help\r\n more\r\n214 end")]).await.unwrap();
    let reply = session.command(&Command::raw("SITE HELP").unwrap()).await.unwrap();
    assert_eq!(reply.lines().len(), 3);
}

#[tokio::test]
async fn an_offset_of_the_users_own_does_not_hold() {
    let quote = vec![Command::raw("REST 100").unwrap()];
    let peer = with(&[]).await;
    let mut session = session(&peer, FtpOptions { quote, ..FtpOptions::default() }).await.unwrap();
    for _ in 0..2 {
        assert_eq!(fetch(&mut session, 0).await.unwrap().len() as u64, FILE.size());
    }
}
