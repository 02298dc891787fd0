//! Uploads that resume, in the dialects that clients speak: tus, the IETF draft, PUT with Content-Range. All of them go
//! over the depot's one unfinished upload for a path and user, so that what is begun in one is finished in another.
//!
//! Each upload has a URL, good in every dialect: a request there with Tus-Resumable is one of tus, any other is one of
//! the draft.

pub(super) mod draft;
pub(super) mod list;
mod note;
mod resource;
pub(super) mod tus;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haul_proto::http::upload_state::UploadState;

use crate::depot::{Named, Pending};

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
