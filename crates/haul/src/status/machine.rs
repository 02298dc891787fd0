//! A status as one JSON object a line.

use haul_store::{Inspection, SourceRecord};
use serde::Serialize;

use super::Found;
use super::resume;
use crate::screen::text::safe_json;

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Status<'a> {
    Unfinished(Unfinished<'a>),
    Finished { file: String, size: u64 },
    Idle { dir: String },
}

#[derive(Serialize)]
struct Unfinished<'a> {
    file: String,
    size: Option<u64>,
    /// Bytes that are there.
    held: u64,
    /// Bytes of these that a power cut cannot take.
    durable: u64,
    /// Where they are, as `[from, to]`, ends exclusive.
    ranges: Vec<(u64, u64)>,
    part_size: Option<u64>,
    sources: Vec<Source<'a>>,
    /// Seconds since 1970, and why.
    stopped: Option<Stopped<'a>>,
    started: Option<i64>,
    in_use: Option<u32>,
    problems: Vec<String>,
    resume: &'a str,
    why: String,
}

#[derive(Serialize)]
struct Stopped<'a> {
    when: i64,
    why: &'a str,
}

#[derive(Serialize)]
struct Source<'a> {
    url: &'a str,
    etag: Option<String>,
    etag_weak: bool,
    /// Seconds since 1970.
    modified: Option<i64>,
    modified_strong: bool,
}

/// The line for what was found.
pub(super) fn text(found: &Found) -> String {
    let status = match found {
        Found::Idle { dir } => Status::Idle { dir: dir.to_string_lossy().into_owned() },
        Found::Finished { path, size } => {
            Status::Finished { file: path.to_string_lossy().into_owned(), size: *size }
        }
        Found::Unfinished(seen) => Status::Unfinished(unfinished(seen)),
    };
    // Serialising these shapes has no way to fail.
    let json = serde_json::to_string(&status).unwrap_or_default();
    format!("{}\n", safe_json(&json))
}

fn unfinished(seen: &Inspection) -> Unfinished<'_> {
    let (answer, why) = resume::answer(seen);
    Unfinished {
        file: seen.target.to_string_lossy().into_owned(),
        size: seen.subject.as_ref().and_then(|subject| subject.size),
        held: seen.held.written.total(),
        durable: seen.held.durable.total(),
        ranges: seen.held.written.iter().map(|range| (range.start(), range.end())).collect(),
        part_size: seen.part_len,
        sources: seen.subject.iter().flat_map(|subject| &subject.sources).map(source).collect(),
        stopped: seen.stopped.as_ref().map(|(when, why)| Stopped { when: *when, why }),
        started: seen.started_unix,
        in_use: seen.in_use,
        problems: seen.problems.iter().map(ToString::to_string).collect(),
        resume: answer.word(),
        why,
    }
}

fn source(record: &SourceRecord) -> Source<'_> {
    let entity = &record.entity;
    Source {
        url: &record.shown_url,
        etag: entity.etag.as_ref().map(ToString::to_string),
        etag_weak: entity.etag.as_ref().is_some_and(|etag| etag.weak),
        modified: entity.modified.map(|modified| modified.seconds),
        modified_strong: entity.modified.is_some_and(|modified| modified.strong),
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::tests::unfinished as half;
    use super::*;

    #[test]
    fn an_unfinished_download_is_one_object() {
        let text = text(&Found::Unfinished(Box::new(half())));
        assert_eq!(text.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["state"], "unfinished");
        assert_eq!(read["ranges"], serde_json::json!([[0, 500]]));
        assert_eq!((read["held"].as_u64(), read["durable"].as_u64()), (Some(500), Some(400)));
        assert_eq!(read["sources"][0]["etag"], "\"v1\"");
        assert_eq!(read["stopped"]["why"], "interrupted");
        assert_eq!(read["resume"], "yes");
    }
}
