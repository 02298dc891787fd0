//! Upload-Limit (§4.1.4): what a server takes, told beforehand.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{Interop, LARGEST, UPLOAD_LIMIT};

/// What is asked of uploads; `None` is no limit. Sizes are in bytes.
///
/// Nothing here is enforced, only told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most that a whole upload may have.
    pub max_size: Option<u64>,
    /// The least that a whole upload should have to be resumable.
    pub min_size: Option<u64>,
    /// The most that one request may bring.
    pub max_append_size: Option<u64>,
    /// The least that one request may bring, unless it is the last one or an empty first one.
    pub min_append_size: Option<u64>,
    /// How long the upload is still kept; told in whole seconds, rounded down.
    pub max_age: Option<Duration>,
}

impl Limits {
    /// The limits in these fields. What cannot be read limits nothing; a server that means it will say so again.
    pub fn of(headers: &HeaderMap) -> Self {
        // Lines of a structured field are one value (RFC 9651 §4.2).
        let lines: Vec<&[u8]> = headers.get_all(&UPLOAD_LIMIT).iter().map(HeaderValue::as_bytes).collect();
        let told: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().unwrap_or_default();
        let limit = |key: &str| match told.get(key) {
            Some(ListEntry::Item(item)) => match item.bare_item {
                BareItem::Integer(number) => u64::try_from(i64::from(number)).ok(),
                _ => None,
            },
            Some(ListEntry::InnerList(_)) | None => None,
        };
        Self {
            max_size: limit("max-size"),
            min_size: limit("min-size"),
            max_append_size: limit("max-append-size"),
            min_append_size: limit("min-append-size"),
            max_age: limit("max-age").or_else(|| limit("expires")).map(Duration::from_secs),
        }
    }

    /// The field's value for a client of this version: a dictionary, `min-size=0` where there is no limit.
    ///
    /// A limit that a structured field cannot name is told as [`LARGEST`].
    pub fn value(&self, interop: Option<Interop>) -> HeaderValue {
        let lifetime = interop.unwrap_or(Interop::V9).lifetime_key();
        let members: Vec<String> = [
            ("max-size", self.max_size),
            ("min-size", self.min_size),
            ("max-append-size", self.max_append_size),
            ("min-append-size", self.min_append_size),
            (lifetime, self.max_age.map(|age| age.as_secs())),
        ]
        .into_iter()
        .filter_map(|(key, limit)| Some(format!("{key}={}", limit?.min(LARGEST))))
        .collect();
        let none = HeaderValue::from_static("min-size=0");
        // Letters and digits always make a value.
        if members.is_empty() { none } else { HeaderValue::try_from(members.join(", ")).unwrap_or(none) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Limits = Limits {
        max_size: Some(1),
        min_size: Some(2),
        max_append_size: Some(3),
        min_append_size: Some(4),
        max_age: Some(Duration::from_millis(5999)),
    };

    #[test]
    fn each_limit_has_its_key() {
        let told = "max-size=1, min-size=2, max-append-size=3, min-append-size=4, max-age=5";
        assert_eq!(ALL.value(Some(Interop::V7)), told);
        assert_eq!(ALL.value(None), told);
    }

    #[test]
    fn version_six_calls_the_lifetime_expires() {
        let limits = Limits { max_age: Some(Duration::from_secs(60)), ..Limits::default() };
        assert_eq!(limits.value(Some(Interop::V6)), "expires=60");
        assert_eq!(limits.value(Some(Interop::V9)), "max-age=60");
    }

    #[test]
    fn no_limit_is_never_an_empty_value() {
        assert_eq!(Limits::default().value(None), "min-size=0");
    }

    #[test]
    fn what_is_told_is_read_again_and_nonsense_limits_nothing() {
        for interop in [None, Some(Interop::V6), Some(Interop::V9)] {
            let mut headers = HeaderMap::new();
            headers.insert(UPLOAD_LIMIT, ALL.value(interop));
            let read = Limits::of(&headers);
            assert_eq!(read, Limits { max_age: Some(Duration::from_secs(5)), ..ALL });
        }
        for nonsense in ["max-size=-1", "max-size=abc", "max-size", "max-size=1, !", "max-size=(1 2)", ""] {
            let mut headers = HeaderMap::new();
            headers.insert(UPLOAD_LIMIT, nonsense.parse().unwrap());
            assert_eq!(Limits::of(&headers), Limits::default(), "{nonsense:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_one_that_can_be_named(max_size: u64, age: u64) {
            let limits = Limits {
                max_size: Some(max_size),
                max_age: Some(Duration::from_secs(age)),
                ..Limits::default()
            };
            let value = limits.value(None);
            for member in value.to_str().unwrap().split(", ") {
                let number: u64 = member.split_once('=').unwrap().1.parse().unwrap();
                prop_assert!(number <= LARGEST);
            }
        }
    }
}
