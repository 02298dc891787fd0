//! `final;part part …`: a file that is put together from parts.

use std::sync::Arc;

use haul_core::TreePath;
use haul_proto::http::{
    tus::{PartUrl, Refusal},
    upload_state::UploadState,
};
use http::{HeaderValue, StatusCode};

use super::{
    super::{
        super::{
            answer::Answer,
            receive::{self, Arriving},
            request::Client,
            trouble::{Answered, Trouble},
        },
        Resource,
    },
    create::created,
    refused,
    take::ended,
};
use crate::{
    depot::{Announced, Beginning, Named, Order, Visitor},
    metrics::Dialect,
};

/// So much is copied before what is there by then is made safe, beside what is copied next.
const PIECE: u64 = 32 << 20;

/// A part that is complete.
struct Part {
    resource: Resource,
    length: u64,
}

/// Puts a file together from its parts, and drops them when it is there. Ended in the middle, also with the server, it
/// can be asked for again: nothing of it is seen until then.
pub(super) async fn join(
    client: &Arc<Client>,
    visitor: &Visitor,
    path: TreePath,
    urls: &[PartUrl],
    order: Order,
) -> Answered {
    let aside = visitor.aside();
    let mut parts = Vec::with_capacity(urls.len());
    for url in urls {
        match complete(&aside, url).await {
            Ok(part) => parts.push(part),
            // They are gone because they were put together, and the answer was lost.
            Err(trouble) => return answered_before(visitor, path, &order).await?.ok_or(trouble),
        }
    }
    let length = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.length));
    let length = length.ok_or_else(|| refused(&Refusal::TooLarge { max: u64::MAX }))?;
    if visitor.space(&path).await?.is_some_and(|room| length > room) {
        let words = "there is no room for all parts together";
        return Err(Trouble::new(StatusCode::INSUFFICIENT_STORAGE, words));
    }
    let order = Order { announced: Announced::Whole(length), ..order };
    let receiving = receive::begin(client, visitor, &path, order, Dialect::Tus).await?;
    let mut arriving = Arriving::new(client, visitor, &path, receiving, Dialect::Tus);
    let id = arriving.name().await?.ok_or_else(|| refused(&Refusal::NoSuchPart))?;
    let whole = Resource { id, path, part: false };
    let location = HeaderValue::try_from(whole.url());
    let location = location.map_err(|_| Trouble::not_found())?;
    for part in &parts {
        if let Err(trouble) = copy(&aside, part, &mut arriving).await {
            // The parts are still there: what was put together so far is worth nothing.
            drop(arriving);
            if let Err(error) = visitor.cancel(&whole.path, &whole.id).await {
                tracing::warn!(path = %whole.path, %error, "what was put together half-way is still there");
            }
            return Err(trouble);
        }
    }
    let state = ended(arriving, Some(length)).await?;
    for Part { resource, .. } in &parts {
        if let Err(error) = aside.cancel_soon(&resource.path, &resource.id).await {
            tracing::warn!(path = %resource.path, %error, "a part that was put in its place is still there");
        }
    }
    Ok(created(visitor, &location, state))
}

/// The answer that the same request has had.
async fn answered_before(
    visitor: &Visitor,
    path: TreePath,
    order: &Order,
) -> Result<Option<Answer>, Trouble> {
    let note = order.note.as_deref().unwrap_or_default();
    let Some((id, size)) = visitor.just_published_as(&path, note).await? else { return Ok(None) };
    let whole = Resource { id, path, part: false };
    let location = HeaderValue::try_from(whole.url()).map_err(|_| Trouble::not_found())?;
    Ok(Some(created(visitor, &location, UploadState::Complete { size })))
}

/// The part that a URL names, if it is one of this visitor's and complete.
async fn complete(aside: &Visitor, url: &PartUrl) -> Result<Part, Trouble> {
    let resource = Resource::parse(url.path()).and_then(Result::ok).filter(|resource| resource.part);
    let resource = resource.ok_or_else(|| refused(&Refusal::NoSuchPart))?;
    match aside.named(&resource.path, &resource.id).await? {
        Named::Unfinished(pending) if pending.declared == Some(pending.offset) => {
            Ok(Part { resource, length: pending.offset })
        }
        Named::Unfinished(_) => Err(refused(&Refusal::PartUnfinished)),
        Named::Published(_) | Named::Gone | Named::Unknown => Err(refused(&Refusal::NoSuchPart)),
    }
}

/// Adds a part at the end of what is there. Its bytes pass through the system alone, or through nothing where the medium
/// shares blocks.
async fn copy(aside: &Visitor, part: &Part, arriving: &mut Arriving) -> Result<(), Trouble> {
    let Resource { path, id, .. } = &part.resource;
    let gone = || refused(&Refusal::NoSuchPart);
    let Beginning { pending, body, .. } = aside.beginning(path, id).await?.ok_or_else(gone)?;
    if pending.offset != part.length {
        return Err(refused(&Refusal::PartUnfinished));
    }
    let mut at = 0;
    while at < part.length {
        let len = PIECE.min(part.length - at);
        arriving.copy(&body, at, len).await?;
        at += len;
    }
    Ok(())
}
