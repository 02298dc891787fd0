//! Upload-Checksum: the digest of one request's content, `ALGORITHM BASE64`, said before the content or, where the
//! Trailer field announces it (RFC 9110 §6.6.2), behind it.
//!
//! Nothing is computed here. Content that has another digest is dropped wholly ([`super::Refusal::Checksum`]), and so is
//! content whose digest was announced and never came.

use base64::{Engine, engine::general_purpose::STANDARD};
use haul_core::{Algorithm, Digest};
use http::{HeaderMap, HeaderValue, header};

use super::{Refusal, UPLOAD_CHECKSUM};
use crate::http::field::{self, Single};

/// The algorithms, as Tus-Checksum-Algorithm lists them.
pub const ALGORITHMS: &str = "sha1,sha256,md5";

/// How it is proved that content is what its sender has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It has this digest.
    Said(Digest),
    /// It has a digest that comes behind it ([`trailing`]): by which algorithm is known only then.
    Trailing,
}

impl Proof {
    /// The algorithms by which it may have to be shown.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Said(digest) => vec![digest.algorithm()],
            Self::Trailing => vec![Algorithm::Sha1, Algorithm::Sha256, Algorithm::Md5],
        }
    }
}

/// How the content is proved, where the request says that it will be. Saying it both before and behind is a
/// contradiction.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Proof>, Refusal> {
    match (said(headers)?, is_announced(headers)) {
        (None, false) => Ok(None),
        (Some(digest), false) => Ok(Some(Proof::Said(digest))),
        (None, true) => Ok(Some(Proof::Trailing)),
        (Some(_), true) => Err(Refusal::Contradiction("Upload-Checksum")),
    }
}

/// The digest that these trailers say of content for which one was announced. None at all is none that is right.
pub fn trailing(trailers: &HeaderMap) -> Result<Digest, Refusal> {
    said(trailers)?.ok_or(Refusal::Checksum)
}

fn said(fields: &HeaderMap) -> Result<Option<Digest>, Refusal> {
    match Single::of(fields, &UPLOAD_CHECKSUM) {
        Single::Absent => Ok(None),
        Single::Value(value) => parse(value).map(Some),
        Single::Contradiction => Err(Refusal::Contradiction("Upload-Checksum")),
    }
}

/// Whether the Trailer field lists it.
fn is_announced(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::TRAILER).iter().filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .any(|name| field::trim(name).eq_ignore_ascii_case(UPLOAD_CHECKSUM.as_str()))
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

    #[test]
    fn a_digest_may_be_announced_and_come_behind() {
        let of = |fields: &[(&'static str, &'static str)]| {
            let fields =
                fields.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            of(&fields.collect())
        };
        for announced in
            ["upload-checksum", "Upload-Checksum", "Expires ,\tUPLOAD-checksum", ",upload-checksum,"]
        {
            assert_eq!(of(&[("trailer", announced)]), Ok(Some(Proof::Trailing)), "{announced}");
        }
        assert_eq!(of(&[("trailer", "expires, x-upload-checksum")]), Ok(None));
        let said = ("upload-checksum", "md5 1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(of(&[said]).unwrap().unwrap().algorithms(), [Algorithm::Md5]);
        assert_eq!(
            of(&[said, ("trailer", "upload-checksum")]),
            Err(Refusal::Contradiction("Upload-Checksum"))
        );
    }

    #[test]
    fn a_digest_that_was_announced_has_to_come() {
        let mut trailers = HeaderMap::new();
        assert_eq!(trailing(&trailers), Err(Refusal::Checksum));
        trailers.append(UPLOAD_CHECKSUM, HeaderValue::from_static("md5 1B2M2Y8AsgTpgAmY7PhCfg=="));
        let digest = trailing(&trailers).unwrap();
        assert!(Proof::Trailing.algorithms().contains(&digest.algorithm()));
        trailers.insert(UPLOAD_CHECKSUM, HeaderValue::from_static("crc32 AAAAAA=="));
        assert_eq!(trailing(&trailers), Err(Refusal::UnknownChecksum));
        trailers.insert(UPLOAD_CHECKSUM, HeaderValue::from_static("md5"));
        assert_eq!(trailing(&trailers), Err(Refusal::Malformed("Upload-Checksum")));
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
