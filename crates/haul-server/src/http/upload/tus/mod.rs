//! tus 1.0.0, with creation, creation-with-upload, creation-defer-length, expiration, checksum, checksum-trailer,
//! termination and concatenation. What fields mean, and what is in its answers, is said by `haul_proto::http::tus`.
//!
//! ```text
//!  POST ──┬── a file ──────────> unfinished ── HEAD, PATCH, DELETE ──┬──> published
//!         ├── partial ──> part, without a place ── the same ──┐      │
//!         └── final;part part … ───────────────── all of them ┴──────┘
//! ```
//! On an upload's URL the newest PATCH ends the one before it. A HEAD only ends one that is silent: clients ask how far
//! an upload is while it goes on.

mod create;
mod join;
mod patch;
mod take;

use std::{sync::Arc, time::Duration};

use haul_core::TreePath;
use haul_proto::http::{
    problem::Problem,
    tus::{self, Concat, Refusal, reply},
};
use http::{HeaderValue, StatusCode};

use super::{
    super::{
        answer::Answer,
        put,
        request::{Client, Request},
        trouble::{Answered, Trouble},
    },
    Note, Resource, beginning, moment, state,
};
use crate::{
    depot::{Named, Visitor},
    metrics::Reason,
};

pub(in super::super) use join::put_in_order;

/// Where uploads are created.
pub(in super::super) const PATH: &str = "/-/tus";
/// Who sends and has sent nothing for so long is most likely dead.
const SILENT: Duration = Duration::from_secs(1);

/// A request to where uploads are created: to `/-/tus`, or to a folder.
pub(in super::super) async fn at_folder(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    folder: &TreePath,
) -> Answered {
    match read(request)? {
        tus::Request::Options => Ok(super::options(request, visitor)),
        tus::Request::Create(asked) => create::create(client, request, visitor, folder, asked).await,
        tus::Request::Head | tus::Request::Patch(_) | tus::Request::Delete => {
            Err(Trouble::method("OPTIONS, POST"))
        }
    }
}

/// A request to an upload.
pub(in super::super) async fn at_upload(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    resource: &Resource,
) -> Answered {
    let owner = resource.owner(visitor);
    match read(request)? {
        tus::Request::Options => Ok(super::options(request, visitor)),
        tus::Request::Create(_) => Err(Trouble::method("OPTIONS, HEAD, PATCH, DELETE")),
        tus::Request::Head => head(client, request, &owner, resource).await,
        tus::Request::Patch(asked) => patch::patch(client, request, &owner, resource, asked).await,
        tus::Request::Delete => delete(&owner, resource).await,
    }
}

fn read(request: &Request) -> Result<tus::Request, Trouble> {
    tus::read(&request.method, &request.fields, request.length(), None).map_err(|refusal| refused(&refusal))
}

/// A request that is refused.
fn refused(refusal: &Refusal) -> Trouble {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let problem = match refusal {
        // A status that only tus knows has no name of its own.
        Refusal::Checksum => Problem::new("about:blank", "Checksum Mismatch", status),
        _ => Problem::of(status),
    };
    let trouble = Trouble::from(problem.detail(refusal.to_string()));
    let trouble = trouble.with_all(reply::refused(refusal).into_iter().collect());
    match refusal {
        Refusal::Offset { expected, .. } => trouble.because(Reason::BadOffset).and("offset", *expected),
        _ => trouble,
    }
}

/// How far it is.
async fn head(client: &Client, request: &Request, owner: &Visitor, resource: &Resource) -> Answered {
    let named = owner.named_unless_lively(&resource.path, &resource.id, SILENT).await?;
    let state = state(&named).ok_or_else(|| put::gone(&named))?;
    let note = note(owner, resource, &named)?;
    let expires = match &named {
        Named::Unfinished(pending) => moment(pending.expires),
        Named::Published(_) | Named::Gone | Named::Unknown => None,
    };
    let concat = if resource.part { Some(HeaderValue::from_static("partial")) } else { note.concat };
    let fields = reply::head(state, note.metadata.as_ref(), concat.as_ref(), expires);
    let digest = beginning::told_digest(client, request, owner, resource, state.offset()).await;
    Ok(Answer::new(StatusCode::OK).with_all(fields).with_all(digest))
}

/// What was noted of an upload when it was created.
fn note(owner: &Visitor, resource: &Resource, named: &Named) -> Result<Note, Trouble> {
    Ok(match named {
        Named::Unfinished(pending) => Note::read(&pending.note),
        Named::Published(_) | Named::Gone | Named::Unknown => {
            Note::read(&owner.noted(&resource.path, &resource.id)?.unwrap_or_default())
        }
    })
}

/// Whether an upload is put together from parts.
fn is_final(note: &Note) -> bool {
    note.concat.as_ref().is_some_and(|concat| matches!(Concat::parse(concat), Ok(Concat::Final(_))))
}

/// It is not wanted any more.
async fn delete(owner: &Visitor, resource: &Resource) -> Answered {
    if owner.cancel(&resource.path, &resource.id).await? {
        return Ok(Answer::new(StatusCode::NO_CONTENT).with_all(reply::deleted()));
    }
    let named = owner.named(&resource.path, &resource.id).await?;
    Err(match named {
        // Its name may mean another file by now.
        Named::Published(_) => {
            Trouble::new(StatusCode::FORBIDDEN, "it is a file now: DELETE that by its own URL")
        }
        Named::Unfinished(_) | Named::Gone | Named::Unknown => put::gone(&named),
    })
}
