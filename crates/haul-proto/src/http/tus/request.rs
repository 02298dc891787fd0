//! Requests of tus, read from their method and fields.

use http::{HeaderMap, HeaderValue, Method, header::HeaderName};

use super::{
    Concat, Metadata, OFFSET_OCTETS, PartUrl, Proof, Refusal, TUS_RESUMABLE, UPLOAD_DEFER_LENGTH, VERSION,
    checksum, method,
};
use crate::http::{
    content_type,
    field::{self, Single},
    upload_field::{UPLOAD_LENGTH, UPLOAD_OFFSET},
    upload_state::UploadState,
};

/// A request of tus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// What is spoken here?
    Options,
    /// A new upload.
    Create(Create),
    /// How far is it?
    Head,
    /// More of it.
    Patch(Patch),
    /// It is not wanted any more.
    Delete,
}

/// A new upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// What it is to be.
    pub what: What,
    /// What the client wants to be known of it.
    pub metadata: Metadata,
}

/// What a new upload is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file.
    Whole {
        /// Its length.
        length: Length,
        /// What comes of it at once, where anything does.
        content: Option<Content>,
    },
    /// A part, to be put together with others.
    Partial {
        /// Its length.
        length: Length,
        /// What comes of it at once, where anything does.
        content: Option<Content>,
    },
    /// A file that is put together from parts, each of them complete.
    Final {
        /// The parts in their order; at least one.
        parts: Vec<PartUrl>,
        /// The value of Upload-Concat, which HEAD gives back.
        raw: HeaderValue,
    },
}

/// The length of a new upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes. With 0 the upload is complete at once.
    Known(u64),
    /// It will be told by a PATCH.
    Deferred,
}

/// Content that comes with a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many bytes it has, where that is known beforehand.
    pub length: Option<u64>,
    /// How it is proved.
    pub checksum: Option<Proof>,
}

/// More of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Where the content's first byte belongs.
    pub offset: u64,
    /// How many bytes the content has, where that is known beforehand.
    pub content: Option<u64>,
    /// How the content is proved; if it is not, all of it is dropped.
    pub checksum: Option<Proof>,
    /// The length of the upload, where it is told now; never less than `offset`.
    pub length: Option<u64>,
}

/// The request that method and fields make.
///
/// `content` is the length of the request's content, where that is known before it comes (0 where there is none);
/// `max_size` is the most that an upload may have. Of a request in another version nothing else is looked at.
pub fn read(
    method: &Method,
    headers: &HeaderMap,
    content: Option<u64>,
    max_size: Option<u64>,
) -> Result<Request, Refusal> {
    if *method == Method::OPTIONS {
        return Ok(Request::Options);
    }
    let version = Single::of(headers, &TUS_RESUMABLE).value();
    if version.is_none_or(|version| version.as_bytes().trim_ascii() != VERSION.as_bytes()) {
        return Err(Refusal::Version);
    }
    match method::asked(method, headers)? {
        Method::OPTIONS => Ok(Request::Options),
        Method::POST => create(headers, content, max_size).map(Request::Create),
        Method::HEAD => Ok(Request::Head),
        Method::PATCH => patch(headers, content, max_size).map(Request::Patch),
        Method::DELETE => Ok(Request::Delete),
        _ => Err(Refusal::Method),
    }
}

impl Patch {
    /// Whether this fits the upload as it is, and how many bytes the whole has by all that was ever said: none may be
    /// taken past it. An upload that is put together from parts refuses by itself ([`Refusal::Final`]).
    pub fn against(&self, state: UploadState) -> Result<Option<u64>, Refusal> {
        if self.offset != state.offset() {
            return Err(Refusal::Offset { expected: state.offset(), provided: self.offset });
        }
        let length = match (state.length(), self.length) {
            (Some(before), Some(now)) if before != now => return Err(Refusal::Length),
            (before, now) => before.or(now),
        };
        fits(self.offset, self.content, length)?;
        Ok(length)
    }
}

fn create(headers: &HeaderMap, content: Option<u64>, max_size: Option<u64>) -> Result<Create, Refusal> {
    let metadata = Metadata::of(headers)?;
    let what = match Concat::of(headers)? {
        None => {
            let (length, content) = begun(headers, content, max_size)?;
            What::Whole { length, content }
        }
        Some((Concat::Partial, _)) => {
            let (length, content) = begun(headers, content, max_size)?;
            What::Partial { length, content }
        }
        Some((Concat::Final(parts), raw)) => put_together(headers, content, parts, raw)?,
    };
    Ok(Create { what, metadata })
}

/// The length of a new upload, and what comes of it at once.
fn begun(
    headers: &HeaderMap,
    content: Option<u64>,
    max_size: Option<u64>,
) -> Result<(Length, Option<Content>), Refusal> {
    let length = match (number(headers, &UPLOAD_LENGTH, "Upload-Length")?, deferred(headers)?) {
        (Some(_), true) => return Err(Refusal::Contradiction("Upload-Defer-Length")),
        (Some(length), false) => Length::Known(allowed(length, max_size)?),
        (None, true) => Length::Deferred,
        (None, false) => return Err(Refusal::Missing("Upload-Length")),
    };
    let comes = brought(headers, content)?;
    if let (Some(Content { length: bytes, .. }), Length::Known(length)) = (&comes, length) {
        fits(0, *bytes, Some(length))?;
    }
    Ok((length, comes))
}

fn put_together(
    headers: &HeaderMap,
    content: Option<u64>,
    parts: Vec<PartUrl>,
    raw: HeaderValue,
) -> Result<What, Refusal> {
    // Its length is the sum of its parts'; whoever says one means something else.
    for (name, said) in [(UPLOAD_LENGTH, "Upload-Length"), (UPLOAD_DEFER_LENGTH, "Upload-Defer-Length")] {
        if headers.contains_key(name) {
            return Err(Refusal::Contradiction(said));
        }
    }
    match brought(headers, content)? {
        None | Some(Content { length: Some(0), .. }) => Ok(What::Final { parts, raw }),
        Some(_) => Err(Refusal::Final),
    }
}

/// What comes with a creation. Some clients say a media type with every request, so another one only counts where
/// bytes come that would be lost.
fn brought(headers: &HeaderMap, content: Option<u64>) -> Result<Option<Content>, Refusal> {
    if content_type::is(headers, OFFSET_OCTETS) {
        Ok(Some(Content { length: content, checksum: checksum::of(headers)? }))
    } else if content.is_some_and(|content| content > 0) {
        Err(Refusal::MediaType)
    } else {
        Ok(None)
    }
}

fn patch(headers: &HeaderMap, content: Option<u64>, max_size: Option<u64>) -> Result<Patch, Refusal> {
    if !content_type::is(headers, OFFSET_OCTETS) {
        return Err(Refusal::MediaType);
    }
    let offset =
        number(headers, &UPLOAD_OFFSET, "Upload-Offset")?.ok_or(Refusal::Missing("Upload-Offset"))?;
    let length = number(headers, &UPLOAD_LENGTH, "Upload-Length")?;
    if let Some(length) = length {
        allowed(length, max_size)?;
        if length < offset {
            return Err(Refusal::Length);
        }
    }
    fits(offset, content, length)?;
    Ok(Patch { offset, content, checksum: checksum::of(headers)?, length })
}

/// Whether content ends within the upload's length, as far as both are known.
fn fits(offset: u64, content: Option<u64>, length: Option<u64>) -> Result<(), Refusal> {
    let Some(length) = length else { return Ok(()) };
    let past = content.is_some_and(|content| offset.checked_add(content).is_none_or(|end| end > length));
    if past { Err(Refusal::PastEnd { length }) } else { Ok(()) }
}

fn allowed(length: u64, max_size: Option<u64>) -> Result<u64, Refusal> {
    match max_size {
        Some(max) if length > max => Err(Refusal::TooLarge { max }),
        _ => Ok(length),
    }
}

/// Upload-Defer-Length, whose only value is 1.
fn deferred(headers: &HeaderMap) -> Result<bool, Refusal> {
    match number(headers, &UPLOAD_DEFER_LENGTH, "Upload-Defer-Length")? {
        None => Ok(false),
        Some(1) => Ok(true),
        Some(_) => Err(Refusal::Malformed("Upload-Defer-Length")),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName, said: &'static str) -> Result<Option<u64>, Refusal> {
    match Single::of(headers, name) {
        Single::Absent => Ok(None),
        Single::Value(value) => {
            let number = value.to_str().ok().and_then(|text| field::number(field::trim(text)));
            number.map(Some).ok_or(Refusal::Malformed(said))
        }
        Single::Contradiction => Err(Refusal::Contradiction(said)),
    }
}

#[cfg(test)]
mod tests;
