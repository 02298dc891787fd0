//! `haul serve` with hooks that is killed: at each step of the end of an upload, while it starts a program, and again and
//! again among many clients. What has its name is told of, and nothing else; the next server starts at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use haul_testkit::{Caller, Content, Haul, Serve, real::peer, served};

use crate::scene::{
    MIB, Seeded,
    ear::Ear,
    served::{Place, part},
    wait_until,
};

/// A haul that strace does this to, and that keeps its own process number; none where that cannot be done.
fn traced(place: &Place, name: &str, what: &str) -> Option<PathBuf> {
    let strace = peer("strace")?;
    if Haul::new(&strace).args(["-o", "/dev/null", "true"]).run().code != Some(0) {
        println!("skipped: tracing is not permitted here");
        return None;
    }
    let (script, haul) = (place.local(name), env!("CARGO_BIN_EXE_haul"));
    let shell = format!(
        "#!/bin/sh\nexec {} -D -f -qqq -o /dev/null -e signal=none {what} {haul} \"$@\"\n",
        strace.display()
    );
    fs::write(&script, shell).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Some(script)
}

/// One upload, if the server lives so long; whether it was answered as complete.
fn stores(addr: std::net::SocketAddr, name: &str, bytes: &[u8]) -> bool {
    let stored = catch_unwind(AssertUnwindSafe(|| {
        let mut caller = Caller::binary(addr, served::USER, served::PASSWORD);
        caller.stores(&format!("STOR {name}"), bytes).code == 226
    }));
    stored.unwrap_or(false)
}

/// Kills a server when it is about to make this call for the `nth` time, in the middle of an upload that replaces a file of
/// its size, and starts another; whether the new file was there without having been answered for.
fn killed_at(call: &str, only: &str, nth: usize) -> Option<bool> {
    let (place, ear) = (Place::new(), Ear::new());
    let config = ear.hook("ear", "", "retry = \"1s\"\nat_once = 1");
    fs::write(place.far("f"), "old").unwrap();
    // What a first start and a first upload create is there already.
    let first = place.serve().config(&config).start();
    assert!(stores(first.addr(), "first", b"first"));
    ear.wait_for(1);
    drop(first);
    let only = only.replace("ROOT", place.root().to_str().unwrap());
    let what = format!("-e trace={call} {only} -e inject={call}:signal=KILL:when={nth}");
    let haul = traced(&place, "haul", &what)?;
    let dies = Serve::over(haul, place.root()).config(&config).start();
    let answered = stores(dies.addr(), "f", b"new");
    let at = format!("{call} {nth}");
    // One more, where that one did not kill it.
    let serve = if answered {
        stores(dies.addr(), "g", b"more");
        dies.killed()
    } else {
        let pid = dies.process().id();
        wait_until(|| {
            !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        });
        dies.killed()
    };
    let published = fs::read(place.far("f")).unwrap() == b"new";
    assert!(published || !answered, "{at}");
    drop(serve);
    let lives = place.serve().config(&config).start();
    // Behind it whatever waits has been told: there is one delivery at a time.
    assert!(stores(lives.addr(), "last", b"last"), "{at}");
    let heard_of = |path: &str| -> Vec<BTreeMap<String, String>> {
        ear.heard().into_iter().filter(|told| told["PATH"] == path).collect()
    };
    wait_until(|| !heard_of("/last").is_empty());
    let heard = heard_of("/f");
    let ids: BTreeSet<_> = heard.iter().map(|told| told["ID"].clone()).collect();
    assert_eq!(ids.len(), usize::from(published), "{at}: {heard:?}");
    assert!(heard.len() <= 2 && heard.iter().all(|told| told["EVENT"] == "complete"), "{at}: {heard:?}");
    Some(published && !answered)
}

#[test]
fn killed_at_any_call_of_the_end_of_an_upload_a_server_tells_of_what_has_its_name_and_of_nothing_else() {
    let wal = "-P ROOT/.haul/uploads.db-wal";
    // The database's log: the pledge, the word that it is kept, that it was heard. And the name.
    let mut points: Vec<_> = [2, 3, 4, 5].map(|nth| ("pwrite64", wal, nth)).into();
    // Behind the name its folder is synced, as it was once at the start: the file is there for certain, and nobody has
    // heard of it.
    points.extend([("fsync", wal, 1), ("renameat", "", 1), ("fsync", "-P ROOT", 2)]);
    let points = Mutex::new(points);
    let unanswered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((call, only, nth)) = { points.lock().unwrap().pop() } {
                    match killed_at(call, only, nth) {
                        Some(true) => drop(unanswered.fetch_add(1, SeqCst)),
                        Some(false) => {}
                        None => {
                            unanswered.store(9, SeqCst);
                            return;
                        }
                    }
                }
            });
        }
    });
    assert!(unanswered.into_inner() > 0, "between the name and the word that it is kept");
}

#[test]
fn a_server_that_is_killed_while_it_starts_a_program_leaves_nothing_that_keeps_the_next_one_out() {
    let (place, ear) = (Place::new(), Ear::new());
    // The program still has the doors and the state of the server for as long.
    let Some(haul) = traced(&place, "haul", "-e trace=execve -e inject=execve:delay_enter=700000") else {
        return;
    };
    let config = ear.hook("ear", "", "");
    let served = Serve::over(haul, place.root()).config(&config).start();
    assert!(stores(served.addr(), "f", b"some"));
    let tasks = format!("/proc/{}/task", served.process().id());
    wait_until(|| {
        let children = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
        fs::read_dir(&tasks).unwrap().flatten().filter_map(children).any(|children| !children.is_empty())
    });
    let served = served.killed_and_started_again();
    assert!(stores(served.addr(), "g", b"some"));
    ear.wait_for(2);
}

/// Set when it is dropped, so that nobody goes on whose test has failed.
struct Over(AtomicBool);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Clients that send small files, most of them one after the other, until it is over.
struct Clients {
    addr: std::net::SocketAddr,
    http: String,
    sent: AtomicUsize,
    answered: Mutex<Vec<String>>,
}

impl Clients {
    fn send(&self, worker: u64, place: &Place, over: &Over) {
        let (mut random, mut number) = (Seeded(worker), 0);
        let curl = peer("curl").filter(|_| worker == 0);
        let mut next = || {
            number += 1;
            let most = if number % 8 == 0 { MIB / 2 } else { 2000 };
            (format!("{worker}-{number}"), part(Content::new(number, MIB), 0, 1 + random.below(most)))
        };
        let tell = |name: String| {
            self.answered.lock().unwrap().push(name);
            self.sent.fetch_add(1, SeqCst);
        };
        while !over.0.load(SeqCst) {
            if TcpStream::connect(self.addr).is_err() {
                std::thread::yield_now();
                continue;
            }
            if let Some(curl) = &curl {
                let (name, bytes) = next();
                let local = place.local(&name);
                fs::write(&local, &bytes).unwrap();
                let url = format!("{}/{name}", self.http);
                if Haul::new(curl).args(["-sS", "-f", "-T"]).arg(local).arg(url).run().code == Some(0) {
                    tell(name);
                }
                continue;
            }
            // As long as the server lives.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let mut caller = Caller::binary(self.addr, served::USER, served::PASSWORD);
                while !over.0.load(SeqCst) {
                    let (name, bytes) = next();
                    assert_eq!(caller.stores(&format!("STOR {name}"), &bytes).code, 226);
                    tell(name);
                }
            }));
        }
    }
}

#[test]
fn every_published_file_is_told_under_one_id_and_no_half_however_often_the_server_is_killed() {
    const KILLS: usize = 10;
    let (place, ear) = (Place::new(), Ear::new());
    let served = place.serve().http().config(&ear.hook("ear", "", "retry = \"1s\"\nat_once = 8")).start();
    let clients = Clients {
        addr: served.addr(),
        http: served.http_url(""),
        sent: AtomicUsize::new(0),
        answered: Mutex::default(),
    };
    let (mut served, over) = (Some(served), Over(AtomicBool::new(false)));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                scope.spawn({
                    let (clients, place, over) = (&clients, &place, &over);
                    move || clients.send(worker, place, over)
                })
            })
            .collect();
        // Whatever goes wrong here ends them.
        let killed = catch_unwind(AssertUnwindSafe(|| {
            let mut random = Seeded(77);
            for _ in 0..KILLS {
                let wanted = clients.sent.load(SeqCst) + 3 + usize::try_from(random.below(9)).unwrap();
                wait_until(|| clients.sent.load(SeqCst) >= wanted);
                served = served.take().map(served::Served::killed_and_started_again);
            }
        }));
        over.0.store(true, SeqCst);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        killed.unwrap();
    });
    let answered = clients.answered.into_inner().unwrap();
    let names =
        fs::read_dir(place.root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let published: Vec<_> = names.filter(|name| name != ".haul").collect();
    assert!(answered.iter().all(|name| published.contains(name)), "what was answered is there");
    let told_of = || {
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for told in ear.heard() {
            ids.entry(told["PATH"].clone()).or_default().insert(told["ID"].clone());
        }
        ids
    };
    wait_until(|| {
        std::thread::sleep(Duration::from_millis(20));
        let told = told_of();
        published.iter().all(|name| told.contains_key(&format!("/{name}")))
    });
    for (path, ids) in told_of() {
        assert_eq!(ids.len(), 1, "{path} has one id, however often it is told");
    }
    for told in ear.heard() {
        let size = fs::metadata(&told["FILE"]).map(|seen| seen.len().to_string()).ok();
        assert_eq!(size.as_ref(), Some(&told["SIZE"]), "told of a half: {told:?}");
    }
}
