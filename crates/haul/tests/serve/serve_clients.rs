//! `haul serve` and the clients that are out there, and haul itself: whole files both ways, kills with -9 in the middle
//! and on from there, names of all kinds, lists.
//!
//! That a client went on and did not begin anew is seen by a byte at the beginning that was changed meanwhile.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use haul_testkit::{Content, Served};

use crate::scene::{
    MIB, SOON, Told,
    clients::{Client, How, Verb, client},
    haul,
    served::{Place, owner, stranger},
    wait_until,
};

/// Of no client's buffers a multiple.
const SIZE: u64 = 4 * MIB + 321;
/// For a client that is told to be slow: curl fetches the first 10 MiB at once all the same, and a busy machine may let
/// seconds go by between a look and the kill.
const PACED: u64 = 48 * MIB + 321;
/// For a client that cannot be told to be slow: large enough that a kill falls in the middle all the same.
const UNPACED: u64 = 192 * MIB;

/// Runs a client to its end; false where it is missing or does not do that.
#[track_caller]
fn run(client: &Client, served: &Served, dir: &Path, verb: Verb, names: (&str, &str), how: How) -> bool {
    let Some(command) = client.command(served, verb, names.0, names.1, how) else { return false };
    let end = command.dir(dir).run();
    assert_eq!(end.code, Some(0), "{} {verb:?} {names:?} {how:?}: {}", client.name, end.stderr);
    true
}

/// Runs a client until `done` tells that it is in the middle, and kills it.
#[track_caller]
fn killed(client: &Client, served: &Served, dir: &Path, verb: Verb, name: &str, done: impl Fn() -> bool) {
    let how = if client.paced { How::Slowly } else { How::Whole };
    let began = Instant::now();
    let running = client.command(served, verb, name, name, how).unwrap().dir(dir).spawn();
    // How long a server looks whether a client outlives its upload goes by the time that this took: on a machine with
    // much to do, the kernel may take milliseconds between the two sockets of a client that is killed.
    let least = if verb == Verb::Put && client.paced { Duration::from_millis(1200) } else { Duration::ZERO };
    wait_until(|| done() && began.elapsed() >= least);
    let end = running.kill_9();
    assert_eq!(end.signal, Some(9), "{} was still at work: {}", client.name, end.stderr);
}

/// Turns a byte of a file over.
fn flip_first_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[0] ^= 0xFF;
    std::fs::write(path, bytes).unwrap();
}

/// A whole file, and one that is killed in the middle and gone on with.
#[track_caller]
fn gets(name: &str) {
    let client = client(name);
    let place = Place::new();
    let content = Content::new(1, if client.paced { PACED } else { UNPACED });
    content.write_to(place.far("f.bin"));
    let served = place.serve().start();
    if !run(client, &served, place.dir(), Verb::Get, ("f.bin", "f.bin"), How::Whole) {
        return;
    }
    content.assert_file_is(place.local("f.bin"));
    place.clear_local();
    let local = place.local("f.bin");
    let len = || local.metadata().map_or(0, |found| found.len());
    killed(client, &served, place.dir(), Verb::Get, "f.bin", || len() >= MIB);
    let had = len();
    assert!(had < content.size() || !client.resumes_get, "{had} is no middle");
    if client.resumes_get {
        flip_first_byte(&local);
    }
    run(client, &served, place.dir(), Verb::Get, ("f.bin", "f.bin"), How::From(had));
    if client.resumes_get {
        flip_first_byte(&local);
    }
    content.assert_file_is(&local);
}

/// A whole file, and one that is killed in the middle and gone on with.
#[track_caller]
fn puts(name: &str) {
    let client = client(name);
    let place = Place::new();
    let content = Content::new(2, if client.paced { PACED } else { UNPACED });
    content.write_to(place.local("f.bin"));
    let served = place.serve().start();
    if !run(client, &served, place.dir(), Verb::Put, ("f.bin", "f.bin"), How::Whole) {
        return;
    }
    content.assert_file_is(place.far("f.bin"));
    let mut there = owner(served.addr());
    there.says("DELE f.bin", 250);
    killed(client, &served, place.dir(), Verb::Put, "f.bin", || place.hidden() >= MIB);
    let half = place.far("f.bin").metadata().map(|found| found.len());
    assert!(half.is_err(), "nobody sees a half: {half:?}\n{}", served.process().stderr());
    assert_eq!(stranger(served.addr()).size("f.bin"), None);
    // The server may still be at the end of the dead one's session, and holds a byte back there.
    wait_until(|| std::fs::read_dir(place.root()).is_ok() && served_no_session(&served));
    let had = there.size("f.bin").expect("its owner sees it");
    assert!(had >= MIB - 1 && had < content.size(), "{had} is no middle");
    if client.resumes_put {
        flip_first_byte(&place.local("f.bin"));
    }
    assert!(run(client, &served, place.dir(), Verb::Put, ("f.bin", "f.bin"), How::From(had)));
    content.assert_file_is(place.far("f.bin"));
    assert_eq!(there.size("f.bin"), Some(content.size()));
}

/// Whether nobody but the test's own session is there.
fn served_no_session(served: &Served) -> bool {
    let mut asking = owner(served.addr());
    let who = asking.asks("SITE WHO").text;
    who.lines().filter(|line| line.contains("STOR") || line.contains("APPE")).count() == 0
}

/// Names that have been trouble somewhere.
const NAMES: [&str; 7] = [
    "two words.txt",
    "grüße 漢字.txt",
    "it's.txt",
    "-dash.txt",
    "a+b&c=d;e.txt",
    "per%41cent.txt",
    "#hash.txt",
];

/// Both ways, for each name; some clients have no way to say some names.
#[track_caller]
fn names(name: &str, cannot: &[&str]) {
    let client = client(name);
    let place = Place::new();
    let served = place.serve().start();
    for (number, name) in NAMES.iter().enumerate().filter(|(_, name)| !cannot.contains(name)) {
        let content = Content::new(number as u64, 5000);
        content.write_to(place.local("local.bin"));
        if run(client, &served, place.dir(), Verb::Put, ("local.bin", name), How::Whole) {
            content.assert_file_is(place.far(name));
            std::fs::remove_file(place.local("local.bin")).unwrap();
        } else {
            content.write_to(place.far(name));
        }
        let _ = std::fs::remove_file(place.local("local.bin"));
        if run(client, &served, place.dir(), Verb::Get, ("local.bin", name), How::Whole) {
            content.assert_file_is(place.local("local.bin"));
        }
        place.clear_local();
    }
}

macro_rules! each {
    ($($module:ident: $name:literal, $cannot:expr;)*) => {$(
        mod $module {
            #[test]
            fn gets_whole_and_on_from_a_kill() {
                super::gets($name);
            }

            #[test]
            fn puts_whole_and_on_from_a_kill() {
                super::puts($name);
            }

            #[test]
            fn says_every_name() {
                super::names($name, &$cannot);
            }
        }
    )*};
}

each! {
    curl: "curl", [];
    lftp: "lftp", [];
    wget: "wget", [];
    ncftpget: "ncftpget", [];
    ncftpput: "ncftpput", [];
    tnftp: "tnftp", [];
    aria2: "aria2", [];
    // It asks for names as they stand in the URL, with their percent signs.
    axel: "axel", ["two words.txt", "grüße 漢字.txt", "it's.txt", "a+b&c=d;e.txt", "per%41cent.txt", "#hash.txt"];
    rclone: "rclone", [];
    ftplib: "ftplib", [];
    aioftp: "aioftp", [];
    basic_ftp: "basic-ftp", [];
}

/// `haul get` or `haul put` in the client's folder, with its own state.
fn own(place: &Place, args: &[&str]) -> haul_testkit::Haul {
    let state = place.local(".state");
    haul().args(args).args(["--progress", "json"]).dir(place.dir()).env("XDG_STATE_HOME", state)
}

/// How far a run says it is.
fn done_in(line: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    event["done"].as_u64().filter(|_| event["event"] == "progress").unwrap_or(0)
}

#[test]
fn haul_gets_and_goes_on_from_a_kill() {
    let place = Place::new();
    let content = Content::new(3, 3 * SIZE);
    content.write_to(place.far("f.bin"));
    let served = place.serve().start();
    let url = served.url("/f.bin");
    let running = own(&place, &["get", "-n", "1", "--limit-rate", "4M", &url]).spawn();
    running.wait_for_line(|line| done_in(line) >= SIZE, SOON);
    running.kill_9();
    let told = Told::by(own(&place, &["get", "-n", "1", &url]).run().expect_code(0));
    assert!(told.kept() >= SIZE, "{told}");
    assert!(told.kept() + told.fetched() <= content.size() + MIB, "{told}");
    content.assert_file_is(place.local("f.bin"));
}

#[test]
fn haul_gets_on_many_lanes() {
    let place = Place::new();
    let content = Content::new(4, 16 * MIB);
    content.write_to(place.far("f.bin"));
    let served = place.serve().start();
    Told::by(own(&place, &["get", "-n", "8", &served.url("/f.bin")]).run().expect_code(0));
    content.assert_file_is(place.local("f.bin"));
}

#[test]
fn haul_puts_and_goes_on_from_a_kill_without_a_byte_twice() {
    let place = Place::new();
    let content = Content::new(5, 3 * SIZE);
    content.write_to(place.local("f.bin"));
    let served = place.serve().start();
    let url = served.url("/f.bin");
    let running = own(&place, &["put", "--limit-rate", "4M", "f.bin", &url]).spawn();
    wait_until(|| place.hidden() >= SIZE);
    running.kill_9();
    assert_eq!(stranger(served.addr()).size("f.bin"), None);
    let told = Told::by(own(&place, &["put", "f.bin", &url]).run().expect_code(0));
    assert!(told.kept() + 1 >= SIZE, "{told}");
    assert_eq!(told.kept() + told.fetched(), content.size(), "{told}");
    content.assert_file_is(place.far("f.bin"));
}

#[test]
fn haul_says_every_name() {
    let place = Place::new();
    let served = place.serve().start();
    for (number, name) in NAMES.iter().enumerate() {
        let content = Content::new(number as u64, 5000);
        content.write_to(place.local(name));
        let file = format!("./{name}");
        own(&place, &["put", &file, &served.url("/")]).run().expect_code(0);
        content.assert_file_is(place.far(name));
    }
    place.clear_local();
    own(&place, &["get", "-r", &served.url("/")]).run().expect_code(0);
    for (number, name) in NAMES.iter().enumerate() {
        let found = [place.local(name), place.local(&format!("127.0.0.1/{name}"))];
        let found = found.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} did not come"));
        Content::new(number as u64, 5000).assert_file_is(found);
    }
}

#[test]
fn haul_probe_says_that_this_server_can_resume() {
    let place = Place::new();
    Content::new(6, SIZE).write_to(place.far("f.bin"));
    // A date proves something once it is old enough.
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(86_400);
    std::fs::File::options().write(true).open(place.far("f.bin")).unwrap().set_modified(yesterday).unwrap();
    let served = place.serve().start();
    let end = haul().args(["probe", &served.url("/f.bin")]).run().expect_code(0);
    let said = String::from_utf8(end.stdout).unwrap();
    assert!(said.contains("resume: yes"), "{said}");
}

/// What a program says on standard output.
#[track_caller]
fn said(program: &str, args: &[&str], input: &str) -> Option<String> {
    let program = haul_testkit::real::peer(program)?;
    let end = haul_testkit::Haul::new(program).args(args).input(input).env("LC_ALL", "C.UTF-8").run();
    assert_eq!(end.code, Some(0), "{args:?}: {}", end.stderr);
    Some(String::from_utf8(end.stdout).unwrap())
}

#[test]
fn every_client_can_list() {
    let place = Place::new();
    Content::new(7, 12_345).write_to(place.far("two words.txt"));
    std::fs::create_dir(place.far("folder")).unwrap();
    let served = place.serve().start();
    let (addr, url) = (served.addr(), served.url("/"));
    let port = addr.port().to_string();
    let lftp = format!("set ftp:ssl-allow no; open -u a,secret -p {port} 127.0.0.1; cls -l --block-size=1");
    let rclone = format!(":ftp,host=127.0.0.1,port={port},user=a,pass=7sKdwNEIlykS0Qv6Ltkeg3cmam3EVQ:");
    let aioftp = "import asyncio, aioftp, sys\n\
        async def main():\n    \
        async with aioftp.Client.context('127.0.0.1', int(sys.argv[1]), 'a', 'secret') as client:\n        \
        for path, info in await client.list():\n            \
        print(info['type'], info.get('size'), path)\n\
        asyncio.run(main())";
    let ftplib = "import ftplib, sys\n\
        ftp = ftplib.FTP(); ftp.connect('127.0.0.1', int(sys.argv[1])); ftp.login('a', 'secret')\n\
        ftp.dir(); print(list(ftp.mlsd())); print(ftp.nlst())";
    let basic = "const { Client } = require('basic-ftp'); (async () => { const c = new Client();\
        await c.access({ host: '127.0.0.1', port: Number(process.argv[1]), user: 'a', password: 'secret' });\
        for (const f of await c.list()) console.log(f.name, f.size, f.isDirectory); c.close(); })()";
    let typed = "user a secret\nls\nmlsd\nnlist\nquit\n";
    let lists = [
        ("curl", said("curl", &["-sS", &url], "")),
        ("lftp", said("lftp", &["--norc", "-c", &lftp], "")),
        ("ncftpls", said("ncftpls", &["-l", "-u", "a", "-p", "secret", "-P", &port, "ftp://127.0.0.1/"], "")),
        ("tnftp", said("tnftp", &["-n", "127.0.0.1", &port], typed)),
        ("rclone", said("rclone", &["--config", "", "lsf", "--format", "ps", &rclone], "")),
        ("aioftp", said("aioftp", &["-c", aioftp, &port], "")),
        ("ftplib", said("python3", &["-c", ftplib, &port], "")),
        ("basic-ftp", said("basic-ftp", &["-e", basic, &port], "")),
    ];
    for (name, list) in lists {
        let Some(list) = list else { continue };
        assert!(list.contains("two words.txt") && list.contains("folder"), "{name}: {list}");
        assert!(list.contains("12345"), "{name}: {list}");
        assert!(!list.contains(".haul"), "{name}: {list}");
    }
}

#[test]
fn a_whole_folder_is_mirrored_both_ways_by_lftp() {
    let place = Place::new();
    let served = place.serve().start();
    let files = ["a.bin", "in/b.bin", "in/deep er/c.bin"];
    for (number, name) in files.iter().enumerate() {
        let path = place.local("up").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        Content::new(number as u64, 50_000).write_to(path);
    }
    let (up, down) = (place.local("up"), place.local("down"));
    let script = format!(
        "set ftp:ssl-allow no; open -u a,secret -p {} 127.0.0.1; mirror -R {} /up; mirror /up {}",
        served.addr().port(),
        up.display(),
        down.display()
    );
    let Some(_) = said("lftp", &["--norc", "-c", &script], "") else { return };
    for (number, name) in files.iter().enumerate() {
        Content::new(number as u64, 50_000).assert_file_is(place.far("up").join(name));
        Content::new(number as u64, 50_000).assert_file_is(down.join(name));
    }
}

#[test]
fn a_name_with_a_line_end_is_neither_listed_nor_reached_nor_made() {
    let place = Place::new();
    std::fs::write(place.far("evil\r\n226 done"), "x").unwrap();
    std::fs::write(place.far("plain"), "x").unwrap();
    let served = place.serve().start();
    let mut client = owner(served.addr());
    assert_eq!(client.names("/"), ["plain"]);
    for list in ["LIST", "MLSD", "NLST"] {
        let text = String::from_utf8(client.receives(list)).unwrap();
        assert!(!text.contains("226 done"), "{list}: {text}");
    }
    // Telnet's way to say a bare CR is CR NUL (RFC 2640 §3.1 has names with it).
    client.sends_bytes(b"STOR evil\r\0name\r\n");
    let refused = client.reply();
    assert!((500..600).contains(&refused.code) || refused.code == 425, "{refused:?}");
    client.sends_bytes(b"MKD nul\0name\r\n");
    let refused = client.reply();
    assert!((500..600).contains(&refused.code), "{refused:?}");
    client.says("NOOP", 200);
}

#[test]
fn data_connections_are_made_to_the_client_as_well() {
    let place = Place::new();
    let content = Content::new(8, SIZE);
    content.write_to(place.local("f.bin"));
    let served = place.serve().start();
    let port = served.addr().port().to_string();
    let lftp = |command: &str| {
        format!(
            "set ftp:ssl-allow no; set ftp:passive-mode off; open -u a,secret -p {port} 127.0.0.1; {command}"
        )
    };
    let local = place.local("f.bin").display().to_string();
    let back = place.local("back").display().to_string();
    let (one, two) = (served.url("/one"), served.url("/two"));
    // By EPRT, by PORT, by lftp, by ncftp.
    said("curl", &["-sS", "-P", "127.0.0.1", "-T", &local, &one], "");
    said("curl", &["-sS", "-P", "127.0.0.1", "--disable-eprt", "-T", &local, &two], "");
    said("lftp", &["--norc", "-c", &lftp(&format!("put {local} -o three; get three -o {back}"))], "");
    let ncftp = ["-V", "-E", "-u", "a", "-p", "secret", "-P", &port, "-C", "127.0.0.1", &local, "/four"];
    said("ncftpput", &ncftp, "");
    for name in stranger(served.addr()).names("/") {
        content.assert_file_is(place.far(&name));
    }
    if std::path::Path::new(&back).exists() {
        content.assert_file_is(back);
    }
}

#[test]
fn text_is_converted_both_ways() {
    let place = Place::new();
    std::fs::write(place.far("unix"), "one\ntwo\n\nthree").unwrap();
    std::fs::write(place.local("text"), "one\ntwo\n\nthree").unwrap();
    let served = place.serve().start();
    let (unix, up) = (served.url("/unix"), served.url("/up"));
    let local = place.local("text").display().to_string();
    if let Some(text) = said("curl", &["-sS", "-B", &unix], "") {
        // It converts what comes, and what goes.
        assert_eq!(text, "one\ntwo\n\nthree");
    }
    if said("curl", &["-sS", "-B", "-T", &local, &up], "").is_some() {
        assert_eq!(std::fs::read(place.far("up")).unwrap(), b"one\ntwo\n\nthree");
    }
    let end = own(&place, &["get", "--ascii", &unix]).run().expect_code(0);
    assert_eq!(std::fs::read(place.local("unix")).unwrap(), b"one\ntwo\n\nthree", "{}", end.stderr);
    let mut text = haul_testkit::Caller::login(served.addr(), "a", "secret");
    // TYPE A is what a session begins with; SIZE counts what would be sent.
    assert_eq!(text.size("unix"), Some(17));
    assert_eq!(text.receives("RETR unix"), b"one\r\ntwo\r\n\r\nthree");
    text.says("TYPE I", 200);
    assert_eq!(text.size("unix"), Some(14));
}

#[test]
fn somebody_anonymous_can_read_by_any_client_and_write_by_none() {
    let place = Place::new();
    let content = Content::new(9, 100_000);
    content.write_to(place.far("f.bin"));
    let served = place.serve().start();
    let url = format!("ftp://{}/f.bin", served.addr());
    let out = place.local("out").display().to_string();
    for (program, args) in [("curl", ["-sS", "-o", &out, &url]), ("wget", ["-q", "-O", &out, &url])] {
        if said(program, &args, "").is_some() {
            content.assert_file_is(&out);
        }
    }
    let Some(curl) = haul_testkit::real::peer("curl") else { return };
    let new = format!("ftp://{}/new", served.addr());
    let end = haul_testkit::Haul::new(curl).args(["-sS", "-T", &out, &new]).run();
    assert_ne!(end.code, Some(0));
    assert!(!place.far("new").exists());
}
