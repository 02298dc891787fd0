//! What an FTP server was found to do.

use haul_proto::http::date::http_date;
use haul_transfer::probe::{Encrypted, FtpReport, Inside, Probed, Tried, WriteReport};
use serde::Serialize;

use super::{Line, json, lines, size, verdict, word};

/// For people.
pub(super) fn people(report: &FtpReport) -> String {
    let mut found = vec![("url", report.place.clone())];
    if let Probed::Nothing(words) = &report.probed {
        found.push(("file", format!("none is there: {words}")));
    }
    found.push(("greeting", report.greeting.replace('\n', " ").trim().to_owned()));
    found.push(("system", report.system.clone().unwrap_or_else(|| "not told".to_owned())));
    let features = if report.features.is_empty() { "not told".into() } else { report.features.join(", ") };
    found.push(("features", features));
    found.push(("tls", tls(&report.encrypted)));
    found.extend(ways(report));
    let of_own = report.probed != Probed::File && report.write.is_some();
    match &report.probed {
        Probed::Folder if !of_own => {
            found.push(("file", "not tried: the URL names a folder".into()));
            found.push(("list", said(&report.list)));
        }
        Probed::Folder => found.push(("list", said(&report.list))),
        Probed::File | Probed::Nothing(_) => {}
    }
    if report.probed == Probed::File || of_own {
        found.extend(file(report));
    }
    found.push(("rest", rest(report, of_own)));
    if report.blocks != Tried::Not {
        let blocks = match &report.blocks {
            Tried::Works => "works: the right bytes came, and the end of the file was told".to_owned(),
            other => said(other),
        };
        found.push(("mode b", blocks));
    }
    let Some(write) = &report.write else {
        let untried = "STOR, REST and STOR, APPE, checksums, MFMT, rename: not tried without --write";
        found.push(("uploads", untried.into()));
        return lines(&found) + &verdict("resume", &report.verdict);
    };
    found.extend(uploads(write));
    lines(&found) + &verdict("uploads", &write.verdict) + &verdict("resume", &report.verdict)
}

fn tls(tls: &Encrypted) -> String {
    let Some(version) = tls.version else {
        return match tls.offered {
            None => "not asked for (--tls off)",
            Some(true) => "offered, but not asked for (--tls off)",
            Some(false) => "no: the server does not do it",
        }
        .to_owned();
    };
    let (all, resumed) = (tls.connections, tls.resumed);
    let data = match tls.data {
        None => String::new(),
        Some(false) => "; data connections are in the clear".to_owned(),
        Some(true) if resumed == all => "; data connections too, and each resumed the session".to_owned(),
        Some(true) => format!("; data connections too, of which {resumed} of {all} resumed the session"),
    };
    format!("{version}{data}")
}

fn ways(report: &FtpReport) -> Vec<Line> {
    if report.active != Tried::Not {
        return vec![("active", said(&report.active))];
    }
    let pasv = match report.pasv_address {
        Some(address) => {
            format!("{}; it tells another address ({address}), which haul does not use", said(&report.pasv))
        }
        None => said(&report.pasv),
    };
    vec![("epsv", said(&report.epsv)), ("pasv", pasv)]
}

fn file(report: &FtpReport) -> Vec<Line> {
    let size = match (&report.size, report.entity.size) {
        (Tried::Works, Some(bytes)) => size(bytes),
        (said_of, _) => said(said_of),
    };
    let modified = match (&report.mdtm, report.entity.modified) {
        (Tried::Works, Some(date)) => http_date(date).unwrap_or_else(|| format!("{} s", date.seconds)),
        (said_of, _) => said(said_of),
    };
    vec![("size", size), ("modified", modified), ("mlst", said(&report.mlst))]
}

fn rest(report: &FtpReport, of_own: bool) -> String {
    let at = report.rest_at;
    match (&report.rest, &report.last_byte) {
        (Tried::Works, Tried::Works) => {
            format!("{at}: the right bytes came; the offset of the last byte: that byte came and no other")
        }
        (Tried::Works, Tried::Not) if report.probed != Probed::File && !of_own => {
            format!("{at}: accepted, but no file was tried")
        }
        (Tried::Works, Tried::Not) => format!("{at}: the right bytes came"),
        (Tried::Works, other) => format!("{at}: the right bytes came; the last byte: {}", said(other)),
        (other, _) => said(other),
    }
}

fn uploads(write: &WriteReport) -> Vec<Line> {
    let inside = match write.inside {
        None => "",
        Some(Inside::Kept) => "; what lies behind stays",
        Some(Inside::Cut) => "; what lies behind is cut off",
    };
    let mut sums = if write.sums.is_empty() { "none".to_owned() } else { write.sums.join(", ") };
    if !write.wrong_sums.is_empty() {
        sums += &format!("; wrong: {}", write.wrong_sums.join(", "));
    }
    let kept = match &write.kept {
        Tried::Works => "yes: what an upload has sent that breaks off is still there".to_owned(),
        other => said(other),
    };
    let mut found = vec![
        ("stor", said(&write.stor)),
        ("rest+stor", said(&write.restart) + inside),
        ("appe", said(&write.append)),
        ("checksums", sums),
        ("mfmt", said(&write.mfmt)),
        ("rename", said(&write.rename)),
        ("kept", kept),
        ("dele", said(&write.delete)),
    ];
    for name in &write.left {
        found.push(("left", format!("{name} is still there: the server did not delete it")));
    }
    found
}

fn said(tried: &Tried) -> String {
    match tried {
        Tried::Not => "not tried".to_owned(),
        Tried::Works => "works".to_owned(),
        Tried::Refused(words) => format!("no: {words}"),
        Tried::Wrong(what) => format!("wrong: {what}"),
    }
}

#[derive(Serialize)]
struct Findings<'a> {
    protocol: &'a str,
    url: &'a str,
    probed: &'a str,
    greeting: &'a str,
    system: Option<&'a str>,
    features: &'a [String],
    tls: Tls,
    epsv: Option<Outcome<'a>>,
    pasv: Option<Outcome<'a>>,
    /// The address that PASV tells, where it is another one than the server's.
    pasv_address: Option<String>,
    active: Option<Outcome<'a>>,
    list: Option<Outcome<'a>>,
    size: Option<u64>,
    size_told: Option<Outcome<'a>>,
    /// An HTTP-date.
    modified: Option<String>,
    modified_strong: bool,
    mdtm: Option<Outcome<'a>>,
    mlst: Option<Outcome<'a>>,
    rest_at: u64,
    rest: Option<Outcome<'a>>,
    last_byte: Option<Outcome<'a>>,
    /// MODE B, where FEAT has it.
    blocks: Option<Outcome<'a>>,
    uploads: Option<Uploads<'a>>,
    resume: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct Tls {
    offered: Option<bool>,
    version: Option<&'static str>,
    data: Option<bool>,
    /// Encrypted data connections, and how many of them resumed the session.
    connections: u32,
    resumed: u32,
}

#[derive(Serialize)]
struct Uploads<'a> {
    name: &'a str,
    stor: Option<Outcome<'a>>,
    read_back: bool,
    rest_stor: Option<Outcome<'a>>,
    /// What becomes of the bytes behind those that REST and STOR inside of a file writes: `kept` or `cut`.
    behind: Option<&'a str>,
    appe: Option<Outcome<'a>>,
    checksums: &'a [String],
    wrong_checksums: &'a [String],
    mfmt: Option<Outcome<'a>>,
    rename: Option<Outcome<'a>>,
    /// Whether what an upload has sent that breaks off is kept.
    kept: Option<Outcome<'a>>,
    dele: Option<Outcome<'a>>,
    left: &'a [String],
    resume: &'a str,
    why: &'a str,
}

/// What came of something that was tried.
#[derive(Serialize)]
struct Outcome<'a> {
    /// `works`, `refused` or `wrong`.
    outcome: &'a str,
    why: Option<&'a str>,
}

fn outcome(tried: &Tried) -> Option<Outcome<'_>> {
    let (outcome, why) = match tried {
        Tried::Not => return None,
        Tried::Works => ("works", None),
        Tried::Refused(words) => ("refused", Some(words.as_str())),
        Tried::Wrong(what) => ("wrong", Some(what.as_str())),
    };
    Some(Outcome { outcome, why })
}

/// For programs.
pub(super) fn machine(report: &FtpReport) -> String {
    let Encrypted { offered, version, data, connections, resumed } = report.encrypted;
    json(&Findings {
        protocol: "ftp",
        url: &report.place,
        probed: match report.probed {
            Probed::File => "file",
            Probed::Folder => "folder",
            Probed::Nothing(_) => "nothing",
        },
        greeting: &report.greeting,
        system: report.system.as_deref(),
        features: &report.features,
        tls: Tls { offered, version, data, connections, resumed },
        epsv: outcome(&report.epsv),
        pasv: outcome(&report.pasv),
        pasv_address: report.pasv_address.map(|address| address.to_string()),
        active: outcome(&report.active),
        list: outcome(&report.list),
        size: report.entity.size,
        size_told: outcome(&report.size),
        modified: report.entity.modified.and_then(http_date),
        modified_strong: report.entity.modified.is_some_and(|modified| modified.strong),
        mdtm: outcome(&report.mdtm),
        mlst: outcome(&report.mlst),
        rest_at: report.rest_at,
        rest: outcome(&report.rest),
        last_byte: outcome(&report.last_byte),
        blocks: outcome(&report.blocks),
        uploads: report.write.as_ref().map(uploads_for_programs),
        resume: word(report.verdict.resume),
        why: &report.verdict.why,
    })
}

fn uploads_for_programs(write: &WriteReport) -> Uploads<'_> {
    Uploads {
        name: &write.name,
        stor: outcome(&write.stor),
        read_back: write.read_back,
        rest_stor: outcome(&write.restart),
        behind: write.inside.map(|inside| match inside {
            Inside::Kept => "kept",
            Inside::Cut => "cut",
        }),
        appe: outcome(&write.append),
        checksums: &write.sums,
        wrong_checksums: &write.wrong_sums,
        mfmt: outcome(&write.mfmt),
        rename: outcome(&write.rename),
        kept: outcome(&write.kept),
        dele: outcome(&write.delete),
        left: &write.left,
        resume: word(write.verdict.resume),
        why: &write.verdict.why,
    }
}
