//! What the rules of HTTP downloads make of every request in `corpus.txt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod corpus;

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use corpus::{Answer, Case, File, Words};
use haul_core::{ByteRange, ETag};
use haul_proto::http::{
    conditional::{self, Verdict},
    current::Current,
    download::Download,
    selection::Selection,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const MODIFIED: u64 = 784_903_526;
const NOW: u64 = 1_000_000_000;
const YEAR: u64 = 365 * 24 * 60 * 60;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn words() -> Words {
    Words {
        etag: "\"this-version\"".into(),
        modified: "Tue, 15 Nov 1994 12:45:26 GMT".into(),
        modified_850: "Tuesday, 15-Nov-94 12:45:26 GMT".into(),
        modified_asctime: "Tue Nov 15 12:45:26 1994".into(),
        earlier: "Tue, 15 Nov 1994 12:45:25 GMT".into(),
        later: "Tue, 15 Nov 1994 12:45:27 GMT".into(),
        future: httpdate::fmt_http_date(at(NOW + YEAR)),
    }
}

fn current(file: File) -> Option<Current> {
    let (modified, size) = match file {
        File::Ordinary => (MODIFIED.cast_signed(), 1575),
        File::Empty => (MODIFIED.cast_signed(), 0),
        File::Undated => (-86_400, 1575),
        File::Ahead => ((NOW + YEAR).cast_signed(), 1575),
        File::Absent => return None,
    };
    let etag = ETag { opaque: "this-version".into(), weak: false };
    Some(Current::new(etag, Some(modified), size).unwrap())
}

fn headers(case: &Case) -> HeaderMap {
    let fields = case.fields(&words()).into_iter();
    fields
        .map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(&value).unwrap())
        })
        .collect()
}

fn plain(status: u16) -> Answer {
    Answer { status, content_range: None, parts: None }
}

/// As a server does: what is not there is said first, then the conditions, then the ranges.
fn answer(case: &Case) -> Answer {
    let method = Method::from_bytes(case.method.as_bytes()).unwrap();
    let (headers, current, now) = (headers(case), current(case.file), at(NOW));
    let verdict = || conditional::evaluate(&method, &headers, current.as_ref(), now);
    match (case.method.as_str(), &current) {
        ("GET" | "HEAD" | "DELETE", None) => plain(404),
        ("GET" | "HEAD", Some(current)) => sent(&Download::decide(&method, &headers, current, now), current),
        ("PUT" | "DELETE", current) => match verdict() {
            Verdict::Failed => plain(412),
            Verdict::Proceed => plain(if current.is_some() { 204 } else { 201 }),
            Verdict::NotModified => panic!("line {}: not for {method}", case.line),
        },
        (other, _) => panic!("line {}: {other}", case.line),
    }
}

fn sent(download: &Download, current: &Current) -> Answer {
    let parts = match download {
        Download::Send(Selection::Parts(parts)) => Some(parts.iter().map(inclusive).collect()),
        _ => None,
    };
    let content_range = download.content_range(current.size()).map(|told| told.to_string());
    Answer { status: download.status().as_u16(), content_range, parts }
}

fn inclusive(range: &ByteRange) -> String {
    format!("{}-{}", range.start(), range.end() - 1)
}

#[test]
fn every_request_gets_the_answer_of_the_rfc() {
    let wrong: Vec<String> = corpus::cases()
        .iter()
        .filter_map(|case| {
            let told = answer(case);
            (told != case.answer).then(|| {
                format!(
                    "line {} ({} {:?}, RFC 9110 §{}):\n  {told:?}\n  instead of\n  {:?}",
                    case.line, case.method, case.fields, case.section, case.answer
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_corpus_covers_the_rules() {
    let cases = corpus::cases();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let mut seen = HashSet::new();
    let mut sections: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &cases {
        let request = (&case.method, case.file, &case.fields);
        assert!(seen.insert(request), "line {} asks again", case.line);
        *sections.entry(&case.section).or_default() += 1;
        let of_ranges = case.answer.content_range.is_some() || case.answer.parts.is_some();
        assert_eq!(of_ranges, matches!(case.answer.status, 206 | 416), "line {}", case.line);
    }
    for section in ["8.8.2.1", "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5", "13.2.1", "13.2.2"] {
        assert!(sections.contains_key(section), "nothing rests on §{section}");
    }
    for section in ["14.1", "14.1.1", "14.1.2", "14.2", "15.3.7.2", "15.5.17"] {
        assert!(sections.contains_key(section), "nothing rests on §{section}");
    }
}
