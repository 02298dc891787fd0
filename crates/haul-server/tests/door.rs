//! The FTP door in this process, spoken to word by word: what is heard while a transfer runs, and how long things may
//! take.

// A test that cannot go on may say so loudly.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use haul_core::TreePath;
use haul_server::{
    account::{Completion, Permissions},
    accounts::{Accounts, Anonymous, Password, User, throttle::Patience},
    depot::{Depot, Rules},
    ftp::{Door, House, Kind, Limits, Settings, Times},
    log::{Format, Log},
};
use haul_store::{Durability, FsStore, Job, MemoryLedger};
use haul_testkit::{Caller, caller::Data};
use tokio::{runtime::Runtime, task::spawn_blocking};

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

/// ABOR as clients say it: as a line, behind Telnet's IP and Synch, and with the Synch marked as urgent, which is what
/// RFC 959 asks for and what moves a byte to where nobody looks unless it is asked to stay.
fn aborts(caller: &mut Caller, how: usize) {
    match how {
        0 => caller.sends("ABOR"),
        1 => caller.sends_bytes(b"\xff\xf4\xff\xf2ABOR\r\n"),
        2 => {
            caller.sends_urgently(b"\xff\xf4\xff");
            caller.sends_bytes(b"\xf2ABOR\r\n");
        }
        _ => {
            caller.sends_urgently(b"\xff\xf4\xff\xf2");
            caller.sends_bytes(b"ABOR\r\n");
        }
    }
}

#[test]
fn abor_ends_a_download_at_once_however_it_is_said() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for how in 0..4 {
        let _data = served.leaving(&mut caller);
        let began = Instant::now();
        aborts(&mut caller, how);
        caller.hears(426);
        caller.hears(226);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        caller.says("NOOP", 200);
    }
}

#[test]
fn abor_ends_an_upload_at_once_and_it_is_kept() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for how in 0..4 {
        let _data = served.arriving(&mut caller);
        while !caller.asks("STAT").text.contains("1000 bytes") {}
        aborts(&mut caller, how);
        caller.hears(426);
        caller.hears(226);
        assert!(!served.root.path().join("new").exists());
        assert_eq!(caller.size("new"), Some(999), "what had come is kept, but for the byte that is held");
        caller.says("DELE new", 250);
    }
}

#[test]
fn abor_ends_a_transfer_whose_data_connection_never_came() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for command in ["RETR f", "STOR new", "LIST"] {
        caller.passive();
        caller.says(command, 150);
        caller.sends("ABOR");
        caller.hears(426);
        caller.hears(226);
    }
}

#[test]
fn commands_that_come_during_a_transfer_are_answered_behind_it_and_in_order() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    let mut data = served.arriving(&mut caller);
    caller.sends("NOOP\r\nSIZE f\r\nPWD");
    data.sends(&[1; 1000]);
    data.finish();
    let codes: Vec<u16> = std::iter::repeat_with(|| caller.reply().code).take(4).collect();
    assert_eq!(codes, [226, 200, 213, 257]);
}

#[test]
fn stat_tells_how_far_a_transfer_is_without_waiting_for_its_end() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    let data = served.leaving(&mut caller);
    let told = caller.asks("STAT");
    assert!((211..=213).contains(&told.code) && told.text.contains(" bytes in "), "{told:?}");
    drop(data);
    caller.hears(426);
}

#[test]
fn a_client_that_dies_with_data_before_control_leaves_no_file() {
    let served = serve(Settings::default());
    for _ in 0..20 {
        let mut caller = served.caller();
        let data = served.arriving(&mut caller);
        // What a kernel does for a process that is killed.
        let began = Instant::now();
        data.fin();
        drop(caller);
        // On a machine that is busy the test itself may be late.
        let late = began.elapsed() > Duration::from_micros(100);
        let mut next = served.caller();
        let deadline = Instant::now() + Duration::from_secs(10);
        while next.asks("SITE WHO").text.contains("STOR") && Instant::now() < deadline {}
        let whole = served.root.path().join("new").exists();
        assert!(late || !whole, "a half file was published");
        next.asks("DELE new");
    }
}

#[test]
fn a_download_that_nobody_reads_is_given_up() {
    let served = serve(times(|times| times.stall = Duration::from_millis(300)));
    let mut caller = served.caller();
    let mut data = served.leaving(&mut caller);
    let began = Instant::now();
    caller.hears(426);
    assert!(began.elapsed() < Duration::from_secs(10));
    // What lies in sockets may still come; a clean end must not.
    let mut end = Ok(());
    while end.is_ok() {
        end = data.tries(b"x");
    }
}

#[test]
fn silence_ends_a_session_and_says_why() {
    let served = serve(times(|times| times.idle = Duration::from_millis(200)));
    let mut caller = served.caller();
    caller.hears(421);
    assert!(caller.is_ended());
}

#[test]
fn whoever_does_not_log_in_is_sent_away() {
    let served = serve(times(|times| times.login = Duration::from_millis(200)));
    let mut caller = Caller::to(served.addr);
    caller.hears(220);
    caller.hears(421);
    assert!(caller.is_ended());
}

#[test]
fn talking_is_no_transfer() {
    let served = serve(times(|times| times.no_transfer = Duration::from_millis(300)));
    let mut caller = served.caller();
    let began = Instant::now();
    while caller.asks("NOOP").code == 200 {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn nobody_is_idle_while_bytes_come() {
    let served = serve(times(|times| times.idle = Duration::from_millis(200)));
    let mut caller = served.caller();
    let mut data = served.arriving(&mut caller);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(700) {
        data.sends(&[1; 100]);
        std::thread::sleep(Duration::from_millis(20));
    }
    data.finish();
    caller.hears(226);
}

#[test]
fn too_many_sessions_are_told_so() {
    let limits = Limits { sessions: 2, per_address: 2, ..Limits::default() };
    let served = serve(Settings { limits, ..Settings::default() });
    let (_one, two) = (served.caller(), served.caller());
    let mut three = Caller::to(served.addr);
    three.hears(421);
    assert!(three.is_ended());
    drop(two);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Caller::to(served.addr).reply().code != 220 {
        assert!(Instant::now() < deadline, "a place that was left is free again");
    }
}

#[test]
fn a_client_that_shuts_its_side_still_hears_the_answers_to_what_it_said() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    caller.sends("PWD\r\nSIZE f\r\nNOOP");
    caller.shuts();
    let codes: Vec<u16> = std::iter::repeat_with(|| caller.reply().code).take(4).collect();
    assert_eq!(codes, [257, 213, 200, 0]);
}
