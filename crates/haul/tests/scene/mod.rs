//! What the end-to-end tests stand on: a folder of their own, haul at work in it, and what haul told as JSON.
//!
//! It knows the binary by its command line only, as a user's script would.

// Every test file takes from here what it needs.
#![allow(dead_code)]

pub(crate) mod browser;
pub(crate) mod clients;
pub(crate) mod ear;
pub(crate) mod figures;
pub(crate) mod ftp;
pub(crate) mod h2;
pub(crate) mod http;
pub(crate) mod lint;
pub(crate) mod receiver;
pub(crate) mod served;
pub(crate) mod stage;
pub(crate) mod tls;
pub(crate) mod tus;
pub(crate) mod upload;
pub(crate) mod uploaders;
pub(crate) mod uploading;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use haul_testkit::{Finished, Haul, HaulProcess, HttpPeer};
use serde_json::Value;

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The binary without arguments.
pub(crate) fn haul() -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul"))
}

/// `haul get` in a folder, with its events on standard error.
pub(crate) fn get(dir: &Path, args: &[&str]) -> Haul {
    haul().args(["get", "--progress", "json"]).args(args).dir(dir)
}

/// A folder for one target.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// In memory where there is such a folder: for tests that take the time, which a busy disk would take for itself.
    pub(crate) fn in_memory() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { dir: dir.unwrap() }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `haul get --progress json ARGS` here.
    pub(crate) fn get(&self, args: &[&str]) -> Haul {
        get(self.dir(), args)
    }

    /// Runs that, expects this exit code, and returns what was told.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Told {
        Told::by(self.get(args).run().expect_code(code))
    }

    /// Runs that until the peer has sent `bytes` more, kills it, and waits until the peer has noticed.
    #[track_caller]
    pub(crate) fn killed_after(&self, peer: &HttpPeer, bytes: u64, args: &[&str]) -> Finished {
        self.killed_behind(peer, &[peer.addr().port()], bytes, args)
    }

    /// The same where the way to the peer has more than one part, each with a port.
    #[track_caller]
    pub(crate) fn killed_behind(
        &self,
        peer: &HttpPeer,
        ports: &[u16],
        bytes: u64,
        args: &[&str],
    ) -> Finished {
        let goal = peer.body_sent() + bytes;
        // Sent is not received yet: where others have the machine, haul may be some time behind.
        peer.hold_at(Some(goal));
        let haul = self.get(args).spawn();
        peer.wait_until_sent(goal, SOON);
        wait_until(|| ports.iter().all(|port| queued(*port).unwrap_or(0) == 0));
        let end = haul.kill_9();
        peer.hold_at(None);
        assert_eq!(end.signal, Some(9), "it was still at work\n{}", end.stderr);
        wait_until(|| peer.open() == 0);
        end
    }

    /// As [`Scene::killed_after`], by Ctrl-C: all that was received is recorded when it ends.
    #[track_caller]
    pub(crate) fn stopped_after(&self, peer: &HttpPeer, bytes: u64, args: &[&str]) -> Told {
        let goal = peer.body_sent() + bytes;
        peer.hold_at(Some(goal));
        let haul = self.get(args).spawn();
        peer.wait_until_sent(goal, SOON);
        wait_until(|| queued(peer.addr().port()).unwrap_or(0) == 0);
        haul.interrupt();
        // It is not to be done before it has heard of it.
        let told = Told::by(haul.wait_at_most(SOON).expect_code(130));
        peer.hold_at(None);
        wait_until(|| peer.open() == 0);
        told
    }

    /// The names of all that is here.
    pub(crate) fn files(&self) -> Vec<String> {
        files(self.dir())
    }

    #[track_caller]
    pub(crate) fn assert_only(&self, name: &str) {
        assert_eq!(self.files(), [name], "only the file is left");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }
}

/// The names of all that is in a folder, sorted.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let names = std::fs::read_dir(dir).unwrap().map(|entry| name(entry).to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Waits for a state that comes by itself.
#[track_caller]
pub(crate) fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come about in {SOON:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The bytes that lie between a port of ours and those who are connected to it, as Linux tells them.
pub(crate) fn queued(port: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let ours = format!(":{port:04X}");
    let queues = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, remote, queues) = (fields.get(1)?, fields.get(2)?, fields.get(4)?);
        let (sent, received) = queues.split_once(':')?;
        let (sent, received) = (u64::from_str_radix(sent, 16).ok()?, u64::from_str_radix(received, 16).ok()?);
        // What waits at the sender, and what waits to be read.
        if local.ends_with(&ours) { Some(sent) } else { remote.ends_with(&ours).then_some(received) }
    });
    Some(queues.sum())
}

/// What haul has taken of all the bodies that a peer has sent: where others have the machine the rest may be much.
pub(crate) fn taken_from(peer: &HttpPeer) -> u64 {
    let sent = peer.body_sent();
    sent.saturating_sub(queued(peer.addr().port()).unwrap_or(0))
}

/// The kept bytes that a run at work says it has resumed with.
#[track_caller]
pub(crate) fn kept_by(haul: &HaulProcess) -> u64 {
    let line = haul.wait_for_line(|line| line.contains(r#""event":"resumed""#), SOON);
    serde_json::from_str::<Value>(&line).unwrap()["kept"].as_u64().unwrap()
}

/// What a run told, event by event.
#[derive(Debug)]
pub(crate) struct Told {
    events: Vec<Value>,
}

impl Told {
    #[track_caller]
    pub(crate) fn by(end: Finished) -> Self {
        let Finished { stderr, .. } = end;
        let event = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON: {line:?} ({e})\n{stderr}"))
        };
        Self { events: stderr.lines().map(event).collect() }
    }

    /// The events of one kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }

    #[track_caller]
    fn one(&self, kind: &str) -> &Value {
        match self.all(kind)[..] {
            [event] => event,
            _ => panic!("not exactly one {kind}:\n{self}"),
        }
    }

    #[track_caller]
    pub(crate) fn done(&self) -> &Value {
        self.one("done")
    }

    #[track_caller]
    pub(crate) fn failed(&self) -> &Value {
        self.one("failed")
    }

    /// What a failure says to a human: what happened, and what to do.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        let failed = self.failed();
        format!("{}; {}", failed["message"].as_str().unwrap(), failed["advice"].as_str().unwrap_or_default())
    }

    /// Bytes of an earlier run that were used.
    #[track_caller]
    pub(crate) fn kept(&self) -> u64 {
        self.one("resumed")["kept"].as_u64().unwrap()
    }

    /// Bytes that came over the network.
    #[track_caller]
    pub(crate) fn fetched(&self) -> u64 {
        self.done()["fetched"].as_u64().unwrap()
    }

    #[track_caller]
    pub(crate) fn seconds(&self) -> f64 {
        self.done()["seconds"].as_f64().unwrap()
    }

    #[track_caller]
    pub(crate) fn verified(&self) -> &str {
        self.done()["verified"].as_str().unwrap()
    }

    /// Whether it was said that what was there is dropped, be it for a change or for want of proof.
    pub(crate) fn says_begun_anew(&self) -> bool {
        let remarks = self.all("remark");
        let mut texts = remarks.iter().filter_map(|remark| remark["text"].as_str());
        !self.all("changed").is_empty() || texts.any(|text| text.contains("begun anew"))
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.events
            .iter()
            .filter(|event| event["event"] != "progress")
            .try_for_each(|event| writeln!(f, "{event}"))
    }
}

/// Numbers that follow from a seed: SplitMix64.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
