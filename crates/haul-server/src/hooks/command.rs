//! A program that is told by its environment. No shell reads anything of it; it is the first of a process group of its
//! own, which is killed with it when its time is over; what has left that group is not, but for itself.

use std::{
    ffi::OsString,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use haul_store::Letter;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Map, Value};
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe::Receiver,
    process::{Child, Command},
    time::{Instant, timeout, timeout_at},
};

use super::delivery::{End, Tried};
use crate::sys;

/// So much of what a program says is written down: the end of it.
const SAID: usize = 2000;
/// What it said last may still be on its way when it is over.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What a program is told: each value of the body under `HAUL_` and its name, and which file it is on this machine.
pub(super) fn environment(letter: &Letter, attempt: u32, hook: &str, file: &Path) -> Vec<(String, OsString)> {
    let told: Map<String, Value> = serde_json::from_slice(&letter.body).unwrap_or_default();
    let raw = letter.path.absolute();
    let complete = told.get("event").and_then(Value::as_str) == Some("complete");
    let mut values: Vec<(String, OsString)> = told
        .into_iter()
        .filter(|(key, _)| key != "path" && key != "path_base64")
        .map(|(key, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            // The system takes none with a zero in it.
            (format!("HAUL_{}", key.to_ascii_uppercase()), OsString::from(text.replace('\0', "")))
        })
        .collect();
    let mut put = |key: &str, value: OsString| values.push((format!("HAUL_{key}"), value));
    put("HOOK", hook.into());
    put("ATTEMPT", attempt.to_string().into());
    if complete {
        put("FILE", file.as_os_str().to_owned());
    }
    put("PATH", OsString::from_vec(raw));
    values
}

/// The group of a program that runs: killed with all that is in it, unless it was seen that the program is over.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // Whoever is gone already needs no killing.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs it.
pub(super) async fn run(
    program: &Path,
    args: &[String],
    told: Vec<(String, OsString)>,
    deadline: Duration,
) -> Tried {
    let failed = |why: String| Tried { end: End::Failed(why), output: Vec::new() };
    let until = Instant::now() + deadline;
    let (mut said, mut child) = match start(program, args, told) {
        Ok(started) => started,
        Err(error) => return failed(format!("{} cannot be run: {error}", program.display())),
    };
    let mut group = Group::of(&child);
    let mut output = Vec::new();
    let ended = timeout_at(until, over(&mut child, &mut said, &mut output)).await;
    let end = match ended {
        Ok(Ok(status)) => {
            group.is_over();
            let _ = timeout(LAST_WORDS, listen(&mut said, &mut output)).await;
            judged(status)
        }
        Ok(Err(error)) => End::Failed(format!("waiting for it: {error}")),
        Err(_) => {
            // Before it is waited for: until then nobody else has its number.
            group.kill();
            // By itself, too: it may have gone into another group.
            let _ = child.start_kill();
            let _ = child.wait().await;
            group.is_over();
            End::Failed(format!("it was ended after {} s", deadline.as_secs()))
        }
    };
    Tried { end, output }
}

fn start(
    program: &Path,
    args: &[String],
    told: Vec<(String, OsString)>,
) -> std::io::Result<(Receiver, Child)> {
    let (reader, writer) = std::io::pipe()?;
    let errors = writer.try_clone()?;
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(told);
    command.current_dir("/").stdin(Stdio::null()).stdout(writer).stderr(errors);
    sys::as_many_files_as_at_first(&mut command);
    let child = command.process_group(0).kill_on_drop(true).spawn()?;
    // With the command go our own ends for writing.
    drop(command);
    Ok((Receiver::from_owned_fd(OwnedFd::from(reader))?, child))
}

/// Until it is over. What it says is taken meanwhile, so that it never waits for that.
async fn over(child: &mut Child, said: &mut Receiver, output: &mut Vec<u8>) -> std::io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        () = listen(said, output) => {}
    }
    child.wait().await
}

/// Until nobody has anything to say any more.
async fn listen(said: &mut Receiver, output: &mut Vec<u8>) {
    let mut piece = [0; 1024];
    while let Ok(more @ 1..) = said.read(&mut piece).await {
        output.extend_from_slice(piece.get(..more).unwrap_or_default());
        let beyond = output.len().saturating_sub(SAID);
        output.drain(..beyond);
    }
}

fn judged(status: ExitStatus) -> End {
    if status.success() {
        return End::Heard;
    }
    match status.code() {
        Some(code) => End::Failed(format!("it ended with {code}")),
        None => End::Failed(format!("it was ended by a signal: {status}")),
    }
}
