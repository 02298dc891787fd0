//! Retry-After (RFC 9110 §10.2.3): how long a server asks us to stay away.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use super::{date, field};

/// Longer waits are cut to this, so that adding one to a clock cannot overflow. What is too long for a user is the
/// caller's to say.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long to wait, counted from the moment of the answer; zero where the date named has passed.
///
/// A date is measured against the answer's own Date, so that a wrong clock on either side does not matter, and
/// against `now` only where there is none. Of several fields the first that can be read counts.
pub fn of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let wait = headers.get_all(header::RETRY_AFTER).iter().find_map(|value| {
        let text = field::trim(value.to_str().ok()?);
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // All digits, yet no u64: longer than we can count.
            return Some(field::number(text).map_or(LONGEST, Duration::from_secs));
        }
        let sent = date::of(headers).unwrap_or(now);
        Some(date::parse(value)?.duration_since(sent).unwrap_or_default())
    })?;
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        of(&headers, UNIX_EPOCH)
    }

    #[test]
    fn reads_seconds() {
        assert_eq!(read("120", None), Some(Duration::from_secs(120)));
        assert_eq!(read("0", None), Some(Duration::ZERO));
        for bad in ["", "-1", "+1", "1.5", "soon"] {
            assert_eq!(read(bad, None), None, "{bad:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_answers_own_date() {
        let until = "Thu, 01 Jan 1970 00:02:00 GMT";
        assert_eq!(read(until, Some("Thu, 01 Jan 1970 00:01:30 GMT")), Some(Duration::from_secs(30)));
        assert_eq!(read(until, Some("Thu, 01 Jan 1970 00:03:00 GMT")), Some(Duration::ZERO));
        assert_eq!(read(until, None), Some(Duration::from_secs(120)), "else from now");
    }

    #[test]
    fn an_endless_wait_is_cut() {
        assert_eq!(read("99999999999999999999999", None), Some(LONGEST));
        assert_eq!(read("18446744073709551615", None), Some(LONGEST));
        assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT", None), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.insert(header::RETRY_AFTER, value);
            }
            let _ = of(&headers, UNIX_EPOCH);
        }
    }
}
