//! What requests of the draft are read as, and what is refused in them.

use http::{HeaderValue, header::CONTENT_TYPE};
use proptest::prelude::*;

use super::{
    super::{INTEROP_VERSION, LARGEST, PARTIAL_UPLOAD},
    *,
};

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    headers
}

fn created(fields: &[(&str, &str)], content: Option<u64>) -> Result<Option<Creation>, Wrong> {
    creation(&Method::POST, &headers(fields), content)
}

fn appended(fields: &[(&str, &str)], content: Option<u64>) -> Result<Append, Wrong> {
    match on_upload(&Method::PATCH, &headers(fields), content)? {
        Request::Append(append) => Ok(append),
        other => panic!("{other:?} by PATCH"),
    }
}

const VERSION: &str = "upload-draft-interop-version";
const V6: (&str, &str) = (VERSION, "6");
const V9: (&str, &str) = (VERSION, "9");
const TYPE: (&str, &str) = ("content-type", PARTIAL_UPLOAD);

#[test]
fn a_whole_file_in_one_request_tells_its_length_by_its_content() {
    let whole = Creation { complete: true, length: Some(100), interop: Some(Interop::V9) };
    assert_eq!(created(&[V9, ("upload-complete", "?1")], Some(100)), Ok(Some(whole)));
    assert_eq!(
        created(&[V9, ("upload-complete", "?1"), ("upload-length", "100")], Some(100)),
        Ok(Some(whole))
    );
    let streamed = Creation { length: None, ..whole };
    assert_eq!(created(&[V9, ("upload-complete", "?1")], None), Ok(Some(streamed)));
}

#[test]
fn a_careful_creation_brings_nothing() {
    let careful = Creation { complete: false, length: None, interop: Some(Interop::V6) };
    assert_eq!(created(&[V6, ("upload-complete", "?0")], Some(0)), Ok(Some(careful)));
    let empty = Creation { complete: true, length: Some(0), interop: Some(Interop::V6) };
    assert_eq!(created(&[V6, ("upload-complete", "?1")], Some(0)), Ok(Some(empty)));
}

/// As tus-js-client creates an upload when it speaks the draft.
#[test]
fn fields_of_tus_beside_those_of_the_draft_do_no_harm() {
    let fields = [V6, ("upload-complete", "?0"), ("upload-defer-length", "1"), ("upload-metadata", "a YQ==")];
    assert_eq!(
        created(&fields, Some(0)),
        Ok(Some(Creation { complete: false, length: None, interop: Some(Interop::V6) }))
    );
}

#[test]
fn version_three_says_the_inverse() {
    let v3 = (VERSION, "3");
    let part = Creation { complete: false, length: None, interop: Some(Interop::V3) };
    assert_eq!(created(&[v3, ("upload-incomplete", "?1")], Some(25)), Ok(Some(part)));
    let whole = Creation { complete: true, length: Some(25), interop: Some(Interop::V3) };
    assert_eq!(created(&[v3, ("upload-incomplete", "?0")], Some(25)), Ok(Some(whole)));
}

#[test]
fn a_part_is_never_taken_for_the_whole_whatever_the_version() {
    let part =
        |version: &'static str, field| created(&[(VERSION, version), field], Some(5)).unwrap().unwrap();
    for version in ["", "2", "3", "5", "9", "99"] {
        assert!(!part(version, ("upload-complete", "?0")).complete, "{version}");
        assert!(!part(version, ("upload-incomplete", "?1")).complete, "{version}");
    }
}

#[test]
fn the_field_and_its_inverse_have_to_agree() {
    let both = |complete, incomplete| {
        created(&[("upload-complete", complete), ("upload-incomplete", incomplete)], None)
    };
    assert!(both("?1", "?0").unwrap().unwrap().complete);
    assert!(!both("?0", "?1").unwrap().unwrap().complete);
    assert_eq!(both("?1", "?1"), Err(Wrong::Contradiction("Upload-Complete")));
    assert_eq!(both("?0", "?0"), Err(Wrong::Contradiction("Upload-Complete")));
}

#[test]
fn without_the_field_it_is_no_creation() {
    assert_eq!(created(&[V9, ("upload-length", "5")], Some(5)), Ok(None));
    assert_eq!(created(&[], None), Ok(None));
}

#[test]
fn any_method_that_brings_content_creates() {
    let fields = headers(&[("upload-complete", "?1")]);
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::from_bytes(b"MKCOL").unwrap()] {
        assert!(creation(&method, &fields, Some(1)).unwrap().is_some(), "{method}");
    }
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        assert_eq!(creation(&method, &fields, Some(0)), Ok(None), "{method}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_and_not_ignored() {
    for bad in ["1", "?2", "true", "", "?1, ?1"] {
        assert_eq!(created(&[("upload-complete", bad)], None), Err(Wrong::Malformed("Upload-Complete")));
    }
    for bad in ["-1", "1.5", "1000000000000000", "five", "5 5"] {
        let fields = [("upload-complete", "?0"), ("upload-length", bad)];
        assert_eq!(created(&fields, None), Err(Wrong::Malformed("Upload-Length")), "{bad}");
    }
    let twice = [("upload-complete", "?0"), ("upload-complete", "?1")];
    assert_eq!(created(&twice, None), Err(Wrong::Contradiction("Upload-Complete")));
}

#[test]
fn lengths_of_one_request_have_to_agree() {
    let with = |complete, length, content| {
        created(&[("upload-complete", complete), ("upload-length", length)], content)
    };
    assert_eq!(with("?1", "100", Some(99)), Err(Wrong::InconsistentLength));
    assert_eq!(with("?1", "99", Some(100)), Err(Wrong::InconsistentLength));
    assert_eq!(with("?0", "99", Some(100)), Err(Wrong::InconsistentLength));
    assert_eq!(with("?0", "100", Some(99)).unwrap().unwrap().length, Some(100));
    assert_eq!(with("?0", "100", Some(100)).unwrap().unwrap().length, Some(100));
}

#[test]
fn a_creation_that_means_to_go_on_is_refused() {
    let at = |offset| created(&[("upload-complete", "?1"), ("upload-offset", offset)], None);
    assert_eq!(at("5"), Err(Wrong::Unexpected("Upload-Offset")));
    assert!(at("0").unwrap().is_some());
}

#[test]
fn an_append_has_its_offset_and_knows_its_length() {
    let fields = [V9, TYPE, ("upload-offset", "10"), ("upload-complete", "?1")];
    let expected =
        Append { offset: 10, complete: true, length: Some(15), content: Some(5), interop: Some(Interop::V9) };
    assert_eq!(appended(&fields, Some(5)), Ok(expected));
    assert_eq!(appended(&fields, None), Ok(Append { length: None, content: None, ..expected }));
}

#[test]
fn an_append_without_offset_is_refused() {
    let fields = [V9, TYPE, ("upload-complete", "?1")];
    assert_eq!(appended(&fields, None), Err(Wrong::Missing("Upload-Offset")));
    let fields = [V9, TYPE, ("upload-complete", "?1"), ("upload-offset", "-1")];
    assert_eq!(appended(&fields, None), Err(Wrong::Malformed("Upload-Offset")));
}

#[test]
fn the_media_type_is_required_from_version_six_on() {
    for (version, number) in Interop::ALL {
        let number = number.to_string();
        let [said, at, more] =
            [(VERSION, number.as_str()), ("upload-offset", "1"), ("upload-complete", "?0")];
        let bare = appended(&[said, at, more], None);
        assert_eq!(bare == Err(Wrong::MediaType), version >= Interop::V6, "{number}");
        let other = appended(&[said, at, more, ("content-type", "image/png")], None);
        assert_eq!(other.is_ok(), version < Interop::V6, "{number}");
        assert!(appended(&[said, at, more, TYPE], None).is_ok(), "{number}");
    }
    let unversioned = [("upload-offset", "1"), ("upload-complete", "?0")];
    assert_eq!(appended(&unversioned, None), Err(Wrong::MediaType));
}

#[test]
fn what_a_silent_append_means_depends_on_the_version() {
    let silent = |version| {
        let fields = [(VERSION, version), TYPE, ("upload-offset", "1")];
        appended(&fields, Some(4)).map(|append| (append.complete, append.length))
    };
    assert_eq!(silent("3"), Ok((true, Some(5))));
    for version in ["4", "5", "6"] {
        assert_eq!(silent(version), Ok((false, None)), "{version}");
    }
    for version in ["7", "8", "9", "0"] {
        assert_eq!(silent(version), Err(Wrong::Missing("Upload-Complete")), "{version}");
    }
}

/// As tus-js-client ends a stream whose length it did not know.
#[test]
fn a_last_append_may_tell_the_length_and_bring_nothing() {
    let fields = [V6, TYPE, ("upload-offset", "10"), ("upload-length", "10")];
    let append = appended(&fields, Some(0)).unwrap();
    assert_eq!((append.complete, append.length, append.content), (false, Some(10), Some(0)));
}

#[test]
fn lengths_and_offset_of_an_append_have_to_agree() {
    let with = |complete, length, content| {
        let fields =
            [V9, TYPE, ("upload-offset", "10"), ("upload-complete", complete), ("upload-length", length)];
        appended(&fields, content)
    };
    assert_eq!(with("?0", "9", None), Err(Wrong::InconsistentLength));
    assert_eq!(with("?0", "14", Some(5)), Err(Wrong::InconsistentLength));
    assert_eq!(with("?1", "16", Some(5)), Err(Wrong::InconsistentLength));
    assert_eq!(with("?1", "15", Some(5)).unwrap().length, Some(15));
    assert_eq!(with("?0", "15", Some(u64::MAX)), Err(Wrong::InconsistentLength));
}

#[test]
fn head_and_get_ask_and_delete_cancels() {
    let fields = headers(&[V9]);
    let query = Ok(Request::Query { interop: Some(Interop::V9) });
    assert_eq!(on_upload(&Method::HEAD, &fields, Some(0)), query);
    assert_eq!(on_upload(&Method::GET, &fields, Some(0)), query);
    let cancel = Ok(Request::Cancel { interop: Some(Interop::V9) });
    assert_eq!(on_upload(&Method::DELETE, &fields, Some(0)), cancel);
    assert_eq!(on_upload(&Method::OPTIONS, &fields, Some(0)), Ok(Request::Options));
    for method in [Method::POST, Method::PUT] {
        assert_eq!(on_upload(&method, &fields, Some(0)), Err(Wrong::Method), "{method}");
    }
}

#[test]
fn up_to_version_six_a_query_says_nothing_else() {
    for (field, said) in [("upload-offset", "Upload-Offset"), ("upload-complete", "Upload-Complete")] {
        for method in [Method::HEAD, Method::DELETE] {
            let asked = |version| on_upload(&method, &headers(&[(VERSION, version), (field, "?")]), None);
            assert_eq!(asked("3"), Err(Wrong::Unexpected(said)));
            assert_eq!(asked("6"), Err(Wrong::Unexpected(said)));
            assert!(asked("7").is_ok());
            assert!(asked("x").is_ok());
        }
    }
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let names = prop::sample::select(vec![
        UPLOAD_OFFSET,
        UPLOAD_LENGTH,
        UPLOAD_COMPLETE,
        UPLOAD_INCOMPLETE,
        INTEROP_VERSION,
        CONTENT_TYPE,
    ]);
    let values = prop_oneof![
        "[?0-9; =-]{0,6}",
        "\\?[01]",
        "[0-9]{1,16}",
        Just(PARTIAL_UPLOAD.to_owned()),
        "[ -~]{0,20}"
    ];
    prop::collection::vec((names, values), 0..8).prop_map(|fields| {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(&value).unwrap());
        }
        headers
    })
}

proptest! {
    #[test]
    fn whatever_comes_lengths_and_offsets_fit(headers in any_headers(), content: Option<u32>) {
        let content = content.map(u64::from);
        if let Ok(Some(created)) = creation(&Method::PUT, &headers, content) {
            let length = created.length.unwrap_or(u64::MAX);
            prop_assert!(content.is_none_or(|content| content <= length));
            if created.complete && content.is_some() {
                prop_assert_eq!(created.length, content);
            }
        }
        if let Ok(Request::Append(append)) = on_upload(&Method::PATCH, &headers, content) {
            prop_assert!(append.offset <= LARGEST);
            let end = append.offset + content.unwrap_or(0);
            prop_assert!(append.length.is_none_or(|length| end <= length));
        }
    }

    #[test]
    fn what_is_no_item_begins_no_upload(value in "[ -~]{0,12}") {
        let fields = headers(&[("upload-complete", &value)]);
        let begun = matches!(creation(&Method::POST, &fields, None), Ok(Some(_)));
        prop_assert!(!begun || value.trim_matches(' ').starts_with("?0") || value.trim_matches(' ').starts_with("?1"));
    }
}
