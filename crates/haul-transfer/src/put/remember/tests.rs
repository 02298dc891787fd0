//! What one run remembers of an upload for the next.

use super::*;

const LOCAL: Local = Local { size: 9, modified: (5, 6), inode: 7 };

fn memory(state: &Path, local: &str, far: &[u8]) -> Memory {
    let url = Url::parse("ftp://me:secret@h/f").unwrap();
    Memory::of(Some(state), &url, "me", Some(Path::new(local)), far.to_vec()).unwrap()
}

#[tokio::test]
async fn only_the_same_file_sent_to_the_same_place_is_remembered() {
    let state = tempfile::tempdir().unwrap();
    let mut first = memory(state.path(), "/a", b"f");
    assert_eq!(first.memo(), None);
    first.begun(LOCAL, 4, None).await;
    drop(first);
    let same = memory(state.path(), "/a", b"f").memo().unwrap();
    assert_eq!(same, Memo { local: LOCAL, stage: Stage::Begun });
    assert_eq!(memory(state.path(), "/b", b"f").memo(), None, "another local file");
    assert_eq!(memory(state.path(), "/a", b"f.part").memo(), None, "another name");
}

#[tokio::test]
async fn what_one_user_began_says_nothing_of_anothers_file() {
    let state = tempfile::tempdir().unwrap();
    memory(state.path(), "/a", b"f").begun(LOCAL, 4, None).await;
    let of = |url: &str, who: &str| {
        let url = Url::parse(url).unwrap();
        let memory = Memory::of(Some(state.path()), &url, who, Some(Path::new("/a")), b"f".to_vec());
        memory.unwrap().memo()
    };
    assert_eq!(of("ftp://h/f", "you"), None);
    assert_eq!(of("ftp://me@h/f", "you"), None, "another login than that of the URL");
    assert!(of("ftp://h/f", "me").is_some(), "however the name was told");
}

#[tokio::test]
async fn a_finished_one_is_remembered_only_where_its_date_does_not_say_it() {
    let state = tempfile::tempdir().unwrap();
    memory(state.path(), "/a", b"f").finished(Some(LOCAL), Some(99)).await;
    let memo = memory(state.path(), "/a", b"f.part").memo().unwrap();
    assert_eq!(memo.stage, Stage::Finished { modified: Some(99) });
    memory(state.path(), "/a", b"f").finished(Some(LOCAL), Some(5)).await;
    assert_eq!(memory(state.path(), "/a", b"f").memo(), None);
}

#[tokio::test]
async fn where_an_upload_is_is_remembered_unless_its_url_may_be_a_secret() {
    let state = tempfile::tempdir().unwrap();
    let at = |url: &str| Resource {
        url: Url::parse(url).unwrap(),
        dialect: haul_store::UploadDialect::Draft,
        acknowledged: 3,
    };
    let mut first = memory(state.path(), "/a", b"f");
    first.begun(LOCAL, 0, Some(&at("http://me:pw@h/u/1"))).await;
    drop(first);
    let again = memory(state.path(), "/a", b"f");
    assert_eq!(again.resource(), Some(at("http://h/u/1")));
    drop(again);
    assert_eq!(memory(state.path(), "/b", b"f").resource(), None, "another local file");
    let mut signed = memory(state.path(), "/a", b"f");
    signed.begun(LOCAL, 0, Some(&at("http://h/u/1?key=secret"))).await;
    assert!(signed.remark.take().unwrap().contains("not written down"));
    drop(signed);
    assert_eq!(memory(state.path(), "/a", b"f").resource(), None);
}

#[tokio::test]
async fn what_did_not_come_about_leaves_the_memory_as_it_was() {
    let state = tempfile::tempdir().unwrap();
    let mut first = memory(state.path(), "/a", b"f");
    first.begun(LOCAL, 4, None).await;
    first.not_begun().await;
    drop(first);
    assert_eq!(memory(state.path(), "/a", b"f").memo(), None);
}

#[tokio::test]
async fn an_unfinished_text_is_no_beginning_of_a_file_nor_the_other_way_round() {
    let state = tempfile::tempdir().unwrap();
    memory(state.path(), "/a", b"f").begun(LOCAL, 4, None).await;
    let mut text = memory(state.path(), "/a", b"f");
    assert_eq!(text.unfinished_text(), None);
    assert!(text.memo().is_some(), "nothing was forgotten by asking");
    text.text_begun(Some(LOCAL)).await;
    drop(text);
    let again = memory(state.path(), "/a", b"f");
    assert_eq!((again.unfinished_text(), again.memo()), (Some(18), None));
    drop(again);
    assert_eq!(memory(state.path(), "/b", b"f").unfinished_text(), None, "another local file");
    assert_eq!(memory(state.path(), "/a", b"f.part").unfinished_text(), None, "another name");
    let mut text = memory(state.path(), "/a", b"f");
    text.finished(None, None).await;
    drop(text);
    assert_eq!(memory(state.path(), "/a", b"f").unfinished_text(), None);
}

/// A part of nine bytes.
fn part(from: u64, url: &str) -> UploadPart {
    UploadPart { from, end: from + 9, url: url.to_owned() }
}

#[tokio::test]
async fn parts_are_those_of_the_local_file_as_it_was() {
    let state = tempfile::tempdir().unwrap();
    let mut first = memory(state.path(), "/a", b"f");
    assert_eq!((first.parts(LOCAL), first.has_parts()), (Parts::None, false));
    let parts = vec![part(0, "http://h/1"), part(9, "http://h/2")];
    first.parts_begun(LOCAL, parts.clone()).await;
    assert_eq!(first.parts(LOCAL), Parts::Same(parts.clone()), "this run knows them, too");
    drop(first);
    let again = memory(state.path(), "/a", b"f");
    assert!(again.has_parts());
    assert_eq!(again.parts(LOCAL), Parts::Same(parts.clone()));
    assert_eq!(again.parts(Local { size: 10, ..LOCAL }), Parts::Other(parts));
    assert_eq!(again.memo(), None, "nothing of them lies under the name");
    drop(again);
    assert!(!memory(state.path(), "/b", b"f").has_parts(), "another local file");
    assert!(!memory(state.path(), "/a", b"f.part").has_parts(), "another name");
}

#[tokio::test]
async fn ranges_of_one_upload_lie_under_the_name() {
    let state = tempfile::tempdir().unwrap();
    let mut first = memory(state.path(), "/a", b"f");
    first.parts_begun(LOCAL, vec![part(0, "an-id-of-ftp")]).await;
    drop(first);
    let again = memory(state.path(), "/a", b"f");
    assert_eq!(again.memo(), Some(Memo { local: LOCAL, stage: Stage::Begun }));
    assert!(again.has_parts());
}

#[tokio::test]
async fn parts_are_forgotten_when_the_file_is_sent_as_one_or_finished() {
    let state = tempfile::tempdir().unwrap();
    for finished in [false, true] {
        let mut first = memory(state.path(), "/a", b"f");
        first.parts_begun(LOCAL, vec![part(0, "http://h/1")]).await;
        if finished {
            first.no_parts();
            first.finished(Some(LOCAL), None).await;
        } else {
            first.begun(LOCAL, 0, None).await;
        }
        drop(first);
        let again = memory(state.path(), "/a", b"f");
        assert!(!again.has_parts(), "finished: {finished}");
        assert!(again.memo().is_some(), "finished: {finished}");
    }
}

#[tokio::test]
async fn what_may_be_a_secret_is_not_written_down_and_that_is_said_once() {
    let state = tempfile::tempdir().unwrap();
    let mut first = memory(state.path(), "/a", b"f");
    let parts = vec![part(0, "http://h/1?key=hidden"), part(9, "http://h/2")];
    first.parts_begun(LOCAL, parts.clone()).await;
    assert_eq!(first.remark.take().as_deref(), Some(SECRET));
    first.parts_begun(LOCAL, parts).await;
    assert_eq!(first.remark.take(), None);
    drop(first);
    let again = memory(state.path(), "/a", b"f");
    assert_eq!(again.parts(LOCAL), Parts::Same(vec![part(9, "http://h/2")]));
    drop(again);
    for entry in std::fs::read_dir(state.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hidden"));
    }
}

fn resource(url: &str, acknowledged: u64) -> Resource {
    Resource { url: Url::parse(url).unwrap(), dialect: haul_store::UploadDialect::Tus, acknowledged }
}

#[tokio::test]
async fn how_far_an_upload_is_is_remembered_and_a_new_one_at_the_same_url_begins_at_its_own_offset() {
    let state = tempfile::tempdir().unwrap();
    let acknowledged = || memory(state.path(), "/a", b"f").resource().unwrap().acknowledged;
    let mut first = memory(state.path(), "/a", b"f");
    first.begun(LOCAL, 0, Some(&resource("http://h/u", 0))).await;
    first.begun(LOCAL, 0, Some(&resource("http://h/u", WORTH - 1))).await;
    assert_eq!(first.record.offset, 0, "that is not worth a write");
    first.begun(LOCAL, 0, Some(&resource("http://h/u", WORTH))).await;
    drop(first);
    assert_eq!(acknowledged(), WORTH);
    let mut second = memory(state.path(), "/a", b"f");
    second.begun(LOCAL, 0, Some(&resource("http://h/u", WORTH))).await;
    second.begun(LOCAL, 0, Some(&resource("http://h/u", 5))).await;
    drop(second);
    assert_eq!(acknowledged(), 5);
    let mut third = memory(state.path(), "/a", b"f");
    third.begun(LOCAL, 0, Some(&resource("http://h/u", 5))).await;
    third.left(LOCAL, &resource("http://h/u", 77)).await;
    drop(third);
    assert_eq!(acknowledged(), 77, "the last word");
}

#[tokio::test]
async fn a_second_run_is_kept_away_and_no_secret_is_written() {
    let state = tempfile::tempdir().unwrap();
    let mut first = memory(state.path(), "/a", b"f");
    first.begun(LOCAL, 4, None).await;
    let url = Url::parse("ftp://me:other@h/f").unwrap();
    let second = Memory::of(Some(state.path()), &url, "me", None, b"f".to_vec()).unwrap_err();
    assert_eq!(second.kind, Kind::Local);
    assert!(second.message.starts_with("ftp://h/f is in use by "), "{second}");
    for entry in std::fs::read_dir(state.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("secret") && !text.contains("me@"), "{text}");
    }
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_used_is_said_and_no_reason_to_stop() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut memory = memory(&file.path().join("state"), "/a", b"f");
    assert!(memory.remark.take().unwrap().starts_with("what is begun now will not be remembered"));
    memory.begun(LOCAL, 4, None).await;
    assert_eq!(memory.memo(), None);
}
