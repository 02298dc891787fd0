//! `haul serve` under a service manager: sockets that are handed over, and what it is told of how the server is. The
//! tests are the manager, with real sockets; where systemd's own programs are there, they are it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod scene;

use std::{
    net::TcpListener,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use haul_testkit::{
    Caller, HttpCaller, KeptPort,
    real::peer,
    served::{PASSWORD, USER},
};

use scene::{
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
    // What was on its way, and then nothing for five times as long as it has.
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut datagram = [0; 4096];
    let heard = (0..10).take_while(|_| socket.recv(&mut datagram).is_ok()).count();
    assert!(heard < 3, "{heard}");
    process.go_on();
    hears(&socket, &["WATCHDOG=1"]);
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
