//! What became of an upload, asked of the next server: a client that did not hear the last answer is told that it is
//! complete where the file has its name, and how far it is where it has not, whenever the server was killed.

use crate::scene;
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering::SeqCst},
};

use haul_testkit::{Content, Haul, Serve, Served, http_caller::Answer, real::peer};

use serde_json::json;

use crate::scene::{
    MIB,
    browser::Events,
    haul,
    served::{Place, hash_of, part},
    uploaders::Uploader,
    uploading::{Ask, Draft, Known, Sending, filename, listed, location, safe, tus, tus_appends},
    wait_until,
};

const LEN: u64 = 300_000;
const HALF: u64 = LEN / 2;
const CONTENT: Content = Content::new(1, LEN);
/// Where the file is to be: in a folder that nothing else is done to.
const PATH: &str = "/sub/f.bin";

/// How an upload is begun, gone on with and asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Tus,
    Draft(u8),
    Pieces,
}

/// What is told of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Complete,
    At(u64),
    Nothing,
}

impl Dialect {
    /// Begins it, and brings the first half; its URL, where it has one.
    #[track_caller]
    fn begins(self, addr: SocketAddr) -> String {
        let first = part(CONTENT, 0, HALF);
        match self {
            Self::Tus => {
                let name = filename(PATH.trim_start_matches('/'));
                let ask = tus("POST", "/-/tus").with("Upload-Length", LEN).with("Upload-Metadata", name);
                let url = location(&ask.brings(addr, b"").expect(201).head);
                tus_appends(&url, 0).brings(addr, &first).expect(204);
                url
            }
            Self::Draft(version) => {
                let ask = Draft(version).creates(Ask::new("POST", PATH), false);
                location(&ask.brings(addr, &first).expect(201).head)
            }
            Self::Pieces => {
                let range = format!("0-{}/{LEN}", HALF - 1);
                Ask::new("PUT", PATH).range(range).brings(addr, &first).expect(308);
                PATH.to_owned()
            }
        }
    }

    /// Brings the rest from there on, to somebody who may be gone before that.
    #[track_caller]
    fn ends(self, addr: SocketAddr, url: &str, from: u64) -> Sending {
        let ask = match self {
            Self::Tus => tus_appends(url, from),
            Self::Draft(version) => Draft(version).appends(url, from, true),
            Self::Pieces => Ask::new("PUT", url).range(format!("{from}-{}/{LEN}", LEN - 1)),
        };
        let mut sending = ask.begins(addr, Some(LEN - from));
        let _ = sending.tries(&part(CONTENT, from, LEN));
        sending
    }

    /// How it asks what became of it.
    fn question(self, who: impl Fn(&str, &str) -> Ask, url: &str) -> Ask {
        match self {
            Self::Tus => who("HEAD", url).with("Tus-Resumable", "1.0.0"),
            Self::Draft(version) => Draft(version).says(who("HEAD", url)),
            Self::Pieces => who("PUT", url).range(format!("*/{LEN}")).with("Content-Length", 0),
        }
    }

    /// What is told of it.
    #[track_caller]
    fn asks(self, addr: SocketAddr, url: &str) -> Told {
        let answer = self.question(Ask::new, url).to(addr);
        let offset = |answer: &Answer| answer.head.number("Upload-Offset").expect("an offset");
        match (self, answer.status()) {
            (Self::Pieces, 200) => {
                assert_eq!(offset(&answer), LEN);
                Told::Complete
            }
            (Self::Pieces, 308) => match safe(&answer) {
                0 => Told::Nothing,
                at => Told::At(at),
            },
            (Self::Tus | Self::Draft(_), 404 | 410) => Told::Nothing,
            (Self::Tus, 200) => {
                assert_eq!(answer.head.number("Upload-Length"), Some(LEN));
                // In this dialect there is no other sign.
                if offset(&answer) == LEN { Told::Complete } else { Told::At(offset(&answer)) }
            }
            (Self::Draft(version), 204) => {
                let known = Known::of(&answer, Draft(version));
                assert!(!known.complete || known.offset == LEN, "{answer:?}");
                if known.complete { Told::Complete } else { Told::At(known.offset) }
            }
            (_, status) => panic!("{self:?}: {status} {}", answer.text()),
        }
    }
}

const DIALECTS: [Dialect; 4] = [Dialect::Tus, Dialect::Draft(4), Dialect::Draft(8), Dialect::Pieces];

/// A place with a second user and a folder to upload into, which has another file of that name and size where `old`.
fn place(old: bool) -> Place {
    let place = Place::new();
    fs::create_dir(place.far("sub")).unwrap();
    if old {
        fs::write(place.far(&PATH[1..]), part(Content::new(2, LEN), 0, LEN)).unwrap();
    }
    place
}

fn is_there(place: &Place) -> bool {
    fs::read(place.far(&PATH[1..])).is_ok_and(|there| there == part(CONTENT, 0, LEN))
}

/// Nobody but its owner is told of it.
#[track_caller]
fn assert_nobodys(addr: SocketAddr, dialect: Dialect, url: &str) {
    let told = dialect.question(Ask::stranger, url).to(addr);
    let nothing = match dialect {
        Dialect::Pieces => told.status() == 308 && safe(&told) == 0,
        Dialect::Tus | Dialect::Draft(_) => told.status() == 404,
    };
    assert!(nothing, "{dialect:?}: {told:?}");
}

#[test]
fn the_next_server_says_of_a_complete_upload_what_the_last_one_did() {
    for dialect in DIALECTS {
        let place = place(dialect == Dialect::Tus);
        let mut served = place.serve().http().start();
        let url = dialect.begins(served.http_addr());
        let ended = dialect.ends(served.http_addr(), &url, HALF).ends();
        assert_eq!(ended.status() / 100, 2, "{dialect:?}: {ended:?}");
        let answers = |addr| {
            let answer = dialect.question(Ask::new, &url).to(addr);
            let but_the_date = |(name, value): &(String, String)| {
                (!name.eq_ignore_ascii_case("date")).then(|| (name.clone(), value.clone()))
            };
            (answer.status(), answer.head.fields.iter().filter_map(but_the_date).collect::<Vec<_>>())
        };
        let before = answers(served.http_addr());
        assert_eq!(dialect.asks(served.http_addr(), &url), Told::Complete, "{dialect:?}");
        // Killed, and ended as it should.
        for killed in [true, false] {
            served = if killed {
                served.killed_and_started_again()
            } else {
                served.process().terminate();
                dies(&served);
                served.killed().start()
            };
            assert_eq!(dialect.asks(served.http_addr(), &url), Told::Complete, "{dialect:?}");
            assert_eq!(answers(served.http_addr()), before, "{dialect:?}: field by field");
            assert_nobodys(served.http_addr(), dialect, &url);
            assert_eq!(listed(served.http_addr(), PATH), Vec::<serde_json::Value>::new());
        }
        // What has gone since is not told of, and what is there is another one.
        fs::write(place.far(&PATH[1..]), "shorter").unwrap();
        if dialect == Dialect::Pieces {
            assert_eq!(dialect.asks(served.http_addr(), &url), Told::Nothing);
        }
        fs::remove_file(place.far(&PATH[1..])).unwrap();
        assert_eq!(dialect.asks(served.http_addr(), &url), Told::Nothing, "{dialect:?}");
    }
}

#[test]
fn killed_as_soon_as_the_file_is_seen_a_server_tells_that_it_is_complete() {
    for round in 0..3 {
        for dialect in DIALECTS {
            let place = place(round == 1);
            let served = place.serve().http().start();
            let url = dialect.begins(served.http_addr());
            let unheard = dialect.ends(served.http_addr(), &url, HALF);
            wait_until(|| is_there(&place));
            let served = served.killed_and_started_again();
            drop(unheard);
            assert_eq!(dialect.asks(served.http_addr(), &url), Told::Complete, "{dialect:?}");
            assert_eq!(place.staged(), 0);
        }
    }
}

/// A haul that strace does this to until the file `calm` is there, and that keeps its own process number; none where that
/// cannot be done.
fn traced(place: &Place, what: &str) -> Option<PathBuf> {
    let strace = peer("strace")?;
    if Haul::new(&strace).args(["-o", "/dev/null", "true"]).run().code != Some(0) {
        println!("skipped: tracing is not permitted here");
        return None;
    }
    let (script, haul) = (place.local("haul"), env!("CARGO_BIN_EXE_haul"));
    let what = what.replace("ROOT", place.root().to_str().unwrap());
    let (calm, strace) = (place.local("calm"), strace.display());
    let shell = format!(
        "#!/bin/sh\n[ -e {} ] && exec {haul} \"$@\"\n\
         exec {strace} -D -f -qqq -o /dev/null -e signal=none {what} {haul} \"$@\"\n",
        calm.display()
    );
    fs::write(&script, shell).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Some(script)
}

/// A moment: the `nth` of such calls, when it is about to be made.
#[derive(Clone, Copy, Debug)]
struct Moment {
    calls: &'static str,
    only: &'static str,
    nth: usize,
}

impl Moment {
    fn to_strace(self) -> String {
        let Self { calls, only, nth } = self;
        format!("-e trace={calls} {only} -e inject={calls}:signal=KILL:when={nth}")
    }
}

/// The file is about to get its name.
const NAME: Moment = Moment { calls: "renameat", only: "", nth: 1 };
/// It has its name, and its folder is about to be synced.
const NAMED: Moment = Moment { calls: "fsync", only: "-P ROOT/sub", nth: 1 };
/// Something is about to be said.
const ANSWER: Moment = Moment { calls: "sendto,sendmsg,writev", only: "", nth: 1 };
/// Something of the ledger is about to be written.
const LEDGER: Moment = Moment { calls: "pwrite64", only: "-P ROOT/.haul/uploads.db-wal", nth: 1 };

/// Waits until this server is dead.
fn dies(served: &Served) {
    let stat = format!("/proc/{}/stat", served.process().id());
    wait_until(|| !fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")));
}

/// How the last answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    published: bool,
    answered: bool,
}

/// Kills a server at this moment of an upload's end, and asks the next ones what became of it.
fn killed_at(dialect: Dialect, moment: Moment, config: &str) -> Option<End> {
    let place = place(moment.nth % 2 == 1);
    let first = place.serve().config(config).http().start();
    let url = dialect.begins(first.http_addr());
    drop(first);
    let haul = traced(&place, &moment.to_strace())?;
    let served = Serve::over(haul, place.root()).config(config).http().start();
    let heard = dialect.ends(served.http_addr(), &url, HALF).hears();
    let answered = heard.as_ref().is_some_and(|answer| answer.status() / 100 == 2);
    assert!(answered || heard.is_none(), "{heard:?}");
    if !answered {
        dies(&served);
    }
    drop(served.killed());
    let (published, at) = (is_there(&place), format!("{dialect:?} {moment:?} {config}"));
    assert!(published || !answered, "{at}");
    let mut served = place.serve().config(config).http().start();
    for _ in 0..2 {
        let told = dialect.asks(served.http_addr(), &url);
        match told {
            Told::Complete => assert!(published, "{at}"),
            Told::At(offset) => assert!(!published && (HALF..LEN).contains(&offset), "{at}: {told:?}"),
            Told::Nothing => panic!("{at}: nothing is known of it, published: {published}"),
        }
        assert_nobodys(served.http_addr(), dialect, &url);
        served = served.killed_and_started_again();
    }
    if let Told::At(from) = dialect.asks(served.http_addr(), &url) {
        let ended = dialect.ends(served.http_addr(), &url, from).ends();
        assert_eq!(ended.status() / 100, 2, "{at}: {ended:?}");
        assert!(is_there(&place), "{at}");
    }
    assert_eq!(dialect.asks(served.http_addr(), &url), Told::Complete, "{at}");
    assert_eq!(place.staged(), 0, "{at}");
    Some(End { published, answered })
}

const RELAXED: &str = "[uploads]\ndurability = \"relaxed\"\n";

/// Kills a server at every `step`th write of its ledger until it lives, and counts those where the file was there without
/// having been answered for; none where that cannot be tried.
fn killed_at_writes(dialect: Dialect, config: &str, step: usize) -> Option<usize> {
    let mut unanswered = 0;
    for nth in (1..).step_by(step) {
        let end = killed_at(dialect, Moment { nth, ..LEDGER }, config)?;
        unanswered += usize::from(end.published && !end.answered);
        if end.answered {
            break;
        }
    }
    Some(unanswered)
}

#[test]
fn killed_at_any_moment_of_its_end_an_upload_is_complete_where_its_file_is_there_and_nowhere_else() {
    // What the ledger writes is the same in each of them.
    let runs = DIALECTS.map(|dialect| (dialect, "", if dialect == Dialect::Tus { 1 } else { 5 }));
    let runs: Mutex<Vec<_>> = Mutex::new(runs.into_iter().chain([(Dialect::Tus, RELAXED, 3)]).collect());
    let (unanswered, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((dialect, config, step)) = { runs.lock().unwrap().pop() } {
                    for moment in [NAME, NAMED, ANSWER] {
                        let Some(end) = killed_at(dialect, moment, config) else { return };
                        // Relaxed, nothing is synced.
                        let is_named = moment.calls == NAMED.calls && config.is_empty();
                        assert!(!is_named || (end.published && !end.answered), "{dialect:?} {end:?}");
                    }
                    unanswered.fetch_add(killed_at_writes(dialect, config, step).unwrap(), SeqCst);
                    tried.fetch_add(1, SeqCst);
                }
            });
        }
    });
    assert!(tried.into_inner() == 0 || unanswered.into_inner() > 0, "between the name and the ledger's word");
}

/// A server that is killed as soon as the first file in `sub` has its name, and no more once `calm` is there.
fn dies_once(place: &Place) -> Option<Served> {
    Some(Serve::over(traced(place, &NAMED.to_strace())?, place.root()).http().start())
}

/// The same again, when it is dead, with the file there; its file's inode.
fn again(served: Served, place: &Place) -> (Served, u64) {
    dies(&served);
    assert!(is_there(place));
    let inode = inode(place);
    fs::write(place.local("calm"), "").unwrap();
    (served.killed().start(), inode)
}

fn inode(place: &Place) -> u64 {
    fs::metadata(place.far(&PATH[1..])).unwrap().ino()
}

#[test]
fn clients_hear_from_the_next_server_that_all_is_there_and_send_nothing_again() {
    for protocol in ["draft", "tus"] {
        let place = place(false);
        CONTENT.write_to(place.local("f.bin"));
        let Some(served) = dies_once(&place) else { return };
        let put = haul().args(["put", "--protocol", protocol, "--retries", "1000"]);
        let put = put.arg(place.local("f.bin")).arg(served.http_url("/sub/"));
        let put = put.env("XDG_STATE_HOME", place.local("state")).spawn();
        let (served, before) = again(served, &place);
        put.wait_at_most(scene::SOON).expect_code(0);
        assert_eq!(inode(&place), before, "{protocol}: it is the same file still");
        drop(served);
    }
    for protocol in ["tus-v1", "ietf-draft-05"] {
        let place = place(false);
        CONTENT.write_to(place.local("f.bin"));
        let Some(served) = dies_once(&place) else { return };
        let options = json!({
            "protocol": protocol,
            "storage": place.local("urls"),
            "metadata": { "filename": "f.bin" },
            "headers": { "Authorization": "Basic YTpzZWNyZXQ=" },
            "retry_delays": vec![200; 300],
        });
        let to = if protocol == "tus-v1" { "/sub/" } else { PATH };
        let endpoint = format!("http://{}{to}", served.http_addr());
        let Some(client) = Uploader::TusJs.command(&place.local("f.bin"), &endpoint, &options) else {
            return;
        };
        let client = client.spawn();
        let (served, before) = again(served, &place);
        let end = client.wait_at_most(scene::SOON).expect_code(0);
        let told = Events::of(&end);
        assert_eq!(told.all("done").len(), 1, "{told:?}");
        let sent =
            |event: &&serde_json::Value| ["POST", "PATCH"].map(Some).contains(&event["method"].as_str());
        let answered = told.all("response").into_iter().filter(sent).count();
        assert!(answered <= 1, "{protocol}: nothing was begun anew: {told:?}");
        assert_eq!(inode(&place), before, "{protocol}: it is the same file still");
        drop(served);
    }
}

/// Kills a server at this moment while it puts a file together; whether it was there then.
fn killed_while_it_joins(moment: Moment) -> Option<End> {
    let place = place(false);
    let user =
        format!("[[user]]\nname = \"a\"\npassword = \"{}\"\nquota_bytes = \"5M\"\n", hash_of("secret"));
    let over = |bin: PathBuf| Serve::without_user(bin, place.root()).config(&user).http();
    let own = || over(PathBuf::from(env!("CARGO_BIN_EXE_haul")));
    let first = own().start();
    let content = Content::new(3, 2 * MIB);
    let parts: Vec<String> = (0..2)
        .map(|number| {
            let ask = tus("POST", "/-/tus").with("Upload-Length", MIB).with("Upload-Concat", "partial");
            let ask = ask.with("Content-Type", "application/offset+octet-stream");
            let made = ask.brings(first.http_addr(), &part(content, number * MIB, (number + 1) * MIB));
            location(&made.expect(201).head)
        })
        .collect();
    drop(first);
    let served = over(traced(&place, &moment.to_strace())?).start();
    let concat = format!("final;{}", parts.join(" "));
    let joins = || {
        let ask = tus("POST", "/-/tus").with("Upload-Concat", &concat);
        ask.with("Upload-Metadata", filename(&PATH[1..]))
    };
    let answered =
        joins().begins(served.http_addr(), Some(0)).hears().is_some_and(|answer| answer.status() == 201);
    if !answered {
        dies(&served);
    }
    drop(served.killed());
    let whole = || fs::read(place.far(&PATH[1..])).is_ok_and(|there| there == part(content, 0, 2 * MIB));
    let (published, at) = (whole(), format!("{moment:?}"));
    assert!(published || !answered, "{at}");
    let served = own().start();
    let addr = served.http_addr();
    let left = || tus("OPTIONS", PATH).to(addr).head.number("Tus-Max-Size").unwrap() / MIB;
    assert_eq!(left(), 3, "{at}: what was put together counts once");
    if published {
        assert_eq!(place.staged(), 0, "{at}: its parts are dropped");
        for part in &parts {
            assert_eq!(tus("HEAD", part).to(addr).status(), 404, "{at}");
        }
    } else {
        assert_eq!(place.staged(), 2, "{at}: its parts stay");
    }
    // Asked for again it is answered as before, or put together now.
    let made = joins().to(addr).expect(201);
    assert_eq!(made.head.number("Upload-Offset"), Some(2 * MIB), "{at}");
    assert!(whole(), "{at}");
    let head = tus("HEAD", &location(&made.head)).to(addr).expect(200);
    assert_eq!(head.head.number("Upload-Offset"), Some(2 * MIB), "{at}");
    assert_eq!(head.field("Upload-Concat"), Some(concat.as_str()), "{at}");
    // Its parts are seen to be gone from the disk before they no longer count.
    wait_until(|| place.staged() == 0 && left() == 3);
    Some(End { published, answered })
}

#[test]
fn killed_before_its_parts_are_dropped_a_file_that_was_put_together_is_counted_once() {
    // It has its name; it is noted; each of its parts is forgotten, and then removed.
    let removed = Moment { calls: "unlinkat", only: "-P ROOT/.haul/staging", nth: 1 };
    let mut moments = vec![NAME, NAMED, removed];
    moments.extend((1..).map(|nth| Moment { nth, ..LEDGER }).take(40));
    moments.reverse();
    let (moments, unanswered, over) = (Mutex::new(moments), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while over.load(SeqCst) == 0
                    && let Some(moment) = { moments.lock().unwrap().pop() }
                {
                    let Some(end) = killed_while_it_joins(moment) else {
                        unanswered.store(9, SeqCst);
                        return;
                    };
                    unanswered.fetch_add(usize::from(end.published && !end.answered), SeqCst);
                    over.fetch_add(usize::from(end.answered && moment.calls == LEDGER.calls), SeqCst);
                }
            });
        }
    });
    assert!(unanswered.into_inner() > 0, "between its name and the end of its parts");
}
