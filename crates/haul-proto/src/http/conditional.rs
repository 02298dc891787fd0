//! Conditional requests (RFC 9110 §13): whether a request still means the version that is here.
//!
//! ```text
//! If-Match ──────────── false ─► Failed
//!   │ absent: If-Unmodified-Since ─ false ─► Failed
//!   ▼ true
//! If-None-Match ─────── false ─► NotModified (GET, HEAD), Failed (all others)
//!   │ absent: If-Modified-Since, GET and HEAD only ─ false ─► NotModified
//!   ▼ true
//! Proceed          (Range and If-Range come behind this: [`super::selection`])
//! ```
//!
//! What cannot be read never makes a request more daring than it was meant: an If-Match that is malformed matches
//! nothing, and an If-None-Match that is malformed keeps a file from being changed. Invalid dates are ignored because
//! RFC 9110 wants it so.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{
    HeaderMap, Method,
    header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE},
};

use super::{current::Current, date, field::Single, tags::Tags};

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Do as if there were none.
    Proceed,
    /// 304: the client has this version already.
    NotModified,
    /// 412: the file is not in the state that the client wants to find; do nothing.
    Failed,
}

/// How a method touches a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    Reads,
    Changes,
    /// Conditions mean nothing to it (§13.2.1).
    None,
}

fn touch(method: &Method) -> Touch {
    match *method {
        Method::GET | Method::HEAD => Touch::Reads,
        Method::CONNECT | Method::OPTIONS | Method::TRACE => Touch::None,
        _ => Touch::Changes,
    }
}

/// Weighs the conditions of a request for a file whose version is `current`; `None` is no file there.
///
/// To be asked only where the answer would be a 2xx without them (§13.2.1): who may not read a file, or asks for one
/// that is not there, is told that. For methods that create, `None` is what `If-None-Match: *` waits for.
pub fn evaluate(method: &Method, headers: &HeaderMap, current: Option<&Current>, now: SystemTime) -> Verdict {
    let reads = match (touch(method), current) {
        // Nothing to read is a 404, whatever the conditions.
        (Touch::None, _) | (Touch::Reads, None) => return Verdict::Proceed,
        (Touch::Reads, Some(_)) => true,
        (Touch::Changes, _) => false,
    };
    let etag = current.map(Current::etag);
    let modified = current.and_then(|current| current.modified(now)).map(|modified| modified.seconds);
    let as_expected = match Tags::of(headers, &IF_MATCH) {
        Some(tags) => tags.name_strongly(etag),
        None => not_after(modified, since(headers, &IF_UNMODIFIED_SINCE)).unwrap_or(true),
    };
    if !as_expected {
        return Verdict::Failed;
    }
    let known = match Tags::of(headers, &IF_NONE_MATCH) {
        Some(Tags::Malformed) => !reads,
        Some(tags) => tags.name_weakly(etag),
        None if reads => not_after(modified, since(headers, &IF_MODIFIED_SINCE)).unwrap_or(false),
        None => false,
    };
    match (known, reads) {
        (false, _) => Verdict::Proceed,
        (true, true) => Verdict::NotModified,
        (true, false) => Verdict::Failed,
    }
}

/// Whether the file is not newer than a date; `None` where one of them is not there, and the field is ignored.
fn not_after(modified: Option<i64>, since: Option<u64>) -> Option<bool> {
    // Dates before 1970 are none, so this is never negative.
    Some(u64::try_from(modified?).ok()? <= since?)
}

/// The date in a field, in seconds since 1970. A list of dates is invalid, and so is what is no date.
fn since(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let at = Single::of(headers, name).value().and_then(date::parse)?;
    Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul_core::ETag;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const MODIFIED: i64 = 784_903_526;
    const MOMENT: &str = "Tue, 15 Nov 1994 12:45:26 GMT";
    const EARLIER: &str = "Tue, 15 Nov 1994 12:45:25 GMT";
    const LATER: &str = "Tue, 15 Nov 1994 12:45:27 GMT";

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(800_000_000)
    }

    fn current() -> Current {
        Current::new(ETag { opaque: "a".into(), weak: false }, Some(MODIFIED), 1575).unwrap()
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn get(fields: &[(HeaderName, &str)]) -> Verdict {
        evaluate(&Method::GET, &headers(fields), Some(&current()), now())
    }

    fn put(fields: &[(HeaderName, &str)], current: Option<&Current>) -> Verdict {
        evaluate(&Method::PUT, &headers(fields), current, now())
    }

    const CHANGING: [&str; 8] =
        ["PUT", "POST", "PATCH", "DELETE", "MOVE", "COPY", "PROPPATCH", "X-UNHEARD-OF"];

    #[test]
    fn if_match_compares_strongly() {
        assert_eq!(get(&[(IF_MATCH, "\"a\"")]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MATCH, "*")]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MATCH, "\"b\", \"a\"")]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MATCH, "\"b\""), (IF_MATCH, "\"a\"")]), Verdict::Proceed);
        for other in ["W/\"a\"", "\"b\"", "\"A\"", "", "a", "\"a\", b", "*, \"a\""] {
            assert_eq!(get(&[(IF_MATCH, other)]), Verdict::Failed, "{other}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        for same in ["\"a\"", "W/\"a\"", "*", "\"b\", W/\"a\""] {
            assert_eq!(get(&[(IF_NONE_MATCH, same)]), Verdict::NotModified, "{same}");
            assert_eq!(put(&[(IF_NONE_MATCH, same)], Some(&current())), Verdict::Failed, "{same}");
        }
        for other in ["\"b\"", "", "W/\"b\", \"c\""] {
            assert_eq!(get(&[(IF_NONE_MATCH, other)]), Verdict::Proceed, "{other}");
            assert_eq!(put(&[(IF_NONE_MATCH, other)], Some(&current())), Verdict::Proceed, "{other}");
        }
    }

    #[test]
    fn a_malformed_if_none_match_keeps_a_file_from_being_changed() {
        for malformed in ["a", "\"b\", x", "*, \"b\""] {
            assert_eq!(get(&[(IF_NONE_MATCH, malformed)]), Verdict::Proceed, "{malformed}");
            assert_eq!(put(&[(IF_NONE_MATCH, malformed)], Some(&current())), Verdict::Failed, "{malformed}");
            assert_eq!(put(&[(IF_NONE_MATCH, malformed)], None), Verdict::Failed, "{malformed}");
        }
    }

    #[test]
    fn if_unmodified_since_counts_only_without_if_match() {
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, EARLIER)]), Verdict::Failed);
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, MOMENT)]), Verdict::Proceed);
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, LATER)]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MATCH, "\"a\""), (IF_UNMODIFIED_SINCE, EARLIER)]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MATCH, "\"b\""), (IF_UNMODIFIED_SINCE, LATER)]), Verdict::Failed);
    }

    #[test]
    fn if_modified_since_counts_only_without_if_none_match() {
        assert_eq!(get(&[(IF_MODIFIED_SINCE, EARLIER)]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MODIFIED_SINCE, MOMENT)]), Verdict::NotModified);
        assert_eq!(get(&[(IF_MODIFIED_SINCE, LATER)]), Verdict::NotModified);
        for other in ["\"b\"", "malformed", ""] {
            assert_eq!(
                get(&[(IF_NONE_MATCH, other), (IF_MODIFIED_SINCE, LATER)]),
                Verdict::Proceed,
                "{other}"
            );
        }
        assert_eq!(get(&[(IF_NONE_MATCH, "\"a\""), (IF_MODIFIED_SINCE, EARLIER)]), Verdict::NotModified);
    }

    #[test]
    fn if_modified_since_is_for_reading_only() {
        let fields = headers(&[(IF_MODIFIED_SINCE, LATER)]);
        for method in CHANGING {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(evaluate(&method, &fields, Some(&current()), now()), Verdict::Proceed, "{method}");
        }
        assert_eq!(evaluate(&Method::HEAD, &fields, Some(&current()), now()), Verdict::NotModified);
    }

    #[test]
    fn what_is_expected_comes_before_what_is_known() {
        let both = [(IF_MATCH, "\"b\""), (IF_NONE_MATCH, "\"a\"")];
        assert_eq!(get(&both), Verdict::Failed);
        assert_eq!(get(&[(IF_MATCH, "\"a\""), (IF_NONE_MATCH, "\"a\"")]), Verdict::NotModified);
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, LATER), (IF_MODIFIED_SINCE, LATER)]), Verdict::NotModified);
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, EARLIER), (IF_MODIFIED_SINCE, LATER)]), Verdict::Failed);
    }

    #[test]
    fn invalid_dates_are_ignored() {
        let list = format!("{MOMENT}, {LATER}");
        for bad in ["", "0", "784903526", "yesterday", "Mon, 15 Nov 1994 12:45:26 GMT", list.as_str()] {
            assert_eq!(get(&[(IF_UNMODIFIED_SINCE, bad)]), Verdict::Proceed, "{bad}");
            assert_eq!(get(&[(IF_MODIFIED_SINCE, bad)]), Verdict::Proceed, "{bad}");
        }
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, EARLIER), (IF_UNMODIFIED_SINCE, LATER)]), Verdict::Proceed);
        assert_eq!(get(&[(IF_MODIFIED_SINCE, MOMENT), (IF_MODIFIED_SINCE, MOMENT)]), Verdict::NotModified);
    }

    #[test]
    fn old_formats_of_dates_count() {
        for date in ["Tuesday, 15-Nov-94 12:45:26 GMT", "Tue Nov 15 12:45:26 1994"] {
            assert_eq!(get(&[(IF_MODIFIED_SINCE, date)]), Verdict::NotModified, "{date}");
            assert_eq!(get(&[(IF_UNMODIFIED_SINCE, date)]), Verdict::Proceed, "{date}");
        }
        assert_eq!(get(&[(IF_UNMODIFIED_SINCE, "Tue Nov 15 12:45:25 1994")]), Verdict::Failed);
    }

    #[test]
    fn dates_say_nothing_of_a_file_without_one() {
        for modified in [None, Some(-1)] {
            let undated = Current::new(ETag { opaque: "a".into(), weak: false }, modified, 1).unwrap();
            for name in [IF_UNMODIFIED_SINCE, IF_MODIFIED_SINCE] {
                let fields = headers(&[(name, "Thu, 01 Jan 1970 00:00:00 GMT")]);
                assert_eq!(evaluate(&Method::GET, &fields, Some(&undated), now()), Verdict::Proceed);
            }
        }
    }

    #[test]
    fn a_file_from_the_future_was_modified_just_now() {
        let ahead = Current::new(ETag { opaque: "a".into(), weak: false }, Some(900_000_000), 1).unwrap();
        let get = |name, date| evaluate(&Method::GET, &headers(&[(name, date)]), Some(&ahead), now());
        assert_eq!(get(IF_MODIFIED_SINCE, LATER), Verdict::Proceed);
        assert_eq!(get(IF_UNMODIFIED_SINCE, LATER), Verdict::Failed);
    }

    #[test]
    fn a_change_is_kept_from_what_is_not_there_or_there_already() {
        assert_eq!(put(&[(IF_MATCH, "*")], None), Verdict::Failed);
        assert_eq!(put(&[(IF_MATCH, "\"a\"")], None), Verdict::Failed);
        assert_eq!(put(&[(IF_NONE_MATCH, "*")], None), Verdict::Proceed);
        assert_eq!(put(&[(IF_NONE_MATCH, "\"a\"")], None), Verdict::Proceed);
        assert_eq!(put(&[(IF_UNMODIFIED_SINCE, EARLIER)], None), Verdict::Proceed, "no date, so ignored");
        for method in CHANGING {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let ask = |name, value| evaluate(&method, &headers(&[(name, value)]), Some(&current()), now());
            assert_eq!(ask(IF_NONE_MATCH, "*"), Verdict::Failed, "{method}");
            assert_eq!(ask(IF_MATCH, "\"b\""), Verdict::Failed, "{method}");
            assert_eq!(ask(IF_MATCH, "\"a\""), Verdict::Proceed, "{method}");
            assert_eq!(ask(IF_UNMODIFIED_SINCE, EARLIER), Verdict::Failed, "{method}");
            assert_eq!(ask(IF_UNMODIFIED_SINCE, MOMENT), Verdict::Proceed, "{method}");
        }
    }

    #[test]
    fn some_methods_know_no_conditions() {
        let fields = headers(&[(IF_MATCH, "\"b\""), (IF_NONE_MATCH, "*")]);
        for method in [Method::OPTIONS, Method::TRACE, Method::CONNECT] {
            assert_eq!(evaluate(&method, &fields, Some(&current()), now()), Verdict::Proceed, "{method}");
        }
        assert_eq!(evaluate(&Method::GET, &fields, None, now()), Verdict::Proceed, "it is a 404");
    }

    fn any_headers() -> impl Strategy<Value = HeaderMap> {
        let names = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
        let values = prop_oneof![
            "(W/|\"|,| |\\*|[ab]){0,8}",
            prop::sample::select(vec!["\"a\"", "W/\"a\"", "\"b\"", "*", MOMENT, EARLIER, LATER])
                .prop_map(str::to_owned),
        ];
        prop::collection::vec((prop::sample::select(names.to_vec()), values), 0..5).prop_map(|fields| {
            let fields = fields.into_iter();
            fields.map(|(name, value)| (name, HeaderValue::from_str(&value).unwrap())).collect()
        })
    }

    proptest! {
        #[test]
        fn only_reading_is_told_not_modified(fields in any_headers(), there: bool) {
            let current = current();
            let current = there.then_some(&current);
            let get = evaluate(&Method::GET, &fields, current, now());
            prop_assert_eq!(evaluate(&Method::HEAD, &fields, current, now()), get);
            let put = evaluate(&Method::PUT, &fields, current, now());
            prop_assert_ne!(put, Verdict::NotModified);
            if there && get == Verdict::Failed {
                prop_assert_eq!(put, Verdict::Failed, "changing is never easier than reading");
            }
        }

        #[test]
        fn without_conditions_everything_proceeds(there: bool, range in "[ -~]{0,20}") {
            let current = current();
            let fields = headers(&[(http::header::RANGE, &range), (http::header::IF_RANGE, &range)]);
            for method in [Method::GET, Method::PUT] {
                let verdict = evaluate(&method, &fields, there.then_some(&current), now());
                prop_assert_eq!(verdict, Verdict::Proceed);
            }
        }
    }
}
