//! `final;part part …`: a file that is put together from parts.

use std::sync::Arc;

use haul_core::TreePath;
use haul_proto::http::{
    tus::{Concat, PartUrl, Refusal},
    upload_state::UploadState,
};
use http::{HeaderValue, StatusCode};
use tokio::runtime::Handle;

use super::{
    super::{
        super::{
            answer::Answer,
            receive::{self, Arriving},
            request::Client,
            trouble::{Answered, Trouble},
        },
        Note, Resource,
    },
    create::created,
    refused,
    take::ended,
};
use crate::{
    ServerError,
    depot::{Announced, Beginning, Depot, Joining, Named, Order, Visitor},
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
/// can be asked for again: nothing of it is seen until then, and nothing stays of what was put together so far.
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
    // What the medium has room for; a quota has the parts already, and asks for no more than the whole is beyond them.
    if visitor.free(&path).await?.is_some_and(|room| length > room) {
        let words = "there is no room for all parts together";
        return Err(Trouble::new(StatusCode::INSUFFICIENT_STORAGE, words));
    }
    let (visitor, joining) = visitor.joining(&path, parts.iter().map(|part| &part.resource.path))?;
    let order = Order { announced: Announced::Whole(length), ..order };
    let receiving = receive::begin(client, &visitor, &path, order, Dialect::Tus).await?;
    let mut arriving = Arriving::new(client, &visitor, &path, receiving, Dialect::Tus);
    let id = arriving.name().await?.ok_or_else(|| refused(&Refusal::NoSuchPart))?;
    let whole = Resource { id, path, part: false };
    let location = HeaderValue::try_from(whole.url());
    let location = location.map_err(|_| Trouble::not_found())?;
    let half = HalfWay(Some(Joined { visitor: visitor.clone(), aside, whole, parts, joining }));
    let put_together = async {
        for part in half.parts() {
            copy(&visitor.aside(), part, &mut arriving).await?;
        }
        ended(arriving, Some(length)).await
    };
    let put_together = put_together.await;
    half.end(put_together.is_ok()).await;
    Ok(created(&visitor, &location, put_together?))
}

/// A file that is being put together. However that ends, either it is there and its parts are dropped, or they are still
/// there, and what was put together so far is worth nothing.
struct Joined {
    visitor: Visitor,
    aside: Visitor,
    whole: Resource,
    parts: Vec<Part>,
    /// Until the one or the other is dropped.
    joining: Joining,
}

/// The same while it is done: somebody who goes away in the middle leaves nothing of it.
struct HalfWay(Option<Joined>);

impl Joined {
    /// `is_there`: it surely is; else that is found out.
    async fn end(self, is_there: bool) {
        let Self { visitor, aside, whole, parts, joining } = self;
        let became = if is_there { Ok(None) } else { visitor.named(&whole.path, &whole.id).await.map(Some) };
        match became {
            Ok(None | Some(Named::Published(_))) => {
                for Part { resource: Resource { path, id, .. }, .. } in &parts {
                    if let Err(error) = aside.cancel_soon(path, id).await {
                        tracing::warn!(%path, %error, "a part that was put in its place is still there");
                    }
                }
            }
            Ok(Some(Named::Unfinished(_))) => {
                if let Err(error) = visitor.cancel(&whole.path, &whole.id).await {
                    tracing::warn!(path = %whole.path, %error, "what was put together half-way is still there");
                }
            }
            Ok(Some(Named::Gone | Named::Unknown)) => {}
            Err(error) => {
                tracing::warn!(path = %whole.path, %error, "what was put together half-way may be still there");
            }
        }
        drop(joining);
    }
}

impl HalfWay {
    fn parts(&self) -> &[Part] {
        self.0.as_ref().map_or(&[], |joined| &joined.parts)
    }

    async fn end(mut self, is_there: bool) {
        // In a task, to its end, whoever goes away meanwhile.
        if let Some(joined) = self.0.take()
            && let Err(error) = tokio::spawn(joined.end(is_there)).await
        {
            tracing::warn!(%error, "parts of a file that was put together may be still there");
        }
    }
}

impl Drop for HalfWay {
    fn drop(&mut self) {
        if let (Some(joined), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(joined.end(false));
        }
    }
}

/// Drops what a server that was killed has left: files half-way put together, whose parts are there, and parts of those
/// that it had just put together.
///
/// # Errors
/// Where what is known of uploads cannot be read or changed.
pub(in crate::http) async fn put_in_order(depot: &Arc<Depot>) -> Result<usize, ServerError> {
    let half = depot.drop_noted(|note| Note::read(note).concat.is_some()).await?;
    let joined = depot.drop_joined(parts_of).await?;
    Ok(half + joined)
}

/// The names of the parts that a file with this note was put together from.
fn parts_of(note: &[u8]) -> Vec<String> {
    let Some(concat) = Note::read(note).concat else { return Vec::new() };
    let Ok(Concat::Final(parts)) = Concat::parse(&concat) else { return Vec::new() };
    let resources = parts.iter().filter_map(|part| Resource::parse(part.path()).and_then(Result::ok));
    resources.filter(|resource| resource.part).map(|resource| resource.id).collect()
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
