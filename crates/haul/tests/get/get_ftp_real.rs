//! `haul get` from every real FTP server: on one lane and on eight, killed at half and gone on with, changed between
//! runs, refused, full.

use crate::scene;
use std::{
    fs::File,
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use haul_testkit::{
    Content,
    real::{Microsocks, ProFtpd, PureFtpd, Pyftpdlib, Running, Tinyproxy, Vsftpd},
};

use crate::scene::{
    MIB, SOON, Scene,
    ftp::{SERVERS, SIZE, Served, Start},
    kept_by,
};

const FILE: Content = Content::new(90, SIZE);

fn each(test: impl Fn(&Served, &Running)) {
    for (name, start) in SERVERS {
        println!("{name}");
        let served = Served::of(FILE);
        let Some(server) = start(served.root()) else { continue };
        test(&served, &server);
    }
}

#[test]
fn a_file_arrives_on_one_lane_and_on_eight() {
    each(|_, server| {
        for lanes in ["1", "8"] {
            let scene = Scene::in_memory();
            let url = server.login_url("/f.bin");
            let told = scene.run(&["-n", lanes, &url], 0);
            FILE.assert_file_is(scene.path("f.bin"));
            scene.assert_only("f.bin");
            assert_eq!(told.verified(), "date", "{told}");
            let again = scene.run(&["-n", lanes, &url], 0);
            // What the question brings along is not used.
            assert!(again.fetched() < MIB && again.done()["already"] == true, "{again}");
        }
    });
}

#[test]
fn it_gets_the_servers_date() {
    each(|served, server| {
        let scene = Scene::in_memory();
        scene.run(&[&server.login_url("/f.bin")], 0);
        let far = served.path("f.bin").metadata().unwrap().mtime();
        assert_eq!(scene.path("f.bin").metadata().unwrap().mtime(), far);
    });
}

#[test]
fn killed_at_half_on_one_lane_it_goes_on() {
    each(|_, server| {
        let scene = Scene::in_memory();
        scene.killed_at_half_and_resumed(1, FILE, &[&server.login_url("/f.bin")]);
    });
}

#[test]
fn killed_at_half_on_eight_lanes_it_goes_on() {
    each(|_, server| {
        let scene = Scene::in_memory();
        scene.killed_at_half_and_resumed(8, FILE, &[&server.login_url("/f.bin")]);
    });
}

#[test]
fn another_date_between_runs_is_another_file() {
    each(|served, server| {
        let (scene, url) = (Scene::in_memory(), server.login_url("/f.bin"));
        let new = FILE.changed(MIB);
        scene.killed_with(SIZE / 2, &["-n", "4", "--limit-rate", "12M", &url]);
        served.put("f.bin", new, 3600);
        server.hand_over();
        let told = scene.run(&["-n", "4", "--on-change", "fail", &url], 5);
        assert!(told.failed()["kept"].as_u64().unwrap() >= SIZE / 2, "{told}");
        let told = scene.run(&["-n", "4", &url], 0);
        assert_eq!(told.all("changed").len(), 1, "{told}");
        new.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    });
}

#[test]
fn a_change_that_keeps_date_and_size_is_found_by_a_checksum() {
    use sha2::{Digest as _, Sha256};
    let served = Served::of(FILE);
    let Some(server) = Vsftpd::serve(served.root()) else { return };
    let (scene, url) = (Scene::in_memory(), server.login_url("/f.bin"));
    let sum = format!("sha-256={:x}", Sha256::digest(FILE.bytes(0..SIZE)));
    scene.killed_with(SIZE / 2, &["--limit-rate", "12M", "--checksum", &sum, &url]);
    served.replace_unseen("f.bin", FILE.changed(0));
    let told = scene.run(&["--checksum", &sum, &url], 6);
    assert_eq!(scene.files(), ["f.bin.bad"], "{told}");
}

#[test]
fn a_file_that_was_just_written_is_compared_by_its_bytes() {
    let served = Served::of(FILE);
    let Some(server) = Vsftpd::serve(served.root()) else { return };
    served.put("f.bin", FILE, 0);
    let (scene, url) = (Scene::in_memory(), server.login_url("/f.bin"));
    scene.killed_with(SIZE / 2, &["--limit-rate", "12M", &url]);
    // In the same second, of the same size: its date says nothing.
    served.replace_unseen("f.bin", FILE.changed(0));
    let told = scene.run(&[&url], 0);
    assert!(told.says_begun_anew(), "{told}");
    FILE.changed(0).assert_file_is(scene.path("f.bin"));
}

#[test]
fn a_wrong_login_and_a_file_that_is_not_there_are_refused_at_once() {
    each(|_, server| {
        let scene = Scene::in_memory();
        let url = server.login_url("/f.bin").replace(server.password(), "n0t-1t");
        let told = scene.run(&[&url], 4);
        assert!(told.message().contains("530"), "{told}");
        assert!(!told.to_string().contains("n0t-1t"), "{told}");
        let told = scene.run(&[&server.login_url("/none")], 4);
        assert!(told.message().contains("550"), "{told}");
        assert!(told.all("retry").is_empty(), "{told}");
        assert!(scene.files().is_empty());
    });
}

#[test]
fn a_server_that_bears_fewer_sessions_is_made_do_with() {
    let limited: [(&str, Start); 4] = [
        ("vsftpd", |root| Vsftpd::over(root).max_clients(3).start()),
        ("proftpd", |root| ProFtpd::over(root).max_clients(3).start()),
        ("pure-ftpd", |root| PureFtpd::over(root).max_clients(3).start()),
        ("pyftpdlib", |root| Pyftpdlib::over(root).max_clients(3).start()),
    ];
    for (name, start) in limited {
        println!("{name}");
        let served = Served::of(FILE);
        let Some(server) = start(served.root()) else { continue };
        let scene = Scene::in_memory();
        let told = scene.run(&["-n", "8", "--limit-rate", "24M", &server.login_url("/f.bin")], 0);
        FILE.assert_file_is(scene.path("f.bin"));
        assert!(told.seconds() < 5.0, "{told}");
        assert!(told.fetched() < SIZE + 3 * MIB, "{told}");
    }
}

#[test]
fn servers_may_connect_to_here() {
    each(|_, server| {
        let scene = Scene::in_memory();
        scene.run(&["-n", "4", "--ftp-active", &server.login_url("/f.bin")], 0);
        FILE.assert_file_is(scene.path("f.bin"));
    });
}

#[test]
fn commands_of_the_users_own_are_sent_before() {
    let served = Served::of(FILE);
    let Some(server) = ProFtpd::serve(served.root()) else { return };
    let scene = Scene::in_memory();
    let url = server.login_url("/f.bin");
    let end = scene::haul().args(["get", "-v", "-n", "1", "--quote", "SYST", "--quote", "NOOP", &url]);
    let end = end.dir(scene.dir()).run().expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
    let at = |what: &str| end.stderr.find(what).unwrap_or_else(|| panic!("no {what}\n{}", end.stderr));
    assert!(at("SYST") < at("215 ") && at("215 ") < at("NOOP") && at("NOOP") < at("RETR"));
    assert!(!end.stderr.contains(server.password()), "{}", end.stderr);
    let told = scene.run(&["--overwrite", "--quote", "NONSENSE", &url], 4);
    assert!(told.message().contains("500"), "{told}");
}

#[test]
fn proxies_carry_lanes_and_a_resume() {
    let proxies = [Microsocks::start(None), Tinyproxy::start(None)];
    for proxy in proxies.iter().flatten() {
        for (_, start) in &SERVERS[..2] {
            let served = Served::of(FILE);
            let Some(server) = start(served.root()) else { continue };
            let scene = Scene::in_memory();
            let url = server.login_url("/f.bin");
            scene.killed_at_half_and_resumed(4, FILE, &["--proxy", &proxy.url(""), &url]);
            assert!(proxy.log().contains("127.0.0.1"), "{}", proxy.log());
        }
    }
}

#[test]
fn active_data_connections_and_a_proxy_are_refused_in_words() {
    let served = Served::of(FILE);
    let (Some(server), Some(proxy)) = (Vsftpd::serve(served.root()), Microsocks::start(None)) else { return };
    let scene = Scene::in_memory();
    let told = scene.run(&["--ftp-active", "--proxy", &proxy.url(""), &server.login_url("/f.bin")], 4);
    assert!(told.message().contains("--ftp-active"), "{told}");
}

#[test]
fn names_that_need_care_arrive() {
    let names = ["with blank", "100%", "ä ö ü", "semi;colon", "que?stion", "quo\"te", "#hash", " lead"];
    for (name, start) in SERVERS {
        println!("{name}");
        let served = Served::of(FILE);
        let content = Content::new(91, 4321);
        for name in names {
            served.put(name, content, 86_400);
        }
        let Some(server) = start(served.root()) else { continue };
        for name in names {
            let scene = Scene::in_memory();
            let coded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            scene.run(&["-o", "out", &server.login_url(&format!("/{coded}"))], 0);
            content.assert_file_is(scene.path("out"));
        }
    }
}

/// A file of 5 GiB that takes no room, with its own offset every 64 KiB behind the first 4 GiB.
fn vast(served: &Served) -> u64 {
    const SIZE: u64 = (5 << 30) + 77;
    let sparse = File::create(served.path("f.bin")).unwrap();
    sparse.set_len(SIZE).unwrap();
    for at in (PAST..SIZE - 8).step_by(64 << 10) {
        sparse.write_all_at(&at.to_le_bytes(), at).unwrap();
    }
    served.age("f.bin");
    SIZE
}

const PAST: u64 = 1 << 32;

/// What the lanes have behind the first 4 GiB: from where, and how far they came.
fn past(line: &str) -> Option<Vec<(u64, u64)>> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let lanes = event["lanes"].as_array()?.iter();
    let lanes = lanes.filter_map(|lane| Some((lane[0].as_u64()?, lane[1].as_u64()?)));
    Some(lanes.filter(|(from, at)| *from > PAST && *at > *from + MIB).collect())
}

#[test]
fn offsets_past_four_gibibytes_are_meant() {
    for (name, start) in &SERVERS[..1] {
        println!("{name}");
        let served = Served::of(FILE);
        let size = vast(&served);
        let Some(server) = start(served.root()) else { continue };
        let scene = Scene::in_memory();
        let url = server.login_url("/f.bin");
        let mut kept = 0;
        // The second run goes on at such an offset, the first one begins there.
        for run in 0..2 {
            let haul = scene.get(&["-n", "8", &url]).spawn();
            if run == 1 {
                assert!(kept_by(&haul) >= kept, "{name}");
            }
            let line = haul.wait_for_line(|line| past(line).is_some_and(|lanes| !lanes.is_empty()), SOON);
            let end = haul.kill_9();
            assert_eq!(end.signal, Some(9), "{name}: {}", end.stderr);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(event["size"], size);
            kept = event["done"].as_u64().unwrap();
            let partial = File::open(scene.path("f.bin.part")).unwrap();
            for (from, to) in past(&line).unwrap() {
                for at in (from.next_multiple_of(64 << 10)..to - 8).step_by(64 << 10) {
                    let mut found = [0; 8];
                    partial.read_exact_at(&mut found, at).unwrap();
                    assert_eq!(u64::from_le_bytes(found), at, "{name}: lane from {from} to {to}");
                }
            }
        }
    }
}

#[test]
fn over_ipv6_it_works_as_well() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let served = Served::of(FILE);
    let both = Vsftpd::over(served.root()).directive("listen=NO").directive("listen_ipv6=YES");
    let Some(server) = both.directive("listen_address6=::").start() else { return };
    let url = server.login_url("/f.bin").replace("127.0.0.1", "[::1]");
    for way in [&["-n", "4"][..], &["-n", "4", "--ftp-active"]] {
        let scene = Scene::in_memory();
        scene.run(&[way, &[&url]].concat(), 0);
        FILE.assert_file_is(scene.path("f.bin"));
    }
}
