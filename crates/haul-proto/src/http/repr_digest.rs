//! Want-Repr-Digest and Repr-Digest (RFC 9530 §3, §4) as a server: which digest of the whole file a client would like,
//! and how it is told.
//!
//! A wish may always be left unfulfilled, so what cannot be read is no wish. Only the two algorithms are told that the
//! RFC's registry calls active: a digest against accidents alone would look like more than it is. Reading a digest
//! is [`super::content_digest`]'s.

use base64::{Engine, engine::general_purpose::STANDARD};
use haul_core::{Algorithm, Digest};
use http::{HeaderMap, header::HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// The field of a request that asks for a digest.
pub const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
/// The field of an answer that tells one.
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// SHA-256 first: where both are liked alike, everybody reads it, and it is the one most likely known already.
const TOLD: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// The digest that these headers ask for most: SHA-256 or SHA-512; `None` where neither would be welcome.
pub fn wanted(headers: &HeaderMap) -> Option<Algorithm> {
    // Lines of a structured field are one value (RFC 9651 §4.2).
    let lines: Vec<&[u8]> =
        headers.get_all(&WANT_REPR_DIGEST).iter().map(http::HeaderValue::as_bytes).collect();
    let wishes: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
    let weighed = TOLD.iter().map(|algorithm| (weight(&wishes, *algorithm), *algorithm));
    let best = weighed.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(weight, _)| *weight > 0).map(|(_, algorithm)| algorithm)
}

/// How much an algorithm is wanted, 1 to 10; 0 where it is not, or where what is said of it is no weight.
fn weight(wishes: &Dictionary, algorithm: Algorithm) -> i64 {
    match wishes.get(algorithm.name()) {
        Some(ListEntry::Item(item)) => match item.bare_item {
            BareItem::Integer(weight) => {
                Some(i64::from(weight)).filter(|w| (0..=10).contains(w)).unwrap_or(0)
            }
            _ => 0,
        },
        Some(ListEntry::InnerList(_)) | None => 0,
    }
}

/// The value of a Repr-Digest field, `sha-256=:BASE64:`; `None` for an algorithm that is not told.
pub fn repr_digest_value(digest: &Digest) -> Option<String> {
    let algorithm = digest.algorithm();
    TOLD.contains(&algorithm).then(|| format!("{}=:{}:", algorithm.name(), STANDARD.encode(digest.bytes())))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::http::content_digest;

    fn want(lines: &[&str]) -> Option<Algorithm> {
        let lines = lines.iter().map(|line| (WANT_REPR_DIGEST, HeaderValue::from_str(line).unwrap()));
        wanted(&lines.collect())
    }

    #[test]
    fn the_heavier_wish_wins() {
        assert_eq!(want(&["sha-512=3, sha-256=10, unixsum=0"]), Some(Algorithm::Sha256));
        assert_eq!(want(&["sha-256=1, sha-512=2"]), Some(Algorithm::Sha512));
        assert_eq!(want(&["sha-256=5, sha-512=5"]), Some(Algorithm::Sha256));
        assert_eq!(want(&["sha-512=1"]), Some(Algorithm::Sha512));
        assert_eq!(want(&["md5=10, sha-512=1;q=x"]), Some(Algorithm::Sha512));
    }

    #[test]
    fn several_lines_are_one_wish() {
        assert_eq!(want(&["sha-256=1", "sha-512=9"]), Some(Algorithm::Sha512));
        assert_eq!(
            want(&["sha-256=9", "sha-256=0, sha-512=1"]),
            Some(Algorithm::Sha512),
            "the last one counts"
        );
    }

    #[test]
    fn zero_is_not_acceptable() {
        for none in ["sha-256=0", "sha-256=0, sha-512=0, md5=10", "", "md5=5"] {
            assert_eq!(want(&[none]), None, "{none}");
        }
        assert_eq!(want(&[]), None);
        assert_eq!(want(&["sha-256=0, sha-512=1"]), Some(Algorithm::Sha512));
    }

    #[test]
    fn what_is_no_weight_is_no_wish() {
        for none in ["sha-256", "sha-256=11", "sha-256=-1", "sha-256=1.0", "sha-256=\"5\"", "sha-256=(5)"] {
            assert_eq!(want(&[none]), None, "{none}");
        }
        assert_eq!(want(&["sha-256=99, sha-512=1"]), Some(Algorithm::Sha512));
    }

    #[test]
    fn a_field_that_is_malformed_anywhere_is_no_wish() {
        for bad in ["sha-256=5,", "SHA-256=5", "sha-256=5 sha-512=1", "sha-256 = 5", "sha-256=5, =", "é=1"] {
            assert_eq!(want(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn only_active_algorithms_are_told() {
        let value = |algorithm: Algorithm| {
            repr_digest_value(&Digest::new(algorithm, vec![0; algorithm.len()]).unwrap())
        };
        assert_eq!(
            value(Algorithm::Sha256).as_deref(),
            Some("sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
        );
        assert!(value(Algorithm::Sha512).is_some());
        for untold in [Algorithm::Md5, Algorithm::Sha1, Algorithm::Blake3] {
            assert_eq!(value(untold), None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "(sha-256|sha-512|=|,| |[0-9]{1,16}|;|\\(|\\)){0,12}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let value = HeaderValue::from_bytes(bytes).ok();
                let _ = wanted(&value.map(|value| (WANT_REPR_DIGEST, value)).into_iter().collect());
            }
        }

        #[test]
        fn weights_decide(a in 0..=10_i64, b in 0..=10_i64) {
            let told = want(&[&format!("sha-256={a}, sha-512={b}")]);
            let expected = match (a, b) {
                (0, 0) => None,
                (a, b) if a >= b => Some(Algorithm::Sha256),
                _ => Some(Algorithm::Sha512),
            };
            prop_assert_eq!(told, expected);
        }

        #[test]
        fn a_client_reads_what_is_told(bytes in prop::collection::vec(any::<u8>(), 64)) {
            for algorithm in TOLD {
                let digest = Digest::new(algorithm, bytes[..algorithm.len()].to_vec()).unwrap();
                let value = HeaderValue::from_str(&repr_digest_value(&digest).unwrap()).unwrap();
                let headers = [(REPR_DIGEST, value)].into_iter().collect();
                prop_assert_eq!(content_digest::of(&headers), [digest]);
            }
        }
    }
}
