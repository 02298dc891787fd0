//! How runs end and what they say: hosts that are not there, digests, dates, permissions, and the shapes of progress.

use crate::scene;
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::scene::{MIB, Scene, haul};
use haul_testkit::hostile::Which;
use haul_testkit::{Behaviour, Content, Cut, Haul, HttpPeer, Link};
use serde_json::Value;

const FILE: Content = Content::new(101, 3 * MIB + 1);

/// Runs this, which has to give up with code 3 after three tries in about three seconds, and says why.
fn gives_up_after_three_tries(run: Haul) -> String {
    let began = Instant::now();
    let told = scene::Told::by(run.run().expect_code(3));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(2500) && took < Duration::from_secs(8), "{took:?}\n{told}");
    assert_eq!(told.all("retry").len(), 2, "{told}");
    told.message()
}

#[test]
fn a_typing_error_in_the_host_name_costs_three_seconds() {
    let scene = Scene::new();
    // The resolver of a machine without a network may need long for its "no": that is cut short here.
    let run = scene.get(&["http://no-such-host.invalid/f"]).env("RES_OPTIONS", "timeout:1 attempts:1");
    let said = gives_up_after_three_tries(run);
    assert!(said.contains("unknown host: no-such-host.invalid"), "{said}");
    assert!(scene.files().is_empty());
}

#[test]
fn a_host_where_nobody_listens_costs_three_seconds() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let link = Link::to(peer.addr());
    link.refuse(true);
    scene::wait_until(|| TcpStream::connect(link.addr()).is_err());
    let scene = Scene::new();
    let said = gives_up_after_three_tries(scene.get(&[&link.url("/f")]));
    assert!(said.contains(&format!("cannot connect to {}", link.addr())), "{said}");
    assert!(scene.files().is_empty());

    // Fewer, if asked for.
    let told = scene.run(&["--retries", "0", &link.url("/f")], 3);
    assert!(told.all("retry").is_empty(), "{told}");
}

#[test]
fn a_host_that_comes_back_within_three_seconds_is_no_failure() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let link = Link::to(peer.addr());
    link.refuse(true);
    scene::wait_until(|| TcpStream::connect(link.addr()).is_err());
    let scene = Scene::new();
    let haul = scene.get(&[&link.url("/f.bin")]).spawn();
    haul.wait_for_line(|line| line.contains("\"retry\""), scene::SOON);
    link.refuse(false);
    haul.wait().expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
}

/// A million times `a`: its digests are known everywhere, FIPS 180's examples among them.
const MILLION: Content = Content::repeated(b'a', 1_000_000);
const SUMS: [&str; 5] = [
    "sha-256=cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    "sha-512=e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb\
     de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
    "sha-1=34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    "md5=7707d6ae4e027c70eea2a935c2296f21",
    "blake3=616f575a1b58d4c9797d4217b9730ae5e6eb319d76edef6549b46f4efe31ff8b",
];

#[test]
fn every_algorithm_vouches_for_the_file() {
    let peer = HttpPeer::start(Behaviour::of(MILLION));
    for sum in SUMS {
        let scene = Scene::new();
        let told = scene.run(&["--checksum", sum, &peer.url("/f.bin")], 0);
        assert_eq!(told.verified(), "digest", "{sum}");
        MILLION.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
        // It also tells whether the file that is there is the one.
        let again = scene.run(&["--checksum", &sum.to_uppercase(), &peer.url("/f.bin")], 0);
        assert_eq!((&again.done()["already"], again.verified()), (&Value::Bool(true), "digest"), "{sum}");
    }
}

#[test]
fn a_wrong_digest_leaves_no_file_of_that_name() {
    let peer = HttpPeer::start(Behaviour::of(MILLION));
    for sum in SUMS {
        let last = if sum.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &sum[..sum.len() - 1]);
        let scene = Scene::new();
        let told = scene.run(&["--checksum", &wrong, &peer.url("/f.bin")], 6);
        let said = told.message();
        assert!(said.contains(&wrong) && said.contains(sum) && said.contains("f.bin.bad"), "{said}");
        scene.assert_only("f.bin.bad");
        MILLION.assert_file_is(scene.path("f.bin.bad"));
    }
}

#[test]
fn a_wrong_digest_takes_no_bad_file_of_an_earlier_time() {
    let peer = HttpPeer::start(Behaviour::of(MILLION));
    let scene = Scene::new();
    scene.write("f.bin.bad", "mine");
    let wrong = "md5=00000000000000000000000000000000";
    let said = scene.run(&["--checksum", wrong, &peer.url("/f.bin")], 6).message();
    assert_eq!(scene.read("f.bin.bad"), b"mine");
    assert_eq!(scene.files(), ["f.bin.bad", "f.bin.bad.1"]);
    assert!(said.contains("f.bin.bad.1"), "{said}");
}

#[test]
fn the_finished_file_has_the_servers_date() {
    for seconds in [1_234_567_890, 0, 4_000_000_000] {
        let peer = HttpPeer::start(Behaviour::of(FILE).modified(Some(seconds)));
        let scene = Scene::new();
        scene.run(&[&peer.url("/f.bin")], 0);
        let modified = std::fs::metadata(scene.path("f.bin")).unwrap().modified().unwrap();
        assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(seconds));
    }
}

#[test]
fn the_finished_file_has_the_permissions_that_the_umask_gives() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("077", 0o600), ("002", 0o664)] {
        let scene = Scene::new();
        let script = format!("umask {umask}; exec \"$0\" get \"$1\"");
        let (bin, url) = (env!("CARGO_BIN_EXE_haul"), peer.url("/f.bin"));
        Haul::new("/bin/sh").args(["-c", &script, bin, &url]).dir(scene.dir()).run().expect_code(0);
        let mode = std::fs::metadata(scene.path("f.bin")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{mode:o}");
    }
}

#[test]
fn ipv6_works() {
    let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        println!("skipped: this machine has no IPv6");
        return;
    };
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let (port, to) = (six.local_addr().unwrap().port(), peer.addr());
    // A door on ::1 to the peer: it ends with the test's process.
    std::thread::spawn(move || {
        for client in six.incoming().flatten() {
            let server = TcpStream::connect(to).unwrap();
            for (mut from, mut into) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut into);
                    let _ = into.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    for host in ["[::1]", "[0:0:0:0:0:0:0:1]"] {
        let scene = Scene::new();
        scene.run(&["-n", "4", &format!("http://{host}:{port}/f.bin")], 0);
        FILE.assert_file_is(scene.path("f.bin"));
    }
    assert!(peer.requests().iter().any(|request| request.field("Host") == Some(&format!("[::1]:{port}"))));
}

/// What `haul get` with these options says on standard error, in a run with a cut; standard output has to be empty.
fn told_with(options: &[&str]) -> String {
    let behaviour = Behaviour::of(FILE).cut(Which::First(1), MIB, Cut::Rst);
    let peer = HttpPeer::start(behaviour.rate(Which::Every, 4 * MIB));
    let scene = Scene::new();
    let end = haul().arg("get").args(options).arg(peer.url("/f.bin")).dir(scene.dir()).run().expect_code(0);
    assert!(end.stdout.is_empty());
    FILE.assert_file_is(scene.path("f.bin"));
    end.stderr
}

#[test]
fn plain_progress_is_a_few_whole_lines() {
    for options in [&[][..], &["--progress", "plain"], &["--progress", "bar"]] {
        let said = told_with(options);
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.len() >= 2 && lines.len() < 8, "{said}");
        assert!(lines.iter().all(|line| line.starts_with("f.bin: ")), "{said}");
        assert!(lines[0].contains("3.0 MiB from http://127.0.0.1:"), "{said}");
        assert!(lines.last().unwrap().starts_with("f.bin: done, 3.0 MiB in "), "{said}");
        assert!(!said.contains(['\r', '\x1b']), "no terminal's tricks in a log\n{said:?}");
    }
}

#[test]
fn quiet_says_nothing_unless_it_fails() {
    for option in [&["-q"][..], &["--progress", "none"]] {
        assert_eq!(told_with(option), "");
        let peer = HttpPeer::start(Behaviour::of(FILE).auth("a", "b"));
        let scene = Scene::new();
        let end = haul().arg("get").args(option).arg(peer.url("/f")).dir(scene.dir()).run().expect_code(4);
        assert_eq!(end.stderr.lines().count(), 1, "{}", end.stderr);
        assert!(end.stderr.starts_with("haul: f: "), "{}", end.stderr);
    }
}

#[test]
fn json_progress_has_the_members_of_the_contract() {
    let said = told_with(&["--progress", "json", "-n", "2"]);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "start");
    assert_eq!(events[0]["size"], FILE.size());
    let mut progress = 0;
    for event in events.iter().filter(|event| event["event"] == "progress") {
        progress += 1;
        assert_eq!((&event["file"], &event["size"]), (&events[0]["file"], &events[0]["size"]));
        assert!(event["done"].as_u64() <= Some(FILE.size()) && event["rate"].is_number(), "{event}");
        for lane in event["lanes"].as_array().unwrap() {
            let place = |index: usize| lane[index].as_u64().unwrap();
            assert!(place(0) <= place(1) && place(1) <= place(2) && place(2) <= FILE.size(), "{event}");
        }
    }
    assert!(progress >= 3, "{said}");
    let done = events.last().unwrap();
    assert_eq!((&done["event"], &done["verified"]), (&"done".into(), &"etag".into()), "{said}");
    assert!(done["fetched"].as_u64() >= Some(FILE.size()) && done["seconds"].as_f64() > Some(0.1), "{done}");
}

#[test]
fn verbose_tells_what_is_asked_and_no_secret() {
    let peer = HttpPeer::start(Behaviour::of(FILE).auth("ann", "hunter2"));
    let scene = Scene::new();
    let url = peer.url("/f.bin?token=s3cret");
    let run = haul().args(["get", "-vv", "-u", "ann:hunter2", "-H", "X-Key: k3y", &url]).dir(scene.dir());
    let said = run.run().expect_code(0).stderr;
    assert!(said.contains("request") && said.contains("206"), "{said}");
    for secret in ["hunter2", "k3y", "s3cret", "YW5uOmh1bnRlcjI"] {
        assert!(!said.contains(secret), "{secret} in\n{said}");
    }
}

#[test]
fn nobody_listening_to_standard_error_or_output_is_no_disaster() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let scene = Scene::new();
    let bin = env!("CARGO_BIN_EXE_haul");
    let shell = |script: &str| {
        Haul::new("/bin/bash").args(["-c", script, bin, &peer.url("/f.bin")]).dir(scene.dir()).run()
    };
    shell("\"$0\" get \"$1\" 2> >(exec true) && wait").expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
    let end = shell("\"$0\" get -o - \"$1\" | head -c 10 | wc -c; exit ${PIPESTATUS[0]}");
    assert_eq!(end.stdout.trim_ascii(), b"10");
    assert_eq!(end.code, Some(7), "the output went away\n{}", end.stderr);
}
