//! What an answer to a request of an upload means, in all dialects: its status, and the fields that go with it.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::told::resource;
use crate::http::retry_after;

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// 2xx.
    Yes,
    /// 308 without a Location: it has what came, and wants more.
    More,
    /// Another redirect: the same is to be asked at this URI reference.
    Elsewhere {
        /// The reference.
        location: String,
        /// The method may become GET (301, 302, 303): not for a request that has content.
        as_get: bool,
    },
    /// 404 or 410: there is no such thing.
    Gone,
    /// 409: the offset is not where the upload is, or something else is in the way.
    Conflict,
    /// 412: what the request was conditional on does not hold.
    Came,
    /// 460 of tus: the bytes were changed on their way.
    Garbled,
    /// 413: it is larger than the server takes.
    TooLarge,
    /// 507: no room.
    Full,
    /// 423, 429, 503: later.
    Later {
        /// How long the server wants to be left alone.
        after: Option<Duration>,
    },
    /// Another 5xx, 408 or 425: it may pass.
    Unwell {
        /// How long the server wants to be left alone.
        after: Option<Duration>,
    },
    /// 401, 407: it wants credentials that it accepts.
    NeedsCredentials,
    /// 400, 405, 411, 415, 416, 501 and the like: not in this way.
    NotThisWay,
    /// 403 and all the rest.
    No,
}

/// What an answer with this status and these fields says; `now` is used only where it has no Date to count from.
pub fn said(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Said {
    let after = || retry_after::of(headers, now);
    match status.as_u16() {
        200..=299 => Said::Yes,
        code @ (301 | 302 | 303 | 307 | 308) => match resource(headers) {
            Some(location) => Said::Elsewhere { location, as_get: matches!(code, 301..=303) },
            None if code == 308 => Said::More,
            None => Said::No,
        },
        401 | 407 => Said::NeedsCredentials,
        404 | 410 => Said::Gone,
        // Somebody else has it, for now.
        409 if after().is_some() => Said::Later { after: after() },
        409 => Said::Conflict,
        412 => Said::Came,
        413 => Said::TooLarge,
        460 => Said::Garbled,
        507 => Said::Full,
        423 | 429 | 503 => Said::Later { after: after() },
        400 | 405 | 406 | 411 | 415 | 416 | 417 | 501 | 505 => Said::NotThisWay,
        408 | 425 | 500..=599 => Said::Unwell { after: after() },
        _ => Said::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, fields: &[(&'static str, &str)]) -> Said {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        said(StatusCode::from_u16(status).unwrap(), &headers, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn every_status_has_its_meaning() {
        let after = Some(Duration::from_secs(3));
        for (status, expected) in [
            (200, Said::Yes),
            (201, Said::Yes),
            (308, Said::More),
            (304, Said::No),
            (400, Said::NotThisWay),
            (401, Said::NeedsCredentials),
            (403, Said::No),
            (404, Said::Gone),
            (410, Said::Gone),
            (409, Said::Conflict),
            (412, Said::Came),
            (413, Said::TooLarge),
            (423, Said::Later { after: None }),
            (460, Said::Garbled),
            (500, Said::Unwell { after: None }),
            (501, Said::NotThisWay),
            (502, Said::Unwell { after: None }),
            (507, Said::Full),
            (599, Said::Unwell { after: None }),
            (999, Said::No),
        ] {
            assert_eq!(of(status, &[]), expected, "{status}");
        }
        for status in [409, 423, 429, 503] {
            assert_eq!(of(status, &[("retry-after", "3")]), Said::Later { after }, "{status}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_method_or_may_not() {
        let to = |status| of(status, &[("location", "/b")]);
        assert_eq!(to(307), Said::Elsewhere { location: "/b".to_owned(), as_get: false });
        assert_eq!(to(308), Said::Elsewhere { location: "/b".to_owned(), as_get: false });
        assert_eq!(to(302), Said::Elsewhere { location: "/b".to_owned(), as_get: true });
        assert_eq!(of(302, &[]), Said::No);
    }
}
