//! A folder as its visitor sees it: a page, or JSON for whoever would rather have that (RFC 9110 §12.5.1).
//!
//! ```text
//!   names of the depot ── listing (which, in which order) ──┬── page ──┐
//!                                                           └── json ──┴── pieces, as they are sent
//! ```
//! The page works without its script; with it files are uploaded by tus, like any other client's. What the page leans on
//! is in `asset`.

pub(super) mod asset;
mod escape;
mod json;
mod listing;
mod natural;
mod page;
mod words;

use bytes::Bytes;
use haul_proto::http::accept;
use http::{HeaderValue, StatusCode, header};
use tokio::{sync::mpsc, task::spawn_blocking};

use self::listing::{Listing, View};
use super::{
    account,
    answer::{Answer, Body},
    place::{Place, href},
    request::{Client, Request},
    trouble::{Answered, Trouble},
};
use crate::depot::Visitor;

/// What is sent at once.
const PIECE: usize = 64 << 10;
/// The query that asks for a name; its value is the place to come back to.
const LOGIN: &str = "login";

/// Shows a folder.
pub(super) async fn get(client: &Client, request: &Request, visitor: &Visitor, place: &Place) -> Answered {
    if let Some(back) = request.asked(LOGIN) {
        return signed_in(visitor, &back);
    }
    let wants_json =
        accept::wanted(&request.fields, "application/json") > accept::wanted(&request.fields, "text/html");
    // Whoever may only bring something needs no list for it.
    let listing =
        if !visitor.account().may_at(&place.path).list && visitor.may_add(&place.path) && !wants_json {
            Listing::hidden()
        } else {
            Listing::read(visitor, &place.path).await?
        };
    let view = View::asked(request);
    let (listing, view) =
        spawn_blocking(move || (listing.seen_by(&view), view)).await.map_err(|_| stopped())?;
    let view = view.of(listing.rows.len());
    let answer = Answer::new(StatusCode::OK)
        .with(header::VARY, HeaderValue::from_static("Accept, Authorization"))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(if wants_json {
        let kind = HeaderValue::from_static("application/json");
        sent(answer.with(header::CONTENT_TYPE, kind), json::pieces(place.path.clone(), listing.rows))
    } else {
        let frame = page::Frame::new(client, request, visitor, place, view);
        sent(page::fields(answer), page::pieces(frame, listing))
    })
}

fn stopped() -> Trouble {
    Trouble::new(StatusCode::SERVICE_UNAVAILABLE, "the server is being stopped")
}

/// Asks for a name, and leads back to where that was wanted. The link to it is on the root, so that browsers send the
/// credentials wherever they go in the tree (RFC 7617 §2.2).
fn signed_in(visitor: &Visitor, back: &[u8]) -> Answered {
    if visitor.account().anonymous.is_some() {
        return Err(account::challenged("a name is needed here"));
    }
    // Nowhere but to a folder of this tree.
    let back = std::str::from_utf8(back).ok().and_then(|back| Place::parse(back).ok());
    let back = back.map_or_else(|| "/".to_owned(), |back| href(&back.path, true));
    Ok(Answer::new(StatusCode::SEE_OTHER)
        .told(header::LOCATION, back)
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// The answer with these pieces: what is short at once, the rest as it is fetched.
fn sent(mut answer: Answer, pieces: impl Iterator<Item = String> + Send + 'static) -> Answer {
    let mut pieces = gathered(pieces);
    let first = pieces.next().unwrap_or_default();
    let Some(second) = pieces.next() else {
        answer.body = Body::Bytes(first);
        return answer;
    };
    let (to, made) = mpsc::channel(2);
    answer.body = Body::Made(made);
    tokio::spawn(async move {
        for piece in [first, second].into_iter().chain(pieces) {
            // Nobody waits for it any more.
            if to.send(Ok(piece)).await.is_err() {
                break;
            }
        }
    });
    answer
}

/// The same, in pieces of the size that is sent.
fn gathered(mut pieces: impl Iterator<Item = String> + Send) -> impl Iterator<Item = Bytes> + Send {
    std::iter::from_fn(move || {
        let mut gathered = pieces.next()?;
        while gathered.len() < PIECE {
            match pieces.next() {
                Some(piece) => gathered.push_str(&piece),
                None => break,
            }
        }
        Some(Bytes::from(gathered))
    })
}
