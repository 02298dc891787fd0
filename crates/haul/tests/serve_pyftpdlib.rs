//! pyftpdlib's own functional tests, pointed at `haul serve`. What differs is listed here with its reason; one that is
//! listed and passes fails here as well, so that the list says no more than is so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may"
)]

mod scene;

use std::collections::BTreeMap;

use haul_testkit::{Haul, Serve, real::peer};

use scene::served::Place;

/// The classes of it that ask a server, and not pyftpdlib's inside: what sets limits, times and callbacks of a server
/// in the same process is left out.
const CLASSES: [&str; 9] = [
    "TestFtpAuthentication",
    "TestFtpDummyCmds",
    "TestFtpCmdsSemantic",
    "TestFtpFsOperations",
    "TestFtpStoreData",
    "TestFtpRetrieveData",
    "TestFtpListingCmds",
    "TestFtpAbort",
    "TestIPv4Environment",
];

/// What is otherwise here, and why.
const DIFFERENCES: &[(&str, &str)] = &[];

#[test]
fn pyftpdlibs_functional_tests_pass_but_for_what_is_listed() {
    let Some(python) = peer("pyftpdlib-tests") else { return };
    let place = Place::new();
    let served = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root())
        .args(["--user", "user:12345", "--anonymous", "r"])
        .start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scene/pyftpdlib_suite.py");
    let port = served.addr().port().to_string();
    let tests = Haul::new(python).args([script, "127.0.0.1", &port]).args(CLASSES).dir(place.root());
    let end = tests.env("PYTHONDONTWRITEBYTECODE", "1").run().expect_code(0);
    let told = String::from_utf8(end.stdout).unwrap();
    let results: BTreeMap<String, (String, String)> = told
        .lines()
        .map(|line| {
            let told: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| told[key].as_str().unwrap().to_owned();
            (text("test"), (text("result"), text("why")))
        })
        .collect();
    let passed = results.values().filter(|(result, _)| result == "passed").count();
    println!("{passed} of {} passed", results.len());
    assert!(results.len() > 60, "{told}");
    let mut wrong = String::new();
    for (test, (result, why)) in &results {
        let listed = DIFFERENCES.iter().find(|(name, _)| name == test);
        match (result.as_str(), listed) {
            ("failed", None) => wrong.push_str(&format!("{test} fails:\n{why}\n")),
            ("passed", Some((_, reason))) => {
                wrong.push_str(&format!("{test} passes; listed was: {reason}\n"))
            }
            _ => {}
        }
    }
    for (name, _) in DIFFERENCES {
        assert!(results.contains_key(name), "{name} is no test any more");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
