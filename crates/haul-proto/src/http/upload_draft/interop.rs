//! The versions of the draft that clients speak, and what each of them does in its own way ("Draft Version
//! Identification").
//!
//! Without a version that is known here a client gets no interim response, and is otherwise served as the newest
//! version says: that is how a client of the finished RFC will speak.

use http::{HeaderMap, HeaderValue};

use super::{INTEROP_VERSION, item};
use crate::http::field::Single;

/// An interop version that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interop {
    /// -01: Upload-Incomplete.
    V3,
    /// -02: Upload-Complete.
    V4,
    /// -03: progress in interim responses.
    V5,
    /// -04 and -05: the media type, Upload-Length, Upload-Limit.
    V6,
    /// -06 to -08: Upload-Complete with every append, `max-age`.
    V7,
    /// -09 to -11.
    V8,
    /// -12 and later.
    V9,
}

impl Interop {
    /// All of them, with their numbers.
    pub const ALL: [(Self, u8); 7] = [
        (Self::V3, 3),
        (Self::V4, 4),
        (Self::V5, 5),
        (Self::V6, 6),
        (Self::V7, 7),
        (Self::V8, 8),
        (Self::V9, 9),
    ];

    /// The version that a request says, where it is one of these.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let said = item::integer(Single::of(headers, &INTEROP_VERSION).value()?)?;
        Self::ALL.iter().find(|(_, number)| u64::from(*number) == said).map(|(version, _)| *version)
    }

    /// The value with which a reply echoes it.
    pub fn value(self) -> HeaderValue {
        let number = Self::ALL.iter().find(|(version, _)| *version == self).map_or(0, |(_, number)| *number);
        HeaderValue::from(u16::from(number))
    }

    /// Whether completeness is told by its inverse, Upload-Incomplete.
    pub(super) fn tells_incomplete(self) -> bool {
        self == Self::V3
    }

    /// Whether interim responses may tell an offset. Before, each of them had to be an announcement.
    pub(super) fn knows_progress(self) -> bool {
        self >= Self::V5
    }

    /// Whether what is appended must be of the media type for it.
    pub(super) fn needs_media_type(self) -> bool {
        self >= Self::V6
    }

    /// Whether Upload-Limit has a meaning.
    pub(super) fn knows_limits(self) -> bool {
        self >= Self::V6
    }

    /// Whether a query or a cancellation must not say anything about the upload.
    pub(super) fn forbids_fields_in_queries(self) -> bool {
        self <= Self::V6
    }

    /// What an append means that says nothing of completeness; `None` where it has to.
    ///
    /// -01 says that it completes. -02 to -05 say both that it does not, in their examples, and that it does, between
    /// the lines: here it does not, since a half must never be taken for the whole.
    pub(super) fn silent_append(self) -> Option<bool> {
        match self {
            Self::V3 => Some(true),
            Self::V4 | Self::V5 | Self::V6 => Some(false),
            Self::V7 | Self::V8 | Self::V9 => None,
        }
    }

    /// Whether what is appended without completing the upload is answered by 201.
    pub(super) fn appends_are_created(self) -> bool {
        self <= Self::V6
    }

    /// The key in Upload-Limit for the time that an upload is kept.
    pub(super) fn lifetime_key(self) -> &'static str {
        if self <= Self::V6 { "expires" } else { "max-age" }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Option<Interop> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(INTEROP_VERSION, value.parse().unwrap());
        }
        Interop::of(&headers)
    }

    #[test]
    fn versions_from_three_to_nine_are_known() {
        assert_eq!(read(&["3"]), Some(Interop::V3));
        assert_eq!(read(&["9"]), Some(Interop::V9));
        assert_eq!(read(&["6;a=1"]), Some(Interop::V6));
        for (version, number) in Interop::ALL {
            assert_eq!(read(&[&number.to_string()]), Some(version));
            assert_eq!(version.value(), number.to_string().as_str());
        }
    }

    #[test]
    fn anything_else_is_no_version() {
        for other in ["2", "10", "0", "-3", "3.0", "v3", "?1", "", "3 4", "3, 3"] {
            assert_eq!(read(&[other]), None, "{other:?}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["3", "6"]), None);
    }

    proptest! {
        #[test]
        fn only_the_known_numbers_are_versions(number: u64) {
            prop_assert_eq!(read(&[&number.to_string()]).is_some(), (3..=9).contains(&number));
        }
    }
}
