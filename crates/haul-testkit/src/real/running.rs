//! A real peer as a process: its port, its scratch folder, its log, its end.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::port::KeptPort;

const PATIENCE: Duration = Duration::from_secs(30);

/// A real peer that runs, until it is dropped.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    child: Child,
    addr: SocketAddr,
    scheme: &'static str,
    scratch: TempDir,
    _port: Option<KeptPort>,
}

impl Running {
    /// Starts what `command` makes of an address and a scratch folder, and waits until it accepts connections.
    ///
    /// The port stays kept beside the peer, which works with every peer that sets SO_REUSEADDR (all of them do): so
    /// there is no moment in which another test could take it.
    pub(super) fn start(name: &'static str, command: impl FnOnce(SocketAddr, &Path) -> Command) -> Self {
        let port = KeptPort::new();
        let addr = port.addr();
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let child = spawn(command(addr, scratch.path()), scratch.path());
        let mut running = Self { name, child, addr, scheme: "http", scratch, _port: Some(port) };
        running.wait_until(|_| TcpStream::connect(addr).ok());
        running
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
        let mut running = Self { name, child, addr, scheme: "http", scratch, _port: None };
        let port = running.wait_until(|running| port(&running.log()));
        running.addr.set_port(port);
        running
    }

    pub(super) fn with_scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
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
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn spawn(mut command: Command, scratch: &Path) -> Child {
    let said = File::create(scratch.join("said.log")).expect("a log");
    let also = said.try_clone().expect("a log");
    command.stdin(Stdio::null()).stdout(said).stderr(also);
    command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"))
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
