//! Whether `haul get` would go on with what is there, as far as that can be told without asking the server.

use haul_store::Inspection;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It would.
    Yes,
    /// It would after comparing bytes with the server's file.
    Compared,
    /// It would not.
    No,
}

impl Answer {
    /// One word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Compared => "compared",
            Self::No => "no",
        }
    }
}

/// The answer for `seen`, and why in plain words.
///
/// The first rule that fits decides; they stand in the order in which `haul get` would meet them.
pub(super) fn answer(seen: &Inspection) -> (Answer, String) {
    use haul_store::Problem;
    let has = |wanted: fn(&Problem) -> bool| seen.problems.iter().find(|problem| wanted(problem));
    if let Some(process) = seen.in_use {
        return (Answer::No, format!("process {process} is at work on it"));
    }
    if let Some(newer) = has(|problem| matches!(problem, Problem::NewerFormat { .. })) {
        return (Answer::No, format!("{newer}; use that one, or --restart to begin anew"));
    }
    if seen.target_exists {
        let why = "a file of the finished name is there as well; with --overwrite this would replace it";
        return (Answer::No, why.to_owned());
    }
    if let Some(left_over) = has(|problem| matches!(problem, Problem::NoPartial)) {
        return (Answer::No, format!("{left_over}; haul get begins anew"));
    }
    if let Some(unknown) = has(|problem| matches!(problem, Problem::NoJournal | Problem::Unreadable)) {
        return (Answer::Compared, format!("{unknown}; haul get compares them with the server's file first"));
    }
    if seen.held.written.is_empty() {
        return (Answer::No, "no byte is there yet; haul get begins anew".to_owned());
    }
    let proven = seen.subject.as_ref().is_some_and(|subject| {
        let mut known = subject.sources.iter().map(|source| &source.entity);
        known.any(|entity| entity.strong_etag().is_some() || entity.strong_date().is_some())
    });
    if proven {
        (Answer::Yes, "unless the server's file has changed since".to_owned())
    } else {
        let why = "the server gave nothing that proves which version this is; haul get compares bytes first";
        (Answer::Compared, why.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use haul_core::{ETag, Entity};
    use haul_store::Problem;

    use super::super::people::tests::unfinished;
    use super::*;

    #[test]
    fn a_strong_validator_is_a_yes_and_none_means_comparing() {
        let mut seen = unfinished();
        assert_eq!(answer(&seen).0, Answer::Yes);
        for entity in [Entity::default(), weak()] {
            seen.subject.as_mut().unwrap().sources[0].entity = entity;
            assert_eq!(answer(&seen).0, Answer::Compared);
        }
    }

    fn weak() -> Entity {
        Entity { etag: Some(ETag { opaque: "x".into(), weak: true }), ..Entity::default() }
    }

    #[test]
    fn each_obstacle_is_named() {
        for (problem, expected, said) in [
            (Problem::NewerFormat { version: 9 }, Answer::No, "--restart"),
            (Problem::NoPartial, Answer::No, "begins anew"),
            (Problem::NoJournal, Answer::Compared, "compares"),
            (Problem::Unreadable, Answer::Compared, "compares"),
            (Problem::TornAt { offset: 7 }, Answer::Yes, "unless"),
        ] {
            let mut seen = unfinished();
            seen.problems.push(problem);
            let (answer, why) = answer(&seen);
            assert_eq!(answer, expected, "{problem:?}");
            assert!(why.contains(said), "{why}");
        }
        let busy = Inspection { in_use: Some(7), ..unfinished() };
        assert_eq!(answer(&busy), (Answer::No, "process 7 is at work on it".to_owned()));
        let both = Inspection { target_exists: true, ..unfinished() };
        assert!(answer(&both).1.contains("--overwrite"));
    }
}
