//! Files that come by PUT: whole or not at all, under the conditions that were named, whoever reads meanwhile.

use crate::scene;
use std::{
    fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use haul_testkit::{Content, HttpCaller, disk::SmallDisk, real::peer};

use crate::scene::{
    MIB,
    http::{OWNER, Way, ask, etag, get, request, send},
    queued,
    served::{Place, serve},
    wait_until,
};

const OLD: Content = Content::new(1, 300_000);
const NEW: Content = Content::new(2, 500_000);

fn head(path: &str, fields: &[&str], length: u64) -> Vec<u8> {
    let length = format!("Content-Length: {length}");
    request("PUT", path, &[&[OWNER, &length], fields].concat(), None)
}

/// Waits until the server has so much of an upload.
#[track_caller]
fn wait_until_hidden(place: &Place, bytes: u64) {
    wait_until(|| place.hidden() >= bytes);
}

#[test]
fn a_file_is_created_and_replaced_and_told_of() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let created = send(addr, "PUT", "/a%20b%C3%A9", &[OWNER], &OLD.bytes(0..OLD.size())).expect(201);
    assert_eq!(created.field("Location"), Some("/a%20b%C3%A9"));
    assert_eq!(created.head.number("Upload-Offset"), Some(OLD.size()));
    let first = created.field("ETag").unwrap().to_owned();
    assert_eq!(etag(addr, "/a%20b%C3%A9"), first);
    let replaced = send(addr, "PUT", "/a%20b%C3%A9", &[OWNER], &NEW.bytes(0..NEW.size())).expect(204);
    assert_ne!(replaced.field("ETag"), Some(first.as_str()));
    NEW.assert_file_is(place.far("a bé"));
    // Nothing at all is a file, too.
    send(addr, "PUT", "/empty", &[OWNER], b"").expect(201);
    assert_eq!(fs::read(place.far("empty")).unwrap(), b"");
    // The same bytes twice are two versions.
    let again = send(addr, "PUT", "/a%20b%C3%A9", &[OWNER], &NEW.bytes(0..NEW.size())).expect(204);
    assert_ne!(again.field("ETag"), replaced.field("ETag"));
}

#[test]
fn chunks_of_any_size_make_the_same_file() {
    let place = Place::new();
    let served = place.serve().http().start();
    let mut caller = HttpCaller::to(served.http_addr());
    for (number, sizes) in
        [vec![1; 50], vec![70_000, 1, 200_000, 3], vec![2 << 20, 7]].into_iter().enumerate()
    {
        let path = format!("/{number}");
        caller.sends(request("PUT", &path, &[OWNER, "Transfer-Encoding: chunked"], None));
        let mut at = 0;
        for size in sizes {
            caller.sends(format!("{size:x};x=\"y\"\r\n"));
            caller.sends(NEW.resized(at + size).bytes(at..at + size));
            caller.sends("\r\n");
            at += size;
        }
        caller.sends("0\r\nX-Trailer: y\r\n\r\n");
        let answer = caller.answer("PUT").expect(201);
        assert_eq!(answer.head.number("Upload-Offset"), Some(at));
        NEW.resized(at).assert_file_is(place.far(&number.to_string()));
    }
}

#[test]
fn what_is_cut_leaves_the_old_file_and_shows_nothing_of_the_new() {
    let place = Place::new();
    OLD.write_to(place.far("old"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let ends = [
        ("old", false, false),
        ("old", true, false),
        ("old", false, true),
        ("old", true, true),
        ("new", false, false),
        ("new", true, false),
        ("new", false, true),
        ("new", true, true),
    ];
    for (cuts, (path, chunked, reset)) in ends.into_iter().enumerate() {
        let mut caller = HttpCaller::to(addr);
        if chunked {
            caller.sends(request("PUT", &format!("/{path}"), &[OWNER, "Transfer-Encoding: chunked"], None));
            caller.sends(format!("{:x}\r\n", NEW.size()));
        } else {
            caller.sends(head(&format!("/{path}"), &[], NEW.size()));
        }
        caller.sends(NEW.bytes(0..NEW.size() - 1));
        if reset {
            wait_until(|| queued(caller.port()).unwrap_or(0) == 0);
            caller.resets();
        } else {
            caller.shuts();
            assert!(caller.hears("PUT").is_none_or(|answer| answer.status() == 400));
        }
        let kept = |line: &&str| line.contains(" received ") && line.contains("complete=no");
        wait_until(|| served.process().stderr().lines().filter(|line| kept(line)).count() == cuts + 1);
        OLD.assert_file_is(place.far("old"));
        assert!(!place.far("new").exists());
    }
    send(addr, "PUT", "/new", &[OWNER], &NEW.bytes(0..NEW.size())).expect(201);
    NEW.assert_file_is(place.far("new"));
}

#[test]
fn conditions_hold_when_they_are_asked_and_when_the_file_takes_its_name() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let put =
        |path: &str, fields: &[&str]| send(addr, "PUT", path, &[&[OWNER], fields].concat(), b"new").status();
    assert_eq!(put("/f", &["If-None-Match: *"]), 412);
    assert_eq!(put("/f", &["If-Match: \"other\""]), 412);
    assert_eq!(put("/absent", &["If-Match: *"]), 412);
    assert_eq!(put("/absent", &["If-Match: \"other\""]), 412);
    OLD.assert_file_is(place.far("f"));
    assert!(!place.far("absent").exists());
    // Somebody else is faster.
    type Meanwhile<'a> = &'a dyn Fn();
    let right = format!("If-Match: {}", etag(addr, "/f"));
    let changes: [(&str, &str, Meanwhile<'_>); 5] = [
        ("/f", &right, &|| fs::write(place.far("f"), "theirs").unwrap()),
        ("/f", "If-Match: *", &|| fs::remove_file(place.far("f")).unwrap()),
        ("/made", "If-None-Match: *", &|| fs::write(place.far("made"), "theirs").unwrap()),
        ("/f", "If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT", &|| {
            fs::write(place.far("f"), "theirs").unwrap();
        }),
        ("/sent", "If-None-Match: *", &|| {
            let theirs = send(addr, "PUT", "/sent", &[scene::http::STRANGER], b"theirs");
            assert_eq!(theirs.status(), 201);
        }),
    ];
    for (path, condition, meanwhile) in changes {
        let local = place.far(path.trim_start_matches('/'));
        if path == "/f" && condition != right {
            fs::write(&local, "before").unwrap();
        }
        let mut caller = HttpCaller::to(addr);
        // The content is asked for when the condition has been looked at.
        caller.sends(head(path, &[condition, "Expect: 100-continue"], NEW.size()));
        assert_eq!(caller.next_head().unwrap().status, 100, "{path} {condition}");
        caller.sends(NEW.bytes(0..NEW.size() - 1));
        meanwhile();
        let theirs = fs::read(&local).ok();
        caller.sends(NEW.bytes(NEW.size() - 1..NEW.size()));
        let answer = caller.answer("PUT");
        assert_eq!(answer.status(), 412, "{path} {condition}: {answer:?}");
        assert_eq!(fs::read(&local).ok(), theirs, "{path} {condition}");
    }
    // Without a condition the last one wins.
    send(addr, "PUT", "/f", &[OWNER], b"mine").expect(204);
}

#[test]
fn a_full_disk_is_told_and_what_came_is_kept() {
    let Some(disk) = SmallDisk::new(8 << 20) else { return };
    let content = Content::new(3, 32 * MIB);
    fs::write(disk.path().join("old"), "old").unwrap();
    let served = serve(disk.path()).http().start();
    let addr = served.http_addr();
    let mut caller = HttpCaller::to(addr);
    caller.sends(head("/old", &[], content.size()));
    let _ = caller.tries(content.bytes(0..content.size()));
    let answer = caller.answer("PUT").expect(507);
    assert_eq!(answer.field("Content-Type"), Some("application/problem+json"));
    let kept = answer.head.number("Upload-Offset");
    assert!(kept.is_some_and(|kept| kept > 0), "how far it came: {answer:?}");
    assert_eq!(fs::read(disk.path().join("old")).unwrap(), b"old");
    assert_eq!(get(addr, "/old"), b"old");
    // With room it goes through.
    disk.resize(80 << 20);
    let mut caller = HttpCaller::to(addr);
    caller.sends(head("/old", &[], content.size()));
    caller.sends(content.bytes(0..content.size()));
    caller.answer("PUT").expect(204);
    content.assert_file_is(disk.path().join("old"));
}

#[test]
fn content_that_is_not_wanted_is_not_asked_for() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let length = format!("Content-Length: {}", NEW.size());
    for (fields, status) in [
        (vec!["Expect: 100-continue"], 401),
        (vec!["Expect: 100-continue", "Authorization: Basic YTp3cm9uZw=="], 401),
        (vec!["Expect: 100-continue", OWNER, "If-None-Match: *"], 412),
        (vec!["Expect: 100-continue", OWNER, "Origin: https://evil.example"], 403),
    ] {
        let mut caller = HttpCaller::to(addr);
        caller.sends(request("PUT", "/f", &[&[length.as_str()], &fields[..]].concat(), None));
        let answer = caller.answer("PUT");
        assert_eq!((answer.status(), answer.interim.len()), (status, 0), "{fields:?}");
    }
    // And what is wanted is.
    let mut caller = HttpCaller::to(addr);
    caller.sends(request("PUT", "/f", &[OWNER, &length, "Expect: 100-continue"], None));
    assert_eq!(caller.next_head().unwrap().status, 100);
    caller.sends(NEW.bytes(0..NEW.size()));
    caller.answer("PUT").expect(204);
    NEW.assert_file_is(place.far("f"));
    // curl asks so by itself, and does not send what is refused.
    NEW.write_to(place.local("up"));
    let options = ["-H", "Expect: 100-continue", "-H", "If-None-Match: *", "-T", "up"];
    let Some(heard) = scene::http::curl(Way::Http11, place.dir(), &options, &Way::Http11.url(&served, "/f"))
    else {
        return;
    };
    assert_eq!((heard.status, heard.code), (412, 0), "{heard:?}");
}

#[test]
fn what_is_no_place_for_a_file_is_refused() {
    let place = Place::new();
    fs::create_dir(place.far("d")).unwrap();
    fs::write(place.far("f"), "x").unwrap();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for (path, fields, status) in [
        ("/d", &[][..], 409),
        ("/d/", &[][..], 409),
        ("/", &[][..], 409),
        ("/f/below", &[][..], 409),
        ("/absent/below", &[][..], 409),
        ("/.haul/x", &[][..], 400),
        ("/-/x", &[][..], 404),
        ("/f", &["Content-Encoding: gzip"][..], 415),
    ] {
        let answer = send(addr, "PUT", path, &[&[OWNER], fields].concat(), b"y");
        assert_eq!(answer.status(), status, "{path}: {answer:?}");
        assert_eq!(answer.field("Content-Type"), Some("application/problem+json"), "{path}");
    }
    assert_eq!(fs::read(place.far("f")).unwrap(), b"x");
}

/// Reads a file all the while: each whole answer is one of the versions.
fn polls(addr: SocketAddr, path: &str, over: &AtomicBool, versions: &[Content], seen: &AtomicUsize) {
    let mut caller = HttpCaller::to(addr);
    while !over.load(Ordering::Relaxed) {
        caller.sends(request("GET", path, &[OWNER], None));
        let Some(answer) = caller.hears("GET") else {
            caller = HttpCaller::to(addr);
            continue;
        };
        if answer.status() == 404 {
            continue;
        }
        let answer = answer.expect(200);
        let is = |content: &&Content| {
            content.size() == answer.body.len() as u64 && answer.body == content.bytes(0..content.size())
        };
        assert!(versions.iter().any(|content| is(&content)), "{} bytes of no version", answer.body.len());
        seen.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_reader_who_polls_never_sees_half_a_file() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let (over, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let versions: Vec<Content> = (0..20).map(|n| Content::new(n, 100_000 + n * 33_333)).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| polls(addr, "/f", &over, &versions, &seen));
        }
        for (number, version) in versions.iter().enumerate() {
            let mut caller = HttpCaller::to(addr);
            caller.sends(head("/f", &[], version.size()));
            let half = version.size() / 2;
            caller.sends(version.bytes(0..half));
            let before = seen.load(Ordering::Relaxed);
            if number > 0 {
                // In the middle of it somebody reads.
                wait_until(|| seen.load(Ordering::Relaxed) > before + 2);
            }
            if number % 3 == 2 {
                caller.resets();
                continue;
            }
            caller.sends(version.bytes(half..version.size()));
            let status = caller.answer("PUT").status();
            assert!(matches!(status, 201 | 204), "{status}");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(seen.load(Ordering::Relaxed) > 20);
}

#[test]
fn a_server_that_is_killed_in_the_middle_shows_nothing_of_it() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().http().start();
    let mut caller = HttpCaller::to(served.http_addr());
    caller.sends(head("/f", &[], NEW.size()));
    caller.sends(NEW.bytes(0..NEW.size() - 1));
    wait_until_hidden(&place, NEW.size() - 100_000);
    let served = served.killed_and_started_again();
    assert!(get(served.http_addr(), "/f") == OLD.bytes(0..OLD.size()));
    send(served.http_addr(), "PUT", "/f", &[OWNER], &NEW.bytes(0..NEW.size())).expect(204);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn uploads_by_curl_over_every_version_are_right() {
    let place = Place::new();
    let content = Content::new(4, 20 * MIB + 3);
    content.write_to(place.local("up"));
    let served = place.serve().arg("--tls-self-signed").http().https().start();
    if peer("curl").is_none() {
        return;
    }
    for way in scene::http::WAYS {
        let path = format!("/{way:?}");
        let heard = scene::http::curl(way, place.dir(), &["-T", "up"], &way.url(&served, &path)).unwrap();
        assert_eq!((heard.status, heard.code), (201, 0), "{way:?} {heard:?}");
        content.assert_file_is(place.far(&format!("{way:?}")));
        // From a pipe its size is not told.
        let chunked =
            ["-X", "PUT", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary", "@up"];
        if way == Way::Http11 {
            let heard = scene::http::curl(way, place.dir(), &chunked, &way.url(&served, &path)).unwrap();
            assert_eq!((heard.status, heard.code), (204, 0), "{way:?} {heard:?}");
            content.assert_file_is(place.far(&format!("{way:?}")));
        }
    }
    assert_eq!(
        ask(served.http_addr(), "HEAD", "/Http11", &[OWNER]).head.number("Content-Length"),
        Some(content.size())
    );
}
