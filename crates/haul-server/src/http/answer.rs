//! What is answered: a status, fields, and bytes from wherever they come.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::mpsc::Receiver;

use super::leaving::Leaving;
use crate::ServerError;

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) body: Body,
}

/// The bytes of an answer.
pub(super) enum Body {
    /// None.
    Empty,
    /// These.
    Bytes(Bytes),
    /// Of a file.
    Leaving(Box<Leaving>),
    /// As they are made, until nobody makes any more.
    Made(Receiver<Result<Bytes, ServerError>>),
    /// Some, nobody knows how many, that HEAD does not have.
    Withheld,
}

impl Answer {
    /// With nothing but a status.
    pub(super) fn new(status: StatusCode) -> Self {
        Self { status, fields: HeaderMap::new(), body: Body::Empty }
    }

    /// With this field.
    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.insert(name, value);
        self
    }

    /// With these fields.
    #[must_use]
    pub(super) fn with_all(mut self, fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        for (name, value) in fields {
            self.fields.insert(name, value);
        }
        self
    }

    /// With this field, where the text can be one.
    #[must_use]
    pub(super) fn told(self, name: HeaderName, value: impl Into<Vec<u8>>) -> Self {
        match HeaderValue::from_maybe_shared(Bytes::from(value.into())) {
            Ok(value) => self.with(name, value),
            // What a name has in it that no field can have is not told.
            Err(_) => self,
        }
    }

    /// With these bytes.
    #[must_use]
    pub(super) fn bytes(mut self, kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self.with(header::CONTENT_TYPE, HeaderValue::from_static(kind))
    }

    /// As HEAD has it: the same fields, the length too, and no bytes.
    #[must_use]
    pub(super) fn without_body(mut self) -> Self {
        if let Some(length) = self.length().filter(|_| self.has_length()) {
            self.fields.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        self.body = if self.length().is_some() { Body::Empty } else { Body::Withheld };
        self
    }

    /// Whether an answer of this status has a length (RFC 9110 §8.6).
    fn has_length(&self) -> bool {
        self.status != StatusCode::NO_CONTENT && self.status != StatusCode::NOT_MODIFIED
    }

    /// How many bytes it has, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match &self.body {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Leaving(leaving) => Some(leaving.length()),
            Body::Made(_) | Body::Withheld => None,
        }
    }

    /// Its head for the wire: with a length, unless the status has none (RFC 9110 §8.6).
    pub(super) fn head(&mut self) -> http::Response<()> {
        let mut head = http::Response::new(());
        *head.status_mut() = self.status;
        let mut fields = std::mem::take(&mut self.fields);
        if let Some(length) = self.length().filter(|_| self.has_length()) {
            fields.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        *head.headers_mut() = fields;
        head
    }
}
