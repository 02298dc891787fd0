//! What is heard while a transfer runs.

use std::time::{Duration, Instant};

use haul_server::ftp::Settings;
use haul_testkit::Caller;

use super::serve;

/// ABOR as clients say it: as a line, behind Telnet's IP and Synch, and with the Synch marked as urgent, which is what
/// RFC 959 asks for and what moves a byte to where nobody looks unless it is asked to stay.
fn aborts(caller: &mut Caller, how: usize) {
    match how {
        0 => caller.sends("ABOR"),
        1 => caller.sends_bytes(b"\xff\xf4\xff\xf2ABOR\r\n"),
        2 => {
            caller.sends_urgently(b"\xff\xf4\xff");
            caller.sends_bytes(b"\xf2ABOR\r\n");
        }
        _ => {
            caller.sends_urgently(b"\xff\xf4\xff\xf2");
            caller.sends_bytes(b"ABOR\r\n");
        }
    }
}

#[test]
fn abor_ends_a_download_at_once_however_it_is_said() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for how in 0..4 {
        let _data = served.leaving(&mut caller);
        let began = Instant::now();
        aborts(&mut caller, how);
        caller.hears(426);
        caller.hears(226);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        caller.says("NOOP", 200);
    }
}

#[test]
fn abor_ends_an_upload_at_once_and_it_is_kept() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for how in 0..4 {
        let _data = served.arriving(&mut caller);
        while !caller.asks("STAT").text.contains("1000 bytes") {}
        aborts(&mut caller, how);
        caller.hears(426);
        caller.hears(226);
        assert!(!served.root.path().join("new").exists());
        assert_eq!(caller.size("new"), Some(999), "what had come is kept, but for the byte that is held");
        caller.says("DELE new", 250);
    }
}

#[test]
fn abor_ends_a_transfer_whose_data_connection_never_came() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for command in ["RETR f", "STOR new", "LIST"] {
        caller.passive();
        caller.says(command, 150);
        caller.sends("ABOR");
        caller.hears(426);
        caller.hears(226);
    }
}

#[test]
fn commands_that_come_during_a_transfer_are_answered_behind_it_and_in_order() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    let mut data = served.arriving(&mut caller);
    caller.sends("NOOP\r\nSIZE f\r\nPWD");
    data.sends(&[1; 1000]);
    data.finish();
    let codes: Vec<u16> = std::iter::repeat_with(|| caller.reply().code).take(4).collect();
    assert_eq!(codes, [226, 200, 213, 257]);
}

#[test]
fn stat_tells_how_far_a_transfer_is_without_waiting_for_its_end() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    let data = served.leaving(&mut caller);
    let told = caller.asks("STAT");
    assert!((211..=213).contains(&told.code) && told.text.contains(" bytes in "), "{told:?}");
    drop(data);
    caller.hears(426);
}

#[test]
fn a_client_that_dies_with_data_before_control_leaves_no_file() {
    let served = serve(Settings::default());
    for _ in 0..20 {
        let mut caller = served.caller();
        let data = served.arriving(&mut caller);
        // What a kernel does for a process that is killed.
        let began = Instant::now();
        data.fin();
        drop(caller);
        // On a machine that is busy the test itself may be late.
        let late = began.elapsed() > Duration::from_micros(100);
        let mut next = served.caller();
        let deadline = Instant::now() + Duration::from_secs(10);
        while next.asks("SITE WHO").text.contains("STOR") && Instant::now() < deadline {}
        let whole = served.root.path().join("new").exists();
        assert!(late || !whole, "a half file was published");
        next.asks("DELE new");
    }
}

#[test]
fn a_client_that_shuts_its_side_still_hears_the_answers_to_what_it_said() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    caller.sends("PWD\r\nSIZE f\r\nNOOP");
    caller.shuts();
    let codes: Vec<u16> = std::iter::repeat_with(|| caller.reply().code).take(4).collect();
    assert_eq!(codes, [257, 213, 200, 0]);
}

#[test]
fn what_abor_cuts_off_does_not_end_as_a_whole_file_ends() {
    let served = serve(Settings::default());
    let mut caller = served.caller();
    for form in ["TYPE I", "TYPE A"] {
        caller.says(form, 200);
        let data = served.leaving(&mut caller);
        aborts(&mut caller, 0);
        caller.hears(426);
        caller.hears(226);
        assert!(data.to_the_end().is_err(), "{form}");
    }
}

#[test]
fn what_falls_silent_is_made_safe_unasked() {
    let served = serve(Settings::default());
    let (mut caller, mut other) = (served.caller(), served.caller());
    let _data = served.arriving(&mut caller);
    let began = Instant::now();
    // A list tells what is safe and makes nothing safe.
    while !other.asks("STAT /").text.contains(" 999 ") {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", other.asks("STAT /").text);
        std::thread::sleep(Duration::from_millis(50));
    }
}
