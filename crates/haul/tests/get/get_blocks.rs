//! `haul get` in MODE B from `haul serve`, which says that it has it: whole, killed, cut, changed in between, on several
//! lanes, over TLS; and in MODE S from whoever does not say so.

use crate::scene;
use haul_testkit::{Content, Cut, FtpLink, Haul, Serve, real::Vsftpd, tls::Certificates};

use crate::scene::{
    MIB, Scene, Told,
    ftp::{SIZE, Served},
    haul,
    served::serve,
};

const FILE: Content = Content::new(120, SIZE);

fn server(served: &Served) -> Serve {
    serve(served.root())
}

/// `haul get -v ARGS`, whose dialogue is on standard error.
fn talking(scene: &Scene, args: &[&str]) -> Haul {
    haul().args(["get", "-v", "--progress", "none"]).args(args).dir(scene.dir())
}

/// The commands of a dialogue that begin so.
fn said(dialogue: &str, verb: &str) -> Vec<String> {
    let commands =
        dialogue.lines().filter_map(|line| line.split_once("command=\"").or(line.split_once("command=")));
    let commands = commands.map(|(_, command)| command.trim_end_matches('"').trim().to_owned());
    commands.filter(|command| command.split(' ').next() == Some(verb)).collect()
}

#[test]
fn files_of_every_size_come_in_blocks() {
    // Around a block and a marker.
    for size in [0, 1, 65_535, 65_536, MIB, MIB + 1, 3 * MIB, 3 * MIB + 77_777] {
        let content = Content::new(121, size);
        let (served, scene) = (Served::of(content), Scene::in_memory());
        let running = server(&served).start();
        let end = talking(&scene, &["-n", "1", &running.url("/f.bin")]).run().expect_code(0);
        assert_eq!(said(&end.stderr, "MODE"), ["MODE B"], "{size}\n{}", end.stderr);
        content.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
        let piped = haul().args(["get", "-q", "-o", "-", &running.url("/f.bin")]).run().expect_code(0);
        assert!(piped.stdout == content.bytes(0..size), "{size}");
    }
}

#[test]
fn several_lanes_come_in_blocks_and_stop_where_the_next_began() {
    let (served, scene) = (Served::of(FILE), Scene::in_memory());
    let running = server(&served).start();
    let end = talking(&scene, &["-n", "4", &running.url("/f.bin")]).run().expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(said(&end.stderr, "RETR").len() >= 4, "{}", end.stderr);
    let modes = said(&end.stderr, "MODE");
    assert!(modes.iter().all(|mode| mode == "MODE B") && modes.len() <= 5, "{modes:?}");
    let scene = Scene::in_memory();
    let told = scene.run(&["-n", "8", &running.url("/f.bin")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(told.fetched() < SIZE + 8 * MIB, "{told}");
}

#[test]
fn a_killed_client_goes_on_where_it_was() {
    let served = Served::of(FILE);
    let running = server(&served).start();
    for lanes in [1, 4] {
        let scene = Scene::in_memory();
        let told = scene.killed_at_half_and_resumed(lanes, FILE, &[&running.url("/f.bin")]);
        assert_eq!(told.verified(), "date", "{told}");
    }
}

/// In MODE B REST takes a marker, and haul serve's markers are offsets: what goes on says one.
#[test]
fn what_goes_on_begins_at_a_marker_in_blocks() {
    let (served, scene) = (Served::of(FILE), Scene::in_memory());
    let running = server(&served).start();
    let url = running.url("/f.bin");
    let had = scene.killed_with(SIZE / 2, &["-n", "1", "--limit-rate", "12M", &url]);
    let end = talking(&scene, &["-n", "1", &url]).run().expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
    let rests: Vec<u64> =
        said(&end.stderr, "REST").iter().map(|rest| rest["REST ".len()..].parse().unwrap()).collect();
    // The last byte alone shows that REST is meant; then what is missing.
    assert!(
        matches!(rests[..], [last, from] if last == SIZE - 1 && from >= had),
        "{rests:?}\n{}",
        end.stderr
    );
    assert_eq!(said(&end.stderr, "MODE"), ["MODE B"]);
}

#[test]
fn a_connection_that_is_cut_is_gone_on_with() {
    let served = Served::of(FILE);
    let running = server(&served).start();
    for how in [Cut::Fin, Cut::Rst] {
        for lanes in ["1", "4"] {
            let link = FtpLink::to(running.addr());
            link.cut_after(5 * MIB, how);
            let url = running.url("/f.bin").replace(&running.addr().to_string(), &link.addr().to_string());
            let scene = Scene::in_memory();
            let told = scene.run(&["-n", lanes, &url], 0);
            FILE.assert_file_is(scene.path("f.bin"));
            assert!(!told.says_begun_anew(), "{how:?}: {told}");
            assert!(told.fetched() < SIZE + 4 * MIB, "{how:?}, {lanes}: {told}");
            assert!(link.data_connections() > 4, "{how:?}, {lanes}: {}", link.data_connections());
        }
    }
}

#[test]
fn a_file_that_changed_in_between_is_another_one() {
    for lanes in ["1", "4"] {
        let served = Served::of(FILE.changed(MIB));
        let running = server(&served).start();
        let (scene, url) = (Scene::in_memory(), running.url("/f.bin"));
        scene.killed_with(SIZE / 2, &["-n", lanes, "--limit-rate", "12M", &url]);
        served.put("f.bin", FILE, 3600);
        let told = scene.run(&["-n", lanes, "--on-change", "fail", &url], 5);
        assert!(told.message().contains("changed"), "{told}");
        let told = scene.run(&["-n", lanes, &url], 0);
        assert_eq!(told.all("changed").len(), 1, "{told}");
        FILE.assert_file_is(scene.path("f.bin"));
        scene.assert_only("f.bin");
    }
}

#[test]
fn a_killed_server_is_gone_on_with() {
    let (served, scene) = (Served::of(FILE), Scene::in_memory());
    let running = server(&served).start();
    let getting = scene.get(&["-n", "1", "--limit-rate", "12M", &running.url("/f.bin")]).spawn();
    let part = scene.path("f.bin.part");
    scene::wait_until(|| part.metadata().is_ok_and(|found| found.len() > 8 * MIB));
    let _running = running.killed_and_started_again();
    let told = Told::by(getting.wait_at_most(scene::SOON).expect_code(0));
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(told.fetched() < SIZE + 2 * MIB, "{told}");
}

#[test]
fn lists_and_texts_stand_between_files_in_blocks() {
    let served = Served::of(FILE);
    std::fs::create_dir(served.path("sub")).unwrap();
    for name in ["a", "b", "sub/c"] {
        Content::new(122, 100_000).write_to(served.path(name));
    }
    std::fs::write(served.path("text"), "a\nb\n").unwrap();
    let running = server(&served).start();
    let scene = Scene::in_memory();
    scene.run(&["-r", "-n", "2", &running.url("/")], 0);
    let root = std::fs::read_dir(scene.dir()).unwrap().next().unwrap().unwrap().path();
    for name in ["a", "b", "sub/c"] {
        Content::new(122, 100_000).assert_file_is(root.join(name));
    }
    FILE.assert_file_is(root.join("f.bin"));
    scene.run(&["--ascii", &running.url("/text"), &running.url("/a")], 0);
    assert_eq!(scene.read("text"), b"a\nb\n");
}

#[test]
fn over_tls_the_same() {
    let (served, certificates) = (Served::of(FILE), Certificates::for_loopback());
    let (cert, key) = (certificates.cert_pem_path(), certificates.key_pem_path());
    let running = server(&served).arg("--tls-cert").arg(cert).arg("--tls-key").arg(key).start();
    let ca = certificates.ca_pem_path();
    let args = ["--tls", "required", "--cacert", ca.to_str().unwrap(), &running.url("/f.bin")];
    let scene = Scene::in_memory();
    let end = talking(&scene, &[&["-n", "1"], &args[..]].concat()).run().expect_code(0);
    assert_eq!(said(&end.stderr, "MODE"), ["MODE B"], "{}", end.stderr);
    FILE.assert_file_is(scene.path("f.bin"));
    for lanes in [1, 4] {
        Scene::in_memory().killed_at_half_and_resumed(lanes, FILE, &args);
    }
}

#[test]
fn a_server_that_does_not_say_that_it_has_blocks_is_not_asked_for_them() {
    let (served, scene) = (Served::of(FILE), Scene::in_memory());
    let Some(running) = Vsftpd::serve(served.root()) else { return };
    let end = talking(&scene, &["-n", "1", &running.login_url("/f.bin")]).run().expect_code(0);
    assert_eq!(said(&end.stderr, "MODE"), Vec::<String>::new(), "{}", end.stderr);
    FILE.assert_file_is(scene.path("f.bin"));
}
