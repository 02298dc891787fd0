//! What changes names: DELETE (RFC 9110 §9.3.5), MKCOL and MOVE (RFC 4918 §9.3, §9.9), with the conditions of RFC 9110.

use std::sync::Arc;

use haul_core::TreePath;
use haul_store::{Kind, StoreError};
use http::{HeaderName, StatusCode, header};

use super::{
    answer::Answer,
    place::{OWN, Place, href},
    put,
    request::{Client, Request},
    trouble::{Answered, Trouble},
};
use crate::{
    ServerError,
    depot::{Condition, Visitor},
    log::{Change, Event},
};

const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

/// Removes a file, an unfinished upload that has its place, or an empty folder.
pub(super) async fn delete(
    client: &Arc<Client>,
    request: &Request,
    visitor: &Visitor,
    place: &Place,
) -> Answered {
    let kind = put::kind(visitor, &place.path).await?;
    // Where nothing is, no condition counts (RFC 9110 §13.2.1).
    if kind.is_none() && visitor.pending(&place.path).await?.is_none() {
        return Err(Trouble::not_found());
    }
    let condition = check(request, visitor, place).await?;
    let what = match kind {
        Some(Kind::Folder) => {
            visitor.remove_folder(&place.path).await?;
            Change::FolderRemoved
        }
        Some(Kind::File) if place.slash => return Err(Trouble::not_found()),
        Some(Kind::File) | None => {
            visitor.remove_published(&place.path, &condition).await?;
            Change::Removed
        }
    };
    written(client, visitor, what, &place.path, None);
    Ok(Answer::new(StatusCode::NO_CONTENT))
}

/// Makes a folder.
pub(super) async fn make_folder(
    client: &Arc<Client>,
    request: &Request,
    visitor: &Visitor,
    place: &Place,
) -> Answered {
    if !request.content.is_empty() {
        return Err(Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "nothing is known to be put into it"));
    }
    if put::kind(visitor, &place.path).await?.is_some() {
        return Err(Trouble::method("GET, HEAD, OPTIONS, PUT, DELETE, MOVE, POST"));
    }
    check(request, visitor, place).await?;
    match visitor.make_folder(&place.path).await {
        // RFC 4918 §9.3.1: there is no folder for it.
        Err(ServerError::Store(StoreError::NotFound { .. } | StoreError::NotAFolder { .. })) => {
            return Err(Trouble::new(StatusCode::CONFLICT, "the folder above it is not there"));
        }
        made => made?,
    }
    written(client, visitor, Change::FolderMade, &place.path, None);
    Ok(Answer::new(StatusCode::CREATED).told(header::LOCATION, href(&place.path, true)))
}

/// Renames a file or folder.
pub(super) async fn rename(
    client: &Arc<Client>,
    request: &Request,
    visitor: &Visitor,
    place: &Place,
) -> Answered {
    let to = destination(request)?;
    let Some(moved) = put::kind(visitor, &place.path).await? else { return Err(Trouble::not_found()) };
    let condition = check(request, visitor, place).await?;
    if to.path == place.path {
        return Err(Trouble::new(StatusCode::FORBIDDEN, "it is called that already"));
    }
    let there = put::kind(visitor, &to.path).await?;
    let overwrite = !request.field(&OVERWRITE).is_some_and(|value| value.eq_ignore_ascii_case("F"));
    if there.is_some() && !overwrite {
        return Err(Trouble::new(StatusCode::PRECONDITION_FAILED, "something has that name already"));
    }
    match visitor.rename_published(&place.path, &to.path, &condition, overwrite).await {
        Err(ServerError::Store(StoreError::Exists { .. })) if !overwrite => {
            return Err(Trouble::new(StatusCode::PRECONDITION_FAILED, "something has that name already"));
        }
        Err(ServerError::Store(StoreError::NotFound { .. } | StoreError::NotAFolder { .. })) => {
            return Err(Trouble::new(StatusCode::CONFLICT, "the folder that it is to move to is not there"));
        }
        Err(ServerError::Store(StoreError::Exists { .. })) => {
            return Err(Trouble::new(StatusCode::CONFLICT, "a folder has that name"));
        }
        renamed => renamed?,
    }
    written(client, visitor, Change::Renamed, &place.path, Some(&to.path));
    Ok(match there {
        Some(_) => Answer::new(StatusCode::NO_CONTENT),
        None => {
            let location = href(&to.path, moved == Kind::Folder);
            Answer::new(StatusCode::CREATED).told(header::LOCATION, location)
        }
    })
}

/// Where it is to go: a URL of this server, or a path.
fn destination(request: &Request) -> Result<Place, Trouble> {
    let bad = |why: &str| Trouble::new(StatusCode::BAD_REQUEST, why);
    let value = request.field(&DESTINATION).ok_or_else(|| bad("where to? (Destination)"))?;
    let uri: http::Uri = value.parse().map_err(|_| bad("the Destination is no URL"))?;
    if let Some(authority) = uri.authority() {
        let own = request.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(authority.as_str()));
        if !own {
            let words = "nothing can be moved to another server";
            return Err(Trouble::new(StatusCode::BAD_GATEWAY, words));
        }
    }
    if uri.path().starts_with(OWN) {
        return Err(Trouble::new(StatusCode::FORBIDDEN, "that place is the server's own"));
    }
    Ok(Place::parse(uri.path())?)
}

/// What the request's conditions ask of what is there; they hold now.
async fn check(request: &Request, visitor: &Visitor, place: &Place) -> Result<Condition, Trouble> {
    match put::condition(request, visitor, place).await {
        Ok((condition, _)) => Ok(condition),
        // A folder is there, and has no version.
        Err(trouble) if trouble.status() == StatusCode::CONFLICT => {
            let names = |name: &HeaderName| request.fields.get_all(name).iter().any(|value| value != "*");
            let any = request.field(&header::IF_NONE_MATCH).is_some_and(|value| value.trim() == "*");
            if names(&header::IF_MATCH) || any {
                let words = "the condition does not hold";
                return Err(Trouble::new(StatusCode::PRECONDITION_FAILED, words));
            }
            Ok(Condition::Any)
        }
        Err(trouble) => Err(trouble),
    }
}

fn written(client: &Client, visitor: &Visitor, what: Change, path: &TreePath, to: Option<&TreePath>) {
    let (session, user) = (client.place.number(), visitor.account().name.clone());
    let (door, address) = (client.kind.name(), client.peer.ip());
    let (path, to) = (visitor.whole(path), to.map(|to| visitor.whole(to)));
    client.house.log.tell(Event::Changed { session, door, user, address, what, path, to });
}
