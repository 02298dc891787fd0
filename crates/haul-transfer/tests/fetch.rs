//! The library end to end: a transfer by [`get`] from peers on loopback, without the binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use haul_testkit::{
    Behaviour, Content, Cut, HttpPeer,
    hostile::{ETags, Length, Ranges, Version, Which},
};
use haul_transfer::{
    Client, ClientOptions, Connections, Done, Failure, FtpOptions, Job, Kind, Notice, Stop, Target, connect,
    credentials::Secrets, get,
};

const MIB: u64 = 1 << 20;

fn client() -> Client {
    let connect = connect::Options { proxy: connect::ProxyChoice::Direct, ..connect::Options::default() };
    let (ftp, secrets) = (FtpOptions::default(), Secrets::default());
    Client::new(ClientOptions { connect, ftp, secrets, limit_rate: None, per_host: 16 }).unwrap()
}

fn job(url: &str, dir: &Path, lanes: usize) -> Job {
    let mut job = Job::new(url.parse().unwrap(), Target::Folder(dir.to_path_buf()));
    job.connections = Connections::Exactly(NonZeroUsize::new(lanes).unwrap());
    job
}

async fn run(job: Job) -> (Result<Done, Failure>, Vec<Notice>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let watch = {
        let notices = Arc::clone(&notices);
        Arc::new(move |notice| notices.lock().unwrap().push(notice))
    };
    let limit = Duration::from_secs(60);
    let done = tokio::time::timeout(limit, get(&client(), job, Stop::new(), watch)).await.expect("it ends");
    let notices = notices.lock().unwrap().clone();
    (done, notices)
}

/// Fetches with 1 and with 8 lanes and compares the result.
async fn fetches(content: Content, behaviour: Behaviour) {
    for lanes in [1, 8] {
        let peer = HttpPeer::start(behaviour.clone());
        let dir = tempfile::tempdir().unwrap();
        let (done, notices) = run(job(&peer.url("/f.bin"), dir.path(), lanes)).await;
        let done = done.unwrap_or_else(|failure| panic!("{lanes} lanes: {failure:?} {notices:?}"));
        assert_eq!(done.size, content.size());
        content.assert_file_is(dir.path().join("f.bin"));
        let left: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["f.bin"], "only the file is left");
    }
}

#[tokio::test]
async fn a_file_arrives_whole() {
    for size in [0, 1, 1575, 64 * 1024, 9 * MIB + 7] {
        let content = Content::new(1, size);
        fetches(content, Behaviour::of(content)).await;
    }
}

#[tokio::test]
async fn connections_that_are_cut_go_on() {
    let content = Content::new(2, 40 * MIB);
    for cut in [Cut::Fin, Cut::Rst] {
        fetches(content, Behaviour::of(content).cut(Which::Every, 3 * MIB, cut)).await;
    }
}

#[tokio::test]
async fn whatever_the_validators_it_is_one_version() {
    let content = Content::new(3, 12 * MIB);
    let cut = |behaviour: Behaviour| behaviour.cut(Which::First(3), 3 * MIB, Cut::Rst);
    fetches(content, cut(Behaviour::of(content).etag(ETags::Weak("w".into())))).await;
    fetches(content, cut(Behaviour::of(content).without_validators())).await;
    fetches(content, cut(Behaviour::of(content).etag(ETags::PerRequest))).await;
    fetches(content, cut(Behaviour::of(content).etag(ETags::None))).await;
}

#[tokio::test]
async fn servers_without_ranges_or_lengths_serve_too() {
    let content = Content::new(4, 6 * MIB);
    fetches(content, Behaviour::of(content).ranges(Ranges::Ignored)).await;
    fetches(content, Behaviour::of(content).length(Length::Chunked)).await;
    fetches(content, Behaviour::of(content).ranges(Ranges::Capped(MIB))).await;
    fetches(content, Behaviour::of(content).ranges(Ranges::Ignored).cut(Which::First(2), 3 * MIB, Cut::Fin))
        .await;
}

#[tokio::test]
async fn a_file_replaced_in_mid_run_is_fetched_anew() {
    let old = Content::new(5, 24 * MIB);
    let new = Content::new(6, 24 * MIB);
    for lanes in [1, 8] {
        let behaviour = Behaviour::of(old)
            .cut(Which::First(8), 2 * MIB, Cut::Fin)
            .replaced_after(5 * MIB, Version::new(new, "v2"));
        let peer = HttpPeer::start(behaviour);
        let dir = tempfile::tempdir().unwrap();
        let (done, notices) = run(job(&peer.url("/f.bin"), dir.path(), lanes)).await;
        done.unwrap();
        new.assert_file_is(dir.path().join("f.bin"));
        assert!(notices.iter().any(|notice| matches!(notice, Notice::Changed { .. })), "{notices:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_and_leaves_nothing() {
    let content = Content::new(7, MIB);
    let peer = HttpPeer::start(Behaviour::of(content).refuses(
        Which::Every,
        404,
        haul_testkit::hostile::RetryAfter::None,
    ));
    let dir = tempfile::tempdir().unwrap();
    let (done, _) = run(job(&peer.url("/f.bin"), dir.path(), 1)).await;
    let failure = done.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused);
    assert!(failure.message.contains("404"), "{failure}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
