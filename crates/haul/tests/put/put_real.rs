//! `haul put` against real servers: begun, killed, gone on with, and never a wrong file with exit code 0.

use crate::scene;
use std::time::{Duration, SystemTime};

use haul_testkit::{
    Content,
    disk::SmallDisk,
    real::{ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
};

use crate::scene::{
    MIB, files,
    upload::{PACE, RESUMING, SIZE, Start, Upload},
    wait_until,
};

fn each(servers: &[(&str, Start)], test: impl Fn(&Upload, &Running, Content)) {
    for (number, (name, start)) in servers.iter().enumerate() {
        println!("{name}");
        let content = Content::new(40 + number as u64, SIZE);
        let upload = Upload::of("f.bin", content);
        let Some(server) = start(upload.root()) else { continue };
        test(&upload, &server, content);
    }
}

#[test]
fn a_file_arrives_whole_and_is_not_sent_again() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/f.bin");
        let told = upload.run(&["f.bin", &url], 0);
        assert_eq!(told.fetched(), SIZE);
        assert_eq!(told.verified(), "size");
        content.assert_file_is(upload.far("f.bin"));
        let again = upload.run(&["f.bin", &url], 0);
        assert_eq!((again.fetched(), &again.done()["already"]), (0, &true.into()), "{again}");
        assert_eq!(files(upload.root()), ["f.bin"]);
    });
}

#[test]
fn what_a_kill_left_at_the_server_is_gone_on_with() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/f.bin");
        upload.killed_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
        let told = upload.run(&["f.bin", &url], 0);
        assert!(told.kept() >= SIZE / 2, "{told}");
        assert_eq!(told.kept() + told.fetched(), SIZE, "{told}");
        assert!(!told.says_begun_anew(), "{told}");
        content.assert_file_is(upload.far("f.bin"));
    });
}

#[test]
fn it_needs_no_memory_to_go_on() {
    each(&RESUMING, |upload, server, content| {
        content.write_first(upload.far("f.bin"), SIZE / 3);
        server.hand_over();
        let told = upload.run(&["f.bin", &server.login_url("/f.bin")], 0);
        assert_eq!((told.kept(), told.fetched()), (SIZE / 3, SIZE - SIZE / 3));
        content.assert_file_is(upload.far("f.bin"));
    });
}

#[test]
fn ctrl_c_and_then_the_same_command_again() {
    let (name, start) = RESUMING[0];
    each(&[(name, start)], |upload, server, content| {
        let url = server.login_url("/f.bin");
        let told = upload.stopped_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
        assert_eq!(told.failed()["code"], 130);
        let told = upload.run(&["f.bin", &url], 0);
        assert!(told.kept() >= SIZE / 2, "{told}");
        content.assert_file_is(upload.far("f.bin"));
    });
}

#[test]
fn a_strangers_file_that_is_no_beginning_of_ours_is_left_alone() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/f.bin");
        let other = Content::new(99, SIZE);
        // Shorter, as long, longer: none of them is ours.
        for len in [SIZE / 2, SIZE, SIZE + 1] {
            Content::new(99, len).write_to(upload.far("f.bin"));
            server.hand_over();
            let told = upload.run(&["f.bin", &url], 8);
            assert!(told.message().contains("left alone"), "{told}");
            Content::new(99, len).assert_file_is(upload.far("f.bin"));
        }
        other.write_first(upload.far("f.bin"), SIZE / 2);
        server.hand_over();
        let skipped = upload.run(&["--if-exists", "skip", "f.bin", &url], 0);
        assert_eq!(skipped.verified(), "unchecked");
        upload.run(&["--if-exists", "fail", "f.bin", &url], 8);
        assert_eq!(upload.far_len("f.bin"), SIZE / 2);
        let told = upload.run(&["--if-exists", "overwrite", "f.bin", &url], 0);
        assert_eq!(told.fetched(), SIZE);
        content.assert_file_is(upload.far("f.bin"));
    });
}

#[test]
fn our_own_unfinished_file_that_somebody_changed_is_begun_anew() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/f.bin");
        upload.killed_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
        wait_until(|| server.sessions() == 0);
        Content::new(99, SIZE / 2).write_to(upload.far("f.bin"));
        server.hand_over();
        let told = upload.run(&["f.bin", &url], 0);
        assert!(told.says_begun_anew(), "{told}");
        content.assert_file_is(upload.far("f.bin"));
    });
}

#[test]
fn a_local_file_that_changed_between_two_runs_is_begun_anew() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/f.bin");
        upload.killed_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
        // One byte, far before all that a look at the tail would see.
        let changed = content.changed(1000);
        changed.write_to(upload.local("f.bin"));
        let told = upload.run(&["f.bin", &url], 0);
        assert!(told.says_begun_anew(), "{told}");
        changed.assert_file_is(upload.far("f.bin"));
    });
}

#[test]
fn a_checksum_of_the_servers_finds_what_a_tail_would_not() {
    let content = Content::new(50, SIZE);
    let upload = Upload::of("f.bin", content);
    let start = ProFtpd::over(upload.root()).allow_store_restart().digests().start();
    let Some(server) = start else { return };
    // A beginning that differs in one byte, and not in its tail.
    content.changed(1000).write_first(upload.far("f.bin"), SIZE / 2);
    server.hand_over();
    let url = server.login_url("/f.bin");
    upload.run(&["f.bin", &url], 8);
    content.changed(1000).write_to(upload.far("f.bin"));
    server.hand_over();
    upload.run(&["f.bin", &url], 8);
    content.write_first(upload.far("f.bin"), SIZE / 2);
    server.hand_over();
    let told = upload.run(&["f.bin", &url], 0);
    assert_eq!(told.verified(), "hash");
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn verify_full_finds_it_by_reading_all_of_it_back() {
    let content = Content::new(51, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Vsftpd::serve(upload.root()) else { return };
    content.changed(1000).write_first(upload.far("f.bin"), SIZE / 2);
    let url = server.login_url("/f.bin");
    upload.run(&["--verify", "full", "f.bin", &url], 8);
    content.write_first(upload.far("f.bin"), SIZE / 2);
    let told = upload.run(&["--verify", "full", "f.bin", &url], 0);
    assert_eq!(told.kept(), SIZE / 2);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_server_that_lets_nothing_be_continued_gets_it_anew_and_says_so() {
    let content = Content::new(52, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = ProFtpd::serve(upload.root()) else { return };
    let url = server.login_url("/f.bin");
    upload.killed_at("f.bin", SIZE / 2, &["--limit-rate", PACE, "f.bin", &url]);
    let told = upload.run(&["f.bin", &url], 0);
    assert!(told.says_begun_anew(), "{told}");
    assert_eq!(told.fetched(), SIZE);
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn hidden_stores_refuse_an_offset_and_take_an_append() {
    let content = Content::new(53, SIZE);
    let upload = Upload::of("f.bin", content);
    let start = ProFtpd::over(upload.root()).allow_store_restart().hidden_stores().start();
    let Some(server) = start else { return };
    content.write_first(upload.far("f.bin"), SIZE / 2);
    server.hand_over();
    let told = upload.run(&["f.bin", &server.login_url("/f.bin")], 0);
    content.assert_file_is(upload.far("f.bin"));
    assert_eq!(told.kept(), SIZE / 2, "{told}");
}

#[test]
fn the_date_is_kept_where_the_server_takes_it() {
    let servers: [(&str, Start); 3] = [RESUMING[1], RESUMING[2], RESUMING[3]];
    each(&servers, |upload, server, _| {
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        let file = std::fs::File::options().write(true).open(upload.local("f.bin")).unwrap();
        file.set_modified(date).unwrap();
        upload.run(&["f.bin", &server.login_url("/f.bin")], 0);
        assert_eq!(upload.far("f.bin").metadata().unwrap().modified().unwrap(), date);
    });
}

#[test]
fn missing_folders_are_made_where_that_is_wanted() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/a/b%20c/f.bin");
        let told = upload.run(&["f.bin", &url], 4);
        assert!(told.message().contains("--mkdir"), "{told}");
        upload.run(&["--mkdir", "f.bin", &url], 0);
        content.assert_file_is(upload.far("a/b c/f.bin"));
    });
}

#[test]
fn a_temporary_name_is_gone_on_with_and_renamed_at_the_end() {
    each(&RESUMING, |upload, server, content| {
        let url = server.login_url("/f.bin");
        let args = ["--temp-name", "--limit-rate", PACE, "f.bin", &url];
        upload.killed_at("f.bin.part", SIZE / 2, &args);
        assert_eq!(files(upload.root()), ["f.bin.part"]);
        let told = upload.run(&["--temp-name", "f.bin", &url], 0);
        assert!(told.kept() >= SIZE / 2, "{told}");
        assert_eq!(files(upload.root()), ["f.bin"]);
        content.assert_file_is(upload.far("f.bin"));
        let again = upload.run(&["--temp-name", "f.bin", &url], 0);
        assert_eq!(again.fetched(), 0, "{again}");
    });
}

#[test]
fn a_closed_folder_is_told_in_plain_words() {
    let servers: [(&str, Start); 4] = [
        ("vsftpd", |root| Vsftpd::over(root).read_only().start()),
        ("proftpd", |root| ProFtpd::over(root).read_only().start()),
        ("pure-ftpd", |root| PureFtpd::over(root).read_only().start()),
        ("pyftpdlib", |root| Pyftpdlib::over(root).read_only().start()),
    ];
    each(&servers, |upload, server, _| {
        let told = upload.run(&["f.bin", &server.login_url("/f.bin")], 4);
        assert!(told.message().contains("does not take it"), "{told}");
        assert!(files(upload.root()).is_empty());
    });
}

#[test]
fn a_full_disk_is_told_and_gone_on_with_when_there_is_room() {
    for (name, start) in RESUMING {
        println!("{name}");
        let Some(disk) = SmallDisk::new(8 * MIB) else { return };
        let content = Content::new(60, SIZE);
        let upload = Upload::of("f.bin", content);
        let Some(server) = start(disk.path()) else { continue };
        let url = server.login_url("/f.bin");
        // pyftpdlib breaks off without a reason (426 None).
        let (code, said) = if name == "pyftpdlib" { (3, "gave up") } else { (4, "no room") };
        let told = upload.run(&["--retries", "3", "f.bin", &url], code);
        assert!(told.message().contains(said), "{name}: {told}");
        disk.resize(64 * MIB);
        let told = upload.run(&["f.bin", &url], 0);
        assert!(told.kept() > 4 * MIB, "{name}: {told}");
        content.assert_file_is(disk.path().join("f.bin"));
    }
}

#[test]
fn standard_input_is_sent_and_said_not_to_be_resumable() {
    each(&RESUMING, |upload, server, _| {
        let bytes = Content::new(61, 3 * MIB).bytes(0..3 * MIB);
        let haul = upload.put(&["-", &server.login_url("/in.bin")]).input(bytes);
        let told = scene::Told::by(haul.run().expect_code(0));
        assert!(told.to_string().contains("cannot be resumed"), "{told}");
        Content::new(61, 3 * MIB).assert_file_is(upload.far("in.bin"));
    });
}

#[test]
fn a_folder_goes_with_all_that_is_in_it() {
    each(&RESUMING, |upload, server, _| {
        let names = ["a", "b c", "sub/deep/ü", "sub/x%41;type=a"];
        for (number, name) in names.iter().enumerate() {
            let path = upload.local("tree").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            Content::new(number as u64, 70_000).write_to(path);
        }
        std::os::unix::fs::symlink("/etc/passwd", upload.local("tree/link")).unwrap();
        let url = server.login_url("/");
        let told = upload.run(&["-r", "tree", &url], 0);
        assert!(told.to_string().contains("link is left out"), "{told}");
        for (number, name) in names.iter().enumerate() {
            Content::new(number as u64, 70_000).assert_file_is(upload.far("tree").join(name));
        }
        assert_eq!(files(&upload.far("tree")), ["a", "b c", "sub"]);
        let again = upload.put(&["-r", "tree", &url]).run().expect_code(0);
        let again = scene::Told::by(again);
        assert!(again.all("done").iter().all(|done| done["fetched"] == 0), "{again}");
    });
}

#[test]
fn a_second_upload_to_the_same_place_is_kept_away() {
    let content = Content::new(62, SIZE);
    let upload = Upload::of("f.bin", content);
    let Some(server) = Vsftpd::serve(upload.root()) else { return };
    let url = server.login_url("/f.bin");
    let first = upload.put(&["--limit-rate", PACE, "f.bin", &url]).spawn();
    wait_until(|| upload.far_len("f.bin") > 0);
    let told = upload.run(&["f.bin", &url], 7);
    assert!(told.message().contains(&format!("in use by process {}", first.id())), "{told}");
    first.wait().expect_code(0);
    content.assert_file_is(upload.far("f.bin"));
}
