//! Range and If-Range as a server reads them: whatever comes, what is sent lies inside the file, no byte of it twice,
//! and a multipart body is as long as it was said to be.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haul_core::{ByteRange, ETag};
use haul_proto::http::{
    byteranges::{Boundary, Byteranges, Segment},
    content_range,
    current::Current,
    download::Download,
    selection::{MOST_PARTS, Selection, select},
};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{IF_RANGE, RANGE},
};
use libfuzzer_sys::fuzz_target;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn parts_are_sound(parts: &[ByteRange], size: u64) {
    assert!((2..=MOST_PARTS).contains(&parts.len()));
    let mut sorted = parts.to_vec();
    sorted.sort();
    assert!(sorted.windows(2).all(|two| two[0].end() < two[1].start()));
    assert!(sorted.iter().all(|part| part.end() <= size));
    let Some(body) = Byteranges::new(parts, size, None, &Boundary::new([7; 16])) else { return };
    let told = body.length();
    let segments: Vec<Segment> = body.into_segments().collect();
    assert_eq!(segments.iter().map(Segment::len).sum::<u64>(), told);
    let files = segments.iter().filter_map(|segment| match segment {
        Segment::File(range) => Some(*range),
        Segment::Text(_) => None,
    });
    assert_eq!(files.collect::<Vec<_>>(), parts);
}

fuzz_target!(|input: (u64, &[u8], Option<&[u8]>)| {
    let (size, range, if_range) = input;
    let etag = ETag { opaque: "a".into(), weak: false };
    let Some(current) = Current::new(etag, Some(784_903_526), size) else { return };
    let mut headers = HeaderMap::new();
    let prefixed = [b"bytes=", range].concat();
    for value in [range, &prefixed] {
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.insert(RANGE, value);
        if let Some(value) = if_range.and_then(|value| HeaderValue::from_bytes(value).ok()) {
            headers.insert(IF_RANGE, value);
        }
        assert_eq!(select(&Method::HEAD, &headers, &current, now()), Selection::Whole);
        let download = Download::decide(&Method::GET, &headers, &current, now());
        if let Some(told) = download.content_range(size) {
            let value = HeaderValue::from_str(&told.to_string()).unwrap();
            assert_eq!(content_range::parse(&value), Some(told));
        }
        match download {
            Download::Send(Selection::Part(part)) => assert!(part.end() <= size),
            Download::Send(Selection::Parts(parts)) => parts_are_sound(&parts, size),
            Download::Send(Selection::Unsatisfiable) => assert_ne!(size, 0),
            Download::Send(Selection::Whole) => {}
            Download::Failed | Download::NotModified => panic!("nothing was asked"),
        }
    }
});
