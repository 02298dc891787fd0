//! The IETF's resumable uploads (draft-ietf-httpbis-resumable-upload), interop versions 3 to 9.

use std::sync::Arc;

use haul_proto::http::upload_draft::Creation;
use http::StatusCode;

use super::{
    super::{
        place::Place,
        request::{Client, Request},
        trouble::{Answered, Trouble},
    },
    Resource,
};
use crate::depot::Visitor;

/// What a request begins, where it begins an upload of this dialect.
pub(in super::super) fn creation(request: &Request) -> Result<Option<Creation>, Trouble> {
    let _ = request;
    Ok(None)
}

/// Begins one.
pub(in super::super) async fn create(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    place: &Place,
    creation: Creation,
) -> Answered {
    let _ = (client, request, visitor, place, creation);
    Err(Trouble::new(StatusCode::NOT_IMPLEMENTED, "not yet"))
}

/// A request to an upload.
pub(in super::super) async fn at_upload(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    resource: &Resource,
) -> Answered {
    let _ = (client, request, visitor, resource);
    Err(Trouble::new(StatusCode::NOT_IMPLEMENTED, "not yet"))
}
