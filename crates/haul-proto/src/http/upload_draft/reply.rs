//! What the answers of the draft carry (§4, §5, §7): fields only. Bodies, and the status where the target of the
//! upload decides it, are elsewhere.
//!
//! Upload-Offset is in every answer about an upload, though newer versions ask for it in few: clients count on it.

use http::{HeaderValue, StatusCode, header};

use super::{
    INTEROP_VERSION, Interop, Limits, PARTIAL_UPLOAD, Problem, UPLOAD_COMPLETE, UPLOAD_INCOMPLETE,
    UPLOAD_LIMIT, Wrong,
};
use crate::http::{
    upload_field::{ReplyFields, UPLOAD_LENGTH, UPLOAD_OFFSET},
    upload_state::UploadState,
};

/// The status of an interim response of the draft.
pub const INTERIM: u16 = 104;

/// The reason phrase that goes with it.
pub const INTERIM_REASON: &str = "Upload Resumption Supported";

/// The interim response that tells an upload's URL.
///
/// Every later answer to the same request that tells one must tell this one. A client whose version is not known gets
/// no interim response at all, hence the argument.
pub fn announcement(interop: Interop, location: &HeaderValue, limits: &Limits) -> ReplyFields {
    let mut fields = versioned(Some(interop));
    fields.push((header::LOCATION, location.clone()));
    fields.extend(limit(Some(interop), limits));
    fields
}

/// The interim response that tells how far the upload has come, in answer to a creation or an append; `None` where
/// the client's version knows no such thing. The offset must be one that never goes back.
pub fn progress(interop: Interop, offset: u64) -> Option<ReplyFields> {
    interop.knows_progress().then(|| {
        let mut fields = versioned(Some(interop));
        fields.push((UPLOAD_OFFSET, HeaderValue::from(offset)));
        fields
    })
}

/// The final answer to a creation that was wholly taken: 201 where the upload is unfinished, else whatever its target
/// answers.
pub fn created(
    interop: Option<Interop>,
    location: &HeaderValue,
    state: UploadState,
    limits: &Limits,
) -> ReplyFields {
    let mut fields = versioned(interop);
    fields.push((header::LOCATION, location.clone()));
    fields.extend(told(interop, state));
    if !state.is_complete() {
        fields.extend(limit(interop, limits));
    }
    fields
}

/// The answer to a query, 204.
pub fn offset(interop: Option<Interop>, state: UploadState, limits: &Limits) -> ReplyFields {
    let mut fields = versioned(interop);
    fields.extend(told(interop, state));
    fields.extend(state.length().map(|length| (UPLOAD_LENGTH, HeaderValue::from(length))));
    fields.extend(limit(interop, limits));
    fields.push((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    fields
}

/// The answer to an append that was wholly taken: [`appended_status`] where the upload is unfinished, else whatever
/// its target answers.
pub fn appended(interop: Option<Interop>, state: UploadState) -> ReplyFields {
    let mut fields = versioned(interop);
    fields.extend(told(interop, state));
    fields
}

/// The status of the answer to an append that was wholly taken and does not complete the upload.
pub fn appended_status(interop: Option<Interop>) -> StatusCode {
    if interop.is_some_and(Interop::appends_are_created) {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    }
}

/// The answer to a cancellation, 204.
pub fn cancelled(interop: Option<Interop>) -> ReplyFields {
    versioned(interop)
}

/// What an answer to OPTIONS carries where uploads can be created or are: the limits, and what PATCH takes.
pub fn offered(interop: Option<Interop>, limits: &Limits) -> ReplyFields {
    let mut fields = versioned(interop);
    fields.push((UPLOAD_LIMIT, limits.value(interop)));
    fields.push(accept_patch());
    fields
}

/// The answer to a request that is wrong in itself.
pub fn refused(interop: Option<Interop>, wrong: &Wrong) -> ReplyFields {
    let mut fields = versioned(interop);
    fields.push(completeness(interop, false));
    match wrong {
        Wrong::MediaType => fields.push(accept_patch()),
        Wrong::Method => {
            let methods = HeaderValue::from_static("HEAD, GET, PATCH, DELETE, OPTIONS");
            fields.push((header::ALLOW, methods));
        }
        Wrong::Missing(_)
        | Wrong::Malformed(_)
        | Wrong::Contradiction(_)
        | Wrong::Unexpected(_)
        | Wrong::InconsistentLength => {}
    }
    fields
}

/// The answer to a request that does not fit the upload, whose offset is this.
///
/// Completeness is told as false even of a complete upload: the answer is not the one that completed it.
pub fn problem(interop: Option<Interop>, problem: &Problem, offset: u64) -> ReplyFields {
    let mut fields = versioned(interop);
    fields.push(completeness(interop, false));
    let offset = match problem {
        Problem::MismatchingOffset { expected, .. } => *expected,
        Problem::InconsistentLength | Problem::CompletedUpload => offset,
    };
    fields.push((UPLOAD_OFFSET, HeaderValue::from(offset)));
    fields
}

/// The version, echoed where it is known.
fn versioned(interop: Option<Interop>) -> ReplyFields {
    interop.map(|interop| (INTEROP_VERSION, interop.value())).into_iter().collect()
}

fn told(interop: Option<Interop>, state: UploadState) -> [(header::HeaderName, HeaderValue); 2] {
    [completeness(interop, state.is_complete()), (UPLOAD_OFFSET, HeaderValue::from(state.offset()))]
}

fn completeness(interop: Option<Interop>, complete: bool) -> (header::HeaderName, HeaderValue) {
    let inverse = interop.is_some_and(Interop::tells_incomplete);
    let name = if inverse { UPLOAD_INCOMPLETE } else { UPLOAD_COMPLETE };
    (name, HeaderValue::from_static(if complete != inverse { "?1" } else { "?0" }))
}

fn limit(interop: Option<Interop>, limits: &Limits) -> Option<(header::HeaderName, HeaderValue)> {
    interop.is_none_or(Interop::knows_limits).then(|| (UPLOAD_LIMIT, limits.value(interop)))
}

fn accept_patch() -> (header::HeaderName, HeaderValue) {
    (header::HeaderName::from_static("accept-patch"), HeaderValue::from_static(PARTIAL_UPLOAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_size: Some(100),
        min_size: None,
        max_append_size: None,
        min_append_size: None,
        max_age: None,
    };
    const HALF: UploadState = UploadState::Unfinished { offset: 5, length: Some(10) };

    fn lines(fields: &ReplyFields) -> Vec<String> {
        fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    fn at(url: &'static str) -> HeaderValue {
        HeaderValue::from_static(url)
    }

    #[test]
    fn an_announcement_has_the_url_and_the_clients_version() {
        assert_eq!(
            lines(&announcement(Interop::V9, &at("/u/1"), &LIMITS)),
            ["upload-draft-interop-version: 9", "location: /u/1", "upload-limit: max-size=100"]
        );
        let old = lines(&announcement(Interop::V5, &at("/u/1"), &LIMITS));
        assert_eq!(old, ["upload-draft-interop-version: 5", "location: /u/1"]);
    }

    #[test]
    fn progress_has_no_url_and_is_told_from_version_five_on() {
        assert_eq!(
            progress(Interop::V8, 7).as_ref().map(lines).unwrap(),
            ["upload-draft-interop-version: 8", "upload-offset: 7"]
        );
        assert!(progress(Interop::V5, 7).is_some());
        assert_eq!(progress(Interop::V4, 7), None);
        assert_eq!(progress(Interop::V3, 7), None);
    }

    #[test]
    fn an_unfinished_creation_tells_where_to_go_on() {
        let fields = created(Some(Interop::V6), &at("/u/1"), HALF, &LIMITS);
        assert_eq!(
            lines(&fields),
            [
                "upload-draft-interop-version: 6",
                "location: /u/1",
                "upload-complete: ?0",
                "upload-offset: 5",
                "upload-limit: max-size=100"
            ]
        );
    }

    #[test]
    fn a_finished_creation_tells_its_offset_too() {
        let fields = created(None, &at("/u/1"), UploadState::Complete { size: 10 }, &LIMITS);
        assert_eq!(lines(&fields), ["location: /u/1", "upload-complete: ?1", "upload-offset: 10"]);
    }

    #[test]
    fn an_offset_is_told_with_all_that_is_known_and_never_kept() {
        assert_eq!(
            lines(&offset(Some(Interop::V9), HALF, &Limits::default())),
            [
                "upload-draft-interop-version: 9",
                "upload-complete: ?0",
                "upload-offset: 5",
                "upload-length: 10",
                "upload-limit: min-size=0",
                "cache-control: no-store"
            ]
        );
        let open = UploadState::Unfinished { offset: 5, length: None };
        assert_eq!(
            lines(&offset(Some(Interop::V3), open, &LIMITS)),
            [
                "upload-draft-interop-version: 3",
                "upload-incomplete: ?1",
                "upload-offset: 5",
                "cache-control: no-store"
            ]
        );
    }

    #[test]
    fn version_three_is_told_the_inverse() {
        let done = UploadState::Complete { size: 10 };
        let fields = lines(&appended(Some(Interop::V3), done));
        assert_eq!(fields, ["upload-draft-interop-version: 3", "upload-incomplete: ?0", "upload-offset: 10"]);
        let fields = lines(&appended(Some(Interop::V4), done));
        assert_eq!(fields, ["upload-draft-interop-version: 4", "upload-complete: ?1", "upload-offset: 10"]);
    }

    #[test]
    fn an_append_was_created_up_to_version_six() {
        assert_eq!(appended_status(Some(Interop::V6)), StatusCode::CREATED);
        assert_eq!(appended_status(Some(Interop::V7)), StatusCode::NO_CONTENT);
        assert_eq!(appended_status(None), StatusCode::NO_CONTENT);
    }

    #[test]
    fn a_mismatch_tells_the_right_offset_and_is_never_complete() {
        let mismatch = Problem::MismatchingOffset { expected: 12, provided: 25 };
        assert_eq!(lines(&problem(None, &mismatch, 12)), ["upload-complete: ?0", "upload-offset: 12"]);
        assert_eq!(
            lines(&problem(Some(Interop::V3), &Problem::CompletedUpload, 10)),
            ["upload-draft-interop-version: 3", "upload-incomplete: ?1", "upload-offset: 10"]
        );
    }

    #[test]
    fn a_refusal_says_what_would_be_right() {
        assert_eq!(
            lines(&refused(None, &Wrong::MediaType)),
            ["upload-complete: ?0", "accept-patch: application/partial-upload"]
        );
        assert_eq!(
            lines(&refused(None, &Wrong::Method)),
            ["upload-complete: ?0", "allow: HEAD, GET, PATCH, DELETE, OPTIONS"]
        );
        assert_eq!(lines(&refused(None, &Wrong::Missing("Upload-Offset"))), ["upload-complete: ?0"]);
    }

    #[test]
    fn options_tells_limits_to_everybody() {
        let told = ["upload-limit: min-size=0", "accept-patch: application/partial-upload"];
        assert_eq!(lines(&offered(None, &Limits::default())), told);
        assert_eq!(lines(&offered(Some(Interop::V3), &Limits::default()))[1..], told);
    }

    #[test]
    fn a_cancellation_says_nothing() {
        assert!(cancelled(None).is_empty());
    }
}
