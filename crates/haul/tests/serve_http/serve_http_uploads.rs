//! Uploads that go on over the real HTTP door by PUT, in pieces and after a cut; what their owner is told of them,
//! whichever protocol began them; and two clients on one path. The IETF draft is in serve_http_draft.rs.

use std::time::{Duration, Instant};

use haul_testkit::{Content, Haul, real::peer};

use crate::scene::{
    served::{Place, left_unfinished, owner, part, stranger},
    uploading::{Ask, Draft, Known, listed, listed_to_stranger, offset, problem, safe},
    wait_until,
};

const LEN: u64 = 300_000;
const NEW: Content = Content::new(2, LEN);
const OLD: Content = Content::new(3, LEN / 2);
const DRAFT: Draft = Draft(9);

/// A piece by PUT: `to` is the first byte that is not in it.
fn piece(path: &str, from: u64, to: u64, total: Option<u64>) -> Ask {
    let total = total.map_or("*".to_owned(), |total| total.to_string());
    Ask::new("PUT", path).range(format!("{from}-{}/{total}", to - 1))
}

/// How far a file is.
fn query(path: &str, total: &str) -> Ask {
    Ask::new("PUT", path).range(format!("*/{total}")).with("Content-Length", 0)
}

#[test]
fn pieces_are_308_until_the_last_one() {
    let place = Place::new();
    OLD.write_to(place.far("old"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for (path, last) in [("/new", 201), ("/old", 204)] {
        let mut at = 0;
        for end in [1, 1000, 200_000] {
            let answer = piece(path, at, end, Some(LEN)).brings(addr, &part(NEW, at, end)).expect(308);
            assert_eq!(answer.field("Range"), Some(format!("bytes=0-{}", end - 1).as_str()));
            assert_eq!(answer.head.number("Upload-Offset"), Some(end));
            let told = query(path, &LEN.to_string()).to(addr).expect(308);
            assert_eq!(safe(&told), end);
            at = end;
        }
        let seen = Ask::stranger("GET", path).to(addr);
        assert!(if path == "/old" { seen.body == part(OLD, 0, LEN) } else { seen.status() == 404 });
        let whole = piece(path, at, LEN, Some(LEN)).brings(addr, &part(NEW, at, LEN)).expect(last);
        assert_eq!(whole.head.number("Upload-Offset"), Some(LEN));
        NEW.assert_file_is(place.far(&path[1..]));
        // Its answer may have been lost.
        let again = query(path, &LEN.to_string()).to(addr).expect(200);
        assert_eq!(again.head.number("Upload-Offset"), Some(LEN));
    }
}

#[test]
fn a_query_tells_nothing_of_what_is_not_there() {
    let place = Place::new();
    let served = place.serve().http().start();
    for total in ["*", "5", "300000"] {
        let told = query("/f", total).to(served.http_addr()).expect(308);
        assert_eq!((told.field("Range"), told.head.number("Upload-Offset")), (None, Some(0)));
    }
    // A file without a byte has no piece: the question is its end.
    assert_eq!(query("/empty", "0").to(served.http_addr()).status(), 201);
    assert_eq!(std::fs::read(place.far("empty")).unwrap(), b"");
    assert!(!place.far("f").exists());
}

#[test]
fn a_piece_that_would_leave_a_hole_is_409_with_the_offset() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let refused = piece("/f", 10, 20, Some(LEN)).brings(addr, &part(NEW, 10, 20)).expect(409);
    assert_eq!(refused.head.number("Upload-Offset"), Some(0));
    piece("/f", 0, 1000, Some(LEN)).brings(addr, &part(NEW, 0, 1000)).expect(308);
    for from in [1001, 2000, LEN - 1] {
        let refused = piece("/f", from, LEN, Some(LEN)).brings(addr, &part(NEW, from, LEN)).expect(409);
        assert_eq!(refused.head.number("Upload-Offset"), Some(1000));
        assert_eq!(problem(&refused)["offset"].as_u64(), Some(1000));
    }
    assert_eq!(offset(addr, "/f"), Some(1000));
}

#[test]
fn a_size_that_was_not_known_is_told_at_the_end() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for by_query in [false, true] {
        let path = format!("/f{by_query}");
        piece(&path, 0, 1000, None).brings(addr, &part(NEW, 0, 1000)).expect(308);
        piece(&path, 1000, 5000, None).brings(addr, &part(NEW, 1000, 5000)).expect(308);
        assert_eq!(safe(&query(&path, "*").to(addr).expect(308)), 5000);
        if by_query {
            piece(&path, 5000, LEN, None).brings(addr, &part(NEW, 5000, LEN)).expect(308);
            assert!(!place.far(&path[1..]).exists());
            assert_eq!(safe(&query(&path, "*").to(addr).expect(308)), LEN);
            query(&path, &LEN.to_string()).to(addr).expect(201);
        } else {
            piece(&path, 5000, LEN, Some(LEN)).brings(addr, &part(NEW, 5000, LEN)).expect(201);
        }
        NEW.assert_file_is(place.far(&path[1..]));
    }
}

#[test]
fn a_put_that_was_cut_goes_on_by_content_range() {
    let place = Place::new();
    OLD.write_to(place.far("old"));
    let mut served = place.serve().http().start();
    for path in ["/new", "/old"] {
        for chunked in [false, true] {
            for killed in [false, true] {
                let addr = served.http_addr();
                let mut sending = Ask::new("PUT", path).begins(addr, (!chunked).then_some(LEN));
                sending.sends(&part(NEW, 0, 200_000));
                wait_until(|| offset(addr, path).is_some_and(|at| at >= 199_999));
                if killed {
                    served = served.killed_and_started_again();
                } else {
                    sending.resets();
                }
                let addr = served.http_addr();
                let at = safe(&query(path, "*").to(addr).expect(308));
                assert!(at >= 199_999, "{at}");
                let ended = piece(path, at, LEN, Some(LEN)).brings(addr, &part(NEW, at, LEN));
                assert_eq!(ended.status(), if path == "/old" { 204 } else { 201 }, "{ended:?}");
                NEW.assert_file_is(place.far(&path[1..]));
                OLD.write_to(place.far("old"));
                let _ = std::fs::remove_file(place.far("new"));
            }
        }
    }
}

#[test]
fn a_piece_that_was_cut_keeps_what_came_of_it() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    piece("/f", 0, 1000, Some(LEN)).brings(addr, &part(NEW, 0, 1000)).expect(308);
    let mut sending = piece("/f", 1000, LEN, Some(LEN)).begins(addr, Some(LEN - 1000));
    sending.sends(&part(NEW, 1000, 200_000));
    // Its size is known: nothing is held back.
    let at = 200_000;
    wait_until(|| offset(addr, "/f") == Some(at));
    sending.resets();
    assert_eq!(safe(&query("/f", "*").to(addr).expect(308)), at);
    piece("/f", at, LEN, Some(LEN)).brings(addr, &part(NEW, at, LEN)).expect(201);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_piece_within_what_is_there_takes_the_place_of_it() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    piece("/f", 0, 2000, Some(LEN)).brings(addr, &part(OLD, 0, 2000)).expect(308);
    // Its client knows less than is here: what it sends counts.
    piece("/f", 500, 1500, Some(LEN)).brings(addr, &part(OLD, 500, 1500)).expect(308);
    assert_eq!(offset(addr, "/f"), Some(1500));
    piece("/f", 0, 1000, Some(LEN)).brings(addr, &part(NEW, 0, 1000)).expect(308);
    assert_eq!(offset(addr, "/f"), Some(1000));
    piece("/f", 1000, LEN, Some(LEN)).brings(addr, &part(NEW, 1000, LEN)).expect(201);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_piece_goes_on_from_the_finished_file_only_if_it_names_its_version() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    std::fs::write(place.far("f"), part(NEW, 0, 1000)).unwrap();
    // It may be another file, whatever its size.
    let refused = piece("/f", 1000, 2000, Some(LEN)).brings(addr, &part(NEW, 1000, 2000)).expect(409);
    assert_eq!((refused.head.number("Upload-Offset"), refused.field("Range")), (Some(0), None));
    assert_eq!(safe(&query("/f", "1000").to(addr).expect(308)), 0, "a file of that size is not this one");
    let there = Ask::new("HEAD", "/f").to(addr).expect(200);
    let same = there.field("ETag").unwrap().to_owned();
    let named = piece("/f", 1000, 2000, Some(LEN)).with("If-Match", &same);
    named.brings(addr, &part(NEW, 1000, 2000)).expect(308);
    assert_eq!(std::fs::metadata(place.far("f")).unwrap().len(), 1000, "the old one until it is whole");
    piece("/f", 2000, LEN, Some(LEN)).brings(addr, &part(NEW, 2000, LEN)).expect(204);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_piece_of_a_file_of_another_size_is_no_piece_of_this_one() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    piece("/f", 0, 1000, Some(LEN)).brings(addr, &part(NEW, 0, 1000)).expect(308);
    let other = piece("/f", 1000, 2000, Some(LEN + 1)).brings(addr, &part(OLD, 1000, 2000)).expect(409);
    assert_eq!(other.head.number("Upload-Offset"), Some(0));
    assert_eq!(safe(&query("/f", &(LEN + 1).to_string()).to(addr).expect(308)), 0);
    assert_eq!(safe(&query("/f", &LEN.to_string()).to(addr).expect(308)), 1000);
    // A size that was told once need not be told again.
    piece("/f", 1000, LEN, None).brings(addr, &part(NEW, 1000, LEN)).expect(201);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_content_range_that_contradicts_the_content_is_400() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for range in ["0-9/20", "0-11/20", "*/11", "5-4/20", "0-10/5", "x"] {
        Ask::new("PUT", "/f").range(range).brings(addr, b"12345678901").expect(400);
    }
    Ask::new("PUT", "/f").with("Content-Range", "lines 0-10/20").brings(addr, b"12345678901").expect(400);
    // In chunks it is seen at the end.
    for wrong in [&b"123"[..], b"12345678901"] {
        let mut sending = piece("/f", 0, 10, Some(10)).begins(addr, None);
        sending.sends(wrong);
        sending.ends().expect(400);
        assert!(!place.far("f").exists(), "what was refused is no file: {}", wrong.len());
    }
}

#[test]
fn curl_goes_on_where_the_server_says() {
    let (Some(curl), place) = (peer("curl"), Place::new()) else { return };
    let served = place.serve().http().start();
    NEW.write_to(place.local("f"));
    let mut sending = Ask::new("PUT", "/f").begins(served.http_addr(), Some(LEN));
    sending.sends(&part(NEW, 0, 123_456));
    wait_until(|| offset(served.http_addr(), "/f").is_some());
    sending.resets();
    let at = offset(served.http_addr(), "/f").expect("it is unfinished");
    let end = Haul::new(curl)
        .args(["-q", "-sS", "-w", "%{http_code}", "-T", "f", "-C", &at.to_string(), &served.http_url("/f")])
        .dir(place.dir())
        .run()
        .expect_code(0);
    assert_eq!(String::from_utf8_lossy(&end.stdout), "201");
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn what_is_unfinished_is_told_to_its_owner_and_nobody_else() {
    let place = Place::new();
    std::fs::create_dir(place.far("in")).unwrap();
    OLD.write_to(place.far("in/whole"));
    let served = place.serve().http().start();
    let addr = served.http_addr();
    assert!(listed(addr, "/in/").is_empty() && listed(addr, "/in/put").is_empty());
    let kept = left_unfinished(served.addr(), "in/ftp", &part(NEW, 0, 5000));
    piece("/in/put", 0, 1000, Some(LEN)).brings(addr, &part(NEW, 0, 1000)).expect(308);
    let created = DRAFT.creates(Ask::new("POST", "/in/a%20b"), false).brings(addr, &part(NEW, 0, 700));
    let url = created.expect(201).field("Location").unwrap().to_owned();
    let told = listed(addr, "/in/");
    let facts: Vec<_> = told
        .iter()
        .map(|told| {
            (
                told["path"].as_str().unwrap(),
                told["protocol"].as_str().unwrap(),
                told["offset"].as_u64(),
                told["size"].as_u64(),
            )
        })
        .collect();
    for fact in [
        ("/in/ftp", "ftp", Some(kept), None),
        ("/in/put", "put", Some(1000), Some(LEN)),
        ("/in/a%20b", "draft", Some(700), None),
    ] {
        assert!(facts.contains(&fact), "{fact:?} {facts:?}");
    }
    assert_eq!(facts.len(), 3);
    assert!(told.iter().all(|told| told["age"].as_u64().is_some_and(|age| age < 60)), "{told:?}");
    // One file; with and without the slash it is the same folder.
    assert_eq!(listed(addr, "/in/a%20b")[0]["url"], url.as_str());
    assert_eq!(listed(addr, "/in").len(), 3);
    assert!(listed(addr, "/").is_empty(), "those directly in it");
    for path in ["/in/", "/in/put", "/in/ftp", "/"] {
        assert!(listed_to_stranger(addr, path).is_empty(), "{path}");
    }
    let nameless = Ask::nameless("GET", "/-/uploads?path=/in/").to(addr);
    assert!(nameless.status() == 401 || nameless.text().trim() == "[]", "{nameless:?}");
}

#[test]
fn a_path_in_a_query_is_encoded_as_queries_are() {
    let place = Place::new();
    std::fs::create_dir(place.far("in a")).unwrap();
    let served = place.serve().http().start();
    let (addr, ftp) = (served.http_addr(), served.addr());
    for (at, name) in ["a b", "a+b", "a&path=b", "100%", "100%25", "#?=;", "\u{fc}"].into_iter().enumerate() {
        let kept = left_unfinished(ftp, &format!("in a/{name}"), &part(NEW, 0, 1000 + at as u64));
        // Every byte of it, and only what would mean something else in a query.
        let every: String = format!("/in a/{name}").bytes().map(|byte| format!("%{byte:02x}")).collect();
        let needed = name.replace('%', "%25").replace('+', "%2B").replace('&', "%26").replace('#', "%23");
        let needed = format!("/in+a/{}", needed.replace(' ', "+").replace('\u{fc}', "%C3%BC"));
        for query in [every, needed] {
            let told = listed(addr, &query);
            assert_eq!((told.len(), told[0]["offset"].as_u64()), (1, Some(kept)), "{name} {query}: {told:?}");
            // What is told are paths of URLs.
            let url = told[0]["url"].as_str().unwrap();
            assert_eq!(offset_of(addr, url), Some(kept), "{name}: {url}");
            assert!(url.ends_with(told[0]["path"].as_str().unwrap()), "{told:?}");
        }
    }
    assert_eq!(listed(addr, "%2Fin%20a%2f").len(), 7);
    assert_eq!(listed(addr, "/in%20a").len(), 7);
    assert_eq!(listed(addr, "in+a").len(), 7, "paths begin at the root in any case");
    for bad in ["/a%00b", "/..%2fa", "/a//.haul/b"] {
        let refused = Ask::new("GET", &format!("/-/uploads?path={bad}")).to(addr);
        assert!((400..500).contains(&refused.status()), "{bad}: {}", refused.text());
    }
}

/// How far the upload of a URL is.
fn offset_of(addr: std::net::SocketAddr, url: &str) -> Option<u64> {
    Ask::new("HEAD", url).to(addr).head.number("Upload-Offset")
}

/// How an upload is begun, and how it is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Ftp,
    FtpAppend,
    Put,
    Piece,
    Draft,
}

const DIALECTS: [Dialect; 5] =
    [Dialect::Ftp, Dialect::FtpAppend, Dialect::Put, Dialect::Piece, Dialect::Draft];

#[test]
fn what_is_begun_in_one_dialect_is_finished_in_each_other() {
    let place = Place::new();
    let served = place.serve().http().start();
    let (addr, ftp) = (served.http_addr(), served.addr());
    for first in DIALECTS {
        for second in DIALECTS {
            match first {
                Dialect::Ftp | Dialect::FtpAppend => {
                    left_unfinished(ftp, "f", &part(NEW, 0, 123_456));
                }
                Dialect::Put => {
                    let mut sending = Ask::new("PUT", "/f").begins(addr, Some(LEN));
                    sending.sends(&part(NEW, 0, 123_456));
                    wait_until(|| offset(addr, "/f") == Some(123_456));
                    sending.resets();
                }
                Dialect::Piece => {
                    piece("/f", 0, 123_456, None).brings(addr, &part(NEW, 0, 123_456)).expect(308);
                }
                Dialect::Draft => {
                    let ask = DRAFT.creates(Ask::new("POST", "/f"), false);
                    ask.brings(addr, &part(NEW, 0, 123_456)).expect(201);
                }
            }
            // A connection that was reset may still be on its way to be noticed: whoever asks waits for that.
            let told = listed(addr, "/f");
            let (at, url) = (told[0]["offset"].as_u64().unwrap(), told[0]["url"].as_str().unwrap());
            let mut caller = owner(ftp);
            assert!((123_455..=123_456).contains(&at), "{first:?} {at}");
            assert_eq!(caller.size("f"), Some(at), "{first:?}");
            let rest = part(NEW, at, LEN);
            let status = match second {
                Dialect::Ftp => {
                    caller.says(&format!("REST {at}"), 350);
                    caller.stores("STOR f", &rest).code
                }
                Dialect::FtpAppend => caller.stores("APPE f", &rest).code,
                Dialect::Put | Dialect::Piece => piece("/f", at, LEN, Some(LEN)).brings(addr, &rest).status(),
                Dialect::Draft => {
                    let answer = DRAFT.appends(url, at, true).brings(addr, &rest);
                    assert_eq!(
                        Known::of(&answer, DRAFT),
                        Known { offset: LEN, complete: true },
                        "{answer:?}"
                    );
                    answer.status()
                }
            };
            assert_eq!(status / 100, 2, "{first:?} {second:?} {status}");
            NEW.assert_file_is(place.far("f"));
            assert_eq!(stranger(ftp).size("f"), Some(LEN));
            assert!(listed(addr, "/f").is_empty());
            caller.says("DELE f", 250);
        }
    }
}

#[test]
fn a_newcomer_waits_and_is_refused_while_bytes_come() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let mut first = Ask::new("PUT", "/f").begins(addr, Some(LEN));
    first.sends(&part(NEW, 0, 1000));
    // Taken from the socket is not yet received, nor is the upload begun with it.
    wait_until(|| offset(addr, "/f") == Some(1000));
    let newcomer = std::thread::spawn(move || {
        let came = Instant::now();
        let answer = Ask::new("PUT", "/f").brings(addr, &part(OLD, 0, OLD.size()));
        (answer, came.elapsed())
    });
    let mut sent = 1000;
    while !newcomer.is_finished() {
        first.sends(&part(NEW, sent, sent + 10));
        sent += 10;
        std::thread::sleep(Duration::from_millis(20));
    }
    let (answer, took) = newcomer.join().unwrap();
    let answer = answer.expect(409);
    assert!(answer.field("Retry-After").is_some(), "{answer:?}");
    assert!((Duration::from_millis(1900)..Duration::from_secs(20)).contains(&took), "{took:?}");
    first.sends(&part(NEW, sent, LEN));
    first.ends().expect(201);
    NEW.assert_file_is(place.far("f"));
}

#[test]
fn a_newcomer_takes_over_a_silent_one_and_nothing_of_that_one_gets_in() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    for dialect in DIALECTS {
        let mut first = Ask::new("PUT", "/f").begins(addr, Some(LEN));
        first.sends(&part(OLD, 0, 100_000));
        // What is received after the newcomer has come is somebody at work, and not waited for.
        wait_until(|| offset(addr, "/f") == Some(100_000));
        let done = match dialect {
            Dialect::Ftp | Dialect::FtpAppend => {
                owner(served.addr()).stores("STOR f", &part(NEW, 0, LEN)).code
            }
            Dialect::Put => Ask::new("PUT", "/f").brings(addr, &part(NEW, 0, LEN)).status(),
            Dialect::Piece => piece("/f", 0, LEN, Some(LEN)).brings(addr, &part(NEW, 0, LEN)).status(),
            Dialect::Draft => {
                DRAFT.creates(Ask::new("POST", "/f"), true).brings(addr, &part(NEW, 0, LEN)).status()
            }
        };
        assert_eq!(done / 100, 2, "{dialect:?} {done}");
        // It may have heard of that already.
        let _ = first.tries(&part(OLD, 100_000, OLD.size()));
        let _ = first.tries(&part(OLD, 0, LEN - OLD.size()));
        let fenced = first.hears();
        assert!(fenced.as_ref().is_none_or(|answer| answer.status() == 409), "{fenced:?}");
        NEW.assert_file_is(place.far("f"));
        Ask::new("DELETE", "/f").to(addr).expect(204);
    }
}

#[test]
fn a_newcomer_goes_on_with_what_a_silent_one_has_sent() {
    let place = Place::new();
    let served = place.serve().http().start();
    let addr = served.http_addr();
    let mut first = Ask::new("PUT", "/f").begins(addr, Some(LEN));
    first.sends(&part(NEW, 0, 100_000));
    // What is received after the newcomer has come is somebody at work, and not waited for.
    let at = 100_000;
    wait_until(|| offset(addr, "/f") == Some(at));
    piece("/f", at, LEN, Some(LEN)).brings(addr, &part(NEW, at, LEN)).expect(201);
    let _ = first.tries(&part(OLD, 0, LEN - 100_000));
    let _ = first.hears();
    NEW.assert_file_is(place.far("f"));
}
