//! The FTP door in this process, spoken to word by word: what is heard while a transfer runs, and how long things may
//! take.

// A test that cannot go on may say so loudly.
#![allow(clippy::unwrap_used)]

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

mod during;
mod lists;
mod time;

use haul_core::TreePath;
use haul_server::{
    account::{Completion, Permissions},
    accounts::{Accounts, Anonymous, Password, User, throttle::Patience},
    depot::{Depot, Rules},
    ftp::{Door, House, Kind, Settings, Times},
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
    _runtime: Runtime,
}

fn serve(settings: Settings) -> Served {
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
    };
    let rules = Rules {
        in_place: false,
        durability: Durability::Relaxed,
        expire: Duration::from_secs(3600),
        takeover: Duration::from_secs(2),
    };
    let path = root.path().to_owned();
    let addr = runtime.block_on(async move {
        let store = FsStore::open(&path, Arc::new(|job: Job| drop(spawn_blocking(job)))).unwrap();
        let depot = Depot::open(Arc::new(store), Arc::new(MemoryLedger::default()), rules).await.unwrap();
        let accounts = Accounts::new(vec![user], Anonymous::Off, Patience::default()).unwrap();
        let log = Log::write_to(Box::new(std::io::sink()), Format::Text, None).unwrap();
        let house = House::new(depot, Arc::new(accounts), settings, log);
        let door = Door::bind(house, ([127, 0, 0, 1], 0).into(), Kind::Explicit).unwrap();
        let addr = door.address().unwrap();
        tokio::spawn(door.serve());
        addr
    });
    Served { addr, root, _runtime: runtime }
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
