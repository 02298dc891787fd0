//! The real binary and its command line: bad input of every kind gets one line and exit code 2, and touches nothing.

// A test that cannot go on should stop where it stands.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// haul in a folder of its own, without the caller's proxies and passwords.
fn haul(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.current_dir(folder).env_clear();
    command
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `haul` with these arguments over an empty folder, and demands one line, code 2 and an empty folder.
fn refused(arguments: &[&str], stdin: &str) -> String {
    let folder = TempDir::new().unwrap();
    let ran = run(haul(folder.path()).args(arguments).write_stdin(stdin));
    assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
    assert_eq!(ran.err.matches('\n').count(), 1, "{arguments:?}: {}", ran.err);
    assert!(ran.err.ends_with('\n') && ran.err.starts_with("haul: "), "{arguments:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{arguments:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    ran.err
}

/// Nothing listens here: whoever gets past the checks fails with another code than 2.
const URL: &str = "http://127.0.0.1:9/a.iso";

#[test]
fn bad_urls_are_one_line_and_code_2() {
    for bad in [
        "a.iso",
        "www.example.com/a.iso",
        "localhost:8080/a",
        "http://",
        "http://h:99999/",
        "http://[::1/",
        "http://h/a b",
        "http://h/a\nb",
        "sftp://h/a",
        "file:///etc/passwd",
        "",
    ] {
        let said = refused(&["get", bad], "");
        assert!(said.ends_with("(see haul get --help)\n"), "{said}");
        refused(&["get", URL, bad], "");
        refused(&["get", "--mirror", bad, URL], "");
        refused(&["probe", bad], "");
    }
    assert!(refused(&["get", "gopher://h/a"], "").contains("it speaks http, https, ftp and ftps"));
}

#[test]
fn bad_values_are_one_line_and_code_2() {
    for (option, values) in [
        ("--checksum", &["x", "sha-256=zz", "sha-256=00", "crc32=00000000", "=", ""][..]),
        ("--limit-rate", &["0", "-1", "fast", "10MB", "", "1e9"]),
        ("--header", &["x", ": v", "a b: c", "x: a\r\ny: b", "Range: bytes=5-", "if-range: \"x\""]),
        ("--user", &["", ":pw"]),
        ("--proxy", &["ftp://p", "http://", "socks4://p:1"]),
        ("--on-change", &["maybe", ""]),
        ("--retries", &["-1", "x", "", "1.5"]),
        ("--timeout", &["0", "-1", "x", "nan", "inf"]),
        ("--connect-timeout", &["0", "x"]),
        ("--connections", &["0", "-1", "x", "100000"]),
        ("--jobs", &["0", "x"]),
        ("--progress", &["pretty"]),
        ("--output", &["..", "x/", "/"]),
        ("--cacert", &["/nonexistent/ca.pem"]),
        ("--netrc", &["/nonexistent/netrc"]),
        ("--input-file", &["/nonexistent/list"]),
    ] {
        for value in values {
            let said = refused(&["get", &format!("{option}={value}"), URL], "");
            assert!(said.contains(option), "{said}");
        }
    }
}

#[test]
fn options_that_are_unknown_or_contradict_each_other_are_one_line_and_code_2() {
    let md5 = "--checksum=md5=d41d8cd98f00b204e9800998ecf8427e";
    for arguments in [
        &[][..],
        &["fetch"],
        &["get"],
        &["get", "--bogus", URL],
        &["get", URL, "--output"],
        &["get", "-q", "--progress", "plain", URL],
        &["get", "-q", "-v", URL],
        &["get", "--restart", "--continue", URL],
        &["get", "--insecure", "--cacert", "x", URL],
        &["get", "-o", "a", URL, "http://h/b"],
        &["get", md5, URL, "http://h/b"],
        &["get", "--mirror", "http://m/a", URL, "http://h/b"],
        &["get", "-o", "-", "--overwrite", URL],
        &["get", "-u", "name-without-password", URL],
        &["probe"],
        &["probe", URL, URL],
        &["status"],
        &["status", "--bogus", "."],
    ] {
        // As a program without a terminal: nobody can be asked for the password.
        if arguments.contains(&"-u") && has_terminal() {
            continue;
        }
        refused(arguments, "");
    }
}

/// Whether the tests themselves have a terminal, at which a password would be asked for.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[test]
fn a_list_of_urls_is_read_whole_before_anything_is_begun() {
    let list = format!("# list\n{URL}\n\nnonsense\n");
    let said = refused(&["get", "-i", "-"], &list);
    assert!(said.contains("line 4") && said.contains("nonsense"), "{said}");
    assert!(refused(&["get", "-i", "-"], "# nothing\n").contains("there is no URL"));
}

#[test]
fn a_password_is_never_repeated() {
    for arguments in [
        &["get", "ftp://me:hunter2@h:99999/a"][..],
        &["get", "http://me:hunter2@h:99999/"],
        &["get", "sftp://me:hunter2@h/a"],
        &["get", "-u", ":hunter2", URL],
        &["get", "-H", "Authorization hunter2", URL],
        &["get", "-H", "X-Key: hunter2\n", URL],
        &["get", "--proxy", "ftp://me:hunter2@h", URL],
    ] {
        let said = refused(arguments, "");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn what_was_typed_is_harmless_for_the_terminal() {
    let said = refused(&["get", "--\x1b[2J"], "");
    assert!(!said.contains('\x1b'), "{said:?}");
}

#[test]
fn with_json_asked_for_even_a_mistake_is_json() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["get", "--progress", "json", "nonsense"][..],
        &["get", "--progress=json", "-o", "x", "http://h/a", "http://h/b"],
        &["get", "--progress=json", "-v", "http://h/a"],
    ] {
        let ran = run(haul(folder.path()).args(arguments));
        assert_eq!(ran.code, Some(2));
        let event: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((&event["event"], &event["code"]), (&"failed".into(), &2.into()), "{}", ran.err);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let folder = TempDir::new().unwrap();
    for (arguments, said) in [
        (&["--help"][..], "Usage: haul <COMMAND>"),
        (&["get", "--help"], "Usage: haul get [OPTIONS]"),
        (&["status", "--help"], "Usage: haul status"),
        (&["probe", "-h"], "Usage: haul probe"),
        (&["demo", "--help"], "Usage: haul demo [OPTIONS]"),
        (&["--version"], concat!("haul ", env!("CARGO_PKG_VERSION"))),
    ] {
        let ran = run(haul(folder.path()).args(arguments));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ran.out.contains(said), "{}", ran.out);
    }
}

#[test]
fn every_option_of_the_contract_that_concerns_http_is_in_the_help() {
    let folder = TempDir::new().unwrap();
    let help = run(haul(folder.path()).args(["get", "--help"])).out;
    assert!(help.contains("Exit codes: 0 done"), "{help}");
    for option in [
        "-o, --output",
        "-d, --dir",
        "-n, --connections",
        "--mirror",
        "--checksum",
        "--limit-rate",
        "-H, --header",
        "-u, --user",
        "--netrc",
        "--proxy",
        "--cacert",
        "--insecure",
        "--on-change",
        "--restart",
        "--overwrite",
        "-c, --continue",
        "--retries",
        "--timeout",
        "--connect-timeout",
        "--progress",
        "-q, --quiet",
        "-v, --verbose",
        "-i, --input-file",
        "-j, --jobs",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn status_of_nothing_is_code_7_and_of_a_finished_file_is_told() {
    let folder = TempDir::new().unwrap();
    let ran = run(haul(folder.path()).args(["status", "a.iso"]));
    assert_eq!((ran.code, ran.out.as_str()), (Some(7), ""));
    assert!(ran.err.starts_with("haul: a.iso: nothing is there"), "{}", ran.err);

    std::fs::write(folder.path().join("a.iso"), "12345").unwrap();
    let ran = run(haul(folder.path()).args(["status", "a.iso", ".", "b.iso"]));
    assert_eq!(ran.code, Some(7), "one of three");
    assert!(ran.out.contains("a.iso: 5 B, no journal") && ran.out.contains(".: nothing is under way"));
    let ran = run(haul(folder.path()).args(["status", "--json", "a.iso"]));
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "{\"state\":\"finished\",\"file\":\"a.iso\",\"size\":5}\n")
    );
}

#[test]
fn status_of_a_partial_without_a_journal_says_so_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.iso.part"), "12345").unwrap();
    let ran = run(haul(folder.path()).args(["status", "a.iso"]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("5 B that no journal speaks of"), "{}", ran.out);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["a.iso.part"]);
}
