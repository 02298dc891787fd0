//! The value of If-Match and If-None-Match (RFC 9110 §13.1.1, §13.1.2): `*`, or a list of entity tags.
//!
//! Several lines of the field are one list. It is read as a whole or not at all: in a list that is malformed anywhere,
//! nobody can say where one tag ends and the next begins.

use haul_core::ETag;
use http::{HeaderMap, header::HeaderName};

/// The versions that a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tags<'a> {
    /// `*`: any version.
    Any,
    /// These, maybe none.
    Listed(Vec<Tag<'a>>),
    /// It cannot be read.
    Malformed,
}

/// One entity tag as a request gives it: any bytes, since it is only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    opaque: &'a [u8],
    weak: bool,
}

impl<'a> Tags<'a> {
    /// What the field `name` says, or `None` where it is not there.
    pub(super) fn of(headers: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines = headers.get_all(name);
        lines.iter().next()?;
        if lines.iter().all(|line| line.as_bytes().trim_ascii() == b"*") {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        for line in lines {
            if read(line.as_bytes(), &mut tags).is_none() {
                return Some(Self::Malformed);
            }
        }
        Some(Self::Listed(tags))
    }

    /// Whether the current version is among them, by the strong comparison (§8.8.3.2). `current` is strong.
    pub(super) fn name_strongly(&self, current: Option<&ETag>) -> bool {
        self.name(current, |tag, current| !tag.weak && tag.opaque == current.opaque.as_bytes())
    }

    /// Whether the current version is among them, by the weak comparison.
    pub(super) fn name_weakly(&self, current: Option<&ETag>) -> bool {
        self.name(current, |tag, current| tag.opaque == current.opaque.as_bytes())
    }

    fn name(&self, current: Option<&ETag>, same: impl Fn(&Tag<'a>, &ETag) -> bool) -> bool {
        current.is_some_and(|current| match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| same(tag, current)),
            Self::Malformed => false,
        })
    }
}

/// Reads one line into `tags`; `None` where it is not a list of entity tags. Empty elements are allowed (§5.6.1.2).
fn read<'a>(line: &'a [u8], tags: &mut Vec<Tag<'a>>) -> Option<()> {
    let mut rest = line;
    loop {
        rest = skip(rest, b" \t,");
        if rest.is_empty() {
            return Some(());
        }
        let (weak, quoted) = match rest.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let inside = quoted.strip_prefix(b"\"")?;
        let end = inside.iter().position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
        let (opaque, behind) = inside.split_at(end);
        tags.push(Tag { opaque, weak });
        rest = skip(behind.strip_prefix(b"\"")?, b" \t");
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
}

fn skip<'a>(input: &'a [u8], unwanted: &[u8]) -> &'a [u8] {
    let end = input.iter().position(|byte| !unwanted.contains(byte)).unwrap_or(input.len());
    &input[end..]
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::IF_MATCH};
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        lines.iter().map(|line| (IF_MATCH, HeaderValue::from_bytes(line).unwrap())).collect()
    }

    #[track_caller]
    fn lists(lines: &[&str], tags: &[(&str, bool)]) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let tags = tags.iter().map(|(opaque, weak)| Tag { opaque: opaque.as_bytes(), weak: *weak }).collect();
        assert_eq!(Tags::of(&headers(&lines), &IF_MATCH), Some(Tags::Listed(tags)), "{lines:?}");
    }

    #[test]
    fn several_lines_are_one_list() {
        lists(&["\"a\""], &[("a", false)]);
        lists(&["\"a\" ,W/\"b\",\t\"\""], &[("a", false), ("b", true), ("", false)]);
        lists(&["\"a\"", "W/\"b\", \"c\""], &[("a", false), ("b", true), ("c", false)]);
    }

    #[test]
    fn commas_belong_to_tags_and_elements_may_be_empty() {
        lists(&["\"a,b\",\"W/\\\""], &[("a,b", false), ("W/\\", false)]);
        lists(&[" ,, \"a\" , ,"], &[("a", false)]);
        lists(&[""], &[]);
        lists(&[",", "\"é\""], &[("é", false)]);
    }

    #[test]
    fn a_star_stands_alone() {
        assert_eq!(Tags::of(&headers(&[b" *\t"]), &IF_MATCH), Some(Tags::Any));
        assert_eq!(Tags::of(&headers(&[b"*", b"*"]), &IF_MATCH), Some(Tags::Any));
        assert_eq!(Tags::of(&headers(&[]), &IF_MATCH), None);
        let mixed: [&[&[u8]]; 4] = [&[b"*, \"a\""], &[b"\"a\", *"], &[b"*", b"\"a\""], &[b"*, *"]];
        for mixed in mixed {
            assert_eq!(Tags::of(&headers(mixed), &IF_MATCH), Some(Tags::Malformed), "{mixed:?}");
        }
    }

    #[test]
    fn a_list_that_is_malformed_anywhere_is_no_list() {
        let bad: [&[u8]; 12] = [
            b"a",
            b"\"",
            b"\"a",
            b"a\"",
            b"\"a\" \"b\"",
            b"\"a\"b",
            b"\"a b\"",
            b"w/\"a\"",
            b"W/ \"a\"",
            b"W/",
            b"\"a\", b",
            b"'a'",
        ];
        for bad in bad {
            assert_eq!(Tags::of(&headers(&[bad]), &IF_MATCH), Some(Tags::Malformed), "{bad:?}");
            assert_eq!(Tags::of(&headers(&[b"\"a\"", bad]), &IF_MATCH), Some(Tags::Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "(W/|\"|,| |\\*|[a-c\\\\é]){0,30}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let headers: HeaderMap =
                    HeaderValue::from_bytes(bytes).ok().map(|value| (IF_MATCH, value)).into_iter().collect();
                let _ = Tags::of(&headers, &IF_MATCH);
            }
        }

        #[test]
        fn whatever_is_listed_is_found(
            tags in prop::collection::vec(("[!#-~é]{0,8}", any::<bool>()), 1..8),
            wanted: prop::sample::Index,
            split in 0..8_usize,
        ) {
            let tags: Vec<ETag> = tags.into_iter().map(|(opaque, weak)| ETag { opaque, weak }).collect();
            let text: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let (first, second) = text.split_at(split.min(text.len()));
            let headers = headers(&[first.join(",").as_bytes(), second.join(" , ").as_bytes()]);
            let read = Tags::of(&headers, &IF_MATCH).unwrap();
            let wanted = ETag { opaque: wanted.get(&tags).opaque.clone(), weak: false };
            prop_assert!(read.name_weakly(Some(&wanted)));
            prop_assert_eq!(read.name_strongly(Some(&wanted)), tags.contains(&wanted));
            prop_assert!(!read.name_weakly(None));
            let longer = ETag { opaque: "x".repeat(9), weak: false };
            prop_assert!(!read.name_weakly(Some(&longer)));
        }
    }
}
