//! `haul demo`: it comes out well, says so, and leaves nothing; where it cannot, it says why.

// A test that cannot go on should stop where it stands.
use std::path::Path;
use std::time::{Duration, Instant};

use haul_testkit::Haul;

use crate::scene::{SOON, Scene, files, haul};

/// A demo whose scratch folder is made in `dir`.
fn demo(dir: &Path, args: &[&str]) -> Haul {
    haul().arg("demo").args(args).env("TMPDIR", dir).dir(dir)
}

/// The processes that are at work in a folder below this one.
fn processes_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let folders =
        entries.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
    let inside = folders.filter(|entry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir) && cwd != dir)
    });
    inside.map(|entry| entry.path().display().to_string()).collect()
}

/// The rows of the table, each as its cells.
fn rows(said: &str) -> Vec<Vec<String>> {
    let table = said.lines().skip_while(|line| !line.starts_with("step  ")).skip(1);
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect();
    table.take_while(|line| !line.is_empty()).map(cells).collect()
}

#[test]
fn it_comes_out_well_in_time_and_leaves_nothing() {
    let scene = Scene::new();
    let begun = Instant::now();
    let end = demo(scene.dir(), &["--size", "24M"]).run().expect_code(0);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let said = String::from_utf8(end.stdout).unwrap();
    assert_eq!(end.stderr, "", "{said}");

    let rows = rows(&said);
    let column = |column: usize| rows.iter().map(|row| row[column].as_str()).collect::<Vec<_>>();
    assert_eq!(column(0), ["download", "upload by HTTP", "upload by FTP", "changed file"], "{said}");
    assert_eq!(column(1), ["24.0 MiB"; 4], "{said}");
    let whole = "whole, every byte right";
    let well = [whole, whole, whole, "the new one, whole, no mix"];
    assert_eq!(column(6), well, "{said}");
    for row in &rows {
        assert!(row[4].parse::<u32>().unwrap() >= 5, "each connection carries a sixteenth: {said}");
    }
    // What is told of a step is what happened: killed, kept, drawn, gone on with.
    assert_eq!(said.matches("killed with -9").count(), 4, "{said}");
    assert_eq!(said.matches("  map  ").count(), 4, "{said}");
    assert_eq!(said.matches("  resumed at ").count(), 3, "{said}");
    assert_eq!(said.matches("the remote file changed: ").count(), 1, "{said}");
    assert_eq!(said.matches("byte by byte: the same").count(), 4, "{said}");
    assert!(!said.contains('\x1b'), "no terminal, no colours and no moving line: {said}");

    assert_eq!(files(scene.dir()), [""; 0], "nothing is left");
    assert_eq!(processes_in(scene.dir()), [""; 0], "nothing runs");
}

#[test]
fn interrupted_it_leaves_nothing_either() {
    for terminate in [false, true] {
        let scene = Scene::new();
        let running = demo(scene.dir(), &[]).spawn();
        running.wait_for_output_line(|line| line.contains("killed with -9"), SOON);
        assert!(!processes_in(scene.dir()).is_empty(), "the server is at work");
        if terminate {
            running.terminate();
        } else {
            running.interrupt();
        }
        let end = running.wait_at_most(SOON).expect_code(130);
        assert!(end.stderr.starts_with("haul: interrupted; "), "{}", end.stderr);
        assert_eq!(files(scene.dir()), [""; 0]);
        assert_eq!(processes_in(scene.dir()), [""; 0], "it has waited for what it killed");
    }
}

#[test]
fn what_is_kept_is_told() {
    let scene = Scene::new();
    let running = demo(scene.dir(), &["--keep", "--size", "8M"]).spawn();
    running.wait_for_output_line(|line| line.contains("killed with -9"), SOON);
    running.interrupt();
    let end = running.wait_at_most(SOON).expect_code(130);
    let said = String::from_utf8(end.stdout).unwrap();
    let kept = said.lines().find_map(|line| line.strip_prefix("Kept: ")).unwrap();
    assert_eq!(files(Path::new(kept)), ["here", "home", "served"]);
    assert!(files(&Path::new(kept).join("here")).contains(&"disk.img.part".to_owned()));
}

#[test]
fn without_a_place_for_its_files_it_says_so() {
    let scene = Scene::new();
    scene.write("file", "no folder");
    let end = demo(scene.dir(), &[]).env("TMPDIR", scene.path("file")).run().expect_code(1);
    assert!(end.stderr.starts_with("haul: cannot make the scratch folder "), "{}", end.stderr);
    assert_eq!(end.stderr.lines().count(), 1, "{}", end.stderr);
    assert_eq!(end.stdout, b"");
}

#[test]
fn a_size_that_makes_no_sense_is_a_mistake_of_usage() {
    let scene = Scene::new();
    for size in ["0", "1M", "big", "-5M"] {
        let end = demo(scene.dir(), &[&format!("--size={size}")]).run().expect_code(2);
        assert!(end.stderr.starts_with("haul: --size: "), "{}", end.stderr);
        assert_eq!(files(scene.dir()), [""; 0]);
    }
}
