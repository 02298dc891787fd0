//! A status in lines for people.

use haul_core::{Entity, Modified};
use haul_proto::http::date::http_date;
use haul_store::Inspection;

use super::Found;
use super::resume;
use crate::human;
use crate::screen::map::{self, Ink};
use crate::screen::text::safe;

/// How wide the map of the ranges is.
const MAP: usize = 60;

/// The lines for what was found.
pub(super) fn text(found: &Found) -> String {
    match found {
        Found::Idle { dir } => format!("{}: nothing is under way here\n", safe(&dir.to_string_lossy())),
        Found::Finished { path, size } => {
            let path = path.to_string_lossy();
            format!("{}: {}, no journal: nothing is under way for it\n", safe(&path), human::size(*size))
        }
        Found::Unfinished(seen) => unfinished(seen, Ink::of_locale(|name| std::env::var(name).ok())),
    }
}

fn unfinished(seen: &Inspection, ink: Ink) -> String {
    let held = seen.held.written.total();
    let size = seen.subject.as_ref().and_then(|subject| subject.size);
    let there = match (size, &seen.subject, seen.part_len) {
        (Some(size), ..) => {
            format!("{} of {}, {}%", human::size(held), human::size(size), human::percent(held, size))
        }
        (None, Some(_), _) => format!("{}, size unknown", human::size(held)),
        (None, None, Some(len)) => format!("{} that no journal speaks of", human::size(len)),
        (None, None, None) => "nothing".to_owned(),
    };
    let mut text = format!("{}: {there}\n", safe(&seen.target.to_string_lossy()));
    let mut line = |label: &str, value: &str| text += &format!("  {label:<10} {}\n", safe(value));
    for source in seen.subject.iter().flat_map(|subject| &subject.sources) {
        line("from", &source.shown_url);
        line("validator", &validators(&source.entity));
    }
    if let Some(size) = size {
        line("map", &map::render(size, &seen.held.written, &[], MAP, ink));
    }
    if let Some(process) = seen.in_use {
        line("in use", &format!("by process {process}"));
    } else if let Some((when, why)) = &seen.stopped {
        line("stopped", &format!("{}: {why}", date(*when)));
    } else if let Some(when) = seen.started_unix {
        line("stopped", &format!("without a word, in a run that began {}", date(when)));
    }
    for problem in &seen.problems {
        line("problem", &problem.to_string());
    }
    let (answer, why) = resume::answer(seen);
    line("resume", &format!("{} — {why}", answer.word()));
    text
}

fn date(seconds: i64) -> String {
    http_date(Modified { seconds, nanos: 0, strong: false })
        .unwrap_or_else(|| format!("{seconds} s since 1970"))
}

fn validators(entity: &Entity) -> String {
    let strength = |strong: bool| if strong { "strong" } else { "weak" };
    let etag = entity.etag.as_ref().map(|etag| format!("ETag {etag} ({})", strength(!etag.weak)));
    let modified = entity.modified.map(|modified| {
        let whole = Modified { nanos: 0, ..modified };
        format!("Last-Modified {} ({})", date(whole.seconds), strength(modified.strong))
    });
    let known: Vec<String> = etag.into_iter().chain(modified).collect();
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

#[cfg(test)]
pub(super) mod tests {
    use haul_core::{ByteRange, ETag};
    use haul_store::{Held, SourceRecord, Subject};

    use super::*;

    /// Half a file of 1000 bytes, with a strong ETag.
    pub(in super::super) fn unfinished() -> Inspection {
        let entity = Entity {
            size: Some(1000),
            etag: Some(ETag { opaque: "v1".into(), weak: false }),
            modified: Some(Modified { seconds: 784_111_777, nanos: 0, strong: false }),
            encoding: None,
        };
        let source = SourceRecord { shown_url: "http://h/a\x1b".into(), url_key: [0; 32], entity };
        Inspection {
            target: "d/a.iso".into(),
            target_exists: false,
            part_len: Some(1000),
            version: Some(1),
            subject: Some(Subject { sources: vec![source], size: Some(1000), name: "a.iso".into() }),
            held: Held {
                written: ByteRange::new(0, 500).into_iter().collect(),
                durable: ByteRange::new(0, 400).into_iter().collect(),
            },
            stopped: Some((784_111_777, "interrupted".into())),
            started_unix: Some(784_111_700),
            in_use: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn an_unfinished_download_is_told_in_full() {
        let expected = format!(
            "d/a.iso: 500 B of 1000 B, 50%\n\
             \x20 from       http://h/a\\u{{1b}}\n\
             \x20 validator  ETag \"v1\" (strong), Last-Modified Sun, 06 Nov 1994 08:49:37 GMT (weak)\n\
             \x20 map        {}{}\n\
             \x20 stopped    Sun, 06 Nov 1994 08:49:37 GMT: interrupted\n\
             \x20 resume     yes — unless the server's file has changed since\n",
            "#".repeat(30),
            ".".repeat(30)
        );
        assert_eq!(super::unfinished(&unfinished(), Ink::ASCII), expected);
    }

    #[test]
    fn a_partial_without_a_journal_is_told_as_what_it_is() {
        let seen = Inspection {
            subject: None,
            stopped: None,
            started_unix: None,
            problems: vec![haul_store::Problem::NoJournal],
            ..unfinished()
        };
        let text = super::unfinished(&seen, Ink::ASCII);
        assert!(text.starts_with("d/a.iso: 1000 B that no journal speaks of\n"), "{text}");
        assert!(
            text.contains("  problem    there is no journal") && text.contains("  resume     compared — ")
        );
    }

    #[test]
    fn a_run_that_was_killed_is_told_by_its_beginning() {
        let killed = Inspection { stopped: None, ..unfinished() };
        let text = super::unfinished(&killed, Ink::ASCII);
        assert!(text.contains("stopped    without a word, in a run that began Sun, 06 Nov 1994"), "{text}");
    }
}
