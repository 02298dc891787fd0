//! If-Range (RFC 9110 §13.1.5): send the rest only if the file is still the version we have the beginning of.

use haul_core::Entity;

use super::date;

/// The value of an If-Range field for this version: its strong ETag, else its strong date.
///
/// `None` where there is neither: a weak validator would never match, and one that did would prove nothing.
pub fn if_range_value(entity: &Entity) -> Option<String> {
    match entity.strong_etag() {
        Some(etag) => Some(etag.to_string()),
        None => entity.strong_date().and_then(date::http_date),
    }
}

#[cfg(test)]
mod tests {
    use haul_core::{ETag, Modified};

    use super::*;

    fn entity(weak: bool, strong: bool) -> Entity {
        Entity {
            etag: Some(ETag { opaque: "a".into(), weak }),
            modified: Some(Modified { seconds: 0, nanos: 0, strong }),
            ..Entity::default()
        }
    }

    #[test]
    fn a_strong_tag_comes_first() {
        assert_eq!(if_range_value(&entity(false, true)).as_deref(), Some("\"a\""));
    }

    #[test]
    fn a_strong_date_stands_in_for_a_weak_tag() {
        assert_eq!(if_range_value(&entity(true, true)).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    }

    #[test]
    fn nothing_weak_is_ever_sent() {
        assert_eq!(if_range_value(&entity(true, false)), None);
        assert_eq!(if_range_value(&Entity::default()), None);
    }
}
