//! X-HTTP-Method-Override: the method that is meant by a client that cannot say PATCH or DELETE.

use http::{HeaderMap, Method, header::HeaderName};

use super::Refusal;
use crate::http::field::{self, Single};

const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// The method that a request means.
///
/// Only a POST can mean another one. The protocol would have the override count for every method, but a request that
/// whoever stands in between takes for a GET must not change anything.
pub fn asked(method: &Method, headers: &HeaderMap) -> Result<Method, Refusal> {
    if *method != Method::POST {
        return Ok(method.clone());
    }
    match Single::of(headers, &OVERRIDE) {
        Single::Absent => Ok(Method::POST),
        Single::Value(value) => value
            .to_str()
            .ok()
            .and_then(|text| Method::from_bytes(field::trim(text).as_bytes()).ok())
            .ok_or(Refusal::Malformed("X-HTTP-Method-Override")),
        Single::Contradiction => Err(Refusal::Contradiction("X-HTTP-Method-Override")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(method: &Method, values: &[&str]) -> Result<Method, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(OVERRIDE, value.parse().unwrap());
        }
        asked(method, &headers)
    }

    #[test]
    fn a_post_can_mean_another_method() {
        assert_eq!(meant(&Method::POST, &[]), Ok(Method::POST));
        assert_eq!(meant(&Method::POST, &["PATCH"]), Ok(Method::PATCH));
        assert_eq!(meant(&Method::POST, &[" DELETE "]), Ok(Method::DELETE));
    }

    #[test]
    fn no_other_method_can() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH] {
            assert_eq!(meant(&method, &["DELETE"]), Ok(method));
        }
    }

    #[test]
    fn what_is_no_method_is_refused() {
        for bad in ["", "PA TCH", "PATCH,DELETE"] {
            let refusal = Refusal::Malformed("X-HTTP-Method-Override");
            assert_eq!(meant(&Method::POST, &[bad]), Err(refusal), "{bad:?}");
        }
        let refusal = Refusal::Contradiction("X-HTTP-Method-Override");
        assert_eq!(meant(&Method::POST, &["PATCH", "DELETE"]), Err(refusal));
    }
}
