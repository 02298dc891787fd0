//! Commands and URL paths: whatever comes in, one line goes out.
#![no_main]

use haul_proto::ftp::{Command, path::FtpPath};
use libfuzzer_sys::fuzz_target;

fn assert_one_line(command: &Command) {
    let body = command.wire().strip_suffix(b"\r\n").unwrap();
    assert!(!body.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
}

fuzz_target!(|input: (&str, &[u8])| {
    let (text, bytes) = input;
    let path = FtpPath::from_url(text).map(|path| path.pathname()).unwrap_or_default();
    for argument in [bytes, &path] {
        let made = [Command::retr(argument), Command::pass(argument), Command::list(Some(argument))];
        made.iter().flatten().for_each(assert_one_line);
    }
    Command::raw(text).iter().for_each(assert_one_line);
});
