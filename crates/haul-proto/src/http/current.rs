//! The current version of a file, as its server names it (RFC 9110 §8.8): a strong ETag, a date, a size.
//!
//! The tag is made of what the system says of the *opened* file, written out and not hashed: two versions have one
//! tag only where the system cannot tell them apart either. Dates alone are too coarse for that, and an mtime can be
//! put back, so the ctime is in it too. Nothing here looks at a file.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use haul_core::{ETag, Modified};

use super::date;

/// A moment as file systems stamp it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub seconds: i64,
    /// Nanoseconds within that second.
    pub nanos: u32,
}

impl Stamp {
    fn nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// When the bytes were last modified (mtime).
    pub modified: Stamp,
    /// When anything of the file was last changed (ctime); `None` where a store knows no such thing.
    pub changed: Option<Stamp>,
    /// Bytes in it.
    pub size: u64,
    /// What no other file has at the same time, such as its inode; a few bytes, any.
    pub unique: &'a [u8],
}

impl Marks<'_> {
    /// The strong tag of this version. Marks that differ make tags that differ.
    pub fn etag(&self) -> ETag {
        let mut opaque = String::new();
        // Writing into a String cannot fail.
        let _ = write!(opaque, "{:x}-", self.modified.nanoseconds());
        if let Some(changed) = self.changed {
            let _ = write!(opaque, "{:x}", changed.nanoseconds());
        }
        let _ = write!(opaque, "-{:x}-{}", self.size, URL_SAFE_NO_PAD.encode(self.unique));
        ETag { opaque, weak: false }
    }
}

/// The version of a file that a request would get or change now. Its tag is always strong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    etag: ETag,
    modified: Option<i64>,
    size: u64,
}

impl Current {
    /// The version with these marks.
    pub fn of(marks: &Marks<'_>) -> Self {
        Self { etag: marks.etag(), modified: usable(marks.modified.seconds), size: marks.size }
    }

    /// A version whose tag comes from elsewhere; `modified` in whole seconds since 1970. `None` where the tag is weak
    /// or cannot be sent.
    pub fn new(etag: ETag, modified: Option<i64>, size: u64) -> Option<Self> {
        let sendable = etag.opaque.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e));
        (sendable && !etag.weak).then(|| Self { etag, modified: modified.and_then(usable), size })
    }

    /// The strong tag.
    pub fn etag(&self) -> &ETag {
        &self.etag
    }

    /// Bytes in it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The date of this version as an answer at `now` tells it, and whether it is strong there (RFC 9110 §8.8.2.2).
    ///
    /// A date from the future becomes `now` (§8.8.2.1), and so is never strong before it has passed. `None` where
    /// there is no date that HTTP can name.
    pub fn modified(&self, now: SystemTime) -> Option<Modified> {
        let now = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
        let seconds = self.modified?.min(now);
        // Last-Modified and Date both have whole seconds.
        Some(Modified { seconds, nanos: 0, strong: seconds < now })
    }

    /// The value of Last-Modified in an answer at `now`.
    pub fn last_modified(&self, now: SystemTime) -> Option<String> {
        self.modified(now).and_then(date::http_date)
    }
}

/// HTTP-dates that everybody reads begin in 1970.
fn usable(seconds: i64) -> Option<i64> {
    (seconds >= 0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::http::etag;

    const MODIFIED: i64 = 784_903_526;

    fn at(seconds: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
    }

    fn marks() -> Marks<'static> {
        let modified = Stamp { seconds: MODIFIED, nanos: 5 };
        Marks { modified, changed: Some(modified), size: 1575, unique: b"\x01\x02" }
    }

    #[test]
    fn each_mark_changes_the_tag() {
        let later = Stamp { seconds: MODIFIED, nanos: 6 };
        let tags = [
            marks(),
            Marks { modified: later, ..marks() },
            Marks { changed: Some(later), ..marks() },
            Marks { changed: None, ..marks() },
            Marks { size: 1576, ..marks() },
            Marks { unique: b"\x01\x03", ..marks() },
            Marks { unique: b"", ..marks() },
        ]
        .map(|marks| marks.etag().opaque);
        for (index, tag) in tags.iter().enumerate() {
            assert!(!tags[..index].contains(tag), "{tag}");
        }
    }

    #[test]
    fn a_tag_is_short() {
        let stamp = Stamp { seconds: 1_800_000_000, nanos: 999_999_999 };
        let inode = u64::MAX.to_be_bytes();
        let marks = Marks { modified: stamp, changed: Some(stamp), size: 1 << 40, unique: &inode };
        assert!(marks.etag().opaque.len() <= 60, "{}", marks.etag());
    }

    #[test]
    fn a_weak_or_unprintable_tag_names_no_version() {
        let with = |opaque: &str, weak| Current::new(ETag { opaque: opaque.into(), weak }, None, 0);
        assert!(with("a", false).is_some());
        assert!(with("", false).is_some());
        for (opaque, weak) in [("a", true), ("a\"b", false), ("a b", false), ("é", false), ("\n", false)] {
            assert_eq!(with(opaque, weak), None, "{opaque:?}");
        }
    }

    #[test]
    fn a_date_becomes_strong_a_second_later() {
        let current = Current::of(&marks());
        let strong = |now| current.modified(now).unwrap().strong;
        assert!(!strong(at(MODIFIED)));
        assert!(!strong(at(MODIFIED) + Duration::from_millis(999)));
        assert!(strong(at(MODIFIED + 1)));
    }

    #[test]
    fn no_date_is_told_from_the_future() {
        let current = Current::of(&marks());
        let now = at(MODIFIED - 100);
        let told = current.modified(now).unwrap();
        assert_eq!((told.seconds, told.strong), (MODIFIED - 100, false));
        assert_eq!(current.last_modified(now).as_deref(), Some("Tue, 15 Nov 1994 12:43:46 GMT"));
        assert_eq!(current.last_modified(at(MODIFIED)).as_deref(), Some("Tue, 15 Nov 1994 12:45:26 GMT"));
    }

    #[test]
    fn a_date_that_http_cannot_name_is_none() {
        let dated = |modified| {
            Current::new(ETag { opaque: "a".into(), weak: false }, modified, 0)
                .unwrap()
                .modified(at(MODIFIED))
        };
        assert_eq!(dated(None), None);
        assert_eq!(dated(Some(-1)), None);
        assert_eq!(dated(Some(i64::MIN)), None);
        assert!(dated(Some(0)).is_some());
        assert_eq!(dated(Some(i64::MAX)).unwrap().seconds, MODIFIED);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Current::of(&marks()).modified(before), None, "a clock that stands before 1970");
    }

    prop_compose! {
        fn stamps()(seconds: i64, nanos in 0..1_000_000_000_u32) -> Stamp {
            Stamp { seconds, nanos }
        }
    }

    proptest! {
        #[test]
        fn a_tag_is_read_back_as_it_was(
            modified in stamps(),
            changed in prop::option::of(stamps()),
            size: u64,
            unique in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let tag = Marks { modified, changed, size, unique: &unique }.etag();
            let value = HeaderValue::from_str(&tag.to_string()).unwrap();
            prop_assert_eq!(etag::parse(&value), Some(tag.clone()));
            prop_assert!(Current::new(tag, None, size).is_some());
        }

        #[test]
        fn marks_that_differ_make_tags_that_differ(
            a in (stamps(), prop::option::of(stamps()), any::<u64>(), prop::collection::vec(any::<u8>(), 0..3)),
            b in (stamps(), prop::option::of(stamps()), any::<u64>(), prop::collection::vec(any::<u8>(), 0..3)),
        ) {
            let tag = |(modified, changed, size, unique): &(Stamp, Option<Stamp>, u64, Vec<u8>)| {
                Marks { modified: *modified, changed: *changed, size: *size, unique }.etag()
            };
            prop_assert_eq!(tag(&a) == tag(&b), a == b);
        }
    }
}
