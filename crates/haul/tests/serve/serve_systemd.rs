//! `haul serve` under a service manager: sockets that are handed over, and what it is told of how the server is. The
//! tests are the manager, with real sockets; where systemd's own programs are there, they are it.

use crate::scene;
use std::{
    net::TcpListener,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use haul_testkit::{
    Caller, Haul, HaulProcess, HttpCaller, KeptPort,
    real::peer,
    served::{PASSWORD, USER},
};

use crate::scene::{
    SOON,
    http::{OWNER, request},
    served::Place,
};

const BIN: &str = env!("CARGO_BIN_EXE_haul");

/// What is told next that has all of these lines.
#[track_caller]
fn hears(socket: &UnixDatagram, lines: &[&str]) -> String {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut datagram = [0; 4096];
    loop {
        let length = socket.recv(&mut datagram).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
        let told = String::from_utf8(datagram[..length].to_vec()).unwrap();
        if lines.iter().all(|wanted| told.lines().any(|line| line.starts_with(wanted))) {
            return told;
        }
    }
}

#[test]
fn whoever_started_it_is_told_when_it_is_ready_reloads_and_stops() {
    let place = Place::new();
    let path = place.local("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let file = place.local("serve.toml");
    std::fs::write(&file, "").unwrap();
    let args = ["serve", "--ftp", "127.0.0.1:0", "--http", "off", "--drain", "3", "--config"];
    let haul = scene::haul().args(args).arg(&file).arg(place.root());
    let process = haul.env("NOTIFY_SOCKET", &path).spawn();
    hears(&socket, &["READY=1", "STATUS=serving 0 over FTP, 0 over HTTP"]);
    let line = process.wait_for_output_line(|line| line.starts_with("listening ftp "), SOON);
    let _caller = Caller::to(line.rsplit(' ').next().unwrap().parse().unwrap());
    process.hang_up();
    hears(&socket, &["RELOADING=1", "MONOTONIC_USEC="]);
    hears(&socket, &["READY=1"]);
    // One that changes nothing is over, too.
    std::fs::write(&file, "wrong").unwrap();
    process.hang_up();
    hears(&socket, &["RELOADING=1"]);
    hears(&socket, &["READY=1"]);
    process.terminate();
    hears(&socket, &["STOPPING=1", "EXTEND_TIMEOUT_USEC=23000000"]);
    process.wait().expect_code(0);
}

#[test]
fn the_watchdog_hears_of_it_while_it_lives_and_not_while_it_hangs() {
    let place = Place::new();
    let name = format!("haul-test-{}", std::process::id());
    // A name that is no file's, as in a container.
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let haul = scene::haul().args(["serve", "--ftp", "127.0.0.1:0", "--http", "off"]).arg(place.root());
    let process = haul.env("NOTIFY_SOCKET", format!("@{name}")).env("WATCHDOG_USEC", "200000").spawn();
    hears(&socket, &["READY=1"]);
    for _ in 0..3 {
        hears(&socket, &["WATCHDOG=1", "STATUS="]);
    }
    process.halt();
    // What was on its way, however much that is, and then nothing for five times as long as it has.
    falls_silent(&socket, Duration::from_secs(1));
    process.go_on();
    hears(&socket, &["WATCHDOG=1"]);
}

/// A server that a watchdog of so many microseconds hears of, and the socket where it does. It has said that it is ready.
fn watched(place: &Place, watchdog: u32) -> (HaulProcess, UnixDatagram) {
    let path = place.local("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let args = ["serve", "--ftp", "127.0.0.1:0", "--http", "off", "--user", &format!("{USER}:{PASSWORD}")];
    let haul = scene::haul().args(args).arg(place.root()).env("NOTIFY_SOCKET", &path);
    let process = haul.env("WATCHDOG_USEC", watchdog.to_string()).spawn();
    hears(&socket, &["READY=1"]);
    hears(&socket, &["WATCHDOG=1"]);
    (process, socket)
}

/// One thread of this server, whatever the others do, is held by strace at its next calls of these kinds, as long as
/// this lives: each for so many microseconds. None where that cannot be done.
fn hold(server: &HaulProcess, thread: &str, calls: &str, micros: u32) -> Option<HaulProcess> {
    let strace = peer("strace")?;
    if Haul::new(&strace).args(["-o", "/dev/null", "true"]).run().code != Some(0) {
        println!("skipped: tracing is not permitted here");
        return None;
    }
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let named = |path: &PathBuf| std::fs::read_to_string(path.join("comm")).unwrap().trim() == thread;
    let found = threads.map(|entry| entry.unwrap().path()).find(named).unwrap();
    let number = found.file_name().unwrap().to_str().unwrap();
    let inject = format!("inject={calls}:delay_enter={micros}");
    let holds = Haul::new(strace).args(["-o", "/dev/null", "-e", "signal=none"]);
    let holds = holds.args(["-e", &format!("trace={calls}"), "-e", &inject, "-p", number]).spawn();
    holds.wait_for_line(|line| line.ends_with("attached"), SOON);
    Some(holds)
}

/// Longer than any test lasts.
const FOR_EVER: u32 = 1_000_000_000;

/// Nothing is told any more, for so long; panics where that goes on.
#[track_caller]
fn falls_silent(socket: &UnixDatagram, length: Duration) {
    socket.set_read_timeout(Some(length)).unwrap();
    let until = Instant::now() + SOON;
    let mut datagram = [0; 4096];
    while let Ok(length) = socket.recv(&mut datagram) {
        let told = String::from_utf8_lossy(&datagram[..length]);
        assert!(Instant::now() < until, "it is still told: {told}");
    }
}

#[test]
fn the_watchdog_does_not_hear_of_a_server_whose_ledger_or_session_thread_alone_hangs() {
    for (thread, called) in [("haul-ledger", "the ledger"), ("haul-0", "a thread that has sessions")] {
        let place = Place::new();
        let (process, socket) = watched(&place, 200_000);
        let Some(held) = hold(&process, thread, "all", FOR_EVER) else { return };
        falls_silent(&socket, Duration::from_secs(1));
        // Whoever reads the log knows what it was that hung, before it is killed.
        let line = process.wait_for_line(|line| line.contains(called), SOON);
        assert!(line.contains("problem"), "{line}");
        drop(held);
        hears(&socket, &["WATCHDOG=1"]);
        process.wait_for_line(|line| line.contains(called) && line.contains("goes on"), SOON);
    }
}

#[test]
fn the_watchdog_hears_of_a_server_whose_disk_is_slow_in_time() {
    const WATCHDOG: u32 = 4_000_000;
    let place = Place::new();
    let (process, socket) = watched(&place, WATCHDOG);
    let line = process.wait_for_output_line(|line| line.starts_with("listening ftp "), SOON);
    let at: std::net::SocketAddr = line.rsplit(' ').next().unwrap().parse().unwrap();
    // What the first record creates is there.
    half(at, "first");
    let Some(held) = hold(&process, "haul-ledger", "fsync,fdatasync", WATCHDOG / 4) else { return };
    let uploading = std::thread::spawn(move || {
        let began = Instant::now();
        (0..4).for_each(|number| half(at, &number.to_string()));
        began.elapsed()
    });
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !uploading.is_finished() {
        hears(&socket, &["WATCHDOG=1"]);
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    let took = uploading.join().unwrap();
    assert!(took > Duration::from_micros(u64::from(WATCHDOG)), "nobody was slow: {took:?}");
    assert!(longest < Duration::from_micros(u64::from(WATCHDOG)), "{longest:?}");
    drop(held);
}

/// An upload whose client goes away when it has sent half: the ledger has it then.
fn half(at: std::net::SocketAddr, name: &str) {
    let mut caller = Caller::binary(at, USER, PASSWORD);
    caller.says("ALLO 1000", 200);
    assert_ne!(caller.stores(&format!("STOR {name}"), &[b'x'; 500]).code, 226);
}

#[test]
fn a_watchdog_of_another_process_is_not_ours() {
    let place = Place::new();
    let path = place.local("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let haul = scene::haul().args(["serve", "--ftp", "127.0.0.1:0", "--http", "off"]).arg(place.root());
    let haul = haul.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let _process = haul.spawn();
    hears(&socket, &["READY=1"]);
    // The first of the news that come without a watchdog, too.
    assert!(!hears(&socket, &["STATUS="]).contains("WATCHDOG"));
}

#[test]
fn the_right_to_low_ports_that_it_was_handed_is_not_handed_on() {
    const RIGHT: &str = "+net_bind_service";
    let Some(setpriv) = peer("setpriv") else { return };
    let handed = Haul::new(setpriv).args(["--inh-caps", RIGHT, "--ambient-caps", RIGHT]);
    if handed.clone().arg("true").run().code != Some(0) {
        println!("skipped: only root hands on rights");
        return;
    }
    let place = Place::new();
    let process =
        handed.args([BIN, "serve", "--ftp", "127.0.0.1:0", "--http", "off"]).arg(place.root()).spawn();
    process.wait_for_output_line(|line| line.starts_with("listening ftp "), SOON);
    // What programs would inherit, and what it has: of this thread, which starts the others.
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let rights = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_eq!(rights("CapAmb:"), 0);
    assert_ne!(rights("CapEff:") & 1 << 10, 0);
}

/// Starts it with this socket as the first that is handed over, and these variables; `$$` is its number.
fn handed(place: &Place, socket: OwnedFd, variables: &str) -> Child {
    let script = format!("exec 3<&0 </dev/null; {variables} exec \"$0\" \"$@\"");
    Command::new("/bin/sh")
        .args(["-c", &script, BIN, "serve", "--http", "off", "--ftp", "127.0.0.1:0"])
        .args(["--user", &format!("{USER}:{PASSWORD}")])
        .arg(place.root())
        .stdin(socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ended(child: Child) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A server that was started by hand; it ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_socket_that_is_handed_over_is_the_door_of_its_name() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let ours = listener.try_clone().unwrap();
    let child = handed(&place, ours.into(), "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=ftp");
    let server = Running(child);
    Caller::login(at, USER, PASSWORD).says("NOOP", 200);
    // It hears of it once, and hands it to nobody else.
    let seen = std::fs::read_dir(format!("/proc/{}/fd", server.0.id())).unwrap();
    assert!(seen.count() > 3);
    let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/3", server.0.id())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    assert_eq!(u32::from_str_radix(flags, 8).unwrap() & 0o2_000_000, 0o2_000_000, "O_CLOEXEC: {info}");
}

#[test]
fn what_is_handed_over_wrongly_is_named_and_what_is_anothers_is_left() {
    let place = Place::new();
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    for (variables, why) in [
        (
            "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=haul.socket",
            "is \"haul.socket\", and must be one of http",
        ),
        ("LISTEN_PID=$$ LISTEN_FDS=1", "must be one of http"),
        ("LISTEN_PID=$$ LISTEN_FDS=40 LISTEN_FDNAMES=ftp", "more sockets than there are"),
        ("LISTEN_PID=$$ LISTEN_FDS=many LISTEN_FDNAMES=ftp", "is no number of sockets"),
        ("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=https", "there is no certificate"),
    ] {
        let (code, said) = ended(handed(&place, listener(), variables));
        assert!(code == Some(7) && said.contains(why), "{variables}: {code:?} {said}");
    }
    let no_listener = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let (code, said) = ended(handed(&place, no_listener, "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=ftp"));
    assert!(code == Some(7) && said.contains("no socket at which somebody listens"), "{said}");
    // Another's: it opens its own.
    let mut others = Running(handed(&place, listener(), "LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=ftp"));
    let mut line = String::new();
    let out = others.0.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    let at = line.trim().strip_prefix("listening ftp ").unwrap();
    Caller::login(at.parse().unwrap(), USER, PASSWORD).says("NOOP", 200);
}

#[test]
fn systemd_s_own_program_starts_it_when_somebody_comes() {
    let Some(activate) = peer("systemd-socket-activate") else { return };
    let place = Place::new();
    let (ftp, http) = (KeptPort::new(), KeptPort::new());
    std::fs::write(place.far("f"), "x").unwrap();
    let mut command = Command::new(activate);
    for port in [&ftp, &http] {
        command.args(["-l", &port.addr().to_string()]);
    }
    command.arg("--fdname=ftp:http").arg(BIN).arg("serve").arg(place.root());
    command.args(["--user", &format!("{USER}:{PASSWORD}")]).stdin(Stdio::null());
    let _running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    scene::wait_until(|| std::net::TcpStream::connect(http.addr()).is_ok());
    let answer = HttpCaller::to(http.addr()).asks(request("GET", "/f", &[OWNER], None)).expect(200);
    assert_eq!(answer.text(), "x");
    Caller::login(ftp.addr(), USER, PASSWORD).says("NOOP", 200);
}

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

#[test]
fn systemd_understands_the_units() {
    let Some(analyze) = peer("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(packaging().join("haul.service")).unwrap();
    assert!(unit.contains("/usr/local/bin/haul serve"));
    // It looks whether the program is there.
    std::fs::write(folder.path().join("haul.service"), unit.replace("/usr/local/bin/haul", BIN)).unwrap();
    std::fs::copy(packaging().join("haul.socket"), folder.path().join("haul.socket")).unwrap();
    for unit in ["haul.service", "haul.socket"] {
        let mut command = Command::new(&analyze);
        let seen = command.args(["verify", "--man=no"]).arg(folder.path().join(unit)).output().unwrap();
        let said = String::from_utf8_lossy(&seen.stderr).into_owned();
        // What it thinks of other units on this machine is not ours.
        let ours: Vec<_> = said.lines().filter(|line| line.contains("haul")).collect();
        assert!(ours.is_empty(), "{ours:#?}");
        assert!(seen.status.success(), "{said}");
    }
}

/// What a unit sets, each time that it does.
fn set<'a>(unit: &'a str, name: &'a str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

#[test]
fn the_unit_starts_the_server_anew_whatever_happens_but_for_settings_that_are_wrong() {
    let unit = std::fs::read_to_string(packaging().join("haul.service")).unwrap();
    assert_eq!(set(&unit, "Restart"), ["on-failure"]);
    assert_eq!(set(&unit, "RestartPreventExitStatus"), ["2"]);
    // It is not given up when it was started five times in ten seconds, and its clients come back in time.
    assert_eq!(set(&unit, "StartLimitIntervalSec"), ["0"]);
    assert_eq!(set(&unit, "RestartSec"), ["2s"]);
    // Disks take half a minute to find out that they have failed, and then it has not hung.
    assert_eq!(set(&unit, "WatchdogSec"), ["3min"]);
    // A reload that changes nothing fails.
    let reload = set(&unit, "ExecReload");
    assert!(reload[0].contains("-HUP") && reload[1].contains("serve --check"), "{reload:?}");
    // Whoever starts the server has the ports opened that are the sockets'.
    let socket = std::fs::read_to_string(packaging().join("haul.socket")).unwrap();
    assert_eq!(set(&socket, "WantedBy"), ["sockets.target haul.service"]);
}
