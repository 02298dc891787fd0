//! PUT (RFC 9110 §9.3.4): a whole file, which is there when all of it is; a piece of one by Content-Range (§14.5); and
//! the question how far it is. What is cut off stays unfinished, and is gone on with from there.

use std::{sync::Arc, time::SystemTime};

use haul_proto::http::conditional::{self, Verdict};
use haul_store::{Kind, StoreError};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    answer::Answer,
    file,
    place::{Place, href},
    receive::{Arriving, Poured},
    request::{Client, Request},
    trouble::{Answered, Trouble},
};
use crate::{
    ServerError,
    depot::{Announced, Condition, DataEnd, Order, Settled, Visitor, Wish},
};

/// How far an upload is.
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// Receives a file.
pub(super) async fn put(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    place: &Place,
) -> Answered {
    if place.slash {
        return Err(Trouble::new(
            StatusCode::CONFLICT,
            "a file's name does not end in a slash (MKCOL makes folders)",
        ));
    }
    if request.fields.contains_key(header::CONTENT_ENCODING) {
        let words = "files are stored as they come: no Content-Encoding";
        return Err(Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words)
            .with(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let (condition, there) = condition(request, visitor, place).await?;
    let length = request.length();
    let order = Order {
        announced: length.map_or(Announced::Nothing, Announced::Whole),
        condition,
        ..Order::new(Wish::Anew)
    };
    let receiving = visitor.begin(&place.path, order).await?;
    let mut arriving = Arriving::new(client, visitor, &place.path, receiving);
    let poured = arriving.pour(&mut request.content, None, |_| {}).await;
    let offset = arriving.offset();
    match poured {
        Poured::Whole => {
            let settled = arriving.settle(DataEnd::Clean, "it is not whole").await?;
            finished(visitor, place, settled, there, offset).await
        }
        Poured::Cut(cut) => {
            arriving.settle(DataEnd::Unclean, &cut.0).await?;
            Err(cut.into())
        }
        Poured::TooMuch => {
            arriving.settle(DataEnd::Unclean, "there was more than was told").await?;
            Err(Trouble::new(StatusCode::BAD_REQUEST, "there was more than was told"))
        }
        Poured::Failed(error) => {
            let kept = arriving.settle(DataEnd::Unclean, &error.to_string()).await;
            Err(failed(error, kept))
        }
    }
}

/// A failure here, with how far it is.
pub(super) fn failed(error: ServerError, kept: Result<Settled, ServerError>) -> Trouble {
    let trouble = Trouble::from(error);
    match kept {
        Ok(Settled::Kept { at, .. }) => trouble.with(UPLOAD_OFFSET, at.into()).and("offset", at),
        Ok(Settled::Published(_)) | Err(_) => trouble,
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
    let there = match visitor.published(&place.path).await {
        Ok(meta) => Some(meta),
        Err(ServerError::Store(StoreError::NotFound { .. } | StoreError::NotAFolder { .. })) => None,
        Err(error) => return Err(error.into()),
    };
    if there.as_ref().is_some_and(|meta| meta.kind == Kind::Folder) {
        return Err(Trouble::new(StatusCode::CONFLICT, "a folder has that name"));
    }
    let exists = there.is_some();
    if !CONDITIONS.iter().any(|name| request.fields.contains_key(name)) {
        return Ok((Condition::Any, exists));
    }
    let reading = if exists { Some(visitor.open(&place.path).await?) } else { None };
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
pub(super) async fn finished(
    visitor: &Visitor,
    place: &Place,
    settled: Settled,
    replaced: bool,
    offset: u64,
) -> Answered {
    if let Settled::Kept { at, .. } = settled {
        // It did not come to be what it should; how far it is helps.
        return Err(Trouble::new(StatusCode::CONFLICT, "it is not whole").with(UPLOAD_OFFSET, at.into()));
    }
    let answer = if replaced {
        Answer::new(StatusCode::NO_CONTENT)
    } else {
        Answer::new(StatusCode::CREATED).told(header::LOCATION, href(&place.path, false))
    };
    let answer = answer.with(UPLOAD_OFFSET, offset.into());
    // Whoever may not read hears no more of it.
    Ok(match visitor.open(&place.path).await {
        Ok(reading) => file::about(answer, &file::current(&reading), SystemTime::now()),
        Err(_) => answer,
    })
}
