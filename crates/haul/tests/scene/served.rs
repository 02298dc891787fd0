//! What the tests of `haul serve` stand on: a folder that is served, one that clients are at work in, two users, and
//! what lies out of sight.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use haul_testkit::{Caller, Content, Serve, caller::Data};

use super::{queued, wait_until};

/// Who is nobody's friend: a second user of the same tree.
pub(crate) const OTHER: &str = "b";
/// Their password.
pub(crate) const OTHERS_PASSWORD: &str = "other";

/// A folder to serve, and one for clients.
pub(crate) struct Place {
    root: tempfile::TempDir,
    local: tempfile::TempDir,
}

impl Place {
    /// In memory where there is such a folder: what a disk does is not looked at here.
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self { root: folder(), local: folder() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn far(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.local.path()
    }

    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.local.path().join(name)
    }

    /// The same with empty hands.
    pub(crate) fn clear_local(&self) {
        for entry in std::fs::read_dir(self.dir()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
    }

    /// `haul serve` over it, with both users.
    pub(crate) fn serve(&self) -> Serve {
        serve(self.root()).arg("--user").arg(format!("{OTHER}:{OTHERS_PASSWORD}"))
    }

    /// How many unfinished uploads have bytes that lie out of sight.
    pub(crate) fn staged(&self) -> usize {
        std::fs::read_dir(self.far(".haul/staging")).map_or(0, Iterator::count)
    }

    /// The size of the largest file that lies out of sight: of the only unfinished upload.
    pub(crate) fn hidden(&self) -> u64 {
        largest(&self.far(".haul"))
    }
}

/// `haul serve` over a folder, with one user.
pub(crate) fn serve(root: &Path) -> Serve {
    Serve::over(env!("CARGO_BIN_EXE_haul"), root)
}

/// What `haul passwd` makes of a password.
#[track_caller]
pub(crate) fn hash_of(password: &str) -> String {
    let end = super::haul().args(["passwd"]).input(format!("{password}\n")).run().expect_code(0);
    let hash = String::from_utf8(end.stdout).unwrap().trim().to_owned();
    assert!(hash.starts_with("$argon2"), "{hash}");
    hash
}

/// How many bytes the server of a folder has received of the only unfinished upload: told by the disk, since a question
/// over the network costs the server time, which a busy machine does not have.
pub(crate) fn received(root: &Path) -> u64 {
    largest(&root.join(".haul"))
}

/// The size of the largest file in a folder and below.
fn largest(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => largest(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.max().unwrap_or(0)
}

/// The user whom everybody knows, with binary transfers.
#[track_caller]
pub(crate) fn owner(addr: SocketAddr) -> Caller {
    Caller::binary(addr, haul_testkit::served::USER, haul_testkit::served::PASSWORD)
}

/// The second one.
#[track_caller]
pub(crate) fn stranger(addr: SocketAddr) -> Caller {
    Caller::binary(addr, OTHER, OTHERS_PASSWORD)
}

/// Waits until the server has taken all that was sent on this data connection.
#[track_caller]
pub(crate) fn wait_until_taken(data: &Data) {
    let port = data.port();
    wait_until(|| queued(port).unwrap_or(0) == 0);
}

/// An upload of which the server has taken the first bytes, and which goes on.
#[track_caller]
pub(crate) fn begun(caller: &mut Caller, command: &str, bytes: &[u8]) -> Data {
    let mut data = caller.data();
    caller.says(command, 150);
    data.sends(bytes);
    wait_until_taken(&data);
    data
}

/// Uploads some bytes and goes away as the dead do; where the upload can be gone on with.
#[track_caller]
pub(crate) fn left_unfinished(addr: SocketAddr, name: &str, bytes: &[u8]) -> u64 {
    let mut caller = owner(addr);
    begun(&mut caller, &format!("STOR {name}"), bytes).reset();
    let reply = caller.reply();
    assert!((400..600).contains(&reply.code), "{reply:?}");
    let kept = caller.size(name).expect("its owner sees it");
    assert_eq!(kept, bytes.len() as u64 - 1, "all but the byte that is held back");
    kept
}

/// Bytes of a content, from one offset to another.
pub(crate) fn part(content: Content, from: u64, to: u64) -> Vec<u8> {
    content.bytes(from..to)
}
