//! The sink with a scripted server.

use haul_testkit::{
    Cut, FtpBehaviour, FtpPeer,
    hostile::{Which, ftp::Completion},
};
use url::Url;

use super::*;
use crate::{
    connect::{Options, ProxyChoice},
    credentials::Secrets,
    put::job::MakeFolders,
};

static PIECE: [u8; 200_000] = [7; 200_000];

fn sink(peer: &FtpPeer) -> FtpSink {
    let url = Url::parse(&peer.url("f.bin")).unwrap();
    let login = Secrets::default().login_for(&url, &url);
    let file = FtpFile::of(&url, login, MakeFolders::Never).unwrap();
    let connector = Connector::new(&Options { proxy: ProxyChoice::Direct, ..Options::default() }).unwrap();
    FtpSink::new(file, connector, Arc::default(), Arc::default(), Duration::from_secs(20))
}

/// The control connection was kept awake last so long ago that it is time again.
fn is_drowsy(sink: &mut FtpSink) {
    sink.awake = Instant::now().checked_sub(AWAKE).unwrap();
}

#[tokio::test]
async fn the_control_connection_is_kept_awake_while_bytes_flow() {
    let peer = FtpPeer::start(FtpBehaviour::proper());
    let mut sink = sink(&peer);
    sink.begin(Name::Target, 0, Way::Begin, None).await.unwrap();
    for _ in 0..3 {
        is_drowsy(&mut sink);
        sink.write(Bytes::from_static(&PIECE)).await.unwrap();
        sink.write(Bytes::from_static(&PIECE)).await.unwrap();
    }
    sink.end().await.unwrap();
    assert_eq!(peer.count("NOOP"), 3);
    let seen = sink.look(Name::Target, false).await.unwrap();
    assert_eq!(seen.there, There::Size(6 * 200_000), "and the dialogue is still in step");
    assert_eq!(peer.sessions(), 1);
}

#[tokio::test]
async fn a_control_connection_that_falls_asleep_costs_no_bytes() {
    let peer = FtpPeer::start(FtpBehaviour::proper().control_cut(Which::Every, 100_000, Cut::Rst));
    let mut sink = sink(&peer);
    sink.begin(Name::Target, 0, Way::Begin, None).await.unwrap();
    sink.write(Bytes::from_static(&PIECE)).await.unwrap();
    peer.wait_until_received(200_000, Duration::from_secs(20));
    for _ in 0..3 {
        is_drowsy(&mut sink);
        sink.write(Bytes::from_static(&PIECE)).await.unwrap();
    }
    assert!(sink.end().await.is_err(), "there is no confirmation");
    let seen = sink.look(Name::Target, true).await.unwrap();
    assert_eq!(seen.there, There::Size(4 * 200_000), "and all of it is there");
}

#[tokio::test]
async fn a_refusal_behind_the_bytes_says_that_nothing_is_under_way() {
    let refuses = Completion::Reply("451 not so".into());
    let peer = FtpPeer::start(FtpBehaviour::proper().completion(Which::Every, refuses));
    let mut sink = sink(&peer);
    sink.begin(Name::Target, 0, Way::Begin, None).await.unwrap();
    sink.write(Bytes::from_static(&PIECE)).await.unwrap();
    assert!(sink.end().await.is_err());
    sink.look(Name::Target, true).await.unwrap();
    let asked = peer.count("SIZE");
    assert_eq!(asked, 1, "no second look is needed");
    sink.look(Name::Target, true).await.unwrap();
    assert!(peer.count("SIZE") > asked + 1, "but whatever moves from then on is somebody else's");
}
