//! PATCH: more of an upload.

use std::sync::Arc;

use haul_proto::http::{
    tus::{Patch, Refusal, reply},
    upload_state::UploadState,
};
use http::StatusCode;

use super::{
    super::{
        super::{
            answer::Answer,
            put,
            receive::{self, Arriving},
            request::{Client, Request},
            trouble::Answered,
        },
        Resource, state,
    },
    is_final, note, refused,
    take::{expires, take},
};
use crate::{
    ServerError,
    depot::{Announced, Named, Older, Order, Visitor, Wish},
    metrics::Dialect,
};

/// Takes in more of an upload.
pub(super) async fn patch(
    client: &Arc<Client>,
    request: &mut Request,
    owner: &Visitor,
    resource: &Resource,
    asked: Patch,
) -> Answered {
    let named = owner.named(&resource.path, &resource.id).await?;
    // What is being put together is not disturbed in it.
    if is_final(&note(owner, resource, &named)?) {
        return Err(refused(&Refusal::Final));
    }
    // The newest request is the one whose client lives.
    let named = owner.named_alone(&resource.path, &resource.id).await?;
    let state = state(&named).ok_or_else(|| put::gone(&named))?;
    let length = asked.against(state).map_err(|refusal| refused(&refusal))?;
    if let Named::Published(length) = named {
        // Its last answer was lost.
        return if request.content.is_empty() {
            Ok(answered(owner, state))
        } else {
            Err(refused(&Refusal::PastEnd { length }))
        };
    }
    let order = Order {
        announced: length.map_or(Announced::Nothing, Announced::Whole),
        older: Older::Goes,
        of: Some(resource.id.clone()),
        ..Order::new(Wish::From(asked.offset))
    };
    let receiving = match receive::begin(client, owner, &resource.path, order, Dialect::Tus).await {
        // Another request was faster.
        Err(ServerError::PastEnd { end }) => {
            return Err(refused(&Refusal::Offset { expected: end, provided: asked.offset }));
        }
        begun => begun?,
    };
    let arriving = Arriving::new(client, owner, &resource.path, receiving, Dialect::Tus);
    let state = take(request.awaited(), arriving, length, asked.checksum).await?;
    Ok(answered(owner, state))
}

fn answered(owner: &Visitor, state: UploadState) -> Answer {
    Answer::new(StatusCode::NO_CONTENT).with_all(reply::patched(state, expires(owner)))
}
