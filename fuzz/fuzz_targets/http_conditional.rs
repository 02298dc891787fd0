//! Conditions in any number and any shape: reading is told 304 or 412, changing only 412; what does not match as a
//! whole never lets a change through that a readable condition would have stopped.
//!
//! The input is a list of fields: a byte that names one, then its value up to LF.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use haul_core::ETag;
use haul_proto::http::{
    conditional::{Verdict, evaluate},
    current::Current,
};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let names = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
    let mut headers = HeaderMap::new();
    for line in script.split(|byte| *byte == b'\n').take(32) {
        let Some((name, value)) = line.split_first() else { continue };
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(&names[usize::from(name % 4)], value);
    }
    let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let current = Current::new(ETag { opaque: "a".into(), weak: false }, Some(784_903_526), 1575);
    for current in [current.as_ref(), None] {
        let ask = |method: Method| evaluate(&method, &headers, current, now);
        let (get, put) = (ask(Method::GET), ask(Method::PUT));
        assert_eq!(get, ask(Method::HEAD));
        assert_eq!(put, ask(Method::DELETE));
        assert_ne!(put, Verdict::NotModified);
        assert_eq!(ask(Method::OPTIONS), Verdict::Proceed);
        match current {
            Some(_) if get == Verdict::Failed => assert_eq!(put, Verdict::Failed),
            Some(_) => {}
            None => assert_eq!(get, Verdict::Proceed),
        }
        if current.is_none() && headers.contains_key(IF_MATCH) {
            assert_eq!(put, Verdict::Failed);
        }
    }
});
