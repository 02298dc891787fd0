//! Whether two answers speak of one version of the file: the ladder of validators (RFC 9110 §8.8, §13.1.5, §15.3.7.3).
//!
//! Pure judgement: it asks nothing. What a doubt leads to (comparing bytes, asking again) is the machine's business.

use super::Basis;
use crate::Entity;

/// What an answer is, against what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same version, and what says so.
    Same(Basis),
    /// Nothing says it is another one, nothing proves it is the same: compare bytes.
    Doubtful,
    /// Something says it is another one; what, in plain words.
    Suspect(String),
}

/// Compares what is known with what is seen. `etags_lie`: this far end gives a different tag each time for the same
/// bytes, so they are left out.
pub(super) fn compare(known: &Entity, seen: &Entity, etags_lie: bool) -> Verdict {
    if let (Some(was), Some(is)) = (known.size, seen.size)
        && was != is
    {
        return Verdict::Suspect(format!("its size was {was} bytes and is {is} now"));
    }
    if known.encoding != seen.encoding {
        return Verdict::Suspect("its content coding differs".into());
    }
    let dates = known.modified.zip(seen.modified);
    let moved = dates.is_some_and(|(was, is)| !was.same_moment(is));
    if let (false, Some(was), Some(is)) = (etags_lie, &known.etag, &seen.etag) {
        if was.opaque != is.opaque {
            return Verdict::Suspect(format!("its ETag was {was} and is {is} now"));
        }
        if !was.weak && !is.weak {
            return if moved { Verdict::Doubtful } else { Verdict::Same(Basis::ETag) };
        }
    }
    match dates {
        Some(_) if moved => Verdict::Suspect("its modification date differs".into()),
        Some((was, is)) if was.strong && is.strong => Verdict::Same(Basis::Date),
        _ => Verdict::Doubtful,
    }
}

/// What this entity alone could prove of a later answer that repeats it.
pub(super) fn strength(entity: &Entity, etags_lie: bool) -> Option<Basis> {
    if !etags_lie && entity.strong_etag().is_some() {
        Some(Basis::ETag)
    } else if entity.strong_date().is_some() {
        Some(Basis::Date)
    } else {
        None
    }
}

/// What three answers in a row, each on a connection of its own, say of a version that looks changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// They agree with each other and not with what is known.
    Changed,
    /// They don't agree with each other: tags are noise here; the rest agrees, so bytes decide.
    Noise,
}

/// Settles it: `known` against the three answers.
pub(super) fn settle(known: &Entity, answers: &[Entity]) -> Settled {
    let same_but_tags = |seen: &Entity| !matches!(compare(known, seen, true), Verdict::Suspect(_));
    // An answer without a tag (a 416, say) has no voice in what the tag is.
    let tags: Vec<_> =
        answers.iter().filter_map(|seen| seen.etag.as_ref().map(|etag| &etag.opaque)).collect();
    let stable = tags.windows(2).all(|pair| pair[0] == pair[1]);
    let known_tag = known.etag.as_ref().map(|etag| &etag.opaque);
    let tags_differ = known_tag.is_some() && tags.first().is_some_and(|tag| known_tag != Some(tag));
    if (stable && tags_differ) || !answers.iter().all(same_but_tags) {
        Settled::Changed
    } else {
        Settled::Noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ETag, Modified};

    fn entity(tag: &str, date: i64) -> Entity {
        Entity {
            size: Some(10),
            etag: (!tag.is_empty())
                .then(|| ETag { opaque: tag.trim_start_matches("W/").into(), weak: tag.starts_with("W/") }),
            modified: (date != 0).then_some(Modified { seconds: date.abs(), nanos: 0, strong: date > 0 }),
            encoding: None,
        }
    }

    #[test]
    fn the_ladder() {
        let same = |a: &Entity, b: &Entity| compare(a, b, false);
        assert_eq!(same(&entity("a", 1), &entity("a", 1)), Verdict::Same(Basis::ETag));
        assert_eq!(same(&entity("a", 1), &entity("a", 2)), Verdict::Doubtful);
        assert!(matches!(same(&entity("a", 1), &entity("b", 1)), Verdict::Suspect(_)));
        assert_eq!(compare(&entity("a", 1), &entity("b", 1), true), Verdict::Same(Basis::Date));
        assert_eq!(same(&entity("W/a", 1), &entity("W/a", 1)), Verdict::Same(Basis::Date));
        assert_eq!(same(&entity("W/a", 0), &entity("W/a", 0)), Verdict::Doubtful);
        assert!(matches!(same(&entity("W/a", 1), &entity("W/b", 1)), Verdict::Suspect(_)));
        assert_eq!(same(&entity("", -1), &entity("", -1)), Verdict::Doubtful);
        assert_eq!(same(&entity("", 0), &entity("", 0)), Verdict::Doubtful);
        let other_size = Entity { size: Some(11), ..entity("a", 1) };
        assert!(matches!(same(&entity("a", 1), &other_size), Verdict::Suspect(_)));
    }

    #[test]
    fn a_stable_new_tag_is_a_change_and_a_flickering_one_is_noise() {
        let known = entity("a", 5);
        let stable = [entity("b", 5), entity("b", 5), entity("b", 5)];
        let noise = [entity("b", 5), entity("c", 5), entity("a", 5)];
        let dated = [entity("b", 5), entity("c", 6), entity("d", 5)];
        assert_eq!(settle(&known, &stable), Settled::Changed);
        assert_eq!(settle(&known, &noise), Settled::Noise);
        assert_eq!(settle(&known, &dated), Settled::Changed);
        let moved = [entity("", 6), entity("", 6), entity("", 6)];
        assert_eq!(settle(&entity("", 5), &moved), Settled::Changed);
    }
}
