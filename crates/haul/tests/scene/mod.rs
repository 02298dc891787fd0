//! What the end-to-end tests have in common: the binary, what it says as events, what it leaves in a folder.

// Each test file is a crate of its own and uses its part of this.
#![allow(dead_code, unreachable_pub, reason = "shared by test crates")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use haul_testkit::{Finished, Haul};
use serde_json::Value;
use tempfile::TempDir;

/// Bytes in a MiB.
pub const MIB: u64 = 1 << 20;
/// Longer than anything that a test waits for may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// The binary, without arguments.
pub fn haul() -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul"))
}

/// `haul get` that tells events, into `dir`.
pub fn get<A: Into<OsString>>(dir: impl AsRef<Path>, args: impl IntoIterator<Item = A>) -> Haul {
    haul().args(["get", "--progress", "json"]).args(args).dir(dir.as_ref())
}

/// An empty folder of the test's own.
pub fn scratch() -> TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

/// The events told on standard error: with `--progress json` every line has to be one.
#[track_caller]
pub fn events(stderr: &str) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} in\n{stderr}"))
    };
    stderr.lines().map(parse).collect()
}

/// All events of this kind.
#[track_caller]
pub fn all(end: &Finished, kind: &str) -> Vec<Value> {
    events(&end.stderr).into_iter().filter(|event| event["event"] == kind).collect()
}

/// The one event of this kind.
#[track_caller]
pub fn one(end: &Finished, kind: &str) -> Value {
    let found = all(end, kind);
    assert_eq!(found.len(), 1, "events {kind:?} in\n{}", end.stderr);
    found.into_iter().next().expect("one")
}

/// What the one failure said and was advised, as one text.
#[track_caller]
pub fn failure(end: &Finished) -> String {
    let failed = one(end, "failed");
    let text = |member: &str| failed[member].as_str().unwrap_or_default().to_owned();
    format!("{}; {}", text("message"), text("advice"))
}

/// The names in a folder, in order.
pub fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = std::fs::read_dir(dir.as_ref()).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}
