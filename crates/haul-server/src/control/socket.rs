//! Where the control socket is, and who may ask there.
//!
//! The system takes no path of a socket of more than about a hundred bytes; a state folder may lie deeper. There it is
//! reached through a descriptor of the folder (`/proc/self/fd/N/control`), which Linux has.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, BufRead as _, BufReader, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream as Blocking},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::UnixStream;

use super::shape::{Answer, Question};

/// What it is called in the state folder.
pub(super) const NAME: &str = "control";
/// Where it is made, so that nobody can come before it is nobody else's.
const MADE_IN: &str = ".control";
/// The longest path of a socket on any system that this runs on (sun_path of BSDs, less its end).
const LONGEST: usize = 103;
/// Whoever asks waits so long for the next byte of the answer: to give an upload up may have to wait for a disk.
const PATIENCE: Duration = Duration::from_secs(120);

/// The socket, which is gone when this is dropped.
pub(super) struct Socket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
    /// Device and inode: what else is there by then is somebody else's.
    own: Option<(u64, u64)>,
}

/// A folder and the way to a socket in it that the system takes.
struct Way {
    path: PathBuf,
    /// Open as long as it is used.
    _folder: Option<File>,
}

impl Way {
    fn to(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}

impl Socket {
    pub(super) fn bind(state: &Path, alone: bool) -> io::Result<Self> {
        let path = state.join(NAME);
        if !alone && connect(state).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server answers there"));
        }
        let made_in = state.join(MADE_IN);
        // A server that was killed at this very moment has left it.
        if made_in.exists() {
            fs::remove_dir_all(&made_in)?;
        }
        DirBuilder::new().mode(0o700).create(&made_in)?;
        let bound = Self::bind_in(&made_in, &path);
        let _ = fs::remove_dir_all(&made_in);
        let listener = bound?;
        listener.set_nonblocking(true)?;
        let own = fs::symlink_metadata(&path).ok().map(|seen| (seen.dev(), seen.ino()));
        Ok(Self { listener: tokio::net::UnixListener::from_std(listener)?, path, own })
    }

    fn bind_in(made_in: &Path, path: &Path) -> io::Result<UnixListener> {
        let listener = UnixListener::bind(&Way::to(made_in, NAME)?.path)?;
        let made = made_in.join(NAME);
        fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        // Takes the place of what a server that was killed has left.
        fs::rename(made, path)?;
        Ok(listener)
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path).ok().map(|seen| (seen.dev(), seen.ino()));
        if self.own.is_some() && there == self.own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether it is the server's own user or root. The socket's mode says the same, where the system heeds it.
pub(super) fn may_ask(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

fn connect(state: &Path) -> io::Result<Blocking> {
    Blocking::connect(Way::to(state, NAME)?.path)
}

/// Asks the server that uses this state folder. Blocks.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] and [`io::ErrorKind::ConnectionRefused`] where no server is there to be asked;
/// [`io::ErrorKind::PermissionDenied`] where it does not answer this user.
pub fn ask(state: &Path, question: &Question) -> io::Result<Answer> {
    let mut stream = connect(state)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut told = String::new();
    if BufReader::new(stream).read_line(&mut told)? == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(serde_json::from_str(&told)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_killed_server_has_left_is_replaced_and_what_answers_is_not() {
        let state = tempfile::tempdir().unwrap();
        let first = Socket::bind(state.path(), true).unwrap();
        assert!(Socket::bind(state.path(), false).is_err(), "another server answers");
        let mode = fs::metadata(state.path().join(NAME)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
        // As after a kill: the name stays, and nobody listens.
        let Socket { path, .. } = &first;
        let left = path.clone();
        drop(first);
        assert!(!left.exists(), "gone with its server");
        drop(UnixListener::bind(&left).unwrap());
        assert!(left.exists());
        let second = Socket::bind(state.path(), false).unwrap();
        let asked = std::thread::spawn({
            let state = state.path().to_owned();
            move || connect(&state).map(drop)
        });
        second.accept().await.unwrap();
        asked.join().unwrap().unwrap();
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_state_folder_may_lie_deep() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a".repeat(120)).join("b".repeat(120));
        fs::create_dir_all(&state).unwrap();
        let socket = Socket::bind(&state, true).unwrap();
        let asked = std::thread::spawn(move || connect(&state).map(drop));
        socket.accept().await.unwrap();
        asked.join().unwrap().unwrap();
    }
}
