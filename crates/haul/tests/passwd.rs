//! `haul passwd`, as a script uses it: a password in, a hash out, and nothing else anywhere.

// A test that cannot go on should stop where it stands.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use haul_server::accounts::Password;

fn passwd(stdin: &str) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.env_clear().arg("passwd").write_stdin(stdin).output().unwrap()
}

#[test]
fn a_password_from_a_pipe_becomes_a_hash_that_a_server_takes() {
    let (first, second) = (passwd("a secret\n"), passwd("a secret\n"));
    for output in [&first, &second] {
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
        let hash = str::from_utf8(&output.stdout).unwrap().strip_suffix('\n').unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(Password::hashed(hash).is_some(), "{hash}");
    }
    assert_ne!(first.stdout, second.stdout, "each has a salt of its own");
}

#[test]
fn no_password_is_code_2_and_one_line() {
    for stdin in ["", "\n", "\r\n", &"a".repeat(2000)] {
        let output = passwd(stdin);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("haul: the password ") && told.lines().count() == 1, "{told}");
    }
}
