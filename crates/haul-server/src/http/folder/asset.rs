//! What the page of a folder leans on: its style and its script. Nobody needs a name for them; they tell nothing.
//!
//! Links to them have their version in the query, so that a browser fetches each once, and a new one at once.

use std::{fmt::Write as _, sync::LazyLock, time::SystemTime};

use haul_core::ETag;
use haul_proto::http::{
    conditional::{self, Verdict},
    current::Current,
};
use http::{HeaderValue, Method, StatusCode, header};

use crate::http::{
    answer::Answer,
    request::Request,
    trouble::{Answered, Trouble},
};

/// A file of the page.
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
    /// Of the text.
    version: String,
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("/-/page.css", "text/css; charset=utf-8", include_str!("page.css")));
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(include_str!("upload.js"), "\n", include_str!("page.js"));
    Asset::new("/-/page.js", "text/javascript; charset=utf-8", text)
});

impl Asset {
    fn new(path: &'static str, kind: &'static str, text: &'static str) -> Self {
        let mut version = String::new();
        for byte in blake3::hash(text.as_bytes()).as_bytes().iter().take(8) {
            // Whatever it is, it can be written to a string.
            let _ = write!(version, "{byte:02x}");
        }
        Self { path, kind, text, version }
    }

    /// Where it is, in this version.
    pub(super) fn href(&self) -> String {
        format!("{}?v={}", self.path, self.version)
    }

    fn answer(&self, request: &Request) -> Answer {
        // Under another version's name it is not what was meant, and not to be remembered as that.
        let cached = match request.asked("v") {
            Some(version) if version == self.version.as_bytes() => "public, max-age=31536000, immutable",
            _ => "no-cache",
        };
        let etag = ETag { opaque: self.version.clone(), weak: false };
        let current = Current::new(etag, None, self.text.len() as u64);
        let verdict =
            conditional::evaluate(&request.method, &request.fields, current.as_ref(), SystemTime::now());
        let (status, text) = match verdict {
            Verdict::Proceed => (StatusCode::OK, Some(self.text)),
            Verdict::NotModified => (StatusCode::NOT_MODIFIED, None),
            Verdict::Failed => (StatusCode::PRECONDITION_FAILED, None),
        };
        let answer = Answer::new(status)
            .told(header::ETAG, format!("\"{}\"", self.version))
            .with(header::CACHE_CONTROL, HeaderValue::from_static(cached));
        match text {
            Some(text) => answer.bytes(self.kind, text),
            None => answer,
        }
    }
}

/// The answer, where that is what is asked for.
pub(in crate::http) fn answer(request: &Request) -> Option<Answered> {
    let asset = [&STYLE, &SCRIPT].into_iter().find(|asset| asset.path == request.path)?;
    Some(match request.method {
        Method::GET | Method::HEAD => Ok(asset.answer(request)),
        _ => Err(Trouble::method("GET, HEAD")),
    })
}
