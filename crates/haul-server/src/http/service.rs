//! From a request to its answer: who may ask, where it leads, and what every answer has.

use std::{sync::Arc, time::Instant};

use haul_core::TreePath;
use haul_proto::http::{
    tus::{TUS_RESUMABLE, VERSION},
    upload_field::UPLOAD_OFFSET,
};
use http::{HeaderValue, Method, StatusCode, header};

use super::{
    about,
    account::{self, Entered},
    answer::Answer,
    change, file, folder, guard,
    place::{OWN, Place},
    put,
    request::{Client, Request},
    trouble::{Answered, Trouble},
    upload::{self, Resource, draft, list, tus},
};
use crate::{depot::Visitor, metrics::Sort};

/// The methods that places of the tree know.
pub(super) const METHODS: &str = "GET, HEAD, OPTIONS, PUT, DELETE, MKCOL, MOVE, POST, PATCH";

/// What this server is, in every answer (RFC 9110 §10.2.4): clients of haul's own rely on what it promises.
const SERVER: HeaderValue = HeaderValue::from_static(concat!("haul/", env!("CARGO_PKG_VERSION")));

/// The answer to a request. A failure is one, too.
pub(super) async fn answer(client: &Arc<Client>, request: &mut Request) -> Answer {
    let head = request.method == Method::HEAD;
    let speaks_tus = request.fields.contains_key(TUS_RESUMABLE);
    let shared = guard::shared(client, request);
    let (sort, began) = (sort(&request.method), Instant::now());
    let answered = Box::pin(serve(client, request)).await;
    let (metrics, door) = (client.house.log.metrics(), client.kind.name());
    let mut answer = answered.unwrap_or_else(|trouble| {
        // Who finds no place was counted at the door.
        if client.full.is_none() {
            metrics.refused(door, trouble.reason());
        }
        trouble.into()
    });
    metrics.answered(door, answer.status.as_u16());
    metrics.asked(door, sort, began.elapsed());
    answer.fields.insert(header::SERVER, SERVER);
    answer.fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if speaks_tus {
        // In whatever is told to a client of it, refusals too.
        answer.fields.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    }
    for (name, value) in &shared {
        answer.fields.append(name, value.clone());
    }
    if head { answer.without_body() } else { answer }
}

/// What kind of request it is, for those who count.
fn sort(method: &Method) -> Sort {
    match *method {
        Method::GET => Sort::Download,
        Method::PUT | Method::POST | Method::PATCH => Sort::Upload,
        Method::HEAD | Method::OPTIONS => Sort::Look,
        // MKCOL, MOVE, and whatever else is asked for.
        _ => Sort::Change,
    }
}

async fn serve(client: &Arc<Client>, request: &mut Request) -> Answered {
    if let Some(full) = client.full {
        return Err(full.into());
    }
    if !request.names_its_host {
        return Err(Trouble::new(StatusCode::BAD_REQUEST, "for which host is it? (Host, once)"));
    }
    guard::check(client, request)?;
    if let Some(answer) = guard::preflight(client, request) {
        return Ok(answer);
    }
    match request.method {
        // What was sent is not reflected (RFC 9110 §9.3.8), and nothing is tunnelled.
        Method::TRACE | Method::CONNECT => return Err(Trouble::method(METHODS)),
        Method::OPTIONS if request.path == "*" => return Ok(options()),
        _ => {}
    }
    if let Some(asset) = folder::asset::answer(request) {
        return asset;
    }
    if let Some(about) = about::answer(client, request).await {
        return about;
    }
    let entered = Box::pin(account::enter(client, request)).await?;
    let named = entered.named;
    let answered = within(client, request, &entered).await;
    match answered {
        // Somebody with a name might.
        Err(trouble) if trouble.status() == StatusCode::FORBIDDEN && !named => {
            Err(account::challenged("this needs a name"))
        }
        answered => answered,
    }
}

/// What somebody who was let in asks for. Uploads wait long: each kind of request has memory of its own, so that none
/// of them holds what another one would need.
async fn within(client: &Arc<Client>, request: &mut Request, entered: &Entered) -> Answered {
    let visitor = &entered.visitor;
    let speaks_tus = request.fields.contains_key(TUS_RESUMABLE);
    if request.path.starts_with(OWN) {
        return Box::pin(own(client, request, visitor, speaks_tus)).await;
    }
    let place = Place::parse(&request.path)?;
    if speaks_tus && request.method == Method::POST {
        return Box::pin(tus::at_folder(client, request, visitor, &place.path)).await;
    }
    if may_create(request)
        && let Some(creation) = draft::creation(request)?
    {
        return Box::pin(draft::create(client, request, visitor, &place, creation)).await;
    }
    match request.method.as_str() {
        "GET" | "HEAD" => Box::pin(file::get(client, request, visitor, &place)).await,
        "OPTIONS" => Ok(upload::options(request, visitor)),
        "PUT" => Box::pin(put::put(client, request, visitor, &place)).await,
        "DELETE" => Box::pin(change::delete(client, request, visitor, &place)).await,
        "MKCOL" => Box::pin(change::make_folder(client, request, visitor, &place)).await,
        "MOVE" => Box::pin(change::rename(client, request, visitor, &place)).await,
        _ => Err(Trouble::method(METHODS)),
    }
}

/// Whether a request brings content for what it names. A PATCH that tells an offset means an upload, and has the wrong
/// URL for that.
fn may_create(request: &Request) -> bool {
    match request.method {
        Method::PUT | Method::POST => true,
        Method::PATCH => !request.fields.contains_key(UPLOAD_OFFSET),
        _ => false,
    }
}

/// What lies where no file can.
async fn own(client: &Arc<Client>, request: &mut Request, visitor: &Visitor, speaks_tus: bool) -> Answered {
    match request.path.trim_end_matches('/') {
        tus::PATH => return Box::pin(tus::at_folder(client, request, visitor, &TreePath::ROOT)).await,
        list::PATH => return list::get(request, visitor).await,
        _ => {}
    }
    let path = request.path.clone();
    let resource = Resource::parse(&path).ok_or_else(Trouble::not_found)??;
    if request.method == Method::OPTIONS {
        Ok(upload::options(request, visitor))
    } else if speaks_tus {
        Box::pin(tus::at_upload(client, request, visitor, &resource)).await
    } else {
        Box::pin(draft::at_upload(client, request, visitor, &resource)).await
    }
}

fn options() -> Answer {
    Answer::new(StatusCode::NO_CONTENT).with(header::ALLOW, HeaderValue::from_static(METHODS))
}
