//! tus 1.0.0, with creation, creation-with-upload, creation-defer-length, expiration, checksum, termination and
//! concatenation.

use std::sync::Arc;

use haul_core::TreePath;
use http::StatusCode;

use super::{
    super::{
        request::{Client, Request},
        trouble::{Answered, Trouble},
    },
    Resource,
};
use crate::depot::Visitor;

/// Where uploads are created.
pub(in super::super) const PATH: &str = "/-/tus";

/// A request to where uploads are created: to `/-/tus`, or to a folder.
pub(in super::super) async fn at_folder(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    folder: &TreePath,
) -> Answered {
    let _ = (client, request, visitor, folder);
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
