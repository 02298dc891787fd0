//! Signals: one is enough to save what is there, two are enough to leave, whoever it is that does not listen, read or
//! answer meanwhile.

use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Write as _, pipe},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::scene::{MIB, SOON, Scene, wait_until};
use haul_testkit::{Behaviour, Content, HttpPeer, hostile::Which};

const SIZE: u64 = 32 * MIB;

/// `haul get` in a scene, with standard output and standard error of the test's choice.
fn spawn(scene: &Scene, args: &[&str], out: Stdio, err: Stdio) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.arg("get").args(args).current_dir(scene.dir()).env("NO_PROXY", "*");
    command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap()
}

fn terminate(child: &Child) {
    // Until we have waited for it, the number is its own.
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
}

/// Its exit code, if it ends soon.
fn code(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// A pipe that nobody reads and that is kept full.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (read, write) = pipe().unwrap();
    let mut filling = write.try_clone().unwrap();
    // Ends when nobody has the other end any more.
    std::thread::spawn(move || while filling.write_all(&[0; 4096]).is_ok() {});
    (read, write)
}

#[test]
fn standard_output_that_nobody_reads_does_not_keep_us() {
    let peer = HttpPeer::start(Behaviour::of(Content::new(151, SIZE)));
    let scene = Scene::new();
    let (_read, write) = full_pipe();
    let args = ["-q", "-o", "-", &peer.url("/f.bin")];
    let mut haul = spawn(&scene, &args, write.into(), Stdio::null());
    peer.wait_until_sent(64 * 1024, SOON);
    terminate(&haul);
    assert_eq!(code(&mut haul), Some(130));
}

#[test]
fn standard_error_that_nobody_reads_does_not_keep_who_asks_twice() {
    let peer = HttpPeer::start(Behaviour::of(Content::new(152, SIZE)).rate(Which::Every, 8 * MIB));
    // It is not to be done before it has heard of a signal.
    peer.hold_at(Some(MIB));
    let scene = Scene::new();
    let (_read, write) = full_pipe();
    let mut haul = spawn(&scene, &["--progress", "plain", &peer.url("/f.bin")], Stdio::null(), write.into());
    peer.wait_until_sent(1, SOON);
    let deadline = Instant::now() + Duration::from_secs(10);
    // As somebody who loses patience: signals that come together count as one.
    while haul.try_wait().unwrap().is_none() && Instant::now() < deadline {
        terminate(&haul);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(code(&mut haul), Some(130));
}

#[test]
fn a_file_that_is_being_read_to_see_whether_it_is_there_does_not_keep_us() {
    const HUGE: u64 = 64 << 30;
    let peer = HttpPeer::start(Behaviour::of(Content::new(153, HUGE)).rate(Which::Every, MIB));
    let scene = Scene::new();
    File::create(scene.path("f.bin")).unwrap().set_len(HUGE).unwrap();
    let sum = ["--checksum", "md5=00000000000000000000000000000000"];
    let url = peer.url("/f.bin");
    let mut haul = spawn(&scene, &[&sum[..], &["-q", &url]].concat(), Stdio::null(), Stdio::null());
    let io = format!("/proc/{}/io", haul.id());
    let read = || {
        let io = std::fs::read_to_string(&io).unwrap_or_default();
        let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap_or("0");
        line.parse::<u64>().unwrap()
    };
    wait_until(|| read() > 64 * MIB);
    terminate(&haul);
    assert_eq!(code(&mut haul), Some(130));
    scene.assert_only("f.bin");
}
