//! Answers before the answer (1xx, RFC 9110 §15.2), which neither hyper nor its services know of.
//!
//! A handler leaves them here while it is polled. HTTP/1.1 writes them when nothing else waits to be written (`wire`),
//! HTTP/2 right after the poll (`h2`). What was not written when the answer is there is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

/// 104 Upload Resumption Supported (draft-ietf-httpbis-resumable-upload §5).
pub(super) const UPLOAD_RESUMPTION_SUPPORTED: u16 = 104;

/// Where a handler leaves interim answers; clones are the same place.
#[derive(Clone, Debug, Default)]
pub(super) struct Interim(Option<Arc<Mutex<Vec<HeaderMap>>>>);

impl Interim {
    /// A client that understands them.
    pub(super) fn taken() -> Self {
        Self(Some(Arc::default()))
    }

    fn waiting(&self) -> Option<MutexGuard<'_, Vec<HeaderMap>>> {
        self.0.as_ref().map(|waiting| waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Leaves a 104 with these fields, behind those that still wait.
    pub(super) fn leave(&self, fields: HeaderMap) {
        if let Some(mut waiting) = self.waiting() {
            waiting.push(fields);
        }
    }

    /// Takes what was left.
    pub(super) fn take(&self) -> Vec<HeaderMap> {
        self.waiting().map(|mut waiting| std::mem::take(&mut *waiting)).unwrap_or_default()
    }
}

/// As HTTP/1.1 writes one.
pub(super) fn written(fields: &HeaderMap) -> Vec<u8> {
    let mut head =
        format!("HTTP/1.1 {UPLOAD_RESUMPTION_SUPPORTED} Upload Resumption Supported\r\n").into_bytes();
    for (name, value) in fields {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_written_as_a_head_without_a_body() {
        let fields = HeaderMap::from_iter([(http::header::LOCATION, "/u".parse().unwrap())]);
        assert_eq!(written(&fields), b"HTTP/1.1 104 Upload Resumption Supported\r\nlocation: /u\r\n\r\n");
    }

    #[test]
    fn a_client_that_knows_none_gets_none() {
        let none = Interim::default();
        none.leave(HeaderMap::new());
        assert!(none.take().is_empty());
        let some = Interim::taken();
        some.leave(HeaderMap::new());
        assert_eq!(some.take().len(), 1);
        assert!(some.take().is_empty());
    }
}
