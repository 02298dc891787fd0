//! A folder as its visitor sees it: a page, or JSON for whoever prefers that (`Accept: application/json`).

use haul_proto::http::date;
use haul_store::Kind;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    place::{Place, href},
    request::{Client, Request},
    trouble::{Answered, Trouble},
};
use crate::depot::{Seen, Visitor};

/// A folder with more names than that is not shown as a page or a list at once.
const MOST: usize = 100_000;

/// One name in a folder.
pub(super) struct Row {
    pub(super) name: Vec<u8>,
    pub(super) seen: Seen,
}

/// Shows a folder.
pub(super) async fn get(client: &Client, request: &Request, visitor: &Visitor, place: &Place) -> Answered {
    let _ = client;
    let mut names = visitor.list(&place.path).await?;
    let mut rows = Vec::new();
    loop {
        let page = names.next().await?;
        if page.is_empty() {
            break;
        }
        rows.extend(page.into_iter().map(|(name, seen)| Row { name, seen }));
        if rows.len() > MOST {
            let words = format!("there are over {MOST} names in it: FTP lists them");
            return Err(Trouble::new(StatusCode::INSUFFICIENT_STORAGE, words));
        }
    }
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    let answer = Answer::new(StatusCode::OK);
    let answer = if wants_json(request) {
        answer.bytes("application/json", json(place, &rows))
    } else {
        answer.bytes("text/html; charset=utf-8", page(place, &rows))
    };
    let _ = Method::GET;
    Ok(answer
        .with(header::VARY, HeaderValue::from_static("Accept"))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// Whether JSON is named, and a page is not.
fn wants_json(request: &Request) -> bool {
    let accepted = request.field(&header::ACCEPT).unwrap_or_default();
    accepted.contains("application/json") && !accepted.contains("text/html")
}

fn json(place: &Place, rows: &[Row]) -> String {
    let entries: Vec<Value> = rows
        .iter()
        .map(|Row { name, seen }| {
            let folder = seen.meta.kind == Kind::Folder;
            let path = place.path.join(name).map(|path| href(&path, folder)).unwrap_or_default();
            json!({
                "name": String::from_utf8_lossy(name),
                "href": path,
                "type": if folder { "folder" } else { "file" },
                "size": if folder { Value::Null } else { seen.meta.size.into() },
                "modified": date::http_date(haul_core::Modified { nanos: 0, ..seen.meta.modified }),
                "unfinished": seen.unfinished,
            })
        })
        .collect();
    let path = href(&place.path, true);
    format!("{}\n", json!({ "path": path, "entries": entries }))
}

fn page(place: &Place, rows: &[Row]) -> String {
    let mut html = String::from("<!doctype html><meta charset=utf-8><title>haul</title><ul>");
    for Row { name, seen } in rows {
        let folder = seen.meta.kind == Kind::Folder;
        let path = place.path.join(name).map(|path| href(&path, folder)).unwrap_or_default();
        let shown = String::from_utf8_lossy(name).replace('&', "&amp;").replace('<', "&lt;");
        html.push_str(&format!("<li><a href=\"{path}\">{shown}</a>"));
    }
    html.push_str("</ul>");
    html
}
