//! Folders over FTP: listed on standard output, and fetched as trees, from real servers and from one that lies.

use crate::scene;
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::scene::{
    MIB, SOON, Scene, Told, files,
    upload::{RESUMING, Start},
    wait_until,
};
use haul_testkit::{
    Content, FtpBehaviour, FtpPeer,
    hostile::{
        Which,
        ftp::{ListStyle, Lists, Passive},
    },
    real::{FtpTls, ProFtpd, PureFtpd, Pyftpdlib, Running, Vsftpd},
    tls::Certificates,
};
use tempfile::TempDir;

/// A date long ago, so that no server doubts it.
const DATE: u64 = 1_600_000_000;

/// What is in the tree that real servers serve, and how large it is.
const TREE: [(&str, u64); 8] = [
    ("a.txt", 1000),
    ("empty.bin", 0),
    ("-rf", 3000),
    ("with spaces/and more/deep.bin", 200_000),
    ("with spaces/x y.bin", 70_001),
    ("Grüße/Straße.txt", 5),
    ("[b]*/a[1].txt", 77),
    ("50% & #1?.bin", 12),
];

/// What TREE's names become where they are not safe everywhere.
fn called(name: &str) -> String {
    name.replace(['*', '?'], "_")
}

fn content(number: usize, size: u64) -> Content {
    Content::new(number as u64 + 1, size)
}

/// A folder with that tree in `pub`, and an empty folder in it.
fn served() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (number, (name, size)) in TREE.into_iter().enumerate() {
        put(&dir.path().join("pub").join(name), content(number, size));
    }
    std::fs::create_dir_all(dir.path().join("pub/nothing/in here")).unwrap();
    dir
}

fn put(path: &Path, content: Content) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    content.write_to(path);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(DATE)).unwrap();
}

/// Does it with each of the servers that is installed.
fn each(dir: &Path, servers: &[(&str, Start)], act: impl Fn(&Running)) {
    for (name, start) in servers {
        println!("{name}");
        if let Some(server) = start(dir) {
            server.hand_over();
            act(&server);
        }
    }
}

/// The paths of all that is below a folder, sorted; folders end in a slash.
fn below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for name in files(&folder) {
            let path = folder.join(name);
            let is_folder = path.symlink_metadata().unwrap().is_dir();
            let shown = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            found.push(if is_folder { shown + "/" } else { shown });
            if is_folder {
                waiting.push(path);
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn assert_tree(scene: &Scene, base: &str) {
    for (number, (name, size)) in TREE.into_iter().enumerate() {
        let path = scene.path(base).join(called(name));
        content(number, size).assert_file_is(&path);
        let date = path.metadata().unwrap().modified().unwrap();
        assert_eq!(date, SystemTime::UNIX_EPOCH + Duration::from_secs(DATE), "{name}");
    }
    assert!(scene.path(base).join("nothing/in here").is_dir());
    let there = below(&scene.path(base));
    assert!(!there.iter().any(|name| name.ends_with(".part") || name.ends_with(".haul")), "{there:?}");
    assert_eq!(there.iter().filter(|name| !name.ends_with('/')).count(), TREE.len(), "{there:?}");
}

/// Bytes fetched by file, over all that are done.
fn fetched(told: &Told) -> BTreeMap<String, u64> {
    let file = |done: &serde_json::Value| done["file"].as_str().unwrap().to_owned();
    told.all("done").into_iter().map(|done| (file(done), done["fetched"].as_u64().unwrap())).collect()
}

/// Standard output and standard error of a run that is to succeed.
#[track_caller]
fn output(scene: &Scene, args: &[&str]) -> (String, String) {
    let end = scene.get(args).run().expect_code(0);
    (String::from_utf8(end.stdout).unwrap(), end.stderr)
}

#[test]
fn a_tree_comes_whole_and_is_not_fetched_again() {
    let dir = served();
    each(dir.path(), &RESUMING, |server| {
        let scene = Scene::new();
        let url = server.login_url("/pub/");
        let told = scene.run(&["-r", &url], 0);
        assert_eq!(scene.files(), ["pub"], "{told}");
        assert_tree(&scene, "pub");
        let again = scene.run(&["-r", &url], 0);
        let fetched = fetched(&again);
        assert_eq!(fetched.len(), TREE.len(), "{again}");
        assert!(fetched.values().all(|bytes| *bytes == 0), "{again}");
        assert!(again.all("start").is_empty(), "nothing was even asked for\n{again}");
        assert_tree(&scene, "pub");
    });
}

#[test]
fn a_folder_without_a_slash_goes_where_it_is_told() {
    let dir = served();
    each(dir.path(), &RESUMING, |server| {
        let scene = Scene::new();
        std::fs::create_dir(scene.path("into")).unwrap();
        let told = scene.run(&["-r", "-d", "into", "-j", "1", &server.login_url("/pub/with%20spaces")], 0);
        assert_eq!(
            below(&scene.path("into")),
            ["with spaces/", "with spaces/and more/", "with spaces/and more/deep.bin", "with spaces/x y.bin"],
            "{told}"
        );
        // A file is a file, whatever was thought of it.
        scene.run(&["-r", &server.login_url("/pub/a.txt")], 0);
        content(0, 1000).assert_file_is(scene.path("a.txt"));
        scene.run(&["-r", "-d", "nowhere", &server.login_url("/pub/")], 7);
        let told = scene.run(&["-r", &server.login_url("/none/")], 4);
        assert!(told.message().contains("CWD"), "{told}");
    });
}

#[test]
fn the_root_of_a_server_is_called_as_its_host() {
    let dir = served();
    each(dir.path(), &RESUMING[..1], |server| {
        let scene = Scene::new();
        scene.run(&["-r", &server.login_url("/")], 0);
        assert_eq!(scene.files(), ["127.0.0.1"]);
        assert_tree(&scene, "127.0.0.1/pub");
    });
}

#[test]
fn a_folder_is_listed_on_standard_output() {
    let dir = served();
    each(dir.path(), &RESUMING, |server| {
        let scene = Scene::new();
        let (text, _) = output(&scene, &[&server.login_url("/pub/")]);
        let lines: Vec<&str> = text.lines().collect();
        let names: Vec<&str> = lines.iter().map(|line| &line[45..]).collect();
        let expected =
            ["-rf", "50% & #1?.bin", "Grüße/", "[b]*/", "a.txt", "empty.bin", "nothing/", "with spaces/"];
        assert_eq!(names, expected, "{text}");
        let file = lines.iter().find(|line| line.ends_with("a.txt")).unwrap();
        assert!(file.starts_with("file              1000  2020-09-13"), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("folder               -  ")), "{text}");
        assert!(scene.files().is_empty());
        // An empty one, and one that is none.
        let nothing = output(&scene, &[&server.login_url("/pub/nothing/in%20here/")]);
        assert_eq!(nothing, (String::new(), String::new()));
        let told = scene.run(&[&server.login_url("/pub/a.txt/")], 4);
        assert!(told.message().contains("CWD"), "{told}");
    });
}

#[test]
fn several_folders_are_told_apart() {
    let dir = served();
    each(dir.path(), &RESUMING[..1], |server| {
        let (one, other) = (server.login_url("/pub/nothing/"), server.login_url("/pub/with%20spaces/"));
        let (text, _) = output(&Scene::new(), &["-j", "1", &one, &other]);
        let urls = text.lines().filter(|line| line.starts_with("ftp://") && line.ends_with(':'));
        assert_eq!(urls.count(), 2, "{text}");
        assert!(!text.contains(server.password()), "{text}");
    });
}

#[test]
fn names_that_are_no_utf_8_are_told_apart() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    for (number, name) in [&b"\xe4.txt"[..], b"\xf6.txt"].into_iter().enumerate() {
        put(&dir.path().join("pub").join(std::ffi::OsStr::from_bytes(name)), content(number, 500));
    }
    each(dir.path(), &RESUMING[..1], |server| {
        let scene = Scene::new();
        let url = server.login_url("/pub/");
        let told = scene.run(&["-r", &url], 0);
        content(0, 500).assert_file_is(scene.path("pub/%E4.txt"));
        content(1, 500).assert_file_is(scene.path("pub/%F6.txt"));
        assert!(told.to_string().contains("is saved as"), "{told}");
        let (text, _) = output(&scene, &[&url]);
        assert!(text.contains("  %E4.txt\n"), "{text}");
    });
}

#[test]
fn killed_in_the_middle_nothing_is_fetched_twice() {
    let servers: [(&str, Start); 4] = [
        ("vsftpd", |root| Vsftpd::over(root).start()),
        ("proftpd", |root| ProFtpd::over(root).start()),
        ("pure-ftpd", |root| PureFtpd::over(root).start()),
        ("pyftpdlib", |root| Pyftpdlib::over(root).start()),
    ];
    let dir = tempfile::tempdir().unwrap();
    const FILES: usize = 6;
    const SIZE: u64 = 3 * MIB + 17;
    for number in 0..FILES {
        put(&dir.path().join(format!("pub/{}/f{number}.bin", number % 2)), content(number, SIZE));
    }
    each(dir.path(), &servers, |server| {
        let scene = Scene::new();
        let url = server.login_url("/pub/");
        let haul = scene.get(&["-r", "-n", "1", "-j", "2", "--limit-rate", "6M", &url]).spawn();
        // One file is whole, and another one under way.
        let is_done = |line: &str| line.contains(r#""event":"done""#);
        haul.wait_for_line(is_done, SOON);
        wait_until(|| below(&scene.path("pub")).iter().any(|name| name.ends_with(".part")));
        let end = haul.kill_9();
        assert_eq!(end.signal, Some(9), "{}", end.stderr);
        let whole = below(&scene.path("pub"));
        let whole: Vec<_> = whole.iter().filter(|name| name.ends_with(".bin")).collect();
        assert!(!whole.is_empty() && whole.len() < FILES, "{whole:?}");

        let told = scene.run(&["-r", "-n", "1", &url], 0);
        let fetched = fetched(&told);
        assert_eq!(fetched.len(), FILES, "{told}");
        for name in &whole {
            assert_eq!(fetched[&format!("pub/{name}")], 0, "{told}");
        }
        // What was under way goes on where it was.
        let kept: u64 = told.all("resumed").iter().map(|event| event["kept"].as_u64().unwrap()).sum();
        let all: u64 = fetched.values().sum();
        let missing = (FILES - whole.len()) as u64 * SIZE;
        assert!(all + kept >= missing && all <= missing - kept + FILES as u64, "{all} and {kept}\n{told}");
        for number in 0..FILES {
            content(number, SIZE).assert_file_is(scene.path(&format!("pub/{}/f{number}.bin", number % 2)));
        }
    });
}

#[test]
fn a_file_that_changed_between_two_runs_is_not_replaced_unasked() {
    let dir = served();
    each(dir.path(), &RESUMING, |server| {
        let scene = Scene::new();
        let url = server.login_url("/pub/");
        scene.run(&["-r", &url], 0);
        let far = dir.path().join("pub/a.txt");
        content(50, 1000).write_to(&far);
        server.hand_over();
        let told = scene.run(&["-r", &url], 7);
        assert!(told.message().contains("--overwrite"), "{told}");
        content(0, 1000).assert_file_is(scene.path("pub/a.txt"));
        // The others are done all the same, and with --overwrite only that one comes anew.
        assert_eq!(told.all("done").len(), TREE.len() - 1, "{told}");
        let told = scene.run(&["-r", "--overwrite", &url], 0);
        assert_eq!(fetched(&told).values().sum::<u64>(), 1000, "{told}");
        content(50, 1000).assert_file_is(scene.path("pub/a.txt"));
        put(&far, content(0, 1000));
        server.hand_over();
    });
}

#[test]
fn links_lead_nowhere_twice() {
    let dir = served();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    link(".", "pub/loop");
    link("../..", "pub/with spaces/up");
    link("a.txt", "pub/to a file");
    link("nowhere", "pub/dangling");
    each(dir.path(), &RESUMING, |server| {
        let scene = Scene::new();
        let told = scene.run(&["-r", &server.login_url("/pub/")], 0);
        content(0, 1000).assert_file_is(scene.path("pub/a.txt"));
        content(0, 1000).assert_file_is(scene.path("pub/to a file"));
        let there = below(&scene.path("pub"));
        assert!(!there.iter().any(|name| name.contains("loop/a.txt")), "{there:?}");
        assert!(!there.iter().any(|name| name.contains("up/pub/with spaces")), "{there:?}");
        assert!(told.to_string().contains("left out"), "{told}");
        assert!(!scene.path("pub/dangling").exists());
    });
}

#[test]
fn a_folder_that_nobody_may_read_does_not_stop_the_others() {
    let dir = served();
    let servers: [(&str, Start); 1] = [("pure-ftpd", |root| PureFtpd::serve(root))];
    each(dir.path(), &servers, |server| {
        use std::os::unix::fs::PermissionsExt as _;
        let closed = dir.path().join("pub/nothing");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
        let scene = Scene::new();
        let told = scene.run(&["-r", &server.login_url("/pub/")], 4);
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(told.message().contains("nothing"), "{told}");
        assert_eq!(told.all("done").len(), TREE.len(), "{told}");
    });
}

#[test]
fn a_tree_needs_no_more_connections_than_one() {
    let dir = served();
    let servers: [(&str, Start); 2] = [
        ("vsftpd", |root| Vsftpd::over(root).max_clients(1).start()),
        ("pyftpdlib", |root| Pyftpdlib::over(root).max_clients(1).start()),
    ];
    each(dir.path(), &servers, |server| {
        let scene = Scene::new();
        scene.run(&["-r", "-n", "1", "-j", "4", &server.login_url("/pub/")], 0);
        assert_tree(&scene, "pub");
    });
}

#[test]
fn a_tree_comes_over_tls_whose_sessions_have_to_be_resumed() {
    type StartTls = fn(&Path, FtpTls) -> Option<Running>;
    let servers: [(&str, StartTls); 4] = [
        ("vsftpd", |root, tls| Vsftpd::over(root).tls(tls.reuse_required()).start()),
        ("proftpd", |root, tls| ProFtpd::over(root).tls(tls.reuse_required()).start()),
        ("pure-ftpd", |root, tls| PureFtpd::over(root).tls(tls).start()),
        ("pyftpdlib", |root, tls| Pyftpdlib::over(root).tls(tls).start()),
    ];
    const FILES: usize = 30;
    let dir = tempfile::tempdir().unwrap();
    for number in 0..FILES {
        put(
            &dir.path().join(format!("pub/{}/{}/f{number}", number % 5, number % 3)),
            content(number, 10_000),
        );
    }
    for (name, start) in servers {
        for only in [FtpTls::only_12, FtpTls::only_13] {
            println!("{name}");
            let certificates = Certificates::for_loopback();
            let Some(server) = start(dir.path(), only(FtpTls::required(&certificates))) else { continue };
            server.hand_over();
            let scene = Scene::new();
            let ca = certificates.ca_pem_path().display().to_string();
            let url = server.login_url("/pub/");
            let args = ["-r", "--cacert", &ca, "--tls", "required", &url];
            scene.run(&args, 0);
            for number in 0..FILES {
                let path = scene.path(&format!("pub/{}/{}/f{number}", number % 5, number % 3));
                content(number, 10_000).assert_file_is(path);
            }
            let again = scene.run(&args, 0);
            assert_eq!(fetched(&again).values().sum::<u64>(), 0, "{again}");
        }
    }
}

fn peer(behaviour: FtpBehaviour) -> FtpPeer {
    let peer = FtpPeer::start(behaviour);
    peer.put("pub/good.bin", content(1, 5000)).put("pub/sub/deep.bin", content(2, 6000));
    peer
}

#[test]
fn each_form_of_a_list_is_read() {
    for style in [ListStyle::Unix, ListStyle::Dos, ListStyle::Eplf] {
        let peer =
            peer(FtpBehaviour { list_style: style, ..FtpBehaviour::proper().without(&["MLSD", "MLST"]) });
        let scene = Scene::new();
        for _ in 0..2 {
            scene.run(&["-r", &peer.url("pub/")], 0);
            content(1, 5000).assert_file_is(scene.path("pub/good.bin"));
            content(2, 6000).assert_file_is(scene.path("pub/sub/deep.bin"));
        }
        assert_eq!(peer.count("MLSD"), 0);
        assert_eq!(peer.sent_of("pub/good.bin"), 5000, "once");
    }
    // FEAT promises what is not there.
    let peer = peer(FtpBehaviour::proper().instead("MLSD", "500 what?"));
    let scene = Scene::new();
    scene.run(&["-r", &peer.url("pub/")], 0);
    content(2, 6000).assert_file_is(scene.path("pub/sub/deep.bin"));
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused_and_the_rest_comes() {
    for without in [&[][..], &["MLSD", "MLST"][..]] {
        let names = ["../x", "/etc/passwd", "a/../../b", "..", ".", "sub/../../y", "back\\slash"];
        let behaviour = FtpBehaviour {
            listed: names.map(String::from).to_vec(),
            ..FtpBehaviour::proper().without(without)
        };
        let peer = peer(behaviour);
        let outer = Scene::new();
        let inner = outer.path("inner");
        std::fs::create_dir(&inner).unwrap();
        let told = Told::by(scene::get(&inner, &["-r", &peer.url("pub/")]).run().expect_code(8));
        assert_eq!(
            below(outer.dir()),
            ["inner/", "inner/pub/", "inner/pub/good.bin", "inner/pub/sub/", "inner/pub/sub/deep.bin"]
        );
        // In both folders.
        assert_eq!(told.all("failed").len(), 2 * 5, "{told}");
        let said = told.to_string();
        assert!(["../x", "/etc/passwd", "a/../../b"].iter().all(|name| said.contains(name)), "{told}");
        let (text, remarks) = output(&outer, &[&peer.url("pub/")]);
        assert!(!text.contains("passwd") && remarks.contains("passwd"), "{text}{remarks}");
    }
}

#[test]
fn a_tree_of_which_a_line_could_not_be_read_is_not_called_whole() {
    for without in [&[][..], &["MLSD", "MLST"][..]] {
        let behaviour = FtpBehaviour::proper().without(without).listed(".\r\nwords in no known form at all");
        let peer = peer(behaviour);
        let scene = Scene::new();
        let told = scene.run(&["-r", &peer.url("pub/")], 8);
        // In both folders.
        assert_eq!(told.all("failed").len(), 2, "{told}");
        assert!(told.to_string().contains("1 line of the server's list could not be read"), "{told}");
        content(1, 5000).assert_file_is(scene.path("pub/good.bin"));
        content(2, 6000).assert_file_is(scene.path("pub/sub/deep.bin"));
        let (text, remarks) = output(&scene, &[&peer.url("pub/")]);
        assert!(text.contains("good.bin") && remarks.contains("could not be read"), "{text}{remarks}");
    }
}

#[test]
fn names_become_safe_and_never_each_other() {
    let list =
        b"type=file;size=1; a.part\r\ntype=file;size=1; a.part.haul.new\r\ntype=file;size=1; .bashrc\r\n\
        type=file;size=1; x:\r\ntype=file;size=1; x?\r\ntype=file;size=1; \xe4\r\ntype=file;size=1; \xf6\r\n\
        type=file;size=1; e\x1b[2Jvil\r\ntype=file;size=1; \x07\r\ntype=file;size=1; NUL\r\n\
        type=dir; x_\r\ntype=file;size=1; same\r\ntype=file;size=1; same\r\n"
            .to_vec();
    let peer = FtpPeer::start(FtpBehaviour::proper());
    peer.make_folder("pub").make_folder("pub/x_");
    let all = ["a.part", "a.part.haul.new", ".bashrc", "x:", "x?", "e\x1b[2Jvil", "\x07", "NUL", "same"];
    for name in all {
        peer.put_bytes(&format!("pub/{name}"), b"1");
    }
    // Lists come of the folder itself only.
    peer.change(|behaviour| behaviour.lists = Lists::Text(list));
    let plain = peer.url("pub/");
    let (text, _) = output(&Scene::new(), &[&plain]);
    assert!(!text.contains(['\x1b', '\x07']) && text.contains("e\\u{1b}[2Jvil"), "{text:?}");
    let scene = Scene::new();
    let end = scene.get(&["-r", "--retries", "0", &plain]).run();
    assert!(!end.stderr.contains(['\x1b', '\x07']), "{:?}", end.stderr);
    let there = below(&scene.path("pub"));
    for name in ["NUL", ".bashrc", "a.part", "a.part.haul.new", "x:", "x?"] {
        assert!(!there.iter().any(|found| found == name), "{name}: {there:?}");
    }
    for name in ["_NUL", "_bashrc", "a.part_", "a.part.haul.new_", "e[2Jvil", "same", "x_/"] {
        assert!(there.iter().any(|found| found == name), "{name}: {there:?}");
    }
    let told = Told::by(end);
    assert!(told.to_string().contains("x: in") && told.to_string().contains("x? in"), "{told}");
}

#[test]
fn lists_and_lines_without_end_are_given_up() {
    let dir = |bytes: &[u8]| Lists::Endless(bytes.to_vec());
    for (recursive, lists) in [
        (true, dir(b"x")),
        (false, dir(b"type=file;size=1; name\r\n")),
        (true, dir(b"\r\n")),
        (false, dir(b"nonsense\r\n")),
        (true, dir(b"type=file; ../x\r\n")),
    ] {
        let peer = peer(FtpBehaviour { lists, ..FtpBehaviour::proper() });
        let scene = Scene::new();
        let url = peer.url("pub/");
        let args = if recursive { vec!["-r", &url] } else { vec![url.as_str()] };
        let mut haul = scene.get(&args).spawn();
        let mut memory = None;
        while haul.is_running() {
            memory = haul.peak_memory().max(memory);
            std::thread::sleep(Duration::from_millis(2));
        }
        println!("{memory:?} bytes at the most");
        assert!(memory.is_none_or(|bytes| bytes < 200 << 20), "{memory:?}");
        let told = Told::by(haul.wait_at_most(SOON).expect_code(4));
        let message = told.message();
        assert!(message.contains("does not come to an end") || message.contains("a line of more"), "{told}");
        assert!(scene.files().is_empty());
    }
}

#[test]
fn a_tree_without_end_is_given_up() {
    // Every folder has the same folder in it, and nothing tells where one is.
    let behaviour = FtpBehaviour {
        lists: Lists::Text(b"type=dir; d\r\n".to_vec()),
        ..FtpBehaviour::proper().without(&["PWD"]).instead("CWD", "250 there")
    };
    let peer = peer(behaviour);
    let scene = Scene::new();
    let told = scene.run(&["-r", &peer.url("pub/")], 8);
    assert!(told.message().contains("nested deeper than 64"), "{told}");
    let deepest = below(scene.dir()).iter().map(|path| path.matches('/').count()).max();
    assert_eq!(deepest, Some(65));

    // The same where each folder says who it is.
    peer.change(|behaviour| behaviour.lists = Lists::Text(b"type=dir;unique=7; d\r\n".to_vec()));
    let scene = Scene::new();
    let told = scene.run(&["-r", &peer.url("pub/")], 0);
    assert!(told.to_string().contains("leads back"), "{told}");
    assert_eq!(below(scene.dir()), ["pub/", "pub/d/"]);
}

#[test]
fn a_tree_of_very_many_entries_is_given_up() {
    let list: String = (0..300_000).map(|number| format!("type=dir; {number}\r\n")).collect();
    let behaviour = FtpBehaviour {
        lists: Lists::Text(list.into_bytes()),
        ..FtpBehaviour::proper().without(&["PWD"]).instead("CWD", "250 there")
    };
    let peer = peer(behaviour);
    let scene = Scene::new();
    let told = scene.run(&["-r", &peer.url("pub/")], 8);
    assert!(told.message().contains("more than 1000000 entries"), "{told}");
    assert_eq!(below(scene.dir()), ["pub/", "pub/0/", "pub/0/0/", "pub/0/0/0/"]);
}

#[test]
fn links_of_the_servers_own_making_are_asked_for() {
    let list = b"type=OS.unix=slink:/etc; folder\r\ntype=OS.unix=slink:../../x; good.bin\r\n\
        type=OS.unix=chr-1/3; device\r\n";
    let peer = peer(FtpBehaviour { lists: Lists::Text(list.to_vec()), ..FtpBehaviour::proper() });
    let scene = Scene::new();
    let told = scene.run(&["-r", &peer.url("pub/")], 0);
    assert_eq!(below(scene.dir()), ["pub/", "pub/good.bin"]);
    assert!(told.to_string().contains("folder in ftp://"), "{told}");
    assert!(scene.path("pub/good.bin").symlink_metadata().unwrap().is_file());
}

#[test]
fn a_local_link_is_not_followed_out_of_the_target() {
    let peer = peer(FtpBehaviour::proper());
    let elsewhere = tempfile::tempdir().unwrap();
    let scene = Scene::new();
    std::fs::create_dir(scene.path("pub")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), scene.path("pub/sub")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("x"), scene.path("pub/good.bin")).unwrap();
    let told = scene.run(&["-r", &peer.url("pub/")], 7);
    assert_eq!(told.all("failed").len(), 2, "{told}");
    assert!(told.to_string().contains("symbolic link"), "{told}");
    assert!(files(elsewhere.path()).is_empty(), "{told}");
    let told = scene.run(&["-r", "--overwrite", &peer.url("pub/")], 7);
    assert!(files(elsewhere.path()).is_empty(), "{told}");
    content(1, 5000).assert_file_is(scene.path("pub/good.bin"));
    // Nor is the base itself one.
    let scene = Scene::new();
    std::os::unix::fs::symlink(elsewhere.path(), scene.path("pub")).unwrap();
    scene.run(&["-r", &peer.url("pub/")], 7);
    assert!(files(elsewhere.path()).is_empty());
}

#[test]
fn a_list_that_breaks_is_asked_for_again() {
    let peer = peer(FtpBehaviour::proper().instead_of(Which::Only(0), "MLSD", "426 broken"));
    let scene = Scene::new();
    scene.run(&["-r", &peer.url("pub/")], 0);
    content(1, 5000).assert_file_is(scene.path("pub/good.bin"));
    let told = scene.run(&["-r", "--retries", "0", &peer.url("none")], 4);
    assert!(told.message().contains("none"), "{told}");
}

/// Nobody waits minutes for twenty tries that say nothing.
#[test]
fn a_list_for_which_there_is_no_data_connection_is_given_up_soon() {
    let peer = peer(FtpBehaviour::proper().passive(Passive::Dead));
    let scene = Scene::new();
    let began = std::time::Instant::now();
    let told = scene.run(&[&peer.url("pub/")], 3);
    assert!(told.message().contains("the data connection could not be opened"), "{told}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_signal_ends_a_walk_and_the_same_command_goes_on() {
    let peer = FtpPeer::start(FtpBehaviour::proper().rate(Which::Every, 200 << 10));
    for number in 0..8 {
        peer.put(&format!("pub/f{number}"), content(number, 100 << 10));
    }
    let scene = Scene::new();
    let haul = scene.get(&["-r", "-j", "1", &peer.url("pub/")]).spawn();
    haul.wait_for_line(|line| line.contains(r#""event":"done""#), SOON);
    haul.interrupt();
    let told = Told::by(haul.wait_at_most(SOON).expect_code(130));
    assert!(told.to_string().contains("the rest of the folder"), "{told}");
    peer.change(|behaviour| behaviour.rates.clear());
    scene.run(&["-r", &peer.url("pub/")], 0);
    for number in 0..8 {
        content(number, 100 << 10).assert_file_is(scene.path(&format!("pub/f{number}")));
        assert!(peer.sent_of(&format!("pub/f{number}")) <= 110 << 10);
    }
}

#[test]
fn a_hundred_thousand_files_are_listed_in_little_memory() {
    use std::fmt::Write as _;
    let mut list = String::new();
    for number in 0..100_000 {
        let _ =
            write!(list, "type=file;size={number};modify=20200913122640; file number {number:06}.dat\r\n");
    }
    let lists = Lists::Text(list.into_bytes());
    let peer = peer(FtpBehaviour { lists, ..FtpBehaviour::proper() });
    let scene = Scene::new();
    // All of them are here already, as far as anybody can see.
    std::fs::create_dir(scene.path("pub")).unwrap();
    let (text, _) = output(&scene, &[&peer.url("pub/")]);
    assert_eq!(text.lines().count(), 100_000);
    let haul = scene.get(&["-r", &peer.url("pub/")]).spawn();
    wait_until(|| peer.count("SIZE") > 0);
    let memory = haul.peak_memory();
    haul.kill_9();
    println!("{memory:?} bytes at the most");
    assert!(memory.is_none_or(|bytes| bytes < 60 << 20), "{memory:?}");
}
