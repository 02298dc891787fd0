//! GET of an upload's URL: what is there of it, up to the offset that is told, so that a client can see that these are
//! its own bytes before it goes on. It is no version of the file, so nothing in the answer could be taken for one's name
//! (RFC 9110 §8.8), and nobody keeps it.
//!
//! It does not end a request that brings more, as HEAD does: who reads wants to know what is there, and not to write.

use haul_proto::http::{
    content_disposition::{Disposition, disposition_value},
    download::Download,
    repr_digest,
    selection::{Selection, select_unversioned},
    upload_draft::{Interop, reply},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    super::{
        answer::Answer,
        digest,
        file::{SANDBOX, Segments},
        leaving::Origin,
        put,
        request::{Client, Request},
        trouble::{Answered, Trouble},
    },
    Resource, draft, state, unfinished,
};
use crate::depot::{Beginning, Visitor};

/// What it is said to be: whatever it becomes, as yet it is bytes.
const KIND: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Sends what is there, or ranges of it.
pub(super) async fn get(
    client: &Client,
    request: &Request,
    owner: &Visitor,
    resource: &Resource,
    interop: Option<Interop>,
) -> Answered {
    let Some(beginning) = owner.beginning(&resource.path, &resource.id).await? else {
        let named = owner.named(&resource.path, &resource.id).await?;
        // Of a finished one only that is told: the file has a URL of its own.
        let state = state(&named).filter(|state| state.is_complete()).ok_or_else(|| put::gone(&named))?;
        let fields = reply::offset(interop, state, &draft::limits(owner));
        return Ok(Answer::new(StatusCode::NO_CONTENT).with_all(fields));
    };
    let size = beginning.pending.offset;
    let selected = select_unversioned(&request.method, &request.fields, size);
    let download = Download::Send(selected.clone());
    let mut answer = Answer::new(download.status())
        .with_all(reply::offset(interop, unfinished(&beginning.pending), &draft::limits(owner)))
        .with(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        .with(header::CONTENT_SECURITY_POLICY, SANDBOX)
        .told(header::CONTENT_DISPOSITION, disposition_value(Disposition::Attachment, resource.path.name()));
    if let Some(range) = download.content_range(size) {
        answer = answer.told(header::CONTENT_RANGE, range.to_string());
    }
    let segments = match selected {
        Selection::Whole => Segments::whole(size, &KIND),
        Selection::Part(part) => Segments::one(part, &KIND),
        Selection::Parts(parts) => Segments::several(&parts, size, &KIND)?,
        Selection::Unsatisfiable => {
            let words = format!("there are {size} bytes as yet, and none of them was asked for");
            return Err(Trouble::new(StatusCode::RANGE_NOT_SATISFIABLE, words).with_all(answer.fields));
        }
    };
    let digest = digest_of(client, request, &beginning).await;
    let mut answer = answer.with_all(digest).with(header::CONTENT_TYPE, segments.kind.clone());
    answer.body = segments.of(client, owner, &resource.path, Origin::Upload(beginning, owner.clone()));
    Ok(answer)
}

/// The Repr-Digest of so much of an upload as was just told, where it is asked for and there in time (RFC 9530 §3).
pub(super) async fn told_digest(
    client: &Client,
    request: &Request,
    owner: &Visitor,
    resource: &Resource,
    offset: u64,
) -> Option<(HeaderName, HeaderValue)> {
    repr_digest::wanted(&request.fields)?;
    let beginning = owner.beginning(&resource.path, &resource.id).await.ok()??;
    // Of another offset than the one beside it, it would be a riddle.
    if beginning.pending.offset == offset { digest_of(client, request, &beginning).await } else { None }
}

async fn digest_of(
    client: &Client,
    request: &Request,
    beginning: &Beginning,
) -> Option<(HeaderName, HeaderValue)> {
    let algorithm = repr_digest::wanted(&request.fields)?;
    let digest = digest::of_beginning(client, beginning, algorithm).await?;
    let value = HeaderValue::try_from(repr_digest::repr_digest_value(&digest)?).ok()?;
    Some((repr_digest::REPR_DIGEST, value))
}
