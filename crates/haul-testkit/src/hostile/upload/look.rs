//! Answers to what brings no bytes: OPTIONS, how far an upload is, its end, and files that are complete.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use super::answer::{Answer, limit};
use super::ask::{Ask, Dialect, Name};
use super::behaviour::{Fate, Step};
use super::request::UploadRequest;
use super::state::State;

/// The answer; `number` is that of the request among those of its step.
pub(super) fn answer(state: &mut State, ask: &Ask, number: usize, request: &UploadRequest) -> Answer {
    match ask {
        Ask::Options => options(state, request),
        Ask::Query(dialect, name) => query(state, *dialect, name, number),
        Ask::Cancel(dialect, name) => match state.find(name) {
            Ok(id) => {
                state.lose(id, Fate::Lost);
                spoken(*dialect, Answer::new(204))
            }
            Err(answer) => spoken(*dialect, answer),
        },
        Ask::Look(path) => file(state, path, request),
        Ask::Refused(status) => Answer::new(*status),
        Ask::Create(..) | Ask::Append(..) => Answer::new(500),
    }
}

fn options(state: &State, request: &UploadRequest) -> Answer {
    let b = &state.behaviour;
    let mut allow = vec!["OPTIONS", "HEAD", "GET"];
    if b.put_refused.is_none() {
        allow.push("PUT");
    }
    if b.draft.is_some() || b.tus.is_some() {
        allow.extend(["POST", "PATCH", "DELETE"]);
    }
    let mut answer = Answer::new(204).with("Allow", allow.join(", "));
    if let Some(version) = b.draft {
        answer = answer.with("Upload-Limit", limit(b)).with("Accept-Patch", "application/partial-upload");
        if request.number("Upload-Draft-Interop-Version") == Some(u64::from(version)) {
            answer = answer.with("Upload-Draft-Interop-Version", version.to_string());
        }
    }
    if let Some(extensions) = &b.tus {
        answer = answer.with("Tus-Resumable", "1.0.0").with("Tus-Version", "1.0.0");
        answer = answer.with("Tus-Extension", extensions.join(","));
        if extensions.iter().any(|name| name == "checksum") {
            answer = answer.with("Tus-Checksum-Algorithm", "sha1,sha256");
        }
        if let Some(most) = b.limits.max_size {
            answer = answer.with("Tus-Max-Size", most.to_string());
        }
    }
    answer
}

fn query(state: &mut State, dialect: Dialect, name: &Name, number: usize) -> Answer {
    let id = match (state.find(name), name) {
        (Ok(id), _) => id,
        // In pieces there is no URL of the upload: what is complete is the file.
        (Err(_), Name::Path(path)) if state.files.contains_key(path) => return Answer::new(200),
        (Err(answer), _) => return spoken(dialect, answer),
    };
    // Whoever asks how far it is means to go on from there.
    state.fence(id);
    let status = match dialect {
        Dialect::Draft => 204,
        Dialect::Tus | Dialect::Plain => 200,
        Dialect::Pieces => 308,
    };
    let fields = state.fields(dialect, id, Some((Step::Query, number)));
    Answer::new(status).with_all(fields).with("Cache-Control", "no-store")
}

fn spoken(dialect: Dialect, answer: Answer) -> Answer {
    if dialect == Dialect::Tus { answer.with("Tus-Resumable", "1.0.0") } else { answer }
}

fn file(state: &State, path: &str, request: &UploadRequest) -> Answer {
    let Some(file) = state.files.get(path) else { return Answer::new(404) };
    let etag = format!("\"v{}\"", file.version);
    let mut answer = Answer { content: file.bytes.clone(), ..Answer::new(200).with("ETag", etag) };
    if state.behaviour.digests && request.field("Want-Repr-Digest").is_some() {
        let digest = STANDARD.encode(sha2::Sha256::digest(&file.bytes));
        answer = answer.with("Repr-Digest", format!("sha-256=:{digest}:"));
    }
    answer
}
