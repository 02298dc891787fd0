//! A server that is killed at every step between the last byte of an upload and the word that hooks are to hear: what the
//! next one finds posted, and what it tells of the upload. Nobody hears in here, so whatever is to be told stays in the
//! ledger.

use haul_core::ByteRange;

use super::*;
use crate::{
    hooks::{Hook, Hooks, Outcome, To, Whereabouts},
    log::{Direction, Format, Log},
};

const SIZE: u64 = 3000;

/// How a file comes to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In one piece, and small.
    New,
    /// The same where there is a file of that size.
    Replacing,
    /// After a break.
    GoneOnWith,
    /// The first try finds no room.
    AtTheSecondTry,
    /// At once, at the last moment.
    Now,
    /// In ranges.
    Lanes,
}

/// A machine on which servers live and die: its disk, and the memory of its ledger.
struct Machine {
    bench: Bench,
    faults: Arc<Faults>,
    /// The same for all: who is killed in here leaves its own behind, and the lock with it.
    store: Arc<FsStore>,
    ledger: Arc<dyn Ledger>,
    rules: Rules,
}

/// Nobody listens there.
fn deaf() -> Hook {
    Hook {
        name: "deaf".to_owned(),
        on: vec![Outcome::Complete],
        direction: Direction::Received,
        path: TreePath::ROOT,
        to: To::Post { url: "http://127.0.0.1:1/".parse().unwrap(), secret: None },
        deadline: Duration::from_secs(60),
        retry: Duration::from_secs(3600),
        retries: 9,
        at_once: 1,
    }
}

impl Machine {
    fn new(durability: Durability) -> Self {
        let faults = Arc::new(Faults::default());
        let ledger = Arc::new(FullLedger(MemoryLedger::default(), Arc::clone(&faults)));
        // In memory where there is such a folder: nobody takes the power away here.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::create_dir(folder.path().join("tree")).unwrap();
        let bench = Bench { folder };
        let store = Arc::new(FsStore::open(&bench.root(), pool()).unwrap());
        Self { bench, faults, store, ledger, rules: Rules { durability, ..RULES } }
    }

    async fn server(&self) -> (Server, Arc<Hooks>) {
        let store = Flaky(Arc::clone(&self.store), Arc::clone(&self.faults));
        let ledger = Arc::clone(&self.ledger);
        let depot = Depot::open(Arc::new(store), Arc::clone(&ledger), self.rules).await.unwrap();
        let log = Log::start(Format::Text, None).unwrap();
        let tree = Whereabouts::new(&self.bench.root(), []);
        let hooks = Hooks::open(Arc::clone(&ledger), &[deaf()], tree, log).await.unwrap();
        depot.report_to(Arc::clone(&hooks));
        (Server { depot, ledger }, hooks)
    }

    /// A server that lives until it has done this, or is killed; whether it lived.
    fn live<F: Future<Output = ()>>(&self, what: impl FnOnce(Server) -> F) -> bool {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let lived = runtime.block_on(async {
            let done = async {
                let (server, hooks) = self.server().await;
                what(server).await;
                hooks.rest(Duration::from_secs(60)).await;
            };
            tokio::select! {
                () = done => true,
                () = self.faults.death() => false,
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(60));
        self.faults.dies_at.store(0, SeqCst);
        lived
    }

    fn published(&self) -> bool {
        self.bench.published("a").is_some_and(|there| there == content(0, SIZE))
    }

    /// What is to be told, once a server has looked at what is there.
    fn told(&self) -> Vec<Letter> {
        let told = Mutex::new(Vec::new());
        assert!(self.live(|server| async {
            let ledger = Arc::clone(&server.ledger);
            drop(server);
            *told.lock().unwrap() = ledger.letters().await.unwrap();
        }));
        let told = told.into_inner().unwrap();
        assert!(
            told.iter().all(|letter| letter.pledge.is_none()),
            "each is known to be true or not: {told:?}"
        );
        told
    }
}

/// Sends what is missing.
async fn upload(way: Way, server: Server, faults: &Faults) {
    let ann = server.ann();
    match way {
        Way::New | Way::Replacing => drop(complete(&ann, "a", Wish::Anew, SIZE).await),
        Way::GoneOnWith => {
            let _ = break_off(&ann, "a", Wish::Anew, 1000).await;
            let _ = complete(&ann, "a", Wish::Append, SIZE).await;
        }
        Way::AtTheSecondTry => {
            faults.publish.store(true, SeqCst);
            assert!(is_full(&complete(&ann, "a", Wish::Anew, SIZE).await));
            faults.publish.store(false, SeqCst);
            let _ = complete(&ann, "a", Wish::From(SIZE - 1), SIZE).await;
        }
        Way::Now => {
            let receiving = send(&ann, "a", Wish::Anew, SIZE).await;
            assert!(receiving.publish_now(Box::new(|| true)).await.unwrap().is_ok());
        }
        Way::Lanes => {
            let piece =
                |from, to, of| Piece { range: ByteRange::new(from, to).unwrap(), total: Some(SIZE), of };
            let mut back = ann.lane(&path("a"), piece(1000, SIZE, None)).await.unwrap();
            back.append(content(1000, SIZE).into()).await.unwrap();
            let id = back.id();
            back.end().await.unwrap();
            let mut front = ann.lane(&path("a"), piece(0, 1000, Some(id))).await.unwrap();
            front.append(content(0, 1000).into()).await.unwrap();
            front.end().await.unwrap();
        }
    }
}

/// Kills a server at each step of it in turn. `power`: with it goes what was staged and has no name.
fn killed_at_each_step(way: Way, durability: Durability, power: bool) {
    let mut published_and_killed = 0;
    for step in 1.. {
        let machine = Machine::new(durability);
        if way == Way::Replacing {
            machine.bench.put("a", &content(1, SIZE + 1));
        }
        machine.faults.dies_at.store(step, SeqCst);
        let lived = machine.live(|server| upload(way, server, &machine.faults));
        machine.faults.publish.store(false, SeqCst);
        let published = machine.published();
        if power && !published {
            let _ = std::fs::remove_dir_all(machine.bench.root().join(".haul/staging"));
        }
        let told = machine.told();
        let at = format!("{way:?}, {durability:?}, killed at step {step}: {told:?}");
        assert_eq!(told.len(), usize::from(published), "{at}");
        published_and_killed += usize::from(published && !lived);
        // Nor is it told by the one after, under another name.
        assert!(
            machine.told().iter().map(|letter| &letter.id).eq(told.iter().map(|letter| &letter.id)),
            "{at}"
        );
        if !published {
            assert!(machine.live(|server| async move {
                published_again(&server.ann()).await;
            }));
            assert_eq!((machine.told().len(), machine.published()), (1, true), "{at}");
        }
        if lived {
            assert!(published && step > 3, "{at}");
            break;
        }
    }
    assert!(published_and_killed > 0, "{way:?}: between its name and the word that it has it");
}

async fn published_again(ann: &Visitor) {
    published(complete(ann, "a", Wish::Anew, SIZE).await);
}

#[test]
fn killed_at_any_step_what_is_published_is_told_and_nothing_else() {
    for way in [Way::New, Way::Replacing, Way::GoneOnWith, Way::AtTheSecondTry, Way::Lanes] {
        killed_at_each_step(way, Durability::Full, false);
    }
    for way in [Way::New, Way::Replacing, Way::Now, Way::Lanes] {
        killed_at_each_step(way, Durability::Relaxed, false);
    }
}

#[test]
fn what_another_program_took_away_before_it_had_its_name_is_not_told_of() {
    for there in [None, Some(content(1, SIZE + 1))] {
        let machine = Machine::new(Durability::Full);
        there.iter().for_each(|there| machine.bench.put("a", there));
        let staging = machine.bench.root().join(".haul/staging");
        assert!(machine.live(|server| async move {
            let receiving = send(&server.ann(), "a", Wish::Anew, SIZE).await;
            for staged in std::fs::read_dir(staging).unwrap() {
                std::fs::remove_file(staged.unwrap().path()).unwrap();
            }
            assert!(receiving.settle(DataEnd::Clean, Control::Alive).await.is_err());
            assert_eq!(server.ledger.letters().await.unwrap(), []);
        }));
    }
}

#[test]
fn where_the_power_took_what_was_staged_the_file_that_was_there_is_not_told_of() {
    killed_at_each_step(Way::Replacing, Durability::Full, true);
    killed_at_each_step(Way::Now, Durability::Relaxed, true);
}

/// Begins an upload that has a name, notes it, and sends all of it.
async fn named(way: Way, server: Server, noted: &Mutex<Option<String>>) {
    let ann = server.ann();
    let note = |id: &str| *noted.lock().unwrap() = Some(id.to_owned());
    if way == Way::Lanes {
        let piece = |from, to, of| Piece { range: ByteRange::new(from, to).unwrap(), total: Some(SIZE), of };
        let mut back = ann.lane(&path("a"), piece(1000, SIZE, None)).await.unwrap();
        note(&back.id());
        back.append(content(1000, SIZE).into()).await.unwrap();
        let mut front = ann.lane(&path("a"), piece(0, 1000, Some(back.id()))).await.unwrap();
        back.end().await.unwrap();
        front.append(content(0, 1000).into()).await.unwrap();
        front.end().await.unwrap();
        return;
    }
    let order =
        Order { announced: Announced::Whole(SIZE), note: Some(b"noted".to_vec()), ..Order::new(Wish::Anew) };
    let mut receiving = ann.begin(&path("a"), order).await.unwrap();
    note(&receiving.name().await.unwrap().unwrap());
    receiving.append(content(0, SIZE).into()).await.unwrap();
    if way == Way::Now {
        assert!(receiving.publish_now(Box::new(|| true)).await.unwrap().is_ok());
        return;
    }
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
}

/// What a server tells of the upload of this name: to its owner, and to whoever else asks.
fn told_of(machine: &Machine, id: &str) -> Named {
    let told = Mutex::new(None);
    assert!(machine.live(|server| async {
        let (ann, bob) = (server.ann(), server.bob());
        drop(server);
        assert_eq!(bob.named(&path("a"), id).await.unwrap(), Named::Unknown);
        assert!(!bob.has_just_published(&path("a"), SIZE).await.unwrap());
        let named = ann.named(&path("a"), id).await.unwrap();
        let whole = matches!(named, Named::Published(SIZE));
        assert_eq!(ann.has_just_published(&path("a"), SIZE).await.unwrap(), whole);
        *told.lock().unwrap() = Some(named);
    }));
    told.into_inner().unwrap().unwrap()
}

/// Kills a server at each step of it in turn, and asks the next two what became of it. `power`: with it goes what was
/// staged and has no name.
fn asked_after_each_step(way: Way, durability: Durability, power: bool) {
    let mut published_and_killed = 0;
    for step in 1.. {
        let machine = Machine::new(durability);
        // Of its size: only its name tells them apart.
        machine.bench.put("a", &content(1, SIZE + 1));
        machine.faults.dies_at.store(step, SeqCst);
        let noted = Mutex::new(None);
        let lived = machine.live(|server| named(way, server, &noted));
        let published = machine.published();
        published_and_killed += usize::from(published && !lived);
        if power && !published {
            let _ = std::fs::remove_dir_all(machine.bench.root().join(".haul/staging"));
        }
        let Some(id) = noted.into_inner().unwrap() else { continue };
        for _ in 0..2 {
            let told = told_of(&machine, &id);
            let at = format!("{way:?}, {durability:?}, killed at step {step}: {told:?}");
            match told {
                Named::Published(SIZE) => assert!(published, "{at}"),
                Named::Unfinished(Pending { offset, .. }) => assert!(!published && offset < SIZE, "{at}"),
                Named::Unknown => assert!(!published && power, "{at}"),
                Named::Published(_) | Named::Gone => panic!("{at}"),
            }
        }
        if lived {
            assert!(published && step > 3, "{way:?}: {step}");
            break;
        }
    }
    assert!(published_and_killed > 0, "{way:?}: between its name and the word that it has it");
}

#[test]
fn killed_at_any_step_who_asks_hears_that_what_has_its_name_is_complete_and_nothing_else_is() {
    for power in [false, true] {
        for durability in [Durability::Full, Durability::Relaxed] {
            for way in [Way::New, Way::Lanes] {
                asked_after_each_step(way, durability, power);
            }
        }
        asked_after_each_step(Way::Now, Durability::Relaxed, power);
    }
}
