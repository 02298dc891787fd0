//! Digests of the whole file: Repr-Digest (RFC 9530 §3) and its predecessor Digest (RFC 3230 §4.3.2).
//!
//! Content-Digest and Content-MD5 are left alone: they cover the bytes of one message, which a 206 makes a part of
//! the file. The base64 text is decoded here; nothing is computed.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use haul_core::{Algorithm, Digest};
use http::{HeaderMap, header::HeaderName};

use super::field;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const DIGEST: HeaderName = HeaderName::from_static("digest");

/// Padding may be missing (RFC 8941 §4.2.7 asks readers to take that).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The digests of the whole file that an answer gives, at most one for an algorithm.
///
/// Unknown algorithms and values that cannot be read are passed over. An algorithm given twice with different values
/// counts as not given: one of them is wrong, and nobody can say which.
pub fn of(headers: &HeaderMap) -> Vec<Digest> {
    let mut told: Vec<Digest> = Vec::new();
    let mut disputed: Vec<Algorithm> = Vec::new();
    for name in [&REPR_DIGEST, &DIGEST] {
        for value in headers.get_all(name) {
            let text = value.to_str().unwrap_or_default();
            for digest in text.split(',').filter_map(|member| read(member, name == REPR_DIGEST)) {
                match told.iter().find(|known| known.algorithm() == digest.algorithm()) {
                    None => told.push(digest),
                    Some(known) if *known == digest => {}
                    Some(_) => disputed.push(digest.algorithm()),
                }
            }
        }
    }
    told.retain(|digest| !disputed.contains(&digest.algorithm()));
    told
}

/// One member: `sha-256=:BASE64:` with parameters behind it where `structured`, else `SHA-256=BASE64`.
fn read(member: &str, structured: bool) -> Option<Digest> {
    let (name, value) = field::trim(member).split_once('=')?;
    let value = if structured { value.strip_prefix(':')?.split_once(':')?.0 } else { field::trim(value) };
    Digest::new(algorithm(name)?, BASE64.decode(value).ok()?)
}

fn algorithm(name: &str) -> Option<Algorithm> {
    match name.to_ascii_lowercase().as_str() {
        "sha-256" => Some(Algorithm::Sha256),
        "sha-512" => Some(Algorithm::Sha512),
        "sha" => Some(Algorithm::Sha1),
        "md5" => Some(Algorithm::Md5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    // Of the empty file.
    const SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const MD5: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";

    fn read_all(fields: &[(&HeaderName, String)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        of(&headers).iter().map(ToString::to_string).collect()
    }

    const SHA256_HEX: &str = "sha-256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const MD5_HEX: &str = "md5=d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn reads_the_structured_field() {
        let value = format!("unixsum=:AA==:, sha-256=:{SHA256}:;q=1,md5=:{}:", MD5.trim_end_matches('='));
        assert_eq!(read_all(&[(&REPR_DIGEST, value)]), [SHA256_HEX, MD5_HEX]);
    }

    #[test]
    fn reads_the_older_field() {
        let value = format!("SHA-256={SHA256},md5={MD5}, crc32c=AAAAAA==");
        assert_eq!(read_all(&[(&DIGEST, value)]), [SHA256_HEX, MD5_HEX]);
        assert_eq!(
            read_all(&[(&DIGEST, "sha=2jmj7l5rSw0yVb/vlWAYkK/YBwk=".to_owned())]),
            ["sha-1=da39a3ee5e6b4b0d3255bfef95601890afd80709"]
        );
    }

    #[test]
    fn a_digest_that_contradicts_another_is_dropped_with_it() {
        let other = format!("md5=AAAAAAAAAAAAAAAAAAAAAA==,sha-256={SHA256}");
        let told = read_all(&[(&REPR_DIGEST, format!("md5=:{MD5}:, sha-256=:{SHA256}:")), (&DIGEST, other)]);
        assert_eq!(told, [SHA256_HEX]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let bad = ["", "sha-256", "sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-256=:!:", "sha-256=47DE"];
        for text in bad {
            assert!(
                read_all(&[(&REPR_DIGEST, text.to_owned()), (&DIGEST, text.to_owned())]).is_empty(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.insert(REPR_DIGEST, value.clone());
                headers.insert(DIGEST, value);
            }
            let _ = of(&headers);
        }

        #[test]
        fn round_trips(bytes in prop::collection::vec(any::<u8>(), 64)) {
            let digest = Digest::new(Algorithm::Sha512, bytes.clone()).unwrap();
            let value = format!("sha-512=:{}:", BASE64.encode(bytes));
            prop_assert_eq!(read_all(&[(&REPR_DIGEST, value)]), [digest.to_string()]);
        }
    }
}
