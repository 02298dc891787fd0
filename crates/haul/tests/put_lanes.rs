//! `haul put -n 8` to `haul serve`: one file over several connections. Whole, killed, cut, with slow lanes, with a server
//! that is killed, with files that change; and one connection where a server takes no more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod scene;

use haul_testkit::{Content, Cut, HaulProcess, Link, Served};
use scene::{
    MIB, SOON, Told,
    served::serve,
    upload::{PACE, SIZE, Upload},
    uploading::listed,
    wait_until,
};

/// A file of its own content, and a server.
fn stage(seed: u64) -> (Upload, Served, Content) {
    let content = Content::new(seed, SIZE);
    let upload = Upload::of("f.bin", content);
    let server = serve(upload.root()).http().start();
    (upload, server, content)
}

/// The most lanes that a run has shown at once.
fn most_lanes(told: &Told) -> usize {
    let lanes = told.all("progress").into_iter().map(|event| event["lanes"].as_array().unwrap().len());
    lanes.max().unwrap_or(0)
}

#[test]
fn eight_lanes_send_a_file_and_it_is_known_again() {
    let (upload, server, content) = stage(1);
    let args = ["-n", "8", "--limit-rate", PACE, "f.bin", &server.http_url("/f.bin")];
    let told = upload.run(&args, 0);
    assert_eq!(told.fetched(), SIZE, "{told}");
    assert_eq!(most_lanes(&told), 8);
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(upload.run(&args, 0).fetched(), 0);
    assert!(listed(server.http_addr(), "/").is_empty(), "nothing is left behind");
}
