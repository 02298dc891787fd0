//! Transfers over FTP as a whole: whatever the server does, the bytes are one version's, or there is a clear refusal.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    peer::{Peer, World},
    *,
};
use crate::{
    Client, ClientOptions, Connections, Done, Failure, Job, Kind, Notice, Stop, Target, connect,
    credentials::Secrets, get,
};

async fn run(job: Job) -> (Result<Done, Failure>, Vec<Notice>) {
    run_with(job, connect::Options::default()).await
}

async fn run_with(job: Job, connect: connect::Options) -> (Result<Done, Failure>, Vec<Notice>) {
    let connect = match connect.proxy {
        ProxyChoice::Environment => connect::Options { proxy: ProxyChoice::Direct, ..connect },
        _ => connect,
    };
    let (ftp, secrets) = (FtpOptions::default(), Secrets::default());
    let client = Client::new(ClientOptions { connect, ftp, secrets, limit_rate: None, per_host: 8 }).unwrap();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notices);
    let watch = Arc::new(move |notice| told.lock().unwrap().push(notice));
    let limit = Duration::from_secs(60);
    let done = tokio::time::timeout(limit, get(&client, job, Stop::new(), watch)).await.expect("it ends");
    (
        done,
        Arc::try_unwrap(notices)
            .map_or_else(|shared| shared.lock().unwrap().clone(), |own| own.into_inner().unwrap()),
    )
}

fn job(url: &str, dir: &Path, lanes: usize) -> Job {
    let mut job = Job::new(url.parse().unwrap(), Target::Folder(dir.to_path_buf()));
    job.connections = Connections::Exactly(NonZeroUsize::new(lanes).unwrap());
    job
}

/// Fetches with one lane and with four; the result is right both times. How many connections the last one took.
async fn arrives(world: impl Fn() -> World) -> usize {
    let mut connections = 0;
    for lanes in [1, 4] {
        let (peer, dir) = (Peer::start(world()).await, tempfile::tempdir().unwrap());
        let (done, notices) = run(job(&peer.url("f.bin"), dir.path(), lanes)).await;
        done.unwrap_or_else(|failure| panic!("{lanes} lanes: {failure:?} {notices:?}"));
        peer.world.file.lock().unwrap().assert_file_is(dir.path().join("f.bin"));
        connections = peer.world.connections.load(std::sync::atomic::Ordering::Relaxed);
    }
    connections
}

fn answering(answers: &'static [(&'static str, &'static str)]) -> World {
    let hook = move |line: &str| {
        let found = answers.iter().find(|(begin, _)| line.starts_with(begin));
        found.map(|(_, reply)| (*reply).to_owned())
    };
    World { hook: Box::new(hook), ..World::default() }
}

async fn fails(world: World) -> Failure {
    let (peer, dir) = (Peer::start(world).await, tempfile::tempdir().unwrap());
    let mut job = job(&peer.url("f.bin"), dir.path(), 2);
    job.retries = Some(3);
    let (done, _) = run(job).await;
    let failure = done.unwrap_err();
    assert!(!dir.path().join("f.bin").exists(), "{failure:?}");
    failure
}

#[tokio::test]
async fn a_file_arrives_and_sessions_are_used_again() {
    let connections = arrives(World::default).await;
    assert!(connections <= 4, "four lanes at a time, however many there were: {connections}");
}

#[tokio::test]
async fn cut_connections_go_on() {
    arrives(|| World { cut: 1_000_000, ..World::default() }).await;
}

#[tokio::test]
async fn servers_that_lack_something_serve_too() {
    arrives(|| answering(&[("FEAT", "502 no"), ("OPTS", "502 no")])).await;
    arrives(|| answering(&[("REST", "502 no")])).await;
    arrives(|| answering(&[("SIZE", "502 no")])).await;
    arrives(|| answering(&[("MDTM", "502 no")])).await;
    arrives(|| answering(&[("SIZE", "502 no"), ("MDTM", "502 no")])).await;
    arrives(|| answering(&[("SIZE", "502 no"), ("MDTM", "502 no"), ("REST", "502 no")])).await;
}

#[tokio::test]
async fn a_rest_without_effect_is_found_out() {
    arrives(|| World { rest_lies: true, ..World::default() }).await;
    // The same where nothing but the bytes can show it.
    arrives(|| World { rest_lies: true, ..answering(&[("SIZE", "502 no")]) }).await;
}

#[tokio::test]
async fn a_size_that_lies_makes_no_file() {
    for lie in ["213 5000000", "213 20000000"] {
        let answers: &'static [(&str, &str)] = Box::leak(Box::new([("SIZE", lie)]));
        let failure = fails(answering(answers)).await;
        assert!(failure.message.contains("that it told"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_size_that_differs_from_what_the_transfer_says_is_not_believed() {
    arrives(|| answering(&[("SIZE", "213 5000000"), ("150", "150 for f.bin (12000000 bytes)")])).await;
}

#[tokio::test]
async fn a_bad_end_is_no_end() {
    let failure = fails(answering(&[("226", "451 the disk has a hole"), ("SIZE", "502 no")])).await;
    assert_eq!(failure.kind, Kind::Network, "{failure:?}");
    assert!(failure.message.contains("451"), "{failure:?}");
}

#[tokio::test]
async fn refusals_have_their_names() {
    let failure = fails(answering(&[("RETR", "550 no such file")])).await;
    assert_eq!(failure.kind, Kind::Refused, "{failure:?}");
    assert!(failure.message.contains("550 no such file"), "{failure:?}");
    let failure = fails(answering(&[("PASS", "530 no, really")])).await;
    assert_eq!(failure.kind, Kind::Refused, "{failure:?}");
    assert!(failure.message.contains("530 no, really"), "{failure:?}");
}

#[tokio::test]
async fn a_second_login_that_is_refused_is_one_too_many() {
    let logins = std::sync::atomic::AtomicUsize::new(0);
    let hook = move |line: &str| {
        let refused =
            line.starts_with("PASS") && logins.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
        refused.then(|| "530 one at a time".to_owned())
    };
    let world = World { hook: Box::new(hook), pace: 20 << 20, cut: 5_000_000, ..World::default() };
    let (peer, dir) = (Peer::start(world).await, tempfile::tempdir().unwrap());
    let (done, notices) = run(job(&peer.url("f.bin"), dir.path(), 4)).await;
    done.unwrap_or_else(|failure| panic!("{failure:?} {notices:?}"));
    FILE.assert_file_is(dir.path().join("f.bin"));
}

#[tokio::test]
async fn a_server_that_takes_two_at_a_time_is_given_two() {
    for refusal in ["421 too many connections", "530 too many logins"] {
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let hook = move |line: &str| {
            let number: usize = line.strip_prefix("CONNECT ")?.parse().ok()?;
            seen.fetch_max(number, std::sync::atomic::Ordering::Relaxed);
            (number > 2).then(|| refusal.to_owned())
        };
        let peer = Peer::start(World { hook: Box::new(hook), pace: 20 << 20, ..World::default() }).await;
        let dir = tempfile::tempdir().unwrap();
        let (done, notices) = run(job(&peer.url("f.bin"), dir.path(), 4)).await;
        done.unwrap_or_else(|failure| panic!("{failure:?} {notices:?}"));
        FILE.assert_file_is(dir.path().join("f.bin"));
        let tried = count.load(std::sync::atomic::Ordering::Relaxed);
        assert!((3..=6).contains(&tried), "{refusal}: {tried} connections were tried");
    }
}

/// The file is another one from the `n`th RETR's end on.
fn replaced(at_end_of: usize, modified: &'static str) -> (World, Arc<Mutex<Option<Arc<World>>>>) {
    let later: Arc<Mutex<Option<Arc<World>>>> = Arc::default();
    let world = Arc::clone(&later);
    let ends = std::sync::atomic::AtomicUsize::new(0);
    let hook = move |line: &str| {
        if line == "226" && ends.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == at_end_of {
            let world = world.lock().unwrap().clone()?;
            *world.file.lock().unwrap() = Content::new(8, FILE.size());
            *world.modified.lock().unwrap() = modified;
        }
        None
    };
    (World { hook: Box::new(hook), cut: 5_000_000, ..World::default() }, later)
}

#[tokio::test]
async fn a_file_that_is_replaced_is_fetched_anew() {
    // In the middle, where the next connection asks; and behind the last byte, where nobody would but for the last
    // question.
    for at in [1, 2, 3] {
        let (world, later) = replaced(at, "20200102030406");
        let peer = Peer::start(world).await;
        *later.lock().unwrap() = Some(Arc::clone(&peer.world));
        let dir = tempfile::tempdir().unwrap();
        let (done, notices) = run(job(&peer.url("f.bin"), dir.path(), 1)).await;
        done.unwrap_or_else(|failure| panic!("{at}: {failure:?} {notices:?}"));
        Content::new(8, FILE.size()).assert_file_is(dir.path().join("f.bin"));
        assert!(notices.iter().any(|notice| matches!(notice, Notice::Changed { .. })), "{at}: {notices:?}");
    }
}

/// Where the last question gets the answer to something else, or none for the moment, nobody has said that the file is
/// still the same.
#[tokio::test]
async fn what_is_no_answer_to_the_last_question_confirms_nothing() {
    for (answers, code) in [(1, None), (usize::MAX, Some(Kind::Network))] {
        let (world, later) = replaced(1, "20200102030406");
        let over = Arc::new(AtomicUsize::new(0));
        let inner = world.hook;
        let hook = move |line: &str| {
            if line == "226" {
                over.store(1, Relaxed);
            }
            let now = line.starts_with("SIZE") && (1..=answers).contains(&over.load(Relaxed));
            if now {
                over.fetch_add(1, Relaxed);
                return Some(if answers == 1 { "451 late\r\n213 12000000" } else { "450 busy" }.to_owned());
            }
            let busy = line.starts_with("MDTM") && answers > 1 && over.load(Relaxed) > 0;
            if busy { Some("450 busy".to_owned()) } else { inner(line) }
        };
        let peer = Peer::start(World { hook: Box::new(hook), cut: u64::MAX, ..world }).await;
        *later.lock().unwrap() = Some(Arc::clone(&peer.world));
        let dir = tempfile::tempdir().unwrap();
        let (done, notices) = run(job(&peer.url("f.bin"), dir.path(), 1)).await;
        assert_eq!(done.as_ref().err().map(|failure| failure.kind), code, "{done:?} {notices:?}");
        match done {
            Ok(_) => Content::new(8, FILE.size()).assert_file_is(dir.path().join("f.bin")),
            Err(failure) => {
                assert!(failure.message.contains("450 busy"), "{failure:?}");
                assert!(!dir.path().join("f.bin").exists());
            }
        }
    }
}

#[tokio::test]
async fn a_change_can_be_the_end() {
    let (world, later) = replaced(3, "20200102030406");
    let peer = Peer::start(world).await;
    *later.lock().unwrap() = Some(Arc::clone(&peer.world));
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(&peer.url("f.bin"), dir.path(), 1);
    job.on_change = haul_core::transfer::OnChange::Fail;
    let failure = run(job).await.0.unwrap_err();
    assert_eq!(failure.kind, Kind::Changed, "{failure:?}");
    assert!(!dir.path().join("f.bin").exists());
}

#[tokio::test]
async fn a_young_file_is_compared_where_it_is_joined() {
    let now = haul_core::Modified {
        seconds: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64,
        nanos: 0,
        strong: false,
    };
    let now: &'static str = Box::leak(haul_proto::ftp::time::time_val(now).unwrap().into_boxed_str());
    // The stamp stays the same, as that of a second change within a second does.
    let (world, later) = replaced(1, now);
    *world.modified.lock().unwrap() = now;
    let peer = Peer::start(world).await;
    *later.lock().unwrap() = Some(Arc::clone(&peer.world));
    let dir = tempfile::tempdir().unwrap();
    let (done, notices) = run(job(&peer.url("f.bin"), dir.path(), 4)).await;
    done.unwrap_or_else(|failure| panic!("{failure:?} {notices:?}"));
    Content::new(8, FILE.size()).assert_file_is(dir.path().join("f.bin"));
}

/// A server with TLS whose data connections end without a farewell, each after so many bytes.
fn rude(certificates: &Certificates, cut: u64, answers: &'static [(&'static str, &'static str)]) -> World {
    World { tls: Some(certificates.server_config()), rude: true, cut, ..answering(answers) }
}

async fn fetch_over_tls(world: World, certificates: &Certificates) -> Result<(), Failure> {
    let (peer, dir) = (Peer::start(world).await, tempfile::tempdir().unwrap());
    let mut job = job(&peer.url("f.bin"), dir.path(), 1);
    job.retries = Some(2);
    let connect = connect::Options { ca_file: Some(certificates.ca_pem_path()), ..Default::default() };
    run_with(job, connect).await.0?;
    FILE.assert_file_is(dir.path().join("f.bin"));
    Ok(())
}

#[tokio::test]
async fn an_end_without_farewell_is_the_files_only_at_its_size() {
    let certificates = Certificates::for_loopback();
    fetch_over_tls(rude(&certificates, u64::MAX, &[]), &certificates).await.unwrap();
    // Cut off by somebody on the way, while the server believes that it sent all.
    let cut = rude(&certificates, 1_000_000, &[("226", "226 done")]);
    fetch_over_tls(cut, &certificates).await.unwrap();
    let unsized_ = rude(&certificates, u64::MAX, &[("SIZE", "502 no")]);
    let failure = fetch_over_tls(unsized_, &certificates).await.unwrap_err();
    assert!(failure.message.contains("cut off"), "{failure:?}");
    let polite = World { rude: false, ..rude(&certificates, u64::MAX, &[("SIZE", "502 no")]) };
    fetch_over_tls(polite, &certificates).await.unwrap();
}

#[tokio::test]
async fn proxies_carry_control_and_data() {
    use haul_testkit::real::{Microsocks, Pyftpdlib, Tinyproxy};
    let (source, certificates) = (folder(), Certificates::for_loopback());
    let tls = haul_testkit::real::FtpTls::implicit(&certificates);
    for server in [Pyftpdlib::serve(source.path()), Pyftpdlib::over(source.path()).tls(tls).start()] {
        let Some(server) = server else { continue };
        let (socks, http) = (Microsocks::start(Some(("me", "pw"))), Tinyproxy::start(Some(("me", "pw"))));
        let named = socks.iter().map(|proxy| format!("socks5h://me:pw@{}", proxy.addr()));
        let plain = socks.iter().chain(&http).map(|proxy| proxy.url("").replace("://", "://me:pw@"));
        for proxy in plain.chain(named) {
            let dir = tempfile::tempdir().unwrap();
            let mut job = job(&server.login_url("/f.bin"), dir.path(), 2);
            job.retries = Some(0);
            let proxy = ProxyChoice::parse(&proxy).unwrap();
            let ca_file = Some(certificates.ca_pem_path());
            let connect = connect::Options { proxy: proxy.clone(), ca_file, ..Default::default() };
            let (done, notices) = run_with(job, connect).await;
            done.unwrap_or_else(|failure| panic!("{proxy:?}: {failure:?} {notices:?}"));
            FILE.assert_file_is(dir.path().join("f.bin"));
        }
    }
}

#[tokio::test]
async fn both_protocols_bring_one_file() {
    let (ftp, http) = (Peer::start(World { cut: 3_000_000, ..World::default() }).await, folder());
    let Some(nginx) = haul_testkit::real::Nginx::serve(http.path()) else { return };
    for first_is_ftp in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (ftp.url("f.bin"), nginx.url("/f.bin"));
        let (url, mirror) = if first_is_ftp { (a, b) } else { (b, a) };
        let mut job = job(&url, dir.path(), 4);
        job.mirrors = vec![mirror.parse().unwrap()];
        job.checksum = Some(format!("sha-256={}", sha256(&FILE)).parse().unwrap());
        let (done, notices) = run(job).await;
        done.unwrap_or_else(|failure| panic!("{failure:?} {notices:?}"));
        FILE.assert_file_is(dir.path().join("f.bin"));
    }
}

fn sha256(content: &Content) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(content.bytes(0..content.size()));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
