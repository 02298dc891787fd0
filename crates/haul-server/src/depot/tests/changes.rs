//! Names that change while something is unfinished.

use super::*;

#[tokio::test]
async fn removing_drops_the_unfinished_upload_first() {
    let bench = Bench::new();
    bench.put("a", b"published");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    break_off(&ann, "a", Wish::Anew, 100).await;
    ann.remove(&path("a")).await.unwrap();
    assert_eq!(size(&ann, "a").await, Some(9), "what was published is there");
    assert_eq!((server.record("ann", "a").await, bench.staged()), (None, 0));
    ann.remove(&path("a")).await.unwrap();
    assert_eq!(size(&ann, "a").await, None);
    let gone = ann.remove(&path("a")).await;
    assert!(matches!(gone, Err(ServerError::Store(StoreError::NotFound { .. }))));
}

#[tokio::test]
async fn removing_concerns_only_the_own_unfinished_upload() {
    let bench = Bench::new();
    bench.put("a", b"published");
    let server = bench.start(RULES).await;
    break_off(&server.ann(), "a", Wish::Anew, 100).await;
    server.bob().remove(&path("a")).await.unwrap();
    assert_eq!(bench.names(), Vec::<String>::new());
    assert_eq!(size(&server.ann(), "a").await, Some(99));
}

#[tokio::test]
async fn renaming_takes_the_unfinished_upload_first() {
    let bench = Bench::new();
    bench.put("a", b"published");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    break_off(&ann, "a", Wish::Anew, 100).await;
    break_off(&ann, "b", Wish::Anew, 5).await;
    ann.rename(&path("a"), &path("b")).await.unwrap();
    assert_eq!((size(&ann, "a").await, size(&ann, "b").await), (Some(9), Some(99)));
    assert_eq!(bench.staged(), 1, "what was unfinished under the new name is dropped");
    published(complete(&ann, "b", Wish::From(99), 200).await);
    assert_eq!(bench.published("b").unwrap(), content(0, 200));
}

#[tokio::test]
async fn a_finished_file_that_takes_a_name_is_what_its_owner_sees_there() {
    let bench = Bench::new();
    bench.put("a.part", b"whole");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    break_off(&ann, "a", Wish::Anew, 100).await;
    ann.rename(&path("a.part"), &path("a")).await.unwrap();
    assert_eq!(ann.read(&path("a")).await.unwrap().meta.size, 5);
    assert_eq!((bench.names(), bench.staged()), (vec!["a".to_owned()], 0));
}

#[tokio::test]
async fn an_unfinished_upload_goes_only_where_a_file_can_be() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("d")).unwrap();
    let server = bench.start(RULES).await;
    let ann = server.ann();
    break_off(&ann, "a", Wish::Anew, 100).await;
    assert!(ann.rename(&path("a"), &path("d")).await.is_err());
    assert!(ann.rename(&path("a"), &path("missing/a")).await.is_err());
    assert_eq!(size(&ann, "a").await, Some(99));
    ann.rename(&path("a"), &path("d/a")).await.unwrap();
    published(complete(&ann, "d/a", Wish::From(99), 100).await);
}

#[tokio::test]
async fn a_folder_takes_its_unfinished_uploads_along() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.root().join("d/e")).unwrap();
    let server = bench.start(RULES).await;
    let (ann, bob) = (server.ann(), server.bob());
    break_off(&ann, "d/a", Wish::Anew, 100).await;
    break_off(&bob, "d/e/b", Wish::Anew, 50).await;
    // One whose client has gone without a word.
    let dead = send(&bob, "d/dead", Wish::Anew, 30).await;
    ann.rename(&path("d"), &path("x")).await.unwrap();
    assert_eq!(size(&ann, "x/a").await, Some(99));
    assert_eq!(size(&bob, "x/e/b").await, Some(49));
    assert_eq!(size(&bob, "x/dead").await, Some(29));
    assert_eq!(size(&ann, "d/a").await, None);
    drop(dead);
    published(complete(&bob, "x/dead", Wish::From(29), 60).await);
    published(complete(&ann, "x/a", Wish::From(99), 100).await);
    assert_eq!(bench.published("x/a").unwrap(), content(0, 100));
}

#[tokio::test]
async fn a_folder_into_which_bytes_come_stays_where_it_is() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("d")).unwrap();
    let server = bench.start(Rules { takeover: Duration::from_millis(1000), ..RULES }).await;
    let mut receiving = send(&server.bob(), "d/b", Wish::Anew, 1).await;
    let ann = server.ann();
    let renaming = tokio::spawn(async move { ann.rename(&path("d"), &path("x")).await });
    let mut at = 1;
    while !renaming.is_finished() {
        receiving.append(content(at, at + 1).into()).await.unwrap();
        at += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(renaming.await.unwrap(), Err(ServerError::Busy)));
    published(receiving.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(bench.published("d/b").unwrap(), content(0, at));
}

#[tokio::test]
async fn a_folder_does_not_go_into_itself() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("d")).unwrap();
    let server = bench.start(Rules { takeover: Duration::from_secs(600), ..RULES }).await;
    let refused = server.ann().rename(&path("d"), &path("d/x")).await;
    assert!(matches!(refused, Err(ServerError::Store(_))), "{refused:?}");
}

#[tokio::test]
async fn removing_a_folder_drops_what_was_unfinished_in_it() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("d")).unwrap();
    let server = bench.start(RULES).await;
    let (ann, bob) = (server.ann(), server.bob());
    break_off(&bob, "d/b", Wish::Anew, 50).await;
    bench.put("d/whole", b"x");
    let full = ann.remove_folder(&path("d")).await;
    assert!(matches!(full, Err(ServerError::Store(StoreError::NotEmpty { .. }))), "{full:?}");
    assert_eq!(size(&bob, "d/b").await, Some(49), "it was not removed");
    ann.remove(&path("d/whole")).await.unwrap();
    ann.remove_folder(&path("d")).await.unwrap();
    assert_eq!((server.record("bob", "d/b").await, bench.staged()), (None, 0));
}

#[tokio::test]
async fn dates_and_modes_are_finished_files() {
    let bench = Bench::new();
    bench.put("whole", b"x");
    let server = bench.start(RULES).await;
    let ann = server.ann();
    break_off(&ann, "a", Wish::Anew, 100).await;
    let when = haul_core::Modified { seconds: 1_000_000_000, nanos: 0, strong: false };
    assert!(matches!(ann.set_modified(&path("a"), when).await, Err(ServerError::Unfinished { at: 99 })));
    assert!(matches!(ann.set_mode(&path("a"), 0o600).await, Err(ServerError::Unfinished { at: 99 })));
    ann.set_modified(&path("whole"), when).await.unwrap();
    assert_eq!(ann.stat(&path("whole")).await.unwrap().meta.modified.seconds, 1_000_000_000);
}

#[tokio::test]
async fn a_folder_does_not_take_the_name_of_an_unfinished_upload() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    break_off(&server.ann(), "a", Wish::Anew, 100).await;
    let taken = server.ann().make_folder(&path("a")).await;
    assert!(matches!(taken, Err(ServerError::Store(StoreError::Exists { .. }))));
    let root = server.bob().make_folder(&TreePath::ROOT).await;
    assert!(matches!(root, Err(ServerError::Store(StoreError::Exists { .. }))));
    server.bob().make_folder(&path("a")).await.unwrap();
    // What cannot be published any more is kept, and told.
    assert!(server.ann().receive(&path("a"), Wish::Append, None).await.is_err());
    assert_eq!(size(&server.ann(), "a").await, Some(99));
    server.ann().remove(&path("a")).await.unwrap();
}

#[tokio::test]
async fn removing_a_folder_that_is_not_there_leaves_the_uploads_that_were_to_go_into_it() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let (ann, bob) = (server.ann(), server.bob());
    ann.make_folder(&path("f")).await.unwrap();
    assert_eq!(break_off(&bob, "f/a", Wish::Anew, 1000).await, 999);
    // As a medium that is not mounted for a while.
    std::fs::rename(bench.root().join("f"), bench.root().join("away")).unwrap();
    assert!(ann.remove_folder(&path("f")).await.is_err());
    std::fs::rename(bench.root().join("away"), bench.root().join("f")).unwrap();
    assert_eq!(size(&bob, "f/a").await, Some(999));
}
