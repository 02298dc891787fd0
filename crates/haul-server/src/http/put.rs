//! PUT (RFC 9110 §9.3.4): a whole file, which is there when all of it is. What is cut off stays unfinished, and is gone
//! on with by Content-Range (`pieces`) or in another dialect.

use std::{sync::Arc, time::SystemTime};

use haul_core::TreePath;
use haul_proto::http::{
    conditional::{self, Verdict},
    put_range::PutRange,
    upload_field::UPLOAD_OFFSET,
};
use haul_store::{Kind, StoreError};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    answer::Answer,
    file, pieces,
    place::{Place, href},
    receive::{self, Arriving, Poured, is_fenced},
    request::{Client, Request},
    trouble::{Answered, Trouble},
    upload::{Note, Protocol},
};
use crate::{
    ServerError,
    depot::{Announced, Condition, DataEnd, Named, Order, Settled, Visitor, Wish},
    metrics::Dialect,
};

/// Receives a file, or a piece of one.
pub(super) async fn put(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    place: &Place,
) -> Answered {
    if place.slash {
        let words = "a file's name does not end in a slash (MKCOL makes folders)";
        return Err(Trouble::new(StatusCode::CONFLICT, words));
    }
    as_it_comes(request)?;
    let (condition, replaces) = Box::pin(condition(request, visitor, place)).await?;
    let length = request.length();
    match PutRange::of(&request.fields, length) {
        Err(bad) => return Err(Trouble::new(StatusCode::BAD_REQUEST, bad.to_string())),
        Ok(Some(said)) => {
            return Box::pin(pieces::put(client, request, visitor, place, said, condition)).await;
        }
        Ok(None) => {}
    }
    let order = Order {
        announced: length.map_or(Announced::Nothing, Announced::Whole),
        condition,
        note: Some(Note::of(Protocol::Put).kept()),
        ..Order::new(Wish::Anew)
    };
    let receiving =
        receive::begin(client, visitor, &place.path, order, Dialect::Put).await.map_err(no_folder)?;
    let arriving = Arriving::new(client, visitor, &place.path, receiving, Dialect::Put);
    whole(request, arriving, visitor, place, replaces).await
}

/// What is not found is the folder for it (as RFC 4918 §9.7.1 has it).
fn no_folder(error: ServerError) -> Trouble {
    match error {
        ServerError::Store(StoreError::NotFound { .. }) => {
            Trouble::new(StatusCode::CONFLICT, "the folder above it is not there")
        }
        error => error.into(),
    }
}

/// Takes in all that comes as the whole file, or the rest of it.
pub(super) async fn whole(
    request: &mut Request,
    mut arriving: Arriving,
    visitor: &Visitor,
    place: &Place,
    replaces: bool,
) -> Answered {
    let poured = arriving.pour(request.awaited(), None, |_| {}).await;
    let offset = arriving.offset();
    match poured {
        Poured::Whole => match arriving.settle(DataEnd::Clean, "it is not whole").await? {
            Settled::Published(_) => Ok(finished(visitor, place, replaces, offset).await),
            // It did not come to be what it should; how far it is helps.
            Settled::Kept { at, .. } => {
                Err(Trouble::new(StatusCode::CONFLICT, "it is not whole").with(UPLOAD_OFFSET, at.into()))
            }
        },
        poured => Err(Box::pin(unwell(poured, arriving)).await),
    }
}

/// Refuses content in a coding that a file would then be stored in.
pub(super) fn as_it_comes(request: &Request) -> Result<(), Trouble> {
    if !request.fields.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    let words = "files are stored as they come: no Content-Encoding";
    Err(Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words)
        .with(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

/// What did not come whole is kept; what to tell.
pub(super) async fn unwell(poured: Poured, arriving: Arriving) -> Trouble {
    let (trouble, why) = match poured {
        Poured::Whole => {
            let words = "there was less than was told";
            (Trouble::new(StatusCode::BAD_REQUEST, words), words.to_owned())
        }
        Poured::TooMuch => {
            let words = "there was more than was told";
            (Trouble::new(StatusCode::BAD_REQUEST, words), words.to_owned())
        }
        Poured::Cut(cut) => (Trouble::from(cut.clone()), cut.0),
        Poured::Failed(error) if is_fenced(&error) => return error.into(),
        Poured::Failed(error) => {
            let kept = arriving.settle(DataEnd::Unclean, &error.to_string()).await;
            return failed(error, &kept);
        }
    };
    match arriving.settle(DataEnd::Unclean, &why).await {
        Ok(Settled::Kept { at, .. }) => trouble.with(UPLOAD_OFFSET, at.into()).and("offset", at),
        Ok(Settled::Published(_)) => trouble,
        Err(error) => error.into(),
    }
}

/// A failure here, with how far it is.
pub(super) fn failed(error: ServerError, kept: &Result<Settled, ServerError>) -> Trouble {
    let trouble = Trouble::from(error);
    match kept {
        Ok(Settled::Kept { at, .. }) => trouble.with(UPLOAD_OFFSET, (*at).into()).and("offset", *at),
        Ok(Settled::Published(_)) | Err(_) => trouble,
    }
}

/// An upload of which there is nothing to tell.
pub(super) fn gone(named: &Named) -> Trouble {
    match named {
        Named::Gone => {
            Trouble::new(StatusCode::GONE, "another upload has taken its place, or it was given up")
        }
        Named::Unfinished(_) | Named::Published(_) | Named::Unknown => {
            Trouble::new(StatusCode::NOT_FOUND, "there is no such upload")
        }
    }
}

/// Whether a folder has this name.
pub(super) async fn is_folder(visitor: &Visitor, path: &TreePath) -> Result<bool, Trouble> {
    Ok(kind(visitor, path).await?.is_some_and(|kind| kind == Kind::Folder))
}

/// What has this name.
pub(super) async fn kind(visitor: &Visitor, path: &TreePath) -> Result<Option<Kind>, Trouble> {
    match visitor.published(path).await {
        Ok(meta) => Ok(Some(meta.kind)),
        Err(ServerError::Store(StoreError::NotFound { .. } | StoreError::NotAFolder { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a request's conditions ask of the file that is there, and whether there is one.
pub(super) async fn condition(
    request: &Request,
    visitor: &Visitor,
    place: &Place,
) -> Result<(Condition, bool), Trouble> {
    const CONDITIONS: [HeaderName; 4] =
        [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE, header::IF_MODIFIED_SINCE];
    let exists = match kind(visitor, &place.path).await? {
        Some(Kind::Folder) => return Err(Trouble::new(StatusCode::CONFLICT, "a folder has that name")),
        Some(Kind::File) => true,
        None => false,
    };
    if !CONDITIONS.iter().any(|name| request.fields.contains_key(name)) {
        return Ok((Condition::Any, exists));
    }
    let reading = if exists { Some(visitor.open_to_compare(&place.path).await?) } else { None };
    let current = reading.as_ref().map(file::current);
    match conditional::evaluate(&request.method, &request.fields, current.as_ref(), SystemTime::now()) {
        Verdict::Proceed => {}
        Verdict::NotModified | Verdict::Failed => {
            return Err(Trouble::new(StatusCode::PRECONDITION_FAILED, "the condition does not hold"));
        }
    }
    // It must still hold when the file takes its name.
    Ok((reading.map_or(Condition::Absent, |reading| Condition::Same(reading.meta)), exists))
}

/// What is told of a file that is there now.
pub(super) async fn finished(visitor: &Visitor, place: &Place, replaced: bool, size: u64) -> Answer {
    let answer = if replaced {
        Answer::new(StatusCode::NO_CONTENT)
    } else {
        Answer::new(StatusCode::CREATED).told(header::LOCATION, href(&place.path, false))
    };
    let answer = answer.with(UPLOAD_OFFSET, size.into());
    // Whoever may not read hears no more of it.
    match visitor.open(&place.path).await {
        Ok(reading) => file::about(answer, &file::current(&reading), SystemTime::now()),
        Err(_) => answer,
    }
}
