//! `haul probe`: what a server was found to do, line by line, and the verdict at the end.

use std::io::{self, Write as _};

use haul_proto::http::date::http_date;
use haul_transfer::{Client, Failure, Kind, ProbeReport, Resume};
use serde::Serialize;
use tokio::runtime;

use crate::args::ProbeArgs;
use crate::screen::text::{safe, safe_json};
use crate::screen::{Screen, Style};
use crate::{exit, human, log, plan, world};

/// Runs the command; the exit code is 0 whenever there is a verdict.
pub(crate) fn run(args: ProbeArgs) -> u8 {
    let screen = Screen::new(Style::Plain);
    let ProbeArgs { url, json, reach, verbose } = args;
    let options = match world::real(|world| plan::reach(reach, world)) {
        Ok(options) => options,
        Err(usage) => {
            screen.refused(&format!("{usage} (see haul probe --help)"), exit::USAGE);
            return exit::USAGE;
        }
    };
    log::start(verbose, screen.say());
    let report = Client::new(options).and_then(|client| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Failure::new(Kind::Unexpected, format!("cannot start: {error}")))?;
        runtime.block_on(Box::pin(haul_transfer::probe(&client, &url)))
    });
    match report {
        Ok(report) => {
            let text = if json { machine(&report) } else { people(&report) };
            // Nobody may be listening any more; the verdict stands all the same.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            exit::DONE
        }
        Err(failure) => {
            let place = haul_transfer::place(&url);
            screen.refused(&format!("{place}: {}", failure.message), exit::code(failure.kind));
            exit::code(failure.kind)
        }
    }
}

fn word(resume: Resume) -> &'static str {
    match resume {
        Resume::Yes => "yes",
        Resume::No => "no",
        Resume::Unsafe => "unsafe",
    }
}

fn people(report: &ProbeReport) -> String {
    let mut lines = vec![("url", report.place.clone())];
    if let Some(name) = &report.name {
        lines.push(("name", name.clone()));
    }
    lines.push((
        "size",
        match report.size {
            Some(size) if size < 1024 => human::size(size),
            Some(size) => format!("{} ({size} bytes)", human::size(size)),
            None => "not told".to_owned(),
        },
    ));
    lines.push((
        "etag",
        match &report.entity.etag {
            Some(etag) if etag.weak => format!("{etag} (weak: it does not stand for the bytes)"),
            Some(etag) => format!("{etag} (strong)"),
            None => "none".to_owned(),
        },
    ));
    lines.push((
        "modified",
        match report.entity.modified {
            Some(modified) => {
                let date = http_date(modified).unwrap_or_else(|| format!("{} s", modified.seconds));
                format!(
                    "{date} ({})",
                    if modified.strong { "strong" } else { "weak: too fresh, or no Date beside it" }
                )
            }
            None => "none".to_owned(),
        },
    ));
    lines.push((
        "ranges",
        match (report.ranges, report.offers_ranges) {
            (true, _) => "206, and exactly what was asked for".to_owned(),
            (false, true) => "offered, but not served".to_owned(),
            (false, false) => "no".to_owned(),
        },
    ));
    if let Some(same) = report.overlap_agrees {
        lines.push((
            "overlap",
            if same { "the same bytes twice" } else { "other bytes the second time" }.to_owned(),
        ));
    }
    let asked = |honoured: Option<bool>, yes: &str, no: &str| match honoured {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => "not tried".to_owned(),
    };
    let right =
        asked(report.if_range_right, "the right one brought the part", "the right one brought no part");
    let wrong =
        asked(report.if_range_wrong, "a wrong one the whole", "a wrong one brought the part all the same");
    lines.push((
        "if-range",
        match (report.if_range_right, report.if_range_wrong) {
            (None, None) => "not tried: there is no strong validator to ask with, or no ranges".to_owned(),
            _ => format!("{right}; {wrong}"),
        },
    ));
    lines.extend(report.digests.iter().map(|digest| ("digest", digest.clone())));
    let mut text = String::new();
    for (label, value) in lines {
        text += &format!("{label:<9} {}\n", safe(&value));
    }
    text + &format!("resume: {} — {}\n", word(report.verdict.resume), safe(&report.verdict.why))
}

#[derive(Serialize)]
struct Findings<'a> {
    url: &'a str,
    name: Option<&'a str>,
    size: Option<u64>,
    etag: Option<String>,
    etag_weak: bool,
    /// An HTTP-date.
    modified: Option<String>,
    modified_strong: bool,
    ranges: bool,
    offers_ranges: bool,
    if_range_right: Option<bool>,
    if_range_wrong: Option<bool>,
    overlap_agrees: Option<bool>,
    digests: &'a [String],
    resume: &'a str,
    why: &'a str,
}

fn machine(report: &ProbeReport) -> String {
    let entity = &report.entity;
    let findings = Findings {
        url: &report.place,
        name: report.name.as_deref(),
        size: report.size,
        etag: entity.etag.as_ref().map(ToString::to_string),
        etag_weak: entity.etag.as_ref().is_some_and(|etag| etag.weak),
        modified: entity.modified.and_then(http_date),
        modified_strong: entity.modified.is_some_and(|modified| modified.strong),
        ranges: report.ranges,
        offers_ranges: report.offers_ranges,
        if_range_right: report.if_range_right,
        if_range_wrong: report.if_range_wrong,
        overlap_agrees: report.overlap_agrees,
        digests: &report.digests,
        resume: word(report.verdict.resume),
        why: &report.verdict.why,
    };
    // Serialising this shape has no way to fail.
    let json = serde_json::to_string(&findings).unwrap_or_default();
    format!("{}\n", safe_json(&json))
}

#[cfg(test)]
mod tests {
    use haul_core::{ETag, Entity};
    use haul_transfer::Verdict;

    use super::*;

    fn report() -> ProbeReport {
        ProbeReport {
            place: "http://h/a".into(),
            size: Some(5 << 30),
            entity: Entity {
                etag: Some(ETag { opaque: "x\u{202e}".into(), weak: false }),
                ..Entity::default()
            },
            name: None,
            digests: vec!["sha-256=00".into()],
            ranges: true,
            offers_ranges: true,
            if_range_right: Some(true),
            if_range_wrong: Some(false),
            overlap_agrees: Some(true),
            verdict: Verdict { resume: Resume::Yes, why: "ranges and a strong ETag".into() },
        }
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let text = people(&report());
        assert!(text.ends_with("\nresume: yes — ranges and a strong ETag\n"), "{text}");
        assert!(text.contains("size      5.0 GiB (5368709120 bytes)\n"), "{text}");
        assert!(text.contains("etag      \"x\\u{202e}\" (strong)\n"), "{text}");
        assert!(text.contains("a wrong one brought the part all the same\n"), "{text}");
    }

    #[test]
    fn json_is_one_line_with_the_verdict_in_it() {
        let text = machine(&report());
        assert_eq!(text.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["resume"], "yes");
        assert_eq!(read["etag"], "\"x\u{202e}\"");
        assert_eq!(read["modified"], serde_json::Value::Null);
    }
}
