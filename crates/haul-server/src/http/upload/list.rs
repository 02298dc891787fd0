//! `GET /-/uploads?path=…`: the unfinished uploads of whoever asks, of one file or directly in one folder, whichever
//! protocol began them.

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    super::{
        answer::Answer,
        place::{Place, href, segment},
        put,
        request::Request,
        trouble::{Answered, Trouble},
    },
    Note, Resource, moment,
};
use crate::depot::{Pending, Visitor};

/// Where they are listed.
pub(in super::super) const PATH: &str = "/-/uploads";

/// Lists them.
pub(in super::super) async fn get(request: &Request, visitor: &Visitor) -> Answered {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(Trouble::method("GET, HEAD"));
    }
    let asked = request.asked("path").unwrap_or_default();
    // It was decoded already, and so is a path with bytes of any kind.
    let encoded: Vec<String> = asked.split(|byte| *byte == b'/').map(segment).collect();
    let place = Place::parse(&format!("/{}", encoded.join("/").trim_start_matches('/')))?;
    let pending = if place.slash || put::is_folder(visitor, &place.path).await? {
        visitor.pending_in(&place.path).await?
    } else {
        visitor.pending(&place.path).await?.into_iter().collect()
    };
    let list: Vec<Value> = pending.iter().map(told).collect();
    Ok(Answer::new(StatusCode::OK)
        .bytes("application/json", format!("{}\n", Value::Array(list)))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

fn told(pending: &Pending) -> Value {
    let resource = Resource { id: pending.id.clone(), path: pending.path.clone(), part: false };
    let age = moment(pending.touched).and_then(|touched| touched.elapsed().ok()).unwrap_or_default();
    json!({
        "url": resource.url(),
        "path": href(&pending.path, false),
        "offset": pending.offset,
        "size": pending.declared,
        "protocol": Note::read(&pending.note).protocol.name(),
        "age": age.as_secs(),
    })
}
