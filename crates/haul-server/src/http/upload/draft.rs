//! The IETF's resumable uploads (draft-ietf-httpbis-resumable-upload), interop versions 3 to 9. What fields mean, and
//! what each version has in its answers, is said by `haul_proto::http::upload_draft`.
//!
//! ```text
//!  create ── 104 Location ── bytes ──┬── Upload-Complete: ?1 ──> the file
//!                                    └── ?0, or cut ──> unfinished ── HEAD, PATCH ──┐
//!                                                           └──────── bytes ────────┘
//! ```
//! On an upload's URL the newest request ends the one before it: what it is told is where the next byte goes.

use std::sync::Arc;

use haul_proto::http::{
    disposition,
    problem::Problem,
    tus::Metadata,
    upload_draft::{self, Append, Creation, Interop, Limits, Verdict, Wrong, reply},
    upload_state::UploadState,
};
use haul_store::StoreError;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    super::{
        answer::Answer,
        place::Place,
        put,
        receive::{self, Arriving, Poured, is_fenced},
        request::{Client, Request},
        trouble::{Answered, Trouble},
    },
    Note, Protocol, Resource, beginning, state,
};
use crate::{
    ServerError,
    depot::{Announced, DataEnd, Named, Older, Order, Settled, Visitor, Wish},
    metrics::{Dialect, Reason},
};

/// The last version whose clients never say that an upload is complete when they sent it in several requests, and count
/// on the length that they have told (tus-js-client).
const LENGTH_COMPLETES: [Interop; 4] = [Interop::V3, Interop::V4, Interop::V5, Interop::V6];

/// What a request begins, where it begins an upload of this dialect.
pub(in super::super) fn creation(request: &Request) -> Result<Option<Creation>, Trouble> {
    upload_draft::creation(&request.method, &request.fields, request.length())
        .map_err(|wrong| refused(Interop::of(&request.fields), &wrong))
}

/// What is told of uploads beforehand.
pub(in super::super) fn limits(visitor: &Visitor) -> Limits {
    Limits { max_age: visitor.kept_for(), max_size: visitor.left(), ..Limits::default() }
}

/// Begins one.
pub(in super::super) async fn create(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    place: &Place,
    creation: Creation,
) -> Answered {
    let place = target(request, visitor, place).await?;
    put::as_it_comes(request)?;
    if request.fields.contains_key(header::CONTENT_RANGE) {
        let words = "a piece by Content-Range is no upload of this dialect";
        return Err(Trouble::new(StatusCode::BAD_REQUEST, words));
    }
    // Before anything is touched: in place a file is written where it is.
    if visitor.kept_for().is_none() && !creation.complete {
        return Err(Trouble::new(StatusCode::CONFLICT, "uploads go in place here: none is kept unfinished"));
    }
    let (condition, replaces) = put::condition(request, visitor, &place).await?;
    let metadata = request.fields.get(&haul_proto::http::tus::UPLOAD_METADATA).cloned();
    let note = Note { metadata, ..Note::of(Protocol::Draft) };
    if !note.is_small() {
        let words = "Upload-Metadata may have 8 KiB";
        return Err(Trouble::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, words));
    }
    let order = Order {
        announced: creation.length.map_or(Announced::Nothing, Announced::Whole),
        condition,
        note: Some(note.kept()),
        ..Order::new(Wish::Anew)
    };
    let receiving = receive::begin(client, visitor, &place.path, order, Dialect::Draft).await?;
    let mut arriving = Arriving::new(client, visitor, &place.path, receiving, Dialect::Draft);
    let Some(id) = arriving.name().await? else {
        return put::whole(request, arriving, visitor, &place, replaces).await;
    };
    let resource = Resource { id, path: place.path.clone(), part: false };
    let location = HeaderValue::try_from(resource.url()).map_err(|_| Trouble::not_found())?;
    if let Some(interop) = creation.interop {
        request
            .interim
            .leave(reply::announcement(interop, &location, &limits(visitor)).into_iter().collect());
    }
    let run = Run {
        interop: creation.interop,
        complete: creation.complete,
        length: creation.length,
        resource: &resource,
    };
    let state = match run.through(request, arriving).await? {
        Ran::Unfinished(state) => state,
        Ran::Published(size) => {
            let settled = UploadState::Complete { size };
            let answer = put::finished(visitor, &place, replaces, size).await;
            return Ok(answer.with_all(reply::created(
                creation.interop,
                &location,
                settled,
                &limits(visitor),
            )));
        }
    };
    let fields = reply::created(creation.interop, &location, state, &limits(visitor));
    Ok(Answer::new(StatusCode::CREATED).with_all(fields))
}

/// What a new upload becomes: the file that the URL names, or one of the name that its client gives in the folder that it
/// names.
async fn target(request: &Request, visitor: &Visitor, place: &Place) -> Result<Place, Trouble> {
    if !place.slash && !put::is_folder(visitor, &place.path).await? {
        return Ok(place.clone());
    }
    if request.method != Method::POST {
        return Err(Trouble::new(StatusCode::CONFLICT, "a folder has that name"));
    }
    let named = Metadata::of(&request.fields).ok().and_then(|data| data.get("filename").map(<[u8]>::to_vec));
    let named = named.or_else(|| disposition::of(&request.fields).map(String::into_bytes));
    let words = "which name in this folder? (Content-Disposition, or filename in Upload-Metadata)";
    let name = named.ok_or_else(|| Trouble::new(StatusCode::BAD_REQUEST, words))?;
    Place::named_in(&place.path, &name).map_err(Trouble::from)
}

/// A request to an upload.
pub(in super::super) async fn at_upload(
    client: &Arc<Client>,
    request: &mut Request,
    visitor: &Visitor,
    resource: &Resource,
) -> Answered {
    let owner = resource.owner(visitor);
    let interop = Interop::of(&request.fields);
    let asked = upload_draft::on_upload(&request.method, &request.fields, request.length());
    match asked.map_err(|wrong| refused(interop, &wrong))? {
        upload_draft::Request::Query { interop } if request.method == Method::GET => {
            beginning::get(client, request, &owner, resource, interop).await
        }
        upload_draft::Request::Query { interop } => {
            let state = known(&owner, resource).await?;
            let fields = reply::offset(interop, state, &limits(visitor));
            let digest = beginning::told_digest(client, request, &owner, resource, state.offset()).await;
            Ok(Answer::new(StatusCode::NO_CONTENT).with_all(fields).with_all(digest))
        }
        upload_draft::Request::Append(append) => more(client, request, &owner, resource, append).await,
        upload_draft::Request::Cancel { interop } => {
            known(&owner, resource).await?;
            if !owner.cancel(&resource.path, &resource.id).await? {
                return Err(Trouble::new(StatusCode::FORBIDDEN, "it is a file by now: DELETE that"));
            }
            Ok(Answer::new(StatusCode::NO_CONTENT).with_all(reply::cancelled(interop)))
        }
        upload_draft::Request::Options => {
            let fields = reply::offered(interop, &limits(visitor));
            Ok(Answer::new(StatusCode::NO_CONTENT).with_all(fields))
        }
    }
}

/// How far an upload is, once nobody receives it any more.
async fn known(owner: &Visitor, resource: &Resource) -> Result<UploadState, Trouble> {
    let named = owner.named_alone(&resource.path, &resource.id).await?;
    state(&named).ok_or_else(|| put::gone(&named))
}

/// More of it.
async fn more(
    client: &Arc<Client>,
    request: &mut Request,
    owner: &Visitor,
    resource: &Resource,
    append: Append,
) -> Answered {
    let before = known(owner, resource).await?;
    let length = match append.against(before) {
        Ok(Verdict::Take { length }) => length,
        Ok(Verdict::Already) => {
            let fields = reply::appended(append.interop, before);
            return Ok(Answer::new(StatusCode::OK).with_all(fields));
        }
        Err(problem) => return Err(told(append.interop, &problem, before.offset())),
    };
    let order = Order {
        announced: length.map_or(Announced::Nothing, Announced::Whole),
        older: Older::Goes,
        of: Some(resource.id.clone()),
        ..Order::new(Wish::From(append.offset))
    };
    let receiving = match receive::begin(client, owner, &resource.path, order, Dialect::Draft).await {
        // Another request was faster.
        Err(ServerError::PastEnd { end }) => {
            let problem = upload_draft::Problem::MismatchingOffset { expected: end, provided: append.offset };
            return Err(told(append.interop, &problem, end));
        }
        Err(ServerError::Store(StoreError::NotFound { .. })) => return Err(put::gone(&Named::Gone)),
        begun => begun?,
    };
    let arriving = Arriving::new(client, owner, &resource.path, receiving, Dialect::Draft);
    let run = Run { interop: append.interop, complete: append.complete, length, resource };
    match run.through(request, arriving).await? {
        Ran::Unfinished(state) => {
            let status = reply::appended_status(append.interop);
            Ok(Answer::new(status).with_all(reply::appended(append.interop, state)))
        }
        Ran::Published(size) => {
            let place = Place { path: resource.path.clone(), slash: false };
            let state = UploadState::Complete { size };
            let answer = put::finished(owner, &place, true, size).await;
            Ok(answer.with_all(reply::appended(append.interop, state)))
        }
    }
}

/// One request's content on its way into an upload.
struct Run<'a> {
    interop: Option<Interop>,
    complete: bool,
    length: Option<u64>,
    resource: &'a Resource,
}

/// What came of it.
enum Ran {
    Unfinished(UploadState),
    Published(u64),
}

impl Run<'_> {
    async fn through(&self, request: &mut Request, mut arriving: Arriving) -> Result<Ran, Trouble> {
        let start = arriving.offset();
        let (interim, interop) = (request.interim.clone(), self.interop);
        let mut last = start;
        let most = self.length.map(|length| length.saturating_sub(start));
        let poured = arriving.pour(request.awaited(), most, |safe| {
            if safe > last
                && let Some(fields) = interop.and_then(|interop| reply::progress(interop, safe))
            {
                last = safe;
                interim.leave(fields.into_iter().collect::<HeaderMap>());
            }
        });
        let poured = poured.await;
        let end = arriving.offset();
        match poured {
            Poured::Whole => self.whole(arriving, end).await,
            Poured::Cut(cut) => {
                arriving.settle(DataEnd::Unclean, &cut.0).await?;
                Err(cut.into())
            }
            Poured::TooMuch => {
                let at = match arriving.keep().await? {
                    Settled::Kept { at, .. } => at,
                    Settled::Published(meta) => meta.size,
                };
                Err(told(interop, &upload_draft::Problem::InconsistentLength, at))
            }
            Poured::Failed(error) if is_fenced(&error) => Err(error.into()),
            Poured::Failed(error) => {
                let kept = arriving.settle(DataEnd::Unclean, &error.to_string()).await;
                Err(put::failed(error, &kept))
            }
        }
    }

    /// The content came as it should.
    async fn whole(&self, arriving: Arriving, end: u64) -> Result<Ran, Trouble> {
        let reached = self.length == Some(end);
        let by_length = reached && self.interop.is_some_and(|interop| LENGTH_COMPLETES.contains(&interop));
        let ends = (self.complete || by_length) && !self.resource.part;
        let settled = if ends {
            arriving.settle(DataEnd::Clean, "it is not whole").await?
        } else {
            arriving.keep().await?
        };
        match settled {
            Settled::Published(meta) => Ok(Ran::Published(meta.size)),
            // Its client takes any success for the end.
            Settled::Kept { at, .. } if ends => {
                Err(told(self.interop, &upload_draft::Problem::InconsistentLength, at))
            }
            Settled::Kept { at, .. } => {
                Ok(Ran::Unfinished(UploadState::Unfinished { offset: at, length: self.length }))
            }
        }
    }
}

/// A request that is wrong in itself.
fn refused(interop: Option<Interop>, wrong: &Wrong) -> Trouble {
    let status = StatusCode::from_u16(wrong.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let problem = match wrong.problem() {
        Some(problem) => Problem::new(problem.type_uri(), problem.title(), status),
        None => Problem::of(status),
    };
    Trouble::from(problem.detail(wrong.to_string()))
        .with_all(reply::refused(interop, wrong).into_iter().collect())
}

/// A request that does not fit the upload.
fn told(interop: Option<Interop>, problem: &upload_draft::Problem, offset: u64) -> Trouble {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::CONFLICT);
    let mut told = Problem::new(problem.type_uri(), problem.title(), status);
    for (name, value) in problem.members() {
        told = told.member(name, value);
    }
    Trouble::from(told)
        .because(Reason::BadOffset)
        .with_all(reply::problem(interop, problem, offset).into_iter().collect())
}
