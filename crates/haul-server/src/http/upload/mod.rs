//! Uploads that resume, in the dialects that clients speak: tus, the IETF draft, PUT with Content-Range. All of them go
//! over the depot's one unfinished upload for a path and user, so that what is begun in one is finished in another.
//!
//! Each upload has a URL, good in every dialect: a request there with Tus-Resumable is one of tus, any other is one of
//! the draft.

mod beginning;
pub(super) mod draft;
pub(super) mod list;
mod note;
mod resource;
pub(super) mod tus;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haul_proto::http::{tus::reply, upload_draft, upload_state::UploadState};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{answer::Answer, request::Request, service::METHODS};
use crate::depot::{Named, Pending, Visitor};

pub(super) use note::{Note, Protocol};
pub(super) use resource::Resource;

/// How far an upload is, as every dialect tells it; `None` where there is nothing to tell of.
pub(super) fn state(named: &Named) -> Option<UploadState> {
    match named {
        Named::Unfinished(pending) => Some(unfinished(pending)),
        Named::Published(size) => Some(UploadState::Complete { size: *size }),
        Named::Gone | Named::Unknown => None,
    }
}

/// The same of one that is not finished.
pub(super) fn unfinished(pending: &Pending) -> UploadState {
    UploadState::Unfinished { offset: pending.offset, length: pending.declared }
}

/// A moment, from seconds since 1970.
pub(super) fn moment(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// The media types of PATCH, in the draft and in tus (RFC 5789 §3.1).
const PATCHES: HeaderValue =
    HeaderValue::from_static("application/partial-upload, application/offset+octet-stream");

/// What OPTIONS tells where uploads can be created or are: what each dialect wants to know beforehand.
pub(super) fn options(request: &Request, visitor: &Visitor) -> Answer {
    let interop = upload_draft::Interop::of(&request.fields);
    Answer::new(StatusCode::NO_CONTENT)
        .with(header::ALLOW, HeaderValue::from_static(METHODS))
        .with_all(reply::options(visitor.left()))
        .with_all(upload_draft::reply::offered(interop, &draft::limits(visitor)))
        .with(HeaderName::from_static("accept-patch"), PATCHES)
}
