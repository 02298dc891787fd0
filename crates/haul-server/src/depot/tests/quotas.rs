//! Quotas: what is counted stays true whatever happens at the same time.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::{
    accounts::{Bounds, Quota},
    depot::Joining,
};

fn limited(quota: Quota) -> Account {
    Account { bounds: Arc::new(Bounds { quota, ..Bounds::default() }), ..account("ann") }
}

/// So many bytes.
fn of_bytes(bytes: u64) -> Account {
    limited(Quota { bytes: Some(bytes), files: None })
}

async fn counted(server: &Server, homes: &[&str]) {
    server.depot.measure(homes.iter().map(|home| path(home)));
    server.depot.recount().await.unwrap();
}

#[tokio::test]
async fn what_no_longer_replaces_a_file_counts_in_full() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(of_bytes(100_000));
    for (round, name) in ["f", "g"].into_iter().enumerate() {
        published(complete(&ann, name, Wish::Anew, 40_000).await);
        let before = ann.left().unwrap();
        kept(send(&ann, name, Wish::Anew, 40_000).await.keep().await);
        assert_eq!(ann.left().unwrap(), before, "it takes the place of what is there");
        ann.remove_published(&path(name), &Condition::Any).await.unwrap();
        assert_eq!(ann.left().unwrap(), before, "{round}: and takes it alone now");
    }
    let mut third = ann.receive(&path("h"), Wish::Anew, None).await.unwrap();
    let over = third.append(content(0, 40_000).into()).await;
    assert!(matches!(over, Err(ServerError::OverQuota)), "{over:?}");
    drop(third);
    // The same where the file goes elsewhere.
    server.depot.at_rest().await;
    ann.remove(&path("h")).await.unwrap();
    ann.remove(&path("g")).await.unwrap();
    published(complete(&ann, "i", Wish::Anew, 30_000).await);
    kept(send(&ann, "i", Wish::Anew, 30_000).await.keep().await);
    ann.rename_published(&path("i"), &path("j"), &Condition::Any, true).await.unwrap();
    assert_eq!(ann.left(), Some(0));
    // And where the upload does: under another name it replaces nothing.
    ann.remove(&path("i")).await.unwrap();
    ann.remove(&path("j")).await.unwrap();
    published(complete(&ann, "j", Wish::Anew, 60_000).await);
    kept(send(&ann, "j", Wish::Anew, 60_000).await.keep().await);
    let over = ann.rename(&path("j"), &path("k")).await;
    assert!(matches!(over, Err(ServerError::OverQuota)), "{over:?}");
    assert_eq!(ann.left(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whoever_looks_while_files_get_their_names_never_finds_room_that_is_not_there() {
    let bench = Bench::new();
    let server = bench.start(Rules { durability: Durability::Relaxed, ..RULES }).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(of_bytes(10_000));
    published(complete(&ann, "a", Wish::Anew, 8_000).await);
    let (full, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let watching = std::thread::spawn({
        let (ann, full, done) = (ann.clone(), Arc::clone(&full), Arc::clone(&done));
        move || {
            let mut most = 0;
            while !done.load(SeqCst) {
                let before = full.load(SeqCst);
                let left = ann.left().unwrap();
                if before && full.load(SeqCst) {
                    most = most.max(left);
                }
            }
            most
        }
    });
    for _ in 0..300 {
        let whole = send(&ann, "b", Wish::Anew, 1_000).await;
        full.store(true, SeqCst);
        published(whole.settle(DataEnd::Clean, Control::Alive).await);
        ann.rename(&path("a"), &path("c")).await.unwrap();
        ann.rename(&path("c"), &path("a")).await.unwrap();
        full.store(false, SeqCst);
        ann.remove(&path("b")).await.unwrap();
    }
    done.store(true, SeqCst);
    assert_eq!(watching.join().unwrap(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_make_something_at_once_no_more_than_may_do() {
    let bench = Bench::new();
    let server = bench.start(Rules { durability: Durability::Relaxed, ..RULES }).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(limited(Quota { bytes: None, files: Some(3) }));
    let mut making = tokio::task::JoinSet::new();
    for number in 0..16 {
        let ann = ann.clone();
        making.spawn(async move { ann.make_folder(&path(&format!("d{number}"))).await.is_ok() });
    }
    let made = making.join_all().await.into_iter().filter(|made| *made).count();
    assert_eq!((made, bench.names().len()), (3, 3));
    // What was refused by the disk does not count.
    ann.remove_folder(&path(&bench.names()[0])).await.unwrap();
    assert!(ann.make_folder(&path("nowhere/d")).await.is_err());
    ann.make_folder(&path("one more")).await.unwrap();
}

#[tokio::test]
async fn a_home_that_is_counted_from_now_on_counts_what_is_unfinished_in_it_once() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("ann")).unwrap();
    let server = bench.start(RULES).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(Account { home: path("ann"), ..of_bytes(100_000) });
    kept(send(&server.ann(), "ann/f", Wish::Anew, 60_000).await.keep().await);
    // As at a reload, and before anything was counted anew.
    server.depot.measure([path(""), path("ann")]);
    server.ann().remove(&path("ann/f")).await.unwrap();
    server.depot.recount().await.unwrap();
    published(complete(&ann, "g", Wish::Anew, 60_000).await);
    assert_eq!(ann.left(), Some(40_000));
}

#[tokio::test]
async fn what_was_on_its_way_when_a_quota_came_counts_when_it_is_there() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    let on_its_way = send(&server.ann(), "f", Wish::Anew, 60_000).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(of_bytes(100_000));
    published(on_its_way.settle(DataEnd::Clean, Control::Alive).await);
    assert_eq!(ann.left(), Some(40_000));
}

/// Parts of what is put together later, complete.
async fn parts(ann: &Visitor, parts: &[(&str, u64)]) {
    for (name, len) in parts {
        kept(send_declared(&ann.aside(), name, Wish::Anew, Some(*len), *len).await.keep().await);
    }
}

/// Begins to put them together.
fn joining(ann: &Visitor, name: &str, parts: &[&str]) -> (Visitor, Joining) {
    let parts: Vec<_> = parts.iter().map(|part| path(part)).collect();
    ann.joining(&path(name), parts.iter()).unwrap()
}

async fn give_up(visitor: &Visitor, name: &str) {
    let pending = visitor.pending(&path(name)).await.unwrap().unwrap();
    assert!(visitor.cancel(&path(name), &pending.id).await.unwrap());
}

#[tokio::test]
async fn what_is_put_together_from_parts_counts_once() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(limited(Quota { bytes: Some(100_000), files: Some(1) }));
    parts(&ann, &[("a", 30_000), ("b", 30_000)]).await;
    assert_eq!(ann.left(), Some(40_000));
    // A part that is named twice is there twice in the end.
    let (joins, once) = joining(&ann, "f", &["a", "b", "a"]);
    let over = joins.receive(&path("f"), Wish::Anew, Some(150_000)).await;
    assert!(matches!(over, Err(ServerError::OverQuota)));
    assert_eq!(ann.left(), Some(40_000));
    let mut whole = joins.receive(&path("f"), Wish::Anew, Some(90_000)).await.unwrap();
    for (end, left) in [(20_000, 40_000), (60_000, 40_000), (70_000, 30_000), (90_000, 10_000)] {
        whole.append(content(whole.offset(), end).into()).await.unwrap();
        assert_eq!(ann.left(), Some(left), "{end}");
    }
    published(whole.settle(DataEnd::Clean, Control::Alive).await);
    // In the same moment the parts are nothing any more, though they are still there.
    assert_eq!(ann.left(), Some(10_000));
    drop(once);
    for part in ["a", "b"] {
        give_up(&ann.aside(), part).await;
        assert_eq!(ann.left(), Some(10_000));
    }
    server.depot.recount().await.unwrap();
    assert_eq!(ann.left(), Some(10_000));
    // What takes the place of a file counts for the difference.
    parts(&ann, &[("a", 10_000)]).await;
    let (joins, _once) = joining(&ann, "f", &["a"]);
    published(complete(&joins, "f", Wish::Anew, 10_000).await);
    give_up(&ann.aside(), "a").await;
    assert_eq!(ann.left(), Some(90_000));
}

#[tokio::test]
async fn what_was_not_put_together_leaves_its_parts_to_count() {
    let bench = Bench::new();
    let server = bench.start(RULES).await;
    counted(&server, &[""]).await;
    let ann = server.visitor(of_bytes(100_000));
    parts(&ann, &[("a", 60_000), ("b", 30_000)]).await;
    let (joins, once) = joining(&ann, "f", &["a", "b"]);
    let mut whole = joins.receive(&path("f"), Wish::Anew, Some(90_000)).await.unwrap();
    whole.append(content(0, 40_000).into()).await.unwrap();
    assert_eq!(ann.left(), Some(10_000));
    // What stands for one file does not stand for another one as well.
    let (others, _twice) = joining(&ann, "g", &["a", "b"]);
    let over = others.receive(&path("g"), Wish::Anew, Some(90_000)).await;
    assert!(matches!(over, Err(ServerError::OverQuota)));
    // It breaks off, and nobody finds room that is not there, whatever is dropped first.
    kept(whole.settle(DataEnd::Unclean, Control::Gone).await);
    assert_eq!(ann.left(), Some(10_000));
    give_up(&ann, "f").await;
    assert_eq!(ann.left(), Some(10_000));
    drop(once);
    assert_eq!(ann.left(), Some(10_000));
    // Now they can be put together to another one; and a part that goes meanwhile no longer stands for it.
    let (joins, once) = joining(&ann, "g", &["a", "b"]);
    let mut whole = joins.receive(&path("g"), Wish::Anew, Some(90_000)).await.unwrap();
    whole.append(content(0, 50_000).into()).await.unwrap();
    give_up(&ann.aside(), "a").await;
    assert_eq!(ann.left(), Some(50_000), "30000 of b, and 20000 beyond that");
    drop(once);
    assert_eq!(ann.left(), Some(20_000));
    drop(whole);
    server.depot.at_rest().await;
    assert_eq!(ann.left(), Some(20_000));
}

#[tokio::test]
async fn parts_in_another_home_do_not_stand_for_what_comes_into_this_one() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("sub")).unwrap();
    let server = bench.start(RULES).await;
    counted(&server, &["", "sub"]).await;
    let ann = server.visitor(of_bytes(100_000));
    let bob = server.visitor(Account { home: path("sub"), ..of_bytes(50_000) });
    parts(&ann, &[("a", 60_000)]).await;
    assert_eq!((ann.left(), bob.left()), (Some(40_000), Some(50_000)));
    let (joins, _once) = joining(&ann, "sub/f", &["a"]);
    let whole = send_declared(&joins, "sub/f", Wish::Anew, Some(60_000), 40_000).await;
    assert_eq!((ann.left(), bob.left()), (Some(40_000), Some(10_000)));
    drop(whole);
}
