//! What the tests of `haul get ftp://` stand on: a file at a server, fetched, killed at half and fetched on.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use haul_testkit::{
    Content, FtpPeer,
    real::{Inetutils, ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
};
use serde_json::Value;

use super::{MIB, SOON, Scene, Told, wait_until};

/// A server, by its name.
pub(crate) type Start = fn(&Path) -> Option<Running>;

/// Every real server, as it comes.
pub(crate) const SERVERS: [(&str, Start); 5] = [
    ("vsftpd", |root| Vsftpd::serve(root)),
    ("proftpd", |root| ProFtpd::serve(root)),
    ("pure-ftpd", |root| PureFtpd::serve(root)),
    ("pyftpdlib", |root| Pyftpdlib::serve(root)),
    ("inetutils-ftpd", |root| Inetutils::serve(root)),
];

/// The size of files that are caught in the middle.
pub(crate) const SIZE: u64 = 24 * MIB + 12_345;

/// A folder that a server serves; its files are old enough for their dates to prove something.
pub(crate) struct Served {
    dir: tempfile::TempDir,
}

impl Served {
    /// With `f.bin` in it.
    pub(crate) fn of(content: Content) -> Self {
        let served = Self { dir: tempfile::tempdir().unwrap() };
        served.put("f.bin", content, 86_400);
        served
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a file that was written so many seconds ago in the place of what is there, as another file.
    pub(crate) fn put(&self, name: &str, content: Content, seconds_ago: u64) {
        let new = self.path("new");
        content.write_to(&new);
        self.date("new", SystemTime::now() - Duration::from_secs(seconds_ago));
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// Lets a file be a day old.
    pub(crate) fn age(&self, name: &str) {
        self.date(name, SystemTime::now() - Duration::from_secs(86_400));
    }

    fn date(&self, name: &str, then: SystemTime) {
        std::fs::File::options().write(true).open(self.path(name)).unwrap().set_modified(then).unwrap();
    }

    /// The same with the date of the file that is there.
    pub(crate) fn replace_unseen(&self, name: &str, content: Content) {
        let then = self.path(name).metadata().unwrap().modified().unwrap();
        self.put(name, content, 0);
        self.date(name, then);
    }
}

impl Scene {
    /// Runs `haul get ARGS` until it has so many bytes, and kills it. Returns how many it had at the least.
    #[track_caller]
    pub(crate) fn killed_with(&self, bytes: u64, args: &[&str]) -> u64 {
        let haul = self.get(args).spawn();
        let line = haul.wait_for_line(|line| done_in(line).is_some_and(|done| done >= bytes), SOON);
        let end = haul.kill_9();
        assert_eq!(end.signal, Some(9), "it was still at work\n{}", end.stderr);
        done_in(&line).unwrap()
    }

    /// Kills a run of `haul get --limit-rate … ARGS` at half of [`SIZE`], and lets the same command go on. What it
    /// keeps, and that it fetches nothing twice.
    #[track_caller]
    pub(crate) fn killed_at_half_and_resumed(&self, lanes: u64, content: Content, args: &[&str]) -> Told {
        let n = lanes.to_string();
        let args = [&["-n", &n], args].concat();
        let had = self.killed_with(content.size() / 2, &[&["--limit-rate", "12M"], &args[..]].concat());
        let told = self.run(&args, 0);
        content.assert_file_is(self.path("f.bin"));
        self.assert_only("f.bin");
        assert!(told.kept() >= had, "{had} bytes were there\n{told}");
        assert!(!told.says_begun_anew(), "{told}");
        let again = (told.kept() + told.fetched()).saturating_sub(content.size());
        assert!(again < lanes * MIB, "{again} bytes were fetched twice\n{told}");
        told
    }
}

/// The bytes that are there, where the line is a progress event.
fn done_in(line: &str) -> Option<u64> {
    let event: Value = serde_json::from_str(line).ok()?;
    (event["event"] == "progress").then(|| event["done"].as_u64())?
}

/// Waits until nobody is connected to the peer any more.
#[track_caller]
pub(crate) fn wait_until_left(peer: &FtpPeer) {
    wait_until(|| peer.open() == 0);
}

/// Something that speaks as no peer does: each connection is a thread of its own with this dialogue. The address.
pub(crate) fn speaks(dialogue: impl Fn(BufReader<TcpStream>) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let dialogue = dialogue.clone();
            std::thread::spawn(move || dialogue(BufReader::new(stream)));
        }
    });
    addr
}

/// The client's next line; empty when it has gone.
pub(crate) fn heard(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    let _ = stream.read_line(&mut line);
    line.trim_end().to_owned()
}

/// Sends this again and again until the client has gone.
pub(crate) fn says_for_ever(stream: &mut BufReader<TcpStream>, text: &str, pause: Duration) {
    while stream.get_mut().write_all(text.as_bytes()).is_ok() {
        std::thread::sleep(pause);
    }
}
