//! PUT with Content-Range: a piece of a file at its place, and the question how far it is (RFC 9110 §14.5, and Google's
//! 308). The end of a file whose size was not known is told by the question, too.

use std::sync::Arc;

use haul_proto::http::{
    put_range::{PutRange, goes_on_at},
    upload_field::UPLOAD_OFFSET,
};
use haul_store::StoreError;
use http::StatusCode;

use super::{
    answer::Answer,
    place::Place,
    put,
    receive::{self, Arriving, Poured},
    request::{Client, Request},
    trouble::{Answered, Trouble},
    upload::{Note, Protocol},
};
use crate::{
    ServerError,
    depot::{Announced, Condition, DataEnd, Order, Pending, Receiving, Settled, Visitor, Wish},
    metrics::{Dialect, Reason},
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
                // Another size is another file.
                _ if contradicts(pending.as_ref(), total) => return Ok(goes_on(0)),
                // Nothing is missing: this is how its end is told.
                (Some(offset), Some(total)) if offset == total => (offset, 0, true),
                (None, Some(0)) if !replaces => (0, 0, true),
                (offset, total) => return told(visitor, place, offset, total).await,
            }
        }
    };
    if start > 0 && contradicts(pending.as_ref(), said.total()) {
        let words = "another size was told of what is unfinished there: begin anew";
        return Err(Trouble::new(StatusCode::CONFLICT, words)
            .because(Reason::BadOffset)
            .with_all(goes_on_at(0).into_iter().collect()));
    }
    // The size may have been told before, or by another dialect.
    let declared = said.total().or(pending.as_ref().filter(|_| start > 0).and_then(|it| it.declared));
    let ends = ends || declared == Some(start + bytes);
    let note = (start == 0 || pending.is_none()).then(|| Note::of(Protocol::Put).kept());
    let order = Order {
        announced: said.total().map_or(Announced::Nothing, Announced::Whole),
        // Only who names the version that is there goes on from it: whatever else is there may be another file.
        from_finished: matches!(condition, Condition::Same(_)),
        of: pending.as_ref().filter(|it| start > 0 && it.offset == start).map(|it| it.id.clone()),
        condition,
        note,
        ..Order::new(if start == 0 { Wish::Anew } else { Wish::From(start) })
    };
    let receiving = match begun(receive::begin(client, visitor, &place.path, order, Dialect::Put).await) {
        Err(ServerError::PastEnd { end }) => {
            let words = format!("that would leave a hole: it goes on at {end}");
            return Err(Trouble::new(StatusCode::CONFLICT, words)
                .because(Reason::BadOffset)
                .and("offset", end)
                .with_all(goes_on_at(end).into_iter().collect()));
        }
        begun => begun?,
    };
    let mut arriving = Arriving::new(client, visitor, &place.path, receiving, Dialect::Put);
    let poured = arriving.pour(request.awaited(), Some(bytes), |_| {}).await;
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
        poured => Err(Box::pin(put::unwell(poured, arriving)).await),
    }
}

/// What was to be gone on with has gone: another one may be there, or none.
fn begun(begun: Result<Receiving, ServerError>) -> Result<Receiving, ServerError> {
    match begun {
        Err(ServerError::Store(StoreError::NotFound { .. })) => Err(ServerError::PastEnd { end: 0 }),
        begun => begun,
    }
}

/// Whether this is the size of another file than the one that is unfinished.
fn contradicts(pending: Option<&Pending>, total: Option<u64>) -> bool {
    let declared = pending.and_then(|pending| pending.declared);
    declared.zip(total).is_some_and(|(declared, total)| declared != total)
}

/// How far it is: of what is unfinished, or else of what is there whole.
async fn told(visitor: &Visitor, place: &Place, offset: Option<u64>, total: Option<u64>) -> Answered {
    if let Some(offset) = offset {
        return Ok(goes_on(offset));
    }
    match total {
        // Its last answer was lost. An older file of that size is another one.
        Some(size) if visitor.has_just_published(&place.path, size).await? => {
            Ok(Answer::new(StatusCode::OK).with(UPLOAD_OFFSET, size.into()))
        }
        Some(_) | None => Ok(goes_on(0)),
    }
}

fn goes_on(offset: u64) -> Answer {
    Answer::new(StatusCode::PERMANENT_REDIRECT).with_all(goes_on_at(offset))
}
