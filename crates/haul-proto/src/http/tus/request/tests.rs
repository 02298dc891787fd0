//! What requests of tus are read as, and what is refused in them.

use proptest::prelude::*;

use super::*;

const V1: (&str, &str) = ("tus-resumable", "1.0.0");
const TYPE: (&str, &str) = ("content-type", OFFSET_OCTETS);

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    headers
}

fn created(fields: &[(&str, &str)], content: Option<u64>) -> Result<Create, Refusal> {
    let mut all = vec![V1];
    all.extend(fields);
    match read(&Method::POST, &headers(&all), content, Some(1000))? {
        Request::Create(create) => Ok(create),
        other => panic!("{other:?} by POST"),
    }
}

fn whole(fields: &[(&str, &str)], content: Option<u64>) -> Result<(Length, Option<Content>), Refusal> {
    match created(fields, content)?.what {
        What::Whole { length, content } => Ok((length, content)),
        other => panic!("{other:?} is no whole file"),
    }
}

fn patched(fields: &[(&str, &str)], content: Option<u64>) -> Result<Patch, Refusal> {
    let mut all = vec![V1];
    all.extend(fields);
    match read(&Method::PATCH, &headers(&all), content, Some(1000))? {
        Request::Patch(patch) => Ok(patch),
        other => panic!("{other:?} by PATCH"),
    }
}

#[test]
fn another_version_is_refused_before_anything_else() {
    for version in ["", "1.0", "1.0.1", "0.2.2", "1.0.0, 0.2.2"] {
        let fields = headers(&[("tus-resumable", version), ("upload-length", "nonsense")]);
        for method in [Method::POST, Method::HEAD, Method::PATCH, Method::DELETE, Method::PUT] {
            assert_eq!(read(&method, &fields, None, None), Err(Refusal::Version), "{method} {version}");
        }
    }
    assert_eq!(read(&Method::HEAD, &HeaderMap::new(), None, None), Err(Refusal::Version));
    let two = headers(&[V1, ("tus-resumable", "0.2.2")]);
    assert_eq!(read(&Method::HEAD, &two, None, None), Err(Refusal::Version));
}

#[test]
fn options_needs_no_version() {
    for fields in [&[][..], &[("tus-resumable", "9")]] {
        assert_eq!(read(&Method::OPTIONS, &headers(fields), None, None), Ok(Request::Options));
    }
}

#[test]
fn the_other_methods_are_what_they_say() {
    let fields = headers(&[V1]);
    assert_eq!(read(&Method::HEAD, &fields, None, None), Ok(Request::Head));
    assert_eq!(read(&Method::DELETE, &fields, None, None), Ok(Request::Delete));
    for method in [Method::GET, Method::PUT] {
        assert_eq!(read(&method, &fields, None, None), Err(Refusal::Method), "{method}");
    }
}

#[test]
fn a_post_may_mean_patch_or_delete() {
    let fields = headers(&[V1, ("x-http-method-override", "DELETE")]);
    assert_eq!(read(&Method::POST, &fields, None, None), Ok(Request::Delete));
    let fields = headers(&[V1, ("x-http-method-override", "PATCH"), TYPE, ("upload-offset", "5")]);
    let patch = Patch { offset: 5, content: Some(2), checksum: None, length: None };
    assert_eq!(read(&Method::POST, &fields, Some(2), None), Ok(Request::Patch(patch)));
}

#[test]
fn a_creation_says_its_length_or_that_it_comes_later() {
    assert_eq!(whole(&[("upload-length", "100")], Some(0)), Ok((Length::Known(100), None)));
    assert_eq!(whole(&[("upload-length", "0")], Some(0)), Ok((Length::Known(0), None)));
    assert_eq!(whole(&[("upload-defer-length", "1")], Some(0)), Ok((Length::Deferred, None)));
    assert_eq!(whole(&[], Some(0)), Err(Refusal::Missing("Upload-Length")));
    let both = [("upload-length", "100"), ("upload-defer-length", "1")];
    assert_eq!(whole(&both, Some(0)), Err(Refusal::Contradiction("Upload-Defer-Length")));
}

#[test]
fn a_length_is_digits_and_deferring_is_one() {
    for bad in ["", "-1", "+1", "1.0", "0x1", "18446744073709551616", "1;a"] {
        assert_eq!(whole(&[("upload-length", bad)], None), Err(Refusal::Malformed("Upload-Length")), "{bad}");
    }
    for bad in ["0", "2", "", "true"] {
        let refusal = Refusal::Malformed("Upload-Defer-Length");
        assert_eq!(whole(&[("upload-defer-length", bad)], None), Err(refusal), "{bad}");
    }
    let twice = [("upload-length", "1"), ("upload-length", "2")];
    assert_eq!(whole(&twice, None), Err(Refusal::Contradiction("Upload-Length")));
}

#[test]
fn what_is_larger_than_any_may_be_is_refused_at_once() {
    assert!(whole(&[("upload-length", "1000")], None).is_ok());
    assert_eq!(whole(&[("upload-length", "1001")], None), Err(Refusal::TooLarge { max: 1000 }));
    let late = [TYPE, ("upload-offset", "0"), ("upload-length", "1001")];
    assert_eq!(patched(&late, None), Err(Refusal::TooLarge { max: 1000 }));
}

#[test]
fn a_creation_may_bring_bytes() {
    let fields = [("upload-length", "100"), TYPE, ("upload-checksum", "md5 1B2M2Y8AsgTpgAmY7PhCfg==")];
    let (length, content) = whole(&fields, Some(5)).unwrap();
    assert_eq!(length, Length::Known(100));
    let content = content.unwrap();
    assert_eq!(content.length, Some(5));
    let Some(Proof::Said(digest)) = content.checksum else { panic!("{content:?}") };
    assert_eq!(digest.to_string(), "md5=d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(whole(&fields[..2], None).unwrap().1, Some(Content { length: None, checksum: None }));
    assert_eq!(whole(&fields[..2], Some(101)), Err(Refusal::PastEnd { length: 100 }));
}

#[test]
fn another_media_type_matters_only_where_bytes_would_be_lost() {
    let fields = [("upload-length", "100"), ("content-type", "text/plain")];
    assert_eq!(whole(&fields, Some(0)).unwrap().1, None);
    assert_eq!(whole(&fields, Some(1)), Err(Refusal::MediaType));
    assert_eq!(whole(&fields[..1], Some(1)), Err(Refusal::MediaType));
}

#[test]
fn metadata_come_with_a_creation() {
    let create = created(&[("upload-length", "1"), ("upload-metadata", "filename YQ==")], Some(0)).unwrap();
    assert_eq!(create.metadata.get("filename"), Some(&b"a"[..]));
    let create = created(&[("upload-length", "1"), ("upload-metadata", "")], Some(0)).unwrap();
    assert_eq!(create.metadata, Metadata::default());
    let refusal = Refusal::Malformed("Upload-Metadata");
    assert_eq!(created(&[("upload-length", "1"), ("upload-metadata", "a !")], Some(0)), Err(refusal));
}

#[test]
fn a_part_has_a_length_and_bytes_of_its_own() {
    let create = created(&[("upload-length", "5"), ("upload-concat", "partial"), TYPE], Some(5)).unwrap();
    let content = Some(Content { length: Some(5), checksum: None });
    assert_eq!(create.what, What::Partial { length: Length::Known(5), content });
    assert_eq!(created(&[("upload-concat", "partial")], Some(0)), Err(Refusal::Missing("Upload-Length")));
}

#[test]
fn a_final_upload_has_only_its_parts() {
    let concat = ("upload-concat", "final;/f/a https://example.com/f/b");
    let What::Final { parts, raw } = created(&[concat], Some(0)).unwrap().what else { panic!("not final") };
    assert_eq!(parts.iter().map(PartUrl::path).collect::<Vec<_>>(), ["/f/a", "/f/b"]);
    assert_eq!(raw, concat.1);
    for (name, said) in [("upload-length", "Upload-Length"), ("upload-defer-length", "Upload-Defer-Length")] {
        assert_eq!(created(&[concat, (name, "1")], Some(0)), Err(Refusal::Contradiction(said)));
    }
    assert_eq!(created(&[concat, TYPE], Some(1)), Err(Refusal::Final));
    assert_eq!(created(&[concat, TYPE], None), Err(Refusal::Final));
    assert!(created(&[concat, TYPE], Some(0)).is_ok());
}

#[test]
fn a_patch_has_its_media_type_and_its_offset() {
    let patch = Patch { offset: 70, content: Some(30), checksum: None, length: None };
    assert_eq!(patched(&[TYPE, ("upload-offset", "70")], Some(30)), Ok(patch));
    assert_eq!(patched(&[("upload-offset", "70")], Some(30)), Err(Refusal::MediaType));
    let other = [("content-type", "application/octet-stream"), ("upload-offset", "70")];
    assert_eq!(patched(&other, Some(30)), Err(Refusal::MediaType));
    assert_eq!(patched(&[TYPE], Some(30)), Err(Refusal::Missing("Upload-Offset")));
    assert_eq!(patched(&[TYPE, ("upload-offset", "-1")], None), Err(Refusal::Malformed("Upload-Offset")));
}

#[test]
fn a_patch_may_carry_a_checksum() {
    let with = |checksum| patched(&[TYPE, ("upload-offset", "0"), ("upload-checksum", checksum)], None);
    assert!(with("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap().checksum.is_some());
    assert_eq!(with("crc32 AAAAAA=="), Err(Refusal::UnknownChecksum));
    assert_eq!(with("sha1 AAAA"), Err(Refusal::Malformed("Upload-Checksum")));
}

#[test]
fn a_deferred_length_is_told_by_a_patch() {
    let with =
        |length, content| patched(&[TYPE, ("upload-offset", "10"), ("upload-length", length)], content);
    assert_eq!(with("15", Some(5)).unwrap().length, Some(15));
    assert_eq!(with("10", Some(0)).unwrap().length, Some(10));
    assert_eq!(with("9", None), Err(Refusal::Length));
    assert_eq!(with("14", Some(5)), Err(Refusal::PastEnd { length: 14 }));
    assert_eq!(with("15", Some(u64::MAX)), Err(Refusal::PastEnd { length: 15 }));
}

#[test]
fn a_patch_has_to_fit_the_upload() {
    let patch = Patch { offset: 10, content: Some(5), checksum: None, length: None };
    let unfinished = |offset, length| UploadState::Unfinished { offset, length };
    assert_eq!(patch.against(unfinished(10, None)), Ok(None));
    assert_eq!(patch.against(unfinished(10, Some(15))), Ok(Some(15)));
    assert_eq!(patch.against(unfinished(10, Some(14))), Err(Refusal::PastEnd { length: 14 }));
    assert_eq!(patch.against(unfinished(9, None)), Err(Refusal::Offset { expected: 9, provided: 10 }));
    assert_eq!(patch.against(UploadState::Complete { size: 10 }), Err(Refusal::PastEnd { length: 10 }));
}

#[test]
fn a_length_once_told_stays() {
    let late = Patch { offset: 10, content: None, checksum: None, length: Some(20) };
    let unfinished = |length| UploadState::Unfinished { offset: 10, length };
    assert_eq!(late.against(unfinished(None)), Ok(Some(20)));
    assert_eq!(late.against(unfinished(Some(20))), Ok(Some(20)));
    assert_eq!(late.against(unfinished(Some(21))), Err(Refusal::Length));
}

#[test]
fn nothing_more_for_a_complete_upload_is_no_mistake() {
    let again = Patch { offset: 10, content: Some(0), checksum: None, length: None };
    assert_eq!(again.against(UploadState::Complete { size: 10 }), Ok(Some(10)));
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let names = prop::sample::select(vec![
        "upload-offset",
        "upload-length",
        "upload-defer-length",
        "upload-concat",
        "upload-metadata",
        "upload-checksum",
        "x-http-method-override",
        "content-type",
    ]);
    let values = prop_oneof![
        "[0-9]{1,4}",
        "(final;)?[/a-c ]{0,9}",
        Just("partial".to_owned()),
        Just(OFFSET_OCTETS.to_owned()),
        Just("PATCH".to_owned()),
        "[ -~]{0,20}"
    ];
    prop::collection::vec((names, values), 0..8).prop_map(|fields| {
        let mut all = headers(&[V1]);
        for (name, value) in fields {
            all.append(name, HeaderValue::from_str(&value).unwrap());
        }
        all
    })
}

proptest! {
    #[test]
    fn whatever_comes_lengths_and_offsets_fit(fields in any_headers(), content in 0..2000u64, known: bool) {
        let content = known.then_some(content);
        for method in [Method::POST, Method::PATCH] {
            match read(&method, &fields, content, Some(1000)) {
                Ok(Request::Create(Create {
                    what: What::Whole { length: Length::Known(length), content: brought }
                        | What::Partial { length: Length::Known(length), content: brought },
                    ..
                })) => {
                    prop_assert!(length <= 1000);
                    prop_assert!(brought.and_then(|brought| brought.length).is_none_or(|bytes| bytes <= length));
                }
                Ok(Request::Create(Create { what: What::Final { parts, .. }, .. })) => {
                    prop_assert!(!parts.is_empty());
                }
                Ok(Request::Patch(patch)) => {
                    let end = patch.offset + content.unwrap_or(0);
                    prop_assert!(patch.length.is_none_or(|length| end <= length && length <= 1000));
                }
                Err(refusal) => prop_assert!((400..500).contains(&refusal.status())),
                Ok(_) => {}
            }
        }
    }

    #[test]
    fn what_is_taken_fits(offset in 0..20u64, at in 0..20u64, content in 0..20u64, length in 0..40u64, told: bool) {
        let state = UploadState::Unfinished { offset, length: told.then_some(length.max(offset)) };
        let patch = Patch { offset: at, content: Some(content), checksum: None, length: None };
        if let Ok(length) = patch.against(state) {
            prop_assert_eq!(at, offset);
            prop_assert!(length == state.length() && length.is_none_or(|length| at + content <= length));
        }
    }
}
