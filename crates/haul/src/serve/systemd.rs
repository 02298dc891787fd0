//! What a server and a service manager such as systemd tell each other: sockets that were opened beforehand
//! (sd_listen_fds(3)), and how the server is (sd_notify(3)). Both are a few variables and one datagram a time.

use std::{
    net::TcpListener,
    os::{
        fd::{OwnedFd, RawFd},
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
    time::Duration,
};

use haul_server::{House, Turn, log::Event};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::entrance::Entrance;
use crate::{human, sys};

/// The first descriptor that is handed over.
const FIRST: RawFd = 3;
/// More doors than this nobody has.
const MOST: RawFd = 64;
/// It is told at least so often how many are there.
const NEWS: Duration = Duration::from_secs(10);
/// Whatever takes no turn for so long is told of.
const LATE: Duration = Duration::from_secs(30);

/// The sockets that were handed over, each with its door. What is wrong with them, in words.
pub(super) fn sockets() -> Result<Vec<(Entrance, TcpListener)>, String> {
    // All of them are heard, whatever the first one says.
    let [pid, count, names] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].map(sys::heard_once);
    let (Some(pid), Some(count)) = (pid, count) else { return Ok(Vec::new()) };
    if pid.parse() != Ok(process::id()) {
        // They are another's, who has started this one.
        return Ok(Vec::new());
    }
    let count = count.parse().ok().filter(|count| (0..=MOST).contains(count));
    let count = count.ok_or("LISTEN_FDS is no number of sockets")?;
    let all = sys::inherited(FIRST, count).ok_or("LISTEN_FDS tells of more sockets than there are")?;
    let names = names.unwrap_or_default();
    let doors = doors(&names, all.len())?;
    doors.into_iter().zip(all).map(|(door, socket)| Ok((door, listener(door, socket)?))).collect()
}

/// Which doors they are for, by their names.
fn doors(names: &str, count: usize) -> Result<Vec<Entrance>, String> {
    let doors: Result<Vec<Entrance>, String> = names.split(':').take(count).map(str::parse).collect();
    let doors = doors.map_err(|wrong| format!("the name of a socket that was handed over {wrong}"))?;
    if doors.len() == count {
        Ok(doors)
    } else {
        Err("not every socket that was handed over has a name".to_owned())
    }
}

fn listener(door: Entrance, socket: OwnedFd) -> Result<TcpListener, String> {
    let listens = sys::listens(&socket);
    let listener = TcpListener::from(socket);
    if listens && listener.local_addr().is_ok() {
        Ok(listener)
    } else {
        Err(format!(
            "what was handed over for {} is no socket at which somebody listens over TCP",
            door.name()
        ))
    }
}

/// Where it is told how the server is; nowhere where nobody asked.
#[derive(Debug)]
pub(super) struct Notify {
    socket: Option<UnixDatagram>,
    /// It must be heard of so often.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the variables say; they are not heard again. What is wrong with them, in words.
    pub(super) fn from_environment() -> Result<Self, String> {
        let [path, every, whose] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"].map(sys::heard_once);
        let socket = path.filter(|path| !path.is_empty()).map(|path| {
            connected(&path).map_err(|error| format!("cannot tell {path} how the server is: {error}"))
        });
        let ours = whose.is_none_or(|whose| whose.parse() == Ok(process::id()));
        let every = every.filter(|_| ours).and_then(|every| every.parse().ok()).filter(|every| *every > 0);
        Ok(Self { socket: socket.transpose()?, watchdog: every.map(Duration::from_micros) })
    }

    /// It serves.
    pub(super) fn ready(&self, house: &House) {
        self.send(&format!("READY=1\n{}", status(house)));
    }

    /// It reads its configuration again; it is ready when it has.
    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// It stops, and takes no longer than this.
    pub(super) fn stopping(&self, within: Duration) {
        self.send(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", within.as_micros()));
    }

    /// Tells again and again that every part of the house still takes its turn, and how many are there. Where one hangs,
    /// or this thread does, nothing is told, and the service manager does what it was told to do about that.
    pub(super) async fn tend(&self, house: &House) {
        // A disk may take most of the time that the watchdog gives.
        let every = self.watchdog.map_or(NEWS, |watchdog| NEWS.min(watchdog / 4));
        let late = self.watchdog.map_or(LATE, |watchdog| LATE.min(watchdog / 4));
        let mut ticks = interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.socket.is_some() {
            ticks.tick().await;
            for turn in house.turns() {
                self.wait(house, turn, late).await;
            }
            let alive = if self.watchdog.is_some() { "WATCHDOG=1\n" } else { "" };
            self.send(&format!("{alive}{}", status(house)));
        }
    }

    /// Waits for one part, however long; that it is late is told before anybody is killed for it.
    async fn wait(&self, house: &House, Turn { of, mut taken }: Turn<'_>, late: Duration) {
        let asked = Instant::now();
        if timeout(late, &mut taken).await.is_ok() {
            return;
        }
        let what = format!("{of} has taken no turn for {}: it waits for a disk, or hangs", human::time(late));
        self.send(&format!("STATUS={what}"));
        house.log.tell(Event::Problem { what });
        taken.await;
        let what = format!("{of} goes on after {}", human::time(asked.elapsed()));
        house.log.tell(Event::Problem { what });
    }

    fn send(&self, state: &str) {
        if let Some(socket) = &self.socket {
            // Who asked and does not listen is not waited for.
            let _ = socket.send(state.as_bytes());
        }
    }
}

fn connected(path: &str) -> std::io::Result<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => sys::abstract_address(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn status(house: &House) -> String {
    let (ftp, http) = (house.sessions.count(), house.connections.count());
    format!("STATUS=serving {ftp} over FTP, {http} over HTTP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_known_by_their_names() {
        let named =
            |names, count| doors(names, count).map(|doors| doors.iter().map(|door| door.name()).collect());
        assert_eq!(named("ftp:https", 2), Ok(vec!["ftp", "https"]));
        assert_eq!(named("ftp:ftp", 2), Ok(vec!["ftp", "ftp"]));
        assert_eq!(named("", 0), Ok(vec![]));
        for (names, count) in [("", 1), ("ftp", 2), ("haul.socket", 1), ("ftp:unknown", 2)] {
            assert!(named(names, count).is_err(), "{names}");
        }
    }
}
