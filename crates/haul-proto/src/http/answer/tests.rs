//! Every rule for reading an answer, one test each.

use std::time::UNIX_EPOCH;

use haul_core::{ETag, Modified};
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers
            .append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// The answer to `Range: bytes=from-`.
fn ranged(from: u64, status: u16, fields: &[(&str, &str)]) -> Answer {
    let asked = Asked { span: Span::from(from), ranged: true };
    read(asked, StatusCode::from_u16(status).unwrap(), &headers(fields), UNIX_EPOCH)
}

/// The answer to a request without Range.
fn plain(status: u16, fields: &[(&str, &str)]) -> Answer {
    let asked = Asked { span: Span::from(0), ranged: false };
    read(asked, StatusCode::from_u16(status).unwrap(), &headers(fields), UNIX_EPOCH)
}

#[track_caller]
fn served(answer: Answer) -> (u64, Option<u64>) {
    match answer {
        Answer::Body { serves, .. } => (serves.from, serves.to),
        other => panic!("no body: {other:?}"),
    }
}

#[track_caller]
fn told(answer: Answer) -> Entity {
    match answer {
        Answer::Body { entity, .. } | Answer::Unsatisfiable { entity, .. } => entity,
        other => panic!("no entity: {other:?}"),
    }
}

#[track_caller]
fn nonsense(answer: Answer) -> Nonsense {
    match answer {
        Answer::Nonsense(why) => why,
        other => panic!("makes sense: {other:?}"),
    }
}

#[test]
fn a_part_tells_where_it_belongs_and_of_what() {
    let answer = ranged(
        100,
        206,
        &[
            ("content-range", "bytes 100-199/1000"),
            ("content-length", "100"),
            ("etag", "\"v1\""),
            ("last-modified", "Thu, 01 Jan 1970 00:01:00 GMT"),
            ("date", "Thu, 01 Jan 1970 00:02:00 GMT"),
            ("content-disposition", "attachment; filename=\"../a b.iso\""),
            ("repr-digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"),
        ],
    );
    let entity = Entity {
        size: Some(1000),
        etag: Some(ETag { opaque: "v1".into(), weak: false }),
        modified: Some(Modified { seconds: 60, nanos: 0, strong: true }),
        encoding: None,
    };
    assert_eq!(
        answer,
        Answer::Body {
            serves: Span { from: 100, to: Some(200) },
            entity,
            ranges: Ranges::Proven,
            name: Some("../a b.iso".into()),
            digests: vec!["md5=d41d8cd98f00b204e9800998ecf8427e".parse().unwrap()],
        }
    );
}

#[test]
fn a_part_that_begins_earlier_ends_earlier_or_later_is_told_as_it_is() {
    let part = |range| served(ranged(100, 206, &[("content-range", range)]));
    assert_eq!(part("bytes 0-999/1000"), (0, Some(1000)));
    assert_eq!(part("bytes 100-100/1000"), (100, Some(101)));
    assert_eq!(part("bytes 99-100/*"), (99, Some(101)));

    let asked = Asked { span: Span { from: 100, to: Some(200) }, ranged: true };
    let longer = headers(&[("content-range", "bytes 100-999/1000")]);
    assert_eq!(served(read(asked, StatusCode::PARTIAL_CONTENT, &longer, UNIX_EPOCH)), (100, Some(1000)));
}

#[test]
fn a_part_from_elsewhere_is_nonsense() {
    for range in ["bytes 101-199/1000", "bytes 0-99/1000"] {
        let why = nonsense(ranged(100, 206, &[("content-range", range)]));
        assert!(matches!(why, Nonsense::Elsewhere { asked: 100, .. }), "{why:?}");
    }
}

#[test]
fn a_part_that_nobody_asked_for_is_nonsense() {
    let whole = [("content-range", "bytes 0-999/1000")];
    assert_eq!(nonsense(plain(206, &whole)), Nonsense::PartUnasked);
}

#[test]
fn several_parts_are_nonsense() {
    let fields = [("content-type", "Multipart/ByteRanges; boundary=x"), ("content-range", "bytes 0-9/10")];
    assert_eq!(nonsense(ranged(0, 206, &fields)), Nonsense::Multipart);
}

#[test]
fn a_part_that_does_not_say_which_is_nonsense() {
    assert_eq!(nonsense(ranged(0, 206, &[])), Nonsense::NoContentRange);
    for bad in ["bytes */1000", "bytes 0-9", "bytes 9-0/10", "bytes 0-10/10", ""] {
        let why = nonsense(ranged(0, 206, &[("content-range", bad)]));
        assert_eq!(why, Nonsense::BadContentRange(bad.to_owned()));
    }
    let two = [("content-range", "bytes 0-9/10"), ("content-range", "bytes 0-8/10")];
    assert_eq!(nonsense(ranged(0, 206, &two)), Nonsense::Contradiction("Content-Range"));
}

#[test]
fn a_part_must_be_as_long_as_it_says() {
    let fields = [("content-range", "bytes 0-9/10"), ("content-length", "9")];
    assert_eq!(nonsense(ranged(0, 206, &fields)), Nonsense::LengthDiffers { range: 10, length: 9 });
}

#[test]
fn a_chunked_part_needs_no_length() {
    let mut fields = vec![("content-range", "bytes 5-9/10"), ("transfer-encoding", "chunked")];
    assert_eq!(served(ranged(5, 206, &fields)), (5, Some(10)));
    fields.push(("content-length", "7"));
    assert_eq!(served(ranged(5, 206, &fields)), (5, Some(10)), "Transfer-Encoding overrides it");
}

#[test]
fn a_200_is_the_whole_file_whatever_was_asked() {
    let fields = [("content-length", "1000"), ("content-range", "bytes 100-999/1000")];
    for answer in [ranged(100, 200, &fields), plain(200, &fields)] {
        assert_eq!(told(answer.clone()).size, Some(1000));
        assert_eq!(served(answer), (0, Some(1000)));
    }
    assert_eq!(served(plain(200, &[("content-length", "0")])), (0, Some(0)));
}

#[test]
fn without_a_length_the_size_is_unknown() {
    for fields in [&[][..], &[("transfer-encoding", "chunked"), ("content-length", "5")]] {
        let answer = plain(200, fields);
        assert_eq!(told(answer.clone()).size, None);
        assert_eq!(served(answer), (0, None));
    }
}

#[test]
fn lengths_that_differ_are_nonsense_and_lengths_that_agree_are_one() {
    let differ = [("content-length", "5"), ("content-length", "6")];
    assert_eq!(nonsense(plain(200, &differ)), Nonsense::Contradiction("Content-Length"));
    assert_eq!(
        nonsense(plain(200, &[("content-length", "5, 6")])),
        Nonsense::Contradiction("Content-Length")
    );
    assert_eq!(served(plain(200, &[("content-length", "5, 5"), ("content-length", "5")])), (0, Some(5)));
    for bad in ["", "-1", "+5", "5,", "0x5", "18446744073709551616"] {
        assert_eq!(
            nonsense(plain(200, &[("content-length", bad)])),
            Nonsense::BadContentLength(bad.to_owned())
        );
    }
}

#[test]
fn etags_that_differ_are_no_etag() {
    let entity = told(plain(200, &[("etag", "\"a\""), ("etag", "\"b\"")]));
    assert_eq!(entity.etag, None);
}

#[test]
fn content_codings_are_told_without_identity() {
    let coding = |value| told(plain(200, &[("content-encoding", value)])).encoding;
    assert_eq!(coding("identity"), None);
    assert_eq!(coding(""), None);
    assert_eq!(coding("GZip , identity,br"), Some("gzip, br".to_owned()));
    let lines = [("content-encoding", "gzip"), ("content-encoding", "br")];
    assert_eq!(told(plain(200, &lines)).encoding, Some("gzip, br".to_owned()));
}

#[test]
fn a_200_tells_what_it_shows_of_ranges() {
    let shown = |fields: &[(&str, &str)]| match plain(200, fields) {
        Answer::Body { ranges, .. } => ranges,
        other => panic!("no body: {other:?}"),
    };
    assert_eq!(shown(&[("accept-ranges", "Bytes")]), Ranges::Offered);
    assert_eq!(shown(&[("accept-ranges", "lines, bytes")]), Ranges::Offered);
    assert_eq!(shown(&[("accept-ranges", "none")]), Ranges::Refused);
    assert_eq!(shown(&[("accept-ranges", "lines")]), Ranges::Unknown);
    assert_eq!(shown(&[]), Ranges::Unknown);
}

#[test]
fn a_416_tells_the_size_but_no_coding() {
    let fields = [("content-range", "bytes */1000"), ("etag", "\"v1\""), ("content-encoding", "gzip")];
    let entity = Entity {
        size: Some(1000),
        etag: Some(ETag { opaque: "v1".into(), weak: false }),
        ..Entity::default()
    };
    assert_eq!(ranged(1000, 416, &fields), Answer::Unsatisfiable { total: Some(1000), entity });

    let length_of_the_page = [("content-length", "17"), ("content-range", "bytes 0-9/1000")];
    let nothing = Answer::Unsatisfiable { total: None, entity: Entity::default() };
    assert_eq!(ranged(1000, 416, &length_of_the_page), nothing);
    assert_eq!(plain(416, &fields), Answer::Refused { status: 416 });
}

#[test]
fn redirects_need_one_location() {
    for status in [301, 302, 303, 307, 308] {
        assert_eq!(ranged(0, status, &[("location", "/b")]), Answer::Redirect { location: "/b".into() });
        assert_eq!(ranged(0, status, &[]), Answer::Refused { status });
    }
    assert_eq!(plain(300, &[("location", "/b")]), Answer::Refused { status: 300 });
    assert_eq!(
        plain(302, &[("location", "/é?a b%20")]),
        Answer::Redirect { location: "/%C3%A9?a b%20".into() }
    );
    let two = [("location", "/b"), ("location", "/c")];
    assert_eq!(nonsense(plain(302, &two)), Nonsense::Contradiction("Location"));
}

#[test]
fn refusals_for_now_are_told_from_refusals_for_good() {
    for status in [408, 421, 425, 429, 500, 502, 503, 504, 507, 599] {
        let load = matches!(status, 429 | 503);
        let retry_after = Some(Duration::from_secs(7));
        assert_eq!(ranged(0, status, &[("retry-after", "7")]), Answer::Busy { status, retry_after, load });
    }
    for status in [401, 407] {
        assert_eq!(plain(status, &[]), Answer::NeedsCredentials { status });
    }
    for status in [100, 101, 201, 203, 204, 205, 304, 400, 403, 404, 410, 412, 501, 505, 600, 999] {
        assert_eq!(plain(status, &[]), Answer::Refused { status });
    }
}

#[test]
fn nonsense_is_told_in_words_that_a_terminal_survives() {
    let why = nonsense(ranged(0, 206, &[("content-range", &format!("é\u{9b}2J\t{}", "x".repeat(500)))]));
    let text = why.to_string();
    assert!(text.starts_with("the server sent a part of the file (206)") && text.len() < 200, "{text}");
    assert!(!text.chars().any(char::is_control), "{text}");
}

/// A value for any of the fields that matter: well formed, nearly so, or anything at all.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let near = "(bytes |\\*|/|-|,|\"|W/|=|:|;|'|%|[0-9]{1,3}|18446744073709551615|none|gzip|chunked| ){0,8}";
    prop_oneof![
        3 => (0..20_u64, 0..20_u64, 0..20_u64).prop_map(|(first, last, total)| format!("bytes {first}-{last}/{total}").into_bytes()),
        2 => (0..20_u64).prop_map(|number| number.to_string().into_bytes()),
        2 => near.prop_map(String::into_bytes),
        1 => Just(b"Thu, 01 Jan 1970 00:01:00 GMT".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let names = prop::sample::select(vec![
        header::CONTENT_RANGE,
        header::CONTENT_RANGE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::CONTENT_DISPOSITION,
        header::ACCEPT_RANGES,
        header::ETAG,
        header::LAST_MODIFIED,
        header::DATE,
        header::RETRY_AFTER,
        header::LOCATION,
        HeaderName::from_static("repr-digest"),
        HeaderName::from_static("digest"),
    ]);
    prop::collection::vec((names, value()), 0..6).prop_map(|fields| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        headers
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn whatever_comes_a_body_serves_what_was_asked_or_the_whole(
        from in prop_oneof![0..20_u64, any::<u64>()],
        to: Option<u64>,
        ranged: bool,
        status in prop_oneof![Just(206), Just(200), Just(416), 100..=999_u16],
        headers in any_headers(),
    ) {
        let asked = Asked { span: Span { from, to }, ranged };
        let status = StatusCode::from_u16(status).unwrap();
        match read(asked, status, &headers, UNIX_EPOCH) {
            Answer::Body { serves, entity, ranges, .. } => {
                prop_assert!(serves.to.is_none_or(|to| to >= serves.from));
                prop_assert!(entity.size.is_none_or(|size| serves.to.is_some_and(|to| to <= size)));
                if ranges == Ranges::Proven {
                    prop_assert!(ranged && serves.from <= from && serves.to.is_some_and(|to| to > from));
                } else {
                    prop_assert_eq!(serves, Span { from: 0, to: entity.size });
                }
            }
            Answer::Unsatisfiable { total, entity } => prop_assert_eq!(total, entity.size),
            Answer::Nonsense(why) => prop_assert!(!why.to_string().is_empty()),
            _ => {}
        }
    }
}
