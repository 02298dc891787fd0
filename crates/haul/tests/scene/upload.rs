//! What the tests of `haul put` stand on: a local folder, a server's folder, and a state that outlives a run.

use std::path::{Path, PathBuf};

use haul_testkit::{
    Content, Finished, Haul, HaulProcess,
    real::{ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
};

use super::{MIB, SOON, Told, haul, wait_until};

/// A place to send from, and one to send to.
pub(crate) struct Upload {
    local: tempfile::TempDir,
    far: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Upload {
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { local: folder(), far: folder(), state: folder() }
    }

    /// In memory where there is such a folder: a server tells an offset when it has synced it, and a busy disk may take
    /// longer for that than the upload takes.
    pub(crate) fn in_memory() -> Self {
        let folder = || tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self { local: folder(), far: folder(), state: folder() }
    }

    /// That with a local file of this name and content.
    pub(crate) fn in_memory_of(name: &str, content: Content) -> Self {
        let upload = Self::in_memory();
        content.write_to(upload.local(name));
        upload
    }

    /// The same with a local file of this name and content.
    pub(crate) fn of(name: &str, content: Content) -> Self {
        let upload = Self::new();
        content.write_to(upload.local(name));
        upload
    }

    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.local.path().join(name)
    }

    /// The folder that servers serve.
    pub(crate) fn root(&self) -> &Path {
        self.far.path()
    }

    pub(crate) fn far(&self, name: &str) -> PathBuf {
        self.far.path().join(name)
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    /// How long the server's file is; 0 where there is none.
    pub(crate) fn far_len(&self, name: &str) -> u64 {
        self.far(name).metadata().map_or(0, |found| found.len())
    }

    /// `haul put --progress json ARGS` in the local folder.
    pub(crate) fn put(&self, args: &[&str]) -> Haul {
        let haul = haul().args(["put", "--progress", "json"]).args(args);
        haul.dir(self.local.path()).env("XDG_STATE_HOME", self.state.path())
    }

    /// Runs that, expects this exit code, and returns what was told.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Told {
        Told::by(self.put(args).run().expect_code(code))
    }

    /// Runs that until the server has so many bytes of `name`, and kills it.
    #[track_caller]
    pub(crate) fn killed_at(&self, name: &str, bytes: u64, args: &[&str]) -> Finished {
        let haul = self.put(args).spawn();
        wait_until(|| self.far_len(name) >= bytes);
        let end = haul.kill_9();
        assert_eq!(end.signal, Some(9), "it was still at work\n{}", end.stderr);
        end
    }

    /// Runs that until the server has so many bytes of `name`, and ends it by Ctrl-C.
    #[track_caller]
    pub(crate) fn stopped_at(&self, name: &str, bytes: u64, args: &[&str]) -> Told {
        let haul = self.put(args).spawn();
        wait_until(|| self.far_len(name) >= bytes);
        haul.interrupt();
        Told::by(haul.wait_at_most(SOON).expect_code(130))
    }
}

/// How fast a run goes that shall be caught in the middle.
pub(crate) const PACE: &str = "12M";

/// A server that can continue a file, by its name.
pub(crate) type Start = fn(&Path) -> Option<Running>;

/// Real servers that can continue a file.
pub(crate) const RESUMING: [(&str, Start); 4] = [
    ("vsftpd", |root| Vsftpd::serve(root)),
    ("proftpd", |root| ProFtpd::over(root).allow_store_restart().digests().start()),
    ("pure-ftpd", |root| PureFtpd::serve(root)),
    ("pyftpdlib", |root| Pyftpdlib::serve(root)),
];

/// The size of files that are caught in the middle.
pub(crate) const SIZE: u64 = 24 * MIB + 12_345;

/// How far a line of progress says that it is.
pub(crate) fn done(line: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    event["done"].as_u64().unwrap_or(0)
}

/// Kills a run that is still at work.
#[track_caller]
pub(crate) fn killed(haul: HaulProcess) {
    let end = haul.kill_9();
    assert_eq!(end.signal, Some(9), "it was still at work\n{}", end.stderr);
}

/// A digest as `--checksum` takes it.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hex: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha-256={hex}")
}

/// Whether a remark has these words.
pub(crate) fn says(told: &Told, words: &str) -> bool {
    told.all("remark").iter().any(|remark| remark["text"].as_str().unwrap().contains(words))
}
