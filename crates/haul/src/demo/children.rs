//! haul as a process of its own: the same executable, started, listened to, killed.
//!
//! A child is killed and waited for when it is dropped, so that none outlives the demo. It stands in a process group of
//! its own: Ctrl-C is for the demo alone.

use std::io::{self, BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

use super::Trouble;
use super::scratch::Scratch;

/// A server that has not opened its doors by then never will.
const START: Duration = Duration::from_secs(20);

/// The executable, and what its processes have for a home.
pub(super) struct Haul {
    program: PathBuf,
    home: PathBuf,
}

/// A process.
pub(super) struct Running {
    child: Child,
    /// The lines of its standard output; ends with the process.
    pub(super) out: UnboundedReceiver<String>,
    /// The same of standard error.
    pub(super) err: UnboundedReceiver<String>,
}

/// A server at work.
pub(super) struct Server {
    _process: Running,
    pub(super) http: SocketAddr,
    pub(super) ftp: SocketAddr,
}

impl Haul {
    /// This executable.
    pub(super) fn new(scratch: &Scratch) -> Result<Self, Trouble> {
        let program = std::env::current_exe()
            .map_err(|error| Trouble(format!("cannot find out where haul's own program is: {error}")))?;
        Ok(Self { program, home: scratch.home() })
    }

    /// Starts it in a folder. It sees nothing of the caller's proxies and of what haul remembers elsewhere.
    pub(super) fn start(&self, args: &[String], dir: &Path) -> Result<Running, Trouble> {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let known = name.to_string_lossy().to_ascii_uppercase();
            if known.ends_with("_PROXY") || known.starts_with("HAUL_") || known.starts_with("XDG_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(dir).env("HOME", &self.home).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |error: io::Error| Trouble(format!("cannot start {}: {error}", self.program.display()));
        let mut child = command.spawn().map_err(failed)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        // From here on it is killed whatever happens.
        let mut running =
            Running { child, out: mpsc::unbounded_channel().1, err: mpsc::unbounded_channel().1 };
        if let Some(out) = out {
            running.out = lines(out).map_err(failed)?;
        }
        if let Some(err) = err {
            running.err = lines(err).map_err(failed)?;
        }
        Ok(running)
    }

    /// All that it says on standard output.
    pub(super) async fn says(&self, args: &[String], dir: &Path) -> Result<Vec<String>, Trouble> {
        let mut running = self.start(args, dir)?;
        let mut said = Vec::new();
        while let Some(line) = running.out.recv().await {
            said.push(line);
        }
        Ok(said)
    }

    /// `haul serve` with both doors, when they are open.
    pub(super) async fn serve(&self, args: &[String], dir: &Path) -> Result<Server, Trouble> {
        let mut process = self.start(args, dir)?;
        let (mut http, mut ftp) = (None, None);
        let both = async {
            while let Some(line) = process.out.recv().await {
                let door = line.strip_prefix("listening ").and_then(|door| door.split_once(' '));
                match door {
                    Some(("http", address)) => http = address.parse().ok(),
                    Some(("ftp", address)) => ftp = address.parse().ok(),
                    _ => {}
                }
                if let (Some(http), Some(ftp)) = (http, ftp) {
                    return Some((http, ftp));
                }
            }
            None
        };
        match timeout(START, both).await {
            Ok(Some((http, ftp))) => Ok(Server { _process: process, http, ftp }),
            Ok(None) => {
                let mut why = Vec::new();
                while let Some(line) = process.err.recv().await {
                    why.push(line);
                }
                Err(Trouble(format!("haul serve did not start: {}", why.join("; "))))
            }
            Err(_) => Err(Trouble(format!("haul serve opened no doors in {} s", START.as_secs()))),
        }
    }
}

impl Running {
    /// SIGKILL, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.end();
    }

    /// How it ended; asked for when its output has ended.
    pub(super) fn ended(mut self) -> Result<ExitStatus, Trouble> {
        self.child.wait().map_err(|error| Trouble(format!("cannot wait for haul: {error}")))
    }

    fn end(&mut self) {
        // One that has ended was not killed, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads lines on a thread of their own, until their end.
fn lines(from: impl Read + Send + 'static) -> io::Result<UnboundedReceiver<String>> {
    let (tell, told) = mpsc::unbounded_channel();
    thread::Builder::new().name("haul-demo-lines".into()).spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Where nobody listens any more they are read all the same: a full pipe would hold up the process.
            let _ = tell.send(line);
        }
    })?;
    Ok(told)
}
