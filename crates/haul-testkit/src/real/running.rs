//! A real peer as a process: its port, its scratch folder, its log, its end.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::sessions::Sessions;
use crate::port::KeptPort;

const PATIENCE: Duration = Duration::from_secs(30);

/// A real peer that runs, until it is dropped.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    child: Child,
    addr: SocketAddr,
    scheme: &'static str,
    login: Option<(&'static str, &'static str)>,
    owner: Option<(PathBuf, u32)>,
    scratch: TempDir,
    _port: Option<KeptPort>,
}

impl Running {
    /// Starts what `command` makes of an address and a scratch folder, and waits until it accepts connections.
    ///
    /// The port stays kept beside the peer, which works with every peer that sets SO_REUSEADDR (all of them do): so
    /// there is no moment in which another test could take it.
    pub(super) fn start(name: &'static str, command: impl FnOnce(SocketAddr, &Path) -> Command) -> Self {
        let mut running = Self::spawn(name, command);
        running.wait_until(|running| TcpStream::connect(running.addr).ok());
        running
    }

    /// The same for an FTP server: ready means that it greets, and that the session we asked it in is over.
    pub(super) fn start_ftp(
        name: &'static str,
        scheme: &'static str,
        command: impl FnOnce(SocketAddr, &Path) -> Command,
    ) -> Self {
        let mut running = Self::spawn(name, command).with_scheme(scheme);
        let before = running.wait_until(|running| {
            let before = Sessions::count(running.child.id());
            running.greets().then_some(before)
        });
        // A limit on sessions would count ours too.
        running.wait_until(|running| (Sessions::count(running.child.id()) <= before).then_some(()));
        running
    }

    fn spawn(name: &'static str, command: impl FnOnce(SocketAddr, &Path) -> Command) -> Self {
        let port = KeptPort::new();
        let addr = port.addr();
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let child = spawn(command(addr, scratch.path()), scratch.path());
        Self { name, child, addr, scheme: "http", login: None, owner: None, scratch, _port: Some(port) }
    }

    /// Whether it says 220; with implicit TLS, whether it accepts a connection.
    fn greets(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.addr) else { return false };
        if self.scheme == "ftps" {
            return true;
        }
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut code = [0; 3];
        if stream.read_exact(&mut code).is_err() || stream.write_all(b"QUIT\r\n").is_err() {
            return false;
        }
        let _ = stream.read_to_end(&mut Vec::new());
        code == *b"220"
    }

    /// Starts a peer that chooses its port itself, and finds it in what the peer says.
    pub(super) fn start_telling(
        name: &'static str,
        command: Command,
        port: impl Fn(&str) -> Option<u16>,
    ) -> Self {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let child = spawn(command, scratch.path());
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut running =
            Self { name, child, addr, scheme: "http", login: None, owner: None, scratch, _port: None };
        let port = running.wait_until(|running| port(&running.log()));
        running.addr.set_port(port);
        running
    }

    pub(super) fn with_scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
        self
    }

    pub(super) fn with_login(mut self, user: &'static str, password: &'static str) -> Self {
        self.login = Some((user, password));
        self
    }

    pub(super) fn with_owner(mut self, root: &Path, uid: u32) -> Self {
        self.owner = Some((root.into(), uid));
        self
    }

    fn wait_until<T>(&mut self, ready: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ready(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "{} ended: {}\n{}", self.name, ended.unwrap_or_default(), self.log());
            assert!(
                Instant::now() < deadline,
                "{} is not ready after {PATIENCE:?}\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path that begins with `/`; for a proxy, with an empty path, the URL that clients are given.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    /// The same with the user's name and password in it, where there is a user.
    pub fn login_url(&self, path: &str) -> String {
        let login = self.login.map_or_else(String::new, |(user, password)| format!("{user}:{password}@"));
        format!("{}://{login}{}{path}", self.scheme, self.addr)
    }

    /// The name of its one user.
    pub fn user(&self) -> &'static str {
        self.login.expect("a server with a login").0
    }

    /// The password of its one user.
    pub fn password(&self) -> &'static str {
        self.login.expect("a server with a login").1
    }

    /// What the test has put into the folder becomes its user's, where that is not who runs the test: so that he may
    /// write to it. Call it after preparing files for a server that is already running.
    pub fn hand_over(&self) {
        if let Some((root, uid)) = &self.owner {
            give(root, *uid);
        }
    }

    /// Its process, for who wants to know what it costs.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many processes it has forked that still run: its sessions, for an FTP server that forks.
    pub fn sessions(&self) -> usize {
        Sessions::count(self.child.id())
    }

    /// What it has said and logged so far.
    pub fn log(&self) -> String {
        let logs = ["said.log", "error.log", "access.log"].map(|name| self.scratch.path().join(name));
        logs.iter()
            .filter_map(|log| std::fs::read(log).ok())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM first: nginx's and Apache's masters take their workers along, SIGKILL would leave them behind.
        // FTP servers leave their sessions behind even so.
        let sessions = Sessions::below(self.child.id());
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        sessions.kill();
    }
}

fn spawn(mut command: Command, scratch: &Path) -> Child {
    let said = File::create(scratch.join("said.log")).expect("a log");
    let also = said.try_clone().expect("a log");
    command.stdin(Stdio::null()).stdout(said).stderr(also);
    command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"))
}

fn give(path: &Path, uid: u32) {
    lchown(path, Some(uid), Some(uid)).expect("a file of the test's");
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).expect("a folder of the test's") {
            give(&entry.expect("an entry").path(), uid);
        }
    }
}

/// Writes a configuration into the scratch folder.
pub(super) fn write(scratch: &Path, name: &str, text: &str) -> PathBuf {
    let path = scratch.join(name);
    std::fs::write(&path, text).expect("a file in our scratch folder");
    path
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Lets everybody read a folder and pass through those above it that are ours and closed.
pub(super) fn open_to_all(root: &Path) {
    for (folder, bits) in root.ancestors().zip(std::iter::once(0o555).chain(std::iter::repeat(0o111))) {
        let Ok(found) = std::fs::metadata(folder) else { continue };
        if found.mode() & bits != bits {
            let mode = std::fs::Permissions::from_mode(found.mode() | bits);
            std::fs::set_permissions(folder, mode).expect("a folder of ours");
        }
    }
}
