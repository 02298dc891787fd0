//! Date and Last-Modified (RFC 9110 §5.6.7, §6.6.1, §8.8.2).
//!
//! A modification date has whole seconds, so two versions made within one second share it. It may stand for the
//! bytes only if the answer's own Date is at least a second later (§8.8.2.2): both stamps come from the same clock,
//! and ours is never asked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haul_core::Modified;
use http::{HeaderMap, HeaderValue, header};

use super::field::{self, Single};

/// 9999-12-31T23:59:59Z: the last second an HTTP-date can name.
const LAST: u64 = 253_402_300_799;

/// The moment in a field's value, in any of the three formats of HTTP.
pub fn parse(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(field::trim(value.to_str().ok()?)).ok()
}

/// The answer's own Date.
pub fn of(headers: &HeaderMap) -> Option<SystemTime> {
    Single::of(headers, &header::DATE).value().and_then(parse)
}

/// The answer's Last-Modified, and whether it is strong against the answer's own Date.
pub fn modified(headers: &HeaderMap) -> Option<Modified> {
    let at = Single::of(headers, &header::LAST_MODIFIED).value().and_then(parse)?;
    let age = of(headers).and_then(|date| date.duration_since(at).ok());
    Some(Modified {
        seconds: i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?,
        nanos: 0,
        strong: age.is_some_and(|age| age >= Duration::from_secs(1)),
    })
}

/// A modification date as an HTTP-date, or `None` where HTTP cannot name that very moment.
pub fn http_date(modified: Modified) -> Option<String> {
    let seconds = u64::try_from(modified.seconds).ok().filter(|seconds| *seconds <= LAST)?;
    if modified.nanos != 0 {
        return None;
    }
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map(httpdate::fmt_http_date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LATER: &str = "Tue, 15 Nov 1994 12:45:27 GMT";
    const MOMENT: &str = "Tue, 15 Nov 1994 12:45:26 GMT";

    fn headers(last_modified: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::LAST_MODIFIED, last_modified.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_date_is_strong_only_a_second_before_the_answer() {
        let strong = |date| modified(&headers(MOMENT, date)).unwrap().strong;
        assert!(strong(Some(LATER)));
        assert!(!strong(Some(MOMENT)));
        assert!(!strong(Some("Tue, 15 Nov 1994 12:45:25 GMT")), "a date from the future proves nothing");
        assert!(!strong(None));
        assert!(!strong(Some("yesterday")));
    }

    #[test]
    fn two_dates_that_differ_are_none() {
        let mut headers = headers(MOMENT, Some(LATER));
        headers.append(header::LAST_MODIFIED, LATER.parse().unwrap());
        assert_eq!(modified(&headers), None);
    }

    #[test]
    fn all_three_formats_are_read() {
        for text in [MOMENT, "Tuesday, 15-Nov-94 12:45:26 GMT", "Tue Nov 15 12:45:26 1994"] {
            assert_eq!(modified(&headers(text, None)).unwrap().seconds, 784_903_526, "{text}");
        }
    }

    #[test]
    fn only_what_http_can_name_is_printed() {
        let at = |seconds, nanos| http_date(Modified { seconds, nanos, strong: true });
        assert_eq!(at(784_903_526, 0).as_deref(), Some(MOMENT));
        assert_eq!(at(-1, 0), None);
        assert_eq!(at(0, 1), None);
        assert_eq!(at(253_402_300_799, 0).as_deref(), Some("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert_eq!(at(253_402_300_800, 0), None);
        assert_eq!(at(i64::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "[A-Z][a-z]{2,8},? [0-9A-Za-z: -]{0,30}") {
            let _ = HeaderValue::from_bytes(&bytes).ok().and_then(|value| parse(&value));
            let _ = parse(&text.parse().unwrap());
        }

        #[test]
        fn round_trips(seconds in 0..=253_402_300_799_i64) {
            let written = Modified { seconds, nanos: 0, strong: false };
            let text = http_date(written).unwrap();
            prop_assert_eq!(modified(&headers(&text, None)), Some(written));
        }
    }
}
