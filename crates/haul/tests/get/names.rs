//! Names that servers and URLs choose: always one visible file inside the folder that the user named.

use crate::scene;
use crate::scene::{MIB, Scene, haul};
use haul_testkit::hostile::{ETags, Go, Version, Which};
use haul_testkit::{Behaviour, Content, Cut, HttpPeer};

const FILE: Content = Content::new(91, 3000);

/// The one file that `haul get` of this path makes of what the server says of its name.
fn named(path: &str, disposition: Option<&str>) -> String {
    let behaviour = Behaviour::of(FILE);
    let behaviour = match disposition {
        Some(value) => behaviour.field("Content-Disposition", value),
        None => behaviour,
    };
    let peer = HttpPeer::start(behaviour);
    // The folder lies in one of ours, so that a name that gets out of it is seen.
    let scene = Scene::new();
    std::fs::create_dir_all(scene.path("a/b/c")).unwrap();
    scene.run(&["-d", "a/b/c", &peer.url(path)], 0);
    for (folder, only) in [("", "a"), ("a", "b"), ("a/b", "c")] {
        assert_eq!(scene::files(&scene.path(folder)), [only], "{path} {disposition:?}");
    }
    let files = scene::files(&scene.path("a/b/c"));
    let [name] = &files[..] else { panic!("{path} {disposition:?}: {files:?}") };
    FILE.assert_file_is(scene.path("a/b/c").join(name));
    name.clone()
}

#[test]
fn the_servers_name_stands_above_the_urls() {
    for (disposition, expected) in [
        ("attachment; filename=\"real.iso\"", "real.iso"),
        ("attachment; filename=real.iso", "real.iso"),
        ("inline; filename=\"with blanks.iso\"", "with blanks.iso"),
        ("attachment; filename=\"a \\\"quoted\\\" one\"", "a _quoted_ one"),
        ("attachment; filename=\"old.iso\"; filename*=UTF-8''na%C3%AFve%20%e2%82%ac.iso", "naïve €.iso"),
        ("attachment; filename*=UTF-8''first.iso; filename=\"old.iso\"", "first.iso"),
    ] {
        assert_eq!(named("/x/url.bin", Some(disposition)), expected, "{disposition}");
    }
}

#[test]
fn a_name_never_leaves_the_folder() {
    for (disposition, expected) in [
        ("attachment; filename=\"../../etc/passwd\"", "passwd"),
        ("attachment; filename=\"/etc/cron.d/x\"", "x"),
        ("attachment; filename=\"..\\\\..\\\\windows\\\\system.ini\"", "system.ini"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fshadow", "shadow"),
        ("attachment; filename=\"a/b/../..\"", "url.bin"),
        ("attachment; filename=\"..\"", "url.bin"),
        ("attachment; filename=\"/\"", "url.bin"),
    ] {
        assert_eq!(named("/x/url.bin", Some(disposition)), expected, "{disposition}");
    }
    assert_eq!(named("/x/..%2f..%2fetc%2fpasswd", None), "passwd");
    assert_eq!(named("/x/%2e%2e%5c%2e%2e%5cboot.ini", None), "boot.ini");
}

#[test]
fn a_name_is_harmless_wherever_it_goes() {
    for (disposition, expected) in [
        ("attachment; filename*=UTF-8''a%1b%5B2Jb%0d%0a%00c", "a[2Jbc"),
        ("attachment; filename*=UTF-8''txt%E2%80%AEexe.fdp", "txtexe.fdp"),
        ("attachment; filename=\".bashrc\"", "_bashrc"),
        ("attachment; filename=\"con\"", "_con"),
        ("attachment; filename=\"NUL.txt\"", "_NUL.txt"),
        ("attachment; filename=\"COM1\"", "_COM1"),
        ("attachment; filename=\"a:b*c?.txt\"", "a_b_c_.txt"),
        ("attachment; filename=\"dots and blanks. . .\"", "dots and blanks"),
        ("attachment; filename=\"x.part\"", "x.part_"),
        ("attachment; filename=\"x.part.haul\"", "x.part.haul_"),
    ] {
        assert_eq!(named("/x/url.bin", Some(disposition)), expected, "{disposition}");
    }
    let long = named("/x/url.bin", Some(&format!("attachment; filename=\"{}.iso\"", "long".repeat(200))));
    assert!(long.ends_with(".iso") && long.len() < 250, "{long}");
}

#[test]
fn without_a_name_of_the_servers_the_url_has_one() {
    for (path, disposition, expected) in [
        ("/x/my%20file%20%C3%BC.iso", None, "my file ü.iso"),
        ("/x/url.bin?token=s3cret&name=other.bin", None, "url.bin"),
        ("/x/url.bin", Some("attachment"), "url.bin"),
        ("/x/url.bin", Some("attachment; filename=\"\""), "url.bin"),
        ("/x/url.bin", Some("attachment; filename=\"  \""), "url.bin"),
        ("/x/url.bin", Some("nonsense;;=;\""), "url.bin"),
        ("/x/", None, "index.html"),
        ("/", None, "index.html"),
        ("/?download=f.bin", None, "index.html"),
        ("/x/%ff%fe.bin", None, "\u{fffd}\u{fffd}.bin"),
        ("/x/nul", None, "_nul"),
    ] {
        assert_eq!(named(path, disposition), expected, "{path} {disposition:?}");
    }
}

#[test]
fn the_name_is_the_first_urls_and_not_the_redirects() {
    let peer = HttpPeer::start(Behaviour::of(FILE).go(Go::Signed(9)));
    let scene = Scene::new();
    scene.run(&[&peer.url("/go")], 0);
    scene.assert_only("go");
}

#[test]
fn a_name_that_is_a_folder_is_not_touched() {
    let peer = HttpPeer::start(Behaviour::of(FILE).field("Content-Disposition", "attachment; filename=mine"));
    let scene = Scene::new();
    std::fs::create_dir(scene.path("mine")).unwrap();
    for args in [&[peer.url("/x")][..], &["--overwrite".to_owned(), peer.url("/x")]] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = scene.run(&args, 7).message();
        assert!(said.contains("mine is a folder"), "{said}");
        assert_eq!(scene.files(), ["mine"]);
    }
}

#[test]
fn a_name_that_is_a_link_is_not_written_through() {
    let peer = HttpPeer::start(Behaviour::of(FILE));
    let scene = Scene::new();
    scene.write("precious", "mine");
    for name in ["f.bin", "f.bin.part", "f.bin.part.haul"] {
        std::os::unix::fs::symlink("precious", scene.path(name)).unwrap();
        let end = scene.get(&[&peer.url("/f.bin")]).run();
        assert_eq!(scene.read("precious"), b"mine", "{name}\n{}", end.stderr);
        if end.code == Some(0) {
            FILE.assert_file_is(scene.path("f.bin"));
            std::fs::remove_file(scene.path("f.bin")).unwrap();
        } else {
            assert_eq!(end.code, Some(7), "{name}\n{}", end.stderr);
        }
        let _ = std::fs::remove_file(scene.path(name));
    }
    // Asked to replace it, the link itself goes.
    std::os::unix::fs::symlink("precious", scene.path("f.bin")).unwrap();
    scene.run(&["--overwrite", &peer.url("/f.bin")], 0);
    assert_eq!(scene.read("precious"), b"mine");
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(scene.path("f.bin").symlink_metadata().unwrap().is_file());
}

/// What haul says, in lines and as events, of a peer like this.
fn said_of(behaviour: &Behaviour, path: &str, code: i32) -> String {
    let mut all = String::new();
    for style in ["plain", "json", "bar"] {
        let peer = HttpPeer::start(behaviour.clone());
        let scene = Scene::new();
        let run =
            haul().args(["get", "--progress", style, "--retries", "1", &peer.url(path)]).dir(scene.dir());
        let end = run.run().expect_code(code);
        assert!(!end.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", end.stderr);
        all += &end.stderr;
    }
    let peer = HttpPeer::start(behaviour.clone());
    let end = haul().args(["probe", &peer.url(path)]).run();
    let told = end.stderr + &String::from_utf8_lossy(&end.stdout);
    assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
    all + &told
}

#[test]
fn what_a_server_says_is_harmless_for_the_terminal() {
    let evil = "\u{9b}2J\u{9d}0;owned\u{9c}";
    let file = Behaviour::of(FILE);
    let encoded = said_of(&file.clone().field("Content-Encoding", evil), "/f", 4);
    assert!(encoded.contains("\\u{9b}2j") || encoded.contains("\\u{9b}2J"), "{encoded}");
    said_of(&file.clone().etag(ETags::Strong(evil.into())), "/f", 0);
    said_of(&file.clone().field("Content-Disposition", &format!("attachment; filename=\"{evil}\"")), "/f", 0);
    said_of(&file.clone().go(Go::To(format!("ftp://h/{evil}"))), "/go", 4);
    said_of(&file.clone().go(Go::To(format!("http://127.0.0.1:1/{evil}"))), "/go", 3);
    // A terminal's own control characters are not HTTP at all.
    said_of(&file.field("X-Evil", "\x1b[2J"), "/f", 3);
}

#[test]
fn a_changed_tag_is_told_harmlessly() {
    let old = Content::new(92, 8 * MIB);
    let evil = "\u{9b}2J\u{202e}";
    let behaviour = Behaviour::of(old)
        .cut(Which::First(1), 4 * MIB, Cut::Fin)
        .replaced_after(3 * MIB, Version::new(FILE, evil));
    let peer = HttpPeer::start(behaviour);
    let scene = Scene::new();
    let run = haul().args(["get", "--progress", "plain", "-n", "1", &peer.url("/f.bin")]).dir(scene.dir());
    let end = run.run().expect_code(0);
    FILE.assert_file_is(scene.path("f.bin"));
    assert!(end.stderr.contains("the remote file changed"), "{}", end.stderr);
    assert!(
        !end.stderr.contains(|c| c == '\u{202e}' || (char::is_control(c) && c != '\n')),
        "{:?}",
        end.stderr
    );
}
