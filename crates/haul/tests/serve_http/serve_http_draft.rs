//! Resumable uploads of the IETF draft over the real door, in every interop version that a client speaks: what is told
//! before the end, how it goes on, and who may.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use haul_testkit::{Content, Haul, real::peer};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::scene::{
    MIB,
    served::{Place, owner, part, serve},
    uploading::{Ask, Draft, Known, listed, location, offset, problem},
    wait_until,
};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN / 2);
/// A version that tells all there is to tell.
const NEWEST: Draft = Draft(9);

#[test]
fn a_whole_file_is_created_at_once_in_every_version() {
    let place = Place::new();
    let served = place.serve().http().start();
    for draft in Draft::all() {
        for (method, chunked) in [("POST", false), ("PUT", false), ("POST", true), ("PATCH", true)] {
            let name = format!("f{}{method}{chunked}", draft.0);
            let ask = draft.creates(Ask::new(method, &format!("/{name}")), true);
            let mut sending = ask.begins(served.http_addr(), (!chunked).then_some(LEN));
            let told = sending.interim();
            assert_eq!(told.number("Upload-Draft-Interop-Version"), Some(u64::from(draft.0)), "{told:?}");
            let url = location(&told);
            sending.sends(&part(NEW, 0, LEN));
            let answer = sending.ends().expect(201);
            assert_eq!(Known::of(&answer, draft), Known { offset: LEN, complete: true });
            assert_eq!(answer.field("Location"), Some(url.as_str()), "one Location");
            assert_eq!(draft.asks(served.http_addr(), &url), Known { offset: LEN, complete: true });
            NEW.assert_file_is(place.far(&name));
        }
    }
}

#[test]
fn what_is_cut_goes_on_where_head_says_in_every_version() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for draft in Draft::all() {
        for chunked in [false, true] {
            let name = format!("f{}{chunked}", draft.0);
            let ask = draft.creates(Ask::new("POST", &format!("/{name}")), true);
            let mut sending = ask.begins(addr, (!chunked).then_some(LEN));
            let url = location(&sending.interim());
            sending.sends(&part(NEW, 0, LEN / 2));
            wait_until(|| offset(addr, &format!("/{name}")).is_some_and(|at| at >= LEN / 2 - 1));
            sending.resets();
            let known = draft.asks(addr, &url);
            assert!(!known.complete);
            // Where no size is known one byte is held back.
            assert!((LEN / 2 - 1..=LEN / 2).contains(&known.offset), "{known:?}");
            assert!(!place.far(&name).exists());
            let answer = draft.appends(&url, known.offset, true).brings(addr, &part(NEW, known.offset, LEN));
            assert_eq!(answer.status() / 100, 2, "{answer:?}");
            assert_eq!(Known::of(&answer, draft), Known { offset: LEN, complete: true });
            NEW.assert_file_is(place.far(&name));
        }
    }
}

#[test]
fn careful_creation_then_parts_and_an_empty_end() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for draft in Draft::all() {
        let name = format!("f{}", draft.0);
        let created = draft.creates(Ask::new("POST", &format!("/{name}")), false).brings(addr, b"");
        let created = created.expect(201);
        assert_eq!(Known::of(&created, draft), Known { offset: 0, complete: false });
        let url = location(&created.head);
        assert_eq!(draft.asks(addr, &url), Known { offset: 0, complete: false });
        let half = draft.appends(&url, 0, false).brings(addr, &part(NEW, 0, LEN / 2));
        assert_eq!(half.status(), if draft.0 <= 6 { 201 } else { 204 }, "{half:?}");
        assert_eq!(Known::of(&half, draft), Known { offset: LEN / 2, complete: false });
        let rest = draft.appends(&url, LEN / 2, false).brings(addr, &part(NEW, LEN / 2, LEN));
        assert_eq!(Known::of(&rest, draft), Known { offset: LEN, complete: false });
        assert!(!place.far(&name).exists(), "nobody has said that this is all");
        assert_eq!(draft.asks(addr, &url), Known { offset: LEN, complete: false });
        let end = draft.appends(&url, LEN, true).brings(addr, b"");
        assert_eq!(Known::of(&end, draft), Known { offset: LEN, complete: true });
        NEW.assert_file_is(place.far(&name));
        // Whoever did not hear that says it again.
        let again = draft.appends(&url, LEN, true).brings(addr, b"").expect(200);
        assert_eq!(Known::of(&again, draft), Known { offset: LEN, complete: true });
    }
}

#[test]
fn a_client_of_no_known_version_hears_no_interim_answer() {
    let place = Place::new();
    let served = place.serve().http().start();
    for version in [None, Some("2"), Some("10"), Some("x")] {
        let ask = Ask::new("POST", "/f").with("Upload-Complete", "?0");
        let ask = match version {
            Some(version) => ask.with("Upload-Draft-Interop-Version", version),
            None => ask,
        };
        let mut sending = ask.begins(served.http_addr(), Some(LEN));
        sending.sends(&part(NEW, 0, LEN));
        let answer = sending.ends().expect(201);
        assert!(answer.interim.is_empty(), "{:?}", answer.interim);
        assert_eq!(Known::of(&answer, NEWEST), Known { offset: LEN, complete: false });
    }
}

#[test]
fn a_wrong_offset_is_409_with_the_right_one() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for draft in Draft::all() {
        let created = draft.creates(Ask::new("POST", "/f"), false).brings(addr, &part(NEW, 0, 1000));
        let url = location(&created.expect(201).head);
        for wrong in [0, 999, 1001, LEN] {
            let refused = draft.appends(&url, wrong, false).brings(addr, b"xyz").expect(409);
            assert_eq!(Known::of(&refused, draft), Known { offset: 1000, complete: false });
            let told = problem(&refused);
            let kind = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";
            assert_eq!(told["type"], kind);
            assert_eq!(
                (told["expected-offset"].as_u64(), told["provided-offset"].as_u64()),
                (Some(1000), Some(wrong))
            );
        }
        assert_eq!(draft.asks(addr, &url), Known { offset: 1000, complete: false });
    }
}

#[test]
fn lengths_that_contradict_each_other_are_400_and_nothing_is_lost() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let kind = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";
    // In itself.
    let ask = NEWEST.creates(Ask::new("POST", "/f"), true).with("Upload-Length", 5);
    let refused = ask.brings(addr, &part(NEW, 0, 10)).expect(400);
    assert_eq!(problem(&refused)["type"], kind);
    // With what was said before.
    let ask = NEWEST.creates(Ask::new("POST", "/f"), false).with("Upload-Length", LEN);
    let url = location(&ask.brings(addr, &part(NEW, 0, 10)).expect(201).head);
    let ask = NEWEST.appends(&url, 10, false).with("Upload-Length", LEN + 1);
    assert_eq!(problem(&ask.brings(addr, b"x").expect(400))["type"], kind);
    // More than was said, in one piece and in chunks.
    let ask = NEWEST.appends(&url, 10, false);
    assert_eq!(problem(&ask.brings(addr, &part(NEW, 0, LEN)).expect(400))["type"], kind);
    for complete in [false, true] {
        let known = NEWEST.asks(addr, &url);
        let mut sending = NEWEST.appends(&url, known.offset, complete).begins(addr, None);
        sending.sends(&part(NEW, known.offset, LEN));
        sending.sends(b"more");
        let refused = sending.ends().expect(400);
        assert_eq!(problem(&refused)["type"], kind);
        assert!(!place.far("f").exists(), "what was refused is no file");
    }
    // Less than was said, and that was all.
    let ask = NEWEST.creates(Ask::new("POST", "/g"), true).with("Upload-Length", LEN);
    let mut sending = ask.begins(addr, None);
    let url = location(&sending.interim());
    sending.sends(&part(NEW, 0, 10));
    let short = sending.ends();
    assert!(!place.far("g").exists(), "{short:?}");
    let known = NEWEST.asks(addr, &url);
    assert!(!known.complete && known.offset <= 10, "{known:?}");
    NEWEST.appends(&url, known.offset, true).brings(addr, &part(NEW, known.offset, LEN));
    NEW.assert_file_is(place.far("g"));
}

#[test]
fn a_length_that_was_told_is_remembered() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ask = NEWEST.creates(Ask::new("POST", "/f"), false).with("Upload-Length", LEN);
    let url = location(&ask.brings(served.http_addr(), &part(NEW, 0, 10)).expect(201).head);
    let served = served.killed_and_started_again();
    let told = NEWEST.says(Ask::new("HEAD", &url)).to(served.http_addr()).expect(204);
    assert_eq!(told.head.number("Upload-Length"), Some(LEN));
    assert_eq!(Known::of(&told, NEWEST), Known { offset: 10, complete: false });
    assert_eq!(told.field("Cache-Control"), Some("no-store"));
}

#[test]
fn limits_are_told_to_whoever_asks() {
    let place = Place::new();
    let served = place.serve().http().start();
    let created = NEWEST.creates(Ask::new("POST", "/f"), false).brings(served.http_addr(), b"").expect(201);
    let url = location(&created.head);
    assert!(created.field("Upload-Limit").is_some_and(|limit| limit.contains("max-age=")));
    let told = NEWEST.says(Ask::new("OPTIONS", &url)).to(served.http_addr()).expect(204);
    assert!(told.field("Upload-Limit").is_some_and(|limit| limit.contains("max-age=")), "{told:?}");
    let known = NEWEST.says(Ask::new("HEAD", &url)).to(served.http_addr()).expect(204);
    assert!(known.field("Upload-Limit").is_some());
    // Also before there is an upload.
    for path in ["/", "/f", "/new"] {
        let told = NEWEST.says(Ask::new("OPTIONS", path)).to(served.http_addr()).expect(204);
        assert!(
            told.field("Upload-Limit").is_some_and(|limit| limit.contains("max-age=")),
            "{path} {told:?}"
        );
    }
}

#[test]
fn what_is_cancelled_is_gone() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for draft in Draft::all() {
        let created = draft.creates(Ask::new("POST", "/f"), false).brings(addr, &part(NEW, 0, 1000));
        let url = location(&created.expect(201).head);
        draft.says(Ask::new("DELETE", &url)).to(addr).expect(204);
        for ask in [
            draft.says(Ask::new("HEAD", &url)),
            draft.says(Ask::new("DELETE", &url)),
            draft.appends(&url, 1000, true).with("Content-Length", 0),
        ] {
            let gone = ask.to(addr);
            assert!([404, 410].contains(&gone.status()), "{gone:?}");
        }
        assert_eq!(listed(addr, "/f").len(), 0);
        OLD.assert_file_is(place.far("f"));
    }
    // Also while it comes.
    let mut sending = NEWEST.creates(Ask::new("POST", "/f"), true).begins(addr, Some(LEN));
    let url = location(&sending.interim());
    sending.sends(&part(NEW, 0, LEN / 2));
    sending.is_taken();
    NEWEST.says(Ask::new("DELETE", &url)).to(addr).expect(204);
    let _ = sending.tries(&part(NEW, LEN / 2, LEN));
    let ended = sending.hears();
    assert!(ended.is_none_or(|answer| answer.status() >= 400));
    OLD.assert_file_is(place.far("f"));
}

#[test]
fn the_newest_request_ends_the_one_before_and_what_it_was_told_is_accepted() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for round in 0..20 {
        let name = format!("f{round}");
        let ask = NEWEST.creates(Ask::new("POST", &format!("/{name}")), true);
        let mut older = ask.begins(addr, (round % 2 == 0).then_some(LEN));
        let url = location(&older.interim());
        let sent = 1 + LEN * round / 21;
        older.sends(&part(NEW, 0, sent));
        // Some of it may still be on its way.
        let known = NEWEST.asks(addr, &url);
        assert!(known.offset <= sent && !known.complete, "{known:?}");
        let _ = older.tries(&part(Content::new(99, LEN), sent, LEN));
        let answer = NEWEST.appends(&url, known.offset, true).brings(addr, &part(NEW, known.offset, LEN));
        assert_eq!(Known::of(&answer, NEWEST), Known { offset: LEN, complete: true }, "{answer:?}");
        let ended = older.hears();
        assert!(ended.as_ref().is_none_or(|answer| answer.status() == 409), "{ended:?}");
        NEW.assert_file_is(place.far(&name));
    }
}

#[test]
fn an_append_ends_the_append_before_it() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let created = NEWEST.creates(Ask::new("POST", "/f"), false).brings(addr, b"").expect(201);
    let url = location(&created.head);
    let mut older = NEWEST.appends(&url, 0, true).begins(addr, None);
    older.sends(&part(NEW, 0, LEN / 2));
    // Taken from the socket is not yet received: of an older one without a byte nobody would hear.
    wait_until(|| offset(addr, "/f").is_some_and(|at| at > 0));
    // It knows no offset but the one it began with: the right one is told, and the older one is over.
    let refused = NEWEST.appends(&url, 0, true).brings(addr, &part(NEW, 0, LEN)).expect(409);
    let known = Known::of(&refused, NEWEST);
    assert!((1..=LEN / 2).contains(&known.offset), "{known:?}");
    let _ = older.tries(b"what nobody wants");
    assert!(older.hears().is_none_or(|answer| answer.status() == 409));
    let answer = NEWEST.appends(&url, known.offset, true).brings(addr, &part(NEW, known.offset, LEN));
    assert_eq!(Known::of(&answer, NEWEST), Known { offset: LEN, complete: true });
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn an_upload_of_another_user_is_not_found() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let created = NEWEST.creates(Ask::new("POST", "/f"), false).brings(addr, &part(NEW, 0, 1000));
    let url = location(&created.expect(201).head);
    for method in ["HEAD", "GET", "DELETE"] {
        NEWEST.says(Ask::stranger(method, &url)).to(addr).expect(404);
    }
    let patch = NEWEST.creates(Ask::stranger("PATCH", &url), true).with("Upload-Offset", 1000);
    let patch = patch.with("Content-Type", "application/partial-upload");
    patch.brings(addr, b"x").expect(404);
    assert_eq!(NEWEST.says(Ask::nameless("HEAD", &url)).to(addr).status(), 404);
    assert_eq!(NEWEST.asks(addr, &url), Known { offset: 1000, complete: false });
}

#[test]
fn a_second_creation_for_a_path_replaces_the_first() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let create = || NEWEST.creates(Ask::new("POST", "/f"), false);
    let first = location(&create().brings(addr, &part(OLD, 0, 1000)).expect(201).head);
    let second = location(&create().brings(addr, &part(NEW, 0, 2000)).expect(201).head);
    assert_ne!(first, second);
    NEWEST.says(Ask::new("HEAD", &first)).to(addr).expect(410);
    NEWEST.appends(&first, 1000, true).brings(addr, &part(OLD, 1000, OLD.size())).expect(410);
    assert_eq!(NEWEST.asks(addr, &second), Known { offset: 2000, complete: false });
    NEWEST.appends(&second, 2000, true).brings(addr, &part(NEW, 2000, LEN));
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn what_is_posted_to_a_folder_gets_the_name_that_it_brings() {
    let place = Place::new();
    std::fs::create_dir(place.far("in")).unwrap();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let create = |path: &str, complete| NEWEST.creates(Ask::new("POST", path), complete);
    for (path, name, value) in [
        ("/in/", "Content-Disposition", "attachment; filename=\"a b\""),
        ("/in", "Content-Disposition", "attachment; filename*=UTF-8''%C3%A9"),
        ("/in/", "Upload-Metadata", "filename Yw=="),
        ("/", "Upload-Metadata", "filename aW4vZA=="),
    ] {
        let answer = create(path, true).with(name, value).brings(addr, &part(NEW, 0, LEN));
        answer.expect(201);
    }
    for name in ["in/a b", "in/é", "in/c", "in/d"] {
        NEW.assert_file_is(place.far(name));
    }
    create("/in/", true).brings(addr, b"x").expect(400);
    for bad in ["filename Li4veA==", "filename ", "filename Lw=="] {
        let refused = create("/in/", true).with("Upload-Metadata", bad).brings(addr, b"x");
        assert_eq!(refused.status(), 400, "{bad} {refused:?}");
    }
    // A folder is no file, and where there is none nothing can be put.
    NEWEST.creates(Ask::new("PUT", "/in"), true).brings(addr, b"x").expect(409);
    let nowhere = create("/absent/f", true).brings(addr, b"x");
    assert!([404, 409].contains(&nowhere.status()), "{nowhere:?}");
    assert_eq!(std::fs::read_dir(place.far("in")).unwrap().count(), 4);
}

#[test]
fn conditions_hold_when_an_upload_begins_and_when_it_ends() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let create = |path: &str, complete| NEWEST.creates(Ask::new("POST", path), complete);
    create("/f", true).with("If-None-Match", "*").brings(addr, b"x").expect(412);
    create("/f", true).with("If-Match", "\"other\"").brings(addr, b"x").expect(412);
    OLD.assert_file_is(place.far("f"));
    // Another has taken the name meanwhile: what was begun on the condition that nobody has it stays unfinished.
    let begun = create("/g", false).with("If-None-Match", "*").brings(addr, &part(NEW, 0, 1000));
    let mut sending = create("/h", true).with("If-None-Match", "*").begins(addr, Some(LEN));
    let url = location(&sending.interim());
    sending.sends(&part(NEW, 0, 1000));
    sending.is_taken();
    assert_eq!(begun.status(), 201);
    OLD.write_to(place.far("h"));
    sending.sends(&part(NEW, 1000, LEN));
    sending.ends().expect(412);
    OLD.assert_file_is(place.far("h"));
    assert!(!NEWEST.asks(addr, &url).complete);
    // The right version may be replaced.
    let tag = Ask::new("HEAD", "/f").to(addr).expect(200).field("ETag").unwrap().to_owned();
    let replaced = create("/f", true).with("If-Match", tag).brings(addr, &part(NEW, 0, LEN));
    assert_eq!(replaced.status(), 204, "{replaced:?}");
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn what_an_account_may_not_do_is_refused_before_the_first_byte() {
    let place = Place::new();
    OLD.write_to(place.far("f"));
    let served = place.serve().http().args(["--anonymous", "rw"]).start();
    let addr = served.http_addr();
    let create = |path: &str| NEWEST.creates(Ask::nameless("POST", path), true);
    create("/new").brings(addr, &part(NEW, 0, LEN)).expect(201);
    NEW.assert_file_is(place.far("new"));
    let refused = create("/f").brings(addr, b"x");
    assert!([401, 403].contains(&refused.status()), "{refused:?}");
    OLD.assert_file_is(place.far("f"));
    drop(served);
    let reader = serve(place.root()).http().args(["--user", "b:other:rl"]).start();
    let refused = NEWEST.creates(Ask::stranger("POST", "/ro"), true).brings(reader.http_addr(), b"x");
    assert_eq!(refused.status(), 403, "{refused:?}");
    assert!(!place.far("ro").exists());
}

#[test]
fn where_uploads_go_in_place_a_whole_one_is_taken_and_none_is_kept() {
    let place = Place::new();
    let served = place.serve().http().config("[uploads]\nmode = \"in-place\"\n").start();
    let addr = served.http_addr();
    let answer = NEWEST.creates(Ask::new("POST", "/f"), true).brings(addr, &part(NEW, 0, LEN));
    answer.expect(201);
    NEW.assert_file_is(place.far("f"));
    let refused = NEWEST.creates(Ask::new("POST", "/g"), false).brings(addr, b"x").expect(409);
    assert!(refused.text().contains("in place"), "{}", refused.text());
}

#[test]
fn progress_is_told_of_what_is_safe_and_grows() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let content = Content::new(7, 300 * MIB);
    let mut sending = NEWEST.creates(Ask::new("POST", "/f"), true).begins(addr, Some(content.size()));
    let url = location(&sending.interim());
    let (mut sent, mut told) = (0, Vec::new());
    while sent < 200 * MIB {
        sending.sends(&part(content, sent, sent + MIB));
        sent += MIB;
    }
    for _ in 0..2 {
        let head = sending.interim();
        assert_eq!(head.field("Location"), None, "{head:?}");
        let offset = head.number("Upload-Offset").expect("an offset");
        assert!(offset <= sent && told.last().is_none_or(|last| *last < offset), "{told:?} {offset}");
        told.push(offset);
    }
    let served = served.killed_and_started_again();
    let known = NEWEST.asks(served.http_addr(), &url);
    assert!(known.offset >= *told.last().unwrap() && known.offset <= sent, "{told:?} {known:?}");
    let mut rest = NEWEST.appends(&url, known.offset, true).begins(served.http_addr(), None);
    let mut at = known.offset;
    while at < content.size() {
        let end = (at + MIB).min(content.size());
        rest.sends(&part(content, at, end));
        at = end;
    }
    assert_eq!(Known::of(&rest.ends(), NEWEST), Known { offset: content.size(), complete: true });
    content.assert_file_is(place.far("f"));
}

#[test]
fn what_has_come_is_safe_in_time_whether_more_comes_slowly_or_not_at_all() {
    let place = Place::new();
    let served = place.serve().http().start();
    let create = |name: &str| {
        let ask = NEWEST.creates(Ask::new("POST", name), true);
        let mut sending = ask.begins(served.http_addr(), Some(LEN));
        let url = location(&sending.interim());
        sending.sends(&part(NEW, 0, 1000));
        (sending, url)
    };
    let (mut slow, slow_url) = create("/slow");
    let (mut silent, silent_url) = create("/silent");
    let mut sent = 1000;
    // Nothing but its own rule makes it safe: nobody asks how far it is.
    let silent = std::thread::spawn(move || silent.interim().number("Upload-Offset"));
    while !silent.is_finished() {
        slow.sends(&part(NEW, sent, sent + 1000));
        sent += 1000;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(silent.join().unwrap(), Some(1000));
    let offset = slow.interim().number("Upload-Offset").expect("an offset");
    assert!(offset >= 1000 && offset < sent, "{offset} of {sent}");
    let served = served.killed_and_started_again();
    assert!(NEWEST.asks(served.http_addr(), &slow_url).offset >= offset);
    assert_eq!(NEWEST.asks(served.http_addr(), &silent_url).offset, 1000);
}

#[test]
fn curl_shows_the_interim_answer_in_every_version_of_http() {
    let (Some(curl), place) = (peer("curl"), Place::new()) else { return };
    let served = serve(place.root()).http().https().arg("--tls-self-signed").start();
    NEW.write_to(place.local("f"));
    for (version, url) in [
        ("--http1.1", format!("http://{}/one", served.http_addr())),
        ("--http2-prior-knowledge", format!("http://{}/two", served.http_addr())),
        ("--http1.1", format!("https://{}/three", served.https_addr())),
        ("--http2", format!("https://{}/four", served.https_addr())),
    ] {
        for draft in Draft::all() {
            let (name, value) = draft.completeness(true);
            let end = Haul::new(&curl)
                .args(["-q", "-sS", "-i", "--insecure", version, "-u", "a:secret", "-X", "POST"])
                .args(["-H", &format!("{name}: {value}"), "-H", "Expect:"])
                .args(["-H", &format!("Upload-Draft-Interop-Version: {}", draft.0)])
                .args(["--data-binary", "@f", &format!("{url}{}", draft.0)])
                .dir(place.dir())
                .run()
                .expect_code(0);
            let said = String::from_utf8_lossy(&end.stdout).to_ascii_lowercase().replace("\r\n", "\n");
            let heads: Vec<&str> = said.trim_end().split("\n\n").collect();
            let [interim, last, ..] = heads[..] else { panic!("{version} {said}") };
            assert!(interim.split(' ').nth(1).is_some_and(|status| status.starts_with("104")), "{said}");
            assert!(interim.contains("\nlocation: /-/uploads/"), "{said}");
            assert!(interim.contains(&format!("\nupload-draft-interop-version: {}", draft.0)), "{said}");
            assert!(last.split(' ').nth(1).is_some_and(|status| status.starts_with("201")), "{said}");
            assert!(last.contains(&format!("upload-offset: {LEN}")), "{said}");
        }
    }
    for name in ["one3", "two9", "three6", "four5"] {
        NEW.assert_file_is(place.far(name));
    }
}

/// The heads that came before the end, and the last status, by hyper.
async fn by_hyper(addr: SocketAddr, path: &str) -> (Vec<http::Response<()>>, u16) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = asks_for_104(path).body(Full::new(Bytes::from(part(NEW, 0, LEN)))).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    hyper::ext::on_informational(&mut request, move |interim| {
        let mut told = http::Response::new(());
        *told.status_mut() = interim.status();
        *told.headers_mut() = interim.headers().clone();
        hears.lock().unwrap().push(told);
    });
    let status = sender.send_request(request).await.unwrap().status().as_u16();
    (std::mem::take(&mut *heard.lock().unwrap()), status)
}

/// The same by h2.
async fn by_h2(addr: SocketAddr, path: &str) -> (Vec<http::Response<()>>, u16) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let request = asks_for_104(&format!("http://{addr}{path}")).body(()).unwrap();
    let (mut answered, mut content) = sender.send_request(request, false).unwrap();
    // Before a byte was sent.
    let interim = poll_fn(|cx| answered.poll_informational(cx)).await.expect("an interim answer").unwrap();
    let mut bytes = Bytes::from(part(NEW, 0, LEN));
    while !bytes.is_empty() {
        content.reserve_capacity(bytes.len());
        let room = poll_fn(|cx| content.poll_capacity(cx)).await.unwrap().unwrap();
        let piece = bytes.split_to(room.min(bytes.len()));
        content.send_data(piece, bytes.is_empty()).unwrap();
    }
    (vec![interim], answered.await.unwrap().status().as_u16())
}

fn asks_for_104(target: &str) -> http::request::Builder {
    http::Request::post(target)
        .header("host", "localhost")
        .header("authorization", "Basic YTpzZWNyZXQ=")
        .header("upload-draft-interop-version", "9")
        .header("upload-complete", "?1")
}

#[tokio::test]
async fn libraries_hear_the_interim_answer() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for (name, (interim, status)) in
        [("one", by_hyper(addr, "/one").await), ("two", by_h2(addr, "/two").await)]
    {
        assert_eq!(status, 201, "{name}");
        let [interim] = &interim[..] else { panic!("{name} {interim:?}") };
        assert_eq!(interim.status(), 104);
        let url = interim.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(NEWEST.asks(addr, &url), Known { offset: LEN, complete: true });
        NEW.assert_file_is(place.far(name));
    }
}

#[test]
fn nghttp_shows_the_interim_answer() {
    let (Some(nghttp), place) = (peer("nghttp"), Place::new()) else { return };
    let served = serve(place.root()).http().https().arg("--tls-self-signed").start();
    NEW.write_to(place.local("f"));
    for (url, name) in [
        (format!("http://{}/one", served.http_addr()), "one"),
        (format!("https://{}/two", served.https_addr()), "two"),
    ] {
        let end = Haul::new(&nghttp)
            .args(["-v", "-d", "f", "-H", ":method: POST", "-H", "upload-complete: ?1"])
            .args(["-H", "upload-draft-interop-version: 9", "-H", "authorization: Basic YTpzZWNyZXQ=", &url])
            .dir(place.dir())
            .run();
        let said = String::from_utf8_lossy(&end.stdout).into_owned();
        let (interim, last) = (said.find(":status: 104"), said.find(":status: 201"));
        assert!(interim.is_some() && interim < last, "{said}\n{}", end.stderr);
        NEW.assert_file_is(place.far(name));
    }
}

#[test]
fn begun_here_and_finished_over_ftp() {
    let place = Place::new();
    let served = place.serve().http().start();
    for finish in ["REST", "APPE"] {
        let created =
            NEWEST.creates(Ask::new("POST", "/f"), false).brings(served.http_addr(), &part(NEW, 0, 1000));
        let url = location(&created.expect(201).head);
        let mut caller = owner(served.addr());
        assert_eq!(caller.size("f"), Some(1000));
        let end = if finish == "REST" {
            caller.says("REST 1000", 350);
            caller.stores("STOR f", &part(NEW, 1000, LEN))
        } else {
            caller.stores("APPE f", &part(NEW, 1000, LEN))
        };
        assert_eq!(end.code, 226, "{end:?}");
        assert_eq!(NEWEST.asks(served.http_addr(), &url), Known { offset: LEN, complete: true });
        NEW.assert_file_is(place.far("f"));
        caller.says("DELE f", 250);
    }
}
