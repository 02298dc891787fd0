//! `haul serve` over HTTP, asked by curl, as the issue has it: each line of it over each version of HTTP.

use std::collections::BTreeSet;

use haul_testkit::{Content, Served};

use crate::scene::{
    http::{Heard, WAYS, Way, curl, etag},
    served::Place,
};

const FILE: Content = Content::new(1, 1575);

/// A place with the file, and its server.
fn served() -> (Place, Served) {
    let place = Place::new();
    FILE.write_to(place.far("f.bin"));
    let served = place.serve().arg("--tls-self-signed").http().https().start();
    (place, served)
}

/// Asks for the file in each way, with these options.
#[track_caller]
fn each(place: &Place, served: &Served, options: &[&str], check: impl Fn(Way, Heard)) {
    for way in WAYS {
        let Some(heard) = curl(way, place.dir(), options, &way.url(served, "/f.bin")) else { return };
        assert_eq!((heard.code, heard.version.as_str()), (0, way.version()), "{way:?} {options:?} {heard:?}");
        check(way, heard);
    }
}

#[track_caller]
fn is_part(way: Way, heard: &Heard, from: u64, to: u64) {
    assert_eq!(heard.status, 206, "{way:?} {heard:?}");
    let range = format!("bytes {from}-{to}/1575");
    assert_eq!(heard.field("Content-Range"), Some(range.as_str()), "{way:?}");
    assert_eq!(heard.field("Content-Length"), Some((to - from + 1).to_string().as_str()), "{way:?}");
    assert_eq!(heard.body, FILE.bytes(from..to + 1), "{way:?}");
}

#[test]
fn the_first_1001_bytes_of_1575() {
    let (place, served) = served();
    each(&place, &served, &["--range", "0-1000"], |way, heard| {
        is_part(way, &heard, 0, 1000);
        assert_eq!(heard.field("Content-Length"), Some("1001"));
    });
}

#[test]
fn the_rest_with_the_right_tag_in_if_range() {
    let (place, served) = served();
    let condition = format!("If-Range: {}", etag(served.http_addr(), "/f.bin"));
    each(&place, &served, &["--range", "1001-1575", "-H", &condition], |way, heard| {
        is_part(way, &heard, 1001, 1574);
        assert_eq!(heard.field("Content-Length"), Some("574"));
    });
}

#[test]
fn the_whole_with_a_wrong_tag_in_if_range() {
    let (place, served) = served();
    each(&place, &served, &["--range", "1001-1575", "-H", "If-Range: \"other\""], |way, heard| {
        assert_eq!((heard.status, heard.field("Content-Length")), (200, Some("1575")), "{way:?}");
        assert_eq!(heard.field("Content-Range"), None);
        assert!(heard.body == FILE.bytes(0..1575), "{way:?}");
    });
}

#[test]
fn if_match_lets_through_the_right_version_and_no_other() {
    let (place, served) = served();
    let right = format!("If-Match: {}", etag(served.http_addr(), "/f.bin"));
    each(&place, &served, &["--range", "0-9", "-H", &right], |way, heard| is_part(way, &heard, 0, 9));
    each(&place, &served, &["--range", "0-9", "-H", "If-Match: \"other\""], |way, heard| {
        assert_eq!(heard.status, 412, "{way:?}");
        assert_eq!(heard.field("Content-Type"), Some("application/problem+json"));
        assert!(String::from_utf8(heard.body).unwrap().contains("\"status\":412"), "{way:?}");
    });
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let (place, served) = served();
    let tag = format!("If-None-Match: {}", etag(served.http_addr(), "/f.bin"));
    let mut modified = String::new();
    each(&place, &served, &["-H", &tag], |way, heard| {
        assert_eq!((heard.status, heard.body.len()), (304, 0), "{way:?}");
        assert!(tag.ends_with(heard.field("ETag").unwrap()), "{way:?}");
    });
    let Some(whole) = curl(Way::Http11, place.dir(), &[], &Way::Http11.url(&served, "/f.bin")) else {
        return;
    };
    modified += whole.field("Last-Modified").unwrap();
    each(&place, &served, &["-H", &format!("If-Modified-Since: {modified}")], |way, heard| {
        assert_eq!((heard.status, heard.body.len()), (304, 0), "{way:?}");
    });
    // curl's own ways to ask.
    std::fs::write(place.local("tag"), tag.split_once(' ').unwrap().1).unwrap();
    each(&place, &served, &["--etag-compare", "tag"], |way, heard| assert_eq!(heard.status, 304, "{way:?}"));
    each(&place, &served, &["-z", &modified], |way, heard| assert_eq!(heard.status, 304, "{way:?}"));
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let (place, served) = served();
    for way in WAYS {
        let url = way.url(&served, "/f.bin");
        let Some(head) = curl(way, place.dir(), &["-I"], &url) else { return };
        let got = curl(way, place.dir(), &[], &url).unwrap();
        let told = |heard: &Heard| {
            let but_date = heard.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
            but_date.cloned().collect::<BTreeSet<_>>()
        };
        assert_eq!((head.status, told(&head)), (200, told(&got)), "{way:?}");
        assert!(got.body == FILE.bytes(0..1575));
        for (name, value) in [
            ("Accept-Ranges", "bytes"),
            ("Content-Type", "application/octet-stream"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "sandbox"),
        ] {
            assert_eq!(got.field(name), Some(value), "{way:?}");
        }
    }
}

#[test]
fn several_ranges_come_in_one_message() {
    let (place, served) = served();
    each(&place, &served, &["--range", "0-0,-1"], |way, heard| {
        assert_eq!((heard.status, heard.field("Content-Range")), (206, None), "{way:?}");
        let kind = heard.field("Content-Type").unwrap();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap().trim_matches('"');
        let text = heard.body.escape_ascii().to_string();
        assert_eq!(text.matches(boundary).count(), 3, "{text}");
        assert!(text.contains("bytes 0-0/1575") && text.contains("bytes 1574-1574/1575"), "{text}");
        assert_eq!(heard.field("Content-Length"), Some(heard.body.len().to_string().as_str()));
    });
}

#[test]
fn a_file_is_put_made_a_folder_for_moved_and_removed() {
    let (place, served) = served();
    std::fs::write(place.local("up"), FILE.bytes(0..1000)).unwrap();
    for (number, way) in WAYS.into_iter().enumerate() {
        let url = |path: &str| way.url(&served, &format!("/{number}{path}"));
        let asked = |options: &[&str], path: &str| curl(way, place.dir(), options, &url(path));
        let Some(made) = asked(&["-X", "MKCOL"], "/") else { return };
        assert_eq!(made.status, 201, "{way:?} {made:?}");
        let status = |heard: Option<Heard>| heard.unwrap().status;
        assert_eq!(status(asked(&["-T", "up"], "/a%20b")), 201, "{way:?}");
        let put = asked(&["-T", "up"], "/a%20b").unwrap();
        assert_eq!((put.status, put.field("Upload-Offset")), (204, Some("1000")), "{way:?}");
        assert_eq!(put.field("ETag"), Some(etag(served.http_addr(), &format!("/{number}/a%20b")).as_str()));
        assert_eq!(
            status(asked(&["-X", "MOVE", "-H", &format!("Destination: {}", url("/c"))], "/a%20b")),
            201
        );
        assert_eq!(asked(&[], "/c").unwrap().body, FILE.bytes(0..1000), "{way:?}");
        assert_eq!(status(asked(&[], "/a%20b")), 404, "{way:?}");
        assert_eq!(status(asked(&["-X", "DELETE"], "/")), 409, "it is not empty");
        assert_eq!(status(asked(&["-X", "DELETE"], "/c")), 204, "{way:?}");
        assert_eq!(status(asked(&["-X", "DELETE"], "/")), 204, "{way:?}");
        assert!(!place.far(&number.to_string()).exists());
    }
}
