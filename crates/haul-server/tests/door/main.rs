//! The FTP door in this process, spoken to word by word: what is heard while a transfer runs, and how long things may
//! take.

// A test that cannot go on may say so loudly.
#![allow(clippy::unwrap_used)]

use std::{
    fs, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

mod during;
mod guesses;
mod lists;
mod time;

use haul_core::TreePath;
use haul_server::{
    House, Stop,
    account::{Completion, Permissions},
    accounts::{Accounts, Anonymous, Password, User, throttle::Patience},
    depot::{Depot, Rules},
    ftp::{Door, Kind, Settings, Times},
    log::{Format, Log},
};
use haul_store::{Durability, FsStore, Job, MemoryLedger};
use haul_testkit::{Caller, caller::Data};
use tokio::{runtime::Runtime, task::spawn_blocking};

/// The size of the one file.
const LEN: usize = 16 << 20;

/// A door that is open as long as this lives.
struct Served {
    addr: SocketAddr,
    root: tempfile::TempDir,
    log: Told,
    stop: Stop,
    _runtime: Runtime,
}

/// What was written down.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Told {
    /// Waits for a line with these words.
    fn waits_for(&self, words: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let told = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if let Some(line) = told.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "{words:?} is not in {told}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn serve(settings: Settings) -> Served {
    serve_at(Kind::Explicit, settings)
}

fn serve_at(kind: Kind, settings: Settings) -> Served {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("f"), vec![7; LEN]).unwrap();
    let runtime = Runtime::new().unwrap();
    let may = Permissions { read: true, write: true, delete: true, list: true };
    let user = User {
        name: "a".to_owned(),
        password: Password::plain("a"),
        home: TreePath::ROOT,
        may,
        completion: Completion::Strict,
        bounds: Arc::default(),
    };
    let rules = Rules {
        in_place: false,
        durability: Durability::Relaxed,
        expire: Duration::from_secs(3600),
        max_unfinished: 1000,
        takeover: Duration::from_secs(2),
    };
    let path = root.path().to_owned();
    let log = Told::default();
    let to = Box::new(log.clone());
    let (addr, stop) = runtime.block_on(async move {
        let store = FsStore::open(&path, Arc::new(|job: Job| drop(spawn_blocking(job)))).unwrap();
        let depot = Depot::open(Arc::new(store), Arc::new(MemoryLedger::default()), rules).await.unwrap();
        let accounts = Accounts::new(vec![user], Anonymous::Off, Patience::default()).unwrap();
        let log = Log::write_to(to, Format::Text, None).unwrap();
        let house = House::new(depot, Arc::new(accounts), settings, log);
        let stop = house.stop.clone();
        let door = Door::bind(house, ([127, 0, 0, 1], 0).into(), kind).unwrap();
        let addr = door.address().unwrap();
        tokio::spawn(door.serve());
        (addr, stop)
    });
    Served { addr, root, log, stop, _runtime: runtime }
}

fn times(change: impl FnOnce(&mut Times)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.times);
    settings
}

impl Served {
    fn caller(&self) -> Caller {
        Caller::binary(self.addr, "a", "a")
    }

    /// A download that its client does not read.
    fn leaving(&self, caller: &mut Caller) -> Data {
        let mut data = caller.data();
        caller.says("RETR f", 150);
        data.takes(1000);
        data
    }

    /// An upload that is under way.
    fn arriving(&self, caller: &mut Caller) -> Data {
        let mut data = caller.data();
        caller.says("STOR new", 150);
        data.sends(&[1; 1000]);
        data
    }
}
