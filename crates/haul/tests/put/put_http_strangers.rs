//! `haul put` over HTTP to servers that nobody here wrote: the tus project's own, and wsgidav.

use std::time::Duration;

use crate::scene::{
    MIB, SOON, Told,
    upload::{PACE, SIZE, Upload, says},
    wait_until,
};
use haul_testkit::{
    Content, Cut, Link,
    real::{Running, TusServer, Wsgidav},
};

/// The only upload that @tus/server has is this content.
#[track_caller]
fn is_there(upload: &Upload, content: Content, server: &Running) {
    match &TusServer::uploads(upload.root())[..] {
        [only] => content.assert_file_is(only),
        others => panic!("{} uploads\n{}", others.len(), server.log()),
    }
}

/// How many bytes its largest upload has.
fn taken(upload: &Upload) -> u64 {
    let sizes =
        TusServer::uploads(upload.root()).into_iter().filter_map(|path| Some(path.metadata().ok()?.len()));
    sizes.max().unwrap_or(0)
}

/// Sends at a pace, and is killed when half of it is there.
#[track_caller]
fn killed_at_half(upload: &Upload, url: &str) {
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", url]).spawn();
    wait_until(|| taken(upload) >= SIZE / 2);
    assert_eq!(haul.kill_9().signal, Some(9), "it was still at work");
}

#[test]
fn tus_server_gets_a_file_in_both_ways_of_telling_where_it_is() {
    for relative in [false, true] {
        let content = Content::new(1, SIZE);
        let upload = Upload::of("f.bin", content);
        let server = TusServer::over(upload.root());
        let server = if relative { server.relative_locations() } else { server };
        let Some(server) = server.start() else { return };
        let told = upload.run(&["f.bin", &server.url("/files/")], 0);
        assert_eq!(told.fetched(), SIZE, "{told}");
        is_there(&upload, content, &server);
    }
}

#[test]
fn tus_server_goes_on_after_a_kill_of_the_client() {
    let content = Content::new(2, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = TusServer::serve(upload.root()) else { return };
    let url = server.url("/files/");
    killed_at_half(&upload, &url);
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.kept() >= SIZE / 2 && told.fetched() <= SIZE / 2, "{told}");
    is_there(&upload, content, &server);
}

#[test]
fn tus_server_goes_on_over_a_link_that_is_cut_every_5_mib() {
    let content = Content::new(3, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = TusServer::serve(upload.root()) else { return };
    let link = Link::to(server.addr());
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", &link.url("/files/")]).spawn();
    for part in 1..=4 {
        wait_until(|| taken(&upload) >= part * 5 * MIB);
        link.kill_all(Cut::Rst);
    }
    let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
    assert!(!told.says_begun_anew(), "{told}");
    is_there(&upload, content, &server);
}

#[test]
fn tus_server_knows_no_parts_so_several_lanes_are_one_and_that_is_said() {
    let content = Content::new(12, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = TusServer::serve(upload.root()) else { return };
    let url = server.url("/files/");
    let haul = upload.put(&["-n", "4", "--limit-rate", PACE, "f.bin", &url]).spawn();
    wait_until(|| taken(&upload) >= SIZE / 2);
    assert_eq!(haul.kill_9().signal, Some(9), "it was still at work");
    let told = upload.run(&["-n", "4", "f.bin", &url], 0);
    assert!(says(&told, "on one connection"), "{told}");
    assert!(told.kept() >= SIZE / 2 && told.fetched() <= SIZE / 2, "{told}");
    is_there(&upload, content, &server);
}

#[test]
fn what_tus_server_has_lost_is_begun_anew_and_that_is_said() {
    let content = Content::new(4, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = TusServer::serve(upload.root()) else { return };
    let url = server.url("/files/");
    killed_at_half(&upload, &url);
    for entry in std::fs::read_dir(upload.root()).unwrap().flatten() {
        std::fs::remove_file(entry.path()).unwrap();
    }
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.says_begun_anew(), "{told}");
    is_there(&upload, content, &server);
}

#[test]
fn what_is_too_large_for_tus_server_is_refused_before_any_byte() {
    let upload = Upload::of("f.bin", Content::new(5, SIZE));
    let Some(server) = TusServer::over(upload.root()).max_size(MIB).start() else { return };
    upload.run(&["f.bin", &server.url("/files/")], 4);
    assert_eq!(taken(&upload), 0);
}

#[test]
fn when_tus_server_forgets_it_is_told() {
    let content = Content::new(6, SIZE);
    let upload = Upload::of("f.bin", content);
    let expires = TusServer::over(upload.root()).expires(Duration::from_secs(3600));
    let Some(server) = expires.start() else { return };
    let told = upload.run(&["f.bin", &server.url("/files/")], 0);
    is_there(&upload, content, &server);
    assert!(says(&told, "keep") || says(&told, "kept") || says(&told, "expire"), "{told}");
}

#[test]
fn wsgidav_gets_a_file_whole_and_it_is_known_again() {
    let content = Content::new(7, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Wsgidav::serve(upload.root()) else { return };
    let url = server.url("/f.bin");
    upload.run(&["f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(upload.run(&["f.bin", &url], 0).fetched(), 0);
}

#[test]
fn after_a_kill_wsgidav_has_the_right_file_in_the_end() {
    let content = Content::new(8, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Wsgidav::serve(upload.root()) else { return };
    let url = server.url("/f.bin");
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", &url]).spawn();
    wait_until(|| upload.far_len("f.bin") >= SIZE / 2);
    assert_eq!(haul.kill_9().signal, Some(9), "it was still at work");
    // wsgidav writes in place: what is there now is a beginning of ours, and haul's own state knows of it.
    let told = upload.run(&["f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert!(told.fetched() <= SIZE + MIB, "{told}");
}

#[test]
fn wsgidav_with_a_password_and_missing_folders() {
    let content = Content::new(9, MIB);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Wsgidav::over(upload.root()).login().start() else { return };
    let login = format!("{}:{}", server.user(), server.password());
    let url = server.url("/a/b/f.bin");
    upload.run(&["f.bin", &url], 4);
    upload.run(&["--mkdir", "-u", &login, "f.bin", &url], 0);
    content.assert_file_is(upload.far("a/b/f.bin"));
}

#[test]
fn a_strangers_file_on_wsgidav_is_left_alone() {
    let upload = Upload::of("f.bin", Content::new(10, 3 * MIB));
    let Some(server) = Wsgidav::serve(upload.root()) else { return };
    let other = Content::new(11, MIB);
    other.write_to(upload.far("f.bin"));
    let url = server.url("/f.bin");
    upload.run(&["f.bin", &url], 8);
    other.assert_file_is(upload.far("f.bin"));
    upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
    Content::new(10, 3 * MIB).assert_file_is(upload.far("f.bin"));
}
