//! Upload-Metadata: `key BASE64, key BASE64 …`, kept as it came, since HEAD has to give it back so.
//!
//! The values are a stranger's bytes. What they are good for is decided by whoever asks for one by its key.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};

use super::{Refusal, UPLOAD_METADATA};
use crate::http::field;

const BAD: Refusal = Refusal::Malformed("Upload-Metadata");

/// What a client said of its upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    raw: Option<HeaderValue>,
    values: BTreeMap<String, Vec<u8>>,
}

impl Metadata {
    /// The metadata of a request; several fields count as one. None, and an empty field, are no metadata.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let lines: Vec<&[u8]> = headers.get_all(UPLOAD_METADATA).iter().map(HeaderValue::as_bytes).collect();
        HeaderValue::from_bytes(&lines.join(&b","[..])).map_err(|_| BAD).and_then(Self::parse)
    }

    /// The metadata in a field's value.
    ///
    /// Keys are unique and ASCII; a key without a value has an empty one. Empty members are passed over.
    pub fn parse(value: HeaderValue) -> Result<Self, Refusal> {
        let mut values = BTreeMap::new();
        let members = value.to_str().map_err(|_| BAD)?.split(',').map(field::trim);
        for member in members.filter(|member| !member.is_empty()) {
            let (key, encoded) = member.split_once(' ').unwrap_or((member, ""));
            let decoded = STANDARD.decode(encoded).map_err(|_| BAD)?;
            if key.contains('\t') || values.insert(key.to_owned(), decoded).is_some() {
                return Err(BAD);
            }
        }
        let raw = (!values.is_empty()).then_some(value);
        Ok(Self { raw, values })
    }

    /// The value of a key, of any bytes.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// What HEAD gives back; `None` where there was nothing.
    pub fn raw(&self) -> Option<&HeaderValue> {
        self.raw.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Metadata, Refusal> {
        Metadata::parse(HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn keys_have_bytes() {
        let text = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential,raw /wA=";
        let metadata = read(text).unwrap();
        assert_eq!(metadata.get("filename"), Some(&b"world_domination_plan.pdf"[..]));
        assert_eq!(metadata.get("is_confidential"), Some(&b""[..]));
        assert_eq!(metadata.get("raw"), Some(&b"\xff\0"[..]));
        assert_eq!(metadata.get("Filename"), None);
        assert_eq!(metadata.raw().unwrap(), text);
    }

    #[test]
    fn an_empty_field_is_no_metadata() {
        for empty in ["", " ", ",", " , ,"] {
            assert_eq!(read(empty), Ok(Metadata::default()), "{empty:?}");
        }
        assert_eq!(Metadata::of(&HeaderMap::new()), Ok(Metadata::default()));
    }

    #[test]
    fn spaces_around_members_do_not_matter() {
        let metadata = read(" a YQ== , b,c ").unwrap();
        assert_eq!(
            [metadata.get("a"), metadata.get("b"), metadata.get("c")],
            [Some(&b"a"[..]), Some(b""), Some(b"")]
        );
    }

    #[test]
    fn lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(UPLOAD_METADATA, HeaderValue::from_static("a YQ=="));
        headers.append(UPLOAD_METADATA, HeaderValue::from_static("b Yg=="));
        let metadata = Metadata::of(&headers).unwrap();
        assert_eq!(metadata.get("b"), Some(&b"b"[..]));
        assert_eq!(metadata.raw().unwrap(), "a YQ==,b Yg==");
        headers.append(UPLOAD_METADATA, HeaderValue::from_static("a YQ=="));
        assert_eq!(Metadata::of(&headers), Err(BAD), "a key twice");
    }

    #[test]
    fn what_is_no_list_of_keys_and_base64_is_refused() {
        for bad in ["a YQ", "a Y!==", "a  YQ==", "a YQ== b", "a YQ==,a", "a\tYQ==", "a YR=="] {
            assert_eq!(read(bad), Err(BAD), "{bad:?}");
        }
        let latin = HeaderValue::from_bytes(b"k\xe9y YQ==").unwrap();
        assert_eq!(Metadata::parse(latin), Err(BAD));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, near in "[a-c ,=YQ\t]{0,30}") {
            let _ = HeaderValue::from_bytes(&bytes).ok().map(Metadata::parse);
            let _ = read(&near);
        }

        #[test]
        fn round_trips(pairs in prop::collection::btree_map("[!-+\\--~]{1,8}", any::<Vec<u8>>(), 0..6)) {
            let members: Vec<_> =
                pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
            let metadata = read(&members.join(",")).unwrap();
            for (key, value) in &pairs {
                prop_assert_eq!(metadata.get(key), Some(value.as_slice()));
            }
            if let Some(raw) = metadata.raw() {
                prop_assert_eq!(&Metadata::parse(raw.clone()), &Ok(metadata.clone()));
            }
        }
    }
}
