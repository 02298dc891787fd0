//! Requests of tus, and the Content-Range of a PUT: whatever fields come, they are a request that fits together or a
//! refusal of the client's.
//!
//! The input is lines `NAME:VALUE`; a name of one letter stands for one of the fields that are read.
#![no_main]

use haul_proto::http::{
    put_range::PutRange,
    tus::{self, Create, Length, Metadata, Proof, Request, What, reply},
    upload_state::UploadState,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(tus::TUS_RESUMABLE, HeaderValue::from_static("1.0.0"))]);
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = match &line[..colon] {
            b"o" => b"upload-offset".as_slice(),
            b"l" => b"upload-length",
            b"d" => b"upload-defer-length",
            b"m" => b"upload-metadata",
            b"c" => b"upload-concat",
            b"s" => b"upload-checksum",
            b"a" => b"trailer",
            b"t" => b"content-type",
            b"x" => b"x-http-method-override",
            b"r" => b"content-range",
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

fn fits(create: &Create, max_size: Option<u64>) {
    match &create.what {
        What::Whole { length: Length::Known(length), content }
        | What::Partial { length: Length::Known(length), content } => {
            assert!(max_size.is_none_or(|max| *length <= max));
            let bytes = content.as_ref().and_then(|content| content.length);
            assert!(bytes.is_none_or(|bytes| bytes <= *length));
        }
        What::Whole { .. } | What::Partial { .. } => {}
        What::Final { parts, .. } => {
            assert!(!parts.is_empty());
            assert!(parts.iter().all(|part| !part.path().is_empty() && !part.as_str().contains(' ')));
        }
    }
    // What HEAD gives back says the same again.
    if let Some(raw) = create.metadata.raw() {
        assert_eq!(Metadata::parse(raw.clone()).as_ref(), Ok(&create.metadata));
    }
}

fuzz_target!(|input: (Option<u64>, Option<u64>, u64, &[u8])| {
    let (content, max_size, offset, bytes) = input;
    let headers = headers(bytes);
    let state = UploadState::Unfinished { offset, length: max_size.filter(|length| *length >= offset) };
    for method in [Method::OPTIONS, Method::POST, Method::HEAD, Method::PATCH, Method::DELETE, Method::GET] {
        match tus::read(&method, &headers, content, max_size) {
            Ok(Request::Create(create)) => fits(&create, max_size),
            Ok(Request::Patch(patch)) => {
                if let Ok(length) = patch.against(state) {
                    assert_eq!(patch.offset, offset);
                    let end = offset.checked_add(content.unwrap_or(0));
                    assert!(length.is_none_or(|length| end.is_some_and(|end| end <= length)));
                }
            }
            Ok(Request::Options | Request::Head | Request::Delete) => {}
            Err(refusal) => {
                assert!((400..500).contains(&refusal.status()));
                assert!(!reply::refused(&refusal).is_empty());
            }
        }
    }
    // The same fields behind the content.
    if let Ok(digest) = tus::trailing(&headers) {
        assert!(Proof::Trailing.algorithms().contains(&digest.algorithm()));
    }
    if let Ok(Some(PutRange::Piece { range, total })) = PutRange::of(&headers, content) {
        assert!(content.is_none_or(|content| content == range.len()));
        assert!(total.is_none_or(|total| range.end() <= total));
    }
});
