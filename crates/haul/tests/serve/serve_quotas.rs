//! Quotas in bytes and files, through both doors: what has room comes, what has none is told so and kept, and no number
//! of uploads at a time comes beyond it.

use crate::scene;
use std::{fs, path::Path};

use haul_testkit::{Caller, Content, Finished, Haul, HttpCaller, Serve, Served, real::peer};

use crate::scene::{
    MIB,
    http::{OWNER, STRANGER, ask, request, send},
    served::{OTHERS_PASSWORD, Place, hash_of, owner, stranger},
    wait_until,
};

const KIB: usize = 1 << 10;

/// The user whom everybody knows, in a home with this quota; the other has all of the tree.
fn configuration(quota: &str) -> String {
    let (owner, other) = (hash_of("secret"), hash_of(OTHERS_PASSWORD));
    format!(
        "[[user]]\nname = \"a\"\npassword = \"{owner}\"\nhome = \"/home\"\n{quota}\n\
         [[user]]\nname = \"b\"\npassword = \"{other}\"\n"
    )
}

fn serve(place: &Place, quota: &str) -> Serve {
    fs::create_dir_all(place.far("home")).unwrap();
    Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).config(&configuration(quota)).http()
}

/// Bytes of all files in a folder and below.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_in(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// What lies in the home and what is on its way there.
fn there(place: &Place) -> u64 {
    bytes_in(&place.far("home")) + bytes_in(&place.far(".haul/staging"))
}

fn left(caller: &mut Caller) -> u64 {
    caller.says("AVBL", 213).number()
}

fn curl(place: &Place, args: &[&str]) -> Option<Finished> {
    Some(Haul::new(peer("curl")?).args(["-sSv"]).args(args).dir(place.dir()).run())
}

#[test]
fn what_has_no_room_over_ftp_is_552_and_kept_and_goes_on_when_there_is_room() {
    let place = Place::new();
    let served = serve(&place, "quota_bytes = \"3M\"").start();
    let content = Content::new(7, 2 * MIB);
    fs::write(place.far("home/old"), vec![1; 1 << 20]).unwrap();
    served.process().hang_up();
    let mut caller = owner(served.addr());
    wait_until(|| left(&mut owner(served.addr())) == 2 * MIB);
    content.write_to(place.local("new"));
    fs::write(place.local("more"), vec![2; 1 << 20]).unwrap();
    assert_eq!(caller.stores("STOR more", &vec![2; 1 << 20]).code, 226);
    assert_eq!(left(&mut caller), MIB);
    let url = format!("ftp://a:secret@{}/new", served.addr());
    if let Some(end) = curl(&place, &["-T", "new", &url]) {
        assert_ne!(end.code, Some(0));
        assert!(end.stderr.contains("552 Your quota is used up; 1048575 bytes are kept"), "{}", end.stderr);
        assert!(there(&place) <= 3 * MIB, "{}", there(&place));
        assert_eq!(left(&mut caller), 0);
        assert_eq!(caller.size("new"), Some(MIB - 1), "it is kept but for the byte that is held back");
        assert!(!place.far("home/new").exists());
        // Nothing else has room, and what is there is still read.
        assert_eq!(caller.stores("STOR other", b"x").code, 552);
        assert_eq!(caller.receives("RETR more").len(), 1 << 20);
        // Room is made, and the same command goes on.
        caller.says("DELE old", 250);
        assert_eq!(left(&mut caller), MIB);
        let end = curl(&place, &["-T", "new", "-C", "-", &url]).unwrap();
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        content.assert_file_is(place.far("home/new"));
        assert_eq!((left(&mut caller), there(&place)), (0, 3 * MIB));
    }
    // A size that is told beforehand is refused before its first byte: lftp tells it.
    caller.says("DELE more", 250);
    fs::write(place.local("large"), vec![3; 2 << 20]).unwrap();
    if let Some(lftp) = peer("lftp") {
        let script = format!(
            "set ftp:ssl-allow no; set ftp:use-allo yes; set net:max-retries 1; debug 9; \
             open -u a,secret -p {} {}; put large",
            served.addr().port(),
            served.addr().ip()
        );
        let end = Haul::new(lftp).args(["--norc", "-c", &script]).dir(place.dir()).run();
        assert!(end.code != Some(0) && end.stderr.contains("552 Your quota is used up"), "{}", end.stderr);
        assert_eq!(caller.size("large"), None);
    }
    caller.says("ALLO 1048577", 200);
    caller.says("PASV", 227);
    caller.says("STOR large", 552);
    caller.says("ALLO 1048576", 200);
    assert_eq!(caller.stores("STOR large", &vec![3; 1 << 20]).code, 226);
}

#[test]
fn what_has_no_room_over_http_is_507_and_kept_and_goes_on_when_there_is_room() {
    let place = Place::new();
    let served = serve(&place, "quota_bytes = \"64K\"").start();
    let addr = served.http_addr();
    let limit = |expected: &str| {
        let answer = ask(addr, "OPTIONS", "/f", &[OWNER, "Upload-Draft-Interop-Version: 8"]);
        assert_eq!(answer.field("Tus-Max-Size"), Some(expected));
        let limits = answer.field("Upload-Limit").unwrap();
        assert!(limits.contains(&format!("max-size={expected}")), "{limits}");
    };
    limit("65536");
    assert_eq!(send(addr, "PUT", "/old", &[OWNER], &[1; 40 * KIB]).status(), 201);
    limit("24576");
    // The size is told: before its first byte.
    let refused = send(addr, "PUT", "/f", &[OWNER], &[2; 25 * KIB]);
    assert_eq!((refused.status(), refused.field("Content-Type")), (507, Some("application/problem+json")));
    assert!(refused.text().contains("your quota is used up"), "{}", refused.text());
    assert_eq!(there(&place), 40 * 1024, "nothing of it is there");
    // It is not told: as much as has room.
    let bytes: Vec<u8> = (0..30 * KIB).map(|at| (at % 251) as u8).collect();
    let mut caller = HttpCaller::to(addr);
    caller.sends(format!(
        "PUT /f HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    for piece in bytes.chunks(5000) {
        caller.sends([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    caller.sends("0\r\n\r\n");
    let refused = caller.answer("PUT").expect(507);
    let kept = refused.head.number("Upload-Offset").unwrap();
    assert!((24 * 1024 - 1..=24 * 1024).contains(&kept), "{kept}");
    assert!(refused.text().contains(&format!("\"offset\":{kept}")), "{}", refused.text());
    assert!(there(&place) <= 64 * 1024);
    assert_eq!(owner(served.addr()).size("f"), Some(kept), "over FTP, too");
    // Without room it does not go on, and what is kept stays.
    let rest = |from: u64| {
        let range = format!("Content-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        send(addr, "PUT", "/f", &[OWNER, &range], &bytes[usize::try_from(from).unwrap()..])
    };
    assert_eq!(rest(kept).status(), 507);
    assert_eq!(ask(addr, "DELETE", "/old", &[OWNER]).status(), 204);
    assert_eq!(rest(kept).status(), 201);
    assert_eq!(fs::read(place.far("home/f")).unwrap(), bytes);
    limit(&(34 * KIB).to_string());
    if let Some(end) =
        curl(&place, &["-f", "-u", "a:secret", "-T", "/dev/zero", "--max-time", "20", &served.http_url("/z")])
    {
        assert_eq!(end.code, Some(22), "{}", end.stderr);
        assert!(end.stderr.contains(" 507"), "{}", end.stderr);
        assert!(there(&place) <= 64 * 1024);
    }
}

#[test]
fn what_replaces_a_file_counts_as_the_difference() {
    let place = Place::new();
    let served = serve(&place, "quota_bytes = \"10K\"\nquota_files = 1").start();
    let mut caller = owner(served.addr());
    assert_eq!(caller.stores("STOR f", &[1; 8 * KIB]).code, 226);
    assert_eq!(caller.stores("STOR f", &[2; 9 * KIB]).code, 226);
    assert_eq!(left(&mut caller), 1024);
    assert_eq!(send(served.http_addr(), "PUT", "/f", &[OWNER], &[3; 10 * KIB]).status(), 204);
    assert_eq!(send(served.http_addr(), "PUT", "/f", &[OWNER], &[3; 11 * KIB]).status(), 507);
    assert_eq!(fs::read(place.far("home/f")).unwrap(), [3; 10 * KIB]);
    assert_eq!(caller.stores("STOR f", &[4; 2 * KIB]).code, 226);
    assert_eq!(left(&mut caller), 8 * 1024);
    assert_eq!(
        caller.stores("APPE f", &[5; 8 * KIB]).code,
        226,
        "the copy of its beginning is no second one"
    );
    assert_eq!(left(&mut caller), 0);
}

#[test]
fn files_and_folders_are_counted_and_one_more_is_refused() {
    let place = Place::new();
    let served = serve(&place, "quota_files = 3").start();
    let mut caller = owner(served.addr());
    caller.says("MKD d", 257);
    assert_eq!(caller.stores("STOR d/f", b"x").code, 226);
    // An unfinished one is one.
    let kept = scene::served::left_unfinished(served.addr(), "half", b"0123456789");
    caller.says("MKD e", 552);
    caller.says("PASV", 227);
    caller.says("STOR g", 552);
    assert_eq!(ask(served.http_addr(), "MKCOL", "/e", &[OWNER]).status(), 507);
    assert_eq!(send(served.http_addr(), "PUT", "/g", &[OWNER], b"x").status(), 507);
    assert_eq!(send(served.http_addr(), "PUT", "/d/f", &[OWNER], b"y").status(), 204, "it is there already");
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR half", b"and more").code, 226);
    caller.says("RNFR half", 350);
    caller.says("RNTO d/f", 250);
    assert_eq!(ask(served.http_addr(), "MKCOL", "/e", &[OWNER]).status(), 201, "one has replaced the other");
    caller.says("RMD e", 250);
    assert_eq!(caller.stores("STOR g", b"x").code, 226);
}

#[test]
fn many_uploads_at_a_time_do_not_come_beyond_a_quota_together() {
    let place = Place::new();
    let quota = 24 * MIB;
    let served = serve(&place, "quota_bytes = \"24M\"").start();
    let (addr, door) = (served.addr(), served.http_addr());
    let content = vec![7; 4 << 20];
    std::thread::scope(|scope| {
        for number in 0..12 {
            let content = &content;
            scope.spawn(move || match number % 2 {
                0 => {
                    // Without a size, and fast enough for the store to take it by itself.
                    let mut caller = owner(addr);
                    let mut data = caller.data();
                    if caller.asks(&format!("STOR {number}")).code == 150 {
                        let _ = data.tries(content);
                        data.finish();
                        assert!(matches!(caller.reply().code, 226 | 552));
                    }
                }
                _ => {
                    let head = "Transfer-Encoding: chunked\r\n\r\n400000\r\n";
                    let mut caller = HttpCaller::to(door);
                    caller.sends(format!("PUT /{number} HTTP/1.1\r\nHost: localhost\r\n{OWNER}\r\n{head}"));
                    caller.sends([content, &b"\r\n0\r\n\r\n"[..]].concat());
                    let status = caller.answer("PUT").status();
                    assert!(matches!(status, 201 | 507), "{status}");
                }
            });
        }
    });
    let lies = there(&place);
    assert!((quota - 5 * MIB..=quota).contains(&lies), "{lies}");
    // What was counted is what is there: a count anew comes to the same.
    let before = left(&mut owner(addr));
    assert!(before <= quota - lies + 12, "{before}: bytes that are held back lie there");
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains(" reloaded"), scene::SOON);
    wait_until(|| left(&mut owner(addr)).abs_diff(before) <= 12);
}

#[test]
fn a_fast_upload_stops_where_its_quota_ends() {
    let place = Place::new();
    let served = serve(&place, "quota_bytes = \"40M\"").start();
    let mut caller = owner(served.addr());
    let mut data = caller.data();
    caller.says("STOR f", 150);
    let _ = data.tries(&vec![7; 48 << 20]);
    data.finish();
    let reply = caller.hears(552);
    assert!(reply.text.contains(&format!("{} bytes are kept", 40 * MIB - 1)), "{reply:?}");
    assert_eq!(there(&place), 40 * MIB);
    caller.says("DELE f", 250);
    assert_eq!((left(&mut caller), there(&place)), (40 * MIB, 0));
}

#[test]
fn a_server_that_was_killed_counts_anew_what_is_unfinished_too() {
    let place = Place::new();
    let served = serve(&place, "quota_bytes = \"100K\"").start();
    let mut caller = owner(served.addr());
    assert_eq!(caller.stores("STOR f", &[1; 30 * KIB]).code, 226);
    let kept = scene::served::left_unfinished(served.addr(), "half", &[2; 20 * KIB]);
    let before = left(&mut owner(served.addr()));
    let served = served.killed_and_started_again();
    let after = left(&mut owner(served.addr()));
    assert!(before.abs_diff(after) <= 1 && after.abs_diff(50 * 1024) <= 1, "{before} {after}");
    let mut caller = owner(served.addr());
    caller.says(&format!("REST {kept}"), 350);
    assert_eq!(caller.stores("STOR half", &[2; 60 * KIB]).code, 552);
    caller.says("DELE half", 250);
    assert_eq!(left(&mut caller), 70 * 1024);
}

#[test]
fn whoever_changes_a_home_changes_what_is_left_there() {
    let place = Place::new();
    let served = serve(&place, "quota_bytes = \"10K\"").start();
    let left = || left(&mut owner(served.addr()));
    let mut other = stranger(served.addr());
    // The other has no quota, and is not held to that of this home.
    assert_eq!(other.stores("STOR home/f", &[1; 12 * KIB]).code, 226);
    assert_eq!(left(), 0);
    other.says("RNFR home/f", 350);
    other.says("RNTO f", 250);
    assert_eq!(left(), 10 * 1024);
    assert_eq!(send(served.http_addr(), "PUT", "/home/g", &[STRANGER], &[1; 4 * KIB]).status(), 201);
    assert_eq!(left(), 6 * 1024);
    // A folder with all that is in it.
    other.says("MKD d", 257);
    assert_eq!(other.stores("STOR d/h", &[1; 2 * KIB]).code, 226);
    let moved = HttpCaller::to(served.http_addr()).asks(request(
        "MOVE",
        "/d",
        &[STRANGER, "Destination: /home/d"],
        None,
    ));
    assert_eq!(moved.status(), 201, "{moved:?}");
    wait_until(|| left() == 4 * 1024);
    // Another program: counted with the next walk.
    fs::remove_file(place.far("home/g")).unwrap();
    served.process().hang_up();
    wait_until(|| left() == 8 * 1024);
}

#[test]
fn a_quota_that_is_changed_holds_for_whoever_logs_in_next_and_a_wrong_one_changes_nothing() {
    let place = Place::new();
    fs::create_dir(place.far("home")).unwrap();
    let file = place.local("serve.toml");
    fs::write(&file, configuration("quota_bytes = \"10K\"")).unwrap();
    let serve = Serve::without_user(env!("CARGO_BIN_EXE_haul"), place.root()).arg("--config").arg(&file);
    let served: Served = serve.http().start();
    assert_eq!(left(&mut owner(served.addr())), 10 * 1024);
    fs::write(&file, configuration("quota_bytes = \"10 kilo\"\nquota_files = 0")).unwrap();
    served.process().hang_up();
    served.process().wait_for_line(|line| line.contains("everything stays as it was"), scene::SOON);
    let log = served.process().stderr();
    assert!(log.contains("serve.toml:5: user.quota_bytes: \\\"10 kilo\\\" is no number of bytes"), "{log}");
    assert!(log.contains("serve.toml:6: user.quota_files: is a whole number"), "{log}");
    assert_eq!(left(&mut owner(served.addr())), 10 * 1024);
    fs::write(&file, configuration("quota_bytes = \"20K\"")).unwrap();
    served.process().hang_up();
    wait_until(|| left(&mut owner(served.addr())) == 20 * 1024);
}
