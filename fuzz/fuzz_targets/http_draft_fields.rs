//! Requests of the IETF's resumable uploads: whatever fields come, lengths and offsets fit together, and a part is never
//! taken for the whole.
//!
//! The input is lines `NAME:VALUE`; a name of one letter stands for one of the fields that are read.
#![no_main]

use haul_proto::http::{
    upload_draft::{self, Interop, Limits, Problem, Request, Verdict, reply},
    upload_state::UploadState,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = match &line[..colon] {
            b"c" => b"upload-complete",
            b"i" => b"upload-incomplete".as_slice(),
            b"o" => b"upload-offset",
            b"l" => b"upload-length",
            b"v" => b"upload-draft-interop-version",
            b"t" => b"content-type",
            other => other,
        };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(&line[colon + 1..]))
        {
            headers.append(name, value);
        }
    }
    headers
}

fuzz_target!(|input: (Option<u64>, u64, Option<u64>, &[u8])| {
    let (content, offset, length, bytes) = input;
    let headers = headers(bytes);
    let version = Interop::of(&headers);
    if let Ok(Some(created)) = upload_draft::creation(&Method::PUT, &headers, content) {
        assert_eq!(created.interop, version);
        assert!(!created.complete || content.is_none() || created.length == content);
        assert!(content.is_none_or(|content| created.length.is_none_or(|length| content <= length)));
    }
    let state = match length {
        Some(size) if size == offset => UploadState::Complete { size },
        _ => UploadState::Unfinished { offset, length: length.filter(|length| *length >= offset) },
    };
    for method in [Method::HEAD, Method::GET, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::PUT] {
        match upload_draft::on_upload(&method, &headers, content) {
            Ok(Request::Append(append)) => match append.against(state) {
                Ok(Verdict::Take { length }) => {
                    assert_eq!(append.offset, offset);
                    let end = offset.checked_add(content.unwrap_or(0)).unwrap();
                    assert!(length.is_none_or(|length| end <= length));
                }
                Ok(Verdict::Already) => assert!(state.is_complete() && content == Some(0)),
                Err(problem @ Problem::MismatchingOffset { .. }) => {
                    assert_ne!(append.offset, offset);
                    assert!(!reply::problem(version, &problem, offset).is_empty());
                }
                Err(_) => {}
            },
            Ok(_) => {}
            Err(wrong) => assert!(matches!(wrong.status(), 400 | 405 | 415)),
        }
    }
    let told = reply::offset(version, state, &Limits { max_size: length, ..Limits::default() });
    assert!(told.iter().all(|(_, value)| value.to_str().is_ok()));
});
