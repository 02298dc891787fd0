//! Upload-Concat: an upload that is a part, or one that is put together from parts.

use http::{HeaderMap, HeaderValue};

use super::{Refusal, UPLOAD_CONCAT};
use crate::http::field::{self, Single};

const BAD: Refusal = Refusal::Malformed("Upload-Concat");

/// What an upload is to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concat {
    /// `partial`: a part, of no use by itself.
    Partial,
    /// `final;URL URL …`: these, one behind the other. The same one may be there several times.
    Final(Vec<PartUrl>),
}

/// The URL of a part, as the client wrote it: absolute, or relative to the request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartUrl(String);

impl Concat {
    /// What a request says of it, with the value that HEAD gives back.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<(Self, HeaderValue)>, Refusal> {
        match Single::of(headers, &UPLOAD_CONCAT) {
            Single::Absent => Ok(None),
            Single::Value(value) => Ok(Some((Self::parse(value)?, value.clone()))),
            Single::Contradiction => Err(Refusal::Contradiction("Upload-Concat")),
        }
    }

    /// What a field's value says.
    pub fn parse(value: &HeaderValue) -> Result<Self, Refusal> {
        let text = field::trim(value.to_str().map_err(|_| BAD)?);
        if text == "partial" {
            return Ok(Self::Partial);
        }
        let urls = text.strip_prefix("final;").ok_or(BAD)?.split(' ').filter(|url| !url.is_empty());
        let parts: Vec<PartUrl> = urls.map(PartUrl::new).collect::<Option<_>>().ok_or(BAD)?;
        if parts.is_empty() { Err(BAD) } else { Ok(Self::Final(parts)) }
    }
}

impl PartUrl {
    fn new(url: &str) -> Option<Self> {
        let url = Self(url.to_owned());
        let names_something = url.path().bytes().any(|byte| byte != b'/');
        (names_something && !url.0.contains('\t')).then_some(url)
    }

    /// As the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its path, still percent-encoded; it begins with `/` unless the URL is relative to the request's.
    ///
    /// The authority is not looked at: behind a proxy a server does not know its own. What a path stands for has to
    /// be an upload of the one who asks, whatever the host was called.
    pub fn path(&self) -> &str {
        let end = self.0.find(['?', '#']).unwrap_or(self.0.len());
        let url = &self.0[..end];
        let behind_scheme = match url.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => rest,
            _ => url,
        };
        match behind_scheme.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => behind_scheme,
        }
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Concat, Refusal> {
        Concat::parse(&HeaderValue::from_str(text).unwrap())
    }

    fn paths(text: &str) -> Vec<String> {
        match read(text).unwrap() {
            Concat::Final(parts) => parts.iter().map(|part| part.path().to_owned()).collect(),
            Concat::Partial => panic!("{text} is a part"),
        }
    }

    #[test]
    fn a_part_is_a_part() {
        assert_eq!(read("partial"), Ok(Concat::Partial));
        assert_eq!(read(" partial "), Ok(Concat::Partial));
    }

    #[test]
    fn parts_come_in_their_order_and_as_often_as_named() {
        assert_eq!(paths("final;/files/b /files/a /files/b"), ["/files/b", "/files/a", "/files/b"]);
        assert_eq!(paths("final; /files/a  /files/b "), ["/files/a", "/files/b"]);
    }

    #[test]
    fn absolute_and_relative_urls_have_a_path() {
        let text = "final;https://example.com:8080/f/a?x=/y#z //example.com/f/b c ./d ../e /f:1 f%2fg";
        assert_eq!(paths(text), ["/f/a", "/f/b", "c", "./d", "../e", "/f:1", "f%2fg"]);
    }

    #[test]
    fn anything_else_is_refused() {
        let bad = [
            "",
            "final",
            "final;",
            "final; ",
            "Partial",
            "partial;",
            "partial;/a",
            "FINAL;/a",
            "final:/a",
            "/a",
            "final;http://example.com",
            "final;http://example.com/",
            "final;/",
            "final;?a",
            "final;/a /",
            "final;/a\t/b",
        ];
        for text in bad {
            assert_eq!(read(text), Err(BAD), "{text:?}");
        }
    }

    #[test]
    fn two_that_differ_are_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(Concat::of(&headers), Ok(None));
        headers.append(UPLOAD_CONCAT, HeaderValue::from_static("partial"));
        assert_eq!(Concat::of(&headers), Ok(Some((Concat::Partial, HeaderValue::from_static("partial")))));
        headers.append(UPLOAD_CONCAT, HeaderValue::from_static("final;/a"));
        assert_eq!(Concat::of(&headers), Err(Refusal::Contradiction("Upload-Concat")));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, tail in "[ -~\t]{0,40}") {
            let _ = HeaderValue::from_bytes(&bytes).ok().map(|value| Concat::parse(&value));
            let _ = read(&format!("final;{tail}"));
        }

        #[test]
        fn a_path_is_of_the_url_and_has_neither_query_nor_fragment(tail in "[a-c:/?#.%]{1,20}") {
            if let Ok(Concat::Final(parts)) = read(&format!("final;{tail}")) {
                for part in parts {
                    prop_assert!(part.as_str().contains(part.path()));
                    prop_assert!(!part.path().contains(['?', '#']) && !part.path().is_empty());
                }
            }
        }
    }
}
