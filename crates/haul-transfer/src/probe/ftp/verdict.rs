//! What follows from what was tried. Pure.

use super::{super::Resume, FtpReport, Probed, Tried, Verdict, WriteReport};

/// For downloads. `of_own`: the file was ours, and nobody else changes it.
pub(super) fn download(report: &FtpReport, of_own: bool) -> Verdict {
    let say = |resume, why: String| Verdict { resume, why };
    let unsure = |why: &str| say(Resume::Unsafe, why.to_owned());
    let untried = report.probed != Probed::File && report.last_byte == Tried::Not;
    match &report.rest {
        Tried::Refused(words) => return say(Resume::No, format!("it does not begin in the middle: {words}")),
        Tried::Wrong(what) => return unsure(what),
        Tried::Works if untried => return unsure("REST is accepted, but there was no file to try it on"),
        Tried::Not if untried => return unsure("there was no file to try it on"),
        Tried::Not if report.entity.size == Some(0) => return say(Resume::Yes, "the file is empty".into()),
        Tried::Not => return unsure("the file is too small to begin in its middle"),
        Tried::Works => {}
    }
    for flaw in [&report.size, &report.last_byte] {
        if let Tried::Wrong(what) = flaw {
            return say(Resume::Unsafe, format!("{what}; haul compares bytes instead"));
        }
    }
    if let Tried::Refused(words) = &report.last_byte {
        return say(
            Resume::Unsafe,
            format!("REST {} works, but not REST to the last byte as SIZE has it: {words}", report.rest_at),
        );
    }
    match (report.size.works(), report.mdtm.works()) {
        (true, true) if of_own || report.entity.strong_date().is_some() => {
            say(Resume::Yes, "REST brings the right bytes, and SIZE and MDTM tell the version".into())
        }
        (true, true) => unsure(
            "REST brings the right bytes, but the file was changed less than a minute ago, and its date \
             proves nothing yet: haul compares bytes instead",
        ),
        (true, false) => {
            unsure("REST brings the right bytes, but no MDTM tells versions apart: haul compares bytes")
        }
        (false, true) => {
            unsure("REST brings the right bytes, but no SIZE tells versions apart: haul compares bytes")
        }
        (false, false) => unsure(
            "REST brings the right bytes, but neither SIZE nor MDTM tells versions apart: haul compares bytes",
        ),
    }
}

/// For uploads.
pub(super) fn upload(write: &WriteReport) -> Verdict {
    let say = |resume, why: String| Verdict { resume, why };
    match &write.stor {
        Tried::Works => {}
        Tried::Refused(words) => return say(Resume::No, format!("it takes no uploads: {words}")),
        Tried::Wrong(what) => return say(Resume::No, format!("an upload goes wrong: {what}")),
        Tried::Not => return say(Resume::No, "no upload came about".into()),
    }
    if let Tried::Wrong(what) = &write.kept {
        return say(Resume::No, what.clone());
    }
    let proof = if write.read_back { "" } else { " (by its size: it cannot be read back)" };
    match (&write.restart, &write.append) {
        (Tried::Works, Tried::Wrong(what)) => say(
            Resume::Yes,
            format!("REST and STOR goes on at the end of a file{proof}; APPE must not be used: {what}"),
        ),
        (Tried::Works, _) => say(Resume::Yes, format!("REST and STOR goes on at the end of a file{proof}")),
        (Tried::Refused(_), Tried::Works) => {
            say(Resume::Yes, format!("APPE goes on at the end of a file{proof}, REST and STOR is refused"))
        }
        (Tried::Wrong(what), Tried::Works) => say(
            Resume::Unsafe,
            format!("APPE goes on at the end of a file{proof}, but not REST and STOR: {what}"),
        ),
        (Tried::Wrong(what), _) | (_, Tried::Wrong(what)) => {
            say(Resume::Unsafe, format!("it says yes and does something else: {what}"))
        }
        (Tried::Refused(words), _) => {
            say(Resume::No, format!("neither REST and STOR nor APPE goes on with a file: {words}"))
        }
        (Tried::Not, _) => say(Resume::Unsafe, "it could not be tried to its end".into()),
    }
}

#[cfg(test)]
mod tests {
    use haul_core::{Entity, Modified};

    use super::{super::empty, *};

    fn good() -> FtpReport {
        let modified = Some(Modified { seconds: 1_000_000_000, nanos: 0, strong: true });
        FtpReport {
            rest: Tried::Works,
            last_byte: Tried::Works,
            size: Tried::Works,
            mdtm: Tried::Works,
            entity: Entity { size: Some(5000), modified, ..Entity::default() },
            ..empty("ftp://h/f".into())
        }
    }

    fn no() -> Tried {
        Tried::Refused("502 no".into())
    }

    fn wrong() -> Tried {
        Tried::Wrong("it lies".into())
    }

    #[test]
    fn a_download_is_resumed_where_bytes_are_right_and_versions_are_told_apart() {
        let fresh = Modified { seconds: 9, nanos: 0, strong: false };
        let entity = Entity { modified: Some(fresh), ..good().entity };
        for (report, own, expected) in [
            (good(), false, Resume::Yes),
            (FtpReport { mdtm: no(), ..good() }, false, Resume::Unsafe),
            (FtpReport { size: no(), last_byte: Tried::Not, ..good() }, false, Resume::Unsafe),
            (FtpReport { entity: entity.clone(), ..good() }, false, Resume::Unsafe),
            (FtpReport { entity, ..good() }, true, Resume::Yes),
            (FtpReport { rest: no(), ..good() }, false, Resume::No),
            (FtpReport { rest: wrong(), ..good() }, false, Resume::Unsafe),
            (FtpReport { size: wrong(), ..good() }, false, Resume::Unsafe),
            (FtpReport { last_byte: wrong(), ..good() }, false, Resume::Unsafe),
            (FtpReport { last_byte: no(), ..good() }, false, Resume::Unsafe),
            (FtpReport { probed: Probed::Folder, last_byte: Tried::Not, ..good() }, false, Resume::Unsafe),
            (FtpReport { probed: Probed::Folder, rest: no(), ..good() }, false, Resume::No),
        ] {
            let verdict = download(&report, own);
            assert_eq!(verdict.resume, expected, "{}", verdict.why);
            assert!(!verdict.why.is_empty());
        }
    }

    #[test]
    fn an_upload_is_resumed_by_what_goes_on_at_the_end() {
        let write = |stor, restart, append| WriteReport {
            stor,
            restart,
            append,
            read_back: true,
            ..WriteReport::of("f".into())
        };
        let works = || Tried::Works;
        for (report, expected) in [
            (write(works(), works(), works()), Resume::Yes),
            (write(works(), works(), no()), Resume::Yes),
            (write(works(), works(), wrong()), Resume::Yes),
            (write(works(), no(), works()), Resume::Yes),
            (write(works(), no(), no()), Resume::No),
            (write(works(), wrong(), works()), Resume::Unsafe),
            (write(works(), wrong(), wrong()), Resume::Unsafe),
            (write(works(), no(), wrong()), Resume::Unsafe),
            (write(no(), Tried::Not, Tried::Not), Resume::No),
            (write(wrong(), Tried::Not, Tried::Not), Resume::No),
        ] {
            let verdict = upload(&report);
            assert_eq!(verdict.resume, expected, "{}", verdict.why);
            // What nobody keeps cannot be gone on with.
            let lost = WriteReport { kept: wrong(), ..report };
            assert_eq!(upload(&lost).resume, Resume::No);
        }
    }
}
