//! What an HTTP server was found to do.

use haul_proto::http::date::http_date;
use haul_transfer::probe::HttpReport;
use serde::Serialize;

use super::{Line, json, lines, size, verdict, word};

/// For people.
pub(super) fn people(report: &HttpReport) -> String {
    let mut found = vec![("url", report.place.clone())];
    if let Some(name) = &report.name {
        found.push(("name", name.clone()));
    }
    found.push(("size", report.size.map_or_else(|| "not told".to_owned(), size)));
    found.extend(validators(report));
    found.push((
        "ranges",
        match (report.ranges, report.offers_ranges) {
            (true, _) => "206, and exactly what was asked for".to_owned(),
            (false, true) => "offered, but not served".to_owned(),
            (false, false) => "no".to_owned(),
        },
    ));
    if let Some(same) = report.overlap_agrees {
        let words = if same { "the same bytes twice" } else { "other bytes the second time" };
        found.push(("overlap", words.to_owned()));
    }
    found.push(("if-range", if_range(report)));
    found.extend(report.digests.iter().map(|digest| ("digest", digest.clone())));
    lines(&found) + &verdict("resume", &report.verdict)
}

fn validators(report: &HttpReport) -> [Line; 2] {
    let etag = (
        "etag",
        match &report.entity.etag {
            Some(etag) if etag.weak => format!("{etag} (weak: it does not stand for the bytes)"),
            Some(etag) => format!("{etag} (strong)"),
            None => "none".to_owned(),
        },
    );
    let modified = (
        "modified",
        match report.entity.modified {
            Some(modified) => {
                let date = http_date(modified).unwrap_or_else(|| format!("{} s", modified.seconds));
                let strength =
                    if modified.strong { "strong" } else { "weak: too fresh, or no Date beside it" };
                format!("{date} ({strength})")
            }
            None => "none".to_owned(),
        },
    );
    [etag, modified]
}

fn if_range(report: &HttpReport) -> String {
    let asked = |honoured: Option<bool>, yes: &str, no: &str| match honoured {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => "not tried".to_owned(),
    };
    let right =
        asked(report.if_range_right, "the right one brought the part", "the right one brought no part");
    let wrong =
        asked(report.if_range_wrong, "a wrong one the whole", "a wrong one brought the part all the same");
    match (report.if_range_right, report.if_range_wrong) {
        (None, None) => "not tried: there is no strong validator to ask with, or no ranges".to_owned(),
        _ => format!("{right}; {wrong}"),
    }
}

#[derive(Serialize)]
struct Findings<'a> {
    protocol: &'a str,
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

/// For programs.
pub(super) fn machine(report: &HttpReport) -> String {
    let entity = &report.entity;
    json(&Findings {
        protocol: "http",
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
    })
}

#[cfg(test)]
mod tests {
    use haul_core::{ETag, Entity};
    use haul_transfer::probe::{Resume, Verdict};

    use super::*;

    fn report() -> HttpReport {
        HttpReport {
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
