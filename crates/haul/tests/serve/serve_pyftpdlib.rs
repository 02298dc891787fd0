//! pyftpdlib's own functional tests, pointed at `haul serve`. What differs is listed here with its reason; one that is
//! listed and passes fails here as well, so that the list says no more than is so.

use std::collections::BTreeMap;

use haul_testkit::{Haul, Serve, real::peer};

use crate::scene::served::Place;

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
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "TestFtpAbort.test_abor_no_data",
        "226 where nothing runs: RFC 959 §5.4 has both, and it is what clients wait for",
    ),
    ("TestFtpAbort.test_abor_pasv", "226, as above: the data connection is closed"),
    ("TestFtpAbort.test_abor_port", "226, as above"),
    ("TestFtpAbort.test_oob_abor", "it sends Telnet's IP before its IAC, as no Telnet does"),
    ("TestFtpAuthentication.test_anon_auth", "`anonymous` may be written in any case"),
    (
        "TestFtpAuthentication.test_auth_failed",
        "the answer to the last try is 421, since the connection ends with it",
    ),
    ("TestFtpAuthentication.test_max_auth", "421, as above"),
    (
        "TestFtpAuthentication.test_rein_during_transfer",
        "REIN waits until the transfer has ended (RFC 959 §4.1.1)",
    ),
    ("TestFtpAuthentication.test_user_during_transfer", "USER waits until the transfer has ended"),
    ("TestFtpCmdsSemantic.test_auth_cmds", "OPTS is heard before a login: lftp says OPTS UTF8 there"),
    ("TestFtpCmdsSemantic.test_no_auth_cmds", "SITE HELP is heard after a login only"),
    ("TestFtpDummyCmds.test_allo", "ALLO needs a number: it is made use of"),
    ("TestFtpDummyCmds.test_mode", "MODE B is there (RFC 959 §3.4.2)"),
    ("TestFtpDummyCmds.test_opts_feat", "a fact that is unknown is left out and not refused (RFC 3659 §7.9)"),
    ("TestFtpDummyCmds.test_site_help", "SITE HELP lists all of them, whatever is asked for"),
    ("TestFtpDummyCmds.test_stru", "STRU R is there (RFC 959 §3.1.2.2)"),
    ("TestFtpDummyCmds.test_type", "TYPE L 7 would be another byte: only L 8 is there"),
    ("TestFtpFsOperations.test_cwd", "CWD needs a folder (RFC 959 §5.3.1)"),
    ("TestFtpFsOperations.test_mdtm", "a folder has a date, too"),
    ("TestFtpFsOperations.test_size", "SIZE in TYPE A is what TYPE A would send (RFC 3659 §4)"),
    ("TestFtpListingCmds.test_mlsd_all_facts", "a folder has no size"),
    (
        "TestFtpRetrieveData.test_restore_on_retr",
        "425 comes first: it asks for no data connection before RETR",
    ),
    ("TestFtpStoreData.test_appe_rest", "503: APPE after REST will not do later either"),
    (
        "TestFtpStoreData.test_quit_during_transfer",
        "221 comes after the reply to the transfer, and not before",
    ),
    ("TestFtpStoreData.test_rest_on_stor", "425 comes first, as with RETR"),
    ("TestFtpStoreData.test_stou", "it asks for a data connection after STOU"),
    ("TestFtpStoreData.test_stou_orphaned_file", "425, as above; no file is left behind"),
    (
        "TestIPv4Environment.test_eprt",
        "EPRT is connected to when a transfer begins, and not before (RFC 959 §3.2)",
    ),
    ("TestFtpStoreData.test_stou_rest", "503: STOU after REST will not do later either"),
];

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
                wrong.push_str(&format!("{test} passes; listed was: {reason}\n"));
            }
            _ => {}
        }
    }
    for (name, _) in DIFFERENCES {
        assert!(results.contains_key(*name), "{name} is no test any more");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
