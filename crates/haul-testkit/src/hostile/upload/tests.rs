//! The peer takes files in every dialect, and each misbehaviour is seen by a client that says what the test says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

use super::*;
use crate::hostile::Which;
use crate::http_caller::{Answer, HttpCaller};
use crate::{Content, Cut};

const SOON: Duration = Duration::from_secs(10);
const FILE: Content = Content::new(9, 300_000);

fn bytes() -> Vec<u8> {
    FILE.bytes(0..300_000)
}

/// One request on a connection of its own.
fn ask(peer: &UploadPeer, request: &str, content: &[u8]) -> Answer {
    let mut caller = HttpCaller::to(peer.addr());
    caller.asks(text(request, content))
}

fn text(request: &str, content: &[u8]) -> Vec<u8> {
    let (line, fields) = request.split_once('\n').unwrap_or((request, ""));
    let fields: String = fields.lines().map(|field| format!("{field}\r\n")).collect();
    let length = content.len();
    let head = format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), content].concat()
}

const DRAFT: &str = "Upload-Draft-Interop-Version: 8\nUpload-Complete: ";
const APPEND: &str = "Content-Type: application/partial-upload\nUpload-Complete: ?1\nUpload-Offset: ";
const TUS: &str = "Tus-Resumable: 1.0.0\n";
const TUS_APPEND: &str =
    "Tus-Resumable: 1.0.0\nContent-Type: application/offset+octet-stream\nUpload-Offset: ";

/// Begins an upload in the draft with so many bytes of the file.
fn begun(peer: &UploadPeer, count: usize) -> String {
    let created =
        ask(peer, &format!("POST /f\n{DRAFT}?0\nUpload-Length: 300000"), &bytes()[..count]).expect(201);
    created.field("Location").unwrap().to_owned()
}

fn append(peer: &UploadPeer, url: &str, from: usize) -> Answer {
    ask(peer, &format!("PATCH {url}\n{APPEND}{from}"), &bytes()[from..])
}

fn offset(answer: &Answer) -> Option<u64> {
    answer.field("Upload-Offset").map(|text| text.parse().unwrap())
}

#[test]
fn options_tells_what_is_spoken_and_no_more() {
    let tell = |behaviour| ask(&UploadPeer::start(behaviour), "OPTIONS /", b"");
    let all = tell(UploadBehaviour::proper());
    assert_eq!((all.field("Upload-Limit"), all.field("Tus-Version")), (Some("min-size=0"), Some("1.0.0")));
    assert!(all.field("Tus-Extension").unwrap().contains("concatenation"));
    let limits = Limits { max_size: Some(5), max_append: Some(3), max_age: Some(Duration::from_secs(7)) };
    let limited = tell(UploadBehaviour { limits, ..UploadBehaviour::draft() });
    assert_eq!(limited.field("Upload-Limit"), Some("max-size=5, max-append-size=3, max-age=7"));
    assert_eq!(limited.field("Tus-Version"), None);
    assert_eq!(tell(UploadBehaviour::plain()).field("Allow"), Some("OPTIONS, HEAD, GET, PUT"));
    tell(UploadBehaviour { options_refused: Some(405), ..UploadBehaviour::proper() }).expect(405);
}

#[test]
fn the_draft_takes_a_file_in_two_goes() {
    let peer = UploadPeer::start(UploadBehaviour::draft());
    let url = begun(&peer, 100_000);
    assert_eq!(peer.offset(), Some(100_000));
    let told = ask(&peer, &format!("HEAD {url}"), b"").expect(204);
    assert_eq!((offset(&told), told.field("Upload-Complete")), (Some(100_000), Some("?0")));
    assert_eq!(told.field("Upload-Length"), Some("300000"));
    let done = append(&peer, &url, 100_000).expect(201);
    assert_eq!((offset(&done), done.field("Upload-Complete")), (Some(300_000), Some("?1")));
    assert_eq!(peer.file("/f"), Some(bytes()));
    assert_eq!((peer.received(), peer.sent_again()), (300_000, 0));
    let steps: Vec<_> = peer.requests().iter().map(|request| (request.step, request.from)).collect();
    assert_eq!(steps, [(Step::Create, 0), (Step::Query, 0), (Step::Append, 100_000)]);
    let looked = ask(&peer, "HEAD /f", b"").expect(200);
    assert_eq!((looked.field("Content-Length"), looked.field("ETag")), (Some("300000"), Some("\"v1\"")));
}

#[test]
fn announcements_come_before_the_content_to_those_who_speak_the_version() {
    for (announcements, version, expected) in [(1, 8, 1), (2, 8, 2), (0, 8, 0), (1, 6, 0)] {
        let peer = UploadPeer::start(UploadBehaviour { announcements, ..UploadBehaviour::draft() });
        let mut caller = HttpCaller::to(peer.addr());
        caller.sends(format!(
            "PUT /f HTTP/1.1\r\nHost: h\r\nUpload-Draft-Interop-Version: {version}\r\nUpload-Complete: ?1\r\n\
             Content-Length: 300000\r\n\r\n"
        ));
        for _ in 0..expected {
            let interim = caller.next_head().unwrap();
            assert_eq!((interim.status, interim.field("Location")), (104, Some("/uploads/0")));
        }
        caller.sends(bytes());
        let answer = caller.answer("PUT").expect(201);
        assert_eq!(offset(&answer), Some(300_000));
        assert_eq!(peer.requests()[0].announcements(), expected);
        assert_eq!(peer.file("/f"), Some(bytes()));
    }
}

#[test]
fn progress_is_told_while_bytes_come_and_may_be_a_lie() {
    let behaviour = UploadBehaviour { progress: Some(100_000), ..UploadBehaviour::draft() };
    let peer = UploadPeer::start(behaviour.lies(Step::Progress, Which::Only(1), Told::Less(150_000)));
    let mut caller = HttpCaller::to(peer.addr());
    let request = text(&format!("PUT /f\n{DRAFT}?1"), &bytes());
    // However much comes in one read, it is told of each before the next one comes.
    let mut told = |piece: std::ops::Range<usize>| {
        caller.sends(&request[piece]);
        std::iter::from_fn(|| caller.next_head()).find_map(|head| head.number("Upload-Offset"))
    };
    let (first, second) = (request.len() - 200_000, request.len() - 100_000);
    assert_eq!(told(0..first), Some(100_000));
    assert_eq!(told(first..second), Some(50_000));
}

#[test]
fn tus_takes_a_file_with_checksums_and_in_parts() {
    let peer = UploadPeer::start(UploadBehaviour::proper());
    let name = format!("{TUS}Upload-Metadata: filename {}\n", STANDARD.encode("f"));
    let created = ask(&peer, &format!("POST /d/\n{name}Upload-Length: 300000"), b"").expect(201);
    let url = created.field("Location").unwrap().to_owned();
    let sum = |bytes: &[u8]| STANDARD.encode(sha1::Sha1::digest(bytes));
    let patch = |sum: &str, range: std::ops::Range<usize>| {
        let head = format!("PATCH {url}\n{TUS_APPEND}{}\nUpload-Checksum: sha1 {sum}", range.start);
        ask(&peer, &head, &bytes()[range])
    };
    patch(&sum(b"other"), 0..100_000).expect(460);
    assert_eq!(peer.offset(), Some(0), "what is not proved is not kept");
    assert_eq!(offset(&patch(&sum(&bytes()[..100_000]), 0..100_000).expect(204)), Some(100_000));
    let told = ask(&peer, &format!("HEAD {url}\n{TUS}"), b"").expect(200);
    assert_eq!((offset(&told), told.field("Upload-Length")), (Some(100_000), Some("300000")));
    patch(&sum(&bytes()[100_000..]), 100_000..300_000).expect(204);
    assert_eq!(peer.file("/d/f"), Some(bytes()));

    let parts: Vec<String> = [0..100_000, 100_000..300_000]
        .map(|range: std::ops::Range<usize>| {
            let head = format!(
                "POST /d/\n{TUS}Upload-Concat: partial\nUpload-Length: {}\nContent-Type: application/offset+octet-stream",
                range.len()
            );
            ask(&peer, &head, &bytes()[range]).expect(201).field("Location").unwrap().to_owned()
        })
        .to_vec();
    let name = name.replace(&STANDARD.encode("f"), &STANDARD.encode("g"));
    ask(&peer, &format!("POST /d/\n{name}Upload-Concat: final;{}", parts.join(" ")), b"").expect(201);
    assert_eq!(peer.file("/d/g"), Some(bytes()));
}

#[test]
fn put_comes_whole_or_in_pieces_where_they_are_taken() {
    let peer = UploadPeer::start(UploadBehaviour::pieces());
    let piece =
        |range: &str, content: &[u8]| ask(&peer, &format!("PUT /f\nContent-Range: bytes {range}"), content);
    let more = piece("0-99999/300000", &bytes()[..100_000]).expect(308);
    assert_eq!(more.field("Range"), Some("bytes=0-99999"));
    assert_eq!(piece("*/300000", b"").expect(308).field("Range"), Some("bytes=0-99999"));
    piece("200000-299999/300000", &bytes()[200_000..]).expect(409);
    piece("100000-299999/300000", &bytes()[100_000..]).expect(201);
    assert_eq!(peer.file("/f"), Some(bytes()));
    piece("*/300000", b"").expect(200);
    ask(&peer, "PUT /g", b"whole").expect(201);
    assert_eq!(peer.file("/g"), Some(b"whole".to_vec()));

    let plain = UploadPeer::start(UploadBehaviour::plain());
    ask(&plain, "PUT /f\nContent-Range: bytes 0-4/5", b"whole").expect(501);
    ask(&plain, "PUT /f", b"whole").expect(201);
}

#[test]
fn conflicts_tell_the_offset_or_keep_it_to_themselves() {
    for bare in [false, true] {
        let peer = UploadPeer::start(UploadBehaviour { bare_conflicts: bare, ..UploadBehaviour::draft() });
        let url = begun(&peer, 100_000);
        let conflict = append(&peer, &url, 50_000).expect(409);
        assert_eq!(offset(&conflict), (!bare).then_some(100_000));
        assert_eq!(conflict.text().contains("expected-offset"), !bare);
        wait(|| peer.sent_again() == 50_000, "what it had told was sent again");
    }
    let forced = UploadBehaviour::draft().instead(Step::Append, Which::Only(0), When::AtOnce, 409);
    let peer = UploadPeer::start(forced);
    let url = begun(&peer, 100_000);
    assert_eq!(offset(&append(&peer, &url, 100_000).expect(409)), Some(100_000));
    append(&peer, &url, 100_000).expect(201);
    assert_eq!(peer.sent_again(), 0, "nothing of that had been told");
}

#[track_caller]
fn wait(such: impl Fn() -> bool, what: &str) {
    let deadline = Instant::now() + SOON;
    while !such() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn offsets_may_be_lies() {
    for (told, expected) in [
        (Told::Less(40_000), Some("60000")),
        (Told::More(40_000), Some("140000")),
        (Told::Nothing, None),
        (Told::Text("-1".into()), Some("-1")),
    ] {
        let peer = UploadPeer::start(UploadBehaviour::draft().lies(Step::Query, Which::Only(1), told));
        let url = begun(&peer, 100_000);
        let query = || ask(&peer, &format!("HEAD {url}"), b"").expect(204);
        assert_eq!(offset(&query()), Some(100_000));
        assert_eq!(query().field("Upload-Offset"), expected);
    }
}

#[test]
fn uploads_are_lost_expire_or_are_cancelled() {
    let peer = UploadPeer::start(UploadBehaviour::draft());
    let url = begun(&peer, 1000);
    peer.lose_uploads(Fate::Lost);
    ask(&peer, &format!("HEAD {url}"), b"").expect(404);
    let url = begun(&peer, 1000);
    peer.lose_uploads(Fate::Expired);
    ask(&peer, &format!("HEAD {url}"), b"").expect(410);
    let url = begun(&peer, 1000);
    ask(&peer, &format!("DELETE {url}"), b"").expect(204);
    append(&peer, &url, 1000).expect(404);
    assert_eq!((peer.offset(), peer.sent_again()), (None, 0));
    let forgetful = UploadPeer::start(UploadBehaviour { forgets_complete: true, ..UploadBehaviour::draft() });
    let url = begun(&forgetful, 1000);
    append(&forgetful, &url, 1000).expect(201);
    ask(&forgetful, &format!("HEAD {url}"), b"").expect(404);
}

#[test]
fn an_answer_in_the_middle_keeps_or_loses_what_came() {
    for (status, fate, kept) in
        [(500, Fate::Kept, true), (404, Fate::Lost, false), (410, Fate::Expired, false)]
    {
        let instead = Instead {
            which: Which::Only(0),
            step: Step::Append,
            when: When::After(100_000),
            status,
            fields: Vec::new(),
            upload: fate,
            then: Then::Reads,
        };
        let peer = UploadPeer::start(UploadBehaviour::draft().answers(instead));
        let url = begun(&peer, 50_000);
        append(&peer, &url, 50_000).expect(status);
        assert_eq!(peer.offset().is_some(), kept);
        if kept {
            assert!(peer.offset().is_some_and(|offset| (150_000..300_000).contains(&offset)));
            wait(|| peer.received() == 300_000, "the rest is read all the same");
        }
    }
}

#[test]
fn too_much_is_413() {
    let limits = Limits { max_size: Some(1000), max_append: Some(500), max_age: None };
    let peer = UploadPeer::start(UploadBehaviour { limits, ..UploadBehaviour::draft() });
    ask(&peer, &format!("PUT /f\n{DRAFT}?1"), &[1; 2000]).expect(413);
    ask(&peer, &format!("PUT /f\n{DRAFT}?1"), &[1; 600]).expect(413);
    ask(&peer, &format!("PUT /f\n{DRAFT}?1"), &[1; 500]).expect(201);
}

#[test]
fn a_lock_outlives_its_connection() {
    let locked = Locked { after: 100_000, time: Duration::from_millis(300), retry_after: Some(1) };
    let peer = UploadPeer::start(UploadBehaviour { locked: Some(locked), ..UploadBehaviour::draft() });
    let url = begun(&peer, 10_000);
    let mut caller = HttpCaller::to(peer.addr());
    let _ = caller.tries(text(&format!("PATCH {url}\n{APPEND}10000"), &bytes()[10_000..]));
    wait(|| peer.offset().is_some_and(|offset| offset >= 100_000), "the lock falls");
    let refused = ask(&peer, &format!("HEAD {url}"), b"").expect(423);
    assert_eq!(refused.field("Retry-After"), Some("1"));
    wait(|| ask(&peer, &format!("HEAD {url}"), b"").status() == 204, "the lock goes");
}

#[test]
fn connections_are_cut_after_their_share() {
    let peer = UploadPeer::start(UploadBehaviour::draft().cut(Which::Every, 60_000, Cut::Rst));
    let url = begun(&peer, 10_000);
    for offset in [70_000, 130_000] {
        let mut caller = HttpCaller::to(peer.addr());
        let from = peer.offset().unwrap();
        let _ = caller.tries(text(&format!("PATCH {url}\n{APPEND}{from}"), &bytes()[from as usize..]));
        wait(|| peer.offset() >= Some(offset) && peer.open() == 0, "it is cut");
        assert_eq!(peer.offset(), Some(offset));
    }
}

#[test]
fn a_file_may_be_complete_without_an_answer() {
    for finish in [Finish::Silent, Finish::Cut(Cut::Rst)] {
        let peer = UploadPeer::start(UploadBehaviour::draft().finish(Which::Only(0), finish));
        let url = begun(&peer, 10_000);
        let mut caller = HttpCaller::to(peer.addr());
        let _ = caller.tries(text(&format!("PATCH {url}\n{APPEND}10000"), &bytes()[10_000..]));
        wait(|| peer.file("/f") == Some(bytes()), "the file is there");
        let told = ask(&peer, &format!("HEAD {url}"), b"").expect(204);
        assert_eq!((offset(&told), told.field("Upload-Complete")), (Some(300_000), Some("?1")));
        peer.release();
        assert!(caller.is_ended());
    }
    let peer = UploadPeer::start(UploadBehaviour::plain().finish(Which::Only(0), Finish::Status(504)));
    ask(&peer, "PUT /f", b"whole").expect(504);
    assert_eq!(peer.file("/f"), Some(b"whole".to_vec()));
}

#[test]
fn an_early_answer_comes_while_the_content_is_under_way() {
    let peer =
        UploadPeer::start(UploadBehaviour::plain().instead(Step::Create, Which::Only(0), When::AtOnce, 500));
    let mut caller = HttpCaller::to(peer.addr());
    caller.sends("PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
    caller.answer("PUT").expect(500);
    caller.sends("67890");
    caller.asks(text("PUT /f", b"whole")).expect(201);
    assert_eq!((peer.received(), peer.requests()[0].received()), (15, 10));
}

#[test]
fn what_is_never_read_waits() {
    let peer =
        UploadPeer::start(UploadBehaviour { never_reads: Some(Which::Only(0)), ..UploadBehaviour::plain() });
    let mut caller = HttpCaller::to(peer.addr());
    caller.sends(text("PUT /f", b"whole"));
    wait(|| peer.requests().len() == 1, "it came first");
    ask(&peer, "PUT /g", b"other").expect(201);
    assert_eq!((peer.file("/f"), peer.open() >= 1), (None, true));
    peer.release();
    assert!(caller.is_ended());
}

#[test]
fn redirects_and_credentials_are_asked_for() {
    let elsewhere = Instead {
        which: Which::Every,
        step: Step::Create,
        when: When::AtOnce,
        status: 307,
        fields: vec![("Location".into(), "http://127.0.0.2/f".into())],
        upload: Fate::Kept,
        then: Then::Closes,
    };
    let peer = UploadPeer::start(UploadBehaviour::plain().answers(elsewhere));
    assert_eq!(ask(&peer, "PUT /f", b"").expect(307).field("Location"), Some("http://127.0.0.2/f"));
    let login = Some(("n".to_owned(), "p".to_owned()));
    let peer = UploadPeer::start(UploadBehaviour { login, ..UploadBehaviour::plain() });
    ask(&peer, "PUT /f", b"whole").expect(401);
    ask(&peer, &format!("PUT /f\nAuthorization: Basic {}", STANDARD.encode("n:p")), b"whole").expect(201);
    for (location, begins) in
        [(Location::Absolute, "http://127.0.0.1:"), (Location::Behind("http://h".into()), "http://h/up")]
    {
        let peer = UploadPeer::start(UploadBehaviour { location, ..UploadBehaviour::draft() });
        assert!(begun(&peer, 10).starts_with(begins));
    }
}

#[test]
fn content_in_chunks_is_content() {
    let peer = UploadPeer::start(UploadBehaviour::plain());
    let mut caller = HttpCaller::to(peer.addr());
    caller.asks("PUT /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nwhole\r\n1\r\n!\r\n0\r\n\r\n").expect(201);
    assert_eq!(peer.file("/f"), Some(b"whole!".to_vec()));
}

#[test]
fn reading_is_held_and_paced() {
    let peer = UploadPeer::start(UploadBehaviour::plain().rate(1 << 20));
    peer.hold_at(Some(100_000));
    let mut caller = HttpCaller::to(peer.addr());
    caller.sends(text("PUT /f", &bytes()));
    peer.wait_until_received(100_000, SOON);
    assert!(peer.received() < 200_000 && peer.file("/f").is_none());
    peer.hold_at(None);
    caller.answer("PUT").expect(201);
}

#[test]
fn behind_tls_it_is_the_same() {
    let peer = UploadPeer::start_tls(UploadBehaviour::plain());
    let config = peer.certificates.as_ref().unwrap().client_config(None);
    let mut caller = HttpCaller::to_tls(peer.addr(), &config);
    caller.asks(text("PUT /f", b"whole")).expect(201);
    assert!(peer.url("/f").starts_with("https://"));
}
