//! The haul binary as a process: started with a clean environment, listened to, interrupted, killed.
//!
//! Where the binary is, only its own package's tests know: `env!("CARGO_BIN_EXE_haul")`.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than any run in a test may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A haul that is about to be started.
#[derive(Debug, Clone)]
pub struct Haul {
    bin: PathBuf,
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    env: Vec<(String, OsString)>,
    input: Vec<u8>,
}

impl Haul {
    /// The binary at this path.
    pub fn new(bin: impl Into<PathBuf>) -> Self {
        Self { bin: bin.into(), args: Vec::new(), dir: None, env: Vec::new(), input: Vec::new() }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// In this folder.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With these bytes on its standard input, and then the end.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Starts it: nothing of the caller's proxies, credentials or home is seen by it.
    pub fn spawn(self) -> HaulProcess {
        let home = tempfile::tempdir().expect("a home");
        let mut command = Command::new(&self.bin);
        command.args(&self.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_ascii_uppercase();
            if text.ends_with("_PROXY")
                || text.starts_with("HAUL_")
                || text.starts_with("XDG_")
                || text == "NETRC"
            {
                command.env_remove(&name);
            }
        }
        command.env("HOME", home.path()).envs(self.env);
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", self.bin.display()));
        let mut stdin = child.stdin.take().expect("a pipe");
        // A program that does not read its input may be gone before it is written.
        let _ = stdin.write_all(&self.input);
        drop(stdin);
        let out = Heard::listen(child.stdout.take().expect("a pipe"));
        let err = Heard::listen(child.stderr.take().expect("a pipe"));
        HaulProcess { child, out, err, _home: home }
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Finished {
        self.spawn().wait()
    }
}

/// A haul that runs; it is killed when it is dropped.
#[derive(Debug)]
pub struct HaulProcess {
    child: Child,
    out: Heard,
    err: Heard,
    _home: TempDir,
}

/// How a haul ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; None when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// Panics with all that was said unless it ended with this exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        let Self { code: found, signal, stderr, .. } = &self;
        assert_eq!(*found, Some(code), "(signal {signal:?})\n{stderr}");
        self
    }
}

impl HaulProcess {
    /// Starts `bin` with these arguments in this folder.
    pub fn spawn(
        bin: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        dir: impl AsRef<Path>,
    ) -> Self {
        Haul::new(bin).args(args).dir(dir.as_ref()).spawn()
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The first line on standard error for which this is true, said before or said soon; panics with all that was
    /// said when the patience or the output ends.
    #[track_caller]
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, patience: Duration) -> String {
        self.err.wait_for_line(wanted, patience, String::new)
    }

    /// The same on standard output; panics with what was said on either.
    #[track_caller]
    pub fn wait_for_output_line(&self, wanted: impl Fn(&str) -> bool, patience: Duration) -> String {
        self.out.wait_for_line(wanted, patience, || self.stderr())
    }

    /// What it has said on standard error so far.
    pub fn stderr(&self) -> String {
        self.err.text()
    }

    /// The most memory it has had resident so far, in bytes; None where the kernel does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// The memory it has resident now, in bytes; None where the kernel does not tell.
    pub fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// SIGHUP: what has no terminal takes it as a wish to read its configuration again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill_9(mut self) -> Finished {
        let _ = self.child.kill();
        self.wait()
    }

    /// SIGINT, as Ctrl-C sends it.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP, as Ctrl-Z or a debugger halts it.
    pub fn halt(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // Until we have waited for it, the number is its own, even if it has ended.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end; one that takes minutes hangs, and is killed with all it said shown.
    #[track_caller]
    pub fn wait(self) -> Finished {
        self.wait_at_most(PATIENCE)
    }

    /// The same with a patience of the test's choice.
    #[track_caller]
    pub fn wait_at_most(mut self, patience: Duration) -> Finished {
        let deadline = Instant::now() + patience;
        let status = loop {
            match self.child.try_wait().expect("a child of ours") {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    panic!("still running after {patience:?}; it said:\n{}", self.err.text())
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.out.all(),
            stderr: String::from_utf8_lossy(&self.err.all()).into_owned(),
        }
    }
}

impl Drop for HaulProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came out of a pipe so far, read by a thread of its own so that the process never waits for us.
#[derive(Debug)]
struct Heard {
    said: Arc<(Mutex<Said>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    ended: bool,
}

impl Heard {
    fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let said: Arc<(Mutex<Said>, Condvar)> = Arc::default();
        let thread = std::thread::spawn({
            let said = Arc::clone(&said);
            move || {
                let mut piece = vec![0; 64 << 10];
                loop {
                    let count = pipe.read(&mut piece).unwrap_or(0);
                    let mut heard = said.0.lock().unwrap();
                    heard.bytes.extend(&piece[..count]);
                    heard.ended = count == 0;
                    said.1.notify_all();
                    if heard.ended {
                        return;
                    }
                }
            }
        });
        Self { said, thread: Some(thread) }
    }

    #[track_caller]
    fn wait_for_line(
        &self,
        wanted: impl Fn(&str) -> bool,
        patience: Duration,
        elsewhere: impl Fn() -> String,
    ) -> String {
        let deadline = Instant::now() + patience;
        let mut said = self.said.0.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&said.bytes).into_owned();
            let whole = if said.ended { text.len() } else { text.rfind('\n').map_or(0, |end| end + 1) };
            if let Some(line) = text[..whole].lines().find(|line| wanted(line)) {
                return line.to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let waits = !left.is_zero() && !said.ended;
            assert!(waits, "no such line; it said:\n{text}{}", elsewhere());
            said = self.said.1.wait_timeout(said, left).unwrap().0;
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.0.lock().unwrap().bytes).into_owned()
    }

    /// All of it: to be asked for when the process has ended.
    fn all(&mut self) -> Vec<u8> {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        std::mem::take(&mut self.said.0.lock().unwrap().bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> HaulProcess {
        Haul::new("/bin/sh").args(["-c", script]).env("SEEN", "yes").spawn()
    }

    #[test]
    fn lines_and_the_end_are_seen() {
        let process = shell("echo one >&2; echo two $SEEN $http_proxy; read line; echo three >&2; exit 7");
        assert_eq!(process.wait_for_line(|line| line.starts_with("th"), Duration::from_secs(5)), "three");
        let end = process.wait().expect_code(7);
        assert_eq!((end.stdout.as_slice(), end.stderr.as_str()), (&b"two yes\n"[..], "one\nthree\n"));
    }

    #[test]
    fn signals_arrive() {
        let process = shell("trap 'exit 130' INT; echo ready >&2; while :; do sleep 0.05; done");
        process.wait_for_line(|line| line == "ready", Duration::from_secs(5));
        process.interrupt();
        assert_eq!(process.wait().code, Some(130));
        assert_eq!(shell("exec sleep 100").kill_9().signal, Some(9));
    }
}
