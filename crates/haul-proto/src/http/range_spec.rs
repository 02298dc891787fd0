//! Range (RFC 9110 §14.1, §14.2) as a server reads it: what each element asks for, before a file's size is known.
//!
//! One element that is malformed makes the whole field invalid, and an invalid field is ignored. Numbers have no
//! limit in the grammar: one too large for 64 bits is still a number, which no file reaches.

use std::cmp::Ordering;

use haul_core::ByteRange;
use http::HeaderValue;

use super::field;

/// A field with more elements is ignored: nobody who means well needs them, and each costs memory.
const MOST: usize = 1024;

/// One element of a Range field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spec {
    /// `first-last` or `first-`; both count, `last` is inclusive. `u64::MAX` is that or more.
    From { first: u64, last: Option<u64> },
    /// `-n`: the last `n` bytes. `u64::MAX` is that or more.
    Last(u64),
}

impl Spec {
    /// The bytes it means in a file of `size` bytes, or `None` where it is unsatisfiable (§14.1.1, §14.1.2).
    pub(super) fn within(self, size: u64) -> Option<ByteRange> {
        match self {
            // Exclusive, the end of `first-last` may be one more than the largest number: then it is clamped anyway.
            Self::From { first, last } => {
                ByteRange::new(first, last.map_or(size, |last| last.saturating_add(1).min(size)))
            }
            Self::Last(count) => ByteRange::new(size.saturating_sub(count), size),
        }
    }
}

/// The elements of a Range field in bytes, at least one; `None` where the field is to be ignored.
pub(super) fn parse(value: &HeaderValue) -> Option<Vec<Spec>> {
    let (unit, set) = field::trim(value.to_str().ok()?).split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    // Empty elements of a list are passed over (§5.6.1.2).
    let elements = || set.split(',').map(field::trim).filter(|element| !element.is_empty());
    if elements().count() > MOST {
        return None;
    }
    let specs = elements().map(spec).collect::<Option<Vec<_>>>()?;
    (!specs.is_empty()).then_some(specs)
}

fn spec(element: &str) -> Option<Spec> {
    match element.split_once('-')? {
        ("", count) => Some(Spec::Last(number(count)?)),
        (first, "") => Some(Spec::From { first: number(first)?, last: None }),
        (first, last) => {
            let spec = Spec::From { first: number(first)?, last: Some(number(last)?) };
            // Compared as written, since both may be too large to tell them apart as numbers.
            (compare(first, last) != Ordering::Greater).then_some(spec)
        }
    }
}

/// `1*DIGIT`; what is too large becomes the largest.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn compare(a: &str, b: &str) -> Ordering {
    let [a, b] = [a, b].map(|digits| digits.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Vec<Spec>> {
        parse(&HeaderValue::from_str(text).unwrap())
    }

    fn from(first: u64, last: u64) -> Spec {
        Spec::From { first, last: Some(last) }
    }

    const BEYOND: &str = "18446744073709551616";

    #[test]
    fn reads_what_the_grammar_allows() {
        assert_eq!(read("bytes=0-499"), Some(vec![from(0, 499)]));
        assert_eq!(read("BYTES=7-"), Some(vec![Spec::From { first: 7, last: None }]));
        assert_eq!(read(" bytes=-0 "), Some(vec![Spec::Last(0)]));
        let all = vec![from(0, 0), Spec::Last(2), from(5, 6)];
        assert_eq!(read("bytes= ,0-0 ,\t-2,, 5-6,"), Some(all));
        assert_eq!(read("bytes=000000000000000000000000000005-0007"), Some(vec![from(5, 7)]));
    }

    #[test]
    fn ignores_everything_else() {
        let bad = [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5",
            "bytes=5-4",
            "bytes=5-4,0-1",
            "bytes=0-1,x",
            "bytes=0-1;2-3",
            "bytes=0--1",
            "bytes=--1",
            "bytes=+0-1",
            "bytes=0-+1",
            "bytes=0 -1",
            "bytes=0- 1",
            "bytes=0x0-0x1",
            "bytes=0.0-1",
            "bytes=*",
            "bytes=0-*",
            "bytes=0-1/2",
            "bytes =0-1",
            "bytes==0-1",
            "bytes 0-1",
            "bytes:0-1",
            "octets=0-1",
            "lines=0-1",
            "bytes,lines=0-1",
        ];
        for text in bad {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(parse(&HeaderValue::from_bytes("bytes=٠-١".as_bytes()).unwrap()), None);
    }

    #[test]
    fn numbers_have_no_limit() {
        assert_eq!(read(&format!("bytes=0-{BEYOND}")), Some(vec![from(0, u64::MAX)]));
        assert_eq!(read(&format!("bytes={BEYOND}-")), Some(vec![Spec::From { first: u64::MAX, last: None }]));
        assert_eq!(read(&format!("bytes=-{BEYOND}")), Some(vec![Spec::Last(u64::MAX)]));
        assert_eq!(read(&format!("bytes={BEYOND}-{BEYOND}0")), Some(vec![from(u64::MAX, u64::MAX)]));
        assert_eq!(read(&format!("bytes={BEYOND}0-{BEYOND}")), None, "its end is before its start");
        assert_eq!(read(&format!("bytes={BEYOND}-5")), None);
    }

    #[test]
    fn what_is_too_large_is_clamped_and_what_begins_behind_the_end_is_nothing() {
        let range = ByteRange::new;
        assert_eq!(from(0, 499).within(500), range(0, 500));
        assert_eq!(from(0, 500).within(500), range(0, 500));
        assert_eq!(from(499, u64::MAX).within(500), range(499, 500));
        assert_eq!(from(500, 501).within(500), None);
        assert_eq!(Spec::From { first: 499, last: None }.within(500), range(499, 500));
        assert_eq!(Spec::From { first: u64::MAX, last: None }.within(u64::MAX), None);
        assert_eq!(from(0, u64::MAX).within(u64::MAX), range(0, u64::MAX));
        assert_eq!(Spec::Last(0).within(500), None);
        assert_eq!(Spec::Last(1).within(500), range(499, 500));
        assert_eq!(Spec::Last(u64::MAX).within(500), range(0, 500));
        for any in [from(0, 0), Spec::Last(1), Spec::Last(0), Spec::From { first: 0, last: None }] {
            assert_eq!(any.within(0), None);
        }
    }

    #[test]
    fn a_field_with_too_many_elements_is_ignored() {
        let field = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert_eq!(read(&field(MOST)).map(|specs| specs.len()), Some(MOST));
        assert_eq!(read(&field(MOST + 1)), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, set in "([0-9]{0,22}|-|,| |\\*){0,20}", size: u64) {
            let _ = HeaderValue::from_bytes(&bytes).ok().and_then(|value| parse(&value));
            for range in read(&format!("bytes={set}")).into_iter().flatten().filter_map(|spec| spec.within(size)) {
                prop_assert!(range.end() <= size);
            }
        }

        #[test]
        fn what_a_client_asks_for_is_read_back(start: u64, end: u64) {
            if let Some(range) = ByteRange::new(start.min(end), start.max(end)) {
                let specs = read(&crate::http::range::range_value(range.into())).unwrap();
                prop_assert_eq!(specs.len(), 1);
                prop_assert_eq!(specs[0].within(u64::MAX), Some(range));
            }
        }
    }
}
