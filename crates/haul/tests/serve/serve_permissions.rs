//! Permissions that differ from folder to folder, the same through both doors.

use crate::scene;
use std::fs;

use haul_testkit::{Caller, Haul, HttpCaller, Serve, Served, real::peer};

use crate::scene::{
    http::{OWNER, ask, request, send},
    served::{Place, begun, hash_of, owner},
    uploading::listed,
};

/// A user who reads everything, drops files in `in`, does all in `in/own`, nothing in `hidden`, and owns `out`.
fn serve(place: &Place) -> Served {
    for folder in ["in/own", "in/deep", "hidden", "out", "d/x"] {
        fs::create_dir_all(place.far(folder)).unwrap();
    }
    for file in ["f", "in/f", "in/own/f", "hidden/f", "out/f", "d/f"] {
        fs::write(place.far(file), file).unwrap();
    }
    let folder =
        |path: &str, may: &str| format!("[[user.folder]]\npath = \"{path}\"\npermissions = \"{may}\"\n");
    let toml = format!(
        "[[user]]\nname = \"a\"\npassword = \"{}\"\npermissions = \"rl\"\n{}{}{}{}[[anonymous.folder]]\npath = \"/in\"\n\
         permissions = \"w\"\n",
        hash_of("secret"),
        folder("/in", "w"),
        folder("/in/own", "rwdl"),
        folder("/hidden", ""),
        folder("/out/", "rwdl"),
    );
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&toml).http().start()
}

fn moves(served: &Served, from: &str, to: &str) -> u16 {
    let to = format!("Destination: {to}");
    HttpCaller::to(served.http_addr()).asks(request("MOVE", from, &[OWNER, &to], None)).status()
}

fn renames(caller: &mut Caller, from: &str, to: &str) -> u16 {
    caller.says(&format!("RNFR {from}"), 350);
    caller.asks(&format!("RNTO {to}")).code
}

#[test]
fn the_longest_path_around_a_name_says_what_may_be_done() {
    let place = Place::new();
    let served = serve(&place);
    let mut caller = owner(served.addr());
    // Reading.
    for (path, may) in
        [("/f", true), ("/in/f", false), ("/in/own/f", true), ("/hidden/f", false), ("/out/f", true)]
    {
        let answer = ask(served.http_addr(), "GET", path, &[OWNER]);
        assert_eq!(answer.status(), if may { 200 } else { 403 }, "{path}: {answer:?}");
        if may {
            assert_eq!(caller.receives(&format!("RETR {path}")), &path.as_bytes()[1..]);
        } else {
            caller.says("PASV", 227);
            assert_eq!(caller.asks(&format!("RETR {path}")).code, 550, "{path}");
        }
    }
    // Writing, whole and not yet whole.
    for (path, may) in [
        ("/n", false),
        ("/in/n", true),
        ("/in/deep/n", true),
        ("/in/own/n", true),
        ("/hidden/n", false),
        ("/inn", false),
    ] {
        let answer = send(served.http_addr(), "PUT", path, &[OWNER], b"new");
        assert_eq!(answer.status(), if may { 201 } else { 403 }, "{path}: {answer:?}");
        let draft =
            send(served.http_addr(), "POST", &format!("{path}2"), &[OWNER, "Upload-Complete: ?1"], b"new");
        assert_eq!(draft.status(), if may { 201 } else { 403 }, "{path}: {draft:?}");
        if may {
            assert_eq!(caller.stores(&format!("STOR {path}3"), b"new").code, 226, "{path}");
        } else {
            caller.says("PASV", 227);
            assert_eq!(caller.asks(&format!("STOR {path}3")).code, 550, "{path}");
        }
        assert_eq!(caller.asks(&format!("MKD {path}4")).code == 257, may, "{path}");
    }
    // Lists.
    for (path, may) in [("/", true), ("/in", false), ("/in/own", true), ("/hidden", false), ("/d", true)] {
        caller.says("PASV", 227);
        let refused = caller.asks(&format!("MLSD {path}")).code == 550;
        assert_eq!(refused, !may, "{path}");
        caller = owner(served.addr());
        let json = ["Accept: application/json", OWNER];
        let answer = ask(served.http_addr(), "GET", &format!("{}/", path.trim_end_matches('/')), &json);
        assert_eq!(answer.status(), if may { 200 } else { 403 }, "{path}");
    }
    // What is there where nothing may be done is not even told.
    assert_eq!(caller.asks("SIZE /hidden/f").code, 550);
    assert_eq!(caller.asks("MLST /hidden/f").code, 550);
    assert_eq!(ask(served.http_addr(), "HEAD", "/hidden/f", &[OWNER]).status(), 403);
    assert_eq!(ask(served.http_addr(), "HEAD", "/hidden/absent", &[OWNER]).status(), 403);
}

#[test]
fn mlst_tells_for_each_name_what_may_be_done_with_it() {
    let place = Place::new();
    let served = serve(&place);
    let mut caller = owner(served.addr());
    let mut perm = |path: &str| {
        let text = caller.says(&format!("MLST {path}"), 250).text;
        let fact = text
            .to_ascii_lowercase()
            .split(';')
            .find_map(|fact| fact.trim().strip_prefix("perm=").map(str::to_owned));
        fact.unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(perm("/f"), "r");
    assert!(perm("/out/f").contains('r') && perm("/out/f").contains('w') && perm("/out/f").contains('d'));
    assert!(!perm("/in/f").contains('r') && perm("/in/f").contains('w') && !perm("/in/f").contains('d'));
    assert!(perm("/in").contains('c') && perm("/in").contains('m') && !perm("/in").contains('l'));
    assert!(perm("/").contains('l') && !perm("/").contains('c'));
    // The same in a list.
    let list = String::from_utf8(caller.receives("MLSD /")).unwrap().to_ascii_lowercase();
    let line = |name: &str| list.lines().find(|line| line.ends_with(&format!(" {name}"))).unwrap();
    assert!(
        line("f").contains("perm=r;") && line("out").contains("perm=") && line("out").contains('c'),
        "{list}"
    );
}

#[test]
fn removing_and_renaming_need_both_ends() {
    let place = Place::new();
    let served = serve(&place);
    let mut caller = owner(served.addr());
    for (path, code) in [("/f", 550), ("/in/f", 550), ("/hidden/f", 550), ("/in/own/f", 250)] {
        assert_eq!(caller.asks(&format!("DELE {path}")).code, code, "{path}");
    }
    assert_eq!(ask(served.http_addr(), "DELETE", "/d/f", &[OWNER]).status(), 403);
    // Within one area, from one to another, and to where it must not go.
    assert_eq!(renames(&mut caller, "/out/f", "/out/g"), 250);
    assert_eq!(renames(&mut caller, "/out/g", "/in/own/g"), 250);
    assert_eq!(moves(&served, "/in/own/g", "/out/h"), 201);
    for to in ["/h", "/in/h", "/hidden/h", "/d/h"] {
        assert_eq!(renames(&mut caller, "/out/h", to), 550, "{to}");
        assert_eq!(moves(&served, "/out/h", to), 403, "{to}");
    }
    for from in ["/f", "/in/f", "/d"] {
        assert_eq!(moves(&served, from, "/out/taken"), 403, "{from}");
    }
    // The folders of rules stay where they are, and so does what has one within.
    for folder in ["/out", "/in/own", "/in", "/hidden"] {
        assert_eq!(moves(&served, folder, "/out/taken"), 403, "{folder}");
        assert_eq!(ask(served.http_addr(), "DELETE", folder, &[OWNER]).status(), 403, "{folder}");
        assert_eq!(caller.asks(&format!("RMD {folder}")).code, 550, "{folder}");
    }
    assert!(place.far("out/h").exists() && place.far("hidden/f").exists() && place.far("in/f").exists());
    caller.says("MFMT 20200101000000 /f", 550);
    caller.says("MFMT 20200101000000 /out/h", 213);
}

#[test]
fn who_has_no_name_leaves_files_in_a_folder_for_it_and_sees_none() {
    let place = Place::new();
    let served = serve(&place);
    fs::write(place.local("gift"), "a gift").unwrap();
    let url = |path: &str| format!("ftp://{}{path}", served.addr());
    let Some(program) = peer("curl") else { return };
    let curl = |args: &[&str]| Haul::new(&program).args(["-sS"]).args(args).dir(place.dir()).run();
    assert_eq!(curl(&["-T", "gift", &url("/in/gift")]).code, Some(0));
    let http = format!("http://{}/in/gift2", served.http_addr());
    assert_eq!(curl(&["-f", "-T", "gift", &http]).code, Some(0));
    assert_eq!(fs::read(place.far("in/gift")).unwrap(), b"a gift");
    assert_eq!(fs::read(place.far("in/gift2")).unwrap(), b"a gift");
    // Neither read, nor replaced, nor left elsewhere, nor listed.
    assert_ne!(curl(&["-o", "back", &url("/in/gift")]).code, Some(0));
    assert_ne!(curl(&["-f", "-o", "back", &http]).code, Some(0));
    assert_ne!(curl(&["-T", "gift", &url("/in/f")]).code, Some(0));
    assert_ne!(curl(&["-T", "gift", &url("/gift")]).code, Some(0));
    assert_ne!(curl(&["-l", &url("/in/")]).code, Some(0));
    assert_eq!(fs::read(place.far("in/f")).unwrap(), b"in/f");
    if let Some(lftp) = peer("lftp") {
        let (ip, port) = (served.addr().ip(), served.addr().port());
        let script =
            format!("set ftp:ssl-allow no; set net:max-retries 1; open -p {port} {ip}; put gift -o in/gift3");
        let end = Haul::new(lftp).args(["--norc", "-c", &script]).dir(place.dir()).run();
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        assert_eq!(fs::read(place.far("in/gift3")).unwrap(), b"a gift");
    }
}

#[test]
fn an_unfinished_upload_is_where_it_may_be_and_goes_nowhere_else() {
    let place = Place::new();
    let served = serve(&place);
    let kept = scene::served::left_unfinished(served.addr(), "/in/own/half", b"0123456789");
    let mut caller = owner(served.addr());
    for to in ["/half", "/in/half", "/hidden/half"] {
        assert_eq!(renames(&mut caller, "/in/own/half", to), 550, "{to}");
    }
    assert_eq!(renames(&mut caller, "/in/own/half", "/out/half"), 250);
    assert_eq!(caller.size("/out/half"), Some(kept));
    // Of one in a folder where it may only write its owner may know how far it is, and goes on.
    let kept = scene::served::left_unfinished(served.addr(), "/in/half", b"0123456789");
    assert_eq!(caller.size("/in/half"), Some(kept));
    caller.says("DELE /in/half", 550);
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR /in/half", b"9 and more").code, 226);
    assert_eq!(fs::read(place.far("in/half")).unwrap(), b"0123456789 and more");
}

#[test]
fn who_may_only_write_reads_nothing_of_what_others_left_by_going_on_from_it() {
    let place = Place::new();
    let served = serve(&place);
    let mut caller = owner(served.addr());
    // To append is to write; what was there already is not told for that.
    for (begin, line) in [("TYPE I", "APPE /in/f"), ("REST 3", "STOR /in/f")] {
        assert!([200, 350].contains(&caller.asks(begin).code));
        begun(&mut caller, line, b"xy").reset();
        assert!((400..600).contains(&caller.reply().code), "{line}");
        for line in ["XCRC /in/f 0 1", "XSHA256 /in/f", "HASH /in/f"] {
            assert_eq!(caller.asks(line).code, 550, "{line}");
        }
        let told = listed(served.http_addr(), "/in/f");
        let url = told[0]["url"].as_str().unwrap();
        let answer = ask(served.http_addr(), "GET", url, &[OWNER]);
        assert_eq!(answer.status(), 403, "{answer:?}");
        let digest = ask(served.http_addr(), "HEAD", url, &[OWNER, "Want-Repr-Digest: sha-256=1"]);
        assert_eq!(digest.field("Repr-Digest"), None, "{digest:?}");
    }
    // What it has sent itself it may compare, and go on with.
    let kept = scene::served::left_unfinished(served.addr(), "/in/mine", b"0123456789");
    caller.says(&format!("XCRC /in/mine 0 {kept}"), 250);
    let kept = caller.size("/in/f").unwrap();
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR /in/f", b"yz").code, 226);
    assert_eq!(fs::read(place.far("in/f")).unwrap(), b"in/xyz");
}

#[test]
fn a_link_within_the_tree_is_as_good_as_the_place_where_it_stands() {
    let place = Place::new();
    let served = serve(&place);
    std::os::unix::fs::symlink("../hidden", place.far("d/link")).unwrap();
    std::os::unix::fs::symlink("../hidden/f", place.far("out/link")).unwrap();
    let mut caller = owner(served.addr());
    assert_eq!(caller.receives("RETR /d/link/f"), b"hidden/f");
    caller.says("PASV", 227);
    assert_eq!(caller.asks("STOR /d/link/f").code, 550);
    assert_eq!(ask(served.http_addr(), "GET", "/hidden/f", &[OWNER]).status(), 403);
    assert_eq!(caller.stores("STOR /out/link", b"new").code, 226);
    assert_eq!(fs::read(place.far("hidden/f")).unwrap(), b"new");
    // It stays in its folder: elsewhere it could lead elsewhere, or there could be other rules.
    assert_eq!(renames(&mut caller, "/out/link", "/in/own/link"), 550);
    assert_eq!(moves(&served, "/out/link", "/in/own/link"), 403);
    assert!(place.far("out/link").is_symlink() && !place.far("in/own/link").is_symlink());
    assert_eq!(renames(&mut caller, "/out/link", "/out/other"), 250);
    assert_eq!(caller.receives("RETR /out/other"), b"new");
}
