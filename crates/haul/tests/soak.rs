//! scripts/soak, which is run for hours before a release: that its checker finds each fault that it is there for, and that
//! a short soak of a few clients with kills, a full disk and reloads comes out as it should.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use haul_testkit::real::peer;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").canonicalize().unwrap()
}

#[test]
fn the_checker_of_the_soak_finds_each_fault() {
    let Some(python) = peer("python3") else { return };
    let out = Command::new(python)
        .args(["-B", "-m", "unittest", "discover", "-s", ".", "-t", ".", "-p", "test_*.py"])
        .current_dir(scripts())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_short_soak_finds_nothing() {
    let Some(python) = peer("python3") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = Command::new(python)
        .arg(scripts().join("soak"))
        .args("--minutes 0.2 --clients 20 --seed 7".split(' '))
        .args(["--haul", env!("CARGO_BIN_EXE_haul"), "--dir"])
        .arg(place.path().join("soak"))
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if !out.status.success() {
        // The journal says what happened.
        let kept = place.keep();
        panic!("{said}\n{errors}\nkept in {}", kept.display());
    }
    assert!(errors.is_empty(), "{errors}");
}
