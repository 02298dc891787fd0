//! Answers, and how each dialect tells how far an upload is.

use std::fmt::Write as _;

use super::ask::Dialect;
use super::behaviour::{Fate, Told, UploadBehaviour};

/// The media type of what went wrong (RFC 9457).
const PROBLEM: &str = "application/problem+json";
/// The draft's name of a wrong offset.
const MISMATCH: &str = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";

/// A final answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) content: Vec<u8>,
    /// Whether the content's length is told and the content is not sent.
    pub(super) head_only: bool,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self { status, fields: Vec::new(), content: Vec::new(), head_only: false }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn with_all(mut self, fields: impl IntoIterator<Item = (String, String)>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// An upload that is not there any more, or never was.
    pub(super) fn gone(fate: Fate) -> Self {
        Self::new(if fate == Fate::Expired { 410 } else { 404 })
    }

    /// The problem that the draft names.
    pub(super) fn mismatch(expected: Option<u64>, provided: u64) -> Self {
        let expected = expected.map(|offset| format!(",\"expected-offset\":{offset}")).unwrap_or_default();
        let content = format!(
            "{{\"type\":\"{MISMATCH}\",\"title\":\"offset\"{expected},\"provided-offset\":{provided}}}"
        );
        Self { content: content.into_bytes(), ..Self::new(409).with("Content-Type", PROBLEM) }
    }

    /// As it is written.
    pub(super) fn bytes(&self, kept: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.status != 204 {
            let _ = write!(head, "Content-Length: {}\r\n", self.content.len());
        }
        if !kept {
            head += "Connection: close\r\n";
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if !self.head_only {
            bytes.extend_from_slice(&self.content);
        }
        bytes
    }
}

/// An upload as it is told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) length: Option<u64>,
    pub(super) complete: bool,
}

/// What is stated for an offset, as text; None where nothing is.
pub(super) fn stated(offset: u64, told: Option<&Told>) -> Option<String> {
    Some(match told {
        None => offset.to_string(),
        Some(Told::Less(bytes)) => offset.saturating_sub(*bytes).to_string(),
        Some(Told::More(bytes)) => (offset + bytes).to_string(),
        Some(Told::Nothing) => return None,
        Some(Told::Text(text)) => text.clone(),
    })
}

/// The fields that tell how far an upload is; `stated` is the offset as it is to be told.
pub(super) fn fields(
    dialect: Dialect,
    progress: Progress,
    stated: Option<String>,
    b: &UploadBehaviour,
) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
    match dialect {
        Dialect::Draft => {
            if let Some(offset) = stated {
                add("Upload-Offset", offset);
            }
            add("Upload-Complete", if progress.complete { "?1" } else { "?0" }.to_owned());
            if let Some(length) = progress.length {
                add("Upload-Length", length.to_string());
            }
            add("Upload-Limit", limit(b));
        }
        Dialect::Tus => {
            add("Tus-Resumable", "1.0.0".to_owned());
            if let Some(offset) = stated {
                add("Upload-Offset", offset);
            }
            if let Some(length) = progress.length {
                add("Upload-Length", length.to_string());
            }
        }
        Dialect::Pieces => {
            // A range that is told has a last byte; of an upload without bytes there is none.
            let last = stated.map(|offset| offset.parse::<u64>().map(|offset| offset.checked_sub(1)));
            match last {
                Some(Ok(Some(last))) => add("Range", format!("bytes=0-{last}")),
                Some(Err(_)) => add("Range", "bytes=nonsense".to_owned()),
                Some(Ok(None)) | None => {}
            }
        }
        Dialect::Plain => {}
    }
    fields
}

/// Upload-Limit: where there is none, something has to stand there all the same.
pub(super) fn limit(b: &UploadBehaviour) -> String {
    let members = [
        ("max-size", b.limits.max_size),
        ("max-append-size", b.limits.max_append),
        ("max-age", b.limits.max_age.map(|age| age.as_secs())),
    ];
    let told: Vec<String> =
        members.iter().filter_map(|(key, value)| Some(format!("{key}={}", (*value)?))).collect();
    if told.is_empty() { "min-size=0".to_owned() } else { told.join(", ") }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        308 => "Permanent Redirect",
        401 => "Unauthorized",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        423 => "Locked",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Other",
    }
}
