//! What the answers of tus carry. Every one of them has Tus-Resumable.
//!
//! Upload-Offset is in every answer to a creation and a PATCH that went well, asked for or not: clients count on it.

use std::time::{SystemTime, UNIX_EPOCH};

use haul_core::Modified;
use http::{HeaderValue, header, header::HeaderName};

use super::{
    ALGORITHMS, EXTENSIONS, OFFSET_OCTETS, Refusal, TUS_RESUMABLE, UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH,
    UPLOAD_EXPIRES, UPLOAD_METADATA, VERSION,
};
use crate::http::{
    date,
    upload_field::{ReplyFields, UPLOAD_LENGTH, UPLOAD_OFFSET},
    upload_state::UploadState,
};

const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The answer to OPTIONS, 204. `max_size` is the most that an upload may have.
pub fn options(max_size: Option<u64>) -> ReplyFields {
    let mut fields = base();
    fields.push((TUS_VERSION, HeaderValue::from_static(VERSION)));
    fields.push((TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS)));
    fields.push((TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(ALGORITHMS)));
    fields.extend(max_size.map(|max| (TUS_MAX_SIZE, HeaderValue::from(max))));
    fields
}

/// The answer to a creation, 201. `expires` is when the upload is dropped if it is still unfinished.
pub fn created(location: &HeaderValue, state: UploadState, expires: Option<SystemTime>) -> ReplyFields {
    let mut fields = base();
    fields.push((header::LOCATION, location.clone()));
    fields.extend(advanced(state, expires));
    fields
}

/// The answer to a PATCH that was wholly taken, 204.
pub fn patched(state: UploadState, expires: Option<SystemTime>) -> ReplyFields {
    let mut fields = base();
    fields.extend(advanced(state, expires));
    fields
}

/// The answer to HEAD, 200. `metadata` and `concat` are the values that the creation had.
pub fn head(
    state: UploadState,
    metadata: Option<&HeaderValue>,
    concat: Option<&HeaderValue>,
    expires: Option<SystemTime>,
) -> ReplyFields {
    let mut fields = base();
    fields.extend(advanced(state, expires));
    fields.push(match state.length() {
        Some(length) => (UPLOAD_LENGTH, HeaderValue::from(length)),
        None => (UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    });
    fields.extend(metadata.map(|value| (UPLOAD_METADATA, value.clone())));
    fields.extend(concat.map(|value| (UPLOAD_CONCAT, value.clone())));
    fields.push((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    fields
}

/// The answer to DELETE, 204.
pub fn deleted() -> ReplyFields {
    base()
}

/// The answer to a request that is refused.
pub fn refused(refusal: &Refusal) -> ReplyFields {
    let mut fields = base();
    match *refusal {
        Refusal::Version => fields.push((TUS_VERSION, HeaderValue::from_static(VERSION))),
        Refusal::Method => {
            fields.push((header::ALLOW, HeaderValue::from_static("OPTIONS, POST, HEAD, PATCH, DELETE")));
        }
        Refusal::MediaType => fields.push((ACCEPT_PATCH, HeaderValue::from_static(OFFSET_OCTETS))),
        Refusal::TooLarge { max } => fields.push((TUS_MAX_SIZE, HeaderValue::from(max))),
        Refusal::Offset { expected, .. } => fields.push((UPLOAD_OFFSET, HeaderValue::from(expected))),
        Refusal::Missing(_)
        | Refusal::Malformed(_)
        | Refusal::Contradiction(_)
        | Refusal::UnknownChecksum
        | Refusal::Checksum
        | Refusal::PastEnd { .. }
        | Refusal::Length
        | Refusal::Final
        | Refusal::NoSuchPart
        | Refusal::PartUnfinished => {}
    }
    fields
}

/// What every answer has, also one about something that is not there.
pub fn base() -> ReplyFields {
    vec![(TUS_RESUMABLE, HeaderValue::from_static(VERSION))]
}

/// How far an upload is, and how long it is kept so; what is complete does not expire.
fn advanced(state: UploadState, expires: Option<SystemTime>) -> ReplyFields {
    let mut fields = vec![(UPLOAD_OFFSET, HeaderValue::from(state.offset()))];
    let expires = expires.filter(|_| !state.is_complete()).and_then(http_date);
    fields.extend(expires.map(|date| (UPLOAD_EXPIRES, date)));
    fields
}

/// A moment as an HTTP-date, its second; `None` where HTTP cannot name it.
fn http_date(at: SystemTime) -> Option<HeaderValue> {
    let seconds = i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    HeaderValue::try_from(date::http_date(Modified { seconds, nanos: 0, strong: false })?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HALF: UploadState = UploadState::Unfinished { offset: 5, length: Some(10) };
    const DONE: UploadState = UploadState::Complete { size: 10 };

    fn lines(fields: &ReplyFields) -> Vec<String> {
        let (first, rest) = fields.split_first().unwrap();
        assert_eq!((first.0.as_str(), first.1.as_bytes()), ("tus-resumable", &b"1.0.0"[..]));
        rest.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    fn expires() -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(1_403_712_000_999))
    }

    #[test]
    fn options_tells_all_that_is_spoken() {
        let spoken = [
            "tus-version: 1.0.0",
            "tus-extension: creation,creation-with-upload,creation-defer-length,expiration,checksum,checksum-trailer,termination,concatenation",
            "tus-checksum-algorithm: sha1,sha256,md5",
        ];
        assert_eq!(lines(&options(None)), spoken);
        assert_eq!(lines(&options(Some(7)))[3], "tus-max-size: 7");
    }

    #[test]
    fn a_creation_has_its_url_its_offset_and_its_end() {
        assert_eq!(
            lines(&created(&HeaderValue::from_static("/-/tus/1"), HALF, expires())),
            ["location: /-/tus/1", "upload-offset: 5", "upload-expires: Wed, 25 Jun 2014 16:00:00 GMT"]
        );
    }

    #[test]
    fn what_is_complete_does_not_expire() {
        assert_eq!(lines(&patched(DONE, expires())), ["upload-offset: 10"]);
        assert_eq!(
            lines(&patched(HALF, expires())),
            ["upload-offset: 5", "upload-expires: Wed, 25 Jun 2014 16:00:00 GMT"]
        );
    }

    #[test]
    fn a_moment_that_http_cannot_name_is_left_out() {
        let never = UNIX_EPOCH.checked_add(Duration::from_secs(253_402_300_800));
        assert_eq!(lines(&patched(HALF, never)), ["upload-offset: 5"]);
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1));
        assert_eq!(lines(&patched(HALF, before)), ["upload-offset: 5"]);
    }

    #[test]
    fn head_gives_back_what_the_creation_said() {
        let metadata = HeaderValue::from_static("filename YQ==");
        let concat = HeaderValue::from_static("final;/-/tus/1 /-/tus/2");
        assert_eq!(
            lines(&head(DONE, Some(&metadata), Some(&concat), None)),
            [
                "upload-offset: 10",
                "upload-length: 10",
                "upload-metadata: filename YQ==",
                "upload-concat: final;/-/tus/1 /-/tus/2",
                "cache-control: no-store"
            ]
        );
    }

    #[test]
    fn head_says_that_a_length_is_still_to_come() {
        let open = UploadState::Unfinished { offset: 0, length: None };
        assert_eq!(
            lines(&head(open, None, None, None)),
            ["upload-offset: 0", "upload-defer-length: 1", "cache-control: no-store"]
        );
    }

    #[test]
    fn a_refusal_says_what_would_be_right() {
        assert_eq!(lines(&refused(&Refusal::Version)), ["tus-version: 1.0.0"]);
        assert_eq!(lines(&refused(&Refusal::TooLarge { max: 7 })), ["tus-max-size: 7"]);
        assert_eq!(lines(&refused(&Refusal::Offset { expected: 7, provided: 9 })), ["upload-offset: 7"]);
        assert_eq!(lines(&refused(&Refusal::MediaType)), ["accept-patch: application/offset+octet-stream"]);
        assert_eq!(lines(&refused(&Refusal::Method)), ["allow: OPTIONS, POST, HEAD, PATCH, DELETE"]);
        assert_eq!(lines(&refused(&Refusal::Checksum)), Vec::<String>::new());
        assert_eq!(lines(&deleted()), Vec::<String>::new());
    }
}
