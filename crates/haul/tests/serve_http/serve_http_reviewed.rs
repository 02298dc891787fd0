//! What reviews have found over HTTP, each held by a test: readers that read nothing, flows that are slow, changes whose
//! client has gone, conditions that somebody else runs into, files that no memory has.

use crate::scene;
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use h2::Reason;
use haul_testkit::{Content, HttpCaller, Served, disk};

use crate::scene::{
    MIB,
    h2::{END_HEADERS, END_STREAM, H2, HEADERS, PREFACE, SETTINGS, frame, literals},
    http::{OWNER, STRANGER, ask, get, request, send},
    served::{Place, part},
    tls::{certificates, certified},
    uploading::{Ask, Draft, location, offset, problem},
    wait_until,
};

const LEN: u64 = 100_000;
const CONTENT: Content = Content::new(1, LEN);
const BIG: Content = Content::new(2, 48 * MIB);
const NEWEST: Draft = Draft(9);

/// How many downloads were ended in the middle, as it was written down.
fn broken_off(served: &Served) -> usize {
    let log = served.process().stderr();
    log.lines().filter(|line| line.contains(" sent ") && line.contains("complete=no")).count()
}

/// A window as large as there can be, for streams and for the connection.
fn wide_open() -> Vec<u8> {
    let windows = [&4_u16.to_be_bytes()[..], &0x7fff_ffff_u32.to_be_bytes()].concat();
    let more = frame(8, 0, 0, &0x7fff_0000_u32.to_be_bytes());
    [PREFACE, &frame(SETTINGS, 0, 0, &windows), &more].concat()
}

/// A GET as the first request of a connection.
fn get_over_h2(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("authorization", "Basic YTpzZWNyZXQ="),
    ];
    [wide_open(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &literals(&fields))].concat()
}

#[test]
fn who_reads_nothing_holds_no_connection_whatever_is_spoken() {
    let place = Place::new();
    BIG.write_to(place.far("f"));
    // Who has connected has the time to ask.
    let config = "[http]\nidle = \"4s\"\nstall = \"1s\"\n";
    let served = certified(place.serve()).config(config).http().https().start();
    // Over HTTP/1.1 within TLS; over HTTP/2 with windows that never close, and with one that is closed from the start.
    let mut secured = HttpCaller::to_tls(served.https_addr(), &certificates().client_config(None));
    secured.sends(request("GET", "/f", &[OWNER], None));
    let mut clear = TcpStream::connect(served.http_addr()).unwrap();
    clear.write_all(&get_over_h2("/f")).unwrap();
    let narrow = [H2::to(served.http_addr()), H2::to_tls(served.https_addr(), certificates())];
    let heads: Vec<_> = narrow.iter().map(|h2| h2.begins("GET", "/f", &[OWNER]).head()).collect();
    let began = Instant::now();
    wait_until(|| broken_off(&served) == 4);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(heads);
    // Its connections have ended, too: nobody holds a place.
    let open = || {
        let text = ask(served.http_addr(), "GET", "/-/metrics", &[]).expect(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix("haul_sessions{door=\"http\"} "));
        line.unwrap().parse::<u64>().unwrap()
    };
    wait_until(|| open() == 1);
    drop((secured, clear, narrow));
}

#[test]
fn a_flow_over_http2_that_is_slow_outlives_the_idle_time() {
    let place = Place::new();
    let content = Content::new(3, 6 * MIB);
    content.write_to(place.far("f"));
    let served = place.serve().config("[http]\nidle = \"1s\"\nstall = \"20s\"\n").http().start();
    let mut stream = TcpStream::connect(served.http_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(&get_over_h2("/f")).unwrap();
    // All that the server has to say of it lies in buffers soon; what is read of that takes several idle times.
    let (mut said, mut piece) = (Vec::new(), vec![0; 300 << 10]);
    let began = Instant::now();
    while (said.len() as u64) < content.size() + 9 {
        std::thread::sleep(Duration::from_millis(200));
        let count = stream.read(&mut piece).expect("it is not reset");
        assert!(count > 0, "cut after {} bytes and {:?}", said.len(), began.elapsed());
        said.extend_from_slice(&piece[..count]);
        // As a client of HTTP/2 does, all the while.
        stream.write_all(&frame(8, 0, 0, &1_u32.to_be_bytes())).expect("it is still there");
        if ends(&said) {
            break;
        }
    }
    assert!(began.elapsed() > Duration::from_secs(3), "it was not slow");
    assert!(bodies(&said) == content.bytes(0..content.size()), "{} bytes", said.len());
}

/// The frames that came whole: kind, flags and content.
fn frames(said: &[u8]) -> Vec<(u8, u8, &[u8])> {
    let (mut rest, mut frames) = (said, Vec::new());
    while rest.len() >= 9 {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        let Some(content) = rest.get(9..9 + length) else { break };
        frames.push((rest[3], rest[4], content));
        rest = &rest[9 + length..];
    }
    frames
}

fn bodies(said: &[u8]) -> Vec<u8> {
    frames(said).iter().filter(|(kind, ..)| *kind == 0).flat_map(|(.., content)| content.to_vec()).collect()
}

fn ends(said: &[u8]) -> bool {
    frames(said).iter().any(|(kind, flags, _)| *kind == 0 && flags & END_STREAM != 0)
}

#[test]
fn a_move_whose_client_has_gone_comes_to_its_end() {
    let place = Place::new();
    fs::create_dir(place.far("old")).unwrap();
    CONTENT.write_to(place.far("old/f"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    // It has to wait for somebody who has just sent something into the folder.
    let mut other = Ask::new("PUT", "/old/new").begins(addr, Some(LEN));
    other.sends(&part(CONTENT, 0, 1000));
    wait_until(|| offset(addr, "/old/new") == Some(1000));
    other.sends(&part(CONTENT, 1000, 2000));
    // What comes after the question is somebody at work, and not waited for.
    wait_until(|| offset(addr, "/old/new") == Some(2000));
    let h2 = H2::to(addr);
    let moving = h2.begins("MOVE", "/old", &[OWNER, "Destination: /moved"]);
    // An answer to a later request: the first one is under way.
    h2.asks("HEAD", "/old/f", &[OWNER], b"").expect(200);
    assert!(place.far("old").exists());
    moving.resets(Reason::CANCEL);
    h2.asks("HEAD", "/old/f", &[OWNER], b"").expect(200);
    drop(h2);
    // What was unfinished there goes along, as the last step.
    wait_until(|| offset(addr, "/moved/new") == Some(2000));
    CONTENT.assert_file_is(place.far("moved/f"));
    assert!(!place.far("old").exists());
    let rest = Ask::new("PUT", "/moved/new").range(format!("2000-{}/{LEN}", LEN - 1));
    rest.brings(addr, &part(CONTENT, 2000, LEN)).expect(201);
    CONTENT.assert_file_is(place.far("moved/new"));
}

#[test]
fn where_uploads_go_in_place_a_creation_that_is_refused_touches_nothing() {
    let place = Place::new();
    CONTENT.write_to(place.far("f"));
    let served = place.serve().http().config("[uploads]\nmode = \"in-place\"\n").start();
    let addr = served.http_addr();
    for draft in Draft::all() {
        let refused = draft.creates(Ask::new("POST", "/f"), false).brings(addr, b"other").expect(409);
        assert!(refused.text().contains("in place"), "{}", refused.text());
    }
    let tus = scene::tus::Tus::owner(addr);
    let refused = tus.asks("POST", "/", &["Upload-Length: 5", &scene::tus::filename("f")], b"");
    assert_eq!(refused.status(), 501, "{}", refused.text());
    let refused = NEWEST.creates(Ask::new("POST", "/f"), true).with("If-None-Match", "*").brings(addr, b"x");
    assert_eq!(refused.status(), 412);
    CONTENT.assert_file_is(place.far("f"));
}

#[test]
fn that_nothing_may_be_replaced_is_remembered_until_the_file_takes_its_name() {
    let place = Place::new();
    let mut served = place.serve().http().start();
    for name in ["draft", "put", "tus"] {
        let (addr, path) = (served.http_addr(), format!("/{name}"));
        let only_new = |ask: Ask| ask.with("If-None-Match", "*");
        let half = part(CONTENT, 0, LEN / 2);
        let url = match name {
            "draft" => {
                let ask = only_new(NEWEST.creates(Ask::new("POST", &path), false));
                location(&ask.brings(addr, &half).expect(201).head)
            }
            "put" => {
                let piece = only_new(Ask::new("PUT", &path)).range(format!("0-{}/{LEN}", LEN / 2 - 1));
                piece.brings(addr, &half).expect(308);
                path.clone()
            }
            _ => {
                let ask = only_new(scene::uploading::tus("POST", "/")).with("Upload-Length", LEN);
                let ask = ask.with("Upload-Metadata", scene::uploading::filename(name));
                let url = location(&ask.brings(addr, b"").expect(201).head);
                scene::uploading::tus_appends(&url, 0).brings(addr, &half).expect(204);
                url
            }
        };
        served = served.killed_and_started_again();
        let addr = served.http_addr();
        send(addr, "PUT", &path, &[STRANGER], b"somebody was faster").expect(201);
        // Without a word of the condition: whoever began it has said it.
        let rest = part(CONTENT, LEN / 2, LEN);
        let refused = match name {
            "draft" => NEWEST.appends(&url, LEN / 2, true).brings(addr, &rest),
            "put" => {
                Ask::new("PUT", &url).range(format!("{}-{}/{LEN}", LEN / 2, LEN - 1)).brings(addr, &rest)
            }
            _ => scene::uploading::tus_appends(&url, LEN / 2).brings(addr, &rest),
        };
        assert_eq!(refused.status(), 412, "{name}: {}", refused.text());
        assert_eq!(get(addr, &path), b"somebody was faster", "{name}");
        // Nothing that came is lost by that.
        assert!(offset(addr, &path).is_some_and(|at| at >= LEN - 1), "{name}");
    }
}

#[test]
fn an_end_before_all_has_come_is_no_success_in_any_version() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let kind = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";
    for draft in Draft::all() {
        for chunked in [false, true] {
            let name = format!("f{}{chunked}", draft.0);
            let ask = draft.creates(Ask::new("POST", &format!("/{name}")), false).with("Upload-Length", LEN);
            let url = location(&ask.brings(addr, &part(CONTENT, 0, 10)).expect(201).head);
            let mut short = draft.appends(&url, 10, true).begins(addr, (!chunked).then_some(10));
            let _ = short.tries(&part(CONTENT, 10, 20));
            let short = short.ends().expect(400);
            assert_eq!(problem(&short)["type"], kind);
            assert!(!place.far(&name).exists());
            let known = draft.asks(addr, &url);
            assert!(!known.complete && (10..=20).contains(&known.offset), "{known:?}");
            draft.appends(&url, known.offset, true).brings(addr, &part(CONTENT, known.offset, LEN));
            CONTENT.assert_file_is(place.far(&name));
        }
    }
}

/// A DELETE or a MOVE of one version, while somebody puts one new version after the other there: whatever goes away is
/// the version that was meant.
fn only_what_was_meant_goes(
    by: &'static str,
    take: impl Fn(&str) -> u16 + Sync,
    place: &Place,
    served: &Served,
) {
    let addr = served.http_addr();
    let (over, taken) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let seen = ask(addr, "GET", "/f", &[OWNER]);
                let (200, Some(tag)) = (seen.status(), seen.field("ETag")) else { continue };
                match take(tag) {
                    201 | 204 => drop(taken.lock().unwrap().insert(seen.text())),
                    404 | 409 | 412 => {}
                    status => panic!("{status}"),
                }
            }
        });
        let mut gone = BTreeSet::new();
        for number in 0..300 {
            let version = format!("version {number}");
            let put = send(addr, "PUT", "/f", &[by], version.as_bytes());
            if put.status() == 409 {
                continue;
            }
            assert!([201, 204].contains(&put.status()), "{} {}", put.status(), put.text());
            if fs::read_to_string(place.far("f")).ok().as_ref() != Some(&version) {
                gone.insert(version);
            }
        }
        over.store(true, Ordering::Relaxed);
        // Who has taken one may just be writing it down.
        taker.join().unwrap();
        let taken = taken.lock().unwrap();
        let lost: Vec<_> = gone.difference(&taken).collect();
        assert!(lost.is_empty(), "{lost:?} went away and was not meant");
    });
    assert!(!taken.lock().unwrap().is_empty(), "nothing was ever taken: this has shown nothing");
}

#[test]
fn a_condition_of_a_removal_holds_whoever_else_writes() {
    for by in [OWNER, STRANGER] {
        let place = Place::new();
        let served = place.serve().http().start();
        let addr = served.http_addr();
        let delete = |tag: &str| ask(addr, "DELETE", "/f", &[OWNER, &format!("If-Match: {tag}")]).status();
        only_what_was_meant_goes(by, delete, &place, &served);
    }
}

#[test]
fn a_condition_of_a_renaming_holds_whoever_else_writes() {
    for by in [OWNER, STRANGER] {
        let place = Place::new();
        let served = place.serve().http().start();
        let addr = served.http_addr();
        let rename = |tag: &str| {
            let fields = [OWNER, &format!("If-Match: {tag}"), "Destination: /taken"];
            ask(addr, "MOVE", "/f", &fields).status()
        };
        only_what_was_meant_goes(by, rename, &place, &served);
    }
}

#[test]
fn a_file_that_no_memory_has_arrives_whole() {
    // On a disk, where there is one: what lies in memory is never cold.
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    BIG.write_to(root.path().join("f"));
    let served = scene::served::serve(root.path()).http().start();
    let addr = served.http_addr();
    let made_cold = || disk::forgets(&root.path().join("f"));
    let cold = made_cold();
    assert!(get(addr, "/f") == BIG.bytes(0..BIG.size()));
    for (from, to) in [(0, 1), (1, 300_000), (7 * MIB + 3, 40 * MIB), (BIG.size() - 1, BIG.size())] {
        made_cold();
        let range = format!("Range: bytes={from}-{}", to - 1);
        let some = ask(addr, "GET", "/f", &[OWNER, &range]).expect(206);
        assert!(some.body == BIG.bytes(from..to), "{from} to {to}");
    }
    // Many at once, each somewhere else.
    made_cold();
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let from = number * 5 * MIB;
                let range = format!("Range: bytes={from}-{}", from + MIB - 1);
                let some = ask(addr, "GET", "/f", &[OWNER, &range]).expect(206);
                assert!(some.body == BIG.bytes(from..from + MIB), "{number}");
            });
        }
    });
    if !cold {
        println!("skipped: this file system keeps what it was told to forget");
    }
}
