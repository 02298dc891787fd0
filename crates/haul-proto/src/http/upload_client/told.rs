//! What the fields of an answer tell of an upload (the draft §4.1, §4.3; tus, "HEAD").

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use percent_encoding::{CONTROLS, percent_encode};

use crate::http::{
    date,
    field::{self, Single},
    tus::UPLOAD_EXPIRES,
    upload_draft::{Limits, UPLOAD_COMPLETE, integer_of, truth_of},
    upload_field::{UPLOAD_LENGTH, UPLOAD_OFFSET},
};

/// What is told of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How many bytes there are, where that can be read.
    pub offset: Option<u64>,
    /// Whether the upload is over; `None` where nothing is said of that.
    pub complete: Option<bool>,
    /// How many bytes there will be.
    pub length: Option<u64>,
    /// For how long it is kept unfinished, from now on.
    pub kept: Option<Duration>,
    /// The most bytes that one request may append.
    pub max_append: Option<u64>,
}

/// By the draft's fields.
pub fn draft(headers: &HeaderMap) -> Told {
    let limits = Limits::of(headers);
    Told {
        offset: integer_of(headers, &UPLOAD_OFFSET),
        complete: truth_of(headers, &UPLOAD_COMPLETE),
        length: integer_of(headers, &UPLOAD_LENGTH),
        kept: limits.max_age,
        max_append: limits.max_append_size,
    }
}

/// By the fields of tus, where an upload is over when it has all its bytes.
pub fn tus(headers: &HeaderMap, now: SystemTime) -> Told {
    let number = |name| {
        let value = Single::of(headers, name).value()?.to_str().ok()?;
        field::number(field::trim(value))
    };
    let (offset, length) = (number(&UPLOAD_OFFSET), number(&UPLOAD_LENGTH));
    let expires = Single::of(headers, &UPLOAD_EXPIRES).value().and_then(date::parse);
    // Against the answer's own Date: clocks differ.
    let since = date::of(headers).unwrap_or(now);
    Told {
        offset,
        complete: length.map(|length| offset == Some(length)),
        length,
        kept: expires.map(|at| at.duration_since(since).unwrap_or_default()),
        max_append: None,
    }
}

/// How many bytes are safe, as an interim answer of the draft tells while a request is under way.
pub fn interim_offset(headers: &HeaderMap) -> Option<u64> {
    integer_of(headers, &UPLOAD_OFFSET)
}

/// The URI reference of an upload in Location; bytes beyond ASCII are percent-encoded.
pub fn resource(headers: &HeaderMap) -> Option<String> {
    let location = Single::of(headers, &header::LOCATION).value()?.as_bytes().trim_ascii();
    (!location.is_empty()).then(|| percent_encode(location, CONTROLS).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn fields(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_draft_tells_structured_fields() {
        let told = draft(&fields(&[
            ("Upload-Offset", "40"),
            ("Upload-Complete", "?0"),
            ("Upload-Length", "100"),
            ("Upload-Limit", "max-append-size=7, max-age=60"),
        ]));
        let expected = Told {
            offset: Some(40),
            complete: Some(false),
            length: Some(100),
            kept: Some(Duration::from_secs(60)),
            max_append: Some(7),
        };
        assert_eq!(told, expected);
        for bad in ["-1", "1.0", "9999999999999999", "abc", ""] {
            assert_eq!(draft(&fields(&[("Upload-Offset", bad)])).offset, None, "{bad:?}");
        }
        assert_eq!(draft(&fields(&[("Upload-Complete", "true")])).complete, None);
        let twice = [("Upload-Offset", "1"), ("Upload-Offset", "2")];
        assert_eq!(draft(&fields(&twice)).offset, None, "which one?");
    }

    #[test]
    fn tus_is_complete_when_all_is_there() {
        let at = |offset, length| {
            let told = tus(&fields(&[("Upload-Offset", offset), ("Upload-Length", length)]), UNIX_EPOCH);
            (told.offset, told.complete)
        };
        assert_eq!(at("4", "10"), (Some(4), Some(false)));
        assert_eq!(at("10", "10"), (Some(10), Some(true)));
        assert_eq!(at("-4", "10"), (None, Some(false)));
        assert_eq!(at("4", "x"), (Some(4), None));
    }

    #[test]
    fn an_expiry_counts_from_the_servers_own_clock() {
        let told = tus(
            &fields(&[
                ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("Upload-Expires", "Sun, 06 Nov 1994 08:50:37 GMT"),
            ]),
            SystemTime::now(),
        );
        assert_eq!(told.kept, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_location_is_a_reference_or_nothing() {
        assert_eq!(resource(&fields(&[("Location", " /u/1 ")])).as_deref(), Some("/u/1"));
        assert_eq!(resource(&fields(&[("Location", "")])), None);
        assert_eq!(resource(&fields(&[("Location", "/a"), ("Location", "/b")])), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(value in "[ -~]{0,40}") {
            let value = value.as_str();
            let headers = fields(&[
                ("Upload-Offset", value), ("Upload-Length", value), ("Upload-Complete", value),
                ("Upload-Limit", value), ("Upload-Expires", value), ("Location", value),
            ]);
            let _ = (draft(&headers), tus(&headers, UNIX_EPOCH), resource(&headers));
        }
    }
}
