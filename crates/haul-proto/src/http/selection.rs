//! Which bytes of a file a GET sends (RFC 9110 §13.1.5, §14.2, §15.3.7).
//!
//! Asked only where the answer would be a 200 otherwise: conditions come first ([`super::conditional`]). Whatever
//! is not understood, or could be meant to cost a server dear, gets the whole file, which is always a right answer.

use std::time::SystemTime;

use haul_core::{ByteRange, RangeSet};
use http::{
    HeaderMap, Method,
    header::{IF_RANGE, RANGE},
};

use super::{
    current::Current,
    date, etag,
    field::Single,
    range_spec::{self, Spec},
};

/// So many parts a multipart answer has at most; who asks for more gets the whole (CVE-2011-3192).
pub const MOST_PARTS: usize = 16;

/// The bytes that are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them, as a 200.
    Whole,
    /// These, as a 206 with Content-Range.
    Part(ByteRange),
    /// These, in this order, as a 206 with multipart/byteranges: 2 to [`MOST_PARTS`] parts of which no two overlap or
    /// touch, so that together they are less than the file.
    Parts(Vec<ByteRange>),
    /// None: a 416 with `Content-Range: bytes */size`.
    Unsatisfiable,
}

/// Selects the bytes of `current` that this request gets at the time `now`.
pub fn select(method: &Method, headers: &HeaderMap, current: &Current, now: SystemTime) -> Selection {
    // An empty file has no range that Content-Range could name, and all of it can be sent.
    if *method != Method::GET || current.size() == 0 {
        return Selection::Whole;
    }
    let Some(specs) = Single::of(headers, &RANGE).value().and_then(range_spec::parse) else {
        return Selection::Whole;
    };
    if !is_same_version(headers, current, now) {
        return Selection::Whole;
    }
    among(&specs, current.size())
}

/// Selects the bytes of what has no version that could be named and is `size` bytes long: If-Range, whatever it says, is
/// not true of it, so that all is sent (§13.1.5).
pub fn select_unversioned(method: &Method, headers: &HeaderMap, size: u64) -> Selection {
    if *method != Method::GET || size == 0 || headers.contains_key(IF_RANGE) {
        return Selection::Whole;
    }
    let specs = Single::of(headers, &RANGE).value().and_then(range_spec::parse);
    specs.map_or(Selection::Whole, |specs| among(&specs, size))
}

/// Whether If-Range lets Range count (§13.1.5): it is not there, or names this version beyond doubt.
fn is_same_version(headers: &HeaderMap, current: &Current, now: SystemTime) -> bool {
    let value = match Single::of(headers, &IF_RANGE) {
        Single::Absent => return true,
        Single::Contradiction => return false,
        Single::Value(value) => value,
    };
    if let Some(tag) = etag::parse(value) {
        // Equal to a strong tag, so strong itself.
        return tag == *current.etag();
    }
    let asked = date::parse(value).and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let told = current.modified(now).filter(|modified| modified.strong);
    match (asked, told) {
        (Some(asked), Some(told)) => i64::try_from(asked.as_secs()) == Ok(told.seconds),
        _ => false,
    }
}

/// What is left of these elements in a file of `size` bytes.
fn among(specs: &[Spec], size: u64) -> Selection {
    let asked: Vec<ByteRange> = specs.iter().filter_map(|spec| spec.within(size)).collect();
    let mut merged = RangeSet::default();
    asked.iter().for_each(|range| merged.insert(*range));
    if merged.iter().len() > MOST_PARTS {
        return Selection::Whole;
    }
    // In the order asked for, each where the first of those that make it up stood (§15.3.7.2).
    let mut parts: Vec<ByteRange> = Vec::with_capacity(MOST_PARTS);
    for range in asked {
        let part = merged.iter().find(|part| part.contains(range.start()));
        parts.extend(part.filter(|part| !parts.contains(part)));
    }
    match parts[..] {
        [] => Selection::Unsatisfiable,
        [part] => Selection::Part(part),
        _ => Selection::Parts(parts),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use haul_core::ETag;
    use http::{HeaderValue, header::HeaderName};
    use proptest::prelude::*;

    use super::*;

    const MODIFIED: i64 = 784_903_526;
    const MOMENT: &str = "Tue, 15 Nov 1994 12:45:26 GMT";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn sized(size: u64) -> Current {
        Current::new(ETag { opaque: "a".into(), weak: false }, Some(MODIFIED), size).unwrap()
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn get(range: &str, size: u64) -> Selection {
        select(&Method::GET, &headers(&[(RANGE, range)]), &sized(size), at(800_000_000))
    }

    fn part(start: u64, end: u64) -> Selection {
        Selection::Part(ByteRange::new(start, end).unwrap())
    }

    fn parts(parts: &[(u64, u64)]) -> Selection {
        Selection::Parts(parts.iter().map(|(start, end)| ByteRange::new(*start, *end).unwrap()).collect())
    }

    #[test]
    fn one_range_is_one_part() {
        assert_eq!(get("bytes=0-499", 1575), part(0, 500));
        assert_eq!(get("bytes=0-", 1575), part(0, 1575));
        assert_eq!(get("bytes=0-500", 500), part(0, 500));
        assert_eq!(get("bytes=-9999", 500), part(0, 500));
        assert_eq!(get("bytes=-1", 500), part(499, 500));
    }

    #[test]
    fn nothing_satisfiable_is_said() {
        for range in ["bytes=1575-", "bytes=-0", "bytes=9999-99999, -0", "bytes=99999999999999999999-"] {
            assert_eq!(get(range, 1575), Selection::Unsatisfiable, "{range}");
        }
        assert_eq!(get("bytes=1575-,0-0", 1575), part(0, 1), "one of them is enough");
    }

    #[test]
    fn an_empty_file_is_always_whole() {
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-", "bytes=0-0,1-1"] {
            assert_eq!(get(range, 0), Selection::Whole, "{range}");
        }
    }

    #[test]
    fn several_ranges_keep_their_order() {
        assert_eq!(get("bytes=500-599,0-99", 1575), parts(&[(500, 600), (0, 100)]));
        assert_eq!(get("bytes=-1,0-0,700-701", 1575), parts(&[(1574, 1575), (0, 1), (700, 702)]));
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one_where_the_first_stood() {
        assert_eq!(get("bytes=0-0,1-1", 1575), part(0, 2), "never a multipart with one part");
        assert_eq!(get("bytes=5-9,0-20", 1575), part(0, 21));
        assert_eq!(get("bytes=0-,0-,0-", 1575), part(0, 1575));
        assert_eq!(get("bytes=900-909,100-109,905-950,0-99", 1575), parts(&[(900, 951), (0, 110)]));
    }

    #[test]
    fn too_many_parts_get_the_whole() {
        let range = |count: u64, step: u64| {
            let specs: Vec<_> = (0..count).map(|i| format!("{}-{}", i * step, i * step)).collect();
            format!("bytes={}", specs.join(","))
        };
        assert!(matches!(get(&range(16, 2), 1575), Selection::Parts(parts) if parts.len() == 16));
        assert_eq!(get(&range(17, 2), 1575), Selection::Whole);
        assert_eq!(get(&range(17, 1), 1575), part(0, 17), "they count when they have been joined");
        assert_eq!(get(&range(5000, 1), 1575), Selection::Whole);
    }

    #[test]
    fn what_is_no_range_of_bytes_gets_the_whole() {
        for range in ["bytes=5-4", "bytes=0-1,x", "lines=0-1", "bytes", ""] {
            assert_eq!(get(range, 1575), Selection::Whole, "{range}");
        }
        let twice = headers(&[(RANGE, "bytes=0-1"), (RANGE, "bytes=2-3")]);
        assert_eq!(select(&Method::GET, &twice, &sized(9), at(800_000_000)), Selection::Whole);
        assert_eq!(select(&Method::GET, &HeaderMap::new(), &sized(9), at(800_000_000)), Selection::Whole);
    }

    #[test]
    fn only_get_has_ranges() {
        let fields = headers(&[(RANGE, "bytes=0-1")]);
        for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
            assert_eq!(select(&method, &fields, &sized(9), at(800_000_000)), Selection::Whole, "{method}");
        }
    }

    fn get_if(if_range: &[&str], now: u64) -> Selection {
        let mut fields = headers(&[(RANGE, "bytes=0-1")]);
        for value in if_range {
            fields.append(IF_RANGE, HeaderValue::from_str(value).unwrap());
        }
        select(&Method::GET, &fields, &sized(9), at(now))
    }

    #[test]
    fn if_range_compares_strongly() {
        assert_eq!(get_if(&["\"a\""], 800_000_000), part(0, 2));
        assert_eq!(get_if(&["\"a\"", "\"a\""], 800_000_000), part(0, 2));
        for other in ["W/\"a\"", "\"b\"", "a", "*", "", "\"a\", \"b\""] {
            assert_eq!(get_if(&[other], 800_000_000), Selection::Whole, "{other}");
        }
        assert_eq!(get_if(&["\"a\"", "\"b\""], 800_000_000), Selection::Whole);
    }

    #[test]
    fn if_range_with_a_date_needs_exactly_that_date_and_a_strong_one() {
        assert_eq!(get_if(&[MOMENT], 784_903_527), part(0, 2));
        assert_eq!(get_if(&["Tue Nov 15 12:45:26 1994"], 784_903_527), part(0, 2));
        assert_eq!(get_if(&[MOMENT], 784_903_526), Selection::Whole, "too fresh");
        assert_eq!(get_if(&[MOMENT], 700_000_000), Selection::Whole, "from the future");
        for other in ["Tue, 15 Nov 1994 12:45:25 GMT", "Tue, 15 Nov 1994 12:45:27 GMT", "yesterday"] {
            assert_eq!(get_if(&[other], 800_000_000), Selection::Whole, "{other}");
        }
    }

    #[test]
    fn if_range_with_a_date_never_matches_a_file_without_one() {
        let undated = Current::new(ETag { opaque: "a".into(), weak: false }, None, 9).unwrap();
        let fields = headers(&[(RANGE, "bytes=0-1"), (IF_RANGE, "Thu, 01 Jan 1970 00:00:00 GMT")]);
        assert_eq!(select(&Method::GET, &fields, &undated, at(800_000_000)), Selection::Whole);
    }

    #[test]
    fn what_has_no_version_is_of_none_that_if_range_could_name() {
        let select = |fields| select_unversioned(&Method::GET, &headers(fields), 10);
        assert_eq!(select(&[(RANGE, "bytes=2-3")]), Selection::Part(ByteRange::new(2, 4).unwrap()));
        assert_eq!(select(&[(RANGE, "bytes=10-")]), Selection::Unsatisfiable);
        assert_eq!(select(&[(RANGE, "bytes=2-3"), (IF_RANGE, "\"a\"")]), Selection::Whole);
        assert_eq!(select(&[]), Selection::Whole);
        let head = select_unversioned(&Method::HEAD, &headers(&[(RANGE, "bytes=2-3")]), 10);
        assert_eq!(head, Selection::Whole);
        let empty = select_unversioned(&Method::GET, &headers(&[(RANGE, "bytes=0-")]), 0);
        assert_eq!(empty, Selection::Whole);
    }

    #[test]
    fn if_range_without_range_is_nothing() {
        let fields = headers(&[(IF_RANGE, "\"a\"")]);
        assert_eq!(select(&Method::GET, &fields, &sized(9), at(800_000_000)), Selection::Whole);
    }

    proptest! {
        #[test]
        fn parts_are_what_was_asked_for_and_never_more_than_the_file(
            asked in prop::collection::vec((0..40_u64, 0..8_u64), 1..24),
            size in 1..48_u64,
        ) {
            let specs: Vec<_> = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            let selection = get(&format!("bytes={}", specs.join(",")), size);
            let wanted = |byte: u64| asked.iter().any(|(first, more)| (*first..=first + more).contains(&byte));
            let sent: Vec<ByteRange> = match selection {
                Selection::Whole => {
                    // Only because there would be too many parts.
                    let begins = (0..size).filter(|byte| wanted(*byte) && (*byte == 0 || !wanted(byte - 1)));
                    prop_assert!(begins.count() > MOST_PARTS);
                    return Ok(());
                }
                Selection::Part(part) => vec![part],
                Selection::Parts(parts) => {
                    prop_assert!((2..=MOST_PARTS).contains(&parts.len()));
                    parts
                }
                Selection::Unsatisfiable => Vec::new(),
            };
            for byte in 0..size {
                let times = sent.iter().filter(|part| part.contains(byte)).count();
                prop_assert_eq!(times, usize::from(wanted(byte)), "byte {}", byte);
            }
            prop_assert!(sent.iter().map(|part| part.len()).sum::<u64>() <= size);
            let place = |part: &ByteRange| asked.iter().position(|(first, _)| part.contains(*first));
            prop_assert!(sent.windows(2).all(|two| place(&two[0]) < place(&two[1])));
        }

        #[test]
        fn a_client_gets_what_it_asks_for(start in 0..100_u64, len in 1..100_u64, size in 1..100_u64) {
            let asked = ByteRange::from_len(start, len).unwrap();
            let selection = get(&super::super::range::range_value(asked.into()), size);
            let there = ByteRange::new(0, size).unwrap();
            match asked.intersection(there) {
                Some(part) => prop_assert_eq!(selection, Selection::Part(part)),
                None => prop_assert_eq!(selection, Selection::Unsatisfiable),
            }
        }

        #[test]
        fn never_panics(range: Vec<u8>, if_range: Vec<u8>, size: u64, now in 0..u64::MAX / 4) {
            let mut fields = HeaderMap::new();
            for (name, value) in [(RANGE, range), (IF_RANGE, if_range)] {
                fields.extend(HeaderValue::from_bytes(&value).ok().map(|value| (name, value)));
            }
            let _ = select(&Method::GET, &fields, &sized(size), at(now / 4));
        }
    }
}
