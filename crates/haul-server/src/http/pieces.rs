//! PUT with Content-Range: a piece of a file at its place, and the question how far it is (RFC 9110 §14.5, and Google's
//! 308). The end of a file whose size was not known is told by the question, too.

use std::sync::Arc;

use haul_proto::http::{
    put_range::{PutRange, goes_on_at},
    upload_field::UPLOAD_OFFSET,
};
use http::StatusCode;

use super::{
    answer::Answer,
    place::Place,
    put,
    receive::{Arriving, Poured},
    request::{Client, Request},
    trouble::{Answered, Trouble},
    upload::{Note, Protocol},
};
use crate::{
    ServerError,
    depot::{Announced, Condition, DataEnd, Order, Settled, Visitor, Wish},
};

/// Receives a piece, or tells how far the file is.
pub(super) async fn put(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    place: &Place,
    said: PutRange,
    condition: Condition,
) -> Answered {
    let pending = visitor.pending(&place.path).await?;
    let replaces = !matches!(condition, Condition::Absent) && visitor.published(&place.path).await.is_ok();
    let (start, bytes, ends) = match said {
        PutRange::Piece { range, .. } => (range.start(), range.len(), said.ends()),
        PutRange::Query { total } => {
            let offset = pending.as_ref().map(|pending| pending.offset);
            match (offset, total) {
                // Nothing is missing: this is how its end is told.
                (Some(offset), Some(total)) if offset == total => (offset, 0, true),
                (None, Some(0)) if !replaces => (0, 0, true),
                (offset, total) => return told(visitor, place, offset, total).await,
            }
        }
    };
    let note = pending.is_none().then(|| Note::of(Protocol::Put).kept());
    let order = Order {
        announced: said.total().map_or(Announced::Nothing, Announced::Whole),
        condition,
        note,
        ..Order::new(if start == 0 { Wish::Anew } else { Wish::From(start) })
    };
    let receiving = match visitor.begin(&place.path, order).await {
        Err(ServerError::PastEnd { end }) => {
            let words = format!("that would leave a hole: it goes on at {end}");
            return Err(Trouble::new(StatusCode::CONFLICT, words)
                .and("offset", end)
                .with_all(goes_on_at(end).into_iter().collect()));
        }
        begun => begun?,
    };
    let mut arriving = Arriving::new(client, visitor, &place.path, receiving);
    let poured = arriving.pour(&mut request.content, Some(bytes), |_| {}).await;
    let came = arriving.offset() - start;
    match poured {
        Poured::Whole if came == bytes && ends => {
            match arriving.settle(DataEnd::Clean, "it is not whole").await? {
                Settled::Published(meta) => Ok(put::finished(visitor, place, replaces, meta.size).await),
                Settled::Kept { at, .. } => Ok(goes_on(at)),
            }
        }
        Poured::Whole if came == bytes => match arriving.keep().await? {
            Settled::Published(meta) => Ok(put::finished(visitor, place, replaces, meta.size).await),
            Settled::Kept { at, .. } => Ok(goes_on(at)),
        },
        poured => Err(put::unwell(poured, arriving).await),
    }
}

/// How far it is: of what is unfinished, or else of what is there whole.
async fn told(visitor: &Visitor, place: &Place, offset: Option<u64>, total: Option<u64>) -> Answered {
    if let Some(offset) = offset {
        return Ok(goes_on(offset));
    }
    match visitor.published(&place.path).await {
        // Its last answer was lost.
        Ok(meta) if Some(meta.size) == total => {
            Ok(Answer::new(StatusCode::OK).with(UPLOAD_OFFSET, meta.size.into()))
        }
        Ok(_) | Err(_) => Ok(goes_on(0)),
    }
}

fn goes_on(offset: u64) -> Answer {
    Answer::new(StatusCode::PERMANENT_REDIRECT).with_all(goes_on_at(offset))
}
