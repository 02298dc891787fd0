//! POST: a new upload, of a file, of a part, or of a file that is put together from parts.

use std::sync::Arc;

use haul_core::TreePath;
use haul_proto::http::{
    tus::{Content, Create, Length, Metadata, What, reply},
    upload_state::UploadState,
};
use http::{HeaderValue, StatusCode, header};

use super::{
    super::{
        super::{
            answer::Answer,
            place::{Place, href},
            put,
            receive::{self, Arriving},
            request::{Client, Request},
            trouble::{Answered, Trouble},
        },
        Note, Protocol, Resource,
    },
    join,
    take::{ended, expires, take},
};
use crate::{
    depot::{Announced, Condition, Order, Visitor, Wish},
    metrics::Dialect,
};

/// What is to be begun.
struct Wanted {
    path: TreePath,
    part: bool,
    condition: Condition,
    length: Option<u64>,
    content: Option<Content>,
    note: Note,
}

/// Begins an upload, or puts one together.
pub(super) async fn create(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    folder: &TreePath,
    asked: Create,
) -> Answered {
    let note = Note { metadata: asked.metadata.raw().cloned(), ..Note::of(Protocol::Tus) };
    if !note.is_small() {
        let words = "Upload-Metadata may have 8 KiB";
        return Err(Trouble::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, words));
    }
    match asked.what {
        What::Whole { length, content } => {
            let (path, condition) = target(request, visitor, folder, &asked.metadata).await?;
            let wanted = Wanted { path, part: false, condition, length: known(length), content, note };
            begin(client, request, visitor, wanted).await
        }
        What::Partial { length, content } => {
            let (path, condition) = (part(folder)?, Condition::Any);
            let wanted = Wanted { path, part: true, condition, length: known(length), content, note };
            begin(client, request, &visitor.aside(), wanted).await
        }
        What::Final { parts, raw } => {
            let (path, condition) = target(request, visitor, folder, &asked.metadata).await?;
            let note = Note { concat: Some(raw), ..note };
            let order = Order { condition, note: Some(note.kept()), ..Order::new(Wish::Anew) };
            join::join(client, visitor, path, &parts, order).await
        }
    }
}

/// What a new upload becomes: the file that its client names, in the folder that its URL names; and on which condition.
async fn target(
    request: &Request,
    visitor: &Visitor,
    folder: &TreePath,
    metadata: &Metadata,
) -> Result<(TreePath, Condition), Trouble> {
    let words = "which name in this folder? (filename in Upload-Metadata)";
    let name = metadata.get("filename").ok_or_else(|| Trouble::new(StatusCode::BAD_REQUEST, words))?;
    let place = Place::named_in(folder, name)?;
    let (condition, _) = put::condition(request, visitor, &place).await?;
    Ok((place.path, condition))
}

/// A name that no other part has. It only says where the part lies.
fn part(folder: &TreePath) -> Result<TreePath, Trouble> {
    let no_random = |_| Trouble::new(StatusCode::INTERNAL_SERVER_ERROR, "no random numbers");
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(no_random)?;
    let name = format!("part-{:032x}", u128::from_ne_bytes(random));
    Ok(folder.join(name.as_bytes()).map_err(crate::ServerError::from)?)
}

fn known(length: Length) -> Option<u64> {
    match length {
        Length::Known(length) => Some(length),
        Length::Deferred => None,
    }
}

async fn begin(client: &Arc<Client>, request: &mut Request, owner: &Visitor, wanted: Wanted) -> Answered {
    let Wanted { path, part, condition, length, content, note } = wanted;
    let whole = length.is_some() && content.as_ref().map_or(Some(0), |content| content.length) == length;
    if owner.kept_for().is_none() && (part || !whole) {
        let words = "uploads go in place here: none is kept unfinished, so all of it must come at once";
        return Err(Trouble::new(StatusCode::NOT_IMPLEMENTED, words));
    }
    let order = Order {
        announced: length.map_or(Announced::Nothing, Announced::Whole),
        condition,
        note: Some(note.kept()),
        ..Order::new(Wish::Anew)
    };
    let receiving = receive::begin(client, owner, &path, order, Dialect::Tus).await?;
    let mut arriving = Arriving::new(client, owner, &path, receiving, Dialect::Tus);
    let url = match arriving.name().await? {
        Some(id) => Resource { id, path, part }.url(),
        // In place it has none, but is there.
        None => href(&path, false),
    };
    let location = HeaderValue::try_from(url).map_err(|_| Trouble::not_found())?;
    let state = match content {
        Some(Content { checksum, .. }) => take(request.awaited(), arriving, length, checksum).await,
        None => ended(arriving, length).await,
    };
    let state = state.map_err(|trouble| trouble.with(header::LOCATION, location.clone()))?;
    Ok(created(owner, &location, state))
}

/// The answer to a creation.
pub(super) fn created(owner: &Visitor, location: &HeaderValue, state: UploadState) -> Answer {
    Answer::new(StatusCode::CREATED).with_all(reply::created(location, state, expires(owner)))
}
