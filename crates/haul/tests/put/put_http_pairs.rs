//! One upload, any protocol: what was begun over one of FTP, PUT, the IETF's draft and tus, by a client that was killed
//! with -9, is found by `haul put` over another, compared, and finished. In each ordered pair.

use crate::scene::{
    served::{received, serve},
    upload::{SIZE, Upload},
    uploading::{listed, offset},
    wait_until,
};
use haul_testkit::{Content, Served};

/// How fast a run goes that shall be caught in the middle.
const SLOWLY: &str = "6M";

const ALL: [&str; 4] = ["ftp", "put", "draft", "tus"];

/// The arguments of a run over a protocol.
fn args(server: &Served, protocol: &str, more: &[&str]) -> Vec<String> {
    let (url, option) = match protocol {
        "ftp" => (server.url("/d/f.bin"), None),
        dialect => (server.http_url("/d/f.bin"), Some(["--protocol", dialect])),
    };
    let option = option.iter().flatten().copied();
    let args = more.iter().copied().chain(option).chain(["f.bin", url.as_str()]);
    args.map(str::to_owned).collect()
}

fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Begun over one protocol, killed, and finished over another by somebody who remembers nothing of it.
#[track_caller]
fn finished_over(first: &str, second: &str, seed: u64) {
    let content = Content::new(seed, SIZE);
    let upload = Upload::in_memory_of("f.bin", content);
    std::fs::create_dir(upload.far("d")).unwrap();
    let server = serve(upload.root()).http().start();
    let haul = upload.put(&strs(&args(&server, first, &["--limit-rate", SLOWLY]))).spawn();
    wait_until(|| received(server.root()) >= SIZE / 2);
    assert_eq!(haul.kill_9().signal, Some(9));
    // An upload is listed once its end was noticed, or it was synced.
    wait_until(|| offset(server.http_addr(), "/d/f.bin").unwrap_or(0) >= SIZE / 3);
    let elsewhere = Upload::in_memory_of("f.bin", content);
    let told = elsewhere.run(&strs(&args(&server, second, &[])), 0);
    assert!(told.kept() >= SIZE / 3, "{first}, then {second}: {told}");
    assert!(told.fetched() <= SIZE - SIZE / 3, "{first}, then {second}: {told}");
    assert_eq!(told.verified(), "hash", "{first}, then {second}: {told}");
    content.assert_file_is(upload.far("d/f.bin"));
    assert!(listed(server.http_addr(), "/d/").is_empty(), "{first}, then {second}");
}

#[track_caller]
fn begun_over(first: &str) {
    for (number, second) in ALL.into_iter().filter(|second| *second != first).enumerate() {
        finished_over(first, second, 10 + number as u64);
    }
}

#[test]
fn what_was_begun_over_ftp_is_finished_over_each_other_one() {
    begun_over("ftp");
}

#[test]
fn what_was_begun_by_put_is_finished_over_each_other_one() {
    begun_over("put");
}

#[test]
fn what_was_begun_in_the_draft_is_finished_over_each_other_one() {
    begun_over("draft");
}

#[test]
fn what_was_begun_in_tus_is_finished_over_each_other_one() {
    begun_over("tus");
}

#[test]
fn what_a_client_was_just_killed_over_is_found_at_once() {
    for (number, first) in ["ftp", "tus", "draft", "put"].into_iter().enumerate() {
        for second in ["put", "draft", "tus"] {
            let content = Content::new(40 + number as u64, SIZE);
            let upload = Upload::in_memory_of("f.bin", content);
            std::fs::create_dir(upload.far("d")).unwrap();
            let server = serve(upload.root()).http().start();
            let haul = upload.put(&strs(&args(&server, first, &["--limit-rate", "12M"]))).spawn();
            wait_until(|| received(server.root()) >= SIZE / 2);
            assert_eq!(haul.kill_9().signal, Some(9));
            // Nothing is waited for.
            let elsewhere = Upload::in_memory_of("f.bin", content);
            let told = elsewhere.run(&strs(&args(&server, second, &[])), 0);
            assert!(told.kept() >= SIZE / 3, "{first}, then {second}: {told}");
            content.assert_file_is(upload.far("d/f.bin"));
        }
    }
}

#[test]
fn what_is_no_beginning_of_the_file_is_left_alone_and_nothing_is_mixed() {
    for protocol in ["put", "draft", "tus"] {
        let upload = Upload::in_memory_of("f.bin", Content::new(30, SIZE));
        std::fs::create_dir(upload.far("d")).unwrap();
        let server = serve(upload.root()).http().start();
        let haul = upload.put(&strs(&args(&server, "ftp", &["--limit-rate", SLOWLY]))).spawn();
        wait_until(|| received(server.root()) >= SIZE / 2);
        assert_eq!(haul.kill_9().signal, Some(9));
        wait_until(|| offset(server.http_addr(), "/d/f.bin").unwrap_or(0) >= SIZE / 3);
        let other = Upload::in_memory_of("f.bin", Content::new(31, SIZE));
        other.run(&strs(&args(&server, protocol, &[])), 8);
        assert!(!upload.far("d/f.bin").exists(), "{protocol}");
        other.run(&strs(&args(&server, protocol, &["--if-exists", "overwrite"])), 0);
        Content::new(31, SIZE).assert_file_is(upload.far("d/f.bin"));
    }
}
