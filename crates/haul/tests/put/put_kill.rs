//! `haul put` killed at half, to every server and as it comes: what is there is gone on with where that can be done,
//! and begun anew where it cannot; never is a wrong file called done.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use haul_testkit::{
    Content, Serve,
    real::{Inetutils, ProFtpd, Running, Vsftpd},
    served,
};

use crate::scene::{
    SOON, Told, files,
    served::received,
    upload::{PACE, RESUMING, SIZE, Upload, killed},
    wait_until,
};

/// A file of its own content, and a server.
fn stage(
    seed: u64,
    start: impl Fn(&std::path::Path) -> Option<Running>,
) -> Option<(Upload, Running, Content)> {
    let content = Content::new(seed, SIZE);
    let upload = Upload::of("f.bin", content);
    let server = start(upload.root())?;
    Some((upload, server, content))
}

#[test]
fn inetutils_ftpd_is_gone_on_with() {
    let Some((upload, server, content)) = stage(100, Inetutils::serve) else { return };
    let url = server.login_url("/f.bin");
    upload.killed_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.kept() >= SIZE / 2, "{told}");
    assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(upload.run(&["f.bin", &url], 0).fetched(), 0, "and is not sent again");
    // A stranger's file is not a part of ours.
    Content::new(99, SIZE / 3).write_to(upload.far("f.bin"));
    upload.run(&["f.bin", &url], 8);
    Content::new(99, SIZE / 3).assert_file_is(upload.far("f.bin"));
}

#[test]
fn hidden_stores_keep_nothing_of_a_kill_and_it_is_sent_anew() {
    let start = |root: &_| ProFtpd::over(root).allow_store_restart().hidden_stores().start();
    let Some((upload, server, content)) = stage(101, start) else { return };
    let url = server.login_url("/f.bin");
    upload.killed_at(".in.f.bin.", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
    upload.run(&["f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(files(upload.root()), ["f.bin"]);
}

#[test]
fn what_is_given_up_is_not_published_by_a_server_that_waits_for_the_end() {
    let start = |root: &_| ProFtpd::over(root).allow_store_restart().hidden_stores().start();
    let Some((upload, server, content)) = stage(105, start) else { return };
    let old = Content::new(106, 5000);
    old.write_to(upload.far("f.bin"));
    server.hand_over();
    let url = server.login_url("/f.bin");
    let args = ["--if-exists", "overwrite", "--limit-rate", PACE, "f.bin", &url];
    upload.stopped_at(".in.f.bin.", SIZE / 2, &args);
    wait_until(|| server.sessions() == 0);
    old.assert_file_is(upload.far("f.bin"));
    upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn proftpd_as_it_comes_gets_it_anew_each_time_and_no_wrong_file() {
    let Some((upload, server, content)) = stage(102, ProFtpd::serve) else { return };
    let url = server.login_url("/f.bin");
    for _ in 0..2 {
        upload.killed_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
        wait_until(|| server.sessions() == 0);
        std::fs::write(upload.far("f.bin"), b"").unwrap();
        server.hand_over();
    }
    content.write_first(upload.far("f.bin"), SIZE / 2);
    server.hand_over();
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.says_begun_anew(), "{told}");
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_local_file_that_changes_in_mid_run_is_never_mixed() {
    for (number, (name, start)) in RESUMING.into_iter().enumerate() {
        println!("{name}");
        let Some((upload, server, content)) = stage(110 + number as u64, start) else { continue };
        let changed = content.changed(1000);
        let haul = upload.put(&["--limit-rate", PACE, "f.bin", &server.login_url("/f.bin")]).spawn();
        wait_until(|| upload.far_len("f.bin") >= SIZE / 2);
        changed.write_to(upload.local("f.bin"));
        let told = Told::by(haul.wait().expect_code(0));
        assert!(told.says_begun_anew(), "{told}");
        changed.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_local_file_that_grows_in_mid_run_is_sent_as_it_is_in_the_end() {
    let Some((upload, server, _)) = stage(120, Vsftpd::serve) else { return };
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", &server.login_url("/f.bin")]).spawn();
    wait_until(|| upload.far_len("f.bin") >= SIZE / 2);
    let longer = Content::new(121, SIZE + 5000);
    longer.write_to(upload.local("f.bin"));
    haul.wait().expect_code(0);
    longer.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_local_file_that_shrinks_in_mid_run_is_sent_as_it_is_in_the_end() {
    let Some((upload, server, _)) = stage(122, Vsftpd::serve) else { return };
    let haul = upload.put(&["--limit-rate", PACE, "f.bin", &server.login_url("/f.bin")]).spawn();
    wait_until(|| upload.far_len("f.bin") >= SIZE / 2);
    let shorter = Content::new(123, SIZE / 4);
    shorter.write_to(upload.local("f.bin"));
    haul.wait().expect_code(0);
    shorter.assert_file_is(upload.far("f.bin"));
}

/// How far a run says it is.
fn has_sent(line: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    event["done"].as_u64().filter(|_| event["event"] == "progress").unwrap_or(0)
}

#[test]
fn killed_again_and_again_it_sends_no_byte_twice_that_arrived() {
    for (number, (name, start)) in RESUMING.into_iter().enumerate() {
        println!("{name}");
        let Some((upload, server, content)) = stage(130 + number as u64, start) else { continue };
        let url = server.login_url("/f.bin");
        for sent in [SIZE / 4, SIZE / 2] {
            // What was sent, and not what the server's file has: Pure-FTPd continues it under another name.
            let haul = upload.put(&["--limit-rate", PACE, "f.bin", &url]).spawn();
            haul.wait_for_line(|line| has_sent(line) >= sent, SOON);
            assert_eq!(haul.kill_9().signal, Some(9));
        }
        let told = upload.run(&["f.bin", &url], 0);
        assert!(told.kept() >= SIZE / 4, "{name}: {told}");
        assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
        assert!(!told.says_begun_anew(), "{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

/// A way to a server, for one connection, on which it never hears that the client has gone.
fn keeps_quiet(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(to).unwrap();
        let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut forth, &mut back));
        // Ends with the server.
        let _ = io::copy(&mut server, &mut client);
        let _ = io::copy(&mut server, &mut io::sink());
    });
    addr
}

#[test]
fn what_is_killed_is_not_published_by_haul_serve_however_late_its_control_connection_ends() {
    let content = Content::new(130, SIZE);
    let upload = Upload::in_memory_of("f.bin", content);
    let served = Serve::over(env!("CARGO_BIN_EXE_haul"), upload.root()).start();
    // Data goes past that way: its end is all that the server hears of the kill, as on a machine on which the process that
    // ends is kept waiting in the middle of it.
    let url = |addr| format!("ftp://{}:{}@{addr}/f.bin", served::USER, served::PASSWORD);
    let haul =
        upload.put(&["--limit-rate", "1M", "-n", "1", "f.bin", &url(keeps_quiet(served.addr()))]).spawn();
    wait_until(|| received(upload.root()) >= SIZE / 20);
    killed(haul);
    let judged = served.process().wait_for_line(|line| line.contains(" received "), SOON);
    assert!(judged.contains("complete=no"), "{judged}");
    assert!(!upload.far("f.bin").exists());
    let told = upload.run(&["f.bin", &url(served.addr())], 0);
    assert!(told.kept() >= SIZE / 20, "{told}");
    content.assert_file_is(upload.far("f.bin"));
}
