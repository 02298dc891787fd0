//! `haul serve` asked in tus 1.0.0, request by request: what is created, taken, told and refused, and to whom.

use haul_testkit::{Content, real::peer};
use sha2::{Digest, Sha256};

use crate::scene::{
    served::{Place, part, serve},
    tus::{BYTES, Tus, V1, base64, filename, location, offset_of, unseen},
};

const LEN: u64 = 300_000;

fn sha256(bytes: &[u8]) -> String {
    format!("Upload-Checksum: sha256 {}", base64(&Sha256::digest(bytes)))
}

#[test]
fn a_file_is_there_when_all_of_its_pieces_are() {
    let place = Place::new();
    let served = place.serve().http().start();
    let (ann, bob) = (Tus::owner(served.http_addr()), Tus::stranger(served.http_addr()));
    let content = Content::new(1, LEN);
    let metadata = filename("f.bin") + ",is_confidential";
    let made = ann.asks("POST", "/-/tus", &["Upload-Length: 300000", &metadata], b"").expect(201);
    let url = location(&made);
    assert!(url.starts_with("/-/uploads/") && url.ends_with("/f.bin"), "{url}");
    assert_eq!(made.head.number("Upload-Offset"), Some(0));
    assert!(made.field("Upload-Expires").unwrap().ends_with(" GMT"));
    for (from, to) in [(0, 1), (1, 100_000), (100_000, LEN - 1)] {
        let patched = ann.sends(&url, from, &part(content, from, to)).expect(204);
        assert_eq!(patched.head.number("Upload-Offset"), Some(to));
        assert!(patched.field("Upload-Expires").is_some());
        let head = ann.asks("HEAD", &url, &[], b"").expect(200);
        assert_eq!(head.head.number("Upload-Offset"), Some(to));
        assert_eq!(head.head.number("Upload-Length"), Some(LEN));
        assert_eq!(head.field("Upload-Metadata"), metadata.strip_prefix("Upload-Metadata: "));
        assert_eq!(head.field("Cache-Control"), Some("no-store"));
        assert!(unseen(&place.far("f.bin")));
        assert_eq!(bob.says("GET", "/f.bin", &[], b"").status(), 404);
    }
    let last = ann.sends(&url, LEN - 1, &part(content, LEN - 1, LEN)).expect(204);
    assert_eq!((last.head.number("Upload-Offset"), last.field("Upload-Expires")), (Some(LEN), None));
    content.assert_file_is(place.far("f.bin"));
    // Its client may not have heard that, and asks again.
    let head = ann.asks("HEAD", &url, &[], b"").expect(200);
    assert_eq!(head.head.number("Upload-Offset"), Some(LEN));
    assert_eq!(head.field("Upload-Metadata"), metadata.strip_prefix("Upload-Metadata: "));
    assert_eq!(ann.sends(&url, LEN, b"").expect(204).head.number("Upload-Offset"), Some(LEN));
    assert_eq!(ann.sends(&url, LEN, b"more").status(), 413);
    assert_eq!(ann.sends(&url, 5, b"other").expect(409).head.number("Upload-Offset"), Some(LEN));
}

#[test]
fn the_path_is_the_filename_within_the_folder_posted_to() {
    let place = Place::new();
    std::fs::create_dir_all(place.far("sub/in it")).unwrap();
    std::fs::write(place.far("file"), "old").unwrap();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    for (folder, name, path) in [
        ("/", "a", "a"),
        ("/-/tus", "sub/b", "sub/b"),
        ("/sub", "é ü", "sub/é ü"),
        ("/sub/in%20it/", "c", "sub/in it/c"),
        ("/sub/", "in it/100%25", "sub/in it/100%25"),
        ("/sub/", "/file", "sub/file"),
    ] {
        let url = ann.creates(folder, name, 3);
        ann.sends(&url, 0, b"new").expect(204);
        assert_eq!(std::fs::read(place.far(path)).unwrap(), b"new", "{folder} {name}");
    }
    assert_eq!(std::fs::read(place.far("file")).unwrap(), b"old");
    for name in [
        &b""[..],
        b".",
        b"..",
        b"/",
        b"../x",
        b"sub/../x",
        b"./x",
        b"x/",
        b"x/.",
        b".haul/x",
        b"sub/.HAUL/x",
        b"x\0y",
        b"x\r\ny",
        &[b'x'; 256],
    ] {
        let refused = ann.asks("POST", "/-/tus", &["Upload-Length: 3", &filename(name)], b"");
        assert_eq!(refused.status(), 400, "{}", name.escape_ascii());
    }
    let nameless = ann.asks("POST", "/sub/", &["Upload-Length: 3", "Upload-Metadata: name YQ=="], b"");
    assert!(nameless.expect(400).text().contains("filename"));
    for (folder, status) in [("/file", 409), ("/file/", 409), ("/absent/", 404), ("/-/other", 404)] {
        let refused = ann.asks("POST", folder, &["Upload-Length: 3", &filename("x")], b"");
        assert_eq!(refused.status(), status, "{folder}: {}", refused.text());
    }
    let folder = ann.asks("POST", "/", &["Upload-Length: 3", &filename("sub")], b"");
    assert_eq!(folder.status(), 409, "{}", folder.text());
}

/// Method, path, fields and content of a request, and the status of its answer.
type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a [u8], u16);

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 10);
    ann.sends(&url, 0, b"01234").expect(204);
    let name = filename("g");
    let cases: &[Case<'_>] = &[
        ("POST", "/-/tus", &[&name], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: x", &name], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: -1", &name], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: 1", "Upload-Length: 2", &name], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: 1", "Upload-Defer-Length: 1", &name], b"", 400),
        ("POST", "/-/tus", &["Upload-Defer-Length: 2", &name], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: 1", "Upload-Metadata: filename !"], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: 1", &name, "Upload-Concat: whole"], b"", 400),
        ("POST", "/-/tus", &["Upload-Length: 1", &name, "Content-Type: text/plain"], b"x", 415),
        ("POST", "/-/tus", &["Upload-Length: 1", &name, BYTES], b"xx", 413),
        ("HEAD", "/-/tus", &[], b"", 405),
        ("PATCH", "/-/tus", &[BYTES, "Upload-Offset: 0"], b"x", 405),
        ("PATCH", &url, &["Upload-Offset: 5"], b"x", 415),
        ("PATCH", &url, &["Upload-Offset: 5", "Content-Type: text/plain"], b"x", 415),
        ("PATCH", &url, &[BYTES], b"x", 400),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 5x"], b"x", 400),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 4"], b"x", 409),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 6"], b"x", 409),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 5"], b"567890", 413),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 5", "Upload-Length: 11"], b"x", 400),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 5", "Upload-Checksum: crc32 AAAA"], b"x", 400),
        ("PATCH", &url, &[BYTES, "Upload-Offset: 5", "Upload-Checksum: sha1 AAAA"], b"x", 400),
        ("POST", &url, &["Upload-Length: 1", &name], b"", 405),
        ("PUT", &url, &[], b"x", 405),
        ("GET", &url, &[], b"", 405),
        ("HEAD", "/-/uploads/0123/f", &[], b"", 410),
        ("HEAD", "/-/uploads/0123/other", &[], b"", 404),
        ("HEAD", "/-/parts/0123/f", &[], b"", 404),
        ("PATCH", "/-/uploads/0123/other", &[BYTES, "Upload-Offset: 0"], b"x", 404),
        ("DELETE", "/-/uploads/0123/other", &[], b"", 404),
        ("HEAD", "/-/uploads/0123/%2e%2e/f", &[], b"", 404),
    ];
    for (method, path, fields, content, status) in cases {
        let refused = ann.asks(method, path, fields, content);
        assert_eq!(refused.status(), *status, "{method} {path} {fields:?}: {}", refused.text());
        if *status == 409 {
            assert_eq!(refused.head.number("Upload-Offset"), Some(5));
        }
    }
    for version in ["Tus-Resumable: 0.2.2", "Tus-Resumable: 1.0.0, 0.2.2", "Tus-Resumable:"] {
        let fields = [version, BYTES, "Upload-Offset: 5"];
        let refused = ann.says("PATCH", &url, &fields, b"56789").expect(412);
        assert_eq!(refused.field("Tus-Version"), Some("1.0.0"));
    }
    let none = ann.says("POST", "/-/tus", &["Upload-Length: 1", &name], b"").expect(412);
    assert_eq!(none.field("Tus-Version"), Some("1.0.0"));
    assert_eq!(ann.offset(&url), 5);
    ann.sends(&url, 5, b"56789").expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"0123456789");
    assert!(unseen(&place.far("g")));
}

#[test]
fn options_tells_what_every_dialect_wants_to_know_and_a_post_may_mean_another_method() {
    let place = Place::new();
    std::fs::create_dir(place.far("sub")).unwrap();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 10);
    for path in ["/-/tus", "/", "/sub/", &url] {
        for fields in [&[][..], &[V1]] {
            let told = ann.says("OPTIONS", path, fields, b"").expect(204);
            assert_eq!(told.field("Tus-Version"), Some("1.0.0"), "{path}");
            let extensions = told.field("Tus-Extension").unwrap();
            for one in ["creation-with-upload", "creation-defer-length", "checksum-trailer", "concatenation"]
            {
                assert!(extensions.split(',').any(|told| told == one), "{extensions}");
            }
            assert_eq!(told.field("Tus-Checksum-Algorithm"), Some("sha1,sha256,md5"));
            assert!(told.field("Upload-Limit").unwrap().contains("max-age="));
            let patches = told.field("Accept-Patch").unwrap();
            assert_eq!(patches, "application/partial-upload, application/offset+octet-stream");
        }
    }
    let mean = |method: &str, fields: &[&str], content: &[u8]| {
        let meant = format!("X-HTTP-Method-Override: {method}");
        let fields: Vec<&str> = [meant.as_str()].iter().chain(fields).copied().collect();
        ann.asks("POST", &url, &fields, content)
    };
    assert_eq!(
        mean("PATCH", &[BYTES, "Upload-Offset: 0"], b"01234").expect(204).head.number("Upload-Offset"),
        Some(5)
    );
    assert_eq!(mean("HEAD", &[], b"").expect(200).head.number("Upload-Offset"), Some(5));
    mean("DELETE", &[], b"").expect(204);
    assert!([404, 410].contains(&ann.status(&url)));
}

#[test]
fn a_creation_may_bring_content() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let made = |fields: &[&str], content: &[u8]| {
        let made = ann.asks("POST", "/-/tus", fields, content).expect(201);
        (location(&made), made.head.number("Upload-Offset").unwrap())
    };
    let (url, offset) = made(&["Upload-Length: 5", &filename("whole"), BYTES], b"01234");
    assert_eq!((offset, ann.offset(&url)), (5, 5));
    assert_eq!(std::fs::read(place.far("whole")).unwrap(), b"01234");
    let (url, offset) = made(&["Upload-Length: 5", &filename("begun"), BYTES], b"01");
    assert_eq!((offset, ann.offset(&url)), (2, 2));
    ann.sends(&url, 2, b"234").expect(204);
    assert_eq!(std::fs::read(place.far("begun")).unwrap(), b"01234");
    // Nothing is a file, too.
    let (url, offset) = made(&["Upload-Length: 0", &filename("empty")], b"");
    assert_eq!((offset, ann.offset(&url)), (0, 0));
    assert_eq!(std::fs::read(place.far("empty")).unwrap(), b"");
    // It has to be what it says that it is.
    let wrong = ["Upload-Length: 5", &filename("wrong"), BYTES, &sha256(b"other")];
    let wrong = ann.asks("POST", "/-/tus", &wrong, b"01234");
    assert_eq!((wrong.status(), wrong.head.number("Upload-Offset")), (460, Some(0)));
    assert!(unseen(&place.far("wrong")));
    assert_eq!(ann.offset(&location(&wrong)), 0);
}

#[test]
fn a_length_may_be_told_later_and_counts_from_then_on() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let made = ann.asks("POST", "/-/tus", &["Upload-Defer-Length: 1", &filename("f")], b"").expect(201);
    let url = location(&made);
    let head = ann.asks("HEAD", &url, &[], b"").expect(200);
    assert_eq!((head.field("Upload-Defer-Length"), head.field("Upload-Length")), (Some("1"), None));
    ann.sends(&url, 0, b"0123").expect(204);
    assert_eq!(ann.offset(&url), 4, "not a byte is held back");
    let told = ann.asks("PATCH", &url, &[BYTES, "Upload-Offset: 4", "Upload-Length: 6"], b"4").expect(204);
    assert_eq!(told.head.number("Upload-Offset"), Some(5));
    let head = ann.asks("HEAD", &url, &[], b"").expect(200);
    assert_eq!((head.field("Upload-Defer-Length"), head.head.number("Upload-Length")), (None, Some(6)));
    let other = ["Upload-Offset: 5", "Upload-Length: 7", BYTES];
    assert_eq!(ann.asks("PATCH", &url, &other, b"5").status(), 400);
    ann.sends(&url, 5, b"5").expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"012345");
    // With the end alone.
    let made = ann.asks("POST", "/-/tus", &["Upload-Defer-Length: 1", &filename("g")], b"").expect(201);
    let url = location(&made);
    ann.sends(&url, 0, b"0123").expect(204);
    assert!(unseen(&place.far("g")));
    ann.asks("PATCH", &url, &[BYTES, "Upload-Offset: 4", "Upload-Length: 4"], b"").expect(204);
    assert_eq!(std::fs::read(place.far("g")).unwrap(), b"0123");
}

#[test]
fn no_byte_is_taken_past_the_length_and_nothing_is_published_by_too_many() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 10);
    // Nobody knew beforehand how many would come.
    for chunks in ["b\r\n01234567890\r\n0\r\n\r\n", "a\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n"] {
        let at = ann.offset(&url);
        let offset = offset_of(at);
        let head = ann.head("PATCH", &url, &[V1, BYTES, &offset, "Transfer-Encoding: chunked"]);
        let refused = ann.caller().asks([head.as_bytes(), chunks.as_bytes()].concat());
        assert_eq!(refused.status(), 413, "{}", refused.text());
        assert!(ann.offset(&url) < 10);
        assert!(unseen(&place.far("f")));
    }
    let at = ann.offset(&url);
    ann.sends(&url, at, &b"0123456789"[at as usize..]).expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"0123456789");
}

#[test]
fn content_that_is_not_what_its_checksum_says_is_dropped() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let url = ann.creates("/", "f", 10);
    let of_hello = sha256(b"hello");
    let sums = [
        "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
        "md5 XUFAKrxLKna5cZ2REBfFkg==",
        &of_hello["Upload-Checksum: ".len()..],
    ];
    for sum in sums {
        let sum = format!("Upload-Checksum: {sum}");
        let patch =
            |at: u64, content: &[u8]| ann.asks("PATCH", &url, &[BYTES, &offset_of(at), &sum], content);
        let wrong = patch(0, b"hellO");
        assert_eq!((wrong.status(), wrong.head.number("Upload-Offset")), (460, Some(0)), "{sum}");
        let wrong = patch(0, b"hellohello");
        assert_eq!((wrong.status(), ann.offset(&url)), (460, 0), "all of it came, and still it is nothing");
        assert!(unseen(&place.far("f")));
    }
    let first = ann.asks("PATCH", &url, &[BYTES, "Upload-Offset: 0", &sha256(b"hello")], b"hello");
    assert_eq!(first.expect(204).head.number("Upload-Offset"), Some(5));
    let wrong = ann.asks("PATCH", &url, &[BYTES, "Upload-Offset: 5", &sha256(b"hello")], b"hullo");
    assert_eq!((wrong.status(), ann.offset(&url)), (460, 5));
    ann.asks("PATCH", &url, &[BYTES, "Upload-Offset: 5", &sha256(b"hello")], b"hello").expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"hellohello");
}

#[test]
fn a_second_creation_takes_the_place_of_the_first_and_what_is_given_up_is_gone() {
    let place = Place::new();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let first = ann.creates("/", "f", 10);
    ann.sends(&first, 0, b"first").expect(204);
    let second = ann.creates("/", "f", 6);
    assert_eq!(ann.status(&first), 410);
    assert_eq!(ann.sends(&first, 5, b"more").status(), 410);
    assert_eq!(ann.asks("DELETE", &first, &[], b"").status(), 410);
    ann.sends(&second, 0, b"second").expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"second");
    assert_eq!(ann.status(&first), 410);
    // A file is no upload any more.
    assert_eq!(ann.asks("DELETE", &second, &[], b"").status(), 403);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"second");
    let third = ann.creates("/", "f", 10);
    ann.sends(&third, 0, b"third").expect(204);
    ann.asks("DELETE", &third, &[], b"").expect(204);
    assert!([404, 410].contains(&ann.status(&third)));
    assert!([404, 410].contains(&ann.asks("DELETE", &third, &[], b"").status()));
    assert_eq!(ann.says("GET", "/-/uploads?path=/", &[], b"").expect(200).text().trim(), "[]");
    assert_eq!(place.staged(), 0, "its bytes are gone, too");
}

#[test]
fn nobody_else_knows_of_an_upload_and_who_may_not_write_creates_none() {
    let place = Place::new();
    std::fs::write(place.far("old"), "old").unwrap();
    let served = place.serve().http().args(["--anonymous", "rw", "--user", "reader:r:r"]).start();
    let addr = served.http_addr();
    let (ann, bob, nobody) = (Tus::owner(addr), Tus::stranger(addr), Tus::nobody(addr));
    let url = ann.creates("/", "f", 10);
    for other in [bob, nobody] {
        assert_eq!(other.status(&url), 404);
        assert_eq!(other.sends(&url, 0, b"x").status(), 404);
        assert_eq!(other.asks("DELETE", &url, &[], b"").status(), 404);
    }
    // Each of them has an upload of that name.
    let theirs = bob.creates("/", "f", 3);
    bob.sends(&theirs, 0, b"bob").expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"bob");
    assert_eq!(ann.offset(&url), 0);
    ann.sends(&url, 0, b"0123456789").expect(204);
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"0123456789");
    let reader = Tus::with(addr, "Authorization: Basic cmVhZGVyOnI=\r\n");
    assert_eq!(reader.asks("POST", "/", &["Upload-Length: 3", &filename("new")], b"").status(), 403);
    // Without a name: new files, and none that is there.
    let refused = nobody.asks("POST", "/", &["Upload-Length: 3", &filename("old")], b"");
    assert_eq!(refused.status(), 401, "{}", refused.text());
    let url = nobody.creates("/", "new", 3);
    assert_eq!(nobody.from("127.0.0.2".parse().unwrap()).status(&url), 404);
    nobody.sends(&url, 0, b"new").expect(204);
    assert_eq!(std::fs::read(place.far("new")).unwrap(), b"new");
    assert_eq!(std::fs::read(place.far("old")).unwrap(), b"old");
}

#[test]
fn a_condition_holds_for_what_a_creation_would_replace() {
    let place = Place::new();
    std::fs::write(place.far("old"), "old").unwrap();
    let served = place.serve().http().start();
    let ann = Tus::owner(served.http_addr());
    let creates = |name: &str, condition: &str| {
        ann.asks("POST", "/", &["Upload-Length: 3", &filename(name), condition, BYTES], b"new").status()
    };
    assert_eq!(creates("old", "If-None-Match: *"), 412);
    assert_eq!(creates("old", "If-Match: \"other\""), 412);
    assert_eq!(creates("new", "If-Match: *"), 412);
    assert_eq!(std::fs::read(place.far("old")).unwrap(), b"old");
    assert!(unseen(&place.far("new")));
    assert_eq!(creates("new", "If-None-Match: *"), 201);
    assert_eq!(creates("old", "If-Match: *"), 201);
    assert_eq!(std::fs::read(place.far("old")).unwrap(), b"new");
}

#[test]
fn who_is_not_let_in_is_told_so_in_tus() {
    let place = Place::new();
    let served = place.serve().http().start();
    let nobody = Tus::nobody(served.http_addr());
    let refused = nobody.asks("POST", "/-/tus", &["Upload-Length: 3", &filename("f")], b"").expect(401);
    assert!(refused.field("WWW-Authenticate").is_some());
    let elsewhere = ["Origin: http://example.org", "Upload-Length: 3", &filename("f")];
    assert_eq!(Tus::owner(served.http_addr()).asks("POST", "/-/tus", &elsewhere, b"").status(), 403);
    assert!(unseen(&place.far("f")));
}

#[test]
fn where_uploads_go_in_place_all_of_one_has_to_come_at_once() {
    let place = Place::new();
    let served = serve(place.root()).http().config("[uploads]\nmode = \"in-place\"\n").start();
    let ann = Tus::owner(served.http_addr());
    for fields in [
        &["Upload-Length: 5", &filename("f")][..],
        &["Upload-Length: 6", &filename("f"), BYTES],
        &["Upload-Defer-Length: 1", &filename("f"), BYTES],
        &["Upload-Length: 5", "Upload-Concat: partial", BYTES],
    ] {
        let content: &[u8] = if fields.contains(&BYTES) { b"01234" } else { b"" };
        assert_eq!(ann.asks("POST", "/", fields, content).status(), 501, "{fields:?}");
        assert!(unseen(&place.far("f")));
    }
    let made = ann.asks("POST", "/", &["Upload-Length: 5", &filename("f"), BYTES], b"01234").expect(201);
    assert_eq!((made.head.number("Upload-Offset"), location(&made).as_str()), (Some(5), "/f"));
    assert_eq!(std::fs::read(place.far("f")).unwrap(), b"01234");
}

#[test]
fn curl_uploads_in_pieces() {
    let place = Place::new();
    let served = place.serve().http().start();
    let Some(curl) = peer("curl") else { return };
    let content = Content::new(3, LEN);
    content.write_to(place.local("f.bin"));
    let url = Tus::owner(served.http_addr()).creates("/", "f.bin", LEN);
    for way in [&["--http1.1"][..], &["--http2-prior-knowledge"]] {
        for _ in 0..2 {
            let at = Tus::owner(served.http_addr()).offset(&url);
            let piece = place.local("piece");
            std::fs::write(&piece, part(content, at, (at + LEN / 4).min(LEN))).unwrap();
            let end = haul_testkit::Haul::new(&curl)
                .args(["-sS", "--fail", "-X", "PATCH", "-H", V1, "-H", BYTES, "-H", &offset_of(at)])
                .args(way)
                .arg("--data-binary")
                .arg(format!("@{}", piece.display()))
                .arg(served.http_url(&url))
                .run();
            end.expect_code(0);
        }
    }
    content.assert_file_is(place.far("f.bin"));
}
