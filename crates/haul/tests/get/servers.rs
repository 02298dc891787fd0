//! Real servers: what nginx, Apache, lighttpd, caddy and python's http.server serve arrives whole, whatever happens to
//! the process that fetches it.

use crate::scene;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::scene::{MIB, SOON, Scene, Told, haul};
use haul_testkit::real::{Apache, Caddy, Lighttpd, Nginx, PythonHttp, Running};
use haul_testkit::{Content, Link};
use tempfile::TempDir;

const FILE: Content = Content::new(41, 24 * MIB + 12_345);
/// The date of all served files: long ago, so that no server doubts its own validators.
const DATE: u64 = 1_600_000_000;

fn put(content: Content, at: &Path) {
    content.write_to(at);
    let date = UNIX_EPOCH + Duration::from_secs(DATE);
    File::options().write(true).open(at).unwrap().set_modified(date).unwrap();
}

/// A folder to serve with f.bin in it.
fn served() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    put(FILE, &dir.path().join("f.bin"));
    dir
}

/// Fetches f.bin with this many lanes, is killed in the middle, and fetches on: less than 1 MiB a lane is lost. Without
/// ranges the whole has to come again, and is right all the same.
fn survives_a_kill(server: &Running, lanes: u64, ranges: bool) {
    let link = Link::to(server.addr());
    link.rate(Some(16 * MIB / lanes));
    let scene = Scene::new();
    let (n, url) = (lanes.to_string(), link.url("/f.bin"));

    let first = scene.get(&["-n", &n, &url]).spawn();
    first.wait_for_line(|line| done_by(line) > 9 * MIB, SOON);
    // What has passed may lie before haul still.
    let passed = link.passed();
    let taken = passed.saturating_sub(scene::queued(link.addr().port()).unwrap_or(0));
    let killed = first.kill_9();
    assert_eq!(killed.signal, Some(9), "{}", killed.stderr);
    scene::wait_until(|| link.open() == 0);
    assert_eq!(scene.files(), ["f.bin.part", "f.bin.part.haul"]);

    link.rate(None);
    let told = scene.run(&["-n", &n, &url], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    scene.assert_only("f.bin");
    let modified = std::fs::metadata(scene.path("f.bin")).unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(DATE));
    // Some of what passed are heads of answers.
    let lost = taken.saturating_sub(told.kept());
    assert!(lost < lanes * MIB, "{lost} bytes of the first run were lost\n{told}");
    if ranges {
        assert_eq!(told.verified(), "etag", "{told}");
        assert!(told.kept() + told.fetched() >= FILE.size(), "{told}");
    } else {
        // All of it came by again, and what was there was compared with it.
        assert!(told.fetched() >= FILE.size(), "{told}");
    }
}

/// How far a line of progress says that it is.
fn done_by(line: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["done"].as_u64().unwrap_or_default()
}

fn survives_kills(server: Option<Running>, ranges: bool) {
    let Some(server) = server else { return };
    for lanes in [1, 8] {
        survives_a_kill(&server, lanes, ranges);
    }
}

#[test]
fn nginx_is_resumed_after_a_kill() {
    let dir = served();
    survives_kills(Nginx::serve(dir.path()), true);
}

#[test]
fn apache_is_resumed_after_a_kill() {
    let dir = served();
    survives_kills(Apache::serve(dir.path()), true);
}

#[test]
fn lighttpd_is_resumed_after_a_kill() {
    let dir = served();
    survives_kills(Lighttpd::serve(dir.path()), true);
}

#[test]
fn caddy_is_resumed_after_a_kill() {
    let dir = served();
    survives_kills(Caddy::serve(dir.path()), true);
}

#[test]
fn python_without_ranges_is_right_after_a_kill() {
    let dir = served();
    survives_kills(PythonHttp::serve(dir.path()), false);
}

#[test]
fn a_server_that_allows_two_requests_is_asked_by_two() {
    let dir = served();
    let Some(server) = Nginx::over(dir.path()).limit_conn(2).limit_rate(8 * MIB).start() else { return };
    let scene = Scene::new();
    let told = scene.run(&["-n", "8", &server.url("/f.bin")], 0);
    FILE.assert_file_is(scene.path("f.bin"));
    let refusals = server.log().matches("\" 503 ").count();
    assert!(refusals <= 16, "it was asked {refusals} times too often\n{told}");
}

#[test]
fn a_password_is_taken_from_everywhere_it_may_be() {
    let dir = served();
    let Some(server) = Nginx::over(dir.path()).auth("ann", "hunter2").start() else { return };
    let url = server.url("/f.bin");
    let netrc = dir.path().join("netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login ann password hunter2\n").unwrap();
    let by_netrc = format!("--netrc={}", netrc.display());
    let in_url = url.replace("//", "//ann:hunter2@");
    for (args, password) in [
        (&["-u", "ann:hunter2", &url][..], None),
        (&["-u", "ann", &url], Some("hunter2")),
        (&[&by_netrc, &url], None),
        (&[&in_url], None),
    ] {
        let scene = Scene::new();
        let run = scene.get(args);
        let run = if let Some(password) = password { run.env("HAUL_PASSWORD", password) } else { run };
        let end = run.run().expect_code(0);
        FILE.assert_file_is(scene.path("f.bin"));
        assert!(!end.stderr.contains("hunter2"), "{}", end.stderr);
    }
    for args in [&[url.as_str()][..], &["-u", "ann:mistyped", &url]] {
        let scene = Scene::new();
        let said = scene.run(args, 4).message();
        assert!(said.contains("401") && said.contains("password") && !said.contains("mistyped"), "{said}");
        assert!(scene.files().is_empty());
    }
}

#[test]
fn what_is_not_there_or_forbidden_is_refused_at_once() {
    let dir = served();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    let refused = |server: &Running, path: &str, said: &str| {
        let scene = Scene::new();
        let told = scene.run(&[&server.url(path)], 4);
        let message = told.message();
        assert!(message.contains(said) && message.contains(path), "{message}");
        assert!(told.all("retry").is_empty(), "{told}");
        assert!(scene.files().is_empty());
    };
    for server in [Nginx::serve(dir.path()), PythonHttp::serve(dir.path()), Apache::serve(dir.path())] {
        let Some(server) = server else { continue };
        refused(&server, "/nothing.bin", "404");
    }
    if let Some(nginx) = Nginx::serve(dir.path()) {
        // It redirects the first to the second, and lists neither.
        refused(&nginx, "/folder", "403 Forbidden");
        refused(&nginx, "/folder/", "403 Forbidden");
    }
}

#[test]
fn one_url_that_fails_does_not_stop_the_others() {
    let dir = served();
    let small = Content::new(42, 70_000);
    for (name, size) in [("a.bin", 70_000), ("b.bin", 1), ("c.bin", 0)] {
        put(small.resized(size), &dir.path().join(name));
    }
    let Some(server) = Nginx::serve(dir.path()) else { return };
    let scene = Scene::new();
    let urls = ["/a.bin", "/none.bin", "/b.bin", "/c.bin", "/f.bin"].map(|path| server.url(path));
    let [a, none, b, c, f] = urls.each_ref().map(String::as_str);
    let told = scene.run(&["-j", "2", a, none, b, c, f], 4);
    assert_eq!(scene.files(), ["a.bin", "b.bin", "c.bin", "f.bin"]);
    for (name, size) in [("a.bin", 70_000), ("b.bin", 1), ("c.bin", 0)] {
        small.resized(size).assert_file_is(scene.path(name));
    }
    FILE.assert_file_is(scene.path("f.bin"));
    assert_eq!(told.all("done").len(), 4, "{told}");
    assert!(told.message().contains("404"), "{told}");
}

#[test]
fn urls_come_from_a_file_or_from_standard_input() {
    let dir = served();
    let small = Content::new(43, 70_000);
    for name in ["a.bin", "b.bin"] {
        put(small, &dir.path().join(name));
    }
    let Some(server) = Nginx::serve(dir.path()) else { return };
    let list = format!("# what I want\n{}\n\n  {}\n", server.url("/a.bin"), server.url("/b.bin"));
    let file = dir.path().join("list");
    std::fs::write(&file, &list).unwrap();
    let by_file = Scene::new();
    by_file.run(&["--input-file", file.to_str().unwrap()], 0);
    let by_input = Scene::new();
    by_input.get(&["--input-file", "-"]).input(list).run().expect_code(0);
    for scene in [by_file, by_input] {
        assert_eq!(scene.files(), ["a.bin", "b.bin"]);
        small.assert_file_is(scene.path("a.bin"));
        small.assert_file_is(scene.path("b.bin"));
    }
}

#[test]
fn the_file_goes_where_it_is_told() {
    let dir = served();
    let Some(server) = Nginx::serve(dir.path()) else { return };
    let url = server.url("/f.bin");
    let scene = Scene::new();
    std::fs::create_dir(scene.path("d")).unwrap();
    scene.run(&["-o", "x.bin", &url], 0);
    scene.run(&["-d", "d", &url], 0);
    scene.run(&["-d", "d", "-o", "y.bin", &url], 0);
    for name in ["x.bin", "d/f.bin", "d/y.bin"] {
        FILE.assert_file_is(scene.path(name));
    }
    let said = scene.run(&["-d", "nowhere", &url], 7).message();
    assert!(said.contains("the folder nowhere does not exist"), "{said}");
    assert_eq!(scene.files(), ["d", "x.bin"]);
}

#[test]
fn a_finished_file_is_done_and_another_one_in_its_place_is_kept() {
    let dir = served();
    let Some(server) = Nginx::serve(dir.path()) else { return };
    let url = server.url("/f.bin");
    let scene = Scene::new();
    scene.run(&[&url], 0);
    let again = scene.run(&[&url], 0);
    assert_eq!(again.done()["already"], true, "{again}");
    assert!(again.fetched() < FILE.size(), "{again}");

    scene.write("f.bin", "mine");
    let said = scene.run(&[&url], 7).message();
    assert!(said.contains("--overwrite") && said.contains("-o"), "{said}");
    assert_eq!(scene.read("f.bin"), b"mine");
    scene.assert_only("f.bin");
    scene.run(&["--overwrite", &url], 0);
    FILE.assert_file_is(scene.path("f.bin"));
}

#[test]
fn standard_output_is_filled_in_order() {
    let dir = served();
    let Some(server) = Nginx::serve(dir.path()) else { return };
    let link = Link::to(server.addr());
    link.cut_after(5 * MIB, haul_testkit::Cut::Rst);
    let scene = Scene::new();
    let end = scene.get(&["-n", "8", "-o", "-", &link.url("/f.bin")]).run().expect_code(0);
    assert!(end.stdout == FILE.bytes(0..FILE.size()), "{} bytes came\n{}", end.stdout.len(), end.stderr);
    let told = Told::by(end);
    assert_eq!(told.done()["file"], "-");
    assert!(scene.files().is_empty());
}

#[test]
fn probe_tells_what_real_servers_do() {
    let dir = served();
    let verdict = |server: &Running| {
        let end = haul().args(["probe", &server.url("/f.bin")]).run().expect_code(0);
        String::from_utf8(end.stdout).unwrap().lines().last().unwrap_or_default().to_owned()
    };
    for server in [Nginx::serve(dir.path()), Lighttpd::serve(dir.path()), Caddy::serve(dir.path())] {
        let Some(server) = server else { continue };
        let verdict = verdict(&server);
        assert!(verdict.starts_with("resume: yes — "), "{verdict}");
    }
    if let Some(server) = PythonHttp::serve(dir.path()) {
        let verdict = verdict(&server);
        assert!(verdict.starts_with("resume: no — "), "{verdict}");
    }
}
