//! `haul put` over HTTP to `haul serve`, in every dialect: whole, killed, cut, with a server that is killed, with files
//! that change on either side. What the server acknowledged is not sent again, and never is a wrong file there.

use crate::scene;
use std::io::Write as _;

use crate::scene::{
    MIB, SOON, Told, files,
    served::{received, serve},
    upload::{SIZE, Upload, done, killed, sha256_of},
    uploading::listed,
    wait_until,
};
use haul_testkit::{Content, Cut, Link, Served};

/// How fast a run goes that shall be caught in the middle.
const SLOWLY: &str = "6M";

/// The dialects that resume.
const DIALECTS: [&str; 3] = ["draft", "tus", "put"];

/// A file of its own content, and a server.
fn stage(seed: u64) -> (Upload, Served, Content) {
    let content = Content::new(seed, SIZE);
    let upload = Upload::in_memory_of("f.bin", content);
    let server = serve(upload.root()).http().start();
    (upload, server, content)
}

/// Waits until the server has so many bytes out of sight.
#[track_caller]
fn wait_until_received(server: &Served, bytes: u64) {
    wait_until(|| received(server.root()) >= bytes);
}

/// Sends in a dialect, at a pace, and is killed when the server has half of it.
#[track_caller]
fn killed_at_half(upload: &Upload, server: &Served, dialect: &str) {
    let url = server.http_url("/f.bin");
    let haul = upload.put(&["--protocol", dialect, "--limit-rate", SLOWLY, "f.bin", &url]).spawn();
    wait_until_received(server, SIZE / 2);
    killed(haul);
}

#[test]
fn each_dialect_sends_a_file_and_knows_it_again() {
    for (number, dialect) in ["auto", "draft", "tus", "put"].into_iter().enumerate() {
        let (upload, server, content) = stage(number as u64);
        let args = ["--protocol", dialect, "f.bin", &server.http_url("/f.bin")];
        assert_eq!(upload.run(&args, 0).fetched(), SIZE, "{dialect}");
        content.assert_file_is(upload.far("f.bin"));
        assert_eq!(upload.run(&args, 0).fetched(), 0, "{dialect}");
        assert!(listed(server.http_addr(), "/").is_empty(), "nothing is left behind");
    }
}

#[test]
fn files_without_bytes_and_small_ones_are_sent() {
    for size in [0, 1, 70_000, MIB] {
        for dialect in ["draft", "tus", "put"] {
            let content = Content::new(size, size);
            let upload = Upload::in_memory_of("f.bin", content);
            let server = serve(upload.root()).http().start();
            upload.run(&["--protocol", dialect, "f.bin", &server.http_url("/f.bin")], 0);
            content.assert_file_is(upload.far("f.bin"));
        }
    }
}

#[test]
fn who_interrupts_an_upload_is_told_how_it_goes_on_though_nothing_was_acknowledged_yet() {
    for (number, dialect) in DIALECTS.into_iter().enumerate() {
        let (upload, server, _) = stage(70 + number as u64);
        let url = server.http_url("/f.bin");
        let haul = upload.put(&["--protocol", dialect, "--limit-rate", SLOWLY, "f.bin", &url]).spawn();
        wait_until_received(&server, SIZE / 8);
        haul.interrupt();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(130));
        assert!(told.message().contains("; the same command again goes on"), "{dialect}: {told}");
    }
}

#[test]
fn after_a_kill_the_same_command_goes_on_from_what_was_acknowledged() {
    for (number, dialect) in ["auto", "draft", "tus"].into_iter().enumerate() {
        let (upload, server, content) = stage(10 + number as u64);
        killed_at_half(&upload, &server, dialect);
        assert!(!upload.far("f.bin").exists(), "{dialect}: nothing is shown before all is there");
        let told = upload.run(&["--protocol", dialect, "f.bin", &server.http_url("/f.bin")], 0);
        // A piece of tus whose checksum was not proved does not count.
        assert!(told.kept() >= SIZE / 2 - 4 * MIB, "{dialect}: {told}");
        assert_eq!(told.kept() + told.fetched(), SIZE, "{dialect}: {told}");
        assert_eq!(told.verified(), "hash", "{dialect}: both sides made a checksum of the whole");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_line_that_is_cut_again_and_again_costs_little() {
    for (number, dialect) in ["draft", "tus"].into_iter().enumerate() {
        let (upload, server, content) = stage(20 + number as u64);
        let link = Link::to(server.http_addr());
        let url = format!("http://a:secret@{}/f.bin", link.addr());
        let haul = upload.put(&["--protocol", dialect, "--limit-rate", SLOWLY, "f.bin", &url]).spawn();
        for cut in 1..=4 {
            haul.wait_for_line(|line| done(line) >= cut * 5 * MIB, SOON);
            link.kill_all(if cut % 2 == 0 { Cut::Rst } else { Cut::Fin });
        }
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        content.assert_file_is(upload.far("f.bin"));
        assert!(told.fetched() <= SIZE + 4 * 4 * MIB, "{dialect}: {told}");
        assert!(!told.says_begun_anew(), "{dialect}: {told}");
    }
}

#[test]
fn a_server_that_is_killed_and_started_again_is_gone_on_with() {
    for (number, dialect) in ["draft", "tus"].into_iter().enumerate() {
        let (upload, server, content) = stage(30 + number as u64);
        let url = server.http_url("/f.bin");
        let haul = upload.put(&["--protocol", dialect, "--limit-rate", SLOWLY, "f.bin", &url]).spawn();
        wait_until_received(&server, SIZE / 2);
        let server = server.killed_and_started_again();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        assert!(!told.says_begun_anew(), "{dialect}: {told}");
        content.assert_file_is(upload.far("f.bin"));
        drop(server);
    }
}

#[test]
fn a_local_file_that_changed_is_begun_anew_and_that_is_said() {
    for (number, dialect) in DIALECTS.into_iter().enumerate() {
        let (upload, server, content) = stage(40 + number as u64);
        killed_at_half(&upload, &server, dialect);
        let changed = content.changed(1000);
        changed.write_to(upload.local("f.bin"));
        let told = upload.run(&["--protocol", dialect, "f.bin", &server.http_url("/f.bin")], 0);
        assert!(told.says_begun_anew(), "{dialect}: {told}");
        changed.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_local_file_that_changes_in_mid_run_is_never_mixed() {
    for (number, dialect) in DIALECTS.into_iter().enumerate() {
        let (upload, server, content) = stage(50 + number as u64);
        let changed = content.changed(1000);
        let url = server.http_url("/f.bin");
        let haul = upload.put(&["--protocol", dialect, "--limit-rate", SLOWLY, "f.bin", &url]).spawn();
        wait_until_received(&server, SIZE / 2);
        // In place: a file that is cut first is, for a moment, one without bytes.
        let local = std::fs::OpenOptions::new().write(true).open(upload.local("f.bin"));
        local.unwrap().write_all(&changed.bytes(0..SIZE)).unwrap();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        assert!(told.says_begun_anew(), "{dialect}: {told}");
        changed.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn an_upload_that_the_server_lost_is_begun_anew_and_that_is_said() {
    for (number, dialect) in ["draft", "tus"].into_iter().enumerate() {
        let (upload, server, content) = stage(60 + number as u64);
        killed_at_half(&upload, &server, dialect);
        let [lost] = &listed(server.http_addr(), "/f.bin")[..] else { panic!("one upload") };
        let url = lost["url"].as_str().unwrap();
        scene::uploading::Ask::new("DELETE", url).to(server.http_addr());
        let told = upload.run(&["--protocol", dialect, "f.bin", &server.http_url("/f.bin")], 0);
        assert!(told.says_begun_anew(), "{dialect}: {told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn an_end_that_nobody_heard_is_noticed() {
    for (number, dialect) in ["draft", "put"].into_iter().enumerate() {
        let (upload, server, content) = stage(70 + number as u64);
        let link = Link::to(server.http_addr());
        let url = format!("http://a:secret@{}/f.bin", link.addr());
        // What comes back is held, so that the last answer is lost when the line is cut.
        let haul = upload.put(&["--protocol", dialect, "--limit-rate", "16M", "f.bin", &url]).spawn();
        wait_until_received(&server, 8 * MIB);
        link.stall_after(0);
        wait_until(|| upload.far("f.bin").exists());
        link.kill_all(Cut::Rst);
        link.release();
        let told = Told::by(haul.wait_at_most(SOON).expect_code(0));
        assert!(told.fetched() <= SIZE, "{dialect}: nothing was sent again\n{told}");
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_digest_is_held_against_both_files() {
    let (upload, server, content) = stage(80);
    let url = server.http_url("/f.bin");
    let digest = sha256_of(&content.bytes(0..SIZE));
    let wrong = "sha-256=0000000000000000000000000000000000000000000000000000000000000000";
    upload.run(&["--checksum", wrong, "f.bin", &url], 6);
    assert!(files(upload.root()).iter().all(|name| name == ".haul"), "nothing was sent");
    let told = upload.run(&["--checksum", &digest, "f.bin", &url], 0);
    assert_eq!(told.verified(), "hash");
    content.assert_file_is(upload.far("f.bin"));
}

#[test]
fn a_file_of_others_is_left_alone_unless_it_is_to_be_replaced() {
    for dialect in DIALECTS {
        let (upload, server, content) = stage(90);
        let other = Content::new(91, 3 * MIB);
        other.write_to(upload.far("f.bin"));
        let url = server.http_url("/f.bin");
        let args =
            |how: &'static str| ["--protocol", dialect, "--if-exists", how, "f.bin", &url].map(str::to_owned);
        let run = |how, code| {
            let args = args(how);
            upload.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), code)
        };
        upload.run(&["--protocol", dialect, "f.bin", &url], 8);
        run("fail", 8);
        run("skip", 0);
        other.assert_file_is(upload.far("f.bin"));
        run("overwrite", 0);
        content.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn a_file_that_came_meanwhile_is_not_replaced() {
    for dialect in DIALECTS {
        let (upload, server, _) = stage(95);
        let url = server.http_url("/f.bin");
        let haul = upload.put(&["--protocol", dialect, "--limit-rate", SLOWLY, "f.bin", &url]).spawn();
        wait_until_received(&server, SIZE / 2);
        let other = Content::new(96, MIB);
        other.write_to(upload.far("f.bin"));
        haul.wait_at_most(SOON).expect_code(8);
        other.assert_file_is(upload.far("f.bin"));
        upload.run(&["--protocol", dialect, "f.bin", &url], 8);
        other.assert_file_is(upload.far("f.bin"));
    }
}

#[test]
fn standard_input_is_sent_and_is_said_not_to_be_resumable() {
    let content = Content::new(100, 5 * MIB);
    for (name, dialect) in [("a", "auto"), ("b", "draft"), ("c", "put")] {
        let upload = Upload::in_memory();
        let server = serve(upload.root()).http().start();
        let url = server.http_url(&format!("/{name}"));
        let put = upload.put(&["--protocol", dialect, "-", &url]).input(content.bytes(0..5 * MIB));
        let told = Told::by(put.run().expect_code(0));
        let remarks = told.all("remark");
        assert!(remarks.iter().any(|remark| remark["text"].as_str().unwrap().contains("cannot be resumed")));
        content.assert_file_is(upload.far(name));
    }
}

#[test]
fn folders_are_made_and_trees_are_sent() {
    let upload = Upload::in_memory();
    std::fs::create_dir_all(upload.local("tree/deep/er")).unwrap();
    for name in ["tree/a", "tree/deep/er/b c"] {
        Content::new(110, 1000).write_to(upload.local(name));
    }
    let server = serve(upload.root()).http().start();
    upload.run(&["-r", "tree", &server.http_url("/")], 0);
    upload.run(&["--mkdir", "tree/a", &server.http_url("/x/y/z")], 0);
    upload.run(&["tree/a", &server.http_url("/none/z")], 4);
    for name in ["tree/a", "tree/deep/er/b c", "x/y/z"] {
        Content::new(110, 1000).assert_file_is(upload.far(name));
    }
}

#[test]
fn a_temporary_name_is_changed_at_the_end() {
    for dialect in DIALECTS {
        let (upload, server, content) = stage(120);
        let url = server.http_url("/f.bin");
        upload.run(&["--protocol", dialect, "--temp-name", "f.bin", &url], 0);
        content.assert_file_is(upload.far("f.bin"));
        assert!(!upload.far("f.bin.part").exists());
    }
}

#[test]
fn who_may_not_is_told_and_nothing_is_there() {
    let (upload, server, _) = stage(130);
    let nameless = format!("http://{}/f.bin", server.http_addr());
    for dialect in ["auto", "draft", "tus", "put"] {
        let told = upload.run(&["--protocol", dialect, "f.bin", &nameless], 4);
        assert!(told.message().contains("user name"), "{dialect}: {told}");
        let wrong = nameless.replace("http://", "http://a:wrong@");
        upload.run(&["--protocol", dialect, "f.bin", &wrong], 4);
    }
    assert!(!upload.far("f.bin").exists());
}

#[test]
fn no_secret_is_written_down() {
    let (upload, server, _) = stage(140);
    killed_at_half(&upload, &server, "draft");
    let records = upload.state().join("haul/uploads");
    for name in files(&records) {
        let bytes = std::fs::read(records.join(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn what_was_said_of_a_file_over_http_is_not_believed_over_ftp_without_a_look() {
    let (upload, server, content) = stage(150);
    killed_at_half(&upload, &server, "draft");
    let told = upload.run(&["f.bin", &server.url("/f.bin")], 0);
    assert!(told.kept() >= SIZE / 2, "{told}");
    content.assert_file_is(upload.far("f.bin"));
}
