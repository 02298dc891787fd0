//! Requests of the draft, read from their method and fields (§4.2 to §4.5).
//!
//! Where a request says nothing of its version, both fields for completeness are read: an Upload-Incomplete that went
//! unnoticed would make a part the whole. Where both are there they must agree.

use http::{HeaderMap, Method, header::HeaderName};

use super::{Append, Interop, PARTIAL_UPLOAD, UPLOAD_COMPLETE, UPLOAD_INCOMPLETE, Wrong, item};
use crate::http::{
    content_type,
    field::Single,
    upload_field::{UPLOAD_LENGTH, UPLOAD_OFFSET},
};

/// A request that begins an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Creation {
    /// Whether the request's content ends with the upload's last byte.
    pub complete: bool,
    /// How many bytes the whole has, where the request tells it in one way or another.
    pub length: Option<u64>,
    /// The version of the draft that the client speaks, where it is a known one; without it there is no 104.
    pub interop: Option<Interop>,
}

/// A request for the URL of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// How far is it?
    Query {
        /// The client's version.
        interop: Option<Interop>,
    },
    /// More of it.
    Append(Append),
    /// It is not wanted any more.
    Cancel {
        /// The client's version.
        interop: Option<Interop>,
    },
    /// What may be done here?
    Options,
}

/// A request for something that is no upload's URL: `None` where it does not begin an upload of this dialect.
///
/// `content` is the length of the request's content, where that is known before it comes (0 where there is none).
/// A request without Upload-Complete is none of this dialect, and neither is one by a method that brings nothing.
pub fn creation(
    method: &Method,
    headers: &HeaderMap,
    content: Option<u64>,
) -> Result<Option<Creation>, Wrong> {
    let brings_nothing =
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE, Method::TRACE, Method::CONNECT];
    if brings_nothing.contains(method) {
        return Ok(None);
    }
    let Some(complete) = completeness(headers)? else { return Ok(None) };
    // Whoever means to go on with an upload has come to the wrong place; its bytes are not those of a beginning.
    if integer(headers, &UPLOAD_OFFSET, "Upload-Offset")?.unwrap_or(0) != 0 {
        return Err(Wrong::Unexpected("Upload-Offset"));
    }
    let length = length(headers, 0, complete, content)?;
    Ok(Some(Creation { complete, length, interop: Interop::of(headers) }))
}

/// A request for the URL of an upload. `content` is as for [`creation`].
pub fn on_upload(method: &Method, headers: &HeaderMap, content: Option<u64>) -> Result<Request, Wrong> {
    let interop = Interop::of(headers);
    match *method {
        Method::HEAD | Method::GET => {
            says_nothing(headers, interop)?;
            Ok(Request::Query { interop })
        }
        Method::DELETE => {
            says_nothing(headers, interop)?;
            Ok(Request::Cancel { interop })
        }
        Method::PATCH => append(headers, content, interop).map(Request::Append),
        Method::OPTIONS => Ok(Request::Options),
        _ => Err(Wrong::Method),
    }
}

fn append(headers: &HeaderMap, content: Option<u64>, interop: Option<Interop>) -> Result<Append, Wrong> {
    let needs_media_type = interop.is_none_or(Interop::needs_media_type);
    if needs_media_type && !content_type::is(headers, PARTIAL_UPLOAD) {
        return Err(Wrong::MediaType);
    }
    let offset = integer(headers, &UPLOAD_OFFSET, "Upload-Offset")?.ok_or(Wrong::Missing("Upload-Offset"))?;
    let complete = completeness(headers)?
        .or_else(|| interop.and_then(Interop::silent_append))
        .ok_or(Wrong::Missing("Upload-Complete"))?;
    let length = length(headers, offset, complete, content)?;
    Ok(Append { offset, complete, length, content, interop })
}

/// Up to interop version 6 a request that asks or cancels and says anything else at once must be refused.
fn says_nothing(headers: &HeaderMap, interop: Option<Interop>) -> Result<(), Wrong> {
    if !interop.is_some_and(Interop::forbids_fields_in_queries) {
        return Ok(());
    }
    let fields = [
        (UPLOAD_OFFSET, "Upload-Offset"),
        (UPLOAD_COMPLETE, "Upload-Complete"),
        (UPLOAD_INCOMPLETE, "Upload-Incomplete"),
        (UPLOAD_LENGTH, "Upload-Length"),
    ];
    match fields.iter().find(|(name, _)| headers.contains_key(name)) {
        Some((_, said)) => Err(Wrong::Unexpected(said)),
        None => Ok(()),
    }
}

/// How many bytes the whole has: what the request says, which must agree with what it brings.
fn length(
    headers: &HeaderMap,
    offset: u64,
    complete: bool,
    content: Option<u64>,
) -> Result<Option<u64>, Wrong> {
    let said = integer(headers, &UPLOAD_LENGTH, "Upload-Length")?;
    let end =
        content.map(|content| offset.checked_add(content).ok_or(Wrong::InconsistentLength)).transpose()?;
    match (said, end) {
        (Some(said), Some(end)) if said < end || (complete && said != end) => Err(Wrong::InconsistentLength),
        (Some(said), _) if said < offset => Err(Wrong::InconsistentLength),
        (Some(said), _) => Ok(Some(said)),
        (None, end) => Ok(end.filter(|_| complete)),
    }
}

/// What the request says of completeness, by either field.
fn completeness(headers: &HeaderMap) -> Result<Option<bool>, Wrong> {
    let complete = boolean(headers, &UPLOAD_COMPLETE, "Upload-Complete")?;
    let incomplete = boolean(headers, &UPLOAD_INCOMPLETE, "Upload-Incomplete")?;
    match (complete, incomplete) {
        (Some(complete), Some(incomplete)) if complete == incomplete => {
            Err(Wrong::Contradiction("Upload-Complete"))
        }
        (Some(complete), _) => Ok(Some(complete)),
        (None, incomplete) => Ok(incomplete.map(|incomplete| !incomplete)),
    }
}

fn integer(headers: &HeaderMap, name: &HeaderName, said: &'static str) -> Result<Option<u64>, Wrong> {
    read(headers, name, said, item::integer)
}

fn boolean(headers: &HeaderMap, name: &HeaderName, said: &'static str) -> Result<Option<bool>, Wrong> {
    read(headers, name, said, item::boolean)
}

fn read<T>(
    headers: &HeaderMap,
    name: &HeaderName,
    said: &'static str,
    item: impl Fn(&http::HeaderValue) -> Option<T>,
) -> Result<Option<T>, Wrong> {
    match Single::of(headers, name) {
        Single::Absent => Ok(None),
        Single::Value(value) => item(value).map(Some).ok_or(Wrong::Malformed(said)),
        Single::Contradiction => Err(Wrong::Contradiction(said)),
    }
}

#[cfg(test)]
mod tests;
