//! `haul serve status` and `haul serve uploads`: what whoever runs a server is told, and what is given up; asked while
//! clients are at work, after a kill, and where nobody serves.

use crate::scene;
use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
};

use haul_testkit::{Content, Finished, HttpCaller, Serve};
use serde_json::Value;

use crate::scene::{
    MIB,
    http::{OWNER, request, send},
    served::{Place, begun, left_unfinished, owner, part},
    uploading::{Ask, Draft},
    wait_until,
};

const CONTENT: Content = Content::new(1, 100_000);

fn asked(root: &Path, args: &[&str]) -> Finished {
    scene::haul().args(["serve", args[0]]).arg(root).args(&args[1..]).run()
}

#[track_caller]
fn status(root: &Path) -> Value {
    serde_json::from_slice(&asked(root, &["status", "--json"]).expect_code(0).stdout).unwrap()
}

fn text(end: &Finished) -> String {
    String::from_utf8(end.stdout.clone()).unwrap()
}

#[track_caller]
fn uploads(root: &Path, args: &[&str]) -> Vec<Value> {
    let end = asked(root, &[&["uploads", "--json"], args].concat()).expect_code(0);
    text(&end).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn who_is_on_and_what_is_moving_is_told_of_each_door() {
    let place = Place::new();
    let served = place.serve().http().start();
    let mut uploading = owner(served.addr());
    let mut data = begun(&mut uploading, "STOR up", &part(CONTENT, 0, 10_000));
    fs::write(place.far("down"), CONTENT.bytes(0..CONTENT.size()).repeat(300)).unwrap();
    // Whoever asks for a file and does not take it.
    let mut slow = HttpCaller::to(served.http_addr());
    slow.sends(request("GET", "/down", &[OWNER], None));
    let told = || {
        let status = status(place.root());
        let all = status["sessions"].as_array().unwrap().clone();
        // Nothing of whom the server has not let in yet.
        let of = |door: &str| {
            let session = all.iter().find(|session| session["door"] == door);
            session.cloned().unwrap_or_default()
        };
        (of("ftp"), of("http"), status)
    };
    wait_until(|| told().1["moving"][0]["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let (ftp, http, status) = told();
    assert_eq!((ftp["user"].as_str(), ftp["address"].as_str()), (Some("a"), Some("127.0.0.1")));
    let moving = &ftp["moving"][0];
    assert_eq!((moving["way"].as_str(), moving["path"].as_str()), (Some("received"), Some("/up")));
    assert_eq!((moving["from"].as_u64(), moving["bytes"].as_u64()), (Some(0), Some(10_000)));
    assert_eq!((http["user"].as_str(), http["moving"][0]["way"].as_str()), (Some("a"), Some("sent")));
    assert_eq!(http["moving"][0]["path"], "/down");
    let server = &status["server"];
    assert_eq!(server["process"].as_u64(), Some(u64::from(served.process().id())));
    assert_eq!(server["doors"].as_array().unwrap().len(), 2);
    assert_eq!(server["doors"][1]["address"], served.addr().to_string());
    // More comes, and more is told.
    data.sends(&part(CONTENT, 10_000, 20_000));
    wait_until(|| told().0["moving"][0]["bytes"].as_u64() == Some(20_000));
    let people = text(&asked(place.root(), &["status"]).expect_code(0));
    for wanted in ["2 sessions\n", "receives /up: 19.5 KiB", "sends /down: ", "  http   127.0.0.1:"] {
        assert!(people.contains(wanted), "{wanted}: {people}");
    }
    data.finish();
    uploading.hears(226);
    wait_until(|| told().0["moving"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_unfinished_is_listed_and_dropped_by_each_door() {
    let place = Place::new();
    let served = place.serve().http().start();
    let (ftp, addr) = (served.addr(), served.http_addr());
    left_unfinished(ftp, "by ftp", &part(CONTENT, 0, 1000));
    Ask::new("PUT", "/by%20put").range("0-999/100000").brings(addr, &part(CONTENT, 0, 1000)).expect(308);
    Draft(9).creates(Ask::stranger("POST", "/by%20draft"), false).brings(addr, &part(CONTENT, 0, 500));
    let all = uploads(place.root(), &[]);
    let told: Vec<_> = all
        .iter()
        .map(|one| {
            (one["path"].as_str().unwrap(), one["user"].as_str().unwrap(), one["offset"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(told, [("/by draft", "b", 500), ("/by ftp", "a", 999), ("/by put", "a", 1000)]);
    assert_eq!(all[2]["size"].as_u64(), Some(100_000));
    assert!(all.iter().all(|one| one["age"].as_u64().unwrap() < 60 && one["receiving"] == false));
    assert_eq!(uploads(place.root(), &["--user", "b"]).len(), 1);
    assert_eq!(uploads(place.root(), &["--older-than", "1h"]).len(), 0);
    // Nothing is dropped unless it is said what.
    asked(place.root(), &["uploads", "--drop"]).expect_code(2);
    let said = text(&asked(place.root(), &["uploads", "--drop", "--user", "b"]).expect_code(0));
    assert_eq!(said, "dropped /by draft of b, 500 B\n");
    served
        .process()
        .wait_for_line(|line| line.contains(" dropped user=\"b\" path=\"/by draft\""), scene::SOON);
    let id = all[1]["id"].as_str().unwrap();
    assert_eq!(uploads(place.root(), &["--drop", "--id", id])[0]["dropped"], true);
    asked(place.root(), &["uploads", "--drop", "--id", id]).expect_code(7);
    assert_eq!(owner(ftp).size("by ftp"), None, "its owner begins anew");
    assert_eq!(place.staged(), 1);
    assert_eq!(uploads(place.root(), &["--drop", "--all"]).len(), 1);
    assert_eq!(place.staged(), 0);
    let people = text(&asked(place.root(), &["uploads"]).expect_code(0));
    assert_eq!(people, "no unfinished uploads\n");
}

#[test]
fn what_bytes_come_for_is_not_dropped() {
    let place = Place::new();
    let served = place.serve().http().start();
    let mut caller = owner(served.addr());
    let mut data = begun(&mut caller, "STOR f", &part(CONTENT, 0, 5000));
    // It is remembered once it is synced; that is done soon, or when somebody asks.
    owner(served.addr()).size("f");
    wait_until(|| uploads(place.root(), &[]).len() == 1);
    assert_eq!(uploads(place.root(), &[])[0]["receiving"], true);
    let dropping = std::thread::spawn({
        let root = place.root().to_owned();
        move || asked(&root, &["uploads", "--drop", "--all"])
    });
    let mut at = 5000;
    while !dropping.is_finished() {
        data.sends(&part(CONTENT, at, at + 1));
        at += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let end = dropping.join().unwrap().expect_code(7);
    assert_eq!(text(&end), "kept /f of a: bytes come at the moment\n");
    data.sends(&part(CONTENT, at, CONTENT.size()));
    data.finish();
    caller.hears(226);
    CONTENT.assert_file_is(place.far("f"));
}

#[test]
fn after_a_kill_nobody_serves_and_what_is_unfinished_is_still_told_and_dropped() {
    let place = Place::new();
    let served = place.serve().start();
    left_unfinished(served.addr(), "f", &part(CONTENT, 0, 1000));
    left_unfinished(served.addr(), "g", &part(CONTENT, 0, 2000));
    let serve = served.killed();
    assert!(place.far(".haul/control").exists(), "a killed server leaves it");
    let end = asked(place.root(), &["status"]).expect_code(7);
    let said = text(&end);
    assert!(
        said.starts_with("nobody serves with the state folder /") && said.contains("2 unfinished"),
        "{said}"
    );
    let status: Value =
        serde_json::from_slice(&asked(place.root(), &["status", "--json"]).expect_code(7).stdout).unwrap();
    assert_eq!((&status["server"], status["uploads"].as_array().unwrap().len()), (&Value::Null, 2));
    let id = uploads(place.root(), &[])[0]["id"].as_str().unwrap().to_owned();
    asked(place.root(), &["uploads", "--drop", "--id", &id]).expect_code(0);
    let left = uploads(place.root(), &[]);
    assert_eq!((left.len(), left[0]["path"].as_str()), (1, Some("/g")));
    assert_eq!(place.staged(), 1);
    // The next one takes the socket's place, and knows what was done.
    let served = serve.start();
    assert_eq!(self::status(place.root())["uploads"].as_array().unwrap().len(), 1);
    assert_eq!((owner(served.addr()).size("f"), owner(served.addr()).size("g")), (None, Some(1999)));
    served.process().terminate();
    served.wait().expect_code(0);
    assert!(!place.far(".haul/control").exists(), "one that ends takes it along");
}

#[test]
fn only_the_state_is_locked_by_a_drop_and_the_wrong_folder_harms_nothing() {
    let place = Place::new();
    let served = place.serve().start();
    left_unfinished(served.addr(), "f", &part(CONTENT, 0, 1000));
    left_unfinished(served.addr(), "g", &part(CONTENT, 0, 1000));
    let serve = served.killed();
    let elsewhere = Place::new();
    let state = place.far(".haul").to_str().unwrap().to_owned();
    let id = uploads(place.root(), &[])[0]["id"].as_str().unwrap().to_owned();
    asked(elsewhere.root(), &["uploads", "--state", &state, "--drop", "--id", &id]).expect_code(0);
    let served = serve.start();
    assert_eq!(owner(served.addr()).size("g"), Some(999));
    assert_eq!(place.staged(), 1, "the bytes of the other one are gone");
}

#[test]
fn nobody_else_may_ask() {
    let place = Place::new();
    let served = place.serve().start();
    let seen = fs::metadata(place.far(".haul/control")).unwrap();
    assert!(seen.file_type().is_socket());
    assert_eq!(seen.permissions().mode() & 0o777, 0o600);
    // Even where its mode would let somebody: the server asks who it is. Only root can become somebody else.
    if !is_root() {
        return;
    }
    for open in [place.root(), &place.far(".haul")] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(place.far(".haul/control"), fs::Permissions::from_mode(0o666)).unwrap();
    let script = "import os, socket, sys\nos.setgid(int(sys.argv[2]))\nos.setuid(int(sys.argv[2]))\n\
                  s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  s.sendall(b'{\"ask\":\"status\"}\\n')\nprint(len(s.recv(9)))";
    let Some(python) = haul_testkit::real::peer("python3") else { return };
    let asked = |user: u32| {
        let mut command = Command::new(&python);
        command.args(["-c", script]).arg(place.far(".haul/control")).arg(user.to_string());
        command.output().unwrap()
    };
    assert_eq!(asked(0).stdout, b"9\n", "root is told");
    let stranger = asked(65534);
    assert_ne!(stranger.stdout, b"9\n", "{stranger:?}");
    drop(served);
}

#[test]
fn a_server_without_state_is_not_asked_and_nothing_is_created() {
    let place = Place::new();
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).start();
    asked(place.root(), &["status"]).expect_code(7);
    assert!(!place.far(".haul").exists());
    drop(served);
    // Where there is a folder for it, it can be asked.
    fs::create_dir(place.far(".haul")).unwrap();
    let _served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).start();
    assert_eq!(status(place.root())["uploads"].as_array().unwrap().len(), 0);
}

#[test]
fn who_stays_silent_or_talks_nonsense_keeps_nobody_from_asking() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    let place = Place::new();
    let served = place.serve().http().start();
    let connect = || UnixStream::connect(place.far(".haul/control")).unwrap();
    let _silent: Vec<_> = (0..8).map(|_| connect()).collect();
    for nonsense in ["\n", "{\"ask\":\"everything\"}\n", "\u{1}\u{2}\n", "{\"ask\":\"drop\"}\n"] {
        let (mut stream, mut told) = (connect(), String::new());
        stream.write_all(nonsense.as_bytes()).unwrap();
        stream.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("{\"failed\":\"this server does not understand that"), "{told}");
    }
    let mut endless = connect();
    while endless.write_all(&[b'x'; 65536]).is_ok() {}
    send(served.http_addr(), "PUT", "/f", &[OWNER], &CONTENT.bytes(0..1000)).expect(201);
    assert_eq!(status(place.root())["server"]["stopping"], false);
    assert!(served.process().resident().is_none_or(|bytes| bytes < 200 * MIB));
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|seen| seen.uid() == 0)
}
