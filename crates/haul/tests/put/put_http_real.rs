//! `haul put` over HTTP to servers that nobody here wrote: nginx with dav, which takes files only whole, and Apache's
//! mod_dav, which takes pieces and writes them where readers see them.

use crate::scene;
use crate::scene::{
    MIB, SOON,
    upload::{PACE, SIZE, Upload, done, says},
    wait_until,
};
use haul_testkit::{
    Content,
    real::{Apache, Nginx, Running},
};

fn nginx(root: &std::path::Path) -> Option<Running> {
    let directives = "dav_methods PUT DELETE MKCOL MOVE; client_max_body_size 0;";
    Nginx::over(root).directive(directives).start()
}

#[test]
fn nginx_gets_it_in_one_go_and_that_is_said() {
    let content = Content::new(1, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = nginx(upload.root()) else { return };
    let url = server.url("/f.bin");
    let told = upload.run(&["f.bin", &url], 0);
    assert!(says(&told, "cannot be resumed"), "{told}");
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(upload.run(&["f.bin", &url], 0).fetched(), 0, "it is known again");
}

#[test]
fn after_a_kill_nginx_gets_all_of_it_again() {
    let content = Content::new(2, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = nginx(upload.root()) else { return };
    let url = server.url("/f.bin");
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", &url]).spawn();
    haul.wait_for_line(|line| done(line) >= SIZE / 2, SOON);
    assert_eq!(haul.kill_9().signal, Some(9));
    assert!(upload.far_len("f.bin") < SIZE, "nothing that looks whole");
    upload.run(&["f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_file_that_nginx_has_is_replaced_only_when_asked_for() {
    let content = Content::new(3, 3 * MIB);
    let upload = Upload::of("f.bin", content);
    let Some(server) = nginx(upload.root()) else { return };
    let other = Content::new(4, MIB);
    other.write_to(upload.far("f.bin"));
    server.hand_over();
    let url = server.url("/f.bin");
    upload.run(&["f.bin", &url], 8);
    other.assert_file_is(upload.far("f.bin"));
    upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn standard_input_folders_and_temporary_names_go_to_nginx() {
    let content = Content::new(5, 2 * MIB);
    let upload = Upload::of("f.bin", content);
    let Some(server) = nginx(upload.root()) else { return };
    let put = upload.put(&["-", &server.url("/s.bin")]).input(content.bytes(0..2 * MIB));
    put.run().expect_code(0);
    content.assert_file_is(upload.far("s.bin"));
    upload.run(&["--mkdir", "--temp-name", "f.bin", &server.url("/a/b/f.bin")], 0);
    content.assert_file_is(upload.far("a/b/f.bin"));
    assert!(!upload.far("a/b/f.bin.part").exists());
}

#[test]
fn apache_takes_pieces_and_after_a_kill_the_rest_is_sent() {
    let content = Content::new(10, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Apache::dav(upload.root()) else { return };
    let url = server.url("/f.bin");
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", &url]).spawn();
    wait_until(|| upload.far_len("f.bin") >= SIZE / 2);
    assert_eq!(haul.kill_9().signal, Some(9));
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.kept() >= SIZE / 2, "{told}");
    assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
    assert!(!says(&told, "cannot be resumed"), "{told}");
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn apache_keeps_an_old_file_until_the_new_one_is_whole() {
    let content = Content::new(11, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Apache::dav(upload.root()) else { return };
    let old = Content::new(12, MIB);
    old.write_to(upload.far("f.bin"));
    server.hand_over();
    let url = server.url("/f.bin");
    let args = ["--if-exists", "overwrite", "--limit-rate", PACE, "f.bin", &url];
    let haul = upload.put(&args).spawn();
    haul.wait_for_line(|line| done(line) >= SIZE / 2, SOON);
    old.assert_file_is(upload.far("f.bin"));
    assert_eq!(haul.kill_9().signal, Some(9));
    upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_redirect_is_followed_before_any_byte_is_sent_and_credentials_stay() {
    let content = Content::new(20, 3 * MIB);
    let upload = Upload::of("f.bin", content);
    let server = scene::served::serve(upload.root()).http().start();
    let target = server.http_url("/f.bin");
    let elsewhere = tempfile::tempdir().unwrap();
    let bare = format!("http://{}", server.http_addr());
    let redirect = format!("location / {{ return 307 {bare}$request_uri; }}");
    let Some(front) = Nginx::over(elsewhere.path()).directive(&redirect).start() else { return };
    // The user's name and password are not for the other origin.
    let told = upload.run(&["-u", "a:secret", "f.bin", &front.url("/f.bin")], 4);
    assert!(told.message().contains("user name"), "{told}");
    let netrc = upload.local("netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login a password secret\n").unwrap();
    let option = format!("--netrc={}", netrc.display());
    upload.run(&[&option, "f.bin", &front.url("/f.bin")], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(upload.run(&["f.bin", &target], 0).fetched(), 0, "it is there");
}
