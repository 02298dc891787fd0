//! Upload-Checksum: the digest of one request's content, `ALGORITHM BASE64`.
//!
//! Nothing is computed here. Content that has another digest is dropped wholly ([`super::Refusal::Checksum`]).

use base64::{Engine, engine::general_purpose::STANDARD};
use haul_core::{Algorithm, Digest};
use http::{HeaderMap, HeaderValue};

use super::{Refusal, UPLOAD_CHECKSUM};
use crate::http::field::{self, Single};

/// The algorithms, as Tus-Checksum-Algorithm lists them.
pub const ALGORITHMS: &str = "sha1,sha256,md5";

/// The digest that the content must have, where the request says one.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Digest>, Refusal> {
    match Single::of(headers, &UPLOAD_CHECKSUM) {
        Single::Absent => Ok(None),
        Single::Value(value) => parse(value).map(Some),
        Single::Contradiction => Err(Refusal::Contradiction("Upload-Checksum")),
    }
}

fn parse(value: &HeaderValue) -> Result<Digest, Refusal> {
    const BAD: Refusal = Refusal::Malformed("Upload-Checksum");
    let (name, digest) = field::trim(value.to_str().map_err(|_| BAD)?).split_once(' ').ok_or(BAD)?;
    let algorithm = match name {
        "sha1" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "md5" => Algorithm::Md5,
        _ => return Err(Refusal::UnknownChecksum),
    };
    Digest::new(algorithm, STANDARD.decode(digest).map_err(|_| BAD)?).ok_or(BAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Digest, Refusal> {
        parse(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn the_listed_algorithms_are_read() {
        let digests = [
            ("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", Algorithm::Sha1),
            ("sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", Algorithm::Sha256),
            ("md5 1B2M2Y8AsgTpgAmY7PhCfg==", Algorithm::Md5),
        ];
        for (text, algorithm) in digests {
            assert_eq!(read(text).unwrap().algorithm(), algorithm);
        }
        let known: Vec<_> = digests.iter().map(|(text, _)| text.split_once(' ').unwrap().0).collect();
        assert_eq!(known.join(","), ALGORITHMS);
    }

    #[test]
    fn the_digest_of_the_protocols_own_example_is_read() {
        assert_eq!(
            read("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap().to_string(),
            "sha-1=2aae6c35c94fcfb415dbe95f408b9ce91ee846ed"
        );
    }

    #[test]
    fn an_unknown_algorithm_is_told_from_a_bad_digest() {
        for unknown in ["crc32 AAAAAA==", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha512 AA=="] {
            assert_eq!(read(unknown), Err(Refusal::UnknownChecksum), "{unknown}");
        }
        for bad in ["", "sha1", "sha1 ", "sha1 !", "sha1 AAAA", "sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0="] {
            assert_eq!(read(bad), Err(Refusal::Malformed("Upload-Checksum")), "{bad}");
        }
    }

    #[test]
    fn two_digests_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), Ok(None));
        headers.append(UPLOAD_CHECKSUM, HeaderValue::from_static("md5 1B2M2Y8AsgTpgAmY7PhCfg=="));
        assert!(of(&headers).unwrap().is_some());
        headers.append(UPLOAD_CHECKSUM, HeaderValue::from_static("md5 AAAAAAAAAAAAAAAAAAAAAA=="));
        assert_eq!(of(&headers), Err(Refusal::Contradiction("Upload-Checksum")));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, tail in "[ -~]{0,40}") {
            let _ = HeaderValue::from_bytes(&bytes).ok().map(|value| parse(&value));
            let _ = read(&format!("sha1 {tail}"));
        }

        #[test]
        fn round_trips(bytes in prop::collection::vec(any::<u8>(), 20)) {
            let text = format!("sha1 {}", STANDARD.encode(&bytes));
            prop_assert_eq!(read(&text), Ok(Digest::new(Algorithm::Sha1, bytes).unwrap()));
        }
    }
}
